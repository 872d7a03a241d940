//! The chapter of the book and the tests know every finding.

use std::path::Path;

use casque_doctor::Kind;

fn text(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_chapter_explains_every_finding_and_no_other() {
    let chapter = text("../../docs/doctor.md");
    let headings: Vec<&str> = chapter
        .lines()
        .filter_map(|line| line.strip_prefix("### `")?.strip_suffix('`'))
        .collect();
    let names: Vec<&str> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(
        headings, names,
        "docs/doctor.md has the findings of the code, in their order"
    );
    let plain = chapter.split_whitespace().collect::<Vec<_>>().join(" ");
    for kind in Kind::ALL {
        assert!(
            plain.contains(kind.why()),
            "docs/doctor.md says of {} why it matters: {}",
            kind.name(),
            kind.why()
        );
    }
}

#[test]
fn every_finding_is_provoked_by_a_test() {
    let tests: String = ["application", "login", "network", "server", "service"]
        .iter()
        .map(|name| text(&format!("tests/it/{name}.rs")))
        .collect();
    for kind in Kind::ALL {
        assert!(
            tests.contains(&format!("Kind::{kind:?}")),
            "no test has a wrong setting for {}",
            kind.name()
        );
    }
}
