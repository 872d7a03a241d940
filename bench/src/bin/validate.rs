//! `/p3/serviceValidate` with fresh tickets, against a bare axum handler that is sent the same requests and answers
//! the same bytes, headers included.
//!
//! Goal: at least 60 % of its requests per second with the memory store; SQLite is measured beside it. Both answer on
//! loopback with the same runtime; the load driver shares the machine. Run with
//! `bench/run validate`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, body::Bytes, routing::get as answer_get};
use casque_bench::{House, Pairs, drive, get, median_rate, print_machine};
use casque_proto::ServiceRule;
use casque_server::{Release, Service};
use http::HeaderMap;
use http_body_util::BodyExt as _;
use tokio::{net::TcpListener, runtime::Runtime};

/// Tickets of one run.
const TICKETS: usize = 20_000;
const ROUNDS: usize = 7;
const CONNECTIONS: usize = 16;

/// Tickets of one session: one person's morning.
const TICKETS_EACH: usize = 10;
const SERVICE: &str = "https%3A%2F%2Fapp.example.org%2F";

fn main() {
    print_machine();
    let runtime = Runtime::new().expect("a runtime");
    for store in ["memory:", "sqlite:"] {
        let count = if store == "memory:" {
            TICKETS
        } else {
            TICKETS / 10
        };
        let house = runtime.block_on(House::open(store, service()));
        let bare = runtime.block_on(open_bare(&house));
        // The same bytes as for ours: the handler looks at none of them.
        let same = Arc::new(runtime.block_on(requests(&house, count)));
        let pairs = Pairs::measure(
            ROUNDS,
            || {
                let fresh = Arc::new(runtime.block_on(requests(&house, count)));
                drive(house.address, CONNECTIONS, &fresh, is_alice)
            },
            || drive(bare, CONNECTIONS, &same, is_alice),
        );
        println!("{store} {ROUNDS} pairs of {count} requests, {CONNECTIONS} connections");
        println!(
            "/p3/serviceValidate  {:.0} requests/s",
            median_rate(&pairs.ours, count)
        );
        println!(
            "bare axum handler    {:.0} requests/s",
            median_rate(&pairs.floor, count)
        );
        let goal = if store == "memory:" {
            "  (goal: at least 0.60)"
        } else {
            ""
        };
        println!("ratio of rates       {}{goal}", pairs.rate_ratio());
    }
}

fn is_alice(body: &[u8]) -> bool {
    body.windows(15).any(|window| window == b"<cas:user>alice")
}

fn service() -> Service {
    let rule = ServiceRule::origin("https://app.example.org").expect("an origin");
    Service::new("app", rule).releasing(Release::All)
}

/// Requests that validate one fresh ticket each.
async fn requests(house: &House, count: usize) -> Vec<Vec<u8>> {
    let mut requests = Vec::with_capacity(count);
    let mut cookie = String::new();
    for n in 0..count {
        if n % TICKETS_EACH == 0 {
            cookie = house.log_in().await;
        }
        let ticket = house.ticket(&cookie, SERVICE).await;
        let path = format!("/cas/p3/serviceValidate?service={SERVICE}&ticket={ticket}");
        requests.push(get(house.address, &path, ""));
    }
    requests
}

/// An answer that needs no work.
#[derive(Clone)]
struct Ready {
    headers: HeaderMap,
    body: Bytes,
}

/// The floor: a handler that has ready what a validation of alice's ticket is answered.
async fn open_bare(house: &House) -> SocketAddr {
    let cookie = house.log_in().await;
    let ticket = house.ticket(&cookie, SERVICE).await;
    let (head, body) = house.validate(SERVICE, &ticket).await.into_parts();
    let answer = Ready {
        headers: head.headers,
        body: body.collect().await.expect("a body").to_bytes(),
    };
    let handler = async move || (answer.headers.clone(), answer.body.clone());
    let router = Router::new().route("/cas/p3/serviceValidate", answer_get(handler));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
