//! Settings, checked once.

use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;
use std::time::Duration;

use casque_proto::saml::SamlExpectation;
use casque_proto::{
    CasBase, Format, Limits, PgtUrl, ReadOptions, ServiceRule, Tolerance, ValidateEndpoint,
};
use url::Url;

use crate::client::NO_PROXIES;
use crate::exchange::{Exchange, Way};
use crate::transport::Http;
use crate::{Client, ClientError, blocking, tls};

/// The version of the CAS protocol by which tickets are validated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Protocol {
    /// `/validate`: a user name and nothing else, and refusals without a reason (R-112).
    Cas1,
    /// `/serviceValidate`: attributes only where the server chooses to send some (R-103).
    Cas2,
    /// `/p3/serviceValidate`: with attributes.
    #[default]
    Cas3,
    /// `/samlValidate`: SAML 1.1, with attributes (R-237). The login is asked for by `TARGET`, and the ticket comes back
    /// as `SAMLart`: read it with [`ticket_in_request`](casque_proto::query::ticket_in_request) and
    /// [`Client::ticket_mode`]. It knows no proxies.
    Saml11,
}

impl Protocol {
    /// `None` for proxies in CAS 1 and SAML 1.1.
    fn way(self, proxies: bool, tolerance: Duration) -> Option<Way> {
        Some(Way::Get(match (self, proxies) {
            (Self::Cas1, false) => ValidateEndpoint::Cas1,
            (Self::Cas1 | Self::Saml11, true) => return None,
            (Self::Saml11, false) => return Some(Way::Saml { tolerance }),
            (Self::Cas2, false) => ValidateEndpoint::Cas2,
            (Self::Cas2, true) => ValidateEndpoint::Cas2Proxy,
            (Self::Cas3, false) => ValidateEndpoint::Cas3,
            (Self::Cas3, true) => ValidateEndpoint::Cas3Proxy,
        }))
    }
}

/// Makes a [`Client`] or a [`blocking::Client`].
///
/// ```no_run
/// use std::time::Duration;
///
/// use casque_client::{Client, Protocol};
/// use casque_proto::Format;
///
/// let cas = Client::builder("https://cas.example.org/cas")
///     .protocol(Protocol::Cas3)
///     .format(Format::Json)
///     .timeout(Duration::from_secs(3))
///     .extra_roots_file("/etc/ssl/campus-root.pem")
///     .build()?;
/// # Ok::<(), casque_client::ClientError>(())
/// ```
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder<C = Client> {
    base: String,
    protocol: Protocol,
    format: Option<Format>,
    renew: bool,
    connect_timeout: Duration,
    timeout: Duration,
    max_body: usize,
    extra_roots: Vec<PathBuf>,
    plain_http: PlainHttp,
    tolerances: Vec<Tolerance>,
    clock_tolerance: Duration,
    pgt_url: Option<PgtUrl>,
    proxy_chains: Vec<ProxyChain>,
    builds: PhantomData<fn() -> C>,
}

/// To whom plain http may be spoken.
#[derive(Clone, Debug, PartialEq, Eq)]
enum PlainHttp {
    Nobody,
    Loopback,
    Host(String),
}

/// Through whom a user may come.
#[derive(Clone, Debug)]
enum ProxyChain {
    Exact(Vec<String>),
    Matching(Vec<ServiceRule>),
    Any,
}

impl<C> ClientBuilder<C> {
    pub(crate) fn new(base: impl Into<String>) -> Self {
        Self {
            base: base.into(),
            protocol: Protocol::default(),
            format: None,
            renew: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(5),
            max_body: Limits::default().bytes,
            extra_roots: Vec::new(),
            plain_http: PlainHttp::Nobody,
            tolerances: Vec::new(),
            clock_tolerance: SamlExpectation::TOLERANCE,
            pgt_url: None,
            proxy_chains: Vec::new(),
            builds: PhantomData,
        }
    }

    /// The protocol version. Default: [`Protocol::Cas3`]. No other one is tried when the server does not know it (SC-028).
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// The format to ask for, by CAS 2 and 3. Default: none is named, and servers answer XML.
    ///
    /// Both formats are read, whichever was asked for (R-143).
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// Whether only a password typed just now counts, at login and again at validation (S-013). Default: no.
    ///
    /// [`Client::renewing`] gives such a client later on.
    pub fn renew(mut self, renew: bool) -> Self {
        self.renew = renew;
        self
    }

    /// The longest time for a connection, TLS handshake included. Default: 5 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The longest time for the whole validation, connection and answer included. Default: 5 seconds (S-011).
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The largest answer, in bytes. Default: 256 KiB. Of a larger one nothing is used (R-018).
    pub fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// Trusts the root certificates of a PEM file too, besides the platform's. Call it again for more files.
    ///
    /// A server's own self-signed certificate does as well. The file is read when the client is built.
    pub fn extra_roots_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.extra_roots.push(path.into());
        self
    }

    /// Allows a base URL that begins with `http:` and whose host is this machine: for development and tests.
    ///
    /// Loopback means `localhost`, names below it, 127.0.0.0/8 and `[::1]`.
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = PlainHttp::Loopback;
        self
    }

    /// Allows a base URL that begins with `http:` for exactly this host, for a network that is protected otherwise.
    ///
    /// # Security
    ///
    /// Whoever can answer in the place of this host can sign in as anybody.
    pub fn allow_plain_http_to(mut self, host: impl Into<String>) -> Self {
        self.plain_http = PlainHttp::Host(host.into());
        self
    }

    /// Reads answers with a habit that is refused otherwise. Call it again for more.
    pub fn tolerance(mut self, tolerance: Tolerance) -> Self {
        self.tolerances.push(tolerance);
        self
    }

    /// How far the clocks of this machine and the server may differ, for SAML 1.1 (R-251). Default: 5 seconds.
    pub fn clock_tolerance(mut self, tolerance: Duration) -> Self {
        self.clock_tolerance = tolerance;
        self
    }

    /// Asks at each validation for a proxy-granting ticket, with which to call other applications as the user.
    ///
    /// The server sends it to this address, before it answers the validation, in a request of its own with `pgtIou` and
    /// `pgtId`; the answer then names the same `pgtIou`: see [`Assertion::proxy_granting_ticket_iou`]. Where the address
    /// cannot be called, or the server does not let this service act as a proxy, the validation fails or names none (R-199).
    /// With the ticket, ask for [`proxy_ticket`](Client::proxy_ticket)s.
    ///
    /// [`Assertion::proxy_granting_ticket_iou`]: casque_proto::Assertion::proxy_granting_ticket_iou
    pub fn pgt_url(mut self, pgt_url: PgtUrl) -> Self {
        self.pgt_url = Some(pgt_url);
        self
    }

    /// Accepts users who come through exactly these proxies, the most recent first; call it again for more chains.
    ///
    /// Proxies are named by their `pgt_url`. With any chain allowed, tickets are validated at `/proxyValidate` or
    /// `/p3/proxyValidate`, which take proxy tickets and ordinary ones. Default: nobody through any proxy (R-210, S-014).
    ///
    /// ```no_run
    /// # use casque_client::Client;
    /// let cas = Client::builder("https://cas.example.org/cas")
    ///     .allow_proxy_chain(["https://portal.example.org/cas/pgt"])
    ///     .build()?;
    /// # Ok::<(), casque_client::ClientError>(())
    /// ```
    pub fn allow_proxy_chain<I>(mut self, chain: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let urls = chain.into_iter().map(Into::into).collect();
        self.proxy_chains.push(ProxyChain::Exact(urls));
        self
    }

    /// As [`allow_proxy_chain`](Self::allow_proxy_chain), with a rule for each proxy in place of its exact URL, as for a
    /// portal on several hosts.
    pub fn allow_proxy_chain_matching(
        mut self,
        chain: impl IntoIterator<Item = ServiceRule>,
    ) -> Self {
        let rules = chain.into_iter().collect();
        self.proxy_chains.push(ProxyChain::Matching(rules));
        self
    }

    /// Accepts users whatever proxies they come through.
    ///
    /// # Security
    ///
    /// Judge [`Assertion::proxies`](casque_proto::Assertion::proxies) yourself then: every application that may act as a
    /// proxy at the CAS server can come as any user who has logged in there (S-014).
    pub fn allow_any_proxy_chain(mut self) -> Self {
        self.proxy_chains.push(ProxyChain::Any);
        self
    }

    fn parts(self) -> Result<(Exchange, Http, Duration), ClientError> {
        let base = self.base()?;
        for (setting, value) in [
            ("connect_timeout", self.connect_timeout),
            ("timeout", self.timeout),
        ] {
            if value.is_zero() {
                return Err(ClientError::misuse(setting, "it must be longer than zero"));
            }
        }
        if self.max_body == 0 {
            return Err(ClientError::misuse(
                "max_body",
                "it must be larger than zero",
            ));
        }
        let tls = if base.is_https() {
            tls::config(&self.extra_roots)?
        } else if self.extra_roots.is_empty() {
            tls::config_trusting_nobody()?
        } else {
            return Err(ClientError::misuse(
                "extra_roots_file",
                "the base URL begins with http:, so no certificate is looked at; write https: or leave the file out",
            ));
        };
        let http = Http::new(
            tls,
            base.is_https(),
            self.connect_timeout,
            self.timeout,
            self.max_body,
        )?;
        let mut limits = Limits::default();
        limits.bytes = self.max_body;
        let mut options = self.tolerances.iter().fold(
            ReadOptions::default().limits(limits),
            |options, tolerance| options.with_tolerance(*tolerance),
        );
        let knows_no_proxies = matches!(self.protocol, Protocol::Cas1 | Protocol::Saml11);
        let proxies = !self.proxy_chains.is_empty();
        let Some(way) = self.protocol.way(proxies, self.clock_tolerance) else {
            return Err(ClientError::misuse("allow_proxy_chain", NO_PROXIES));
        };
        if self.pgt_url.is_some() && knows_no_proxies {
            return Err(ClientError::misuse("pgt_url", NO_PROXIES));
        }
        for chain in self.proxy_chains {
            options = match chain {
                ProxyChain::Exact(urls) if urls.is_empty() => return Err(no_proxy_named()),
                ProxyChain::Matching(rules) if rules.is_empty() => return Err(no_proxy_named()),
                ProxyChain::Exact(urls) => options.allow_proxy_chain(urls),
                ProxyChain::Matching(rules) => options.allow_proxy_chain_matching(rules),
                ProxyChain::Any => options.allow_any_proxy_chain(),
            };
        }
        let format = if knows_no_proxies { None } else { self.format };
        Ok((
            Exchange::new(base, way, format, self.renew, self.pgt_url, options),
            http,
            self.timeout,
        ))
    }

    fn base(&self) -> Result<CasBase, ClientError> {
        let base = CasBase::parse_allowing_http(&self.base)
            .map_err(|error| ClientError::misuse("base URL", error.to_string()))?;
        if base.is_https() {
            return Ok(base);
        }
        let allowed = match &self.plain_http {
            PlainHttp::Nobody => false,
            PlainHttp::Loopback => base.is_loopback(),
            PlainHttp::Host(name) => {
                host_of(&base).is_some_and(|host| host.eq_ignore_ascii_case(name.trim()))
            }
        };
        if allowed {
            return Ok(base);
        }
        Err(ClientError::misuse("base URL", match &self.plain_http {
            PlainHttp::Nobody => {
                "it must begin with https:, or anybody on the way could sign in as anybody; for a server on this machine \
                 there is allow_plain_http"
                    .to_owned()
            }
            PlainHttp::Loopback => {
                "it begins with http: and its host is not this machine, so allow_plain_http does not cover it; write \
                 https:, or name the host with allow_plain_http_to"
                    .to_owned()
            }
            PlainHttp::Host(name) => {
                format!("it begins with http: and its host is not the one that plain http is allowed to, {name:?}")
            }
        }))
    }
}

impl ClientBuilder<Client> {
    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Misuse`] where a setting is wrong, a file of roots unreadable or without certificates; it names the
    /// setting and the file.
    pub fn build(self) -> Result<Client, ClientError> {
        let (exchange, http, _) = self.parts()?;
        Ok(Client::new(exchange, http))
    }
}

impl ClientBuilder<blocking::Client> {
    /// Makes the client. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// [`ClientError::Misuse`] where a setting is wrong, a file of roots unreadable or without certificates; it names the
    /// setting and the file.
    pub fn build(self) -> Result<blocking::Client, ClientError> {
        let (exchange, http, timeout) = self.parts()?;
        blocking::Client::new(Client::new(exchange, http), timeout)
    }
}

impl<C> fmt::Debug for ClientBuilder<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("base", &self.base)
            .field("protocol", &self.protocol)
            .field("format", &self.format)
            .field("renew", &self.renew)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_body", &self.max_body)
            .field("extra_roots", &self.extra_roots)
            .field("plain_http", &self.plain_http)
            .field("tolerances", &self.tolerances)
            .field("clock_tolerance", &self.clock_tolerance)
            .field("pgt_url", &self.pgt_url)
            .field("proxy_chains", &self.proxy_chains)
            .finish_non_exhaustive()
    }
}

fn no_proxy_named() -> ClientError {
    ClientError::misuse(
        "allow_proxy_chain",
        "a chain needs a proxy; who comes through none is always accepted",
    )
}

fn host_of(base: &CasBase) -> Option<String> {
    Url::parse(base.as_str())
        .ok()?
        .host_str()
        .map(ToOwned::to_owned)
}
