//! Single logout: services are told that a session ended (protocol section 7, S-049).

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use casque_proto::{LogoutRequest, RegistryUrl, ServiceTicket, redact::redact};
use casque_store::{Clock, StoreError};
use futures_util::{StreamExt as _, stream};
use rustls::ClientConfig;
use tokio::sync::Semaphore;

use crate::{
    journal::{Event, Journal, Message},
    outbound::{self, OutboundError},
    registry::{LogoutType, Service, Services},
    secret,
    sso::{Channel, Sessions, Visit},
};

/// Messages on their way at the same time.
const PARALLEL: usize = 64;

/// How many of them may be about one session, so that services of one person that hang do not
/// hold up what others' services are told.
const PER_SESSION: usize = 32;

/// Ended sessions that are worked on at the same time; more wait in the store.
const SESSIONS: u32 = 1024;

/// How long a service may take, from connecting to its status line.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What the answer to whoever logs out is given before the first message goes.
const HEAD_START: Duration = Duration::from_millis(10);

/// A message for the browser to take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrontMessage {
    /// The address to get, with the message in its query.
    pub(crate) url: String,
    /// Its origin.
    pub(crate) origin: String,
}

/// Tells services that a session ended, in the background; nobody who logs out waits for it.
///
/// What is to be told is in the store, and every message is claimed there just before it is sent:
/// of all nodes one sends it, and what a node leaves behind is taken up by the next that looks.
#[derive(Debug, Clone)]
pub(crate) struct Messenger {
    inner: Arc<Inner>,
    services: Arc<Services>,
}

#[derive(Debug)]
struct Inner {
    client: reqwest::Client,
    sessions: Sessions,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    parallel: Semaphore,
    places: Arc<Semaphore>,
    /// The ended sessions that this node works on.
    at_work: Mutex<HashSet<String>>,
}

impl Messenger {
    pub(crate) fn new(
        sessions: Sessions,
        services: Arc<Services>,
        journal: Arc<Journal>,
        clock: Arc<dyn Clock>,
        tls: ClientConfig,
    ) -> Result<Self, OutboundError> {
        Ok(Self {
            services,
            inner: Arc::new(Inner {
                client: outbound::client(tls, TIMEOUT)?,
                sessions,
                journal,
                clock,
                parallel: Semaphore::new(PARALLEL),
                places: Arc::new(Semaphore::new(SESSIONS as usize)),
                at_work: Mutex::default(),
            }),
        })
    }

    /// The same for another registry: what is under way is shared.
    pub(crate) fn with_services(&self, services: Arc<Services>) -> Self {
        Self {
            inner: self.inner.clone(),
            services,
        }
    }

    /// Claims messages of an ended session for the page that its browser is shown.
    pub(crate) async fn claim_front(&self, id: &str) -> Result<Vec<FrontMessage>, StoreError> {
        let mut services = self.services.iter();
        if !services.any(|service| service.logout_type == LogoutType::FrontChannel) {
            return Ok(Vec::new());
        }
        let visits = self.inner.sessions.claim_front(id).await?;
        let messages = visits.iter().filter_map(|visit| self.in_front(visit));
        Ok(messages.collect())
    }

    /// Begins to tell the services of an ended session, and returns at once.
    pub(crate) fn tell(&self, id: &str) {
        let Ok(place) = self.inner.places.clone().try_acquire_owned() else {
            return;
        };
        if !self.inner.at_work().insert(id.to_owned()) {
            return;
        }
        let (messenger, id) = (self.clone(), id.to_owned());
        tokio::spawn(async move {
            // Else thousands of messages would vie with the answer for the processors.
            let _ = tokio::time::timeout(HEAD_START, std::future::pending::<()>()).await;
            if let Err(error) = messenger.tell_all(&id).await {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "logout messages are left for later");
            }
            messenger.inner.at_work().remove(&id);
            drop(place);
        });
    }

    /// Takes up what was left behind.
    pub(crate) async fn take_up(&self) {
        match self.inner.sessions.ended().await {
            Ok(ended) => ended.iter().for_each(|id| self.tell(id)),
            Err(error) => tracing::warn!(%error, "logout messages stay for now"),
        }
    }

    /// Waits until nothing is on its way.
    pub(crate) async fn drained(&self) {
        // The semaphore is never closed.
        let _all = self.inner.places.acquire_many(SESSIONS).await;
    }

    async fn tell_all(&self, id: &str) -> Result<(), StoreError> {
        // A session that has not ended yet will be found by the next look.
        let Some(untold) = self.inner.sessions.untold(id).await? else {
            return Ok(());
        };
        let results: Vec<Result<(), StoreError>> = stream::iter(untold)
            .map(|(channel, sealed)| async move { self.tell_one(id, &sealed, channel).await })
            .buffer_unordered(PER_SESSION)
            .collect()
            .await;
        results.into_iter().collect::<Result<(), StoreError>>()?;
        self.inner.sessions.told(id).await
    }

    async fn tell_one(&self, id: &str, sealed: &[u8], channel: Channel) -> Result<(), StoreError> {
        // The semaphore is never closed.
        let _turn = self.inner.parallel.acquire().await;
        if let Some(visit) = self.inner.sessions.claim(id, sealed, channel).await? {
            self.deliver(&visit).await;
        }
        Ok(())
    }

    /// The message for a browser.
    fn in_front(&self, visit: &Visit) -> Option<FrontMessage> {
        let service = self.service(visit)?;
        let address = service.logout_url.as_ref().unwrap_or(&visit.service);
        let origin = url::Url::parse(address).ok()?.origin();
        let ticket = ServiceTicket::parse(&visit.ticket).ok()?;
        let id = LogoutRequest::new_id(&mut secret::fill);
        let query = LogoutRequest::to_front_channel_query(&id, self.inner.clock.now(), &ticket);
        let before = address.split('#').next().unwrap_or_default();
        let mark = if before.contains('?') { '&' } else { '?' };
        self.note(service, visit, Message::Browser);
        tracing::info!(service = %service.id, "logout message left to the browser");
        Some(FrontMessage {
            url: format!("{before}{mark}{query}"),
            origin: origin.ascii_serialization(),
        })
    }

    /// Delivers one message. Whatever goes wrong is logged and left at that.
    async fn deliver(&self, visit: &Visit) {
        let Some(service) = self.service(visit) else {
            return;
        };
        let url = service.logout_url.as_ref().unwrap_or(&visit.service);
        let Ok(ticket) = ServiceTicket::parse(&visit.ticket) else {
            return;
        };
        let id = LogoutRequest::new_id(&mut secret::fill);
        let body = LogoutRequest::to_form_body(&id, self.inner.clock.now(), &ticket);
        match outbound::post(&self.inner.client, url, body).await {
            Ok(status) if status.is_success() => {
                self.note(service, visit, Message::Delivered);
                tracing::info!(service = %service.id, "logout message delivered");
            }
            Ok(status) => {
                let status = status.as_u16();
                self.note(service, visit, Message::Refused);
                tracing::warn!(service = %service.id, status, "logout message refused");
            }
            Err(error) => {
                self.note(service, visit, Message::Failed);
                // The URL in the error holds the whole service address.
                let error = redact(&error.without_url().to_string(), None);
                tracing::warn!(service = %service.id, %error, "logout message not delivered");
            }
        }
    }

    fn note(&self, service: &Service, visit: &Visit, outcome: Message) {
        self.inner.journal.tell(&Event::LogoutMessage {
            outcome,
            service: &service.id,
            ticket: &visit.ticket,
        });
    }

    /// The service that a message goes to: it is still registered, and wants messages.
    fn service(&self, visit: &Visit) -> Option<&Service> {
        let url = RegistryUrl::parse(&visit.service).ok()?;
        self.services
            .find(&url)
            .filter(|service| service.logout_type != LogoutType::None)
    }
}

impl Inner {
    fn at_work(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        // Nothing panics while it is held.
        self.at_work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
