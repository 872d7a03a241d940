//! Tickets in requests, and kept out of logs.

use casque_proto::query::{TicketInRequest, ticket_in_request as found_in};
use casque_proto::{ProxyGrantingTicket, ProxyGrantingTicketIou, ServiceTicket, TicketMode};
use pyo3::prelude::*;

use crate::errors;

/// The ticket in a request, query string and form body counted together, or None.
///
/// A ticket in the body is believed with `post` only, which says that the login was asked for with `method=POST`. A
/// parameter that is no CAS ticket is the application's own. Two tickets, or a malformed one, raise InvalidTicket.
#[pyfunction]
#[pyo3(signature = (query, body = None, *, post = false, saml = false))]
pub(crate) fn ticket_in_request(
    py: Python<'_>,
    query: &str,
    body: Option<&str>,
    post: bool,
    saml: bool,
) -> PyResult<Option<String>> {
    match found_in(query, body, mode(saml)) {
        TicketInRequest::InQuery(ticket) => Ok(Some(ticket.secret().to_owned())),
        TicketInRequest::InBody(ticket) => Ok(post.then(|| ticket.secret().to_owned())),
        TicketInRequest::Refused(refusal) => Err(errors::invalid_ticket(py, &refusal.to_string())),
        _ => Ok(None),
    }
}

/// The ticket in the query of a URL, or None: see `ticket_in_request`.
#[pyfunction]
#[pyo3(signature = (url, *, saml = false))]
pub(crate) fn ticket_from_url(py: Python<'_>, url: &str, saml: bool) -> PyResult<Option<String>> {
    let before_fragment = url.split_once('#').map_or(url, |(before, _)| before);
    let query = before_fragment
        .split_once('?')
        .map_or("", |(_, query)| query);
    ticket_in_request(py, query, None, false, saml)
}

/// The URL without its ticket and fragment: what the service was before the server added the ticket.
#[pyfunction]
#[pyo3(signature = (url, *, saml = false))]
pub(crate) fn strip_ticket(url: &str, saml: bool) -> String {
    casque_proto::strip_ticket(url, mode(saml))
}

/// Raise InvalidTicket unless the text is a service or proxy ticket.
#[pyfunction]
#[pyo3(signature = (ticket, *, any_ticket = false))]
pub(crate) fn check_ticket(py: Python<'_>, ticket: &str, any_ticket: bool) -> PyResult<()> {
    service_ticket(py, ticket, any_ticket).map(drop)
}

/// Raise InvalidTicket unless the text is a proxy-granting ticket.
#[pyfunction]
pub(crate) fn check_pgt(py: Python<'_>, pgt: &str) -> PyResult<()> {
    proxy_granting_ticket(py, pgt).map(drop)
}

/// Raise InvalidTicket unless the text is the IOU of a proxy-granting ticket.
#[pyfunction]
pub(crate) fn check_pgt_iou(py: Python<'_>, iou: &str) -> PyResult<()> {
    ProxyGrantingTicketIou::parse(iou)
        .map(drop)
        .map_err(|error| errors::invalid_ticket(py, &error.to_string()))
}

/// One line, bounded, control characters escaped and secrets taken out: what a log may hold.
#[pyfunction]
pub(crate) fn redact(py: Python<'_>, text: &str) -> String {
    py.detach(|| casque_proto::redact::redact(text, None))
}

pub(crate) fn service_ticket(py: Python<'_>, ticket: &str, any: bool) -> PyResult<ServiceTicket> {
    let read = if any {
        ServiceTicket::parse_unprefixed(ticket)
    } else {
        ServiceTicket::parse(ticket)
    };
    read.map_err(|error| errors::invalid_ticket(py, &error.to_string()))
}

pub(crate) fn proxy_granting_ticket(py: Python<'_>, pgt: &str) -> PyResult<ProxyGrantingTicket> {
    ProxyGrantingTicket::parse(pgt).map_err(|error| errors::invalid_ticket(py, &error.to_string()))
}

fn mode(saml: bool) -> TicketMode {
    if saml {
        TicketMode::Saml
    } else {
        TicketMode::Cas
    }
}
