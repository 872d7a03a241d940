//! Failed logins are counted per person and per network, in the store (S-060, R-045).
//!
//! A failure is a record in the store, so that counts hold across nodes, restarts and crashes. An
//! attempt that is under way counts as well, in this process only: however many run at once, no more
//! than the limit are looked at, and one too many waits until those before it have been judged. A
//! browser in which this person has logged in before shows a device cookie and is counted apart, so
//! that nobody can lock someone else out.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use casque_store::{Key, KeyHasher, SharedStore, StoreError};
use data_encoding::HEXLOWER;
use icu_normalizer::ComposingNormalizerBorrowed;
use tokio::sync::Notify;

use crate::secret::{Maker, Secret, random_bytes};

/// How long a browser is remembered as one that a person has logged in from.
pub(crate) const DEVICE_LIFETIME: Duration = Duration::from_hours(90 * 24);

/// Seconds in [`DEVICE_LIFETIME`], for the cookie.
pub(crate) const DEVICE_MAX_AGE: u64 = 90 * 24 * 3600;

/// How many times more failures are allowed to everybody behind a proxy that is not listed.
const EVERYBODY: u32 = 10;

/// How many failures are allowed in how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) per_person: u32,
    pub(crate) per_network: u32,
    pub(crate) window: Duration,
}

/// Counts attempts; the failures are in the store.
#[derive(Debug, Clone)]
pub(crate) struct Throttle {
    store: SharedStore,
    hasher: KeyHasher,
    limits: Limits,
    under_way: UnderWay,
}

/// An attempt that may go on. Dropped without a word it was none: nobody has learnt its outcome.
#[derive(Debug)]
pub(crate) struct Attempt {
    places: Vec<Place>,
}

/// Whose attempts are counted together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Who<'a> {
    /// The name as [`canonical_person`] gives it.
    pub(crate) person: &'a str,
    /// The network of the browser.
    pub(crate) network: &'a str,
    /// It is that of a proxy which is not listed, and so of everybody behind it.
    pub(crate) everybodys: bool,
    /// The device, where its cookie is for this person.
    pub(crate) device: Option<&'a str>,
}

impl Throttle {
    pub(crate) fn new(store: SharedStore, hasher: KeyHasher, limits: Limits) -> Self {
        Self {
            store,
            hasher,
            limits,
            under_way: UnderWay::default(),
        }
    }

    /// Lets an attempt go on, or says how long to wait.
    pub(crate) async fn begin(
        &self,
        who: Who<'_>,
        now: SystemTime,
    ) -> Result<Result<Attempt, Duration>, StoreError> {
        let mut places = Vec::new();
        for (key, limit) in self.buckets(who) {
            match self.enter(key, limit as usize, now).await? {
                Ok(place) => places.push(place),
                Err(wait) => return Ok(Err(wait)),
            }
        }
        Ok(Ok(Attempt { places }))
    }

    async fn enter(
        &self,
        key: Key,
        limit: usize,
        now: SystemTime,
    ) -> Result<Result<Place, Duration>, StoreError> {
        let bucket = self.under_way.bucket(&key);
        loop {
            let freed = bucket.freed.notified();
            let turn = bucket.turn.lock().await;
            let failures = self.store.members(&key).await?;
            if failures.len() >= limit {
                return Ok(Err(self.wait(&failures, limit, now)));
            }
            if bucket.enter(limit - failures.len()) {
                drop(turn);
                return Ok(Ok(Place {
                    key,
                    bucket: bucket.clone(),
                }));
            }
            drop(turn);
            freed.await;
        }
    }

    /// Counts an attempt as a failure.
    pub(crate) async fn failed(&self, attempt: Attempt, now: SystemTime) -> Result<(), StoreError> {
        let end = now + self.limits.window;
        for place in attempt.places {
            // Between the count in the store and the end of the attempt nobody else is let in.
            let bucket = place.bucket.clone();
            let turn = bucket.turn.lock().await;
            self.store.append(&place.key, member(end), end).await?;
            drop(place);
            drop(turn);
        }
        Ok(())
    }

    /// Where an attempt counts, and how many failures are allowed there.
    fn buckets(&self, who: Who<'_>) -> Vec<(Key, u32)> {
        let Limits {
            per_person,
            per_network,
            ..
        } = self.limits;
        let key = |kind, name: &[u8]| Key::new(kind, name, &self.hasher);
        if let Some(device) = who.device {
            let name = [who.person.as_bytes(), b"\0", device.as_bytes()].concat();
            return vec![(key("fail-device", &name), per_person)];
        }
        let person = (key("fail-person", who.person.as_bytes()), per_person);
        let network = who.network.as_bytes();
        let network = if who.everybodys {
            let limit = per_network.saturating_mul(EVERYBODY);
            (key("fail-proxy", network), limit)
        } else {
            (key("fail-network", network), per_network)
        };
        vec![person, network]
    }

    /// Until so few failures count that one more is allowed.
    fn wait(&self, failures: &[Vec<u8>], limit: usize, now: SystemTime) -> Duration {
        let mut ends: Vec<u64> = failures
            .iter()
            .filter_map(|member| end_of(member))
            .collect();
        ends.sort_unstable();
        let frees = ends.len().saturating_sub(limit);
        let end = ends.get(frees).map_or(now + self.limits.window, |end| {
            UNIX_EPOCH + Duration::from_millis(*end)
        });
        end.duration_since(now).unwrap_or_default()
    }
}

/// The attempts of this process that have not been judged yet.
#[derive(Debug, Clone, Default)]
struct UnderWay(Arc<Mutex<HashMap<Key, Arc<Bucket>>>>);

#[derive(Debug, Default)]
struct Bucket {
    attempts: Mutex<usize>,
    /// Held while the failures in the store and the attempts here are looked at together.
    turn: tokio::sync::Mutex<()>,
    freed: Notify,
}

/// An attempt's place in a bucket.
#[derive(Debug)]
struct Place {
    key: Key,
    bucket: Arc<Bucket>,
}

impl UnderWay {
    fn bucket(&self, key: &Key) -> Arc<Bucket> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A bucket that nobody is in or waits for is held by this map alone.
        if buckets.len() >= MANY_BUCKETS {
            buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1);
        }
        buckets.entry(*key).or_default().clone()
    }
}

impl Bucket {
    fn enter(&self, allowed: usize) -> bool {
        let mut attempts = self.attempts.lock().unwrap_or_else(PoisonError::into_inner);
        let free = *attempts < allowed;
        *attempts += usize::from(free);
        free
    }

    fn leave(&self) {
        *self.attempts.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.freed.notify_waiters();
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.bucket.leave();
    }
}

/// So many buckets are kept before the empty ones are looked for.
const MANY_BUCKETS: usize = 1024;

/// The moment in front makes the wait known; the rest keeps attempts of one moment apart.
fn member(end: SystemTime) -> Vec<u8> {
    let millis = end
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis();
    let millis = u64::try_from(millis).unwrap_or(u64::MAX);
    [millis.to_be_bytes(), random_bytes()].concat()
}

fn end_of(member: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(*member.first_chunk()?))
}

/// The name that attempts are counted under: blanks, case and compatibility forms do not make
/// another person (GHSA-hjj4-hfjm-fmrj). Only for counting: who someone is, is never folded (S-018).
pub(crate) fn canonical_person(username: &str) -> String {
    let nfkc = ComposingNormalizerBorrowed::new_nfkc();
    let lower = nfkc.normalize(username).to_lowercase();
    nfkc.normalize(&lower)
        .chars()
        .filter(|c| !c.is_whitespace() && !c.is_control() && !is_invisible(*c))
        .collect()
}

/// Format characters that fonts show as nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}')
}

/// Makes the value of a device cookie: it names nobody, and is good for this person alone (SC-017).
pub(crate) fn device_cookie(secret: &Secret, person: &str, now: SystemTime) -> String {
    let id = HEXLOWER.encode(&random_bytes::<16>());
    let made = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let made = format!("{made:x}");
    let mac = secret.mac(
        "device",
        &[person.as_bytes(), id.as_bytes(), made.as_bytes()],
    );
    format!("{id}-{made}-{}", HEXLOWER.encode(&mac))
}

/// A browser that a person has logged in from, as its cookie names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Device<'c> {
    pub(crate) id: &'c str,
    /// Who was given the cookie by the second secret gets a new one before that is gone.
    pub(crate) maker: Maker,
}

/// The device of a cookie, if it was made for this person and is not too old.
pub(crate) fn known_device<'c>(
    secret: &Secret,
    person: &str,
    cookie: &'c str,
    now: SystemTime,
) -> Option<Device<'c>> {
    let mut parts = cookie.split('-');
    let (id, made, mac) = (parts.next()?, parts.next()?, parts.next()?);
    let seconds = u64::from_str_radix(made, 16).ok()?;
    let made_at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    let fresh = now
        .duration_since(made_at)
        .is_ok_and(|age| age < DEVICE_LIFETIME);
    let maker = secret.maker(
        mac,
        "device",
        &[person.as_bytes(), id.as_bytes(), made.as_bytes()],
    )?;
    (parts.next().is_none() && fresh).then_some(Device { id, maker })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disguises_of_a_name_are_one_bucket() {
        for name in [
            "alice",
            "ALICE",
            " alice ",
            "\u{ff41}lice",
            "al\u{200b}ice",
            "Alic\u{212f}",
        ] {
            assert_eq!(canonical_person(name), "alice", "{name:?}");
        }
        assert_ne!(
            canonical_person("аlice"),
            "alice",
            "a Cyrillic letter is another name"
        );
    }

    #[test]
    fn device_cookies_are_for_one_person_and_a_time() {
        let key = Secret::new(KeyHasher::new(&[1; 32]));
        let now = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let cookie = device_cookie(&key, "alice", now);
        assert!(known_device(&key, "alice", &cookie, now).is_some());
        assert!(known_device(&key, "alice", &cookie, now + DEVICE_LIFETIME).is_none());
        assert!(known_device(&key, "bob", &cookie, now).is_none());
        assert!(known_device(&key, "alice", &format!("{cookie}-"), now).is_none());
        assert!(known_device(&key, "alice", "", now).is_none());
        assert!(!cookie.contains("alice"));
    }
}
