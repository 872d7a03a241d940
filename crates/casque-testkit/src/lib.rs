//! For tests of casque and of what is built on it: a clock set by hand and the conformance suite for stores.
//!
//! Never a normal dependency.

mod clock;
pub mod conformance;

pub use clock::ManualClock;
pub use conformance::StoreUnderTest;
