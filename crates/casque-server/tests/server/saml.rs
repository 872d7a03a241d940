//! SAML 1.1: `TARGET` at `/login`, and `/samlValidate` (protocol section 15).

use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use casque_proto::{
    FailureCode, ReadOptions, ServiceTicket, ServiceUrl,
    saml::{SamlAssertion, SamlExpectation, SamlRequest, SamlResponse, SamlStamp},
};
use http::Method;

use crate::{
    corpus::{self, Report},
    house::{Answer, House, PASSWORD, Setup, encode, start},
};
use casque_testkit::Breakable;

const APP: &str = "https://app.example.org/";
const WIKI: &str = "https://wiki.example.org:8443/w/";
const PLAIN: &str = "http://localhost:8000/";
const ID: &str = "_07070707070707070707070707070707";

pub(crate) fn envelope(ticket: &str) -> String {
    let ticket = ServiceTicket::parse(ticket).expect("a ticket");
    let stamp = SamlStamp::new(start(), &mut |bytes| bytes.fill(7));
    SamlRequest::to_xml(&ticket, &stamp)
}

/// Posts as python-cas and `mod_auth_cas` do.
async fn post(house: &House, query: &str, body: impl Into<Body>) -> Answer {
    let headers = [
        ("content-type", "text/xml; charset=utf-8"),
        ("soapaction", SamlRequest::SOAP_ACTION),
    ];
    let path = format!("/samlValidate?{query}");
    house
        .browser()
        .send(Method::POST, &path, &headers, body.into())
        .await
}

pub(crate) async fn present(house: &House, service: &str, ticket: &str) -> Answer {
    let query = format!("TARGET={}", encode(service));
    post(house, &query, envelope(ticket)).await
}

fn read_at(answer: &Answer, service: &str, now: SystemTime) -> SamlResponse {
    let service = ServiceUrl::parse(service).expect("a service");
    let expectation = SamlExpectation::new(&service, now)
        .tolerance(Duration::ZERO)
        .in_response_to(ID);
    SamlResponse::parse(
        answer.body.as_bytes(),
        &expectation,
        &ReadOptions::default(),
    )
    .expect("an answer that a strict reader takes")
}

fn success(answer: &Answer, service: &str) -> SamlAssertion {
    match read_at(answer, service, start()) {
        SamlResponse::Success(assertion) => assertion,
        SamlResponse::Failure(failure) => panic!("{failure:?}"),
    }
}

/// status 200, `RequestDenied`, words, and nothing of what was sent.
fn assert_denied(answer: &Answer) {
    assert_eq!(answer.status, 200, "R-240, R-247");
    assert_eq!(
        answer.header("content-type"),
        Some("text/xml; charset=UTF-8")
    );
    let SamlResponse::Failure(failure) = read_at(answer, APP, start()) else {
        panic!("a success: {answer:?}")
    };
    assert_eq!(
        failure.code().map(FailureCode::as_str),
        Some("RequestDenied")
    );
    assert!(!failure.description().is_empty());
    assert!(!answer.body.contains("Assertion "), "{}", answer.body);
}

async fn is_spent(house: &House, service: &str, ticket: &str) -> bool {
    let answer = house.browser().validate("validate", service, ticket).await;
    answer.body == "no\n\n"
}

#[tokio::test]
async fn a_target_gets_a_samlart() {
    //
    let house = House::new();
    let mut browser = house.browser();
    let target = "https://app.example.org/a?x=1";
    let page = browser
        .get(&format!("/login?TARGET={}", encode(target)))
        .await;
    assert_eq!(page.hidden("TARGET").as_deref(), Some(target));
    assert_eq!(page.hidden("service"), None);
    let form = format!(
        "lt={}&username=alice&password={}&TARGET={}",
        page.login_ticket().expect("a form"),
        encode(PASSWORD),
        encode(target)
    );
    let answer = browser.post("/login", &form).await;
    assert_eq!(answer.status, 303, "{}", answer.body);
    let location = answer.location().expect("a service");
    let start = "https://app.example.org/a?x=1&SAMLart=ST-";
    assert!(location.starts_with(start), "{location}");

    // With the session, without a form.
    let again = browser.get(&format!("/login?TARGET={}", encode(APP))).await;
    let location = again.location().expect("a service");
    assert!(
        location.starts_with("https://app.example.org/?SAMLart=ST-"),
        "{location}"
    );

    // Both given: `service` wins, whatever the order.
    for query in [
        format!("TARGET={}&service={}", encode(WIKI), encode(APP)),
        format!("service={}&TARGET={}", encode(APP), encode(WIKI)),
    ] {
        let both = browser.get(&format!("/login?{query}")).await;
        let location = both.location().expect("a service");
        assert!(
            location.starts_with("https://app.example.org/?ticket=ST-"),
            "{location}"
        );
    }
    // A blank one is none.
    let blank = browser
        .get(&format!("/login?service=&TARGET={}", encode(APP)))
        .await;
    assert!(blank.location().expect("a service").contains("SAMLart="));
}

#[tokio::test]
async fn a_target_is_judged_as_a_service() {
    // S-032, S-041, LG-017
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let away = encode("https://evil.example/");
    for query in [
        format!("TARGET={away}"),
        format!("TARGET={away}&gateway=true"),
    ] {
        let answer = browser.get(&format!("/login?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.location()),
            (403, None),
            "{query}"
        );
    }
    let twice = format!("/login?TARGET={}&TARGET={}", encode(APP), encode(WIKI));
    assert_eq!(browser.get(&twice).await.status, 400, "R-008");
    let carried = format!(
        "/login?TARGET={}",
        encode("https://app.example.org/?SAMLart=ST-1-a")
    );
    assert_eq!(browser.get(&carried).await.status, 403, "S-004");
    let gateway = format!("/login?gateway=true&TARGET={}", encode(APP));
    assert_eq!(house.browser().get(&gateway).await.location(), Some(APP));
}

#[tokio::test]
async fn a_success_says_who_and_what() {
    // S-066
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    house.clock.advance(Duration::from_millis(1_234));
    let ticket = browser.ticket_for(WIKI).await;
    let answer = present(&house, WIKI, &ticket).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        Some("text/xml; charset=UTF-8")
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let assertion = success(&answer, WIKI);
    assert_eq!(assertion.user(), "alice");
    assert_eq!(assertion.method(), Some(SamlAssertion::PASSWORD));
    assert_eq!(assertion.authenticated_at(), Some(start()));
    let attributes = assertion.attributes();
    assert_eq!(attributes.get("mail"), ["alice@example.org"]);
    assert_eq!(attributes.get("memberOf"), ["staff", "admin"]);
    assert_eq!(
        attributes.get("authenticationDate"),
        ["2024-05-01T12:00:00Z"]
    );
    assert_eq!(attributes.get("isFromNewLogin"), ["false"]);
    assert_eq!(
        attributes.get("longTermAuthenticationRequestTokenUsed"),
        ["false"]
    );

    // What readers by pattern look for: several values in one Attribute, Z, a declared prefix, one line.
    for part in [
        "<saml1:Attribute AttributeName=\"memberOf\" AttributeNamespace=\"http://www.ja-sig.org/products/cas/\">\
         <saml1:AttributeValue>staff</saml1:AttributeValue><saml1:AttributeValue>admin</saml1:AttributeValue></saml1:Attribute>",
        "NotBefore=\"2024-05-01T11:59:31.234Z\" NotOnOrAfter=\"2024-05-01T12:00:31.234Z\"",
        "AuthenticationInstant=\"2024-05-01T12:00:00.000Z\"",
        "<saml1p:StatusCode Value=\"saml1p:Success\"",
        "xmlns:saml1p=\"urn:oasis:names:tc:SAML:1.0:protocol\"",
        "Recipient=\"https://wiki.example.org:8443/w/\" InResponseTo=\"_07070707070707070707070707070707\"",
        "Issuer=\"https://cas.example.org/cas\"",
        "<saml1:Audience>https://wiki.example.org:8443/w/</saml1:Audience>",
        "<saml1:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:artifact</saml1:ConfirmationMethod>",
    ] {
        assert!(answer.body.contains(part), "{part}\n{}", answer.body);
    }
    assert!(!answer.body.contains('\n'));

    // It is not valid for long.
    let service = ServiceUrl::parse(WIKI).expect("a service");
    let late = SamlExpectation::new(&service, start() + Duration::from_secs(37));
    let read = SamlResponse::parse(answer.body.as_bytes(), &late, &ReadOptions::default());
    assert!(read.is_err());
}

#[tokio::test]
async fn services_are_told_what_they_are_registered_for() {
    // R-242, S-066
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    let assertion = success(&present(&house, APP, &ticket).await, APP);
    assert_eq!(assertion.attributes().get("mail"), ["alice@example.org"]);
    assert!(assertion.attributes().get("memberOf").is_empty());

    let ticket = browser.ticket_for(PLAIN).await;
    let answer = present(&house, PLAIN, &ticket).await;
    assert_eq!(success(&answer, PLAIN).user(), "alice");
    assert!(
        !answer.body.contains("AttributeStatement"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn tickets_are_judged_as_everywhere() {
    // S-003, S-006
    let house = House::new();
    let mut browser = house.browser();
    let fresh = browser
        .log_in("alice", PASSWORD, Some(APP))
        .await
        .ticket()
        .expect("a ticket");

    // Shown by another service: refused, and spent.
    assert_denied(&present(&house, WIKI, &fresh).await);
    assert!(is_spent(&house, APP, &fresh).await);

    // One use, whichever endpoint saw it first.
    let ticket = browser.ticket_for(APP).await;
    success(&present(&house, APP, &ticket).await, APP);
    assert_denied(&present(&house, APP, &ticket).await);
    let ticket = browser.ticket_for(APP).await;
    house.browser().validate("validate", APP, &ticket).await;
    assert_denied(&present(&house, APP, &ticket).await);

    // renew: not with a ticket of the session, and that one is spent; with a new login.
    let renewing = format!("TARGET={}&renew=true", encode(APP));
    let ticket = browser.ticket_for(APP).await;
    assert_denied(&post(&house, &renewing, envelope(&ticket)).await);
    assert!(is_spent(&house, APP, &ticket).await);
    let ticket = browser
        .log_in("alice", PASSWORD, Some(APP))
        .await
        .ticket()
        .expect("a ticket");
    let assertion = success(&post(&house, &renewing, envelope(&ticket)).await, APP);
    assert_eq!(assertion.attributes().get("isFromNewLogin"), ["true"]);

    // Too old, of an ended session, of a person who is gone.
    let ticket = browser.ticket_for(APP).await;
    house.clock.advance(Duration::from_secs(10));
    assert_denied(&present(&house, APP, &ticket).await);
    let ticket = browser.ticket_for(APP).await;
    browser.get("/logout").await;
    assert_denied(&present(&house, APP, &ticket).await);
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    house.people.disable("alice");
    assert_denied(&present(&house, APP, &ticket).await);

    // Kinds that are no service tickets.
    for other in [
        "PT-8Zz1yQGwEFmJf3DDVxQ1cUjBUQ0aZ",
        "ST-8Zz1yQGwEFmJf3DDVxQ1cUjBUQ0aZ",
    ] {
        assert_denied(&present(&house, APP, other).await);
    }
}

#[tokio::test]
async fn what_cannot_be_read_spends_nothing() {
    // S-024, S-031
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    let target = format!("TARGET={}", encode(APP));
    let good = envelope(&ticket);
    let artifact = format!("<samlp:AssertionArtifact>{ticket}</samlp:AssertionArtifact>");
    let big = good.replace(
        "<SOAP-ENV:Header",
        &format!("<!--{}--><SOAP-ENV:Header", "x".repeat(20_000)),
    );
    for (query, body) in [
        ("", good.clone()),
        ("TARGET=", good.clone()),
        ("service=https%3A%2F%2Fapp.example.org%2F", good.clone()),
        (&format!("{target}&TARGET=b"), good.clone()),
        (&format!("TARGET={}", "a".repeat(9_000)), good.clone()),
        (&target, String::new()),
        (&target, "ticket=ST-1".to_owned()),
        (&target, good.replace(&artifact, "")),
        (&target, good.replace(&artifact, &artifact.repeat(2))),
        (&target, format!("<!DOCTYPE x>{good}")),
        (&target, good.replace(&ticket, "<b/>")),
        (
            &target,
            good.replace(
                "schemas.xmlsoap.org/soap/envelope/",
                "www.w3.org/2003/05/soap-envelope",
            ),
        ),
        (&target, good[..good.len() - 3].to_owned()),
        (&target, big),
    ] {
        let answer = post(&house, query, body).await;
        assert_eq!(answer.status, 200);
        assert!(
            answer.body.contains("Value=\"saml1p:RequestDenied\""),
            "{query}: {}",
            answer.body
        );
        assert!(
            !answer.body.contains("app.example.org") && !answer.body.contains("ST-"),
            "{}",
            answer.body
        );
    }
    assert!(!is_spent(&house, APP, &ticket).await);

    for method in [Method::GET, Method::PUT, Method::OPTIONS] {
        let answer = browser
            .send(
                method,
                &format!("/samlValidate?{target}"),
                &[],
                Body::empty(),
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("allow")),
            (405, Some("POST"))
        );
    }
}

#[tokio::test]
async fn requests_are_taken_as_clients_write_them() {
    // other prefixes, no header, any id and time, white space, no SOAPAction, in pieces.
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let target = format!("TARGET={}", encode(APP));
    let spellings: [fn(&str) -> String; 3] = [
        // The sample of the specification, as mod_auth_cas sends it.
        |ticket| {
            format!(
                "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<SOAP-ENV:Envelope \
                 xmlns:SOAP-ENV=\"http://schemas.xmlsoap.org/soap/envelope/\">\n<SOAP-ENV:Header />\n<SOAP-ENV:Body>\n\
                 <samlp:Request xmlns:samlp=\"urn:oasis:names:tc:SAML:1.0:protocol\" MajorVersion=\"1\" \
                 MinorVersion=\"1\" RequestID=\"_07070707070707070707070707070707\" \
                 IssueInstant=\"2002-06-19T17:03:44.022Z\">\n<samlp:AssertionArtifact>\n  {ticket}\t\r\n\
                 </samlp:AssertionArtifact>\n</samlp:Request>\n</SOAP-ENV:Body>\n</SOAP-ENV:Envelope>\n"
            )
        },
        // java-cas-client's default namespaces.
        |ticket| {
            format!(
                "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body><Request \
                 xmlns=\"urn:oasis:names:tc:SAML:1.0:protocol\" RequestID=\"_07070707070707070707070707070707\" \
                 IssueInstant=\"yesterday\"><AssertionArtifact>{ticket}</AssertionArtifact></Request></Body></Envelope>"
            )
        },
        |ticket| envelope(ticket),
    ];
    for spelling in spellings {
        let ticket = browser.ticket_for(APP).await;
        let pieces: Vec<Result<Bytes, std::io::Error>> = spelling(&ticket)
            .into_bytes()
            .chunks(7)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let path = format!("/samlValidate?{target}");
        let answer = house.browser().send(Method::POST, &path, &[], body).await;
        assert_eq!(success(&answer, APP).user(), "alice");
    }
}

#[tokio::test]
async fn an_unavailable_store_is_no_success() {
    //
    let setup = Setup::new();
    let store = Breakable::on(setup.manual_clock());
    let house = setup.store(store.shared()).build();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    store.break_down();
    assert_denied(&present(&house, APP, &ticket).await);
    store.repair();
    success(&present(&house, APP, &ticket).await, APP);
}

#[tokio::test]
async fn request_vectors() {
    // a request that reads is asked about, one that does not is denied.
    let house = House::new();
    let mut report = Report::default();
    for vector in corpus::vectors("saml_request") {
        let query = vector.input["target"]
            .as_str()
            .map(|target| format!("TARGET={}", encode(target)))
            .unwrap_or_default();
        let answer = post(&house, &query, vector.bytes.clone()).await;
        let reads = vector.expect["result"] == "request";
        let words = "unknown, used before, or too old";
        let outcome = if answer.status != 200 || !answer.body.contains("saml1p:RequestDenied") {
            Err(format!("{answer:?}"))
        } else if reads != answer.body.contains(words) {
            Err(answer.body)
        } else {
            Ok(())
        };
        report.note(&vector.name, outcome);
    }
    report.finish(true);
}
