//! The registry's gate: which services a rule lets through.

use std::fmt;
use std::net::Ipv4Addr;

use regex::{Regex, RegexBuilder};

use crate::apereo::ServicePattern;
use crate::registry_url::{Parts, RegistryUrl, check_characters, check_host, check_path};
use crate::service_url::{host_and_port, is_web_scheme, scheme};

/// Which addresses one registered service has (S-032 to S-038).
///
/// An origin with an optional path prefix is the norm. A whole URL is narrower; a regex is the second choice and is
/// refused where it lets more through than its host.
///
/// ```
/// # use casque_proto::{RegistryUrl, ServiceRule};
/// let wiki = ServiceRule::origin("https://wiki.example.org")?.path_prefix("/w/")?;
/// assert!(wiki.matches(&RegistryUrl::parse("https://wiki.example.org/w/Page?x=1")?));
/// assert!(!wiki.matches(&RegistryUrl::parse("https://wiki.example.org/wiki")?));
///
/// assert!(ServiceRule::regex("https://.*").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own of a definition"
)]
#[derive(Debug, Clone)]
pub struct ServiceRule {
    pattern: Pattern,
    path_prefix: Option<String>,
    allow_http: bool,
    any_port: bool,
    query: bool,
    enabled: bool,
}

#[derive(Debug, Clone)]
enum Pattern {
    Origin(Origin),
    Url {
        origin: Origin,
        path: String,
    },
    Regex {
        whole: Regex,
        source: String,
        http: bool,
    },
    Apereo(ServicePattern),
    Loopback,
}

#[derive(Debug, Clone)]
struct Origin {
    https: bool,
    host: Host,
    /// `None`: the default port of the scheme.
    port: Option<u16>,
}

#[derive(Debug, Clone)]
enum Host {
    Exact(String),
    /// One label, then this: `.dept.example.org`.
    OneLabelBefore(String),
}

impl ServiceRule {
    /// Every address of an origin: scheme, host and port. `https://*.dept.example.org` lets exactly one label stand for `*`.
    ///
    /// # Errors
    ///
    /// [`ServiceRuleError`] with the rule and the fix.
    pub fn origin(origin: &str) -> Result<Self, ServiceRuleError> {
        Ok(Self::new(Pattern::Origin(Origin::parse(origin)?)))
    }

    /// One address. The query of a service does not count; the rule has none.
    ///
    /// # Errors
    ///
    /// [`ServiceRuleError`] with the rule and the fix.
    pub fn url(url: &str) -> Result<Self, ServiceRuleError> {
        let parts = Parts::parse(url).map_err(|error| {
            ServiceRuleError::new(
                "url",
                url,
                &error.to_string(),
                "write the whole address, such as https://app.example.org/cas/callback",
            )
        })?;
        if parts.query.is_some() {
            return Err(ServiceRuleError::new(
                "url",
                url,
                "the query of a service is not compared",
                "leave out everything from ? on",
            ));
        }
        let origin = Origin {
            https: parts.https,
            port: parts.explicit_port(),
            host: Host::Exact(parts.host),
        };
        Ok(Self::new(Pattern::Url {
            origin,
            path: parts.path,
        }))
    }

    /// A regular expression that must match the whole canonical URL without its query.
    ///
    /// The host it is meant for is read from the expression itself; see [`regex_for_host`](Self::regex_for_host).
    ///
    /// # Errors
    ///
    /// [`ServiceRuleError`] where it does not compile within 1 MiB or would let other hosts, ports or schemes in.
    pub fn regex(pattern: &str) -> Result<Self, ServiceRuleError> {
        Self::compile(pattern, None)
    }

    /// A regular expression that is meant for `host` and its linted against that (S-033).
    ///
    /// # Errors
    ///
    /// As [`regex`](Self::regex), and where it cannot match any address of `host`.
    pub fn regex_for_host(pattern: &str, host: &str) -> Result<Self, ServiceRuleError> {
        Self::compile(pattern, Some(host))
    }

    /// What a service definition of Apereo matches, of what passes the gate: the whole text, its query included, in any
    /// case, plain `http` too. It is taken as wide as it is (R-282).
    pub fn apereo(pattern: ServicePattern) -> Self {
        Self {
            allow_http: true,
            ..Self::new(Pattern::Apereo(pattern))
        }
    }

    /// Any address of this machine, any port, `http` or `https`: for demonstrations and development.
    pub fn loopback() -> Self {
        Self {
            allow_http: true,
            any_port: true,
            ..Self::new(Pattern::Loopback)
        }
    }

    /// Only paths below `prefix`, which begins with `/`. `/w` lets `/w` and `/w/…` through, `/w/` only the latter.
    ///
    /// # Errors
    ///
    /// [`ServiceRuleError`] with the rule and the fix.
    pub fn path_prefix(mut self, prefix: &str) -> Result<Self, ServiceRuleError> {
        let error =
            |rule: &str, fix: &str| Err(ServiceRuleError::new("path_prefix", prefix, rule, fix));
        if !matches!(self.pattern, Pattern::Origin(_) | Pattern::Loopback) {
            return error(
                "a path prefix belongs to an origin",
                "use origin instead of url or regex, or leave path_prefix out",
            );
        }
        let plain = prefix.starts_with('/')
            && check_characters(prefix).is_ok()
            && check_path(prefix).is_ok()
            && !prefix.contains(['?', '#', ';', '%'])
            && !prefix.contains("//");
        if !plain {
            return error(
                "a path prefix is a plain path",
                "write it like /w/: no %, ?, #, ;, // or dot segments",
            );
        }
        self.path_prefix = (prefix != "/").then(|| prefix.to_owned());
        Ok(self)
    }

    /// Lets plain `http` in as well: for loopback and development.
    #[must_use]
    pub fn allow_http(mut self, allow: bool) -> Self {
        self.allow_http = allow;
        self
    }

    /// Lets any port of the host in: for development.
    #[must_use]
    pub fn any_port(mut self, any: bool) -> Self {
        self.any_port = any;
        self
    }

    /// Whether an address may have a query; it may unless this is false.
    #[must_use]
    pub fn query(mut self, allowed: bool) -> Self {
        self.query = allowed;
        self
    }

    /// A rule that is not enabled matches nothing.
    #[must_use]
    pub fn enabled(mut self, enabled: bool) -> Self {
        self.enabled = enabled;
        self
    }

    /// The finished rule, if its parts fit together.
    ///
    /// # Errors
    ///
    /// [`ServiceRuleError`] where the rule names `http` and does not allow it, or names `any_port` where that has no meaning.
    pub fn checked(self) -> Result<Self, ServiceRuleError> {
        let (field, value, http) = match &self.pattern {
            Pattern::Origin(origin) => ("origin", origin.to_string(), !origin.https),
            Pattern::Url { origin, path } => ("url", format!("{origin}{path}"), !origin.https),
            Pattern::Regex { source, http, .. } => ("regex", source.clone(), *http),
            Pattern::Apereo(_) | Pattern::Loopback => return Ok(self),
        };
        if http && !self.allow_http {
            return Err(ServiceRuleError::new(
                field,
                &value,
                "it lets plain http in, over which anyone on the way can take the ticket",
                "write https, or add allow_http = true for development",
            ));
        }
        if self.any_port && field == "regex" {
            return Err(ServiceRuleError::new(
                "any_port",
                "true",
                "a regex says itself which ports it matches",
                "use origin with any_port = true",
            ));
        }
        Ok(self)
    }

    /// Whether the rule lets the service in.
    pub fn matches(&self, service: &RegistryUrl) -> bool {
        if !self.enabled || (!service.is_https() && !self.allow_http) {
            return false;
        }
        if !self.query && service.as_str().contains('?') {
            return false;
        }
        // Behind a rule about paths, `%2f` and `%5c` would be read in two ways.
        if self.has_path_constraint() && service.has_encoded_slash() {
            return false;
        }
        match &self.pattern {
            Pattern::Origin(origin) => {
                self.origin_matches(origin, service) && self.path_matches(service)
            }
            Pattern::Url { origin, path } => {
                self.origin_matches(origin, service) && service.canonical_path() == path
            }
            Pattern::Regex { whole, .. } => {
                let url = service.canonical();
                whole.is_match(url.split_once('?').map_or(url, |(before, _)| before))
            }
            Pattern::Apereo(pattern) => pattern.matches(service.as_str()),
            Pattern::Loopback => service.is_loopback() && self.path_matches(service),
        }
    }

    fn new(pattern: Pattern) -> Self {
        Self {
            pattern,
            path_prefix: None,
            allow_http: false,
            any_port: false,
            query: true,
            enabled: true,
        }
    }

    fn compile(pattern: &str, host: Option<&str>) -> Result<Self, ServiceRuleError> {
        let error = |rule: &str, fix: &str| ServiceRuleError::new("regex", pattern, rule, fix);
        let build = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(REGEX_BYTES)
                .dfa_size_limit(REGEX_BYTES)
                .build()
        };
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(error(
                "the expression is longer than 2048 bytes",
                "use origin, and path_prefix if needed",
            ));
        }
        // Alone first: wrapped, an expression with a stray parenthesis could escape the anchors.
        let whole = build(pattern)
            .and_then(|_| build(&format!(r"\A(?:{pattern})\z")))
            .map_err(|cause| {
                let cause = cause.to_string();
                let cause = cause.lines().last().unwrap_or_default();
                error(
                    &format!("it does not compile within 1 MiB: {cause}"),
                    "use origin, and path_prefix if needed",
                )
            })?;
        let lint = crate::rule_lint::lint(pattern, host).map_err(|finding| {
            error(
                &finding,
                "write the host out with \\. for its dots and / after it, or use origin",
            )
        })?;
        Ok(Self::new(Pattern::Regex {
            whole,
            source: pattern.to_owned(),
            http: lint.http,
        }))
    }

    fn has_path_constraint(&self) -> bool {
        self.path_prefix.is_some()
            || matches!(
                self.pattern,
                Pattern::Url { .. } | Pattern::Regex { .. } | Pattern::Apereo(_)
            )
    }

    fn origin_matches(&self, origin: &Origin, service: &RegistryUrl) -> bool {
        // An http service under an https origin has passed `allow_http` already.
        let scheme = origin.https || !service.is_https();
        let port = origin
            .port
            .unwrap_or(if service.is_https() { 443 } else { 80 });
        scheme && origin.host.matches(service.host()) && (self.any_port || port == service.port())
    }

    fn path_matches(&self, service: &RegistryUrl) -> bool {
        let Some(prefix) = &self.path_prefix else {
            return true;
        };
        let path = service.canonical_path();
        path.strip_prefix(&**prefix)
            .is_some_and(|rest| prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/'))
    }
}

impl Origin {
    fn parse(text: &str) -> Result<Self, ServiceRuleError> {
        let error = |rule: &str, fix: &str| ServiceRuleError::new("origin", text, rule, fix);
        let example = "write scheme, host and, if it is not the default one, port, such as https://app.example.org";
        let scheme = scheme(text)
            .filter(|scheme| is_web_scheme(scheme))
            .ok_or_else(|| error("an origin begins with https:// or http://", example))?;
        let rest = text[scheme.len() + 1..]
            .strip_prefix("//")
            .ok_or_else(|| error("// is missing after the scheme", example))?;
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        if authority.contains(['/', '?']) {
            return Err(error(
                "an origin has no path",
                "put the path into path_prefix",
            ));
        }
        let (host, _) = host_and_port(authority);
        let wildcard = host.strip_prefix("*.");
        if let Some(parent) = wildcard
            && (!parent.contains('.') || check_host(parent).is_err())
        {
            return Err(error(
                "*. stands for one label before a host of at least two",
                "write it like https://*.dept.example.org",
            ));
        }
        // With a label in place of `*` it must be a plain web address.
        let sample = match wildcard {
            Some(_) => text.replacen("*.", "x.", 1),
            None => text.to_owned(),
        };
        let parts = Parts::parse(&sample).map_err(|cause| error(&cause.to_string(), example))?;
        let host = match wildcard {
            Some(_) => Host::OneLabelBefore(parts.host[1..].to_owned()),
            None => Host::Exact(parts.host.clone()),
        };
        Ok(Self {
            https: parts.https,
            host,
            port: parts.explicit_port(),
        })
    }
}

/// The rule in a few words, as an operator wrote it.
impl fmt::Display for ServiceRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = self.path_prefix.as_deref().unwrap_or_default();
        match &self.pattern {
            Pattern::Origin(origin) => write!(f, "{origin}{prefix}"),
            Pattern::Url { origin, path } => write!(f, "{origin}{path}"),
            Pattern::Regex { source, .. } => f.write_str(source),
            Pattern::Apereo(pattern) => f.write_str(pattern.as_str()),
            Pattern::Loopback => write!(f, "this machine{prefix}"),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.https { "https" } else { "http" };
        match &self.host {
            Host::Exact(host) => write!(f, "{scheme}://{host}")?,
            Host::OneLabelBefore(rest) => write!(f, "{scheme}://*{rest}")?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

impl Host {
    fn matches(&self, host: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == host,
            Self::OneLabelBefore(rest) => {
                host.strip_suffix(&**rest)
                    .is_some_and(|label| !label.is_empty() && !label.contains('.'))
                    && host.parse::<Ipv4Addr>().is_err()
            }
        }
    }
}

impl Parts {
    fn explicit_port(&self) -> Option<u16> {
        (self.port != if self.https { 443 } else { 80 }).then_some(self.port)
    }
}

/// Why a rule cannot be used: which field, what it holds, which rule that breaks, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} = \"{value}\": {rule}; {fix}")]
pub struct ServiceRuleError {
    field: &'static str,
    value: String,
    rule: String,
    fix: String,
}

impl ServiceRuleError {
    fn new(field: &'static str, value: &str, rule: &str, fix: &str) -> Self {
        let value = crate::read::safe_excerpt(value, 200);
        Self {
            field,
            value,
            rule: rule.to_owned(),
            fix: fix.to_owned(),
        }
    }

    /// The field at fault, as in a service definition: `origin`, `path_prefix`, `url`, `regex`, `any_port`.
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What the field holds: one line, bounded, escaped.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The rule that it breaks, in words.
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What to write instead.
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

/// Memory for a compiled expression (S-034).
const REGEX_BYTES: usize = 1 << 20;

const MAX_PATTERN_BYTES: usize = 2048;
