//! Real CAS clients log in at `casque serve`, each put to the same checks. `interop/matrix` makes the table of
//! docs/interop.md of what these tests find.

mod apps;
mod checks;
mod clients;
mod matrix;
#[path = "../support/mod.rs"]
mod support;
