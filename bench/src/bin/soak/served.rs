//! The server as a process of its own, which tells once in a while how much it holds.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Lines, Read as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use casque_server::{Config, Parts, PasswordChecker, PeopleFile, Server, Services};
use casque_store::{KeyHasher, MemoryStore, SharedStore, SystemClock};
use clap::Args;
use tokio::{net::TcpListener, sync::oneshot};

use crate::{
    Samples,
    judge::Sample,
    site::{self, Site},
};

/// How often it tells its memory.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many of those pass until a store that has to be walked is walked again.
const WALK_EVERY: u32 = 12;

#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder with people and services.
    folder: PathBuf,
    /// The URL of the store.
    store: String,
}

/// The running process. It ends when its standard input does.
pub(crate) struct Served {
    pub(crate) base: String,
    child: Child,
    lines: Option<Lines<BufReader<ChildStdout>>>,
}

impl Served {
    pub(crate) fn start(site: &Site, store: &str) -> Self {
        let program = std::env::current_exe().expect("a program has a path");
        let store = if store == "sqlite:" {
            format!("sqlite:{}", site.file("casque.db").display())
        } else {
            store.to_owned()
        };
        let mut child = Command::new(program)
            .arg("server")
            .args([site.file(""), PathBuf::from(store)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let output = child.stdout.take().expect("it is piped");
        let mut lines = BufReader::new(output).lines();
        let base = lines.next().expect("it says where it listens");
        Self {
            base: base.expect("its output is text"),
            child,
            lines: Some(lines),
        }
    }

    /// Gathers what it tells, until it ends.
    pub(crate) fn sample(&mut self, started: Instant, into: Samples) {
        let lines = self.lines.take().expect("asked once");
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut numbers = line.split(' ').map(str::parse);
                let mut next = || {
                    let number = numbers.next().and_then(Result::ok);
                    number.expect("two numbers")
                };
                let sample = Sample {
                    at: started.elapsed(),
                    kibibytes: next(),
                    held: next(),
                };
                into.lock().expect("nobody panicked").push(sample);
            }
        });
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The server's side.
pub(crate) async fn serve(arguments: &Arguments) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let file = arguments.folder.join("casque.toml");
    fs::write(&file, site::settings(address)).expect("a config");
    let config = Config::from_file(&file).expect("a valid config");
    let clock = Arc::new(SystemClock::new());
    // Its length counts what has expired and not been removed yet, too.
    let memory = (arguments.store == "memory:").then(|| Arc::new(MemoryStore::new(clock.clone())));
    let store: SharedStore = match &memory {
        Some(memory) => memory.clone(),
        None => casque_store::open(&arguments.store, clock.clone()).expect("a store"),
    };
    let people = PeopleFile::open(&config.people).expect("a file of people");
    let mut options = config.passwords.checker_options();
    if let Some((usual, _)) = people.usual_cost() {
        options.decoy = usual;
    }
    let parts = Parts {
        people: Arc::new(people),
        services: Arc::new(Services::load(&config.services).expect("services")),
        passwords: PasswordChecker::new(options),
        hasher: KeyHasher::random().expect("random bytes"),
    };
    let server = Server::new(&config, parts, store.clone(), clock).expect("a server");
    println!("{}", config.base_url.as_str());

    let telling = async {
        let mut ticks = tokio::time::interval(INTERVAL);
        let mut held = 0;
        for number in 0.. {
            ticks.tick().await;
            held = match &memory {
                Some(memory) => memory.len() as u64,
                None if number % WALK_EVERY == 0 || held < 10_000 => walk(&store).await,
                None => held,
            };
            println!("{} {held}", resident_kibibytes());
        }
    };
    // Nobody writes there; it ends when whoever started this does.
    let (orphaned, told_to_end) = oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        let _ = orphaned.send(());
    });
    tokio::select! {
        () = telling => {}
        ended = server.serve(listener, None, async { drop(told_to_end.await) }) => ended.expect("a socket"),
    }
}

/// What is live in a store that does not tell its length.
async fn walk(store: &SharedStore) -> u64 {
    let (mut held, mut from) = (0, None);
    loop {
        let page = store.walk(None, from.as_ref(), 1_000).await;
        let page = page.expect("the store answers");
        held += page.entries.len() as u64;
        match page.next {
            Some(next) => from = Some(next),
            None => return held,
        }
    }
}

fn resident_kibibytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux says it");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|rest| rest.trim().split(' ').next()?.parse().ok());
    number.expect("a number of KiB")
}
