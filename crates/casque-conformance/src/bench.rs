//! What every case works with: the server, a service, a callback, somebody signed in.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use casque_proto::{Assertion, ReadError, ReadOptions, ServiceResponse};
use casque_visitor::{
    Agent, Answer, Cookie, Delivered, Reached, Request, Trace, Visitor, query_of,
};
use url::Url;

use crate::listener::{Authority, Listener};
use crate::verdict::{Judged, absent, broken, skipped};

/// What the kit is told.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The server's base URL, such as `https://cas.example.org/cas`.
    pub cas_url: String,
    /// Somebody who can log in.
    pub username: String,
    /// Their password.
    pub password: String,
    /// The beginning of service URLs that the server takes; without it, the kit's own listener.
    pub service_url_base: Option<String>,
    /// Where the kit's service listens.
    pub listen: SocketAddr,
    /// Where the kit's callback for proxy-granting tickets listens.
    pub callback_listen: SocketAddr,
    /// The beginning of that callback's URL as the server reaches it; without it, `https://localhost` and its port.
    pub callback_url_base: Option<String>,
    /// A service that is not registered.
    pub unregistered_service: String,
    /// Certificates to trust besides those of the platform.
    pub ca_file: Option<PathBuf>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How long a message from the server is waited for.
    pub patience: Duration,
    /// How long a ticket lives, where the kit may wait that long to see one expire.
    pub ticket_lifetime: Option<Duration>,
}

impl Settings {
    /// The usual ones for a server and somebody who can log in.
    pub fn new(
        cas_url: impl Into<String>,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            cas_url: cas_url.into(),
            username: username.into(),
            password: password.into(),
            service_url_base: None,
            listen: any,
            callback_listen: any,
            callback_url_base: None,
            unregistered_service: "https://casque-conformance.invalid/app".to_owned(),
            ca_file: None,
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(3),
            ticket_lifetime: None,
        }
    }
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("cas_url", &self.cas_url)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The running kit.
pub(crate) struct Bench {
    pub(crate) settings: Settings,
    pub(crate) agent: Agent,
    pub(crate) trace: Trace,
    pub(crate) base: String,
    pub(crate) service_base: String,
    pub(crate) plain: Listener,
    pub(crate) callback: Listener,
    pub(crate) callback_base: String,
    pub(crate) root_pem: String,
    session: Option<Visitor>,
    endpoints: HashMap<&'static str, bool>,
    open_mode: Option<bool>,
}

/// The endpoints that answer in XML or JSON.
pub(crate) const VALIDATORS: [&str; 4] = [
    "serviceValidate",
    "p3/serviceValidate",
    "proxyValidate",
    "p3/proxyValidate",
];

/// An answer of a validation endpoint.
pub(crate) struct Validation {
    pub(crate) endpoint: &'static str,
    pub(crate) answer: Answer,
    pub(crate) response: Result<ServiceResponse, ReadError>,
}

impl Validation {
    /// The assertion of a success.
    pub(crate) fn success(self) -> Judged<Assertion> {
        match self.response {
            Ok(ServiceResponse::Success(assertion)) => Ok(assertion),
            Ok(ServiceResponse::Failure(failure)) => broken(format!(
                "/{}: a good ticket is refused: {}",
                self.endpoint,
                failure.code().map_or("(no code)", |code| code.as_str())
            )),
            Err(error) => broken(format!(
                "/{}: the answer is not CAS: {error}",
                self.endpoint
            )),
        }
    }

    /// Refused, with the code.
    pub(crate) fn refused(&self) -> Judged<String> {
        match &self.response {
            Ok(ServiceResponse::Failure(failure)) => Ok(failure
                .code()
                .map_or(String::new(), |code| code.as_str().to_owned())),
            Ok(ServiceResponse::Success(_)) => {
                broken(format!("/{}: validation succeeds", self.endpoint))
            }
            Err(error) => broken(format!(
                "/{}: the answer is not CAS: {error}",
                self.endpoint
            )),
        }
    }

    /// Refused, and with one of these codes.
    pub(crate) fn refused_with(&self, codes: &[&str]) -> Judged {
        let code = self.refused()?;
        if codes.contains(&code.as_str()) {
            Ok(())
        } else {
            broken(format!(
                "/{}: the code is {code:?}, not {}",
                self.endpoint,
                codes.join(" or ")
            ))
        }
    }
}

impl Bench {
    /// # Errors
    ///
    /// In words, where a listener or the HTTP client cannot start.
    pub(crate) async fn start(settings: Settings) -> Result<Self, String> {
        let trace = Trace::default();
        let agent = Agent::new(
            concat!("casque-conformance/", env!("CARGO_PKG_VERSION")),
            settings.ca_file.as_deref(),
            settings.timeout,
            trace.clone(),
        )?;
        let url = Url::parse(&settings.cas_url)
            .map_err(|error| format!("--cas {}: {error}", settings.cas_url))?;
        if !matches!(url.scheme(), "http" | "https") || url.query().is_some() {
            return Err(format!(
                "--cas {}: not the base URL of a server",
                settings.cas_url
            ));
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(format!(
                "--cas {}: a password is not sent by plain http to another machine",
                settings.cas_url
            ));
        }
        let words = |error: std::io::Error| format!("cannot listen: {error}");
        let plain = Listener::start(settings.listen, None)
            .await
            .map_err(words)?;
        let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        if let Some(base) = &settings.callback_url_base {
            let host = Url::parse(base)
                .ok()
                .and_then(|url| url.host_str().map(ToOwned::to_owned));
            names.push(host.ok_or_else(|| format!("{base} is no URL"))?);
            names.dedup();
        }
        let authority = Authority::new(names)?;
        let callback = Listener::start(settings.callback_listen, Some(authority.server))
            .await
            .map_err(words)?;
        let with_slash = |text: &str| format!("{}/", text.trim_end_matches('/'));
        Ok(Self {
            base: settings.cas_url.trim_end_matches('/').to_owned(),
            service_base: settings.service_url_base.as_deref().map_or_else(
                || format!("http://127.0.0.1:{}/", plain.address.port()),
                with_slash,
            ),
            callback_base: settings.callback_url_base.as_deref().map_or_else(
                || format!("https://localhost:{}/", callback.address.port()),
                with_slash,
            ),
            root_pem: authority.root_pem,
            settings,
            agent,
            trace,
            plain,
            callback,
            session: None,
            endpoints: HashMap::new(),
            open_mode: None,
        })
    }

    /// A service of that name, registered at the server.
    pub(crate) fn service(&self, name: &str) -> String {
        format!("{}{name}", self.service_base)
    }

    /// The path at which the kit's own listener is that service.
    pub(crate) fn service_path(&self, name: &str) -> String {
        Url::parse(&self.service(name)).map_or_else(|_| String::new(), |url| url.path().to_owned())
    }

    pub(crate) fn unregistered(&self) -> String {
        self.settings.unregistered_service.clone()
    }

    pub(crate) fn credentials(&self) -> (String, String) {
        (
            self.settings.username.clone(),
            self.settings.password.clone(),
        )
    }

    pub(crate) fn visitor(&self) -> Visitor {
        Visitor::new(self.agent.clone(), &self.base)
    }

    /// A login in a new browser, whatever comes of it.
    pub(crate) async fn try_sign_in(
        &self,
        parameters: &[(&str, &str)],
        change: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Judged<(Visitor, Reached)> {
        let mut visitor = self.visitor();
        let page = visitor.login(parameters).await?;
        let Some(form) = page.form() else {
            return skipped(format!("no login form to fill in, but {}", page.words()));
        };
        let service = parameters
            .iter()
            .find(|(name, _)| matches!(*name, "service" | "TARGET"))
            .map(|(_, value)| *value);
        let (username, password) = self.credentials();
        let reached = visitor
            .submit(&page.last, &form, (&username, &password), service, change)
            .await?;
        Ok((visitor, reached))
    }

    /// A login in a new browser that ends with a ticket.
    pub(crate) async fn sign_in(&self, service: &str) -> Judged<(Visitor, Delivered)> {
        let (visitor, reached) = self.try_sign_in(&[("service", service)], |_| {}).await?;
        match reached.delivered(service) {
            Some(delivered) => Ok((visitor, delivered)),
            None => skipped(format!(
                "cannot sign in: after the login form came {}",
                reached.words()
            )),
        }
    }

    /// Somebody who is signed in; most cases share them.
    pub(crate) async fn session(&mut self) -> Judged<&mut Visitor> {
        if self.session.is_none() {
            let (visitor, _) = self.sign_in(&self.service("session")).await?;
            self.session = Some(visitor);
        }
        match &mut self.session {
            Some(session) => Ok(session),
            None => skipped("nobody is signed in"),
        }
    }

    /// A ticket for a service from the shared session.
    pub(crate) async fn deliver(&mut self, service: &str) -> Judged<Delivered> {
        let reached = self.session().await?.login(&[("service", service)]).await?;
        if let Some(delivered) = reached.delivered(service) {
            return Ok(delivered);
        }
        // The session may have ended, or the server knows no single sign-on: once more from the beginning.
        let (visitor, delivered) = self.sign_in(service).await?;
        self.session = Some(visitor);
        Ok(delivered)
    }

    pub(crate) async fn ticket(&mut self, service: &str) -> Judged<String> {
        Ok(self.deliver(service).await?.ticket)
    }

    pub(crate) fn url(&self, path: &str, parameters: &[(&str, &str)]) -> String {
        format!("{}/{path}?{}", self.base, query_of(parameters))
    }

    /// A request of an application: no cookies.
    pub(crate) async fn ask(&self, path: &str, parameters: &[(&str, &str)]) -> Judged<Answer> {
        let request = Request::get(self.url(path, parameters));
        Ok(self.agent.send(request, None).await?)
    }

    pub(crate) async fn validate(
        &self,
        endpoint: &'static str,
        parameters: &[(&str, &str)],
    ) -> Judged<Validation> {
        let answer = self.ask(endpoint, parameters).await?;
        Ok(read(endpoint, answer))
    }

    /// Whether the server has an endpoint: it is there, and is no page for people.
    pub(crate) async fn has(&mut self, endpoint: &'static str) -> Judged<bool> {
        if let Some(known) = self.endpoints.get(endpoint) {
            return Ok(*known);
        }
        let service = self.service("probe");
        let answer = self
            .ask(
                endpoint,
                &[("service", &service), ("ticket", MADE_UP_TICKET)],
            )
            .await?;
        // Whether it answers rightly is for the cases to say.
        let has = !answer.is_html() && !is_absent(&answer);
        self.endpoints.insert(endpoint, has);
        Ok(has)
    }

    pub(crate) async fn needs(&mut self, endpoint: &'static str) -> Judged {
        if self.has(endpoint).await? {
            Ok(())
        } else {
            absent(format!("/{endpoint} is not there"))
        }
    }

    /// The endpoints of that list that the server has.
    pub(crate) async fn those(&mut self, endpoints: &[&'static str]) -> Judged<Vec<&'static str>> {
        let mut found = Vec::new();
        for endpoint in endpoints {
            if self.has(endpoint).await? {
                found.push(*endpoint);
            }
        }
        if found.is_empty() {
            return absent(format!("/{} is not there", endpoints.join(", /")));
        }
        Ok(found)
    }

    /// Whether anybody's service gets a ticket.
    pub(crate) async fn is_open(&mut self) -> Judged<bool> {
        if let Some(known) = self.open_mode {
            return Ok(known);
        }
        let service = self.unregistered();
        let reached = self
            .session()
            .await?
            .login(&[("service", &service)])
            .await?;
        let open = reached.delivered(&service).is_some();
        self.open_mode = Some(open);
        Ok(open)
    }

    /// The cookies without which the session of a visitor is not known: the ticket-granting cookie, whatever its name.
    pub(crate) async fn granting_cookies(&self, visitor: &Visitor) -> Judged<Vec<Cookie>> {
        let service = self.service("cookies");
        let mut found = Vec::new();
        let names: Vec<String> = visitor
            .jar
            .iter()
            .map(|cookie| cookie.name.clone())
            .collect();
        for name in names {
            let mut without = visitor.clone();
            without.jar = visitor.jar.without(&name);
            let reached = without.login(&[("service", &service)]).await?;
            if reached.delivered(&service).is_none() {
                let set = visitor
                    .was_set
                    .iter()
                    .rfind(|cookie| cookie.name == name && !cookie.ends());
                found.extend(set.cloned());
            }
        }
        if found.is_empty() {
            return skipped("no cookie makes a difference to /login");
        }
        Ok(found)
    }
}

/// Reads an answer as strictly as a client of casque does; only which proxies a user came by is not judged here.
pub(crate) fn read(endpoint: &'static str, answer: Answer) -> Validation {
    let options = ReadOptions::default()
        .status(answer.status.as_u16())
        .allow_any_proxy_chain();
    let response = ServiceResponse::parse(&answer.body, &options);
    Validation {
        endpoint,
        answer,
        response,
    }
}

/// The status says that there is nothing at this address.
pub(crate) fn is_absent(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 300..400 | 404 | 405 | 501)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        host == "localhost"
            || host
                .trim_matches(['[', ']'])
                .parse()
                .is_ok_and(|ip: IpAddr| ip.is_loopback())
    })
}

/// Of the right form, and nobody's.
pub(crate) const MADE_UP_TICKET: &str = "ST-1-casqueConformance0000000000";

/// A moment later, for what waits.
pub(crate) async fn pause(time: Duration) {
    // Nothing is waited for but the time itself: a server's clock is not ours to set.
    let _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}
