//! Service URLs: the exact text, the canonical form that is compared, adding and removing a ticket.

use std::fmt;

use crate::encode;
use crate::encode::{push_pair, split, without_parameters};
use crate::ticket::ServiceTicket;

/// The longest service that is read, in bytes (R-236). The registry's gate is narrower: [`RegistryUrl`](crate::RegistryUrl).
pub const MAX_SERVICE_BYTES: usize = 8192;

/// A service: its exact text and its canonical form.
///
/// The text goes through login, redirect and validation byte for byte; only [`matches`](Self::matches) uses the
/// canonical form (R-226, R-227). A service need not be a web address (`imaps://…`, `backend-1`): see [`is_web`](Self::is_web).
/// A server asks [`RegistryUrl`](crate::RegistryUrl) first, which is far stricter.
///
/// ```
/// # use casque_proto::{ServiceTicket, ServiceUrl};
/// let service = ServiceUrl::parse("https://APP.example.org:443/inbox?a=1")?;
/// assert_eq!(service.as_str(), "https://APP.example.org:443/inbox?a=1");
/// assert_eq!(service.canonical(), "https://app.example.org/inbox?a=1");
///
/// let ticket = ServiceTicket::parse("ST-1-abc")?;
/// let back = service.with_ticket("ticket", &ticket);
/// assert_eq!(back, "https://APP.example.org:443/inbox?a=1&ticket=ST-1-abc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ServiceUrl {
    text: String,
    canonical: String,
    web: bool,
}

impl ServiceUrl {
    /// Reads a service, with the safety rules of R-049, R-235 and R-236.
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        let web = check_safety(text)?;
        Ok(Self {
            text: text.to_owned(),
            canonical: canonical(text),
            web,
        })
    }

    /// A web address whose safety is known: a [`RegistryUrl`](crate::RegistryUrl) follows far stricter rules.
    pub(crate) fn checked(text: String) -> Self {
        Self {
            canonical: canonical(&text),
            text,
            web: true,
        }
    }

    /// The service of the page at `request_url`: the address without its ticket and fragment (R-233, R-234).
    ///
    /// `request_url` is built from a configured base, never from a `Host` header (R-232).
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] names the rule.
    pub fn from_request_url(request_url: &str, mode: TicketMode) -> Result<Self, ServiceUrlError> {
        Self::parse(&strip_ticket(request_url, mode))
    }

    /// The exact text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text without its fragment: what is sent to a CAS server (R-234).
    pub fn without_fragment(&self) -> &str {
        self.text
            .split_once('#')
            .map_or(&self.text, |(before, _)| before)
    }

    /// The canonical form of R-227 and R-228. For comparison only.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Whether this is an absolute `http` or `https` URL.
    pub fn is_web(&self) -> bool {
        self.web
    }

    /// Whether this is an `https` URL.
    pub fn is_https(&self) -> bool {
        self.web && self.canonical.starts_with("https:")
    }

    /// Whether both are the same service (R-226).
    pub fn matches(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }

    /// The address that takes the ticket to the service (R-047, R-048, R-050).
    ///
    /// `parameter` is `ticket`, or `SAMLart` where the request used `TARGET`. Parameters of that name and stale
    /// `ticket` parameters are removed; every other byte stays, and a fragment stays at the end.
    pub fn with_ticket(&self, parameter: &str, ticket: &ServiceTicket) -> String {
        add_ticket(&self.text, parameter, ticket)
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A service may carry a stale ticket and the secrets of its application: the canonical form has no ticket, the query is left out.
        let shown = self
            .canonical
            .split_once('?')
            .map_or(&*self.canonical, |(before, _)| before);
        f.debug_tuple("ServiceUrl").field(&shown).finish()
    }
}

impl std::str::FromStr for ServiceUrl {
    type Err = ServiceUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// How the ticket reaches a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TicketMode {
    /// The parameter `ticket`.
    #[default]
    Cas,
    /// The parameter `SAMLart`, beside `TARGET` (SAML 1.1).
    Saml,
}

impl TicketMode {
    /// The parameter that carries the ticket.
    pub const fn parameter(self) -> &'static str {
        match self {
            Self::Cas => "ticket",
            Self::Saml => "SAMLart",
        }
    }

    fn is_own(self, name: &str) -> bool {
        match self {
            Self::Cas => name == "ticket",
            Self::Saml => name == "SAMLart" || name == "TARGET" || name == "ticket",
        }
    }
}

/// The address without its ticket, as a service sees it in a request (R-233, R-234).
///
/// Every parameter whose decoded name is `ticket` (in SAML mode also `SAMLart` and `TARGET`) goes, then a bare `?`, and the fragment.
/// The other parameters keep their bytes and order.
///
/// ```
/// # use casque_proto::{TicketMode, strip_ticket};
/// let clean = strip_ticket("https://app.example.org/x?ticket=ST-1-a&b=%2F+c", TicketMode::Cas);
/// assert_eq!(clean, "https://app.example.org/x?b=%2F+c");
/// ```
pub fn strip_ticket(url: &str, mode: TicketMode) -> String {
    let (before, query, _) = split(url);
    let query = query
        .map(|query| without_parameters(query, |name| mode.is_own(&encode::form_decode(name))));
    join(
        before,
        query.as_deref().filter(|query| !query.is_empty()),
        None,
    )
}

/// Why a text is refused as a service.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceUrlError {
    /// Nothing was given.
    #[error("the service is empty")]
    Empty,
    /// Too many bytes.
    #[error("the service is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A character that no URL holds raw.
    #[error("the service holds {character:?}, which a URL must percent-encode or leave out")]
    Character {
        /// The first such character.
        character: char,
    },
    /// A `%` without two hexadecimal digits.
    #[error("the service holds a % that is not followed by two hexadecimal digits")]
    PercentEncoding,
    /// A scheme that runs or reads something in a browser, or one that is not http or https where only these may be.
    #[error("the scheme of the service is not allowed")]
    Scheme,
    /// `//` and a host do not follow the scheme.
    #[error("the service has no host after its scheme, as in https://app.example.org/")]
    NoHost,
    /// `user@` before the host.
    #[error("the service holds user information before the host")]
    UserInfo,
    /// A host that browsers and servers may read differently.
    #[error("the host of the service is not a plain host name or a canonical IP address")]
    Host,
    /// A port that is empty, 0, above 65535 or has leading zeros.
    #[error("the port of the service is not a number from 1 to 65535 without leading zeros")]
    Port,
    /// A `#`.
    #[error("the service holds a fragment (#)")]
    Fragment,
    /// A `.` or `..` segment, or a control character, encoded or not.
    #[error("the path of the service holds a dot segment or a control character")]
    Path,
    /// A NUL in the query.
    #[error("the query of the service holds %00")]
    Query,
    /// A parameter that would be taken for the ticket.
    #[error("the query of the service holds a parameter that can be mistaken for a ticket")]
    TicketParameter,
    /// A browser would read the text as another address.
    #[error("a browser would rewrite the service to another address")]
    Rewritten,
}

/// The text with the ticket in its query. See [`ServiceUrl::with_ticket`].
pub(crate) fn add_ticket(text: &str, parameter: &str, ticket: &ServiceTicket) -> String {
    let (before, query, fragment) = split(text);
    let query =
        query.map(|query| without_parameters(query, |name| name == "ticket" || name == parameter));
    let mut url = join(
        before,
        query.as_deref().filter(|query| !query.is_empty()),
        None,
    );
    push_pair(&mut url, parameter, ticket.secret());
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(fragment);
    }
    url
}

pub(crate) fn join(before: &str, query: Option<&str>, fragment: Option<&str>) -> String {
    let mut url = String::with_capacity(before.len() + query.map_or(0, str::len) + 1);
    url.push_str(before);
    if let Some(query) = query {
        url.push('?');
        url.push_str(query);
    }
    if let Some(fragment) = fragment {
        url.push('#');
        url.push_str(fragment);
    }
    url
}

/// A URL's scheme by its syntax, as written.
pub(crate) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let first = bytes.next()?;
    let rest = bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    (first.is_ascii_alphabetic() && rest).then_some(scheme)
}

/// `host:port` and the path after it, of a text before `?` that continues with `//` after its scheme.
pub(crate) fn authority<'a>(before_query: &'a str, scheme: &str) -> Option<(&'a str, &'a str)> {
    let rest = before_query.get(scheme.len() + 1..)?.strip_prefix("//")?;
    Some(rest.split_at(rest.find('/').unwrap_or(rest.len())))
}

pub(crate) fn is_web_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http")
}

/// Host and port of an authority without user information. The host keeps its brackets.
pub(crate) fn host_and_port(authority: &str) -> (&str, Option<&str>) {
    let host_end = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(host_end..).and_then(|rest| rest.find(':')) {
        Some(colon) => (
            &authority[..host_end + colon],
            Some(&authority[host_end + colon + 1..]),
        ),
        None => (authority, None),
    }
}

/// Schemes that a browser runs or reads itself.
const FORBIDDEN_SCHEMES: [&str; 8] = [
    "javascript",
    "data",
    "vbscript",
    "file",
    "blob",
    "about",
    "filesystem",
    "view-source",
];

/// R-049, R-235, R-236. Whether the text is a web address.
fn check_safety(text: &str) -> Result<bool, ServiceUrlError> {
    if text.is_empty() || text.starts_with('#') {
        return Err(ServiceUrlError::Empty);
    }
    if text.len() > MAX_SERVICE_BYTES {
        return Err(ServiceUrlError::TooLong {
            limit: MAX_SERVICE_BYTES,
        });
    }
    let unsafe_character = |c: &char| {
        c.is_control() || c.is_whitespace() || *c == '\\' || crate::text::is_invisible(*c)
    };
    if let Some(character) = text.chars().find(unsafe_character) {
        return Err(ServiceUrlError::Character { character });
    }
    let (before, ..) = split(text);
    let Some(scheme) = scheme(before) else {
        // `//user@host` is an address too, relative to a page's scheme.
        let named = before
            .strip_prefix("//")
            .map(|rest| rest.split_at(rest.find('/').unwrap_or(rest.len())).0);
        return if named.is_some_and(|authority| authority.contains('@')) {
            Err(ServiceUrlError::UserInfo)
        } else {
            Ok(false)
        };
    };
    if FORBIDDEN_SCHEMES
        .iter()
        .any(|forbidden| scheme.eq_ignore_ascii_case(forbidden))
    {
        return Err(ServiceUrlError::Scheme);
    }
    let authority = authority(before, scheme).map(|(authority, _)| authority);
    if authority.is_some_and(|authority| authority.contains('@')) {
        return Err(ServiceUrlError::UserInfo);
    }
    if !is_web_scheme(scheme) {
        return Ok(false);
    }
    match authority {
        None | Some("") => Err(ServiceUrlError::NoHost),
        Some(_) => match url::Url::parse(text) {
            Ok(_) => Ok(true),
            Err(url::ParseError::InvalidPort) => Err(ServiceUrlError::Port),
            Err(_) => Err(ServiceUrlError::Host),
        },
    }
}

/// R-227 for http and https, R-228 for everything else.
fn canonical(text: &str) -> String {
    let (before, query, _) = split(text);
    let Some((scheme, (authority, path))) = scheme(before)
        .filter(|scheme| is_web_scheme(scheme))
        .and_then(|scheme| Some((scheme, authority(before, scheme)?)))
    else {
        return join(before, query, None);
    };
    let scheme = scheme.to_ascii_lowercase();
    let (host, port) = host_and_port(authority);
    let default_port = if scheme == "https" { "443" } else { "80" };
    let path = without_jsessionid(path);
    let mut canonical = format!("{scheme}://{}", host.to_ascii_lowercase());
    if let Some(port) = port.filter(|port| *port != default_port) {
        canonical.push(':');
        canonical.push_str(port);
    }
    canonical.push_str(if path.is_empty() { "/" } else { path });
    let query = query.map(|query| without_parameters(query, |name| name == "ticket"));
    join(
        &canonical,
        query.as_deref().filter(|query| !query.is_empty()),
        None,
    )
}

/// R-227 (a). Only in the path: in a query it would hide the parameters behind it (R-231).
pub(crate) fn without_jsessionid(path: &str) -> &str {
    const MARK: &str = ";jsessionid=";
    let found = path
        .as_bytes()
        .windows(MARK.len())
        .position(|window| window.eq_ignore_ascii_case(MARK.as_bytes()));
    found.map_or(path, |at| &path[..at])
}
