//! The HTTP client for calls out: verified TLS, no redirects, no proxy, little patience.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{StatusCode, header::CONTENT_TYPE};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

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

/// A client that trusts the public roots and those of the file.
pub(super) fn build(
    trusted_roots: Option<&Path>,
    timeout: Duration,
) -> Result<reqwest::Client, OutboundError> {
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
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(timeout)
        .timeout(timeout)
        // Bodies are not read to their end, so no connection is used twice (S-012).
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| OutboundError::Client(error.into()))
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

/// Posts a form and looks at the status alone; the body of the answer is not read.
pub(super) async fn post(
    client: &reqwest::Client,
    url: &str,
    body: String,
) -> Result<StatusCode, reqwest::Error> {
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    Ok(request.send().await?.status())
}
