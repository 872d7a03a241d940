//! The REST protocol by both clients: what is sent, what the answers mean, and what no error says.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use casque_client::{
    Client, ClientError, RestTgt, ServiceTicket, ServiceUrl, TransportFailure, UserAuthenticated,
    blocking,
};
use casque_testkit::{FakeCas, Fault, Page};
use http::{Method, Response, StatusCode};

use common::{ADAPTERS, Adapter, SERVICE, Settings, runtime};

/// With everything that has a meaning in a form or a URL.
const PASSWORD: &str = "wonder & land=%2F +\u{e9}?";

/// Either client, at one server.
struct Rest {
    adapter: Adapter,
    base: String,
    settings: Settings,
}

impl Rest {
    fn new(adapter: Adapter, cas: &FakeCas) -> Self {
        Self {
            adapter,
            base: cas.base_url().to_owned(),
            settings: Settings::default(),
        }
    }

    fn client(&self) -> casque_client::RestClient {
        let builder = self.settings.apply(Client::builder(&self.base));
        builder.build().unwrap().rest()
    }

    fn blocking(&self) -> blocking::RestClient {
        let builder = self.settings.apply(blocking::Client::builder(&self.base));
        builder.build().unwrap().rest()
    }

    fn log_in(&self, name: &str, password: &str) -> Result<RestTgt, ClientError> {
        match self.adapter {
            Adapter::Async => runtime().block_on(self.client().log_in(name, password)),
            Adapter::Blocking => self.blocking().log_in(name, password),
        }
    }

    fn service_ticket(&self, tgt: &RestTgt) -> Result<ServiceTicket, ClientError> {
        let service = ServiceUrl::parse(SERVICE).unwrap();
        match self.adapter {
            Adapter::Async => runtime().block_on(self.client().service_ticket(tgt, &service)),
            Adapter::Blocking => self.blocking().service_ticket(tgt, &service),
        }
    }

    fn is_alive(&self, tgt: &RestTgt) -> Result<bool, ClientError> {
        match self.adapter {
            Adapter::Async => runtime().block_on(self.client().is_alive(tgt)),
            Adapter::Blocking => self.blocking().is_alive(tgt),
        }
    }

    fn log_out(&self, tgt: &RestTgt) -> Result<(), ClientError> {
        match self.adapter {
            Adapter::Async => runtime().block_on(self.client().log_out(tgt)),
            Adapter::Blocking => self.blocking().log_out(tgt),
        }
    }

    fn authenticate(&self, name: &str, password: &str) -> Result<UserAuthenticated, ClientError> {
        match self.adapter {
            Adapter::Async => runtime().block_on(self.client().authenticate(name, password)),
            Adapter::Blocking => self.blocking().authenticate(name, password),
        }
    }
}

fn cas() -> FakeCas {
    let cas = FakeCas::start();
    let alice = casque_testkit::Person::new("alice").password(PASSWORD);
    cas.add_person(alice.attribute("memberOf", ["staff", "admin"]));
    cas
}

#[test]
fn a_password_becomes_tickets_until_the_log_out() {
    //
    for adapter in ADAPTERS {
        let cas = cas();
        let rest = Rest::new(adapter, &cas);
        let tgt = rest.log_in("alice", PASSWORD).unwrap();
        assert!(tgt.secret().starts_with("TGT-"));
        assert!(rest.is_alive(&tgt).unwrap());
        for _ in 0..2 {
            let ticket = rest.service_ticket(&tgt).unwrap();
            let user = adapter.validate(&cas, &rest.settings, &ticket).unwrap();
            assert_eq!(user.user(), "alice");
        }
        let user = rest.authenticate("alice", PASSWORD).unwrap();
        assert_eq!(user.user(), "alice");
        assert_eq!(user.attributes().get("memberOf"), ["staff", "admin"]);

        rest.log_out(&tgt).unwrap();
        rest.log_out(&tgt).unwrap();
        assert!(!rest.is_alive(&tgt).unwrap());
        let error = rest.service_ticket(&tgt).unwrap_err();
        assert_eq!(error.label(), "tgt_not_found", "{error}");
        assert_discreet(&error, tgt.secret());
    }
}

#[test]
fn secrets_are_sent_where_they_belong() {
    // in bodies, and in the path of the configured server.
    for adapter in ADAPTERS {
        let cas = cas();
        let rest = Rest::new(adapter, &cas);
        let tgt = rest.log_in("alice", PASSWORD).unwrap();
        rest.service_ticket(&tgt).unwrap();
        rest.authenticate("alice", PASSWORD).unwrap();
        let requests = cas.requests();
        let body = |page: Page| {
            let request = cas.requests_for(page).pop().unwrap();
            assert_eq!(*request.method(), Method::POST);
            let form = url::form_urlencoded::parse(request.body());
            form.into_owned().collect::<Vec<_>>()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let credentials = [pair("username", "alice"), pair("password", PASSWORD)];
        assert_eq!(body(Page::RestTickets), credentials);
        assert_eq!(body(Page::RestUsers), credentials);
        assert_eq!(body(Page::RestTicket), [pair("service", SERVICE)]);
        for request in &requests {
            assert_eq!(request.raw_query(), "", "nothing is asked by a query");
            assert!(!request.path().contains("wonder"));
        }

        // An inner host in Location is not believed.
        let location = "http://inner.example:8080/cas/v1/tickets/TGT-9-inner?x=1";
        let created = Response::builder()
            .status(StatusCode::CREATED)
            .header("location", location);
        let created = created.body(bytes::Bytes::new()).unwrap();
        cas.fault_once(Page::RestTickets, Fault::Answer(created));
        let tgt = rest.log_in("alice", PASSWORD).unwrap();
        assert_eq!(tgt.secret(), "TGT-9-inner");
        assert!(!rest.is_alive(&tgt).unwrap());
        let asked = cas.requests().pop().unwrap();
        assert_eq!(asked.path(), "/cas/v1/tickets/TGT-9-inner");
    }
}

#[test]
fn failures_are_told_apart() {
    //
    let text = |status: u16, body: &str| {
        let status = StatusCode::from_u16(status).unwrap();
        Fault::answer(status, "text/plain", body.to_owned())
    };
    let moved = |location: &str| {
        let response = Response::builder().status(500);
        let response = response.header("location", location.to_owned());
        Fault::Answer(response.body(bytes::Bytes::new()).unwrap())
    };
    let table = [
        (
            text(400, ""),
            "authentication_failed",
            "authentication_failed",
        ),
        (
            text(401, ""),
            "authentication_failed",
            "authentication_failed",
        ),
        (text(404, ""), "endpoint_unavailable", "tgt_not_found"),
        (
            text(405, ""),
            "endpoint_unavailable",
            "endpoint_unavailable",
        ),
        (
            text(415, ""),
            "endpoint_unavailable",
            "endpoint_unavailable",
        ),
        (text(423, ""), "throttled", "throttled"),
        (text(429, ""), "throttled", "throttled"),
        (text(500, ""), "server_error", "server_error"),
        (text(503, ""), "server_error", "server_error"),
        // A ticket under an error is none.
        (
            moved("/cas/v1/tickets/TGT-1-abc"),
            "server_error",
            "server_error",
        ),
        (
            Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
            "server_error",
            "server_error",
        ),
        // A page for people in place of an answer.
        (text(200, "<html>Log in</html>"), "malformed", "malformed"),
        (text(201, ""), "malformed", "malformed"),
        (
            Fault::Redirect("https://other.example/cas/TGT-1-abc".to_owned()),
            "unexpected_status",
            "unexpected_status",
        ),
        (Fault::Huge(u64::MAX), "too_large", "too_large"),
        (Fault::HangUp, "interrupted", "interrupted"),
    ];
    for adapter in ADAPTERS {
        let cas = cas();
        let rest = Rest::new(adapter, &cas);
        let tgt = rest.log_in("alice", PASSWORD).unwrap();
        for (fault, of_login, of_ticket) in &table {
            cas.clear_faults();
            cas.fault(Page::RestTickets, fault.clone());
            cas.fault(Page::RestTicket, fault.clone());
            let before = cas.requests().len();
            let login = rest.log_in("alice", PASSWORD).unwrap_err();
            let ticket = rest.service_ticket(&tgt).unwrap_err();
            assert_eq!(login.label(), *of_login, "{adapter:?} {fault:?}: {login}");
            assert_eq!(
                ticket.label(),
                *of_ticket,
                "{adapter:?} {fault:?}: {ticket}"
            );
            assert_eq!(cas.requests().len(), before + 2, "nothing is tried twice");
            for error in [&login, &ticket] {
                assert_discreet(error, tgt.secret());
                assert_discreet(error, PASSWORD);
            }
        }
        // What is no text, or comes in the wrong type or slowly, is still an answer of the protocol.
        for fault in [Fault::ContentType("application/pdf"), Fault::Trickle] {
            cas.clear_faults();
            cas.fault(Page::RestTickets, fault.clone());
            cas.fault(Page::RestTicket, fault);
            let tgt = rest.log_in("alice", PASSWORD).unwrap();
            rest.service_ticket(&tgt).unwrap();
        }
        cas.clear_faults();
        cas.fault(Page::RestTicket, Fault::Cut);
        assert_eq!(
            rest.service_ticket(&tgt).unwrap_err().label(),
            "interrupted"
        );
        // 204 is as good as 200 for the end of a ticket, and one that is gone is gone.
        for status in [200, 204, 404] {
            cas.fault(Page::RestTicket, text(status, ""));
            rest.log_out(&tgt).unwrap();
        }
        cas.fault(Page::RestTicket, text(500, ""));
        assert_eq!(rest.log_out(&tgt).unwrap_err().label(), "server_error");
        assert_eq!(rest.is_alive(&tgt).unwrap_err().label(), "server_error");
    }
}

#[test]
fn a_server_that_hangs_is_given_up() {
    // S-011
    for adapter in ADAPTERS {
        let cas = cas();
        let mut rest = Rest::new(adapter, &cas);
        let tgt = rest.log_in("alice", PASSWORD).unwrap();
        rest.settings.timeout = Some(Duration::from_millis(200));
        for fault in [Fault::Silent, Fault::Stall] {
            cas.fault(Page::RestTicket, fault);
            let error = rest.service_ticket(&tgt).unwrap_err();
            assert_eq!(error.label(), "timeout", "{error}");
            assert_discreet(&error, tgt.secret());
        }
        drop(cas);
        let error = rest.log_in("alice", PASSWORD).unwrap_err();
        assert!(
            matches!(
                error,
                ClientError::Transport {
                    failure: TransportFailure::Connect,
                    ..
                }
            ),
            "{error}"
        );
    }
}

#[test]
fn a_refusal_tells_what_the_server_said() {
    //
    for adapter in ADAPTERS {
        let cas = cas();
        let rest = Rest::new(adapter, &cas);
        let error = rest.log_in("alice", "not it").unwrap_err();
        assert_eq!(error.server_message(), Some("FailedLoginException"));
        assert_eq!((error.status(), error.code()), (Some(401), None));
        assert_eq!(
            error.to_string(),
            "the CAS server refused: it does not take this user name and password (\"FailedLoginException\")"
        );
        let error = rest.authenticate("nobody", "not it").unwrap_err();
        assert_eq!(error.label(), "authentication_failed");

        let throttled = Response::builder().status(429).header("retry-after", "42");
        let throttled = throttled.body(bytes::Bytes::new()).unwrap();
        cas.fault(Page::RestTickets, Fault::Answer(throttled));
        let error = rest.log_in("alice", PASSWORD).unwrap_err();
        assert!(error.to_string().contains("wait 42 seconds"), "{error}");

        for (username, password, setting) in [("", "x", "username"), ("x", "", "password")] {
            let error = rest.log_in(username, password).unwrap_err();
            assert!(
                matches!(error, ClientError::Misuse { setting: named, .. } if named == setting),
                "{error}"
            );
        }
    }
}

#[test]
fn a_server_that_repeats_secrets_is_not_quoted() {
    // S-017
    for adapter in ADAPTERS {
        let cas = cas();
        let rest = Rest::new(adapter, &cas);
        let tgt = rest.log_in("alice", PASSWORD).unwrap();
        let encoded: String = url::form_urlencoded::byte_serialize(PASSWORD.as_bytes()).collect();
        let in_percent = encoded.replace('+', "%20");
        for secret in [PASSWORD, &encoded, &in_percent] {
            let body = format!("no such password: {secret}");
            let fault = Fault::answer(StatusCode::UNAUTHORIZED, "text/plain", body);
            cas.fault(Page::RestTickets, fault);
            let error = rest.log_in("alice", PASSWORD).unwrap_err();
            assert_eq!(error.server_message(), Some(""));
            assert_discreet(&error, secret);
            let location = format!("https://other.example/{encoded}");
            cas.fault(Page::RestTickets, Fault::Redirect(location));
            let error = rest.log_in("alice", PASSWORD).unwrap_err();
            assert_discreet(&error, &encoded);
        }
        let body = format!("unknown: {}", tgt.secret());
        let fault = Fault::answer(StatusCode::NOT_FOUND, "text/plain", body);
        cas.fault(Page::RestTicket, fault);
        assert_discreet(&rest.service_ticket(&tgt).unwrap_err(), tgt.secret());
        let location = format!("https://other.example/v1/tickets/{}", tgt.secret());
        cas.fault(Page::RestTicket, Fault::Redirect(location));
        assert_discreet(&rest.service_ticket(&tgt).unwrap_err(), tgt.secret());
        let debug = format!("{:?} {:?} {tgt:?}", rest.client(), rest.blocking());
        assert!(!debug.contains(tgt.secret()), "{debug}");
    }
}

/// Neither the text nor the debug text of an error holds the secret, and it stays on one line.
fn assert_discreet(error: &ClientError, secret: &str) {
    let (debug, text) = (format!("{error:?}"), error.to_string());
    assert!(!debug.contains(secret) && !text.contains(secret), "{debug}");
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 1000, "{text}");
}
