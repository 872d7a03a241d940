//! The client for programs that are not async.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use casque_proto::{
    Assertion, CasBase, LoginOptions, PgtUrl, ProxyGrantingTicket, ProxyTicket, ServiceTicket,
    ServiceUrl, TicketMode,
};
use tokio::runtime::Runtime;

use crate::builder::ClientBuilder;
use crate::rest::BlockingRestClient as RestClient;
use crate::{ClientError, TransportFailure};

/// A CAS server to ask, blocking. Cloning it is cheap and shares its connections.
///
/// ```no_run
/// use casque_client::blocking::Client;
/// use casque_proto::{ServiceTicket, ServiceUrl};
///
/// let cas = Client::builder("https://cas.example.org/cas").build()?;
/// let service = ServiceUrl::parse("https://app.example.org/cas/callback")?;
/// let ticket = ServiceTicket::parse("ST-956-Lyg0BdLkgdrBO9W17bXS")?;
/// println!("Welcome, {}!", cas.validate(&ticket, &service)?.user());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// It is the async [`Client`](crate::Client) with a thread of its own for the network, so that both behave alike. It may be
/// used and dropped anywhere, inside an async runtime too, where it blocks the thread it is called on.
#[derive(Clone)]
pub struct Client {
    inner: crate::Client,
    network: Arc<Network>,
    patience: Duration,
}

impl Client {
    /// Begins to make a client for the CAS server at a base URL, for example `https://cas.example.org/cas`.
    ///
    /// A slash at the end makes no difference (R-001).
    pub fn builder(base: impl Into<String>) -> ClientBuilder<Self> {
        ClientBuilder::new(base)
    }

    pub(crate) fn new(client: crate::Client, timeout: Duration) -> Result<Self, ClientError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("casque-client")
            .enable_all()
            .build()
            .map_err(|error| {
                ClientError::misuse("thread", format!("no thread for the network: {error}"))
            })?;
        let patience = timeout.saturating_add(Duration::from_secs(1));
        Ok(Self {
            inner: client,
            network: Arc::new(Network {
                runtime: Some(runtime),
            }),
            patience,
        })
    }

    /// The same client, accepting only users whose password was typed for this very login (S-013).
    ///
    /// See [`Client::renewing`](crate::Client::renewing).
    #[must_use]
    pub fn renewing(&self) -> Self {
        Self {
            inner: self.inner.renewing(),
            ..self.clone()
        }
    }

    /// The same client, whose validations ask for a proxy-granting ticket to be sent to `pgt_url`.
    ///
    /// See [`Client::with_pgt_url`](crate::Client::with_pgt_url).
    ///
    /// # Errors
    ///
    /// [`ClientError::Misuse`] for a client that speaks CAS 1, which knows no proxies.
    pub fn with_pgt_url(&self, pgt_url: PgtUrl) -> Result<Self, ClientError> {
        Ok(Self {
            inner: self.inner.with_pgt_url(pgt_url)?,
            ..self.clone()
        })
    }

    /// The base URL of the server.
    pub fn base(&self) -> &CasBase {
        self.inner.base()
    }

    /// Where to send a browser to log in (R-036).
    pub fn login_url(&self, service: &ServiceUrl, options: LoginOptions) -> String {
        self.inner.login_url(service, options)
    }

    /// Under which name the ticket comes back from a login (R-053): `ticket`, or `SAMLart` with
    /// [`Protocol::Saml11`](crate::Protocol::Saml11).
    pub fn ticket_mode(&self) -> TicketMode {
        self.inner.ticket_mode()
    }

    /// Where to send a browser to end its session with the CAS server, and where the server may send it after that (R-072).
    pub fn logout_url(&self, service: Option<&ServiceUrl>) -> String {
        self.inner.logout_url(service)
    }

    /// The same server by the REST protocol, for programs that hold a user's password and have no browser.
    pub fn rest(&self) -> RestClient {
        RestClient::new(self.inner.rest(), self.clone())
    }

    /// Presents a ticket to the server and gives back whose it is.
    ///
    /// See [`Client::validate`](crate::Client::validate).
    ///
    /// # Errors
    ///
    /// See [`ClientError`]. Nobody is signed in then.
    pub fn validate(
        &self,
        ticket: &ServiceTicket,
        service: &ServiceUrl,
    ) -> Result<Assertion, ClientError> {
        let client = self.inner.clone();
        let (ticket, service) = (ticket.clone(), service.clone());
        self.wait(async move { client.validate(&ticket, &service).await })
    }

    /// Asks for a ticket with which to call another application as the user (R-204).
    ///
    /// See [`Client::proxy_ticket`](crate::Client::proxy_ticket).
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn proxy_ticket(
        &self,
        pgt: &ProxyGrantingTicket,
        target_service: &ServiceUrl,
    ) -> Result<ProxyTicket, ClientError> {
        let client = self.inner.clone();
        let (pgt, target) = (pgt.clone(), target_service.clone());
        self.wait(async move { client.proxy_ticket(&pgt, &target).await })
    }

    pub(crate) fn wait<T: Send + 'static>(
        &self,
        answer: impl Future<Output = Result<T, ClientError>> + Send + 'static,
    ) -> Result<T, ClientError> {
        let (give, take) = sync_channel(1);
        self.network.spawn(async move {
            // Nobody waits any more where this fails.
            let _ = give.send(answer.await);
        });
        // The async client keeps its own timeout. This one is for a process that was forked, whose child has no such thread.
        take.recv_timeout(self.patience).unwrap_or_else(|error| {
            Err(ClientError::Transport {
                failure: match error {
                    RecvTimeoutError::Timeout => TransportFailure::Timeout,
                    RecvTimeoutError::Disconnected => TransportFailure::Interrupted,
                },
                detail: "the network thread gave no answer (a client must be built after a fork, not before)".to_owned(),
            })
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("blocking::Client")
            .field("inner", &self.inner)
            .finish_non_exhaustive()
    }
}

/// The thread that does the network.
struct Network {
    /// Taken when dropped, and not before.
    runtime: Option<Runtime>,
}

impl Network {
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        if let Some(runtime) = &self.runtime {
            runtime.spawn(task);
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // An ordinary drop waits, and panics inside another runtime.
            runtime.shutdown_background();
        }
    }
}
