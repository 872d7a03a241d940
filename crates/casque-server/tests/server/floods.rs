//! HTTP/2 spoken by hand, to say what no honest client says (S-095, SC-038). Slow heads are in `socket`; memory and
//! times are figures, which tests do not judge.

use std::{sync::Arc, time::Duration};

use rustls::{ClientConfig, RootCertStore, pki_types::CertificateDer};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, WriteHalf, split},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::{house::Setup, socket::certificate};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

const CANCEL: u32 = 8;
const ENHANCE_YOUR_CALM: u32 = 11;

/// RFC 9113, section 4.1.
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a small frame");
    let mut bytes = length.to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The frames in what was received: kind and payload.
fn frames(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (head, rest) = bytes.split_first_chunk::<9>()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (payload, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        Some((head[3], payload))
    })
}

/// A header that no table is told of (RFC 7541, section 6.2.2), its name from the static table or spelled out.
fn header(index: u8, name: &str, value: &str) -> Vec<u8> {
    let length = |text: &str| u8::try_from(text.len()).expect("a short text");
    let mut bytes = vec![index];
    if index == 0 {
        bytes.push(length(name));
        bytes.extend(name.as_bytes());
    }
    bytes.push(length(value));
    bytes.extend(value.as_bytes());
    bytes
}

/// The head of a request to `/cas/login`; `method` is that of the static table: 2 for GET, 3 for POST.
fn head(method: u8, authority: &str) -> Vec<u8> {
    let https = 0x87;
    let mut bytes = vec![0x80 | method, https];
    bytes.extend(header(1, ":authority", authority));
    bytes.extend(header(4, ":path", "/cas/login"));
    if method == 3 {
        let form = "application/x-www-form-urlencoded";
        bytes.extend(header(0, "content-type", form));
    }
    bytes
}

/// What to write next, again and again.
type Batches = Box<dyn FnMut() -> Vec<u8> + Send>;

/// A connection on which HTTP/2 has begun.
struct Attacker {
    write: WriteHalf<TlsStream<TcpStream>>,
    /// Ends with the connection, and has what the server sent.
    reader: JoinHandle<Vec<u8>>,
}

impl Attacker {
    async fn connect(port: u16, root: &CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(root.clone()).expect("a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(("127.0.0.1", port))
            .await
            .expect("a connection");
        let name = "localhost".try_into().expect("a name");
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
            .expect("a handshake");
        let (mut read, mut write) = split(stream);
        let reader = tokio::spawn(async move {
            let mut received = Vec::new();
            // However it ends, what came before counts.
            let _ = read.read_to_end(&mut received).await;
            received
        });
        let mut hello = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        hello.extend(frame(SETTINGS, 0, 0, &[]));
        write.write_all(&hello).await.expect("sent");
        Self { write, reader }
    }

    /// Writes until the server has ended the connection, and returns what it sent.
    async fn flood(mut self, mut batch: Batches) -> Vec<u8> {
        while !self.reader.is_finished() {
            let bytes = batch();
            let sent = async {
                self.write.write_all(&bytes).await?;
                self.write.flush().await
            };
            if sent.await.is_err() {
                break;
            }
        }
        self.reader.await.expect("no panic")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sc_038_floods_end_their_connection_and_disturb_nobody() {
    // Tests of one process may race to be first; any of them installs the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let house = Setup::new()
        .base(&format!("https://localhost:{port}/cas"))
        .settings("[limits]\nrequest_timeout = \"1 s\"\n")
        .build();
    let (tls, root) = certificate(house.folder.path());
    let server = house.server.clone();
    tokio::spawn(async move {
        server
            .serve(listener, Some(tls), std::future::pending())
            .await
    });
    let honest = reqwest::Client::builder()
        .tls_certs_only([reqwest::Certificate::from_der(&root).expect("a certificate")])
        .no_proxy()
        .build()
        .expect("a client");
    let authority = format!("localhost:{port}");
    let get = head(2, &authority);
    let form = head(3, &authority);

    // A client's streams have odd numbers, none twice.
    let mut stream = u32::MAX;
    let many_headers = header(0, "x-filler", &"a".repeat(100)).repeat(100);
    let floods: [(&str, Batches); 3] = [
        (
            "rapid reset",
            Box::new(move || {
                let mut bytes = Vec::new();
                for _ in 0..200 {
                    stream = stream.wrapping_add(2);
                    bytes.extend(frame(HEADERS, END_STREAM | END_HEADERS, stream, &get));
                    bytes.extend(frame(RST_STREAM, 0, stream, &CANCEL.to_be_bytes()));
                }
                bytes
            }),
        ),
        ("CONTINUATION", {
            let mut begun = false;
            Box::new(move || {
                if std::mem::replace(&mut begun, true) {
                    frame(CONTINUATION, 0, 1, &many_headers)
                } else {
                    frame(HEADERS, 0, 1, &form)
                }
            })
        }),
        ("empty DATA", {
            let mut begun = false;
            let form = head(3, &authority);
            Box::new(move || {
                if std::mem::replace(&mut begun, true) {
                    frame(DATA, 0, 1, &[]).repeat(2000)
                } else {
                    frame(HEADERS, END_HEADERS, 1, &form)
                }
            })
        }),
    ];
    for (name, batch) in floods {
        let flood = Attacker::connect(port, &root).await.flood(batch);
        let flood = tokio::spawn(tokio::time::timeout(Duration::from_mins(1), flood));
        let url = format!("https://{authority}/cas/login");
        while !flood.is_finished() {
            let answer = honest.get(&url).send().await.expect("an answer");
            assert_eq!(answer.status(), 200, "{name}");
        }
        let ended = flood.await.expect("no panic");
        let Ok(received) = ended else {
            panic!("{name}: the connection goes on");
        };
        // The words that end a connection may be lost with it; where they are not, they are these.
        for (_, reason) in frames(&received).filter(|(kind, _)| *kind == GOAWAY) {
            assert_eq!(reason[4..8], ENHANCE_YOUR_CALM.to_be_bytes(), "{name}");
        }
    }
}
