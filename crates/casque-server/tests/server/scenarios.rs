//! The scenarios of the hostile corpus, by id. Those of a whole topic are in its module.

use std::{collections::HashSet, time::Duration};

use http::Method;

use crate::{
    corpus,
    house::{House, PASSWORD, Setup, encode, start},
};

const APP: &str = "https://app.example.org/";

/// Where each scenario about a server is tested.
const TESTED: [(&str, &str); 17] = [
    (
        "SC-005",
        "here; the statistics of tickets are in casque-proto",
    ),
    (
        "SC-006",
        "casque-store: a clock that is set back revives nothing",
    ),
    ("SC-007", "here"),
    (
        "SC-013",
        "secrets, and casque: a run at TRACE of the program",
    ),
    ("SC-014", "here"),
    ("SC-016", "throttling"),
    ("SC-017", "throttling"),
    ("SC-018", "password: a full queue; the times are in bench/"),
    ("SC-022", "single_logout"),
    ("SC-034", "here"),
    ("SC-036", "sessions"),
    ("SC-044", "here"),
    ("SC-046", "validation"),
    ("SC-048", "here"),
    ("SC-049", "here"),
    ("SC-050", "here"),
    ("SC-052", "casque-store"),
];

#[test]
fn every_scenario_is_tested_or_named() {
    for row in corpus::hostile("scenario") {
        match TESTED.iter().find(|(id, _)| *id == row.id) {
            Some((id, place)) => println!("{id}: {place}"),
            None => println!(
                "{}: not about what this crate has built: {}",
                row.id, row.input
            ),
        }
    }
}

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
async fn sc_034_a_changed_form_logs_nobody_in() {
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
