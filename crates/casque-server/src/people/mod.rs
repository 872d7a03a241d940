//! Who may sign in.

mod entries;
mod file;

pub use entries::check_username;
pub(crate) use entries::{KEYS, REFERENCE_INTRODUCTION};
pub use file::PeopleFile;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A directory of people.
///
/// casque comes with [`PeopleFile`]; tests and other directories implement it themselves.
pub trait People: Send + Sync + fmt::Debug {
    /// The person of exactly that name, byte for byte: no folding, no trimming (S-018).
    fn find(&self, username: &str) -> Option<Arc<Person>>;
}

/// Somebody who may sign in.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The name that services are told.
    pub id: String,
    /// An argon2id PHC string.
    pub password_hash: String,
    /// What is known of the person. A service is told only what its definition names (S-066).
    pub attributes: BTreeMap<String, Vec<String>>,
    /// May not sign in, nor keep a session.
    pub disabled: bool,
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("id", &self.id)
            .field("password_hash", &"…")
            .field("attributes", &self.attributes)
            .field("disabled", &self.disabled)
            .finish()
    }
}
