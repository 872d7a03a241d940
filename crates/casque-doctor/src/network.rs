//! How far one gets towards a server: its name, its port, its certificate.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Url;

use crate::certificate::Certificate;
use crate::finding::{Finding, Group, Kind};
use crate::roots::Roots;
use crate::shapes::{host, is_loopback, other_scheme, place};

/// How far one gets.
#[derive(Debug)]
pub(crate) enum Contact {
    NameUnknown(String),
    PortClosed,
    Unreachable(String),
    /// TLS was spoken, and plain http came back.
    PlainHttpThere,
    /// Plain http was spoken, and the port speaks TLS.
    TlsThere,
    /// The certificate was refused.
    Distrusted(Option<Certificate>, CertificateError),
    TlsFailed(String),
    /// A conversation may begin; over https, under this certificate.
    Open(Option<Certificate>),
}

impl Contact {
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Open(_))
    }
}

/// Goes as far towards the server of a URL as it can.
pub(crate) async fn contact(url: &Url, roots: &Roots, patience: Duration) -> Contact {
    let addresses = match addresses(url, patience).await {
        Ok(addresses) => addresses,
        Err(words) => return Contact::NameUnknown(words),
    };
    let stream = match connect(&addresses, patience).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Contact::PortClosed;
        }
        Err(error) => return Contact::Unreachable(error.to_string()),
    };
    if url.scheme() != "https" {
        return match first_words(stream, url, patience).await {
            Said::WantsTls => Contact::TlsThere,
            Said::Nothing if speaks_tls(&addresses, url, roots, patience).await => {
                Contact::TlsThere
            }
            // Whether it answers is for a whole request to see.
            Said::Http | Said::Nothing => Contact::Open(None),
        };
    }
    match handshake(stream, url, roots, patience).await {
        Ok(certificate) => Contact::Open(certificate),
        Err(Broken::Certificate(certificate, error)) => Contact::Distrusted(certificate, error),
        Err(Broken::Otherwise(words)) => {
            let Ok(stream) = connect(&addresses, patience).await else {
                return Contact::TlsFailed(words);
            };
            match first_words(stream, url, patience).await {
                Said::Http => Contact::PlainHttpThere,
                Said::WantsTls | Said::Nothing => Contact::TlsFailed(words),
            }
        }
    }
}

async fn addresses(url: &Url, patience: Duration) -> Result<Vec<SocketAddr>, String> {
    let name = host(url);
    let port = url.port_or_known_default().unwrap_or_default();
    match timeout(patience, tokio::net::lookup_host((name.as_str(), port))).await {
        Ok(Ok(found)) => {
            let found: Vec<_> = found.collect();
            if found.is_empty() {
                return Err("it has no address".to_owned());
            }
            Ok(found)
        }
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(no_answer(patience)),
    }
}

/// The first of the addresses that takes a connection; else why the last did not.
async fn connect(addresses: &[SocketAddr], patience: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::other("there is no address");
    for address in addresses {
        match timeout(patience, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, no_answer(patience)),
        }
    }
    Err(last)
}

fn no_answer(patience: Duration) -> String {
    format!("no answer within {} s", patience.as_secs_f32())
}

#[derive(Debug, PartialEq, Eq)]
enum Said {
    Http,
    WantsTls,
    Nothing,
}

/// What comes back to a request in plain http.
async fn first_words(mut stream: TcpStream, url: &Url, patience: Duration) -> Said {
    const MOST: usize = 2048;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: casque-doctor\r\nConnection: close\r\n\r\n",
        url.path(),
        place(url)
    );
    let mut heard = Vec::new();
    let exchange = async {
        stream.write_all(request.as_bytes()).await?;
        let mut bytes = [0; 512];
        while heard.len() < MOST {
            match stream.read(&mut bytes).await? {
                0 => break,
                count => heard.extend_from_slice(&bytes[..count]),
            }
        }
        io::Result::Ok(())
    };
    // What was heard until then is judged.
    let _ = timeout(patience, exchange).await;
    judge_words(&heard)
}

fn judge_words(heard: &[u8]) -> Said {
    // A TLS alert, or the page by which nginx, Apache and Go say the same.
    if heard.first() == Some(&0x15) {
        return Said::WantsTls;
    }
    if !heard.starts_with(b"HTTP/") {
        return Said::Nothing;
    }
    let text = String::from_utf8_lossy(heard);
    let wants = text.contains(" 400 ")
        && [
            "sent to HTTPS port",
            "SSL-enabled server port",
            "to an HTTPS server",
        ]
        .iter()
        .any(|words| text.contains(words));
    if wants { Said::WantsTls } else { Said::Http }
}

async fn speaks_tls(
    addresses: &[SocketAddr],
    url: &Url,
    roots: &Roots,
    patience: Duration,
) -> bool {
    let Ok(stream) = connect(addresses, patience).await else {
        return false;
    };
    matches!(
        handshake(stream, url, roots, patience).await,
        Ok(_) | Err(Broken::Certificate(..))
    )
}

/// Why there is no TLS.
enum Broken {
    Certificate(Option<Certificate>, CertificateError),
    Otherwise(String),
}

async fn handshake(
    stream: TcpStream,
    url: &Url,
    roots: &Roots,
    patience: Duration,
) -> Result<Option<Certificate>, Broken> {
    let otherwise = |words: String| Broken::Otherwise(words);
    if roots.store.is_empty() {
        return Err(Broken::Certificate(None, CertificateError::UnknownIssuer));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let judge = WebPkiServerVerifier::builder_with_provider(roots.store.clone(), provider.clone())
        .build()
        .map_err(|error| otherwise(error.to_string()))?;
    let witness = Arc::new(Witness {
        judge,
        seen: Mutex::default(),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| otherwise(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(witness.clone())
        .with_no_client_auth();
    let name = ServerName::try_from(host(url)).map_err(|error| otherwise(error.to_string()))?;
    let connector = TlsConnector::from(Arc::new(config));
    let shaken = timeout(patience, connector.connect(name, stream)).await;
    let certificate = witness.certificate();
    match shaken {
        Ok(Ok(_)) => Ok(certificate),
        Ok(Err(error)) => Err(
            match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(reason)) => {
                    Broken::Certificate(certificate, reason.clone())
                }
                _ => otherwise(error.to_string()),
            },
        ),
        Err(_) => Err(otherwise(no_answer(patience))),
    }
}

/// Keeps the certificate that was shown; the judgement is webpki's, as in every other client of casque.
#[derive(Debug)]
struct Witness {
    judge: Arc<WebPkiServerVerifier>,
    seen: Mutex<Option<Vec<u8>>>,
}

impl Witness {
    fn certificate(&self) -> Option<Certificate> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Certificate::read(seen.as_deref()?)
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(end_entity.to_vec());
        self.judge
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.judge
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}

/// What it means for whoever is called so in the report ("the CAS server", "the application").
pub(crate) fn judge(
    who: &str,
    url: &Url,
    contact: &Contact,
    roots: &Roots,
    now: SystemTime,
) -> Vec<Finding> {
    let place = place(url);
    let one = |kind, seen: String, fix: &str| vec![Finding::new(kind, seen, fix)];
    match contact {
        Contact::NameUnknown(words) => one(
            Kind::NameUnknown,
            format!(
                "{who} {url}: the name {} has no address: {words}",
                host(url)
            ),
            "correct the name; if it is right, this machine's DNS does not know it (getent hosts NAME asks the same)",
        ),
        Contact::PortClosed => one(
            Kind::PortClosed,
            format!("{who} {url}: {place} refuses connections"),
            &format!("start the server, or correct the port{}", usual_ports(url)),
        ),
        Contact::Unreachable(words) => one(
            Kind::Unreachable,
            format!("{who} {url}: no connection to {place}: {words}"),
            &format!(
                "let the firewall between this machine and {place} pass the connection, or correct host and port{}",
                usual_ports(url)
            ),
        ),
        Contact::PlainHttpThere => one(
            Kind::HttpsToHttpPort,
            format!("{who} {url}: {place} answers TLS with plain http"),
            &with_other_scheme(url),
        ),
        Contact::TlsThere => one(
            Kind::HttpToHttpsPort,
            format!("{who} {url}: {place} speaks TLS, and http: was asked for"),
            &with_other_scheme(url),
        ),
        Contact::Distrusted(certificate, error) => {
            vec![distrusted(who, url, certificate.as_ref(), error, roots)]
        }
        Contact::TlsFailed(words) => one(
            Kind::TlsFailed,
            format!("{who} {url}: the TLS handshake with {place} fails: {words}"),
            "let the server speak TLS 1.2 or 1.3, with a certificate of its own, on that port",
        ),
        Contact::Open(None) => {
            let mut findings = vec![Finding::good(
                Group::Network,
                format!("{who} answers at {place}"),
            )];
            if !is_loopback(url) {
                let mut https = url.clone();
                let _ = https.set_scheme("https");
                findings.push(Finding::new(
                    Kind::PlainHttp,
                    format!("{who} {url} is spoken to without TLS"),
                    format!("give the server a certificate, and write {https}"),
                ));
            }
            findings
        }
        Contact::Open(Some(certificate)) => {
            let until = certificate
                .not_after
                .map_or_else(String::new, |end| format!(", good until {end}"));
            let mut findings = vec![
                Finding::good(Group::Network, format!("{who} answers at {place}")),
                Finding::good(
                    Group::Tls,
                    format!(
                        "{who}'s certificate is trusted: {} by {}{until} (by {})",
                        certificate.subject,
                        certificate.issuer,
                        roots.words()
                    ),
                ),
            ];
            if let Some(days) = certificate.days_left(now).filter(|days| *days < SOON_DAYS) {
                findings.push(Finding::new(
                    Kind::CertificateEndsSoon,
                    format!("{who}'s certificate ends in {days} days{until}"),
                    "renew it now, and let a timer do it from then on",
                ));
            }
            findings
        }
    }
}

const SOON_DAYS: u64 = 14;

fn distrusted(
    who: &str,
    url: &Url,
    certificate: Option<&Certificate>,
    error: &CertificateError,
    roots: &Roots,
) -> Finding {
    let shown = certificate.map_or_else(
        || "the certificate".to_owned(),
        |certificate| {
            format!(
                "the certificate {} by {}",
                certificate.subject, certificate.issuer
            )
        },
    );
    let seen = |words: String| format!("{who} {url}: {shown} {words}");
    let end = |time: Option<jiff::Timestamp>| {
        time.map_or_else(|| "an unknown time".to_owned(), |time| time.to_string())
    };
    let self_signed = certificate.is_some_and(|certificate| certificate.self_signed);
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Finding::new(
            Kind::CertificateExpired,
            seen(format!(
                "ended at {}",
                end(certificate.and_then(|certificate| certificate.not_after))
            )),
            "renew the certificate at the server; if that time is still to come, set this machine's clock",
        ),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Finding::new(
                Kind::CertificateNotYetValid,
                seen(format!(
                    "is good only from {} on",
                    end(certificate.and_then(|certificate| certificate.not_before))
                )),
                "set this machine's clock; if it is right, have a certificate issued that is good now",
            )
        }
        CertificateError::NotValidForName => wrong_name(&seen, url, &[]),
        CertificateError::NotValidForNameContext { presented, .. } => {
            wrong_name(&seen, url, presented)
        }
        _ if self_signed => Finding::new(
            Kind::CertificateSelfSigned,
            seen(format!(
                "is signed by itself; trusted are {}",
                roots.words()
            )),
            "let an authority sign the server's certificate; one of your own is given here by --ca FILE, and to the \
             application by extra_roots_file. The certificate itself can be given so only where it is not \
             made as an authority (openssl req -x509 … -addext basicConstraints=critical,CA:FALSE)",
        ),
        CertificateError::UnknownIssuer => Finding::new(
            Kind::CertificateUnknownIssuer,
            seen(format!("has an issuer that is not among {}", roots.words())),
            "let the server send its intermediate certificates as well; if the authority is your own, give its certificate \
             here by --ca FILE, and to the application by extra_roots_file, or add it to the machine's roots",
        ),
        other => Finding::new(
            Kind::TlsFailed,
            seen(format!("is refused: {other}")),
            "have a certificate issued that is meant for a server",
        ),
    }
}

fn wrong_name(seen: &dyn Fn(String) -> String, url: &Url, presented: &[String]) -> Finding {
    let names = presented.join(", ");
    let (is_for, fix) = if names.is_empty() {
        (
            "is for other names".to_owned(),
            "write a name that is in the certificate".to_owned(),
        )
    } else {
        (
            format!("is for {names}"),
            format!("write one of the certificate's names ({names})"),
        )
    };
    Finding::new(
        Kind::CertificateWrongName,
        seen(format!("{is_for}, and not for {}", host(url))),
        format!("{fix}, or have a certificate issued for {}", host(url)),
    )
}

fn usual_ports(url: &Url) -> String {
    match url.port() {
        Some(port) => format!(
            ": {port} was written, {} is usual",
            if url.scheme() == "https" {
                "443 or 8443"
            } else {
                "80 or 8080"
            }
        ),
        None => ": none was written, and CAS servers of Java often listen at 8443".to_owned(),
    }
}

fn with_other_scheme(url: &Url) -> String {
    match other_scheme(url) {
        Some(other) => format!("write {other}, or the port of {}", url.scheme()),
        None => "write the other scheme, or the other port".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_say_in_their_own_words_that_they_want_tls() {
        for words in [
            &b"\x15\x03\x01\x00\x02\x02\x16"[..],
            b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\nThe plain HTTP request was sent to HTTPS port",
            b"HTTP/1.1 400 Bad Request\r\n\r\nReason: You're speaking plain HTTP to an SSL-enabled server port.",
            b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n",
        ] {
            assert_eq!(judge_words(words), Said::WantsTls);
        }
        assert_eq!(judge_words(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Said::Http);
        assert_eq!(judge_words(b"HTTP/1.1 302 Found\r\n"), Said::Http);
        assert_eq!(judge_words(b"SSH-2.0-OpenSSH_9.2\r\n"), Said::Nothing);
        assert_eq!(judge_words(b""), Said::Nothing);
    }
}
