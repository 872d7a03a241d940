//! The language of CAS: every message of the protocol, read and written.
//!
//! This crate does no I/O, keeps no clock and draws no randomness: time and random bytes are arguments, requests and
//! responses are values. Client, server, gateway and test tools share it, so a message is read by the same code that
//! is tested against the code that writes it.
//!
//! Numbers such as R-150 and S-024 in the documentation are the project's numbered requirements: R for the protocol,
//! S for security.

// Values: tickets, service URLs, endpoints and requests.
mod base;
mod encode;
mod endpoint;
mod pgt_url;
pub mod query;
pub mod redact;
mod registry_url;
mod requests;
pub mod return_to;
mod rule_lint;
mod service_rule;
mod service_url;
mod ticket;

pub use base::{CasBase, CasBaseError, LoginMethod, LoginOptions, ValidateOptions};
pub use endpoint::Endpoint;
pub use pgt_url::PgtUrl;
pub use registry_url::{MAX_REGISTRY_URL_BYTES, RegistryUrl};
pub use requests::{ProxyRequest, Validate, ValidateEndpoint};
pub use service_rule::{ServiceRule, ServiceRuleError};
pub use service_url::{MAX_SERVICE_BYTES, ServiceUrl, ServiceUrlError, TicketMode, strip_ticket};
pub use ticket::{
    LoginTicket, MAX_TICKET_BYTES, MAX_UNPREFIXED_TICKET_BYTES, ProxyGrantingTicket,
    ProxyGrantingTicketIou, ProxyTicket, ServiceTicket, TicketError, TicketGrantingTicket,
    TicketKind,
};

// Reading and writing the answers of a CAS server.
mod assertion;
mod attributes;
mod authentication_date;
mod body;
mod cas1;
mod failure;
mod json;
mod proxy_response;
mod read;
mod service_response;
mod text;
mod xml;

pub use assertion::{Assertion, AssertionBuilder};
pub use attributes::{
    AUTHENTICATION_ATTRIBUTES, Attributes, STANDARD_ATTRIBUTES, attribute_xml_name,
};
pub use authentication_date::parse_authentication_date;
pub use cas1::Cas1Response;
pub use failure::{Failure, FailureCode};
pub use proxy_response::ProxyResponse;
pub use read::{ErrorClass, Limits, ReadError, ReadOptions, Tolerance};
pub use service_response::{AttributeStyle, Format, ServiceResponse, SuccessAnswer};

// Single logout, SAML 1.1 and the REST protocol.
mod instant;
mod logout;
pub mod rest;
pub mod saml;

// The service definitions of an Apereo server.
pub mod apereo;

pub use logout::{JsonpCallback, LogoutDecision, LogoutMessage, LogoutReceiver, LogoutRequest};
