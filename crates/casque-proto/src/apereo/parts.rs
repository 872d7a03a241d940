//! The smaller members of a definition.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::definition::{Logout, ServiceDefinition, UsernameCase};
use super::pattern::ServicePattern;
use super::reader::{FindingKind, Reader, class_of, is_idle};
use crate::LoginMethod;
use crate::json::Json;

///
pub(super) fn username(
    reader: &mut Reader<'_>,
    at: &str,
    value: &Json<'_>,
    definition: &mut ServiceDefinition,
) {
    let class = class_of(value);
    match class {
        None
        | Some(
            "DefaultRegisteredServiceUsernameProvider"
            | "PrincipalAttributeRegisteredServiceUsernameProvider",
        ) => {}
        Some(class) => {
            let problem = format!("unsupported usernameAttributeProvider: {class}");
            let fix = "keep an attribute with the name that the service is to be told, and use a \
                       PrincipalAttributeRegisteredServiceUsernameProvider";
            reader.fault(at, problem, fix);
            return;
        }
    }
    for (name, value) in reader.members(at, value) {
        let member = format!("{at}.{name}");
        match &**name {
            "@class" => {}
            "usernameAttribute" => definition.username.attribute = reader.text(&member, value),
            "canonicalizationMode" => {
                let mode = reader.text(&member, value).unwrap_or_default();
                definition.username.case = match mode.to_uppercase().as_str() {
                    "" | "NONE" => UsernameCase::Kept,
                    "UPPER" => UsernameCase::Upper,
                    "LOWER" => UsernameCase::Lower,
                    _ => {
                        let problem = format!("`{member}` is \"{mode}\"");
                        reader.fault(&member, problem, "write NONE, UPPER or LOWER");
                        UsernameCase::Kept
                    }
                };
            }
            _ => reader.refuse(
                &member,
                value,
                "drop the member: user names are told as they are",
            ),
        }
    }
    let needs = class == Some("PrincipalAttributeRegisteredServiceUsernameProvider");
    if needs && definition.username.attribute.is_none() {
        reader.fault(at, "usernameAttribute is required", "name the attribute");
    }
}

///
pub(super) fn proxy(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) -> Option<ServicePattern> {
    match class_of(value) {
        None | Some("RefuseRegisteredServiceProxyPolicy") => return None,
        Some("RegexMatchingRegisteredServiceProxyPolicy") => {}
        Some(class) => {
            let problem = format!("unsupported proxyPolicy: {class}");
            let fix =
                "use a RegexMatchingRegisteredServiceProxyPolicy with the pattern of the callbacks";
            reader.fault(at, problem, fix);
            return None;
        }
    }
    let mut source = None;
    let mut exact = false;
    for (name, value) in reader.members(at, value) {
        let member = format!("{at}.{name}");
        match &**name {
            "@class" => {}
            "pattern" => source = reader.text(&member, value),
            "exactMatch" => exact = reader.flag(&member, value, false),
            _ => reader.refuse(&member, value, "write the callbacks into pattern"),
        }
    }
    let member = format!("{at}.pattern");
    let Some(source) = source else {
        reader.fault(
            &member,
            "pattern is required",
            "write an expression that matches the callbacks",
        );
        return None;
    };
    if exact {
        return Some(ServicePattern::literal(&source, false));
    }
    match ServicePattern::whole(&source) {
        Ok(pattern) => {
            if let Some(stranger) = pattern.strangers() {
                let words = format!("it matches callbacks on other hosts, such as {stranger}");
                reader.find(FindingKind::Warning, &member, words);
            }
            Some(pattern)
        }
        Err(error) => {
            let problem = format!("`{member}` is not a valid pattern: \"{source}\": {error}");
            reader.fault(
                &member,
                problem,
                "write the address of the callback with dots as \\\\.",
            );
            None
        }
    }
}

///
pub(super) fn logout(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) -> Logout {
    let Some(text) = reader.text(at, value) else {
        return Logout::default();
    };
    let name = text.to_uppercase();
    match name.strip_prefix("LOGOUTTYPE.").unwrap_or(&name) {
        "BACK_CHANNEL" => Logout::BackChannel,
        "FRONT_CHANNEL" => Logout::FrontChannel,
        "NONE" => Logout::None,
        _ => {
            let problem = format!("`{at}` is \"{text}\"");
            reader.fault(at, problem, "write BACK_CHANNEL, FRONT_CHANNEL or NONE");
            Logout::default()
        }
    }
}

///
pub(super) fn response(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) -> LoginMethod {
    let Some(text) = reader.text(at, value) else {
        return LoginMethod::Get;
    };
    match text.to_uppercase().as_str() {
        "REDIRECT" | "GET" => LoginMethod::Get,
        "POST" => LoginMethod::Post,
        "HEADER" => LoginMethod::Header,
        _ => {
            let problem = format!("`{at}` is \"{text}\"");
            reader.fault(at, problem, "write REDIRECT, POST or HEADER");
            LoginMethod::Get
        }
    }
}

/// An address that the server or a browser goes to.
pub(super) fn address(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) -> Option<String> {
    let text = reader.text(at, value)?;
    let good = url::Url::parse(&text).is_ok_and(|url| {
        matches!(url.scheme(), "https" | "http")
            && url.username().is_empty()
            && url.password().is_none()
            && url.fragment().is_none()
    });
    if !good {
        let problem = format!("`{at}` is not an absolute https or http URL: \"{text}\"");
        reader.fault(
            at,
            problem,
            "write one address, such as https://app.example.org/cas/logout",
        );
        return None;
    }
    Some(text)
}

///
pub(super) fn expiration(
    reader: &mut Reader<'_>,
    at: &str,
    value: &Json<'_>,
) -> Option<SystemTime> {
    match class_of(value) {
        None | Some("DefaultRegisteredServiceExpirationPolicy") => {}
        Some(class) => {
            let problem = format!("unsupported expirationPolicy: {class}");
            reader.fault(
                at,
                problem,
                "use a DefaultRegisteredServiceExpirationPolicy",
            );
            return None;
        }
    }
    let mut expires = None;
    for (name, value) in reader.members(at, value) {
        let member = format!("{at}.{name}");
        match &**name {
            "@class" => {}
            "deleteWhenExpired" | "notifyWhenDeleted" | "notifyWhenExpired" => {
                reader.ignore(
                    &member,
                    value,
                    "the service is refused from then on; no file is changed",
                );
            }
            "expirationDate" => {
                let Some(text) = reader.text(&member, value) else {
                    continue;
                };
                let Some((moment, zoned)) = moment(&text) else {
                    let problem = format!("`{member}` is no date: \"{text}\"");
                    reader.fault(&member, problem, "write it like 2027-12-31T00:00:00Z");
                    continue;
                };
                expires = Some(moment);
                if !zoned {
                    let words = "a date without a zone is taken in UTC";
                    reader.find(FindingKind::Approximated, &member, words);
                }
            }
            _ => reader.refuse(&member, value, "an expirationPolicy has an expirationDate"),
        }
    }
    expires
}

/// A moment, and whether its zone is said.
fn moment(text: &str) -> Option<(SystemTime, bool)> {
    let text = text.trim();
    // A zone in brackets repeats the offset: 2027-12-31T00:00:00Z[UTC]
    let text = text.split_once('[').map_or(text, |(before, _)| before);
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some((timestamp.into(), true));
    }
    let civil = text
        .parse::<DateTime>()
        .or_else(|_| {
            text.parse::<Date>()
                .map(|date| date.to_datetime(jiff::civil::Time::midnight()))
        })
        .ok()?;
    let timestamp = civil.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some((timestamp.into(), false))
}

pub(super) fn protocols(reader: &mut Reader<'_>, at: &str, value: &Json<'_>) {
    let named = reader.texts(at, value);
    let all = ["CAS10", "CAS20", "CAS30", "SAML1"];
    let has_all = all
        .iter()
        .all(|protocol| named.iter().any(|name| name.eq_ignore_ascii_case(protocol)));
    if !named.is_empty() && !has_all {
        let problem = format!(
            "unsupported supportedProtocols: every service speaks {}",
            all.join(", ")
        );
        reader.fault(at, problem, "drop the member");
    }
}

///
pub(super) fn about(
    reader: &mut Reader<'_>,
    at: &str,
    value: &Json<'_>,
    definition: &mut ServiceDefinition,
) {
    if is_idle(value) {
        return;
    }
    let text = match value {
        Json::String(text) => text.to_string(),
        Json::Array(items) => {
            let texts: Vec<&str> = items
                .iter()
                .filter_map(|item| match item {
                    Json::String(text) => Some(&**text),
                    _ => None,
                })
                .collect();
            texts.join(", ")
        }
        _ => String::new(),
    };
    definition.about.push((at.to_owned(), text));
    let words = match at {
        "environments" => "the service is registered in every environment",
        "properties" => "properties have no effect here",
        _ => "pages show name and description only",
    };
    reader.find(FindingKind::Ignored, at, words);
}

/// An object without one of its members.
pub(super) fn without<'j>(value: &Json<'j>, name: &str) -> Json<'j> {
    match value {
        Json::Object(members) => Json::Object(
            members
                .iter()
                .filter(|(known, _)| known != name)
                .cloned()
                .collect(),
        ),
        other => other.clone(),
    }
}
