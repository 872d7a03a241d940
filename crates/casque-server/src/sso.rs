//! Single sign-on sessions: one record each, found by the ticket-granting cookie.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_proto::TicketGrantingTicket;
use casque_store::{Cursor, Key, SharedStore, StoreError};
use data_encoding::HEXLOWER;

use crate::{
    fields::{FieldReader, FieldWriter},
    people::Person,
    secret::{self, Maker, SEAL_BYTES, Secret},
};

/// The kind of a session in the store.
const SESSION: &str = "tgt";

/// Sessions that are looked through at a time, by an operator.
const PAGE: usize = 500;

/// How long it is tried to tell services that a session has ended.
pub(crate) const TELLING: Duration = Duration::from_hours(1);

/// Visits that are kept of one session to one service URL; up to twice as many until somebody
/// counts. Whoever goes there again and again has left the oldest behind.
const PER_SERVICE: usize = 100;

/// Messages that one page has room for; what is left over is told by this server.
pub(crate) const ON_A_PAGE: usize = 40;

/// What a kept visit begins with: a keyed hash of its service, and the time in milliseconds.
const SERVICE_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

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

/// How the services of a session are told of its end: each way has a list of its own, so that a page need not look
/// through what it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// By this server.
    Back,
    /// By the browser, as far as it can be.
    Front,
}

/// A service that accepted a ticket of a session, and will be told when the session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visit {
    /// The ticket by which the service knows its session.
    pub(crate) ticket: String,
    /// The service URL as it was given when the ticket was issued.
    pub(crate) service: String,
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

impl Visit {
    /// Neither a ticket nor a service URL has a line end in it.
    fn to_text(&self) -> String {
        [&self.ticket, "\n", &self.service].concat()
    }

    fn from_text(text: &str) -> Option<Self> {
        let (ticket, service) = text.split_once('\n')?;
        Some(Self {
            ticket: ticket.to_owned(),
            service: service.to_owned(),
        })
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

    /// The services that accepted a ticket of a session, as their addresses were given.
    pub(crate) async fn visited(&self, id: &str) -> Result<Vec<String>, StoreError> {
        let mut visited = Vec::new();
        for channel in [Channel::Back, Channel::Front] {
            let visits = self.store.members(&self.visits(id, channel)).await?;
            let opened = visits
                .iter()
                .filter_map(|sealed| self.open_visit(id, sealed));
            visited.extend(opened.map(|visit| visit.service));
        }
        visited.sort();
        visited.dedup();
        Ok(visited)
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

    /// Notes that a service accepts a ticket, and gives the note as it is kept.
    ///
    /// Call it before the session is looked up for the last time: a session that ends in between
    /// then either finds this note or is found ended.
    pub(crate) async fn note(
        &self,
        id: &str,
        visit: &Visit,
        (channel, remembered): (Channel, bool),
        now: SystemTime,
    ) -> Result<Vec<u8>, StoreError> {
        let member = self.member(id, visit, now);
        let deadline = now + self.lifetime(remembered);
        let visits = self.visits(id, channel);
        let count = self.store.append(&visits, member.clone(), deadline).await?;
        match channel {
            Channel::Front if count >= 2 * ON_A_PAGE => {
                // In a box, so that no other visit carries what this takes.
                Box::pin(self.leave_to_server(id, &member, deadline, now)).await?;
            }
            Channel::Back => self.trim(id, count).await?,
            Channel::Front => {}
        }
        Ok(member)
    }

    /// Leaves all that one page cannot tell to this server, but the visit just noted, so that whoever logs out waits
    /// for no more than a page's worth, however much there is.
    async fn leave_to_server(
        &self,
        id: &str,
        newest: &[u8],
        deadline: SystemTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let (front, back) = (
            self.visits(id, Channel::Front),
            self.visits(id, Channel::Back),
        );
        let mut visits = self.store.members(&front).await?;
        visits.retain(|visit| visit != newest);
        visits.sort_unstable_by(|a, b| by_age(b).cmp(by_age(a)));
        for old in visits.iter().skip(ON_A_PAGE - 1) {
            // Noted there first: who is stopped in between has it told twice, and not never.
            let count = self.store.append(&back, old.clone(), deadline).await?;
            self.store.remove_member(&front, old).await?;
            self.trim(id, count).await?;
        }
        // A session that ended meanwhile may have been told without them.
        if self.is_live(id).await? {
            Ok(())
        } else {
            self.end(id, now).await
        }
    }

    /// Forgets the oldest visits of each service beyond [`PER_SERVICE`].
    async fn trim(&self, id: &str, count: usize) -> Result<(), StoreError> {
        // Now and then is enough, and does not slow down a session with thousands of services.
        if count.is_multiple_of(PER_SERVICE) {
            let visits = self.visits(id, Channel::Back);
            let old = too_many(self.store.members(&visits).await?);
            if !old.is_empty() {
                let old: Vec<&[u8]> = old.iter().map(Vec::as_slice).collect();
                self.store.remove_members(&visits, &old).await?;
            }
        }
        Ok(())
    }

    /// A visit as it is kept: sealed, behind what tells visits of one service and their order.
    fn member(&self, id: &str, visit: &Visit, time: SystemTime) -> Vec<u8> {
        let service = [id.as_bytes(), visit.service.as_bytes()];
        let service = self.secret.mac("visit-service", &service);
        let millis = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let text = visit.to_text();
        let mut member = Vec::with_capacity(SERVICE_BYTES + TIME_BYTES + SEAL_BYTES + text.len());
        member.extend_from_slice(&service[..SERVICE_BYTES]);
        member.extend_from_slice(&millis.to_be_bytes());
        self.secret.seal_onto(&mut member, id, text.as_bytes());
        member
    }

    /// Takes a note back.
    pub(crate) async fn forget(
        &self,
        id: &str,
        sealed: &[u8],
        channel: Channel,
    ) -> Result<(), StoreError> {
        self.store
            .remove_member(&self.visits(id, channel), sealed)
            .await
            .map(drop)
    }

    /// Ends a session. Its services are still to be told: the session is in [`ended`](Self::ended)
    /// until [`told`](Self::told).
    pub(crate) async fn end(&self, id: &str, now: SystemTime) -> Result<(), StoreError> {
        // Noted first: a server that dies in between has told too few otherwise. A session that is
        // noted and alive after all is left alone.
        self.store
            .append(&self.all_ended(), id.as_bytes().to_vec(), now + TELLING)
            .await?;
        self.store.delete(&self.key(id)).await.map(drop)
    }

    /// Ends a session in favour of another of the same person, whose end its services are told.
    pub(crate) async fn hand_over(
        &self,
        old: &str,
        new: &Session,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        self.store.delete(&self.key(old)).await?;
        for channel in [Channel::Back, Channel::Front] {
            let mut visits = self.store.take_members(&self.visits(old, channel)).await?;
            visits.sort_by(|a, b| by_age(a).cmp(by_age(b)));
            for sealed in visits {
                if let Some(visit) = self.open_visit(old, &sealed) {
                    self.note(&new.id, &visit, (channel, new.choices.remembered), now)
                        .await?;
                }
            }
        }
        Ok(())
    }

    /// Sessions that have ended and whose services may not all have been told.
    pub(crate) async fn ended(&self) -> Result<Vec<String>, StoreError> {
        let members = self.store.members(&self.all_ended()).await?;
        Ok(members
            .into_iter()
            .filter_map(|id| String::from_utf8(id).ok())
            .collect())
    }

    /// What is still to be told about an ended session; none if it has not ended.
    pub(crate) async fn untold(
        &self,
        id: &str,
    ) -> Result<Option<Vec<(Channel, Vec<u8>)>>, StoreError> {
        if self.store.get(&self.key(id)).await?.is_some() {
            return Ok(None);
        }
        let mut untold = Vec::new();
        for channel in [Channel::Back, Channel::Front] {
            let visits = self.store.members(&self.visits(id, channel)).await?;
            untold.extend(visits.into_iter().map(|sealed| (channel, sealed)));
        }
        Ok(Some(untold))
    }

    /// Claims what the browser is to tell, the newest first and at most [`ON_A_PAGE`].
    pub(crate) async fn claim_front(&self, id: &str) -> Result<Vec<Visit>, StoreError> {
        let mut visits = self.store.members(&self.visits(id, Channel::Front)).await?;
        visits.sort_by(|a, b| by_age(b).cmp(by_age(a)));
        let mut claimed = Vec::new();
        for sealed in visits.iter().take(ON_A_PAGE) {
            claimed.extend(self.claim(id, sealed, Channel::Front).await?);
        }
        Ok(claimed)
    }

    /// Claims one of those. Of many callers, on many nodes, one gets it.
    pub(crate) async fn claim(
        &self,
        id: &str,
        sealed: &[u8],
        channel: Channel,
    ) -> Result<Option<Visit>, StoreError> {
        let visits = self.visits(id, channel);
        let ours = self.store.remove_member(&visits, sealed).await?;
        Ok(if ours {
            self.open_visit(id, sealed)
        } else {
            None
        })
    }

    /// Everything about an ended session has been told.
    pub(crate) async fn told(&self, id: &str) -> Result<(), StoreError> {
        self.store
            .remove_member(&self.all_ended(), id.as_bytes())
            .await
            .map(drop)
    }

    fn open_visit(&self, id: &str, sealed: &[u8]) -> Option<Visit> {
        let sealed = sealed.get(SERVICE_BYTES + TIME_BYTES..)?;
        let text = String::from_utf8(self.secret.open(id, sealed)?).ok()?;
        Visit::from_text(&text)
    }

    fn all_ended(&self) -> Key {
        Key::new("ended", b"", self.secret.hasher())
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

    fn visits(&self, id: &str, channel: Channel) -> Key {
        let kind = match channel {
            Channel::Back => "visits",
            Channel::Front => "front-visits",
        };
        Key::new(kind, id.as_bytes(), self.secret.hasher())
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

/// The visits that are one too many: the oldest of each service beyond [`PER_SERVICE`].
fn too_many(mut visits: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    // By service, the newest first.
    visits.sort_unstable_by(|a, b| b.cmp(a));
    let service = |visit: &[u8]| visit.get(..SERVICE_BYTES).map(<[u8]>::to_vec);
    visits
        .chunk_by(|a, b| service(a) == service(b))
        .flat_map(|of_one| of_one.iter().skip(PER_SERVICE))
        .cloned()
        .collect()
}

fn by_age(visit: &[u8]) -> &[u8] {
    visit.get(SERVICE_BYTES..).unwrap_or_default()
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
