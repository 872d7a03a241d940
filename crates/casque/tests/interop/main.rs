//! Real CAS clients log in at `casque serve`.

mod mod_auth_cas;
mod python_cas;
#[path = "../support/mod.rs"]
mod support;
