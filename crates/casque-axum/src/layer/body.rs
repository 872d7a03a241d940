//! Reading the beginning of a body without losing the rest.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum_core::body::Body;
use axum_core::response::Response;
use bytes::{Bytes, BytesMut};
use casque_app::MAX_FORM_BYTES;
use http::header::{CACHE_CONTROL, CONNECTION};
use http::{HeaderValue, StatusCode};
use http_body::Frame;
use http_body_util::BodyExt as _;

/// How long a form on the callback path may take to arrive.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// What is answered when it takes longer. The connection still holds the rest of the body.
pub(super) fn too_slow() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

pub(super) enum Read {
    /// The whole body, which is short enough.
    Whole(Bytes),
    /// A body that is too long, breaks off or has trailers: as it was, to be streamed on.
    TooLong(Body),
}

/// Reads a body up to the length that a message of single logout may have.
pub(super) async fn read(mut body: Body) -> Read {
    let mut frames = VecDeque::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let data = frame
            .as_ref()
            .ok()
            .and_then(Frame::data_ref)
            .map(Bytes::len);
        frames.push_back(frame);
        length += match data {
            Some(bytes) => bytes,
            None => return Read::TooLong(Body::new(Replayed { frames, rest: body })),
        };
        if length > MAX_FORM_BYTES {
            return Read::TooLong(Body::new(Replayed { frames, rest: body }));
        }
    }
    let data = |frame: Result<Frame<Bytes>, _>| frame.ok().and_then(|frame| frame.into_data().ok());
    let mut chunks = frames.into_iter().filter_map(data);
    let first = chunks.next().unwrap_or_default();
    Read::Whole(match chunks.next() {
        None => first,
        Some(second) => {
            let mut whole = BytesMut::with_capacity(length);
            whole.extend_from_slice(&first);
            whole.extend_from_slice(&second);
            chunks.for_each(|chunk| whole.extend_from_slice(&chunk));
            whole.freeze()
        }
    })
}

/// The frames that were read, then the rest.
struct Replayed {
    frames: VecDeque<Result<Frame<Bytes>, axum_core::Error>>,
    rest: Body,
}

impl http_body::Body for Replayed {
    type Data = Bytes;
    type Error = axum_core::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum_core::Error>>> {
        match self.frames.pop_front() {
            Some(frame) => Poll::Ready(Some(frame)),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}
