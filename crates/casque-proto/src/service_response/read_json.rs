//! A JSON answer.

use super::ServiceResponse;
use super::envelope;
use super::envelope::Outcome;
use super::read_xml::proxy_granting_ticket_iou;
use crate::assertion::Assertion;
use crate::attributes::Attributes;
use crate::attributes::decoded_name;
use crate::json::Json;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::text;
use crate::text::trim_xml;

pub(super) fn read(
    document: &Json<'_>,
    options: &ReadOptions,
) -> Result<ServiceResponse, ReadError> {
    let (outcome, content) = envelope::read_json(document)?;
    match outcome {
        Outcome::AuthenticationSuccess => success(content, options).map(ServiceResponse::Success),
        Outcome::AuthenticationFailure => {
            envelope::read_json_failure(content).map(ServiceResponse::Failure)
        }
        Outcome::ProxySuccess | Outcome::ProxyFailure => Err(envelope::not_cas(&format!(
            "{} does not answer a validation",
            outcome.name()
        ))),
    }
}

fn success(content: &Json<'_>, options: &ReadOptions) -> Result<Assertion, ReadError> {
    let user = match content.member("user") {
        Some(Json::String(user)) => text::principal(user, options.limits_ref())?,
        Some(other) => {
            return Err(ReadError::malformed(format!(
                "the user is {}",
                other.kind()
            )));
        }
        None => {
            return Err(ReadError::new(
                ErrorClass::MissingUser,
                "a success without a user",
            ));
        }
    };
    let iou = match content.member("proxyGrantingTicket") {
        Some(Json::String(iou)) => Some(trim_xml(iou)).filter(|iou| !iou.is_empty()),
        Some(other) => {
            return Err(ReadError::malformed(format!(
                "the proxyGrantingTicket is {}",
                other.kind()
            )));
        }
        None => None,
    };
    let mut attributes = Attributes::new();
    match content.member("attributes") {
        Some(Json::Object(members)) => {
            for (name, value) in members {
                push(&mut attributes, name, value)?;
            }
        }
        Some(other) => {
            return Err(ReadError::malformed(format!(
                "attributes is {}",
                other.kind()
            )));
        }
        None => {}
    }
    attributes.extend_new(beside(content)?);
    Ok(Assertion {
        user,
        attributes,
        proxy_granting_ticket_iou: iou.map(proxy_granting_ticket_iou).transpose()?,
        proxies: proxies(content)?,
    })
}

/// Members beside `attributes` are attributes too, as in XML; those that are or hold an object are passed over.
fn beside(content: &Json<'_>) -> Result<Attributes, ReadError> {
    let mut attributes = Attributes::new();
    let Json::Object(members) = content else {
        return Ok(attributes);
    };
    for (name, value) in members {
        let is_other = !matches!(
            &**name,
            "user" | "attributes" | "proxyGrantingTicket" | "proxies"
        );
        if is_other && !holds_object(value) {
            push(&mut attributes, name, value)?;
        }
    }
    Ok(attributes)
}

fn holds_object(value: &Json<'_>) -> bool {
    match value {
        Json::Object(_) => true,
        Json::Array(items) => items.iter().any(holds_object),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

/// The chain of proxies; nulls in it are absent.
fn proxies(content: &Json<'_>) -> Result<Vec<String>, ReadError> {
    let items = match content.member("proxies") {
        Some(Json::Array(items)) => items,
        Some(other) => return Err(ReadError::malformed(format!("proxies is {}", other.kind()))),
        None => return Ok(Vec::new()),
    };
    items
        .iter()
        .filter(|item| !matches!(item, Json::Null))
        .map(|item| match item {
            Json::String(proxy) if !trim_xml(proxy).is_empty() => Ok(trim_xml(proxy).to_owned()),
            Json::String(_) => Err(ReadError::malformed("a blank proxy")),
            other => Err(ReadError::malformed(format!("a proxy is {}", other.kind()))),
        })
        .collect()
}

/// A scalar or a list of scalars; nulls are absent, anything else is an error (R-176, S-029). The name is decoded as in
/// XML.
fn push(attributes: &mut Attributes, name: &str, value: &Json<'_>) -> Result<(), ReadError> {
    let decoded = decoded_name(name);
    let name = decoded.as_deref().unwrap_or(name);
    let values = match value {
        Json::Array(items) => items.as_slice(),
        scalar => std::slice::from_ref(scalar),
    };
    for value in values {
        match value {
            Json::Null => {}
            Json::Bool(value) => attributes.push(name, value.to_string()),
            Json::Number(value) => attributes.push(name, *value),
            Json::String(value) => attributes.push(name, trim_xml(value)),
            Json::Array(_) | Json::Object(_) => {
                return Err(ReadError::malformed(format!(
                    "a value of the attribute {name:?} is {}",
                    value.kind()
                )));
            }
        }
    }
    Ok(())
}
