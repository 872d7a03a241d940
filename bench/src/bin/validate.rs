//! `/p3/serviceValidate` with fresh tickets, against a bare axum handler that is sent the same requests and answers
//! the same bytes, headers included.
//!
//! Goal: at least 60 % of its requests per second with the memory store; SQLite is measured beside it. Both answer on
//! loopback with the same runtime; the load driver shares the machine. Run with
//! `bench/run validate`.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, Bytes},
    routing::get as answer_get,
};
use casque_bench::{Pairs, drive, get, median_rate, print_machine};
use casque_proto::ServiceRule;
use casque_server::{
    Config, HashParams, Parts, Password, PasswordChecker, People, Person, Release, Server, Service,
    Services, hash_password,
};
use casque_store::{KeyHasher, SharedStore, SystemClock};
use http::{HeaderMap, Request, header};
use http_body_util::BodyExt as _;
use tokio::{net::TcpListener, runtime::Runtime};
use tower::ServiceExt as _;

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
        let house = runtime.block_on(House::open(store));
        let bare = runtime.block_on(open_bare(house.answer.clone()));
        // The same bytes as for ours: the handler looks at none of them.
        let same = Arc::new(runtime.block_on(house.requests(count)));
        let pairs = Pairs::measure(
            ROUNDS,
            || {
                let fresh = Arc::new(runtime.block_on(house.requests(count)));
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

#[derive(Debug)]
struct OnePerson(Arc<Person>);

impl People for OnePerson {
    fn find(&self, username: &str) -> Option<Arc<Person>> {
        (username == self.0.id).then(|| self.0.clone())
    }
}

/// A server on loopback.
struct House {
    address: SocketAddr,
    router: Router,
    authority: String,
    /// What a validation of alice's ticket is answered.
    answer: Ready,
    _folder: tempfile::TempDir,
}

impl House {
    async fn open(store: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let file = folder.path().join("casque.toml");
        let text = format!(
            "base_url = \"http://{address}/cas\"\n\
             [tickets]\nservice_ticket_lifetime = \"300 s\"\n"
        );
        std::fs::write(&file, text).expect("a config");
        let config = Config::from_file(&file).expect("a valid config");
        let clock = Arc::new(SystemClock::new());
        let url = if store == "sqlite:" {
            format!("sqlite:{}", folder.path().join("casque.db").display())
        } else {
            store.to_owned()
        };
        let store: SharedStore = casque_store::open(&url, clock.clone()).expect("a store");
        let service = Service::new(
            "app",
            ServiceRule::origin("https://app.example.org").expect("an origin"),
        )
        .releasing(Release::All);
        let parts = Parts {
            people: Arc::new(OnePerson(Arc::new(alice()))),
            services: Arc::new(Services::new([service])),
            passwords: PasswordChecker::default(),
            hasher: KeyHasher::random().expect("random bytes"),
        };
        let server = Server::new(&config, parts, store, clock).expect("a server");
        let router = server.router();
        tokio::spawn(async move { server.serve(listener, None, std::future::pending()).await });
        let mut house = Self {
            address,
            router,
            authority: address.to_string(),
            answer: Ready::default(),
            _folder: folder,
        };
        let cookie = house.log_in().await;
        let ticket = house.ticket(&cookie).await;
        let path = format!("/cas/p3/serviceValidate?service={SERVICE}&ticket={ticket}");
        let (head, body) = house
            .send(Request::get(path), String::new())
            .await
            .into_parts();
        house.answer = Ready {
            headers: head.headers,
            body: body.collect().await.expect("a body").to_bytes(),
        };
        house
    }

    async fn send(&self, request: http::request::Builder, body: String) -> http::Response<Body> {
        let request = request
            .header(header::HOST, &self.authority)
            .body(Body::from(body))
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible")
    }

    async fn log_in(&self) -> String {
        let page = self.send(Request::get("/cas/login"), String::new()).await;
        let flow = cookie(&page, "casque-flow");
        let html = page.into_body().collect().await.expect("a body").to_bytes();
        let html = String::from_utf8(html.to_vec()).expect("UTF-8");
        let (_, rest) = html.split_once("name=\"lt\" value=\"").expect("a form");
        let ticket = rest.split('"').next().expect("a value");
        let post = Request::post("/cas/login")
            .header(header::COOKIE, flow)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let form = format!("lt={ticket}&username=alice&password=wonderland");
        cookie(&self.send(post, form).await, "TGC")
    }

    async fn ticket(&self, cookie: &str) -> String {
        let path = format!("/cas/login?service={SERVICE}");
        let request = Request::get(path).header(header::COOKIE, cookie);
        let answer = self.send(request, String::new()).await;
        let location = answer.headers()[header::LOCATION]
            .to_str()
            .expect("an address");
        location
            .split_once("ticket=")
            .expect("a ticket")
            .1
            .to_owned()
    }

    /// Requests that validate one fresh ticket each.
    async fn requests(&self, count: usize) -> Vec<Vec<u8>> {
        let mut requests = Vec::with_capacity(count);
        let mut cookie = String::new();
        for n in 0..count {
            if n % TICKETS_EACH == 0 {
                cookie = self.log_in().await;
            }
            let ticket = self.ticket(&cookie).await;
            let path = format!("/cas/p3/serviceValidate?service={SERVICE}&ticket={ticket}");
            requests.push(get(self.address, &path, ""));
        }
        requests
    }
}

fn alice() -> Person {
    let password = Password::new("wonderland").expect("short");
    let cheap = HashParams::new(64, 1, 1).expect("a cost");
    Person {
        id: "alice".to_owned(),
        password_hash: hash_password(&password, cheap),
        attributes: BTreeMap::from([
            ("mail".to_owned(), vec!["alice@example.org".to_owned()]),
            (
                "memberOf".to_owned(),
                vec!["staff".to_owned(), "admin".to_owned()],
            ),
        ]),
        disabled: false,
    }
}

/// The `name=value` of a cookie that an answer sets.
fn cookie(answer: &http::Response<Body>, name: &str) -> String {
    answer
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .find(|pair| pair.starts_with(name))
        .expect("the cookie is set")
        .to_owned()
}

/// An answer that needs no work.
#[derive(Clone, Default)]
struct Ready {
    headers: HeaderMap,
    body: Bytes,
}

/// The floor: a handler that has the answer ready.
async fn open_bare(answer: Ready) -> SocketAddr {
    let handler = async move || (answer.headers.clone(), answer.body.clone());
    let router = Router::new().route("/cas/p3/serviceValidate", answer_get(handler));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
