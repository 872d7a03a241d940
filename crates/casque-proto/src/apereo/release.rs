//! What a service is told about a person: `attributeReleasePolicy`.

use super::access::is_script;
use super::definition::ServiceDefinition;
use super::pattern::ValuePattern;
use super::reader::{FindingKind, Reader, class_of, is_idle};
use crate::json::Json;

/// One rule of what is told.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReleaseRule {
    /// Which attributes.
    pub released: Released,
    /// Only values that this matches as a whole.
    pub values: Option<ValuePattern>,
}

/// Which attributes a [`ReleaseRule`] is about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Released {
    /// All, whatever they may be, but these.
    AllBut(Vec<String>),
    /// One, under a name that may be another.
    One {
        /// The attribute of the person.
        attribute: String,
        /// The name that the service is told.
        name: String,
    },
}

/// Reads `attributeReleasePolicy`.
pub(super) fn read(
    reader: &mut Reader<'_>,
    at: &str,
    value: &Json<'_>,
    definition: &mut ServiceDefinition,
) {
    let mut asks = false;
    definition.release = policy(reader, at, value, &mut asks);
    definition.consent |= asks;
}

/// The rules of one policy; `asks` becomes true where people are asked first.
fn policy(
    reader: &mut Reader<'_>,
    at: &str,
    value: &Json<'_>,
    asks: &mut bool,
) -> Vec<ReleaseRule> {
    let Some(class) = class_of(value) else {
        if !is_idle(value) {
            let problem = "unsupported attributeReleasePolicy: it has no @class";
            reader.fault(at, problem, KNOWN);
        }
        return Vec::new();
    };
    let known = [
        "ReturnAllAttributeReleasePolicy",
        "DenyAllAttributeReleasePolicy",
        "ReturnAllowedAttributeReleasePolicy",
        "ReturnMappedAttributeReleasePolicy",
        "ChainingAttributeReleasePolicy",
    ];
    if !known.contains(&class) {
        let problem = format!("unsupported attributeReleasePolicy: {class}");
        reader.fault(at, problem, KNOWN);
        return Vec::new();
    }
    let mut allowed = Vec::new();
    let mut excluded = Vec::new();
    let mut chained = Vec::new();
    let mut values = None;
    for (name, value) in reader.members(at, value) {
        let member = format!("{at}.{name}");
        match (&**name, class) {
            ("@class" | "order", _) => {}
            ("allowedAttributes", "ReturnAllowedAttributeReleasePolicy") => {
                for attribute in reader.texts(&member, value) {
                    allowed.push((attribute.clone(), attribute));
                }
            }
            ("allowedAttributes", "ReturnMappedAttributeReleasePolicy") => {
                allowed = mapped(reader, &member, value);
            }
            ("excludedAttributes", "ReturnAllAttributeReleasePolicy") => {
                excluded = reader.texts(&member, value);
            }
            ("policies", "ChainingAttributeReleasePolicy") => {
                chained = chain(reader, &member, value, asks);
            }
            ("mergingPolicy", "ChainingAttributeReleasePolicy") => {
                merging(reader, &member, value);
            }
            ("attributeFilter", _) => values = filter(reader, &member, value),
            ("consentPolicy", _) => consent(reader, &member, value, asks),
            ("authorizedToReleaseCredentialPassword", _) if !is_idle(value) => {
                let problem = format!("credential release is not supported: `{member}`");
                reader.fault(&member, problem, "drop the member; passwords go to nobody");
            }
            ("authorizedToReleaseProxyGrantingTicket", _) if !is_idle(value) => {
                let problem =
                    format!("the release of proxy-granting tickets is not supported: `{member}`");
                let fix =
                    "drop the member and let the service take them at its callback (proxyPolicy)";
                reader.fault(&member, problem, fix);
            }
            // There is no default bundle here that could be kept back.
            ("excludeDefaultAttributes", _) => {
                reader.flag(&member, value, false);
            }
            ("authorizedToReleaseAuthenticationAttributes", _) => {
                if !reader.flag(&member, value, true) {
                    let problem = "unsupported authorizedToReleaseAuthenticationAttributes: every service is told when \
                                   and how a person signed in";
                    reader.fault(&member, problem, "drop the member");
                }
            }
            ("principalAttributesRepository", _) => {
                let default = matches!(
                    class_of(value),
                    Some("DefaultPrincipalAttributesRepository")
                );
                if !default {
                    reader.ignore(
                        &member,
                        value,
                        "attributes come from the directory of people only",
                    );
                }
            }
            ("principalIdAttribute", _) => {
                let words = "the user name is not repeated among the attributes";
                reader.ignore(&member, value, words);
            }
            _ => reader.refuse(
                &member,
                value,
                "drop the member, or say it with allowedAttributes",
            ),
        }
    }
    let rule = |released| ReleaseRule {
        released,
        values: values.clone(),
    };
    match class {
        "ReturnAllAttributeReleasePolicy" => vec![rule(Released::AllBut(excluded))],
        "ChainingAttributeReleasePolicy" => {
            if values.is_some() {
                let problem = format!("unsupported attributeFilter of a chain: `{at}`");
                reader.fault(at, problem, "put the filter into the policies of the chain");
            }
            chained
        }
        _ => allowed
            .into_iter()
            .map(|(attribute, name)| rule(Released::One { attribute, name }))
            .collect(),
    }
}

fn mapped(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) -> Vec<(String, String)> {
    let mut mapped = Vec::new();
    for (attribute, value) in reader.members(at, value) {
        let member = format!("{at}.{attribute}");
        for name in reader.texts(&member, value) {
            if is_script(&name) {
                let problem =
                    format!("unsupported attributeReleasePolicy: a script makes {attribute}");
                reader.fault(
                    &member,
                    problem,
                    "keep the value as an attribute of the person",
                );
            } else if !name.trim().is_empty() {
                mapped.push((attribute.to_string(), name));
            }
        }
    }
    mapped
}

/// The rules of the policies of a chain, those of the lowest `order` first.
fn chain(reader: &mut Reader<'_>, at: &str, value: &Json<'_>, asks: &mut bool) -> Vec<ReleaseRule> {
    let Json::Array(policies) = value else {
        if !is_idle(value) {
            reader.wrong_type(at, value, "a list of policies");
        }
        return Vec::new();
    };
    let mut read: Vec<(i64, Vec<ReleaseRule>)> = Vec::new();
    for value in policies {
        let order = value.member("order");
        let order = order.and_then(|order| reader.number(&format!("{at}.order"), order));
        read.push((order.unwrap_or_default(), policy(reader, at, value, asks)));
    }
    read.sort_by_key(|(order, _)| *order);
    read.into_iter().flat_map(|(_, rules)| rules).collect()
}

fn merging(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) {
    let Some(text) = reader.text(at, value) else {
        return;
    };
    if !text.eq_ignore_ascii_case("REPLACE") {
        let problem = format!("unsupported mergingPolicy: \"{text}\"");
        reader.fault(
            at,
            problem,
            "use REPLACE: of two policies that give one attribute the later counts",
        );
    }
}

///
fn filter(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) -> Option<ValuePattern> {
    if is_idle(value) && class_of(value).is_none() {
        return None;
    }
    if class_of(value) != Some("RegisteredServiceRegexAttributeFilter") {
        let class = class_of(value).unwrap_or("no @class");
        let problem = format!("unsupported attributeFilter: {class}");
        reader.fault(
            at,
            problem,
            "use a RegisteredServiceRegexAttributeFilter with a pattern",
        );
        return None;
    }
    let mut read = None;
    for (name, value) in reader.members(at, value) {
        let member = format!("{at}.{name}");
        match &**name {
            "@class" | "order" => {}
            "pattern" => {
                let Some(source) = reader.text(&member, value) else {
                    continue;
                };
                match ValuePattern::new(&source, true) {
                    Ok(pattern) => read = Some(pattern),
                    Err(error) => {
                        let problem =
                            format!("`{member}` is not a valid pattern: \"{source}\": {error}");
                        reader.fault(&member, problem, "write a simpler expression");
                        return None;
                    }
                }
            }
            _ => reader.refuse(&member, value, "an attributeFilter has a pattern"),
        }
    }
    if read.is_none() {
        reader.fault(
            at,
            "an attributeFilter needs a pattern",
            "write one, or drop the filter",
        );
    }
    read
}

/// Only a policy that asks for consent by itself is honoured; else the server decides, as Apereo's does.
fn consent(reader: &mut Reader<'_>, at: &str, value: &Json<'_>, asks: &mut bool) {
    let status = match value.member("status") {
        Some(Json::String(status)) => status.to_uppercase(),
        _ => String::new(),
    };
    if status == "TRUE" {
        *asks = true;
        let words =
            "people are asked before this service is told anything, once for a set of attributes";
        reader.find(FindingKind::Approximated, at, words);
        return;
    }
    let words = "people are asked where the status is TRUE only";
    let value = super::parts::without(&super::parts::without(value, "enabled"), "status");
    reader.ignore(at, &value, words);
}

const KNOWN: &str =
    "use ReturnAll…, DenyAll…, ReturnAllowed…, ReturnMapped… or ChainingAttributeReleasePolicy";
