//! What the documentation shows is done: every file is written, every `casque` command is run, every link leads
//! somewhere, every test that is named exists.

#[path = "support/mod.rs"]
mod support;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use support::{Process, casque, root, served::free_port};

fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
    ]
    .iter()
    .map(|name| root().join(name))
    .collect();
    let mut folders = vec![root().join("docs"), root().join("examples")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                // A virtual environment of whoever tries an example is none of ours.
                if !path.ends_with(".venv") {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path);
            }
        }
    }
    pages
}

/// A fenced block: what stands behind the fence, and the text.
struct Block {
    info: String,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        let fence = line.trim_start();
        if let Some(info) = fence.strip_prefix("```") {
            open = !open;
            if open {
                blocks.push(Block {
                    info: info.trim().to_owned(),
                    text: String::new(),
                });
            }
        } else if open {
            let block = blocks.last_mut().expect("a block is open");
            block.text.push_str(line);
            block.text.push('\n');
        }
    }
    assert!(!open, "a fenced block is never closed");
    blocks
}

#[test]
fn every_command_and_file_works() {
    for path in pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        let folder = tempfile::tempdir().expect("a folder");
        let name = path
            .strip_prefix(root())
            .expect("a page of the project")
            .display()
            .to_string();
        // A documented port may be taken on this machine.
        let port = format!(":{}", free_port());
        for block in blocks(&text) {
            if let Some(file) = block
                .info
                .split_whitespace()
                .find_map(|word| word.strip_prefix("(file=")?.strip_suffix(')'))
            {
                let file = folder.path().join(file);
                std::fs::create_dir_all(file.parent().expect("a folder"))
                    .expect("the folder can be made");
                std::fs::write(file, block.text.replace(":8443", &port))
                    .expect("the file can be written");
            } else if block.info == "console" {
                let commands = block
                    .text
                    .lines()
                    .filter_map(|line| line.strip_prefix("$ "));
                for command in commands {
                    run(command, folder.path(), &name);
                }
            }
        }
    }
}

/// Runs a documented command. What builds or installs is not run here: it is the test command itself.
fn run(line: &str, folder: &Path, page: &str) {
    let line = line.replace("cargo run --release -- ", "casque ");
    let Some(arguments) = line.strip_prefix("casque ") else {
        let program = line.split_whitespace().next().expect("a command");
        if program.starts_with("./")
            || program.starts_with("bench/")
            || program.starts_with("scripts/")
        {
            assert!(
                root().join(program).exists(),
                "{page}: {program} is not in the project"
            );
        } else if program == "mkdir" {
            let status = Command::new("sh")
                .args(["-c", &line])
                .current_dir(folder)
                .status()
                .expect("sh runs");
            assert!(status.success(), "{page}: {line}");
        } else {
            // The Python examples' own commands: python/tests/examples runs them.
            let examples = ["python", "python3", "export", "gunicorn", "uvicorn"];
            assert!(
                ["cargo", "pip", "docker", "curl", "sudo"].contains(&program)
                    || (page.starts_with("examples/") && examples.contains(&program)),
                "{page}: {line} is not run by any test"
            );
        }
        return;
    };
    let subcommand = arguments.split_whitespace().next();
    let arguments = if subcommand == Some("demo") {
        on_free_ports(arguments)
    } else {
        arguments.to_owned()
    };
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("exec \"$CASQUE\" {arguments}")])
        .env("CASQUE", casque().get_program())
        .current_dir(folder);
    match subcommand {
        Some("demo") => ends_by_signal(&mut command, "http://", page),
        Some("serve") if !arguments.contains("--check") => {
            ends_by_signal(&mut command, "127.0.0.1", page);
        }
        _ => {
            let mut child = command
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
                .expect("it runs");
            let _ = writeln!(
                child.stdin.take().expect("stdin is piped"),
                "a long enough passphrase"
            );
            assert!(child.wait().expect("it ends").success(), "{page}: {line}");
        }
    }
}

/// The arguments of `casque demo`, with free ports in place of documented ones.
fn on_free_ports(arguments: &str) -> String {
    let mut words: Vec<&str> = arguments.split_whitespace().collect();
    for option in ["--cas-port", "--app-port"] {
        if let Some(place) = words.iter().position(|word| *word == option) {
            words[place + 1] = "0";
        } else {
            words.extend([option, "0"]);
        }
    }
    words.join(" ")
}

fn ends_by_signal(command: &mut Command, ready: &str, page: &str) {
    let (mut process, ()) =
        Process::start_until(command, |line| line.contains(ready).then_some(()));
    process.signal("INT");
    assert!(
        process.wait().success(),
        "{page}: {command:?} does not end cleanly"
    );
}

#[test]
fn every_link_leads_somewhere() {
    for path in pages() {
        let text = std::fs::read_to_string(&path).expect("a page");
        for target in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let file = target.split('#').next().unwrap_or_default();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            let linked = path.parent().expect("a folder").join(file);
            assert!(
                linked.exists(),
                "{} links to {target}, which does not exist",
                path.display()
            );
        }
    }
}

/// The tests that a page names, as `crate/path/to/file.rs::function` or `…::{one, another}`, the file below `crates/`.
fn named_tests(page: &str) -> Vec<(&str, Vec<&str>)> {
    page.split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|code| code.split_once(".rs::"))
        .map(|(file, names)| {
            let names = names.trim_matches(['{', '}']).split(", ").collect();
            (file, names)
        })
        .collect()
}

#[test]
fn every_test_that_is_named_exists() {
    for name in ["docs/security.md", "docs/conformance.md"] {
        let page = std::fs::read_to_string(root().join(name)).expect("a page");
        let tests = named_tests(&page);
        assert!(tests.len() > 20, "{name} names its tests");
        for (file, functions) in tests {
            let path = root().join(format!("crates/{file}.rs"));
            let text = std::fs::read_to_string(&path);
            let text = text.unwrap_or_else(|error| panic!("{name}: {}: {error}", path.display()));
            for function in functions {
                assert!(
                    text.contains(&format!("fn {function}(")),
                    "{name}: {file}.rs has no test {function}"
                );
            }
        }
    }
}

#[test]
fn every_weakness_of_what_is_built_has_a_row() {
    let page = std::fs::read_to_string(root().join("docs/security.md")).expect("a page");
    let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut numbers = std::collections::BTreeSet::new();
    // "S-082 to S-089" stands for all of them.
    for (at, _) in page.match_indices("S-0") {
        let number = |at: usize| {
            page.get(at..at + 5)?
                .strip_prefix("S-")?
                .parse::<u32>()
                .ok()
        };
        let Some(first) = number(at) else { continue };
        let last = page
            .get(at + 5..)
            .filter(|rest| rest.starts_with(" to "))
            .and_then(|_| number(at + 9));
        numbers.extend(first..=last.unwrap_or(first));
    }
    let missing: Vec<u32> = (1..=96)
        .filter(|number| !numbers.contains(number))
        .collect();
    assert!(
        missing.is_empty(),
        "docs/security.md says nothing about {missing:?}"
    );
}

#[test]
fn every_requirement_is_cited_or_explained() {
    let output = Command::new(root().join("scripts/requirements"))
        .output()
        .expect("python3 runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("of 299 cited"), "{text}");
}
