//! A validation and a request for a proxy ticket without their I/O: what to send, and what the answer means.

use std::time::Duration;

use bytes::Bytes;
use casque_proto::redact::redact;
use casque_proto::saml::SamlResponse;
use casque_proto::{
    Assertion, CasBase, Endpoint, ErrorClass, Failure, FailureCode, Format, LoginOptions, PgtUrl,
    ProxyGrantingTicket, ProxyRequest, ProxyResponse, ProxyTicket, ReadError, ReadOptions,
    ServiceResponse, ServiceTicket, ServiceUrl, TicketMode, Validate, ValidateEndpoint,
};
use http::header::LOCATION;
use http::{HeaderMap, Request, StatusCode};
use url::Url;

use crate::saml;
use crate::text::one_line;
use crate::{ClientError, Distrust};

/// What the server sent, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Answer {
    /// The error of an answer that is a redirect. `show` makes an address safe to be seen.
    pub(crate) fn redirected(
        &self,
        base: &CasBase,
        show: impl Fn(&str) -> String,
    ) -> Option<ClientError> {
        let location = || self.headers.get(LOCATION)?.to_str().ok();
        self.status
            .is_redirection()
            .then(|| ClientError::Malformed {
                class: ErrorClass::UnexpectedStatus,
                status: self.status.as_u16(),
                detail: redirect_detail(location(), base, show),
            })
    }
}

/// One CAS server and how to speak to it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    base: CasBase,
    way: Way,
    format: Option<Format>,
    renew: bool,
    pgt_url: Option<PgtUrl>,
    options: ReadOptions,
}

/// How a ticket is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// By GET, in CAS's own versions.
    Get(ValidateEndpoint),
    /// By SAML 1.1.
    Saml {
        /// How far the clocks may differ.
        tolerance: Duration,
    },
}

impl Exchange {
    pub(crate) fn new(
        base: CasBase,
        way: Way,
        format: Option<Format>,
        renew: bool,
        pgt_url: Option<PgtUrl>,
        options: ReadOptions,
    ) -> Self {
        Self {
            base,
            way,
            format,
            renew,
            pgt_url,
            options,
        }
    }

    pub(crate) fn renewing(&self) -> Self {
        Self {
            renew: true,
            ..self.clone()
        }
    }

    /// `None` for CAS 1 and SAML 1.1, which know no proxies.
    pub(crate) fn with_pgt_url(&self, pgt_url: PgtUrl) -> Option<Self> {
        (self.way != Way::Get(ValidateEndpoint::Cas1) && self.ticket_mode() == TicketMode::Cas)
            .then(|| Self {
                pgt_url: Some(pgt_url),
                ..self.clone()
            })
    }

    pub(crate) fn base(&self) -> &CasBase {
        &self.base
    }

    pub(crate) fn login_url(&self, service: &ServiceUrl, options: LoginOptions) -> String {
        let options = match self.way {
            Way::Get(_) => options,
            Way::Saml { .. } => options.ticket_mode(TicketMode::Saml),
        };
        self.base
            .login_url(service, &options.renew(self.renew || options.renew))
    }

    pub(crate) fn ticket_mode(&self) -> TicketMode {
        match self.way {
            Way::Get(_) => TicketMode::Cas,
            Way::Saml { .. } => TicketMode::Saml,
        }
    }

    pub(crate) fn validation(&self, ticket: &ServiceTicket, service: &ServiceUrl) -> Validate {
        let mut validate = Validate::new(service, ticket)
            .endpoint(match self.way {
                Way::Get(endpoint) => endpoint,
                Way::Saml { .. } => ValidateEndpoint::default(),
            })
            .renew(self.renew);
        if let Some(format) = self.format {
            validate = validate.format(format);
        }
        match &self.pgt_url {
            Some(pgt_url) => validate.pgt_url(pgt_url.clone()),
            None => validate,
        }
    }

    pub(crate) fn request(
        &self,
        validate: &Validate,
        ticket: &ServiceTicket,
        service: &ServiceUrl,
    ) -> Request<Bytes> {
        match self.way {
            Way::Get(_) => validate.request(&self.base),
            Way::Saml { .. } => saml::request(&self.base, service, ticket, self.renew),
        }
    }

    /// What an answer means. It says "user" only for a success under a 2xx status (R-171, SC-029).
    pub(crate) fn judge(
        &self,
        validate: &Validate,
        answer: &Answer,
        ticket: &ServiceTicket,
        service: &ServiceUrl,
    ) -> Result<Assertion, ClientError> {
        let judge = self.judgement(answer, ticket.secret())?;
        if let Way::Saml { tolerance } = self.way {
            let options = self.options.clone().status(judge.status);
            return match saml::read(&answer.body, service, tolerance, &options) {
                Ok(SamlResponse::Success(assertion)) => Ok(saml::assertion(&assertion)),
                Ok(SamlResponse::Failure(failure)) => Err(judge.refused(&failure)),
                Err(error) => Err(judge.unreadable(&error)),
            };
        }
        match validate.parse(judge.status, &answer.body, &self.options) {
            Ok(ServiceResponse::Success(assertion)) => Ok(assertion),
            Ok(ServiceResponse::Failure(failure)) => Err(judge.refused(&failure)),
            Err(error) => Err(judge.unreadable(&error)),
        }
    }

    /// What an answer to a request for a proxy ticket means.
    pub(crate) fn judge_proxy(
        &self,
        request: &ProxyRequest,
        answer: &Answer,
        pgt: &ProxyGrantingTicket,
    ) -> Result<ProxyTicket, ClientError> {
        let judge = self.judgement(answer, pgt.secret())?;
        match request.parse(judge.status, &answer.body, &self.options) {
            Ok(ProxyResponse::Success(ticket)) => Ok(ticket),
            Ok(ProxyResponse::Failure(failure)) => Err(judge.refused(&failure)),
            Err(error) => Err(judge.unreadable(&error)),
        }
    }

    fn judgement<'a>(
        &self,
        answer: &Answer,
        secret: &'a str,
    ) -> Result<Judgement<'a>, ClientError> {
        match answer.redirected(&self.base, |text| show(text, secret)) {
            Some(redirected) => Err(redirected),
            None => Ok(Judgement {
                status: answer.status.as_u16(),
                secret,
            }),
        }
    }
}

/// What of an answer goes into an error, without the ticket that was sent.
struct Judgement<'a> {
    status: u16,
    secret: &'a str,
}

impl Judgement<'_> {
    fn refused(&self, failure: &Failure) -> ClientError {
        ClientError::Refused {
            code: failure.code().map(|code| show_code(code, self.secret)),
            message: show(failure.description(), self.secret),
            status: self.status,
        }
    }

    fn unreadable(&self, error: &ReadError) -> ClientError {
        let detail = show(error.detail(), self.secret);
        let untrusted = |distrust| ClientError::Untrusted {
            distrust,
            detail: detail.clone(),
            status: Some(self.status),
        };
        match error.class() {
            ErrorClass::ProxyNotAllowed => untrusted(Distrust::Proxy),
            ErrorClass::SamlConditions => untrusted(Distrust::Conditions),
            ErrorClass::SamlAudience => untrusted(Distrust::Audience),
            class => ClientError::Malformed {
                class,
                status: self.status,
                detail,
            },
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

/// Says where a redirect leads, since that is nearly always the base URL that should have been set. The query stays out:
/// it may repeat the ticket.
fn redirect_detail(
    location: Option<&str>,
    base: &CasBase,
    show: impl Fn(&str) -> String,
) -> String {
    let target = location.and_then(|location| resolve(base, location));
    match target {
        Some(mut target) => {
            target.set_query(None);
            target.set_fragment(None);
            format!(
                "the server redirects to {}; redirects are not followed here, so set the base URL to the address the \
                 server really has",
                show(target.as_str())
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
fn show(text: &str, secret: &str) -> String {
    let start: String = text.trim().chars().take(10 * MAX_SHOWN).collect();
    let mask = if secret.starts_with("PGT-") {
        "PGT-…"
    } else {
        "ST-…"
    };
    bounded(&start.replace(secret, mask))
}

/// The server's words on one line, bounded, without what looks like a ticket.
pub(crate) fn bounded(text: &str) -> String {
    let start: String = text.trim().chars().take(10 * MAX_SHOWN).collect();
    one_line(&redact(&start, None), MAX_SHOWN)
}

/// A code outside the protocol is the server's text like any other.
fn show_code(code: &FailureCode, secret: &str) -> FailureCode {
    match code {
        FailureCode::Other(text) => FailureCode::Other(show(text, secret)),
        known => known.clone(),
    }
}

/// Enough for the longest messages that CAS servers write.
const MAX_SHOWN: usize = 300;
