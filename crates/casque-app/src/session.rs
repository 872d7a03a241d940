//! Sessions of the application: opaque ids in a cookie, records in the store.
//!
//! Four kinds of thing lie in the store, each under a keyed hash:
//!
//! - the *session*, found by the cookie: who is signed in;
//! - the *family*, a set: under which ids this sign-in lives now;
//! - the *ticket*, a set: which family a service ticket began;
//! - the *proxy-granting ticket* of a family, sealed, where the application calls others as its user.
//!
//! Single logout goes from ticket to family to session, and a new id only changes the family. So
//! changing the id, which stops session fixation, does not break single logout (S-055, R-091).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use casque_proto::{Attributes, ProxyGrantingTicket};
use casque_store::{Clock, Key, SharedStore, StoreError};
use sha2::{Digest as _, Sha256};

use crate::keys::{KeyRing, random, random_id};

const SESSION: &str = "app-session";
const FAMILY: &str = "app-family";
/// That a family has ended.
const ENDED: &str = "app-ended";
const TICKET: &str = "app-ticket";
const PGT: &str = "app-pgt";

/// Flag of a record: credentials were asked for anew.
const FRESH: u8 = 1;

/// Flag of a record: a proxy-granting ticket lies beside it.
const HAS_PGT: u8 = 2;

/// Characters of a session id: 256 bits as base64url.
const ID_CHARS: usize = 43;

/// How long a ticket may be on its way to the CAS server and back: longer than any sensible timeout.
const EXPECTED: Duration = Duration::from_mins(5);

/// Expired records removed at each login, so that a store without a sweeper stays small.
const SWEEP: usize = 64;

type Digest32 = [u8; 32];

/// Someone who is signed in at the application, as the store remembers it.
#[derive(Debug)]
pub struct Session {
    record: Vec<u8>,
    created: SystemTime,
    flags: u8,
    family: Digest32,
    ticket: Digest32,
    /// That of a call, which has no place in the store.
    own_pgt: Option<ProxyGrantingTicket>,
    proxies: Vec<String>,
    name: std::ops::Range<usize>,
    attributes: OnceLock<Attributes>,
}

impl Session {
    /// The user's name, exactly as the CAS server gave it (S-018).
    pub fn name(&self) -> &str {
        std::str::from_utf8(&self.record[self.name.clone()]).unwrap_or_default()
    }

    /// The attributes that the CAS server released at login.
    pub fn attributes(&self) -> &Attributes {
        self.attributes
            .get_or_init(|| read_attributes(&self.record[self.name.end..]).unwrap_or_default())
    }

    /// When the user came in.
    pub fn since(&self) -> SystemTime {
        self.created
    }

    /// Whether the login asked for credentials anew (`renew`), and the server confirmed it.
    pub fn renewed(&self) -> bool {
        self.flags & FRESH != 0
    }

    /// The proxies through which another application calls as this user, the most recent first;
    /// empty for a user who has logged in here.
    pub fn proxies(&self) -> &[String] {
        &self.proxies
    }

    /// Whether proxy tickets can be asked for (see [`App::proxy_ticket`](crate::App::proxy_ticket)).
    pub fn is_proxying(&self) -> bool {
        self.own_pgt.is_some() || self.flags & HAS_PGT != 0
    }

    pub(crate) fn own_pgt(&self) -> Option<&ProxyGrantingTicket> {
        self.own_pgt.as_ref()
    }

    /// A session for one request, of a user whom another application calls as.
    pub(crate) fn of_call(
        new: &NewSession<'_>,
        now: SystemTime,
        proxies: &[String],
    ) -> Option<Self> {
        let nobody = Expected {
            ticket: [0; 32],
            family: [0; 32],
        };
        Some(Self {
            own_pgt: new.pgt.cloned(),
            proxies: proxies.to_vec(),
            ..Self::read(new.write(now, &nobody))?
        })
    }

    fn read(record: Vec<u8>) -> Option<Self> {
        let mut rest = record.as_slice();
        let (1, created, [flags]) = (
            take::<1>(&mut rest)?[0],
            take(&mut rest)?,
            take::<1>(&mut rest)?,
        ) else {
            return None;
        };
        let created = UNIX_EPOCH + Duration::from_millis(u64::from_be_bytes(created));
        let (family, ticket) = (take(&mut rest)?, take(&mut rest)?);
        let length = usize::try_from(u32::from_be_bytes(take(&mut rest)?)).ok()?;
        let start = record.len() - rest.len();
        let name = start..start.checked_add(length)?;
        let text = std::str::from_utf8(record.get(name.clone())?).ok()?;
        if text.is_empty() {
            return None;
        }
        Some(Self {
            created,
            flags,
            family,
            ticket,
            own_pgt: None,
            proxies: Vec::new(),
            name,
            attributes: OnceLock::new(),
            record,
        })
    }
}

/// A ticket on its way to the CAS server, known to single logout already.
#[derive(Debug)]
pub(crate) struct Expected {
    ticket: Digest32,
    family: Digest32,
}

/// A login that the CAS server has confirmed, to be made a session.
#[derive(Debug)]
pub(crate) struct NewSession<'a> {
    pub(crate) user: &'a str,
    pub(crate) attributes: &'a Attributes,
    pub(crate) fresh: bool,
    pub(crate) pgt: Option<&'a ProxyGrantingTicket>,
}

impl NewSession<'_> {
    fn write(&self, created: SystemTime, expected: &Expected) -> Vec<u8> {
        let millis = created
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let mut record = Vec::with_capacity(256);
        record.push(1);
        record.extend(millis.to_be_bytes());
        let fresh = if self.fresh { FRESH } else { 0 };
        let has_pgt = if self.pgt.is_some() { HAS_PGT } else { 0 };
        record.push(fresh | has_pgt);
        record.extend(expected.family);
        record.extend(expected.ticket);
        push_text(&mut record, self.user);
        for (name, values) in self.attributes.iter() {
            push_text(&mut record, name);
            push_length(&mut record, values.len());
            for value in values {
                push_text(&mut record, value);
            }
        }
        record
    }
}

fn push_length(record: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).expect("the reader's limits are far below 4 GiB");
    record.extend(length.to_be_bytes());
}

fn push_text(record: &mut Vec<u8>, text: &str) {
    push_length(record, text.len());
    record.extend(text.as_bytes());
}

fn read_attributes(mut rest: &[u8]) -> Option<Attributes> {
    let mut attributes = Attributes::default();
    while !rest.is_empty() {
        let name = take_text(&mut rest)?;
        for _ in 0..u32::from_be_bytes(take(&mut rest)?) {
            attributes.push(name, take_text(&mut rest)?);
        }
    }
    Some(attributes)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (found, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*found)
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(u32::from_be_bytes(take(rest)?)).ok()?;
    let (found, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(found).ok()
}

fn digest(bytes: &[u8]) -> Digest32 {
    Sha256::digest(bytes).into()
}

/// The application's sessions in a store.
#[derive(Debug)]
pub(crate) struct Sessions {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    ring: KeyRing,
    absolute: Duration,
    idle: Duration,
    touches: Touches,
}

impl Sessions {
    pub(crate) fn new(
        store: SharedStore,
        clock: Arc<dyn Clock>,
        ring: KeyRing,
        absolute: Duration,
        idle: Duration,
    ) -> Self {
        let touches = Touches::new();
        Self {
            store,
            clock,
            ring,
            absolute,
            idle,
            touches,
        }
    }

    /// Whether text can be a session id at all; anything else never reaches the store.
    pub(crate) fn is_id(text: &str) -> bool {
        text.len() == ID_CHARS
            && text
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    }

    /// The live session of a cookie. One read of the store, and a touch when a tenth of the idle
    /// time has passed since the last.
    pub(crate) async fn find(&self, id: &str) -> Result<Option<Arc<Session>>, StoreError> {
        let handle = digest(id.as_bytes());
        for hasher in self.ring.hashers() {
            let key = Key::new(SESSION, &handle, hasher);
            let Some(record) = self.store.get(&key).await? else {
                continue;
            };
            let Some(session) = Session::read(record) else {
                continue;
            };
            let now = self.clock.now();
            if now >= session.created + self.absolute {
                return Ok(None);
            }
            if self.touches.due(&key, now, self.idle / 10) {
                match self.touch(&key, &session, now).await {
                    Ok(true) => {}
                    Ok(false) => return Ok(None),
                    Err(error) => tracing::warn!(%error, "a session's idle time was not renewed"),
                }
            }
            return Ok(Some(Arc::new(session)));
        }
        Ok(None)
    }

    async fn touch(
        &self,
        key: &Key,
        session: &Session,
        now: SystemTime,
    ) -> Result<bool, StoreError> {
        let deadline = self.deadline(session.created, now);
        if session.is_proxying() {
            for hasher in self.ring.hashers() {
                let pgt = Key::new(PGT, &session.family, hasher);
                if self.store.touch(&pgt, deadline).await? {
                    break;
                }
            }
        }
        self.store.touch(key, deadline).await
    }

    /// The proxy-granting ticket of a session, while the session lives.
    pub(crate) async fn pgt(
        &self,
        session: &Session,
    ) -> Result<Option<ProxyGrantingTicket>, StoreError> {
        if !session.is_proxying() {
            return Ok(None);
        }
        for hasher in self.ring.hashers() {
            let key = Key::new(PGT, &session.family, hasher);
            let Some(sealed) = self.store.get(&key).await? else {
                continue;
            };
            let plain = std::str::from_utf8(&sealed)
                .ok()
                .and_then(|text| self.ring.open(&pgt_purpose(&session.family), text))
                .and_then(|plain| String::from_utf8(plain).ok());
            if let Some(pgt) = plain.and_then(|text| ProxyGrantingTicket::parse(&text).ok()) {
                return Ok(Some(pgt));
            }
        }
        Ok(None)
    }

    /// Makes a ticket known before the CAS server is asked about it, so that a single logout which
    /// overtakes the server's answer is not lost. The entry is gone in minutes, and at once where
    /// [`refused`](Self::refused) is told; a message of single logout never writes one.
    pub(crate) async fn expect(&self, ticket: &str) -> Result<Expected, StoreError> {
        let expected = Expected {
            ticket: digest(ticket.as_bytes()),
            family: random(),
        };
        let key = Key::new(TICKET, &expected.ticket, self.ring.current());
        let deadline = self.clock.now() + EXPECTED;
        self.store
            .append(&key, expected.family.to_vec(), deadline)
            .await?;
        Ok(expected)
    }

    /// The CAS server did not accept the ticket.
    pub(crate) async fn refused(&self, expected: &Expected) -> Result<(), StoreError> {
        let key = Key::new(TICKET, &expected.ticket, self.ring.current());
        self.store.remove_member(&key, &expected.family).await?;
        Ok(())
    }

    /// Makes a session with a new id (S-055), and only now the ticket's lasting entry for single
    /// logout. `None` where a single logout came in the meantime.
    pub(crate) async fn create(
        &self,
        new: &NewSession<'_>,
        expected: &Expected,
    ) -> Result<Option<String>, StoreError> {
        if let Err(error) = self.store.sweep(SWEEP).await {
            tracing::warn!(%error, "expired sessions stay for now");
        }
        let now = self.clock.now();
        let end = now + self.absolute;
        let id = random_id();
        let handle = digest(id.as_bytes());
        let hasher = self.ring.current();
        let family_key = Key::new(FAMILY, &expected.family, hasher);
        let session_key = Key::new(SESSION, &handle, hasher);
        self.store.append(&family_key, handle.to_vec(), end).await?;
        if let Some(pgt) = new.pgt {
            let purpose = pgt_purpose(&expected.family);
            let sealed = self.ring.seal(&purpose, pgt.secret().as_bytes());
            let key = Key::new(PGT, &expected.family, hasher);
            self.store
                .create(&key, sealed.into_bytes(), self.deadline(now, now))
                .await?;
        }
        let record = new.write(now, expected);
        self.store
            .create(&session_key, record, self.deadline(now, now))
            .await?;
        // The session exists and the entry is looked at after: a single logout before this moment
        // has taken the entry, one after it finds the session through the family.
        let ticket_key = Key::new(TICKET, &expected.ticket, hasher);
        let entries = self.store.members(&ticket_key).await?;
        if !entries.iter().any(|family| *family == expected.family) {
            self.end_family(&expected.family).await?;
            self.store.delete(&session_key).await?;
            return Ok(None);
        }
        self.store
            .append(&ticket_key, expected.family.to_vec(), end)
            .await?;
        Ok(Some(id))
    }

    /// Ends the session of a cookie. Tells whether there was one.
    pub(crate) async fn end(&self, id: &str) -> Result<bool, StoreError> {
        let handle = digest(id.as_bytes());
        for hasher in self.ring.hashers() {
            let key = Key::new(SESSION, &handle, hasher);
            let Some(session) = self.store.take(&key).await?.and_then(Session::read) else {
                continue;
            };
            for hasher in self.ring.hashers() {
                let ticket = Key::new(TICKET, &session.ticket, hasher);
                self.store.remove_member(&ticket, &session.family).await?;
            }
            self.end_family(&session.family).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Ends the sessions that a service ticket began, and tells how many ids that were.
    pub(crate) async fn end_by_ticket(&self, ticket: &str) -> Result<usize, StoreError> {
        let ticket = digest(ticket.as_bytes());
        let mut ended = 0;
        for hasher in self.ring.hashers() {
            let key = Key::new(TICKET, &ticket, hasher);
            for family in self.store.take_members(&key).await? {
                ended += self.end_family(&family).await?;
            }
        }
        Ok(ended)
    }

    /// Gives the session of a cookie a new id. The old one is worth nothing at once.
    pub(crate) async fn rotate(&self, id: &str) -> Result<Option<String>, StoreError> {
        let handle = digest(id.as_bytes());
        for hasher in self.ring.hashers() {
            let old_key = Key::new(SESSION, &handle, hasher);
            let Some(session) = self.store.get(&old_key).await?.and_then(Session::read) else {
                continue;
            };
            let now = self.clock.now();
            let new_id = random_id();
            let new_handle = digest(new_id.as_bytes());
            let new_key = Key::new(SESSION, &new_handle, hasher);
            let family = Key::new(FAMILY, &session.family, hasher);
            let end = session.created + self.absolute;
            // The family knows the new id before it exists, and is asked again after: a single
            // logout in between ends the new id too.
            self.store.append(&family, new_handle.to_vec(), end).await?;
            let Some(record) = self.store.take(&old_key).await? else {
                self.store.remove_member(&family, &new_handle).await?;
                return Ok(None);
            };
            let deadline = self.deadline(session.created, now);
            self.store.create(&new_key, record, deadline).await?;
            let members = self.store.members(&family).await?;
            let ended = Key::new(ENDED, &session.family, hasher);
            if !members.iter().any(|member| member == &new_handle)
                || self.store.get(&ended).await?.is_some()
            {
                self.store.delete(&new_key).await?;
                return Ok(None);
            }
            self.store.remove_member(&family, &handle).await?;
            return Ok(Some(new_id));
        }
        Ok(None)
    }

    async fn end_family(&self, family: &[u8]) -> Result<usize, StoreError> {
        let mut ended = 0;
        let until = self.clock.now() + self.absolute;
        for hasher in self.ring.hashers() {
            // Said first: an id that changes meanwhile is either in the family below, or finds this.
            self.store
                .create(&Key::new(ENDED, family, hasher), Vec::new(), until)
                .await?;
            self.store.delete(&Key::new(PGT, family, hasher)).await?;
            for handle in self
                .store
                .take_members(&Key::new(FAMILY, family, hasher))
                .await?
            {
                for hasher in self.ring.hashers() {
                    let key = Key::new(SESSION, &handle, hasher);
                    ended += usize::from(self.store.delete(&key).await?);
                }
            }
        }
        Ok(ended)
    }

    fn deadline(&self, created: SystemTime, now: SystemTime) -> SystemTime {
        (created + self.absolute).min(now + self.idle)
    }
}

/// What a proxy-granting ticket is sealed for: no other session can use it.
fn pgt_purpose(family: &Digest32) -> String {
    format!(
        "casque-app proxy-granting ticket 1 {}",
        URL_SAFE_NO_PAD.encode(family)
    )
}

/// When this process last renewed which session's idle time, without a lock and in fixed memory.
///
/// Each slot packs 32 bits of a key's hash and the time. Two sessions in one slot only cause a
/// renewal more than needed.
#[derive(Debug)]
struct Touches(Box<[AtomicU64]>);

const TOUCH_SLOTS: usize = 4096;

impl Touches {
    fn new() -> Self {
        Self((0..TOUCH_SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    fn due(&self, key: &Key, now: SystemTime, every: Duration) -> bool {
        let [low, high, mark @ .., _, _] = *key
            .digest()
            .first_chunk::<8>()
            .expect("a hash has 32 bytes");
        let slot = &self.0[usize::from(u16::from_be_bytes([low, high])) % TOUCH_SLOTS];
        let mark = u64::from(u32::from_be_bytes(mark)) << 32;
        let seconds = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() & 0xffff_ffff;
        let last = slot.load(Ordering::Relaxed);
        let known = last & !0xffff_ffff == mark && last != 0;
        let since = seconds.wrapping_sub(last & 0xffff_ffff);
        if known && since < every.as_secs().max(1) {
            return false;
        }
        slot.store(mark | seconds, Ordering::Relaxed);
        true
    }
}
