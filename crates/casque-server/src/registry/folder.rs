//! A folder with one TOML file for each service.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use casque_proto::apereo::UsernameCase;
use casque_proto::{ServiceRule, ServiceRuleError};

use super::apereo;
use super::keys::KEYS;
use super::{
    AccessRule, LogoutType, Note, ProxyPolicy, Release, ReleaseRule, ResponseType, Service,
    UserName,
};
use crate::config::{ConfigError, ConfigErrors, Faults, Names, Sheet, quote, read_text};

/// Reads all services: those of casque's own files by file name, then those of Apereo's in the order of R-283.
/// `ignored` is what the operator has left aside of the latter.
pub(super) fn read(
    folder: &Path,
    ignored: &[&str],
) -> Result<(Vec<Service>, Vec<Note>), ConfigErrors> {
    let mut faults = Faults::default();
    let mut services = Vec::new();
    let mut ids: HashMap<String, PathBuf> = HashMap::new();
    for file in files(folder)? {
        let text = match read_text(&file) {
            Ok(text) => text,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        let sheet = Sheet::read(&file, &text, KEYS, &mut faults);
        let Some(service) = service(&sheet, &mut faults) else {
            continue;
        };
        if let Some(other) = ids.get(&service.id) {
            faults.push(taken(sheet.fault("id", ""), &service.id, other));
            continue;
        }
        ids.insert(service.id.clone(), file);
        services.push(service);
    }
    let apereo = apereo::read(folder, ignored, &mut faults)?;
    for (file, service) in apereo.services {
        if let Some(other) = ids.get(&service.id) {
            faults.push(taken(ConfigError::new(&file, None, ""), &service.id, other));
            continue;
        }
        services.push(service);
    }
    faults.or(Some((services, apereo.notes)))
}

fn taken(fault: ConfigError, id: &str, other: &Path) -> ConfigError {
    fault
        .saying(format!(
            "the id {} is taken by {}",
            quote(id),
            other.display()
        ))
        .fix("give each service an id of its own")
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        if is_named(&path, "toml") {
            files.push(path);
        }
    }
    Ok(files)
}

/// What is in a folder, by name, but what is hidden.
pub(super) fn entries(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let fault = |error: std::io::Error| {
        ConfigError::new(
            folder,
            None,
            format!("the folder of services cannot be read: {error}"),
        )
        .fix("make the folder, or name another one as `services` in the configuration")
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let name = path.file_name().unwrap_or_default();
        if !name.as_encoded_bytes().starts_with(b".") {
            entries.push(path);
        }
    }
    entries.sort();
    Ok(entries)
}

pub(super) fn is_named(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found == extension)
}

fn service(sheet: &Sheet, faults: &mut Faults) -> Option<Service> {
    let before = faults.count();
    if sheet.is_unreadable() {
        return None;
    }
    sheet.require(faults);
    let id = sheet.text("id");
    if let Some(id) = &id
        && !is_id(id)
    {
        faults.push(
            sheet
                .fault(
                    "id",
                    format!(
                        "`id` is {}, but must be up to 64 letters, digits, `-`, `_` and `.`",
                        quote(id)
                    ),
                )
                .fix("for example: id = \"app\""),
        );
    }
    let rule = rule(sheet, faults);
    for name in ["logout_url", "refused_url"] {
        if let Some(url) = sheet.text(name) {
            address(sheet, name, &url, faults);
        }
    }
    let expires = expires(sheet, faults);
    let access = access(sheet, faults);
    let proxy = proxy(sheet, faults);
    if faults.count() > before {
        return None;
    }
    let (rule, narrowness) = rule?;
    let mut service = Service::new(id?, rule);
    service.narrowness = narrowness;
    service.name = sheet.text("name");
    service.description = sheet.text("description");
    service.enabled = sheet.flag("enabled")?;
    service.order = i64::from(sheet.count("order")?);
    service.expires = expires;
    service.attributes = release(sheet)?;
    service.username = UserName {
        attribute: sheet.text("user_attribute"),
        case: match sheet.text("user_case")?.as_str() {
            "upper" => UsernameCase::Upper,
            "lower" => UsernameCase::Lower,
            _ => UsernameCase::Kept,
        },
    };
    service.sso = sheet.flag("sso")?;
    service.consent = sheet.flag("consent")?;
    service.access = access?;
    service.refused_url = sheet.text("refused_url");
    service.response_type = ResponseType::of(&sheet.text("response_type")?)?;
    service.logout_type = LogoutType::from_name(&sheet.text("logout_type")?)?;
    service.proxy = proxy?;
    service.logout_url = sheet.text("logout_url");
    let address = sheet.text("origin").or_else(|| sheet.text("url"));
    let address = address.and_then(|text| url::Url::parse(&text).ok());
    service.plain_http = sheet.flag("allow_http")? && !address.as_ref().is_some_and(is_loopback);
    service.host = address
        .as_ref()
        .and_then(url::Url::host_str)
        .filter(|host| !host.contains('*'))
        .map(str::to_owned);
    Some(service)
}

/// The rule, and how narrow it is.
fn rule(sheet: &Sheet, faults: &mut Faults) -> Option<(ServiceRule, (u8, usize))> {
    let written: Vec<&'static str> = ["origin", "url", "regex"]
        .into_iter()
        .filter(|name| sheet.has(name))
        .collect();
    let [name] = written[..] else {
        let problem = if written.is_empty() {
            // A key of the wrong type has been told already.
            if sheet.was_refused(&["origin", "url", "regex"]) {
                return None;
            }
            "`origin`, `url` or `regex` is missing".to_owned()
        } else {
            format!("`{}` cannot stand together", written.join("` and `"))
        };
        let at = written.last().copied().unwrap_or("id");
        faults.push(
            sheet
                .fault(at, problem)
                .fix("a service has exactly one of `origin`, `url` and `regex`"),
        );
        return None;
    };
    let text = sheet.text(name)?;
    let prefix = sheet.text("path_prefix");
    let built = match name {
        "origin" => ServiceRule::origin(&text),
        "url" => ServiceRule::url(&text),
        _ => ServiceRule::regex(&text),
    }
    .and_then(|rule| match &prefix {
        Some(prefix) => rule.path_prefix(prefix),
        None => Ok(rule),
    })
    .and_then(|rule| {
        rule.allow_http(sheet.flag("allow_http").unwrap_or(false))
            .any_port(sheet.flag("any_port").unwrap_or(false))
            .query(sheet.flag("query").unwrap_or(true))
            .checked()
    });
    match built {
        Ok(rule) => {
            let narrowness = match name {
                "url" => (4, text.len()),
                "origin" if text.contains('*') => (1, prefix.map_or(0, |prefix| prefix.len())),
                "origin" => match prefix {
                    Some(prefix) => (3, prefix.len()),
                    None => (2, 0),
                },
                _ => (0, 0),
            };
            Some((rule, narrowness))
        }
        Err(error) => {
            faults.push(rule_fault(sheet, &error));
            None
        }
    }
}

fn rule_fault(sheet: &Sheet, error: &ServiceRuleError) -> ConfigError {
    sheet
        .fault(
            error.field(),
            format!(
                "`{}` = \"{}\": {}",
                error.field(),
                error.value(),
                error.rule()
            ),
        )
        .fix(error.fix())
}

fn proxy(sheet: &Sheet, faults: &mut Faults) -> Option<ProxyPolicy> {
    let mut policy = ProxyPolicy::default();
    let query = sheet.flag("proxy.query")?;
    for text in sheet.texts("proxy.callbacks")? {
        match callback(&text) {
            Ok(rule) => policy.callbacks.push(rule.query(query)),
            Err(error) => faults.push(
                sheet
                    .fault(
                        "proxy.callbacks",
                        format!("`proxy.callbacks` has {}: {}", quote(&text), error.rule()),
                    )
                    .fix(error.fix()),
            ),
        }
    }
    policy.private = sheet.flag("proxy.private")?;
    policy.loopback = sheet.flag("proxy.loopback")?;
    if policy.private && policy.callbacks.is_empty() && !sheet.was_refused(&["proxy.callbacks"]) {
        faults.push(
            sheet
                .fault(
                    "proxy.private",
                    "`proxy.private` needs `proxy.callbacks` beside it",
                )
                .fix("say which callbacks may be called, or drop `proxy.private`"),
        );
    }
    Some(policy)
}

/// An origin, a path below which everything is meant, or one address.
fn callback(text: &str) -> Result<ServiceRule, ServiceRuleError> {
    let authority = text.find("://").map_or(0, |at| at + "://".len());
    let path = text[authority..].find('/').map(|at| authority + at);
    let rule = match path.map(|at| text.split_at(at)) {
        None => ServiceRule::origin(text),
        Some((origin, "/")) => ServiceRule::origin(origin),
        Some((origin, path)) if path.ends_with('/') => {
            ServiceRule::origin(origin).and_then(|rule| rule.path_prefix(path))
        }
        Some(_) => ServiceRule::url(text),
    };
    rule.and_then(ServiceRule::checked)
}

/// What the service is told.
fn release(sheet: &Sheet) -> Option<Release> {
    let told = sheet.names("attributes")?;
    let renamed = pairs(sheet, "rename");
    Some(match told {
        Names::Listed(names) if renamed.is_empty() => Release::Named(names),
        Names::All if renamed.is_empty() => Release::All,
        told => {
            let mut rules = match told {
                Names::All => vec![ReleaseRule::all()],
                Names::Listed(names) => names.into_iter().map(ReleaseRule::named).collect(),
            };
            for (attribute, name) in renamed {
                rules.push(ReleaseRule::renamed(attribute, name));
            }
            Release::Rules(rules)
        }
    })
}

/// From when on it is refused.
fn expires(sheet: &Sheet, faults: &mut Faults) -> Option<SystemTime> {
    let text = sheet.text("expires")?;
    let moment = text.parse::<jiff::Timestamp>().ok();
    if moment.is_none() {
        let problem = format!(
            "`expires` is {}, but must be a moment with its zone",
            quote(&text)
        );
        let fix = "for example: expires = \"2027-12-31T00:00:00Z\"";
        faults.push(sheet.fault("expires", problem).fix(fix));
    }
    moment.map(Into::into)
}

/// Whom the service admits.
fn access(sheet: &Sheet, faults: &mut Faults) -> Option<AccessRule> {
    let mut rule = AccessRule::default().any(sheet.flag("require_any")?);
    for (attribute, value) in pairs(sheet, "require") {
        rule = rule.value(attribute, value);
    }
    for (attribute, value) in pairs(sheet, "reject") {
        rule = rule.reject_value(attribute, value);
    }
    for (key, fix) in [
        (
            "require_regex",
            "for example: require_regex = { memberOf = ['admin-[a-z]+'] }",
        ),
        (
            "reject_regex",
            "for example: reject_regex = { status = ['left-.*'] }",
        ),
    ] {
        for (attribute, pattern) in pairs(sheet, key) {
            let added = match key {
                "require_regex" => rule.clone().pattern(attribute, &pattern),
                _ => rule.clone().reject_pattern(attribute, &pattern),
            };
            let Ok(with) = added else {
                let problem = format!("{} is no regular expression", quote(&pattern));
                faults.push(sheet.fault(key, problem).fix(fix));
                return None;
            };
            rule = with;
        }
    }
    Some(rule)
}

fn pairs(sheet: &Sheet, name: &str) -> Vec<(String, String)> {
    let lists = sheet.lists(name).unwrap_or_default();
    lists
        .into_iter()
        .flat_map(|(attribute, values)| {
            values
                .into_iter()
                .map(move |value| (attribute.clone(), value))
        })
        .collect()
}

fn address(sheet: &Sheet, name: &'static str, text: &str, faults: &mut Faults) {
    let good = url::Url::parse(text).is_ok_and(|url| {
        let allowed = url.scheme() == "https"
            || (url.scheme() == "http" && sheet.flag("allow_http") == Some(true));
        allowed && url.username().is_empty() && url.password().is_none() && url.fragment().is_none()
    });
    if !good {
        faults.push(
            sheet
                .fault(
                    name,
                    format!(
                        "`{name}` is {}, but must be an https URL without user name or `#`",
                        quote(text)
                    ),
                )
                .fix(format!(
                    "for example: {name} = \"https://app.example.org/cas/{}\"",
                    name.trim_end_matches("_url")
                )),
        );
    }
}

fn is_id(id: &str) -> bool {
    id.len() <= 64
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

pub(super) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
