//! The background task that sweeps.

use std::{sync::Arc, time::Duration};

use casque_store::{Clock, Key, KeyHasher, MemoryStore, SharedStore, Store, keep_swept};
use casque_testkit::ManualClock;

#[test]
fn it_sweeps_all_batches_and_ends_with_the_store() {
    let clock = ManualClock::new();
    let deadline = clock.now() + Duration::from_secs(10);
    let hasher = KeyHasher::new(&[1; 32]);
    let memory = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    let test = async {
        for number in 0..1700_u32 {
            let key = Key::new("test", &number.to_be_bytes(), &hasher);
            assert!(
                memory
                    .create(&key, Vec::new(), deadline)
                    .await
                    .expect("create")
            );
        }
        clock.set(deadline);
        let store: SharedStore = memory.clone();
        let sweeper = tokio::spawn(keep_swept(Arc::downgrade(&store), Duration::from_millis(1)));
        drop(store);
        while !memory.is_empty() {
            tokio::task::yield_now().await;
        }
        assert!(!sweeper.is_finished(), "it goes on while the store lives");
        drop(memory);
        sweeper.await.expect("it ends with the store");
    };
    runtime.block_on(async {
        let finished = tokio::time::timeout(Duration::from_mins(1), test).await;
        finished.expect("in time");
    });
}
