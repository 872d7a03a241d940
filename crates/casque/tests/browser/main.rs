//! Tests in a real browser against `casque demo`.

mod entering;
mod pages;
mod story;
#[path = "../support/mod.rs"]
mod support;
