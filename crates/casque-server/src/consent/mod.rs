//! What people agreed that services may be told about them.
//!
//! Asked for by services with `consent = true`, once for a set of attribute *names*: a telephone number that changes
//! is no new kind of knowledge, and whoever is asked at every change learns to agree without reading. A service that
//! asks for fewer attributes than before asks nobody again; one that asks for more does.

mod page;

pub(crate) use page::consents;

use std::time::{Duration, SystemTime};

use casque_store::{Key, SharedStore, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    people::Person,
    registry::Service,
    secret::Secret,
    sso::{from_seconds, seconds},
};

/// How long a consent is good for.
const LIFETIME: Duration = Duration::from_hours(365 * 24);

/// The consents of a deployment: one sealed note for each person and service.
#[derive(Debug, Clone)]
pub(crate) struct Consents {
    store: SharedStore,
    secret: Secret,
}

/// A consent that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Given {
    /// The id of the service.
    pub(crate) service: String,
    /// The names of the attributes it may be told.
    pub(crate) names: Vec<String>,
    at: u64,
}

impl Given {
    /// When it was given.
    pub(crate) fn at(&self) -> SystemTime {
        from_seconds(self.at)
    }
}

/// The names of what a service would be told about a person.
pub(crate) fn names<'a>(service: &'a Service, person: &'a Person) -> Vec<&'a str> {
    service.release(person).map(|(name, _)| name).collect()
}

impl Consents {
    pub(crate) fn new(store: SharedStore, secret: Secret) -> Self {
        Self { store, secret }
    }

    /// Whether a service may be told what it would be: it does not ask, or the person agreed to all of it.
    pub(crate) async fn cover(
        &self,
        service: &Service,
        person: &Person,
    ) -> Result<bool, StoreError> {
        if !service.consent {
            return Ok(true);
        }
        let wanted = names(service, person);
        let covers = |given: &Given| {
            given.service == service.id
                && wanted
                    .iter()
                    .all(|name| given.names.iter().any(|agreed| agreed == name))
        };
        Ok(self.of(&person.id).await?.iter().any(covers))
    }

    /// Notes that a person agrees, in place of what they agreed to before.
    pub(crate) async fn give(
        &self,
        service: &Service,
        person: &Person,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let before = self.notes(&person.id).await?;
        let given = Given {
            service: service.id.clone(),
            names: names(service, person)
                .into_iter()
                .map(str::to_owned)
                .collect(),
            at: seconds(now),
        };
        let note = self.seal(&person.id, &given);
        let key = self.key(&person.id);
        self.store
            .append(&key, note.clone(), now + LIFETIME)
            .await?;
        for (old, earlier) in before {
            if earlier.service == service.id && old != note {
                self.store.remove_member(&key, &old).await?;
            }
        }
        Ok(())
    }

    /// What a person agreed to, by service.
    pub(crate) async fn of(&self, user: &str) -> Result<Vec<Given>, StoreError> {
        let mut given: Vec<Given> = self
            .notes(user)
            .await?
            .into_iter()
            .map(|(_, given)| given)
            .collect();
        given.sort_by(|a, b| (&a.service, b.at).cmp(&(&b.service, a.at)));
        // Given twice at the same moment, from two windows.
        given.dedup_by(|later, first| later.service == first.service && later.names == first.names);
        Ok(given)
    }

    /// Takes a consent back. False where there was none.
    pub(crate) async fn revoke(&self, user: &str, service: &str) -> Result<bool, StoreError> {
        let mut revoked = false;
        for (note, given) in self.notes(user).await? {
            if given.service == service {
                revoked |= self.store.remove_member(&self.key(user), &note).await?;
            }
        }
        Ok(revoked)
    }

    /// Makes what a person agreed to independent of the second secret, while there are two: consents live longer than it
    /// takes to change the secret. Tells how many there were. Doing it again is harmless.
    pub(crate) async fn move_to_first(&self, user: &str) -> Result<usize, StoreError> {
        let key = self.key(user);
        let Some(second) = key.second() else {
            return Ok(0);
        };
        let mut moved = 0;
        for (note, given) in self.read(user, self.store.members(&second).await?) {
            let deadline = given.at() + LIFETIME;
            let by_first = self.seal(user, &given);
            // Noted there first: who is stopped in between has both, which say the same.
            self.store.append(&key.first(), by_first, deadline).await?;
            self.store.remove_member(&second, &note).await?;
            moved += 1;
        }
        Ok(moved)
    }

    /// The notes as they are kept, and what they say.
    async fn notes(&self, user: &str) -> Result<Vec<(Vec<u8>, Given)>, StoreError> {
        Ok(self.read(user, self.store.members(&self.key(user)).await?))
    }

    fn read(&self, user: &str, notes: Vec<Vec<u8>>) -> Vec<(Vec<u8>, Given)> {
        let place = place(user);
        let read = |note: Vec<u8>| {
            let given = serde_json::from_slice(&self.secret.open(&place, &note)?).ok()?;
            Some((note, given))
        };
        notes.into_iter().filter_map(read).collect()
    }

    fn seal(&self, user: &str, given: &Given) -> Vec<u8> {
        let text = serde_json::to_vec(given).expect("a consent is plain JSON");
        let mut note = Vec::new();
        self.secret.seal_onto(&mut note, &place(user), &text);
        note
    }

    fn key(&self, user: &str) -> Key {
        Key::new("consents", user.as_bytes(), self.secret.hasher())
    }
}

fn place(user: &str) -> String {
    format!("consents of {user}")
}
