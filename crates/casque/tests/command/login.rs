//! `casque login` at our own server, at others, and through an application.

use std::path::Path;

use serde_json::{Value, json};

use crate::elsewhere::{Server, django_cas_server, lemonldap};
use crate::run::{Said, run, run_with};
use crate::support::served::{Site, free_port};
use crate::support::{Demo, Process};

const SERVICE: &str = "http://127.0.0.1:8080/app?next=%2Fa&x=1";
const PASSWORD: &str = "wonderland";

/// Logs in with the password on standard input.
fn login(cas: &str, user: &str, password: &str, options: &[&str]) -> Said {
    let mut arguments = vec![
        "login",
        "--cas",
        cas,
        "--user",
        user,
        "--password-file",
        "-",
    ];
    arguments.extend(options);
    let said = run_with(
        Path::new("."),
        &arguments,
        format!("{password}\n").as_bytes(),
    );
    assert!(
        user == password || !said.out.contains(password) && !said.err.contains(password),
        "S-017: {said:?}"
    );
    said
}

fn served(settings: &str) -> (Site, Process) {
    let site = Site::new("memory:", settings);
    let server = site.serve();
    (site, server)
}

fn json_of(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|_| panic!("one JSON value: {said:?}"))
}

#[test]
fn both_ways_give_a_ticket_that_can_be_validated() {
    let (site, _server) = served("[rest]\nenabled = true");
    for way in ["--form", "--rest"] {
        let told = login(
            &site.base_url,
            "alice",
            PASSWORD,
            &["--service", SERVICE, way],
        );
        assert_eq!((told.status, told.err.as_str()), (0, ""));
        let ticket = told.out.strip_suffix('\n').expect("one line");
        assert!(
            ticket.starts_with("ST-") && !ticket.contains('\n'),
            "{ticket}"
        );

        let address = login(
            &site.base_url,
            "alice",
            PASSWORD,
            &["--service", SERVICE, way, "--url"],
        );
        assert!(
            address.out.starts_with(&format!("{SERVICE}&ticket=ST-")),
            "{address:?}"
        );

        let told = login(
            &site.base_url,
            "alice",
            PASSWORD,
            &["--service", SERVICE, way, "--json"],
        );
        let told = json_of(&told);
        assert_eq!(
            (&told["result"], &told["service"]),
            (&json!("logged_in"), &json!(SERVICE))
        );
        let ticket = told["ticket"].as_str().expect("a ticket");
        assert_eq!(told["url"], format!("{SERVICE}&ticket={ticket}"));

        let validate = ["--service", SERVICE, way, "--validate"];
        let told = login(&site.base_url, "alice", PASSWORD, &validate);
        assert_eq!(told.status, 0, "{told:?}");
        assert!(told.out.starts_with("alice\n"), "{told:?}");
        for line in [
            "  mail: alice@example.org\n",
            "  memberOf: staff\n  memberOf: admin\n",
        ] {
            assert!(told.out.contains(line), "{told:?}");
        }
        let told = login(
            &site.base_url,
            "alice",
            PASSWORD,
            &[&validate[..], &["--json"]].concat(),
        );
        let told = json_of(&told);
        assert_eq!(told["user"], "alice");
        assert_eq!(told["attributes"]["memberOf"], json!(["staff", "admin"]));
        assert_eq!(told.get("ticket"), None, "it is spent");
        for version in ["1", "2"] {
            let options = [&validate[..], &["--cas-version", version]].concat();
            assert!(
                login(&site.base_url, "alice", PASSWORD, &options)
                    .out
                    .starts_with("alice\n")
            );
        }
    }
}

#[test]
fn what_the_server_refuses_is_told_in_its_words() {
    let (site, _server) = served("[rest]\nenabled = true");
    for (way, words, status) in [
        ("--form", "the login form is back: \"", 401),
        ("--rest", "(\"FailedLoginException\")", 401),
    ] {
        let options = ["--service", SERVICE, way, "--json"];
        let told = login(&site.base_url, "alice", "not it at all", &options);
        assert_eq!(told.status, 1, "{told:?}");
        assert!(
            told.err.starts_with("error: not logged in: ") && told.err.contains(words),
            "{told:?}"
        );
        let told = json_of(&told);
        assert_eq!(
            (&told["result"], &told["status"]),
            (&json!("refused"), &json!(status))
        );
        assert!(
            told["message"]
                .as_str()
                .is_some_and(|said| said.contains(words)),
            "{told}"
        );

        let options = ["--service", "https://evil.example/", way];
        let told = login(&site.base_url, "alice", PASSWORD, &options);
        assert_eq!((told.status, told.out.as_str()), (1, ""), "{told:?}");
    }
}

#[test]
fn a_service_may_take_its_tickets_by_post() {
    //
    let site = Site::new("memory:", "");
    let service =
        "id = \"loopback\"\norigin = \"http://127.0.0.1\"\nany_port = true\nallow_http = true\n";
    site.write(
        "services/loopback.toml",
        &format!("{service}response_type = \"post\"\n"),
    );
    let _server = site.serve();
    let told = login(
        &site.base_url,
        "alice",
        PASSWORD,
        &["--service", SERVICE, "--validate"],
    );
    assert_eq!(
        (told.status, told.out.lines().next()),
        (0, Some("alice")),
        "{told:?}"
    );
}

#[test]
fn misuse_and_silence_are_told_apart() {
    let nobody = format!("http://127.0.0.1:{}/cas", free_port());
    for way in ["--form", "--rest"] {
        let told = login(
            &nobody,
            "alice",
            PASSWORD,
            &["--service", SERVICE, way, "--json"],
        );
        assert_eq!(
            (told.status, &json_of(&told)["result"]),
            (3, &json!("failed")),
            "{told:?}"
        );
    }
    let (site, _server) = served("");
    let off = login(
        &site.base_url,
        "alice",
        PASSWORD,
        &["--service", SERVICE, "--rest"],
    );
    assert_eq!(
        (off.status, off.err.contains("rest.enabled")),
        (3, true),
        "{off:?}"
    );

    // a password is not sent in the clear to another machine.
    for (cas, options) in [
        ("http://cas.example.org/cas", &["--service", SERVICE][..]),
        ("cas.example.org", &["--service", SERVICE]),
        (site.base_url.as_str(), &["--service", ""]),
        (&site.base_url, &[]),
        (
            &site.base_url,
            &["--service", SERVICE, "--get", "http://127.0.0.1:1/"],
        ),
        (&site.base_url, &["--service", SERVICE, "--rest", "--form"]),
        (&site.base_url, &["--service", SERVICE, "--field", "x"]),
        (
            &site.base_url,
            &["--service", SERVICE, "--ca-file", "there-is-none.pem"],
        ),
    ] {
        let told = login(cas, "alice", PASSWORD, options);
        assert_eq!(
            (told.status, told.out.as_str()),
            (2, ""),
            "{options:?}: {told:?}"
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let without = [
        "login",
        "--cas",
        &site.base_url,
        "--user",
        "alice",
        "--service",
        SERVICE,
    ];
    let told = run(folder.path(), &without);
    assert_eq!(
        (told.status, told.err.contains("--password-file")),
        (2, true),
        "{told:?}"
    );
    let told = run(
        folder.path(),
        &[&without[..], &["--password-file", "none"]].concat(),
    );
    assert_eq!(
        (told.status, told.err.contains("cannot read none")),
        (2, true),
        "{told:?}"
    );
}

#[test]
fn the_verbose_way_tells_no_secret() {
    let (site, _server) = served("");
    let options = ["--service", SERVICE, "--verbose", "--field", "warn=true"];
    let told = login(&site.base_url, "alice", PASSWORD, &options);
    assert_eq!(told.status, 0, "{told:?}");
    let ticket = told.out.trim();
    assert!(
        told.err.contains("> GET /cas/login?service=") && told.err.contains("warn"),
        "{told:?}"
    );
    assert!(!told.err.contains(ticket), "{told:?}");
}

#[test]
fn a_protected_page_is_fetched() {
    let demo = Demo::start();
    let (user, password) = &demo.users[0];
    let page = format!("{}/members", demo.app_url.trim_end_matches('/'));
    let told = login(&demo.cas_url, user, password, &["--get", &page]);
    assert_eq!((told.status, told.err.as_str()), (0, ""), "{told:?}");
    assert!(
        told.out.contains(user) && told.out.contains("<html"),
        "{}",
        told.out
    );

    let told = login(&demo.cas_url, user, "not it at all", &["--get", &page]);
    assert_eq!((told.status, told.out.as_str()), (1, ""), "{told:?}");
    let missing = format!("{}/there-is-none", demo.app_url.trim_end_matches('/'));
    let told = login(&demo.cas_url, user, password, &["--get", &missing]);
    assert_eq!(
        (told.status, told.err.contains("404")),
        (1, true),
        "{told:?}"
    );
    // An application that shares its origin with the server.
    let fake = casque_testkit::FakeCas::start();
    let encode =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let base = fake.base_url();
    let login_page = format!("{base}/login?service={}", encode(&format!("{base}/logout")));
    let page_here = format!("{base}/logout?service={}", encode(&login_page));
    let told = login(base, "alice", PASSWORD, &["--get", &page_here]);
    assert_eq!(
        (told.status, told.out.contains("Signed out")),
        (0, true),
        "{told:?}"
    );
    // An application of another server than the one whose password it is.
    let (site, _server) = served("");
    let told = login(&site.base_url, user, password, &["--get", &page]);
    assert_eq!(
        (told.status, told.err.contains("not the login of --cas")),
        (3, true),
        "{told:?}"
    );
}

#[test]
fn django_cas_server_is_logged_in_at() {
    let Some(server) = django_cas_server() else {
        return;
    };
    let words = "The credentials you provided cannot be determined to be authentic.";
    logs_in_at(&server, words, "not allowed");
}

#[test]
fn lemonldap_is_logged_in_at() {
    let Some(server) = lemonldap() else { return };
    // Its pages hold the numbers of messages: 5 is wrong credentials, 107 a service that is not registered.
    logs_in_at(&server, "message 5", "message 107");
}

fn logs_in_at(server: &Server, wrong: &str, unregistered: &str) {
    let service = "https://app.example.org/cas/callback?next=%2Fa&x=1";
    let (cas, user, password) = (server.cas_url(), server.username(), server.password());
    let told = login(cas, user, password, &["--service", service]);
    assert_eq!(
        (told.status, told.out.starts_with("ST-")),
        (0, true),
        "{told:?}"
    );
    let told = login(
        cas,
        user,
        password,
        &["--service", service, "--validate", "--json"],
    );
    let told = json_of(&told);
    assert_eq!(told["user"], user);
    assert!(told["attributes"]["mail"].is_array(), "{told}");

    let told = login(cas, user, "not it at all", &["--service", service]);
    assert_eq!(
        (told.status, told.err.contains(wrong)),
        (1, true),
        "{told:?}"
    );
    let told = login(cas, user, password, &["--service", "https://evil.example/"]);
    assert_eq!(
        (told.status, told.err.contains(unregistered)),
        (1, true),
        "{told:?}"
    );
    let told = login(cas, user, password, &["--service", service, "--rest"]);
    assert_eq!(told.status, 3, "neither has it: {told:?}");
}
