//! Writing the answer of `/samlValidate`.

use std::time::Duration;

use super::{SamlAssertion, SamlResponse, SamlStamp};
use crate::xml::Writer;
use crate::{Failure, FailureCode, instant};

/// Everything about an answer but its outcome.
#[derive(Clone, Copy, Debug)]
pub struct SamlReply<'a> {
    stamp: &'a SamlStamp,
    issuer: &'a str,
    service: &'a str,
    in_response_to: Option<&'a str>,
    skew: Duration,
    lifetime: Duration,
}

impl<'a> SamlReply<'a> {
    /// An answer from the server `issuer` to the application at `service`; a refusal of an application that is not
    /// known has an empty one.
    pub fn new(stamp: &'a SamlStamp, issuer: &'a str, service: &'a str) -> Self {
        Self {
            stamp,
            issuer,
            service,
            in_response_to: None,
            skew: Duration::from_secs(30),
            lifetime: Duration::from_secs(30),
        }
    }

    /// The id of the request, if it had one.
    #[must_use]
    pub fn in_response_to(mut self, request_id: Option<&'a str>) -> Self {
        self.in_response_to = request_id;
        self
    }

    /// How long before and after now the assertion is valid. 30 s each by default.
    #[must_use]
    pub fn valid(mut self, skew: Duration, lifetime: Duration) -> Self {
        self.skew = skew;
        self.lifetime = lifetime;
        self
    }
}

impl SamlResponse {
    /// The refusal that answers what could not be read or validated.
    pub fn request_denied(description: impl Into<String>) -> Self {
        Self::Failure(Failure::new(
            FailureCode::from_name(REQUEST_DENIED),
            description,
        ))
    }

    /// The envelope, on one line without an XML declaration. The HTTP status is 200 for failures too.
    ///
    /// SAML wants to know when and how the user was authenticated: where the assertion does not say, it is now, by
    /// unspecified means.
    pub fn to_xml(&self, reply: &SamlReply<'_>) -> String {
        let mut xml = Writer::new();
        xml.open("SOAP-ENV:Envelope", &[("xmlns:SOAP-ENV", super::SOAP)]);
        xml.open("SOAP-ENV:Body", &[]);
        let instant = reply.stamp.instant();
        let mut attributes = vec![
            ("xmlns:saml1p", super::PROTOCOL),
            ("MajorVersion", "1"),
            ("MinorVersion", "1"),
            ("ResponseID", reply.stamp.id()),
            ("IssueInstant", &instant),
        ];
        if !reply.service.is_empty() {
            attributes.push(("Recipient", reply.service));
        }
        attributes.extend(reply.in_response_to.map(|id| ("InResponseTo", id)));
        xml.open("saml1p:Response", &attributes);
        match self {
            Self::Success(assertion) => {
                write_status(&mut xml, "Success", "");
                write_assertion(&mut xml, assertion, reply);
            }
            Self::Failure(failure) => {
                write_status(&mut xml, status_of(failure), failure.description());
            }
        }
        xml.close("saml1p:Response");
        xml.close("SOAP-ENV:Body");
        xml.close("SOAP-ENV:Envelope");
        xml.finish()
    }
}

/// The local name of the status of a failure; never one that a reader takes for a success.
fn status_of(failure: &Failure) -> &str {
    let code = failure.code().map(FailureCode::as_str).unwrap_or_default();
    let is_name = code.bytes().next().is_some_and(|b| b.is_ascii_alphabetic())
        && code
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    if is_name && code != "Success" {
        code
    } else {
        REQUEST_DENIED
    }
}

fn write_status(xml: &mut Writer, code: &str, message: &str) {
    xml.open("saml1p:Status", &[]);
    xml.empty("saml1p:StatusCode", &[("Value", &format!("saml1p:{code}"))]);
    if !message.is_empty() {
        xml.leaf("saml1p:StatusMessage", message);
    }
    xml.close("saml1p:Status");
}

fn write_assertion(xml: &mut Writer, assertion: &SamlAssertion, reply: &SamlReply<'_>) {
    let now = reply.stamp.now();
    let not_before = instant::millis(now.checked_sub(reply.skew).unwrap_or(now));
    let not_on_or_after = instant::millis(now.checked_add(reply.lifetime).unwrap_or(now));
    xml.open(
        "saml1:Assertion",
        &[
            ("xmlns:saml1", super::ASSERTION),
            ("MajorVersion", "1"),
            ("MinorVersion", "1"),
            ("AssertionID", &format!("{}-1", reply.stamp.id())),
            ("IssueInstant", &reply.stamp.instant()),
            ("Issuer", reply.issuer),
        ],
    );
    xml.open(
        "saml1:Conditions",
        &[
            ("NotBefore", &not_before),
            ("NotOnOrAfter", &not_on_or_after),
        ],
    );
    xml.open("saml1:AudienceRestrictionCondition", &[]);
    xml.leaf("saml1:Audience", reply.service);
    xml.close("saml1:AudienceRestrictionCondition");
    xml.close("saml1:Conditions");

    let instant = instant::millis(assertion.authenticated_at().unwrap_or(now));
    let method = assertion.method().unwrap_or(SamlAssertion::UNSPECIFIED);
    xml.open(
        "saml1:AuthenticationStatement",
        &[
            ("AuthenticationInstant", &instant),
            ("AuthenticationMethod", method),
        ],
    );
    write_subject(xml, assertion.user());
    xml.close("saml1:AuthenticationStatement");

    write_attributes(xml, assertion);
    xml.close("saml1:Assertion");
}

/// Readers take this one from the statement of authentication.
fn repeats_method(assertion: &SamlAssertion, name: &str, values: &[String]) -> bool {
    name == SamlAssertion::METHOD_ATTRIBUTE
        && values.iter().map(String::as_str).eq(assertion.method())
}

fn write_attributes(xml: &mut Writer, assertion: &SamlAssertion) {
    let mut attributes = assertion
        .attributes()
        .iter()
        .filter(|(name, values)| !values.is_empty() && !repeats_method(assertion, name, values))
        .peekable();
    if attributes.peek().is_none() {
        return;
    }
    xml.open("saml1:AttributeStatement", &[]);
    write_subject(xml, assertion.user());
    for (name, values) in attributes {
        xml.open(
            "saml1:Attribute",
            &[
                ("AttributeName", name),
                ("AttributeNamespace", "http://www.ja-sig.org/products/cas/"),
            ],
        );
        for value in values {
            xml.leaf("saml1:AttributeValue", value);
        }
        xml.close("saml1:Attribute");
    }
    xml.close("saml1:AttributeStatement");
}

fn write_subject(xml: &mut Writer, user: &str) {
    xml.open("saml1:Subject", &[]);
    xml.leaf("saml1:NameIdentifier", user);
    xml.open("saml1:SubjectConfirmation", &[]);
    xml.leaf(
        "saml1:ConfirmationMethod",
        "urn:oasis:names:tc:SAML:1.0:cm:artifact",
    );
    xml.close("saml1:SubjectConfirmation");
    xml.close("saml1:Subject");
}

const REQUEST_DENIED: &str = "RequestDenied";
