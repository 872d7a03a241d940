//! The stores by themselves: how many records a second are made and taken, and what a session weighs.
//!
//! Run with `bench/run store`. The SQLite file and PostgreSQL's are in the temporary folder: set `TMPDIR` to measure
//! another disk. Redis keeps nothing on the disk, and is measured beside what `redis-benchmark` gets from it for the same
//! two commands over as many connections as there are callers.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{path::Path, process::Command, sync::Arc, time::Duration};

use casque_bench::{Spread, now, print_machine};
use casque_store::{
    Clock, Key, KeyHasher, MemoryStore, SharedStore, SqliteStore, SystemClock, open,
};
use casque_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};

const ROUNDS: u32 = 5;
const SESSIONS: u64 = 200_000;

fn main() {
    print_machine();
    let clock = Arc::new(SystemClock::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        weigh(Arc::new(MemoryStore::new(clock.clone()))).await;
        let folder = std::env::temp_dir().join(format!("casque-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).expect("a folder");
        for callers in [1, 8, 64] {
            let memory: SharedStore = Arc::new(MemoryStore::new(clock.clone()));
            measure("memory", memory, callers, 100_000).await;
            let path = folder.join(format!("{callers}.db"));
            let sqlite: SharedStore =
                Arc::new(SqliteStore::open(&path, clock.clone()).expect("a store"));
            measure("sqlite", sqlite, callers, 2_000).await;
        }
        std::fs::remove_dir_all(&folder).expect("remove the folder");
        if let Some(redis) = RedisServer::start(RedisOptions::default()) {
            measure_redis(&redis, &clock).await;
        }
        let flushed = PostgresOptions {
            flushed: true,
            ..PostgresOptions::default()
        };
        if let Some(postgres) = PostgresServer::start(flushed) {
            measure_postgres(&postgres, &clock).await;
        }
    });
}

async fn measure_redis(redis: &RedisServer, clock: &Arc<SystemClock>) {
    for callers in [1, 8, 64] {
        let store = open(&redis.url(), clock.clone()).expect("a store");
        let pairs = measure("redis", store, callers, 20_000).await;
        let Some(floor) = redis_benchmark(redis.port(), callers) else {
            println!("  redis-benchmark is not installed");
            continue;
        };
        println!(
            "  {:.2} of the {floor:.0} pairs/s that redis-benchmark gets (goal: at least 0.70)",
            pairs / floor
        );
    }
}

/// Pairs of a SET and a GET each second; GETDEL, which it does not know, costs the same.
fn redis_benchmark(port: u16, connections: u32) -> Option<f64> {
    let output = Command::new("redis-benchmark")
        .args(["-p", &port.to_string(), "-c", &connections.to_string()])
        .args([
            "-n", "50000", "-d", "216", "-r", "100000", "-t", "set,get", "--csv",
        ])
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = |name: &str| -> Option<f64> {
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("\"{name}\"")))?;
        line.split(',').nth(1)?.trim_matches('"').parse().ok()
    };
    Some(1.0 / (1.0 / rate("SET")? + 1.0 / rate("GET")?))
}

async fn measure_postgres(postgres: &PostgresServer, clock: &Arc<SystemClock>) {
    for connections in [1, 2, 4, 8] {
        for callers in [1, 8, 64] {
            let url = format!("{}?connections={connections}", postgres.url());
            let store = open(&url, clock.clone()).expect("a store");
            let name = format!("postgres, {connections} connections");
            measure(&name, store, callers, 2_000).await;
        }
    }
}

/// `pairs` records are made and taken in each round, by `callers` at a time. Returns the mean of the pairs each second.
async fn measure(name: &str, store: SharedStore, callers: u32, pairs: u32) -> f64 {
    let mut rates = Vec::new();
    for round in 0..=ROUNDS {
        let deadline = SystemClock::new().now() + Duration::from_hours(1);
        let start = now();
        let tasks: Vec<_> = (0..callers)
            .map(|caller| {
                let store = Arc::clone(&store);
                tokio::spawn(async move {
                    let hasher = KeyHasher::new(&[1; 32]);
                    for number in 0..pairs / callers {
                        let key = Key::new(
                            "st",
                            format!("ST-{round}-{caller}-{number}").as_bytes(),
                            &hasher,
                        );
                        assert!(
                            store
                                .create(&key, vec![b'v'; 200], deadline)
                                .await
                                .expect("create")
                        );
                        assert!(store.take(&key).await.expect("take").is_some());
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
        // The first round warms up.
        if round > 0 {
            rates.push(f64::from(pairs) / start.elapsed().as_secs_f64());
        }
    }
    let mean = rates.iter().sum::<f64>() / f64::from(ROUNDS);
    println!(
        "{name}, {callers:2} callers: {} create+take/s",
        Spread::of(rates.into_iter())
    );
    mean
}

/// Resident memory for each session: a record of 300 bytes, and a set with one member of 150 bytes.
async fn weigh(store: SharedStore) {
    let Some(before) = resident_bytes() else {
        return;
    };
    let hasher = KeyHasher::new(&[1; 32]);
    let deadline = SystemClock::new().now() + Duration::from_hours(8);
    for number in 0..SESSIONS {
        let key = Key::new("session", &number.to_be_bytes(), &hasher);
        assert!(
            store
                .create(&key, vec![b'v'; 300], deadline)
                .await
                .expect("create")
        );
        store
            .append(&key, vec![b'm'; 150], deadline)
            .await
            .expect("append");
    }
    let after = resident_bytes().unwrap_or(before);
    println!(
        "memory: {} bytes for each session with one service (goal: at most 1024)",
        after.saturating_sub(before) / SESSIONS
    );
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string(Path::new("/proc/self/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}
