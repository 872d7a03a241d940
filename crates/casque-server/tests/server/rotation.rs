//! The secret of a deployment is changed while people are signed in: nobody notices (S-006, S-007, S-060, S-076).

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use casque_server::{ClaimError, Node, RetireError};
use casque_store::{Clock as _, KeyHasher, SharedStore, open};
use casque_testkit::{
    ManualClock,
    servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer},
};
use http::{Request, StatusCode};
use tower::ServiceExt as _;

use crate::{
    house::{Browser, House, PASSWORD, Setup, encode},
    nodes::{opening, race},
    proxies::{self, MAIL, Village, ask_for_proxy, proxy_ticket, services, validate_for_proxying},
    single_logout::{Target, loopback},
};

const APP: &str = "https://app.example.org/";
const ASKING: &str = "https://asking.example.org/";
const SETTINGS: &str =
    "[login]\nmax_failures = 3\n[sso]\nremember_me = true\nremember_me_lifetime = \"30 d\"\n";
const DAY: Duration = Duration::from_hours(24);

fn old() -> KeyHasher {
    KeyHasher::new(&[1; 32])
}

fn new() -> KeyHasher {
    KeyHasher::new(&[2; 32])
}

/// The nodes of a deployment on one store, as they run side by side at one step or another.
struct Steps {
    old: House,
    /// The old secret first.
    spread: House,
    /// The new one first.
    promoted: House,
    new: House,
}

impl Steps {
    fn new() -> Self {
        Self::of(Setup::new().sqlite(), |setup| setup.settings(SETTINGS))
    }

    fn of(first: Setup, alike: impl Fn(Setup) -> Setup) -> Self {
        let old_house = alike(first).hasher(old()).build();
        let node = |hasher| {
            let setup = Setup::new()
                .store(old_house.store.clone())
                .clock(old_house.clock.clone())
                .people(old_house.people.clone());
            alike(setup).hasher(hasher).build()
        };
        Self {
            spread: node(old().with_second(new())),
            promoted: node(new().with_second(old())),
            new: node(new()),
            old: old_house,
        }
    }
}

async fn is_accepted(node: &House, ticket: &str) -> bool {
    let answer = node.browser().validate("validate", APP, ticket).await;
    answer.body.starts_with("yes\n")
}

/// Whether the session of a browser gets a ticket at one node that is accepted at another, once.
async fn goes_on(browser: &Browser, node: &House, other: &House) -> bool {
    let way_in = format!("/login?service={}", encode(APP));
    let Some(ticket) = browser.at(node).get(&way_in).await.ticket() else {
        return false;
    };
    assert!(is_accepted(other, &ticket).await);
    for node in [node, other] {
        assert!(!is_accepted(node, &ticket).await, "twice");
    }
    true
}

#[tokio::test]
async fn sessions_and_tickets_go_on() {
    let steps = Steps::new();
    let Steps {
        old,
        spread,
        promoted,
        new,
    } = &steps;
    let mut alice = old.signed_in("alice").await;
    let mut bob = old.browser();
    bob.log_in_with("bob", "rememberMe=true").await;
    let in_flight = alice.ticket_for(APP).await;

    // Every pair of nodes that may run side by side.
    for (node, other) in [(old, spread), (spread, promoted), (promoted, promoted)] {
        for browser in [&alice, &bob] {
            assert!(goes_on(browser, node, other).await);
            assert!(goes_on(browser, other, node).await);
        }
    }
    assert!(is_accepted(promoted, &in_flight).await, "R-096");
    assert!(!is_accepted(spread, &in_flight).await, "R-096");

    let carol = promoted.signed_in("bob").await;
    for (node, other) in [(spread, promoted), (promoted, new)] {
        assert!(goes_on(&carol, node, other).await);
        assert!(goes_on(&carol, other, node).await);
    }
    assert!(!goes_on(&alice, new, new).await, "of the old secret");

    // A session outlives the step in which nodes forget who began it, as long as it would have.
    old.clock.advance(29 * DAY);
    assert!(goes_on(&bob, promoted, promoted).await, "remembered, R-062");
    assert!(!goes_on(&alice, promoted, promoted).await);
    old.clock.advance(DAY);
    assert!(!goes_on(&bob, promoted, promoted).await);
}

#[tokio::test]
async fn a_session_still_ends_when_the_password_changes() {
    // S-057
    let Steps { old, promoted, .. } = Steps::new();
    let alice = old.signed_in("alice").await;
    assert!(goes_on(&alice, &promoted, &promoted).await);
    old.people.set_hash("alice", "$argon2id$another".to_owned());
    assert!(!goes_on(&alice, &promoted, &promoted).await);
}

#[tokio::test]
async fn operators_see_and_end_all_sessions() {
    let Steps {
        old,
        spread,
        promoted,
        ..
    } = Steps::new();
    let alice = old.signed_in("alice").await;
    let bob = promoted.signed_in("bob").await;
    for node in [&spread, &promoted] {
        let mut seen = Vec::new();
        let listed = node
            .server
            .each_session(|session| seen.push((session.user, session.id)));
        listed.await.expect("a store");
        seen.sort();
        let users: Vec<&str> = seen.iter().map(|(user, _)| &user[..]).collect();
        assert_eq!(users, ["alice", "bob"]);
        let services = node.server.services_of_session(&seen[0].1).await;
        assert_eq!(services.expect("a store").len(), 0);
    }
    let keys = promoted.server.keys_in_store().await.expect("a store");
    assert_eq!(keys.sessions, [1, 1]);
    for (node, expected) in [(&promoted, 2), (&spread, 1)] {
        let mut ids = Vec::new();
        let listed = node.server.each_session(|session| ids.push(session.id));
        listed.await.expect("a store");
        assert_eq!(ids.len(), expected);
        assert!(node.server.end_session(&ids[0]).await.expect("a store"));
    }
    for browser in [&alice, &bob] {
        assert!(!goes_on(browser, &promoted, &promoted).await);
    }
}

#[tokio::test]
async fn services_visited_at_any_step_are_told_once() {
    //
    let steps = Steps::of(Setup::new().sqlite(), |setup| setup.services(loopback()));
    let Steps {
        old,
        spread,
        promoted,
        ..
    } = &steps;
    let mut target = Target::open().await;
    let alice = old.signed_in("alice").await;
    let mut validated = Vec::new();
    for (node, other) in [
        (old, old),
        (old, spread),
        (spread, promoted),
        (promoted, spread),
    ] {
        let ticket = alice.at(node).ticket_for(&target.url).await;
        let service = other.browser();
        let told = service
            .validate("serviceValidate", &target.url, &ticket)
            .await;
        assert!(told.body.contains("cas:user"));
        validated.push(ticket);
    }
    let (mut here, mut there) = (alice.at(spread), alice.at(promoted));
    tokio::join!(here.get("/logout"), there.get("/logout"));
    spread.server.finish_logout_messages().await;
    promoted.server.finish_logout_messages().await;
    validated.sort();
    assert_eq!(target.tickets(), validated);
}

#[tokio::test]
async fn a_login_ticket_is_spent_once_at_nodes_of_either_order() {
    // R-039, S-054
    let steps = Steps::new();
    for (number, issuer) in [&steps.spread, &steps.promoted]
        .into_iter()
        .cycle()
        .take(16)
        .enumerate()
    {
        let mut browser = issuer.browser();
        let page = browser.get("/login").await;
        let name = ["alice", "bob"][number % 2];
        let (mut here, mut there) = (browser.at(&steps.spread), browser.at(&steps.promoted));
        let (one, two) = tokio::join!(
            here.submit(&page, name, PASSWORD, None),
            there.submit(&page, name, PASSWORD, None),
        );
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 403]);
    }
}

#[tokio::test]
async fn failures_count_at_all_nodes() {
    // S-060
    let Steps {
        old,
        spread,
        promoted,
        ..
    } = Steps::new();
    for (number, node) in [&old, &spread, &promoted].into_iter().enumerate() {
        let mut browser = node.browser().from(&format!("203.0.{number}.1"));
        assert_eq!(browser.log_in("alice", "wrong", None).await.status, 401);
    }
    for node in [&spread, &promoted] {
        let mut browser = node.browser().from("192.0.2.1");
        assert_eq!(browser.log_in("alice", PASSWORD, None).await.status, 429);
    }
}

#[tokio::test]
async fn a_known_browser_is_known_by_the_new_secret_after_its_next_login() {
    // SC-017
    let Steps {
        old, promoted, new, ..
    } = Steps::new();
    let alice = old.signed_in("alice").await;
    let before = alice.cookies["__Host-casque-device"].clone();
    let mut alice = alice.at(&promoted);
    alice.log_in("alice", PASSWORD, None).await;
    let after = alice.cookies["__Host-casque-device"].clone();
    assert_ne!(before, after);
    for node in [&promoted, &new] {
        let answer = alice.at(node).log_in("alice", PASSWORD, None).await;
        assert_eq!(answer.set_cookie("__Host-casque-device"), None);
    }
}

#[tokio::test]
async fn proxy_granting_tickets_go_on() {
    //
    let mut village = Village::build(Setup::new().services(services()).hasher(old())).await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village
        .proxy_granting(&mut alice, proxies::APP, proxies::APP_PGT)
        .await;
    let settings = proxies::trusting(village.house.folder.path(), &village.callback.root);
    let node = |hasher| {
        Setup::new()
            .services(services())
            .store(village.house.store.clone())
            .clock(village.house.clock.clone())
            .folder(village.house.folder.clone())
            .settings(&settings)
            .network(village.world.clone())
            .hasher(hasher)
            .build()
    };
    let spread = node(old().with_second(new()));
    let promoted = node(new().with_second(old()));
    for (node, other) in [(&spread, &promoted), (&promoted, &spread)] {
        let asked = ask_for_proxy(&node.browser(), &delivered.pgt, MAIL).await;
        let ticket = proxy_ticket(&asked);
        let (service, callback) = (other.browser(), proxies::MAIL_PGT);
        let answer =
            validate_for_proxying(&service, "proxyValidate", MAIL, &ticket, callback).await;
        assert!(answer.body.contains("<cas:user>alice<"));
        let again = node
            .browser()
            .validate("proxyValidate", MAIL, &ticket)
            .await;
        assert!(!again.body.contains("<cas:user>"), "R-222");
    }
}

async fn ready(house: &House) -> StatusCode {
    let request = Request::get("/readyz")
        .body(Body::empty())
        .expect("a request");
    let answer = house.server.operation_router().oneshot(request).await;
    answer.expect("an answer").status()
}

#[tokio::test]
async fn a_change_goes_one_safe_step_at_a_time() {
    let steps = Steps::new();
    let nodes = [&steps.old, &steps.spread, &steps.promoted, &steps.new];
    let [mut old, mut spread, mut promoted, mut new] =
        nodes.map(|house| Node::new(house.server.clone()));
    let [old_key, new_key] =
        [self::old(), self::new()].map(|hasher| hasher.fingerprints().remove(0));
    let clock = &steps.old.clock;
    old.announce().await.expect("the first");
    spread.announce().await.expect("it writes what all find");
    let refused = promoted
        .announce()
        .await
        .expect_err("not all would find it");
    assert!(
        matches!(&refused, ClaimError::NewKey { key, nodes: 1 } if *key == new_key),
        "{refused}"
    );
    let refused = new.announce().await.expect_err("it would not find all");
    assert!(matches!(&refused, ClaimError::OtherKey { theirs, .. } if *theirs == old_key));
    let keys = steps.spread.server.keys_in_store().await.expect("a store");
    assert_eq!(keys.nodes.len(), 2, "who was refused is not there");
    assert_eq!(keys.naming.len(), 1, "and names nothing");

    // Consent is given while the old secret is first.
    let mut alice = steps.old.signed_in("alice").await;
    let way_in = format!("/login?service={}", encode(ASKING));
    let page = alice.get(&way_in).await;
    assert!(
        alice
            .send_on(&page, "answer=agree")
            .await
            .ticket()
            .is_some()
    );

    old.withdraw().await.expect("a store");
    promoted.announce().await.expect("all find it now");
    let refused = old.announce().await.expect_err("it does not find all");
    assert!(matches!(&refused, ClaimError::OtherKey { theirs, .. } if *theirs == new_key));
    spread.announce().await.expect("either order");
    for node in [&steps.spread, &steps.promoted] {
        assert!(
            alice.at(node).get(&way_in).await.ticket().is_some(),
            "asked once"
        );
    }
    spread.withdraw().await.expect("a store");

    let retire = |house: &House| {
        let server = house.server.clone();
        async move { server.retire_second_key(["alice", "bob"]).await }
    };
    let last_word = clock.now();
    let RetireError::InUse { key, until } = retire(&steps.promoted).await.expect_err("too early")
    else {
        panic!("another reason");
    };
    assert_eq!(key, old_key);
    assert_eq!(until, last_word + 30 * DAY + Duration::from_secs(90));
    clock.set(until - Duration::from_secs(1));
    promoted.announce().await.expect("still there");
    retire(&steps.promoted).await.expect_err("too early");
    clock.set(until);
    promoted.announce().await.expect("still there");
    new.announce()
        .await
        .expect_err("consents are under the old one");
    // What was stopped in the middle is done again.
    assert_eq!(retire(&steps.promoted).await.expect("in time"), 1);
    assert_eq!(retire(&steps.promoted).await.expect("again"), 0);
    new.announce().await.expect("it finds all");
    old.announce().await.expect_err("retired");
    let refused = spread
        .announce()
        .await
        .expect_err("its file is of the day before");
    assert!(
        matches!(refused, ClaimError::NewKey { nodes: 1, .. }),
        "{refused}"
    );

    // A consent outlives the secret.
    let mut alice = steps.new.signed_in("alice").await;
    assert!(alice.get(&way_in).await.ticket().is_some(), "asked once");
    assert!(matches!(retire(&steps.new).await, Err(RetireError::OneKey)));
}

#[tokio::test]
async fn a_node_that_missed_a_step_is_not_ready() {
    let steps = Steps::new();
    let mut old = Node::new(steps.old.server.clone());
    let mut promoted = Node::new(steps.promoted.server.clone());
    old.announce().await.expect("the first");
    assert_eq!(ready(&steps.old).await, StatusCode::OK);
    // It was asleep for so long that the others took it for gone.
    steps.old.clock.advance(Duration::from_secs(90));
    promoted.announce().await.expect("nobody else is there");
    old.announce()
        .await
        .expect_err("the others write what it does not find");
    assert_eq!(ready(&steps.old).await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready(&steps.promoted).await, StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_in_either_order_on_memory() {
    let clock = ManualClock::new();
    let store = open("memory:", Arc::new(clock.clone())).expect("a store");
    prove(&clock, |_| store.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_in_either_order_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    prove_at(&format!(
        "sqlite:{}",
        folder.path().join("casque.db").display()
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_in_either_order_on_redis() {
    if let Some(server) = RedisServer::start(RedisOptions::default()) {
        prove_at(&format!("{}?timeout=30s", server.url())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_in_either_order_on_postgres() {
    if let Some(server) = PostgresServer::start(PostgresOptions::default()) {
        prove_at(&format!("{}?timeout=30s", server.url())).await;
    }
}

async fn prove_at(url: &str) {
    prove(&ManualClock::new(), opening(url)).await;
}

/// Tickets of two nodes with the secrets in opposite order, each presented to both by eight at the same moment.
async fn prove(clock: &ManualClock, open: impl Fn(&ManualClock) -> SharedStore) {
    let node = |hasher| {
        Setup::new()
            .store(open(clock))
            .clock(clock.clone())
            .hasher(hasher)
            .build()
    };
    let nodes = [
        node(old().with_second(new())),
        node(new().with_second(old())),
    ];
    for signed_in in [
        nodes[0].signed_in("alice").await,
        nodes[1].signed_in("alice").await,
    ] {
        for number in 0..32 {
            let visitor = signed_in.at(&nodes[number % 2]);
            let validators = (0..8)
                .map(|validator| nodes[validator % 2].browser())
                .collect();
            assert_eq!(race(visitor, validators).await, 1);
        }
    }
}
