//! What every reader of this crate shares: options, limits, tolerances and the error.

use std::fmt;

use crate::registry_url::RegistryUrl;
use crate::service_rule::ServiceRule;

/// Why a message could not be read, or must not be believed.
///
/// The names returned by [`as_str`](Self::as_str) are stable: they are what the protocol vectors, logs and the command
/// line use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorClass {
    /// Nothing but blank space (R-141).
    Empty,
    /// Not UTF-8, or a declared encoding that is not spoken (R-142).
    InvalidEncoding,
    /// Not well-formed, or a value that breaks its grammar.
    Malformed,
    /// XML with a document type declaration (R-144, S-020).
    ForbiddenXml,
    /// More bytes, elements or attributes than [`Limits`] allow (R-145, S-027).
    TooLarge,
    /// Elements nested deeper than [`Limits`] allow (R-145, S-027).
    TooDeep,
    /// A document, but not the CAS message that was expected (R-143, R-148, R-149).
    NotCas,
    /// Two readings are possible: two outcomes, two users, a JSON key given twice (R-150, R-151, R-175).
    Ambiguous,
    /// A success that names nobody (R-113, R-151).
    MissingUser,
    /// The HTTP status contradicts the body, or explains why it is not a CAS document (R-171, R-172).
    UnexpectedStatus,
    /// The user came through proxies that are not allowed (R-210, R-211, S-014).
    ProxyNotAllowed,
    /// A SAML assertion outside its period of validity.
    SamlConditions,
    /// A SAML assertion made for another service.
    SamlAudience,
    /// A message where a logout request was expected.
    NotLogoutRequest,
    /// A logout request without a session index.
    NoSessionIndex,
    /// A logout request whose session index is not a ticket.
    InvalidSessionIndex,
    /// REST: the server refused the credentials.
    AuthenticationFailed,
    /// REST: the ticket-granting ticket is unknown or has ended.
    TgtNotFound,
    /// REST: the server does not speak it at this address (R-272).
    EndpointUnavailable,
    /// REST: too many attempts (R-272).
    Throttled,
    /// REST: the server failed (R-272).
    ServerError,
}

impl ErrorClass {
    /// The stable name of this class, for example `missing_user`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::InvalidEncoding => "invalid_encoding",
            Self::Malformed => "malformed",
            Self::ForbiddenXml => "forbidden_xml",
            Self::TooLarge => "too_large",
            Self::TooDeep => "too_deep",
            Self::NotCas => "not_cas",
            Self::Ambiguous => "ambiguous",
            Self::MissingUser => "missing_user",
            Self::UnexpectedStatus => "unexpected_status",
            Self::ProxyNotAllowed => "proxy_not_allowed",
            Self::SamlConditions => "saml_conditions",
            Self::SamlAudience => "saml_audience",
            Self::NotLogoutRequest => "not_logout_request",
            Self::NoSessionIndex => "no_session_index",
            Self::InvalidSessionIndex => "invalid_session_index",
            Self::AuthenticationFailed => "authentication_failed",
            Self::TgtNotFound => "tgt_not_found",
            Self::EndpointUnavailable => "endpoint_unavailable",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
        }
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A message that was refused. It never yields a principal.
///
/// Its text is one line, bounded in length, holds no control character and no ticket: it can be logged and shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct ReadError {
    class: ErrorClass,
    status: Option<u16>,
    detail: String,
}

impl ReadError {
    /// An error of `class`. The detail is made safe to show: escaped, bounded, tickets masked.
    pub(crate) fn new(class: ErrorClass, detail: impl AsRef<str>) -> Self {
        Self {
            class,
            status: None,
            detail: safe_excerpt(detail.as_ref(), DETAIL_CHARS),
        }
    }

    pub(crate) fn malformed(detail: impl AsRef<str>) -> Self {
        Self::new(ErrorClass::Malformed, detail)
    }

    /// The same error, remembering the HTTP status it came with (R-173).
    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// What kind of refusal this is.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// The HTTP status the message came with, if it came over HTTP.
    pub fn status(&self) -> Option<u16> {
        self.status
    }

    /// What was wrong, in words: one line, bounded, escaped, without tickets.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    fn sentence(&self) -> String {
        match self.status {
            Some(status) => format!("{} (HTTP status {status}): {}", self.class, self.detail),
            None => format!("{}: {}", self.class, self.detail),
        }
    }
}

/// Bounds on what a reader looks at, so that no message can exhaust memory or time (R-145, S-027).
///
/// ```
/// use casque_proto::{Limits, ReadOptions};
///
/// let mut limits = Limits::default();
/// limits.bytes = 64 * 1024;
/// let options = ReadOptions::default().limits(limits);
/// # assert_eq!(options.limits_ref().bytes, 65_536);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Size of the whole message in bytes: 256 KiB.
    pub bytes: usize,
    /// Depth of nested elements, the root being 1: 16.
    pub depth: usize,
    /// Elements (or JSON values) in the message: 10,000.
    pub elements: usize,
    /// XML attributes of one element, namespace declarations included: 32.
    pub attributes: usize,
    /// Size of a user name in bytes: 512.
    pub user_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 256 * 1024,
            depth: 16,
            elements: 10_000,
            attributes: 32,
            user_bytes: 512,
        }
    }
}

/// A habit of some servers that is refused unless it is switched on by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tolerance {
    /// Elements in no namespace count as CAS elements (R-147).
    MissingNamespace,
    /// The prefix `cas:` counts as declared when it is not (R-147).
    UndeclaredPrefix,
    /// A document that declares ISO-8859-1 is read as that (R-142).
    Latin1,
}

impl Tolerance {
    /// Every tolerance there is.
    pub const ALL: [Self; 3] = [Self::MissingNamespace, Self::UndeclaredPrefix, Self::Latin1];

    /// The name used in settings: `missing_namespace`, `undeclared_prefix`, `latin1`.
    pub fn name(self) -> &'static str {
        match self {
            Self::MissingNamespace => "missing_namespace",
            Self::UndeclaredPrefix => "undeclared_prefix",
            Self::Latin1 => "latin1",
        }
    }

    /// The tolerance of that name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|tolerance| tolerance.name() == name)
    }

    fn bit(self) -> u8 {
        match self {
            Self::MissingNamespace => 1,
            Self::UndeclaredPrefix => 2,
            Self::Latin1 => 4,
        }
    }
}

/// What a reader should know about the message and how strict it is.
///
/// The default is strict: status 200, no tolerance, no proxied access (R-210).
///
/// ```
/// use casque_proto::{ReadOptions, Tolerance};
///
/// let options = ReadOptions::default()
///     .status(200)
///     .with_tolerance(Tolerance::MissingNamespace)
///     .allow_proxy_chain(["https://portal.example.org/pgtCallback"]);
/// ```
#[derive(Clone, Debug)]
pub struct ReadOptions {
    status: u16,
    tolerances: u8,
    limits: Limits,
    proxy_chains: Vec<ProxyChain>,
    any_proxy_chain: bool,
}

/// A chain of proxies that is allowed, the most recent first.
#[derive(Clone, Debug)]
enum ProxyChain {
    Exact(Vec<String>),
    Matching(Vec<ServiceRule>),
}

impl ProxyChain {
    /// Same length, and every URL fits its counterpart (R-210).
    fn allows(&self, proxies: &[String]) -> bool {
        match self {
            Self::Exact(urls) => urls == proxies,
            Self::Matching(rules) => {
                rules.len() == proxies.len()
                    && rules.iter().zip(proxies).all(|(rule, proxy)| {
                        RegistryUrl::parse(proxy).is_ok_and(|proxy| rule.matches(&proxy))
                    })
            }
        }
    }
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self {
            status: 200,
            tolerances: 0,
            limits: Limits::default(),
            proxy_chains: Vec::new(),
            any_proxy_chain: false,
        }
    }
}

impl ReadOptions {
    /// The HTTP status the message came with (R-170, R-171, R-172). Default: 200.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// Switch one tolerance on.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerances |= tolerance.bit();
        self
    }

    /// Replace the limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Allow users who come through exactly these proxies, the most recent first (R-210, S-014).
    ///
    /// A chain is allowed if it has the same length as one of the allowed chains and every URL is equal to its
    /// counterpart, character for character.
    #[must_use]
    pub fn allow_proxy_chain<I>(mut self, chain: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let urls = chain.into_iter().map(Into::into).collect();
        self.proxy_chains.push(ProxyChain::Exact(urls));
        self
    }

    /// Allow users who come through proxies that fit these rules, the most recent first (R-210).
    ///
    /// A chain is allowed if it has as many URLs as there are rules, and each fits its counterpart. The rules are those of
    /// a registry of services: an origin with a path prefix, or a regular expression that must match the whole URL without
    /// its query, and is refused where it lets more through than its host.
    ///
    /// ```
    /// use casque_proto::{ReadOptions, ServiceRule};
    ///
    /// let portals = ServiceRule::regex(r"https://portal[0-9]\.example\.org/pgtCallback")?;
    /// let options = ReadOptions::default().allow_proxy_chain_matching([portals]);
    /// # let _ = options;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn allow_proxy_chain_matching(
        mut self,
        chain: impl IntoIterator<Item = ServiceRule>,
    ) -> Self {
        let rules = chain.into_iter().collect();
        self.proxy_chains.push(ProxyChain::Matching(rules));
        self
    }

    /// Allow users who come through any proxies at all.
    ///
    /// # Security
    ///
    /// Whoever does this judges [`Assertion::proxies`](crate::Assertion::proxies) before the user is signed in: the
    /// server lets any registered service act as a proxy (S-014).
    #[must_use]
    pub fn allow_any_proxy_chain(mut self) -> Self {
        self.any_proxy_chain = true;
        self
    }

    /// Forget every allowed chain: what holds when an endpoint was asked that does not take proxy tickets (R-211).
    #[must_use]
    pub fn without_proxies(mut self) -> Self {
        self.proxy_chains.clear();
        self.any_proxy_chain = false;
        self
    }

    /// The HTTP status the message came with.
    pub fn http_status(&self) -> u16 {
        self.status
    }

    /// The limits in force.
    pub fn limits_ref(&self) -> &Limits {
        &self.limits
    }

    /// Whether a tolerance is switched on.
    pub fn tolerates(&self, tolerance: Tolerance) -> bool {
        self.tolerances & tolerance.bit() != 0
    }

    pub(crate) fn allows_proxies(&self, chain: &[String]) -> bool {
        chain.is_empty()
            || self.any_proxy_chain
            || self
                .proxy_chains
                .iter()
                .any(|allowed| allowed.allows(chain))
    }

    /// Whether the status is one that a success may come with (R-171).
    pub(crate) fn is_ok_status(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What a failed reading is reported as: with an error status, that status is the news (R-172).
    pub(crate) fn blame(&self, error: ReadError) -> ReadError {
        if self.is_ok_status() || error.class == ErrorClass::UnexpectedStatus {
            return error.with_status(self.status);
        }
        ReadError {
            class: ErrorClass::UnexpectedStatus,
            status: Some(self.status),
            detail: format!("{}: {}", error.class, error.detail),
        }
    }
}

/// `text` on one line, at most `limit` characters, controls and format characters escaped, tickets masked.
pub(crate) fn safe_excerpt(text: &str, limit: usize) -> String {
    let mut shown = String::with_capacity(text.len().min(limit) + 4);
    let mut length = 0;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if length >= limit {
            shown.push('…');
            break;
        }
        if let Some((prefix, after)) = split_ticket(text, rest) {
            shown.push_str(prefix);
            shown.push('…');
            length += prefix.len() + 1;
            rest = after;
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c.is_control() || crate::text::is_invisible(c) {
            let escaped = c.escape_unicode().to_string();
            length += escaped.len();
            shown.push_str(&escaped);
        } else {
            shown.push(c);
            length += 1;
        }
    }
    shown
}

/// A ticket at the start of `rest`: its prefix, and what follows it.
fn split_ticket<'a>(text: &'a str, rest: &'a str) -> Option<(&'static str, &'a str)> {
    let before = text[..text.len() - rest.len()].chars().next_back();
    if before.is_some_and(|c| c.is_ascii_alphanumeric()) {
        return None;
    }
    let prefix = TICKET_PREFIXES
        .into_iter()
        .find(|prefix| rest.starts_with(prefix))?;
    let value = &rest[prefix.len()..];
    let end = value
        .find(|c: char| !(c.is_ascii_alphanumeric() || "._~+/=-".contains(c)))
        .unwrap_or(value.len());
    (end > 0).then(|| (prefix, &value[end..]))
}

const DETAIL_CHARS: usize = 200;

const TICKET_PREFIXES: [&str; 6] = ["PGTIOU-", "PGT-", "TGT-", "ST-", "PT-", "LT-"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_hold_no_ticket_and_no_control_character() {
        // R-173, S-017
        let error = ReadError::malformed("ST-1-secret\n\u{202e}<b>PGTIOU-2-secret, xST-3");
        assert_eq!(error.detail(), "ST-…\\u{a}\\u{202e}<b>PGTIOU-…, xST-3");
        assert!(
            ReadError::malformed("x".repeat(1_000_000))
                .detail()
                .chars()
                .count()
                < 210
        );
    }

    #[test]
    fn an_error_status_is_the_news() {
        // R-172
        let options = ReadOptions::default().status(503);
        let error = options.blame(ReadError::new(ErrorClass::NotCas, "HTML"));
        assert_eq!(error.class(), ErrorClass::UnexpectedStatus);
        assert_eq!(error.status(), Some(503));
        assert_eq!(
            error.to_string(),
            "unexpected_status (HTTP status 503): not_cas: HTML"
        );
    }

    #[test]
    fn chains_match_whole_and_in_order() {
        // R-210
        let options = ReadOptions::default().allow_proxy_chain(["https://b/", "https://a/"]);
        let chain = |urls: &[&str]| urls.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(options.allows_proxies(&[]));
        assert!(options.allows_proxies(&chain(&["https://b/", "https://a/"])));
        assert!(!options.allows_proxies(&chain(&["https://a/", "https://b/"])));
        assert!(!options.allows_proxies(&chain(&["https://b/"])));
        let any = ReadOptions::default().allow_any_proxy_chain();
        assert!(any.allows_proxies(&chain(&["https://b/"])));
        assert!(
            !any.without_proxies()
                .allows_proxies(&chain(&["https://b/"]))
        );
        assert!(
            !options
                .without_proxies()
                .allows_proxies(&chain(&["https://b/", "https://a/"]))
        );
    }

    #[test]
    fn chains_match_by_rules_whole_and_in_order() {
        // R-210, S-014
        let rules = [
            ServiceRule::regex(r"https://portal[0-9]\.example\.org/pgt").unwrap(),
            ServiceRule::origin("https://b.example.org")
                .unwrap()
                .path_prefix("/cas/")
                .unwrap(),
        ];
        let options = ReadOptions::default().allow_proxy_chain_matching(rules);
        let allows = |urls: &[&str]| {
            let chain: Vec<_> = urls.iter().map(ToString::to_string).collect();
            options.allows_proxies(&chain)
        };
        let (a, b) = (
            "https://portal1.example.org/pgt",
            "https://b.example.org/cas/x",
        );
        assert!(allows(&[a, b]));
        for refused in [
            &[a][..],
            &[b, a],
            &[a, b, b],
            &["https://portal1.example.org/pgt/more", b],
            &["https://portal1.example.org/pgt.evil.example", b],
            &["http://portal1.example.org/pgt", b],
            &["https://portal1.example.org/pgt#x", b],
            &[" https://portal1.example.org/pgt", b],
            &[a, "https://b.example.org/cas/../x"],
            &[a, "https://b.example.org/cas/%2f/x"],
            &[a, "imaps://b.example.org/cas/"],
        ] {
            assert!(!allows(refused), "{refused:?}");
        }
    }

    #[test]
    fn tolerances_are_known_by_name() {
        for tolerance in Tolerance::ALL {
            assert_eq!(Tolerance::from_name(tolerance.name()), Some(tolerance));
            assert!(!ReadOptions::default().tolerates(tolerance));
            assert!(
                ReadOptions::default()
                    .with_tolerance(tolerance)
                    .tolerates(tolerance)
            );
        }
        assert_eq!(Tolerance::from_name("html"), None);
    }
}
