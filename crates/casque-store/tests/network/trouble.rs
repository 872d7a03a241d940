//! A server that is away: calls end within their deadline, nothing happens twice, and the store comes back by itself.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use casque_store::SharedStore;
use tokio::time::Instant;

use super::{Server, comes_back, key, later, on_both, run, store};

on_both! {
    a_server_that_ends_is_told_at_once_and_found_again
    a_server_that_is_not_there_yet_is_found_when_it_comes
    a_paused_server_costs_each_call_its_deadline_at_most
    an_unanswered_take_does_not_succeed_twice
    a_crash_loses_nothing_acknowledged_and_revives_nothing_taken
}

fn a_server_that_ends_is_told_at_once_and_found_again<S: Server>() {
    let Some(mut server) = S::durable() else {
        return;
    };
    let store = store(&server.url(), "timeout=5s");
    run(async {
        assert!(
            store
                .create(&key("kept"), b"value".to_vec(), later())
                .await
                .expect("create")
        );
        server.stop();
        let start = Instant::now();
        for _ in 0..200 {
            let error = store.get(&key("kept")).await.expect_err("it has ended");
            assert!(error.is_unavailable(), "{error}");
        }
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "nobody waits for a deadline"
        );
        assert!(store.ping().await.is_err());
        server.start_again();
        comes_back(&store).await;
        let taken = store.take(&key("kept")).await.expect("take");
        assert_eq!(taken.as_deref(), Some(&b"value"[..]));
    });
}

fn a_server_that_is_not_there_yet_is_found_when_it_comes<S: Server>() {
    let Some(mut server) = S::durable() else {
        return;
    };
    server.stop();
    let store = store(&server.url(), "timeout=5s");
    run(async {
        assert!(store.ping().await.expect_err("not there").is_unavailable());
        server.start_again();
        comes_back(&store).await;
    });
}

fn a_paused_server_costs_each_call_its_deadline_at_most<S: Server>() {
    const TIMEOUT: Duration = Duration::from_millis(500);
    let Some(server) = S::durable() else { return };
    let store = store(&server.url(), "timeout=500ms");
    run(async {
        comes_back(&store).await;
        server.pause();
        let start = Instant::now();
        let calls: Vec<_> = (0..50)
            .map(|number| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { store.get(&key(&number.to_string())).await })
            })
            .collect();
        for call in calls {
            let error = call.await.expect("no panic").expect_err("no answer");
            assert!(error.is_unavailable(), "{error}");
        }
        // All of them waited at the same time; the margin is for a busy machine.
        assert!(start.elapsed() < TIMEOUT * 4, "{:?}", start.elapsed());
        for _ in 0..3 {
            let start = Instant::now();
            store.get(&key("a")).await.expect_err("no answer");
            assert!(start.elapsed() < TIMEOUT * 4);
        }
        server.resume();
        comes_back(&store).await;
    });
}

/// S-006, S-007: whether it took place is not known; if it did, nobody gets the record again.
fn an_unanswered_take_does_not_succeed_twice<S: Server>() {
    let Some(server) = S::durable() else { return };
    // What is not to go unanswered may take its time on a busy machine.
    let patient = store(&server.url(), "timeout=30s");
    let store = store(&server.url(), "timeout=300ms");
    run(async {
        for round in 0..3 {
            let names: Vec<String> = (0..20).map(|number| format!("{round} {number}")).collect();
            for name in &names {
                assert!(
                    patient
                        .create(&key(name), b"ticket".to_vec(), later())
                        .await
                        .expect("create")
                );
            }
            let callers: Vec<_> = names
                .iter()
                .flat_map(|name| [name; 4])
                .map(|name| {
                    let (store, name) = (Arc::clone(&store), name.clone());
                    tokio::spawn(async move {
                        let taken = store.take(&key(&name)).await;
                        (name, matches!(taken, Ok(Some(_))))
                    })
                })
                .collect();
            server.pause();
            let mut successes = HashMap::new();
            for caller in callers {
                let (name, won) = caller.await.expect("no panic");
                *successes.entry(name).or_insert(0) += u32::from(won);
            }
            server.resume();
            comes_back(&patient).await;
            for name in names {
                for _ in 0..2 {
                    let taken = patient.take(&key(&name)).await.expect("take");
                    *successes.entry(name.clone()).or_insert(0) += u32::from(taken.is_some());
                }
            }
            assert!(successes.values().all(|&count| count <= 1), "{successes:?}");
        }
    });
}

/// Killed again and again under load, with several takers for each ticket.
fn a_crash_loses_nothing_acknowledged_and_revives_nothing_taken<S: Server>() {
    const WORKERS: usize = 8;
    let Some(mut server) = S::durable() else {
        return;
    };
    let store = store(&server.url(), "timeout=2s");
    run(async {
        let ends = Arc::new(AtomicBool::new(false));
        let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                tokio::spawn(work(
                    Arc::clone(&store),
                    worker,
                    Arc::clone(&ends),
                    told.clone(),
                ))
            })
            .collect();
        drop(told);
        let mut tickets: HashMap<String, Fate> = HashMap::new();
        for _ in 0..3 {
            for _ in 0..400 {
                let (name, fate) = heard.recv().await.expect("they work");
                tickets.insert(name, fate);
            }
            server.kill();
            server.start_again();
            comes_back(&store).await;
        }
        ends.store(true, Ordering::Relaxed);
        for worker in workers {
            worker.await.expect("no panic");
        }
        while let Ok((name, fate)) = heard.try_recv() {
            tickets.insert(name, fate);
        }
        let (mut kept, mut taken) = (0, 0);
        for (name, fate) in &tickets {
            let found = store.take(&key(name)).await.expect("take");
            match fate {
                Fate::Kept => {
                    assert!(found.is_some(), "{name} is lost");
                    kept += 1;
                }
                Fate::Taken => {
                    assert!(found.is_none(), "{name} is back");
                    taken += 1;
                }
                Fate::Unknown => {}
            }
        }
        assert!(
            kept > 100 && taken > 100,
            "too little happened: {kept} {taken}"
        );
    });
}

enum Fate {
    Kept,
    Taken,
    /// A take had no answer.
    Unknown,
}

/// Makes tickets; every other one is taken by four at once, of whom one may succeed.
async fn work(
    store: SharedStore,
    worker: usize,
    ends: Arc<AtomicBool>,
    told: tokio::sync::mpsc::UnboundedSender<(String, Fate)>,
) {
    for number in 0.. {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let name = format!("{worker} {number}");
        if store
            .create(&key(&name), b"ticket".to_vec(), later())
            .await
            .is_err()
        {
            tokio::task::yield_now().await;
            continue;
        }
        let fate = if number % 2 == 0 {
            Fate::Kept
        } else {
            let takers: Vec<_> = (0..4)
                .map(|_| {
                    let (store, name) = (Arc::clone(&store), name.clone());
                    tokio::spawn(async move { store.take(&key(&name)).await })
                })
                .collect();
            let (mut won, mut unknown) = (0, false);
            for taker in takers {
                match taker.await.expect("no panic") {
                    Ok(taken) => won += u32::from(taken.is_some()),
                    Err(_) => unknown = true,
                }
            }
            assert!(won <= 1, "{name} was taken {won} times");
            match (won, unknown) {
                (1, _) => Fate::Taken,
                (_, true) => Fate::Unknown,
                (_, false) => panic!("{name} was lost"),
            }
        };
        if told.send((name, fate)).is_err() {
            return;
        }
    }
}
