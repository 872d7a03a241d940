//! `kill -9` of `casque serve` under load, ten times: every acknowledged SSO session still signs in, and no ticket is
//! accepted twice (I1, R-096, S-007).

use std::sync::{Arc, Mutex};

use tokio::{sync::mpsc, task::JoinSet};

use crate::support::{served::Site, visitor::Visitor};

const ROUNDS: usize = 10;
const VISITORS: usize = 4;
/// Sessions acknowledged in a round before the server is killed.
const SESSIONS: usize = 6;
const SERVICE: &str = "http://127.0.0.1:9/app";

/// What the server has told its visitors.
#[derive(Default)]
struct Told {
    /// Cookies of acknowledged sessions.
    sessions: Vec<std::collections::BTreeMap<String, String>>,
    /// Tickets handed out, with the number of times one was accepted.
    tickets: Vec<(String, usize)>,
}

#[tokio::test]
async fn kill_9_loses_no_session_and_revives_no_ticket() {
    let site = Site::new(
        "sqlite:casque.db",
        "[tickets]\nservice_ticket_lifetime = \"300s\"\n",
    );
    let told = Arc::new(Mutex::new(Told::default()));

    for round in 0..ROUNDS {
        let server = site.serve();
        let (acknowledged, mut sessions) = mpsc::unbounded_channel();
        let mut load = JoinSet::new();
        for _ in 0..VISITORS {
            load.spawn(visit(
                site.base_url.clone(),
                told.clone(),
                acknowledged.clone(),
            ));
        }
        for _ in 0..SESSIONS {
            sessions
                .recv()
                .await
                .expect("the visitors go on until the server is gone");
        }
        server.signal("KILL");
        drop(server);
        while let Some(visitor) = load.join_next().await {
            visitor.expect("a visitor ends when the server is gone");
        }

        let server = site.serve();
        let (sessions, tickets) = {
            let mut told = told.lock().expect("no visitor panicked");
            (told.sessions.clone(), std::mem::take(&mut told.tickets))
        };
        assert!(sessions.len() >= SESSIONS * (round + 1));
        for cookies in &sessions {
            let mut visitor = Visitor::new();
            visitor.cookies = cookies.clone();
            let answer = visitor.get(&login(&site.base_url)).await;
            assert!(
                answer.ticket().is_some(),
                "round {round}: an acknowledged session is lost"
            );
        }
        for (ticket, before) in tickets {
            let again = validates(&mut Visitor::new(), &site.base_url, &ticket)
                .await
                .expect("it is up");
            let accepted = before + usize::from(again);
            assert!(
                accepted <= 1,
                "round {round}: a ticket was accepted {accepted} times"
            );
        }
        drop(server);
    }
}

/// Logs in again and again, and validates a ticket each time, until the server is gone.
async fn visit(base: String, told: Arc<Mutex<Told>>, acknowledged: mpsc::UnboundedSender<()>) {
    loop {
        let mut visitor = Visitor::new();
        let Ok(form) = visitor.try_get(&login(&base)).await else {
            return;
        };
        let Ok(answer) = visitor.try_log_in(&form, "alice", "wonderland").await else {
            return;
        };
        let ticket = answer
            .ticket()
            .unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body));
        {
            let mut told = told.lock().expect("no visitor panicked");
            told.sessions.push(visitor.cookies.clone());
            told.tickets.push((ticket.clone(), 0));
        }
        let _ = acknowledged.send(());
        let Ok(accepted) = validates(&mut visitor, &base, &ticket).await else {
            return;
        };
        assert!(accepted, "a fresh ticket is accepted");
        let mut told = told.lock().expect("no visitor panicked");
        let entry = told
            .tickets
            .iter_mut()
            .find(|(known, _)| *known == ticket)
            .expect("it was told");
        entry.1 += 1;
    }
}

fn login(base: &str) -> String {
    let service: String = url::form_urlencoded::byte_serialize(SERVICE.as_bytes()).collect();
    format!("{base}/login?service={service}")
}

async fn validates(visitor: &mut Visitor, base: &str, ticket: &str) -> reqwest::Result<bool> {
    let service: String = url::form_urlencoded::byte_serialize(SERVICE.as_bytes()).collect();
    let url = format!("{base}/p3/serviceValidate?service={service}&ticket={ticket}");
    Ok(visitor
        .try_get(&url)
        .await?
        .body
        .contains("<cas:user>alice</cas:user>"))
}
