//! A folder with one TOML file for each service.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use casque_proto::{ServiceRule, ServiceRuleError};

use super::{AccessRule, LogoutType, ProxyPolicy, Release, ResponseType, Service};
use crate::config::{
    ConfigError, ConfigErrors, Default, Faults, Key, Kind, Names, Sheet, quote, read_text,
};

pub(crate) const REFERENCE_INTRODUCTION: &str = "## A service\n\n\
    One file of its own for each service in the folder `services`, ending in `.toml`. It has an `id` and exactly one \
    of `origin`, `url` and `regex`. A service that no file lets in is refused; with no files everybody is. Where \
    several let an address in, the narrowest counts: an exact URL, then an origin with the longest `path_prefix`, then \
    an origin, then an origin with `*.`, then a regex; among equals the first by file name.\n\n\
    ```toml\nid = \"app\"\nname = \"Course catalogue\"\norigin = \"https://app.example.org\"\n\
    attributes = [\"mail\", \"memberOf\"]\n```\n\n";

/// The keys of a service.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "id",
        kind: Kind::Text,
        default: Default::Required,
        example: "\"app\"",
        meaning: "What names the service in logs: letters, digits, `-`, `_` and `.`, once in the folder.",
    },
    Key {
        name: "name",
        kind: Kind::Text,
        default: Default::Nothing("the pages show the `id`"),
        example: "\"Course catalogue\"",
        meaning: "What people know it as; shown on the login page.",
    },
    Key {
        name: "description",
        kind: Kind::Text,
        default: Default::Nothing("the pages show no more than name and host"),
        example: "\"Find and book your courses.\"",
        meaning: "A sentence about it; shown on the login page.",
    },
    Key {
        name: "origin",
        kind: Kind::Text,
        default: Default::Nothing("`url` or `regex` says which addresses it has"),
        example: "\"https://app.example.org\"",
        meaning: "Scheme, host and port of its addresses. `https://*.example.org` lets in any one label in place of \
                  the star.",
    },
    Key {
        name: "path_prefix",
        kind: Kind::Text,
        default: Default::Nothing("every path of the origin"),
        example: "\"/w/\"",
        meaning: "With `origin`: the path that its addresses begin with. `/w` lets in `/w` and `/w/page`, never \
                  `/wiki`.",
    },
    Key {
        name: "url",
        kind: Kind::Text,
        default: Default::Nothing("`origin` or `regex` says which addresses it has"),
        example: "\"https://app.example.org/cas/callback\"",
        meaning: "Its one address; a query may follow.",
    },
    Key {
        name: "regex",
        kind: Kind::Text,
        default: Default::Nothing("`origin` or `url` says which addresses it has"),
        example: "'https://app[0-9]\\.example\\.org/cas/[a-z]+'",
        meaning: "The second choice: a regular expression that matches the whole address up to its query. It is \
                  refused if it lets in any other host.",
    },
    Key {
        name: "allow_http",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Lets in plain http, too. For development.",
    },
    Key {
        name: "any_port",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "With `origin` or `url`: lets in every port. For development.",
    },
    Key {
        name: "enabled",
        kind: Kind::Flag,
        default: Default::Is("true"),
        example: "false",
        meaning: "`false` keeps the file and refuses the service.",
    },
    Key {
        name: "attributes",
        kind: Kind::NamesOrAll,
        default: Default::Is("[]"),
        example: "[\"mail\", \"memberOf\"]",
        meaning: "What the service is told about a person besides the name. `\"all\"` is everything, also what is \
                  added later.",
    },
    Key {
        name: "sso",
        kind: Kind::Flag,
        default: Default::Is("true"),
        example: "false",
        meaning: "`false` asks for the password at every login to this service.",
    },
    Key {
        name: "consent",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "`true` asks people before the service is told about them: once, until it is told more than they \
                  agreed to, they take it back, or a year has passed.",
    },
    Key {
        name: "require",
        kind: Kind::Lists,
        default: Default::Nothing("everybody may use it"),
        example: "{ memberOf = [\"staff\", \"admin\"] }",
        meaning: "Who may use the service: those who have, for every attribute named, one of its values. Others are \
                  shown a page that says so.",
    },
    Key {
        name: "require_regex",
        kind: Kind::Lists,
        default: Default::Nothing("`require` alone counts"),
        example: "{ memberOf = ['admin-[a-z]+'] }",
        meaning: "The same with regular expressions, each of which matches a whole value. An attribute may be named in \
                  both; either will do.",
    },
    Key {
        name: "require_any",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "`true` admits those who satisfy one of the attributes required instead of all.",
    },
    Key {
        name: "refused_url",
        kind: Kind::Text,
        default: Default::Nothing("a page of this server"),
        example: "\"https://app.example.org/no-access\"",
        meaning: "Where those are sent who may not use the service.",
    },
    Key {
        name: "response_type",
        kind: Kind::Word(&["redirect", "post", "header"]),
        default: Default::Is("\"redirect\""),
        example: "\"post\"",
        meaning: "How tickets reach the service, unless its request says so with `method`: in the address, in a form \
                  that the browser posts, or in the headers `service` and `ticket` of an answer to a program.",
    },
    Key {
        name: "logout_type",
        kind: Kind::Word(LogoutType::NAMES),
        default: Default::Is("\"back_channel\""),
        example: "\"front_channel\"",
        meaning: "How the service is told when a person signs out: by a message from this server, by the person's \
                  browser from the page that says so (for a service that this server cannot reach; where no such page \
                  is shown, by a message after all), or not at all.",
    },
    Key {
        name: "logout_url",
        kind: Kind::Text,
        default: Default::Nothing("the address that the person signed in to"),
        example: "\"https://app.example.org/cas/logout\"",
        meaning: "Where the service is told so.",
    },
    Key {
        name: "proxy.callbacks",
        kind: Kind::Texts,
        default: Default::Is("[]"),
        example: "[\"https://app.example.org/cas/pgt\"]",
        meaning: "Lets the service act as a proxy: ask other services in a person's name. These are the callbacks \
                  (`pgtUrl`) that may receive its proxy-granting tickets, https only: one address, whatever its query; \
                  a path that ends in `/`, and everything below; or an origin, and everything there.",
    },
    Key {
        name: "proxy.private",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Hosts of those callbacks may be in a private network (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, \
                  100.64.0.0/10, fc00::/7). Loopback, link-local and metadata addresses are never called.",
    },
    Key {
        name: "proxy.loopback",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Any callback on this machine will do (localhost, 127.0.0.1, [::1]), by http too. For development.",
    },
];

/// Reads all services, by file name.
pub(super) fn read(folder: &Path) -> Result<Vec<Service>, ConfigErrors> {
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
            faults.push(
                sheet
                    .fault(
                        "id",
                        format!(
                            "the id {} is taken by {}",
                            quote(&service.id),
                            other.display()
                        ),
                    )
                    .fix("give each service an id of its own"),
            );
            continue;
        }
        ids.insert(service.id.clone(), file);
        services.push(service);
    }
    faults.or(Some(services))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let fault = |error: std::io::Error| {
        ConfigError::new(
            folder,
            None,
            format!("the folder of services cannot be read: {error}"),
        )
        .fix("make the folder, or name another one as `services` in the configuration")
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden
            && path
                .extension()
                .is_some_and(|extension| extension == "toml")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
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
    service.attributes = match sheet.names("attributes")? {
        Names::Listed(names) => Release::Named(names),
        Names::All => Release::All,
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
    for text in sheet.texts("proxy.callbacks")? {
        match callback(&text) {
            Ok(rule) => policy.callbacks.push(rule),
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

/// Whom the service admits.
fn access(sheet: &Sheet, faults: &mut Faults) -> Option<AccessRule> {
    let mut rule = AccessRule::default().any(sheet.flag("require_any")?);
    for (attribute, value) in pairs(sheet, "require") {
        rule = rule.value(attribute, value);
    }
    for (attribute, pattern) in pairs(sheet, "require_regex") {
        if let Ok(with) = rule.clone().pattern(attribute, &pattern) {
            rule = with;
        } else {
            faults.push(
                sheet
                    .fault(
                        "require_regex",
                        format!("{} is no regular expression", quote(&pattern)),
                    )
                    .fix("for example: require_regex = { memberOf = ['admin-[a-z]+'] }"),
            );
            return None;
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

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
