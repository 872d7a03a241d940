use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::Stdio,
};

use crate::{
    run::{Said, command, finish, run, run_with},
    support::{Process, served::Site, visitor::Visitor},
};

const CONFIG: &str = "base_url = \"http://127.0.0.1:8443/cas\"\nlisten = \"127.0.0.1:0\"\n";

/// A folder with a configuration that listens on a free port, alice, and one service.
fn site(settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    fs::write(path.join("casque.toml"), CONFIG).expect("written");
    fs::create_dir(path.join("services")).expect("a folder");
    fs::write(
        path.join("services/app.toml"),
        "id = \"app\"\norigin = \"https://app.example.org\"\n",
    )
    .expect("written");
    let add = ["user", "add", "alice"];
    assert_eq!(
        run_with(path, &add, b"correct horse battery staple\n").status,
        0
    );
    fs::write(path.join("casque.toml"), format!("{CONFIG}{settings}")).expect("written");
    folder
}

/// Starts the server; gives what it said until its store, and its process.
fn start(folder: &Path) -> (Process, Vec<String>) {
    let mut lines = Vec::new();
    let mut serve = command(folder, &["serve"]);
    let (process, ()) = Process::start_until(serve.stderr(Stdio::null()), |line| {
        lines.push(line.to_owned());
        line.contains("store  ").then_some(())
    });
    (process, lines)
}

fn fails(folder: &Path, arguments: &[&str], status: i32, err: &str) {
    assert_eq!(
        run(folder, arguments),
        Said {
            status,
            out: String::new(),
            err: err.into(),
        }
    );
}

#[test]
fn it_says_what_it_serves_and_ends_when_it_is_told() {
    let folder = site("");
    for signal in ["INT", "TERM"] {
        let (mut process, lines) = start(folder.path());
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert_eq!(
            lines[0],
            format!(
                "casque {} serves http://127.0.0.1:8443/cas",
                env!("CARGO_PKG_VERSION")
            )
        );
        let address = lines[1]
            .strip_prefix("  listens on  127.0.0.1:")
            .and_then(|rest| rest.strip_suffix(" (plain http)"))
            .unwrap_or_else(|| panic!("{lines:?}"));
        assert_ne!(address, "0", "the port that was really taken");
        assert_eq!(lines[2], "  people      1 in people.toml");
        assert_eq!(lines[3], "  services    1 in services/");
        assert_eq!(lines[4], "  store       sqlite:casque.db");
        process.signal(signal);
        assert_eq!(process.wait().code(), Some(0), "{signal}");
    }
}

#[test]
fn check_reads_everything_and_serves_nothing() {
    let folder = site("");
    let folder = folder.path();
    assert_eq!(
        run(folder, &["serve", "--check"]),
        Said {
            status: 0,
            out: "The configuration is good. People: 1, services: 1.\n".into(),
            err: String::new(),
        }
    );
    assert!(!folder.join("casque.key").exists(), "nothing is made");
    assert!(!folder.join("casque.db").exists(), "nothing is made");

    fs::remove_file(folder.join("services/app.toml")).expect("removed");
    let said = run(folder, &["serve", "--check"]);
    assert_eq!(said.status, 0);
    assert!(
        said.err.starts_with("warning: no service is registered: "),
        "{said:?}"
    );
}

#[test]
fn what_is_wrong_is_told_with_file_line_and_fix() {
    let folder = site("[login]\nmax_failure = 3\n");
    let expected = "error: casque.toml:4: unknown key `login.max_failure`\n  fix: did you mean `max_failures`?\n";
    fails(folder.path(), &["serve"], 1, expected);
    fails(folder.path(), &["serve", "--check"], 1, expected);

    // People and services are told together.
    let folder = site("");
    let folder = folder.path();
    fs::write(
        folder.join("people.toml"),
        "[alice]\npassword = \"wonderland\"\n",
    )
    .expect("written");
    fs::write(
        folder.join("services/app.toml"),
        "id = \"app\"\nregex = 'https://.*'\n",
    )
    .expect("written");
    let said = run(folder, &["serve", "--check"]);
    assert_eq!(said.status, 1);
    assert!(
        said.err.contains("people.toml:2: person \"alice\": "),
        "{said:?}"
    );
    assert!(
        said.err.contains("services/app.toml:2: `regex` = "),
        "{said:?}"
    );
    assert!(!said.err.contains("wonderland"), "{said:?}");
}

#[test]
fn files_that_are_named_and_missing() {
    const MISSING: &str = "cannot be read: No such file or directory (os error 2)";
    let folder =
        site("trusted_roots = \"ca.pem\"\n[tls]\ncertificate = \"cas.pem\"\nkey = \"cas.key\"\n");
    let folder = folder.path();
    let roots = format!(
        "casque.toml:3: `trusted_roots` names ca.pem, which {MISSING}\n  \
         fix: put the authorities' certificates there as PEM, or correct `trusted_roots`\n"
    );
    let tls = format!(
        "casque.toml:5: `tls.certificate` names cas.pem, which {MISSING}\n  \
         fix: put the certificate chain there as PEM, or correct `tls.certificate`\n\
         casque.toml:6: `tls.key` names cas.key, which {MISSING}\n  \
         fix: put the certificate's private key there as PEM, or correct `tls.key`\n"
    );
    for arguments in [&["serve"][..], &["serve", "--check"]] {
        fails(folder, arguments, 1, &format!("error: {roots}{tls}"));
    }
    for name in ["ca.pem", "cas.pem", "cas.key"] {
        fs::write(folder.join(name), "nothing\n").expect("written");
    }
    let said = run(folder, &["serve", "--check"]);
    assert_eq!(said.status, 1);
    let start = "error: casque.toml:5: `tls.certificate`: cas.pem cannot be read: ";
    assert!(said.err.starts_with(start), "{said:?}");
    assert!(said.err.contains("\n  fix: put the "), "{said:?}");

    let folder = site("trusted_roots = \"ca.pem\"\n");
    let folder = folder.path();
    fs::write(folder.join("ca.pem"), "nothing\n").expect("written");
    for arguments in [&["serve"][..], &["serve", "--check"]] {
        let said = run(folder, arguments);
        assert_eq!(said.status, 1);
        assert_eq!(
            said.err,
            "error: casque.toml:3: `trusted_roots`: the trusted roots in ca.pem cannot be read: \
             it holds no certificate\n  \
             fix: put the authorities' certificates there as PEM, or correct `trusted_roots`\n"
        );
    }

    let folder = site("people = \"folk.toml\"\nservices = \"apps/\"\n");
    fails(
        folder.path(),
        &["serve"],
        1,
        &format!(
            "error: casque.toml:3: `people` names folk.toml, which {MISSING}\n  \
             fix: add the first person with `casque user add NAME`, or correct `people`\n\
             casque.toml:4: `services` names apps/, which {MISSING}\n  \
             fix: make the folder, or correct `services`\n"
        ),
    );

    let folder = site("");
    fs::remove_file(folder.path().join("people.toml")).expect("removed");
    fails(
        folder.path(),
        &["serve", "--check"],
        1,
        &format!(
            "error: casque.toml: `people` is not set, and its default, people.toml, {MISSING}\n  \
             fix: add the first person with `casque user add NAME`, or correct `people`\n"
        ),
    );

    fails(
        folder.path(),
        &["serve", "--config", "nope.toml"],
        1,
        &format!(
            "error: nope.toml: {MISSING}\n  fix: write it, or name another with --config FILE; \
             docs/reference/configuration.md has every key\n"
        ),
    );
}

#[test]
fn a_command_that_is_wrong_ends_with_2() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["serve", "--port", "1"][..],
        &["serve", "casque.toml"],
        &["serve", "--log-format", "xml"],
    ] {
        assert_eq!(run(folder.path(), arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn a_port_that_is_taken_ends_with_3() {
    let folder = site("");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = finish(
        command(folder.path(), &["serve"]).env("CASQUE_LISTEN", &address),
        b"",
    );
    assert_eq!(said.status, 3);
    assert!(
        said.err
            .contains(&format!("error: cannot listen on {address}: ")),
        "{said:?}"
    );
    assert_eq!(said.out, "");
}

#[test]
fn the_environment_replaces_a_key_and_its_fault_is_named() {
    let folder = site("");
    let said = finish(
        command(folder.path(), &["serve", "--check"]).env("CASQUE_SSO__IDLE", "9 h"),
        b"",
    );
    assert_eq!(said.status, 1);
    assert_eq!(
        said.err,
        "error: CASQUE_SSO__IDLE: `sso.idle` (9h) is longer than `sso.absolute` (8h)\n  \
         fix: shorten `sso.idle` or lengthen `sso.absolute`\n"
    );
}

#[cfg(unix)]
#[test]
fn the_secret_key_is_made_once_and_is_private() {
    use std::os::unix::fs::PermissionsExt;

    // S-074
    let folder = site("");
    let folder = folder.path();
    let key = folder.join("casque.key");
    let serve_once = || {
        let (mut process, _) = start(folder);
        process.signal("TERM");
        assert!(process.wait().success());
        fs::read_to_string(&key).expect("a key")
    };
    let first = serve_once();
    assert_eq!(first.trim().len(), 64);
    let mode = fs::metadata(&key).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(serve_once(), first, "the same at the next start");

    for weak in [0o644, 0o640, 0o606, 0o660] {
        fs::set_permissions(&key, fs::Permissions::from_mode(weak)).expect("set");
        fails(
            folder,
            &["serve"],
            1,
            "error: casque.key: other accounts of this machine can read the secret key\n  fix: chmod 600 casque.key\n",
        );
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(&key, "short\n").expect("written");
    let said = run(folder, &["serve"]);
    assert_eq!(said.status, 1);
    assert!(said.err.contains("casque.key"), "{said:?}");
}

#[test]
fn the_log_is_json_where_nobody_watches() {
    let folder = site("store = \"memory:\"\n");
    let mut serve = command(folder.path(), &["serve", "--log-format", "json"]);
    serve.env("RUST_LOG", "debug");
    let log = folder.path().join("log");
    serve.stderr(fs::File::create(&log).expect("a file"));
    let (mut process, ()) =
        Process::start_until(&mut serve, |line| line.contains("store  ").then_some(()));
    process.signal("TERM");
    assert!(process.wait().success());
    let log = BufReader::new(fs::File::open(&log).expect("a log"));
    let mut warnings = Vec::new();
    for line in log.lines() {
        let line = line.expect("text");
        let event: serde_json::Value =
            serde_json::from_str(&line).unwrap_or_else(|error| panic!("{line}: {error}"));
        if event["level"] == "WARN" {
            warnings.push(event["message"].as_str().unwrap_or_default().to_owned());
        }
    }
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].starts_with("store = \"memory:\" forgets"),
        "{warnings:?}"
    );
}

#[test]
fn the_reference_can_be_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let said = run(folder.path(), &["config-reference"]);
    let page = fs::read_to_string(crate::support::root().join("docs/reference/configuration.md"));
    assert_eq!(said.out, page.expect("the reference"));
}

#[tokio::test]
async fn a_running_server_takes_changes_of_people_up_at_once() {
    let site = Site::new("memory:", "");
    let _server = site.serve();
    let login = format!("{}/login", site.base_url);
    let status = async |name: &str, password: &str| {
        let mut visitor = Visitor::new();
        let form = visitor.get(&login).await;
        visitor.log_in(&form, name, password).await.status
    };
    assert_eq!(status("alice", "wonderland").await, 200);
    assert_eq!(status("carol", "a passphrase of carol").await, 401);

    site.add_person("carol", "a passphrase of carol", &[]);
    assert_eq!(status("carol", "a passphrase of carol").await, 200);

    let folder = site.file("");
    let passwd = ["user", "passwd", "alice"];
    let changed = run_with(&folder, &passwd, b"through the looking-glass\n");
    assert_eq!(changed.status, 0, "{changed:?}");
    assert_eq!(status("alice", "wonderland").await, 401);
    assert_eq!(status("alice", "through the looking-glass").await, 200);

    let removed = run(&folder, &["user", "remove", "alice"]);
    assert_eq!(removed.status, 0, "{removed:?}");
    assert_eq!(status("alice", "through the looking-glass").await, 401);
}
