//! `/logout` of a session that has been at 10,000 services, against one that has been at none; and whether each of the
//! services is told once.
//!
//! Goal: it answers in the time of a session with none. Every service validated a ticket before, and both are measured
//! right after that, so that the server has the same work behind it. The services are addresses of a few listeners on
//! loopback, which count what they are told. Run with `bench/run logout`; `cargo run --bin logout 500` takes fewer
//! services.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    extract::{Path, State},
    routing::post,
};
use casque_bench::{House, Pairs, ask, get, print_machine};
use casque_proto::ServiceRule;
use casque_server::Service;
use http::StatusCode;
use tokio::{net::TcpListener, runtime::Runtime};

const SERVICES: usize = 10_000;

/// Every message is a connection of its own, and the ports of one pair of addresses are soon used up.
const LISTENERS: usize = 8;

fn main() {
    let asked = std::env::args().nth(1);
    let count = asked.map_or(SERVICES, |count| {
        count.parse().expect("a number of services")
    });
    print_machine();
    let runtime = Runtime::new().expect("a runtime");
    // SQLite keeps every visit on a disk before the service is answered, which takes its time.
    for (store, rounds) in [("memory:", 15), ("sqlite:", 5)] {
        let service = Service::new("app", ServiceRule::loopback());
        let house = runtime.block_on(House::open(store, service));
        let told: Told = (0..count).map(|_| AtomicUsize::new(0)).collect();
        let listeners = runtime.block_on(listen(&told));
        let measure = |which: Which| {
            let stays = runtime.block_on(house.log_in());
            let visits = runtime.block_on(visit_all(&house, &listeners, count));
            let (first, second) = match which {
                Which::Visited => (&visits, &stays),
                Which::Fresh => (&stays, &visits),
            };
            let took = log_out(&house, first);
            log_out(&house, second);
            runtime.block_on(house.server.finish_logout_messages());
            let wrong = told
                .iter()
                .filter(|times| times.swap(0, Ordering::Relaxed) != 1);
            assert_eq!(wrong.count(), 0, "services that were not told once");
            took
        };
        let pairs = Pairs::measure(rounds, || measure(Which::Visited), || measure(Which::Fresh));
        println!("{store} {rounds} pairs; all {count} services were told once each time");
        println!("/logout after {count} services  {:?}", median(&pairs.ours));
        println!("/logout after none          {:?}", median(&pairs.floor));
        println!(
            "ratio of times              {}  (goal: about 1)",
            pairs.time_ratio()
        );
    }
}

/// The session whose logout is measured.
#[derive(Clone, Copy)]
enum Which {
    /// That of the 10,000 services.
    Visited,
    /// That of none.
    Fresh,
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

/// How long a browser waits for the page.
fn log_out(house: &House, cookie: &str) -> Duration {
    let headers = format!("Accept: text/html\r\nCookie: {cookie}\r\n");
    let request = get(house.address, "/cas/logout", &headers);
    ask(house.address, &request, |page| {
        page.starts_with(b"<!doctype html>")
    })
}

/// Logs in, and has every service validate a ticket; gives the cookie.
async fn visit_all(house: &House, listeners: &[SocketAddr], count: usize) -> String {
    let cookie = house.log_in().await;
    for n in 0..count {
        let listener = listeners[n % listeners.len()];
        let service = format!("http%3A%2F%2F{listener}%2F{n}");
        let ticket = house.ticket(&cookie, &service).await;
        let answer = house.validate(&service, &ticket).await;
        assert_eq!(answer.status(), StatusCode::OK, "the ticket is good");
    }
    cookie
}

/// How often each service was told.
type Told = Arc<[AtomicUsize]>;

/// Listeners that all stand for all services.
async fn listen(told: &Told) -> Vec<SocketAddr> {
    let router = Router::new()
        .route("/{service}", post(hear))
        .with_state(told.clone());
    let mut addresses = Vec::new();
    for _ in 0..LISTENERS {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        addresses.push(listener.local_addr().expect("an address"));
        let router = router.clone();
        tokio::spawn(async move { axum::serve(listener, router).await });
    }
    addresses
}

async fn hear(State(told): State<Told>, Path(service): Path<usize>) -> StatusCode {
    match told.get(service) {
        Some(times) => {
            times.fetch_add(1, Ordering::Relaxed);
            StatusCode::OK
        }
        None => StatusCode::NOT_FOUND,
    }
}
