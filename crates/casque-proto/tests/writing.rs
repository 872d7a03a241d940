//! What is written, held against an independent parser and against our own readers.

mod corpus;

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::SystemTime;

use casque_proto::Assertion;
use casque_proto::AttributeStyle;
use casque_proto::Failure;
use casque_proto::FailureCode;
use casque_proto::Format;
use casque_proto::ProxyGrantingTicketIou;
use casque_proto::ReadOptions;
use casque_proto::ServiceResponse;
use casque_proto::attribute_xml_name;
use proptest::prelude::*;
use serde_json::Value;

use corpus::Report;

type Map = BTreeMap<String, Vec<String>>;

#[test]
fn hostile_render_rows() {
    // S-031
    let mut report = Report::default();
    for row in corpus::hostile("xml_render") {
        let mut builder = Assertion::builder(row.input_str("user"));
        for (name, values) in map_of(&row.input["attributes"]) {
            for value in values {
                builder = builder.attribute(name.as_str(), value);
            }
        }
        let xml = ServiceResponse::Success(builder.build()).to_xml();
        let (user, attributes) = independently_read(&xml);
        report.check(
            &row.id,
            &user.as_str(),
            &row.expected["parsed_user"].as_str().unwrap_or_default(),
        );
        // A row may expect the name as it is written, or as a reader presents it (R-160).
        let expected = map_of(&row.expected["parsed_attributes"]);
        let as_written: Map = expected
            .iter()
            .map(|(name, values)| {
                (
                    attribute_xml_name(name).unwrap_or_else(|| name.clone()),
                    values.clone(),
                )
            })
            .collect();
        report.check(
            &row.id,
            &attributes,
            if attributes == expected {
                &expected
            } else {
                &as_written
            },
        );
    }
    report.finish(corpus::shared("hostile").is_some());
}

#[test]
fn the_xml_of_a_success() {
    // R-116 to R-120, R-125 to R-128, R-138
    let noon = SystemTime::UNIX_EPOCH + Duration::new(1_714_564_800, 0);
    let assertion = Assertion::builder("o'brien & co")
        .attribute("mail", "<a@b>")
        .attribute("urn:oid:1", "x")
        .attribute("memberOf", "one")
        .attribute("user", "dropped")
        .attribute("empty", "")
        .attribute("memberOf", "two")
        .attribute("first name", "1")
        .attribute("first_name", "2")
        .authentication_date(noon)
        .long_term(false)
        .from_new_login(true)
        .proxy_granting_ticket_iou(ProxyGrantingTicketIou::parse("PGTIOU-1").unwrap())
        .proxies(["https://b.example/?x&y", "https://a.example/"])
        .build();
    let response = ServiceResponse::Success(assertion);
    assert_eq!(
        response.to_xml(),
        "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\"><cas:authenticationSuccess>\
         <cas:user>o&apos;brien &amp; co</cas:user><cas:attributes>\
         <cas:authenticationDate>2024-05-01T12:00:00Z</cas:authenticationDate>\
         <cas:longTermAuthenticationRequestTokenUsed>false</cas:longTermAuthenticationRequestTokenUsed>\
         <cas:isFromNewLogin>true</cas:isFromNewLogin>\
         <cas:mail>&lt;a@b&gt;</cas:mail><cas:_75726e3a6f69643a31>x</cas:_75726e3a6f69643a31>\
         <cas:memberOf>one</cas:memberOf><cas:memberOf>two</cas:memberOf><cas:empty></cas:empty>\
         <cas:first_name>1</cas:first_name><cas:first_name>2</cas:first_name></cas:attributes>\
         <cas:proxyGrantingTicket>PGTIOU-1</cas:proxyGrantingTicket>\
         <cas:proxies><cas:proxy>https://b.example/?x&amp;y</cas:proxy><cas:proxy>https://a.example/</cas:proxy>\
         </cas:proxies></cas:authenticationSuccess></cas:serviceResponse>"
    );
    assert_eq!(
        response.to_json(),
        r#"{"serviceResponse":{"authenticationSuccess":{"user":"o'brien & co","attributes":{"#
            .to_owned()
            + r#""authenticationDate":"2024-05-01T12:00:00Z","longTermAuthenticationRequestTokenUsed":false,"#
            + r#""isFromNewLogin":true,"mail":"<a@b>","urn:oid:1":"x","memberOf":["one","two"],"user":"dropped","#
            + r#""empty":"","first name":"1","first_name":"2"},"proxyGrantingTicket":"PGTIOU-1","#
            + r#""proxies":["https://b.example/?x&y","https://a.example/"]}}}"#
    );
}

#[test]
fn the_xml_of_a_failure() {
    // R-121, R-122, R-136
    let failure = Failure::new(FailureCode::InvalidTicket, "not <recognized>");
    let response = ServiceResponse::Failure(failure);
    assert_eq!(
        response.render(Format::Xml),
        "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\
         <cas:authenticationFailure code=\"INVALID_TICKET\">not &lt;recognized&gt;</cas:authenticationFailure>\
         </cas:serviceResponse>"
    );
    assert_eq!(
        response.render(Format::Json),
        r#"{"serviceResponse":{"authenticationFailure":{"code":"INVALID_TICKET","description":"not <recognized>"}}}"#
    );
}

#[test]
fn inline_attributes_are_read_again() {
    // R-135, R-156
    let assertion = Assertion::builder("ada")
        .attribute("urn:a", "1\n2")
        .attribute("b c", "<")
        .build();
    let response = ServiceResponse::Success(assertion);
    let xml = response.to_xml_with(AttributeStyle::Inline);
    assert!(
        xml.contains("<cas:attribute name=\"b c\" value=\"&lt;\"/>"),
        "{xml}"
    );
    assert_eq!(
        ServiceResponse::parse(xml.as_bytes(), &ReadOptions::default()),
        Ok(response)
    );
}

#[test]
fn formats_have_names() {
    // R-105
    assert_eq!(Format::from_name("json"), Some(Format::Json));
    assert_eq!(Format::from_name("Xml"), Some(Format::Xml));
    assert_eq!(Format::from_name("yaml"), None);
    assert_eq!(Format::from_name(""), None);
}

proptest! {
    #[test]
    fn xml_written_is_xml_read(assertion in assertion(survives_xml)) {
        let xml = ServiceResponse::Success(assertion.clone()).to_xml();
        let expected = carried(&assertion, |c| if survives_xml(c) { c } else { '\u{FFFD}' });
        prop_assert_eq!(read(&xml, &assertion), Some(expected));
    }

    #[test]
    fn json_written_is_json_read(assertion in assertion(|_| true)) {
        let json = ServiceResponse::Success(assertion.clone()).to_json();
        let strict: Value = serde_json::from_str(&json).expect("what is written is JSON");
        prop_assert_eq!(strict["serviceResponse"]["authenticationSuccess"]["user"].as_str(), Some(assertion.user()));
        prop_assert_eq!(read(&json, &assertion), Some(carried(&assertion, |c| c)));
    }

    #[test]
    fn failures_written_are_failures_read(code in "[A-Z_]{1,20}", description in any::<String>()) {
        let failure = Failure::new(FailureCode::from_name(&code), description);
        let response = ServiceResponse::Failure(failure.clone());
        for text in [response.to_xml(), response.to_json()] {
            let read = ServiceResponse::parse(text.as_bytes(), &ReadOptions::default());
            let Ok(ServiceResponse::Failure(read)) = read else {
                return Err(TestCaseError::fail(format!("{text}: {read:?}")));
            };
            prop_assert_eq!(read.code(), failure.code());
            if failure.description().chars().all(survives_xml) {
                prop_assert_eq!(read.description(), failure.description().trim_matches(is_blank));
            }
        }
    }

    #[test]
    fn whatever_is_written_is_well_formed(user in any::<String>(), name in any::<String>(), value in any::<String>()) {
        // S-031
        for style in [AttributeStyle::Elements, AttributeStyle::Inline] {
            let assertion = Assertion::builder(user.as_str())
                .attribute(name.as_str(), value.as_str())
                .proxies([value.as_str()])
                .build();
            let xml = ServiceResponse::Success(assertion).to_xml_with(style);
            let document = roxmltree::Document::parse(&xml).expect("what is written is XML");
            let users = document.descendants().filter(|node| node.tag_name().name() == "user");
            prop_assert_eq!(users.count(), 1, "{}", xml);
        }
    }
}

/// Assertions that a server could send: a good user, names that come back as they were, values of any characters.
fn assertion(user_char: fn(char) -> bool) -> impl Strategy<Value = Assertion> {
    let user = "[a-z0-9A-Z.@<>&'\"é钟-]{1,12}"
        .prop_filter("a user", move |user| user.chars().all(user_char));
    let name = prop_oneof![
        "[A-Wa-tv-wyz][A-Za-z0-9_.-]{0,10}"
            .prop_filter("a name", |name| attribute_xml_name(name).is_some()),
        "[a-z]{1,5}[:@][a-z:@.]{0,8}",
    ];
    let attributes = prop::collection::vec((name, any::<String>()), 0..12);
    let proxies = prop::collection::vec("https://[a-z]{1,8}/[a-z&<?=]{0,8}", 0..3);
    let iou = prop::option::of("PGTIOU-[A-Za-z0-9._-]{1,20}");
    (user, attributes, proxies, iou).prop_map(|(user, attributes, proxies, iou)| {
        let mut builder = Assertion::builder(user).proxies(proxies);
        for (name, value) in attributes {
            builder = builder.attribute(name, value);
        }
        match iou {
            Some(iou) => builder
                .proxy_granting_ticket_iou(ProxyGrantingTicketIou::parse(&iou).expect("an IOU"))
                .build(),
            None => builder.build(),
        }
    })
}

/// What a reader gets of `assertion`: blanks at the ends of values are not kept (R-152, R-176).
fn carried(assertion: &Assertion, character: fn(char) -> char) -> Assertion {
    let mut builder = Assertion::builder(assertion.user()).proxies(assertion.proxies());
    for (name, values) in assertion.attributes().iter() {
        for value in values {
            let value: String = value.chars().map(character).collect();
            builder = builder.attribute(name, value.trim_matches(is_blank));
        }
    }
    match assertion.proxy_granting_ticket_iou() {
        Some(iou) => builder.proxy_granting_ticket_iou(iou.clone()).build(),
        None => builder.build(),
    }
}

fn read(text: &str, written: &Assertion) -> Option<Assertion> {
    let options = ReadOptions::default().allow_proxy_chain(written.proxies());
    match ServiceResponse::parse(text.as_bytes(), &options) {
        Ok(ServiceResponse::Success(assertion)) => Some(assertion),
        _ => None,
    }
}

/// The user and the attributes, by a parser that shares no code with ours.
fn independently_read(xml: &str) -> (String, Map) {
    let document = roxmltree::Document::parse(xml).expect("what is written is XML");
    let success = document
        .root_element()
        .first_element_child()
        .expect("there is an outcome");
    let text = |node: roxmltree::Node<'_, '_>| node.text().unwrap_or_default().to_owned();
    let mut user = String::new();
    let mut attributes = Map::new();
    for child in success.children() {
        match child.tag_name().name() {
            "user" => user = text(child),
            "attributes" => {
                for attribute in child.children() {
                    let name = attribute.tag_name().name().to_owned();
                    attributes.entry(name).or_default().push(text(attribute));
                }
            }
            other => panic!("unexpected element {other}"),
        }
    }
    (user, attributes)
}

fn map_of(value: &Value) -> Map {
    let Some(members) = value.as_object() else {
        return Map::new();
    };
    let texts = |value: &Value| match value {
        Value::Array(values) => values
            .iter()
            .map(|value| value.as_str().expect("text").to_owned())
            .collect(),
        value => vec![value.as_str().expect("text").to_owned()],
    };
    members
        .iter()
        .map(|(name, value)| (name.clone(), texts(value)))
        .collect()
}

fn survives_xml(c: char) -> bool {
    (c >= ' ' || is_blank(c)) && !matches!(c, '\u{FFFE}' | '\u{FFFF}')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}
