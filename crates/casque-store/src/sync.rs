//! What the memory store locks with: the standard library, or loom where the store is checked by a model
//! (`scripts/proof model`), which then runs every order in which threads can meet. The code that locks is the same.

#[cfg(casque_model)]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
#[cfg(not(casque_model))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicUsize};
