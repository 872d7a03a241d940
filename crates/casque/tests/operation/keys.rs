//! `casque keys`: the secret key is changed step by step, on one server and on two, and nobody is signed out.

use std::{
    fs,
    process::{Command, Output},
    sync::Arc,
};

use casque_store::{Key, KeyHasher, KeyRing, SharedStore, SystemClock, open};
use casque_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};

use crate::support::{Process, casque, served::Site, visitor::Visitor};

const SERVICE: &str = "http%3A%2F%2F127.0.0.1%3A9%2Fapp";

/// Two servers on one store with a key file each, as on machines of their own.
struct Pair {
    sites: [Site; 2],
    store: SharedStore,
}

impl Pair {
    /// On a store that may take its time on a busy machine.
    fn new(store: &str) -> Self {
        let mark = if store.contains('?') { '&' } else { '?' };
        let store = &format!("{store}{mark}timeout=30s");
        let sites = [(); 2].map(|()| Site::new(store, ""));
        let [from, to] = [0, 1].map(|number: usize| sites[number].file("people.toml"));
        fs::copy(from, to).expect("copied");
        let store = open(store, Arc::new(SystemClock::new())).expect("a store");
        Self { sites, store }
    }

    fn start(&self) -> [Process; 2] {
        let first = self.sites[0].serve();
        if !self.sites[1].file("casque.key").exists() {
            self.give_key();
        }
        [first, self.sites[1].serve()]
    }

    /// Copies the key file of the first server to the second.
    fn give_key(&self) {
        let [from, to] = [0, 1].map(|number| self.sites[number].file("casque.key"));
        // The mode is copied with it.
        fs::copy(from, to).expect("copied");
    }

    /// Starts a server again, as an operator does.
    fn restart(&self, number: usize, servers: &mut [Process; 2]) {
        servers[number].signal("TERM");
        assert!(servers[number].wait().success());
        servers[number] = self.sites[number].serve();
    }

    /// Lets the time pass in which a key may name something that is in use: a real one is hours away.
    async fn outlive(&self, key: &str) {
        let place = Key::new("deployment", b"keys", &KeyHasher::new(&[0; 32]));
        let member = serde_json::json!({ "key": key }).to_string();
        let removed = self.store.remove_member(&place, member.as_bytes()).await;
        assert!(removed.expect("a store"), "{key} is noted in the store");
    }
}

fn keys(site: &Site, arguments: &[&str]) -> Output {
    let mut command = casque();
    command
        .arg("keys")
        .args(arguments)
        .current_dir(site.file(""));
    command.output().expect("casque runs")
}

fn does(site: &Site, arguments: &[&str]) -> String {
    let output = keys(site, arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {err}");
    String::from_utf8(output.stdout).expect("text")
}

fn refuses(site: &Site, arguments: &[&str]) -> String {
    let output = keys(site, arguments);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
    err
}

/// What `keys show` says, and that it tells no secret.
fn shown(site: &Site) -> serde_json::Value {
    let text = does(site, &["show", "--json"]);
    let for_people = does(site, &["show"]);
    for secret in fs::read_to_string(site.file("casque.key"))
        .expect("keys")
        .lines()
    {
        for part in secret.as_bytes().chunks(16) {
            let part = std::str::from_utf8(part).expect("digits");
            assert!(!text.contains(part) && !for_people.contains(part));
        }
    }
    serde_json::from_str(&text).expect("JSON")
}

fn ring(site: &Site) -> KeyRing {
    let text = fs::read_to_string(site.file("casque.key")).expect("a key file");
    KeyRing::parse(&text).expect("keys")
}

async fn signed_in(site: &Site, name: &str, password: &str) -> Visitor {
    let mut visitor = Visitor::new();
    let url = format!("{}/login?service={SERVICE}", site.base_url);
    let form = visitor.get(&url).await;
    let answer = visitor.log_in(&form, name, password).await;
    assert!(answer.ticket().is_some(), "{}", answer.body);
    visitor
}

/// Whether a session gets a ticket at one server which another accepts, once.
async fn goes_on(known: &Visitor, site: &Site, other: &Site) -> bool {
    let mut visitor = Visitor::new();
    visitor.cookies = known.cookies.clone();
    let url = format!("{}/login?service={SERVICE}", site.base_url);
    let Some(ticket) = visitor.get(&url).await.ticket() else {
        return false;
    };
    for expected in [true, false, false] {
        let url = format!(
            "{}/serviceValidate?service={SERVICE}&ticket={ticket}",
            other.base_url
        );
        let answer = Visitor::new().get(&url).await;
        assert_eq!(
            answer.body.contains("cas:user"),
            expected,
            "{}",
            answer.body
        );
    }
    true
}

#[tokio::test]
async fn two_servers_on_redis() {
    if let Some(server) = RedisServer::start(RedisOptions::default()) {
        story(&Pair::new(&server.url())).await;
    }
}

#[tokio::test]
async fn two_servers_on_postgres() {
    if let Some(server) = PostgresServer::start(PostgresOptions::default()) {
        story(&Pair::new(&server.url())).await;
    }
}

async fn story(pair: &Pair) {
    let [here, there] = &pair.sites;
    let mut servers = pair.start();
    let alice = signed_in(here, "alice", "wonderland").await;
    let old = ring(here).fingerprints().remove(0);
    assert_eq!(shown(here)["next"], "nothing");
    assert!(refuses(here, &["promote"]).contains("one key alone"));
    assert!(refuses(here, &["retire"]).contains("one key alone"));
    assert!(refuses(here, &["rotate", "--only-server"]).contains("2 servers use this store"));

    let text = does(here, &["rotate"]);
    let [first, new] = &ring(here).fingerprints()[..] else {
        panic!("two keys");
    };
    assert_eq!((first, text.contains(new)), (&old, true), "{text}");
    assert!(refuses(here, &["rotate"]).contains("two keys already"));
    assert!(refuses(here, &["promote"]).contains("2 of 2 servers cannot find"));
    assert_eq!(shown(here)["next"], "distribute");
    pair.restart(0, &mut servers);
    assert!(refuses(there, &["rotate"]).contains("has the key"));
    assert!(refuses(here, &["promote"]).contains("1 of 2 servers cannot find"));
    // Who skips a step is stopped by the server itself.
    let step = fs::read_to_string(here.file("casque.key")).expect("keys");
    let skipped = ring(here).swapped().expect("two keys").to_text();
    here.write("casque.key", &skipped);
    servers[0].signal("TERM");
    servers[0].wait();
    let output = here.command().output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(
        words.contains("1 of the others that run cannot find them"),
        "{words}"
    );
    assert!(words.contains("fix: give every server"), "{words}");
    here.write("casque.key", &step);
    servers[0] = here.serve();

    pair.give_key();
    pair.restart(1, &mut servers);
    assert_eq!(shown(here)["next"], "promote");
    for (site, other) in [(here, there), (there, here)] {
        assert!(goes_on(&alice, site, other).await);
    }
    does(here, &["promote"]);
    pair.restart(0, &mut servers);
    // Both orders side by side.
    let bob = signed_in(here, "bob", "builder of castles").await;
    for visitor in [&alice, &bob] {
        for (site, other) in [(here, there), (there, here)] {
            assert!(goes_on(visitor, site, other).await);
        }
    }
    let report = shown(here);
    assert_eq!(report["next"], "distribute");
    let sessions: Vec<_> = (0..2)
        .map(|n| report["keys"][n]["sessions"].clone())
        .collect();
    assert_eq!(sessions, [1, 1]);
    pair.give_key();
    pair.restart(1, &mut servers);
    let report = shown(there);
    assert_eq!(report["next"], "wait");
    let until = report["keys"][1]["in_use_until"].as_str().expect("a time");
    let refused = refuses(there, &["retire"]);
    assert!(
        refused.contains("in use") && refused.contains(until),
        "{refused}"
    );
    assert!(
        goes_on(&alice, there, here).await,
        "a refusal changes nothing"
    );

    pair.outlive(&old).await;
    assert_eq!(shown(there)["next"], "retire");
    does(here, &["retire"]);
    assert_eq!(ring(here).fingerprints(), [new.as_str()]);
    assert_eq!(shown(here)["next"], "distribute");
    pair.restart(0, &mut servers);
    assert!(goes_on(&bob, here, there).await);
    assert!(goes_on(&bob, there, here).await);
    assert!(!goes_on(&alice, here, there).await, "of the old key");
    pair.give_key();
    pair.restart(1, &mut servers);
    assert_eq!(shown(there)["next"], "nothing");

    // A key file of before the change.
    drop(servers);
    let first_line = step.lines().next().expect("a line");
    here.write("casque.key", &format!("{first_line}\n"));
    let output = here.command().output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains(&format!("the secret key {new}")), "{words}");
    assert!(
        words.contains("fix: copy the file of `secret_key`"),
        "{words}"
    );
    for key in fs::read_to_string(there.file("casque.key"))
        .expect("keys")
        .lines()
    {
        assert!(!words.contains(key));
    }
}

/// One server alone has two starts fewer.
#[tokio::test]
async fn one_server_on_sqlite() {
    let site = Site::new("sqlite:casque.db", "");
    let mut server = site.serve();
    let alice = signed_in(&site, "alice", "wonderland").await;
    does(&site, &["rotate", "--only-server"]);
    let [new, old] = &ring(&site).fingerprints()[..] else {
        panic!("two keys");
    };
    // The running server has not heard of it.
    assert!(goes_on(&alice, &site, &site).await);
    server.signal("TERM");
    assert!(server.wait().success());
    let server = site.serve();
    let bob = signed_in(&site, "bob", "builder of castles").await;
    for visitor in [&alice, &bob] {
        assert!(goes_on(visitor, &site, &site).await);
    }
    let report = shown(&site);
    assert_eq!(report["keys"][0]["fingerprint"], *new.as_str());
    assert_eq!(report["next"], "wait");
    assert!(refuses(&site, &["retire"]).contains(&format!("the key {old} names")));
    let listed = casque()
        .args(["session", "list"])
        .current_dir(site.file(""))
        .output()
        .expect("casque runs");
    let listed = String::from_utf8(listed.stdout).expect("text");
    assert!(
        listed.contains("alice") && listed.contains("bob"),
        "{listed}"
    );

    // A backup holds what both keys name.
    let backup = |arguments: &[&str]| {
        let done = casque().args(arguments).current_dir(site.file("")).status();
        assert!(done.expect("casque runs").success(), "{arguments:?}");
    };
    backup(&["backup", "backup.jsonl"]);
    drop(server);
    let config = fs::read_to_string(site.file("casque.toml")).expect("the configuration");
    site.write("casque.toml", &config.replace("casque.db", "restored.db"));
    backup(&["restore", "backup.jsonl"]);
    let _server = site.serve();
    for visitor in [&alice, &bob] {
        assert!(goes_on(visitor, &site, &site).await);
    }
}

/// The disk is full, or the process is killed, in the middle of writing: the file is the old one or the new one.
#[tokio::test]
async fn a_crash_in_the_middle_loses_no_key() {
    let Some(redis) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    let pair = Pair::new(&redis.url());
    let site = &pair.sites[0];
    let mut server = site.serve();
    let alice = signed_in(site, "alice", "wonderland").await;
    let text = || fs::read_to_string(site.file("casque.key")).expect("a key file");
    // The kernel ends the process at its first byte to a file.
    let crashes = |step: &str| {
        let before = text();
        let output = Command::new("sh")
            .args([
                "-c",
                "ulimit -c 0 && ulimit -f 0 && exec \"$0\" keys \"$1\" --config casque.toml",
            ])
            .arg(env!("CARGO_BIN_EXE_casque"))
            .arg(step)
            .current_dir(site.file(""))
            .output()
            .expect("a shell");
        assert_eq!(
            output.status.code(),
            None,
            "{step} was not killed: {output:?}"
        );
        assert_eq!(text(), before, "{step}");
    };
    let old = ring(site).fingerprints().remove(0);
    crashes("rotate");
    does(site, &["rotate"]);
    let restart = |server: &mut Process| {
        server.signal("TERM");
        assert!(server.wait().success());
        *server = site.serve();
    };
    restart(&mut server);
    crashes("promote");
    restart(&mut server);
    does(site, &["promote"]);
    restart(&mut server);
    assert!(goes_on(&alice, site, site).await);
    let bob = signed_in(site, "bob", "builder of castles").await;
    pair.outlive(&old).await;
    // The store knows that the old key is retired, and the file does not: both can be gone on with.
    crashes("retire");
    restart(&mut server);
    assert!(goes_on(&bob, site, site).await);
    does(site, &["retire"]);
    restart(&mut server);
    assert!(goes_on(&bob, site, site).await);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        for file in fs::read_dir(site.file("")).expect("a folder") {
            let file = file.expect("a file");
            if file.file_name().to_string_lossy().contains("casque.key") {
                let mode = file.metadata().expect("there").permissions().mode();
                assert_eq!(mode & 0o777, 0o600, "{file:?}");
            }
        }
    }
}

#[test]
fn what_cannot_be_changed_says_why() {
    let site = Site::new("memory:", "");
    assert!(refuses(&site, &["show"]).contains("there is no such file"));
    assert!(
        !site.file("casque.key").exists(),
        "nothing is made on the way"
    );
    drop(site.serve());
    assert_eq!(shown(&site)["next"], "nothing");
    assert!(refuses(&site, &["rotate"]).contains("forgotten at every start"));
    site.write("casque.key", "short\n");
    for step in ["show", "rotate", "promote", "retire"] {
        let refused = refuses(&site, &[step]);
        assert!(refused.contains("64 hexadecimal digits"), "{refused}");
    }
    assert_eq!(
        fs::read_to_string(site.file("casque.key")).expect("kept"),
        "short\n"
    );
}
