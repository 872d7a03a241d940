//! A validation without its I/O: the request to send, and what its answer means.

use bytes::Bytes;
use casque_proto::redact::redact;
use casque_proto::{
    Assertion, Cas1Response, CasBase, Endpoint, ErrorClass, FailureCode, Format, LoginOptions,
    ReadError, ReadOptions, ServiceResponse, ServiceTicket, ServiceUrl, Validate, ValidateEndpoint,
};
use http::{Request, StatusCode};
use url::Url;

use crate::text::one_line;
use crate::{ClientError, Distrust};

/// What the server sent, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// Where a redirect points, as the header has it.
    pub(crate) location: Option<String>,
    pub(crate) body: Bytes,
}

/// One CAS server and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    base: CasBase,
    endpoint: ValidateEndpoint,
    format: Option<Format>,
    renew: bool,
    options: ReadOptions,
}

impl Exchange {
    pub(crate) fn new(
        base: CasBase,
        endpoint: ValidateEndpoint,
        format: Option<Format>,
        renew: bool,
        options: ReadOptions,
    ) -> Self {
        Self {
            base,
            endpoint,
            format,
            renew,
            options,
        }
    }

    pub(crate) fn renewing(&self) -> Self {
        Self {
            renew: true,
            ..self.clone()
        }
    }

    pub(crate) fn base(&self) -> &CasBase {
        &self.base
    }

    pub(crate) fn login_url(&self, service: &ServiceUrl, options: LoginOptions) -> String {
        self.base
            .login_url(service, &options.renew(self.renew || options.renew))
    }

    pub(crate) fn request(&self, ticket: &ServiceTicket, service: &ServiceUrl) -> Request<Bytes> {
        let validate = Validate::new(service, ticket)
            .endpoint(self.endpoint)
            .renew(self.renew);
        match self.format {
            Some(format) => validate.format(format).request(&self.base),
            None => validate.request(&self.base),
        }
    }

    /// What an answer means. It says "user" only for a success under a 2xx status (R-171, SC-029).
    pub(crate) fn judge(
        &self,
        answer: &Answer,
        ticket: &ServiceTicket,
    ) -> Result<Assertion, ClientError> {
        let status = answer.status.as_u16();
        if answer.status.is_redirection() {
            return Err(ClientError::Malformed {
                class: ErrorClass::UnexpectedStatus,
                status,
                detail: redirect_detail(answer.location.as_deref(), &self.base, ticket),
            });
        }
        let options = self.options.clone().status(status);
        let refused = |code, description: &str| ClientError::Refused {
            code,
            message: show(description, ticket),
            status,
        };
        if self.endpoint == ValidateEndpoint::Cas1 {
            return match Cas1Response::parse(&answer.body, &options) {
                Ok(Cas1Response::Success { user }) => Ok(Assertion::builder(user).build()),
                Ok(Cas1Response::Failure) => Err(refused(None, "")),
                Err(error) => Err(unreadable(&error, status, ticket)),
            };
        }
        match ServiceResponse::parse(&answer.body, &options) {
            Ok(ServiceResponse::Success(assertion)) => Ok(assertion),
            Ok(ServiceResponse::Failure(failure)) => Err(refused(
                failure.code().map(|code| show_code(code, ticket)),
                failure.description(),
            )),
            Err(error) => Err(unreadable(&error, status, ticket)),
        }
    }
}

/// An answer of which more than `limit` bytes came.
pub(crate) fn too_large(status: StatusCode, limit: usize) -> ClientError {
    ClientError::Malformed {
        class: ErrorClass::TooLarge,
        status: status.as_u16(),
        detail: format!("more than {limit} bytes"),
    }
}

fn unreadable(error: &ReadError, status: u16, ticket: &ServiceTicket) -> ClientError {
    let detail = show(error.detail(), ticket);
    match error.class() {
        ErrorClass::ProxyNotAllowed => ClientError::Untrusted {
            distrust: Distrust::Proxy,
            detail,
            status: Some(status),
        },
        class => ClientError::Malformed {
            class,
            status,
            detail,
        },
    }
}

/// Says where a redirect leads, since that is nearly always the base URL that should have been set. The query stays out:
/// it may repeat the ticket.
fn redirect_detail(location: Option<&str>, base: &CasBase, ticket: &ServiceTicket) -> String {
    let target = location.and_then(|location| resolve(base, location));
    match target {
        Some(mut target) => {
            target.set_query(None);
            target.set_fragment(None);
            format!(
                "the server redirects to {}; redirects are not followed here, so set the base URL to the address the \
                 server really has",
                show(target.as_str(), ticket)
            )
        }
        None => "the server redirects, and redirects are not followed here".to_owned(),
    }
}

fn resolve(base: &CasBase, location: &str) -> Option<Url> {
    Url::parse(&base.endpoint(Endpoint::ServiceValidate))
        .ok()?
        .join(location)
        .ok()
}

/// The server's words, bounded, on one line, without the ticket that it may repeat or any other.
fn show(text: &str, ticket: &ServiceTicket) -> String {
    let start: String = text.trim().chars().take(10 * MAX_SHOWN).collect();
    one_line(
        &redact(&start.replace(ticket.secret(), "ST-…"), None),
        MAX_SHOWN,
    )
}

/// A code outside the protocol is the server's text like any other.
fn show_code(code: &FailureCode, ticket: &ServiceTicket) -> FailureCode {
    match code {
        FailureCode::Other(text) => FailureCode::Other(show(text, ticket)),
        known => known.clone(),
    }
}

/// Enough for the longest messages that CAS servers write.
const MAX_SHOWN: usize = 300;
