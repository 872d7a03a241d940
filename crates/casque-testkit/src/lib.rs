//! For tests of casque and of what is built on it: a clock set by hand, the conformance suite for stores, a store that
//! breaks down when told to, a fake CAS server with fault injection, and real servers that keep a store.
//!
//! Never a normal dependency.

mod breakable;
mod clock;
pub mod conformance;
mod fake_cas;
#[cfg(unix)]
pub mod servers;

pub use breakable::Breakable;
pub use clock::ManualClock;
pub use conformance::StoreUnderTest;
pub use fake_cas::{FakeCas, Fault, Gate, Page, Person, RecordedRequest, TlsMode};
