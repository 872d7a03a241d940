//! What every request handler shares.

use std::{
    sync::{Arc, Once},
    time::Duration,
};

use casque_proto::CasBase;
use casque_store::{Clock, SharedStore, StoreError};
use ipnet::IpNet;

use crate::{
    config::RestConfig,
    consent::Consents,
    http::{Authority, Cookies, FormLimits},
    pages::Pages,
    password::PasswordChecker,
    people::People,
    proxy::Callbacks,
    registry::Services,
    secret::Secret,
    slo::{FrontMessage, Messenger},
    sso::Sessions,
    throttle::Throttle,
    tickets::Tickets,
};

/// The parts of a running server.
#[derive(Debug)]
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
    /// The head of a request, in bytes.
    pub(crate) head_bytes: usize,
    pub(crate) form_limits: FormLimits,
    /// How long a login form may stay open before it must be loaded again.
    pub(crate) form_lifetime: Duration,
    /// People may ask to be remembered.
    pub(crate) remember_me: bool,
    pub(crate) trusted_proxies: Vec<IpNet>,
    /// Warns once of a proxy on this host that is not among them.
    pub(crate) unlisted_proxy: Once,
    pub(crate) people: Arc<dyn People>,
    pub(crate) services: Arc<Services>,
    pub(crate) passwords: PasswordChecker,
    pub(crate) pages: Pages,
    pub(crate) store: SharedStore,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) secret: Secret,
    pub(crate) sessions: Sessions,
    pub(crate) tickets: Tickets,
    pub(crate) throttle: Throttle,
    pub(crate) consents: Consents,
    pub(crate) messenger: Messenger,
    pub(crate) callbacks: Callbacks,
}

impl State {
    /// Ends a session as [`end_session`](Self::end_session) does, and claims the messages that the browser can take.
    pub(crate) async fn end_session_in_front(
        &self,
        id: &str,
    ) -> Result<Vec<FrontMessage>, StoreError> {
        self.sessions.end(id, self.clock.now()).await?;
        let messages = self.messenger.claim_front(id).await;
        // Also where that failed: the rest is told by this server.
        self.messenger.tell(id);
        messages
    }

    /// Ends a session, and begins to tell its services. The one way in which a session ends before
    /// its time.
    pub(crate) async fn end_session(&self, id: &str) -> Result<(), StoreError> {
        self.sessions.end(id, self.clock.now()).await?;
        self.messenger.tell(id);
        Ok(())
    }
}
