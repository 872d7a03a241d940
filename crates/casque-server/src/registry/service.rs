//! One registered service.

use std::borrow::Cow;
use std::time::SystemTime;

use casque_proto::apereo::UsernameCase;
use casque_proto::{PgtUrl, RegistryUrl, ServiceRule};
use regex::Regex;

use super::AccessRule;
use crate::people::Person;

/// A service that people may sign in to.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the file"
)]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Service {
    /// What names it in logs and statistics.
    pub id: String,
    /// What people know it as, for the pages; the id where there is none.
    pub name: Option<String>,
    /// A sentence about it, for the pages.
    pub description: Option<String>,
    /// Which addresses it has.
    pub rule: ServiceRule,
    /// A disabled service is refused like an unknown one, and no other is asked about its addresses (R-283).
    pub enabled: bool,
    /// From when on it counts as disabled (R-296).
    pub expires: Option<SystemTime>,
    /// Where several let an address in, the lowest number counts (R-283).
    pub order: i64,
    /// What it is told about a person.
    pub attributes: Release,
    /// The name that it is told (R-292).
    pub username: UserName,
    /// Whether a session lets people in without a password (R-030).
    pub sso: bool,
    /// Whom it admits (R-031).
    pub access: AccessRule,
    /// Where those go whom it does not; to a page of this server unless set (R-031).
    pub refused_url: Option<String>,
    /// Whether people are asked before it is told about them.
    pub consent: bool,
    /// How tickets reach it, unless a request says otherwise (R-035).
    pub response_type: ResponseType,
    /// How it is told when a person signs out.
    pub logout_type: LogoutType,
    /// Where it is told so, unless at the address that was signed in to (R-076).
    pub logout_url: Option<String>,
    /// Whether it may ask other services in a person's name.
    pub proxy: ProxyPolicy,
    pub(super) narrowness: (u8, usize),
    /// The one host that the rule can let in, in the registry's spelling; `None` where it may be any.
    pub(super) host: Option<String>,
    /// Plain http beyond this machine.
    pub(super) plain_http: bool,
}

impl Service {
    /// An enabled service that takes part in single sign-on and single logout and is told the user name only.
    pub fn new(id: impl Into<String>, rule: ServiceRule) -> Self {
        Self {
            id: id.into(),
            name: None,
            description: None,
            rule,
            enabled: true,
            expires: None,
            order: 0,
            attributes: Release::default(),
            username: UserName::default(),
            sso: true,
            access: AccessRule::default(),
            refused_url: None,
            consent: false,
            response_type: ResponseType::Redirect,
            logout_type: LogoutType::default(),
            logout_url: None,
            proxy: ProxyPolicy::default(),
            narrowness: (0, 0),
            host: None,
            plain_http: false,
        }
    }

    /// The same, known to people by this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same, told these attributes.
    #[must_use]
    pub fn releasing(mut self, attributes: Release) -> Self {
        self.attributes = attributes;
        self
    }

    /// The same, allowed to act as a proxy.
    #[must_use]
    pub fn proxying(mut self, policy: ProxyPolicy) -> Self {
        self.proxy = policy;
        self
    }

    /// What people know it as.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// Whether the person may use it: its rule admits them, and there is a name to tell (R-031, R-293).
    pub(crate) fn admits(&self, person: &Person) -> bool {
        self.access.admits(person) && self.user_name(person).is_some()
    }

    /// The name that it is told; none where that would be blank (R-292, R-293).
    pub(crate) fn user_name<'a>(&self, person: &'a Person) -> Option<Cow<'a, str>> {
        let UserName { attribute, case } = &self.username;
        let values = attribute
            .as_ref()
            .and_then(|name| person.attributes.get(name));
        let name = values
            .and_then(|values| values.first())
            .unwrap_or(&person.id);
        let told = match case {
            UsernameCase::Kept => Cow::Borrowed(name.as_str()),
            case => Cow::Owned(case.apply(name)),
        };
        (!told.trim().is_empty()).then_some(told)
    }

    /// What this service is told about a person besides the name: the one place where that is decided (S-066).
    ///
    /// Listed attributes come in the order of the list, others by name; empty ones are left out.
    pub fn release<'a>(
        &'a self,
        person: &'a Person,
    ) -> impl Iterator<Item = (&'a str, Cow<'a, [String]>)> {
        let mut released: Vec<(&str, Cow<'_, [String]>)> = Vec::new();
        let all = person
            .attributes
            .iter()
            .map(|(name, values)| (name.as_str(), Cow::Borrowed(values.as_slice())));
        match &self.attributes {
            Release::All => released.extend(all),
            Release::Named(names) => {
                for name in names {
                    if let Some(values) = person.attributes.get(name) {
                        released.push((name, Cow::Borrowed(values)));
                    }
                }
            }
            Release::Rules(rules) => {
                for (name, values) in rules.iter().flat_map(|rule| rule.release(person)) {
                    // The later rule counts (R-288).
                    match released.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => *known = values,
                        None => released.push((name, values)),
                    }
                }
            }
        }
        released
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
    }
}

/// The name that a service is told (R-292).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserName {
    /// The attribute whose first value it is; else, and for people without it, the name they sign in with.
    pub attribute: Option<String>,
    /// How it is written.
    pub case: UsernameCase,
}

/// How a service is told that a person signed out (R-075, R-294).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogoutType {
    /// By a message from this server, in the background (R-077).
    #[default]
    BackChannel,
    /// By the person's browser, from the page that says they are signed out (R-083); by this server where no such page
    /// is shown.
    FrontChannel,
    /// Not at all.
    None,
}

impl LogoutType {
    pub(super) const NAMES: &[&str] = &["back_channel", "front_channel", "none"];

    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "back_channel" => Some(Self::BackChannel),
            "front_channel" => Some(Self::FrontChannel),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

/// Whether a service may act as a proxy, and where it may have proxy-granting tickets sent (R-192, S-052). The default
/// is nowhere.
///
/// ```
/// use casque_proto::ServiceRule;
/// use casque_server::ProxyPolicy;
///
/// let policy = ProxyPolicy::to([ServiceRule::origin("https://app.example.org")?]);
/// assert!(policy.callback("https://app.example.org/cas/pgt").is_some());
/// assert!(policy.callback("https://app.example.com/cas/pgt").is_none());
/// assert!(!ProxyPolicy::default().allows_proxying());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProxyPolicy {
    /// Which callbacks may be called; https only.
    pub callbacks: Vec<ServiceRule>,
    /// Hosts of the callbacks may have addresses of private networks.
    pub private: bool,
    /// Any callback on this machine may be called, by http too. For development.
    pub loopback: bool,
}

impl ProxyPolicy {
    /// Callbacks that one of these rules lets in, at public addresses.
    pub fn to(callbacks: impl IntoIterator<Item = ServiceRule>) -> Self {
        Self {
            callbacks: callbacks.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Any callback on this machine, for development.
    pub fn loopback() -> Self {
        Self {
            loopback: true,
            ..Self::default()
        }
    }

    /// Whether there is any callback that may be called (R-187).
    pub fn allows_proxying(&self) -> bool {
        self.loopback || !self.callbacks.is_empty()
    }

    /// The callback of a `pgtUrl`, if it may be called; its addresses are still to be looked at (R-188, R-193).
    pub fn callback(&self, pgt_url: &str) -> Option<PgtUrl> {
        if self.loopback
            && let Ok(url) = PgtUrl::parse_allowing_http_on_loopback(pgt_url)
            && url.is_loopback()
        {
            return Some(url);
        }
        let text = RegistryUrl::parse(pgt_url).ok()?;
        let url = PgtUrl::parse(pgt_url).ok()?;
        let allowed = self.callbacks.iter().any(|rule| rule.matches(&text));
        allowed.then_some(url)
    }
}

/// How a ticket reaches a service (R-035).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResponseType {
    /// In the address that the browser is sent to.
    Redirect,
    /// In a form that the browser posts (R-051).
    Post,
    /// In the headers of an answer without a redirect, for programs (R-052).
    Header,
}

impl ResponseType {
    /// `GET` or `REDIRECT`, `POST`, `HEADER`, in any case.
    pub(crate) fn of(name: &str) -> Option<Self> {
        [
            ("GET", Self::Redirect),
            ("REDIRECT", Self::Redirect),
            ("POST", Self::Post),
            ("HEADER", Self::Header),
        ]
        .into_iter()
        .find_map(|(known, kind)| known.eq_ignore_ascii_case(name).then_some(kind))
    }

    /// The value of the parameter `method`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Redirect => "GET",
            Self::Post => "POST",
            Self::Header => "HEADER",
        }
    }
}

/// Which attributes a service is told.
#[derive(Debug, Clone)]
pub enum Release {
    /// These; the default is none.
    Named(Vec<String>),
    /// All there are, whatever they may be.
    All,
    /// What these rules give together; where two give an attribute of one name the later counts (R-288).
    Rules(Vec<ReleaseRule>),
}

impl Release {
    /// Whether there is no end to it: attributes that are added later are told as well.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Named(_) => false,
            Self::All => true,
            Self::Rules(rules) => rules
                .iter()
                .any(|rule| matches!(rule.what, What::AllBut(_))),
        }
    }
}

impl Default for Release {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}

/// One rule of what a service is told.
#[derive(Debug, Clone)]
pub struct ReleaseRule {
    what: What,
    values: Option<Regex>,
}

#[derive(Debug, Clone)]
enum What {
    AllBut(Vec<String>),
    One { attribute: String, name: String },
}

impl ReleaseRule {
    /// Every attribute.
    pub fn all() -> Self {
        Self::all_but([])
    }

    /// Every attribute but these.
    pub fn all_but(names: impl IntoIterator<Item = String>) -> Self {
        Self {
            what: What::AllBut(names.into_iter().collect()),
            values: None,
        }
    }

    /// This attribute.
    pub fn named(name: impl Into<String>) -> Self {
        let name = name.into();
        Self::renamed(name.clone(), name)
    }

    /// This attribute under another name.
    pub fn renamed(attribute: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            what: What::One {
                attribute: attribute.into(),
                name: name.into(),
            },
            values: None,
        }
    }

    /// The same, with those values only that the expression matches (R-289).
    #[must_use]
    pub fn only(mut self, values: Regex) -> Self {
        self.values = Some(values);
        self
    }

    fn release<'a>(&'a self, person: &'a Person) -> Vec<(&'a str, Cow<'a, [String]>)> {
        let held = person.attributes.iter();
        held.filter_map(|(held, values)| {
            let name = match &self.what {
                What::AllBut(names) => (!names.contains(held)).then_some(held),
                What::One { attribute, name } => (attribute == held).then_some(name),
            }?;
            let values = match &self.values {
                None => Cow::Borrowed(values.as_slice()),
                Some(wanted) => {
                    let kept = values.iter().filter(|value| wanted.is_match(value));
                    Cow::Owned(kept.cloned().collect())
                }
            };
            Some((name.as_str(), values))
        })
        .collect()
    }
}
