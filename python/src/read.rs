//! The readers of a server's answers.

use std::time::{Duration, SystemTime};

use casque_proto::saml::{SamlExpectation, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{
    Cas1Response, Failure, ProxyResponse, ServiceResponse, ServiceTicket, ServiceUrl,
};
use pyo3::prelude::*;

use crate::assertion::Assertion;
use crate::body::Body;
use crate::options::{for_endpoint, read_options};
use crate::{errors, ticket};

/// Read the answer of a validation by CAS 2 or 3, XML or JSON as it comes.
#[pyfunction]
#[pyo3(signature = (body, *, status = 200, endpoint = "/p3/serviceValidate", tolerate = None, allowed_chains = None))]
pub(crate) fn parse_service_response(
    py: Python<'_>,
    body: Body<'_>,
    status: u16,
    endpoint: &str,
    tolerate: Option<&Bound<'_, PyAny>>,
    allowed_chains: Option<&Bound<'_, PyAny>>,
) -> PyResult<Assertion> {
    let options = read_options(py, status, tolerate, allowed_chains)?;
    let options = for_endpoint(py, options, endpoint)?;
    let bytes = body.bytes(Some(status))?;
    match py.detach(|| ServiceResponse::parse(bytes, &options)) {
        Ok(ServiceResponse::Success(assertion)) => Ok(assertion.into()),
        Ok(ServiceResponse::Failure(failure)) => Err(authentication_failure(py, &failure, status)),
        Err(error) => Err(errors::unreadable(py, &error)),
    }
}

/// Read the answer of `/proxy`: the proxy ticket.
#[pyfunction]
#[pyo3(signature = (body, *, status = 200, tolerate = None))]
pub(crate) fn parse_proxy_response(
    py: Python<'_>,
    body: Body<'_>,
    status: u16,
    tolerate: Option<&Bound<'_, PyAny>>,
) -> PyResult<String> {
    let options = read_options(py, status, tolerate, None)?;
    let bytes = body.bytes(Some(status))?;
    match py.detach(|| ProxyResponse::parse(bytes, &options)) {
        Ok(ProxyResponse::Success(ticket)) => Ok(ticket.secret().to_owned()),
        Ok(ProxyResponse::Failure(failure)) => {
            Err(errors::refused(py, "ProxyFailure", &failure, status))
        }
        Err(error) => Err(errors::unreadable(py, &error)),
    }
}

/// Read the answer of `/validate`, CAS 1.
#[pyfunction]
#[pyo3(signature = (body, *, status = 200, tolerate = None))]
pub(crate) fn parse_cas1_response(
    py: Python<'_>,
    body: Body<'_>,
    status: u16,
    tolerate: Option<&Bound<'_, PyAny>>,
) -> PyResult<Assertion> {
    let options = read_options(py, status, tolerate, None)?;
    let bytes = body.bytes(Some(status))?;
    match py.detach(|| Cas1Response::parse(bytes, &options).map(ServiceResponse::from)) {
        Ok(ServiceResponse::Success(assertion)) => Ok(assertion.into()),
        Ok(ServiceResponse::Failure(failure)) => Err(authentication_failure(py, &failure, status)),
        Err(error) => Err(errors::unreadable(py, &error)),
    }
}

/// Read the answer of `/samlValidate`: valid at `now` (seconds since 1970), for the service `target`.
///
/// With `conditions=False` it may be out of date and for another service: whoever asks for that lets it pass knowingly.
#[pyfunction]
#[pyo3(signature = (body, *, target, now, status = 200, tolerance = 5.0, in_response_to = None, tolerate = None, conditions = true))]
#[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
pub(crate) fn parse_saml_response(
    py: Python<'_>,
    body: Body<'_>,
    target: &str,
    now: f64,
    status: u16,
    tolerance: f64,
    in_response_to: Option<&str>,
    tolerate: Option<&Bound<'_, PyAny>>,
    conditions: bool,
) -> PyResult<Assertion> {
    let options = read_options(py, status, tolerate, None)?;
    let service = ServiceUrl::parse(target).map_err(|error| errors::misuse(py, "target", error))?;
    let mut expectation = SamlExpectation::new(&service, moment(py, now)?).tolerance(seconds(
        py,
        "tolerance",
        tolerance,
    )?);
    if let Some(id) = in_response_to {
        expectation = expectation.in_response_to(id);
    }
    if !conditions {
        expectation = expectation.without_conditions();
    }
    let bytes = body.bytes(Some(status))?;
    match py.detach(|| SamlResponse::parse(bytes, &expectation, &options)) {
        Ok(SamlResponse::Success(assertion)) => Ok((&assertion).into()),
        Ok(SamlResponse::Failure(failure)) => Err(authentication_failure(py, &failure, status)),
        Err(error) => Err(errors::unreadable(py, &error)),
    }
}

/// The document to post to `/samlValidate`, and its id: `(body, request_id)`.
///
/// `now` is in seconds since 1970, `random` is 16 random bytes or more.
#[pyfunction]
#[pyo3(signature = (ticket, *, now, random, any_ticket = false))]
pub(crate) fn build_saml_request(
    py: Python<'_>,
    ticket: &str,
    now: f64,
    random: &[u8],
    any_ticket: bool,
) -> PyResult<(String, String)> {
    let ticket: ServiceTicket = ticket::service_ticket(py, ticket, any_ticket)?;
    if random.len() < 16 {
        return Err(errors::misuse(py, "random", "16 random bytes are needed"));
    }
    let stamp = SamlStamp::new(moment(py, now)?, &mut |bytes| {
        for (byte, random) in bytes.iter_mut().zip(random) {
            *byte = *random;
        }
    });
    Ok((SamlRequest::to_xml(&ticket, &stamp), stamp.id().to_owned()))
}

/// Raise Misuse unless these keywords of the reading functions make sense.
#[pyfunction]
#[pyo3(signature = (*, tolerate = None, allowed_chains = None))]
pub(crate) fn check_options(
    py: Python<'_>,
    tolerate: Option<&Bound<'_, PyAny>>,
    allowed_chains: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    read_options(py, 200, tolerate, allowed_chains).map(drop)
}

/// The time that an `authenticationDate` names, as an aware datetime, or None where it cannot be read.
#[pyfunction]
pub(crate) fn parse_authentication_date(text: &str) -> Option<SystemTime> {
    casque_proto::parse_authentication_date(text)
}

fn authentication_failure(py: Python<'_>, failure: &Failure, status: u16) -> PyErr {
    errors::refused(py, "AuthenticationFailure", failure, status)
}

fn moment(py: Python<'_>, now: f64) -> PyResult<SystemTime> {
    SystemTime::UNIX_EPOCH
        .checked_add(seconds(py, "now", now)?)
        .ok_or_else(|| errors::misuse(py, "now", "too far in the future"))
}

fn seconds(py: Python<'_>, what: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value)
        .map_err(|_| errors::misuse(py, what, "seconds, zero or more"))
}
