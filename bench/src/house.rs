//! A server on loopback with one person, asked without a socket where that is not what is measured.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use axum::{Router, body::Body};
use casque_server::{
    Config, HashParams, Parts, Password, PasswordChecker, People, Person, Server, Service,
    Services, hash_password,
};
use casque_store::{KeyHasher, SharedStore, SystemClock};
use http::{Request, Response, header};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// A server on loopback, at `/cas`. Its only person is alice.
#[derive(Debug)]
pub struct House {
    /// Where it listens.
    pub address: SocketAddr,
    /// The server.
    pub server: Arc<Server>,
    /// What it keeps its sessions in.
    pub store: SharedStore,
    router: Router,
    _folder: tempfile::TempDir,
}

impl House {
    /// Serves with a store in memory (`memory:`) or in a file of its own (`sqlite:`).
    ///
    /// # Panics
    ///
    /// Where that is not possible, which ends a benchmark.
    pub async fn open(store: &str, service: Service) -> Self {
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
        let parts = Parts {
            people: Arc::new(OnePerson(Arc::new(alice()))),
            services: Arc::new(Services::new([service])),
            passwords: PasswordChecker::default(),
            hasher: KeyHasher::random().expect("random bytes"),
        };
        let server = Arc::new(Server::new(&config, parts, store.clone(), clock).expect("a server"));
        let serving = server.clone();
        tokio::spawn(async move { serving.serve(listener, None, std::future::pending()).await });
        Self {
            address,
            router: server.router(),
            server,
            store,
            _folder: folder,
        }
    }

    /// Asks the server without a socket.
    ///
    /// # Panics
    ///
    /// Where it is no request.
    pub async fn send(&self, request: http::request::Builder, body: String) -> Response<Body> {
        let request = request
            .header(header::HOST, self.address.to_string())
            .body(Body::from(body))
            .expect("a request");
        self.router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible")
    }

    /// Logs alice in; gives the cookie of her session.
    ///
    /// # Panics
    ///
    /// Where she is not let in.
    pub async fn log_in(&self) -> String {
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

    /// What a browser with a session is answered that asks for a service, which is escaped already.
    ///
    /// # Panics
    ///
    /// Where there is no answer.
    pub async fn grant(&self, cookie: &str, service: &str) -> Response<Body> {
        let path = format!("/cas/login?service={service}");
        let request = Request::get(path).header(header::COOKIE, cookie);
        self.send(request, String::new()).await
    }

    /// A ticket by single sign-on, for a service that is escaped already.
    ///
    /// # Panics
    ///
    /// Where there is none.
    pub async fn ticket(&self, cookie: &str, service: &str) -> String {
        let answer = self.grant(cookie, service).await;
        let location = answer.headers()[header::LOCATION]
            .to_str()
            .expect("an address");
        location
            .split_once("ticket=")
            .expect("a ticket")
            .1
            .to_owned()
    }

    /// Validates a ticket at `/p3/serviceValidate`.
    ///
    /// # Panics
    ///
    /// Where there is no answer.
    pub async fn validate(&self, service: &str, ticket: &str) -> Response<Body> {
        let path = format!("/cas/p3/serviceValidate?service={service}&ticket={ticket}");
        self.send(Request::get(path), String::new()).await
    }
}

#[derive(Debug)]
struct OnePerson(Arc<Person>);

impl People for OnePerson {
    fn find(&self, username: &str) -> Option<Arc<Person>> {
        (username == self.0.id).then(|| self.0.clone())
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
fn cookie(answer: &Response<Body>, name: &str) -> String {
    answer
        .headers()
        .get_all(header::SET_COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok()?.split(';').next())
        .find(|pair| pair.starts_with(name))
        .expect("the cookie is set")
        .to_owned()
}
