//! A process that writes to a store is killed with SIGKILL in the middle of it. Afterwards every write that it had been
//! told is done is there, and no ticket that it had taken is back.

#![cfg(unix)]

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use casque_store::{Clock, Key, KeyHasher, SharedStore, SqliteStore, SystemClock};

/// Where the process that is killed finds the file, and in which round it is.
const CHILD_PATH: &str = "CASQUE_STORE_CRASH_PATH";
const CHILD_ROUND: &str = "CASQUE_STORE_CRASH_ROUND";

const ROUNDS: usize = 8;
const WRITERS: usize = 24;

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("casque.db");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let mut told = Told::default();
    for round in 0..ROUNDS {
        // In every other round a second process has the file open while the first is killed.
        let watching = (round % 2 == 1).then(|| open(&path));
        let before = told.lines;
        run_and_kill(&path, round, 400 + 150 * round, &mut told);
        assert!(told.lines - before >= 400 + 150 * round);
        if let Some(store) = watching {
            runtime.block_on(verify(&store, &told));
        }
        runtime.block_on(verify(&open(&path), &told));
    }
    assert!(
        told.taken.len() > 100 && told.created.len() > told.taken.len(),
        "too little happened"
    );

    // Whatever was left is taken once, and never again.
    runtime.block_on(async {
        let store = open(&path);
        for name in &told.created {
            let taken = store.take(&key("ticket", name)).await.expect("take");
            if told.taken.contains(name) {
                assert_eq!(taken, None, "{name} is back");
            } else if !told.taking.contains(name) {
                assert!(taken.is_some(), "{name} is lost");
            }
            assert_eq!(
                store.take(&key("ticket", name)).await.expect("take"),
                None,
                "{name} is back"
            );
        }
    });
}

/// What the killed processes had said.
#[derive(Default)]
struct Told {
    lines: usize,
    created: BTreeSet<String>,
    /// A take was about to be asked for: it may or may not have happened.
    taking: BTreeSet<String>,
    taken: BTreeSet<String>,
    members: BTreeMap<String, usize>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let Some((what, name)) = line.strip_prefix('@').and_then(|line| line.split_once(' '))
        else {
            return;
        };
        self.lines += 1;
        let new = match what {
            "created" => self.created.insert(name.to_owned()),
            "taking" => self.taking.insert(name.to_owned()),
            "taken" => self.taken.insert(name.to_owned()),
            "appended" => {
                *self.members.entry(name.to_owned()).or_default() += 1;
                true
            }
            _ => panic!("{line}"),
        };
        assert!(new, "{line} was said twice");
    }
}

/// Starts this test binary again as the process that writes, and kills it once it has said enough.
fn run_and_kill(path: &Path, round: usize, lines: usize, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args([
            "--exact",
            "the_process_that_is_killed",
            "--ignored",
            "--nocapture",
        ])
        .env(CHILD_PATH, path)
        .env(CHILD_ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a process");
    let mut output = BufReader::new(child.stdout.take().expect("its output"));
    let until = told.lines + lines;
    let mut line = String::new();
    let mut killed = false;
    // What it said before it died is still in the pipe, and counts.
    while output.read_line(&mut line).expect("text") > 0 {
        if line.ends_with('\n') {
            told.hear(line.trim_end());
        }
        line.clear();
        if told.lines >= until && !killed {
            child.kill().expect("SIGKILL");
            killed = true;
        }
    }
    let status = child.wait().expect("it ends");
    assert_eq!(
        status.signal(),
        Some(9),
        "it was to die by the signal: {status}"
    );
}

async fn verify(store: &SharedStore, told: &Told) {
    for name in &told.created {
        let found = store.get(&key("ticket", name)).await.expect("get");
        if told.taken.contains(name) {
            assert_eq!(found, None, "{name} was taken and is back");
        } else if !told.taking.contains(name) {
            assert_eq!(found.as_deref(), Some(name.as_bytes()), "{name} is lost");
        }
    }
    for (name, count) in &told.members {
        let found = store
            .members(&key("set", name))
            .await
            .expect("members")
            .len();
        assert!(found >= *count, "{name}: {found} of {count} members");
    }
}

#[test]
#[ignore = "started by kill_9_loses_nothing_that_was_acknowledged, which kills it"]
fn the_process_that_is_killed() {
    let Some(path) = std::env::var_os(CHILD_PATH) else {
        println!("skipped: it writes until it is killed");
        return;
    };
    let round = std::env::var(CHILD_ROUND).expect("a round");
    let store = open(Path::new(&path));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                tokio::spawn(write_forever(
                    Arc::clone(&store),
                    format!("{round}-{writer}"),
                ))
            })
            .collect();
        for writer in writers {
            writer.await.expect("no panic");
        }
    });
}

#[expect(
    clippy::print_stdout,
    reason = "the test that started this process listens"
)]
async fn write_forever(store: SharedStore, writer: String) {
    let deadline = SystemClock::new().now() + Duration::from_hours(1);
    for number in 0_u64.. {
        let name = format!("{writer}-{number}");
        let ticket = key("ticket", &name);
        assert!(
            store
                .create(&ticket, name.clone().into_bytes(), deadline)
                .await
                .expect("create")
        );
        println!("@created {name}");
        let set = key("set", &writer);
        store
            .append(&set, name.clone().into_bytes(), deadline)
            .await
            .expect("append");
        println!("@appended {writer}");
        if number % 2 == 0 {
            println!("@taking {name}");
            assert!(store.take(&ticket).await.expect("take").is_some());
            println!("@taken {name}");
        }
    }
}

fn open(path: &Path) -> SharedStore {
    Arc::new(SqliteStore::open(path, Arc::new(SystemClock::new())).expect("a store"))
}

fn key(kind: &'static str, name: &str) -> Key {
    Key::new(kind, name.as_bytes(), &KeyHasher::new(&[3; 32]))
}
