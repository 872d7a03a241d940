//! The async client.

use std::fmt;
use std::sync::Arc;

use casque_proto::{Assertion, CasBase, LoginOptions, ServiceTicket, ServiceUrl};

use crate::ClientError;
use crate::builder::ClientBuilder;
use crate::exchange::Exchange;
use crate::transport::Http;

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

    /// Where to send a browser to end its session with the CAS server, and where the server may send it after that (R-072).
    pub fn logout_url(&self, service: Option<&ServiceUrl>) -> String {
        self.exchange.base().logout_url(service)
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
        let request = self.exchange.request(ticket, service);
        let outcome = match self.http.send(request).await {
            Ok(answer) => self.exchange.judge(&answer, ticket),
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
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("exchange", &self.exchange)
            .finish_non_exhaustive()
    }
}
