//! Asks a CAS server whose ticket it is.
//!
//! A browser comes back from the CAS server's login page with a one-time ticket in its URL; [`Client::validate`] presents
//! it to the server on a connection of its own and gives back the user with their attributes. [`Client`] is async,
//! [`blocking::Client`] is not; everything else is the same. A program without a browser, which holds a user's password, logs
//! in by [`Client::rest`].
//!
//! ```no_run
//! use casque_client::Client;
//! use casque_proto::{LoginOptions, ServiceTicket, ServiceUrl};
//!
//! # async fn example(ticket_of_the_query: &str) -> Result<(), Box<dyn std::error::Error>> {
//! let cas = Client::builder("https://cas.example.org/cas").build()?;
//! let service = ServiceUrl::parse("https://app.example.org/cas/callback")?;
//!
//! // Where to send a browser that has to log in.
//! let login = cas.login_url(&service, LoginOptions::default());
//!
//! // When it comes back, with the very same service.
//! let ticket = ServiceTicket::parse(ticket_of_the_query)?;
//! let user = cas.validate(&ticket, &service).await?;
//! println!("Welcome, {}!", user.user());
//! # Ok(())
//! # }
//! ```
//!
//! # What it does on your behalf
//!
//! | danger | what happens here | |
//! | --- | --- | --- |
//! | parameters smuggled in by a ticket | a [`ServiceTicket`] has passed the grammar before anything is sent, and every parameter is encoded | S-001 |
//! | a false server | TLS 1.2 or 1.3 by rustls, the platform's roots and the files you add; no switch turns verification off; plain http only where it is asked for by name | S-010 |
//! | odd answers | no redirect is followed, no other protocol version is tried, a success under an error status is none, 256 KiB at most, nothing is read from a part of an answer | S-011 |
//! | a hanging server | 5 seconds for everything | S-011 |
//! | a ticket presented twice | a validation is never repeated | R-107 |
//! | one user taken for another | HTTP/1.1, one request at a time on a connection; a connection whose answer was not read to its end is closed | S-012 |
//! | `renew` lost on the way back | it belongs to the client: [`Client::renewing`] sends it at login and at validation | S-013 |
//! | proxies | nobody is accepted through one, unless you allow its chain; an endpoint that takes no proxy tickets must not name any | S-014, R-211 |
//! | tickets in logs | no error, `Debug` text or log event of this crate holds one, nor a password | S-017 |
//! | the environment | `HTTP_PROXY` and its kin are not read: who may see and answer a validation is a setting, not an accident | |
//!
//! The platform's roots are found as the platform does it, so that on Unix `SSL_CERT_FILE` and `SSL_CERT_DIR` replace them.

mod blocking_client;
mod builder;
mod client;
mod error;
mod exchange;
mod rest;
mod saml;
mod text;
mod tls;
mod transport;

pub use builder::{ClientBuilder, Protocol};
pub use casque_proto::rest::{RestTgt, UserAuthenticated};
pub use casque_proto::{
    Assertion, Attributes, Format, LoginOptions, PgtUrl, ProxyGrantingTicket,
    ProxyGrantingTicketIou, ProxyTicket, ServiceRule, ServiceTicket, ServiceUrl, TicketMode,
    Tolerance,
};
pub use client::Client;
pub use error::{ClientError, Distrust, TransportFailure};
pub use rest::RestClient;

/// The client for programs that are not async.
pub mod blocking {
    pub use crate::blocking_client::Client;
    pub use crate::rest::BlockingRestClient as RestClient;
}

/// The book's examples, compiled.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../docs/client.md")]
    struct Client;
}
