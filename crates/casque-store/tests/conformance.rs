//! The conformance suite on each back end.

use std::sync::Arc;

use casque_store::{MemoryStore, SqliteStore};
use casque_testkit::{StoreUnderTest, store_conformance};

store_conformance!(memory, |clock| {
    let store = Arc::new(MemoryStore::new(clock));
    let held = Arc::clone(&store);
    StoreUnderTest::new(store, move || held.len())
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
