//! `casque._core`: what casque-proto reads and writes, for Python.
//!
//! Nothing here opens a connection, keeps time or draws randomness: that is Python's part, in `casque/`. The exceptions
//! are Python's too, in `casque.errors`.

mod assertion;
mod attributes;
mod body;
mod errors;
mod logout;
mod options;
mod read;
mod return_to;
mod server;
mod ticket;

use pyo3::prelude::*;
use pyo3::types::PyMapping;

#[pymodule]
mod _core {
    #[pymodule_export]
    use crate::assertion::Assertion;
    #[pymodule_export]
    use crate::attributes::Attributes;
    #[pymodule_export]
    use crate::logout::{LogoutReceiver, LogoutRequest, parse_logout_request};
    #[pymodule_export]
    use crate::read::{
        build_saml_request, check_options, parse_authentication_date, parse_cas1_response,
        parse_proxy_response, parse_saml_response, parse_service_response,
    };
    #[pymodule_export]
    use crate::return_to::return_url;
    #[pymodule_export]
    use crate::server::{Server, login_url, logout_url, proxy_url, validate_url};
    #[pymodule_export]
    use crate::ticket::{
        check_pgt, check_pgt_iou, check_ticket, redact, strip_ticket, ticket_from_url,
        ticket_in_request,
    };

    use super::{Bound, PyMapping, PyModule, PyModuleMethods, PyResult};

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        PyMapping::register::<Attributes>(module.py())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
