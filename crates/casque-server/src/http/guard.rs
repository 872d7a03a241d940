//! The outermost layer: the host guard, and the headers that every answer carries.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version,
    header::{
        CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, EXPIRES, PRAGMA,
        REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, VARY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};

use tower::Service;

use super::respond;
use crate::{routes, state::State};

/// R-013, S-043, S-058: on every answer, whatever it is.
const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];

/// R-012, S-072: on every answer that does not say otherwise.
const UNCACHED: [(HeaderName, HeaderValue); 3] = [
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (PRAGMA, HeaderValue::from_static("no-cache")),
    (
        EXPIRES,
        HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT"),
    ),
];

/// For answers that are no page.
const NOTHING_ALLOWED: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");

/// A year; the operator's other host names are not spoken for.
const ONLY_HTTPS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Refuses requests for other hosts, has the others answered, and completes the headers of every answer.
#[derive(Debug, Clone)]
pub(crate) struct Guard(Arc<State>);

impl Guard {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self(state)
    }

    /// Answers a request.
    pub(crate) async fn answer(self, request: Request<Body>) -> Response {
        let Self(state) = self;
        let began = state.clock.now();
        let endpoint = routes::endpoint(&state, &request);
        let mut response = match refusal(&state, &request) {
            Some(refusal) => refusal,
            None => routes::answer(&state, endpoint, request).await,
        };
        complete(&state, response.headers_mut());
        let taken = state.clock.now().duration_since(began).unwrap_or_default();
        let metrics = &state.journal.metrics;
        metrics.request(endpoint, response.status(), taken);
        response
    }
}

impl Service<Request<Body>> for Guard {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.clone().answer(request);
        Box::pin(async { Ok(answer.await) })
    }
}

/// The answer to a request that goes no further.
fn refusal(state: &State, request: &Request<Body>) -> Option<Response> {
    let version = request.version();
    if !is_framed_plainly(request.headers()) {
        tracing::info!("request with an ambiguous body refused");
        let words = "Where the body of this request ends is not clear.\n";
        return Some(refuse(StatusCode::BAD_REQUEST, words, version));
    }
    if let Err(status) = state.authority.check(request.uri(), request.headers()) {
        tracing::info!(status = status.as_u16(), "request for another host refused");
        let words = "This server does not answer for that host.\n";
        return Some(refuse(status, words, version));
    }
    if head_bytes(request) > state.head_bytes {
        tracing::info!("request with a head that is too large refused");
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        let words = "The head of this request is too large.\n";
        return Some(refuse(status, words, version));
    }
    None
}

/// Whether everybody who reads this request agrees where its body ends (S-090): by its length, or
/// by `chunked` and nothing else. The reader of the socket already ends the connection of one that
/// has both.
fn is_framed_plainly(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => {
            coding.as_bytes().eq_ignore_ascii_case(b"chunked")
                && !headers.contains_key(CONTENT_LENGTH)
        }
        (Some(_), Some(_)) => false,
    }
}

/// The headers of an answer that says nothing of them itself.
///
/// To copy them is quicker than to insert each of them every time.
#[derive(Debug, Clone)]
pub(crate) struct DefaultHeaders(HeaderMap);

impl DefaultHeaders {
    /// `over_https`: browsers come by https, and shall go on to.
    pub(crate) fn new(over_https: bool) -> Self {
        // With room for what answers bring.
        let mut headers = HeaderMap::with_capacity(ALWAYS.len() + UNCACHED.len() + 10);
        headers.extend(ALWAYS);
        headers.extend(UNCACHED);
        headers.insert(VARY, HeaderValue::from_static("Cookie"));
        headers.insert(CONTENT_SECURITY_POLICY, NOTHING_ALLOWED);
        if over_https {
            headers.insert(STRICT_TRANSPORT_SECURITY, ONLY_HTTPS);
        }
        Self(headers)
    }
}

/// Adds the headers that every answer carries.
fn complete(state: &State, headers: &mut HeaderMap) {
    let mut complete = state.default_headers.0.clone();
    if headers.contains_key(CACHE_CONTROL) {
        for (name, _) in UNCACHED {
            complete.remove(name);
        }
        complete.remove(VARY);
    }
    complete.extend(std::mem::take(headers));
    *headers = complete;
}

/// The size of a request's head as HTTP/1.1 sends it (S-095). The reader of the socket stops only
/// somewhat above its limit, by how much arrives at once.
fn head_bytes<B>(request: &Request<B>) -> usize {
    let target = request
        .uri()
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let line = request.method().as_str().len() + target + "  HTTP/1.1\r\n".len();
    let fields: usize = request
        .headers()
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + ": \r\n".len())
        .sum();
    line + fields + "\r\n".len()
}

/// Plain words, no page: whoever asks like that is no guest of ours. The connection ends, since
/// what follows on it is not meant for us either.
fn refuse(status: StatusCode, words: &'static str, version: Version) -> Response {
    let mut response = respond::text(status, words);
    if version < Version::HTTP_2 {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_where_everybody_sees_it() {
        // S-090; HR-001 to HR-003
        let (te, length) = ("transfer-encoding", "content-length");
        for (expected, pairs) in [
            (true, &[][..]),
            (true, &[(length, "1")]),
            (true, &[(te, "chunked")]),
            (true, &[(te, "Chunked")]),
            (false, &[(te, "gzip, chunked")]),
            (false, &[(te, "chunked, chunked")]),
            (false, &[(te, "chunked, identity")]),
            (false, &[(te, "chunked;q=1")]),
            (false, &[(te, "")]),
            (false, &[(te, "chunked"), (te, "chunked")]),
            (false, &[(te, "chunked"), (te, "identity")]),
            (false, &[(te, "chunked"), (length, "1")]),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(is_framed_plainly(&headers), expected, "{pairs:?}");
        }
    }
}
