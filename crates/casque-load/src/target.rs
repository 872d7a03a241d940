//! The server, and how it is reached.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use casque_proto::{Endpoint, LoginOptions};
use casque_visitor::{Agent, Trace, query_of, roots};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::plan::{Misuse, Plan};
use crate::wire::Stream;

/// Everything about the server that is the same for each operation.
pub(crate) struct Target {
    pub(crate) base: String,
    /// At least one.
    pub(crate) services: Vec<Service>,
    pub(crate) agent: Agent,
    pub(crate) login_url: Url,
    /// The path.
    pub(crate) logout: String,
    /// From the version of HTTP to the last header that does not change.
    pub(crate) fixed_headers: String,
    addresses: Vec<SocketAddr>,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A service, and what is asked about it.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) url: String,
    /// Path and query.
    pub(crate) login: String,
    /// Path and query up to the ticket.
    pub(crate) validate: String,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Target {
    pub(crate) async fn new(plan: &Plan) -> Result<Self, Misuse> {
        plan.check()?;
        let base = plan.base()?;
        let wrong =
            |rule: &str| Misuse::new("--cas", &plan.cas, rule, "give the server's base URL");
        let parse = |text: String| Url::parse(&text).map_err(|error| wrong(&error.to_string()));
        let login = |service| parse(base.login_url(service, &LoginOptions::default()));
        let services = plan.service_urls()?;
        let login_url = login(&services[0])?;
        let logout = parse(base.endpoint(Endpoint::Logout))?;
        let validate = parse(base.endpoint(plan.validation.endpoint()))?;

        let host = login_url.host_str().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let port = login_url.port_or_known_default().unwrap_or(80);
        let found = tokio::net::lookup_host((name, port)).await;
        let mut addresses: Vec<_> = found.map_err(|error| wrong(&error.to_string()))?.collect();
        if base.is_loopback() {
            addresses.retain(|address| address.ip().is_loopback());
        }
        if addresses.is_empty() {
            return Err(wrong("the host has no address that may be spoken to"));
        }

        let ca_file = plan.ca_file.as_deref();
        let bad_roots = |words: String| {
            let file = plan
                .ca_file
                .as_deref()
                .map(|file| file.display().to_string());
            Misuse::new(
                "--ca-file",
                &file.unwrap_or_default(),
                &words,
                "give a PEM file of certificates",
            )
        };
        let agent = Agent::new(NAME, ca_file, plan.timeout, Trace::default()).map_err(bad_roots)?;
        let tls = if base.is_https() {
            let server =
                ServerName::try_from(name.to_owned()).map_err(|error| wrong(&error.to_string()))?;
            let provider = Arc::new(rustls::crypto::ring::default_provider());
            let config = ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .map_err(|error| wrong(&error.to_string()))?
                .with_root_certificates(roots(ca_file).map_err(bad_roots)?)
                .with_no_client_auth();
            Some((TlsConnector::from(Arc::new(config)), server))
        } else {
            None
        };
        let authority = match login_url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        // As the browser that logs in says it: servers look at these before they give a ticket.
        let fixed_headers = format!(
            " HTTP/1.1\r\nHost: {authority}\r\nUser-Agent: {NAME}\r\nAccept: text/html,application/xhtml+xml,application/xml\r\n\
             Sec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Site: none\r\n"
        );
        let services = services.iter().map(|service| {
            let login = login(service)?;
            let query = query_of(&[("service", service.as_str())]);
            Ok(Service {
                login: format!("{}?{}", login.path(), login.query().unwrap_or_default()),
                validate: format!("{}?{query}&ticket=", validate.path()),
                url: service.as_str().to_owned(),
            })
        });
        let services = services.collect::<Result<_, Misuse>>()?;
        Ok(Self {
            base: base.as_str().to_owned(),
            services,
            agent,
            login_url,
            logout: logout.path().to_owned(),
            fixed_headers,
            addresses,
            tls,
        })
    }

    /// Opens a connection; in words what prevents it.
    pub(crate) async fn connect(&self) -> Result<Stream, String> {
        let tcp = TcpStream::connect(&*self.addresses)
            .await
            .map_err(|error| error.to_string())?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let Some((connector, name)) = &self.tls else {
            return Ok(Stream::Plain(tcp));
        };
        let tls = connector
            .connect(name.clone(), tcp)
            .await
            .map_err(|error| error.to_string())?;
        Ok(Stream::Tls(Box::new(tls)))
    }
}

const NAME: &str = concat!("casque-bench/", env!("CARGO_PKG_VERSION"));
