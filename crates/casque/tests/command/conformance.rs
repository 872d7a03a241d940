//! `casque conformance` on `casque serve`, which passes everything that it has.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::Stdio;

use crate::run::{command, run, run_with};
use crate::support::served::{Site, free_port};

const PASSWORD: &str = "wonderland";

/// A site whose service is the kit, and may be a proxy.
fn site(callback: u16) -> Site {
    let site = Site::new("memory:", "trusted_roots = \"ca.pem\"");
    // Loopback callbacks may come by plain http as well, so the service that is asked about that has no such rule.
    let service =
        "origin = \"http://127.0.0.1\"\nany_port = true\nallow_http = true\nattributes = \"all\"\n";
    let proxy = format!("proxy.callbacks = [\"https://localhost:{callback}/\"]\n");
    site.write(
        "services/loopback.toml",
        &format!("id = \"loopback\"\n{service}{proxy}proxy.loopback = true\n"),
    );
    site.write(
        "services/a-plain.toml",
        &format!("id = \"plain\"\n{service}path_prefix = \"/plain/\"\n{proxy}"),
    );
    site.write("password", &format!("{PASSWORD}\n"));
    site
}

#[test]
fn casque_serve_passes_everything_it_has() {
    let callback = free_port();
    let site = site(callback);
    let mut kit = command(
        site.file(".").as_path(),
        &[
            "conformance",
            "--cas",
            &site.base_url,
            "--user",
            "alice",
            "--password-file",
            "password",
            "--callback-listen",
            &format!("127.0.0.1:{callback}"),
            "--callback-ca-out",
            "ca.pem",
            "--wait",
            "--json",
            "--junit",
            "junit.xml",
        ],
    )
    .stdin(Stdio::piped())
    .stdout(Stdio::piped())
    .stderr(Stdio::piped())
    .spawn()
    .expect("casque runs");
    let mut progress = BufReader::new(kit.stderr.take().expect("stderr is piped"));
    let mut line = String::new();
    while !line.contains("waiting") {
        line.clear();
        assert!(
            progress.read_line(&mut line).expect("text") > 0,
            "it ended before it waited"
        );
    }
    // The certificate of the callback is there, and the server that is to trust it can start.
    let _server = site.serve();
    writeln!(kit.stdin.take().expect("stdin is piped")).expect("it waits");
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        progress.read_to_string(&mut text).expect("text");
        text
    });
    let output = kit.wait_with_output().expect("it ends");
    let progress = rest.join().expect("the reader ends");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let junit = std::fs::read_to_string(site.file("junit.xml")).expect("the file is written");
    let cases = report["cases"].as_array().expect("a list");
    let otherwise: Vec<_> = cases
        .iter()
        .filter(|case| !matches!(case["outcome"].as_str(), Some("pass" | "not supported")))
        .filter(|case| case["id"] != "validate-expired")
        .collect();
    assert!(otherwise.is_empty(), "{otherwise:#?}");
    assert_eq!(output.status.code(), Some(0), "{progress}");
    let of = |id: &str| cases.iter().find(|case| case["id"] == id).expect("a case");
    for id in [
        "login-success",
        "validate-race",
        "proxy-chain",
        "saml-success",
        "slo-message",
    ] {
        assert_eq!(of(id)["outcome"], "pass", "{}", of(id));
    }
    assert!(
        progress.contains(&format!("[{0}/{0}]", cases.len())),
        "{progress}"
    );
    assert!(junit.contains("failures=\"0\""), "{junit}");
    for said in [
        &progress,
        &junit,
        &String::from_utf8_lossy(&output.stdout).into_owned(),
    ] {
        assert!(!said.contains(PASSWORD), "the password is told (S-017)");
        let ticket = said.split("ST-").skip(1).find(|rest| {
            let word = rest
                .split(|c: char| !c.is_ascii_alphanumeric())
                .next()
                .unwrap_or_default();
            word.len() > 16
        });
        assert!(
            ticket.is_none(),
            "a ticket is told (S-017): ST-{}",
            ticket.unwrap_or_default()
        );
    }
}

#[test]
fn misuse_is_told_from_failure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let listed = run(folder.path(), &["conformance", "--list", "--only", "R-222"]);
    assert_eq!(listed.status, 0, "{}", listed.err);
    assert!(
        listed.out.contains("validate-replay") && !listed.out.contains("login-form "),
        "{}",
        listed.out
    );

    let unknown = run(folder.path(), &["conformance", "--list", "--only", "R-9"]);
    assert_eq!(
        (unknown.status, unknown.err.contains("no case is about it")),
        (2, true),
        "{}",
        unknown.err
    );

    let nobody = [
        "conformance",
        "--cas",
        "http://127.0.0.1:1/cas",
        "--user",
        "alice",
        "--password-file",
        "-",
    ];
    let refused = run_with(folder.path(), &nobody, b"wonderland\n");
    assert_eq!(refused.status, 2, "{}", refused.err);
    assert!(
        refused.err.contains("http://127.0.0.1:1/cas/login: ") && !refused.err.contains(PASSWORD),
        "{}",
        refused.err
    );

    assert_eq!(run(folder.path(), &["conformance"]).status, 2);
    let empty = run_with(folder.path(), &nobody, b"\n");
    assert_eq!(
        (empty.status, empty.err.contains("no password")),
        (2, true),
        "{}",
        empty.err
    );
}

#[test]
fn a_wrong_password_is_misuse_and_a_failure_is_one() {
    let site = Site::new("memory:", "");
    let _server = site.serve();
    let wrong = [
        "conformance",
        "--cas",
        &site.base_url,
        "--user",
        "alice",
        "--password-file",
        "-",
        "--quiet",
    ];
    let refused = run_with(site.file(".").as_path(), &wrong, b"not it\n");
    assert_eq!(refused.status, 2, "{}", refused.err);
    assert!(refused.err.contains("is not taken"), "{}", refused.err);

    // A ticket that has not expired yet, called expired: the one case that a right server can be made to fail.
    let expired = ["--only", "validate-expired", "--ticket-lifetime", "0"];
    let failed = run_with(
        site.file(".").as_path(),
        &[&wrong[..], &expired[..]].concat(),
        b"wonderland\n",
    );
    assert_eq!(failed.status, 1, "{}", failed.err);
    assert!(
        failed.out.contains("1 fail") && failed.err.is_empty(),
        "{failed:?}"
    );
}
