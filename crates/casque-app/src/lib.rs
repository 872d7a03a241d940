//! The application's side of CAS, for any web framework.
//!
//! An application is protected by three calls that an adapter makes for each request:
//! [`App::decide`] says what a request is, without any input or output; [`App::act`] does what that
//! needs of the store and the CAS server; [`App::access`] judges the [`Policy`] of a route. The
//! adapter for axum is `casque-axum`.
//!
//! ```
//! use casque_app::{App, Decision, RequestView};
//!
//! let app: App = App::builder()
//!     .provider("https://cas.example.org/cas")
//!     .service_base("https://app.example.org")
//!     .build()?;
//! let (parts, ()) = http::Request::get("/inbox").body(())?.into_parts();
//! assert!(matches!(app.decide(&RequestView::from(&parts)), Decision::Serve { session: None }));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What it defends against
//!
//! - *Tickets for somewhere else* (S-002): the service is configuration, never `Host` or
//!   `X-Forwarded-*`.
//! - *Being signed in as somebody else* (login CSRF, S-054): a ticket counts only in a browser with a
//!   login pending, by a sealed cookie; other tickets get 403. With
//!   [`login_marker`](AppBuilder::login_marker) it counts only for the login that asked for it.
//! - *Tickets that stay in the address* (S-016): the callback answers 303 to the page asked for.
//! - *Redirects to elsewhere* (S-041): the page is checked and always on an own address.
//! - *Fixed and stolen sessions* (S-055, S-076, S-079): a new id at each login, `__Host-` cookies,
//!   only keyed hashes in the store.
//! - *Loops* (S-045): a login that does not help ends in a page that names the likely causes.
//! - *Eaten bodies* (S-081): only small forms on the callback path are read; everything else
//!   streams through.
//!
//! - *Applications that come as somebody* (S-014): nobody comes through a proxy whose chain is not
//!   allowed, and never in a browser.
//! - *Floods of proxy-granting tickets* (S-015): pairs are few, short-lived, sealed, and taken once.
//!
//! # Behind a proxy
//!
//! Give the address that browsers use, with https and path prefix, as the base; the socket may be
//! plain http, and the proxy may strip the prefix or not. No forwarded header is read.

mod act;
mod answer;
mod app;
mod builder;
mod cookie;
mod decide;
mod dotenv;
mod env;
mod error;
mod keys;
mod login;
mod navigation;
mod page;
mod pages;
mod policy;
mod proxying;
mod receptor;
mod rule;
mod session;
mod single_logout;
mod site;

pub use act::Outcome;
pub use answer::{Answer, Reason};
pub use app::{AfterLogout, App, RequestView};
pub use builder::AppBuilder;
pub use casque_proto::{Attributes, JsonpCallback, ProxyTicket, ServiceRule};
pub use decide::{Callback, Decision, FormDecision, LoginPage, MAX_FORM_BYTES, SessionId};
pub use env::Settings;
pub use error::CasError;
pub use keys::SecretKey;
pub use login::PendingLogin;
pub use navigation::is_navigation;
pub use policy::{Mode, Policy};
pub use proxying::{PgtCallback, ProxiedCall, ProxyError};
pub use rule::Rule;
pub use session::Session;
pub use site::PathPrefix;
