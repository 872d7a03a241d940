//! The REST protocol (R-258 to R-273): tickets for a program that holds a password.

mod asked;
mod blocking;

use casque_proto::rest::{RestTgt, UserAuthenticated};
use casque_proto::{ErrorClass, ServiceTicket, ServiceUrl};

use self::asked::Asked;
pub use self::blocking::BlockingRestClient;
use crate::{Client, ClientError};

/// A CAS server that speaks the REST protocol, async: for programs that hold a user's password and have no browser.
///
/// [`Client::rest`] gives one. Most servers have this protocol turned off, since a program that speaks it sees the password.
///
/// ```no_run
/// use casque_client::{Client, ServiceUrl};
///
/// # async fn example(password: &str) -> Result<(), Box<dyn std::error::Error>> {
/// let cas = Client::builder("https://cas.example.org/cas").build()?;
/// let rest = cas.rest();
/// let tgt = rest.log_in("jdoe", password).await?;
///
/// // As often as needed, while the ticket-granting ticket lives:
/// let service = ServiceUrl::parse("https://data.example.org/api")?;
/// let ticket = rest.service_ticket(&tgt, &service).await?;
/// let _call = service.with_ticket("ticket", &ticket);
///
/// rest.log_out(&tgt).await?;
/// # Ok(())
/// # }
/// ```
///
/// Failures are told apart by [`ClientError::label`] (R-272): `authentication_failed`, `tgt_not_found`, `throttled`,
/// `endpoint_unavailable`, `server_error`, `malformed`. Passwords travel in bodies only (R-273), addresses are made from the
/// base URL and never from `Location` (R-269), and no redirect is followed. Nothing is tried twice.
#[derive(Clone, Debug)]
pub struct RestClient(Client);

impl RestClient {
    pub(crate) fn new(client: Client) -> Self {
        Self(client)
    }

    /// Trades a password for a ticket-granting ticket (R-258).
    ///
    /// Whoever has the ticket is the user until it ends: keep it in memory, or in a file that its owner alone can read
    /// (R-273), and [`log_out`](Self::log_out) when done.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; wrong credentials are [`RestRefused`](ClientError::RestRefused).
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped may leave a session at the server that nobody knows; it ends by itself.
    pub async fn log_in(&self, username: &str, password: &str) -> Result<RestTgt, ClientError> {
        let asked = Asked::log_in(self.0.base(), username, password)?;
        self.ask(asked, asked::tgt).await
    }

    /// Asks for a ticket for a service (R-261). The service validates it once, and soon.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; `authentication_failed` means here that the service is not registered, or not open to this
    /// user, and `tgt_not_found` that the session has ended.
    pub async fn service_ticket(
        &self,
        tgt: &RestTgt,
        service: &ServiceUrl,
    ) -> Result<ServiceTicket, ClientError> {
        let asked = Asked::service_ticket(self.0.base(), tgt, service);
        self.ask(asked, asked::service_ticket).await
    }

    /// Whether a ticket-granting ticket still lives (R-265). Asking does not prolong it.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. That it has ended is no error.
    pub async fn is_alive(&self, tgt: &RestTgt) -> Result<bool, ClientError> {
        let asked = Asked::status(self.0.base(), tgt);
        alive(self.ask(asked, asked::found).await)
    }

    /// Ends a ticket-granting ticket, and with it the user's sessions at the services it was used for (R-264, R-271).
    ///
    /// One that had ended already is no error.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. The session may live on then.
    pub async fn log_out(&self, tgt: &RestTgt) -> Result<(), ClientError> {
        let asked = Asked::log_out(self.0.base(), tgt);
        self.ask(asked, asked::deleted).await
    }

    /// Asks whose a password is, without opening a session (R-266).
    ///
    /// # Errors
    ///
    /// As [`log_in`](Self::log_in).
    pub async fn authenticate(
        &self,
        username: &str,
        password: &str,
    ) -> Result<UserAuthenticated, ClientError> {
        let asked = Asked::authenticate(self.0.base(), username, password)?;
        self.ask(asked, asked::user).await
    }

    async fn ask<T>(&self, asked: Asked, read: asked::Read<T>) -> Result<T, ClientError> {
        let (request, asked) = asked.into_request();
        let outcome = match self.0.send(request).await {
            Ok(answer) => asked.judge(&answer, self.0.base(), read),
            Err(error) => Err(error),
        };
        match &outcome {
            Ok(_) => tracing::debug!(what = asked.name(), "the CAS server answered by REST"),
            Err(error) => tracing::debug!(
                what = asked.name(),
                outcome = error.label(),
                status = error.status(),
                "the CAS server did not do it by REST"
            ),
        }
        outcome
    }
}

fn alive(found: Result<(), ClientError>) -> Result<bool, ClientError> {
    match found {
        Ok(()) => Ok(true),
        Err(ClientError::RestRefused {
            class: ErrorClass::TgtNotFound,
            ..
        }) => Ok(false),
        Err(error) => Err(error),
    }
}
