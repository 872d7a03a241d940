//! Whom we trust: the roots of the platform, and extra ones by file.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{self, PemObject};
use rustls::{ClientConfig, RootCertStore};

use crate::ClientError;

/// A TLS configuration with the ring provider, whatever the process has installed or not (S-010).
///
/// The platform's roots are what an institution maintains, its own authority included; a list compiled into a program
/// would know neither that authority nor a revocation. There is no way to switch verification off.
pub(crate) fn config(extra_roots: &[PathBuf]) -> Result<ClientConfig, ClientError> {
    let mut roots = platform_roots();
    for file in extra_roots {
        add_file(&mut roots, file)?;
    }
    if roots.is_empty() {
        return Err(ClientError::misuse(
            "extra_roots_file",
            "this machine has no root certificates: install its ca-certificates package, or give a file of roots",
        ));
    }
    with_roots(roots)
}

/// For a server that is spoken to without TLS, so that reading the platform's roots can be saved.
pub(crate) fn config_trusting_nobody() -> Result<ClientConfig, ClientError> {
    with_roots(RootCertStore::empty())
}

fn with_roots(roots: RootCertStore) -> Result<ClientConfig, ClientError> {
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ClientError::misuse("tls", error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

fn platform_roots() -> RootCertStore {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "some of this machine's root certificates cannot be read");
    }
    let mut roots = RootCertStore::empty();
    // Platforms carry odd old roots that webpki refuses; one of them must not take the others away.
    let (added, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(added, ignored, "loaded this machine's root certificates");
    roots
}

fn add_file(roots: &mut RootCertStore, file: &Path) -> Result<(), ClientError> {
    let wrong = |reason: String| {
        ClientError::misuse(
            "extra_roots_file",
            format!(
                "cannot use the root certificates in {}: {reason}",
                file.display()
            ),
        )
    };
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| wrong(pem_reason(&error)))?;
    let mut count = 0;
    for certificate in certificates {
        count += 1;
        let certificate = certificate.map_err(|error| wrong(pem_reason(&error)))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(format!("certificate {count}: {error}")))?;
    }
    if count == 0 {
        return Err(wrong(
            "it holds no PEM block that begins with -----BEGIN CERTIFICATE-----".to_owned(),
        ));
    }
    Ok(())
}

fn pem_reason(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        pem::Error::MissingSectionEnd { .. } => {
            "a PEM block is cut off: its END line is missing".to_owned()
        }
        other => other.to_string(),
    }
}
