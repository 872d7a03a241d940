//! The address of a CAS server, and every URL below it.

use std::fmt;

use url::Url;

use crate::encode::push_pair;
use crate::endpoint::Endpoint;
use crate::pgt_url::PgtUrl;
use crate::service_response::Format;
use crate::service_url::{ServiceUrl, TicketMode};
use crate::ticket::{ProxyGrantingTicket, ServiceTicket};

/// The base URL of a CAS server, such as `https://cas.example.org/cas` (R-001, R-016).
///
/// ```
/// # use casque_proto::{CasBase, LoginOptions, ServiceUrl};
/// let base = CasBase::parse("https://cas.example.org/cas/")?;
/// let service = ServiceUrl::parse("https://app.example.org/?a=1&b=2")?;
/// assert_eq!(
///     base.login_url(&service, &LoginOptions::default()),
///     "https://cas.example.org/cas/login?service=https%3A%2F%2Fapp.example.org%2F%3Fa%3D1%26b%3D2",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CasBase {
    /// Without a trailing slash.
    text: String,
    /// Where the login page is not at `<base>/login`.
    login: Option<String>,
}

impl CasBase {
    /// Reads an `https` base URL. A trailing slash makes no difference.
    ///
    /// # Errors
    ///
    /// [`CasBaseError`] says what is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, CasBaseError> {
        let base = Self::parse_allowing_http(text)?;
        if base.is_https() {
            Ok(base)
        } else {
            Err(CasBaseError::NotHttps)
        }
    }

    /// Reads an `https` or `http` base URL, for tests and loopback.
    ///
    /// # Errors
    ///
    /// [`CasBaseError`] says what is wrong and what to write instead.
    pub fn parse_allowing_http(text: &str) -> Result<Self, CasBaseError> {
        let url = parse_web_url(text)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(CasBaseError::QueryOrFragment);
        }
        Ok(Self {
            text: url.as_str().trim_end_matches('/').to_owned(),
            login: None,
        })
    }

    /// The same server with another login page, such as `https://cas.example.org/cas/login?locale=fr` (R-036).
    ///
    /// # Errors
    ///
    /// [`CasBaseError`] where it is not an absolute URL without fragment, or `http` beside an `https` base.
    pub fn with_login_page(mut self, login: &str) -> Result<Self, CasBaseError> {
        let url = parse_web_url(login)?;
        if self.is_https() && url.scheme() != "https" {
            return Err(CasBaseError::NotHttps);
        }
        if url.fragment().is_some() {
            return Err(CasBaseError::QueryOrFragment);
        }
        self.login = Some(url.into());
        Ok(self)
    }

    /// The base URL without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is `https`.
    pub fn is_https(&self) -> bool {
        self.text.starts_with("https:")
    }

    /// Whether the host is the machine itself: `localhost`, a name below it, `127.0.0.0/8` or `[::1]`.
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.text).is_ok_and(|url| match url.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        })
    }

    /// The URL of an endpoint, without a query.
    pub fn endpoint(&self, endpoint: Endpoint) -> String {
        format!("{}/{}", self.text, endpoint.path())
    }

    /// The URL of an endpoint with these parameters, in order. Every value is percent-encoded, whatever it holds (R-003, R-004).
    pub fn endpoint_with(&self, endpoint: Endpoint, parameters: &[(&str, &str)]) -> String {
        let mut url = self.endpoint(endpoint);
        for (name, value) in parameters {
            push_pair(&mut url, name, value);
        }
        url
    }

    /// Where a browser is sent to log in (R-036).
    pub fn login_url(&self, service: &ServiceUrl, options: &LoginOptions) -> String {
        let mut url = self
            .login
            .clone()
            .unwrap_or_else(|| self.endpoint(Endpoint::Login));
        let name = match options.ticket_mode {
            TicketMode::Cas => "service",
            TicketMode::Saml => "TARGET",
        };
        push_pair(&mut url, name, service.without_fragment());
        if options.renew {
            push_pair(&mut url, "renew", "true");
        }
        // Never both in one request (R-007); a server would ignore `gateway` (R-026).
        if options.gateway && !options.renew {
            push_pair(&mut url, "gateway", "true");
        }
        if let Some(method) = options.method {
            push_pair(&mut url, "method", method.as_str());
        }
        url
    }

    /// Where a browser is sent to log out, to come back to `service` if one is given (R-072).
    pub fn logout_url(&self, service: Option<&ServiceUrl>) -> String {
        let service = service.map(|service| ("service", service.without_fragment()));
        self.endpoint_with(Endpoint::Logout, service.as_slice())
    }

    /// Where a ticket is validated (R-093). Parameters in the order service, ticket, pgtUrl, renew, format.
    ///
    /// `/validate` knows no `pgtUrl` and no `format`: they are left out. At `samlValidate` the ticket travels in the
    /// body, and the service as `TARGET` (R-237).
    pub fn validate_url(
        &self,
        endpoint: Endpoint,
        service: &ServiceUrl,
        ticket: &ServiceTicket,
        options: &ValidateOptions,
    ) -> String {
        let mut url = self.endpoint(endpoint);
        if endpoint == Endpoint::SamlValidate {
            push_pair(&mut url, "TARGET", service.without_fragment());
        } else {
            push_pair(&mut url, "service", service.without_fragment());
            push_pair(&mut url, "ticket", ticket.secret());
        }
        let extended = !matches!(endpoint, Endpoint::Validate | Endpoint::SamlValidate);
        if let Some(pgt_url) = options.pgt_url.as_ref().filter(|_| extended) {
            push_pair(&mut url, "pgtUrl", pgt_url.as_str());
        }
        if options.renew {
            push_pair(&mut url, "renew", "true");
        }
        if let Some(format) = options.format.filter(|_| extended) {
            push_pair(&mut url, "format", format.as_str());
        }
        url
    }

    /// Where a proxy ticket for `target_service` is obtained (R-204). The target need not be a URL (R-205).
    pub fn proxy_url(&self, pgt: &ProxyGrantingTicket, target_service: &ServiceUrl) -> String {
        self.endpoint_with(
            Endpoint::Proxy,
            &[
                ("pgt", pgt.secret()),
                ("targetService", target_service.without_fragment()),
            ],
        )
    }
}

impl fmt::Debug for CasBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CasBase").field(&self.text).finish()
    }
}

impl fmt::Display for CasBase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for CasBase {
    type Err = CasBaseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// What a login asks for beside the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LoginOptions {
    /// Ask for the password even in a single sign-on session (specification §2.1.1).
    pub renew: bool,
    /// Come back without a ticket instead of showing the login form. Ignored with `renew`.
    pub gateway: bool,
    /// How the ticket comes back. A server redirects if nothing is said.
    pub method: Option<LoginMethod>,
    /// Under which name the ticket comes back; by SAML 1.1 it is asked for as `TARGET` (R-019, R-050).
    pub ticket_mode: TicketMode,
}

impl LoginOptions {
    /// Sets `renew`.
    #[must_use]
    pub fn renew(mut self, renew: bool) -> Self {
        self.renew = renew;
        self
    }

    /// Sets `gateway`.
    #[must_use]
    pub fn gateway(mut self, gateway: bool) -> Self {
        self.gateway = gateway;
        self
    }

    /// Sets `method`.
    #[must_use]
    pub fn method(mut self, method: LoginMethod) -> Self {
        self.method = Some(method);
        self
    }

    /// Sets `ticket_mode`.
    #[must_use]
    pub fn ticket_mode(mut self, mode: TicketMode) -> Self {
        self.ticket_mode = mode;
        self
    }
}

/// How a ticket is delivered to the service (R-035).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoginMethod {
    /// By a redirect; also called `REDIRECT`.
    Get,
    /// By a form that the browser posts.
    Post,
    /// By the response headers `service` and `ticket`.
    Header,
}

impl LoginMethod {
    /// The value of the parameter `method`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Header => "HEADER",
        }
    }

    /// Reads the parameter in any case; `REDIRECT` is `GET`.
    pub fn from_name(name: &str) -> Option<Self> {
        [
            ("GET", Self::Get),
            ("REDIRECT", Self::Get),
            ("POST", Self::Post),
            ("HEADER", Self::Header),
        ]
        .into_iter()
        .find_map(|(known, method)| known.eq_ignore_ascii_case(name).then_some(method))
    }
}

/// What a validation asks for beside service and ticket.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ValidateOptions {
    /// Accept only a ticket from a fresh login with credentials (R-101).
    pub renew: bool,
    /// The form of the answer. A server answers in XML if nothing is said.
    pub format: Option<Format>,
    /// Where the server sends a proxy-granting ticket (R-192).
    pub pgt_url: Option<PgtUrl>,
}

impl ValidateOptions {
    /// Sets `renew`.
    #[must_use]
    pub fn renew(mut self, renew: bool) -> Self {
        self.renew = renew;
        self
    }

    /// Sets `format`.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Sets `pgtUrl`.
    #[must_use]
    pub fn pgt_url(mut self, pgt_url: PgtUrl) -> Self {
        self.pgt_url = Some(pgt_url);
        self
    }
}

/// Why a text is not the base URL of a CAS server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CasBaseError {
    /// Not an absolute URL.
    #[error("not an absolute URL such as https://cas.example.org/cas ({0})")]
    NotAUrl(url::ParseError),
    /// Another scheme than https, or than http where that is allowed.
    #[error("the CAS server must be reached by https")]
    NotHttps,
    /// `user@` before the host.
    #[error("the URL of the CAS server must not hold user information")]
    UserInfo,
    /// `?` or `#`.
    #[error(
        "the URL of the CAS server must end with its path: leave out everything from ? or # on"
    )]
    QueryOrFragment,
    /// More than 2048 bytes.
    #[error("the URL of the CAS server is longer than 2048 bytes")]
    TooLong,
    /// White space, a control character, or a backslash.
    #[error("the URL of the CAS server holds {0:?}")]
    Character(char),
}

fn parse_web_url(text: &str) -> Result<Url, CasBaseError> {
    // The url crate would drop these silently, or read a backslash as a slash.
    if let Some(c) = text
        .chars()
        .find(|c| c.is_control() || c.is_whitespace() || *c == '\\')
    {
        return Err(CasBaseError::Character(c));
    }
    if text.len() > MAX_BASE_BYTES {
        return Err(CasBaseError::TooLong);
    }
    let url = Url::parse(text).map_err(CasBaseError::NotAUrl)?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(CasBaseError::NotHttps);
    }
    let rest = &text[url.scheme().len() + 1..];
    if !rest.starts_with("//") || rest.starts_with("///") {
        return Err(CasBaseError::NotAUrl(url::ParseError::EmptyHost));
    }
    if rest[2..]
        .split('/')
        .next()
        .is_some_and(|authority| authority.contains('@'))
    {
        return Err(CasBaseError::UserInfo);
    }
    // What the url crate takes and http does not, such as `!` in a host.
    if url.as_str().parse::<http::Uri>().is_err() {
        return Err(CasBaseError::NotAUrl(
            url::ParseError::InvalidDomainCharacter,
        ));
    }
    Ok(url)
}

/// With service and ticket at their limits, a request still fits into an [`http::Uri`].
const MAX_BASE_BYTES: usize = 2048;
