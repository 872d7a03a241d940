//! What a client asks (R-258 to R-266).

use std::fmt;

use bytes::Bytes;
use http::{Method, Request, header};
use percent_encoding::utf8_percent_encode;

use super::RestTgt;
use super::ticket::tickets_url;
use crate::encode::ESCAPED;
use crate::{CasBase, ServiceUrl};

/// A request of the REST protocol as a value. Do not follow redirects when sending it (R-017).
///
/// ```
/// use casque_proto::rest::{RestRequest, RestTgt};
/// use casque_proto::{CasBase, ServiceUrl};
///
/// let base = CasBase::parse("https://cas.example.org/cas")?;
/// let request = RestRequest::CreateTgt { username: "jdoe", password: "a&b" }.request(&base);
/// assert_eq!(request.uri(), "https://cas.example.org/cas/v1/tickets");
/// assert_eq!(request.body(), "username=jdoe&password=a%26b");
///
/// let tgt = RestTgt::parse("TGT-1-abc")?;
/// let service = ServiceUrl::parse("https://app.example.org/")?;
/// let request = RestRequest::CreateSt { tgt: &tgt, service: &service }.request(&base);
/// assert_eq!(request.uri(), "https://cas.example.org/cas/v1/tickets/TGT-1-abc");
/// assert_eq!(request.body(), "service=https%3A%2F%2Fapp.example.org%2F");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum RestRequest<'a> {
    /// Trade credentials for a ticket-granting ticket: answered by [`TgtCreated`](super::TgtCreated).
    CreateTgt {
        /// Who.
        username: &'a str,
        /// The password, a secret.
        password: &'a str,
    },
    /// Trade a ticket-granting ticket for a service ticket: answered by [`StCreated`](super::StCreated).
    CreateSt {
        /// The ticket-granting ticket.
        tgt: &'a RestTgt,
        /// What the service ticket is for.
        service: &'a ServiceUrl,
    },
    /// Ask whether a ticket-granting ticket is alive: answered by [`TgtFound`](super::TgtFound).
    FindTgt(&'a RestTgt),
    /// End a ticket-granting ticket: answered by [`TgtDeleted`](super::TgtDeleted).
    DeleteTgt(&'a RestTgt),
    /// Ask whether credentials are right: answered by [`UserAuthenticated`](super::UserAuthenticated).
    Authenticate {
        /// Who.
        username: &'a str,
        /// The password, a secret.
        password: &'a str,
    },
}

impl RestRequest<'_> {
    /// The request to the server at `base`.
    pub fn request(&self, base: &CasBase) -> Request<Bytes> {
        let (method, url, form) = match *self {
            Self::CreateTgt { username, password } => (
                Method::POST,
                tickets_url(base),
                credentials(username, password),
            ),
            Self::CreateSt { tgt, service } => {
                let form = [("service", service.without_fragment())];
                (Method::POST, tgt.url(base), encode(&form))
            }
            Self::FindTgt(tgt) => (Method::GET, tgt.url(base), String::new()),
            Self::DeleteTgt(tgt) => (Method::DELETE, tgt.url(base), String::new()),
            Self::Authenticate { username, password } => {
                let url = format!("{}/v1/users", base.as_str());
                (Method::POST, url, credentials(username, password))
            }
        };
        build(method, &url, form)
    }
}

/// What is asked, without password and ticket.
impl fmt::Debug for RestRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CreateTgt { .. } => "CreateTgt",
            Self::CreateSt { .. } => "CreateSt",
            Self::FindTgt(_) => "FindTgt",
            Self::DeleteTgt(_) => "DeleteTgt",
            Self::Authenticate { .. } => "Authenticate",
        })
    }
}

fn credentials(username: &str, password: &str) -> String {
    encode(&[("username", username), ("password", password)])
}

fn encode(form: &[(&str, &str)]) -> String {
    form.iter()
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, ESCAPED)))
        .collect::<Vec<_>>()
        .join("&")
}

fn build(method: Method, url: &str, form: String) -> Request<Bytes> {
    let mut request = Request::builder().method(method).uri(url);
    if !form.is_empty() {
        request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    }
    request
        .body(Bytes::from(form))
        .expect("base and ticket are bounded and URL-safe")
}
