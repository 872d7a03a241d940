//! The answers as a server writes them (R-258 to R-266).

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, LOCATION};
use http::{Response, StatusCode};
use serde_json::json;

use super::{StCreated, TgtCreated, TgtDeleted, TgtFound};
use crate::CasBase;

/// How the body of a [`TgtCreated`] answer is written (R-259).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows two")]
pub enum TgtBody {
    /// A page with a form that asks for a service ticket.
    Html,
    /// The bare id.
    Text,
}

impl TgtBody {
    /// What the `Accept` header of the request asks for.
    pub fn for_accept(accept: Option<&str>) -> Self {
        let accept = accept.unwrap_or("*/*").trim_start();
        let wants_html = accept.is_empty()
            || accept.starts_with("*/*")
            || accept
                .get(..9)
                .is_some_and(|start| start.eq_ignore_ascii_case("text/html"));
        if wants_html { Self::Html } else { Self::Text }
    }
}

impl TgtCreated {
    /// 201 with the address of the new ticket (R-258, R-259).
    ///
    /// `base` is the server's configured base URL.
    ///
    /// ```
    /// use casque_proto::CasBase;
    /// use casque_proto::rest::{RestTgt, TgtBody, TgtCreated};
    ///
    /// let base = CasBase::parse("https://cas.example.org/cas")?;
    /// let created = TgtCreated::new(RestTgt::parse("TGT-1-abc")?);
    /// let response = created.to_response(&base, TgtBody::for_accept(None));
    /// assert_eq!(response.status(), 201);
    /// assert_eq!(response.headers()["location"], "https://cas.example.org/cas/v1/tickets/TGT-1-abc");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_response(&self, base: &CasBase, body: TgtBody) -> Response<Bytes> {
        let url = self.tgt().url(base);
        let (media_type, text) = match body {
            TgtBody::Html => (HTML, page(&url)),
            TgtBody::Text => (TEXT, self.tgt().secret().to_owned()),
        };
        let mut response = answer(StatusCode::CREATED, media_type, text);
        response.headers_mut().insert(LOCATION, secret_header(&url));
        response
    }
}

impl StCreated {
    /// 200 with exactly the id, without a line end (R-261).
    pub fn to_response(&self) -> Response<Bytes> {
        answer(StatusCode::OK, TEXT, self.ticket().secret().to_owned())
    }
}

impl TgtDeleted {
    /// 200, also for a ticket that was gone (R-264).
    pub fn to_response(self) -> Response<Bytes> {
        answer(StatusCode::OK, TEXT, String::new())
    }
}

impl TgtFound {
    /// 200 (R-265).
    pub fn to_response(self) -> Response<Bytes> {
        answer(StatusCode::OK, TEXT, String::new())
    }
}

/// Why a server refuses a REST request (R-260, R-262).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestRefusal {
    /// No user name, password or service where one is needed, or a service that is not registered: 400.
    BadRequest,
    /// Wrong credentials: 401.
    WrongCredentials,
    /// The ticket-granting ticket is unknown or has ended: 404.
    TgtNotFound,
    /// A method this address does not have: 405.
    MethodNotAllowed,
    /// Not a form: 415.
    UnsupportedMediaType,
    /// Too many attempts: 429.
    Throttled,
}

impl RestRefusal {
    /// The HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::WrongCredentials => StatusCode::UNAUTHORIZED,
            Self::TgtNotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Throttled => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    /// The status with a body that repeats nothing of the request.
    pub fn to_response(self) -> Response<Bytes> {
        let (media_type, text) = match self {
            Self::WrongCredentials => (
                JSON,
                json!({"authentication_exceptions": ["FailedLoginException"]}).to_string(),
            ),
            Self::BadRequest => (TEXT, "the request lacks what it needs".to_owned()),
            Self::TgtNotFound => (
                TEXT,
                "the ticket-granting ticket could not be found".to_owned(),
            ),
            Self::MethodNotAllowed | Self::UnsupportedMediaType | Self::Throttled => {
                (TEXT, String::new())
            }
        };
        answer(self.status(), media_type, text)
    }
}

pub(super) fn answer(
    status: StatusCode,
    media_type: &'static str,
    body: String,
) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn secret_header(url: &str) -> HeaderValue {
    let mut value =
        HeaderValue::from_str(url).expect("a base URL and a ticket are printable ASCII");
    value.set_sensitive(true);
    value
}

/// The shape that clients of Apereo's server look for.
fn page(url: &str) -> String {
    let action = url
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    format!(
        "<!DOCTYPE html><html lang=\"en\"><head><title>201 CREATED</title></head><body><h1>TGT Created</h1>\
         <form action=\"{action}\" method=\"POST\">Service:<input type=\"text\" name=\"service\" value=\"\"><br>\
         <input type=\"submit\" value=\"Submit\"></form></body></html>"
    )
}

const HTML: &str = "text/html;charset=UTF-8";
const TEXT: &str = "text/plain;charset=UTF-8";
pub(super) const JSON: &str = "application/json";
