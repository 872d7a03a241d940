//! What can only be seen from inside: transactions, locks and a disk that is full.

use std::{
    future::Future,
    pin::pin,
    sync::mpsc,
    task::{Context, Waker},
};

use rusqlite::Connection;
use tempfile::TempDir;

use super::*;
use crate::{KeyHasher, SystemClock};

struct Lab {
    store: SqliteStore,
    path: PathBuf,
    later: SystemTime,
    _folder: TempDir,
}

impl Lab {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("casque.db");
        let clock = SystemClock::new();
        let store = SqliteStore::open_with(&path, Arc::new(clock), Duration::from_millis(50))
            .expect("a store");
        Self {
            store,
            path,
            later: clock.now() + Duration::from_hours(1),
            _folder: folder,
        }
    }

    /// A connection that the store knows nothing of.
    fn stranger(&self) -> Connection {
        Connection::open(&self.path).expect("a connection")
    }

    /// Keeps the writer's thread inside a job until something is sent.
    fn hold_writer(
        &self,
    ) -> (
        impl Future<Output = Result<(), StoreError>> + '_,
        mpsc::Sender<()>,
    ) {
        let (release, held) = mpsc::channel();
        let (entered, inside) = mpsc::channel();
        let mut holding = Box::pin(self.store.writer.run(move |_, _| {
            entered.send(()).expect("the test waits");
            held.recv().expect("released");
            Ok(())
        }));
        assert!(poll(&mut holding).is_none());
        // Its batch is closed now: what is sent from here on waits together for the next one.
        inside.recv().expect("the job runs");
        (holding, release)
    }
}

fn key(name: &str) -> Key {
    Key::new("test", name.as_bytes(), &KeyHasher::new(&[1; 32]))
}

fn poll<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        std::task::Poll::Ready(outcome) => Some(outcome),
        std::task::Poll::Pending => None,
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

#[test]
fn what_waits_together_is_committed_together_and_acknowledged_after() {
    let lab = Lab::new();
    let (holding, release) = lab.hold_writer();
    let key = key("a");
    let mut creating = lab.store.create(&key, b"value".to_vec(), lab.later);
    assert!(poll(&mut creating).is_none());
    // Runs behind the create: sees its row, which nobody outside the transaction may see yet.
    let (seen, see) = mpsc::channel();
    let stranger = std::sync::Mutex::new(lab.stranger());
    let mut looking = Box::pin(lab.store.writer.run(move |db, _| {
        let count = |db: &Connection| {
            db.query_row("SELECT count(*) FROM record", [], |row| {
                row.get::<_, i64>(0)
            })
        };
        let outside = count(&stranger.lock().expect("one caller"))?;
        seen.send((db.is_autocommit(), count(db)?, outside))
            .expect("the test listens");
        Ok(())
    }));
    assert!(poll(&mut looking).is_none());
    release.send(()).expect("the writer waits");
    assert_eq!(see.recv().expect("an answer"), (false, 1, 0));
    block_on(async {
        holding.await.expect("held");
        assert!(creating.await.expect("create"));
        looking.await.expect("looked");
    });
    let rows = lab
        .stranger()
        .query_row("SELECT count(*) FROM record", [], |row| {
            row.get::<_, i64>(0)
        });
    assert_eq!(rows, Ok(1), "committed before it was acknowledged");
}

#[test]
fn a_job_that_fails_does_not_take_its_neighbours_along() {
    let lab = Lab::new();
    let (holding, release) = lab.hold_writer();
    let (before, after) = (key("before"), key("after"));
    let mut first = lab.store.create(&before, b"1".to_vec(), lab.later);
    let mut bad = Box::pin(
        lab.store
            .writer
            .run(|db, _| db.execute("DELETE FROM nowhere", [])),
    );
    let mut second = lab.store.create(&after, b"2".to_vec(), lab.later);
    assert!(poll(&mut first).is_none() && poll(&mut bad).is_none() && poll(&mut second).is_none());
    release.send(()).expect("the writer waits");
    block_on(async {
        holding.await.expect("held");
        assert!(
            first.await.expect("create"),
            "created once, though tried twice"
        );
        assert!(bad.await.expect_err("no such table").is_unavailable());
        assert!(second.await.expect("create"));
        assert_eq!(
            lab.store.get(&before).await.expect("get").as_deref(),
            Some(&b"1"[..])
        );
        assert_eq!(
            lab.store.take(&after).await.expect("take").as_deref(),
            Some(&b"2"[..])
        );
    });
}

#[test]
fn a_reader_is_not_blocked_by_a_writer_nor_a_writer_by_a_reader() {
    let lab = Lab::new();
    let (old, new) = (key("old"), key("new"));
    block_on(async {
        assert!(
            lab.store
                .create(&old, b"value".to_vec(), lab.later)
                .await
                .expect("create")
        );
        lab.store
            .append(&old, b"member".to_vec(), lab.later)
            .await
            .expect("append");
    });

    let writing = lab.stranger();
    writing
        .execute_batch("BEGIN IMMEDIATE; DELETE FROM record; DELETE FROM member;")
        .expect("a long transaction");
    block_on(async {
        let value = lab
            .store
            .get(&old)
            .await
            .expect("reads while another writes");
        assert_eq!(
            value.as_deref(),
            Some(&b"value"[..]),
            "and sees what is committed"
        );
        assert_eq!(lab.store.members(&old).await.expect("reads"), [b"member"]);
    });
    let (holding, release) = lab.hold_writer_behind(&writing);
    block_on(async {
        assert!(
            lab.store
                .get(&old)
                .await
                .expect("reads while our own writer works")
                .is_none()
        );
        release.send(()).expect("the writer waits");
        holding.await.expect("held");
    });

    let reading = lab.stranger();
    reading
        .execute_batch("BEGIN; SELECT count(*) FROM record;")
        .expect("a long read");
    block_on(async {
        assert!(
            lab.store
                .create(&new, b"value".to_vec(), lab.later)
                .await
                .expect("writes while another reads")
        );
        assert!(lab.store.take(&new).await.expect("take").is_some());
    });
}

impl Lab {
    /// Lets a stranger's transaction end, and then keeps our own open.
    fn hold_writer_behind(
        &self,
        stranger: &Connection,
    ) -> (
        impl Future<Output = Result<(), StoreError>> + '_,
        mpsc::Sender<()>,
    ) {
        stranger.execute_batch("COMMIT").expect("commit");
        let (entered, enter) = mpsc::channel();
        let (release, held) = mpsc::channel();
        let mut holding = Box::pin(self.store.writer.run(move |db, _| {
            db.execute("DELETE FROM record", [])?;
            entered.send(()).expect("the test listens");
            held.recv().expect("released");
            Ok(())
        }));
        assert!(poll(&mut holding).is_none());
        enter.recv().expect("the transaction has begun");
        (holding, release)
    }
}

#[test]
fn a_lock_that_is_not_given_up_is_told_and_got_over() {
    let lab = Lab::new();
    let key = key("a");
    let stranger = lab.stranger();
    stranger.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    block_on(async {
        let error = lab
            .store
            .create(&key, b"value".to_vec(), lab.later)
            .await
            .expect_err("locked");
        assert!(error.is_unavailable());
        assert!(error.to_string().contains("another process"), "{error}");
        assert!(
            lab.store.ping().await.is_err(),
            "a store that cannot write is not well"
        );
        stranger.execute_batch("COMMIT").expect("give up");
        lab.store.ping().await.expect("well again");
        assert!(
            lab.store
                .create(&key, b"value".to_vec(), lab.later)
                .await
                .expect("create")
        );
    });
}

#[test]
fn a_full_disk_is_told_and_got_over() {
    let lab = Lab::new();
    block_on(async {
        assert!(
            lab.store
                .create(&key("old"), b"value".to_vec(), lab.later)
                .await
                .expect("create")
        );
        let limit = |pages: i64| {
            lab.store.writer.run(move |db, _| {
                db.pragma_update_and_check(None, "max_page_count", pages, |row| {
                    row.get::<_, i64>(0)
                })
            })
        };
        limit(40).await.expect("a limit");
        let large = key("large");
        let error = lab
            .store
            .create(&large, vec![0; 1024 * 1024], lab.later)
            .await
            .expect_err("no room");
        assert!(error.is_unavailable());
        assert!(error.to_string().contains("disk is full"), "{error}");
        assert_eq!(
            lab.store.get(&large).await.expect("get"),
            None,
            "nothing of it is left"
        );
        let small = lab
            .store
            .create(&key("small"), b"value".to_vec(), lab.later)
            .await;
        assert!(small.expect("what fits is still stored"));
        assert!(lab.store.take(&key("old")).await.expect("take").is_some());
        limit(1 << 30).await.expect("room again");
        assert!(
            lab.store
                .create(&large, vec![0; 1024 * 1024], lab.later)
                .await
                .expect("create")
        );
    });
}

#[test]
fn dropping_the_store_writes_what_it_was_asked_to() {
    let Lab {
        store,
        path,
        later,
        _folder,
        ..
    } = Lab::new();
    let keys: Vec<Key> = (0..500).map(|number| key(&format!("{number}"))).collect();
    for key in &keys {
        // Sent, and then nobody waits for the answer.
        assert!(poll(&mut store.create(key, b"value".to_vec(), later)).is_none());
    }
    drop(store);
    assert!(
        !path.with_extension("db-wal").exists(),
        "the log was folded into the file"
    );
    let rows = Connection::open(&path).expect("a connection").query_row(
        "SELECT count(*) FROM record",
        [],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(rows, Ok(500));
}

/// Every statement in `sql.rs`, so that none that is added walks over what is live.
#[test]
fn no_statement_walks_a_table() {
    let lab = Lab::new();
    let db = lab.stranger();
    let statements: Vec<&str> = include_str!("sql.rs")
        .split("prepare_cached(")
        .skip(1)
        .filter_map(|rest| rest.split('"').nth(1))
        .filter(|sql| !sql.contains("casque_schema"))
        .collect();
    assert!(statements.len() >= 12);
    for sql in statements {
        let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect(sql);
        let steps: Vec<String> = plan
            .raw_query()
            .mapped(|row| row.get("detail"))
            .collect::<Result<_, _>>()
            .expect("text");
        let walks = |step: &String| step.starts_with("SCAN") || step.contains("TEMP B-TREE");
        assert!(!steps.iter().any(walks), "{sql}\n{steps:?}");
        assert!(!steps.is_empty() || sql.starts_with("INSERT"), "{sql}");
    }
}

#[test]
fn a_commit_is_flushed_to_the_disk() {
    let lab = Lab::new();
    let setting = block_on(lab.store.writer.run(|db, _| {
        let number = |name| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let mode = db.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0))?;
        Ok((number("synchronous")?, mode))
    }));
    assert_eq!(setting.expect("settings"), (2, "wal".to_owned()));
}
