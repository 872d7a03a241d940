//! Services ask other services in a person's name (protocol section 12, S-052, S-053).

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use casque_proto::ServiceRule;
use casque_server::{ProxyPolicy, Service, Services};
use http::Method;
use tokio::sync::Notify;

use crate::{
    corpus::{self, Report},
    house::{Answer, Browser, PASSWORD, Setup, code, encode},
    proxies::{
        APP, APP_PGT, Behaviour, Callback, DISK, ELSEWHERE, MAIL, MAIL_PGT, NOT_FOUND, OK, PUBLIC,
        Village, ask_for_proxy, proxy_ticket, services, validate_for_proxying,
    },
    secrets::Log,
};

const CREATED: Behaviour = Behaviour::Answers("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n");

fn iou(answer: &Answer) -> Option<&str> {
    let (_, rest) = answer.body.split_once("<cas:proxyGrantingTicket>")?;
    rest.split('<').next()
}

fn proxies(answer: &Answer) -> Vec<&str> {
    let hops = answer.body.split("<cas:proxy>").skip(1);
    hops.map(|hop| hop.split('<').next().expect("a text"))
        .collect()
}

#[tokio::test]
async fn a_chain_of_proxies() {
    //
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let (first, answer) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    assert_eq!(first.target, "app.example.org/cas/pgt?x=1&", "R-194");
    assert_eq!(iou(&answer), Some(first.iou.as_str()), "R-125");
    assert!(!answer.body.contains(&first.pgt), "R-125");
    assert!(proxies(&answer).is_empty(), "R-099");

    // Many tickets of one; each is good once and for its service.
    let pt = proxy_ticket(&ask_for_proxy(&alice, &first.pgt, MAIL).await);
    let answer = alice.validate("p3/proxyValidate", MAIL, &pt).await;
    assert!(answer.body.contains("<cas:user>alice<"), "{answer:?}");
    assert_eq!(proxies(&answer), [APP_PGT], "R-126");
    assert!(answer.body.contains("<cas:memberOf>staff<"), "R-209");
    assert!(!answer.body.contains("<cas:mail>"), "R-209");
    assert!(answer.body.contains("<cas:isFromNewLogin>false<"), "R-101");
    let again = alice.validate("proxyValidate", MAIL, &pt).await;
    assert_eq!(code(&again.body), Some("INVALID_TICKET"), "R-222");

    let pt = proxy_ticket(&ask_for_proxy(&alice, &first.pgt, MAIL).await);
    let answer = validate_for_proxying(&alice, "proxyValidate", MAIL, &pt, MAIL_PGT).await;
    assert_eq!(proxies(&answer), [APP_PGT]);
    assert!(!answer.body.contains("cas:attributes"), "R-102");
    let second = village.callback.tickets().await;
    assert_eq!(iou(&answer), Some(second.iou.as_str()));
    assert_ne!(first.pgt, second.pgt);

    let pt = proxy_ticket(&ask_for_proxy(&alice, &second.pgt, DISK).await);
    let path = format!(
        "/proxyValidate?service={}&ticket={pt}&format=json",
        encode(DISK)
    );
    let answer = alice.ask(&path).await;
    let expected = format!("\"proxies\":[\"{MAIL_PGT}\",\"{APP_PGT}\"]");
    assert!(answer.body.contains(&expected), "R-136, R-207: {answer:?}");

    // Up to ten proxies and no more.
    let mut last = second;
    for length in 3..=11 {
        let pt = proxy_ticket(&ask_for_proxy(&alice, &last.pgt, MAIL).await);
        let answer = validate_for_proxying(&alice, "proxyValidate", MAIL, &pt, MAIL_PGT).await;
        assert_eq!(proxies(&answer).len(), length - 1);
        last = village.callback.tickets().await;
    }
    let refused = ask_for_proxy(&alice, &last.pgt, MAIL).await;
    assert_eq!(
        code(&refused.body),
        Some("UNAUTHORIZED_SERVICE_PROXY"),
        "R-208"
    );
}

#[tokio::test]
async fn proxy_tickets_are_as_strict_as_service_tickets() {
    //
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    let service = format!("service={}", encode(MAIL));
    let elsewhere = format!("service={}", encode(DISK));
    for (endpoint, query, refusal) in [
        ("serviceValidate", service.clone(), "INVALID_TICKET"),
        ("p3/serviceValidate", service.clone(), "INVALID_TICKET"),
        ("proxyValidate", elsewhere, "INVALID_SERVICE"),
        (
            "proxyValidate",
            format!("{service}&renew=true"),
            "INVALID_TICKET",
        ),
        (
            "proxyValidate",
            format!("{service}&pgtUrl={}", encode("https://app.example.org/")),
            "INVALID_PROXY_CALLBACK",
        ),
    ] {
        let pt = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await);
        let answer = alice.ask(&format!("/{endpoint}?{query}&ticket={pt}")).await;
        assert_eq!(code(&answer.body), Some(refusal), "{endpoint} {query}");
        let again = alice.validate("proxyValidate", MAIL, &pt).await;
        assert_eq!(code(&again.body), Some("INVALID_TICKET"), "spent: {query}");
    }
    let pt = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await);
    assert_eq!(alice.validate("validate", MAIL, &pt).await.body, "no\n\n");
    let pt = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await);
    village.house.clock.advance(Duration::from_secs(10));
    let late = alice.validate("proxyValidate", MAIL, &pt).await;
    assert_eq!(code(&late.body), Some("INVALID_TICKET"), "R-221");
    assert!(!village.callback.was_called());
}

#[tokio::test]
async fn what_proxy_refuses() {
    // S-005
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    let pgt = format!("pgt={}", delivered.pgt);
    let tgc = alice.cookies["__Host-TGC"].clone();
    let st = alice.ticket_for(APP).await;
    let mail = format!("targetService={}", encode(MAIL));
    let target = |url: &str| format!("{pgt}&targetService={}", encode(url));
    for (query, refusal) in [
        (mail.clone(), "INVALID_REQUEST"),
        (format!("{mail}&pgt=%20"), "INVALID_REQUEST"),
        (pgt.clone(), "INVALID_REQUEST"),
        (
            format!("{}&targetService=x", target(MAIL)),
            "INVALID_REQUEST",
        ),
        (format!("{}&format=yaml", target(MAIL)), "INVALID_REQUEST"),
        (format!("{mail}&pgt=PGT-unknown"), "INVALID_TICKET"),
        (format!("{mail}&pgt={tgc}"), "INVALID_TICKET"),
        (format!("{mail}&pgt={st}"), "INVALID_TICKET"),
        (format!("{mail}&pgt={}", delivered.iou), "INVALID_TICKET"),
        (format!("{mail}&pgt=%00"), "INVALID_TICKET"),
        (
            target("https://unregistered.example/"),
            "UNAUTHORIZED_SERVICE",
        ),
        (target("https://off.example.org/"), "UNAUTHORIZED_SERVICE"),
        (target("https://fresh.example.org/"), "UNAUTHORIZED_SERVICE"),
        (target("imap://mail.example.org/"), "UNAUTHORIZED_SERVICE"),
    ] {
        let answer = alice.ask(&format!("/proxy?{query}")).await;
        assert_eq!(answer.status, 200, "R-011");
        assert!(answer.body.contains("<cas:proxyFailure "), "{answer:?}");
        assert_eq!(code(&answer.body), Some(refusal), "{query}");
    }
    let refused = alice
        .ask(&format!("/proxy?{mail}&pgt=PGT-1&format=JSON"))
        .await;
    let start = "{\"serviceResponse\":{\"proxyFailure\":{\"code\":\"INVALID_TICKET\"";
    assert!(refused.body.starts_with(start), "R-137: {refused:?}");
    let granted = alice
        .ask(&format!("/proxy?{}&format=JSON", target(MAIL)))
        .await;
    let start = "{\"serviceResponse\":{\"proxySuccess\":{\"proxyTicket\":\"PT-";
    assert!(granted.body.starts_with(start), "{granted:?}");
    assert_eq!(
        granted.header("content-type"),
        Some("application/json; charset=UTF-8")
    );
    let path = format!("/proxy?{}", target(MAIL));
    let posted = alice.send(Method::POST, &path, &[], Body::empty()).await;
    assert_eq!(posted.status, 405);

    village.house.people.disable("alice");
    let answer = ask_for_proxy(&alice, &delivered.pgt, MAIL).await;
    assert_eq!(code(&answer.body), Some("UNAUTHORIZED_SERVICE"), "R-186");
}

#[tokio::test]
async fn a_callback_that_does_not_answer_200_fails_the_validation() {
    // SC-023
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    for behaviour in [NOT_FOUND, ELSEWHERE, CREATED, Behaviour::Answers("")] {
        village.callback.behave(behaviour.clone());
        let ticket = alice.ticket_for(APP).await;
        let answer = validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await;
        assert_eq!(
            code(&answer.body),
            Some("INVALID_PROXY_CALLBACK"),
            "{behaviour:?}"
        );
        let delivered = village.callback.tickets().await;
        let granted = ask_for_proxy(&alice, &delivered.pgt, MAIL).await;
        assert_eq!(code(&granted.body), Some("INVALID_TICKET"), "R-198");
        let again = alice.validate("serviceValidate", APP, &ticket).await;
        assert_eq!(code(&again.body), Some("INVALID_TICKET"), "R-095");
    }
    assert_eq!(
        village.world.connected().len(),
        4,
        "no redirect is followed"
    );
    village.callback.behave(OK);

    // Nobody there, nobody who is trusted, and a certificate for somebody else.
    let stranger = Callback::open(&["app.example.org"]).await;
    let other = Callback::plain().await;
    for to in [None, Some(stranger.address), Some(other.address)] {
        let address = "93.184.216.35";
        village.world.name("app.example.org", &[address]);
        if let Some(to) = to {
            village.world.route(&format!("{address}:443"), to);
        }
        let ticket = alice.ticket_for(APP).await;
        let answer = validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await;
        assert_eq!(code(&answer.body), Some("INVALID_PROXY_CALLBACK"), "{to:?}");
    }
    let ticket = alice.ticket_for(DISK).await;
    let answer = validate_for_proxying(&alice, "serviceValidate", DISK, &ticket, APP_PGT).await;
    assert_eq!(
        code(&answer.body),
        Some("UNAUTHORIZED_SERVICE_PROXY"),
        "R-187"
    );
    assert!(!village.callback.was_called());
}

#[tokio::test]
async fn pgt_url_rows() {
    // S-052
    let rows = corpus::hostile("pgt_url");
    let expect_rows = !rows.is_empty();
    let mut report = Report::default();
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    for row in rows {
        village.world.name("app.example.org", &[PUBLIC]);
        if let Some(addresses) = row.input["dns"]["app.example.org"].as_array() {
            let addresses: Vec<&str> = addresses.iter().filter_map(|a| a.as_str()).collect();
            village.world.name("app.example.org", &addresses);
        }
        let before = village.world.connected().len();
        let ticket = alice.ticket_for(APP).await;
        let pgt_url = row.input_str("pgtUrl");
        let answer = validate_for_proxying(&alice, "serviceValidate", APP, &ticket, pgt_url).await;
        let connected = village.world.connected().len() - before;
        let outcome = if row.expected["decision"] == "call" {
            let delivered = village.callback.tickets().await;
            iou(&answer) == Some(delivered.iou.as_str()) && connected == 1
        } else {
            code(&answer.body) == Some("INVALID_PROXY_CALLBACK") && connected == 0
        };
        let outcome = if outcome { Ok(()) } else { Err(answer.body) };
        report.note(&row.id, outcome);
    }
    report.finish(expect_rows);
}

#[tokio::test]
async fn sc_024_the_address_that_was_checked_is_the_one_connected_to() {
    // S-052
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let answers: &[&[&str]] = &[&[PUBLIC], &["127.0.0.1"]];
    village.world.answers("app.example.org", answers);
    let (_, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    assert_eq!(village.world.looked_up(), 1);
    let checked = format!("{PUBLIC}:443").parse().expect("an address");
    assert_eq!(village.world.connected(), [checked]);
    // The next look-up says 127.0.0.1, and then nobody is called.
    let ticket = alice.ticket_for(APP).await;
    let answer = validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await;
    assert_eq!(code(&answer.body), Some("INVALID_PROXY_CALLBACK"));
    assert_eq!(village.world.connected(), [checked]);
}

#[tokio::test]
async fn private_networks_are_called_where_the_service_says_so() {
    // S-052
    for private in [false, true] {
        let mut app = services().by_id("app").expect("registered").clone();
        app.proxy.private = private;
        let mut village = Village::build(Setup::new().services(Services::new([app]))).await;
        village.world.name("app.example.org", &["10.0.0.5"]);
        village
            .world
            .route("10.0.0.5:443", village.callback.address);
        let mut alice = village.house.signed_in("alice").await;
        let ticket = alice.ticket_for(APP).await;
        let answer = validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await;
        assert_eq!(iou(&answer).is_some(), private, "{answer:?}");
        assert_eq!(village.callback.was_called(), private);
    }
}

#[tokio::test]
async fn on_this_machine_for_development() {
    // the network of the machine, by http.
    let rule = ServiceRule::loopback();
    let dev = Service::new("dev", rule).proxying(ProxyPolicy::loopback());
    let house = Setup::new().services(Services::new([dev])).build();
    let mut alice = house.signed_in("alice").await;
    let mut callback = Callback::plain().await;
    let service = "http://127.0.0.1:1/";
    let pgt_url = format!("http://{}/pgt", callback.address);
    let ticket = alice.ticket_for(service).await;
    let answer = validate_for_proxying(&alice, "serviceValidate", service, &ticket, &pgt_url).await;
    let delivered = callback.tickets().await;
    assert_eq!(iou(&answer), Some(delivered.iou.as_str()));
    let pt = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, service).await);
    let answer = alice.validate("proxyValidate", service, &pt).await;
    assert_eq!(proxies(&answer), [pgt_url]);
}

#[tokio::test]
async fn sc_025_slow_callbacks_are_given_up_and_hold_nobody_up() {
    // S-053, SC-025
    let mut village = Village::open().await;
    village.callback.behave(Behaviour::Drips);
    let mut alice = village.house.signed_in("alice").await;
    let mut waiting = Vec::new();
    for _ in 0..100 {
        let ticket = alice.ticket_for(APP).await;
        let alice = alice.clone();
        waiting.push(tokio::spawn(async move {
            validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await
        }));
    }
    // As many as may be are being called.
    for _ in 0..16 {
        village.callback.next().await;
    }
    let quick = async {
        for _ in 0..20 {
            let ticket = alice.ticket_for(APP).await;
            let answer = alice.validate("serviceValidate", APP, &ticket).await;
            assert_eq!(code(&answer.body), None);
        }
    };
    let quick = tokio::time::timeout(Duration::from_secs(3), quick).await;
    quick.expect("others do not wait");
    let all = async {
        for answer in waiting {
            let answer = answer.await.expect("no panic");
            assert_eq!(code(&answer.body), Some("INVALID_PROXY_CALLBACK"));
        }
    };
    let given_up = tokio::time::timeout(Duration::from_secs(8), all).await;
    given_up.expect("five seconds, and what the machine takes");
    // For a while nobody calls it any more, and then it may show that it is better.
    village.callback.behave(OK);
    while village.callback.was_called() {}
    let validate = async |alice: &mut Browser| {
        let ticket = alice.ticket_for(APP).await;
        validate_for_proxying(alice, "serviceValidate", APP, &ticket, APP_PGT).await
    };
    assert_eq!(iou(&validate(&mut alice).await), None);
    assert!(!village.callback.was_called());
    village.house.clock.advance(Duration::from_secs(10));
    assert!(iou(&validate(&mut alice).await).is_some());
}

#[tokio::test]
async fn proxying_ends_with_the_session() {
    //
    let mut village = Village::open().await;
    let hour = Duration::from_hours(1);
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    // Each ticket is a use of the session, to its end after eight hours.
    for _ in 0..7 {
        village.house.clock.advance(hour);
        proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await);
    }
    village.house.clock.advance(hour);
    let answer = ask_for_proxy(&alice, &delivered.pgt, MAIL).await;
    assert_eq!(code(&answer.body), Some("INVALID_TICKET"), "R-223");

    for end in ["logout", "idle", "renew"] {
        let mut alice = village.house.signed_in("alice").await;
        let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
        let pt = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await);
        match end {
            "logout" => drop(alice.get("/logout").await),
            "idle" => village.house.clock.advance(2 * hour),
            _ => drop(alice.log_in("alice", PASSWORD, None).await),
        }
        let answer = ask_for_proxy(&alice, &delivered.pgt, MAIL).await;
        assert_eq!(code(&answer.body), Some("INVALID_TICKET"), "{end}");
        let answer = alice.validate("proxyValidate", MAIL, &pt).await;
        assert_eq!(code(&answer.body), Some("INVALID_TICKET"), "{end}: R-060");
    }
}

#[tokio::test]
async fn a_session_that_ends_during_the_callback_grants_nothing() {
    // S-007
    let mut village = Village::open().await;
    let go = Arc::new(Notify::new());
    village.callback.behave(Behaviour::Waits(go.clone()));
    let mut alice = village.house.signed_in("alice").await;
    let ticket = alice.ticket_for(APP).await;
    let asked = {
        let (alice, ticket) = (alice.clone(), ticket.clone());
        tokio::spawn(async move {
            validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await
        })
    };
    let delivered = village.callback.tickets().await;
    alice.get("/logout").await;
    go.notify_one();
    let answer = asked.await.expect("no panic");
    assert_eq!(code(&answer.body), Some("INVALID_TICKET"), "{answer:?}");
    let answer = ask_for_proxy(&alice, &delivered.pgt, MAIL).await;
    assert_eq!(code(&answer.body), Some("INVALID_TICKET"));
}

#[tokio::test]
async fn what_is_no_longer_allowed_is_not_granted() {
    // the registry as it is now decides.
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    let mut app = services().by_id("app").expect("registered").clone();
    app.proxy = ProxyPolicy::default();
    let later = services()
        .iter()
        .map(|service| match &*service.id {
            "app" => app.clone(),
            _ => service.clone(),
        })
        .collect::<Vec<_>>();
    let house = Setup::new()
        .services(Services::new(later))
        .store(village.house.store.clone())
        .clock(village.house.clock.clone())
        .folder(village.house.folder.clone())
        .build();
    let answer = ask_for_proxy(&house.browser(), &delivered.pgt, MAIL).await;
    assert_eq!(code(&answer.body), Some("UNAUTHORIZED_SERVICE_PROXY"));
}

#[tokio::test]
async fn no_ticket_of_proxying_is_logged() {
    // S-017, R-225
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber("trace"));
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    let pt = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await);
    alice.validate("proxyValidate", MAIL, &pt).await;
    village.callback.behave(NOT_FOUND);
    let ticket = alice.ticket_for(APP).await;
    validate_for_proxying(&alice, "serviceValidate", APP, &ticket, APP_PGT).await;
    let refused = village.callback.tickets().await;
    let text = log.text();
    assert!(text.contains("proxy ticket issued") && text.contains("proxy callback failed"));
    for secret in [delivered.pgt, delivered.iou, pt, refused.pgt, refused.iou] {
        assert!(!text.contains(&secret[..20]), "{secret}");
    }
}

#[tokio::test]
async fn concurrent_uses_of_a_proxy_ticket_succeed_once() {
    //
    let mut village = Village::open().await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    let pt: Arc<str> = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, MAIL).await).into();
    let mut asked = Vec::new();
    for _ in 0..16 {
        let (alice, pt) = (alice.clone(), pt.clone());
        asked.push(tokio::spawn(async move {
            alice.validate("proxyValidate", MAIL, &pt).await
        }));
    }
    let mut successes = 0;
    for answer in asked {
        let answer = answer.await.expect("no panic");
        successes += usize::from(code(&answer.body).is_none());
    }
    assert_eq!(successes, 1);
}
