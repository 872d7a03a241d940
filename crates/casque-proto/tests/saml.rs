//! SAML 1.1 against the vectors, and what is written against what is read.

mod corpus;

use std::time::{Duration, SystemTime};

use casque_proto::saml::{
    SamlAssertion, SamlExpectation, SamlReply, SamlRequest, SamlResponse, SamlStamp,
};
use casque_proto::{
    CasBase, ErrorClass, Failure, FailureCode, ReadError, ReadOptions, ServiceTicket, ServiceUrl,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use corpus::{Report, Vector};

#[test]
fn response_vectors() {
    let mut report = Report::default();
    for vector in corpus::vectors("saml_response") {
        report.note(
            &vector.name,
            corpus::compare(&read_response(&vector), &vector.expect),
        );
    }
    report.finish(true);
}

/// for one vector, in the keys of its expectation.
fn read_response(vector: &Vector) -> Value {
    let service = ServiceUrl::parse(vector.input_str("service")).expect("a service");
    let now: jiff::Timestamp = vector.input_str("now").parse().expect("a time");
    let request_id = vector.input["strict_in_response_to"].as_str();
    let mut expectation = SamlExpectation::new(&service, now.into());
    if let Some(seconds) = vector.input["tolerance_s"].as_u64() {
        expectation = expectation.tolerance(Duration::from_secs(seconds));
    }
    if let Some(id) = request_id {
        expectation = expectation.in_response_to(id);
    }
    let options = ReadOptions::default().status(vector.status());
    match SamlResponse::parse(&vector.bytes, &expectation, &options) {
        Ok(SamlResponse::Success(assertion)) => json!({
            "result": "success",
            "user": assertion.user(),
            "attributes": assertion.attributes(),
            "auth_method": assertion.method(),
        }),
        Ok(SamlResponse::Failure(failure)) => json!({
            "result": "failure",
            "code": failure.code().map(FailureCode::as_str),
            "description": failure.description(),
        }),
        Err(error) => json!({"result": "error", "class": error.class().as_str()}),
    }
}

#[test]
fn request_vectors() {
    let mut report = Report::default();
    for vector in corpus::vectors("saml_request") {
        report.note(
            &vector.name,
            corpus::compare(&read_request(&vector), &vector.expect),
        );
    }
    report.finish(true);
}

/// for one vector, in the keys of its expectation.
fn read_request(vector: &Vector) -> Value {
    let target = vector.input["target"].as_str();
    if let Ok(request) = SamlRequest::parse(target, &vector.bytes, &ReadOptions::default()) {
        return json!({
            "result": "request",
            "artifact": request.artifact().secret(),
            "request_id": request.request_id(),
        });
    }
    let SamlResponse::Failure(failure) = SamlResponse::request_denied("") else {
        panic!("a denial is a failure");
    };
    let code = failure.code().map(FailureCode::as_str);
    json!({"result": "denied", "status_code": code, "http_status": 200})
}

#[test]
fn the_written_request_is_the_one_of_the_specification() {
    //
    let base = CasBase::parse("https://cas.example.org/cas").expect("a base");
    let service = ServiceUrl::parse(SERVICE).expect("a service");
    let ticket = ServiceTicket::parse("ST-1-abc").expect("a ticket");
    let request = SamlRequest::request(&base, &service, &ticket, &stamp(noon()));
    assert_eq!(request.method(), "POST");
    let uri = request.uri().to_string();
    let target = uri
        .strip_prefix("https://cas.example.org/cas/samlValidate?TARGET=")
        .expect("the service, and nothing else");
    assert!(target.starts_with("https%3A%2F%2F"), "{target}");
    assert_eq!(request.headers()["content-type"], SamlRequest::CONTENT_TYPE);
    assert_eq!(request.headers()["soapaction"], SamlRequest::SOAP_ACTION);
    let xml = std::str::from_utf8(request.body()).expect("UTF-8");
    let tree = roxmltree::Document::parse(xml).expect("well-formed");
    let root = tree.root_element();
    let asked = root
        .descendants()
        .find(|node| node.tag_name().name() == "Request")
        .expect("a request");
    let id = asked.attribute("RequestID").expect("an id");
    let digits = id.strip_prefix('_').expect("a name in XML");
    assert_eq!(digits.len(), 32);
    assert!(digits.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let instant = asked.attribute("IssueInstant").expect("an instant");
    assert!(instant.strip_suffix(".000Z").is_some(), "{instant}");
    let artifacts: Vec<_> = asked
        .descendants()
        .filter(|node| node.tag_name().name() == "AssertionArtifact")
        .map(|node| node.text())
        .collect();
    assert_eq!(artifacts, [Some("ST-1-abc")]);
}

#[test]
fn the_written_response_is_the_one_of_the_specification() {
    //
    let assertion = SamlAssertion::new("jdoe")
        .with_attribute("urn:oid:2.5.4.3", ["J. <Doe>"])
        .with_attribute("memberOf", ["staff", "admins"])
        .with_method(SamlAssertion::PASSWORD)
        .with_authenticated_at(noon());
    let reply_stamp = stamp(noon());
    let reply = SamlReply::new(&reply_stamp, "https://cas.example.org/cas", SERVICE)
        .in_response_to(Some("_q"));
    let xml = SamlResponse::Success(assertion).to_xml(&reply);
    let tree = roxmltree::Document::parse(&xml).expect("well-formed");
    let find = |namespace: &str, local: &str| {
        let nodes: Vec<_> = tree
            .descendants()
            .filter(|node| node.has_tag_name((namespace, local)))
            .collect();
        assert!(!nodes.is_empty(), "{local}");
        nodes
    };
    let soap = "http://schemas.xmlsoap.org/soap/envelope/";
    let protocol = "urn:oasis:names:tc:SAML:1.0:protocol";
    let saml = "urn:oasis:names:tc:SAML:1.0:assertion";
    assert_eq!(find(soap, "Envelope")[0], tree.root_element());
    let response = find(protocol, "Response")[0];
    for (name, value) in [
        ("MajorVersion", "1"),
        ("MinorVersion", "1"),
        ("ResponseID", "_07070707070707070707070707070707"),
        ("IssueInstant", "2024-05-01T12:00:00.000Z"),
        ("InResponseTo", "_q"),
        ("Recipient", SERVICE),
    ] {
        assert_eq!(response.attribute(name), Some(value), "{name}");
    }
    let status = find(protocol, "StatusCode")[0];
    let (prefix, local) = status
        .attribute("Value")
        .and_then(|value| value.split_once(':'))
        .expect("a QName");
    assert_eq!(
        (status.lookup_namespace_uri(Some(prefix)), local),
        (Some(protocol), "Success")
    );
    let conditions = find(saml, "Conditions")[0];
    assert_eq!(
        conditions.attribute("NotBefore"),
        Some("2024-05-01T11:59:30.000Z")
    );
    assert_eq!(
        conditions.attribute("NotOnOrAfter"),
        Some("2024-05-01T12:00:30.000Z")
    );
    assert_eq!(find(saml, "Audience")[0].text(), Some(SERVICE));
    let authentication = find(saml, "AuthenticationStatement")[0];
    assert_eq!(
        authentication.attribute("AuthenticationMethod"),
        Some(SamlAssertion::PASSWORD)
    );
    assert_eq!(
        authentication.attribute("AuthenticationInstant"),
        Some("2024-05-01T12:00:00.000Z")
    );
    assert_eq!(find(saml, "NameIdentifier").len(), 2);
    assert!(
        find(saml, "NameIdentifier")
            .iter()
            .all(|name| name.text() == Some("jdoe"))
    );
    let attributes: Vec<_> = find(saml, "Attribute")
        .into_iter()
        .map(|attribute| {
            assert_eq!(
                attribute.attribute("AttributeNamespace"),
                Some("http://www.ja-sig.org/products/cas/")
            );
            let values = attribute
                .children()
                .filter_map(|value| value.text())
                .collect::<Vec<_>>();
            (
                attribute.attribute("AttributeName").expect("a name"),
                values,
            )
        })
        .collect();
    assert_eq!(
        attributes,
        [
            ("urn:oid:2.5.4.3", vec!["J. <Doe>"]),
            ("memberOf", vec!["staff", "admins"]),
        ],
        "R-255: the method stands in the statement of authentication, and readers take it from there"
    );

    let denied = SamlResponse::request_denied("no <artifact>").to_xml(&reply);
    let tree = roxmltree::Document::parse(&denied).expect("well-formed");
    assert!(
        !tree
            .descendants()
            .any(|node| node.has_tag_name((saml, "Assertion")))
    );
    assert!(
        denied.contains("<saml1p:StatusCode Value=\"saml1p:RequestDenied\"/>"),
        "{denied}"
    );
    assert!(
        denied.contains("<saml1p:StatusMessage>no &lt;artifact&gt;</saml1p:StatusMessage>"),
        "{denied}"
    );
}

#[test]
fn a_failure_is_never_written_as_a_success() {
    //
    for code in [
        "Success",
        "x:Success",
        "",
        " Success",
        "a b",
        "RequestDenied",
        "AuthnFailed",
    ] {
        let failure = Failure::new(FailureCode::from_name(code), "words");
        let read = write_and_read(&SamlResponse::Failure(failure)).expect("readable");
        let SamlResponse::Failure(failure) = read else {
            panic!("{code:?} became a success");
        };
        let expected = if code == "AuthnFailed" {
            code
        } else {
            "RequestDenied"
        };
        assert_eq!(
            failure.code().map(FailureCode::as_str),
            Some(expected),
            "{code:?}"
        );
        assert_eq!(failure.description(), "words");
    }
}

#[test]
fn validity_ends_at_the_exact_instant() {
    //
    let xml = SamlResponse::Success(SamlAssertion::new("jdoe")).to_xml(&SamlReply::new(
        &stamp(noon()),
        "i",
        SERVICE,
    ));
    let service = ServiceUrl::parse(SERVICE).expect("a service");
    let read = |now: SystemTime, tolerance: Duration| {
        let expectation = SamlExpectation::new(&service, now).tolerance(tolerance);
        SamlResponse::parse(xml.as_bytes(), &expectation, &ReadOptions::default())
            .map_err(|error| error.class())
    };
    let (second, nano) = (Duration::from_secs(1), Duration::from_nanos(1));
    for tolerance in [Duration::ZERO, second, 5 * second, Duration::MAX] {
        let reach = (30 * second)
            .checked_add(tolerance)
            .unwrap_or(Duration::MAX);
        let begin = noon().checked_sub(reach);
        let end = noon().checked_add(reach);
        assert!(read(noon(), tolerance).is_ok());
        if let Some(begin) = begin {
            assert!(read(begin, tolerance).is_ok());
            assert_eq!(
                read(begin - nano, tolerance),
                Err(ErrorClass::SamlConditions)
            );
        }
        if let Some(end) = end {
            assert!(read(end - nano, tolerance).is_ok());
            assert_eq!(read(end, tolerance), Err(ErrorClass::SamlConditions));
        }
    }
}

#[test]
fn the_default_tolerance_is_five_seconds() {
    // R-251, settled
    let service = ServiceUrl::parse(SERVICE).expect("a service");
    let xml = SamlResponse::Success(SamlAssertion::new("jdoe")).to_xml(&SamlReply::new(
        &stamp(noon()),
        "i",
        SERVICE,
    ));
    for (seconds, good) in [(34, true), (35, false)] {
        let expectation = SamlExpectation::new(&service, noon() + Duration::from_secs(seconds));
        let read = SamlResponse::parse(xml.as_bytes(), &expectation, &ReadOptions::default());
        assert_eq!(read.is_ok(), good, "{seconds}");
    }
}

#[test]
fn conditions_are_not_looked_at_where_that_is_asked_for() {
    // the way out of them is only ever taken by name.
    let elsewhere = ServiceUrl::parse("https://elsewhere.example.org/").expect("a service");
    let stamp = stamp(noon());
    let reply = SamlReply::new(
        &stamp,
        "https://cas.example.org/cas",
        "https://app.example.org/",
    );
    let xml = SamlResponse::Success(SamlAssertion::new("ada")).to_xml(&reply);
    let late = noon() + Duration::from_hours(24);
    let read = |expectation: SamlExpectation<'_>| {
        SamlResponse::parse(xml.as_bytes(), &expectation, &ReadOptions::default())
            .map_err(|error| error.class())
            .map(|response| matches!(response, SamlResponse::Success(ada) if ada.user() == "ada"))
    };
    let late = SamlExpectation::new(&elsewhere, late);
    let early = SamlExpectation::new(&elsewhere, noon());
    assert_eq!(read(late), Err(ErrorClass::SamlConditions));
    assert_eq!(read(early), Err(ErrorClass::SamlAudience));
    assert_eq!(read(late.without_conditions()), Ok(true));
    assert_eq!(read(early.without_conditions()), Ok(true));
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        user in "[a-zA-Z0-9<>&'\"é.@ -]{0,20}[a-z]",
        attributes in proptest::collection::vec(("\\PC{1,12}", "[^\\p{C}\\s]{0,12}"), 0..6),
        method in "[a-z:.0-9]{1,30}",
        millis in 0_u64..4_000_000_000_000,
    ) {
        let mut assertion = SamlAssertion::new(user.trim());
        for (name, value) in &attributes {
            assertion = assertion.with_attribute(name, [value]);
        }
        let assertion = assertion
            .with_method(method)
            .with_authenticated_at(SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        let response = SamlResponse::Success(assertion);
        prop_assert_eq!(write_and_read(&response), Ok(response));
    }

    #[test]
    fn failures_are_read_again(code in "[A-Z][A-Za-z0-9_.-]{0,20}", words in "[^\\p{C}\\s]{1,20}") {
        prop_assume!(code != "Success");
        let response = SamlResponse::Failure(Failure::new(FailureCode::from_name(&code), words));
        prop_assert_eq!(write_and_read(&response), Ok(response));
    }

    #[test]
    fn requests_are_read_again(rest in "[A-Za-z0-9._-]{1,64}", random in any::<[u8; 16]>()) {
        let ticket = ServiceTicket::parse(&format!("ST-{rest}")).expect("a ticket");
        let stamp = SamlStamp::new(noon(), &mut |bytes| bytes.copy_from_slice(&random));
        let xml = SamlRequest::to_xml(&ticket, &stamp);
        let request = SamlRequest::parse(Some(SERVICE), xml.as_bytes(), &ReadOptions::default()).expect("readable");
        prop_assert_eq!(request.artifact(), &ticket);
        prop_assert_eq!(request.request_id(), Some(stamp.id()));
        prop_assert_eq!(request.target(), SERVICE);
    }
}

fn write_and_read(response: &SamlResponse) -> Result<SamlResponse, ReadError> {
    let xml = response.to_xml(&SamlReply::new(
        &stamp(noon()),
        "https://cas.example.org/cas",
        SERVICE,
    ));
    let service = ServiceUrl::parse(SERVICE).expect("a service");
    let expectation = SamlExpectation::new(&service, noon()).tolerance(Duration::ZERO);
    SamlResponse::parse(xml.as_bytes(), &expectation, &ReadOptions::default())
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(476_268)
}

fn stamp(now: SystemTime) -> SamlStamp {
    SamlStamp::new(now, &mut |bytes| bytes.fill(7))
}

const SERVICE: &str = "https://app.example.org/app/?a=1&b=2";
