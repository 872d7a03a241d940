use casque_proto::{
    Assertion, AttributeStyle, Attributes, Cas1Response, Failure, FailureCode, Format,
    ProxyResponse, ReadOptions, ServiceResponse, Tolerance,
};

use super::{check_error, check_unexpected, check_user, check_well_formed};

/// The reader of `/serviceValidate`, XML and JSON, strict and with each tolerance.
pub(super) fn service_response(bytes: &[u8]) {
    let strict = ReadOptions::default();
    match ServiceResponse::parse(bytes, &strict) {
        Ok(response) => {
            check_well_formed(bytes);
            check_response(&response);
            let failed = ServiceResponse::parse(bytes, &ReadOptions::default().status(500));
            match &response {
                ServiceResponse::Success(_) => check_unexpected(failed),
                ServiceResponse::Failure(_) => assert_eq!(failed.as_ref(), Ok(&response)),
            }
        }
        Err(error) => check_error(&error),
    }
    for tolerance in Tolerance::ALL {
        let options = ReadOptions::default().with_tolerance(tolerance);
        match ServiceResponse::parse(bytes, &options) {
            Ok(response) => check_response(&response),
            Err(error) => check_error(&error),
        }
    }
}

fn check_response(response: &ServiceResponse) {
    let options = with_proxies_of(response);
    for format in [Format::Xml, Format::Json] {
        let written = response.render(format);
        check_well_formed(written.as_bytes());
        let once =
            ServiceResponse::parse(written.as_bytes(), &options).expect("what is written is read");
        check_alike(response, &once, format);
        let again = ServiceResponse::parse(once.render(format).as_bytes(), &options);
        assert_eq!(
            again.as_ref(),
            Ok(&once),
            "writing once more changes nothing"
        );
    }
    let inlined = response.to_xml_with(AttributeStyle::Inline);
    check_well_formed(inlined.as_bytes());
    let read =
        ServiceResponse::parse(inlined.as_bytes(), &options).expect("what is written is read");
    assert_eq!(user_of(&read), user_of(response));
}

/// XML cannot carry every name and character; who it is about never changes.
fn check_alike(before: &ServiceResponse, after: &ServiceResponse, format: Format) {
    match (before, after) {
        (ServiceResponse::Success(before), ServiceResponse::Success(after)) => {
            check_user(before.user());
            assert_eq!(before.user(), after.user());
            assert_eq!(before.proxies(), after.proxies());
            assert_eq!(
                before.proxy_granting_ticket_iou(),
                after.proxy_granting_ticket_iou()
            );
            if format == Format::Json {
                assert_eq!(before.attributes(), after.attributes());
            }
        }
        (ServiceResponse::Failure(before), ServiceResponse::Failure(after)) => {
            assert_eq!(before.code().is_some(), after.code().is_some());
        }
        _ => panic!("the outcome changed"),
    }
}

fn user_of(response: &ServiceResponse) -> Option<&str> {
    match response {
        ServiceResponse::Success(assertion) => Some(assertion.user()),
        ServiceResponse::Failure(_) => None,
    }
}

fn with_proxies_of(response: &ServiceResponse) -> ReadOptions {
    match response {
        ServiceResponse::Success(assertion) if !assertion.proxies().is_empty() => {
            ReadOptions::default().allow_proxy_chain(assertion.proxies().iter().cloned())
        }
        _ => ReadOptions::default(),
    }
}

/// The reader of `/proxy`.
pub(super) fn proxy_response(bytes: &[u8]) {
    let options = ReadOptions::default();
    match ProxyResponse::parse(bytes, &options) {
        Ok(response) => {
            check_well_formed(bytes);
            for format in [Format::Xml, Format::Json] {
                let written = response.render(format);
                check_well_formed(written.as_bytes());
                let once = ProxyResponse::parse(written.as_bytes(), &options)
                    .expect("what is written is read");
                if matches!(response, ProxyResponse::Success(_)) {
                    assert_eq!(once, response);
                }
                let again = ProxyResponse::parse(once.render(format).as_bytes(), &options);
                assert_eq!(again, Ok(once), "writing once more changes nothing");
            }
            if matches!(response, ProxyResponse::Success(_)) {
                check_unexpected(ProxyResponse::parse(
                    bytes,
                    &ReadOptions::default().status(500),
                ));
            }
        }
        Err(error) => check_error(&error),
    }
}

/// The reader of `/validate`.
pub(super) fn cas1(bytes: &[u8]) {
    match Cas1Response::parse(bytes, &ReadOptions::default()) {
        Ok(response) => {
            if let Cas1Response::Success { user } = &response {
                check_user(user);
                check_unexpected(Cas1Response::parse(
                    bytes,
                    &ReadOptions::default().status(500),
                ));
            }
            let read = Cas1Response::parse(response.to_text().as_bytes(), &ReadOptions::default());
            assert_eq!(read, Ok(response));
        }
        Err(error) => check_error(&error),
    }
}

/// The writer of XML: any text in any place. The first line is the user, the others `name=value`.
pub(super) fn xml_writer(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.split('\n');
    let user = lines.next().unwrap_or_default();
    let attributes: Attributes = lines
        .map(|line| line.split_once('=').unwrap_or((line, "")))
        .collect();
    let assertion = Assertion::builder(user).attributes(&attributes).build();
    let success = ServiceResponse::Success(assertion);
    for style in [AttributeStyle::Elements, AttributeStyle::Inline] {
        let xml = success.to_xml_with(style);
        let tree = roxmltree::Document::parse(&xml).expect("written XML is well-formed");
        let users: Vec<_> = tree
            .descendants()
            .filter(|node| node.has_tag_name((CAS, "user")))
            .collect();
        assert_eq!(users.len(), 1, "one user in {xml}");
        assert_eq!(users[0].text().unwrap_or_default(), writable(user));
        if let Ok(ServiceResponse::Success(read)) =
            ServiceResponse::parse(xml.as_bytes(), &ReadOptions::default())
        {
            assert_eq!(
                read.user(),
                writable(user).trim_matches([' ', '\t', '\r', '\n'])
            );
        }
    }
    let json = success.to_json();
    let value: serde_json::Value = serde_json::from_str(&json).expect("written JSON is JSON");
    assert_eq!(
        value["serviceResponse"]["authenticationSuccess"]["user"],
        user
    );

    let failure = Failure::new(FailureCode::from_name(user), text.as_ref());
    let xml = ServiceResponse::Failure(failure).to_xml();
    let tree = roxmltree::Document::parse(&xml).expect("written XML is well-formed");
    let outcome = tree
        .root_element()
        .first_element_child()
        .expect("an outcome");
    assert!(outcome.has_tag_name((CAS, "authenticationFailure")));
    assert!(
        outcome.first_element_child().is_none(),
        "elements in a failure"
    );
    let read = ServiceResponse::parse(xml.as_bytes(), &ReadOptions::default());
    assert!(matches!(read, Ok(ServiceResponse::Failure(_))), "{read:?}");
}

/// Characters that XML 1.0 cannot carry become U+FFFD.
fn writable(text: &str) -> String {
    let carries = |c: char| match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => c >= ' ',
    };
    text.chars()
        .map(|c| if carries(c) { c } else { '\u{fffd}' })
        .collect()
}

const CAS: &str = "http://www.yale.edu/tp/cas";
