//! Single logout.

use casque_proto::LogoutDecision;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};
use pyo3::prelude::*;

use crate::body::Body;
use crate::errors;

/// A logout request: which tickets' sessions end.
///
/// It is not signed: knowing the ticket is the only proof. `id` and `issue_instant` are what the sender wrote.
#[pyclass(frozen, module = "casque")]
pub(crate) struct LogoutRequest(casque_proto::LogoutRequest);

#[pymethods]
impl LogoutRequest {
    /// The tickets, in order; at least one.
    #[getter]
    fn session_indexes(&self) -> Vec<&str> {
        let indexes = self.0.session_indexes().iter();
        indexes.map(casque_proto::ServiceTicket::secret).collect()
    }

    /// The one ticket of a message as CAS servers send it; of several, MalformedResponse is raised.
    #[getter]
    fn session_index(&self, py: Python<'_>) -> PyResult<&str> {
        match self.0.session_index() {
            Ok(ticket) => Ok(ticket.secret()),
            Err(error) => Err(errors::unreadable(py, &error)),
        }
    }

    /// The `ID`, or None.
    #[getter]
    fn id(&self) -> Option<&str> {
        self.0.id()
    }

    /// The `IssueInstant` as it was written, or None.
    #[getter]
    fn issue_instant(&self) -> Option<&str> {
        self.0.issue_instant()
    }

    fn __repr__(&self) -> String {
        let tickets = self.0.session_indexes().len();
        format!("<LogoutRequest with {tickets} ticket(s)>")
    }
}

type ReadBytes = fn(&[u8]) -> Result<casque_proto::LogoutRequest, casque_proto::ReadError>;
type ReadText = fn(&str) -> Result<casque_proto::LogoutRequest, casque_proto::ReadError>;

/// Read a logout request: the document, the form body that carries it, or the compressed value of the front channel.
///
/// With `any_ticket`, tickets need not begin with `ST-` or `PT-`.
#[pyfunction]
#[pyo3(signature = (body, *, any_ticket = false))]
pub(crate) fn parse_logout_request(
    py: Python<'_>,
    body: Body<'_>,
    any_ticket: bool,
) -> PyResult<LogoutRequest> {
    let (xml, value, form) = if any_ticket {
        (
            casque_proto::LogoutRequest::parse_xml_unprefixed as ReadBytes,
            casque_proto::LogoutRequest::parse_value_unprefixed as ReadText,
            casque_proto::LogoutRequest::parse_form_body_unprefixed as ReadBytes,
        )
    } else {
        (
            casque_proto::LogoutRequest::parse_xml as ReadBytes,
            casque_proto::LogoutRequest::parse_value as ReadText,
            casque_proto::LogoutRequest::parse_form_body as ReadBytes,
        )
    };
    let bytes = body.bytes(None)?;
    py.detach(|| {
        let start = bytes
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(bytes)
            .trim_ascii_start();
        if start.starts_with(b"<") {
            return xml(bytes);
        }
        // No other form of the message holds this, and a form body has it somewhere.
        if bytes.windows(14).any(|window| window == b"logoutRequest=") {
            return form(bytes);
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => value(text),
            Err(_) => xml(bytes),
        }
    })
    .map(LogoutRequest)
    .map_err(|error| errors::unreadable(py, &error))
}

/// Tells logout requests of a CAS server from the application's own requests: `casque.logout` builds on it.
#[pyclass(frozen, module = "casque._core")]
pub(crate) struct LogoutReceiver(casque_proto::LogoutReceiver);

#[pymethods]
impl LogoutReceiver {
    /// How many bytes of a body are worth reading.
    #[classattr]
    const MAX_BODY: usize = casque_proto::LogoutReceiver::MAX_BODY;

    #[new]
    #[pyo3(signature = (path, *, front_channel = false))]
    fn new(path: String, front_channel: bool) -> Self {
        Self(casque_proto::LogoutReceiver::new(path).front_channel(front_channel))
    }

    /// Whether the body of this request has to be looked into. `target` is the path, with the query if there is one.
    #[pyo3(signature = (method, target, content_type = None))]
    fn may_be_logout(&self, method: &str, target: &str, content_type: Option<&str>) -> bool {
        request(method, target, content_type)
            .is_some_and(|(method, uri, headers)| self.0.may_be_logout(&method, &uri, &headers))
    }

    /// None where the request is the application's own, or `(ticket, script)`: the session that ends, and the body of the
    /// answer to a script element, if it was one. A broken logout request raises MalformedResponse.
    #[pyo3(signature = (method, target, content_type = None, body = None))]
    fn decide(
        &self,
        py: Python<'_>,
        method: &str,
        target: &str,
        content_type: Option<&str>,
        body: Option<Body<'_>>,
    ) -> PyResult<Option<(String, Option<String>)>> {
        let Some((method, uri, headers)) = request(method, target, content_type) else {
            return Ok(None);
        };
        let bytes = match &body {
            Some(body) => body.bytes(None)?,
            None => &[],
        };
        match py.detach(|| self.0.decide(&method, &uri, &headers, bytes)) {
            LogoutDecision::Logout { ticket, callback } => Ok(Some((
                ticket.secret().to_owned(),
                callback.map(|callback| callback.script()),
            ))),
            LogoutDecision::Refuse(error) => Err(errors::unreadable(py, &error)),
            _ => Ok(None),
        }
    }
}

/// What is no HTTP request is no logout request.
fn request(
    method: &str,
    target: &str,
    content_type: Option<&str>,
) -> Option<(Method, Uri, HeaderMap)> {
    let mut headers = HeaderMap::new();
    if let Some(content_type) = content_type {
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).ok()?);
    }
    Some((method.parse().ok()?, target.parse().ok()?, headers))
}
