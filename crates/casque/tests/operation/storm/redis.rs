//! How far Redis keeps what it acknowledged, by its own settings: its process killed, and power lost.
//!
//! A machine that loses power loses what Redis had written and not flushed. What that is at worst is seen here by cutting
//! its append-only file back to what was there two seconds before the end, the longest that `everysec` promises to lose.

use std::{
    fs::{self, OpenOptions},
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use casque_testkit::servers::{RedisOptions, RedisServer};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{
    load::{Load, Outcome},
    nodes::Nodes,
    rounds,
};

/// What `everysec` may lose (Redis' documentation of persistence: a second, or two where the disk is slow).
const MOST_LOST: Duration = Duration::from_secs(2);
/// How often the length of the file is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// From the last look at the file to the moment that the age of a session is counted from, and the answer's own time.
const SLACK: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_loses_nothing() {
    let options = RedisOptions {
        durable: true,
        ..RedisOptions::default()
    };
    if let Some(outcome) = lose("appendfsync always, process killed", options, Loss::Process).await
    {
        assert_eq!(outcome.sessions_lost, 0);
        assert_eq!(outcome.logouts_undone, 0);
        assert_eq!(outcome.tickets_twice, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everysec_loses_at_most_two_seconds() {
    let options = RedisOptions {
        durable: true,
        everysec: true,
        ..RedisOptions::default()
    };
    for (name, loss) in [
        ("appendfsync everysec, process killed", Loss::Process),
        ("appendfsync everysec, power lost", Loss::Power),
    ] {
        if let Some(outcome) = lose(name, options, loss).await
            && let Some(age) = outcome.oldest_lost
        {
            assert!(age <= MOST_LOST + SLACK, "{name}: lost after {age:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_file_all_is_lost() {
    if let Some(outcome) = lose(
        "no append-only file, process killed",
        RedisOptions::default(),
        Loss::Process,
    )
    .await
    {
        assert_eq!(outcome.sessions_lost, outcome.sessions);
        assert_eq!(outcome.tickets_twice, 0, "what is lost cannot be accepted");
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Loss {
    Process,
    Power,
}

/// Length of the file at a moment.
type Lengths = Arc<Mutex<Vec<(Instant, u64)>>>;

#[expect(
    clippy::print_stdout,
    reason = "whoever runs the proof reads its outcome"
)]
async fn lose(name: &str, options: RedisOptions, loss: Loss) -> Option<Outcome> {
    let mut redis = RedisServer::start(options)?;
    let mut nodes = Nodes::start(&redis.url(), 3);
    let lengths = Lengths::default();
    let file = redis.append_only_file();
    let looking = tokio::spawn(look(file.clone(), lengths.clone()));
    let load = Load::begin(&nodes);
    let began = Instant::now();
    // Long enough that there is more than what may be lost.
    for _ in 0..5 * rounds() {
        load.acknowledges_more().await;
    }
    while began.elapsed() < MOST_LOST * 2 {
        load.acknowledges_more().await;
    }
    redis.kill();
    looking.abort();
    let ended = Instant::now();
    load.is_refused().await;
    let told = load.end().await;
    if loss == Loss::Power {
        let lengths = lengths.lock().expect("nobody panicked");
        let before = lengths
            .iter()
            .rev()
            .find(|(at, _)| *at + MOST_LOST <= ended);
        let before = before.expect("it was looked at").1;
        let file = OpenOptions::new().write(true).open(file);
        let cut = file.and_then(|file| file.set_len(before));
        cut.expect("the file can be cut");
    }
    redis.start_again();
    // Connections to the Redis that was, and what they know, are gone as well.
    for node in 0..nodes.count() {
        nodes.kill(node);
        nodes.start_again(node);
    }
    let outcome = told.look_back(&nodes, ended).await;
    let oldest = outcome.oldest_lost.map_or_else(String::new, |age| {
        format!(", the oldest {:.1} s before the end", age.as_secs_f64())
    });
    println!("redis, {name}: {outcome}{oldest}");
    Some(outcome)
}

async fn look(file: PathBuf, lengths: Lengths) {
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let now = ticks.tick().await;
        let length = fs::metadata(&file).map_or(0, |data| data.len());
        lengths.lock().expect("nobody panicked").push((now, length));
    }
}
