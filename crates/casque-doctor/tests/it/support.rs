//! Patients, and whom they may consist of.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use casque_doctor::{Kind, Mark, Patient, Report, examine};
use casque_store::{Clock, SystemClock};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

pub(crate) fn patient(cas: &str) -> Patient {
    let mut patient = Patient::default();
    patient.cas = Some(cas.to_owned());
    patient
}

/// A patient with a service, and alice to log in.
pub(crate) fn alice(cas: &str, service: &str) -> Patient {
    let mut patient = patient(cas);
    patient.service = Some(service.to_owned());
    patient.username = Some("alice".to_owned());
    patient.password = Some("wonderland".to_owned());
    patient
}

pub(crate) async fn examined(patient: &Patient) -> Report {
    examined_at(patient, &SystemClock::new()).await
}

pub(crate) async fn examined_at(patient: &Patient, clock: &dyn Clock) -> Report {
    let report = examine(patient, clock, |_| {}).await.unwrap();
    let told = format!("{} {:#}", report.to_text(), report.to_json());
    if let Some(password) = &patient.password {
        assert!(
            !told.contains(password),
            "the password is told (S-017): {told}"
        );
    }
    assert!(
        !told.contains("ST-2") && !told.contains("ticket=ST"),
        "{told}"
    );
    assert!(
        !told.chars().any(|c| c.is_control() && c != '\n'),
        "what others write cannot steer the terminal (S-070): {told:?}"
    );
    for finding in report.findings() {
        let wrong = finding.kind().is_some();
        assert_eq!(
            wrong,
            matches!(finding.mark(), Mark::Caution | Mark::Problem),
            "{finding:?}"
        );
        assert_eq!(wrong, !finding.fix().is_empty(), "{finding:?}");
        assert!(!finding.seen().is_empty(), "{finding:?}");
    }
    report
}

/// Exactly these are wrong.
pub(crate) async fn finds(patient: &Patient, kinds: &[Kind]) -> Report {
    let report = examined(patient).await;
    assert_eq!(report.kinds(), kinds, "{}", report.to_text());
    report
}

/// A test that waits for a silence is not to wait long.
pub(crate) const SHORT: Duration = Duration::from_millis(300);

pub(crate) async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// Serves until the test ends.
pub(crate) fn serve(listener: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(listener, router).await });
}

/// A proxy that ends TLS in front of a server, as `https://localhost`; and the root that vouches for it.
pub(crate) struct TlsFront {
    listener: TcpListener,
    pub(crate) url: String,
    pub(crate) root: tempfile::NamedTempFile,
    acceptor: TlsAcceptor,
}

impl TlsFront {
    pub(crate) async fn new() -> Self {
        Self::start(false).await
    }

    /// Shows the authority's own certificate.
    pub(crate) async fn authority_itself() -> Self {
        Self::start(true).await
    }

    async fn start(itself: bool) -> Self {
        let mut authority = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority_key = KeyPair::generate().unwrap();
        let root = tempfile::NamedTempFile::new().unwrap();
        let itself_signed = authority.self_signed(&authority_key).unwrap();
        std::fs::write(root.path(), itself_signed.pem()).unwrap();
        let authority_der = authority_key.serialize_der();
        let key = KeyPair::generate().unwrap();
        let signed = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &Issuer::new(authority, authority_key))
            .unwrap();
        let (certificate, key) = if itself {
            (itself_signed, authority_der)
        } else {
            (signed, key.serialize_der())
        };
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key).into(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self {
            url: format!(
                "https://localhost:{}",
                listener.local_addr().unwrap().port()
            ),
            listener,
            root,
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// Passes every byte on, and adds none.
    pub(crate) fn pass_to(self, server: &str) -> tempfile::NamedTempFile {
        let server = server.strip_prefix("http://").unwrap().to_owned();
        let Self {
            listener, acceptor, ..
        } = self;
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, server) = (acceptor.clone(), server.clone());
                tokio::spawn(async move {
                    let mut outside = acceptor.accept(stream).await?;
                    let mut inside = TcpStream::connect(server).await?;
                    tokio::io::copy_bidirectional(&mut outside, &mut inside).await
                });
            }
        });
        self.root
    }
}

pub(crate) async fn served(router: Router) -> String {
    let (listener, url) = listener().await;
    serve(listener, router);
    url
}
