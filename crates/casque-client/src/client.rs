//! The async client.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use casque_proto::{
    Assertion, CasBase, LoginOptions, PgtUrl, ProxyGrantingTicket, ProxyRequest, ProxyTicket,
    ServiceTicket, ServiceUrl, TicketMode,
};
use http::Request;

use crate::builder::ClientBuilder;
use crate::exchange::{Answer, Exchange};
use crate::transport::Http;
use crate::{ClientError, RestClient};

/// A CAS server to ask, async. Cloning it is cheap and shares its connections.
///
/// See the [crate documentation](crate) for an example and for what it does on your behalf.
#[derive(Clone)]
pub struct Client {
    exchange: Arc<Exchange>,
    http: Http,
}

impl Client {
    /// Begins to make a client for the CAS server at a base URL, for example `https://cas.example.org/cas`.
    ///
    /// A slash at the end makes no difference (R-001).
    pub fn builder(base: impl Into<String>) -> ClientBuilder<Self> {
        ClientBuilder::new(base)
    }

    pub(crate) fn new(exchange: Exchange, http: Http) -> Self {
        Self {
            exchange: Arc::new(exchange),
            http,
        }
    }

    /// The same client, accepting only users whose password was typed for this very login (S-013).
    ///
    /// Both its login URLs and its validations carry `renew`; use the same one for both, since a `renew` that is not
    /// sent again at validation protects nothing: whoever removes it from the login URL has bypassed it.
    #[must_use]
    pub fn renewing(&self) -> Self {
        Self {
            exchange: Arc::new(self.exchange.renewing()),
            http: self.http.clone(),
        }
    }

    /// The same client, whose validations ask for a proxy-granting ticket to be sent to `pgt_url`.
    ///
    /// See [`ClientBuilder::pgt_url`]: this is for an application with several addresses of its own.
    ///
    /// # Errors
    ///
    /// [`ClientError::Misuse`] for a client that speaks CAS 1, which knows no proxies.
    pub fn with_pgt_url(&self, pgt_url: PgtUrl) -> Result<Self, ClientError> {
        let exchange = self
            .exchange
            .with_pgt_url(pgt_url)
            .ok_or_else(|| ClientError::misuse("pgt_url", NO_PROXIES))?;
        Ok(Self {
            exchange: Arc::new(exchange),
            http: self.http.clone(),
        })
    }

    /// The base URL of the server.
    pub fn base(&self) -> &CasBase {
        self.exchange.base()
    }

    /// Where to send a browser to log in (R-036).
    ///
    /// ```no_run
    /// # use casque_client::Client;
    /// # use casque_proto::{LoginOptions, ServiceUrl};
    /// # let cas = Client::builder("https://cas.example.org/cas").build()?;
    /// let service = ServiceUrl::parse("https://app.example.org/cas/callback")?;
    /// assert_eq!(
    ///     cas.login_url(&service, LoginOptions::default()),
    ///     "https://cas.example.org/cas/login?service=https%3A%2F%2Fapp.example.org%2Fcas%2Fcallback",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn login_url(&self, service: &ServiceUrl, options: LoginOptions) -> String {
        self.exchange.login_url(service, options)
    }

    /// Under which name the ticket comes back from a login (R-053): `ticket`, or `SAMLart` with
    /// [`Protocol::Saml11`](crate::Protocol::Saml11).
    pub fn ticket_mode(&self) -> TicketMode {
        self.exchange.ticket_mode()
    }

    /// Where to send a browser to end its session with the CAS server, and where the server may send it after that (R-072).
    pub fn logout_url(&self, service: Option<&ServiceUrl>) -> String {
        self.exchange.base().logout_url(service)
    }

    /// The same server by the REST protocol, for programs that hold a user's password and have no browser.
    pub fn rest(&self) -> RestClient {
        RestClient::new(self.clone())
    }

    /// One request and its answer.
    pub(crate) async fn send(&self, request: Request<Bytes>) -> Result<Answer, ClientError> {
        self.http.send(request).await
    }

    /// Presents a ticket to the server and gives back whose it is.
    ///
    /// The service must be the one that was sent to [`login_url`](Self::login_url), character for character (R-108).
    /// A ticket is spent by one attempt, whatever comes of it, so nothing is tried twice (R-107).
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. Nobody is signed in then.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves nothing behind but a ticket that may be spent: its connection is closed.
    pub async fn validate(
        &self,
        ticket: &ServiceTicket,
        service: &ServiceUrl,
    ) -> Result<Assertion, ClientError> {
        let validate = self.exchange.validation(ticket, service);
        let request = self.exchange.request(&validate, ticket, service);
        let outcome = match self.http.send(request).await {
            Ok(answer) => self.exchange.judge(&validate, &answer, ticket, service),
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(_) => tracing::debug!("the CAS server confirmed a ticket"),
            Err(error) => tracing::debug!(
                outcome = error.label(),
                status = error.status(),
                "a ticket was not confirmed"
            ),
        }
        outcome
    }

    /// Asks for a ticket with which to call another application as the user (R-204).
    ///
    /// The proxy-granting ticket came to the address given as [`pgt_url`](ClientBuilder::pgt_url) when the user logged in.
    /// Call the other application at `target_service` with the ticket, once and soon: see [`ServiceUrl::with_ticket`]. A
    /// proxy-granting ticket can be used again until the user's session at the CAS server ends (R-206).
    ///
    /// ```no_run
    /// # use casque_client::{Client, ProxyGrantingTicket, ServiceUrl};
    /// # async fn example(cas: Client, pgt: ProxyGrantingTicket) -> Result<(), Box<dyn std::error::Error>> {
    /// let target = ServiceUrl::parse("https://data.example.org/api/marks?year=2026")?;
    /// let ticket = cas.proxy_ticket(&pgt, &target).await?;
    /// let _call = target.with_ticket("ticket", &ticket.into()); // …/api/marks?year=2026&ticket=PT-…
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// See [`ClientError`]: [`Refused`](ClientError::Refused) where the proxy-granting ticket has ended or the target is not
    /// to be called by this application.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped leaves nothing behind but a proxy ticket that nobody knows.
    pub async fn proxy_ticket(
        &self,
        pgt: &ProxyGrantingTicket,
        target_service: &ServiceUrl,
    ) -> Result<ProxyTicket, ClientError> {
        let proxy = ProxyRequest::new(pgt, target_service);
        let request = proxy.request(self.exchange.base());
        let outcome = match self.http.send(request).await {
            Ok(answer) => self.exchange.judge_proxy(&proxy, &answer, pgt),
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(_) => tracing::debug!("the CAS server gave a proxy ticket"),
            Err(error) => tracing::debug!(
                outcome = error.label(),
                status = error.status(),
                "no proxy ticket was given"
            ),
        }
        outcome
    }
}

/// Why CAS 1 and proxying do not go together.
pub(crate) const NO_PROXIES: &str = "CAS 1 knows no proxies; use CAS 2 or 3";

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}
