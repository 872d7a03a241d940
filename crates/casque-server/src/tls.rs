//! The certificate of a server that does TLS itself, read anew when it changes.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use crate::seen::Seen;

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
pub struct Tls {
    config: Arc<ServerConfig>,
    pair: Arc<Pair>,
}

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

/// Both files, and what was in them when they were last good.
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    seen: Mutex<[Seen; 2]>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// Reads a certificate chain, the server's own first, and its key.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file, never its content.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        // Seen first, read second: a change in between is found at the next look.
        let seen = [certificate, key].map(Seen::of);
        let pair = Arc::new(Pair {
            current: RwLock::new(Arc::new(read(certificate, key)?)),
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            seen: Mutex::new(seen),
        });
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_cert_resolver(pair.clone());
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            pair,
        })
    }

    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }

    /// Reads the files anew if they have changed, or in any case. New connections get what is in them; where they
    /// are wrong, what was read before. None where there was nothing to read.
    pub(crate) fn refresh(&self, in_any_case: bool) -> Option<Result<(), TlsError>> {
        let pair = &self.pair;
        let seen = [&pair.certificate, &pair.key].map(|path| Seen::of(path));
        let before = std::mem::replace(
            &mut *pair.seen.lock().unwrap_or_else(PoisonError::into_inner),
            seen,
        );
        if before == seen && !in_any_case {
            return None;
        }
        Some(read(&pair.certificate, &pair.key).map(|read| {
            *pair.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(read);
        }))
    }
}

fn read(certificate: &Path, key: &Path) -> Result<CertifiedKey, TlsError> {
    let fault = |path: &Path, reason: String| TlsError::File {
        path: path.to_owned(),
        reason,
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| fault(certificate, error.to_string()))?;
    if chain.is_empty() {
        return Err(fault(certificate, "it holds no certificate".to_owned()));
    }
    let secret =
        PrivateKeyDer::from_pem_file(key).map_err(|error| fault(key, error.to_string()))?;
    CertifiedKey::from_der(chain, secret, &ring::default_provider()).map_err(TlsError::Pair)
}

impl ResolvesServerCert for Pair {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(
            self.current
                .read()
                .unwrap_or_else(PoisonError::into_inner)
                .clone(),
        )
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pair(…)")
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}
