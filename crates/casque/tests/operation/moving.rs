//! Sessions seen and ended by an operator, and a store that is moved, backed up and restored without signing anyone out.

use std::process::Output;

use crate::support::{casque, served::Site, visitor::Visitor};

const SERVICE: &str = "http%3A%2F%2F127.0.0.1%3A9%2Fapp";

fn run(site: &Site, arguments: &[&str]) -> Output {
    let mut command = casque();
    command.args(arguments).current_dir(site.file(""));
    command.output().expect("casque runs")
}

fn says(site: &Site, arguments: &[&str]) -> String {
    let output = run(site, arguments);
    let err = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {err}");
    String::from_utf8(output.stdout).expect("text")
}

fn refuses(site: &Site, arguments: &[&str]) -> String {
    let output = run(site, arguments);
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {err}");
    err
}

async fn signed_in(site: &Site, name: &str, password: &str) -> Visitor {
    let mut visitor = Visitor::new();
    let form = visitor
        .get(&format!("{}/login?service={SERVICE}", site.base_url))
        .await;
    let answer = visitor.log_in(&form, name, password).await;
    let ticket = answer.ticket().expect("a ticket");
    let url = format!(
        "{}/serviceValidate?service={SERVICE}&ticket={ticket}",
        site.base_url
    );
    assert!(visitor.get(&url).await.body.contains("cas:user"));
    visitor
}

/// On a connection of its own: one to a server that has ended since is of no use.
async fn is_signed_in(site: &Site, known: &Visitor) -> bool {
    let mut visitor = Visitor::new();
    visitor.cookies = known.cookies.clone();
    let url = format!("{}/login?service={SERVICE}", site.base_url);
    visitor.get(&url).await.ticket().is_some()
}

fn set_store(site: &Site, from: &str, to: &str) {
    let config = std::fs::read_to_string(site.file("casque.toml")).expect("the configuration");
    assert!(config.contains(from));
    site.write("casque.toml", &config.replace(from, to));
}

#[tokio::test]
async fn sessions_are_listed_shown_and_ended() {
    let site = Site::new("sqlite:casque.db", "");
    let _server = site.serve();
    let alice = signed_in(&site, "alice", "wonderland").await;
    let bob = signed_in(&site, "bob", "builder of castles").await;

    let listed = says(&site, &["session", "list", "--json"]);
    let sessions: Vec<serde_json::Value> = listed
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let users: Vec<_> = sessions.iter().map(|session| &session["user"]).collect();
    assert_eq!(users, ["alice", "bob"], "the oldest first");
    let id = sessions[0]["id"].as_str().expect("text");
    let text = says(&site, &["session", "list", "--user", "bob"]);
    assert!(text.contains("bob") && !text.contains("alice") && text.contains("1 session."));
    let shown = says(&site, &["session", "show", &id[..12]]);
    assert!(
        shown.contains(id) && shown.contains("service     http://127.0.0.1:9/app"),
        "{shown}"
    );
    for (name, value) in &alice.cookies {
        assert!(!shown.contains(value) && !listed.contains(value), "{name}");
    }

    assert!(refuses(&site, &["session", "kill", "0000000000"]).contains("no live session"));
    assert!(refuses(&site, &["session", "kill", "00"]).contains("too short"));
    let ended = says(&site, &["session", "kill", &id[..12]]);
    assert_eq!(ended, "1 session has ended.\n");
    assert!(!is_signed_in(&site, &alice).await);
    assert!(is_signed_in(&site, &bob).await);
    says(&site, &["session", "kill", "--user", "bob"]);
    assert!(!is_signed_in(&site, &bob).await);
    assert_eq!(says(&site, &["session", "list"]), "0 sessions.\n");
}

#[tokio::test]
async fn a_store_is_moved_and_nobody_is_signed_out() {
    let site = Site::new("sqlite:casque.db", "");
    let server = site.serve();
    let alice = signed_in(&site, "alice", "wonderland").await;
    drop(server);
    let migrate = ["store", "migrate", "sqlite:casque.db", "sqlite:moved.db"];
    assert!(says(&site, &migrate).starts_with("Copied: "));
    assert!(refuses(&site, &migrate).contains("not empty"));
    set_store(&site, "sqlite:casque.db", "sqlite:moved.db");
    let _server = site.serve();
    assert!(is_signed_in(&site, &alice).await);
    let shown = says(&site, &["session", "list", "--json"]);
    let session: serde_json::Value = serde_json::from_str(shown.trim()).expect("JSON");
    let id = session["id"].as_str().expect("text");
    assert!(says(&site, &["session", "show", id]).contains("http://127.0.0.1:9/app"));
}

#[tokio::test]
async fn a_backup_is_restored_and_nobody_is_signed_out() {
    let site = Site::new("sqlite:casque.db", "");
    let server = site.serve();
    let alice = signed_in(&site, "alice", "wonderland").await;
    let written = says(&site, &["backup", "backup.jsonl"]);
    assert!(written.contains("backup.jsonl"), "{written}");
    drop(server);
    let text = std::fs::read_to_string(site.file("backup.jsonl")).expect("the file");
    for value in alice.cookies.values() {
        assert!(!text.contains(value), "a backup signs nobody in");
    }
    assert_ne!(
        run(&site, &["backup", "backup.jsonl"]).status.code(),
        Some(0),
        "it is there"
    );
    set_store(&site, "sqlite:casque.db", "sqlite:restored.db");

    let cut = text.len() - 10;
    for (name, text) in [
        ("cut.jsonl", &text[..cut]),
        ("other.jsonl", "{}\n"),
        ("short.jsonl", text.lines().next().expect("a head")),
    ] {
        site.write(name, text);
        assert!(refuses(&site, &["restore", name]).contains("fix: "));
    }
    assert!(
        !site.file("restored.db").exists(),
        "nothing is written of half a backup"
    );
    assert!(says(&site, &["restore", "backup.jsonl"]).starts_with("Restored: "));
    assert!(refuses(&site, &["restore", "backup.jsonl"]).contains("not empty"));
    let _server = site.serve();
    assert!(is_signed_in(&site, &alice).await);
}

#[test]
fn a_node_with_another_key_does_not_start() {
    let site = Site::new("sqlite:casque.db", "");
    drop(site.serve());
    std::fs::rename(site.file("casque.key"), site.file("kept.key")).expect("moved");
    let output = site.command().output().expect("it runs");
    let words = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{words}");
    assert!(words.contains("was filled with the secret key"), "{words}");
    assert!(
        words.contains("fix: copy the file of `secret_key`"),
        "{words}"
    );
    std::fs::rename(site.file("kept.key"), site.file("casque.key")).expect("moved");
    drop(site.serve());
}
