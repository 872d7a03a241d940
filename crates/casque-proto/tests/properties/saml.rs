use std::time::{Duration, SystemTime};

use casque_proto::saml::{SamlExpectation, SamlReply, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{ReadOptions, ServiceUrl};

use super::{check_error, check_unexpected, check_user, check_well_formed, unpadded};

/// The reader of the body of `/samlValidate`, as the server has it.
pub(super) fn saml_request(bytes: &[u8]) {
    let options = ReadOptions::default();
    match SamlRequest::parse(Some("https://app.example.org/"), bytes, &options) {
        Ok(request) => {
            check_well_formed(bytes);
            let xml = SamlRequest::to_xml(request.artifact(), &stamp(noon()));
            check_well_formed(xml.as_bytes());
            let read = SamlRequest::parse(Some(request.target()), xml.as_bytes(), &options);
            let read = read.expect("what is written is read");
            assert_eq!(read.artifact(), request.artifact());
        }
        Err(error) => check_error(&error),
    }
    assert!(
        SamlRequest::parse(None, bytes, &options).is_err(),
        "accepted without TARGET"
    );
}

/// The reader of the answer of `/samlValidate`, as an application has it, at the noon of each corpus.
pub(super) fn saml_response(bytes: &[u8]) {
    for (service, hours, seconds) in [
        ("https://app.example.org/app/", 476_268, 5),
        ("https://wiki.example.org/start?page=1", 492_389, 390),
    ] {
        let service = ServiceUrl::parse(service).expect("a service");
        let now =
            SystemTime::UNIX_EPOCH + Duration::from_hours(hours) + Duration::from_secs(seconds);
        let expectation = SamlExpectation::new(&service, now);
        match SamlResponse::parse(bytes, &expectation, &ReadOptions::default()) {
            Ok(response) => {
                check_well_formed(bytes);
                check_response(&response, bytes, &expectation);
                check_written(&response, &service, now);
            }
            Err(error) => check_error(&error),
        }
    }
}

/// An independent parser finds the same success and the same user.
fn check_response(response: &SamlResponse, bytes: &[u8], expectation: &SamlExpectation<'_>) {
    let SamlResponse::Success(assertion) = response else {
        return;
    };
    check_user(assertion.user());
    check_unexpected(SamlResponse::parse(
        bytes,
        expectation,
        &ReadOptions::default().status(500),
    ));
    let text = std::str::from_utf8(bytes).expect("accepted bytes are UTF-8");
    let tree = roxmltree::Document::parse(unpadded(text)).expect("accepted XML is well-formed");
    let body = only(tree.root_element(), SOAP, "Body");
    let response = only(body, PROTOCOL, "Response");
    let code = only(only(response, PROTOCOL, "Status"), PROTOCOL, "StatusCode");
    let value = code.attribute("Value").expect("a status").trim();
    assert!(
        value == "Success" || value.ends_with(":Success"),
        "{value} is no success"
    );
    let assertion_node = only(response, ASSERTION, "Assertion");
    let conditions = only(assertion_node, ASSERTION, "Conditions");
    assert!(conditions.has_attribute("NotBefore") && conditions.has_attribute("NotOnOrAfter"));
    let names = assertion_node.children().filter(|statement| {
        statement.has_tag_name((ASSERTION, "AuthenticationStatement"))
            || statement.has_tag_name((ASSERTION, "AttributeStatement"))
    });
    for statement in names {
        for subject in statement
            .children()
            .filter(|node| node.has_tag_name((ASSERTION, "Subject")))
        {
            for name in subject
                .children()
                .filter(|node| node.has_tag_name((ASSERTION, "NameIdentifier")))
            {
                let text: String = name
                    .children()
                    .filter(roxmltree::Node::is_text)
                    .filter_map(|node| node.text())
                    .collect();
                let text = text.trim_matches([' ', '\t', '\r', '\n']);
                assert!(
                    text.is_empty() || text == assertion.user(),
                    "{text:?} is not {:?}",
                    assertion.user()
                );
            }
        }
    }
}

fn only<'a, 'input>(
    parent: roxmltree::Node<'a, 'input>,
    namespace: &str,
    local: &str,
) -> roxmltree::Node<'a, 'input> {
    let mut nodes = parent
        .children()
        .filter(|node| node.has_tag_name((namespace, local)));
    let node = nodes
        .next()
        .unwrap_or_else(|| panic!("accepted without {local}"));
    assert!(nodes.next().is_none(), "accepted with two {local}");
    node
}

fn check_written(response: &SamlResponse, service: &ServiceUrl, now: SystemTime) {
    let expectation = SamlExpectation::new(service, now);
    let reply_stamp = stamp(now);
    let reply = SamlReply::new(
        &reply_stamp,
        "https://cas.example.org/cas",
        service.as_str(),
    );
    let xml = response.to_xml(&reply);
    check_well_formed(xml.as_bytes());
    let once = SamlResponse::parse(xml.as_bytes(), &expectation, &ReadOptions::default());
    let once = once.expect("what is written is read");
    match (response, &once) {
        (SamlResponse::Success(before), SamlResponse::Success(after)) => {
            assert_eq!(before.user(), after.user());
            if before.method().is_some() {
                assert_eq!(before.attributes(), after.attributes());
            }
        }
        (SamlResponse::Failure(before), SamlResponse::Failure(after)) => {
            assert_eq!(before.description(), after.description());
        }
        _ => panic!("the outcome changed"),
    }
    let again = SamlResponse::parse(
        once.to_xml(&reply).as_bytes(),
        &expectation,
        &ReadOptions::default(),
    );
    assert_eq!(again, Ok(once), "writing once more changes nothing");
}

fn stamp(now: SystemTime) -> SamlStamp {
    SamlStamp::new(now, &mut |random| random.fill(7))
}

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(476_268)
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:1.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:1.0:assertion";
