//! The services: they validate through the load driver, and hear here which of their sessions have ended.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, extract::State, routing::post};
use casque_proto::LogoutRequest;
use http::StatusCode;
use tokio::net::TcpListener;

/// Every message may be a connection of its own, and the ports of one pair of addresses are soon used up.
const LISTENERS: usize = 8;

/// Listeners that count what they are told.
pub(crate) struct Services {
    addresses: Vec<SocketAddr>,
    heard: Heard,
}

/// How often each ticket was told of, by a hash of it.
type Heard = Arc<Mutex<HashMap<u64, u32>>>;

/// What the services were told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// Messages.
    pub(crate) messages: u64,
    /// Tickets that they were about.
    pub(crate) tickets: u64,
}

impl Services {
    pub(crate) async fn listen() -> Self {
        let heard = Heard::default();
        let mut addresses = Vec::new();
        for _ in 0..LISTENERS {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
            addresses.push(listener.local_addr().expect("an address"));
            let router = Router::new()
                .route("/", post(hear))
                .with_state(heard.clone());
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        Self { addresses, heard }
    }

    pub(crate) fn urls(&self) -> Vec<String> {
        let urls = self
            .addresses
            .iter()
            .map(|address| format!("http://{address}/"));
        urls.collect()
    }

    pub(crate) fn told(&self) -> Told {
        let heard = self.heard.lock().expect("nobody panicked");
        Told {
            messages: heard.values().copied().map(u64::from).sum(),
            tickets: heard.len() as u64,
        }
    }
}

async fn hear(State(heard): State<Heard>, body: Bytes) -> StatusCode {
    let Ok(request) = LogoutRequest::parse_form_body(&body) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut heard = heard.lock().expect("nobody panicked");
    for ticket in request.session_indexes() {
        *heard.entry(hash(ticket.secret().as_bytes())).or_default() += 1;
    }
    StatusCode::OK
}

/// FNV-1a: a million random tickets do not meet in 64 bits.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    })
}
