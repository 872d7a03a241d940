//! The socket: connections bounded in number, time and size (S-095), TLS where it is ours to do.
//!
//! Every connection is told which protocol it speaks by TLS (ALPN) or speaks HTTP/1.1, so there
//! is no moment in which a silent client is waited for without a limit.

use std::{
    fmt,
    future::Future,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::Router;
use casque_store::keep_swept;
use http::{Request, Response};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use crate::{http::Peer, server::Server};

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

/// How long a server that ends waits for a request that has not been asked in full: its handshake,
/// or its head.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// How long to wait after the system refused another connection, as when all files are in use.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The certificate and key of a server that does TLS itself.
///
/// ```no_run
/// # fn main() -> Result<(), casque_server::TlsError> {
/// let tls = casque_server::Tls::from_pem_files("cas.crt".as_ref(), "cas.key".as_ref())?;
/// # drop(tls);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

/// Why a certificate or key cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file is missing, or holds no certificate or key.
    #[error("{} cannot be read: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Certificate and key do not fit each other.
    #[error("this certificate and key cannot be used")]
    Pair(#[source] rustls::Error),
}

impl Tls {
    /// Reads a certificate chain, the server's own first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file, never its content.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| TlsError::File {
                path: certificate.to_owned(),
                reason: error.to_string(),
            })?;
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| TlsError::File {
            path: key.to_owned(),
            reason: error.to_string(),
        })?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(Arc::new(config)))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl Server {
    /// Answers on a socket until `shutdown` completes; then finishes what has begun, as long as
    /// [`LimitsConfig::shutdown`](crate::LimitsConfig::shutdown) allows.
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
        let sweeper = tokio::spawn(keep_swept(
            Arc::downgrade(&self.state.store),
            SWEEP_INTERVAL,
        ));
        let messenger = self.state.messenger.clone();
        let teller = tokio::spawn(async move { messenger.keep_telling(TELL_INTERVAL).await });
        let connections = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(self.limits.connections));
        let (ending, ends) = watch::channel(());
        let door = Door {
            ends,
            router: self.router(),
            tls: tls.map(|tls| TlsAcceptor::from(tls.0)),
            head_bytes: self.limits.header_bytes,
            head_timeout: self.limits.request_timeout,
        };
        let mut shutdown = pin!(shutdown);
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = &mut shutdown => break,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let (door, watcher) = (door.clone(), connections.watcher());
                    tokio::spawn(async move {
                        // Answers are small and complete; waiting to fill a packet only delays them.
                        let _ = stream.set_nodelay(true);
                        door.let_in(stream, peer, watcher).await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection was not accepted");
                    let _ = tokio::time::timeout(ACCEPT_PAUSE, &mut shutdown).await;
                }
            }
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
        Ok(())
    }
}

/// What every connection passes.
#[derive(Clone)]
struct Door {
    router: Router,
    /// Closed when the server ends.
    ends: watch::Receiver<()>,
    tls: Option<TlsAcceptor>,
    head_bytes: usize,
    head_timeout: Duration,
}

impl Door {
    /// Serves a connection to its end, or until the server ends and nothing is being asked.
    async fn let_in(&self, stream: TcpStream, peer: SocketAddr, watcher: Watcher) {
        let asked = Asked::default();
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
    ) -> Result<Response<axum::body::Body>, std::convert::Infallible> {
        request.extensions_mut().insert(Peer(peer));
        self.router
            .clone()
            .oneshot(request.map(axum::body::Body::new))
            .await
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
