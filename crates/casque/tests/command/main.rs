//! `casque serve` and `casque user` as an operator meets them.

mod conformance;
mod doctor;
mod run;
mod serve;
#[path = "../support/mod.rs"]
mod support;
mod user;
