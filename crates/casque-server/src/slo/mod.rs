//! Back-channel single logout: services are told that a session ended (protocol section 7, S-049).

mod client;

use std::{path::Path, sync::Arc, time::Duration};

use casque_proto::{LogoutRequest, RegistryUrl, ServiceTicket, redact::redact};
use casque_store::Clock;
use tokio::sync::Semaphore;

pub use self::client::OutboundError;
use crate::{
    registry::{Service, Services},
    secret,
    sso::Visit,
};

/// Messages on their way at the same time.
const PARALLEL: usize = 32;

/// Messages that may wait. A logout of more, or a flood of logouts, loses the rest, with a warning.
const WAITING: u32 = 20_000;

/// How long a service may take, from connecting to its status line.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Sends logout messages in the background; nobody who logs out waits for them.
#[derive(Debug, Clone)]
pub(crate) struct Messenger {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    client: reqwest::Client,
    services: Arc<Services>,
    clock: Arc<dyn Clock>,
    parallel: Semaphore,
    waiting: Arc<Semaphore>,
}

impl Messenger {
    pub(crate) fn new(
        services: Arc<Services>,
        clock: Arc<dyn Clock>,
        trusted_roots: Option<&Path>,
    ) -> Result<Self, OutboundError> {
        Ok(Self {
            inner: Arc::new(Inner {
                client: client::build(trusted_roots, TIMEOUT)?,
                services,
                clock,
                parallel: Semaphore::new(PARALLEL),
                waiting: Arc::new(Semaphore::new(WAITING as usize)),
            }),
        })
    }

    /// Queues one message for each visit, and returns at once.
    pub(crate) fn send(&self, visits: Vec<Visit>) {
        for visit in visits {
            let Ok(place) = self.inner.waiting.clone().try_acquire_owned() else {
                tracing::warn!("too many logout messages are waiting; some are not sent");
                return;
            };
            let inner = self.inner.clone();
            tokio::spawn(async move {
                inner.deliver(&visit).await;
                drop(place);
            });
        }
    }

    /// Waits until no message is on its way.
    pub(crate) async fn drained(&self) {
        // The semaphore is never closed.
        let _all = self.inner.waiting.acquire_many(WAITING).await;
    }
}

impl Inner {
    /// Delivers one message. Whatever goes wrong is logged and left at that.
    async fn deliver(&self, visit: &Visit) {
        let Ok(_turn) = self.parallel.acquire().await else {
            return;
        };
        let Some(service) = self.service(visit) else {
            return;
        };
        let url = service.logout_url.as_ref().unwrap_or(&visit.service);
        let Ok(ticket) = ServiceTicket::parse(&visit.ticket) else {
            return;
        };
        let id = LogoutRequest::new_id(&mut secret::fill);
        let body = LogoutRequest::to_form_body(&id, self.clock.now(), &ticket);
        let outcome = client::post(&self.client, url, body).await;
        match outcome {
            Ok(status) if status.is_success() => {
                tracing::info!(service = %service.id, "logout message delivered");
            }
            Ok(status) => {
                tracing::warn!(service = %service.id, status = status.as_u16(), "logout message refused");
            }
            Err(error) => {
                // The URL in the error holds the whole service address.
                let error = redact(&error.without_url().to_string(), None);
                tracing::warn!(service = %service.id, %error, "logout message not delivered");
            }
        }
    }

    /// The service that a message goes to: it is still registered, and wants messages.
    fn service(&self, visit: &Visit) -> Option<&Service> {
        let url = RegistryUrl::parse(&visit.service).ok()?;
        self.services
            .find(&url)
            .filter(|service| service.single_logout)
    }
}
