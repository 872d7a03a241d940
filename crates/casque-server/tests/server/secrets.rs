//! What a log at TRACE must not hold (S-017, SC-013), and the log that tests read.

use std::{
    io,
    sync::{Arc, Mutex},
};

use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

use crate::house::{House, PASSWORD, encode};

/// A log in memory.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn subscriber(&self, filter: &str) -> impl tracing::Subscriber + use<> {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(filter))
            .with_ansi(false)
            .with_writer(self.clone())
            .finish()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("not poisoned").clone()).expect("UTF-8")
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .expect("not poisoned")
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn a_whole_story_at_trace_logs_no_secret() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber("trace"));
    let service = "https://app.example.org/start";
    let house = House::new();
    let mut browser = house.browser();
    let mut secrets = vec![
        PASSWORD.to_owned(),
        encode(PASSWORD),
        "a-wrong-passw0rd".to_owned(),
    ];

    let form = browser
        .get(&format!("/login?service={}", encode(service)))
        .await;
    secrets.push(form.login_ticket().expect("a form"));
    let form = browser
        .submit(&form, "alice", "a-wrong-passw0rd", Some(service))
        .await;
    secrets.push(form.login_ticket().expect("a form"));
    // A password typed into the wrong field.
    let form = browser.submit(&form, PASSWORD, "x", Some(service)).await;
    secrets.extend(browser.cookies.values().cloned());
    let answer = browser
        .submit(&form, "alice", PASSWORD, Some(service))
        .await;
    secrets.push(answer.ticket().expect("a ticket"));
    secrets.extend(browser.cookies.values().cloned());
    secrets.push(browser.ticket_for(service).await);
    for ticket in secrets
        .clone()
        .iter()
        .filter(|secret| secret.starts_with("ST-"))
    {
        for endpoint in ["p3/serviceValidate", "serviceValidate", "validate"] {
            house.browser().validate(endpoint, service, ticket).await;
        }
        let evil = encode(&format!("https://evil.example/?ticket={ticket}"));
        browser.get(&format!("/login?service={evil}")).await;
        browser
            .get(&format!("/login?ticket={ticket}&ticket=x"))
            .await;
    }
    browser.get("/logout").await;
    house.server.finish_logout_messages().await;

    let text = log.text();
    assert!(text.contains("alice"), "the story was logged:\n{text}");
    assert!(text.contains("logout message not delivered"), "{text}");
    for secret in secrets {
        assert!(!text.contains(&secret), "{secret} in:\n{text}");
    }
}

#[tokio::test]
async fn debug_shows_no_secret() {
    let house = House::new();
    let shown = format!("{:?}", house.server);
    assert!(!shown.contains("Key") && shown.contains("/cas"), "{shown}");
}
