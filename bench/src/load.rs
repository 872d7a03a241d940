//! A plain load driver: some connections on loopback, each with one request in flight, bounded in count.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Sends every request once, spread over `connections`, and gives the time it took.
///
/// # Panics
///
/// Where an answer has another status than 200, or `expected` does not accept its body: a benchmark of errors is none.
pub fn drive(
    address: SocketAddr,
    connections: usize,
    requests: &Arc<Vec<Vec<u8>>>,
    expected: fn(&[u8]) -> bool,
) -> Duration {
    let opened: Vec<TcpStream> = (0..connections)
        .map(|_| {
            let socket = TcpStream::connect(address).expect("the server listens");
            socket.set_nodelay(true).expect("a socket option");
            socket
        })
        .collect();
    let started = now();
    let workers: Vec<_> = opened
        .into_iter()
        .enumerate()
        .map(|(first, socket)| {
            let requests = requests.clone();
            thread::spawn(move || {
                let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
                let mut writer = socket;
                let mut body = Vec::new();
                for request in requests.iter().skip(first).step_by(connections) {
                    writer.write_all(request).expect("the request is sent");
                    read_answer(&mut reader, &mut body);
                    assert!(
                        expected(&body),
                        "unexpected: {}",
                        String::from_utf8_lossy(&body)
                    );
                }
            })
        })
        .collect();
    for worker in workers {
        worker.join().expect("every answer is as expected");
    }
    started.elapsed()
}

/// Sends one request on a connection of its own, and gives the time from its first byte to the answer's last.
///
/// # Panics
///
/// As [`drive`] does.
pub fn ask(address: SocketAddr, request: &[u8], expected: fn(&[u8]) -> bool) -> Duration {
    let mut socket = TcpStream::connect(address).expect("the server listens");
    socket.set_nodelay(true).expect("a socket option");
    let mut reader = BufReader::new(socket.try_clone().expect("a second handle"));
    let mut body = Vec::new();
    let started = now();
    socket.write_all(request).expect("the request is sent");
    read_answer(&mut reader, &mut body);
    let took = started.elapsed();
    assert!(
        expected(&body),
        "unexpected: {}",
        String::from_utf8_lossy(&body)
    );
    took
}

/// A GET request as bytes.
pub fn get(address: SocketAddr, path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{headers}\r\n").into_bytes()
}

/// The moment a measurement starts.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
pub fn now() -> Instant {
    Instant::now()
}

fn read_answer(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a status line");
    assert!(line.starts_with("HTTP/1.1 200"), "unexpected: {line}");
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line).expect("a header");
        let header = line.trim_end();
        if header.is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
    }
    body.resize(length, 0);
    reader.read_exact(body).expect("a body");
}
