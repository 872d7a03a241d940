//! Requests to a CAS server as values: built here, sent by whoever has a network.

use bytes::Bytes;
use http::{Method, Request, header};

use crate::base::{CasBase, ValidateOptions};
use crate::cas1::Cas1Response;
use crate::endpoint::Endpoint;
use crate::pgt_url::PgtUrl;
use crate::proxy_response::ProxyResponse;
use crate::read::{ReadError, ReadOptions};
use crate::service_response::{Format, ServiceResponse};
use crate::service_url::ServiceUrl;
use crate::ticket::{ProxyGrantingTicket, ServiceTicket};

/// The validation of one ticket for one service (CAS 1, 2 and 3; R-106 to R-108).
///
/// It can be asked once only: there is no `Clone`, and a server spends the ticket at any attempt (R-107).
/// Do not follow redirects when sending it (R-017).
///
/// ```
/// # use casque_proto::{CasBase, ServiceTicket, ServiceUrl, Validate};
/// let base = CasBase::parse("https://cas.example.org/cas")?;
/// let service = ServiceUrl::parse("https://app.example.org/")?;
/// let ticket = ServiceTicket::parse("ST-1-abc")?;
/// let request = Validate::new(&service, &ticket).renew(true).request(&base);
/// assert_eq!(
///     request.uri(),
///     "https://cas.example.org/cas/p3/serviceValidate?service=https%3A%2F%2Fapp.example.org%2F&ticket=ST-1-abc&renew=true",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Validate {
    service: ServiceUrl,
    ticket: ServiceTicket,
    endpoint: ValidateEndpoint,
    options: ValidateOptions,
}

impl Validate {
    /// A validation at `/p3/serviceValidate` (R-106).
    pub fn new(service: &ServiceUrl, ticket: &ServiceTicket) -> Self {
        Self {
            service: service.clone(),
            ticket: ticket.clone(),
            endpoint: ValidateEndpoint::default(),
            options: ValidateOptions::default(),
        }
    }

    /// Accept only a ticket from a fresh login with credentials.
    #[must_use]
    pub fn renew(mut self, renew: bool) -> Self {
        self.options.renew = renew;
        self
    }

    /// The form of the answer asked for. The reader takes either (R-143). Not sent to `/validate`.
    #[must_use]
    pub fn format(mut self, format: Format) -> Self {
        self.options.format = Some(format);
        self
    }

    /// Where the server shall send a proxy-granting ticket. Not sent to `/validate`.
    #[must_use]
    pub fn pgt_url(mut self, pgt_url: PgtUrl) -> Self {
        self.options.pgt_url = Some(pgt_url);
        self
    }

    /// The endpoint to ask.
    #[must_use]
    pub fn endpoint(mut self, endpoint: ValidateEndpoint) -> Self {
        self.endpoint = endpoint;
        self
    }

    /// The request.
    pub fn request(&self, base: &CasBase) -> Request<Bytes> {
        let accept = match (self.endpoint, self.options.format) {
            (ValidateEndpoint::Cas1, _) => "text/plain",
            (_, Some(Format::Json)) => "application/json, application/xml;q=0.9, text/xml;q=0.9",
            _ => "application/xml, text/xml, application/json;q=0.9",
        };
        get(
            &base.validate_url(
                self.endpoint.into(),
                &self.service,
                &self.ticket,
                &self.options,
            ),
            accept,
        )
    }

    /// What the answer says, by the rules of the endpoint that was asked.
    ///
    /// Only a proxy endpoint may answer with proxies, whatever chains `options` allow (R-211). The `no` of CAS 1 is a
    /// failure without a code (R-115).
    ///
    /// ```
    /// # use casque_proto::{ReadOptions, ServiceResponse, ServiceTicket, ServiceUrl, Validate, ValidateEndpoint};
    /// # let service = ServiceUrl::parse("https://app.example.org/")?;
    /// # let ticket = ServiceTicket::parse("ST-1-abc")?;
    /// let validate = Validate::new(&service, &ticket).endpoint(ValidateEndpoint::Cas1);
    /// let response = validate.parse(200, b"yes\nada\n", &ReadOptions::default())?;
    /// assert!(matches!(response, ServiceResponse::Success(assertion) if assertion.user() == "ada"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ReadError`] as for [`ServiceResponse::parse`] and [`Cas1Response::parse`].
    pub fn parse(
        &self,
        status: u16,
        body: &[u8],
        options: &ReadOptions,
    ) -> Result<ServiceResponse, ReadError> {
        let options = options.clone().status(status);
        match self.endpoint {
            ValidateEndpoint::Cas1 => {
                Cas1Response::parse(body, &options).map(ServiceResponse::from)
            }
            ValidateEndpoint::Cas2 | ValidateEndpoint::Cas3 => {
                ServiceResponse::parse(body, &options.without_proxies())
            }
            ValidateEndpoint::Cas2Proxy | ValidateEndpoint::Cas3Proxy => {
                ServiceResponse::parse(body, &options)
            }
        }
    }
}

/// The endpoints at which a ticket is validated by GET.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum ValidateEndpoint {
    /// `validate`: the user name only, as text.
    Cas1,
    /// `serviceValidate`.
    Cas2,
    /// `proxyValidate`: proxied access too.
    Cas2Proxy,
    /// `p3/serviceValidate`: with attributes.
    #[default]
    Cas3,
    /// `p3/proxyValidate`: with attributes, proxied access too.
    Cas3Proxy,
}

impl From<ValidateEndpoint> for Endpoint {
    fn from(endpoint: ValidateEndpoint) -> Self {
        match endpoint {
            ValidateEndpoint::Cas1 => Self::Validate,
            ValidateEndpoint::Cas2 => Self::ServiceValidate,
            ValidateEndpoint::Cas2Proxy => Self::ProxyValidate,
            ValidateEndpoint::Cas3 => Self::P3ServiceValidate,
            ValidateEndpoint::Cas3Proxy => Self::P3ProxyValidate,
        }
    }
}

/// A request for a proxy ticket (R-204).
///
/// ```
/// # use casque_proto::{CasBase, ProxyGrantingTicket, ProxyRequest, ServiceUrl};
/// let base = CasBase::parse("https://cas.example.org/cas")?;
/// let pgt = ProxyGrantingTicket::parse("PGT-1-abc")?;
/// let target = ServiceUrl::parse("imaps://mail.example.org")?;
/// let request = ProxyRequest::new(&pgt, &target).request(&base);
/// assert_eq!(
///     request.uri(),
///     "https://cas.example.org/cas/proxy?pgt=PGT-1-abc&targetService=imaps%3A%2F%2Fmail.example.org",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProxyRequest {
    pgt: ProxyGrantingTicket,
    target_service: ServiceUrl,
}

impl ProxyRequest {
    /// Asks for a ticket for `target_service`, which need not be a URL (R-205).
    pub fn new(pgt: &ProxyGrantingTicket, target_service: &ServiceUrl) -> Self {
        Self {
            pgt: pgt.clone(),
            target_service: target_service.clone(),
        }
    }

    /// The request.
    pub fn request(&self, base: &CasBase) -> Request<Bytes> {
        get(
            &base.proxy_url(&self.pgt, &self.target_service),
            "application/xml, text/xml, application/json;q=0.9",
        )
    }

    /// What the answer says.
    ///
    /// # Errors
    ///
    /// [`ReadError`] as for [`ProxyResponse::parse`].
    pub fn parse(
        &self,
        status: u16,
        body: &[u8],
        options: &ReadOptions,
    ) -> Result<ProxyResponse, ReadError> {
        ProxyResponse::parse(body, &options.clone().status(status))
    }
}

fn get(url: &str, accept: &'static str) -> Request<Bytes> {
    Request::builder()
        .method(Method::GET)
        .uri(url)
        .header(header::ACCEPT, accept)
        .body(Bytes::new())
        .expect("base, service and ticket are bounded, and all but the base is percent-encoded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::ErrorClass;

    #[test]
    fn only_proxy_endpoints_may_answer_with_proxies() {
        // R-210, R-211, S-014
        let service = ServiceUrl::parse("https://app.example.org/").unwrap();
        let ticket = ServiceTicket::parse("PT-1").unwrap();
        let body = br#"{"serviceResponse":{"authenticationSuccess":{"user":"ada","proxies":["https://p/"]}}}"#;
        let options = ReadOptions::default().allow_proxy_chain(["https://p/"]);
        for (endpoint, allowed) in [
            (ValidateEndpoint::Cas2, false),
            (ValidateEndpoint::Cas3, false),
            (ValidateEndpoint::Cas2Proxy, true),
            (ValidateEndpoint::Cas3Proxy, true),
        ] {
            let read = Validate::new(&service, &ticket)
                .endpoint(endpoint)
                .parse(200, body, &options);
            let class = read.err().map(|error| error.class());
            assert_eq!(
                class,
                (!allowed).then_some(ErrorClass::ProxyNotAllowed),
                "{endpoint:?}"
            );
        }
    }

    #[test]
    fn a_no_is_a_failure_without_a_code() {
        // R-115
        let service = ServiceUrl::parse("https://app.example.org/").unwrap();
        let ticket = ServiceTicket::parse("ST-1").unwrap();
        let validate = Validate::new(&service, &ticket).endpoint(ValidateEndpoint::Cas1);
        let read = validate.parse(422, b"no\n\n", &ReadOptions::default());
        assert!(matches!(read, Ok(ServiceResponse::Failure(failure)) if failure.code().is_none()));
        let read = validate.parse(500, b"yes\nada\n", &ReadOptions::default());
        assert_eq!(
            read.map_err(|error| error.class()),
            Err(ErrorClass::UnexpectedStatus)
        );
    }
}
