//! The language of CAS: every message of the protocol, read and written.
//!
//! This crate does no I/O, keeps no clock and draws no randomness: time and random bytes are arguments, requests and
//! responses are values. Client, server, gateway and test tools share it, so a message is read by the same code that
//! is tested against the code that writes it.
//!
//! Numbers such as R-150 and S-024 in the documentation are the project's numbered requirements: R for the protocol,
//! S for security.

// Values: tickets, service URLs, endpoints and requests.

// Reading and writing the answers of a CAS server.
mod body;
mod json;
mod read;
mod text;
mod xml;

pub use read::{ErrorClass, Limits, ReadError, ReadOptions, Tolerance};

// Single logout, SAML 1.1 and the REST protocol.
