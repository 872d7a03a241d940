//! Which HTTP requests an application takes as logout requests (R-084, R-088, S-047, S-048, S-081).

use http::header::CONTENT_TYPE;
use http::{HeaderMap, Method, Uri};

use super::{JsonpCallback, LogoutMessage, LogoutRequest, PARAMETER, form, looks_like_xml};
use crate::{ErrorClass, ReadError, ServiceTicket};

/// Decides whether an HTTP request is a logout request.
///
/// A logout request is a form `POST` to the callback path with a parameter `logoutRequest`. Everything else is
/// left to the application, byte for byte. The compressed form and `GET` count only where the front channel is
/// switched on, and a body that is the document itself only where [`raw_xml`](Self::raw_xml) is.
///
/// ```
/// use casque_proto::{LogoutDecision, LogoutReceiver, LogoutRequest, ServiceTicket};
/// use http::{HeaderMap, Method, Uri};
/// use std::time::SystemTime;
///
/// let receiver = LogoutReceiver::new("/cas/callback");
/// let uri = Uri::from_static("/cas/callback");
/// let mut headers = HeaderMap::new();
/// headers.insert("content-type", "application/x-www-form-urlencoded".parse()?);
///
/// let ticket = ServiceTicket::parse("ST-1-abc")?;
/// let body = LogoutRequest::to_form_body("LR-1", SystemTime::UNIX_EPOCH, &ticket);
/// assert!(receiver.may_be_logout(&Method::POST, &uri, &headers));
/// let decision = receiver.decide(&Method::POST, &uri, &headers, body.as_bytes());
/// assert_eq!(decision, LogoutDecision::Logout { ticket, callback: None });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutReceiver {
    callback_path: String,
    front_channel: bool,
    raw_xml: bool,
}

/// What to do with an HTTP request: the answer of [`LogoutReceiver::decide`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogoutDecision {
    /// Not a logout request: the application gets it, with its body unchanged.
    Pass,
    /// Answer 400 and end nothing. The error is for the log, not for the answer.
    Refuse(ReadError),
    /// End the session of this ticket, if there is one, and answer 200 with an empty body, or with the callback's
    /// [`script`](JsonpCallback::script), whether or not there was one (R-090, S-048).
    Logout {
        /// Whose session ends.
        ticket: ServiceTicket,
        /// The JSONP function of a front-channel request (R-089).
        callback: Option<JsonpCallback>,
    },
}

impl LogoutReceiver {
    /// How many bytes of a body are worth buffering to look for a logout request: 16 KiB (S-048, S-081).
    pub const MAX_BODY: usize = 16 * 1024;

    /// Logout requests are received at this path, compared exactly with the path of the request URI.
    pub fn new(callback_path: impl Into<String>) -> Self {
        Self {
            callback_path: callback_path.into(),
            front_channel: false,
            raw_xml: false,
        }
    }

    /// Whether messages that come through the browser count: a `GET`, and the compressed form (R-088). Off by default.
    #[must_use]
    pub fn front_channel(mut self, on: bool) -> Self {
        self.front_channel = on;
        self
    }

    /// Whether a `POST` of `text/xml` or `application/xml` counts, whose body is the document itself and not a form: the
    /// habit of some servers. Off by default.
    #[must_use]
    pub fn raw_xml(mut self, on: bool) -> Self {
        self.raw_xml = on;
        self
    }

    /// Whether a request must be looked into: if not, its body need not be touched.
    pub fn may_be_logout(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
        uri.path() == self.callback_path
            && (is_post_of(method, headers, &[FORM])
                || (self.front_channel && method == Method::GET)
                || self.is_raw_xml(method, headers))
    }

    fn is_raw_xml(&self, method: &Method, headers: &HeaderMap) -> bool {
        self.raw_xml && is_post_of(method, headers, &XML)
    }

    /// Decides on a request. `body` holds at most one byte more than [`MAX_BODY`](Self::MAX_BODY), which is how a
    /// caller that stops reading there shows that there was more.
    pub fn decide(
        &self,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
        body: &[u8],
    ) -> LogoutDecision {
        if !self.may_be_logout(method, uri, headers) {
            return LogoutDecision::Pass;
        }
        if self.is_raw_xml(method, headers) {
            return match Self::read_xml(body) {
                Ok(ticket) => LogoutDecision::Logout {
                    ticket,
                    callback: None,
                },
                Err(error) if error.class() == ErrorClass::NotLogoutRequest => LogoutDecision::Pass,
                Err(error) => LogoutDecision::Refuse(error),
            };
        }
        let parameters = match *method {
            Method::GET => uri.query().unwrap_or_default().as_bytes(),
            _ => body,
        };
        if !form::has(parameters, PARAMETER) {
            return LogoutDecision::Pass;
        }
        match self.read(parameters) {
            Ok((ticket, callback)) => LogoutDecision::Logout { ticket, callback },
            Err(error) => LogoutDecision::Refuse(error),
        }
    }

    fn read_xml(body: &[u8]) -> Result<ServiceTicket, ReadError> {
        check_length(body)?;
        LogoutRequest::parse_xml(body)?.session_index().cloned()
    }

    fn read(&self, parameters: &[u8]) -> Result<(ServiceTicket, Option<JsonpCallback>), ReadError> {
        check_length(parameters)?;
        if !self.front_channel
            && !form::single(parameters, PARAMETER)?.is_some_and(|value| looks_like_xml(&value))
        {
            let detail = "logoutRequest is not XML";
            return Err(ReadError::new(ErrorClass::Malformed, detail));
        }
        let message = LogoutMessage::parse(parameters)?;
        let ticket = message.request().session_index()?.clone();
        Ok((ticket, message.callback().cloned()))
    }
}

fn check_length(message: &[u8]) -> Result<(), ReadError> {
    if message.len() > LogoutReceiver::MAX_BODY {
        let detail = "a logout request of more than 16 KiB";
        return Err(ReadError::new(ErrorClass::TooLarge, detail));
    }
    Ok(())
}

/// A body has exactly one media type, whatever its parameters.
fn is_post_of(method: &Method, headers: &HeaderMap, media_types: &[&str]) -> bool {
    let mut types = headers.get_all(CONTENT_TYPE).into_iter();
    let (Some(media_type), None) = (types.next(), types.next()) else {
        return false;
    };
    let essence = media_type
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    method == Method::POST
        && media_types
            .iter()
            .any(|media_type| essence.eq_ignore_ascii_case(media_type))
}

const FORM: &str = "application/x-www-form-urlencoded";

const XML: [&str; 2] = ["text/xml", "application/xml"];
