//! Whose store is this? Notes in the store say with which keys its records are named and how they are written, so that
//! a node that would not find some of them, or misread them, does not start.
//!
//! - A record: how records are written, and the key that they are named with where no change of keys is under way.
//! - A set of the keys that nodes name something new with. A key stays in it until nothing that it names can be left.
//! - A set of the nodes and the keys that each has. A node that goes without a word stays in it for a while.
//!
//! What a node is about to do it notes first, and looks at what others have noted then: of two that start at the same
//! moment and must not run side by side one sees the other.

mod keys;
mod node;

pub use keys::{KeysInStore, NamingKey, RetireError};
pub use node::{Node, NodeKeys};

use std::time::Duration;

use casque_store::{Key, KeyHasher, SharedStore, StoreError};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{config::Config, server::Server, sso, tickets};

/// How the records of this build are written. A change that older builds cannot read gets the next number.
const SCHEMA: u32 = 1;

/// Long after the last start of any node.
const LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// The kind of all notes in the store.
const KIND: &str = "deployment";

/// Why a node must not use a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// Something in the store was written with a key that this node does not have.
    #[error(
        "the store was filled with the secret key {theirs}, and this server has {ours}: with another key every session \
         is still there and none can be found"
    )]
    OtherKey {
        /// The fingerprint of the key that this server has, or of both.
        ours: String,
        /// That of the key in the store.
        theirs: String,
    },
    /// What this node would write could not be found by others.
    #[error(
        "this server would be the first to name records with the secret key {key}, and {nodes} of the others that run \
         cannot find them: they do not have that key"
    )]
    NewKey {
        /// The fingerprint of the key.
        key: String,
        /// How many nodes do not have it, those included that went without a word less than 90 seconds ago.
        nodes: usize,
    },
    /// What the store holds was written by a newer casque.
    #[error("the store holds records of schema {found}, and this casque knows up to {SCHEMA}")]
    NewerSchema {
        /// The schema in the store.
        found: u32,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The record.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    schema: u32,
    key: String,
}

/// A key that something new is named with.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Naming {
    key: String,
}

impl Server {
    /// Makes sure that the store is this deployment's, and marks one that is new. For whoever looks into the store; a node
    /// that serves [announces](Node::announce) itself.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] where this node must not use it.
    pub async fn claim_store(&self) -> Result<(), ClaimError> {
        let state = self.state();
        let ours = self.key_fingerprints();
        let (key, deadline) = (note_key(), state.clock.now() + LIFETIME);
        loop {
            let Some(note) = state.store.get(&key).await? else {
                let note = Note::of(&ours[0]);
                if state.store.create(&key, kept(&note), deadline).await? {
                    return Ok(());
                }
                // Another node was faster.
                continue;
            };
            judge(
                &ours,
                serde_json::from_slice(&note).ok(),
                &naming(&state.store).await?,
            )?;
            state.store.touch(&key, deadline).await?;
            return Ok(());
        }
    }

    /// What tells the secret keys of this server from others, without giving them away: 12 hexadecimal digits of each, the
    /// one that names what is new first.
    pub fn key_fingerprints(&self) -> Vec<String> {
        self.state().secret.hasher().fingerprints()
    }
}

impl Note {
    fn of(key: &str) -> Self {
        Self {
            schema: SCHEMA,
            key: key.to_owned(),
        }
    }
}

/// The longest that anything lives which is named by the secret; consents, which live longer, are moved.
pub(crate) fn longest(config: &Config) -> Duration {
    let remembered = config.sso.remember_me;
    let remembered = remembered.then_some(config.sso.remember_me_lifetime);
    [
        config.sso.absolute,
        remembered.unwrap_or_default(),
        config.login.form_lifetime,
        config.login.window,
        sso::TELLING,
        tickets::LONGEST,
    ]
    .into_iter()
    .max()
    .unwrap_or_default()
}

fn judge(ours: &[String], found: Option<Note>, naming: &[Naming]) -> Result<(), ClaimError> {
    // Whatever it is, this build does not write it.
    let found = found.ok_or(ClaimError::NewerSchema { found: u32::MAX })?;
    if found.schema > SCHEMA {
        return Err(ClaimError::NewerSchema {
            found: found.schema,
        });
    }
    let mut in_use = naming.iter().map(|naming| &naming.key).chain([&found.key]);
    match in_use.find(|key| !ours.contains(key)) {
        None => Ok(()),
        Some(theirs) => Err(ClaimError::OtherKey {
            ours: ours.join(" and "),
            theirs: theirs.clone(),
        }),
    }
}

/// The record; none where there is none, or one that this build cannot read.
async fn noted(store: &SharedStore) -> Result<Option<Note>, StoreError> {
    let note = store.get(&note_key()).await?;
    Ok(note.and_then(|note| serde_json::from_slice(&note).ok()))
}

/// The keys that something new is, or was not long ago, named with.
async fn naming(store: &SharedStore) -> Result<Vec<Naming>, StoreError> {
    read(store, &place(b"keys")).await
}

async fn read<T: DeserializeOwned>(store: &SharedStore, set: &Key) -> Result<Vec<T>, StoreError> {
    let members = store.members(set).await?;
    let read = |member: &Vec<u8>| serde_json::from_slice(member).ok();
    Ok(members.iter().filter_map(read).collect())
}

fn kept(note: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(note).expect("a note is plain JSON")
}

fn note_key() -> Key {
    place(b"")
}

/// A place that is found whatever the secret key is.
fn place(name: &[u8]) -> Key {
    Key::new(KIND, name, &KeyHasher::new(&[0; 32]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_ours_or_says_why_not() {
        let note = |schema, key: &str| {
            let key = key.to_owned();
            Some(Note { schema, key })
        };
        let naming = |keys: &[&str]| -> Vec<Naming> {
            let naming = |key: &&str| Naming {
                key: (*key).to_owned(),
            };
            keys.iter().map(naming).collect()
        };
        let a = ["a".to_owned()];
        let both = ["b".to_owned(), "a".to_owned()];
        assert!(judge(&a, note(SCHEMA, "a"), &naming(&["a"])).is_ok());
        assert!(judge(&both, note(SCHEMA, "a"), &naming(&["a", "b"])).is_ok());
        for (ours, found, in_use, words) in [
            (&a[..], note(SCHEMA, "b"), &[][..], "secret key b"),
            (&a[..], note(SCHEMA, "a"), &["a", "b"], "secret key b"),
            (&both[..], note(SCHEMA, "c"), &[], "this server has b and a"),
            (&a[..], note(SCHEMA + 1, "a"), &[], "schema 2"),
            (&a[..], None, &[], "schema"),
        ] {
            let error = judge(ours, found, &naming(in_use)).expect_err(words);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
