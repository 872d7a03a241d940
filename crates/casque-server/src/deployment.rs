//! Whose store is this? A note in the store says with which key its records are named and how they are written, so that
//! a node that would find none of them, or misread them, does not start.

use std::time::Duration;

use casque_store::{Key, KeyHasher, StoreError};
use serde::{Deserialize, Serialize};

use crate::{
    secret::{Secret, hex},
    server::Server,
};

/// How the records of this build are written. A change that older builds cannot read gets the next number.
const SCHEMA: u32 = 1;

/// Long after the last start of any node.
const LIFETIME: Duration = Duration::from_hours(10 * 365 * 24);

/// Why a node must not use a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClaimError {
    /// What the store holds was written with another key.
    #[error(
        "the store was filled with the secret key {theirs}, and this server has {ours}: with another key every session \
         is still there and none can be found"
    )]
    OtherKey {
        /// The fingerprint of the key that this server has.
        ours: String,
        /// That of the key in the store.
        theirs: String,
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

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    schema: u32,
    key: String,
}

impl Note {
    fn as_kept(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a note is plain JSON")
    }
}

impl Server {
    /// Makes sure that the store is this deployment's, and marks one that is new. Call it before serving.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] where this node must not use it.
    pub async fn claim_store(&self) -> Result<(), ClaimError> {
        let state = self.state();
        let ours = Note {
            schema: SCHEMA,
            key: fingerprint(&state.secret),
        };
        let as_kept = ours.as_kept();
        let (key, deadline) = (place(), state.clock.now() + LIFETIME);
        loop {
            let Some(note) = state.store.get(&key).await? else {
                if state.store.create(&key, as_kept.clone(), deadline).await? {
                    return Ok(());
                }
                // Another node was faster.
                continue;
            };
            judge(&ours, serde_json::from_slice(&note).ok())?;
            state.store.touch(&key, deadline).await?;
            return Ok(());
        }
    }

    /// What tells the secret key of this server from others, without giving it away.
    pub fn key_fingerprint(&self) -> String {
        fingerprint(&self.state().secret)
    }
}

fn judge(ours: &Note, found: Option<Note>) -> Result<(), ClaimError> {
    match found {
        // Whatever it is, this build does not write it.
        None => Err(ClaimError::NewerSchema { found: u32::MAX }),
        Some(note) if note.schema > SCHEMA => Err(ClaimError::NewerSchema { found: note.schema }),
        Some(note) if note.key != ours.key => Err(ClaimError::OtherKey {
            ours: ours.key.clone(),
            theirs: note.key,
        }),
        Some(_) => Ok(()),
    }
}

/// The one place that is found whatever the secret key is.
fn place() -> Key {
    Key::new("deployment", b"", &KeyHasher::new(&[0; 32]))
}

fn fingerprint(secret: &Secret) -> String {
    hex(&secret.mac("fingerprint", &[])[..6])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_ours_or_says_why_not() {
        let note = |schema, key: &str| Note {
            schema,
            key: key.to_owned(),
        };
        let ours = note(SCHEMA, "a");
        assert!(judge(&ours, Some(note(SCHEMA, "a"))).is_ok());
        let other = judge(&ours, Some(note(SCHEMA, "b"))).expect_err("another key");
        assert!(other.to_string().contains("secret key b"), "{other}");
        let newer = judge(&ours, Some(note(SCHEMA + 1, "a"))).expect_err("a newer schema");
        assert!(newer.to_string().contains("schema 2"), "{newer}");
        assert!(judge(&ours, None).is_err());
    }
}
