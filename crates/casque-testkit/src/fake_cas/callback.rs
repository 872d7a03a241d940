//! Where proxy-granting tickets go: to the address that the application named, or to the test.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use casque_proto::{PgtUrl, ProxyGrantingTicket, ProxyGrantingTicketIou};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Delivered = Pin<Box<dyn Future<Output = u16> + Send>>;

type Deliver = Arc<dyn Fn(String) -> Delivered + Send + Sync>;

/// How callbacks are made.
#[derive(Default)]
pub(super) struct Delivery(Mutex<Option<Deliver>>);

impl Delivery {
    pub(super) fn through(&self, deliver: Deliver) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(deliver);
    }

    /// Calls the address with a pair of tickets, and tells whether it answered 200.
    pub(super) async fn deliver(
        &self,
        pgt_url: &str,
        iou: &ProxyGrantingTicketIou,
        pgt: &ProxyGrantingTicket,
    ) -> bool {
        let Ok(url) = PgtUrl::parse_allowing_http_on_loopback(pgt_url) else {
            return false;
        };
        let url = url.with_tickets(iou, pgt);
        let hook = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        match hook {
            Some(deliver) => deliver(url).await == 200,
            None => get(&url).await == Some(200),
        }
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Delivery(…)")
    }
}

/// The status of a page over plain http.
async fn get(url: &str) -> Option<u16> {
    let url = url::Url::parse(url).ok().filter(|u| u.scheme() == "http")?;
    let (host, port) = (url.host_str()?, url.port_or_known_default()?);
    let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let head = format!("GET {target} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n");
    let mut socket = TcpStream::connect((host, port)).await.ok()?;
    socket.write_all(head.as_bytes()).await.ok()?;
    let mut status = [0; 12];
    socket.read_exact(&mut status).await.ok()?;
    let status = std::str::from_utf8(&status).ok()?;
    status.strip_prefix("HTTP/1.1 ")?.parse().ok()
}
