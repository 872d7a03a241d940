//! The file of the SQLite store: whose it is, who can read it, who else has it open.

#![cfg(unix)]

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, SystemTime},
};

use casque_store::{
    Clock, Key, KeyHasher, SharedStore, SqliteStore, Store, StoreError, SystemClock, open,
};
use casque_testkit::ManualClock;
use rusqlite::Connection;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn key(name: &str) -> Key {
    Key::new("test", name.as_bytes(), &KeyHasher::new(&[1; 32]))
}

fn start(path: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(path, Arc::new(SystemClock::new()))
}

fn later() -> SystemTime {
    SystemClock::new().now() + Duration::from_hours(1)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Refused, with the file left as it was and nothing put beside it.
fn refused_untouched(path: &Path) -> StoreError {
    let (content, neighbours) = (fs::read(path).expect("read"), entries(path));
    let error = start(path).expect_err("not ours");
    assert!(
        fs::read(path).expect("read") == content,
        "the file was changed"
    );
    assert_eq!(entries(path), neighbours);
    error
}

fn entries(path: &Path) -> usize {
    fs::read_dir(path.parent().expect("a folder"))
        .expect("entries")
        .count()
}

#[test]
fn records_outlive_the_store_and_end_in_time() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    let clock = ManualClock::new();
    let deadline = clock.now() + Duration::from_secs(10);
    let reopen = || SqliteStore::open(&path, Arc::new(clock.clone())).expect("a store");
    block_on(async {
        let store = reopen();
        assert!(
            store
                .create(&key("a"), b"value".to_vec(), deadline)
                .await
                .expect("create")
        );
        assert_eq!(
            store
                .append(&key("a"), b"member".to_vec(), deadline)
                .await
                .expect("append"),
            1
        );
        drop(store);
        let store = reopen();
        assert_eq!(
            store.get(&key("a")).await.expect("get").as_deref(),
            Some(&b"value"[..])
        );
        assert_eq!(
            store.members(&key("a")).await.expect("members"),
            [b"member"]
        );
        drop(store);
        clock.set(deadline);
        let store = reopen();
        assert_eq!(store.get(&key("a")).await.expect("get"), None);
        assert_eq!(store.sweep(10).await.expect("sweep"), 2);
    });
}

#[test]
fn only_the_owner_can_read_it() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    let store = start(&path).expect("a store");
    block_on(store.create(&key("a"), b"value".to_vec(), later())).expect("create");
    for name in ["casque.db", "casque.db-wal", "casque.db-shm"] {
        let mode = fs::metadata(folder.path().join(name))
            .expect(name)
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

/// S-076, S-077: neither a secret nor a name is in the file.
#[test]
fn secrets_are_not_in_the_file() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    let store = start(&path).expect("a store");
    block_on(async {
        let secret = key("ST-1-averysecretticket");
        store
            .create(&secret, b"the value".to_vec(), later())
            .await
            .expect("create");
        store
            .append(&secret, b"the member".to_vec(), later())
            .await
            .expect("append");
    });
    drop(store);
    let content = fs::read(&path).expect("read");
    let holds = |text: &[u8]| content.windows(text.len()).any(|window| window == text);
    assert!(
        holds(b"the value") && holds(b"the member"),
        "the search finds what is there"
    );
    assert!(!holds(b"averysecretticket"));
}

#[test]
fn an_empty_file_becomes_a_store() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    fs::write(&path, b"").expect("write");
    let store = start(&path).expect("a store");
    assert!(block_on(store.create(&key("a"), Vec::new(), later())).expect("create"));
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let folder = folder();
    let path = folder.path().join("people.toml");
    fs::write(&path, "[alice]\npassword = \"…\"\n".repeat(100)).expect("write");
    let error = refused_untouched(&path);
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("people.toml is not a casque store"),
        "{error}"
    );
    assert!(
        error.to_string().contains("not an SQLite database"),
        "{error}"
    );
}

#[test]
fn a_database_of_another_program_is_refused() {
    let folder = folder();
    let path = folder.path().join("people.db");
    let other = Connection::open(&path).expect("a database");
    other
        .execute_batch("CREATE TABLE person (name TEXT)")
        .expect("a table");
    drop(other);
    let error = refused_untouched(&path);
    assert!(matches!(error, StoreError::NotOurs { .. }), "{error:?}");
    assert!(error.to_string().contains("another program"), "{error}");

    let path = folder.path().join("marked.db");
    let other = Connection::open(&path).expect("a database");
    other
        .pragma_update(None, "application_id", 42)
        .expect("a mark");
    drop(other);
    assert!(
        matches!(refused_untouched(&path), StoreError::NotOurs { .. }),
        "no tables, but marked"
    );
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    drop(start(&path).expect("a store"));
    let newer = Connection::open(&path).expect("a database");
    newer
        .execute("UPDATE casque_schema SET version = 99", [])
        .expect("update");
    drop(newer);
    let error = refused_untouched(&path);
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 99,
                known: 1,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("schema 99"), "{error}");
}

#[test]
fn a_file_whose_keys_were_unique_without_their_kind_is_good() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    drop(start(&path).expect("a store"));
    let earlier = Connection::open(&path).expect("a database");
    earlier
        .execute_batch(
            "DROP TABLE record;
             CREATE TABLE record (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, kind TEXT NOT NULL,
                 deadline INTEGER NOT NULL, value BLOB NOT NULL);",
        )
        .expect("the table of earlier builds");
    drop(earlier);
    let store = start(&path).expect("a store");
    let (key, soon) = (key("k"), later());
    block_on(async {
        assert!(store.create(&key, b"one".to_vec(), soon).await.unwrap());
        assert!(!store.create(&key, b"two".to_vec(), soon).await.unwrap());
        assert!(store.touch(&key, soon).await.unwrap());
        assert_eq!(
            store.take(&key).await.unwrap().as_deref(),
            Some(&b"one"[..])
        );
        assert_eq!(store.get(&key).await.unwrap(), None);
    });
}

#[test]
fn a_damaged_file_is_told() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    let store = start(&path).expect("a store");
    block_on(async {
        for number in 0..100 {
            store
                .create(&key(&number.to_string()), vec![b'v'; 500], later())
                .await
                .expect("create");
        }
    });
    drop(store);
    let mut content = fs::read(&path).expect("read");
    content[4096..].fill(0xA5);
    fs::write(&path, content).expect("write");
    let error = match start(&path) {
        Err(error) => error,
        Ok(store) => block_on(store.take(&key("1"))).expect_err("damaged"),
    };
    assert!(error.is_unavailable());
    assert!(error.to_string().contains("damaged"), "{error}");
}

#[test]
fn paths_that_cannot_be_a_file_are_refused_in_words() {
    let folder = folder();
    let told = |path: &Path| start(path).expect_err("no file there").to_string();
    let is_folder = told(folder.path());
    assert!(
        is_folder.contains("is a folder") && is_folder.contains("casque.db"),
        "{is_folder}"
    );
    let missing = told(&folder.path().join("no/such/casque.db"));
    assert!(missing.contains("folder does not exist"), "{missing}");
    let dangling = folder.path().join("link.db");
    std::os::unix::fs::symlink("nowhere.db", &dangling).expect("a link");
    assert!(
        told(&dangling).contains("cannot be opened"),
        "{}",
        told(&dangling)
    );
}

#[test]
fn a_file_that_cannot_be_written_is_told() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    drop(start(&path).expect("a store"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("chmod");
    if fs::OpenOptions::new().write(true).open(&path).is_ok() {
        println!("skipped: this user (root) may write a read-only file");
        return;
    }
    let error = start(&path).expect_err("read-only");
    assert!(error.is_unavailable());
    assert!(error.to_string().contains("cannot be written"), "{error}");
}

#[test]
fn many_may_open_a_new_file_at_the_same_moment() {
    let folder = folder();
    let path = folder.path().join("casque.db");
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..12)
            .map(|_| scope.spawn(|| start(&path).expect("a store")))
            .collect();
        for (number, thread) in threads.into_iter().enumerate() {
            let store = thread.join().expect("no panic");
            assert!(
                block_on(store.create(&key(&number.to_string()), Vec::new(), later()))
                    .expect("create")
            );
        }
    });
    let rows = Connection::open(&path).expect("a connection").query_row(
        "SELECT count(*) FROM record",
        [],
        |row| row.get::<_, i64>(0),
    );
    assert_eq!(rows, Ok(12));
}

/// Where a process that opens the file at the same moment as others finds it.
const OPENER_PATH: &str = "CASQUE_STORE_OPENER_PATH";

#[test]
fn many_processes_may_open_a_new_file_at_the_same_moment() {
    for _ in 0..5 {
        let folder = folder();
        let path = folder.path().join("casque.db");
        let mut processes: Vec<_> = (0..6)
            .map(|_| {
                Command::new(std::env::current_exe().expect("this binary"))
                    .args([
                        "--exact",
                        "a_process_that_opens",
                        "--ignored",
                        "--nocapture",
                    ])
                    .env(OPENER_PATH, &path)
                    .stdin(Stdio::piped())
                    .stdout(Stdio::null())
                    .spawn()
                    .expect("a process")
            })
            .collect();
        // Closing their input starts them.
        for process in &mut processes {
            drop(process.stdin.take());
        }
        for mut process in processes {
            assert!(process.wait().expect("it ends").success());
        }
        let rows = Connection::open(&path).expect("a connection").query_row(
            "SELECT count(*) FROM record",
            [],
            |row| row.get::<_, i64>(0),
        );
        assert_eq!(rows, Ok(6));
    }
}

#[test]
#[ignore = "started by many_processes_may_open_a_new_file_at_the_same_moment"]
fn a_process_that_opens() {
    let Some(path) = std::env::var_os(OPENER_PATH) else {
        println!("skipped: it needs a file and others that open it");
        return;
    };
    std::io::stdin()
        .read_to_end(&mut Vec::new())
        .expect("the starting signal");
    let store = start(Path::new(&path)).expect("a store");
    let name = std::process::id().to_string();
    assert!(block_on(store.create(&key(&name), Vec::new(), later())).expect("create"));
}

/// S-007: two stores on one file, as two processes have them, are one store.
#[test]
fn two_stores_on_one_file_have_one_winner() {
    let folder = folder();
    let url = format!("sqlite:{}", folder.path().join("casque.db").display());
    let stores: Vec<SharedStore> = (0..2)
        .map(|_| open(&url, Arc::new(SystemClock::new())).expect("a store"))
        .collect();
    block_on(async {
        for round in 0..20 {
            let key = key(&round.to_string());
            assert!(
                stores[0]
                    .create(&key, b"ticket".to_vec(), later())
                    .await
                    .expect("create")
            );
            assert!(
                stores[1].get(&key).await.expect("get").is_some(),
                "seen at once by the other"
            );
            let takers: Vec<_> = (0..64)
                .map(|number| {
                    let store = Arc::clone(&stores[number % 2]);
                    tokio::spawn(async move {
                        store
                            .append(&key, number.to_be_bytes().to_vec(), later())
                            .await
                            .expect("append");
                        store.take(&key).await.expect("take")
                    })
                })
                .collect();
            let mut won = 0;
            for taker in takers {
                won += usize::from(taker.await.expect("no panic").is_some());
            }
            assert_eq!(won, 1, "round {round}");
            assert_eq!(stores[0].members(&key).await.expect("members").len(), 64);
        }
    });
}
