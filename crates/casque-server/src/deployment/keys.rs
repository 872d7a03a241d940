//! What an operator asks and does while the secret key is changed.

use std::time::SystemTime;

use casque_store::{Entry, SharedStore, StoreError};

use super::{
    ClaimError, KIND, LIFETIME, Naming, NodeKeys, Note, kept, node::nodes, note_key, noted, place,
};
use crate::{secret::Maker, server::Server};

/// Entries that are looked through at a time.
const PAGE: usize = 500;

/// What the store says of the keys of its deployment: fingerprints, as [`Server::key_fingerprints`] gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysInStore {
    /// The key that the store was filled with; another one once that has been retired.
    pub filled_with: Option<String>,
    /// The keys that something is named with, or may be.
    pub naming: Vec<NamingKey>,
    /// The servers that run, and those that went without a word less than 90 seconds ago.
    pub nodes: Vec<NodeKeys>,
    /// How many live sessions each of this server's keys names, in their order.
    pub sessions: Vec<usize>,
}

/// A key that something in a store is named with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamingKey {
    /// Which one.
    pub fingerprint: String,
    /// When nothing that it names can be left, if nothing new is named with it from now on. Consents live longer; they are
    /// moved to the first key when the second one is retired.
    pub until: SystemTime,
}

/// Why a key cannot be retired.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RetireError {
    /// There is no second key.
    #[error("this server has one key alone")]
    OneKey,
    /// Something may still be named with it.
    #[error("what the key {key} names may still be in use")]
    InUse {
        /// The fingerprint of the key.
        key: String,
        /// When nothing can be left, if no server puts this key first from now on.
        until: SystemTime,
    },
    /// This server must not use the store.
    #[error(transparent)]
    Claim(#[from] ClaimError),
}

impl From<StoreError> for RetireError {
    fn from(error: StoreError) -> Self {
        Self::Claim(error.into())
    }
}

impl Server {
    /// Looks at the keys of all nodes and of what is in the store; goes through all sessions.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    pub async fn keys_in_store(&self) -> Result<KeysInStore, StoreError> {
        let state = self.state();
        let mut sessions = vec![0; self.key_fingerprints().len()];
        let mut cursor = None;
        loop {
            let (page, next) = state.sessions.page(cursor.as_ref()).await?;
            for (session, _) in page {
                let number = match state.sessions.maker(&session) {
                    Maker::First => 0,
                    Maker::Second => 1,
                };
                if let Some(count) = sessions.get_mut(number) {
                    *count += 1;
                }
            }
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        let mut nodes = nodes(&state.store).await?;
        nodes.sort_by(|a, b| a.node.cmp(&b.node));
        Ok(KeysInStore {
            filled_with: noted(&state.store).await?.map(|note| note.key),
            naming: naming_until(&state.store).await?,
            nodes,
            sessions,
        })
    }

    /// Makes the second key superfluous: where nothing can be left that it names but consents, those of `people` are moved to
    /// the first one. Tells how many. What was begun and not ended may be done again.
    ///
    /// The second key may be removed from all servers afterwards. A consent of somebody who is not among `people` is lost.
    ///
    /// # Errors
    ///
    /// [`RetireError`] where that key is still needed; nothing is changed then.
    pub async fn retire_second_key<'p>(
        &self,
        people: impl IntoIterator<Item = &'p str>,
    ) -> Result<usize, RetireError> {
        let ours = self.key_fingerprints();
        let [first, second] = &ours[..] else {
            return Err(RetireError::OneKey);
        };
        self.claim_store().await?;
        let state = self.state();
        let naming = naming_until(&state.store).await?;
        if let Some(naming) = naming.into_iter().find(|key| key.fingerprint == *second) {
            return Err(RetireError::InUse {
                key: naming.fingerprint,
                until: naming.until,
            });
        }
        let mut moved = 0;
        for user in people {
            moved += state.consents.move_to_first(user).await?;
        }
        // A server that starts in between makes a note of its own first key, which is the same.
        state.store.delete(&note_key()).await?;
        let (note, deadline) = (kept(&Note::of(first)), state.clock.now() + LIFETIME);
        state.store.create(&note_key(), note, deadline).await?;
        Ok(moved)
    }
}

async fn naming_until(store: &SharedStore) -> Result<Vec<NamingKey>, StoreError> {
    let (place, mut found) = (place(b"keys"), Vec::<NamingKey>::new());
    let mut cursor = None;
    loop {
        let page = store.walk(Some(KIND), cursor.as_ref(), PAGE).await?;
        let ours = page.entries.into_iter().filter(|entry| entry.key == place);
        for Entry {
            value, deadline, ..
        } in ours
        {
            let Ok(Naming { key }) = serde_json::from_slice(&value) else {
                continue;
            };
            // A walk may give anything twice.
            found.retain(|naming| naming.fingerprint != key);
            found.push(NamingKey {
                fingerprint: key,
                until: deadline,
            });
        }
        cursor = page.next;
        if cursor.is_none() {
            found.sort_by_key(|naming| naming.until);
            return Ok(found);
        }
    }
}
