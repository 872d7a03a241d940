//! One deliberately wrong setting for each finding, against real servers and applications.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod application;
mod book;
mod login;
mod network;
mod server;
mod service;
mod support;
