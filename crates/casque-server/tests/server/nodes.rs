//! Three servers on one store: every ticket is accepted once, whoever asks where (R-096, S-007).
//!
//! How many tickets: `CASQUE_PROOF_TICKETS`, or few enough for every day. `scripts/proof` takes 10,000.

use std::sync::Arc;

use casque_server::Services;
use casque_store::{SharedStore, open};
use casque_testkit::{
    ManualClock,
    servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer},
};

use crate::house::{Browser, House, Setup, registry};

const APP: &str = "https://app.example.org/";
pub(crate) const NODES: usize = 3;
const VALIDATORS: usize = 8;
/// Tickets that are open at the same time.
const AT_ONCE: usize = 32;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_on_memory() {
    let clock = ManualClock::new();
    let store = open("memory:", Arc::new(clock.clone())).expect("a store");
    prove("memory", &clock, |_| store.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("casque.db").display());
    prove_at("sqlite", &url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_on_redis() {
    let Some(server) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    prove_at("redis", &server.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_ticket_is_accepted_once_on_postgres() {
    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    prove_at("postgres", &server.url()).await;
}

async fn prove_at(name: &str, url: &str) {
    prove(name, &ManualClock::new(), opening(url)).await;
}

/// Each node opens the store for itself, as on a machine of its own.
pub(crate) fn opening(url: &str) -> impl Fn(&ManualClock) -> SharedStore {
    move |clock| open(url, Arc::new(clock.clone())).expect("a store")
}

#[expect(
    clippy::print_stdout,
    reason = "whoever runs the proof reads its outcome"
)]
async fn prove(name: &str, clock: &ManualClock, open: impl Fn(&ManualClock) -> SharedStore) {
    let tickets = number("CASQUE_PROOF_TICKETS", 64);
    let nodes = nodes(clock, open, registry);
    // One person signs in at one node and asks every node for tickets.
    let signed_in = nodes[0].signed_in("alice").await;
    let (mut successes, mut refusals) = (0, 0);
    for first in (0..tickets).step_by(AT_ONCE) {
        let mut all = Vec::new();
        for number in first..tickets.min(first + AT_ONCE) {
            let visitor = signed_in.at(&nodes[number % NODES]);
            let validators: Vec<Browser> = (0..VALIDATORS)
                .map(|validator| nodes[validator % NODES].browser())
                .collect();
            all.push(tokio::spawn(race(visitor, validators)));
        }
        for one in all {
            let won = one.await.expect("no panic");
            assert_eq!(won, 1, "{name}: a ticket was accepted {won} times");
            successes += won;
            refusals += VALIDATORS - won;
        }
    }
    println!(
        "{name}: {tickets} tickets, {VALIDATORS} validators for each, {NODES} nodes: {successes} successes, \
         {refusals} refusals"
    );
    assert_eq!(successes, tickets);
}

/// A number from the environment, for those who want more than every day.
pub(crate) fn number(variable: &str, every_day: usize) -> usize {
    match std::env::var(variable) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {number}")),
        Err(_) => every_day,
    }
}

/// Nodes of one deployment, each with a store that it opens for itself.
pub(crate) fn nodes(
    clock: &ManualClock,
    open: impl Fn(&ManualClock) -> SharedStore,
    services: impl Fn() -> Services,
) -> Vec<House> {
    let mut nodes: Vec<House> = Vec::new();
    for _ in 0..NODES {
        let mut setup = Setup::new()
            .store(open(clock))
            .clock(clock.clone())
            .services(services());
        if let Some(first) = nodes.first() {
            setup = setup.folder(first.folder.clone());
        }
        nodes.push(setup.build());
    }
    nodes
}

/// How many of those that present a new ticket at the same moment are told who it is.
pub(crate) async fn race(mut visitor: Browser, validators: Vec<Browser>) -> usize {
    let ticket = visitor.ticket_for(APP).await;
    let asked: Vec<_> = validators
        .into_iter()
        .map(|validator| {
            let ticket = ticket.clone();
            tokio::spawn(async move { validator.validate("validate", APP, &ticket).await.body })
        })
        .collect();
    let mut won = 0;
    for answer in asked {
        match answer.await.expect("no panic").as_str() {
            "yes\nalice\n" => won += 1,
            other => assert_eq!(other, "no\n\n"),
        }
    }
    won
}
