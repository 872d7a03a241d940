//! Own addresses: configuration, never what a request says.

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::routing::get;
use casque_axum::{Cas, CasUser, PathPrefix, Settings};
use casque_testkit::{FakeCas, Page as CasPage};

use crate::support::{BASE, CALLBACK, Lab, Page, SERVICE, path_of};

/// SC-039, S-002, R-232: the service is ours, whatever host the request names.
#[tokio::test]
async fn sc_039_the_host_does_not_choose_the_service() {
    let foreign: &[&[(&str, &str)]] = &[
        &[("host", "evil.example")],
        &[
            ("host", "app.example.org"),
            ("x-forwarded-host", "evil.example"),
        ],
        &[("host", "app.example.org"), ("x-forwarded-proto", "http")],
        &[
            ("host", "app.example.org"),
            ("forwarded", "host=evil.example;proto=http"),
        ],
        &[("host", "evil.example"), ("host", "app.example.org")],
        &[("host", "app.example.org:8080")],
        &[],
    ];
    for headers in foreign {
        for absolute in [false, true] {
            let lab = Lab::new();
            let mut browser = lab.browser();
            let prefix = if absolute { "http://evil.example" } else { "" };
            let request = |target: String, cookies: String| {
                let mut builder = Request::get(format!("{prefix}{target}"))
                    .header("sec-fetch-mode", "navigate")
                    .header("cookie", cookies);
                for (name, value) in *headers {
                    builder = builder.header(*name, *value);
                }
                builder.body(Body::empty()).unwrap()
            };
            let sent = Page::of(&lab.router, request("/members".into(), String::new())).await;
            assert_eq!(sent.service(&lab.server), SERVICE, "{headers:?}");

            // A ticket for the foreign service, and a login of this browser to go with it.
            browser.go("/members").await;
            let ticket = lab
                .server
                .grant("https://evil.example/cas/callback", "alice");
            let cookies = format!("__Host-casque-login={}", browser.jar["__Host-casque-login"]);
            let target = format!("{CALLBACK}?ticket={}", ticket.secret());
            let page = Page::of(&lab.router, request(target, cookies)).await;
            let validations = lab.server.requests_for(CasPage::P3ServiceValidate);
            assert_eq!(
                validations[0].parameter("service").as_deref(),
                Some(SERVICE)
            );
            let cookie = page.header("set-cookie");
            assert!(
                !cookie.starts_with("__Host-casque="),
                "signed in: {headers:?}"
            );
        }
    }
}

/// Several own addresses: the one that is the request's host exactly, else the first.
#[tokio::test]
async fn two_own_addresses() {
    let lab = Lab::with(|builder| {
        builder
            .service_base(BASE)
            .service_base("https://intra.example.org:8443/app")
    });
    for (host, base) in [
        ("app.example.org", BASE),
        (
            "intra.example.org:8443",
            "https://intra.example.org:8443/app",
        ),
        (
            "INTRA.example.org:8443",
            "https://intra.example.org:8443/app",
        ),
        ("intra.example.org", BASE),
        ("evil.example", BASE),
    ] {
        let mut browser = lab.browser();
        browser.host = host.to_owned();
        let sent = browser.go("/members?a=1").await;
        assert_eq!(
            sent.service(&lab.server),
            format!("{base}/cas/callback"),
            "{host}"
        );
        let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
        assert_eq!(back.location(), format!("{base}/members?a=1"), "{host}");
    }
}

/// Several own addresses on one host: the longest path prefix of the request, R-108 for each.
#[tokio::test]
async fn several_own_addresses_on_one_host() {
    async fn name(user: CasUser) -> String {
        user.name().to_owned()
    }
    let lab = Lab::with(|builder| {
        builder
            .service_base("https://example.org/a")
            .service_base("https://example.org/b")
            .service_base("https://example.org/a/deep")
            .service_base("https://other.example.org")
    });
    let router = Router::new().fallback(name).layer(lab.cas.layer());
    for (host, page, base) in [
        ("example.org", "/a/x?q", "https://example.org/a"),
        ("example.org", "/b/x?q", "https://example.org/b"),
        ("example.org:443", "/b", "https://example.org/b"),
        ("example.org", "/a/deep/x", "https://example.org/a/deep"),
        ("example.org", "/a/deeper", "https://example.org/a"),
        ("evil.example", "/a/x", "https://example.org/a"),
    ] {
        let mut browser = lab.browser();
        browser.router = router.clone();
        browser.host = host.to_owned();
        let sent = browser.go(page).await;
        let service = sent.service(&lab.server);
        assert_eq!(service, format!("{base}/cas/callback"), "{host}{page}");
        let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
        assert_eq!(
            back.location(),
            format!("https://example.org{page}"),
            "{host}"
        );
        assert_eq!(browser.go(page).await.text(), "alice");
    }
    // Two pages of two addresses pending at once: each ticket is validated for its own service.
    let mut browser = lab.browser();
    browser.router = router;
    browser.host = "example.org".to_owned();
    let first = browser.go("/a/x").await;
    browser.go("/b/x").await;
    let (back, _) = lab.log_in(&mut browser, &first, "alice").await;
    assert_eq!(back.location(), "https://example.org/a/x");
}

/// Behind a proxy that ends TLS, under a path prefix that it strips or leaves.
#[tokio::test]
async fn under_a_path_prefix() {
    for (prefix, arrives) in [
        (PathPrefix::Either, ""),
        (PathPrefix::Either, "/apps/w"),
        (PathPrefix::Stripped, ""),
        (PathPrefix::Kept, "/apps/w"),
    ] {
        let lab = Lab::with(|builder| {
            builder
                .service_base("https://app.example.org/apps/w/")
                .path_prefix(prefix)
        });
        // Where the prefix is left in place, the application's routes carry it, too.
        let router = match arrives {
            "" => lab.router.clone(),
            _ => Router::new()
                .route(
                    "/apps/w/members",
                    get(|user: CasUser| async move { user.name().to_owned() }),
                )
                .layer(lab.cas.layer()),
        };
        let mut browser = lab.browser();
        browser.router = router;
        let sent = browser.go(&format!("{arrives}/members?a=%20")).await;
        let service = sent.service(&lab.server);
        assert_eq!(service, "https://app.example.org/apps/w/cas/callback");
        let ticket = lab.server.grant(&service, "alice");
        let query = format!("ticket={}", ticket.secret());
        let back = browser.go(&format!("{arrives}/cas/callback?{query}")).await;
        assert_eq!(
            back.location(),
            "https://app.example.org/apps/w/members?a=%20"
        );
        assert!(
            browser
                .go(&format!("{arrives}/members"))
                .await
                .text()
                .starts_with("alice")
        );
        let script = lab.browser().fetch(&format!("{arrives}/members")).await;
        assert!(script.status == StatusCode::UNAUTHORIZED || arrives == "/apps/w");
        let out = browser.go(&format!("{arrives}/logout")).await;
        assert!(
            out.location()
                .ends_with("service=https%3A%2F%2Fapp.example.org%2Fapps%2Fw%2F")
        );
    }
}

/// A router that nests the application takes the prefix away before the layer sees the request.
#[tokio::test]
async fn nested_in_another_router() {
    let lab = Lab::with(|builder| builder.service_base("https://app.example.org/w"));
    let mut browser = lab.browser();
    browser.router = Router::new().nest("/w", lab.router.clone());
    let sent = browser.go("/w/members?a=1").await;
    let service = sent.service(&lab.server);
    let ticket = lab.server.grant(&service, "alice");
    assert_eq!(
        browser.bring(&service, &ticket).await.location(),
        "https://app.example.org/w/members?a=1"
    );
    assert_eq!(browser.go("/w/members").await.text(), "alice staff,admin");
    // A router nested inside keeps the page whole as well.
    let inner = Router::new().route(
        "/x",
        get(|user: CasUser| async move { user.name().to_owned() }),
    );
    let router = Router::new().nest("/inner", inner).layer(lab.cas.layer());
    let mut browser = lab.browser();
    browser.router = router;
    let sent = browser.go("/inner/x?b=2").await;
    let (back, _) = {
        let service = sent.service(&lab.server);
        let ticket = lab.server.grant(&service, "alice");
        let target = format!("{CALLBACK}?ticket={}", ticket.secret());
        (browser.go(&target).await, ticket)
    };
    assert_eq!(back.location(), "https://app.example.org/w/inner/x?b=2");
}

/// The seed's settings, on loopback and plain http: one path for login page and callback.
#[tokio::test]
async fn the_seeds_settings() {
    let server = FakeCas::start();
    let file = format!(
        "CAS_PROVIDER=\"{}/\"\nSERVICE_URL=\"http://localhost:5000\"\n\
         LOGIN_URL=\"http://localhost:5000/login\"\n",
        server.base_url()
    );
    let cas = Cas::from_settings(&Settings::parse(&file, |_| None).unwrap()).unwrap();
    assert_eq!(cas.service(), "http://localhost:5000/login");
    let lab = Lab::new();
    let mut browser = lab.browser();
    browser.router = crate::support::router(&cas);
    let sent = browser.go("/login").await;
    let service = sent.parameter(&server, "service").unwrap();
    assert_eq!(service, "http://localhost:5000/login");
    let ticket = server.grant(&service, "alice");
    let back = browser
        .go(&path_of(&format!("{service}?ticket={}", ticket.secret())))
        .await;
    assert_eq!(back.location(), "http://localhost:5000/");
    let cookie = back.header("set-cookie");
    assert!(
        cookie.starts_with("casque=") && !cookie.contains("Secure"),
        "{cookie}"
    );
    assert_eq!(browser.go("/").await.text(), "alice");
    assert_eq!(
        browser.go("/login").await.location(),
        "http://localhost:5000/"
    );
    // A gateway attempt comes back to the login page without becoming a login.
    let mut browser = lab.browser();
    browser.router = crate::support::router(&cas);
    let sent = browser.go("/gateway").await;
    let service = sent.parameter(&server, "service").unwrap();
    assert_eq!(service, "http://localhost:5000/login", "R-108");
    // While it is under way, a click on "Log in" is still that.
    let click = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "same-origin"),
    ];
    let sent = browser
        .clone()
        .send(Method::GET, "/login", &click, Body::empty())
        .await;
    assert_eq!(sent.parameter(&server, "gateway"), None);
    let sent = browser.clone().go("/login?return_to=/members").await;
    assert_eq!(sent.parameter(&server, "gateway"), None);
    let back = browser.go(&path_of(&service)).await;
    assert_eq!(back.location(), "http://localhost:5000/gateway");
    assert_eq!(browser.go("/gateway").await.text(), "nobody");
}

/// a `LOGIN_URL` with a trailing slash is one service, to the letter, at login and at
/// validation; the login page is found with the slash and without.
#[tokio::test]
async fn a_login_url_with_a_trailing_slash() {
    let server = FakeCas::start();
    let file = format!(
        "CAS_PROVIDER={}/\nSERVICE_URL=http://localhost:5000/\nLOGIN_URL=http://localhost:5000/login/\n",
        server.base_url()
    );
    let cas = Cas::from_settings(&Settings::parse(&file, |_| None).unwrap()).unwrap();
    let lab = Lab::new();
    for asked in ["/login", "/login/"] {
        let mut browser = lab.browser();
        browser.router = crate::support::router(&cas);
        let sent = browser.go(asked).await;
        let service = sent.parameter(&server, "service").unwrap();
        assert_eq!(service, "http://localhost:5000/login/", "{asked}");
        let ticket = server.grant(&service, "alice");
        let back = browser
            .go(&format!("{asked}?ticket={}", ticket.secret()))
            .await;
        assert_eq!(back.location(), "http://localhost:5000/");
        let validations = server.requests_for(CasPage::P3ServiceValidate);
        assert_eq!(
            validations.last().unwrap().parameter("service"),
            Some(service)
        );
        assert_eq!(browser.go("/").await.text(), "alice");
        // Signed in already, and single logout finds the page as well.
        assert_eq!(browser.go(asked).await.location(), "http://localhost:5000/");
        let body = casque_proto::LogoutRequest::to_form_body(
            "LR-1",
            std::time::SystemTime::UNIX_EPOCH,
            &ticket,
        );
        let told = browser
            .clone()
            .post(asked, crate::support::FORM, body)
            .await;
        assert_eq!((told.status, told.text()), (StatusCode::OK, ""));
        assert_eq!(browser.go("/").await.text(), "nobody", "{asked}");
    }
    // Below a page without a slash there may be one of the application's own.
    let cas = Cas::builder()
        .provider(server.base_url())
        .service_base(BASE)
        .build()
        .unwrap();
    let mut browser = lab.browser();
    browser.router = crate::support::router(&cas);
    assert_eq!(browser.go("/login/").await.status, StatusCode::OK);
}

/// Settings that cannot work are refused with their name, their value and what to do.
#[test]
fn settings_that_cannot_work() {
    let build = |change: fn(casque_axum::CasBuilder) -> casque_axum::CasBuilder| {
        let builder = Cas::builder()
            .provider("https://cas.example.org/cas")
            .service_base(BASE);
        change(builder)
            .build()
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    assert_eq!(build(|b| b), Ok(()));
    let rows: &[(fn(casque_axum::CasBuilder) -> casque_axum::CasBuilder, &str)] = &[
        (
            |b| b.provider("http://cas.example.org/cas"),
            "http://cas.example.org/cas",
        ),
        (
            |b| b.provider("cas.example.org"),
            "provider is \"cas.example.org\"",
        ),
        (
            |b| b.provider("https://u:pw@cas.example.org"),
            "https://…@cas.example.org",
        ),
        (
            |b| b.service_base("https://u:pw@app.example.org"),
            "https://…@app.example.org",
        ),
        (
            |b| b.login_marker(true).allow_unsolicited(true),
            "login_marker",
        ),
        (
            |b| b.service_base("http://app.example.org"),
            "http://app.example.org",
        ),
        (
            |b| b.callback_path("callback"),
            "callback path is \"callback\"",
        ),
        (|b| b.callback_path("/a/../b"), "/a/../b"),
        (|b| b.callback_path("/"), "callback path"),
        (|b| b.login_path("/a b"), "/a b"),
        (|b| b.logout_path("/login"), "/login"),
        (|b| b.login_path("/logout/"), "logout path"),
        (|b| b.landing("//evil.example"), "//evil.example"),
        (|b| b.landing("/cas/callback"), "/cas/callback"),
        (|b| b.cookie_name("a;b"), "a;b"),
        (|b| b.slo_sources(["10.0.0.0/33"]), "10.0.0.0/33"),
        (|b| b.extra_roots_file("/nowhere.pem"), "/nowhere.pem"),
    ];
    for (change, part) in rows {
        let error = build(*change).expect_err(part);
        assert!(error.contains(part), "{part}: {error}");
        assert!(!error.contains("pw@"), "S-017: {error}");
    }
}

/// Settings of the environment are called as they are written there.
#[test]
fn settings_are_named_as_they_were_written() {
    let rows = [
        (
            "https://cas.example.org",
            "https://a.org",
            "/log%20in",
            "LOGIN_URL is \"https://a.org/log%20in\"",
        ),
        (
            "https://cas.example.org",
            "https://a.org",
            "/logout",
            "LOGIN_URL is \"https://a.org/logout\"",
        ),
        (
            "https://cas.example.org",
            "http://a.org",
            "/login",
            "SERVICE_URL is \"http://a.org\"",
        ),
        (
            "http://cas.example.org",
            "https://a.org",
            "/login",
            "CAS_PROVIDER is \"http://cas.example.org\"",
        ),
        (
            "cas.example.org",
            "https://a.org",
            "/login",
            "CAS_PROVIDER is \"cas.example.org\"",
        ),
    ];
    for (provider, service, login, expected) in rows {
        let file = format!("CAS_PROVIDER={provider}\nSERVICE_URL={service}\nLOGIN_URL={login}\n");
        let error = Settings::parse(&file, |_| None)
            .and_then(|settings| Cas::from_settings(&settings))
            .expect_err(expected)
            .to_string();
        assert!(error.starts_with(expected), "{expected}: {error}");
        for inner in ["service base", "callback path", "login path", "provider is"] {
            assert!(!error.contains(inner), "{error}");
        }
    }
}
