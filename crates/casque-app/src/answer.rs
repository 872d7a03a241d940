//! Answers that casque gives in the application's place.

use bytes::Bytes;
use casque_proto::JsonpCallback;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, PRAGMA, REFERRER_POLICY,
    SET_COOKIE, VARY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderValue, Response, StatusCode};

use crate::page::{POLICY, Page};

/// Why casque answered a request itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The browser is sent to the CAS server to log in.
    LoginStarted,
    /// The login is complete; the browser is sent to the page it asked for.
    LoggedIn,
    /// Whoever asks to log in is signed in already.
    AlreadyLoggedIn,
    /// The CAS server knows nobody in this browser; the browser is sent back to the page.
    GatewayReturned,
    /// A script, or a form, needs a login first.
    LoginNeeded,
    /// The user is signed in, and may not see this.
    NotAllowed,
    /// The session ended and the browser is sent on.
    LoggedOut,
    /// Logging out at another site's request is asked back.
    ConfirmLogout,
    /// An image or a script asked for the logout.
    LogoutNotByNavigation,
    /// A ticket came that this browser did not ask for (S-054).
    UnsolicitedTicket,
    /// A ticket came twice, or is not one (S-004).
    BadTicket,
    /// The browser came back without the cookie that it was given.
    CookiesRefused,
    /// The CAS server refused the ticket.
    TicketRefused,
    /// The CAS server could not be asked, or its answer could not be used.
    ValidationFailed,
    /// Logging in again and again does not help.
    LoginLoop,
    /// A message of single logout was received.
    SingleLogout,
    /// A message of single logout is not one, or comes from where none may.
    BadSingleLogout,
    /// A proxy-granting ticket, or a probe for where it arrives, was received.
    ProxyCallback,
    /// What arrived there is no proxy-granting ticket, or comes from where none may.
    BadProxyCallback,
    /// Another application cannot be called as the user.
    NoProxyTicket,
    /// The store for sessions does not answer.
    StoreUnavailable,
}

impl Reason {
    /// A short stable name for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoginStarted => "login_started",
            Self::LoggedIn => "logged_in",
            Self::AlreadyLoggedIn => "already_logged_in",
            Self::GatewayReturned => "gateway_returned",
            Self::LoginNeeded => "login_needed",
            Self::NotAllowed => "not_allowed",
            Self::LoggedOut => "logged_out",
            Self::ConfirmLogout => "confirm_logout",
            Self::LogoutNotByNavigation => "logout_not_by_navigation",
            Self::UnsolicitedTicket => "unsolicited_ticket",
            Self::BadTicket => "bad_ticket",
            Self::CookiesRefused => "cookies_refused",
            Self::TicketRefused => "ticket_refused",
            Self::ValidationFailed => "validation_failed",
            Self::LoginLoop => "login_loop",
            Self::SingleLogout => "single_logout",
            Self::BadSingleLogout => "bad_single_logout",
            Self::ProxyCallback => "proxy_callback",
            Self::BadProxyCallback => "bad_proxy_callback",
            Self::NoProxyTicket => "no_proxy_ticket",
            Self::StoreUnavailable => "store_unavailable",
        }
    }
}

/// An answer in the application's place: a redirect, a page, JSON or a bare status.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    reason: Reason,
    location: Option<String>,
    cookies: Vec<HeaderValue>,
    login_url: Option<String>,
    content: Content,
}

#[derive(Debug)]
enum Content {
    Empty,
    Page(Page),
    Json(String),
    Script(String),
}

impl Answer {
    pub(crate) fn status(status: StatusCode, reason: Reason) -> Self {
        Self {
            status,
            reason,
            location: None,
            cookies: Vec::new(),
            login_url: None,
            content: Content::Empty,
        }
    }

    pub(crate) fn redirect(location: String, reason: Reason) -> Self {
        Self {
            location: Some(location),
            ..Self::status(StatusCode::SEE_OTHER, reason)
        }
    }

    pub(crate) fn page(status: StatusCode, reason: Reason, page: Page) -> Self {
        Self {
            content: Content::Page(page),
            ..Self::status(status, reason)
        }
    }

    /// `{"error", "message"}` and, where a login would help, `login_url`.
    pub(crate) fn json(
        status: StatusCode,
        reason: Reason,
        message: &str,
        login: Option<&str>,
    ) -> Self {
        let mut object = serde_json::Map::new();
        object.insert("error".to_owned(), reason.as_str().into());
        object.insert("message".to_owned(), message.into());
        if let Some(url) = login {
            object.insert("login_url".to_owned(), url.into());
        }
        let text = serde_json::Value::Object(object).to_string();
        Self {
            content: Content::Json(text),
            login_url: login.map(str::to_owned),
            ..Self::status(status, reason)
        }
    }

    /// The same answer as a script that calls a function.
    #[must_use]
    pub(crate) fn script(self, callback: &JsonpCallback) -> Self {
        Self {
            content: Content::Script(callback.script()),
            ..self
        }
    }

    #[must_use]
    pub(crate) fn cookie(mut self, cookie: HeaderValue) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// Why.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// The HTTP status.
    pub fn status_code(&self) -> StatusCode {
        self.status
    }

    /// Where the browser is sent.
    pub fn location(&self) -> Option<&str> {
        self.location.as_deref()
    }

    /// The answer as HTTP. Nothing of it may be stored, and no address leaks to another site
    /// (S-016, S-072).
    pub fn into_response(self) -> Response<Bytes> {
        let (content_type, body) = match &self.content {
            Content::Empty => (None, Bytes::new()),
            Content::Page(page) => (Some("text/html; charset=utf-8"), page.html().into()),
            Content::Json(text) => (Some("application/json"), text.clone().into()),
            Content::Script(text) => (Some(JsonpCallback::CONTENT_TYPE), text.clone().into()),
        };
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        if let Some(content_type) = content_type {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        if let Content::Page(_) = self.content {
            headers.insert(CONTENT_SECURITY_POLICY, POLICY.clone());
        }
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        headers.insert(VARY, HeaderValue::from_static("Cookie"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(url) = self.login_url
            && let Ok(challenge) = HeaderValue::try_from(format!("CAS login_url=\"{url}\""))
        {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(location) = self.location {
            // Every location is checked or built by the protocol core, and is printable ASCII.
            match HeaderValue::try_from(location) {
                Ok(location) => {
                    headers.insert(LOCATION, location);
                }
                Err(_) => *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR,
            }
        }
        for cookie in self.cookies {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }
}
