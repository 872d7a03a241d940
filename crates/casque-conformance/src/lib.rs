//! A conformance kit for the CAS protocol: grades any CAS server as a black box, over HTTP.
//!
//! The kit is a browser, an application and a proxy at once. It logs in through whatever login form the server has, runs
//! one [`Case`] for each requirement that can be seen from outside, and says what was sent and what came back. A server
//! fails only where it breaks what the specification requires; a recommendation not followed is a warning, and where
//! casque or the field is stricter than the specification, a difference is a note. See [`Level`] and [`Outcome`].
//!
//! ```no_run
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! use casque_conformance::{Kit, Settings, cases};
//!
//! let settings = Settings::new("http://127.0.0.1:8443/cas", "alice", "wonderland");
//! let kit = Kit::start(settings).await?;
//! let report = kit.run(cases(), |finding| drop(finding)).await?;
//! assert!(report.is_success(), "{}", report.to_table());
//! # Ok(())
//! # }
//! ```

mod bench;
mod case;
mod cases;
mod kit;
mod listener;
mod report;
mod verdict;

pub use bench::Settings;
pub use case::Case;
pub use cases::cases;
pub use casque_visitor::Exchange;
pub use kit::{CannotStart, Kit};
pub use report::{Finding, Report};
pub use verdict::{Level, Outcome};
