//! The stores by themselves: how many records a second are made and taken, and what a session weighs.
//!
//! Run with `bench/run store`. The SQLite file is in the temporary folder: set `TMPDIR` to
//! measure another disk.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{path::Path, sync::Arc, time::Duration};

use casque_bench::{Spread, now, print_machine};
use casque_store::{Clock, Key, KeyHasher, MemoryStore, SharedStore, SqliteStore, SystemClock};

const ROUNDS: usize = 5;
const SESSIONS: u64 = 200_000;

fn main() {
    print_machine();
    let clock = Arc::new(SystemClock::new());
    let runtime = tokio::runtime::Builder::new_multi_thread()
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
    });
}

/// `pairs` records are made and taken in each round, by `callers` at a time.
async fn measure(name: &str, store: SharedStore, callers: u32, pairs: u32) {
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
    println!(
        "{name}, {callers:2} callers: {} create+take/s",
        Spread::of(rates.into_iter())
    );
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
