//! Decisions about requests, as values: no socket, no store, no server.

use casque_app::{
    AfterLogout, Answer, App, Decision, FormDecision, MAX_FORM_BYTES, Policy, Reason, RequestView,
};
use http::request::{Builder, Parts};
use http::{Method, Request, StatusCode};
use proptest::prelude::*;

fn app() -> App {
    App::builder()
        .provider("https://cas.example.org/cas")
        .service_base("https://app.example.org")
        .after_logout(AfterLogout::CasServer)
        .build()
        .expect("the settings are good")
}

fn parts(request: Builder) -> Parts {
    request.body(()).expect("a request").into_parts().0
}

fn decide(app: &App, request: Builder) -> Decision {
    app.decide(&RequestView::from(&parts(request)))
}

fn get(target: &str) -> Builder {
    Request::get(target).header("host", "app.example.org")
}

fn form(target: &str) -> Builder {
    Request::post(target).header("content-type", "application/x-www-form-urlencoded")
}

fn name(decision: &Decision) -> &'static str {
    match decision {
        Decision::Serve { session: None } => "serve",
        Decision::Serve { session: Some(_) } => "look up",
        Decision::Login(_) => "login",
        Decision::Validate(_) => "validate",
        Decision::StrayTicket { .. } => "stray ticket",
        Decision::ReadForm => "read form",
        Decision::Logout { .. } => "logout",
        Decision::Answer(answer) => answer.reason().as_str(),
        _ => "new",
    }
}

#[test]
fn what_a_request_is() {
    let app = app();
    let id = "A".repeat(43);
    let cookie = format!("__Host-casque={id}");
    let rows: Vec<(Builder, &str)> = vec![
        (get("/"), "serve"),
        (get("/members?ticket=ST-1-a"), "serve"),
        (get("/").header("cookie", &cookie), "look up"),
        (
            get("/").header("cookie", format!("{cookie}; {cookie}")),
            "serve",
        ),
        (get("/").header("cookie", "__Host-casque=short"), "serve"),
        (get("/login"), "login"),
        (Request::head("/login"), "login"),
        (get("/login?ticket=ST-1-a"), "login"),
        (form("/login"), "serve"),
        (get("/login/"), "serve"),
        (get("/LOGIN"), "serve"),
        (get("/logout"), "logout"),
        (form("/logout"), "logout"),
        (Request::head("/logout"), "serve"),
        (
            get("/logout").header("sec-fetch-dest", "image"),
            "logout_not_by_navigation",
        ),
        (
            get("/logout").header("sec-fetch-site", "cross-site"),
            "confirm_logout",
        ),
        // S-051, S-080: without fetch metadata the origin tells.
        (
            form("/logout").header("origin", "https://app.example.org"),
            "logout",
        ),
        (
            form("/logout").header("origin", "https://evil.example"),
            "confirm_logout",
        ),
        (
            form("/logout").header("origin", "https://app.example.org.evil.example"),
            "confirm_logout",
        ),
        (
            form("/logout").header("origin", "http://app.example.org"),
            "confirm_logout",
        ),
        (form("/logout").header("origin", "null"), "confirm_logout"),
        (
            form("/logout")
                .header("origin", "https://app.example.org")
                .header("origin", "https://evil.example"),
            "confirm_logout",
        ),
        (
            form("/logout")
                .header("origin", "null")
                .header("sec-fetch-site", "same-origin"),
            "logout",
        ),
        // S-051: nothing happens before somebody asks for it.
        (
            get("/logout").header("sec-purpose", "prefetch;prerender"),
            "logout_not_by_navigation",
        ),
        (
            get("/logout")
                .header("purpose", "prefetch")
                .header("accept", "text/html"),
            "logout_not_by_navigation",
        ),
        (
            get("/login")
                .header("sec-fetch-mode", "navigate")
                .header("sec-purpose", "prefetch"),
            "login_needed",
        ),
        (get("/cas/callback"), "serve"),
        (get("/cas/callback?logoutRequest=x"), "serve"),
        (get("/cas/callback?ticket="), "serve"),
        (get("/cas/callback?ticket=12345"), "serve"),
        (get("/cas/callback?ticket=ST-1-a"), "stray ticket"),
        (get("/cas/callback?ticket=PT-1-a"), "stray ticket"),
        (
            get("/cas/callback?ticket=ST-1-a&ticket=ST-1-a"),
            "bad_ticket",
        ),
        (get("/cas/callback?ticket=ST-1%20a"), "bad_ticket"),
        (
            get("/cas/callback").header("accept", "text/html"),
            "cookies_refused",
        ),
        (
            get("/cas/callback?a=1").header("accept", "text/html"),
            "serve",
        ),
        (get("/cas/callback?casque=taaaaaaaaaaaaaaaaaaaaaa"), "serve"),
        (Request::head("/cas/callback?ticket=ST-1-a"), "serve"),
        (form("/cas/callback"), "read form"),
        (
            form("/cas/callback").header("content-length", "16384"),
            "read form",
        ),
        (
            form("/cas/callback").header("content-length", "16385"),
            "serve",
        ),
        (Request::post("/cas/callback"), "serve"),
        (
            Request::post("/cas/callback").header("content-type", "text/xml"),
            "serve",
        ),
        (form("/cas/callback/"), "serve"),
    ];
    for (request, expected) in rows {
        let text = format!("{request:?}");
        assert_eq!(name(&decide(&app, request)), expected, "{text}");
    }
}

fn started(app: &App, target: &str) -> (Answer, String) {
    let request = parts(get(target).header("sec-fetch-mode", "navigate"));
    let view = RequestView::from(&request);
    let answer = app
        .access(&view, None, &Policy::required())
        .expect("nobody is signed in");
    assert_eq!(answer.reason(), Reason::LoginStarted);
    let location = answer.location().expect("a redirect").to_owned();
    (answer, location)
}

fn cookie_of(answer: Answer) -> String {
    let response = answer.into_response();
    let cookie = response.headers()["set-cookie"].to_str().expect("text");
    cookie.split(';').next().expect("a pair").to_owned()
}

#[test]
fn a_login_and_its_return() {
    let app = app();
    let (answer, location) = started(&app, "/members?a=1");
    assert_eq!(
        location,
        "https://cas.example.org/cas/login?service=https%3A%2F%2Fapp.example.org%2Fcas%2Fcallback"
    );
    let cookie = cookie_of(answer);
    let back = get("/cas/callback?ticket=ST-1-a").header("cookie", &cookie);
    let Decision::Validate(callback) = decide(&app, back) else {
        panic!("the browser brings the ticket that it asked for");
    };
    assert_eq!(callback.ticket().secret(), "ST-1-a");
    assert_eq!(callback.login().page(), "/members?a=1");
    assert!(!callback.login().renew() && !callback.login().gateway());
    // S-017: neither ticket nor cookie in what a log may hold.
    let debug = format!("{callback:?}");
    assert!(!debug.contains("ST-1-a"), "{debug}");
}

#[test]
fn what_a_form_is() {
    let app = app();
    let message = |ticket: &str| {
        let xml = format!(
            "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"a\" \
             Version=\"2.0\" IssueInstant=\"2026-01-01T00:00:00Z\">{ticket}</samlp:LogoutRequest>"
        );
        form_urlencoded::Serializer::new(String::new())
            .append_pair("logoutRequest", &xml)
            .finish()
    };
    let one = "<samlp:SessionIndex>ST-1-a</samlp:SessionIndex>";
    let good = message(one);
    let long = format!("{}={}", "x".repeat(10), "y".repeat(MAX_FORM_BYTES - 11));
    let rows: Vec<(&str, &[u8], &str)> = vec![
        ("", good.as_bytes(), "ST-1-a"),
        ("", b"a=1", "serve"),
        ("", b"", "serve"),
        ("", b"\xff\x00=%zz", "serve"),
        ("", long.as_bytes(), "serve"),
        ("", b"ticket=ST-1-a", "serve"),
        ("?ticket=ST-1-a", b"ticket=ST-2-b", "400"),
        ("", b"ticket=ST-1-a&ticket=ST-1-a", "400"),
        ("", b"logoutRequest=", "400"),
        ("", b"logoutRequest=x", "400"),
    ];
    let two = message(&one.repeat(2));
    let none = message("");
    let twice = format!("{good}&{good}");
    let more = [&two, &none, &twice].map(|body| ("", body.as_bytes(), "400"));
    for (query, body, expected) in rows.into_iter().chain(more) {
        let request = parts(form(&format!("/cas/callback{query}")));
        let got = match app.decide_form(&RequestView::from(&request), body) {
            FormDecision::Serve => "serve".to_owned(),
            FormDecision::SingleLogout(ticket) => ticket.secret().to_owned(),
            FormDecision::Answer(answer) => answer.status_code().as_str().to_owned(),
            _ => "new".to_owned(),
        };
        assert_eq!(got, expected, "{query} {}", String::from_utf8_lossy(body));
    }
}

#[test]
fn access_without_a_session() {
    let app = app();
    let navigation = || get("/x").header("sec-fetch-mode", "navigate");
    let rows: Vec<(Builder, Policy, Option<Reason>)> = vec![
        (navigation(), Policy::optional(), None),
        (navigation(), Policy::gateway(), Some(Reason::LoginStarted)),
        (navigation(), Policy::required(), Some(Reason::LoginStarted)),
        (navigation(), Policy::renew(), Some(Reason::LoginStarted)),
        (
            navigation().header("sec-purpose", "prefetch"),
            Policy::required(),
            Some(Reason::LoginNeeded),
        ),
        (
            navigation().header("sec-purpose", "prefetch"),
            Policy::gateway(),
            None,
        ),
        (get("/x"), Policy::optional(), None),
        (get("/x"), Policy::gateway(), None),
        (get("/x"), Policy::required(), Some(Reason::LoginNeeded)),
        (get("/x"), Policy::renew(), Some(Reason::LoginNeeded)),
        (
            form("/x").header("accept", "text/html"),
            Policy::gateway(),
            None,
        ),
        (
            form("/x").header("accept", "text/html"),
            Policy::required(),
            Some(Reason::LoginNeeded),
        ),
    ];
    for (request, policy, expected) in rows {
        let parts = parts(request);
        let answer = app.access(&RequestView::from(&parts), None, &policy);
        assert_eq!(
            answer.as_ref().map(Answer::reason),
            expected,
            "{parts:?} {policy:?}"
        );
        if expected == Some(Reason::LoginNeeded) {
            assert_eq!(
                answer.map(|answer| answer.status_code()),
                Some(StatusCode::UNAUTHORIZED)
            );
        }
    }
}

/// S-016, S-072: whatever casque answers itself is in no frame and no cache, and is what it says.
#[test]
fn every_answer_is_defended() {
    let app = app();
    let navigation = || get("/x").header("sec-fetch-mode", "navigate");
    let rows = [
        (navigation(), StatusCode::SEE_OTHER),
        (navigation().method(Method::HEAD), StatusCode::SEE_OTHER),
        (navigation().method(Method::POST), StatusCode::UNAUTHORIZED),
        (get("/x"), StatusCode::UNAUTHORIZED),
    ];
    for (request, status) in rows {
        let parts = parts(request);
        let answer = app.access(&RequestView::from(&parts), None, &Policy::required());
        let response = answer.expect("nobody is signed in").into_response();
        assert_eq!(response.status(), status, "{parts:?}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(response.headers()[name], value, "{parts:?}");
        }
        let keeps = parts.method == Method::GET && status == StatusCode::SEE_OTHER;
        assert_eq!(
            response.headers().contains_key("set-cookie"),
            keeps,
            "{parts:?}"
        );
    }
}

proptest! {
    /// I5, I7: whatever a request holds, it is decided without a panic, and without a login of this
    /// browser no ticket is ever presented.
    #[test]
    fn decisions_are_total(
        method in prop::sample::select(vec![Method::GET, Method::POST, Method::HEAD, Method::PUT]),
        path in prop::sample::select(vec!["/cas/callback", "/login", "/logout", "/", "/a/b"]),
        query in "[ -~]{0,60}",
        cookie in "[ -~]{0,120}",
        body in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let app = app_once();
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?ticket=ST-1-a{query}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", format!("__Host-casque-login={cookie}"))
            .body(());
        if let Ok(request) = request {
            let (parts, ()) = request.into_parts();
            let view = RequestView::from(&parts);
            prop_assert!(!matches!(app.decide(&view), Decision::Validate(_)));
            let _ = app.decide_form(&view, &body);
            let _ = app.access(&view, None, &Policy::required());
        }
    }
}

proptest! {
    /// S-041: whatever page a request line asks for, the way back stays on the own origin, and it
    /// is that page.
    #[test]
    fn the_way_back_never_leaves_the_origin(
        start in prop::sample::select(vec!["/", "//evil.example", "/\\evil", "/..//", "/@evil", "/%09/"]),
        rest in "[!-~\\u{80}-\\u{ff}]{0,80}",
    ) {
        let app = app_once();
        let target = format!("{start}{}", rest.replace('#', "x"));
        let Ok(uri) = target.parse::<http::Uri>() else { return Ok(()) };
        let Some(asked) = uri.path_and_query().cloned() else { return Ok(()) };
        if asked.path() == "/cas/callback" || uri.authority().is_some() {
            return Ok(());
        }
        let (answer, _) = started(app, asked.as_str());
        let back = get("/cas/callback?ticket=ST-1-a").header("cookie", cookie_of(answer));
        let Decision::Validate(callback) = decide(app, back) else {
            panic!("the browser brings the ticket that it asked for");
        };
        let location = app.page_url_of(&callback);
        let url = url::Url::parse(&location).expect("an absolute URL");
        prop_assert_eq!(url.origin().ascii_serialization(), "https://app.example.org");
        let whole = location.strip_prefix("https://app.example.org/").map(|page| format!("/{page}"));
        prop_assert!(whole.is_some(), "{}", location);
        if asked.as_str().is_ascii() && !asked.as_str().contains("icket") {
            prop_assert_eq!(whole.as_deref(), Some(asked.as_str()));
        }
    }
}

fn app_once() -> &'static App {
    static APP: std::sync::OnceLock<App> = std::sync::OnceLock::new();
    APP.get_or_init(app)
}
