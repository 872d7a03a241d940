//! Sockets: accepts, speaks HTTP/1.1, and carries the faults out.

use std::net::TcpListener as StdListener;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::faults::Fault;
use super::pages::{self, Page};
use super::record::RecordedRequest;
use super::state::State;

/// Serves until the sender of `stopped` is used or dropped.
pub(super) fn run(
    listener: StdListener,
    tls: Option<Arc<ServerConfig>>,
    state: Arc<State>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .expect("a runtime with sockets");
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener).expect("a listener without blocking");
        tokio::select! {
            () = accept(listener, tls.map(TlsAcceptor::from), state) => {}
            _ = stopped => {}
        }
    });
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<State>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let number = state.count_connection();
        let state = Arc::clone(&state);
        let tls = tls.clone();
        tokio::spawn(async move {
            // A handshake or a connection that the client breaks off is often what a test is about.
            match tls {
                None => converse(stream, number, state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, number, state).await;
                    }
                }
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, number: usize, state: Arc<State>) {
    let service = service_fn(move |request| answer(request, number, Arc::clone(&state)));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

/// The connection is to be closed without an answer.
#[derive(Debug)]
struct HangUp;

impl std::fmt::Display for HangUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the fake CAS server was told to hang up")
    }
}

impl std::error::Error for HangUp {}

async fn answer(
    request: Request<Incoming>,
    connection: usize,
    state: Arc<State>,
) -> Result<Response<FaultyBody>, HangUp> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| HangUp)?.to_bytes();
    let page = Page::of_path(parts.uri.path());
    let request = RecordedRequest::new(page, connection, parts, body);
    state.record(request.clone());
    let Some(page) = page else {
        return Ok(plain(pages::not_found(), &state));
    };
    match state.faults().next(page) {
        None => Ok(plain(pages::respond(page, &request, &state).await, &state)),
        Some(fault) => fail(fault, page, &request, &state).await,
    }
}

async fn fail(
    fault: Fault,
    page: Page,
    request: &RecordedRequest,
    state: &Arc<State>,
) -> Result<Response<FaultyBody>, HangUp> {
    let usual = || pages::respond(page, request, state);
    Ok(match fault {
        Fault::Silent => std::future::pending().await,
        Fault::HangUp => return Err(HangUp),
        Fault::Answer(response) => plain(response, state),
        Fault::Redirect(location) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::FOUND;
            let location = HeaderValue::try_from(location).map_err(|_| HangUp)?;
            response.headers_mut().insert(LOCATION, location);
            plain(response, state)
        }
        Fault::Hold(gate) => {
            let response = usual().await;
            gate.pass().await;
            plain(response, state)
        }
        Fault::Status(status) => {
            let mut response = usual().await;
            *response.status_mut() = status;
            plain(response, state)
        }
        Fault::ContentType(content_type) => {
            let mut response = usual().await;
            response
                .headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            plain(response, state)
        }
        Fault::Cut => shaped(usual().await, Shape::Cut, state),
        Fault::Stall => shaped(usual().await, Shape::Stall, state),
        Fault::Trickle => shaped(usual().await, Shape::Trickle, state),
        Fault::Huge(blanks) => shaped(usual().await, Shape::Huge(blanks), state),
    })
}

fn plain(response: Response<Bytes>, state: &Arc<State>) -> Response<FaultyBody> {
    shaped(response, Shape::Whole, state)
}

fn shaped(response: Response<Bytes>, shape: Shape, state: &Arc<State>) -> Response<FaultyBody> {
    let (mut parts, bytes) = response.into_parts();
    if !matches!(shape, Shape::Huge(_)) {
        parts
            .headers
            .insert(CONTENT_LENGTH, HeaderValue::from(bytes.len()));
    }
    let rest = if matches!(shape, Shape::Cut | Shape::Stall) {
        bytes.slice(..bytes.len() / 2)
    } else {
        bytes
    };
    Response::from_parts(
        parts,
        FaultyBody {
            rest,
            shape,
            paused: false,
            state: Arc::clone(state),
        },
    )
}

enum Shape {
    Whole,
    Cut,
    Stall,
    Trickle,
    Huge(u64),
}

/// A body that arrives as badly as it was told to.
struct FaultyBody {
    rest: Bytes,
    shape: Shape,
    /// A pause makes the connection flush, or else the small pieces would travel together.
    paused: bool,
    state: Arc<State>,
}

const BLANKS: &[u8] = &[b' '; 16 * 1024];

impl FaultyBody {
    fn next(&mut self) -> Poll<Option<Result<Bytes, HangUp>>> {
        if !self.rest.is_empty() {
            let length = if matches!(self.shape, Shape::Trickle) {
                1
            } else {
                self.rest.len()
            };
            return Poll::Ready(Some(Ok(self.rest.split_to(length))));
        }
        match &mut self.shape {
            Shape::Whole | Shape::Trickle | Shape::Huge(0) => Poll::Ready(None),
            Shape::Cut => Poll::Ready(Some(Err(HangUp))),
            Shape::Stall => Poll::Pending,
            Shape::Huge(blanks) => {
                let length = usize::try_from(*blanks)
                    .unwrap_or(usize::MAX)
                    .min(BLANKS.len());
                *blanks = blanks.saturating_sub(length as u64);
                Poll::Ready(Some(Ok(Bytes::from_static(&BLANKS[..length]))))
            }
        }
    }
}

impl Body for FaultyBody {
    type Data = Bytes;
    type Error = HangUp;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HangUp>>> {
        if matches!(self.shape, Shape::Trickle | Shape::Cut) {
            self.paused = !self.paused;
            if self.paused {
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let next = self.next();
        if let Poll::Ready(Some(Ok(bytes))) = &next {
            self.state.count_body(bytes.len());
        }
        next.map(|frame| frame.map(|bytes| bytes.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}
