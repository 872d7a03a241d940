//! An XML answer.

use std::borrow::Cow;

use super::ServiceResponse;
use super::envelope;
use super::envelope::CasReader;
use super::envelope::Outcome;
use crate::assertion::Assertion;
use crate::attributes::Attributes;
use crate::attributes::decoded_name;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::text;
use crate::text::trim_xml;
use crate::ticket::ProxyGrantingTicketIou;
use crate::xml::Element;
use crate::xml::Value;

pub(super) fn read(text: &str, options: &ReadOptions) -> Result<ServiceResponse, ReadError> {
    let content = envelope::read_xml(text, options, |reader, outcome| match outcome {
        Outcome::AuthenticationSuccess => success(reader).map(Content::Success),
        Outcome::AuthenticationFailure => reader
            .failure()
            .map(ServiceResponse::Failure)
            .map(Content::Done),
        Outcome::ProxySuccess | Outcome::ProxyFailure => {
            reader.xml.skip()?;
            Ok(Content::Foreign(outcome))
        }
    })?;
    match content {
        Content::Success(parts) => parts.assertion(options).map(ServiceResponse::Success),
        Content::Done(response) => Ok(response),
        Content::Foreign(outcome) => Err(envelope::not_cas(&format!(
            "{} does not answer a validation",
            outcome.name()
        ))),
    }
}

/// What stood in the outcome; judged only once the document has been read to its end.
enum Content<'a> {
    Success(Parts<'a>),
    Done(ServiceResponse),
    Foreign(Outcome),
}

#[derive(Default)]
struct Parts<'a> {
    user: Option<Cow<'a, str>>,
    iou: Option<Cow<'a, str>>,
    attributes: Option<Attributes>,
    /// Attributes that stand beside the element `attributes`, not in it.
    outside: Attributes,
    proxies: Option<Vec<String>>,
    /// A part was there by its local name only, without the namespace.
    lacks_namespace: bool,
}

impl Parts<'_> {
    fn assertion(self, options: &ReadOptions) -> Result<Assertion, ReadError> {
        let user = self
            .user
            .ok_or_else(|| ReadError::new(ErrorClass::MissingUser, "a success without a user"))?;
        if self.lacks_namespace {
            // Other readers would see it, and a proxied login must not look like a direct one (S-014).
            return Err(ReadError::malformed(
                "a part of the answer in no namespace beside parts in that of CAS",
            ));
        }
        let user = text::principal(&user, options.limits_ref())?;
        let iou = self.iou.filter(|iou| !iou.is_empty());
        let iou = iou.as_deref().map(proxy_granting_ticket_iou).transpose()?;
        let mut attributes = self.attributes.unwrap_or_default();
        attributes.extend_new(self.outside);
        Ok(Assertion {
            user,
            attributes,
            proxy_granting_ticket_iou: iou,
            proxies: self.proxies.unwrap_or_default(),
        })
    }
}

/// A ticket that an attacker could use to add parameters to a request is none.
pub(super) fn proxy_granting_ticket_iou(text: &str) -> Result<ProxyGrantingTicketIou, ReadError> {
    ProxyGrantingTicketIou::parse(text).map_err(|error| {
        ReadError::malformed(format!("the proxyGrantingTicket is not a PGTIOU: {error}"))
    })
}

fn success<'a>(reader: &mut CasReader<'a>) -> Result<Parts<'a>, ReadError> {
    let mut parts = Parts::default();
    while let Some(child) = reader.xml.child()? {
        let is_cas = reader.is_cas(child);
        match child.local {
            "user" | "attributes" | "proxyGrantingTicket" | "proxies" if !is_cas => {
                parts.lacks_namespace |= reader.lacks_namespace(child);
                reader.xml.skip()?;
            }
            name if is_cas && Outcome::of(name).is_some() => {
                return Err(reader
                    .xml
                    .error(ErrorClass::Ambiguous, "an outcome inside a success"));
            }
            "user" => {
                let user = reader.xml.text("the user")?;
                once(reader, &mut parts.user, user, "a second user")?;
            }
            "proxyGrantingTicket" => {
                let iou = reader.xml.text("the proxyGrantingTicket")?;
                once(reader, &mut parts.iou, iou, "a second proxyGrantingTicket")?;
            }
            "attributes" => {
                let mut attributes = Attributes::new();
                read_attributes(reader, &mut attributes)?;
                once(
                    reader,
                    &mut parts.attributes,
                    attributes,
                    "a second block of attributes",
                )?;
            }
            "proxies" => {
                let proxies = read_proxies(reader)?;
                once(
                    reader,
                    &mut parts.proxies,
                    proxies,
                    "a second list of proxies",
                )?;
            }
            "userAttributes" => reader.xml.skip()?,
            _ => attribute(reader, child, &mut parts.outside)?,
        }
    }
    Ok(parts)
}

/// Keep the first; a second one means that two readers could see two different things (R-151, S-025, S-026).
fn once<T>(
    reader: &CasReader<'_>,
    place: &mut Option<T>,
    value: T,
    twice: &str,
) -> Result<(), ReadError> {
    if place.replace(value).is_some() {
        return Err(reader.xml.error(ErrorClass::Ambiguous, twice));
    }
    Ok(())
}

/// The chain of proxies. Whatever could be one counts: a login by proxy must not look like a direct one (S-014, R-211).
fn read_proxies(reader: &mut CasReader<'_>) -> Result<Vec<String>, ReadError> {
    let mut proxies = Vec::new();
    let mut is_empty = true;
    while let Some(child) = reader.xml.item("the proxies")? {
        is_empty = false;
        if child.local != "proxy" || !reader.is_cas(child) {
            if child.local == "proxy" && reader.lacks_namespace(child) {
                return Err(reader
                    .xml
                    .error(ErrorClass::Malformed, "a proxy in no namespace"));
            }
            reader.xml.skip()?;
            continue;
        }
        let proxy = reader.xml.text("a proxy")?;
        if proxy.is_empty() {
            return Err(reader.xml.error(ErrorClass::Malformed, "a blank proxy"));
        }
        proxies.push(proxy.into_owned());
    }
    if proxies.is_empty() && !is_empty {
        return Err(reader
            .xml
            .error(ErrorClass::Malformed, "proxies without a proxy"));
    }
    Ok(proxies)
}

/// The children of `attributes`, or of `userAttributes` in it.
fn read_attributes(
    reader: &mut CasReader<'_>,
    attributes: &mut Attributes,
) -> Result<(), ReadError> {
    while let Some(child) = reader.xml.child()? {
        if child.local == "userAttributes" {
            read_attributes(reader, attributes)?;
        } else {
            attribute(reader, child, attributes)?;
        }
    }
    Ok(())
}

/// One value of one attribute, in any of the forms servers use.
fn attribute<'a>(
    reader: &mut CasReader<'a>,
    element: Element<'a>,
    attributes: &mut Attributes,
) -> Result<(), ReadError> {
    if element.local != "attribute" {
        if let Value::Text(value) = reader.xml.value("an attribute")? {
            push(attributes, element.local, value);
        }
        return Ok(());
    }
    let Some(name) = reader.xml.attribute("name") else {
        return long_form(reader, attributes);
    };
    let value = match reader.xml.attribute("value") {
        Some(value) => {
            reader.xml.skip()?;
            Some(Cow::Owned(trim_xml(&value).to_owned()))
        }
        None => match reader.xml.value("an attribute")? {
            Value::Text(value) => Some(value),
            Value::Nested => None,
        },
    };
    match (trim_xml(&name), value) {
        ("", _) | (_, None) => {}
        (name, Some(value)) => push(attributes, name, value),
    }
    Ok(())
}

/// `<attribute><name>mail</name><value>a@b</value></attribute>`, or an attribute that is called `attribute`.
fn long_form(reader: &mut CasReader<'_>, attributes: &mut Attributes) -> Result<(), ReadError> {
    let mut name = None;
    let mut values = Vec::new();
    let parts = reader.xml.value_or_children("an attribute", |xml, child| {
        match child.local {
            "name" => {
                let text = xml.text("the name of an attribute")?;
                if name.replace(text).is_some() {
                    return Err(xml.error(ErrorClass::Ambiguous, "an attribute with two names"));
                }
            }
            "value" => values.push(xml.text("the value of an attribute")?),
            _ => xml.skip()?,
        }
        Ok(())
    })?;
    match (parts, name) {
        (Value::Text(value), _) => push(attributes, "attribute", value),
        (Value::Nested, Some(name)) if !name.is_empty() => {
            for value in values {
                push(attributes, &name, value);
            }
        }
        (Value::Nested, _) => {}
    }
    Ok(())
}

fn push(attributes: &mut Attributes, name: &str, value: Cow<'_, str>) {
    match decoded_name(name) {
        Some(decoded) => attributes.push(decoded, value),
        None => attributes.push(name, value),
    }
}
