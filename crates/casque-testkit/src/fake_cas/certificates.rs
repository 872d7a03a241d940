//! Certificates made on the spot, right ones and wrong ones.

use std::fmt;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Which certificate a [`FakeCas`](super::FakeCas) shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TlsMode {
    /// For `127.0.0.1` and `localhost`, valid, signed by the root of [`root_pem`](super::FakeCas::root_pem).
    Good,
    /// For the right names and valid, signed by nobody but itself, and no root for anything.
    SelfSigned,
    /// For the right names, signed by the root, and long past its end.
    Expired,
    /// For the right names, signed by the root, and good only from the year 4000 on.
    NotYetValid,
    /// Valid and signed by the root, for `elsewhere.example.org` alone.
    WrongName,
}

/// A certificate with its key, and the root that signed it.
pub(crate) struct Material {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    certificate_pem: String,
    key_pem: String,
    root_pem: String,
}

impl Material {
    pub(crate) fn new(mode: TlsMode) -> Self {
        let key = KeyPair::generate().expect("a key of a supported kind");
        let params = params(mode);
        if mode == TlsMode::SelfSigned {
            let certificate = params
                .self_signed(&key)
                .expect("a certificate of plain parts");
            return Self {
                root_pem: certificate.pem(),
                certificate_pem: certificate.pem(),
                key_pem: key.serialize_pem(),
                chain: vec![certificate.der().clone()],
                key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            };
        }
        let root_key = KeyPair::generate().expect("a key of a supported kind");
        let root_params = root_params();
        let root = root_params
            .self_signed(&root_key)
            .expect("a certificate of plain parts");
        let certificate = params
            .signed_by(&key, &Issuer::new(root_params, root_key))
            .expect("a certificate of plain parts");
        Self {
            chain: vec![certificate.der().clone()],
            key: PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            certificate_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
            root_pem: root.pem(),
        }
    }

    pub(crate) fn root_pem(&self) -> &str {
        &self.root_pem
    }

    pub(crate) fn certificate_pem(&self) -> &str {
        &self.certificate_pem
    }

    pub(crate) fn key_pem(&self) -> &str {
        &self.key_pem
    }

    pub(super) fn server_config(&self) -> Arc<ServerConfig> {
        let config =
            ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("ring speaks TLS 1.2 and 1.3")
                .with_no_client_auth()
                .with_single_cert(self.chain.clone(), self.key.clone_key())
                .expect("the key belongs to the certificate");
        Arc::new(config)
    }
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Material").finish_non_exhaustive()
    }
}

fn params(mode: TlsMode) -> CertificateParams {
    let names = match mode {
        TlsMode::WrongName => vec!["elsewhere.example.org".to_owned()],
        TlsMode::Good | TlsMode::SelfSigned | TlsMode::Expired | TlsMode::NotYetValid => {
            vec!["127.0.0.1".to_owned(), "localhost".to_owned()]
        }
    };
    let mut params = CertificateParams::new(names).expect("names that a certificate can carry");
    params
        .distinguished_name
        .push(DnType::CommonName, "fake CAS");
    if mode == TlsMode::Expired {
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
    }
    if mode == TlsMode::NotYetValid {
        params.not_before = date_time_ymd(4000, 1, 1);
    }
    params
}

fn root_params() -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).expect("a root names no host");
    params
        .distinguished_name
        .push(DnType::CommonName, "fake CAS root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::DigitalSignature,
    ];
    params
}
