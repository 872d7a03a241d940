//! Answers: pages, redirects, and what to say when something fails.

use axum::{body::Body, response::Response};
use casque_store::StoreError;
use data_encoding::HEXLOWER;
use http::{
    HeaderValue, StatusCode,
    header::{ALLOW, CONNECTION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};

use super::{BodyError, ParameterError};
use crate::{pages::Page, secret::random_bytes, state::State};

/// A page whose forms, if any, end at this server.
pub(crate) fn page(state: &State, status: StatusCode, page: &Page<'_>) -> Response {
    page_with_forms(state, status, page, None)
}

/// A page with a form that leads on to `target`, an origin of a registered service.
pub(crate) fn page_with_forms(
    state: &State,
    status: StatusCode,
    page: &Page<'_>,
    target: Option<&str>,
) -> Response {
    let policy = HeaderValue::try_from(state.pages.content_security_policy(target))
        .expect("a policy is made of plain origins and words");
    let mut response = content(status, "text/html; charset=UTF-8", state.pages.render(page));
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// A page with images of these origins.
pub(crate) fn page_with_images<'a>(
    state: &State,
    page: &Page<'_>,
    origins: impl IntoIterator<Item = &'a str>,
) -> Response {
    let policy = HeaderValue::try_from(state.pages.content_security_policy_with_images(origins))
        .expect("a policy is made of plain origins and words");
    let mut response = self::page(state, StatusCode::OK, page);
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// An answer with a body of one type.
pub(crate) fn content(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Body>,
) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// A line of plain text.
pub(crate) fn text(status: StatusCode, words: &'static str) -> Response {
    content(status, "text/plain; charset=UTF-8", words)
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// The one function that sends a browser elsewhere: to a registered service, or to an own page.
///
/// 303, so that the browser goes there by GET and sends nothing on. The value may hold a
/// ticket and is marked as sensitive.
pub(crate) fn redirect(state: &State, url: &str) -> Response {
    // Checked service URLs are plain ASCII; anything else goes nowhere (S-042).
    let Ok(mut location) = HeaderValue::from_str(url) else {
        return Failure::Parameters.respond(state);
    };
    location.set_sensitive(true);
    let mut response = empty(StatusCode::SEE_OTHER);
    response.headers_mut().insert(LOCATION, location);
    response
}

/// 405 with the methods that would have done.
pub(crate) fn method_not_allowed(allow: &'static str) -> Response {
    let mut response = text(
        StatusCode::METHOD_NOT_ALLOWED,
        "This method is not allowed here.\n",
    );
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Why a page could not be shown.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The request contradicts itself or is incomplete.
    Parameters,
    /// The form was not read.
    Body(BodyError),
    /// The store did not answer.
    Store(StoreError),
}

impl From<ParameterError> for Failure {
    fn from(error: ParameterError) -> Self {
        tracing::info!(%error, "request refused");
        Self::Parameters
    }
}

impl From<BodyError> for Failure {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Failure {
    /// The page for it.
    pub(crate) fn respond(self, state: &State) -> Response {
        let is_broken = matches!(self, Self::Body(BodyError::Malformed));
        let (status, title, words) = match self {
            Self::Parameters => (
                StatusCode::BAD_REQUEST,
                "This request is not complete",
                "The address or form contradicts itself or lacks something. Go back to the \
                 service you came from and try again.",
            ),
            Self::Body(BodyError::NoType) => (
                StatusCode::BAD_REQUEST,
                "This request is not complete",
                "A form was expected. Load the page again and send it once more.",
            ),
            Self::Body(BodyError::WrongType) => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "This is not a form",
                "Only an ordinary form can be sent here.",
            ),
            Self::Body(BodyError::TooLarge) => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "This form is too large",
                "Load the page again and send it with shorter entries.",
            ),
            Self::Body(BodyError::Malformed) => (
                StatusCode::BAD_REQUEST,
                "The form did not arrive",
                "The form was broken on its way. Load the page again and send it once more.",
            ),
            Self::Body(BodyError::Incomplete) => (
                StatusCode::REQUEST_TIMEOUT,
                "The form did not arrive",
                "The connection was too slow. Please try again.",
            ),
            Self::Store(error) => return unavailable(state, &error),
        };
        let page_shown = Page::Error {
            status: status.as_u16(),
            title,
            words,
            reference: None,
        };
        let mut response = page(state, status, &page_shown);
        if is_broken {
            // What follows on the connection may be no request.
            response
                .headers_mut()
                .insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }
}

fn unavailable(state: &State, error: &StoreError) -> Response {
    let reference = HEXLOWER.encode(&random_bytes::<4>());
    state.journal.store_failed(error);
    tracing::error!(
        reference,
        "a page says that signing in is not possible right now"
    );
    let page_shown = Page::Error {
        status: 503,
        title: "Signing in is not possible right now",
        words: "The server cannot reach its storage. Please try again in a few minutes.",
        reference: Some(&reference),
    };
    let mut response = page(state, StatusCode::SERVICE_UNAVAILABLE, &page_shown);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from_static("30"));
    response
}
