//! State with a deadline for CAS servers and applications.
//!
//! Everything in casque that expires lives behind one trait, [`Store`]: single sign-on sessions, tickets, application
//! sessions, the ticket→session index of single logout, flow state, throttle counters. Its verbs are the ones that stay
//! safe when many callers, processes or machines use one store at once. In particular there is no read-modify-write of a
//! value, and [`take`](Store::take) gives a record to exactly one caller (security S-007).
//!
//! - A record is named by a [`Key`]: the kind of thing it is and a keyed hash of its secret, never the secret (S-005, S-077).
//! - A record is live as long as [`Clock::now`] is before its deadline. The end is exact on every back end; tidying up
//!   ([`Store::sweep`], [`keep_swept`]) only frees space.
//! - Values are opaque bytes.
//!
//! Records are kept in this process, in an SQLite file, in Redis or Valkey (feature `redis`), or in PostgreSQL (feature
//! `postgres`): see [`StoreUrl`], and the chapter on stores in casque's book for what each promises.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//! use casque_store::{Clock, Key, KeyHasher, MemoryStore, SharedStore, SystemClock};
//!
//! # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
//! let clock = Arc::new(SystemClock::new());
//! let store: SharedStore = Arc::new(MemoryStore::new(clock.clone()));
//! let hasher = KeyHasher::new(&[7; 32]); // 32 secret bytes, the same on every node
//!
//! let ticket = Key::new("st", b"ST-1-hSKbXYbDfYVkkcJ", &hasher);
//! let deadline = clock.now() + Duration::from_secs(10);
//! assert!(store.create(&ticket, b"alice".to_vec(), deadline).await?);
//! assert_eq!(store.take(&ticket).await?.as_deref(), Some(&b"alice"[..]));
//! assert_eq!(store.take(&ticket).await?, None);
//! # Ok::<_, casque_store::StoreError>(())
//! # })?;
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```

mod clock;
#[cfg(feature = "network")]
mod dial;
mod error;
mod hex;
mod instant;
mod key;
mod key_ring;
#[cfg(feature = "network")]
mod link;
mod memory;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "redis")]
mod redis;
mod rotating;
mod sqlite;
mod store;
mod sync;
mod url;
mod walk;

pub use clock::{Clock, SystemClock};
pub use error::StoreError;
pub use key::{Key, KeyHasher};
pub use key_ring::KeyRing;
pub use memory::MemoryStore;
pub use rotating::RotatingStore;
pub use sqlite::SqliteStore;
pub use store::{MAX_VALUE_BYTES, SharedStore, Store, StoreFuture, keep_swept};
pub use url::{StoreUrl, open};
pub use walk::{Copied, Cursor, Entry, Page, Shape, copy_store, put_entry};
