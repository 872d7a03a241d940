//! Calls out: verified TLS, no redirects, no proxy, little patience.

mod callback;
mod messages;
mod network;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

pub(crate) use self::callback::{Call, CallbackError, call};
pub(crate) use self::messages::{client, post};
pub use self::network::{Network, NetworkFuture, SystemNetwork};

/// Why calls out cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The file of `trusted_roots` cannot be used.
    #[error("the trusted roots in {} cannot be read: {reason}", path.display())]
    Roots {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client cannot be set up.
    #[error("the client for calls to services cannot be set up")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// TLS that trusts the public roots and those of the file.
pub(crate) fn tls(trusted_roots: Option<&Path>) -> Result<ClientConfig, OutboundError> {
    let mut roots = RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    };
    if let Some(path) = trusted_roots {
        add_roots(&mut roots, path)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| OutboundError::Client(error.into()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tls)
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), OutboundError> {
    let wrong = |reason: String| OutboundError::Roots {
        path: path.to_owned(),
        reason,
    };
    let file = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let mut count = 0;
    for certificate in file {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
        count += 1;
    }
    if count == 0 {
        Err(wrong("it holds no certificate".to_owned()))
    } else {
        Ok(())
    }
}
