//! The conformance suite on each back end.

use std::sync::Arc;

use casque_store::{KeyHasher, MemoryStore, RotatingStore, SqliteStore};
use casque_testkit::{StoreUnderTest, store_conformance};

store_conformance!(memory, |clock| {
    let store = Arc::new(MemoryStore::new(clock));
    let held = Arc::clone(&store);
    StoreUnderTest::new(store, move || held.len())
});

// While the secret that names records is changed.
store_conformance!(rotating, |clock| {
    let store = Arc::new(MemoryStore::new(clock));
    let held = Arc::clone(&store);
    let [old, new] = [1, 2].map(|byte| KeyHasher::new(&[byte; 32]));
    let store = StoreUnderTest::new(Arc::new(RotatingStore::new(store)), move || held.len());
    store.named_by(new.with_second(old))
});

store_conformance!(sqlite, |clock| {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("casque.db");
    let store = Arc::new(SqliteStore::open(&path, clock).expect("a store"));
    StoreUnderTest::new(store, move || {
        let _folder = &folder;
        let db = rusqlite::Connection::open(&path).expect("a second connection");
        db.query_row(
            "SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM member)",
            [],
            |row| {
                row.get::<_, i64>(0)
                    .map(|rows| usize::try_from(rows).expect("a count"))
            },
        )
        .expect("count")
    })
});

#[cfg(all(unix, feature = "redis"))]
mod redis {
    use casque_store::Clock;
    use casque_testkit::servers::{RedisOptions, RedisServer};

    use super::*;

    fn stores(options: RedisOptions) -> Option<impl FnMut(Arc<dyn Clock>) -> StoreUnderTest> {
        let server = Arc::new(RedisServer::start(options)?);
        let mut number = 0;
        Some(move |clock| {
            number += 1;
            let prefix = format!("test-{number}");
            let url = format!("{}?prefix={prefix}", server.url());
            let store = casque_store::open(&url, clock).expect("a store");
            let server = Arc::clone(&server);
            StoreUnderTest::new(store, move || server.held(&prefix))
        })
    }

    store_conformance!(redis in one, || stores(RedisOptions::default()));

    // Debian packages it from 13 on, so its absence is no failure.
    store_conformance!(valkey in one, || {
        let options = RedisOptions {
            valkey: true,
            ..RedisOptions::default()
        };
        if !RedisServer::is_installed(options) {
            println!("skipped: valkey-server is not installed");
            return None;
        }
        stores(options)
    });
}

#[cfg(all(unix, feature = "postgres"))]
mod postgres {
    use casque_store::Clock;
    use casque_testkit::servers::{PostgresOptions, PostgresServer};

    use super::*;

    fn stores() -> Option<impl FnMut(Arc<dyn Clock>) -> StoreUnderTest> {
        let server = Arc::new(PostgresServer::start(PostgresOptions::default())?);
        let mut number = 0;
        Some(move |clock| {
            number += 1;
            let schema = format!("test_{number}");
            let url = format!("{}?schema={schema}", server.url());
            let store = casque_store::open(&url, clock).expect("a store");
            let server = Arc::clone(&server);
            StoreUnderTest::new(store, move || server.held(&schema))
        })
    }

    store_conformance!(postgres in one, stores);
}
