//! What Python hands over as a message: bytes, or text that has been decoded already.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyString};

use crate::errors;

/// A message. Bytes and text are looked at where they are; only a bytearray, which may change, is copied.
pub(crate) enum Body<'py> {
    Bytes(Bound<'py, PyBytes>),
    Text(Bound<'py, PyString>),
    Copied(Vec<u8>),
}

impl Body<'_> {
    pub(crate) fn bytes(&self, status: Option<u16>) -> PyResult<&[u8]> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.as_bytes()),
            Self::Text(text) => text.to_str().map(str::as_bytes).map_err(|_| {
                let message = "the text holds a lone surrogate, which no server can have sent";
                errors::malformed(text.py(), "invalid_encoding", message, status)
            }),
            Self::Copied(bytes) => Ok(bytes),
        }
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Body<'py> {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = value.cast::<PyBytes>() {
            return Ok(Self::Bytes(bytes.to_owned()));
        }
        if let Ok(text) = value.cast::<PyString>() {
            return Ok(Self::Text(text.to_owned()));
        }
        if let Ok(bytes) = value.cast::<PyByteArray>() {
            return Ok(Self::Copied(bytes.to_vec()));
        }
        Err(PyTypeError::new_err(format!(
            "a message is bytes or str, not {}",
            value.get_type().name()?
        )))
    }
}
