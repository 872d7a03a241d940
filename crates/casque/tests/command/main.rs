//! `casque serve`, `casque user` and `casque service` as an operator meets them.

mod bench;
mod conformance;
mod doctor;
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#[path = "../../../casque-client/tests/interop/server.rs"]
mod elsewhere;
mod login;
mod run;
mod serve;
mod service;
#[path = "../support/mod.rs"]
mod support;
mod user;
