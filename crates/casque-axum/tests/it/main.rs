//! An application behind the layer, a browser, and a fake CAS server, with a clock set by hand.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]
#![expect(clippy::type_complexity, reason = "rows of tables")]

mod cookies;
#[path = "../../../casque-proto/tests/corpus/mod.rs"]
mod corpus;
mod faults;
mod forms;
mod guards;
mod login;
mod logout;
mod loops;
mod nodes;
mod proxying;
mod sessions;
mod single_logout;
mod sites;
mod sockets;
mod support;
mod tickets;
