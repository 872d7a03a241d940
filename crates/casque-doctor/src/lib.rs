//! Looks at a CAS server and at an application of it from outside, and says what is wrong, why it matters and how to put it
//! right: `casque doctor`.
//!
//! [`examine`] makes observations (a name looked up, a handshake, an answer to a ticket that was made up, the redirect of an
//! application) and judges each by a function that does no input or output. What it finds is a [`Finding`] of one of the
//! [`Kind`]s, each of which has a paragraph in the book.
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use casque_doctor::{Patient, examine};
//! use casque_store::SystemClock;
//!
//! let mut patient = Patient::default();
//! patient.cas = Some("https://cas.example.org/cas".to_owned());
//! patient.service = Some("https://app.example.org/login".to_owned());
//! let report = examine(&patient, &SystemClock::new(), |_| {}).await?;
//! assert!(report.is_healthy(), "{}", report.to_text());
//! # Ok(())
//! # }
//! ```

mod app;
mod certificate;
mod clock;
mod cookies;
mod endpoints;
mod examination;
mod finding;
mod login;
mod logout;
mod network;
mod report;
mod roots;
mod service;
mod settings;
mod shapes;

pub use examination::{Misuse, Patient, examine};
pub use finding::{Finding, Group, Kind, Mark};
pub use report::Report;
