//! Nodes that are killed, and a store that is killed or stands still, under load: every acknowledged session still signs
//! in, every acknowledged logout holds, and no ticket is accepted twice (I1, R-096, S-007).
//!
//! How often: `CASQUE_PROOF_ROUNDS` rounds of one trouble after the other, or one for every day. `scripts/proof kill` takes
//! more.

mod load;
mod nodes;
mod redis;

use casque_testkit::servers::{
    PostgresOptions, PostgresServer, RedisOptions, RedisServer, StoreServer,
};
use load::Load;
use nodes::Nodes;
use tokio::time::Instant;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_keeps_what_its_node_acknowledged() {
    storm("sqlite", "sqlite:casque.db", 1, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_keeps_what_three_nodes_acknowledged() {
    let options = RedisOptions {
        durable: true,
        ..RedisOptions::default()
    };
    let Some(mut redis) = RedisServer::start(options) else {
        return;
    };
    let url = redis.url();
    storm(
        "redis, appendfsync always",
        &url,
        3,
        Some(&mut redis as &mut dyn StoreServer),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_what_three_nodes_acknowledged() {
    let options = PostgresOptions {
        flushed: true,
        ..PostgresOptions::default()
    };
    let Some(mut postgres) = PostgresServer::start(options) else {
        return;
    };
    let url = postgres.url();
    storm(
        "postgres",
        &url,
        3,
        Some(&mut postgres as &mut dyn StoreServer),
    )
    .await;
}

/// Rounds from the environment, for those who want more than every day.
fn rounds() -> usize {
    match std::env::var("CASQUE_PROOF_ROUNDS") {
        Ok(rounds) => rounds.parse().expect("CASQUE_PROOF_ROUNDS is a number"),
        Err(_) => 1,
    }
}

#[expect(
    clippy::print_stdout,
    reason = "whoever runs the proof reads its outcome"
)]
async fn storm(name: &str, url: &str, count: usize, mut backing: Option<&mut dyn StoreServer>) {
    let mut nodes = Nodes::start(url, count);
    let load = Load::begin(&nodes);
    let (mut kills, mut store_kills, mut pauses) = (0, 0, 0);
    for round in 0..rounds() {
        for node in 0..count {
            load.acknowledges_more().await;
            nodes.kill(node);
            load.is_refused().await;
            nodes.start_again(node);
            kills += 1;
        }
        if let Some(store) = &mut backing {
            load.acknowledges_more().await;
            store.pause();
            load.is_refused().await;
            store.resume();
            pauses += 1;
            load.acknowledges_more().await;
            store.kill();
            load.is_refused().await;
            store.start_again();
            store_kills += 1;
        }
        load.acknowledges_more().await;
        println!("{name}: round {}: {}", round + 1, load.so_far());
    }
    let told = load.end().await;
    let outcome = told.look_back(&nodes, Instant::now()).await;
    println!(
        "{name}, {count} node(s): {kills} × node killed, {pauses} × store paused, {store_kills} × store killed: {outcome}"
    );
    assert!(
        outcome.sessions > 0 && outcome.tickets_accepted > 0,
        "{name}: nothing was acknowledged"
    );
    assert_eq!(outcome.sessions_lost, 0, "{name}: {outcome}");
    assert_eq!(outcome.logouts_undone, 0, "{name}: {outcome}");
    assert_eq!(outcome.tickets_twice, 0, "{name}: {outcome}");
}
