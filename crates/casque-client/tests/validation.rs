//! What both clients do with good answers and bad ones.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use casque_client::{ClientError, Distrust, Protocol, TransportFailure};
use casque_proto::{Assertion, ErrorClass, Format, Tolerance};
use casque_testkit::{FakeCas, Fault, Page};
use http::StatusCode;

use common::{ADAPTERS, SERVICE, Settings, assert_discreet};

type Outcome = Result<Assertion, ClientError>;

struct Case {
    name: &'static str,
    settings: Settings,
    arrange: fn(&FakeCas),
    check: fn(&FakeCas, Outcome),
}

fn defaults() -> Settings {
    Settings::default()
}

fn short() -> Settings {
    Settings {
        timeout: Some(Duration::from_millis(200)),
        ..defaults()
    }
}

fn cas1() -> Settings {
    Settings {
        protocol: Protocol::Cas1,
        ..defaults()
    }
}

fn nothing(_: &FakeCas) {}

fn is_alice(outcome: &Outcome, attributes: bool) {
    let user = outcome.as_ref().unwrap();
    assert_eq!(user.user(), "alice");
    let groups: Vec<_> = user
        .attributes()
        .get("memberOf")
        .iter()
        .map(String::as_str)
        .collect();
    assert_eq!(
        groups,
        if attributes {
            vec!["staff", "admin"]
        } else {
            vec![]
        }
    );
}

fn is_malformed(outcome: &Outcome, class: ErrorClass, status: u16) {
    match outcome {
        Err(ClientError::Malformed {
            class: seen,
            status: with,
            ..
        }) => assert_eq!((*seen, *with), (class, status)),
        other => panic!("{other:?}"),
    }
}

fn is_refused(outcome: &Outcome, code: Option<&str>, status: u16) {
    let error = outcome.as_ref().unwrap_err();
    assert!(matches!(error, ClientError::Refused { .. }), "{error:?}");
    assert_eq!((error.code(), error.status()), (code, Some(status)));
}

fn is_transport(outcome: &Outcome, failure: TransportFailure) {
    match outcome {
        Err(ClientError::Transport { failure: seen, .. }) => assert_eq!(*seen, failure),
        other => panic!("{other:?}"),
    }
}

fn only_request_went_to(cas: &FakeCas, page: Page) {
    let pages: Vec<_> = cas
        .requests()
        .iter()
        .map(casque_testkit::RecordedRequest::page)
        .collect();
    assert_eq!(
        pages,
        [Some(page)],
        "one request, never repeated (R-107), never elsewhere (SC-028)"
    );
}

fn answers(cas: &FakeCas, status: u16, content_type: &str, body: &'static str) {
    let status = StatusCode::from_u16(status).unwrap();
    cas.fault(
        Page::P3ServiceValidate,
        Fault::answer(status, content_type, body),
    );
}

const SUCCESS: &str = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>\
    <cas:authenticationSuccess><cas:user>mallory</cas:user></cas:authenticationSuccess></cas:serviceResponse>";

const PROXIED: &str = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
    <cas:user>alice</cas:user><cas:proxies><cas:proxy>https://portal.example.org/</cas:proxy></cas:proxies>\
    </cas:authenticationSuccess></cas:serviceResponse>";

fn cases() -> Vec<Case> {
    let case = |name, settings, arrange, check| Case {
        name,
        settings,
        arrange,
        check,
    };
    vec![
        case(
            "cas 3 is the default (R-106), by GET (R-010), and gives attributes (R-103)",
            defaults(),
            nothing,
            |cas, outcome| {
                is_alice(&outcome, true);
                only_request_went_to(cas, Page::P3ServiceValidate);
                let request = &cas.requests()[0];
                assert_eq!(request.method(), "GET");
                assert_eq!(
                    request.parameter("service").as_deref(),
                    Some(SERVICE),
                    "byte for byte (R-108)"
                );
                assert_eq!(request.parameter("renew"), None);
                assert_eq!(request.parameter("format"), None);
                assert!(
                    request.headers()["user-agent"]
                        .to_str()
                        .unwrap()
                        .starts_with("casque/")
                );
                assert!(!request.headers().contains_key("referer"));
            },
        ),
        case(
            "cas 3 json",
            Settings {
                format: Some(Format::Json),
                ..defaults()
            },
            nothing,
            |cas, outcome| {
                is_alice(&outcome, true);
                assert_eq!(
                    cas.requests()[0].parameter("format").as_deref(),
                    Some("JSON")
                );
            },
        ),
        case(
            "cas 2",
            Settings {
                protocol: Protocol::Cas2,
                ..defaults()
            },
            nothing,
            |cas, outcome| {
                is_alice(&outcome, false);
                only_request_went_to(cas, Page::ServiceValidate);
            },
        ),
        case(
            "cas 2 json",
            Settings {
                protocol: Protocol::Cas2,
                format: Some(Format::Json),
                ..defaults()
            },
            nothing,
            |_, outcome| {
                is_alice(&outcome, false);
            },
        ),
        case(
            "cas 1",
            Settings {
                format: Some(Format::Json),
                ..cas1()
            },
            nothing,
            |cas, outcome| {
                is_alice(&outcome, false);
                only_request_went_to(cas, Page::Validate);
                assert_eq!(
                    cas.requests()[0].parameter("format"),
                    None,
                    "CAS 1 has one format"
                );
            },
        ),
        case(
            "cas 1 refuses without a reason",
            cas1(),
            |cas| {
                cas.fault(
                    Page::Validate,
                    Fault::answer(StatusCode::OK, "text/plain", "no\n\n"),
                );
            },
            |_, outcome| {
                is_refused(&outcome, None, 200);
                assert_eq!(outcome.unwrap_err().label(), "no_code");
            },
        ),
        case(
            "cas 1 does not read a cas 2 answer",
            cas1(),
            |cas| {
                cas.fault(
                    Page::Validate,
                    Fault::answer(StatusCode::OK, "text/plain", SUCCESS),
                );
            },
            |_, outcome| is_malformed(&outcome, ErrorClass::NotCas, 200),
        ),
        case(
            "renew is sent and an old session refused (S-013)",
            Settings {
                renew: true,
                ..defaults()
            },
            nothing,
            |cas, outcome| {
                is_refused(&outcome, Some("INVALID_TICKET"), 200);
                assert_eq!(
                    cas.requests()[0].parameter("renew").as_deref(),
                    Some("true")
                );
            },
        ),
        case(
            "byte by byte",
            defaults(),
            |cas| cas.fault(Page::P3ServiceValidate, Fault::Trickle),
            |_, outcome| {
                is_alice(&outcome, true);
            },
        ),
        case(
            "an odd content type does not matter (R-015)",
            defaults(),
            |cas| {
                cas.fault(
                    Page::P3ServiceValidate,
                    Fault::ContentType("text/html;charset=UTF-8"),
                );
            },
            |_, outcome| is_alice(&outcome, true),
        ),
        case(
            "never answers (S-011)",
            short(),
            |cas| cas.fault(Page::P3ServiceValidate, Fault::Silent),
            |cas, outcome| {
                is_transport(&outcome, TransportFailure::Timeout);
                assert!(outcome.unwrap_err().may_have_reached_server());
                only_request_went_to(cas, Page::P3ServiceValidate);
            },
        ),
        case(
            "hangs up",
            defaults(),
            |cas| cas.fault(Page::P3ServiceValidate, Fault::HangUp),
            |cas, outcome| {
                is_transport(&outcome, TransportFailure::Interrupted);
                only_request_went_to(cas, Page::P3ServiceValidate);
            },
        ),
        case(
            "breaks off in the body",
            defaults(),
            |cas| cas.fault(Page::P3ServiceValidate, Fault::Cut),
            |cas, outcome| {
                is_transport(&outcome, TransportFailure::Interrupted);
                only_request_went_to(cas, Page::P3ServiceValidate);
            },
        ),
        case(
            "stops in the middle and stays silent",
            short(),
            |cas| cas.fault(Page::P3ServiceValidate, Fault::Stall),
            |cas, outcome| {
                is_transport(&outcome, TransportFailure::Timeout);
                only_request_went_to(cas, Page::P3ServiceValidate);
            },
        ),
        case(
            "goes on for ever (R-018)",
            defaults(),
            |cas| {
                cas.fault(Page::P3ServiceValidate, Fault::Huge(u64::MAX));
            },
            |cas, outcome| {
                is_malformed(&outcome, ErrorClass::TooLarge, 200);
                assert!(
                    cas.body_bytes() < 16 * 1024 * 1024,
                    "the client stopped reading"
                );
            },
        ),
        case(
            "one byte over the limit",
            Settings {
                max_body: Some(1000),
                ..defaults()
            },
            |cas| {
                cas.fault(
                    Page::P3ServiceValidate,
                    Fault::answer(StatusCode::OK, "application/xml", padded(1001)),
                );
            },
            |_, outcome| is_malformed(&outcome, ErrorClass::TooLarge, 200),
        ),
        case(
            "exactly at the limit",
            Settings {
                max_body: Some(1000),
                ..defaults()
            },
            |cas| {
                cas.fault(
                    Page::P3ServiceValidate,
                    Fault::answer(StatusCode::OK, "application/xml", padded(1000)),
                );
            },
            |_, outcome| assert_eq!(outcome.unwrap().user(), "mallory"),
        ),
        case(
            "a success under 500 is none (SC-029)",
            defaults(),
            |cas| answers(cas, 500, "application/xml", SUCCESS),
            |_, outcome| {
                is_malformed(&outcome, ErrorClass::UnexpectedStatus, 500);
            },
        ),
        case(
            "a success under 404 is none",
            defaults(),
            |cas| answers(cas, 404, "application/xml", SUCCESS),
            |_, outcome| {
                is_malformed(&outcome, ErrorClass::UnexpectedStatus, 404);
            },
        ),
        case(
            "404 tries no other version (SC-028)",
            defaults(),
            |cas| answers(cas, 404, "text/html", "<h1>No</h1>"),
            |cas, outcome| {
                is_malformed(&outcome, ErrorClass::UnexpectedStatus, 404);
                only_request_went_to(cas, Page::P3ServiceValidate);
            },
        ),
        case(
            "a refusal counts under any status (R-170)",
            defaults(),
            |cas| {
                answers(
                    cas,
                    400,
                    "application/xml",
                    "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>\
                <cas:authenticationFailure code='INVALID_TICKET'>Ticket &#10;not known</cas:authenticationFailure></cas:serviceResponse>",
                );
            },
            |_, outcome| {
                is_refused(&outcome, Some("INVALID_TICKET"), 400);
                assert_eq!(
                    outcome.unwrap_err().server_message(),
                    Some("Ticket \\nnot known")
                );
            },
        ),
        case(
            "an unknown code is passed on and has a bounded label",
            defaults(),
            |cas| {
                answers(
                    cas,
                    200,
                    "application/xml",
                    "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>\
                <cas:authenticationFailure code='INVALID_MOON_PHASE'/></cas:serviceResponse>",
                );
            },
            |_, outcome| {
                is_refused(&outcome, Some("INVALID_MOON_PHASE"), 200);
                assert_eq!(outcome.unwrap_err().label(), "other_code");
            },
        ),
        case(
            "a redirect is not followed (R-017)",
            defaults(),
            |cas| {
                let elsewhere = format!("{}/validate?ticket=ST-1-other", cas.base_url());
                cas.fault(Page::P3ServiceValidate, Fault::Redirect(elsewhere));
            },
            |cas, outcome| {
                is_malformed(&outcome, ErrorClass::UnexpectedStatus, 302);
                let text = outcome.unwrap_err().to_string();
                assert!(
                    text.contains("/cas/validate;") && !text.contains("ST-1-other"),
                    "{text}"
                );
                only_request_went_to(cas, Page::P3ServiceValidate);
            },
        ),
        case(
            "html",
            defaults(),
            |cas| {
                answers(
                    cas,
                    200,
                    "text/html",
                    "<!doctype html><title>Log in</title>",
                );
            },
            |_, outcome| {
                let error = outcome.unwrap_err();
                assert!(
                    matches!(error, ClientError::Malformed { status: 200, .. }),
                    "{error:?}"
                );
            },
        ),
        case(
            "empty",
            defaults(),
            |cas| answers(cas, 200, "application/xml", ""),
            |_, outcome| {
                is_malformed(&outcome, ErrorClass::Empty, 200);
            },
        ),
        case(
            "an image",
            defaults(),
            |cas| answers(cas, 200, "image/png", "\u{89}PNG"),
            |_, outcome| {
                is_malformed(&outcome, ErrorClass::NotCas, 200);
            },
        ),
        case(
            "a document type declaration (S-020)",
            defaults(),
            |cas| {
                answers(
                    cas,
                    200,
                    "application/xml",
                    "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>",
                );
            },
            |_, outcome| is_malformed(&outcome, ErrorClass::ForbiddenXml, 200),
        ),
        case(
            "nobody comes through a proxy (S-014)",
            defaults(),
            |cas| answers(cas, 200, "application/xml", PROXIED),
            |_, outcome| {
                let error = outcome.unwrap_err();
                assert!(
                    matches!(
                        error,
                        ClientError::Untrusted {
                            distrust: Distrust::Proxy,
                            status: Some(200),
                            ..
                        }
                    ),
                    "{error:?}"
                );
            },
        ),
        case(
            "a tolerance is off",
            defaults(),
            |cas| answers(cas, 200, "application/xml", UNQUALIFIED),
            |_, outcome| {
                is_malformed(&outcome, ErrorClass::NotCas, 200);
            },
        ),
        case(
            "a tolerance is on",
            Settings {
                tolerances: vec![Tolerance::MissingNamespace],
                ..defaults()
            },
            |cas| {
                answers(cas, 200, "application/xml", UNQUALIFIED);
            },
            |_, outcome| assert_eq!(outcome.unwrap().user(), "alice"),
        ),
    ]
}

const UNQUALIFIED: &str = "<serviceResponse><authenticationSuccess><user>alice</user></authenticationSuccess></serviceResponse>";

fn padded(length: usize) -> String {
    format!("{SUCCESS:<length$}")
}

#[test]
fn both_clients_pass_the_table() {
    for case in cases() {
        for adapter in ADAPTERS {
            println!("{} ({adapter:?})", case.name);
            let cas = FakeCas::start();
            let ticket = cas.grant(SERVICE, "alice");
            (case.arrange)(&cas);
            let outcome = adapter.validate(&cas, &case.settings, &ticket);
            if let Err(error) = &outcome {
                println!("    {error}");
                assert_discreet(error, &ticket);
            }
            (case.check)(&cas, outcome);
        }
    }
}
