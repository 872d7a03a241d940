//! Single sign-on sessions: one record each, found by the ticket-granting cookie.

mod visits;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_proto::TicketGrantingTicket;
use casque_store::{Cursor, Key, SharedStore, StoreError};
use data_encoding::HEXLOWER;

pub(crate) use self::visits::{Channel, TELLING, Visit};
use crate::{
    fields::{FieldReader, FieldWriter},
    people::Person,
    secret::{self, Maker, Secret},
};

/// The kind of a session in the store.
const SESSION: &str = "tgt";

/// Sessions that are looked through at a time, by an operator.
const PAGE: usize = 500;

/// What tells one password of a person from the next: as much of a keyed hash as that takes.
type PasswordMark = [u8; 16];

/// The sessions of a deployment.
///
/// The store finds a session by a hash of its cookie, so a copy of the store signs nobody in
/// (S-056, S-076). Service tickets name their session by its id, which is that hash once more
/// removed from the cookie.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    store: SharedStore,
    secret: Secret,
    lifetimes: Lifetimes,
}

/// How long sessions live.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lifetimes {
    /// From login to the end.
    pub(crate) absolute: Duration,
    /// From the last use to the end.
    pub(crate) idle: Duration,
    /// From login to the end of a session that is remembered, used or not.
    pub(crate) remembered: Duration,
}

/// What a person chose when they logged in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    /// The session outlives the browser.
    pub(crate) remembered: bool,
    /// The person is asked before any other service gets a ticket.
    pub(crate) warn: bool,
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
    pub(crate) choices: Choices,
    /// When it ends at the latest.
    pub(crate) ends: SystemTime,
    /// A keyed hash of the person's password hash at that time.
    password: PasswordMark,
    key: Key,
}

/// What the tickets of a session say of it, so that it need not be read to validate them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Login {
    /// The id of the session.
    pub(crate) session: String,
    /// Whose it is.
    pub(crate) user: String,
    at: u64,
    password: PasswordMark,
    remembered: bool,
}

impl Session {
    /// Its id is among it for those who find it by looking through the store.
    fn to_record(&self) -> Vec<u8> {
        let mut fields = FieldWriter::new();
        write_id(&mut fields, &self.id);
        fields.text(&self.user);
        fields.number(seconds(self.authenticated));
        fields.number(seconds(self.ends));
        fields.bytes(&self.password);
        fields.flag(self.choices.remembered);
        fields.flag(self.choices.warn);
        fields.finish()
    }

    fn from_record(record: &[u8], key: Key) -> Option<Self> {
        let mut fields = FieldReader::new(record);
        Some(Self {
            key,
            id: read_id(&mut fields)?,
            user: fields.text()?,
            authenticated: from_seconds(fields.number()?),
            ends: from_seconds(fields.number()?),
            password: fields.array()?,
            choices: Choices {
                remembered: fields.flag(),
                warn: fields.flag(),
            },
        })
    }

    /// What its tickets say of it.
    pub(crate) fn login(&self) -> Login {
        Login {
            session: self.id.clone(),
            user: self.user.clone(),
            at: seconds(self.authenticated),
            password: self.password,
            remembered: self.choices.remembered,
        }
    }
}

impl Login {
    pub(crate) fn write(&self, fields: &mut FieldWriter) {
        write_id(fields, &self.session);
        fields.text(&self.user);
        fields.number(self.at);
        fields.bytes(&self.password);
        fields.flag(self.remembered);
    }

    pub(crate) fn read(fields: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self {
            session: read_id(fields)?,
            user: fields.text()?,
            at: fields.number()?,
            password: fields.array()?,
            remembered: fields.flag(),
        })
    }

    /// When the password was checked.
    pub(crate) fn authenticated(&self) -> SystemTime {
        from_seconds(self.at)
    }

    /// Whether the session is remembered, which services are told.
    pub(crate) fn is_remembered(&self) -> bool {
        self.remembered
    }
}

impl Sessions {
    pub(crate) fn new(store: SharedStore, secret: Secret, lifetimes: Lifetimes) -> Self {
        Self {
            store,
            secret,
            lifetimes,
        }
    }

    /// How long a session lives at most.
    pub(crate) fn lifetime(&self, remembered: bool) -> Duration {
        if remembered {
            self.lifetimes.remembered
        } else {
            self.lifetimes.absolute
        }
    }

    /// Opens a session for someone whose password was right (R-043: always a new one).
    pub(crate) async fn open(
        &self,
        person: &Person,
        choices: Choices,
        now: SystemTime,
    ) -> Result<(TicketGrantingTicket, Session), StoreError> {
        let ticket = TicketGrantingTicket::generate(&mut secret::fill);
        // Whole seconds, as the record keeps them.
        let authenticated = from_seconds(seconds(now));
        let ends = authenticated + self.lifetime(choices.remembered);
        let id = first(self.ids(&ticket));
        let session = Session {
            key: self.key(&id),
            id,
            user: person.id.clone(),
            authenticated,
            choices,
            ends,
            password: first(self.passwords(person)),
        };
        let made = self
            .store
            .create(
                &session.key,
                session.to_record(),
                self.deadline(&session, now),
            )
            .await?;
        debug_assert!(made, "297 random bits do not repeat");
        Ok((ticket, session))
    }

    /// The live session of a cookie (R-032: anything else is no session).
    pub(crate) async fn of_cookie(&self, cookie: &str) -> Result<Option<Session>, StoreError> {
        let Ok(ticket) = TicketGrantingTicket::parse(cookie) else {
            return Ok(None);
        };
        for id in self.ids(&ticket) {
            if let Some(session) = self.by_id(&id).await? {
                return Ok(Some(session));
            }
        }
        Ok(None)
    }

    /// The live session of an id.
    pub(crate) async fn by_id(&self, id: &str) -> Result<Option<Session>, StoreError> {
        let key = self.key(id);
        let Some(bytes) = self.store.get(&key).await? else {
            return Ok(None);
        };
        Ok(Session::from_record(&bytes, key))
    }

    /// A page of the live sessions, each with the time at which it ends if it is not used.
    pub(crate) async fn page(
        &self,
        from: Option<&Cursor>,
    ) -> Result<(Vec<(Session, SystemTime)>, Option<Cursor>), StoreError> {
        let page = self.store.walk(Some(SESSION), from, PAGE).await?;
        let sessions = page.entries.into_iter().filter_map(|entry| {
            let session = Session::from_record(&entry.value, entry.key)?;
            // Of another secret: it is nobody's any more.
            let key = self.key(&session.id);
            let ours = key.first() == entry.key || key.second() == Some(entry.key);
            ours.then_some((session, entry.deadline))
        });
        Ok((sessions.collect(), page.next))
    }

    /// Which secret a session of a [`page`](Self::page) is named by.
    pub(crate) fn maker(&self, session: &Session) -> Maker {
        if session.key == self.key(&session.id).first() {
            Maker::First
        } else {
            Maker::Second
        }
    }

    /// Whether a person still has the password that a session was opened with (S-057).
    pub(crate) fn fits(&self, session: &Session, person: &Person) -> bool {
        self.is_password(person, session.password)
    }

    /// The same for the session of a ticket.
    pub(crate) fn still_fits(&self, login: &Login, person: &Person) -> bool {
        self.is_password(person, login.password)
    }

    /// Whether the session of this id is live.
    pub(crate) async fn is_live(&self, id: &str) -> Result<bool, StoreError> {
        Ok(self.store.get(&self.key(id)).await?.is_some())
    }

    /// Counts the issue of a ticket as use. False where the session has ended meanwhile.
    pub(crate) async fn used(
        &self,
        session: &Session,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        self.store
            .touch(&session.key, self.deadline(session, now))
            .await
    }

    /// Keyed hashes of a person's password hash, by each secret.
    fn passwords(&self, person: &Person) -> impl Iterator<Item = PasswordMark> + use<> {
        let values = [person.id.as_bytes(), person.password_hash.as_bytes()];
        let macs = self.secret.macs("session-password", &values);
        macs.map(|mac| *mac.first_chunk().expect("a keyed hash is longer"))
    }

    fn is_password(&self, person: &Person, kept: PasswordMark) -> bool {
        self.passwords(person).any(|password| password == kept)
    }

    /// What a session of this cookie is named, by each secret.
    fn ids(&self, ticket: &TicketGrantingTicket) -> impl Iterator<Item = String> + use<> {
        let values = [ticket.secret().as_bytes()];
        self.secret
            .macs("session-id", &values)
            .map(|mac| HEXLOWER.encode(&mac))
    }

    fn key(&self, id: &str) -> Key {
        Key::new(SESSION, id.as_bytes(), self.secret.hasher())
    }

    fn deadline(&self, session: &Session, now: SystemTime) -> SystemTime {
        if session.choices.remembered {
            session.ends
        } else {
            session.ends.min(now + self.lifetimes.idle)
        }
    }
}

/// What the first secret makes; there is always one.
fn first<T: Default>(mut by_each: impl Iterator<Item = T>) -> T {
    by_each.next().unwrap_or_default()
}

/// An id takes half the room without its digits.
fn write_id(fields: &mut FieldWriter, id: &str) {
    let bytes = HEXLOWER.decode(id.as_bytes());
    fields.bytes(&bytes.expect("an id is what `Sessions::ids` makes"));
}

fn read_id(fields: &mut FieldReader<'_>) -> Option<String> {
    fields.bytes().map(|bytes| HEXLOWER.encode(bytes))
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
