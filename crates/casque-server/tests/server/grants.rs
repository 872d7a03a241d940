//! One person at many services at the same moment, on three servers: the logout tells each of them once (R-075, S-049).
//!
//! How many services: `CASQUE_PROOF_GRANTS`, or few enough for every day. `scripts/proof grants` takes 1,000.

use std::{collections::HashMap, sync::Arc};

use casque_store::{SharedStore, open};
use casque_testkit::{
    ManualClock,
    servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer},
};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    house::{Browser, House, encode},
    nodes::{NODES, nodes, number, opening},
    single_logout::{Target, loopback},
};

/// A thousand at once on a busy machine may wait for longer than a person would; they are to be answered all the same.
const PATIENT: &str = "timeout=60s";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_service_is_told_once_on_memory() {
    let clock = ManualClock::new();
    let store = open("memory:", Arc::new(clock.clone())).expect("a store");
    prove("memory", &clock, |_| store.clone()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_service_is_told_once_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("casque.db").display());
    prove_at("sqlite", &url).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_service_is_told_once_on_redis() {
    let Some(server) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    prove_at("redis", &format!("{}?{PATIENT}", server.url())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_service_is_told_once_on_postgres() {
    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    prove_at("postgres", &format!("{}?{PATIENT}", server.url())).await;
}

async fn prove_at(name: &str, url: &str) {
    prove(name, &ManualClock::new(), opening(url)).await;
}

#[expect(
    clippy::print_stdout,
    reason = "whoever runs the proof reads its outcome"
)]
async fn prove(name: &str, clock: &ManualClock, open: impl Fn(&ManualClock) -> SharedStore) {
    let grants = number("CASQUE_PROOF_GRANTS", 64);
    let nodes = nodes(clock, open, loopback);

    let mut campus = Campus::open(&nodes, grants).await;
    let accepted = campus.all_accepted().await;
    assert_eq!(accepted.len(), grants, "{name}: every ticket is good");
    campus.log_out().await;
    let told = campus.told().await;
    assert_eq!(told.len(), grants, "{name}: services that were told");
    for ticket in &accepted {
        assert_eq!(told.get(ticket), Some(&1), "{name}: told once each");
    }
    println!(
        "{name}: {grants} services on one session, {NODES} nodes, all at once: {} tickets accepted, {} services told, once each",
        accepted.len(),
        told.len()
    );

    // The same, and the person logs out in the midst of it.
    let mut campus = Campus::open(&nodes, grants).await;
    campus.first_accepted(grants / 4).await;
    campus.log_out().await;
    let accepted = campus.all_accepted().await;
    let told = campus.told().await;
    assert!(
        told.values().all(|times| *times == 1),
        "{name}: nobody is told twice"
    );
    let untold = accepted.iter().filter(|&ticket| !told.contains_key(ticket));
    assert_eq!(untold.count(), 0, "{name}: a login that would never end");
    println!(
        "{name}: the same with a logout in between: {} tickets accepted, {} services told, none of the former left out",
        accepted.len(),
        told.len()
    );
}

/// A session whose person goes to many services at once.
struct Campus<'a> {
    nodes: &'a [House],
    person: Browser,
    target: Target,
    going: JoinSet<Option<String>>,
    accepted: mpsc::UnboundedReceiver<()>,
}

impl<'a> Campus<'a> {
    /// The visits begin at once: a ticket from one node, and its validation at another.
    async fn open(nodes: &'a [House], services: usize) -> Self {
        let target = Target::open().await;
        let person = nodes[0].signed_in("alice").await;
        let (tell, accepted) = mpsc::unbounded_channel();
        let mut going = JoinSet::new();
        for number in 0..services {
            let visitor = person.at(&nodes[number % NODES]);
            let service = nodes[(number + 1) % NODES].browser();
            let url = format!("{}&service={number}", target.url);
            going.spawn(visit(visitor, service, url, tell.clone()));
        }
        Self {
            nodes,
            person,
            target,
            going,
            accepted,
        }
    }

    /// Waits until so many services have accepted a ticket.
    async fn first_accepted(&mut self, count: usize) {
        for _ in 0..count {
            self.accepted.recv().await.expect("enough services");
        }
    }

    /// The tickets that were accepted, once all visits have ended.
    async fn all_accepted(&mut self) -> Vec<String> {
        let mut accepted = Vec::new();
        while let Some(visit) = self.going.join_next().await {
            accepted.extend(visit.expect("no panic"));
        }
        accepted
    }

    async fn log_out(&mut self) {
        let answer = self.person.at(&self.nodes[NODES - 1]).get("/logout").await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }

    /// The tickets that services were told of, and how often.
    async fn told(&mut self) -> HashMap<String, usize> {
        for node in self.nodes {
            node.server.finish_logout_messages().await;
        }
        let mut told = HashMap::new();
        for ticket in self.target.tickets() {
            *told.entry(ticket).or_default() += 1;
        }
        told
    }
}

/// The ticket, if it was accepted.
async fn visit(
    mut visitor: Browser,
    service: Browser,
    url: String,
    accepted: mpsc::UnboundedSender<()>,
) -> Option<String> {
    let answer = visitor
        .get(&format!("/login?service={}", encode(&url)))
        .await;
    let Some(ticket) = answer.ticket() else {
        assert!(answer.is_form(), "neither ticket nor form: {answer:?}");
        return None;
    };
    match service
        .validate("validate", &url, &ticket)
        .await
        .body
        .as_str()
    {
        "yes\nalice\n" => {
            let _ = accepted.send(());
            Some(ticket)
        }
        other => {
            assert_eq!(other, "no\n\n");
            None
        }
    }
}
