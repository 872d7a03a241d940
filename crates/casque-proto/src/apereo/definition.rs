//! A service definition, member by member.

use std::time::SystemTime;

use super::access::{self, AccessPolicy};
use super::parts;
use super::pattern::ServicePattern;
use super::reader::{
    DefinitionFaults, Finding, FindingKind, Members, Reader, class_of, is_idle, no_json, parse,
};
use super::relaxed::Relaxed;
use super::release::{self, ReleaseRule};
use crate::json::Json;
use crate::{LoginMethod, read::Limits};

/// What a file holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Definition {
    /// A CAS service.
    Service(Box<ServiceDefinition>),
    /// A service of another protocol, such as SAML 2: it is not a CAS service, and must not become one.
    Other {
        /// Its class.
        class: String,
    },
}

/// One service as Apereo defines it, with the type tags of Java gone and the defaults filled in.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceDefinition {
    /// `id`: what tells it from the others.
    pub id: u64,
    /// `name`
    pub name: String,
    /// `description`
    pub description: Option<String>,
    /// `serviceId` and `matchingStrategy`: which addresses it is about.
    pub pattern: ServicePattern,
    /// `evaluationOrder`: the lowest number is asked first.
    pub order: i64,
    /// Whether anybody may use it.
    pub enabled: bool,
    /// Whether a session lets people in without a password.
    pub sso: bool,
    /// Whom it admits.
    pub access: AccessPolicy,
    /// Where those go whom it does not.
    pub refused_url: Option<String>,
    /// What it is told about a person; the later rule wins where two give one name.
    pub release: Vec<ReleaseRule>,
    /// Whether people are asked first.
    pub consent: bool,
    /// The name it is told.
    pub username: Username,
    /// Where proxy-granting tickets may be sent; nowhere is the default.
    pub proxy: Option<ServicePattern>,
    /// How it is told that a person signed out.
    pub logout: Logout,
    /// Where it is told so.
    pub logout_url: Option<String>,
    /// How tickets reach it.
    pub response: LoginMethod,
    /// From when on nobody may use it.
    pub expires: Option<SystemTime>,
    /// Members that are kept and mean nothing here, each as its text: `theme`, `logo`, `informationUrl` and so on.
    pub about: Vec<(String, String)>,
    /// What there is to know beside this.
    pub findings: Vec<Finding>,
}

/// The name that a service is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Username {
    /// The attribute whose first value it is; else, and where a person has none, the name they sign in with.
    pub attribute: Option<String>,
    /// How it is written.
    pub case: UsernameCase,
}

/// `canonicalizationMode`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum UsernameCase {
    /// As it is.
    #[default]
    Kept,
    /// In upper case.
    Upper,
    /// In lower case.
    Lower,
}

impl UsernameCase {
    /// The name in this case.
    pub fn apply(self, name: &str) -> String {
        match self {
            Self::Kept => name.to_owned(),
            Self::Upper => name.to_uppercase(),
            Self::Lower => name.to_lowercase(),
        }
    }
}

/// `logoutType`
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Logout {
    /// The server posts a message.
    #[default]
    BackChannel,
    /// The browser is sent there.
    FrontChannel,
    /// It is not told.
    None,
}

impl ServiceDefinition {
    /// Reads a file. `ignored` names members out of [`IGNORABLE`](super::IGNORABLE) that restrict access and are left aside
    /// all the same, at the operator's word.
    ///
    /// # Errors
    ///
    /// Everything in the file that is wrong, or cannot be honoured.
    pub fn read(file: &str, ignored: &[&str]) -> Result<Definition, DefinitionFaults> {
        let one = |fault| DefinitionFaults {
            faults: vec![fault],
        };
        let limit = Limits::default().bytes;
        if file.len() > limit {
            let words = format!("it is larger than {} KiB", limit >> 10);
            return Err(one(no_json(file, &words, 0, "keep one service in a file")));
        }
        let file = file.strip_prefix('\u{feff}').unwrap_or(file);
        let relaxed = Relaxed::of(file)
            .map_err(|(what, at)| one(no_json(file, what, at, "end it where it should end")))?;
        let document = parse(file, &relaxed).map_err(one)?;
        let Json::Object(members) = &document else {
            let words = format!("a definition is an object, not {}", document.kind());
            return Err(one(no_json(file, &words, 0, "begin with { and end with }")));
        };
        let mut reader = Reader {
            relaxed: &relaxed,
            ignored,
            faults: Vec::new(),
            findings: Vec::new(),
        };
        //
        match class_of(&document) {
            None | Some("CasRegisteredService" | "RegexRegisteredService") => {}
            Some(class) => {
                return Ok(Definition::Other {
                    class: class.to_owned(),
                });
            }
        }
        let definition = read(&mut reader, members);
        match definition {
            Some(mut definition) if reader.faults.is_empty() => {
                definition.findings = reader.findings;
                Ok(Definition::Service(Box::new(definition)))
            }
            _ => Err(DefinitionFaults {
                faults: reader.faults,
            }),
        }
    }

    /// Where it stands among others: the first one that matches decides, even if it is disabled.
    pub fn place(&self) -> (i64, String, &str, u64) {
        (
            self.order,
            self.name.to_lowercase(),
            self.pattern.as_str(),
            self.id,
        )
    }
}

fn read(reader: &mut Reader<'_>, members: &Members<'_>) -> Option<ServiceDefinition> {
    let find = |name: &str| {
        members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value)
    };
    let id = id(reader, find("id"));
    let name = name(reader, find("name"));
    let pattern = pattern(reader, find("serviceId"), find("matchingStrategy"));
    // Whatever is missing, the rest is read, so that everything is told at once.
    let mut definition = ServiceDefinition {
        id: id.unwrap_or_default(),
        name: name.clone().unwrap_or_default(),
        description: None,
        pattern: pattern
            .clone()
            .unwrap_or_else(|| ServicePattern::literal("", false)),
        order: 0,
        enabled: true,
        sso: true,
        access: AccessPolicy::default(),
        refused_url: None,
        release: Vec::new(),
        consent: false,
        username: Username::default(),
        proxy: None,
        logout: Logout::default(),
        logout_url: None,
        response: LoginMethod::Get,
        expires: None,
        about: Vec::new(),
        findings: Vec::new(),
    };
    for (name, value) in members {
        member(reader, name, value, &mut definition);
    }
    (id.is_some() && name.is_some() && pattern.is_some()).then_some(definition)
}

fn member(
    reader: &mut Reader<'_>,
    name: &str,
    value: &Json<'_>,
    definition: &mut ServiceDefinition,
) {
    match name {
        "@class" | "id" | "name" | "serviceId" | "matchingStrategy" | "evaluationPriority" => {}
        "description" => definition.description = reader.text(name, value),
        "evaluationOrder" => definition.order = reader.number(name, value).unwrap_or_default(),
        "accessStrategy" => access::read(reader, value, definition),
        // Where CAS 4 had them.
        "enabled" => definition.enabled &= reader.flag(name, value, true),
        "ssoEnabled" => definition.sso &= reader.flag(name, value, true),
        "attributeReleasePolicy" => release::read(reader, name, value, definition),
        "usernameAttributeProvider" => parts::username(reader, name, value, definition),
        "proxyPolicy" => definition.proxy = parts::proxy(reader, name, value),
        "logoutType" => definition.logout = parts::logout(reader, name, value),
        "logoutUrl" => definition.logout_url = parts::address(reader, name, value),
        "responseType" => definition.response = parts::response(reader, name, value),
        "expirationPolicy" => definition.expires = parts::expiration(reader, name, value),
        "theme" | "logo" | "informationUrl" | "privacyUrl" | "contacts" | "properties"
        | "templateName" | "locale" | "environments" | "friendlyName" | "marker" => {
            parts::about(reader, name, value, definition);
        }
        "acceptableUsagePolicy" => {
            reader.ignore(name, &parts::without(value, "enabled"), "there is no acceptable use policy here");
        }
        "passwordlessPolicy" | "surrogatePolicy" => {
            reader.ignore(name, &parts::without(value, "enabled"), "there is no such way to sign in here");
        }
        "webflowInterruptPolicy" => {
            let fix = "drop the member, or name it in `apereo.ignore`: nobody is interrupted here";
            reader.refuse(name, &parts::without(value, "enabled"), fix);
        }
        "multifactorPolicy" => reader.refuse(
            name,
            value,
            "there are no second factors here: keep the service at a server that has them, or name multifactorPolicy \
             in `apereo.ignore` if a password is enough",
        ),
        "authenticationPolicy" | "requiredHandlers" | "singleSignOnParticipationPolicy" => {
            reader.refuse(
                name,
                value,
                "drop the member, set ssoEnabled to false, or name it in `apereo.ignore`",
            );
        }
        "serviceTicketExpirationPolicy"
        | "proxyTicketExpirationPolicy"
        | "proxyGrantingTicketExpirationPolicy"
        | "ticketGrantingTicketExpirationPolicy" => {
            reader.refuse(
                name,
                value,
                "lifetimes are set for all services, in [tickets] and [sso] of the configuration; drop the member, or \
                 name it in `apereo.ignore`",
            );
        }
        "supportedProtocols" => parts::protocols(reader, name, value),
        "publicKey" => reader.ignore(name, value, "credentials are never released, so none are encrypted"),
        "redirectUrl" | "tenant" => {
            reader.refuse(name, value, "drop the member: it has no counterpart here");
        }
        _ if is_idle(value) => {}
        _ => reader.find(
            FindingKind::Warning,
            name,
            format!("unknown member `{name}`: it has no effect here"),
        ),
    }
}

fn id(reader: &mut Reader<'_>, value: Option<&Json<'_>>) -> Option<u64> {
    const FIX: &str = "give it a number that no other service has, such as \"id\": 1001";
    let Some(value) = value.filter(|value| **value != Json::Null) else {
        reader.fault("id", "id is required", FIX);
        return None;
    };
    let number = reader.number("id", value)?;
    let id = u64::try_from(number).ok();
    if id.is_none() {
        reader.fault(
            "id",
            format!("`id` is {number}, but must not be negative"),
            FIX,
        );
    }
    id
}

fn name(reader: &mut Reader<'_>, value: Option<&Json<'_>>) -> Option<String> {
    const FIX: &str = "give it the name that people know it by, of 1 to 255 characters";
    let before = reader.faults.len();
    let name = value.and_then(|value| reader.text("name", value));
    if reader.faults.len() > before {
        return None;
    }
    let Some(name) = name else {
        reader.fault("name", "name is required", FIX);
        return None;
    };
    if name.chars().count() > 255 {
        reader.fault("name", "`name` is longer than 255 characters", FIX);
        return None;
    }
    Some(name)
}

fn pattern(
    reader: &mut Reader<'_>,
    service_id: Option<&Json<'_>>,
    strategy: Option<&Json<'_>>,
) -> Option<ServicePattern> {
    const AT: &str = "serviceId";
    const FIX: &str = "write the address with dots as \\\\. and .* at the end, such as \"^https://app\\\\.example\\\\.org/.*\"";
    let before = reader.faults.len();
    let source = service_id.and_then(|value| reader.text(AT, value));
    if reader.faults.len() > before {
        return None;
    }
    let Some(source) = source else {
        reader.fault(AT, "serviceId is required", FIX);
        return None;
    };
    let strategy = strategy.filter(|strategy| **strategy != Json::Null);
    let read = match strategy.and_then(class_of) {
        None | Some("FullRegexRegisteredServiceMatchingStrategy") => ServicePattern::whole(&source),
        Some("PartialRegexRegisteredServiceMatchingStrategy") => ServicePattern::part(&source),
        Some("LiteralRegisteredServiceMatchingStrategy") => {
            let flag = strategy.and_then(|strategy| strategy.member("caseInsensitive"));
            let ignore_case = flag
                .is_some_and(|flag| reader.flag("matchingStrategy.caseInsensitive", flag, false));
            Ok(ServicePattern::literal(&source, ignore_case))
        }
        Some(class) => {
            let problem = format!("unsupported matchingStrategy: {class}");
            reader.fault(
                "matchingStrategy",
                problem,
                "use a regular expression in serviceId",
            );
            return None;
        }
    };
    let pattern = match read {
        Ok(pattern) => pattern,
        Err(error) => {
            let problem = format!("serviceId is not a valid pattern: \"{source}\": {error}");
            reader.fault(AT, problem, FIX);
            return None;
        }
    };
    //
    if let Some(stranger) = pattern.strangers() {
        let words = format!(
            "it matches probe URLs on other hosts, such as {stranger}: end the host with a slash"
        );
        reader.find(FindingKind::Warning, AT, words);
    } else if pattern.is_partial() {
        let words = "it matches probe URLs on other hosts: any address that holds it somewhere";
        reader.find(FindingKind::Warning, AT, words);
    } else if let Some(finding) = pattern.openness() {
        let words = format!("taken as it is, and laxer than it looks: {finding}");
        reader.find(FindingKind::Approximated, AT, words);
    }
    Some(pattern)
}
