//! `casque bench` on `casque serve`.

use std::path::Path;

use serde_json::Value;

use crate::elsewhere::{django_cas_server, lemonldap};
use crate::run::{Said, run, run_with};
use crate::support::served::Site;

const PASSWORD: &[u8] = b"wonderland\n";

fn bench(site: &Site, cas: &str, arguments: &[&str]) -> Said {
    let mut all = vec!["bench"];
    all.extend(arguments);
    all.extend([
        "--cas",
        cas,
        "--warm-up",
        "0",
        "--connections",
        "2",
        "--sessions",
        "2",
    ]);
    if !arguments.contains(&"--users-file") {
        all.extend(["--user", "alice", "--password-file", "-"]);
    }
    run_with(site.file(".").as_path(), &all, PASSWORD)
}

#[test]
fn every_kind_of_load_runs_on_casque_serve() {
    let site = Site::new("memory:", "");
    let _server = site.serve();
    site.write("people", "alice:wonderland\nbob:builder of castles\n");
    for (arguments, count) in [
        (&["login", "--count", "3", "--users-file", "people"][..], 3),
        (&["sso", "--count", "30", "--users-file", "people"], 30),
        (
            &[
                "sso",
                "--count",
                "30",
                "--rate",
                "500",
                "--protocol",
                "cas2",
            ],
            30,
        ),
        (&["validate", "--count", "30", "--batch", "20"], 30),
        // Four people log in and visit; the first of them mistypes, and logs out.
        (
            &[
                "campus",
                "--count",
                "4",
                "--rate",
                "4",
                "--visits",
                "1",
                "--gap",
                "1",
                "--service",
                "http://127.0.0.1:9/a",
                "--service",
                "http://127.0.0.1:9/b",
            ],
            10,
        ),
    ] {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let said = bench(&site, &site.base_url, &arguments);
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{said:?}");
        let report: Value = serde_json::from_str(&said.out).expect("JSON");
        assert_eq!(
            (&report["operations"], &report["correct"]),
            (&count.into(), &count.into())
        );
        assert_eq!(report["errors"], serde_json::json!([]));
    }
    let said = bench(&site, &site.base_url, &["sso", "--count", "4"]);
    assert!(
        said.out.contains("4 correct") && said.out.contains("p99.9"),
        "{said:?}"
    );

    // A password that is wrong, and a service that the server does not know.
    let said = run_with(
        site.file(".").as_path(),
        &[
            "bench",
            "sso",
            "--cas",
            &site.base_url,
            "--user",
            "alice",
            "--password-file",
            "-",
        ],
        b"not-hers\n",
    );
    assert_eq!(said.status, 2, "{said:?}");
    assert!(
        said.err.contains("password_refused") && !said.err.contains("not-hers"),
        "{said:?}"
    );
    let said = bench(
        &site,
        &site.base_url,
        &["sso", "--service", "https://unknown.example.org/"],
    );
    assert_eq!(said.status, 2, "{said:?}");

    // Wrong answers are told, and change the exit status.
    site.write("people", "alice:wonderland\nbob:not his\n");
    let said = bench(
        &site,
        &site.base_url,
        &["login", "--count", "2", "--users-file", "people"],
    );
    assert_eq!(said.status, 1, "{said:?}");
    assert!(
        said.out.contains("1 × password: password_refused"),
        "{said:?}"
    );
}

#[test]
fn what_must_not_be_loaded_is_refused() {
    let site = Site::new("memory:", "");
    for (cas, arguments, words) in [
        (
            "https://cas.example.org/cas",
            &["sso"][..],
            "--allow-host cas.example.org",
        ),
        (
            "http://cas.example.org/cas",
            &["sso", "--allow-host", "cas.example.org"],
            "https",
        ),
        (
            "http://127.0.0.1:1/cas",
            &["sso", "--duration", "3601"],
            "1 to 3600 seconds",
        ),
        (
            "http://127.0.0.1:1/cas",
            &["sso", "--rate", "0"],
            "1 to 100000 operations",
        ),
        (
            "http://127.0.0.1:1/cas",
            &["sso", "--count", "10000001"],
            "1 to 10000000",
        ),
        (
            "http://127.0.0.1:1/cas",
            &["nothing"],
            "login, sso, validate",
        ),
    ] {
        let said = bench(&site, cas, arguments);
        assert_eq!(said.status, 2, "{said:?}");
        assert!(said.err.contains(words) && said.out.is_empty(), "{said:?}");
    }
    site.write("people", "nobody\n");
    let said = bench(
        &site,
        "http://127.0.0.1:1/cas",
        &["login", "--users-file", "people"],
    );
    assert!(
        said.status == 2 && said.err.contains("NAME:PASSWORD"),
        "{said:?}"
    );
    let said = run(
        site.file(".").as_path(),
        &["bench", "sso", "--cas", "http://127.0.0.1:1/cas"],
    );
    assert_eq!(said.status, 2, "{said:?}");
}

#[test]
fn every_kind_of_load_runs_on_the_servers_of_others() {
    for server in [django_cas_server(), lemonldap()].into_iter().flatten() {
        for (load, count) in [("login", "2"), ("sso", "20"), ("validate", "20")] {
            let password = format!("{}\n", server.password());
            let said = run_with(
                Path::new("."),
                &[
                    "bench",
                    load,
                    "--cas",
                    server.cas_url(),
                    "--user",
                    server.username(),
                    "--password-file",
                    "-",
                    "--service",
                    "https://app.example.org/cas/callback?next=%2Fa&x=1",
                    "--count",
                    count,
                    "--warm-up",
                    "0",
                    "--connections",
                    "2",
                    "--sessions",
                    "1",
                ],
                password.as_bytes(),
            );
            assert_eq!(said.status, 0, "{load} at {}: {said:?}", server.cas_url());
            assert!(said.out.contains(&format!("{count} correct")), "{said:?}");
        }
    }
}
