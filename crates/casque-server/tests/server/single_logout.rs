//! Services are told, once each, in the background (R-075 to R-082, S-049).

use std::{sync::Arc, time::Duration};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use casque_proto::{LogoutRequest, ServiceRule};
use casque_server::{LogoutType, Service, Services};
use casque_testkit::Breakable;
use tokio::{
    io::AsyncReadExt as _,
    net::TcpListener,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};

use crate::house::{Browser, House, PASSWORD, Setup, code, encode};

/// A service that listens.
pub(crate) struct Target {
    pub(crate) url: String,
    heard: UnboundedReceiver<(String, Bytes)>,
}

impl Target {
    pub(crate) async fn open() -> Self {
        let (tell, heard) = unbounded_channel();
        let router = Router::new().route("/{*path}", post(hear)).with_state(tell);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url: format!("http://{address}/app?page=2"),
            heard,
        }
    }

    /// The body of the first message that has not been looked at.
    pub(crate) fn body(&mut self) -> String {
        let (_, body) = self.heard.try_recv().expect("a message");
        String::from_utf8(body.to_vec()).expect("text")
    }

    /// All tickets heard of so far.
    pub(crate) fn tickets(&mut self) -> Vec<String> {
        let mut tickets = Vec::new();
        while let Ok((content_type, body)) = self.heard.try_recv() {
            assert_eq!(content_type, "application/x-www-form-urlencoded");
            assert!(body.starts_with(b"logoutRequest="));
            let request = LogoutRequest::parse_form_body(&body).expect("a logout request");
            tickets.push(request.session_index().expect("one").secret().to_owned());
        }
        tickets.sort();
        tickets
    }
}

async fn hear(
    State(tell): State<UnboundedSender<(String, Bytes)>>,
    headers: HeaderMap,
    body: Bytes,
) -> &'static str {
    let content_type = headers["content-type"].to_str().expect("a type").to_owned();
    tell.send((content_type, body)).expect("somebody listens");
    "thank you"
}

pub(crate) fn loopback() -> Services {
    Services::new([Service::new("demo", ServiceRule::loopback())])
}

pub(crate) fn house() -> House {
    Setup::new().services(loopback()).build()
}

#[tokio::test]
async fn each_validated_ticket_is_told_once() {
    let mut target = Target::open().await;
    let service = target.url.clone();
    let house = house();
    let mut browser = house.signed_in("alice").await;
    let mut validated = Vec::new();
    for endpoint in ["validate", "serviceValidate", "p3/serviceValidate"] {
        let ticket = browser.ticket_for(&service).await;
        house.browser().validate(endpoint, &service, &ticket).await;
        house.browser().validate(endpoint, &service, &ticket).await;
        validated.push(ticket);
    }
    let _never_validated = browser.ticket_for(&service).await;
    let shown_elsewhere = browser.ticket_for(&service).await;
    house
        .browser()
        .validate("validate", "http://127.0.0.1:1/", &shown_elsewhere)
        .await;

    let mut second = browser.clone();
    let (one, two) = tokio::join!(browser.get("/logout"), second.get("/logout"));
    assert_eq!((one.status.as_u16(), two.status.as_u16()), (200, 200));
    house.server.finish_logout_messages().await;
    validated.sort();
    assert_eq!(target.tickets(), validated);
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    assert!(target.tickets().is_empty(), "nothing twice");
}

#[tokio::test]
async fn tickets_whose_validation_is_refused_are_not_told() {
    //
    let mut target = Target::open().await;
    let service = target.url.clone();
    let house = house();
    let mut browser = house.signed_in("alice").await;
    for (extra, refusal) in [
        ("&renew=true", "INVALID_TICKET"),
        (
            "&pgtUrl=https%3A%2F%2Fapp.example.org%2Fpgt",
            "UNAUTHORIZED_SERVICE_PROXY",
        ),
    ] {
        let ticket = browser.ticket_for(&service).await;
        let path = format!(
            "/serviceValidate?service={}&ticket={ticket}{extra}",
            encode(&service)
        );
        let answer = house.browser().ask(&path).await;
        assert_eq!(code(&answer.body), Some(refusal), "{extra}");
    }
    let told = browser.ticket_for(&service).await;
    let late = browser.ticket_for(&service).await;
    let validate = async |ticket: &str| {
        let browser = house.browser();
        browser.validate("serviceValidate", &service, ticket).await
    };
    assert_eq!(code(&validate(&told).await.body), None);
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    let ended = validate(&late).await;
    assert_eq!(code(&ended.body), Some("INVALID_TICKET"));
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [told], "exactly one");
}

#[tokio::test]
async fn a_renewed_login_keeps_what_the_first_one_opened() {
    let mut target = Target::open().await;
    let service = target.url.clone();
    let house = house();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(&service).await;
    house
        .browser()
        .validate("validate", &service, &ticket)
        .await;
    browser.log_in("alice", PASSWORD, None).await;
    house.server.finish_logout_messages().await;
    assert!(target.tickets().is_empty(), "the person is still there");
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [ticket]);
}

#[tokio::test]
async fn a_renewed_login_that_is_stopped_forgets_no_service() {
    // Whichever call of the store is the last one that works: the browser has the old session or the new one, and at
    // its end the service is told.
    let mut calls = 0;
    loop {
        let mut target = Target::open().await;
        let service = target.url.clone();
        let setup = Setup::new();
        let store = Breakable::on(setup.manual_clock());
        let services = Services::new([Service::new("demo", ServiceRule::loopback())]);
        let house = setup.store(store.shared()).services(services).build();
        let mut browser = house.signed_in("alice").await;
        let ticket = browser.ticket_for(&service).await;
        let validated = house.browser();
        validated.validate("validate", &service, &ticket).await;
        let page = browser.get("/login?renew=1").await;
        store.break_down_after(calls);
        let answer = browser.submit(&page, "alice", PASSWORD, None).await;
        let was_stopped = store.is_broken();
        assert!(was_stopped || answer.sets_tgc(), "{}", answer.body);
        store.repair();
        browser.get("/logout").await;
        house.server.finish_logout_messages().await;
        let mut told = target.tickets();
        told.dedup();
        assert_eq!(told, [ticket], "stopped after {calls} calls");
        if !was_stopped {
            break;
        }
        calls += 1;
    }
    assert!(calls > 10, "a login makes more calls than {calls}");
}

#[tokio::test]
async fn another_person_ends_the_first_ones_services() {
    let mut target = Target::open().await;
    let service = target.url.clone();
    let house = house();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(&service).await;
    house
        .browser()
        .validate("validate", &service, &ticket)
        .await;
    browser.log_in("bob", PASSWORD, None).await;
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [ticket]);
}

#[tokio::test]
async fn a_registered_logout_address_is_used_instead() {
    let mut target = Target::open().await;
    let mut service = Service::new("demo", ServiceRule::loopback());
    service.logout_url = Some(target.url.replace("/app?page=2", "/bye"));
    let house = Setup::new().services(Services::new([service])).build();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for("http://127.0.0.1:1/").await;
    house
        .browser()
        .validate("validate", "http://127.0.0.1:1/", &ticket)
        .await;
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [ticket]);
}

#[tokio::test]
async fn services_that_want_none_or_are_gone_get_none() {
    for gone in [false, true] {
        let mut target = Target::open().await;
        let service = target.url.clone();
        let house = house();
        let mut browser = house.signed_in("alice").await;
        let ticket = browser.ticket_for(&service).await;
        house
            .browser()
            .validate("validate", &service, &ticket)
            .await;
        let mut other = Service::new("demo", ServiceRule::loopback());
        other.enabled = !gone;
        other.logout_type = LogoutType::None;
        let later = Setup::new()
            .services(Services::new([other]))
            .store(house.store.clone())
            .clock(house.clock.clone())
            .folder(house.folder.clone())
            .build();
        let mut same = later.browser();
        same.cookies = browser.cookies.clone();
        assert!(same.get("/login").await.body.contains("alice"));
        same.get("/logout").await;
        later.server.finish_logout_messages().await;
        assert!(target.tickets().is_empty());
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let mut target = Target::open().await;
    let elsewhere = target.url.clone();
    let router = Router::new().fallback(async move || {
        (
            http::StatusCode::TEMPORARY_REDIRECT,
            [("location", elsewhere)],
        )
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let service = format!("http://{}/", listener.local_addr().expect("an address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    let house = house();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(&service).await;
    house
        .browser()
        .validate("validate", &service, &ticket)
        .await;
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    assert!(target.tickets().is_empty());
}

#[tokio::test]
async fn sc_022_logout_does_not_wait_for_services_that_hang() {
    // A service that accepts and says nothing, and one that never stops talking.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let endless = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let mut target = Target::open().await;
    let services = [
        format!("http://{}/", silent.local_addr().expect("an address")),
        format!("http://{}/", endless.local_addr().expect("an address")),
        target.url.clone(),
    ];
    let (tell, mut arrived) = unbounded_channel();
    let also = tell.clone();
    tokio::spawn(async move {
        let (mut stream, _) = silent.accept().await.expect("a connection");
        also.send("silent").expect("somebody listens");
        // Until the server gives up.
        let _ = stream.read_to_end(&mut Vec::new()).await;
        also.send("silent was given up").expect("somebody listens");
    });
    tokio::spawn(async move {
        let (stream, _) = endless.accept().await.expect("a connection");
        tell.send("endless").expect("somebody listens");
        let (mut read, mut write) = stream.into_split();
        tokio::spawn(async move { tokio::io::copy(&mut read, &mut tokio::io::sink()).await });
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n";
        let mut written = 0;
        let mut next = &head[..];
        while tokio::io::AsyncWriteExt::write_all(&mut write, next)
            .await
            .is_ok()
        {
            written += next.len();
            next = &[b'x'; 1024];
        }
        assert!(written < 100_000_000, "{written} bytes were taken");
        tell.send("endless was given up").expect("somebody listens");
    });
    let house = house();
    let mut browser = house.signed_in("alice").await;
    let mut tickets = Vec::new();
    for service in &services {
        let ticket = browser.ticket_for(service).await;
        house.browser().validate("validate", service, &ticket).await;
        tickets.push(ticket);
    }
    let logout = tokio::time::timeout(Duration::from_secs(2), browser.get("/logout"));
    assert_eq!(logout.await.expect("at once").status, 200);
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [tickets[2].clone()]);
    let mut events = Vec::new();
    for _ in 0..4 {
        events.push(arrived.recv().await.expect("an event"));
    }
    events.sort_unstable();
    assert_eq!(
        events,
        [
            "endless",
            "endless was given up",
            "silent",
            "silent was given up"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_logout_in_the_middle_of_a_validation_is_seen_by_one_of_them() {
    // S-007: either the ticket is refused, or the service is told.
    let mut target = Target::open().await;
    let service = target.url.clone();
    let house = Arc::new(house());
    for _ in 0..40 {
        let mut browser = house.signed_in("alice").await;
        let ticket = browser.ticket_for(&service).await;
        let asked = {
            let (house, service, ticket) = (house.clone(), service.clone(), ticket.clone());
            tokio::spawn(async move {
                house
                    .browser()
                    .validate("validate", &service, &ticket)
                    .await
                    .body
            })
        };
        browser.get("/logout").await;
        let accepted = asked.await.expect("no panic").starts_with("yes");
        house.server.finish_logout_messages().await;
        let told = target.tickets() == [ticket];
        assert!(told || !accepted);
    }
}

#[tokio::test]
async fn services_that_hang_do_not_hold_up_others() {
    // S-049
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hanging = format!("http://{}/", silent.local_addr().expect("an address"));
    let mut target = Target::open().await;
    let service = target.url.clone();
    let house = house();
    let mut bob = house.signed_in("bob").await;
    let ticket = bob.ticket_for(&service).await;
    bob.validate("validate", &service, &ticket).await;
    let mut alice = house.signed_in("alice").await;
    for _ in 0..40 {
        let ticket = alice.ticket_for(&hanging).await;
        alice.validate("validate", &hanging, &ticket).await;
    }
    alice.get("/logout").await;
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(silent.accept().await.expect("a connection"));
    }
    bob.get("/logout").await;
    // Well before the first of the others is given up.
    let heard = tokio::time::timeout(Duration::from_secs(3), target.heard.recv());
    assert!(heard.await.expect("in time").is_some());
}

#[tokio::test]
async fn a_script_leaves_no_more_than_its_newest_visits() {
    let mut target = Target::open().await;
    let service = target.url.clone();
    let mut definition = Service::new("demo", ServiceRule::loopback());
    definition.logout_url = Some(service.clone());
    let house = Setup::new().services(Services::new([definition])).build();
    let mut browser = house.signed_in("alice").await;
    let visit = async |browser: &mut Browser, service: &str| {
        let ticket = browser.ticket_for(service).await;
        let answer = browser.validate("validate", service, &ticket).await;
        assert!(answer.body.starts_with("yes"));
        house.clock.advance(Duration::from_millis(1));
        ticket
    };
    // As many services as there are are told; of one, the newest visits.
    let mut expected = Vec::new();
    for n in 0..150 {
        expected.push(visit(&mut browser, &format!("http://127.0.0.1:1/{n}")).await);
    }
    let mut script = Vec::new();
    for _ in 0..300 {
        script.push(visit(&mut browser, &service).await);
    }
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;
    // The last note was one at which the visits were counted.
    let told = target.tickets();
    expected.extend_from_slice(&script[200..]);
    expected.sort();
    assert_eq!(told.len(), 250);
    assert_eq!(told, expected);
}

#[tokio::test]
async fn what_a_server_left_behind_is_told_by_the_next() {
    // Forty tickets of a service that hangs: thirty-two messages are on their way, eight are in the
    // store when the first server's runtime goes, tasks and all.
    let (folder, clock, tickets) = std::thread::spawn(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(leave_eight_behind())
    })
    .join()
    .expect("no panic");

    let mut target = Target::open().await;
    let mut service = Service::new("demo", ServiceRule::loopback());
    service.logout_url = Some(target.url.clone());
    let next = Setup::new().sqlite().folder(folder).clock(clock);
    let house = next.services(Services::new([service])).build();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let server = house.server.clone();
    tokio::spawn(async move { server.serve(listener, None, std::future::pending()).await });
    let mut told = Vec::new();
    for _ in 0..8 {
        let heard = tokio::time::timeout(Duration::from_secs(20), target.heard.recv());
        let (_, body) = heard.await.expect("in time").expect("a message");
        let request = LogoutRequest::parse_form_body(&body).expect("a logout request");
        told.push(request.session_index().expect("one").secret().to_owned());
    }
    house.server.finish_logout_messages().await;
    assert!(target.tickets().is_empty(), "eight and no more");
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 8);
    assert!(told.iter().all(|ticket| tickets.contains(ticket)));
}

async fn leave_eight_behind() -> (
    Arc<tempfile::TempDir>,
    casque_testkit::ManualClock,
    Vec<String>,
) {
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let service = format!("http://{}/", silent.local_addr().expect("an address"));
    let house = Setup::new().sqlite().services(loopback()).build();
    let mut browser = house.signed_in("alice").await;
    let mut tickets = Vec::new();
    for _ in 0..40 {
        let ticket = browser.ticket_for(&service).await;
        house
            .browser()
            .validate("validate", &service, &ticket)
            .await;
        tickets.push(ticket);
    }
    assert_eq!(browser.get("/logout").await.status, 200);
    let mut held = Vec::new();
    for _ in 0..32 {
        held.push(silent.accept().await.expect("a connection"));
    }
    (house.folder.clone(), house.clock.clone(), tickets)
}
