//! The socket: connections bounded in number, time and size (S-095), TLS where it is ours to do.
//!
//! Every connection is told which protocol it speaks by TLS (ALPN) or speaks HTTP/1.1, so there
//! is no moment in which a silent client is waited for without a limit.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use casque_store::keep_swept;
use http::{HeaderValue, Request, Response, Version, header::CONNECTION};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;
use tower::Service as _;

use crate::{http::Peer, server::Server, state::State, tls::Tls};

/// How long a TLS handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Requests at the same time on one HTTP/2 connection.
const MAX_STREAMS: u32 = 64;

/// Streams that a client may reset before their answer, and errors it may make, before an HTTP/2
/// connection is closed (CVE-2023-44487 and its kin).
const MAX_RESETS: usize = 20;

/// How long an HTTP/2 connection may be silent before it is asked whether it lives, and how long
/// it may take to say so.
const PING_INTERVAL: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// How often expired records are removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(30);

/// How often services are looked for that should have been told of a logout, and were not because
/// a server ended or the store was away.
const TELL_INTERVAL: Duration = Duration::from_secs(30);

/// Connections of those who watch the server.
const OPERATION_CONNECTIONS: usize = 64;

/// How long a server that ends waits for a request that has not been asked in full: its handshake,
/// or its head.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// How long to wait after the system refused another connection, as when all files are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Answers on a socket until `shutdown` completes. Then `/readyz` fails, and after
    /// [`OperationConfig::drain`](crate::OperationConfig::drain), or [`hurry`](Self::hurry), the socket is closed and
    /// what has begun is finished, as long as [`LimitsConfig::shutdown`](crate::LimitsConfig::shutdown) allows.
    ///
    /// With `tls` the socket speaks https (HTTP/2 or 1.1), without it plain HTTP/1.1, for loopback
    /// or a proxy that does TLS. Expired records are swept from the store meanwhile.
    ///
    /// # Errors
    ///
    /// Where the socket itself fails; a connection that fails ends alone.
    pub async fn serve(
        &self,
        listener: TcpListener,
        tls: Option<Tls>,
        shutdown: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let state = self.state();
        let sweeper = tokio::spawn(keep_swept(Arc::downgrade(&state.store), SWEEP_INTERVAL));
        let teller = tokio::spawn(keep_telling(self.clone()));
        let connections = GracefulShutdown::new();
        let (ending, ends) = watch::channel(());
        let server = self.clone();
        let door = Door {
            ends,
            routes: Routes::Guarded(server),
            state: state.clone(),
            tls: tls.map(|tls| TlsAcceptor::from(tls.config())),
            head_bytes: self.limits.header_bytes,
            head_timeout: self.limits.request_timeout,
        };
        let accepting = door.accept(&listener, &connections, self.limits.connections);
        let drained = async {
            shutdown.await;
            // From now on nobody should be sent here; who comes nevertheless is answered until everybody knows.
            state.ending.begin();
            if !self.drain.is_zero() {
                tracing::info!(delay = ?self.drain, "draining");
            }
            let _ = tokio::time::timeout(self.drain, state.ending.hurried()).await;
        };
        tokio::select! {
            () = accepting => {}
            () = drained => {}
        }
        drop(listener);
        drop(ending);
        sweeper.abort();
        teller.abort();
        let finish = async {
            // Messages that have begun are on their way meanwhile; a last request may begin more.
            connections.shutdown().await;
            self.finish_logout_messages().await;
        };
        if tokio::time::timeout(self.limits.shutdown, finish)
            .await
            .is_err()
        {
            tracing::warn!("some requests or logout messages were not finished in time");
        }
        if let Some(audit) = state.journal.audit()
            && tokio::time::timeout(LAST_CHANCE, audit.flush())
                .await
                .is_err()
        {
            tracing::error!("the last lines of the audit log could not be written in time");
        }
        Ok(())
    }

    /// Answers `/livez`, `/readyz` and `/metrics` on a socket of their own, in plain http, until it is dropped.
    ///
    /// Drop it after [`serve`](Self::serve) has ended, so that everybody can see the server end.
    pub async fn serve_operation(&self, listener: TcpListener) {
        let (_ending, ends) = watch::channel(());
        let door = Door {
            ends,
            routes: Routes::Plain(self.operation_router()),
            state: self.state(),
            tls: None,
            head_bytes: self.limits.header_bytes,
            head_timeout: self.limits.request_timeout,
        };
        let connections = GracefulShutdown::new();
        door.accept(&listener, &connections, OPERATION_CONNECTIONS)
            .await;
    }

    /// Waits no longer for others to notice that the server has been told to end.
    pub fn hurry(&self) {
        self.state().ending.hurry();
    }
}

/// Takes up logout messages that were left behind, now and at every interval.
async fn keep_telling(server: Server) {
    let mut ticks = tokio::time::interval(TELL_INTERVAL);
    loop {
        ticks.tick().await;
        server.state().messenger.take_up().await;
    }
}

/// Where requests go.
#[derive(Clone)]
enum Routes {
    /// To the routes that the server has at the moment, behind its guard.
    Guarded(Server),
    /// To these.
    Plain(Router),
}

impl Routes {
    async fn answer(&self, request: Request<Body>) -> Result<Response<Body>, Infallible> {
        match self {
            Self::Guarded(server) => Ok(server.guarded().answer(request).await),
            Self::Plain(router) => router.clone().call(request).await,
        }
    }
}

/// What every connection passes.
#[derive(Clone)]
struct Door {
    routes: Routes,
    state: Arc<State>,
    /// Closed when the server ends.
    ends: watch::Receiver<()>,
    tls: Option<TlsAcceptor>,
    head_bytes: usize,
    head_timeout: Duration,
}

impl Door {
    /// Lets connections in, as many at a time as there are places.
    async fn accept(&self, listener: &TcpListener, connections: &GracefulShutdown, places: usize) {
        let places = Arc::new(Semaphore::new(places));
        loop {
            let place = places.clone().acquire_owned().await;
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let (door, watcher) = (self.clone(), connections.watcher());
                    tokio::spawn(async move {
                        // Answers are small and complete; waiting to fill a packet only delays them.
                        let _ = stream.set_nodelay(true);
                        door.let_in(stream, peer, watcher).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    let forever = std::future::pending::<()>();
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, forever).await;
                }
            }
        }
    }

    /// Serves a connection to its end, or until the server ends and nothing is being asked.
    async fn let_in(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let asked = Asked::default();
        let _counted = Open::count(self.state.clone());
        let mut ends = self.ends.clone();
        let given_up = async {
            // Nothing is ever sent: this is an error once the server ends.
            while ends.changed().await.is_ok() {}
            let _ = tokio::time::timeout(LAST_CHANCE, std::future::pending::<()>()).await;
            if asked.any() {
                // It is answered, and the connection ends after that.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = self.welcome(stream, peer, watcher, &asked) => {}
            () = given_up => tracing::debug!("connection without a request ended"),
        }
    }

    async fn welcome(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher, asked: &Asked) {
        let Some(tls) = &self.tls else {
            return self.http1(stream, peer, watcher, asked).await;
        };
        match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(stream, peer, watcher, asked).await;
            }
            Ok(Ok(stream)) => self.http1(stream, peer, watcher, asked).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        }
    }

    async fn http1<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher, asked: &Asked)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head_timeout)
            .max_buf_size(self.head_bytes)
            .serve_connection(
                TokioIo::new(stream),
                service_fn(|request| self.answer(request, peer, asked.one())),
            );
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn http2<S>(&self, stream: S, peer: SocketAddr, watcher: Watcher, asked: &Asked)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(u32::try_from(self.head_bytes).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(MAX_RESETS)
            .max_local_error_reset_streams(MAX_RESETS)
            .keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .serve_connection(TokioIo::new(stream), {
                let (door, asked) = (self.clone(), asked.clone());
                service_fn(move |request| {
                    let (door, one) = (door.clone(), asked.one());
                    async move { door.answer(request, peer, one).await }
                })
            });
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended");
        }
    }

    async fn answer(
        &self,
        mut request: Request<Incoming>,
        peer: SocketAddr,
        _one: Asking,
    ) -> Result<Response<Body>, Infallible> {
        request.extensions_mut().insert(Peer(peer));
        let keeps_alive = request.version() < Version::HTTP_2;
        let mut answer = self.routes.answer(request.map(Body::new)).await?;
        if keeps_alive && self.state.is_draining() {
            // The next request goes elsewhere, and none is under way when the connection ends.
            let close = HeaderValue::from_static("close");
            answer.headers_mut().insert(CONNECTION, close);
        }
        Ok(answer)
    }
}

/// A connection that counts as open.
struct Open(Arc<State>);

impl Open {
    fn count(state: Arc<State>) -> Self {
        state.journal.metrics.connections.one();
        Self(state)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.journal.metrics.connections_ended.one();
    }
}

/// The requests of one connection that wait for their answer.
#[derive(Debug, Clone, Default)]
struct Asked(Arc<AtomicUsize>);

/// One of them.
#[derive(Debug)]
struct Asking(Asked);

impl Asked {
    fn one(&self) -> Asking {
        self.0.fetch_add(1, Ordering::Relaxed);
        Asking(self.clone())
    }

    fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
