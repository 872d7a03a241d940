//! S-047, S-050: three nodes of an application on one store. What one of them is told holds on all.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use casque_axum::Cas;
use casque_proto::LogoutRequest;
use casque_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use casque_testkit::{FakeCas, ManualClock};

use crate::support::{BASE, Browser, CALLBACK, FORM, KEY, Lab, router};

const NODES: usize = 3;

#[tokio::test]
async fn on_redis() {
    if let Some(server) = RedisServer::start(RedisOptions::default()) {
        a_logout_told_to_one_ends_the_session_on_all(&server.url()).await;
    }
}

#[tokio::test]
async fn on_postgres() {
    if let Some(server) = PostgresServer::start(PostgresOptions::default()) {
        a_logout_told_to_one_ends_the_session_on_all(&server.url()).await;
    }
}

async fn a_logout_told_to_one_ends_the_session_on_all(url: &str) {
    let clock = ManualClock::new();
    let open = || casque_store::open(url, Arc::new(clock.clone())).unwrap();
    let lab = Lab::on(FakeCas::start(), clock.clone(), open(), |builder| {
        builder.service_base(BASE)
    });
    let mut nodes = vec![lab.router.clone()];
    for _ in 1..NODES {
        let cas = Cas::builder()
            .provider(lab.server.base_url())
            .service_base(BASE)
            .key(KEY)
            .store(open())
            .clock(Arc::new(clock.clone()))
            .build()
            .unwrap();
        nodes.push(router(&cas));
    }
    for teller in 0..NODES {
        let (alice, ticket) = lab.signed_in("alice").await;
        let (bob, _) = lab.signed_in("bob").await;
        assert_eq!(seen(&nodes, &alice).await, ["alice"; NODES]);
        let message = LogoutRequest::to_form_body("LR-1", std::time::UNIX_EPOCH, &ticket);
        let mut provider = at(&nodes[teller], &lab.browser());
        let told = provider.post(CALLBACK, FORM, message).await;
        assert_eq!(told.status, StatusCode::OK);
        assert_eq!(
            seen(&nodes, &alice).await,
            ["nobody"; NODES],
            "told to node {teller}"
        );
        assert_eq!(seen(&nodes, &bob).await, ["bob"; NODES]);
    }
    // A session that is used on one node does not idle out on the others, and ends everywhere at once.
    let (alice, _) = lab.signed_in("alice").await;
    for turn in 0..6 {
        clock.advance(Duration::from_mins(70));
        let user = at(&nodes[turn % NODES], &alice).go("/").await;
        assert_eq!(user.text(), "alice", "turn {turn}");
    }
    clock.advance(Duration::from_hours(1));
    assert_eq!(
        seen(&nodes, &alice).await,
        ["nobody"; NODES],
        "eight hours in all"
    );
}

/// The same browser, led to a node by the balancer.
fn at(node: &Router, browser: &Browser) -> Browser {
    let mut browser = browser.clone();
    browser.router = node.clone();
    browser
}

/// Whom each node takes the browser for.
async fn seen(nodes: &[Router], browser: &Browser) -> Vec<String> {
    let mut seen = Vec::new();
    for node in nodes {
        seen.push(at(node, browser).go("/").await.text().to_owned());
    }
    seen
}
