//! What every request handler shares.

use std::{
    net::IpAddr,
    sync::{Arc, Once},
    time::Duration,
};

use casque_proto::CasBase;
use casque_store::{Clock, SharedStore, StoreError};
use http::{Extensions, HeaderMap};
use ipnet::IpNet;

use crate::{
    config::RestConfig,
    consent::Consents,
    http::{Authority, Cookies, DefaultHeaders, FormLimits, Peer, client_address},
    journal::{Ended, Event, Journal},
    operation::{Readiness, SharedEnding},
    pages::Pages,
    password::PasswordChecker,
    people::People,
    proxy::Callbacks,
    registry::Services,
    secret::Secret,
    slo::{FrontMessage, Messenger},
    sso::{Session, Sessions},
    throttle::Throttle,
    tickets::Tickets,
};

/// The parts of a running server.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The path of the base URL, without a trailing slash: `/cas`, or nothing.
    pub(crate) prefix: String,
    /// `scheme://host[:port]` of the base URL.
    pub(crate) origin: String,
    pub(crate) authority: Authority,
    /// What both are parts of.
    pub(crate) base: CasBase,
    /// Whether the REST protocol is spoken, and with whom.
    pub(crate) rest: RestConfig,
    pub(crate) cookies: Cookies,
    pub(crate) default_headers: Arc<DefaultHeaders>,
    /// The head of a request, in bytes.
    pub(crate) head_bytes: usize,
    pub(crate) form_limits: FormLimits,
    /// How long a login form may stay open before it must be loaded again.
    pub(crate) form_lifetime: Duration,
    /// People may ask to be remembered.
    pub(crate) remember_me: bool,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Warns once of a proxy on this host that is not among them.
    pub(crate) unlisted_proxy: Arc<Once>,
    pub(crate) people: Arc<dyn People>,
    pub(crate) services: Arc<Services>,
    pub(crate) passwords: PasswordChecker,
    pub(crate) pages: Arc<Pages>,
    pub(crate) store: SharedStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) secret: Secret,
    pub(crate) sessions: Sessions,
    pub(crate) tickets: Tickets,
    pub(crate) throttle: Throttle,
    pub(crate) consents: Consents,
    pub(crate) messenger: Messenger,
    pub(crate) callbacks: Arc<Callbacks>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) readiness: Arc<Readiness>,
    pub(crate) ending: SharedEnding,
}

impl State {
    /// The same with another registry; everything else is shared.
    pub(crate) fn with_services(&self, services: Arc<Services>) -> Self {
        Self {
            messenger: self.messenger.with_services(services.clone()),
            callbacks: Arc::new(self.callbacks.for_services(&services)),
            services,
            ..self.clone()
        }
    }

    /// The address of whoever sent a request, as the audit log has it.
    pub(crate) fn client(&self, headers: &HeaderMap, extensions: &Extensions) -> Option<IpAddr> {
        let peer = extensions.get::<Peer>().copied();
        client_address(peer, headers, &self.trusted_proxies)
    }

    /// The server has been told to end: nobody new should be sent to it.
    pub(crate) fn is_draining(&self) -> bool {
        self.ending.has_begun()
    }

    /// Ends a session as [`end_session`](Self::end_session) does, and claims the messages that the browser can take.
    pub(crate) async fn end_session_in_front(
        &self,
        session: &Session,
        client: Option<IpAddr>,
    ) -> Result<Vec<FrontMessage>, StoreError> {
        let id = &session.id;
        self.sessions.end(id, self.clock.now()).await?;
        self.tell_end(session, Ended::Logout, client);
        let messages = self.messenger.claim_front(id).await;
        // Also where that failed: the rest is told by this server.
        self.messenger.tell(id);
        messages
    }

    fn tell_end(&self, session: &Session, why: Ended, client: Option<IpAddr>) {
        let user = &session.user;
        self.journal
            .tell(&Event::SessionEnded { why, user, client });
    }

    /// Ends a session, and begins to tell its services. The one way in which a session ends before
    /// its time.
    pub(crate) async fn end_session(
        &self,
        session: &Session,
        why: Ended,
        client: Option<IpAddr>,
    ) -> Result<(), StoreError> {
        self.sessions.end(&session.id, self.clock.now()).await?;
        self.tell_end(session, why, client);
        self.messenger.tell(&session.id);
        Ok(())
    }
}
