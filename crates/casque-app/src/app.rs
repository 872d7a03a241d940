//! The application's side of CAS.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use casque_client::Client;
use casque_proto::ServiceUrl;
use casque_store::Clock;
use http::{HeaderMap, Method, Uri, Version};

use crate::builder::AppBuilder;
use crate::keys::KeyRing;
use crate::login::PendingLogin;
use crate::proxying::Proxying;
use crate::session::Sessions;
use crate::single_logout::SingleLogout;
use crate::site::Site;

/// What is needed of a request to decide about it; its body is not.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method.
    pub method: &'a Method,
    /// The target as it arrived, before a router strips anything.
    pub uri: &'a Uri,
    /// The headers.
    pub headers: &'a HeaderMap,
    /// The HTTP version, which says where the host name stands.
    pub version: Version,
    /// The address of the peer, for `slo_sources` and `pgt_sources`; only where the adapter knows it.
    pub peer: Option<IpAddr>,
}

impl<'a> From<&'a http::request::Parts> for RequestView<'a> {
    fn from(parts: &'a http::request::Parts) -> Self {
        Self {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            version: parts.version,
            peer: None,
        }
    }
}

/// Where the browser goes after the logout.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AfterLogout {
    /// To the CAS server, which ends its session as well and sends the browser back to this path of
    /// the application, if it knows the application.
    Application(String),
    /// To the CAS server, which ends its session as well and says so, as in the seed.
    CasServer,
    /// Only this application's session ends; a page says so.
    Nowhere,
}

/// The application's side of CAS: settings, sessions and the client for the CAS server.
///
/// [`decide`](Self::decide) looks at a request and says what it is, without any input or output;
/// [`act`](Self::act) does what that needs of the store and of the CAS server;
/// [`access`](Self::access) judges a route's [`Policy`](crate::Policy). An adapter for a web
/// framework is these three calls.
#[derive(Debug)]
pub struct App(pub(crate) Parts);

/// What [`App`] is made of.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) sites: Vec<Site>,
    pub(crate) callback: String,
    pub(crate) login: String,
    pub(crate) logout: String,
    pub(crate) landing: String,
    pub(crate) after_logout: AfterLogout,
    pub(crate) client: Client,
    pub(crate) renewing_client: Client,
    pub(crate) sessions: Sessions,
    pub(crate) ring: KeyRing,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) allow_unsolicited: bool,
    pub(crate) login_marker: bool,
    pub(crate) slo: SingleLogout,
    pub(crate) proxying: Option<Proxying>,
    /// Validates proxy tickets, where chains are allowed.
    pub(crate) proxied_client: Option<Client>,
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(parts)
    }

    /// Begins setting up an application.
    pub fn builder() -> AppBuilder {
        AppBuilder::new()
    }

    /// The service URL of the first own address: what must be registered at the CAS server.
    pub fn service(&self) -> &str {
        self.0.sites[0].service.as_str()
    }

    /// The absolute URL of the login page, at the address that the request was made to.
    pub fn login_url(&self, request: &RequestView<'_>) -> String {
        self.site(request).1.url(&self.0.login)
    }

    /// The own address that a request was made to: by its exact host, then by the longest path
    /// prefix; else the first.
    pub(crate) fn site(&self, request: &RequestView<'_>) -> (usize, &Site) {
        let sites = &self.0.sites;
        let mut best = (0, None);
        if sites.len() > 1 {
            for (index, site) in sites.iter().enumerate() {
                if site.is_host(request.uri, request.headers, request.version) {
                    let fit = Some(site.fit(request.uri.path()));
                    if fit > best.1 {
                        best = (index, fit);
                    }
                }
            }
        }
        (best.0, &sites[best.0])
    }

    /// The clock in whole seconds of the Unix epoch.
    pub(crate) fn seconds(&self) -> u64 {
        self.0
            .clock
            .now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    }

    /// The service URL of a login: exactly the registered callback, and the login's marker where
    /// the application wants one.
    ///
    /// Built anew from the same parts at validation, so the text is the same.
    pub(crate) fn service_of(&self, login: &PendingLogin) -> Option<ServiceUrl> {
        let service = &self.0.sites.get(login.site)?.service;
        match &login.marker {
            None => Some(service.clone()),
            Some(marker) => ServiceUrl::parse(&format!(
                "{}?{}={marker}",
                service.as_str(),
                crate::decide::MARKER
            ))
            .ok(),
        }
    }
}
