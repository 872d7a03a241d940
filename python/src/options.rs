//! Keywords of Python as options of the readers.

use casque_proto::{Endpoint, ReadOptions, Tolerance};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;

/// `status`, `tolerate` and `allowed_chains` of the reading functions.
pub(crate) fn read_options(
    py: Python<'_>,
    status: u16,
    tolerate: Option<&Bound<'_, PyAny>>,
    allowed_chains: Option<&Bound<'_, PyAny>>,
) -> PyResult<ReadOptions> {
    let mut options = ReadOptions::default().status(status);
    if let Some(names) = tolerate {
        for name in texts(names, "tolerate")? {
            let tolerance = Tolerance::from_name(&name).ok_or_else(|| {
                let known = Tolerance::ALL.map(Tolerance::name).join(", ");
                errors::misuse(
                    py,
                    "tolerate",
                    format!("there is no {name:?}; known are {known}"),
                )
            })?;
            options = options.with_tolerance(tolerance);
        }
    }
    match allowed_chains {
        None => Ok(options),
        Some(chains) if is_text(chains, "any") => Ok(options.allow_any_proxy_chain()),
        Some(chains) if chains.is_instance_of::<PyString>() => Err(errors::misuse(
            py,
            "allowed_chains",
            "a list of chains, each a list of proxy URLs with the most recent first, or \"any\"",
        )),
        Some(chains) => {
            for chain in chains.try_iter()? {
                options = options.allow_proxy_chain(texts(&chain?, "allowed_chains")?);
            }
            Ok(options)
        }
    }
}

/// `endpoint` of the reading functions: only a proxy endpoint may answer with proxies.
pub(crate) fn for_endpoint(
    py: Python<'_>,
    options: ReadOptions,
    endpoint: &str,
) -> PyResult<ReadOptions> {
    if self::endpoint(py, endpoint)?.accepts_proxied() {
        Ok(options)
    } else {
        Ok(options.without_proxies())
    }
}

/// An endpoint by its path, with or without the slash before it.
pub(crate) fn endpoint(py: Python<'_>, path: &str) -> PyResult<Endpoint> {
    Endpoint::from_path(path)
        .ok_or_else(|| errors::misuse(py, "endpoint", format!("there is no {path:?} in CAS")))
}

/// A list of texts; a single text, which Python would take for a list of its letters, is refused.
fn texts(list: &Bound<'_, PyAny>, what: &str) -> PyResult<Vec<String>> {
    if list.is_instance_of::<PyString>() {
        let rule = "a list of texts, not one text: write [\"…\"]";
        return Err(errors::misuse(list.py(), what, rule));
    }
    list.try_iter()?.map(|item| item?.extract()).collect()
}

fn is_text(value: &Bound<'_, PyAny>, text: &str) -> bool {
    value
        .cast::<PyString>()
        .is_ok_and(|value| value.to_str().is_ok_and(|value| value == text))
}
