//! Proxying with a server that others wrote: the callback, proxy tickets, and the chain that it names.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use casque_client::PgtUrl;
use casque_proto::{ProxyGrantingTicket, TicketKind};

use crate::browser::Browser;
use crate::common::{ADAPTERS, Settings, assert_discreet};
use crate::{OTHER, Peer, SERVICE, sign_in};

/// from a login to a proxied one.
pub(crate) fn applications_act_as_proxies(peer: &Peer) {
    let (pgt_url, callbacks) = receptor();
    let settings = Settings {
        pgt_url: Some(PgtUrl::parse_allowing_http_on_loopback(&pgt_url).unwrap()),
        ..Settings::default()
    };
    let chain: &'static str = pgt_url.leak();
    let allowing = Settings {
        proxy_chains: vec![vec![chain]],
        ..Settings::default()
    };
    let base = peer.server.cas_url();
    for adapter in ADAPTERS {
        let ticket = sign_in(&mut Browser::default(), peer);
        let user = adapter
            .validate_at(base, &settings, &ticket, SERVICE)
            .unwrap();
        let iou = user.proxy_granting_ticket_iou().expect("one was asked for");
        let callback = callbacks.recv().unwrap();
        let value = |name: &str| {
            let pairs = url::form_urlencoded::parse(callback.as_bytes());
            let mut values = pairs.filter(|(key, _)| key == name);
            values.next().expect("a parameter").1.into_owned()
        };
        assert_eq!(value("pgtIou"), iou.secret());
        let pgt = ProxyGrantingTicket::parse(&value("pgtId")).unwrap();

        let proxy_ticket = || adapter.proxy_ticket(base, &settings, &pgt, OTHER).unwrap();
        assert_eq!(proxy_ticket().kind(), TicketKind::Proxy);
        let proxied = adapter
            .validate_at(base, &allowing, &proxy_ticket().into(), OTHER)
            .unwrap();
        assert_eq!(proxied.user(), peer.server.username());
        assert_eq!(proxied.proxies(), [chain]);

        // Nobody is let in through a proxy by default, nor where the chain is another.
        let others = Settings {
            proxy_chains: vec![vec![chain, chain]],
            ..Settings::default()
        };
        for (settings, label) in [
            (&Settings::default(), "INVALID_TICKET"),
            (&others, "proxy_not_allowed"),
        ] {
            let ticket = proxy_ticket().into();
            let error = adapter
                .validate_at(base, settings, &ticket, OTHER)
                .unwrap_err();
            assert_eq!(error.label(), label, "{error}");
            assert_discreet(&error, &ticket);
        }
        let unknown = ProxyGrantingTicket::parse("PGT-1-thereIsNoSuchTicket").unwrap();
        let error = adapter
            .proxy_ticket(base, &settings, &unknown, OTHER)
            .unwrap_err();
        assert_eq!(error.code(), Some("INVALID_TICKET"), "{error}");
        let stranger = "https://stranger.example.org/";
        let error = adapter
            .proxy_ticket(base, &settings, &pgt, stranger)
            .unwrap_err();
        assert_eq!(error.code(), Some("UNAUTHORIZED_SERVICE"), "{error}");
    }
}

/// Receives proxy-granting tickets: its address, and the query of each callback.
fn receptor() -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/pgt", listener.local_addr().unwrap());
    let (send, received) = channel();
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                socket.read_exact(&mut byte).unwrap();
                head.push(byte[0]);
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            socket.write_all(answer).unwrap();
            let head = String::from_utf8(head).unwrap();
            let target = head.split(' ').nth(1).unwrap_or_default();
            if let Some((_, query)) = target.split_once('?')
                && send.send(query.to_owned()).is_err()
            {
                return;
            }
        }
    });
    (url, received)
}
