//! Service tickets: bound to one service, gone with the first attempt (R-095, R-096, S-003, S-006).

use std::time::{Duration, SystemTime};

use casque_proto::{ServiceTicket, TicketKind};
use casque_store::{Key, KeyHasher, SharedStore, StoreError};
use serde::{Deserialize, Serialize};

use crate::{registry::Place, secret, sso::Login};

/// The longest a ticket may be valid for.
pub(crate) const LONGEST: Duration = Duration::from_mins(5);

/// Issues and takes service tickets.
#[derive(Debug, Clone)]
pub(crate) struct Tickets {
    store: SharedStore,
    hasher: KeyHasher,
    lifetime: Duration,
}

/// What a ticket stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    /// The login that it was issued for.
    pub(crate) login: Login,
    /// The service as it was given; the only one that may validate it.
    pub(crate) url: String,
    /// Where the registry that let the service in has it.
    pub(crate) place: Option<Place>,
    /// It was issued in direct answer to a password.
    pub(crate) fresh: bool,
}

impl Tickets {
    pub(crate) fn new(store: SharedStore, hasher: KeyHasher, lifetime: Duration) -> Self {
        Self {
            store,
            hasher,
            lifetime: lifetime.min(LONGEST),
        }
    }

    /// Issues a ticket.
    pub(crate) async fn issue(
        &self,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<ServiceTicket, StoreError> {
        let ticket = ServiceTicket::generate(&mut secret::fill);
        let record = serde_json::to_vec(grant).expect("a grant is plain JSON");
        let made = self
            .store
            .create(&self.key(&ticket), record, now + self.lifetime)
            .await?;
        debug_assert!(made, "172 random bits do not repeat");
        Ok(ticket)
    }

    /// Takes a ticket away and says what it stood for. One caller gets it; whatever is decided
    /// afterwards, it is spent.
    pub(crate) async fn take(&self, ticket: &ServiceTicket) -> Result<Option<Grant>, StoreError> {
        let record = self.store.take(&self.key(ticket)).await?;
        Ok(record.and_then(|record| serde_json::from_slice(&record).ok()))
    }

    fn key(&self, ticket: &ServiceTicket) -> Key {
        // The kind is part of the key, so that no ticket is ever found as one of another kind (S-005).
        let kind = if ticket.kind() == TicketKind::Proxy {
            "pt"
        } else {
            "st"
        };
        Key::new(kind, ticket.secret().as_bytes(), &self.hasher)
    }
}
