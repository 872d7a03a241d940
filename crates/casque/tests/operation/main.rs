//! What an operator relies on: crashes lose nothing, logs tell no secret.

mod crash;
mod proxying;
mod secrets;
mod stores;
#[path = "../support/mod.rs"]
mod support;
