//! Setting up an application's side of CAS.

mod companions;

use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use casque_client::{Client, ClientBuilder};
use casque_proto::{CasBase, PgtUrl};
use casque_store::{Clock, MemoryStore, SharedStore, SystemClock};
use ipnet::IpNet;

use self::companions::ProxyChain;
use crate::app::{AfterLogout, App, Parts};
use crate::env::Settings;
use crate::error::{CasError, without_credentials};
use crate::keys::{KeyRing, SecretKey};
use crate::proxying::Proxying;
use crate::receptor::Receptor;
use crate::session::Sessions;
use crate::single_logout::SingleLogout;
use crate::site::{PathPrefix, Site, is_loopback};

/// The setting that names login page and callback at once.
const LOGIN_URL: &str = "LOGIN_URL";

const HOUR: Duration = Duration::from_hours(1);

/// Settings of the client that asks the CAS server.
type Asking = ClientBuilder<Client>;

type ClientOptions = Arc<dyn Fn(Asking) -> Asking + Send + Sync>;

/// Settings of an application, one method each. Only [`provider`](Self::provider) and
/// [`service_base`](Self::service_base) are needed.
///
/// `T` is what [`build`](Self::build) makes: [`App`], or an adapter's type around it.
pub struct AppBuilder<T = App> {
    provider: Option<String>,
    bases: Vec<String>,
    callback: Option<String>,
    login: String,
    logout: String,
    landing: String,
    after_logout: AfterLogout,
    prefix: PathPrefix,
    absolute: Duration,
    idle: Duration,
    cookie_name: String,
    key: Option<SecretKey>,
    previous_keys: Vec<SecretKey>,
    store: Option<SharedStore>,
    clock: Option<Arc<dyn Clock>>,
    allow_unsolicited: bool,
    login_marker: bool,
    slo: SingleLogout,
    slo_sources: Vec<String>,
    proxying: Option<String>,
    pgt_sources: Vec<String>,
    proxy_chains: Vec<ProxyChain>,
    extra_roots: Option<PathBuf>,
    client_options: Vec<ClientOptions>,
    names: Names,
    built: PhantomData<fn() -> T>,
}

/// What the settings are called by whoever wrote them, for messages.
#[derive(Clone, Copy, Debug)]
struct Names {
    provider: &'static str,
    base: &'static str,
    callback: &'static str,
    login: &'static str,
}

impl<T: From<App>> AppBuilder<T> {
    /// Begins with the defaults.
    pub fn new() -> Self {
        Self {
            provider: None,
            bases: Vec::new(),
            callback: None,
            login: "/login".to_owned(),
            logout: "/logout".to_owned(),
            landing: "/".to_owned(),
            after_logout: AfterLogout::Application("/".to_owned()),
            prefix: PathPrefix::default(),
            absolute: 8 * HOUR,
            idle: 2 * HOUR,
            cookie_name: "casque".to_owned(),
            key: None,
            previous_keys: Vec::new(),
            store: None,
            clock: None,
            allow_unsolicited: false,
            login_marker: false,
            slo: SingleLogout::default(),
            slo_sources: Vec::new(),
            proxying: None,
            pgt_sources: Vec::new(),
            proxy_chains: Vec::new(),
            extra_roots: None,
            client_options: Vec::new(),
            names: Names {
                provider: "provider",
                base: "service base",
                callback: "callback path",
                login: "login path",
            },
            built: PhantomData,
        }
    }

    /// Begins with what `CAS_PROVIDER`, `SERVICE_URL` and `LOGIN_URL` say, in the environment or in
    /// `.env`; see [`Settings`]. Login page and callback are one path then, as in the seed.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn from_env() -> Result<Self, CasError> {
        Ok(Self::from_settings(&Settings::from_env()?))
    }

    /// Begins with settings that have been read.
    pub fn from_settings(settings: &Settings) -> Self {
        let mut builder = Self::new()
            .provider(settings.provider())
            .service_base(settings.base())
            .login_path(settings.login_path())
            .callback_path(settings.login_path());
        builder.names = Names {
            provider: "CAS_PROVIDER",
            base: "SERVICE_URL",
            callback: LOGIN_URL,
            login: LOGIN_URL,
        };
        builder
    }

    /// The CAS server's base URL, such as `https://cas.example.org/cas`. Plain http is for loopback.
    #[must_use]
    pub fn provider(mut self, url: impl Into<String>) -> Self {
        self.provider = Some(url.into());
        self.names.provider = "provider";
        self
    }

    /// The application's own address as browsers see it: origin and, if any, path prefix, such as
    /// `https://example.org/app`. It says https also where a proxy ends TLS and the socket is http.
    ///
    /// Called again, it adds another address. For a request the one is used whose host and port
    /// equal its `Host` exactly, and among those of one host the one with the longest path prefix
    /// of its path; else the first.
    #[must_use]
    pub fn service_base(mut self, url: impl Into<String>) -> Self {
        self.bases.push(url.into());
        self.names.base = "service base";
        self
    }

    /// Where tickets and single logout arrive, below the base; `/cas/callback` by default. One that
    /// ends in a slash is answered without it, too. The URL
    /// of this path is the one service for login and validation: register it at the CAS server.
    #[must_use]
    pub fn callback_path(mut self, path: impl Into<String>) -> Self {
        self.callback = Some(path.into());
        self.names.callback = "callback path";
        self
    }

    /// Where a login starts; `/login` by default. May be the callback path.
    #[must_use]
    pub fn login_path(mut self, path: impl Into<String>) -> Self {
        self.login = path.into();
        self.names.login = "login path";
        self
    }

    /// Where the logout is; `/logout` by default.
    #[must_use]
    pub fn logout_path(mut self, path: impl Into<String>) -> Self {
        self.logout = path.into();
        self
    }

    /// Where the browser goes after a login that began on no particular page; `/` by default.
    #[must_use]
    pub fn landing(mut self, path: impl Into<String>) -> Self {
        self.landing = path.into();
        self
    }

    /// Where the browser goes after the logout; to the CAS server and back to `/` by default.
    #[must_use]
    pub fn after_logout(mut self, after: AfterLogout) -> Self {
        self.after_logout = after;
        self
    }

    /// Whether the base's path prefix stands in arriving requests; seen from each by default.
    #[must_use]
    pub fn path_prefix(mut self, prefix: PathPrefix) -> Self {
        self.prefix = prefix;
        self
    }

    /// How long a session lives at most; 8 hours by default.
    #[must_use]
    pub fn session_lifetime(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// How long a session lives without a request; 2 hours by default.
    #[must_use]
    pub fn session_idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Name of the session cookie, without the `__Host-` that it gets over https; `casque` by
    /// default. The login cookie adds `-login`. Two applications on one host need two names.
    #[must_use]
    pub fn cookie_name(mut self, name: impl Into<String>) -> Self {
        self.cookie_name = name.into();
        self
    }

    /// The secret key; made at start by default, so that sessions end with the process. Needed
    /// where several processes serve the application or the store outlives them.
    #[must_use]
    pub fn key(mut self, key: SecretKey) -> Self {
        self.key = Some(key);
        self
    }

    /// A key used before, which still opens what it made. Remove it when the longest session has
    /// ended.
    #[must_use]
    pub fn previous_key(mut self, key: SecretKey) -> Self {
        self.previous_keys.push(key);
        self
    }

    /// Where sessions are kept; in memory by default. See [`casque_store::open`].
    #[must_use]
    pub fn store(mut self, store: SharedStore) -> Self {
        self.store = Some(store);
        self
    }

    /// The clock, for tests. A store given by [`store`](Self::store) has its own: use the same.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Accepts tickets that this browser did not ask for, for links from a portal.
    ///
    /// # Security
    ///
    /// Another site can then sign a visitor in as somebody else, such as the attacker (login CSRF,
    /// S-054). Off by default.
    #[must_use]
    pub fn allow_unsolicited(mut self, allow: bool) -> Self {
        self.allow_unsolicited = allow;
        self
    }

    /// Binds every ticket to the login that asked for it: each login's service URL is the callback
    /// with an unguessable marker (`?casque=…`), and a ticket counts only with the marker of a login
    /// that is pending in this browser. Register the callback at the CAS server by prefix then.
    ///
    /// Off by default: the service is exactly the callback's URL, which a CAS server that compares
    /// exactly accepts, and a ticket counts in a browser with any login pending.
    ///
    /// # Security
    ///
    /// Without it a risk remains: an attacker who makes a visitor begin a login, and within ten
    /// minutes follow a link with a ticket of the attacker's own, signs them in as the attacker
    /// (login CSRF in two steps, S-054). With it that fails, and several tabs each come back to
    /// their own page whatever the order; without it the newest page asked for comes first.
    #[must_use]
    pub fn login_marker(mut self, bind: bool) -> Self {
        self.login_marker = bind;
        self
    }

    /// A PEM file of roots to trust at the CAS server besides the usual ones.
    #[must_use]
    pub fn extra_roots_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.extra_roots = Some(path.into());
        self
    }

    /// Changes the client that asks the CAS server: protocol version, timeouts, tolerances.
    #[must_use]
    pub fn client_options(
        mut self,
        options: impl Fn(ClientBuilder<Client>) -> ClientBuilder<Client> + Send + Sync + 'static,
    ) -> Self {
        self.client_options.push(Arc::new(options));
        self
    }

    /// Checks the settings and sets everything up. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn build(self) -> Result<T, CasError> {
        let callback = self
            .callback
            .clone()
            .unwrap_or_else(|| "/cas/callback".to_owned());
        let names = self.names;
        // Who wrote a URL is told about a URL.
        let written = |name, path: &str| match self.bases.first() {
            Some(base) if name == LOGIN_URL => format!("{base}{path}"),
            _ => path.to_owned(),
        };
        for (name, path) in [
            (names.callback, &callback),
            (names.login, &self.login),
            ("logout path", &self.logout),
        ] {
            check_path(name, path, &written(name, path))?;
        }
        let bare = |path: &str| path.strip_suffix('/').unwrap_or(path).to_owned();
        let is_logout = |path: &str| bare(path) == bare(&self.logout);
        for (name, path) in [(names.callback, &callback), (names.login, &self.login)] {
            if name == LOGIN_URL && is_logout(path) {
                return Err(CasError::setting(
                    name,
                    &written(name, path),
                    &format!("the logout is at {path}, too"),
                    "give the login page another path, such as /login",
                ));
            }
        }
        if is_logout(&callback) || is_logout(&self.login) {
            return Err(CasError::setting(
                "logout path",
                &self.logout,
                "it is the path of the login, too",
                "give login and logout a path each",
            ));
        }
        self.check_proxying_path(&callback)?;
        if self.login_marker && self.allow_unsolicited {
            return Err(CasError::setting(
                "login_marker",
                "true",
                "allow_unsolicited, which is on as well, takes tickets that no login asked for",
                "turn one of the two off",
            ));
        }
        check_cookie_name(&self.cookie_name)?;
        if self.bases.is_empty() {
            return Err(CasError::setting(
                names.base,
                "",
                "the application's own address is not set",
                "give the address that browsers use with service_base(\"https://app.example.org\")",
            ));
        }
        let mut sites = Vec::with_capacity(self.bases.len());
        for base in &self.bases {
            sites.push(Site::new(
                names.base,
                base,
                &callback,
                &self.landing,
                &self.cookie_name,
                self.prefix,
            )?);
        }
        let client = self.client(&[])?;
        let proxied_client = match self.proxy_chains.as_slice() {
            [] => None,
            chains => Some(self.client(chains)?),
        };
        let clock = self
            .clock
            .clone()
            .unwrap_or_else(|| Arc::new(SystemClock::new()));
        let store = self
            .store
            .clone()
            .unwrap_or_else(|| Arc::new(MemoryStore::new(Arc::clone(&clock))));
        let key = self.key.clone().unwrap_or_else(SecretKey::generate);
        let ring = KeyRing::new(&key, &self.previous_keys);
        let proxying = self.receptor(&sites, &client, &store, &clock, &ring)?;
        let sessions = Sessions::new(
            store,
            Arc::clone(&clock),
            ring.clone(),
            self.absolute,
            self.idle,
        );
        let slo = SingleLogout {
            sources: networks("slo_sources", &self.slo_sources)?,
            ..self.slo
        };
        Ok(T::from(App::new(Parts {
            sites,
            callback,
            login: self.login,
            logout: self.logout,
            landing: self.landing,
            after_logout: self.after_logout,
            renewing_client: client.renewing(),
            client,
            sessions,
            ring,
            clock,
            allow_unsolicited: self.allow_unsolicited,
            login_marker: self.login_marker,
            slo,
            proxying,
            proxied_client,
        })))
    }

    fn check_proxying_path(&self, callback: &str) -> Result<(), CasError> {
        let Some(path) = &self.proxying else {
            return Ok(());
        };
        check_path("proxying path", path, path)?;
        let bare = path.trim_end_matches('/');
        let others = [callback, &self.login, &self.logout, &self.landing];
        if others
            .iter()
            .any(|other| other.trim_end_matches('/') == bare)
        {
            return Err(CasError::setting(
                "proxying path",
                path,
                "it is the path of another page, too",
                "give proxy-granting tickets a path of their own, such as /cas/pgt",
            ));
        }
        Ok(())
    }

    fn receptor(
        &self,
        sites: &[Site],
        client: &Client,
        store: &SharedStore,
        clock: &Arc<dyn Clock>,
        ring: &KeyRing,
    ) -> Result<Option<Proxying>, CasError> {
        let Some(path) = &self.proxying else {
            return Ok(None);
        };
        let mut pgt_urls = Vec::with_capacity(sites.len());
        for site in sites {
            let address = site.url(path);
            let pgt_url = PgtUrl::parse_allowing_http_on_loopback(&address).map_err(|error| {
                CasError::setting(
                    "proxying path",
                    path,
                    &format!("it gives the address {address}, which cannot be called: {error}"),
                    "give the application an address that CAS servers call, such as \
                     https://app.example.org",
                )
            })?;
            client
                .with_pgt_url(pgt_url.clone())
                .map_err(|error| CasError::Client(Box::new(error)))?;
            pgt_urls.push(pgt_url);
        }
        Ok(Some(Proxying {
            path: path.clone(),
            pgt_urls,
            receptor: Receptor::new(Arc::clone(store), Arc::clone(clock), ring.clone()),
            sources: networks("pgt_sources", &self.pgt_sources)?,
        }))
    }

    fn client(&self, proxy_chains: &[ProxyChain]) -> Result<Client, CasError> {
        let provider = self.provider.as_deref().ok_or_else(|| {
            CasError::setting(
                self.names.provider,
                "",
                "the CAS server's address is not set",
                "give it with provider(\"https://cas.example.org/cas\")",
            )
        })?;
        if let Err(error) = CasBase::parse_allowing_http(provider) {
            return Err(CasError::setting(
                self.names.provider,
                provider,
                &error.to_string(),
                "give the CAS server's base URL, such as https://cas.example.org/cas",
            ));
        }
        let mut builder = Client::builder(provider);
        if let Ok(url) = url::Url::parse(provider)
            && url.scheme() == "http"
        {
            if !is_loopback(&url) {
                return Err(CasError::setting(
                    self.names.provider,
                    provider,
                    "over plain http anyone on the network can sign in as anyone",
                    "use https; http is for loopback only",
                ));
            }
            builder = builder.allow_plain_http();
        }
        if let Some(path) = &self.extra_roots {
            builder = builder.extra_roots_file(path);
        }
        for options in &self.client_options {
            builder = options(builder);
        }
        for chain in proxy_chains {
            builder = chain.allow(builder);
        }
        builder
            .build()
            .map_err(|error| CasError::Client(Box::new(error)))
    }
}

impl<T: From<App>> Default for AppBuilder<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> std::fmt::Debug for AppBuilder<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let provider = self.provider.as_deref().map(without_credentials);
        let bases: Vec<_> = self.bases.iter().map(|b| without_credentials(b)).collect();
        f.debug_struct("AppBuilder")
            .field("provider", &provider)
            .field("bases", &bases)
            .field("callback", &self.callback)
            .field("login", &self.login)
            .field("logout", &self.logout)
            .finish_non_exhaustive()
    }
}

fn check_path(name: &'static str, path: &str, written: &str) -> Result<(), CasError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let segments_fit = !path.split('/').any(|s| matches!(s, "." | "..")) && !path.contains("//");
    if path.len() > 1 && path.starts_with('/') && path.bytes().all(plain) && segments_fit {
        return Ok(());
    }
    Err(CasError::setting(
        name,
        written,
        "it is not a plain path of its own",
        "begin with / and use letters, digits and - . _ ~ only, such as /cas/callback",
    ))
}

fn check_cookie_name(name: &str) -> Result<(), CasError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(CasError::setting(
        "cookie name",
        name,
        "it cannot be a cookie's name",
        "use letters, digits, - and _ only",
    ))
}

fn networks(name: &'static str, texts: &[String]) -> Result<Vec<IpNet>, CasError> {
    texts.iter().map(|text| network(name, text)).collect()
}

fn network(name: &'static str, text: &str) -> Result<IpNet, CasError> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from))
        .map_err(|_| {
            CasError::setting(
                name,
                text,
                "it is neither a network nor an address",
                "write it as 192.0.2.0/24 or 2001:db8::/32",
            )
        })
}
