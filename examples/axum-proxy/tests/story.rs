//! Both applications over real sockets, with a CAS server that acts as one.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, COOKIE, LOCATION, SET_COOKIE};
use casque_axum::Cas;
use casque_example_axum_proxy::{RECEPTOR, marks, portal};
use casque_testkit::{FakeCas, Page};
use tokio::net::TcpListener;

struct House {
    server: FakeCas,
    portal: String,
    marks: String,
    http: reqwest::Client,
}

impl House {
    /// Both applications, with these proxies allowed to see marks beside the portal.
    async fn new(portal_is_allowed: bool) -> Self {
        // Another test may have done it.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = FakeCas::start();
        let (portal_socket, portal_url) = listen().await;
        let (marks_socket, marks_url) = listen().await;
        let cas = |base: &str| {
            Cas::builder()
                .provider(server.base_url())
                .service_base(base)
        };
        let proxy = if portal_is_allowed {
            format!("{portal_url}{RECEPTOR}")
        } else {
            "https://other.example.org/cas/pgt".to_owned()
        };
        let portal_cas = cas(&portal_url).proxying(RECEPTOR).build().unwrap();
        let marks_cas = cas(&marks_url).allow_proxy_chain([proxy]).build().unwrap();
        serve(
            portal_socket,
            portal(&portal_cas, format!("{marks_url}/marks")).unwrap(),
        );
        serve(marks_socket, marks(&marks_cas));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self {
            server,
            portal: portal_url,
            marks: marks_url,
            http,
        }
    }

    /// A browser that opens a page and follows wherever it is sent.
    async fn browse(&self, url: &str) -> (StatusCode, String) {
        let mut url = url.to_owned();
        let mut cookies: Vec<String> = Vec::new();
        for _ in 0..6 {
            let request = self.http.get(&url).header(ACCEPT, "text/html");
            let request = request.header(COOKIE, cookies.join("; "));
            let response = request.send().await.unwrap();
            for cookie in response.headers().get_all(SET_COOKIE) {
                let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
                let (name, _) = pair.split_once('=').unwrap();
                cookies.retain(|kept| !kept.starts_with(&format!("{name}=")));
                cookies.push(pair.to_owned());
            }
            match response.headers().get(LOCATION) {
                Some(location) => location.to_str().unwrap().clone_into(&mut url),
                None => return (response.status(), response.text().await.unwrap()),
            }
        }
        panic!("sent on and on");
    }
}

async fn listen() -> (TcpListener, String) {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    (socket, url)
}

fn serve(socket: TcpListener, router: Router) {
    tokio::spawn(async move { axum::serve(socket, router).await });
}

#[tokio::test]
async fn the_portal_shows_the_marks_of_its_user() {
    let house = House::new(true).await;
    house.server.sign_in("alice");
    let (status, text) = house.browse(&format!("{}/marks", house.portal)).await;
    assert_eq!(status, StatusCode::OK);
    let portal = format!("{}{RECEPTOR}", house.portal);
    assert_eq!(
        text,
        format!("The portal shows alice: alice has an A in logic (asked by {portal}).")
    );
    // Their owner sees them without the portal, too, and a stranger not at all.
    let (_, text) = house.browse(&format!("{}/marks", house.marks)).await;
    assert_eq!(text, "alice has an A in logic.");
    let url = format!("{}/marks", house.marks);
    let status = house.http.get(url).send().await.unwrap().status();
    assert_eq!(status, StatusCode::UNAUTHORIZED);
}

/// S-014: the other application decides through whom its users may come.
#[tokio::test]
async fn a_portal_that_is_not_allowed_shows_nothing() {
    let house = House::new(false).await;
    house.server.sign_in("alice");
    let (status, text) = house.browse(&format!("{}/marks", house.portal)).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(text, "The marks cannot be reached.");
    assert_eq!(house.server.requests_for(Page::P3ProxyValidate).len(), 1);
}
