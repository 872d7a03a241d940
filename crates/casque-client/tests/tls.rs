//! Whom the clients trust (S-010).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write as _;
use std::net::TcpListener;
use std::time::Duration;

use casque_client::{Client, ClientError, Distrust, TransportFailure, blocking};
use casque_proto::ServiceTicket;
use casque_testkit::{FakeCas, Page, TlsMode};
use tempfile::NamedTempFile;

use common::{ADAPTERS, SERVICE, Settings, assert_discreet};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn trusting(file: &NamedTempFile) -> Settings {
    Settings {
        extra_roots: vec![file.path().to_owned()],
        ..Settings::default()
    }
}

#[test]
fn an_extra_root_is_trusted() {
    for adapter in ADAPTERS {
        for mode in [TlsMode::Good, TlsMode::SelfSigned] {
            let cas = FakeCas::start_tls(mode);
            let root = file(cas.root_pem().unwrap());
            let ticket = cas.grant(SERVICE, "alice");
            let user = adapter.validate(&cas, &trusting(&root), &ticket).unwrap();
            assert_eq!(user.user(), "alice", "{adapter:?} {mode:?}");
        }
    }
}

#[test]
fn a_wrong_certificate_is_refused_before_anything_is_sent() {
    for adapter in ADAPTERS {
        for (mode, with_root, word) in [
            (TlsMode::Good, false, "UnknownIssuer"),
            (TlsMode::SelfSigned, false, "UnknownIssuer"),
            (TlsMode::Expired, true, "expired"),
            (TlsMode::WrongName, true, "elsewhere.example.org"),
        ] {
            let cas = FakeCas::start_tls(mode);
            let root = file(cas.root_pem().unwrap());
            let settings = if with_root {
                trusting(&root)
            } else {
                Settings::default()
            };
            let ticket = cas.grant(SERVICE, "alice");
            let error = adapter.validate(&cas, &settings, &ticket).unwrap_err();
            println!("{error}");
            assert!(
                matches!(
                    error,
                    ClientError::Untrusted {
                        distrust: Distrust::Certificate,
                        status: None,
                        ..
                    }
                ),
                "{adapter:?} {mode:?}: {error:?}"
            );
            assert!(error.to_string().contains(word), "{error}");
            assert!(!error.may_have_reached_server());
            assert_discreet(&error, &ticket);
            assert!(cas.requests().is_empty(), "{adapter:?} {mode:?}");
        }
    }
}

#[test]
fn a_root_for_another_server_changes_nothing() {
    for adapter in ADAPTERS {
        let cas = FakeCas::start_tls(TlsMode::Good);
        let other = FakeCas::start_tls(TlsMode::Good);
        let root = file(other.root_pem().unwrap());
        let ticket = cas.grant(SERVICE, "alice");
        let error = adapter
            .validate(&cas, &trusting(&root), &ticket)
            .unwrap_err();
        assert!(matches!(error, ClientError::Untrusted { .. }), "{error:?}");
        assert!(cas.requests_for(Page::P3ServiceValidate).is_empty());
    }
}

#[test]
fn a_server_that_never_shakes_hands_costs_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("https://{}/cas", listener.local_addr().unwrap());
    let settings = Settings {
        connect_timeout: Some(Duration::from_millis(200)),
        timeout: Some(Duration::from_mins(1)),
        ..Settings::default()
    };
    let ticket = ServiceTicket::parse("ST-1-abc").unwrap();
    for adapter in ADAPTERS {
        let error = adapter
            .validate_at(&base, &settings, &ticket, SERVICE)
            .unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::Transport {
                    failure: TransportFailure::Connect,
                    ..
                }
            ),
            "{error:?}"
        );
    }
}

#[test]
fn a_server_without_tls_is_no_https_server() {
    let cas = FakeCas::start();
    let base = cas.base_url().replace("http:", "https:");
    let ticket = cas.grant(SERVICE, "alice");
    for adapter in ADAPTERS {
        let error = adapter
            .validate_at(&base, &Settings::default(), &ticket, SERVICE)
            .unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::Transport {
                    failure: TransportFailure::Connect,
                    ..
                }
            ),
            "{error:?}"
        );
        assert!(cas.requests().is_empty());
    }
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let missing = std::env::temp_dir().join("there-is-no-such-file.pem");
    let no_certificate = file("-----BEGIN NOTHING-----\nAAAA\n-----END NOTHING-----\n");
    let text = file("hello");
    let cut = file("-----BEGIN CERTIFICATE-----\nAAAA");
    let nonsense = file("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    for path in [
        missing.as_path(),
        no_certificate.path(),
        text.path(),
        cut.path(),
        nonsense.path(),
    ] {
        let outcomes = [
            Client::builder("https://cas.example.org/cas")
                .extra_roots_file(path)
                .build()
                .map(|_| ()),
            blocking::Client::builder("https://cas.example.org/cas")
                .extra_roots_file(path)
                .build()
                .map(|_| ()),
        ];
        for outcome in outcomes {
            let error = outcome.unwrap_err();
            println!("{error}");
            assert!(
                matches!(
                    error,
                    ClientError::Misuse {
                        setting: "extra_roots_file",
                        ..
                    }
                ),
                "{error:?}"
            );
            assert!(
                error.to_string().contains(path.to_str().unwrap()),
                "{error}"
            );
        }
    }
}
