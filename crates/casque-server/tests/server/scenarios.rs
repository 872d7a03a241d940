//! The scenarios of the hostile corpus, by id. Those of a whole topic are in its module; `docs/conformance.md` lists
//! where each is.

use std::{collections::HashSet, time::Duration};

use casque_server::{HashParams, PasswordCheckerOptions};
use http::Method;
use tokio::task::JoinSet;

use crate::house::{House, PASSWORD, Setup, encode, start};

const APP: &str = "https://app.example.org/";

#[tokio::test]
async fn sc_005_issued_tickets_do_not_repeat() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let mut seen = HashSet::new();
    for _ in 0..5_000 {
        let ticket = browser.ticket_for(APP).await;
        //
        assert_eq!(ticket.len(), 32);
        assert!(
            ticket[3..].bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{ticket}"
        );
        assert!(seen.insert(ticket));
    }
}

#[tokio::test]
async fn sc_007_nodes_whose_clocks_differ() {
    // S-075
    // One store, two nodes: the deadline in the store counts, not the difference of the clocks.
    let fast = Setup::new().sqlite().build();
    let slow_clock = casque_testkit::ManualClock::at(start() - Duration::from_mins(2));
    let slow = Setup::new()
        .sqlite()
        .folder(fast.folder.clone())
        .clock(slow_clock)
        .build();
    fast.clock.advance(Duration::from_mins(2));
    let mut browser = fast.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    let answer = slow.browser().validate("validate", APP, &ticket).await;
    assert_eq!(answer.body, "yes\nalice\n");
}

#[tokio::test]
async fn sc_014_the_session_cookie() {
    // S-056
    let house = House::new();
    let mut browser = house.browser();
    let answer = browser.log_in("alice", PASSWORD, None).await;
    let cookie = answer.set_cookie("__Host-TGC").expect("a cookie");
    let (value, attributes) = cookie.split_once("; ").expect("attributes");
    assert_eq!(attributes, "Path=/; Secure; HttpOnly; SameSite=Lax");
    assert!(
        value.len() > "__Host-TGC=TGT-".len() + 43,
        "256 bits and more"
    );
    for cookie in answer.headers.get_all("set-cookie") {
        let cookie = cookie.to_str().expect("text");
        assert!(
            cookie.starts_with("__Host-") && cookie.contains("; HttpOnly"),
            "{cookie}"
        );
    }
}

#[tokio::test]
async fn sc_018_a_crowd_at_the_login_does_not_stop_validation() {
    // S-061: one worker and two places, for twelve logins that cost a whole hash each.
    let mut options = PasswordCheckerOptions::default();
    options.workers = 1;
    options.queue = 2;
    options.decoy = HashParams::default();
    let house = Setup::new().passwords(options).build();
    let mut browser = house.signed_in("alice").await;
    let mut tickets = Vec::new();
    for _ in 0..12 {
        tickets.push(browser.ticket_for(APP).await);
    }
    let mut crowd = JoinSet::new();
    for n in 0..12 {
        let mut browser = house.browser().from(&format!("10.{n}.0.1"));
        let page = browser.get("/login").await;
        crowd.spawn(async move {
            let answer = browser.submit(&page, "nobody", "wrong", None).await;
            (browser, page, answer)
        });
    }
    let hashes_before = house.passwords.hashes();
    let (mut tried, mut turned_away) = (0, Vec::new());
    while let Some(attempt) = crowd.join_next().await {
        let (browser, page, answer) = attempt.expect("no panic");
        match answer.status.as_u16() {
            401 => tried += 1,
            503 => {
                assert!(answer.header("retry-after").is_some());
                assert!(!answer.sets_tgc());
                turned_away.push((browser, page));
            }
            other => panic!("{other}"),
        }
        let ticket = tickets.pop().expect("one for each");
        let told = house.browser().validate("validate", APP, &ticket).await;
        assert_eq!(told.body, "yes\nalice\n");
    }
    assert!(
        tried >= 2 && !turned_away.is_empty(),
        "{tried} tried, {} turned away",
        turned_away.len()
    );
    assert_eq!(house.passwords.hashes(), hashes_before + tried);
    // Being turned away was no attempt: it left nothing in the store, and the form is still good.
    for (mut browser, page) in turned_away {
        let answer = browser.submit(&page, "nobody", "wrong", None).await;
        assert_eq!(answer.status, 401);
    }
}

#[tokio::test]
async fn sc_034_a_changed_form_logs_nobody_in() {
    // S-044
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/login").await;
    let ticket = page.login_ticket().expect("a form");
    let flow = browser.cookies["__Host-casque-flow"].clone();
    let mut changed = Vec::new();
    for text in [&ticket, &flow] {
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            changed.push(String::from_utf8(bytes).expect("ASCII"));
            changed.push(text[..at].to_owned());
            changed.push(format!("{}{}", &text[..at], &text[at + 1..]));
        }
        changed.extend([format!("{text}0"), format!("{text}-"), text.to_uppercase()]);
    }
    changed.extend([flow.clone(), String::new()]);
    let mut tried = 0;
    for value in &changed {
        for (lt, cookie) in [
            (value, &flow),
            (&ticket, value),
            (value, value),
            (&flow, &ticket),
        ] {
            if (lt, cookie) == (&ticket, &flow) {
                continue;
            }
            let mut attacker = house.browser();
            attacker
                .cookies
                .insert("__Host-casque-flow".into(), cookie.clone());
            let form = format!("lt={lt}&username=alice&password={}", encode(PASSWORD));
            let answer = attacker.post("/login", &form).await;
            assert_eq!(answer.status, 403, "{lt} {cookie}");
            assert!(!answer.sets_tgc());
            tried += 1;
        }
    }
    assert!(tried > 1000);
    assert_eq!(house.passwords.hashes(), 0);
    assert_eq!(
        browser.submit(&page, "alice", PASSWORD, None).await.status,
        200
    );
}

#[tokio::test]
async fn sc_044_no_page_shows_in_a_frame() {
    // R-013, S-043, S-058
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for path in [
        "/login",
        "/login?renew=1",
        "/login?service=x",
        "/nowhere",
        "/logout",
    ] {
        let answer = browser.get(path).await;
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("frame-ancestors 'none'"),
            "{path}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("strict-transport-security", "max-age=31536000"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}");
        }
    }
}

#[tokio::test]
async fn sc_048_there_is_no_impersonation() {
    // S-068
    let house = House::new();
    let mut browser = house.browser();
    for name in ["bob+alice", "alice\\bob", "su=alice"] {
        assert_eq!(
            browser.log_in(name, PASSWORD, None).await.status,
            401,
            "{name}"
        );
    }
    let page = browser.get("/login").await;
    let ticket = page.login_ticket().expect("a form");
    let body = format!(
        "lt={ticket}&username=bob&password={}&su=alice",
        encode(PASSWORD)
    );
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("x-impersonate", "alice"),
    ];
    let answer = browser
        .send(Method::POST, "/login?su=alice", &headers, body.into())
        .await;
    assert!(answer.body.contains("bob") && !answer.body.contains("alice"));
}

#[tokio::test]
async fn sc_049_nothing_is_cached() {
    // R-012, S-072
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for path in [
        "/login".to_owned(),
        format!("/login?service={}", encode(APP)),
        "/login?service=x".to_owned(),
        "/serviceValidate".to_owned(),
        "/validate".to_owned(),
        "/nowhere".to_owned(),
        "/logout".to_owned(),
    ] {
        let answer = browser.get(&path).await;
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("pragma"), Some("no-cache"), "{path}");
        assert!(
            answer.header("expires").expect("an end").contains("1970"),
            "{path}"
        );
        assert_eq!(answer.header("vary"), Some("Cookie"), "{path}");
    }
}

#[tokio::test]
async fn sc_050_no_token_of_another_kind_is_a_ticket() {
    // S-073
    let house = House::new();
    let jwt = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.";
    for ticket in [jwt.to_owned(), format!("ST-{jwt}")] {
        let answer = house
            .browser()
            .validate("serviceValidate", APP, &ticket)
            .await;
        assert!(answer.body.contains("INVALID_TICKET"), "{}", answer.body);
    }
}
