//! From Rust's errors to the exceptions of `casque.errors`.

use casque_proto::{ErrorClass, Failure, FailureCode, ReadError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

static ERRORS: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// A message that was refused.
pub(crate) fn unreadable(py: Python<'_>, error: &ReadError) -> PyErr {
    let name = match error.class() {
        ErrorClass::ForbiddenXml => "ForbiddenXML",
        ErrorClass::UnexpectedStatus => "UnexpectedStatus",
        ErrorClass::ProxyNotAllowed | ErrorClass::SamlConditions | ErrorClass::SamlAudience => {
            "UntrustedResponse"
        }
        _ => "MalformedResponse",
    };
    let fields = Fields {
        status: error.status(),
        error_class: Some(error.class().as_str()),
        ..Fields::default()
    };
    exception(py, name, &error.to_string(), &fields)
}

/// A message that is refused before casque-proto sees it.
pub(crate) fn malformed(py: Python<'_>, class: &str, message: &str, status: Option<u16>) -> PyErr {
    let fields = Fields {
        status,
        error_class: Some(class),
        ..Fields::default()
    };
    exception(
        py,
        "MalformedResponse",
        &format!("{class}: {message}"),
        &fields,
    )
}

/// The server's no. `name` is `AuthenticationFailure` or `ProxyFailure`.
pub(crate) fn refused(py: Python<'_>, name: &str, failure: &Failure, status: u16) -> PyErr {
    let fields = Fields {
        code: failure.code().map(FailureCode::as_str),
        server_message: Some(failure.description()),
        status: Some(status),
        error_class: None,
    };
    let message = match (failure.code(), failure.description()) {
        (None, "") => "refused, and the server does not say why".to_owned(),
        _ => failure.to_string(),
    };
    exception(py, name, &message, &fields)
}

/// A text that claims to be a ticket and is none. `message` must not repeat it.
pub(crate) fn invalid_ticket(py: Python<'_>, message: &str) -> PyErr {
    let fields = Fields {
        error_class: Some("invalid_ticket"),
        ..Fields::default()
    };
    exception(py, "InvalidTicket", message, &fields)
}

/// A mistake in the program or its settings.
pub(crate) fn misuse(py: Python<'_>, what: &str, rule: impl std::fmt::Display) -> PyErr {
    exception(py, "Misuse", &format!("{what}: {rule}"), &Fields::default())
}

#[derive(Default)]
struct Fields<'a> {
    code: Option<&'a str>,
    server_message: Option<&'a str>,
    status: Option<u16>,
    error_class: Option<&'a str>,
}

fn exception(py: Python<'_>, name: &str, message: &str, fields: &Fields<'_>) -> PyErr {
    let build = || {
        let keywords = PyDict::new(py);
        keywords.set_item("code", fields.code)?;
        keywords.set_item("server_message", fields.server_message)?;
        keywords.set_item("status", fields.status)?;
        keywords.set_item("error_class", fields.error_class)?;
        ERRORS
            .get_or_try_init(py, || py.import("casque.errors").map(Bound::unbind))?
            .bind(py)
            .getattr(name)?
            .call((message,), Some(&keywords))
    };
    build().map_or_else(|error| error, PyErr::from_value)
}
