//! Proxying: the receptor of proxy-granting tickets, calls as the user, and being called.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{Method, Request, StatusCode};
use axum::routing::get;
use casque_axum::{CasBuilder, CasUser, ProxyRejection, ServiceRule};
use casque_proto::{ProxyGrantingTicket, ServiceTicket};
use casque_store::{MemoryStore, SharedStore, Store as _};
use casque_testkit::{FakeCas, Fault, ManualClock, Page as CasPage};

use crate::support::{BASE, Browser, FORM, Lab, Page, SERVICE, path_of};

const RECEPTOR: &str = "/cas/pgt";
const PGT_URL: &str = "https://app.example.org/cas/pgt";
const TARGET: &str = "https://data.example.org/api/marks?year=2026&x=a%20b";

/// The pages of an application that calls another.
fn router(lab: &Lab) -> Router {
    async fn ask(user: CasUser) -> Result<String, ProxyRejection> {
        user.proxied_url(TARGET).await
    }
    lab.router
        .clone()
        .merge(Router::new().route("/ask", get(ask)).layer(lab.cas.layer()))
}

/// An application that acts as a proxy, and the callbacks that it was sent.
fn proxy(settings: impl FnOnce(CasBuilder) -> CasBuilder) -> (Lab, Arc<Mutex<Vec<String>>>) {
    let clock = ManualClock::new();
    let store: SharedStore = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    proxy_on(clock, store, settings)
}

fn proxy_on(
    clock: ManualClock,
    store: SharedStore,
    settings: impl FnOnce(CasBuilder) -> CasBuilder,
) -> (Lab, Arc<Mutex<Vec<String>>>) {
    let mut lab = Lab::on(FakeCas::start(), clock, store, |builder| {
        settings(builder.service_base(BASE).proxying(RECEPTOR))
    });
    lab.router = router(&lab);
    let callbacks = Arc::new(Mutex::new(Vec::new()));
    receive_at(&lab.server, &lab.router, &callbacks);
    (lab, callbacks)
}

fn receive_at(server: &FakeCas, router: &Router, callbacks: &Arc<Mutex<Vec<String>>>) {
    let (router, callbacks) = (router.clone(), Arc::clone(callbacks));
    server.deliver_pgts(move |url| {
        callbacks.lock().unwrap().push(url.clone());
        let request = Request::get(path_of(&url)).body(Body::empty()).unwrap();
        let router = router.clone();
        async move { Page::of(&router, request).await.status.as_u16() }
    });
}

fn pgt_of(callback: &str) -> ProxyGrantingTicket {
    let url = url::Url::parse(callback).unwrap();
    let id = url.query_pairs().find(|(name, _)| name == "pgtId").unwrap();
    ProxyGrantingTicket::parse(&id.1).unwrap()
}

/// R-192, R-200, R-204, R-206: a login brings a proxy-granting ticket, and the session asks with it.
#[tokio::test]
async fn a_handler_calls_another_application_as_the_user() {
    let (lab, callbacks) = proxy(|builder| builder);
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let validation = lab
        .server
        .requests_for(CasPage::P3ServiceValidate)
        .remove(0);
    assert_eq!(validation.parameter("pgtUrl").as_deref(), Some(PGT_URL));
    assert_eq!(callbacks.lock().unwrap().len(), 1);
    for _ in 0..2 {
        let page = browser.go("/ask").await;
        assert_eq!(page.status, StatusCode::OK);
        assert!(page.text().starts_with(&format!("{TARGET}&ticket=PT-")));
    }
    let asked = lab.server.requests_for(CasPage::Proxy).remove(0);
    assert_eq!(asked.parameter("targetService").as_deref(), Some(TARGET));

    // A new id of the session changes nothing, a touch after an hour keeps both.
    for _ in 0..3 {
        lab.clock.advance(Duration::from_hours(1));
        assert_eq!(browser.go("/").await.text(), "alice");
    }
    assert_eq!(browser.go("/ask").await.status, StatusCode::OK);

    // The session at the CAS server has ended: a refusal, and none of its words in the answer.
    lab.server.end_pgts();
    let page = browser.go("/ask").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert_eq!(
        page.text(),
        r#"{"error":"no_proxy_ticket","message":"the other application cannot be called as this user"}"#
    );
    lab.server.fault_once(CasPage::Proxy, Fault::HangUp);
    assert_eq!(browser.go("/ask").await.status, StatusCode::BAD_GATEWAY);
    drop(ticket);
}

/// R-199, R-202: without a ticket the login works, and calling does not.
#[tokio::test]
async fn a_login_without_a_proxy_granting_ticket() {
    let (lab, _) = proxy(|builder| builder);
    let success = |iou: &str| {
        let body = format!(
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
             <cas:user>alice</cas:user>{iou}</cas:authenticationSuccess></cas:serviceResponse>"
        );
        Fault::answer(StatusCode::OK, "application/xml", body)
    };
    for iou in [
        "",
        "<cas:proxyGrantingTicket>PGTIOU-1-neverCame</cas:proxyGrantingTicket>",
    ] {
        lab.server
            .fault_once(CasPage::P3ServiceValidate, success(iou));
        let (mut browser, _) = lab.signed_in("alice").await;
        assert_eq!(browser.go("/").await.text(), "alice");
        assert_eq!(browser.go("/ask").await.status, StatusCode::FORBIDDEN);
    }
    assert!(lab.server.requests_for(CasPage::Proxy).is_empty());

    // R-198: a server that refuses the login for it is shown with its code.
    lab.server.deliver_pgts(|_| async { 500 });
    let mut browser = lab.browser();
    let asked = browser.go("/members").await;
    let (back, _) = lab.log_in(&mut browser, &asked, "alice").await;
    assert!(back.text().contains("INVALID_PROXY_CALLBACK"));
    assert_eq!(browser.session(), None);

    // Without proxying nothing is asked for.
    let lab = Lab::new();
    lab.signed_in("alice").await;
    let validation = lab
        .server
        .requests_for(CasPage::P3ServiceValidate)
        .remove(0);
    assert_eq!(validation.parameter("pgtUrl"), None);
    let page = lab.browser().go(RECEPTOR).await;
    assert_eq!(page.text(), "", "the application's own path");
    assert!(page.headers.get("x-frame-options").is_none());
}

/// R-200: the callback may come to another node than the login.
#[tokio::test]
async fn any_node_may_receive_the_ticket() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let url = format!("sqlite:{}", folder.path().join("nodes.db").display());
    let open = || casque_store::open(&url, Arc::new(clock.clone())).unwrap();
    let (here, _) = proxy_on(clock.clone(), open(), |builder| builder);
    let (there, callbacks) = proxy_on(clock.clone(), open(), |builder| builder);
    receive_at(&here.server, &there.router, &callbacks);
    let (mut browser, _) = here.signed_in("alice").await;
    assert_eq!(callbacks.lock().unwrap().len(), 1);
    assert!(browser.go("/ask").await.text().contains("&ticket=PT-"));

    // S-005, S-077: neither ticket lies in the store in clear.
    drop((here, there));
    let pgt = pgt_of(&callbacks.lock().unwrap()[0]);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let secret = pgt.secret().as_bytes();
        assert!(!bytes.windows(secret.len()).any(|part| part == secret));
        assert!(!bytes.windows(7).any(|part| part == b"PGTIOU-"));
    }
}

/// The ticket goes with the session, whichever way that ends; nothing else is left in the store.
#[tokio::test]
async fn the_ticket_ends_with_the_session() {
    let clock = ManualClock::new();
    let memory = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let (lab, _) = proxy_on(clock.clone(), memory.clone(), |builder| builder);
    let (mut browser, _) = lab.signed_in("alice").await;
    assert!(
        memory.len() >= 4,
        "session, family, ticket and proxy-granting ticket"
    );
    browser.go("/logout").await;
    assert_eq!(memory.len(), 1, "only that the sessions have ended");

    let (browser, ticket) = lab.signed_in("alice").await;
    lab.single_logout(&ticket).await;
    assert_eq!(
        browser.clone().go("/ask").await.location().find("ticket="),
        None
    );
    assert_eq!(memory.len(), 2, "only that the sessions have ended");

    lab.signed_in("alice").await;
    clock.advance(Duration::from_hours(9));
    memory.sweep(100).await.unwrap();
    assert_eq!(memory.len(), 0);
}

/// R-196, R-201, R-203, S-015: what the receptor takes, by GET and POST.
#[tokio::test]
async fn what_the_receptor_takes() {
    let clock = ManualClock::new();
    let memory = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let (lab, _) = proxy_on(clock, memory.clone(), |builder| builder);
    let long = format!("pgtIou=PGTIOU-1-a&pgtId=PGT-1-{}", "a".repeat(2000));
    let huge = "x=1&".repeat(10_000);
    let good = "pgtIou=PGTIOU-1-a&pgtId=PGT-1-b";
    let rows: [(&str, &str, u16, bool); 17] = [
        ("GET", "", 200, false),
        ("GET", "?pgtIou=&pgtId=", 200, false),
        ("GET", "?other=1", 200, false),
        ("HEAD", "", 200, false),
        ("GET", &format!("?{good}"), 200, true),
        ("GET", "?pgtId=TGT-1-phpCAS&pgtIou=PGTIOU-1-a", 200, true),
        ("POST", good, 200, true),
        ("POST", "", 200, false),
        ("POST", &huge, 413, false),
        ("GET", "?pgtIou=PGTIOU-1-a", 400, false),
        (
            "GET",
            "?pgtIou=PGTIOU-1-a&pgtIou=PGTIOU-1-a&pgtId=PGT-1-b",
            400,
            false,
        ),
        ("GET", "?pgtIou=PGTIOU-1-a&pgtId=ST-1-b", 400, false),
        ("GET", "?pgtIou=PGT-1-b&pgtId=PGT-1-b", 400, false),
        (
            "GET",
            "?pgtIou=PGTIOU-..%2F..%2Fetc&pgtId=PGT-1-b",
            400,
            false,
        ),
        (
            "GET",
            "?pgtIou=PGTIOU-%3Cscript%3E&pgtId=PGT-1-b",
            400,
            false,
        ),
        ("GET", &format!("?{long}"), 400, false),
        ("PUT", good, 405, false),
    ];
    for (method, sent, status, kept) in rows {
        let before = memory.len();
        let method: Method = method.parse().unwrap();
        let (target, body) = match method {
            Method::POST | Method::PUT => (RECEPTOR.to_owned(), sent.to_owned()),
            _ => (format!("{RECEPTOR}{sent}"), String::new()),
        };
        let length = body.len().to_string();
        let headers = [("content-type", FORM), ("content-length", &*length)];
        let page = lab
            .browser()
            .send(method, &target, &headers, body.into())
            .await;
        assert_eq!(
            (page.status.as_u16(), page.text()),
            (status, ""),
            "{sent:.80}"
        );
        // One name at a time, so that each row begins with an empty receptor.
        assert_eq!(memory.len() > before, kept, "{sent:.80}");
        lab.clock.advance(Duration::from_mins(2));
        memory.sweep(100).await.unwrap();
    }
}

/// R-201: a name that is taken is not overwritten, and a pair waits for a minute.
#[tokio::test]
async fn a_pair_is_first_come_and_short_lived() {
    for (wait, works) in [(59, true), (60, false)] {
        let (lab, callbacks) = proxy(|builder| builder);
        let waiting = lab.clock.clone();
        let router = lab.router.clone();
        let seen = Arc::clone(&callbacks);
        lab.server.deliver_pgts(move |url| {
            seen.lock().unwrap().push(url.clone());
            let (router, waiting) = (router.clone(), waiting.clone());
            async move {
                let send = |target: String| {
                    Page::of(&router, Request::get(target).body(Body::empty()).unwrap())
                };
                let status = send(path_of(&url)).await.status;
                // Whoever has seen the name cannot put another ticket in its place.
                let (before, _) = path_of(&url)
                    .split_once("&pgtId=")
                    .map(|(a, b)| (a.to_owned(), b.len()))
                    .unwrap();
                assert_eq!(send(format!("{before}&pgtId=PGT-1-evil")).await.status, 200);
                waiting.advance(Duration::from_secs(wait));
                status.as_u16()
            }
        });
        let (mut browser, _) = lab.signed_in("alice").await;
        let page = browser.go("/ask").await;
        assert_eq!(page.status == StatusCode::OK, works, "{wait}");
        if works {
            let asked = lab.server.requests_for(CasPage::Proxy).remove(0);
            let pgt = pgt_of(&callbacks.lock().unwrap()[0]);
            assert_eq!(asked.parameter("pgt").as_deref(), Some(pgt.secret()));
        }
    }
}

/// SC-026, S-015: forged callbacks neither fill the store nor keep a login out.
#[tokio::test]
async fn sc_026_forged_callbacks() {
    let clock = ManualClock::new();
    let memory = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let (lab, _) = proxy_on(clock.clone(), memory.clone(), |builder| builder);
    let flood = |from: u32| {
        let router = lab.router.clone();
        let clock = clock.clone();
        async move {
            for number in from..from + 5_000 {
                let target = format!("{RECEPTOR}?pgtIou=PGTIOU-{number}-forged&pgtId=PGT-1-forged");
                let request = Request::get(target).body(Body::empty()).unwrap();
                assert_eq!(Page::of(&router, request).await.status, StatusCode::OK);
                if number % 100 == 0 {
                    clock.advance(Duration::from_millis(1));
                }
            }
        }
    };
    flood(0).await;
    assert!(memory.len() <= 10_000, "{}", memory.len());
    flood(5_000).await;
    assert!(memory.len() <= 10_000, "{}", memory.len());
    let (mut browser, _) = lab.signed_in("alice").await;
    assert_eq!(browser.go("/ask").await.status, StatusCode::OK);
    clock.advance(Duration::from_mins(1));
    memory.sweep(100_000).await.unwrap();
    assert!(memory.len() <= 8, "{}", memory.len());
}

#[tokio::test]
async fn tickets_from_elsewhere() {
    let (lab, _) = proxy(|builder| builder.pgt_sources(["10.1.0.0/16"]));
    let layer = lab.cas.layer().peer_address(|extensions| {
        let info = extensions.get::<ConnectInfo<std::net::SocketAddr>>();
        info.map(|info| info.0.ip())
    });
    let router = Router::new()
        .fallback(|| async { "application" })
        .layer(layer);
    for (peer, status) in [("10.1.2.3", 200), ("10.2.0.1", 403)] {
        let mut request = Request::get(RECEPTOR).body(Body::empty()).unwrap();
        let address: std::net::SocketAddr = format!("{peer}:80").parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(address));
        assert_eq!(Page::of(&router, request).await.status, status, "{peer}");
    }
    assert_eq!(
        lab.browser().go(RECEPTOR).await.status,
        StatusCode::FORBIDDEN
    );
}

/// As another application calls: no browser, no cookie.
async fn call(lab: &Lab, target: &str, ticket: &ServiceTicket) -> Page {
    let joint = if target.contains('?') { '&' } else { '?' };
    let target = format!("{target}{joint}ticket={}", ticket.secret());
    lab.browser()
        .send(Method::GET, &target, &[], Body::empty())
        .await
}

const PORTAL: &str = "https://portal.example.org/pgt";

/// R-210, S-014: calls come through allowed chains only, for the page that they ask for.
#[tokio::test]
async fn calls_through_allowed_proxies() {
    let lab = Lab::with(|builder| builder.service_base(BASE).allow_proxy_chain([PORTAL]));
    let rows: [(&str, &str, &[&str], u16); 6] = [
        (
            "/members/a?x=a%20b&y",
            "/members/a?x=a%20b&y",
            &[PORTAL],
            200,
        ),
        (
            "/members",
            "/members",
            &["https://other.example.org/pgt"],
            403,
        ),
        ("/members", "/members", &[PORTAL, PORTAL], 403),
        ("/members/b", "/members/a", &[PORTAL], 401),
        ("/members?x=1", "/members", &[PORTAL], 401),
        ("/staff", "/staff", &[PORTAL], 200),
    ];
    for (asked, granted, proxies, status) in rows {
        let service = format!("{BASE}{granted}");
        let ticket = lab.server.grant_proxied(&service, "alice", proxies);
        let page = call(&lab, asked, &ticket).await;
        assert_eq!(page.status, status, "{asked} {proxies:?}: {page:?}");
        assert!(page.headers.get("set-cookie").is_none(), "one request only");
        assert_eq!(page.text().starts_with("alice"), status == 200, "{page:?}");
        assert_eq!(page.header("cache-control"), "no-store");
        // S-003: once.
        assert_eq!(call(&lab, asked, &ticket).await.status, 401);
    }
    assert!(
        lab.server
            .requests_for(CasPage::P3ServiceValidate)
            .is_empty()
    );
    // A rule that does not hold is no reason to let a call in.
    let ticket = lab
        .server
        .grant_proxied(&format!("{BASE}/students"), "alice", &[PORTAL]);
    assert_eq!(call(&lab, "/students", &ticket).await.status, 403);
    // A CAS server that is down, and one that names no proxy.
    let ticket = lab
        .server
        .grant_proxied(&format!("{BASE}/members"), "alice", &[PORTAL]);
    lab.server
        .fault_once(CasPage::P3ProxyValidate, Fault::HangUp);
    assert_eq!(call(&lab, "/members", &ticket).await.status, 502);
    let body = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
                <cas:user>alice</cas:user></cas:authenticationSuccess></cas:serviceResponse>";
    lab.server.fault_once(
        CasPage::P3ProxyValidate,
        Fault::answer(StatusCode::OK, "text/xml", body),
    );
    let page = call(&lab, "/members", &ticket).await;
    assert_eq!(page.status, 401);
    assert!(
        page.header("www-authenticate")
            .starts_with("CAS login_url=")
    );
}

/// S-014, S-054: nobody by default, never a browser, and never at the callback.
#[tokio::test]
async fn who_does_not_come_through_a_proxy() {
    let closed = Lab::new();
    let ticket = closed
        .server
        .grant_proxied(&format!("{BASE}/members"), "alice", &[PORTAL]);
    assert_eq!(call(&closed, "/members", &ticket).await.status, 401);
    assert_eq!(closed.server.open_tickets(), 1, "nobody was asked");

    let lab = Lab::with(|builder| builder.service_base(BASE).allow_any_proxy_chain());
    let grant = |path: &str| {
        lab.server
            .grant_proxied(&format!("{BASE}{path}"), "alice", &[PORTAL])
    };
    let target = format!("/?ticket={}", grant("/").secret());
    assert_eq!(lab.browser().go(&target).await.text(), "nobody");
    let (mut bob, _) = lab.signed_in("bob").await;
    assert_eq!(bob.fetch(&target).await.text(), "bob");
    let mut browser: Browser = lab.browser();
    browser.go("/members").await;
    let page = browser.bring(SERVICE, &grant("/cas/callback")).await;
    assert_eq!(page.service(&lab.server), SERVICE, "the login begins anew");
    assert_eq!(browser.session(), None);
    let st = lab.server.grant(&format!("{BASE}/members"), "alice");
    assert_eq!(
        call(&lab, "/members", &st).await.status,
        401,
        "only proxy tickets"
    );
    let two = format!(
        "/members?ticket=PT-1-a&ticket={}",
        grant("/members").secret()
    );
    assert_eq!(lab.browser().fetch(&two).await.status, 401);
    assert_eq!(call(&lab, "/", &grant("/")).await.text(), "alice");
}

/// R-207: a call can be passed on; the chain grows at its beginning.
#[tokio::test]
async fn a_call_is_passed_on() {
    async fn chain(user: CasUser) -> String {
        format!("{} {}", user.name(), user.session().proxies().join(" "))
    }
    let portals = ServiceRule::regex(r"https://portal\.example\.org/pgt").unwrap();
    let (lab, callbacks) = proxy(|builder| builder.allow_proxy_chain_matching([portals]));
    let ticket = lab
        .server
        .grant_proxied(&format!("{BASE}/ask"), "alice", &[PORTAL]);
    let page = call(&lab, "/ask", &ticket).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert_eq!(callbacks.lock().unwrap().len(), 1);
    let (_, passed) = page.text().split_once("&ticket=").unwrap();
    let mut last = Lab::on(lab.server, lab.clock, lab.store, |builder| {
        builder
            .service_base("https://data.example.org")
            .allow_proxy_chain([PGT_URL, PORTAL])
    });
    last.router = Router::new()
        .route("/api/marks", get(chain))
        .layer(last.cas.layer());
    let ticket = ServiceTicket::parse(passed).unwrap();
    let page = call(&last, &path_of(TARGET), &ticket).await;
    assert_eq!(page.text(), format!("alice {PGT_URL} {PORTAL}"));
}
