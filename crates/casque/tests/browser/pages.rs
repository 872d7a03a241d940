//! Every page that a person can meet: axe finds nothing, it works on a phone, it stays small; a picture of each is kept
//! in `target/screenshots`, in light and dark, for people to look at.

use axum::{
    Router, http::header::SET_COOKIE, middleware::map_response, response::Response, routing::get,
};
use casque_axum::Cas;
use fantoccini::Locator;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Demo, browser::Browser, root, skip};

/// A page: its name in the pictures, and where it is.
struct Shown {
    name: &'static str,
    url: String,
}

#[tokio::test]
async fn axe_finds_nothing_on_any_page() {
    let Some(axe) = axe() else {
        return;
    };
    let Some(browser) = Browser::start().await else {
        return;
    };
    let demo = Demo::start();
    let (cas, app) = (&demo.cas_url, &demo.app_url);

    let anonymous = [
        // First, while this browser has begun no login: the ticket is a stranger's.
        Shown {
            name: "app-ticket-of-a-stranger",
            url: format!("{app}/login?ticket=ST-1-unsolicited"),
        },
        Shown {
            name: "app-two-tickets",
            url: format!("{app}/login?ticket=ST-1-a&ticket=ST-1-b"),
        },
        Shown {
            name: "app-home",
            url: app.clone(),
        },
        Shown {
            name: "app-denied",
            url: format!("{app}/protected"),
        },
        Shown {
            name: "login",
            url: format!("{cas}/login"),
        },
        Shown {
            name: "login-for-service",
            url: format!("{app}/members"),
        },
        Shown {
            name: "service-refused",
            url: format!("{cas}/login?service=https%3A%2F%2Fevil.example%2F"),
        },
        Shown {
            name: "bad-request",
            url: format!(
                "{cas}/login?service=http%3A%2F%2F127.0.0.1%2F&service=http%3A%2F%2F127.0.0.2%2F"
            ),
        },
        Shown {
            name: "not-found",
            url: format!("{cas}/nowhere"),
        },
    ];
    for page in &anonymous {
        browser.go(&page.url).await;
        examine(&browser, &axe, page.name).await;
    }

    browser.go(&format!("{cas}/login")).await;
    browser.log_in("alice", "wrong").await;
    examine(&browser, &axe, "login-failed").await;

    browser.log_in("alice", "wonderland").await;
    examine(&browser, &axe, "logged-in").await;

    for (name, url) in [
        ("app-members", format!("{app}/members")),
        ("app-home-signed-in", app.clone()),
        ("app-protected", format!("{app}/protected")),
        ("logged-out", format!("{cas}/logout")),
    ] {
        browser.go(&url).await;
        examine(&browser, &axe, name).await;
    }

    // A login that is under way, and a ticket that the server does not know: after the first it is tried again.
    browser.go(&format!("{app}/members")).await;
    for _ in 0..2 {
        let unknown = format!("{app}/login?ticket=ST-1-unknown");
        browser.go(&unknown).await;
    }
    let shown = browser.text().await;
    assert!(shown.contains("INVALID_TICKET"), "{shown}");
    examine(&browser, &axe, "app-ticket-refused").await;

    browser.go(&format!("{cas}/login")).await;
    browser.log_in("alice", "wonderland").await;
    browser.go(&format!("{}/page", in_circles(cas).await)).await;
    let shown = browser.text().await;
    assert!(shown.contains("Logging in does not help"), "{shown}");
    examine(&browser, &axe, "app-loop").await;
    browser.close().await;
}

/// An application behind something that takes its session cookies away.
async fn in_circles(cas_url: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let cas = Cas::builder()
        .provider(cas_url)
        .service_base(&url)
        .cookie_name("circles")
        .build()
        .expect("valid settings");
    let app = Router::new()
        .route("/page", get("What is never seen").layer(cas.require()))
        .layer(cas.layer())
        .layer(map_response(async |mut response: Response| {
            let kept: Vec<_> = response
                .headers_mut()
                .get_all(SET_COOKIE)
                .iter()
                .filter(|cookie| !cookie.as_bytes().starts_with(b"circles="))
                .cloned()
                .collect();
            response.headers_mut().remove(SET_COOKIE);
            for cookie in kept {
                response.headers_mut().append(SET_COOKIE, cookie);
            }
            response
        }));
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

/// The accessibility checker; none where it is not installed, which is said.
pub(crate) fn axe() -> Option<String> {
    let axe = std::fs::read_to_string(root().join("target/python/axe.min.js")).ok();
    if axe.is_none() {
        skip("target/python/axe.min.js is missing");
    }
    axe
}

/// Looks at the page on a desk and on a phone, in light and in dark; it has no script.
pub(crate) async fn examine(browser: &Browser, axe: &str, name: &str) {
    examine_with_script(browser, axe, name).await;
    let scripts = browser
        .client
        .find_all(Locator::Css("script"))
        .await
        .expect("a list");
    assert!(scripts.is_empty(), "{name} needs no JavaScript");
}

/// The same for the one page that has a script.
pub(crate) async fn examine_with_script(browser: &Browser, axe: &str, name: &str) {
    for scheme in ["light", "dark"] {
        browser.prefer_color_scheme(scheme).await;
        for (screen, width, height) in [("desk", 1000, 800), ("phone", 360, 740)] {
            browser.screen(width, height).await;
            let file = root().join(format!("target/screenshots/{name}-{screen}-{scheme}.png"));
            browser.screenshot(&file).await;

            let overflow = browser
                .client
                .execute("return document.documentElement.scrollWidth - document.documentElement.clientWidth", vec![])
                .await
                .expect("the script runs");
            assert_eq!(overflow, json!(0), "{name} scrolls sideways on a {screen}");

            browser
                .client
                .execute(axe, vec![])
                .await
                .expect("axe loads");
            let result = browser
                .client
                .execute_async(
                    "const done = arguments[arguments.length - 1]; axe.run().then(done, e => done({error: String(e)}));",
                    vec![],
                )
                .await
                .expect("axe runs");
            let violations = result["violations"]
                .as_array()
                .unwrap_or_else(|| panic!("{name}: {result}"));
            let said: Vec<String> = violations.iter().map(describe).collect();
            assert!(
                violations.is_empty(),
                "{name} ({screen}, {scheme}): {}",
                said.join("; ")
            );
        }
    }
    assert!(
        browser
            .client
            .find(Locator::Css("html[lang]"))
            .await
            .is_ok(),
        "{name} has a language"
    );
    let size = browser
        .client
        .execute(
            "return new Blob([document.documentElement.outerHTML]).size",
            vec![],
        )
        .await
        .expect("the script runs");
    assert!(
        size.as_u64().expect("a number") < 30 * 1024,
        "{name} has {size} bytes"
    );
}

fn describe(violation: &Value) -> String {
    format!(
        "{}: {} at {}",
        violation["id"], violation["help"], violation["nodes"][0]["html"]
    )
}
