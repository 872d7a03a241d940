//! The server as a value: parts put together, and a router over them.

use std::{fmt, sync::Arc, time::Duration};

use axum::Router;
use casque_proto::CasBase;
use casque_store::{Clock, KeyHasher, RotatingStore, SharedStore};
use tokio::sync::watch;
use url::Url;

use crate::{
    config::{Config, LimitsConfig},
    consent::Consents,
    deployment,
    http::{Authority, Cookies, DefaultHeaders, FormLimits, Guard},
    journal::{Audit, Journal},
    outbound::{self, Network, OutboundError, SystemNetwork},
    pages::Pages,
    password::PasswordChecker,
    people::People,
    proxy::Callbacks,
    registry::Services,
    secret::Secret,
    slo::Messenger,
    sso::{Lifetimes, Sessions},
    state::State,
    throttle::{Limits, Throttle},
    tickets::Tickets,
};

/// What a [`Server`] is made of, beside its settings, store and clock.
#[derive(Debug)]
pub struct Parts {
    /// Who may log in.
    pub people: Arc<dyn People>,
    /// Where one may log in to; an empty registry refuses every service (S-032).
    pub services: Arc<Services>,
    /// Checks passwords.
    pub passwords: PasswordChecker,
    /// The secret of the deployment, the same on every node and after every restart; two while it is changed.
    pub hasher: KeyHasher,
}

/// A CAS server.
///
/// It holds no state of its own beside what it was made from: everything that must outlive a
/// request is in the store.
#[derive(Clone)]
pub struct Server {
    /// What requests are answered with; another one once the registry has been replaced.
    current: Arc<watch::Sender<Arc<State>>>,
    pub(crate) limits: LimitsConfig,
    /// How long others may take to notice that it ends.
    pub(crate) drain: Duration,
    /// How long something lives at most that is named by the secret.
    pub(crate) longest: Duration,
}

impl Server {
    /// Puts a server together.
    ///
    /// # Errors
    ///
    /// [`OutboundError`] where the trusted roots cannot be read.
    pub fn new(
        config: &Config,
        parts: Parts,
        store: SharedStore,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, OutboundError> {
        Self::on_network(config, parts, store, clock, Arc::new(SystemNetwork))
    }

    /// The same; callbacks of proxying are looked up and connected to by `network`.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn on_network(
        config: &Config,
        parts: Parts,
        store: SharedStore,
        clock: Arc<dyn Clock>,
        network: Arc<dyn Network>,
    ) -> Result<Self, OutboundError> {
        let Parts {
            people,
            services,
            passwords,
            hasher,
        } = parts;
        let services = Arc::new(Arc::unwrap_or_clone(services).with_clock(clock.clone()));
        let base = parsed(&config.base_url);
        let over_https = base.scheme() == "https";
        let prefix = base.path().trim_end_matches('/').to_owned();
        let limits = Limits {
            per_person: config.login.max_failures,
            per_network: config.login.max_failures_per_network,
            window: config.login.window,
        };
        let store: SharedStore = if hasher.is_rotating() {
            Arc::new(RotatingStore::new(store))
        } else {
            store
        };
        let secret = Secret::new(hasher.clone());
        let journal = Arc::new(Journal::new(&secret, clock.clone()));
        let sessions = Sessions::new(
            store.clone(),
            secret.clone(),
            Lifetimes {
                absolute: config.sso.absolute,
                idle: config.sso.idle,
                remembered: config.sso.remember_me_lifetime,
            },
        );
        let tls = outbound::tls(config.trusted_roots.as_deref())?;
        let state = State {
            origin: base.origin().ascii_serialization(),
            authority: Authority::of(&base),
            base: config.base_url.clone(),
            rest: config.rest.clone(),
            cookies: Cookies::new(over_https, base.path()),
            default_headers: Arc::new(DefaultHeaders::new(over_https)),
            head_bytes: config.limits.header_bytes,
            form_limits: FormLimits {
                bytes: config.limits.body_bytes,
                timeout: config.limits.request_timeout,
            },
            form_lifetime: config.login.form_lifetime,
            remember_me: config.sso.remember_me,
            trusted_proxies: config.trusted_proxies.clone(),
            unlisted_proxy: Arc::new(std::sync::Once::new()),
            pages: Arc::new(Pages::new(&prefix, config.organisation.as_deref())),
            prefix,
            people,
            passwords,
            tickets: Tickets::new(
                store.clone(),
                hasher.clone(),
                config.tickets.service_ticket_lifetime,
                config.tickets.proxy_ticket_lifetime,
            ),
            throttle: Throttle::new(store.clone(), hasher.clone(), limits),
            consents: Consents::new(store.clone(), secret.clone()),
            secret,
            messenger: Messenger::new(
                sessions.clone(),
                services.clone(),
                journal.clone(),
                clock.clone(),
                tls.clone(),
            )?,
            callbacks: Arc::new(Callbacks::new(&services, network, tls, clock.clone())),
            journal,
            readiness: Arc::default(),
            ending: Arc::default(),
            sessions,
            services,
            store,
            clock,
        };
        Ok(Self {
            current: Arc::new(watch::Sender::new(Arc::new(state))),
            limits: config.limits.clone(),
            drain: config.operation.drain,
            longest: deployment::longest(config),
        })
    }

    /// What requests are answered with just now.
    pub(crate) fn state(&self) -> Arc<State> {
        self.current.borrow().clone()
    }

    /// Writes an audit log from now on. A second one is ignored.
    pub fn audit_to(&self, audit: Audit) {
        self.state().journal.audit_to(audit);
    }

    /// Answers with these services from the next request on; those under way end with the ones they began with.
    pub fn replace_services(&self, services: Arc<Services>) {
        self.current.send_modify(|current| {
            let clock = current.clock.clone();
            let services = Arc::new(Arc::unwrap_or_clone(services).with_clock(clock));
            *current = Arc::new(current.with_services(services));
        });
    }

    /// All pages and endpoints, below the path of the base URL, with the services of this moment.
    ///
    /// Requests are expected to carry a [`Peer`](crate::Peer) in their extensions, as
    /// [`serve`](Self::serve) sees to.
    pub fn router(&self) -> Router {
        Router::new().fallback_service(self.guarded())
    }

    /// The same as it is served: a router around it would only cost.
    pub(crate) fn guarded(&self) -> Guard {
        Guard::new(self.state())
    }

    /// Waits until every logout message that was begun has been delivered or given up.
    pub async fn finish_logout_messages(&self) {
        self.state().messenger.drained().await;
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        f.debug_struct("Server")
            .field("origin", &state.origin)
            .field("prefix", &state.prefix)
            .finish_non_exhaustive()
    }
}

fn parsed(base: &CasBase) -> Url {
    Url::parse(base.as_str()).expect("a CAS base URL is a URL")
}
