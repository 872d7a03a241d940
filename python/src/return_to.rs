//! Where a browser goes after login.

use casque_proto::return_to::{ReturnToRules, check};
use pyo3::prelude::*;

use crate::errors;

/// The address to go to after login: the target where it is a page of the application at `origin`, or else the landing
/// page.
///
/// `origin` is the application's own, such as `https://app.example.org`: from its settings, never from a request. A
/// target is refused that leads elsewhere however a browser reads it, that carries a ticket, or that is one of
/// `callback_paths`, the pages that receive tickets.
#[pyfunction]
#[pyo3(
    signature = (target, origin, *, callback_paths = Vec::new(), landing = "/"),
    text_signature = "(target, origin, *, callback_paths=(), landing='/')"
)]
pub(crate) fn return_url(
    py: Python<'_>,
    target: &str,
    origin: &str,
    callback_paths: Vec<String>,
    landing: &str,
) -> PyResult<String> {
    let mut rules =
        ReturnToRules::new(origin).map_err(|error| errors::misuse(py, "origin", error))?;
    for path in &callback_paths {
        rules = rules.callback_path(path);
    }
    Ok(check(target, &rules.landing(landing)).into_location())
}
