//! A load driver for any CAS server, whoever made it.
//!
//! A [`Plan`] says what is done ([`Kind`]), how fast ([`Pace`]), for how long and by whom; [`run`] does it and gives a
//! [`Report`]. Every answer is checked: a ticket that goes to another address, or a validation that names another user, is
//! an error of its kind and is counted as one.
//!
//! Logins read the server's own form through `casque-visitor`. Single sign-on and validation go over kept connections of
//! HTTP/1.1 with as little work as an answer that is checked allows, so that the driver is not what is measured.
//!
//! In an open loop the moment of each operation is fixed before the run, and its latency is counted from that moment: an
//! operation that had to wait because the server was busy with those before it is as late as a person would have found it.
//!
//! It speaks to loopback only, unless a host is named.

mod campus;
mod plan;
mod report;
mod run;
mod steps;
mod tally;
mod target;
mod wire;

pub use plan::{Kind, Misuse, Mix, Pace, Plan, User, Validation};
pub use report::{ErrorCount, Latency, Part, Report};
pub use run::{Progress, RunError, run};
