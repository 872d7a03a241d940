//! Real CAS servers that others wrote: a person signs in at their own login form, and both clients validate.
//!
//! Where a server is not installed the test is skipped and says so; with `CI` set that is a failure.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod proxying;
mod server;

use casque_client::{Client, ClientError, Protocol, blocking};
use casque_proto::{Format, LoginOptions, ServiceTicket, ServiceUrl};

use browser::Browser;
use common::{ADAPTERS, Settings, assert_discreet};
use server::{Server, django_cas_server, lemonldap};

const SERVICE: &str = "https://app.example.org/cas/callback?next=%2Fa&x=1";
const OTHER: &str = "https://app.example.org/other";

/// What a server is known to do.
struct Peer {
    server: Server,
    /// Attributes that CAS 3 must give, with all their values.
    attributes: &'static [(&'static str, &'static [&'static str])],
    /// What it answers to a ticket of another service.
    wrong_service: &'static str,
}

#[test]
fn django_cas_server_signs_people_in() {
    let Some(server) = django_cas_server() else {
        return;
    };
    let peer = Peer {
        server,
        attributes: &[
            ("mail", &["alice@example.org"]),
            ("memberOf", &["staff", "admin"]),
            ("sn", &["Liddell & Söhne <x>"]),
        ],
        wrong_service: "INVALID_SERVICE",
    };
    every_protocol_names_the_user(&peer);
    tickets_are_good_once_and_for_one_service(&peer);
    a_new_login_satisfies_renew(&peer);
    a_session_does_not_satisfy_renew(&peer);
    proxying::applications_act_as_proxies(&peer);
    logout_ends_the_session(&peer);
}

#[test]
fn lemonldap_signs_people_in() {
    let Some(server) = lemonldap() else { return };
    let peer = Peer {
        server,
        attributes: &[
            ("mail", &["dwho@badwolf.org"]),
            ("cn", &["Doctor Who"]),
            ("uid", &["dwho"]),
        ],
        wrong_service: "INVALID_SERVICE",
    };
    every_protocol_names_the_user(&peer);
    tickets_are_good_once_and_for_one_service(&peer);
    // Here a session of less than five seconds counts as a new login, so only that can be seen without waiting.
    a_new_login_satisfies_renew(&peer);
    logout_ends_the_session(&peer);
}

fn every_protocol_names_the_user(peer: &Peer) {
    let settings = [
        Settings {
            protocol: Protocol::Cas1,
            ..Settings::default()
        },
        Settings {
            protocol: Protocol::Cas2,
            ..Settings::default()
        },
        Settings::default(),
        Settings {
            format: Some(Format::Json),
            ..Settings::default()
        },
    ];
    for settings in settings {
        for adapter in ADAPTERS {
            let ticket = sign_in(&mut Browser::default(), peer);
            let user = adapter
                .validate_at(peer.server.cas_url(), &settings, &ticket, SERVICE)
                .unwrap();
            assert_eq!(user.user(), peer.server.username(), "{settings:?}");
            if settings.protocol == Protocol::Cas3 {
                for (name, values) in peer.attributes {
                    let mut seen: Vec<_> = user
                        .attributes()
                        .get(name)
                        .iter()
                        .map(String::as_str)
                        .collect();
                    let mut wanted = values.to_vec();
                    seen.sort_unstable();
                    wanted.sort_unstable();
                    assert_eq!(seen, wanted, "{name} of {:?}", user.attributes());
                }
            }
            let error = adapter
                .validate_at(peer.server.cas_url(), &settings, &ticket, SERVICE)
                .unwrap_err();
            let code = (settings.protocol != Protocol::Cas1).then_some("INVALID_TICKET");
            assert!(matches!(error, ClientError::Refused { .. }), "{error:?}");
            assert_eq!(error.code(), code, "the same ticket again: {error}");
            assert_discreet(&error, &ticket);
        }
    }
}

fn tickets_are_good_once_and_for_one_service(peer: &Peer) {
    for adapter in ADAPTERS {
        let unknown = ServiceTicket::parse("ST-1-thereIsNoSuchTicketAtAll").unwrap();
        let error = adapter
            .validate_at(
                peer.server.cas_url(),
                &Settings::default(),
                &unknown,
                SERVICE,
            )
            .unwrap_err();
        assert_eq!(error.code(), Some("INVALID_TICKET"), "{error}");
        assert!(!error.server_message().unwrap().is_empty());

        let ticket = sign_in(&mut Browser::default(), peer);
        let error = adapter
            .validate_at(peer.server.cas_url(), &Settings::default(), &ticket, OTHER)
            .unwrap_err();
        assert_eq!(error.code(), Some(peer.wrong_service), "{error}");
        assert_discreet(&error, &ticket);
    }
}

fn a_new_login_satisfies_renew(peer: &Peer) {
    let client = client(peer).renewing();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let login = client.login_url(&service, LoginOptions::default());
    let mut browser = Browser::default();
    assert!(browser.ticket(&login, SERVICE).is_none());
    let ticket = browser.submit(SERVICE, peer.server.username(), peer.server.password());
    let user = client.validate(&ticket, &service).unwrap();
    assert_eq!(user.user(), peer.server.username());
}

fn a_session_does_not_satisfy_renew(peer: &Peer) {
    // S-013
    let client = client(peer);
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let mut browser = Browser::default();
    sign_in(&mut browser, peer);

    let login = client.login_url(&service, LoginOptions::default());
    let ticket = browser
        .ticket(&login, SERVICE)
        .expect("a session gives a ticket without a form");
    let error = client.renewing().validate(&ticket, &service).unwrap_err();
    assert!(matches!(error, ClientError::Refused { .. }), "{error:?}");

    let login = client
        .renewing()
        .login_url(&service, LoginOptions::default());
    assert!(
        browser.ticket(&login, SERVICE).is_none(),
        "renew shows the form in spite of the session"
    );
}

fn logout_ends_the_session(peer: &Peer) {
    let client = client(peer);
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let login = client.login_url(&service, LoginOptions::default());
    let mut browser = Browser::default();
    sign_in(&mut browser, peer);
    assert!(browser.ticket(&login, SERVICE).is_some());
    browser.visit(&client.logout_url(None));
    assert!(
        browser.ticket(&login, SERVICE).is_none(),
        "the form is back"
    );
}

fn client(peer: &Peer) -> blocking::Client {
    blocking::Client::builder(peer.server.cas_url())
        .allow_plain_http()
        .build()
        .unwrap()
}

/// Signs in by the server's own form and takes the ticket out of the redirect.
fn sign_in(browser: &mut Browser, peer: &Peer) -> ServiceTicket {
    let client = Client::builder(peer.server.cas_url())
        .allow_plain_http()
        .build()
        .unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let login = client.login_url(&service, LoginOptions::default());
    assert!(
        browser.ticket(&login, SERVICE).is_none(),
        "nobody is signed in yet"
    );
    browser.submit(SERVICE, peer.server.username(), peer.server.password())
}
