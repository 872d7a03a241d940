//! S-047 to S-050: single logout, by the back channel.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, SET_COOKIE};
use axum::http::{Method, Request, StatusCode};
use casque_proto::{LogoutRequest, ServiceTicket};
use casque_store::MemoryStore;
use casque_testkit::{FakeCas, Fault, Gate, ManualClock, Page as CasPage};

use crate::sessions::labs;
use crate::support::{BASE, Browser, CALLBACK, FORM, Lab, Page, SERVICE};

/// S-047, S-081: `slo_request` rows through the layer.
#[tokio::test]
async fn slo_request_rows() {
    let mut report = crate::corpus::Report::default();
    let rows = crate::corpus::hostile("slo_request");
    let sessions = crate::corpus::fixtures()["slo_sessions"].clone();
    for row in &rows {
        let lab = Lab::new();
        let mut browsers = Vec::new();
        for (ticket, name) in sessions.as_object().unwrap() {
            let name = name.as_str().unwrap();
            browsers.push((name, signed_in_with(&lab, ticket, name).await));
        }
        let body = match &row.bytes {
            Some(document) => {
                let copies = row.input["copies"].as_u64().unwrap();
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                for _ in 0..copies {
                    form.append_pair(
                        row.input_str("param"),
                        std::str::from_utf8(document).unwrap(),
                    );
                }
                form.finish()
            }
            None => row.input_str("body").to_owned(),
        };
        let method: Method = row.input_str("method").parse().unwrap();
        let (target, sent) = if method == Method::GET {
            (format!("{}?{body}", row.input_str("path")), String::new())
        } else {
            (row.input_str("path").to_owned(), body)
        };
        let headers = [(CONTENT_TYPE.as_str(), row.input_str("content_type"))];
        let page = lab
            .browser()
            .send(method, &target, &headers, sent.clone().into())
            .await;
        match row.expected["http"].as_u64() {
            Some(status) => {
                report.check(&row.id, &u64::from(page.status.as_u16()), &status);
                report.check(&row.id, &page.text(), &"");
            }
            // The application echoes what reached it.
            None => report.check(
                &row.id,
                &(page.status, page.text()),
                &(StatusCode::OK, &*sent),
            ),
        }
        let mut terminated = Vec::new();
        for (name, mut browser) in browsers {
            if browser.go("/").await.text() == "nobody" {
                terminated.push(name);
            }
        }
        let expected: Vec<_> = row.expected["terminated"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v.as_str().unwrap())
            .collect();
        report.check(&row.id, &terminated, &expected);
    }
    report.finish(!rows.is_empty());
}

/// A browser whose session began with this very ticket.
async fn signed_in_with(lab: &Lab, ticket: &str, user: &str) -> Browser {
    let body = format!(
        "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
         <cas:user>{user}</cas:user></cas:authenticationSuccess></cas:serviceResponse>"
    );
    lab.server.fault_once(
        CasPage::P3ServiceValidate,
        Fault::answer(StatusCode::OK, "application/xml", body),
    );
    let mut browser = lab.browser();
    browser.go("/members").await;
    browser
        .bring(SERVICE, &ServiceTicket::parse(ticket).unwrap())
        .await;
    assert_eq!(browser.go("/").await.text(), user);
    browser
}

/// The session is gone with the next request, and only that one.
#[tokio::test]
async fn it_ends_the_session_at_once() {
    for (lab, _folder) in labs() {
        let (mut one, ticket) = lab.signed_in("alice").await;
        let (mut other, _) = lab.signed_in("alice").await;
        assert_eq!(lab.single_logout(&ticket).await.status, StatusCode::OK);
        assert_eq!(one.go("/").await.text(), "nobody");
        assert_eq!(one.go("/members").await.service(&lab.server), SERVICE);
        assert_eq!(other.go("/").await.text(), "alice");
    }
}

/// a new id does not break single logout, however often it changes.
#[tokio::test]
async fn it_ends_the_session_after_its_id_changed() {
    for (lab, _folder) in labs() {
        let (mut browser, ticket) = lab.signed_in("alice").await;
        for _ in 0..3 {
            let old = browser.clone();
            assert!(rotate(&lab, &mut browser).await);
            assert_ne!(browser.session(), old.session());
            assert_eq!(browser.go("/members").await.text(), "alice staff,admin");
            assert_eq!(
                old.clone().go("/").await.text(),
                "nobody",
                "the old id is worth nothing"
            );
            assert!(
                !rotate(&lab, &mut old.clone()).await,
                "and gives no new one"
            );
        }
        lab.single_logout(&ticket).await;
        assert_eq!(browser.go("/").await.text(), "nobody");
        assert!(!rotate(&lab, &mut browser).await);
    }
}

async fn rotate(lab: &Lab, browser: &mut Browser) -> bool {
    let cookie = format!("__Host-casque={}", browser.session().unwrap());
    let (parts, ()) = Request::get("/")
        .header("cookie", cookie)
        .body(())
        .unwrap()
        .into_parts();
    let Some(cookie) = lab.cas.rotate(&parts).await.unwrap() else {
        return false;
    };
    let text = cookie.to_str().unwrap();
    let value = text
        .strip_prefix("__Host-casque=")
        .unwrap()
        .split(';')
        .next()
        .unwrap();
    browser
        .jar
        .insert("__Host-casque".to_owned(), value.to_owned());
    true
}

/// Id changes race with the message: nothing survives it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_id_survives_a_race_with_single_logout() {
    for (lab, _folder) in labs() {
        for _ in 0..20 {
            let (browser, ticket) = lab.signed_in("alice").await;
            let mut rotated = browser.clone();
            let (_, changed) = tokio::join!(lab.single_logout(&ticket), rotate(&lab, &mut rotated));
            assert_eq!(browser.clone().go("/").await.text(), "nobody");
            if changed {
                assert_eq!(rotated.go("/").await.text(), "nobody");
            }
        }
    }
}

/// a message that comes between the CAS server's answer and the session is not lost; a ticket
/// stays known as long as its session.
#[tokio::test]
async fn it_is_not_overtaken_by_the_login() {
    for (lab, _folder) in labs() {
        let mut browser = lab.browser();
        browser.go("/members?a=1").await;
        let ticket = lab.server.grant(SERVICE, "alice");
        let gate = Gate::new();
        let held = Fault::Hold(gate.clone());
        lab.server.fault_once(CasPage::P3ServiceValidate, held);
        let (back, ()) = tokio::join!(browser.bring(SERVICE, &ticket), async {
            gate.arrived(1).await;
            assert_eq!(lab.single_logout(&ticket).await.status, StatusCode::OK);
            gate.open();
        });
        assert_eq!(back.location(), format!("{BASE}/members?a=1"));
        assert_eq!(browser.session(), None);
        assert_eq!(browser.go("/").await.text(), "nobody");

        let (mut browser, ticket) = lab.signed_in("alice").await;
        lab.clock.advance(std::time::Duration::from_hours(1));
        assert_eq!(browser.go("/").await.text(), "alice");
        lab.single_logout(&ticket).await;
        assert_eq!(browser.go("/").await.text(), "nobody");
    }
}

/// S-048: neither forged messages nor refused tickets leave anything in the store.
#[tokio::test]
async fn strangers_do_not_fill_the_store() {
    let clock = ManualClock::new();
    let memory = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let lab = Lab::on(FakeCas::start(), clock, memory.clone(), |builder| {
        builder.service_base(BASE)
    });
    for number in 0..20 {
        let forged = ServiceTicket::parse(&format!("ST-{number}-forged")).unwrap();
        lab.single_logout(&forged).await;
        let mut browser = lab.browser();
        browser.go("/members").await;
        browser.bring(SERVICE, &forged).await;
    }
    assert_eq!(
        lab.server.requests_for(CasPage::P3ServiceValidate).len(),
        20
    );
    assert_eq!(memory.len(), 0);
}

/// SC-019, S-047, S-048, R-090, R-092: forged messages end nothing, and are answered like true ones.
#[tokio::test]
async fn sc_019_forged_messages() {
    let lab = Lab::new();
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let mut seed = 0_u8;
    let mut answers = Vec::new();
    for _ in 0..2000 {
        let mut fill = |bytes: &mut [u8]| {
            for byte in bytes {
                seed = seed.wrapping_mul(167).wrapping_add(41);
                *byte = seed;
            }
        };
        let forged = ServiceTicket::generate(&mut fill);
        answers.push(lab.single_logout(&forged).await);
    }
    assert_eq!(browser.go("/").await.text(), "alice");
    let valid = lab.single_logout(&ticket).await;
    for forged in answers {
        assert_eq!(forged.status, valid.status);
        assert_eq!(forged.headers, valid.headers);
        assert_eq!(forged.body, valid.body);
    }
    assert!(valid.headers.get(SET_COOKIE).is_none());
    assert_eq!(browser.go("/").await.text(), "nobody");
}

/// SC-020: only from where it may come, where that is set.
#[tokio::test]
async fn sc_020_single_logout_from_elsewhere() {
    let lab = Lab::with(|builder| {
        builder
            .service_base(BASE)
            .slo_sources(["10.1.0.0/16", "2001:db8::7"])
    });
    let layer = lab.cas.layer().peer_address(|extensions| {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    });
    let router = axum::Router::new()
        .layer(layer)
        .fallback(|| async { "application" });
    let router = router.layer(lab.cas.layer().peer_address(|extensions| {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0.ip())
    }));
    for (peer, ended) in [
        (Some("10.1.2.3"), true),
        (Some("2001:db8::7"), true),
        (Some("10.2.0.1"), false),
        (Some("127.0.0.1"), false),
        (None, false),
    ] {
        let (mut browser, ticket) = lab.signed_in("alice").await;
        let body = LogoutRequest::to_form_body("LR-1", std::time::SystemTime::UNIX_EPOCH, &ticket);
        let mut request = Request::post(CALLBACK)
            .header(CONTENT_TYPE, FORM)
            .header("x-forwarded-for", "10.1.2.3")
            .body(Body::from(body))
            .unwrap();
        if let Some(peer) = peer {
            let address = SocketAddr::new(peer.parse::<IpAddr>().unwrap(), 4711);
            request.extensions_mut().insert(ConnectInfo(address));
        }
        let page = Page::of(&router, request).await;
        let status = if ended {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(page.status, status, "{peer:?}");
        let user = browser.go("/").await;
        assert_eq!(user.text() == "nobody", ended, "{peer:?}");
    }
}

/// The callback path only: elsewhere a message is an ordinary form.
#[tokio::test]
async fn it_is_received_on_the_callback_path_only() {
    let lab = Lab::new();
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let body = LogoutRequest::to_form_body("LR-1", std::time::SystemTime::UNIX_EPOCH, &ticket);
    for target in ["/echo", "/", "/login", "/cas/callback/", "/cas/Callback"] {
        lab.browser().post(target, FORM, body.clone()).await;
        assert_eq!(browser.go("/").await.text(), "alice", "{target}");
    }
    let page = lab.browser().post("/echo", FORM, body.clone()).await;
    assert_eq!(page.text(), body);
}

/// through the browser, where that is switched on; compressed, with a cap.
#[tokio::test]
async fn through_the_browser() {
    let unfolds_to_10_mib = || {
        use std::io::Write as _;
        let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
        deflate.write_all(&vec![b' '; 10 << 20]).unwrap();
        let text = base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD,
            deflate.finish().unwrap(),
        );
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("logoutRequest", &text)
            .finish()
    };
    let lab = Lab::with(|builder| {
        builder
            .service_base(BASE)
            .slo_sources(["10.1.0.0/16"])
            .slo_front_channel(true)
    });
    let off = Lab::new();
    let query = |ticket| {
        LogoutRequest::to_front_channel_query("LR-1", std::time::SystemTime::UNIX_EPOCH, ticket)
    };
    let (mut alice, ticket) = lab.signed_in("alice").await;
    let (mut other, _) = lab.signed_in("alice").await;
    for (target, status) in [
        (
            format!("{CALLBACK}?{}", unfolds_to_10_mib()),
            StatusCode::BAD_REQUEST,
        ),
        (
            format!("{CALLBACK}?{0}&{0}", query(&ticket)),
            StatusCode::BAD_REQUEST,
        ),
        (
            format!("{CALLBACK}?logoutRequest=%00"),
            StatusCode::BAD_REQUEST,
        ),
        (format!("/other?{}", query(&ticket)), StatusCode::OK),
    ] {
        let page = lab.browser().fetch(&target).await;
        assert_eq!((page.status, page.text()), (status, ""), "{target:.80}");
        assert_eq!(alice.go("/").await.text(), "alice", "{target:.80}");
    }
    let script = format!("{CALLBACK}?callback=jQuery1.f&_=1&{}", query(&ticket));
    let page = lab.browser().fetch(&script).await;
    assert_eq!(
        (page.text(), page.header("content-type")),
        ("jQuery1.f();", "application/javascript")
    );
    assert_eq!(alice.go("/").await.text(), "nobody");
    assert_eq!(other.go("/").await.text(), "alice");
    // Known or unknown, the answer is the same; an odd function is not called.
    let known = lab.browser().fetch(&script).await;
    assert_eq!((known.body, known.headers), (page.body, page.headers));
    let odd = format!("{CALLBACK}?callback=alert(1)&{}", query(&ticket));
    assert_eq!(lab.browser().fetch(&odd).await.text(), "");

    let (mut bob, ticket) = off.signed_in("bob").await;
    off.browser()
        .go(&format!("{CALLBACK}?{}", query(&ticket)))
        .await;
    assert_eq!(bob.go("/").await.text(), "bob", "off by default");
    // The compressed form by POST: from where single logout may come, and only where this is on.
    let page = off.browser().post(CALLBACK, FORM, query(&ticket)).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert_eq!(bob.go("/").await.text(), "bob");
    let on = Lab::with(|builder| builder.service_base(BASE).slo_front_channel(true));
    let (mut bob, ticket) = on.signed_in("bob").await;
    on.browser().post(CALLBACK, FORM, query(&ticket)).await;
    assert_eq!(bob.go("/").await.text(), "nobody");
}

/// A body that is the document itself counts where it is asked for; any other XML is the application's.
#[tokio::test]
async fn as_a_document_without_a_form() {
    for on in [false, true] {
        let lab = Lab::with(|builder| builder.service_base(BASE).slo_raw_xml(on));
        let (mut browser, ticket) = lab.signed_in("alice").await;
        let xml = LogoutRequest::to_xml("LR-1", std::time::SystemTime::UNIX_EPOCH, &ticket);
        let order = "<order><item/></order>";
        let page = lab.browser().post(CALLBACK, "text/xml", order).await;
        assert_eq!(page.text(), order, "every byte reaches the application");
        let page = lab.browser().post(CALLBACK, "text/xml", xml.clone()).await;
        let ended = browser.go("/").await.text() == "nobody";
        assert_eq!((ended, page.text() == xml), (on, !on));
        let page = lab.browser().post(CALLBACK, "text/xml", "<broken").await;
        let status = if on { 400 } else { 200 };
        assert_eq!(page.status, status);
    }
}

/// two devices and ten services; each message ends the session that its ticket began, and no other.
#[tokio::test]
async fn two_devices_and_ten_services() {
    let server = FakeCas::start();
    let clock = ManualClock::new();
    let mut services: Vec<(Lab, Vec<(Browser, ServiceTicket)>, String)> = Vec::new();
    for number in 0..10 {
        let base = format!("https://app{number}.example.org");
        // Half of them share a store, as nodes and applications of one house may.
        let store = match services.last() {
            Some((lab, _, _)) if number < 5 => lab.store.clone(),
            _ => Arc::new(MemoryStore::new(Arc::new(clock.clone()))) as _,
        };
        let lab = Lab::on(FakeCas::start(), clock.clone(), store, |builder| {
            builder
                .provider(server.base_url())
                .service_base(base.clone())
                .key(casque_axum::SecretKey::generate())
        });
        let mut devices = Vec::new();
        for _ in 0..2 {
            let mut browser = lab.browser();
            let sent = browser.go("/members").await;
            let service = format!("{base}{CALLBACK}");
            assert!(sent.location().starts_with(server.base_url()));
            let ticket = server.grant(&service, "alice");
            browser.bring(&service, &ticket).await;
            assert_eq!(browser.go("/").await.text(), "alice");
            devices.push((browser, ticket));
        }
        services.push((lab, devices, base));
    }
    for told in 0..services.len() {
        let ticket = services[told].1[0].1.clone();
        // Told to the wrong service first: nothing happens there.
        let wrong = (told + 1) % services.len();
        for (index, expected) in [(wrong, ["alice", "alice"]), (told, ["nobody", "alice"])] {
            let (lab, devices, base) = &mut services[index];
            assert_eq!(lab.single_logout(&ticket).await.status, StatusCode::OK);
            let already = index < told;
            for ((browser, _), user) in devices.iter_mut().zip(expected) {
                let seen = browser.go("/").await;
                assert!(already || seen.text() == user, "{base}: {}", seen.text());
            }
        }
    }
    for (_, devices, base) in &mut services {
        assert_eq!(devices[0].0.go("/").await.text(), "nobody", "{base}");
        assert_eq!(devices[1].0.go("/").await.text(), "alice", "{base}");
    }
}

/// Each outcome has a line of its own in the log, without the ticket.
#[test]
fn a_line_in_the_log_for_each_outcome() {
    let captured = crate::support::Captured::default();
    let writer = captured.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let ticket = tracing::subscriber::with_default(subscriber, || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async {
            let lab = Lab::new();
            let (_, ticket) = lab.signed_in("alice").await;
            for outcome in ["ended a session", "has no session here"] {
                captured.clear();
                lab.single_logout(&ticket).await;
                assert!(captured.text().contains(outcome), "{}", captured.text());
            }
            captured.clear();
            lab.browser().post(CALLBACK, FORM, "logoutRequest=x").await;
            assert!(captured.text().contains("refused"), "{}", captured.text());
            ticket
        })
    });
    let (_, secret) = ticket.secret().rsplit_once('-').unwrap();
    assert!(!captured.text().contains(secret));
}
