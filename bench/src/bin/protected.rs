//! A protected page with a valid session (memory store), against the same axum handler without casque.
//!
//! Goal: at least 85 % of its requests per second. Both answer on loopback in the same runtime; the load driver shares
//! the machine. Run with `bench/run protected`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, http::StatusCode, response::IntoResponse, routing::get as answer_get};
use casque_axum::{Cas, CasUser};
use casque_bench::{Pairs, drive, get, median_rate, print_machine};
use casque_testkit::FakeCas;
use http::{Request, header};
use tokio::{net::TcpListener, runtime::Runtime};
use tower::ServiceExt as _;

const REQUESTS: usize = 40_000;
const ROUNDS: usize = 9;
const CONNECTIONS: usize = 16;
const BODY: &str = "Welcome to the protected page!";

fn main() {
    print_machine();
    let runtime = Runtime::new().expect("a runtime");
    let cas_server = FakeCas::start();
    let listener = runtime
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let ours = listener.local_addr().expect("an address");
    let cas = Cas::builder()
        .provider(cas_server.base_url())
        .service_base(format!("http://{ours}"))
        .allow_unsolicited(true)
        .build()
        .expect("valid settings");
    let app = Router::new()
        .route("/protected", answer_get(protected))
        .layer(cas.layer());
    let cookie = runtime.block_on(sign_in(&app, &cas, &cas_server));
    runtime.spawn(async move { axum::serve(listener, app).await });
    let bare = runtime.block_on(serve_bare());

    let with_session = requests(ours, &format!("Cookie: {cookie}\r\n"));
    let without = requests(bare, &format!("Cookie: {cookie}\r\n"));
    let pairs = Pairs::measure(
        ROUNDS,
        || drive(ours, CONNECTIONS, &with_session, is_page),
        || drive(bare, CONNECTIONS, &without, is_page),
    );
    println!("{ROUNDS} pairs of {REQUESTS} requests, {CONNECTIONS} connections");
    println!(
        "protected by casque  {:.0} requests/s",
        median_rate(&pairs.ours, REQUESTS)
    );
    println!(
        "bare axum handler    {:.0} requests/s",
        median_rate(&pairs.floor, REQUESTS)
    );
    println!(
        "ratio of rates       {}  (goal: at least 0.85)",
        pairs.rate_ratio()
    );
}

/// Asks for the user, so that it answers nobody else.
async fn protected(_: CasUser) -> &'static str {
    BODY
}

async fn open() -> impl IntoResponse {
    (StatusCode::OK, BODY)
}

async fn serve_bare() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let app = Router::new().route("/protected", answer_get(open));
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

/// Logs alice in and gives the cookie of her session.
async fn sign_in(app: &Router, cas: &Cas, cas_server: &FakeCas) -> String {
    let ticket = cas_server.grant(cas.service(), "alice");
    let callback = format!("{}?ticket={}", cas.service(), ticket.secret());
    let host = callback.split('/').nth(2).expect("a host").to_owned();
    let request = Request::get(callback)
        .header(header::HOST, host)
        .header(header::ACCEPT, "text/html")
        .body(axum::body::Body::empty())
        .expect("a request");
    let answer = app.clone().oneshot(request).await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{answer:?}");
    let cookies = answer.headers().get_all(header::SET_COOKIE);
    let mut cookie = cookies
        .iter()
        .filter_map(|cookie| cookie.to_str().ok()?.split(';').next());
    let session = cookie.rfind(|cookie| cookie.starts_with("casque="));
    session.expect("a session").to_owned()
}

fn requests(address: SocketAddr, headers: &str) -> Arc<Vec<Vec<u8>>> {
    Arc::new(vec![get(address, "/protected", headers); REQUESTS])
}

fn is_page(body: &[u8]) -> bool {
    body == BODY.as_bytes()
}
