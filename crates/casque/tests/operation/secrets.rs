//! A full run at TRACE, and a search of everything it logged for every secret that was used (S-017, SC-013).

use std::{fs::File, process::Stdio};

use crate::support::{Demo, casque, served::Site, visitor::Visitor};

/// A secret, and where it was used.
type Secret = (&'static str, String);

#[tokio::test]
async fn serve_logs_no_secret() {
    let site = Site::new("sqlite:casque.db", "");
    let log = site.file("log");
    let server = site.serve_with(
        site.command()
            .env("RUST_LOG", "trace")
            .stderr(Stdio::from(File::create(&log).expect("a file"))),
    );
    let mut secrets: Vec<Secret> = vec![
        ("password", "wonderland".into()),
        ("wrong password", "not-my-passw0rd".into()),
    ];
    let service = "http%3A%2F%2F127.0.0.1%3A9%2Fapp";
    let mut visitor = Visitor::new();

    let form = visitor
        .get(&format!("{}/login?service={service}", site.base_url))
        .await;
    keep(&mut secrets, "login ticket", &form.hidden_fields());
    let again = visitor.log_in(&form, "alice", "not-my-passw0rd").await;
    keep(&mut secrets, "login ticket", &again.hidden_fields());
    let answer = visitor.log_in(&again, "alice", "wonderland").await;
    let ticket = answer.ticket().expect("a ticket");
    for (name, value) in &visitor.cookies {
        assert!(!value.is_empty(), "{name}");
        secrets.push(("cookie", value.clone()));
    }
    secrets.push(("service ticket", ticket.clone()));
    for url in [
        format!(
            "{}/p3/serviceValidate?service={service}&ticket={ticket}",
            site.base_url
        ),
        format!(
            "{}/serviceValidate?service={service}&ticket={ticket}&format=JSON",
            site.base_url
        ),
        format!(
            "{}/validate?service={service}&ticket={ticket}",
            site.base_url
        ),
        format!("{}/login?service={service}&ticket={ticket}", site.base_url),
        format!(
            "{}/login?service=http%3A%2F%2F127.0.0.1%3A9%2Fapp%3Fticket%3D{ticket}",
            site.base_url
        ),
        format!("{}/nowhere?ticket={ticket}", site.base_url),
        format!("{}/logout", site.base_url),
    ] {
        visitor.get(&url).await;
    }
    drop(server);

    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(log.contains("alice"), "the run was logged: {log}");
    search(&log, &secrets);
}

#[tokio::test]
async fn an_application_logs_no_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("log");
    let demo = Demo::start_with(
        casque()
            .env("RUST_LOG", "trace")
            .stderr(Stdio::from(File::create(&log).expect("a file"))),
    );
    let mut secrets: Vec<Secret> = vec![("password", "wonderland".into())];
    let mut visitor = Visitor::new();

    let sent = visitor
        .get(&format!("{}/members?page=2", demo.app_url))
        .await;
    let form = visitor.follow(sent).await;
    keep(&mut secrets, "login ticket", &form.hidden_fields());
    let answer = visitor.log_in(&form, "alice", "wonderland").await;
    secrets.push(("service ticket", answer.ticket().expect("a ticket")));
    let page = visitor.follow(answer).await;
    assert_eq!(page.status, 200, "{}", page.body);
    secrets.extend(
        visitor
            .cookies
            .values()
            .map(|value| ("cookie", value.clone())),
    );
    let out = visitor.get(&format!("{}/logout", demo.app_url)).await;
    visitor.follow(out).await;
    drop(demo);

    let log = std::fs::read_to_string(&log).expect("a log");
    assert!(!log.is_empty());
    search(&log, &secrets);
}

fn keep(secrets: &mut Vec<Secret>, name: &'static str, fields: &[(String, String)]) {
    let hidden = fields.iter().filter(|(field, _)| field == "lt");
    secrets.extend(hidden.map(|(_, value)| (name, value.clone())));
}

fn search(log: &str, secrets: &[Secret]) {
    assert!(secrets.iter().any(|(name, _)| *name == "login ticket"));
    for (name, secret) in secrets {
        // What follows the prefix and the six characters that R-225 lets a log show.
        let secret = secret
            .split_once('-')
            .filter(|(prefix, _)| prefix.len() <= 6)
            .map_or(&**secret, |(_, rest)| &rest[6.min(rest.len())..]);
        if let Some(line) = log.lines().find(|line| line.contains(secret)) {
            panic!("a {name} is in the log: {line}");
        }
    }
}
