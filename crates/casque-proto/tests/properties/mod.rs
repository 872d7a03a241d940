//! What holds for any bytes: one property for each reader, run by the fuzzer and, over its corpus, by the tests.
//!
//! A property panics where it does not hold. Independent parsers judge: roxmltree, `url` and `form_urlencoded`.

// The fuzz targets compile this module too, and each uses one property.
#![allow(
    dead_code,
    clippy::allow_attributes,
    unreachable_pub,
    reason = "shared by the tests and the fuzz targets"
)]

mod addresses;
mod answers;
mod definitions;
mod logout;
mod rest;
mod saml;
mod secrets;

use casque_proto::{ErrorClass, ReadError};

/// A property of any bytes.
pub type Property = fn(&[u8]);

/// Every property by the name of its fuzz target.
pub const TARGETS: [(&str, Property); 14] = [
    ("cas1", answers::cas1),
    ("logout_request", logout::logout_request),
    ("proxy_response", answers::proxy_response),
    ("redact", secrets::redact),
    ("redirect_target", addresses::redirect_target),
    ("rest_response", rest::rest_response),
    ("saml_request", saml::saml_request),
    ("saml_response", saml::saml_response),
    ("service_definition", definitions::service_definition),
    ("service_response", answers::service_response),
    ("service_url", addresses::service_url),
    ("ticket", secrets::ticket),
    ("ticket_query", secrets::ticket_query),
    ("xml_writer", answers::xml_writer),
];

/// The property of that name.
///
/// # Panics
///
/// If there is none.
pub fn property(name: &str) -> Property {
    let found = TARGETS.into_iter().find(|(known, _)| *known == name);
    found
        .unwrap_or_else(|| panic!("no property is called {name}"))
        .1
}

/// Whatever is refused is refused in one bounded line that can be logged (R-173, S-017).
fn check_error(error: &ReadError) {
    let line = error.to_string();
    assert!(line.chars().count() < 400, "a long error: {line}");
    assert!(
        !line.chars().any(char::is_control),
        "an error on several lines: {line:?}"
    );
    assert!(
        line.starts_with(error.class().as_str()),
        "an error without its class: {line}"
    );
}

/// An independent parser agrees that accepted bytes are XML, if they are no JSON.
fn check_well_formed(bytes: &[u8]) {
    let text = std::str::from_utf8(bytes).expect("accepted bytes are UTF-8");
    let document = unpadded(text);
    if document.starts_with('{') {
        // Not a `Value`: a number that no float holds is JSON all the same.
        serde_json::from_str::<serde::de::IgnoredAny>(document).expect("accepted JSON is JSON");
    } else {
        // Attributes and elements are bounded, so the tree is small.
        roxmltree::Document::parse(document).expect("accepted XML is well-formed");
    }
}

/// Without what readers pass over round a document.
fn unpadded(text: &str) -> &str {
    let blanks = [' ', '\t', '\r', '\n'];
    let text = text.trim_start_matches(blanks);
    text.strip_prefix('\u{feff}')
        .unwrap_or(text)
        .trim_matches(blanks)
}

/// A name that a reader accepted keeps the rules of.
fn check_user(user: &str) {
    assert!(
        (1..=512).contains(&user.len()),
        "a name of {} bytes",
        user.len()
    );
    assert!(
        !user.chars().any(char::is_control),
        "a control character in {user:?}"
    );
    assert_eq!(user.trim(), user, "blanks round a name");
}

/// A success never comes with an error status.
fn check_unexpected<T>(result: Result<T, ReadError>) {
    let class = result.err().map(|error| error.class());
    assert_eq!(
        class,
        Some(ErrorClass::UnexpectedStatus),
        "a success with status 500"
    );
}
