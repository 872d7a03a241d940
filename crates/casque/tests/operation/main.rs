//! What an operator relies on: crashes lose nothing, logs tell no secret.

mod audit;
mod crash;
mod drain;
mod health;
mod keys;
mod moving;
mod proxying;
mod secrets;
mod stores;
mod storm;
#[path = "../support/mod.rs"]
mod support;
