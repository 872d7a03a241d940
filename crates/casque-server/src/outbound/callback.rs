//! One call of a proxy callback (R-193, R-194, R-197, S-052).

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use casque_proto::{PgtUrl, ProxyGrantingTicket, ProxyGrantingTicketIou};
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, HOST},
};
use http_body_util::Empty;
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::Network;

/// The largest head that an answer may have, in bytes.
const HEAD_BYTES: usize = 16 * 1024;

/// How many of a host's addresses are tried, and for how long each.
const ATTEMPTS: usize = 2;
const ATTEMPT: Duration = Duration::from_secs(2);

/// Why a callback did not take its tickets; without anything that it was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallbackError {
    /// The host has no address.
    #[error("its host cannot be looked up: {0}")]
    Lookup(#[source] io::Error),
    /// One of the addresses may not be called.
    #[error("its host has an address that may not be called")]
    Address,
    /// There is no connection, or no TLS that can be trusted.
    #[error("it cannot be connected to: {0}")]
    Connect(#[source] io::Error),
    /// The connection was no use.
    #[error("it did not answer: {0}")]
    Http(#[source] hyper::Error),
    /// Anything but 200 is a refusal.
    #[error("it answered {}", .0.as_u16())]
    Status(StatusCode),
    /// It took too long.
    #[error("it took too long")]
    Timeout,
    /// Too many calls are under way, or too many have been in vain.
    #[error("there are too many calls of it already")]
    Busy,
}

/// What it takes to call.
pub(crate) struct Call<'a> {
    pub(crate) network: Arc<dyn Network>,
    pub(crate) tls: &'a TlsConnector,
    pub(crate) url: &'a PgtUrl,
    /// Its host may have addresses of private networks.
    pub(crate) private: bool,
    /// It may be on this machine, if its host says so.
    pub(crate) loopback: bool,
    pub(crate) iou: &'a ProxyGrantingTicketIou,
    pub(crate) pgt: &'a ProxyGrantingTicket,
}

/// Takes tickets to a callback. The look-up keeps the `place` until it is over, also where nobody waits any more: the
/// threads that look up are counted as well.
pub(crate) async fn call(
    call: Call<'_>,
    place: Arc<OwnedSemaphorePermit>,
) -> Result<(), CallbackError> {
    let host = call.url.host();
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_owned();
    let addresses = {
        let (network, host, port) = (call.network.clone(), host.clone(), call.url.port());
        let looked_up = tokio::spawn(async move {
            let _place = place;
            network.resolve(&host, port).await
        });
        let result = looked_up.await.map_err(io::Error::other);
        result
            .and_then(|addresses| addresses)
            .map_err(CallbackError::Lookup)?
    };
    if !may_call(&call, &addresses) {
        return Err(CallbackError::Address);
    }
    let stream = connect(&*call.network, &addresses)
        .await
        .map_err(CallbackError::Connect)?;
    let status = if call.url.is_https() {
        let name = ServerName::try_from(host)
            .map_err(|error| CallbackError::Connect(io::Error::other(error)))?;
        let stream = call
            .tls
            .connect(name, stream)
            .await
            .map_err(CallbackError::Connect)?;
        get(stream, &call).await
    } else {
        get(stream, &call).await
    };
    match status.map_err(CallbackError::Http)? {
        StatusCode::OK => Ok(()),
        other => Err(CallbackError::Status(other)),
    }
}

fn may_call(call: &Call<'_>, addresses: &[SocketAddr]) -> bool {
    let addresses: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
    if call.loopback && call.url.is_loopback() {
        return !addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback);
    }
    call.url.may_call(&addresses, call.private)
}

/// Connects to the first address that answers; every one of them has been looked at.
async fn connect(network: &dyn Network, addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut last = io::Error::other("no address");
    for address in addresses.iter().take(ATTEMPTS) {
        match timeout(ATTEMPT, network.connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(last)
}

/// Sends the request and looks at the status alone; the body of the answer is not read.
async fn get(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    call: &Call<'_>,
) -> Result<StatusCode, hyper::Error> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await?;
    let response = sender.send_request(request(call));
    tokio::select! {
        biased;
        response = response => Ok(response?.status()),
        Err(error) = connection => Err(error),
    }
}

fn request(call: &Call<'_>) -> Request<Empty<Bytes>> {
    let origin = call.url.origin();
    let url = call.url.with_tickets(call.iou, call.pgt);
    let (_, authority) = origin.split_once("://").expect("an origin has a scheme");
    let host = HeaderValue::from_str(authority).expect("a checked host is plain ASCII");
    Request::builder()
        .method(Method::GET)
        .uri(&url[origin.len()..])
        .header(HOST, host)
        .header(ACCEPT, "*/*")
        .body(Empty::new())
        .expect("a checked address and its tickets are a URI")
}
