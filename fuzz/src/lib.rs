//! The properties that the fuzz targets run. They live with the tests of casque-proto, which replay the corpus.

#[path = "../../crates/casque-proto/tests/properties/mod.rs"]
mod properties;

pub use properties::property;
