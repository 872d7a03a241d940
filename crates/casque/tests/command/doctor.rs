//! `casque doctor` as somebody at a terminal meets it: the demonstration, a server of others, misuse.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run::{Said, command, finish, run, run_with};
use crate::support::{Demo, Process, casque, root, skip};

/// `casque doctor` without settings of whoever runs the tests.
fn doctor(folder: &Path, arguments: &[&str], input: &str) -> Said {
    let mut command = command(folder, &[&["doctor"], arguments].concat());
    for name in ["CAS_PROVIDER", "SERVICE_URL", "LOGIN_URL"] {
        command.env_remove(name);
    }
    finish(&mut command, input.as_bytes())
}

fn names(said: &Said) -> Vec<String> {
    let report: Value =
        serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("JSON: {said:?}"));
    let findings = report["findings"].as_array().expect("a list");
    let wrong = findings
        .iter()
        .filter_map(|finding| finding["name"].as_str());
    wrong.map(ToOwned::to_owned).collect()
}

#[test]
fn nothing_is_wrong_with_the_demonstration() {
    let demo = Demo::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = format!(
        "SECRET_KEY=of-the-application\nCAS_PROVIDER={}\nSERVICE_URL=\"{}\"\n",
        demo.cas_url, demo.app_url
    );
    std::fs::write(folder.path().join(".env"), file).expect("the file can be written");
    let (name, password) = &demo.users[0];
    let members = format!("{}/members", demo.app_url);
    let whole = ["--app", &members, "--user", name, "--password-file", "-"];
    let said = doctor(folder.path(), &whole, &format!("{password}\n"));
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{}", said.out);
    for words in [
        "an application starts with them",
        "attributes arrive: mail, memberOf (2 values)",
        "alice logs in and comes back to",
        "nothing is wrong: 0 problems, 0 cautions",
    ] {
        assert!(said.out.contains(words), "{words}: {}", said.out);
    }
    assert!(
        !said.out.contains("skipped"),
        "everything was looked at: {}",
        said.out
    );
    for secret in [password, "of-the-application"] {
        assert!(!said.out.contains(secret), "{secret} is told (S-017)");
    }

    // The settings alone, and as JSON.
    let said = doctor(folder.path(), &["--json"], "");
    assert_eq!((said.status, names(&said)), (0, Vec::new()), "{}", said.out);
    let report: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(report["healthy"], true);
    assert_eq!(report["summary"]["problem"], 0);
    assert_eq!(report["findings"][0]["group"], "settings");

    // One wrong setting.
    let wrong = ["--cas", &demo.app_url, "--json"];
    let said = doctor(folder.path(), &wrong, "");
    assert_eq!(said.status, 1, "{}", said.out);
    assert_eq!(names(&said), ["settings-disagree", "cas-not-found"]);
    let value = ["--values", "--user", "bob", "--password-file", "-"];
    let said = doctor(folder.path(), &value, "builder\n");
    assert!(said.out.contains("mail = bob@example.org"), "{}", said.out);
}

#[test]
fn somebody_at_a_terminal_sees_how_far_it_is() {
    if Command::new("script").arg("--version").output().is_err() {
        return skip("script (bsdutils) is not installed");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let binary = casque().get_program().to_owned();
    let line = format!(
        "{} doctor --cas https://cas.invalid/cas",
        binary.to_string_lossy()
    );
    let mut script = Command::new("script");
    script
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(folder.path());
    let said = finish(&mut script, b"");
    assert_eq!(said.status, 1, "{said:?}");
    let progress = "\r\u{1b}[Kreaching the CAS server https://cas.invalid/cas …\r\u{1b}[K";
    assert!(said.out.starts_with(progress), "{said:?}");
    // Where nobody watches, as in the other tests, nothing of that is said.
    assert!(said.out.contains("name-unknown"), "{said:?}");
}

#[test]
fn misuse_is_told_from_a_problem() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let said = doctor(folder.path(), &[], "");
    assert_eq!(
        (said.status, said.err.contains("nothing to look at")),
        (2, true),
        "{said:?}"
    );
    let said = doctor(folder.path(), &["--env-file", "nowhere"], "");
    assert_eq!(
        (said.status, said.err.contains("nowhere")),
        (2, true),
        "{said:?}"
    );
    let said = doctor(
        folder.path(),
        &["--cas", "https://cas.invalid", "--ca", "nowhere.pem"],
        "",
    );
    assert_eq!(
        (said.status, said.err.contains("nowhere.pem")),
        (2, true),
        "{said:?}"
    );
    assert_eq!(run(folder.path(), &["doctor", "--user", "alice"]).status, 2);
    let empty = [
        "doctor",
        "--cas",
        "https://cas.invalid",
        "--user",
        "alice",
        "--password-file",
        "-",
    ];
    assert_eq!(run_with(folder.path(), &empty, b"\n").status, 2);
    // A `.env` of another program is none of ours; a file that was named is.
    std::fs::write(folder.path().join(".env"), "PORT=1\n").expect("the file can be written");
    assert_eq!(doctor(folder.path(), &[], "").status, 2);
    let said = doctor(folder.path(), &["--env-file", ".env", "--json"], "");
    assert_eq!(
        (said.status, names(&said)),
        (1, vec!["setting-missing".to_owned()]),
        "{said:?}"
    );
}

/// A server of `interop/servers`; it runs until its standard input ends, which is with this process.
fn peer(
    program: &Path,
    script: &str,
    works: &[&str],
) -> Option<(Process, tempfile::TempDir, Value)> {
    let probe = Command::new(program)
        .args(works)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !probe.is_ok_and(|status| status.success()) {
        skip(&format!("what {script} needs is not installed"));
        return None;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Command::new(program);
    server
        .arg(root().join("interop/servers").join(script))
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::null());
    let (process, ready) =
        Process::start_until(&mut server, |line| serde_json::from_str(line).ok());
    Some((process, folder, ready))
}

/// What is said about a service at such a server; with `login`, somebody logs in.
fn asked(ready: &Value, service: &str, login: bool) -> Said {
    let text = |name: &str| ready[name].as_str().expect("text");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut arguments = vec!["--cas", text("cas_url"), "--json", "--service", service];
    if login {
        arguments.extend(["--user", text("username"), "--password-file", "-"]);
    }
    doctor(
        folder.path(),
        &arguments,
        &format!("{}\n", text("password")),
    )
}

const SERVICE: &str = "https://app.example.org/login";
const OTHER: &str = "https://other.example.org/login";

#[test]
fn django_cas_server_is_looked_at() {
    let python = root().join("target/python/bin/python");
    let works = ["-c", "import cas_server"];
    let Some((_server, _folder, ready)) = peer(&python, "django_cas_server.py", &works) else {
        return;
    };
    let said = asked(&ready, SERVICE, true);
    assert_eq!((said.status, names(&said)), (0, Vec::new()), "{}", said.out);
    assert!(said.out.contains("memberOf (2 values)"), "{}", said.out);
    assert_eq!(names(&asked(&ready, OTHER, false)), ["service-refused"]);
    let http = asked(&ready, &SERVICE.replace("https:", "http:"), false);
    assert_eq!(
        names(&http),
        ["plain-http", "service-registered-otherwise"],
        "{}",
        http.out
    );
}

#[test]
fn lemonldap_is_looked_at() {
    let works = [
        "-MLemonldap::NG::Common::Conf",
        "-MIO::String",
        "-MXML::Simple",
        "-MHTTP::Server::PSGI",
        "-e",
        "1",
    ];
    let Some((_server, _folder, ready)) = peer(Path::new("perl"), "lemonldap.pl", &works) else {
        return;
    };
    // It says nothing of what it sends at /validate.
    let odd = "content-type-odd";
    let said = asked(&ready, SERVICE, true);
    assert_eq!(
        (said.status, names(&said)),
        (0, vec![odd.to_owned()]),
        "{}",
        said.out
    );
    assert!(said.out.contains("attributes arrive: "), "{}", said.out);
    // It judges the service only after the login.
    assert_eq!(names(&asked(&ready, OTHER, true)), [odd, "ticket-missing"]);
}
