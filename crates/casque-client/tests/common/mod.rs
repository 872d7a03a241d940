//! One table of cases, two clients.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::allow_attributes,
    reason = "every test file uses a part of this"
)]

use std::path::PathBuf;
use std::time::Duration;

use casque_client::{Client, ClientBuilder, ClientError, Protocol, blocking};
use casque_proto::{
    Assertion, Format, PgtUrl, ProxyGrantingTicket, ProxyTicket, ServiceTicket, ServiceUrl,
    Tolerance,
};
use casque_testkit::FakeCas;

pub(crate) const SERVICE: &str =
    "https://app.example.org/cas/callback?next=%2Fa%20b&x=1+2&y=%C3%A9";

/// Which client is tried.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Adapter {
    Async,
    Blocking,
}

pub(crate) const ADAPTERS: [Adapter; 2] = [Adapter::Async, Adapter::Blocking];

#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) protocol: Protocol,
    pub(crate) format: Option<Format>,
    pub(crate) renew: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) connect_timeout: Option<Duration>,
    pub(crate) max_body: Option<usize>,
    pub(crate) extra_roots: Vec<PathBuf>,
    pub(crate) tolerances: Vec<Tolerance>,
    pub(crate) pgt_url: Option<PgtUrl>,
    pub(crate) proxy_chains: Vec<Vec<&'static str>>,
    pub(crate) any_proxy_chain: bool,
}

impl Settings {
    pub(crate) fn apply<C>(&self, mut builder: ClientBuilder<C>) -> ClientBuilder<C> {
        builder = builder
            .protocol(self.protocol)
            .renew(self.renew)
            .allow_plain_http();
        if let Some(format) = self.format {
            builder = builder.format(format);
        }
        if let Some(timeout) = self.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(timeout) = self.connect_timeout {
            builder = builder.connect_timeout(timeout);
        }
        if let Some(bytes) = self.max_body {
            builder = builder.max_body(bytes);
        }
        for file in &self.extra_roots {
            builder = builder.extra_roots_file(file);
        }
        for tolerance in &self.tolerances {
            builder = builder.tolerance(*tolerance);
        }
        if let Some(pgt_url) = &self.pgt_url {
            builder = builder.pgt_url(pgt_url.clone());
        }
        for chain in &self.proxy_chains {
            builder = builder.allow_proxy_chain(chain.clone());
        }
        if self.any_proxy_chain {
            builder = builder.allow_any_proxy_chain();
        }
        builder
    }
}

impl Adapter {
    /// Validates once with a client of these settings.
    pub(crate) fn validate_at(
        self,
        base: &str,
        settings: &Settings,
        ticket: &ServiceTicket,
        service: &str,
    ) -> Result<Assertion, ClientError> {
        let service = ServiceUrl::parse(service).unwrap();
        match self {
            Self::Async => {
                let client = settings.apply(Client::builder(base)).build()?;
                runtime().block_on(client.validate(ticket, &service))
            }
            Self::Blocking => settings
                .apply(blocking::Client::builder(base))
                .build()?
                .validate(ticket, &service),
        }
    }

    /// Asks once for a proxy ticket with a client of these settings.
    pub(crate) fn proxy_ticket(
        self,
        base: &str,
        settings: &Settings,
        pgt: &ProxyGrantingTicket,
        target: &str,
    ) -> Result<ProxyTicket, ClientError> {
        let target = ServiceUrl::parse(target).unwrap();
        match self {
            Self::Async => {
                let client = settings.apply(Client::builder(base)).build()?;
                runtime().block_on(client.proxy_ticket(pgt, &target))
            }
            Self::Blocking => settings
                .apply(blocking::Client::builder(base))
                .build()?
                .proxy_ticket(pgt, &target),
        }
    }

    pub(crate) fn validate(
        self,
        cas: &FakeCas,
        settings: &Settings,
        ticket: &ServiceTicket,
    ) -> Result<Assertion, ClientError> {
        self.validate_at(cas.base_url(), settings, ticket, SERVICE)
    }
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Neither the text nor the debug text of an error holds the ticket (S-017), and it stays on one line.
pub(crate) fn assert_discreet(error: &ClientError, ticket: &ServiceTicket) {
    let debug = format!("{error:?}");
    let text = error.to_string();
    assert!(
        !debug.contains(ticket.secret()) && !text.contains(ticket.secret()),
        "{debug}"
    );
    assert!(!text.chars().any(char::is_control), "{text:?}");
    assert!(text.len() < 1000, "{text}");
}
