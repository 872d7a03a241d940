//! On the way into a service and out again, in a real browser: no policy of ours is in the way of a service that leads to another
//! origin, and every page on the way is looked at.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
};

use fantoccini::Locator;

use crate::{
    pages::{axe, examine, examine_with_script},
    support::{browser::Browser, served::Site},
};

/// A service that answers every request alike, as long as the tests run.
fn service(answer: impl Fn(u16) -> String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let answer = answer(port);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
            let mut length = 0;
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|read| read > 2) {
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap_or(0);
                }
                line.clear();
            }
            let _ = reader.take(length).read_to_end(&mut Vec::new());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    port
}

#[tokio::test]
async fn axe_finds_nothing_on_the_pages_before_a_service() {
    let Some(axe) = axe() else {
        return;
    };
    let Some(browser) = Browser::start().await else {
        return;
    };
    // The browser stays on the page from which it would have gone on.
    let port = service(|_| "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_owned());
    let site = Site::new("memory:", "[sso]\nremember_me = true\n");
    let of = |path: &str, lines: &str| {
        site.write(
            &format!("services/{path}.toml"),
            &format!(
                "id = \"{path}\"\nname = \"Course catalogue\"\norigin = \"http://127.0.0.1:{port}\"\n\
                 path_prefix = \"/{path}/\"\nallow_http = true\n{lines}\n"
            ),
        );
        format!(
            "{}/login?service=http%3A%2F%2F127.0.0.1%3A{port}%2F{path}%2F",
            site.base_url
        )
    };
    let asking = of(
        "asking",
        "consent = true\nattributes = [\"mail\", \"memberOf\"]",
    );
    let closed = of("closed", "require = { memberOf = [\"chess club\"] }");
    let plain = of("plain", "attributes = []");
    let _server = site.serve();

    browser.go(&asking).await;
    examine(&browser, &axe, "login-with-choices").await;
    browser.click("input[name=warn]").await;
    browser.log_in("alice", "wonderland").await;
    examine(&browser, &axe, "consent").await;
    browser.follow("button[value=refuse]").await;
    examine(&browser, &axe, "consent-refused").await;
    browser.go(&closed).await;
    examine(&browser, &axe, "denied").await;
    browser.go(&plain).await;
    examine(&browser, &axe, "warn").await;
    browser.click("form button[type=submit]").await;
    browser.go(&format!("{plain}&method=POST")).await;
    browser.follow("form button[type=submit]").await;
    examine_with_script(&browser, &axe, "post-ticket").await;
    browser.go(&asking).await;
    browser.click("button[value=agree]").await;
    browser.go(&format!("{}/consents", site.base_url)).await;
    examine(&browser, &axe, "consents").await;
    browser.follow("section button[type=submit]").await;
    examine(&browser, &axe, "consents-none").await;
    browser.close().await;
}

#[tokio::test]
async fn axe_finds_nothing_on_the_pages_after_a_service() {
    let Some(axe) = axe() else {
        return;
    };
    let Some(browser) = Browser::start().await else {
        return;
    };
    let site = Site::new("memory:", "");
    let form = format!(
        "<!doctype html><title>A service</title><form method=post action=\"{}/logout\"><button>Log out</button></form>",
        site.base_url
    );
    let port = service(|_| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )
    });
    // Another origin than the server's, so that its form is a stranger's.
    let here = format!("http://localhost:{port}/");
    site.write(
        "services/told.toml",
        &format!(
            "id = \"told\"\nname = \"Course catalogue\"\norigin = \"http://localhost:{port}\"\nallow_http = true\n\
             logout_type = \"front_channel\"\n"
        ),
    );
    let _server = site.serve();
    let service = here.replace(':', "%3A").replace('/', "%2F");

    browser
        .go(&format!("{}/login?service={service}", site.base_url))
        .await;
    browser.log_in("alice", "wonderland").await;
    let arrived = browser.url().await;
    browser.follow("form button").await;
    assert!(browser.text().await.contains("Sign out?"));
    examine(&browser, &axe, "logout-question").await;
    browser.go(&format!("{}/login", site.base_url)).await;
    assert!(browser.text().await.contains("alice"));
    let (_, ticket) = arrived.split_once("ticket=").expect("a ticket");
    browser
        .go(&format!(
            "{}/serviceValidate?service={service}&ticket={ticket}",
            site.base_url
        ))
        .await;
    browser.go(&format!("{}/logout", site.base_url)).await;
    let told = browser
        .client
        .find(Locator::Css("img[src*=localhost]"))
        .await;
    assert!(told.is_ok(), "the page brings the service its message");
    examine(&browser, &axe, "logged-out-in-front").await;
    browser.close().await;
}
