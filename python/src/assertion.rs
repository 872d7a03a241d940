//! `casque.Assertion`: who has logged in.

use std::sync::Arc;
use std::time::SystemTime;

use casque_proto::ProxyGrantingTicketIou;
use casque_proto::saml::SamlAssertion;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::attributes::{self, Attributes};

/// Who has logged in, as the CAS server vouches for it.
///
/// It can be compared, copied and pickled; `to_dict` gives what belongs into a session. `repr` shows neither values nor
/// tickets.
#[pyclass(frozen, module = "casque")]
pub(crate) struct Assertion {
    source: Arc<Source>,
}

/// What was read, left as it is: Python's objects are made when they are asked for.
pub(crate) enum Source {
    Read(casque_proto::Assertion),
    Parts(Parts),
}

#[derive(Default)]
pub(crate) struct Parts {
    user: String,
    attributes: casque_proto::Attributes,
    proxies: Vec<String>,
    iou: Option<String>,
    authentication_date: Option<SystemTime>,
    is_from_new_login: Option<bool>,
    long_term: Option<bool>,
}

impl Source {
    pub(crate) fn of_attributes(attributes: casque_proto::Attributes) -> Self {
        Self::Parts(Parts {
            attributes,
            ..Parts::default()
        })
    }

    fn user(&self) -> &str {
        match self {
            Self::Read(read) => read.user(),
            Self::Parts(parts) => &parts.user,
        }
    }

    pub(crate) fn attributes(&self) -> &casque_proto::Attributes {
        match self {
            Self::Read(read) => read.attributes(),
            Self::Parts(parts) => &parts.attributes,
        }
    }

    fn proxies(&self) -> &[String] {
        match self {
            Self::Read(read) => read.proxies(),
            Self::Parts(parts) => &parts.proxies,
        }
    }

    fn iou(&self) -> Option<&str> {
        match self {
            Self::Read(read) => read
                .proxy_granting_ticket_iou()
                .map(ProxyGrantingTicketIou::secret),
            Self::Parts(parts) => parts.iou.as_deref(),
        }
    }

    fn authentication_date(&self) -> Option<SystemTime> {
        match self {
            Self::Read(read) => read.authentication_date(),
            Self::Parts(parts) => parts.authentication_date,
        }
    }

    fn is_from_new_login(&self) -> Option<bool> {
        match self {
            Self::Read(read) => read.is_from_new_login(),
            Self::Parts(parts) => parts.is_from_new_login,
        }
    }

    fn long_term(&self) -> Option<bool> {
        match self {
            Self::Read(read) => read.long_term(),
            Self::Parts(parts) => parts.long_term,
        }
    }
}

impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.user() == other.user()
            && self.attributes() == other.attributes()
            && self.proxies() == other.proxies()
            && self.iou() == other.iou()
            && self.authentication_date() == other.authentication_date()
            && self.is_from_new_login() == other.is_from_new_login()
            && self.long_term() == other.long_term()
    }
}

impl From<casque_proto::Assertion> for Assertion {
    fn from(read: casque_proto::Assertion) -> Self {
        Self {
            source: Arc::new(Source::Read(read)),
        }
    }
}

impl From<&SamlAssertion> for Assertion {
    fn from(read: &SamlAssertion) -> Self {
        let parts = Parts {
            user: read.user().to_owned(),
            attributes: read.attributes().clone(),
            authentication_date: read.authenticated_at(),
            ..Parts::default()
        };
        Self {
            source: Arc::new(Source::Parts(parts)),
        }
    }
}

#[pymethods]
impl Assertion {
    #[new]
    #[pyo3(signature = (user, attributes = None, *, proxies = None, proxy_granting_ticket_iou = None, authentication_date = None, is_from_new_login = None, long_term = None))]
    fn new(
        user: String,
        attributes: Option<&Bound<'_, PyAny>>,
        proxies: Option<Vec<String>>,
        proxy_granting_ticket_iou: Option<String>,
        authentication_date: Option<SystemTime>,
        is_from_new_login: Option<bool>,
        long_term: Option<bool>,
    ) -> PyResult<Self> {
        let parts = Parts {
            user,
            attributes: attributes
                .map(attributes::from_python)
                .transpose()?
                .unwrap_or_default(),
            proxies: proxies.unwrap_or_default(),
            iou: proxy_granting_ticket_iou,
            authentication_date,
            is_from_new_login,
            long_term,
        };
        Ok(Self {
            source: Arc::new(Source::Parts(parts)),
        })
    }

    /// The name of the user: opaque text, to be compared as it is.
    #[getter]
    fn user(&self) -> &str {
        self.source.user()
    }

    /// What the server says about the user.
    #[getter]
    fn attributes(&self) -> Attributes {
        Attributes::of(&self.source)
    }

    /// The proxies the user came through, the most recent first; empty for a direct login.
    #[getter]
    fn proxies(&self) -> &[String] {
        self.source.proxies()
    }

    /// What names the proxy-granting ticket that went to the callback, or None.
    #[getter]
    fn proxy_granting_ticket_iou(&self) -> Option<&str> {
        self.source.iou()
    }

    /// When the user gave credentials, as an aware datetime in UTC, if the server said so legibly.
    #[getter]
    fn authentication_date(&self) -> Option<SystemTime> {
        self.source.authentication_date()
    }

    /// Whether the user gave credentials for this very ticket, if the server said so.
    #[getter]
    fn is_from_new_login(&self) -> Option<bool> {
        self.source.is_from_new_login()
    }

    /// Whether the user asked to be remembered, if the server said so.
    #[getter]
    fn long_term(&self) -> Option<bool> {
        self.source.long_term()
    }

    /// What a session may keep, of types that JSON has: everything but the ticket.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let date = self.source.authentication_date();
        let date = date
            .map(|date| date.into_pyobject(py)?.call_method0("isoformat"))
            .transpose()?;
        let dict = PyDict::new(py);
        dict.set_item("user", self.source.user())?;
        dict.set_item("attributes", self.attributes().to_dict(py)?)?;
        dict.set_item("proxies", self.source.proxies())?;
        dict.set_item("authentication_date", date)?;
        dict.set_item("is_from_new_login", self.source.is_from_new_login())?;
        dict.set_item("long_term", self.source.long_term())?;
        Ok(dict)
    }

    fn __eq__<'py>(
        &self,
        py: Python<'py>,
        other: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match other.cast::<Self>() {
            Ok(other) => {
                let equal = *self.source == *other.get().source;
                Ok(equal.into_pyobject(py)?.to_owned().into_any())
            }
            Err(_) => Ok(py.NotImplemented().into_bound(py)),
        }
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        let user = self.source.user().into_pyobject(py)?.repr()?;
        let names = self.attributes().names(py)?;
        Ok(format!(
            "<Assertion user={} attributes={names}>",
            user.to_str()?
        ))
    }

    fn __getnewargs_ex__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let positional = PyTuple::new(
            py,
            [
                self.source.user().into_pyobject(py)?.into_any(),
                self.attributes().to_dict(py)?.into_any(),
            ],
        )?;
        let keywords = PyDict::new(py);
        keywords.set_item("proxies", self.source.proxies())?;
        keywords.set_item("proxy_granting_ticket_iou", self.source.iou())?;
        keywords.set_item("authentication_date", self.source.authentication_date())?;
        keywords.set_item("is_from_new_login", self.source.is_from_new_login())?;
        keywords.set_item("long_term", self.source.long_term())?;
        Ok((positional, keywords))
    }
}
