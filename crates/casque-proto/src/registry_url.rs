//! The gate in front of the service registry: one strict syntax, in which nothing can be read in two ways.

use std::borrow::Cow;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::encode::{form_decode, raw_name, split, without_parameters};
use crate::service_url::{
    ServiceUrl, ServiceUrlError, add_ticket, authority, host_and_port, is_web_scheme, join, scheme,
    without_jsessionid,
};
use crate::ticket::{ServiceTicket, is_ticket_byte};

/// The longest service that the registry is asked about, in bytes.
pub const MAX_REGISTRY_URL_BYTES: usize = 2048;

/// An `http` or `https` address that every browser, server and regex reads alike (S-004, S-035 to S-039).
///
/// It is what a [`ServiceRule`](crate::ServiceRule) is asked about, at login and again at validation. Any difference between the
/// text and its WHATWG serialisation, beyond the case of scheme and host, the default port and an empty path, is a refusal.
///
/// ```
/// # use casque_proto::{RegistryUrl, ServiceUrlError};
/// let service = RegistryUrl::parse("https://app.example.org:443/inbox?ticket=ST-0-old")?;
/// assert_eq!(service.as_str(), "https://app.example.org:443/inbox");
/// assert_eq!(service.canonical(), "https://app.example.org/inbox");
///
/// assert_eq!(RegistryUrl::parse("https:/app.example.org/"), Err(ServiceUrlError::NoHost));
/// # Ok::<(), ServiceUrlError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct RegistryUrl {
    service: ServiceUrl,
    parts: Parts,
}

impl RegistryUrl {
    /// Reads a service as it came from the query parser, percent-decoded once.
    ///
    /// Parameters named exactly `ticket` are dropped; a disguise of it, and `SAMLart`, are refused.
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        let mut parts = Parts::parse(text)?;
        check_ticket_parameters(parts.query.as_deref())?;
        check_session(&parts.path)?;
        let (before, query, _) = split(text);
        let kept = query.map(|query| without_parameters(query, |name| name == "ticket"));
        // A bare `?` goes only together with a ticket that stood behind it: otherwise every byte stays.
        let dropped = kept.as_deref() != query;
        let kept = kept.filter(|kept| !(dropped && kept.is_empty()));
        let service = ServiceUrl::checked(join(before, kept.as_deref(), None));
        parts.query = kept.map(Cow::into_owned);
        Ok(Self { service, parts })
    }

    /// The exact text, less its parameters named `ticket`.
    pub fn as_str(&self) -> &str {
        self.service.as_str()
    }

    pub(crate) fn into_parts(self) -> Parts {
        self.parts
    }

    /// The canonical form of R-227: what the registry and the validation compare.
    pub fn canonical(&self) -> &str {
        self.service.canonical()
    }

    /// The same as a [`ServiceUrl`].
    pub fn service(&self) -> &ServiceUrl {
        &self.service
    }

    /// Whether both are the same service (R-226).
    pub fn matches(&self, other: &Self) -> bool {
        self.canonical() == other.canonical()
    }

    /// The address that takes the ticket to the service. See [`ServiceUrl::with_ticket`].
    pub fn with_ticket(&self, parameter: &str, ticket: &ServiceTicket) -> String {
        add_ticket(self.as_str(), parameter, ticket)
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.parts.https
    }

    /// The host in lower case; an IPv6 address in brackets.
    pub fn host(&self) -> &str {
        &self.parts.host
    }

    /// The port, the default of the scheme included.
    pub fn port(&self) -> u16 {
        self.parts.port
    }

    /// The origin, such as `https://app.example.org` or `http://localhost:8000`: scheme, host, and the port unless it is the default one.
    pub fn origin(&self) -> String {
        self.parts.origin()
    }

    /// Whether the host is the machine itself: `localhost`, a name below it, `127.0.0.0/8` or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        self.parts.is_loopback()
    }

    /// The path of the canonical form, as written, without `;jsessionid`.
    pub(crate) fn canonical_path(&self) -> &str {
        let rest = &self.canonical()[self.parts.origin().len()..];
        rest.split_once('?').map_or(rest, |(path, _)| path)
    }

    /// Whether the path holds an encoded slash or backslash, which routers read in two ways.
    pub(crate) fn has_encoded_slash(&self) -> bool {
        let path = self.parts.path.to_ascii_lowercase();
        path.contains("%2f") || path.contains("%5c")
    }
}

impl fmt::Debug for RegistryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RegistryUrl")
            .field(&format_args!("{}{}", self.parts.origin(), self.parts.path))
            .finish()
    }
}

/// The parts of a strictly written web address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Parts {
    pub(crate) https: bool,
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
}

impl Parts {
    /// Applies every rule but those about the names of parameters.
    pub(crate) fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        check_length(text)?;
        Self::of_any_length(text)
    }

    /// [`parse`](Self::parse) without the limit, which a caller has held another text against.
    pub(crate) fn of_any_length(text: &str) -> Result<Self, ServiceUrlError> {
        check_printable(text)?;
        let (before, query, fragment) = split(text);
        if fragment.is_some() {
            return Err(ServiceUrlError::Fragment);
        }
        let scheme = scheme(before)
            .filter(|scheme| is_web_scheme(scheme))
            .ok_or(ServiceUrlError::Scheme)?;
        let https = scheme.eq_ignore_ascii_case("https");
        let (authority, path) = authority(before, scheme).ok_or(ServiceUrlError::NoHost)?;
        if authority.is_empty() {
            return Err(ServiceUrlError::NoHost);
        }
        if authority.contains('@') {
            return Err(ServiceUrlError::UserInfo);
        }
        let (host, port) = host_and_port(authority);
        let host = check_host(host)?;
        let default_port = if https { 443 } else { 80 };
        let port = port.map_or(Ok(default_port), read_port)?;
        check_path(path)?;
        if query.is_some_and(|query| query.contains("%00")) {
            return Err(ServiceUrlError::Query);
        }
        let parts = Self {
            https,
            host,
            port,
            path: if path.is_empty() {
                "/".to_owned()
            } else {
                path.to_owned()
            },
            query: query.map(ToOwned::to_owned),
        };
        parts.check_serialisation()?;
        Ok(parts)
    }

    pub(crate) fn origin(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        if self.port == if self.https { 443 } else { 80 } {
            format!("{scheme}://{}", self.host)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.host == "[::1]"
            || self
                .host
                .parse::<Ipv4Addr>()
                .is_ok_and(|address| address.is_loopback())
    }

    /// The address a browser would make of the text must be the text.
    fn check_serialisation(&self) -> Result<(), ServiceUrlError> {
        let mut address = self.origin();
        address.push_str(&self.path);
        let before_query = address.len();
        if let Some(query) = &self.query {
            address.push('?');
            address.push_str(query);
        }
        let theirs = Url::parse(&address).map_err(|_| ServiceUrlError::Host)?;
        // `'` is legal in a query by RFC 3986; browsers escape it, which changes no reading.
        if address[before_query..].contains('\'') {
            let query = address.split_off(before_query);
            address.push_str(&query.replace('\'', "%27"));
        }
        if theirs.as_str() == address && theirs.host_str() == Some(&*self.host) {
            Ok(())
        } else {
            Err(ServiceUrlError::Rewritten)
        }
    }
}

/// 1 to 2048 bytes of printable ASCII that a URL may hold raw, every `%` well-formed.
pub(crate) fn check_characters(text: &str) -> Result<(), ServiceUrlError> {
    check_length(text)?;
    check_printable(text)
}

fn check_length(text: &str) -> Result<(), ServiceUrlError> {
    if text.is_empty() {
        return Err(ServiceUrlError::Empty);
    }
    if text.len() > MAX_REGISTRY_URL_BYTES {
        return Err(ServiceUrlError::TooLong {
            limit: MAX_REGISTRY_URL_BYTES,
        });
    }
    Ok(())
}

/// The rule of [`check_characters`] without the limit.
pub(crate) fn check_printable(text: &str) -> Result<(), ServiceUrlError> {
    let allowed = |c: char| {
        matches!(c, '!'..='~') && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}')
    };
    if let Some(character) = text.chars().find(|c| !allowed(*c)) {
        return Err(ServiceUrlError::Character { character });
    }
    let well_formed = |after: &str| {
        after
            .as_bytes()
            .get(..2)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    };
    if text.split('%').skip(1).all(well_formed) {
        Ok(())
    } else {
        Err(ServiceUrlError::PercentEncoding)
    }
}

/// A host in lower case, if it is LDH labels or a canonical IP literal.
pub(crate) fn check_host(host: &str) -> Result<String, ServiceUrlError> {
    let host = host.to_ascii_lowercase();
    if let Some(literal) = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        let address: Ipv6Addr = literal.parse().map_err(|_| ServiceUrlError::Host)?;
        // Mapped IPv4 (::ffff:a.b.c.d) and compatible forms would be the same host under a second name.
        let hidden_v4 =
            address.to_ipv4().is_some() && !address.is_loopback() && !address.is_unspecified();
        return if hidden_v4 {
            Err(ServiceUrlError::Host)
        } else {
            Ok(host)
        };
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() <= 253 && host.split('.').all(label) {
        Ok(host)
    } else {
        Err(ServiceUrlError::Host)
    }
}

fn read_port(text: &str) -> Result<u16, ServiceUrlError> {
    let digits = !text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit());
    digits
        .then(|| text.parse().ok())
        .flatten()
        .ok_or(ServiceUrlError::Port)
}

/// No dot segment and no control character, literal or encoded, however the segments are cut.
pub(crate) fn check_path(path: &str) -> Result<(), ServiceUrlError> {
    let bytes: Vec<u8> = percent_decode_str(path).collect();
    // C0 and C1 begin only overlong forms, which old decoders read as `/` or `.`.
    let overlong = bytes
        .windows(2)
        .any(|pair| matches!(pair, [0xc0 | 0xc1, 0x80..=0xbf]));
    let decoded = String::from_utf8_lossy(&bytes);
    if overlong || holds_dots_or_controls(&decoded) {
        Err(ServiceUrlError::Path)
    } else {
        Ok(())
    }
}

/// Whether a decoded path holds a `.` or `..` segment (parameters after `;` cut off) or a control character.
pub(crate) fn holds_dots_or_controls(path: &str) -> bool {
    let dots = |segment: &str| {
        let name = segment.split_once(';').map_or(segment, |(name, _)| name);
        name == "." || name == ".."
    };
    path.split(['/', '\\']).any(dots)
        || path
            .chars()
            .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// What the canonical form leaves out of a path is a session id at its end, and can be nothing else (R-227, S-004).
fn check_session(path: &str) -> Result<(), ServiceUrlError> {
    let id = &path[without_jsessionid(path).len()..];
    match id.split_once('=') {
        None => Ok(()),
        Some((_, id)) if !id.is_empty() && id.bytes().all(is_ticket_byte) => Ok(()),
        Some(_) => Err(ServiceUrlError::Path),
    }
}

/// No parameter that some reader would take for the ticket, except `ticket` itself, which is dropped.
fn check_ticket_parameters(query: Option<&str>) -> Result<(), ServiceUrlError> {
    let Some(query) = query else { return Ok(()) };
    for piece in query.split('&') {
        let mut subpieces = piece.split(';');
        let first = subpieces.next().unwrap_or_default();
        let plain = raw_name(piece) == "ticket";
        if (!plain && names_ticket(raw_name(first)))
            || subpieces.any(|sub| names_ticket(raw_name(sub)))
        {
            return Err(ServiceUrlError::TicketParameter);
        }
    }
    Ok(())
}

/// Whether a raw parameter name could be read as `ticket` or `SAMLart`: decoded, trimmed, in any case, `[…]` cut off.
pub(crate) fn names_ticket(raw: &str) -> bool {
    let decoded = form_decode(raw).to_lowercase();
    let name = decoded.split_once('[').map_or(&*decoded, |(name, _)| name);
    let name = name.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    name == "ticket" || name == "samlart"
}
