//! The kit's own service and proxy callback: what the server sends there is recorded.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// A request that reached the kit.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

impl Arrival {
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// Everything that arrived, and how to wait for more.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    all: Arc<Mutex<Vec<Arrival>>>,
    count: Arc<watch::Sender<usize>>,
}

impl Arrivals {
    fn new() -> Self {
        Self {
            all: Arc::default(),
            count: Arc::new(watch::Sender::new(0)),
        }
    }

    fn push(&self, arrival: Arrival) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(arrival);
        self.count.send_replace(all.len());
    }

    /// The arrivals at a path so far.
    pub(crate) fn at(&self, path: &str) -> Vec<Arrival> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        all.iter()
            .filter(|arrival| arrival.path == path)
            .cloned()
            .collect()
    }

    /// The arrivals at a path, once there are `count`, or when the time is up.
    pub(crate) async fn wait(&self, path: &str, count: usize, patience: Duration) -> Vec<Arrival> {
        let mut changes = self.count.subscribe();
        let enough = async {
            loop {
                changes.mark_unchanged();
                if self.at(path).len() >= count || changes.changed().await.is_err() {
                    return;
                }
            }
        };
        // Whether it was enough is for the caller to see.
        let _ = tokio::time::timeout(patience, enough).await;
        self.at(path)
    }
}

/// A running listener; it ends with the runtime.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) address: SocketAddr,
    pub(crate) arrivals: Arrivals,
}

impl Listener {
    /// # Errors
    ///
    /// Where the address cannot be bound.
    pub(crate) async fn start(
        address: SocketAddr,
        tls: Option<Arc<ServerConfig>>,
    ) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        let arrivals = Arrivals::new();
        tokio::spawn(accept(socket, tls.map(TlsAcceptor::from), arrivals.clone()));
        Ok(Self { address, arrivals })
    }
}

async fn accept(socket: TcpListener, tls: Option<TlsAcceptor>, arrivals: Arrivals) {
    loop {
        let Ok((stream, _)) = socket.accept().await else {
            continue;
        };
        let (tls, arrivals) = (tls.clone(), arrivals.clone());
        tokio::spawn(async move {
            match tls {
                None => converse(stream, arrivals).await,
                // A server that does not trust the certificate breaks off here; its answer says so.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, arrivals).await;
                    }
                }
            }
        });
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, arrivals: Arrivals) {
    let service = service_fn(move |request| answer(request, arrivals.clone()));
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    arrivals: Arrivals,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, 1 << 20).collect().await;
    let content_type = parts.headers.get(http::header::CONTENT_TYPE);
    let path = parts.uri.path().to_owned();
    // A callback that refuses, for the case that asks for one.
    let status = if path.ends_with("/refuses") {
        StatusCode::NOT_FOUND
    } else {
        StatusCode::OK
    };
    arrivals.push(Arrival {
        method: parts.method,
        path,
        query: url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes())
            .into_owned()
            .collect(),
        content_type: content_type
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
            .unwrap_or_default(),
        body: body
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default(),
    });
    let mut response = Response::new(Full::new(Bytes::new()));
    *response.status_mut() = status;
    Ok(response)
}

/// A root made now, and what a listener needs to speak under it as localhost.
pub(crate) struct Authority {
    pub(crate) root_pem: String,
    pub(crate) server: Arc<ServerConfig>,
}

impl Authority {
    /// # Errors
    ///
    /// In words, where a name cannot be in a certificate.
    pub(crate) fn new(names: Vec<String>) -> Result<Self, String> {
        let words = |error: rcgen::Error| error.to_string();
        let mut root = CertificateParams::new(Vec::new()).map_err(words)?;
        root.distinguished_name
            .push(DnType::CommonName, "casque conformance kit");
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let root_key = KeyPair::generate().map_err(words)?;
        let root_pem = root.self_signed(&root_key).map_err(words)?.pem();
        let key = KeyPair::generate().map_err(words)?;
        let mut params = CertificateParams::new(names).map_err(words)?;
        params
            .distinguished_name
            .push(DnType::CommonName, "casque conformance callback");
        params.use_authority_key_identifier_extension = true;
        let issuer = Issuer::new(root, root_key);
        let certificate = params.signed_by(&key, &issuer).map_err(words)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            )
            .map_err(|error| error.to_string())?;
        Ok(Self {
            root_pem,
            server: Arc::new(server),
        })
    }
}
