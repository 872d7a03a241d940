//! A validation by SAML 1.1, with the time and the random id that it needs.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use casque_proto::saml::{SamlAssertion, SamlExpectation, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{Assertion, CasBase, ReadError, ReadOptions, ServiceTicket, ServiceUrl};
use http::Request;

/// The request, with an id and a time of its own.
pub(crate) fn request(
    base: &CasBase,
    service: &ServiceUrl,
    ticket: &ServiceTicket,
    renew: bool,
) -> Request<Bytes> {
    let random = rustls::crypto::ring::default_provider().secure_random;
    let stamp = SamlStamp::new(now(), &mut |bytes| {
        random
            .fill(bytes)
            .expect("a system without random numbers speaks no TLS either");
    });
    if renew {
        SamlRequest::renewing_request(base, service, ticket, &stamp)
    } else {
        SamlRequest::request(base, service, ticket, &stamp)
    }
}

/// What the answer says now.
pub(crate) fn read(
    body: &[u8],
    service: &ServiceUrl,
    tolerance: Duration,
    options: &ReadOptions,
) -> Result<SamlResponse, ReadError> {
    let expectation = SamlExpectation::new(service, now()).tolerance(tolerance);
    SamlResponse::parse(body, &expectation, options)
}

/// The same as every other protocol gives it.
pub(crate) fn assertion(saml: &SamlAssertion) -> Assertion {
    Assertion::builder(saml.user())
        .attributes(saml.attributes())
        .build()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the assertion is held against the wall clock, as the server that wrote it did; nothing is kept until a deadline"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
