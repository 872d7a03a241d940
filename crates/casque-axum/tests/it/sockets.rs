//! The same over real sockets: a browser, the application and the CAS server.

use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use casque_axum::{AfterLogout, Cas};
use casque_proto::{LogoutRequest, ServiceTicket};
use casque_testkit::{FakeCas, Page as CasPage};
use reqwest::redirect::Policy;
use tokio::net::TcpListener;

use crate::support::FORM;

/// Follows redirects and keeps the application's cookies.
struct Browser {
    client: reqwest::Client,
    cookies: Vec<String>,
}

impl Browser {
    async fn open(&mut self, url: &str) -> (String, reqwest::Response) {
        let mut url = url.to_owned();
        for _ in 0..10 {
            let request = self
                .client
                .get(&url)
                .header(ACCEPT, "text/html")
                .header(COOKIE, self.cookies.join("; "));
            let response = request.send().await.unwrap();
            for cookie in response.headers().get_all(SET_COOKIE) {
                let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
                let name = pair.split_once('=').unwrap().0;
                self.cookies
                    .retain(|kept| !kept.starts_with(&format!("{name}=")));
                if !attributes.contains("Max-Age=0") {
                    self.cookies.push(pair.to_owned());
                }
            }
            match response.headers().get(LOCATION) {
                Some(location) => location.to_str().unwrap().clone_into(&mut url),
                None => return (url, response),
            }
        }
        panic!("redirected 10 times");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_whole_story_over_sockets() {
    let server = FakeCas::start();
    server.sign_in("alice");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let cas = Cas::builder()
        .provider(server.base_url())
        .service_base(&base)
        .after_logout(AfterLogout::Application("/".to_owned()))
        .build()
        .unwrap();
    let router = crate::support::router(&cas);
    tokio::spawn(async move { axum::serve(listener, router).await });
    // This client wants a process-wide provider; a second test may have set it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .build()
        .unwrap();
    let mut browser = Browser {
        client,
        cookies: Vec::new(),
    };

    let asked = format!("{base}/members?q=a%20b&r=%2B");
    let (url, page) = browser.open(&asked).await;
    assert_eq!(
        (url.as_str(), page.status()),
        (asked.as_str(), StatusCode::OK)
    );
    assert_eq!(page.text().await.unwrap(), "alice staff,admin");

    // Single logout by the back channel.
    let presented = server.requests_for(CasPage::P3ServiceValidate);
    let ticket = ServiceTicket::parse(&presented[0].parameter("ticket").unwrap()).unwrap();
    let body = LogoutRequest::to_form_body("LR-1", std::time::SystemTime::UNIX_EPOCH, &ticket);
    let post = browser
        .client
        .post(format!("{base}/cas/callback"))
        .header(CONTENT_TYPE, FORM);
    assert_eq!(
        post.body(body).send().await.unwrap().status(),
        StatusCode::OK
    );
    let (_, page) = browser.open(&base).await;
    assert_eq!(page.text().await.unwrap(), "nobody");

    // In again, and out by hand: at the CAS server, and back to the homepage.
    browser.open(&asked).await;
    let (url, page) = browser.open(&format!("{base}/logout")).await;
    assert_eq!(url, format!("{base}/"));
    assert_eq!(page.text().await.unwrap(), "nobody");
    assert_eq!(server.signed_in(), None);
    assert!(browser.cookies.is_empty(), "{:?}", browser.cookies);
}
