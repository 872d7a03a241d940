//! The audit log of the real server: what is in it, what is not, and what happens to its file.

use std::fs;

use serde_json::Value;

use crate::support::{Process, served::Site, visitor::Visitor};

const SERVICE: &str = "http%3A%2F%2F127.0.0.1%3A9%2Fapp";

/// The lines of a file once there are so many; they are written a moment after the answer.
async fn lines(site: &Site, name: &str, count: usize) -> Vec<Value> {
    let wait = async {
        loop {
            let text = fs::read_to_string(site.file(name)).unwrap_or_default();
            let lines: Vec<Value> = text
                .lines()
                .map(|line| serde_json::from_str(line).expect("a line is JSON"))
                .collect();
            if lines.len() >= count {
                return lines;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), wait)
        .await
        .expect("the lines are written")
}

fn of<'a>(lines: &'a [Value], event: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["event"] == event).collect()
}

async fn visit(site: &Site) -> String {
    let mut visitor = Visitor::new();
    let form = visitor
        .get(&format!("{}/login?service={SERVICE}", site.base_url))
        .await;
    let form = visitor.log_in(&form, "alice", "not-my-passw0rd").await;
    let answer = visitor.log_in(&form, "alice", "wonderland").await;
    let ticket = answer.ticket().expect("a ticket");
    for _ in 0..2 {
        let url = format!(
            "{}/p3/serviceValidate?service={SERVICE}&ticket={ticket}",
            site.base_url
        );
        visitor.get(&url).await;
    }
    visitor
        .get(&format!(
            "{}/login?service=https%3A%2F%2Fevil.example%2F%3Fticket%3D{ticket}",
            site.base_url
        ))
        .await;
    visitor.get(&format!("{}/logout", site.base_url)).await;
    ticket
}

#[tokio::test]
async fn every_decision_has_a_line_and_no_line_a_secret() {
    let site = Site::new("sqlite:casque.db", "[operation]\naudit = \"audit.jsonl\"\n");
    let server = site.serve();
    let ticket = visit(&site).await;
    let lines = lines(&site, "audit.jsonl", 8).await;
    for line in &lines {
        assert_eq!(line["v"], 1);
        assert!(
            line["time"]
                .as_str()
                .is_some_and(|time| time.ends_with('Z')),
            "{line}"
        );
        assert!(["success", "failure"].contains(&line["outcome"].as_str().expect("text")));
    }
    let logins = of(&lines, "login");
    assert_eq!(logins.len(), 2);
    assert_eq!(logins[0]["reason"], "wrong_password");
    assert_eq!(logins[1]["outcome"], "success");
    for login in logins {
        let [user, service, client] = ["user", "service", "client"].map(|name| &login[name]);
        assert_eq!([user, service, client], ["alice", "loopback", "127.0.0.1"]);
    }
    let granted = of(&lines, "ticket_granted");
    let validated = of(&lines, "ticket_validated");
    assert_eq!((granted.len(), validated.len()), (1, 2));
    assert_eq!(
        granted[0]["ticket"], validated[0]["ticket"],
        "a ticket can be followed"
    );
    assert_eq!(validated[0]["user"], "alice");
    assert_eq!(validated[1]["reason"], "INVALID_TICKET");
    assert_eq!(of(&lines, "service_refused").len(), 1);
    assert_eq!(of(&lines, "session_ended")[0]["reason"], "logout");
    // Nothing listens where the service is said to be.
    assert_eq!(of(&lines, "logout_message")[0]["reason"], "failed");

    let text = fs::read_to_string(site.file("audit.jsonl")).expect("the file");
    let (_, random) = ticket.split_once('-').expect("a prefix");
    for secret in [&random[6..], "not-my-passw0rd", "wonderland"] {
        assert!(!text.contains(secret), "{text}");
    }
    drop(server);
}

#[tokio::test]
async fn the_file_is_opened_anew_and_what_changed_is_told() {
    let site = Site::new("sqlite:casque.db", "[operation]\naudit = \"audit.jsonl\"\n");
    let server = site.serve();
    visit(&site).await;
    lines(&site, "audit.jsonl", 8).await;
    fs::rename(site.file("audit.jsonl"), site.file("audit.1")).expect("moved");
    site.write("services/broken.toml", "id = \"broken\"\n");
    server.signal("HUP");
    let told = lines(&site, "audit.jsonl", 2).await;
    let reloads: Vec<_> = told
        .iter()
        .map(|line| (&line["kind"], &line["outcome"]))
        .collect();
    assert_eq!(reloads.len(), 2);
    assert!(
        reloads
            .iter()
            .any(|(kind, outcome)| **kind == "people" && **outcome == "success")
    );
    assert!(
        reloads
            .iter()
            .any(|(kind, outcome)| **kind == "services" && **outcome == "failure")
    );
    let problem = told.iter().find_map(|line| line["problem"].as_str());
    assert!(
        problem.is_some_and(|words| words.contains("broken.toml")),
        "{told:?}"
    );
}

#[test]
fn a_file_that_cannot_be_opened_ends_the_start() {
    let site = Site::new("memory:", "[operation]\naudit = \"none/audit.jsonl\"\n");
    let output = site.command().output().expect("it runs");
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("`operation.audit` names"), "{words}");
    assert!(words.contains("casque.toml:"), "{words}");
    assert!(words.contains("fix: "), "{words}");
}

/// With `-` standard output holds lines and nothing else.
#[tokio::test]
async fn standard_output_is_for_the_lines_alone() {
    let site = Site::new("sqlite:casque.db", "[operation]\naudit = \"-\"\n");
    let out = site.file("out");
    let (err, writer) = std::io::pipe().expect("a pipe");
    let mut command = site.command();
    command
        .stdout(fs::File::create(&out).expect("a file"))
        .stderr(writer);
    let server = Process::start(&mut command);
    drop(command);
    let listens = format!("127.0.0.1:{}", site.port());
    let mut said = std::io::BufRead::lines(std::io::BufReader::new(err));
    assert!(said.any(|line| line.expect("text").contains(&listens)));
    std::thread::spawn(move || said.for_each(drop));
    visit(&site).await;
    assert!(lines(&site, "out", 8).await.len() >= 8);
    drop(server);
}
