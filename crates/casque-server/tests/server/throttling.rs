//! Failed logins: per person, per network, across nodes and restarts (S-060).

use std::time::Duration;

use crate::house::{House, PASSWORD, Setup, encode};

const THREE: &str = "[login]\nmax_failures = 3\nmax_failures_per_network = 5\n";

#[tokio::test]
async fn a_person_is_shut_after_too_many_failures_for_a_window() {
    //
    let house = Setup::new().settings(THREE).build();
    for n in 0..3 {
        let mut browser = house.browser().from(&format!("203.0.{n}.1"));
        assert_eq!(browser.log_in("alice", "wrong", None).await.status, 401);
        house.clock.advance(Duration::from_mins(1));
    }
    let mut browser = house.browser().from("192.0.2.1");
    let refused = browser.log_in("alice", PASSWORD, None).await;
    assert_eq!(refused.status, 429);
    // Fifteen minutes from the first failure, three of which have passed.
    assert_eq!(refused.header("retry-after"), Some("720"));
    assert_eq!(house.passwords.hashes(), 3, "nothing is hashed any more");
    assert_eq!(
        browser.log_in("bob", PASSWORD, None).await.status,
        200,
        "others are unaffected"
    );
    house.clock.advance(Duration::from_secs(719));
    let mut browser = house.browser().from("192.0.2.1");
    assert_eq!(browser.log_in("alice", PASSWORD, None).await.status, 429);
    house.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.log_in("alice", PASSWORD, None).await.status, 200);
}

#[tokio::test]
async fn refused_attempts_do_not_lengthen_the_wait() {
    let house = Setup::new().settings(THREE).build();
    for _ in 0..3 {
        house.browser().log_in("alice", "wrong", None).await;
    }
    for _ in 0..10 {
        house.clock.advance(Duration::from_mins(1));
        assert_eq!(
            house.browser().log_in("alice", "wrong", None).await.status,
            429
        );
    }
    house.clock.advance(Duration::from_mins(5));
    assert_eq!(
        house.browser().log_in("alice", PASSWORD, None).await.status,
        200
    );
}

#[tokio::test]
async fn unknown_people_are_throttled_alike() {
    let house = Setup::new().settings(THREE).build();
    let mut pages = Vec::new();
    for name in ["nobody", "alice"] {
        for n in 0..4 {
            let mut browser = house.browser().from(&format!("203.0.{n}.1"));
            let answer = browser.log_in(name, "wrong", None).await;
            let ticket = answer.login_ticket().expect("a form");
            let body = answer.body.replace(&ticket, "LT").replace(name, "NAME");
            pages.push((name, answer.status, body));
        }
    }
    for (known, unknown) in pages[..4].iter().zip(&pages[4..]) {
        assert_eq!((known.1, &known.2), (unknown.1, &unknown.2));
    }
    assert_eq!(pages[3].1, 429);
}

#[tokio::test]
async fn a_network_is_shut_whoever_it_names() {
    let house = Setup::new().settings(THREE).build();
    for n in 0..5 {
        let mut browser = house.browser().from(&format!("203.0.113.{n}"));
        assert_eq!(
            browser
                .log_in(&format!("user{n}"), "wrong", None)
                .await
                .status,
            401
        );
    }
    let mut neighbour = house.browser().from("203.0.113.200");
    assert_eq!(neighbour.log_in("alice", PASSWORD, None).await.status, 429);
    let mut elsewhere = house.browser().from("203.0.114.200");
    assert_eq!(elsewhere.log_in("alice", PASSWORD, None).await.status, 200);
}

#[tokio::test]
async fn counts_hold_across_nodes_and_restarts() {
    let house = Setup::new().sqlite().settings(THREE).build();
    for _ in 0..3 {
        house.browser().log_in("alice", "wrong", None).await;
    }
    let other = Setup::new()
        .sqlite()
        .settings(THREE)
        .folder(house.folder.clone())
        .clock(house.clock.clone())
        .build();
    assert_eq!(
        other.browser().log_in("alice", PASSWORD, None).await.status,
        429
    );
}

#[tokio::test]
async fn successes_are_not_counted() {
    let house = Setup::new().settings(THREE).build();
    for _ in 0..20 {
        assert_eq!(
            house.browser().log_in("alice", PASSWORD, None).await.status,
            200
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_than_the_limit_are_hashed_at_once() {
    let house = Setup::new().settings(THREE).build();
    let mut attempts = Vec::new();
    for n in 0..30 {
        let mut browser = house.browser().from(&format!("203.0.{n}.1"));
        attempts.push(tokio::spawn(async move {
            browser.log_in("alice", "wrong", None).await.status.as_u16()
        }));
    }
    let mut statuses = Vec::new();
    for attempt in attempts {
        statuses.push(attempt.await.expect("no panic"));
    }
    assert!(
        house.passwords.hashes() <= 3,
        "{}",
        house.passwords.hashes()
    );
    assert!(
        statuses.iter().all(|status| [401, 429].contains(status)),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn only_listed_proxies_name_the_client() {
    let lines = format!("trusted_proxies = [\"10.0.0.0/8\"]\n{THREE}");
    let house = Setup::new().settings(&lines).build();
    let attempt = async |peer: &str, forwarded: String| {
        let mut browser = house.browser().from(peer);
        let ticket = browser.get("/login").await.login_ticket().expect("a form");
        let body = format!("lt={ticket}&username=user{forwarded}&password=wrong");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", forwarded.as_str()),
        ];
        browser
            .send(http::Method::POST, "/login", &headers, body.into())
            .await
            .status
            .as_u16()
    };
    // A stranger cannot spread over networks by writing the header.
    let mut statuses = Vec::new();
    for n in 0..6 {
        statuses.push(attempt("203.0.113.1", format!("198.51.{n}.1")).await);
    }
    assert_eq!(statuses, [401, 401, 401, 401, 401, 429]);
    // A proxy is believed, from the right.
    for n in 0..6 {
        assert_eq!(
            attempt("10.0.0.1", format!("1.1.1.1, 198.51.{n}.1")).await,
            401
        );
    }
}

#[tokio::test]
async fn sc_017_a_known_device_lets_its_person_in() {
    let house = Setup::new().settings(THREE).build();
    let mut alice = house.signed_in("alice").await;
    let cookie = alice.cookies["__Host-casque-device"].clone();
    assert!(!cookie.contains("alice"));
    for n in 0..100 {
        house
            .browser()
            .from(&format!("203.0.{n}.1"))
            .log_in("alice", "wrong", None)
            .await;
    }
    assert_eq!(
        house.browser().log_in("alice", PASSWORD, None).await.status,
        429
    );
    let service = "https://app.example.org/";
    assert_eq!(
        alice.log_in("alice", PASSWORD, Some(service)).await.status,
        303
    );

    // It opens nothing for others, is not a way to guess on, and grows old.
    let mut thief = house.browser();
    thief.cookies.insert("__Host-casque-device".into(), cookie);
    for _ in 0..3 {
        assert_eq!(thief.log_in("alice", "wrong", None).await.status, 401);
    }
    assert_eq!(thief.log_in("alice", "wrong", None).await.status, 429);
    let before = house.passwords.hashes();
    for n in 0..4 {
        house
            .browser()
            .from(&format!("203.0.{n}.1"))
            .log_in("bob", "wrong", None)
            .await;
    }
    assert_eq!(house.passwords.hashes(), before + 3);
    assert_eq!(thief.log_in("bob", PASSWORD, None).await.status, 429);
}

#[tokio::test]
async fn sc_016_a_hundred_and_one_addresses() {
    let house = House::new();
    let mut last = 0;
    for n in 0..101 {
        let mut browser = house.browser().from(&format!("10.{n}.0.1"));
        last = browser.log_in("alice", "wrong", None).await.status.as_u16();
    }
    assert_eq!(last, 429);
    assert_eq!(
        house.passwords.hashes(),
        20,
        "max_failures by default, below NIST's 100"
    );
    assert_eq!(
        house.browser().log_in("bob", PASSWORD, None).await.status,
        200
    );
}

#[tokio::test]
async fn attempts_that_are_too_long_are_counted_and_then_spend_nothing() {
    // S-061, S-095
    let house = Setup::new().settings(THREE).build();
    let mut browser = house.browser();
    let mut statuses = Vec::new();
    let mut pages = Vec::new();
    for n in 0..6 {
        let page = browser.get("/login").await;
        let (name, password) = if n % 2 == 0 {
            ("a".repeat(257 + n), "x".to_owned())
        } else {
            (format!("user{n}"), "x".repeat(1025))
        };
        let answer = browser.submit(&page, &name, &password, None).await;
        statuses.push(answer.status.as_u16());
        pages.push(page);
    }
    assert_eq!(statuses, [401, 401, 401, 429, 429, 429]);
    assert_eq!(house.passwords.hashes(), 0);
    // They do not shut out people, and those that were refused have spent no login ticket.
    let spent = browser.submit(&pages[0], "alice", PASSWORD, None).await;
    assert_eq!(spent.status, 403);
    let unspent = browser.submit(&pages[5], "alice", PASSWORD, None).await;
    assert_eq!(unspent.status, 200);
}

#[tokio::test]
async fn a_network_that_is_shut_spends_nothing() {
    let house = Setup::new().settings(THREE).build();
    for n in 0..5 {
        house
            .browser()
            .log_in(&format!("user{n}"), "wrong", None)
            .await;
    }
    let mut browser = house.browser();
    let page = browser.get("/login").await;
    for password in ["wrong".to_owned(), "x".repeat(1025)] {
        let refused = browser.submit(&page, "bob", &password, None).await;
        assert_eq!(refused.status, 429);
    }
    let mut browser = browser.from("192.0.2.1");
    let done = browser.submit(&page, "alice", PASSWORD, None).await;
    assert_eq!(done.status, 200);
}

#[tokio::test]
async fn a_proxy_that_is_not_listed_does_not_shut_everybody_out() {
    // S-060
    let house = Setup::new().settings(THREE).build();
    let attempt = async |name: &str, password: &str| {
        let mut browser = house.browser().from("127.0.0.1");
        let ticket = browser.get("/login").await.login_ticket().expect("a form");
        let body = format!("lt={ticket}&username={name}&password={}", encode(password));
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("x-forwarded-for", "198.51.100.1"),
        ];
        let post = http::Method::POST;
        let answer = browser.send(post, "/login", &headers, body.into()).await;
        answer.status.as_u16()
    };
    for n in 0..10 {
        assert_eq!(attempt(&format!("user{n}"), "wrong").await, 401);
    }
    assert_eq!(attempt("alice", PASSWORD).await, 200, "ten times five");
    // Each person is still guarded, and what is too long is counted.
    for _ in 0..3 {
        assert_eq!(attempt("bob", "wrong").await, 401);
        assert_eq!(attempt(&"a".repeat(300), "wrong").await, 401);
    }
    assert_eq!(attempt("bob", PASSWORD).await, 429);
    assert_eq!(attempt(&"a".repeat(301), "wrong").await, 429);
    // Without the header a loopback peer is a network like any other.
    for n in 0..6 {
        let mut browser = house.browser().from("127.0.0.1");
        let expected = if n < 5 { 401 } else { 429 };
        let answer = browser.log_in(&format!("local{n}"), "wrong", None).await;
        assert_eq!(answer.status, expected);
    }
    // Nor does the header switch the limit off: everybody behind the proxy shares ten times as many.
    // Ten and three of bob and three of nobody have failed so far.
    for n in 16..50 {
        assert_eq!(attempt(&format!("more{n}"), "wrong").await, 401, "{n}");
    }
    assert_eq!(attempt("carol", "wrong").await, 429);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_logins_at_once_than_failures_are_allowed_all_succeed() {
    // One too many waits for those before it; nothing of an attempt stays in the store.
    let house = Setup::new().settings(THREE).build();
    let mut logins = Vec::new();
    for n in 0..12 {
        let mut browser = house.browser().from(&format!("203.0.{n}.1"));
        logins.push(tokio::spawn(async move {
            browser.log_in("alice", PASSWORD, None).await.status
        }));
    }
    for login in logins {
        assert_eq!(login.await.expect("no panic"), 200);
    }
}
