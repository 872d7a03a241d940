use std::{fs, path::Path, process::Command};

use crate::{
    run::{Said, command, finish, run, run_with},
    support::{casque, skip},
};

const ALICE: &[&str] = &[
    "user",
    "add",
    "alice",
    "--people",
    "people.toml",
    "--attr",
    "mail=alice@example.org",
    "--attr",
    "memberOf=staff",
    "--attr",
    "memberOf=admin",
];
const LONG: &[u8] = b"correct horse battery staple\n";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

fn add_alice(folder: &Path) {
    assert_eq!(
        run_with(folder, ALICE, LONG),
        Said {
            status: 0,
            out: "Added alice.\n".into(),
            err: String::new(),
        }
    );
}

fn read(folder: &Path) -> String {
    fs::read_to_string(folder.join("people.toml")).expect("the file of people")
}

#[test]
fn a_person_is_added_listed_given_a_password_and_removed() {
    let folder = folder();
    let folder = folder.path();
    add_alice(folder);
    let first = read(folder);
    assert!(first.starts_with("[alice]\npassword = \"$argon2id$v=19$m=19456,t=2,p=1$"));
    assert!(first.ends_with(
        "attributes = { mail = [\"alice@example.org\"], memberOf = [\"staff\", \"admin\"] }\n"
    ));
    assert!(!first.contains("battery"));

    let listed = run(folder, &["user", "list", "--people", "people.toml"]);
    assert_eq!(
        listed.out,
        "alice  mail=alice@example.org  memberOf=staff  memberOf=admin\n"
    );
    let listed = run(
        folder,
        &["user", "list", "--json", "--people", "people.toml"],
    );
    let people: serde_json::Value = serde_json::from_str(&listed.out).expect("JSON");
    assert_eq!(
        people,
        serde_json::json!([{
            "username": "alice",
            "disabled": false,
            "attributes": {"mail": ["alice@example.org"], "memberOf": ["staff", "admin"]},
            "hash": {"algorithm": "argon2id", "memory_kib": 19456, "passes": 2, "lanes": 1},
        }])
    );
    assert!(
        !listed.out.contains("$argon2id$"),
        "the hash stays in the file"
    );

    let changed = run_with(
        folder,
        &["user", "passwd", "alice", "--people", "people.toml"],
        b"another long passphrase",
    );
    assert_eq!(
        (changed.status, changed.out.as_str()),
        (0, "alice has a new password.\n")
    );
    let second = read(folder);
    assert_ne!(first, second);
    assert_eq!(first.lines().last(), second.lines().last());

    let removed = run(
        folder,
        &["user", "remove", "alice", "--people", "people.toml"],
    );
    assert_eq!(removed.status, 0, "{removed:?}");
    assert_eq!(read(folder), "");
    let files: Vec<_> = fs::read_dir(folder).expect("a folder").collect();
    assert_eq!(files.len(), 1, "nothing is left behind: {files:?}");
}

#[test]
fn what_is_refused_and_how_it_ends() {
    let folder = folder();
    let folder = folder.path();
    add_alice(folder);
    let before = read(folder);
    let people = ["--people", "people.toml"];
    let rows: &[(&[&str], &[u8], i32, &str)] = &[
        (
            &["user", "add", "alice"],
            LONG,
            1,
            "error: \"alice\" is there already\n  fix: `casque user passwd` sets a new password\n",
        ),
        (
            &["user", "add", "ALICE"],
            LONG,
            1,
            "error: \"ALICE\" differs from \"alice\" only by case\n  fix: choose a name that nobody mistakes for another\n",
        ),
        (
            &["user", "add", " bob"],
            LONG,
            1,
            "error: the name \" bob\" begins or ends with a blank\n",
        ),
        (
            &["user", "add", ""],
            LONG,
            1,
            "error: the name \"\" is empty\n",
        ),
        (
            &["user", "add", "b\u{200b}ob"],
            LONG,
            1,
            "error: the name \"b\\u{200b}ob\" has a control character or one that cannot be seen\n",
        ),
        (
            &["user", "passwd", "bob"],
            LONG,
            1,
            "error: there is nobody called \"bob\"\n",
        ),
        (
            &["user", "remove", "bob"],
            b"",
            1,
            "error: there is nobody called \"bob\"\n",
        ),
        (
            &["user", "add", "bob"],
            b"",
            1,
            "error: the password is empty\n",
        ),
        (
            &["user", "add", "bob"],
            b"\n",
            1,
            "error: the password is empty\n",
        ),
        (
            &["user", "add", "bob"],
            b"one\ntwo\n",
            1,
            "error: standard input holds more than one line; a password is one line\n",
        ),
        (
            &["user", "add", "bob"],
            &[b'a'; 1025],
            1,
            "error: the password is longer than 1024 bytes\n",
        ),
    ];
    for (arguments, input, status, err) in rows {
        let arguments = [arguments, &people[..]].concat();
        let said = run_with(folder, &arguments, input);
        assert_eq!(
            said,
            Said {
                status: *status,
                out: String::new(),
                err: (*err).into(),
            },
            "{arguments:?}"
        );
        assert_eq!(read(folder), before, "{arguments:?} changed the file");
    }
    // A password is no argument, and an attribute has a name.
    for arguments in [
        &["user", "add", "bob", "secret"][..],
        &["user", "add", "bob", "--password", "secret"],
        &["user", "add", "bob", "--attr", "mail"],
        &["user", "add", "bob", "--attr", "=value"],
        &["user", "add"],
        &["user"],
    ] {
        assert_eq!(run(folder, arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn a_short_password_is_taken_with_a_warning() {
    let folder = folder();
    let said = run_with(
        folder.path(),
        &["user", "add", "bob", "--people", "people.toml"],
        "schöne Grüße".as_bytes(),
    );
    assert_eq!(said.status, 0);
    assert_eq!(
        said.err,
        "warning: the password has 12 characters; 15 or more are advised where it is the only thing asked for\n"
    );
    let most = run_with(
        folder.path(),
        &["user", "add", "carol", "--people", "people.toml"],
        &[b'a'; 1024],
    );
    assert_eq!((most.status, most.err.as_str()), (0, ""));
}

#[test]
fn the_configuration_names_the_file_and_the_cost() {
    let folder = folder();
    let folder = folder.path();
    fs::create_dir(folder.join("etc")).expect("a folder");
    fs::write(
        folder.join("etc/casque.toml"),
        "base_url = \"https://cas.example.edu/cas\"\npeople = \"staff.toml\"\n[passwords]\npasses = 3\n",
    )
    .expect("written");
    let add = ["user", "add", "alice", "--config", "etc/casque.toml"];
    assert_eq!(run_with(folder, &add, LONG).status, 0);
    let text = fs::read_to_string(folder.join("etc/staff.toml")).expect("beside the configuration");
    assert!(text.contains("m=19456,t=3,p=1"), "{text}");

    // The default is casque.toml in this folder.
    let said = run_with(folder, &["user", "add", "alice"], LONG);
    assert_eq!(said.status, 1);
    assert!(
        said.err.starts_with("error: casque.toml: cannot be read: "),
        "{said:?}"
    );
    assert_eq!(
        run(folder, &["user", "list", "--config", "a", "--people", "b"]).status,
        2,
        "both at once"
    );
}

#[test]
fn the_file_is_kept_as_its_writer_left_it() {
    let folder = folder();
    let folder = folder.path();
    add_alice(folder);
    let hash = read(folder)
        .lines()
        .nth(1)
        .expect("a password line")
        .to_owned();
    let written = format!(
        "# Keep this in order.\n\n  [ alice ]   # the first\n{hash} # in May\ndisabled = false\n\n\n# the end\n"
    );
    fs::write(folder.join("people.toml"), &written).expect("written");
    let add = ["user", "add", "jane.doe", "--people", "people.toml"];
    assert_eq!(run_with(folder, &add, LONG).status, 0);
    let text = read(folder);
    let (kept, added) = text.split_once("\n[\"jane.doe\"]\n").expect("she is there");
    assert!(written.starts_with(kept), "{text}");
    assert!(added.ends_with("\n\n\n# the end\n"), "{text}");
    let remove = ["user", "remove", "jane.doe", "--people", "people.toml"];
    assert_eq!(run(folder, &remove).status, 0);
    assert_eq!(read(folder), written);
}

#[test]
fn a_fault_elsewhere_does_not_stop_the_repair() {
    let folder = folder();
    let folder = folder.path();
    fs::write(
        folder.join("people.toml"),
        "[alice]\npassword = \"wonderland\"\n[bob]\npassword = \"builder\"\n",
    )
    .expect("written");
    let said = run_with(
        folder,
        &["user", "passwd", "alice", "--people", "people.toml"],
        LONG,
    );
    assert_eq!(said.status, 0);
    assert_eq!(
        said.err,
        "warning: the server cannot read the file yet:\n\
         people.toml:4: person \"bob\": `password`: it is not a password hash; a password is never written here in clear\n  \
         fix: run `casque user passwd bob`\n"
    );
    fs::write(folder.join("people.toml"), "[alice]\npassword = \"wonder\n").expect("written");
    let said = run_with(
        folder,
        &["user", "passwd", "alice", "--people", "people.toml"],
        LONG,
    );
    assert_eq!(said.status, 1);
    assert!(
        said.err.starts_with("error: people.toml:2: is not TOML: "),
        "{said:?}"
    );
    assert!(!said.err.contains("wonder"), "{said:?}");
}

#[test]
fn twenty_at_once_lose_nobody() {
    let folder = folder();
    let folder = folder.path();
    let children: Vec<_> = (0..20)
        .map(|number| {
            let name = format!("person{number}");
            let path = folder.to_owned();
            std::thread::spawn(move || {
                run_with(
                    &path,
                    &["user", "add", &name, "--people", "people.toml"],
                    LONG,
                )
                .status
            })
        })
        .collect();
    for child in children {
        assert_eq!(child.join().expect("no panic"), 0);
    }
    let listed = run(folder, &["user", "list", "--people", "people.toml"]);
    assert_eq!(listed.out.lines().count(), 20, "{listed:?}");
}

#[cfg(unix)]
#[test]
fn the_mode_is_kept_and_private_at_first() {
    use std::os::unix::fs::PermissionsExt;

    let folder = folder();
    let folder = folder.path();
    let file = folder.join("people.toml");
    let mode = || fs::metadata(&file).expect("there").permissions().mode() & 0o777;
    add_alice(folder);
    assert_eq!(mode(), 0o600, "S-074");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
    let passwd = ["user", "passwd", "alice", "--people", "people.toml"];
    assert_eq!(run_with(folder, &passwd, LONG).status, 0);
    assert_eq!(mode(), 0o640);

    // A link stays a link, and what it names is changed.
    let link = folder.join("link.toml");
    std::os::unix::fs::symlink(&file, &link).expect("linked");
    let before = read(folder);
    let passwd = ["user", "passwd", "alice", "--people", "link.toml"];
    assert_eq!(run_with(folder, &passwd, LONG).status, 0);
    assert!(fs::symlink_metadata(&link).expect("there").is_symlink());
    assert_ne!(read(folder), before);
}

#[test]
fn a_file_that_cannot_be_written_ends_with_3() {
    let folder = folder();
    let said = run_with(
        folder.path(),
        &["user", "add", "alice", "--people", "missing/people.toml"],
        LONG,
    );
    assert_eq!(said.status, 3);
    assert!(
        said.err
            .starts_with("error: missing/people.toml cannot be changed: "),
        "{said:?}"
    );
}

#[test]
fn values_cannot_steer_the_terminal() {
    let folder = folder();
    let folder = folder.path();
    let add = [
        "user",
        "add",
        "bob",
        "--people",
        "people.toml",
        "--attr",
        "note=a\u{1b}[2Jb\nc",
    ];
    assert_eq!(run_with(folder, &add, LONG).status, 0);
    let listed = run(folder, &["user", "list", "--people", "people.toml"]);
    assert_eq!(listed.out, "bob  note=a\\u{1b}[2Jb\\u{a}c\n");
}

/// Asks at a real terminal, which `script` makes.
#[test]
fn a_person_at_the_keyboard_types_it_twice_and_sees_nothing() {
    if Command::new("script").arg("--version").output().is_err() {
        return skip("script (bsdutils) is not installed");
    }
    let folder = folder();
    let folder = folder.path();
    let ask = |typed: &[u8]| {
        let binary = casque().get_program().to_owned();
        let line = format!(
            "{} user add alice --people people.toml",
            binary.to_string_lossy()
        );
        let mut script = Command::new("script");
        script
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .current_dir(folder);
        finish(&mut script, typed)
    };
    let said = ask(b"a long enough passphrase\ranother long passphrase\r");
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.out.contains("error: the two passwords differ"),
        "{said:?}"
    );
    assert!(!folder.join("people.toml").exists());

    let said = ask(b"a long enough passphrase\ra long enough passphrase\r");
    assert_eq!(said.status, 0, "{said:?}");
    assert!(said.out.contains("Password for alice: "), "{said:?}");
    assert!(said.out.contains("The same again: "), "{said:?}");
    assert!(said.out.contains("Added alice."), "{said:?}");
    let listed = run(folder, &["user", "list", "--people", "people.toml"]);
    assert_eq!(listed.out, "alice\n");
}

#[test]
fn help_says_what_the_exit_status_means() {
    let folder = folder();
    let help = finish(&mut command(folder.path(), &["user", "--help"]), b"");
    assert!(help.out.contains("exit status"), "{help:?}");
}
