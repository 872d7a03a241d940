//! The same for programs that are not async.

use casque_proto::rest::{RestTgt, UserAuthenticated};
use casque_proto::{ServiceTicket, ServiceUrl};

use super::asked::{self, Asked};
use super::{RestClient, alive};
use crate::{ClientError, blocking};

/// A CAS server that speaks the REST protocol, blocking.
///
/// [`blocking::Client::rest`] gives one. It is the async [`RestClient`] with a thread of its own for the network.
///
/// ```no_run
/// use casque_client::{ServiceUrl, blocking::Client};
///
/// # fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let rest = Client::builder("https://cas.example.org/cas").build()?.rest();
/// let tgt = rest.log_in("jdoe", password)?;
/// let ticket = rest.service_ticket(&tgt, &ServiceUrl::parse("https://data.example.org/api")?)?;
/// rest.log_out(&tgt)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct BlockingRestClient {
    inner: RestClient,
    client: blocking::Client,
}

impl BlockingRestClient {
    pub(crate) fn new(inner: RestClient, client: blocking::Client) -> Self {
        Self { inner, client }
    }

    /// Trades a password for a ticket-granting ticket (R-258).
    ///
    /// See [`RestClient::log_in`].
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; wrong credentials are [`RestRefused`](ClientError::RestRefused).
    pub fn log_in(&self, username: &str, password: &str) -> Result<RestTgt, ClientError> {
        let asked = Asked::log_in(self.client.base(), username, password)?;
        self.ask(asked, asked::tgt)
    }

    /// Asks for a ticket for a service (R-261).
    ///
    /// See [`RestClient::service_ticket`].
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn service_ticket(
        &self,
        tgt: &RestTgt,
        service: &ServiceUrl,
    ) -> Result<ServiceTicket, ClientError> {
        let asked = Asked::service_ticket(self.client.base(), tgt, service);
        self.ask(asked, asked::service_ticket)
    }

    /// Whether a ticket-granting ticket still lives (R-265).
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. That it has ended is no error.
    pub fn is_alive(&self, tgt: &RestTgt) -> Result<bool, ClientError> {
        alive(self.ask(Asked::status(self.client.base(), tgt), asked::found))
    }

    /// Ends a ticket-granting ticket (R-264, R-271).
    ///
    /// See [`RestClient::log_out`].
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. The session may live on then.
    pub fn log_out(&self, tgt: &RestTgt) -> Result<(), ClientError> {
        self.ask(Asked::log_out(self.client.base(), tgt), asked::deleted)
    }

    /// Asks whose a password is, without opening a session (R-266).
    ///
    /// # Errors
    ///
    /// As [`log_in`](Self::log_in).
    pub fn authenticate(
        &self,
        username: &str,
        password: &str,
    ) -> Result<UserAuthenticated, ClientError> {
        let asked = Asked::authenticate(self.client.base(), username, password)?;
        self.ask(asked, asked::user)
    }

    fn ask<T: Send + 'static>(&self, asked: Asked, read: asked::Read<T>) -> Result<T, ClientError> {
        let inner = self.inner.clone();
        self.client
            .wait(async move { inner.ask(asked, read).await })
    }
}
