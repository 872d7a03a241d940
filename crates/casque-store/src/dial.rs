//! Sockets to a server, with TLS or without, and the password that is said over them.

use std::{fs, io, path::Path, sync::Arc, time::Duration};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;

use crate::{
    StoreError,
    url::{Address, NetworkUrl, Password},
};

/// Bytes in both directions, over whatever carries them.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(crate) type BoxedWire = Box<dyn Wire>;

/// After so long without traffic the peer is asked whether it is there, so that no firewall forgets the connection.
const KEEPALIVE: Duration = Duration::from_secs(30);

pub(crate) async fn dial(address: &Address) -> io::Result<BoxedWire> {
    match address {
        Address::Tcp { host, port } => {
            let stream = TcpStream::connect((host.as_str(), *port)).await?;
            // Calls are small and complete; waiting to fill a packet only delays them.
            stream.set_nodelay(true)?;
            SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
            Ok(Box::new(stream))
        }
        #[cfg(unix)]
        Address::Unix(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Address::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
    }
}

/// TLS to one host, whose certificate is verified. There is no way to switch that off.
pub(crate) struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Tls {
    /// As the URL says; `None` where it says without.
    pub(crate) fn of(url: &NetworkUrl) -> Result<Option<Self>, StoreError> {
        let Address::Tcp { host, .. } = &url.address else {
            return Ok(None);
        };
        if !url.tls {
            return Ok(None);
        }
        let name = ServerName::try_from(host.clone()).map_err(|_| {
            StoreError::misuse("the host in the store's URL is no name that a certificate can have")
        })?;
        let roots = match &url.ca_file {
            Some(file) => roots_of_file(file)?,
            None => roots_of_machine()?,
        };
        let config =
            ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(|error| StoreError::misuse(error.to_string()))?
                .with_root_certificates(roots)
                .with_no_client_auth();
        Ok(Some(Self {
            connector: TlsConnector::from(Arc::new(config)),
            name,
        }))
    }

    pub(crate) async fn secure(&self, wire: BoxedWire) -> io::Result<BoxedWire> {
        let stream = self.connector.connect(self.name.clone(), wire).await?;
        Ok(Box::new(stream))
    }
}

fn roots_of_file(file: &Path) -> Result<RootCertStore, StoreError> {
    let wrong = |reason: String| {
        StoreError::misuse(format!(
            "`ca_file`: the certificates in {} cannot be used: {reason}",
            file.display()
        ))
    };
    let mut roots = RootCertStore::empty();
    let certificates =
        CertificateDer::pem_file_iter(file).map_err(|error| wrong(error.to_string()))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots
            .add(certificate)
            .map_err(|error| wrong(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(wrong("it holds none in PEM".to_owned()));
    }
    Ok(roots)
}

fn roots_of_machine() -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    // Platforms carry odd old roots that webpki refuses; one of them must not take the others away.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(StoreError::misuse(
            "this machine has no root certificates: install its ca-certificates package, or name a `ca_file`",
        ));
    }
    Ok(roots)
}

/// The password as it is now: a file is read for every connection, so that it can be changed without a restart.
pub(crate) fn password(of: Option<&Password>) -> Result<Option<String>, StoreError> {
    match of {
        None => Ok(None),
        Some(Password::Written(password)) => Ok(Some(password.clone())),
        Some(Password::InFile(path)) => {
            let text = fs::read_to_string(path).map_err(|error| {
                StoreError::unavailable(
                    format!("the password in {} cannot be read", path.display()),
                    error,
                )
            })?;
            let password = text.trim_end_matches(['\r', '\n']);
            if password.is_empty() || password.contains(['\r', '\n', '\0']) {
                return Err(StoreError::misuse(format!(
                    "{} must hold a password, on one line",
                    path.display()
                )));
            }
            Ok(Some(password.to_owned()))
        }
    }
}

/// Finds out at the start whether there is a password to be had.
pub(crate) fn check_password(of: Option<&Password>) -> Result<(), StoreError> {
    match password(of) {
        Err(StoreError::Unavailable {
            reason,
            source: Some(source),
        }) => Err(StoreError::misuse(format!("{reason}: {source}"))),
        checked => checked.map(drop),
    }
}

/// For a socket that could not be had. The system's own words name no secret.
pub(crate) fn unreachable(place: &str, error: io::Error) -> StoreError {
    let reason = match error.get_ref().and_then(|inner| inner.downcast_ref()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            format!("{place} shows a certificate that is not trusted (see `ca_file`)")
        }
        Some(_) => format!("{place} and casque do not agree on TLS"),
        None => format!("{place} cannot be reached"),
    };
    StoreError::unavailable(reason, error)
}
