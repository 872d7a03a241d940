//! Single sign-on sessions: one record each, found by the ticket-granting cookie.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_proto::TicketGrantingTicket;
use casque_store::{Key, SharedStore, StoreError};
use serde::{Deserialize, Serialize};

use crate::secret::{self, Secret, hex};

/// The sessions of a deployment.
///
/// The store finds a session by a hash of its cookie, so a copy of the store signs nobody in
/// (S-056, S-076). Service tickets name their session by its id, which is that hash once more
/// removed from the cookie.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    store: SharedStore,
    secret: Secret,
    absolute: Duration,
    idle: Duration,
}

/// A live session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// Names the session in the store and in its tickets; not a secret that signs anyone in.
    pub(crate) id: String,
    /// Whose session it is.
    pub(crate) user: String,
    /// When the password was checked.
    pub(crate) authenticated: SystemTime,
    ends: SystemTime,
}

/// A service that accepted a ticket of a session, and will be told when the session ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// The ticket by which the service knows its session.
    pub(crate) ticket: String,
    /// The service URL as it was given when the ticket was issued.
    pub(crate) service: String,
}

#[derive(Serialize, Deserialize)]
struct Record {
    user: String,
    at: u64,
    ends: u64,
}

impl Sessions {
    pub(crate) fn new(
        store: SharedStore,
        secret: Secret,
        absolute: Duration,
        idle: Duration,
    ) -> Self {
        Self {
            store,
            secret,
            absolute,
            idle,
        }
    }

    /// Opens a session for someone whose password was right (R-043: always a new one).
    pub(crate) async fn open(
        &self,
        user: &str,
        now: SystemTime,
    ) -> Result<(TicketGrantingTicket, Session), StoreError> {
        let ticket = TicketGrantingTicket::generate(&mut secret::fill);
        // Whole seconds, as the record keeps them.
        let authenticated = from_seconds(seconds(now));
        let ends = authenticated + self.absolute;
        let session = Session {
            id: self.id(&ticket),
            user: user.to_owned(),
            authenticated,
            ends,
        };
        let record = Record {
            user: user.to_owned(),
            at: seconds(authenticated),
            ends: seconds(ends),
        };
        let record = serde_json::to_vec(&record).expect("a record is plain JSON");
        let made = self
            .store
            .create(&self.key(&session.id), record, self.deadline(&session, now))
            .await?;
        debug_assert!(made, "297 random bits do not repeat");
        Ok((ticket, session))
    }

    /// The live session of a cookie (R-032: anything else is no session).
    pub(crate) async fn of_cookie(&self, cookie: &str) -> Result<Option<Session>, StoreError> {
        match TicketGrantingTicket::parse(cookie) {
            Ok(ticket) => self.by_id(&self.id(&ticket)).await,
            Err(_) => Ok(None),
        }
    }

    /// The live session of an id.
    pub(crate) async fn by_id(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let Some(bytes) = self.store.get(&self.key(id)).await? else {
            return Ok(None);
        };
        let Ok(record) = serde_json::from_slice::<Record>(&bytes) else {
            return Ok(None);
        };
        Ok(Some(Session {
            id: id.to_owned(),
            user: record.user,
            authenticated: from_seconds(record.at),
            ends: from_seconds(record.ends),
        }))
    }

    /// Counts the issue of a ticket as use. False where the session has ended meanwhile.
    pub(crate) async fn used(
        &self,
        session: &Session,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.store
            .touch(&self.key(&session.id), self.deadline(session, now))
            .await
    }

    /// Notes that a service accepted a ticket.
    ///
    /// Call it before the session is looked up for the last time: a session that ends in between
    /// then either finds this note or is found ended.
    pub(crate) async fn note(
        &self,
        id: &str,
        visit: &Visit,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let member = serde_json::to_vec(visit).expect("a visit is plain JSON");
        let sealed = self.secret.seal(id, &member);
        self.store
            .append(&self.visits(id), sealed, now + self.absolute)
            .await
            .map(drop)
    }

    /// Ends a session and hands over the services to be told. Of many callers one gets each.
    pub(crate) async fn end(&self, id: &str) -> Result<Vec<Visit>, StoreError> {
        self.store.delete(&self.key(id)).await?;
        let members = self.store.take_members(&self.visits(id)).await?;
        Ok(members
            .iter()
            .filter_map(|sealed| self.secret.open(id, sealed))
            .filter_map(|member| serde_json::from_slice(&member).ok())
            .collect())
    }

    fn id(&self, ticket: &TicketGrantingTicket) -> String {
        hex(&self.secret.mac("session-id", &[ticket.secret().as_bytes()]))
    }

    fn key(&self, id: &str) -> Key {
        Key::new("tgt", id.as_bytes(), self.secret.hasher())
    }

    fn visits(&self, id: &str) -> Key {
        Key::new("visits", id.as_bytes(), self.secret.hasher())
    }

    fn deadline(&self, session: &Session, now: SystemTime) -> SystemTime {
        session.ends.min(now + self.idle)
    }
}

pub(crate) fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs()
}

pub(crate) fn from_seconds(seconds: u64) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(seconds))
        .unwrap_or(UNIX_EPOCH)
}
