//! What errors say, and what they keep to themselves.

mod common;

use casque_client::{ClientError, TransportFailure};
use casque_testkit::{FakeCas, Fault, Page};
use http::StatusCode;

use common::{ADAPTERS, SERVICE, Settings, assert_discreet};

#[test]
fn a_refusal_explains_itself() {
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        let ticket = cas.grant("https://app.example.org/other", "alice");
        let error = adapter
            .validate(&cas, &Settings::default(), &ticket)
            .unwrap_err();
        assert_eq!(error.code(), Some("INVALID_SERVICE"));
        assert_eq!(
            error.server_message(),
            Some("the ticket was granted for another service")
        );
        let text = error.to_string();
        assert!(
            text.contains("INVALID_SERVICE") && text.contains("character for character"),
            "{text}"
        );

        let error = adapter
            .validate(&cas, &Settings::default(), &ticket)
            .unwrap_err();
        assert_eq!(
            error.code(),
            Some("INVALID_TICKET"),
            "the first attempt has spent it"
        );
        assert!(error.to_string().contains("begin a new login"), "{error}");
    }
}

#[test]
fn the_servers_words_lose_the_ticket() {
    // S-017: Apereo repeats the ticket in its message.
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        let ticket = cas.grant(SERVICE, "alice");
        let body = format!(
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationFailure code='INVALID_TICKET'>\
             Ticket '{}' not recognized</cas:authenticationFailure></cas:serviceResponse>",
            ticket.secret()
        );
        cas.fault(
            Page::P3ServiceValidate,
            Fault::answer(StatusCode::OK, "application/xml", body),
        );
        let error = adapter
            .validate(&cas, &Settings::default(), &ticket)
            .unwrap_err();
        assert_discreet(&error, &ticket);
        assert_eq!(error.server_message(), Some("Ticket 'ST-…' not recognized"));
    }
}

#[test]
fn a_closed_port_is_a_failed_connection() {
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        let ticket = cas.grant(SERVICE, "alice");
        let base = cas.base_url().to_owned();
        drop(cas);
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
        assert!(!error.may_have_reached_server());
        assert_discreet(&error, &ticket);
    }
}

#[test]
fn no_part_of_an_error_repeats_a_ticket() {
    // S-017: code, message, and a body that is not CAS at all.
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        let ticket = cas.grant(SERVICE, "alice");
        let secret = ticket.secret();
        let other = "PGTIOU-85-8PFx8qipjkWYDbuBbNJ1roVu4yeb9WJIRdngg7fzl523Eti2td";
        let failure = format!(
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>\
             <cas:authenticationFailure code='NO_{secret}'>{other}</cas:authenticationFailure></cas:serviceResponse>"
        );
        let page = format!("<html><a href='/login?ticket={secret}'>{other}</a>");
        for body in [failure, page, format!("no such ticket: {secret}, {other}")] {
            cas.fault_once(
                Page::P3ServiceValidate,
                Fault::answer(StatusCode::OK, "text/html", body),
            );
            let error = adapter
                .validate(&cas, &Settings::default(), &ticket)
                .unwrap_err();
            assert_discreet(&error, &ticket);
            let shown = format!(
                "{error} {error:?} {:?} {:?}",
                error.code(),
                error.server_message()
            );
            assert!(!shown.contains(&other[10..]), "{shown}");
        }
    }
}
