//! CAS single sign-on for axum: a layer, extractors, and guards for routes.
//!
//! ```no_run
//! use axum::{Router, http::StatusCode, routing::get};
//! use casque_axum::{Cas, CasUser};
//!
//! async fn homepage() -> &'static str { "Welcome to the Homepage!" }
//!
//! /// Refuses until the user has logged in.
//! async fn protected(user: Option<CasUser>) -> Result<String, (StatusCode, &'static str)> {
//!     let user = user.ok_or((StatusCode::UNAUTHORIZED, "Access denied. Please log in first."))?;
//!     Ok(format!("Welcome to the protected page, {}!", user.name()))
//! }
//!
//! /// Sends a browser to log in and back here; a script gets 401.
//! async fn members(user: CasUser) -> String { format!("Welcome, {}!", user.name()) }
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let cas = Cas::from_env()?; // CAS_PROVIDER, SERVICE_URL, LOGIN_URL; also from .env
//! let app: Router = Router::new()
//!     .route("/", get(homepage))
//!     .route("/protected", get(protected))
//!     .route("/members", get(members).layer(cas.require()))
//!     .layer(cas.layer()); // also answers /login and /logout
//! # Ok(())
//! # }
//! ```
//!
//! An extractor guards the methods whose handler takes it, and no others: any other method gets
//! axum's own 405. [`Cas::require`] around a route, as here, or around a router guards every method.
//!
//! What it defends against, and how it behaves behind a proxy, is told in [`casque_app`].

mod cas;
mod context;
mod extract;
mod layer;
mod proxy;
mod require;

pub use cas::{Cas, CasBuilder};
pub use casque_app::{
    AfterLogout, Attributes, CasError, Mode, PathPrefix, Policy, ProxyError, ProxyTicket, Rule,
    SecretKey, ServiceRule, Session, Settings,
};
pub use extract::{CasRejection, CasUser};
pub use layer::{CasLayer, CasService, ResponseFuture};
pub use proxy::ProxyRejection;
pub use require::{Require, RequireService};

/// The book's and the README's examples, compiled.
#[cfg(doctest)]
mod book {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/axum.md")]
    struct Axum;
}
