//! Settings of what comes with a login: proxying and single logout.

use casque_client::{Client, ClientBuilder};
use casque_proto::ServiceRule;

use super::AppBuilder;
use crate::app::App;

/// Through whom calls may come.
#[derive(Clone, Debug)]
pub(super) enum ProxyChain {
    Exact(Vec<String>),
    Matching(Vec<ServiceRule>),
    Any,
}

impl ProxyChain {
    pub(super) fn allow(&self, client: ClientBuilder<Client>) -> ClientBuilder<Client> {
        match self {
            Self::Exact(urls) => client.allow_proxy_chain(urls),
            Self::Matching(rules) => client.allow_proxy_chain_matching(rules.iter().cloned()),
            Self::Any => client.allow_any_proxy_chain(),
        }
    }
}

impl<T: From<App>> AppBuilder<T> {
    /// Lets the application call others as its users: each login asks the CAS server for a
    /// proxy-granting ticket, which arrives at this path, such as `/cas/pgt`. Off by default.
    ///
    /// The CAS server must be able to reach the path at the base address and trust its certificate,
    /// and must let the service act as a proxy: where it does not, it refuses every login with a
    /// reason, or grants the login alone. The session keeps the ticket sealed in the store, and drops
    /// it when it ends.
    #[must_use]
    pub fn proxying(mut self, path: impl Into<String>) -> Self {
        self.proxying = Some(path.into());
        self
    }

    /// Networks from which proxy-granting tickets are received; from anywhere by default, since only
    /// the CAS server can name the one that a login asks for (S-015). The adapter must be told how to
    /// find the peer's address.
    #[must_use]
    pub fn pgt_sources<I: IntoIterator<Item: Into<String>>>(mut self, networks: I) -> Self {
        self.pgt_sources
            .extend(networks.into_iter().map(Into::into));
        self
    }

    /// Accepts calls that another application makes as its user: a proxy ticket in the query of any
    /// page, which is validated for that page's address, if the call comes through exactly these
    /// proxies, the most recent first, each named by the address of its receptor. Call it again for
    /// more chains. Nobody comes through a proxy by default (R-210, S-014).
    ///
    /// A call is answered as if its user were signed in, for that one request and without a cookie.
    /// Browsers never become somebody this way: a navigation is not a call, and nor is a request with
    /// a session cookie.
    #[must_use]
    pub fn allow_proxy_chain<I: IntoIterator<Item: Into<String>>>(mut self, chain: I) -> Self {
        let urls = chain.into_iter().map(Into::into).collect();
        self.proxy_chains.push(ProxyChain::Exact(urls));
        self
    }

    /// As [`allow_proxy_chain`](Self::allow_proxy_chain), with a rule for each proxy, as for a portal
    /// on several hosts.
    #[must_use]
    pub fn allow_proxy_chain_matching(
        mut self,
        chain: impl IntoIterator<Item = ServiceRule>,
    ) -> Self {
        let rules = chain.into_iter().collect();
        self.proxy_chains.push(ProxyChain::Matching(rules));
        self
    }

    /// Accepts calls through any proxies.
    ///
    /// # Security
    ///
    /// Every application that the CAS server lets act as a proxy can call this one as any user who
    /// has logged in there (S-014): judge [`Session::proxies`](crate::Session::proxies) yourself.
    #[must_use]
    pub fn allow_any_proxy_chain(mut self) -> Self {
        self.proxy_chains.push(ProxyChain::Any);
        self
    }

    /// Networks, such as `10.1.0.0/16` or `192.0.2.7`, from which single logout is received; from
    /// anywhere by default, since knowing the ticket is the proof (S-047). The adapter must be told
    /// how to find the peer's address; without it every message is refused.
    ///
    /// What comes through the browser (see [`slo_front_channel`](Self::slo_front_channel)) comes from
    /// anywhere.
    #[must_use]
    pub fn slo_sources<I: IntoIterator<Item: Into<String>>>(mut self, networks: I) -> Self {
        self.slo_sources
            .extend(networks.into_iter().map(Into::into));
        self
    }

    /// Receives single logout through the browser as well: a `GET` of the callback path, and the
    /// compressed form of the message. Off by default: turn it on where the CAS server
    /// registers this application for it (`logoutType: FRONT_CHANNEL`).
    #[must_use]
    pub fn slo_front_channel(mut self, on: bool) -> Self {
        self.slo.front_channel = on;
        self
    }

    /// Receives single logout whose body is the XML document itself, sent as `text/xml` or
    /// `application/xml`, besides the form of the specification. Off by default: a habit of few
    /// servers.
    #[must_use]
    pub fn slo_raw_xml(mut self, on: bool) -> Self {
        self.slo.raw_xml = on;
        self
    }
}
