//! Over a real socket: raw bytes, limits, TLS, and an orderly end (S-071, S-090, S-095).

use std::{net::SocketAddr, path::Path, time::Duration};

use casque_server::{Reloader, Tls};
use rustls::pki_types::CertificateDer;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use crate::{
    corpus::{self, Report},
    house::{House, Setup},
};

/// A server on a port of its own.
pub(crate) struct Open {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<std::io::Result<()>>,
}

pub(crate) async fn open(house: &House, tls: Option<Tls>) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel();
    let server = house.server.clone();
    let done = tokio::spawn(async move {
        server
            .serve(listener, tls, async { drop(stopped.await) })
            .await
    });
    Open {
        address,
        stop,
        done,
    }
}

/// Sends bytes and reads until the server closes or has been silent for a second.
pub(crate) async fn talk(address: SocketAddr, bytes: &[u8], stop_writing: bool) -> (String, bool) {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    // The server may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    if stop_writing {
        let _ = stream.shutdown().await;
    }
    let mut read = Vec::new();
    let closed = loop {
        let mut buffer = [0; 4096];
        match tokio::time::timeout(Duration::from_secs(1), stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => break true,
            Ok(Ok(count)) => read.extend_from_slice(&buffer[..count]),
            Err(_) => break false,
        }
    };
    (String::from_utf8_lossy(&read).into_owned(), closed)
}

#[tokio::test]
async fn http_raw() {
    let rows = corpus::hostile("http_raw");
    let expect_rows = !rows.is_empty();
    let house = House::new();
    let server = open(&house, None).await;
    let mut report = Report::default();
    for row in rows {
        let must_close = row.expected["connection_closed"].as_bool();
        let (answer, closed) = talk(server.address, &row.document(), must_close.is_none()).await;
        let status: u64 = answer
            .get(9..12)
            .and_then(|status| status.parse().ok())
            .unwrap_or_default();
        let statuses = row.expected["status_in"]
            .as_array()
            .expect("a list of statuses");
        let answers = answer.matches("HTTP/1.1 ").count();
        let most = row.expected["app_requests_max"]
            .as_u64()
            .expect("a number")
            .max(1);
        let outcome = if !statuses
            .iter()
            .any(|expected| expected.as_u64() == Some(status))
        {
            Err(format!("status {status}: {answer}"))
        } else if answers as u64 > most {
            Err(format!("{answers} answers"))
        } else if must_close.is_some_and(|must| must != closed) {
            Err(format!("closed: {closed}"))
        } else {
            Ok(())
        };
        report.note(&row.id, outcome);
    }
    report.finish(expect_rows);
}

#[tokio::test]
async fn bodies_with_unclear_ends_are_refused_and_nothing_follows() {
    // S-090; HR-002, HR-003
    let house = House::new();
    let server = open(&house, None).await;
    let next = "GET /cas/login HTTP/1.1\r\nHost: cas.example.org\r\n\r\n";
    for codings in [
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ] {
        let request = format!(
            "POST /cas/login HTTP/1.1\r\nHost: cas.example.org\r\n{codings}\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n3\r\na=1\r\n0\r\n\r\n{next}"
        );
        let (answer, closed) = talk(server.address, request.as_bytes(), false).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{codings}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{codings}");
        assert!(closed, "{codings}");
        assert!(!answer.contains("<html"), "before any page: {answer}");
    }
}

#[tokio::test]
async fn a_form_in_broken_chunks_is_refused() {
    // S-090, S-095
    let house = House::new();
    let server = open(&house, None).await;
    for chunks in ["zz\r\n", "3\r\nabcdef\r\n0\r\n\r\n", "-1\r\n"] {
        let request = format!(
            "POST /cas/login HTTP/1.1\r\nHost: cas.example.org\r\nTransfer-Encoding: chunked\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n{chunks}"
        );
        let (answer, closed) = talk(server.address, request.as_bytes(), false).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{chunks:?}: {answer}");
        assert!(closed, "{chunks:?}");
    }
}

#[tokio::test]
async fn two_requests_on_one_connection() {
    let house = House::new();
    let server = open(&house, None).await;
    let one = "GET /cas/login HTTP/1.1\r\nHost: cas.example.org\r\n\r\n";
    let (answer, closed) = talk(server.address, one.repeat(2).as_bytes(), false).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert!(!closed);
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_however_it_arrives() {
    // S-095
    let house = House::new();
    let server = open(&house, None).await;
    let start = "GET /cas/login HTTP/1.1\r\nHost: cas.example.org\r\nX: ";
    let head = |bytes: usize| format!("{start}{}\r\n\r\n", "a".repeat(bytes - start.len() - 4));
    for (bytes, status) in [
        (32_768, "200"),
        (32_769, "431"),
        (33_000, "431"),
        (45_000, "431"),
        (60_000, "431"),
        (120_000, "431"),
    ] {
        let (answer, _) = talk(server.address, head(bytes).as_bytes(), false).await;
        assert_eq!(answer.get(9..12), Some(status), "{bytes}: {answer}");
    }
    let long = format!(
        "GET /cas/login?x={} HTTP/1.1\r\nHost: cas.example.org\r\n\r\n",
        "a".repeat(40_000)
    );
    let (answer, _) = talk(server.address, long.as_bytes(), false).await;
    assert!(["414", "431"].contains(&&answer[9..12]), "{answer}");
}

#[tokio::test]
async fn a_form_that_is_too_large_gets_an_answer() {
    let house = House::new();
    let server = open(&house, None).await;
    let body = "a".repeat(1 << 20);
    let head = format!(
        "POST /cas/login HTTP/1.1\r\nHost: cas.example.org\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (answer, _) = talk(server.address, (head + &body).as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn silent_clients_are_not_waited_for() {
    let house = Setup::new()
        .settings("[limits]\nrequest_timeout = \"1 s\"\n")
        .build();
    let server = open(&house, None).await;
    for start in ["", "GET /cas/login HTTP/1.1\r\nHost: cas.exam"] {
        let mut stream = TcpStream::connect(server.address)
            .await
            .expect("a connection");
        stream.write_all(start.as_bytes()).await.expect("sent");
        let mut read = Vec::new();
        let patience = Duration::from_secs(5);
        let ended = tokio::time::timeout(patience, stream.read_to_end(&mut read)).await;
        assert!(ended.is_ok(), "{start:?}");
    }
}

#[tokio::test]
async fn the_end_waits_for_requests_that_have_begun() {
    let house = House::new();
    let server = open(&house, None).await;
    let mut stream = TcpStream::connect(server.address)
        .await
        .expect("a connection");
    let half = b"POST /cas/login HTTP/1.1\r\nHost: cas.example.org\r\n\
        Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n";
    stream.write_all(half).await.expect("sent");
    // The handler has begun when it asks for the body.
    let mut go_on = [0; 25];
    stream
        .read_exact(&mut go_on)
        .await
        .expect("an interim answer");
    assert!(go_on.starts_with(b"HTTP/1.1 100"));
    server.stop.send(()).expect("running");
    stream.write_all(b"a=1").await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    server
        .done
        .await
        .expect("no panic")
        .expect("an orderly end");
    assert!(
        TcpStream::connect(server.address).await.is_err(),
        "the door is closed"
    );
}

#[tokio::test]
async fn the_end_does_not_wait_for_requests_that_never_come() {
    // S-095: a head may take ten seconds.
    let house = House::new();
    for start in [
        "",
        "GET /cas/login HTTP/1.1\r\nHost: cas.exam",
        "GET /cas/login HTTP/1.1\r\nHost: cas.example.org\r\n\r\nGET /cas",
    ] {
        let server = open(&house, None).await;
        let mut stream = TcpStream::connect(server.address)
            .await
            .expect("a connection");
        stream.write_all(start.as_bytes()).await.expect("sent");
        // Connections are taken in their order: once this one is answered, that one is held.
        let (answer, _) = talk(
            server.address,
            b"GET /cas/login HTTP/1.1\r\nHost: cas.example.org\r\nConnection: close\r\n\r\n",
            false,
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop.send(()).expect("running");
        let patience = Duration::from_secs(5);
        let done = tokio::time::timeout(patience, server.done).await;
        done.unwrap_or_else(|_| panic!("{start:?} was waited for"))
            .expect("no panic")
            .expect("an orderly end");
        drop(stream);
    }
}

pub(crate) fn certificate(folder: &Path) -> (Tls, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let (certificate, key) = (folder.join("cas.pem"), folder.join("cas.key.pem"));
    std::fs::write(&certificate, made.cert.pem()).expect("written");
    std::fs::write(&key, made.signing_key.serialize_pem()).expect("written");
    let tls = Tls::from_pem_files(&certificate, &key).expect("a pair");
    (tls, made.cert.der().clone())
}

#[tokio::test]
async fn tls_speaks_http_1_and_2() {
    // Tests of one process may race to be first; any of them installs the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let house = Setup::new()
        .base(&format!("https://localhost:{port}/cas"))
        .build();
    let (tls, root) = certificate(house.folder.path());
    let root = reqwest::Certificate::from_der(&root).expect("a certificate");
    let server = house.server.clone();
    tokio::spawn(async move {
        server
            .serve(listener, Some(tls), std::future::pending())
            .await
    });
    for (http2, version) in [
        (false, http::Version::HTTP_11),
        (true, http::Version::HTTP_2),
    ] {
        let builder = reqwest::Client::builder()
            .tls_certs_only([root.clone()])
            .no_proxy();
        let builder = if http2 { builder } else { builder.http1_only() };
        let client = builder.build().expect("a client");
        let url = format!("https://localhost:{port}/cas/login");
        let answer = client.get(&url).send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, version));
        assert!(answer.headers().contains_key("strict-transport-security"));
        let foreign = client.get(&url).header("host", "evil.example").send().await;
        assert!(foreign.is_err() || foreign.is_ok_and(|answer| answer.status() == 421));
    }
}

#[tokio::test]
async fn another_certificate_is_shown_to_new_connections() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!(
        "https://localhost:{}/cas/login",
        listener.local_addr().expect("an address").port()
    );
    let house = Setup::new().base(url.trim_end_matches("/login")).build();
    let (tls, first) = certificate(house.folder.path());
    let mut reloader = Reloader::new(house.server.clone()).certificate(tls.clone());
    let server = house.server.clone();
    tokio::spawn(async move {
        server
            .serve(listener, Some(tls), std::future::pending())
            .await
    });
    let trusts = async |root: &CertificateDer<'static>| {
        let root = reqwest::Certificate::from_der(root).expect("a certificate");
        let client = reqwest::Client::builder()
            .tls_certs_only([root])
            .no_proxy()
            .build();
        client.expect("a client").get(&url).send().await.is_ok()
    };
    assert!(trusts(&first).await);
    let (_, second) = certificate(house.folder.path());
    reloader.look(false);
    assert!(trusts(&second).await && !trusts(&first).await);
    std::fs::write(house.folder.path().join("cas.pem"), "nothing").expect("written");
    reloader.look(false);
    assert!(trusts(&second).await, "the last good pair");
}

#[test]
fn certificates_that_cannot_be_used_name_their_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let missing = folder.path().join("missing.pem");
    let error = Tls::from_pem_files(&missing, &missing).expect_err("missing");
    assert!(error.to_string().contains("missing.pem"), "{error}");
    std::fs::write(&missing, "nothing").expect("written");
    assert!(Tls::from_pem_files(&missing, &missing).is_err());
}

#[tokio::test]
async fn saml_posts_come_in_chunks() {
    // .NET clients send no length.
    let house = House::new();
    let server = open(&house, None).await;
    let body = "<Envelope xmlns=\"http://schemas.xmlsoap.org/soap/envelope/\"><Body>\
        <Request xmlns=\"urn:oasis:names:tc:SAML:1.0:protocol\">\
        <AssertionArtifact>ST-8Zz1yQGwEFmJf3DDVxQ1cUjBUQ0aZ</AssertionArtifact></Request></Body></Envelope>";
    let (head, tail) = body.split_at(100);
    let request = format!(
        "POST /cas/samlValidate?TARGET=https%3A%2F%2Fapp.example.org%2F HTTP/1.1\r\nHost: cas.example.org\r\n\
         Transfer-Encoding: chunked\r\nContent-Type: text/xml\r\nConnection: close\r\n\r\n\
         {:x}\r\n{head}\r\n{:x}\r\n{tail}\r\n0\r\n\r\n",
        head.len(),
        tail.len()
    );
    let (answer, _) = talk(server.address, request.as_bytes(), false).await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // It was read to its end and asked about: nobody knows this ticket.
    assert!(
        answer.contains("unknown, used before, or too old"),
        "{answer}"
    );
}
