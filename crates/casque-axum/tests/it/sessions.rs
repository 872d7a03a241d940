//! S-055, S-079: how sessions begin, live and end, on every store.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use casque_store::SharedStore;
use casque_testkit::{FakeCas, ManualClock};

use crate::support::{BASE, Lab};

const HOUR: Duration = Duration::from_hours(1);

/// A laboratory on memory, and one on SQLite in a folder that goes when the test ends.
pub(crate) fn labs() -> Vec<(Lab, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    let store: SharedStore = casque_store::open(&url, Arc::new(clock.clone())).unwrap();
    let sqlite = Lab::on(FakeCas::start(), clock, store, |builder| {
        builder.service_base(BASE)
    });
    vec![(Lab::new(), None), (sqlite, Some(folder))]
}

#[tokio::test]
async fn idle_and_absolute_lifetime_to_the_second() {
    for (lab, _folder) in labs() {
        let second = Duration::from_secs(1);
        let (mut browser, _) = lab.signed_in("alice").await;
        lab.clock.advance(Duration::from_secs(2 * 3600 - 1));
        assert_eq!(browser.go("/").await.text(), "alice");
        lab.clock.advance(2 * HOUR);
        assert_eq!(browser.go("/").await.text(), "nobody", "idle for two hours");

        let (mut browser, _) = lab.signed_in("alice").await;
        for _ in 0..7 {
            lab.clock.advance(HOUR);
            assert_eq!(browser.go("/").await.text(), "alice");
        }
        lab.clock.advance(Duration::from_secs(3599));
        assert_eq!(browser.go("/").await.text(), "alice");
        lab.clock.advance(second);
        assert_eq!(browser.go("/").await.text(), "nobody", "eight hours in all");
    }
}

/// Using the session every few minutes keeps it, although not every use is written down.
#[tokio::test]
async fn a_session_in_use_does_not_idle_out() {
    for (lab, _folder) in labs() {
        let (mut browser, _) = lab.signed_in("alice").await;
        for _ in 0..(7 * 60 / 7) {
            lab.clock.advance(Duration::from_mins(7));
            assert_eq!(browser.go("/").await.text(), "alice");
        }
    }
}

/// SC-008: the session id changes at login, and the old one is worth nothing.
#[tokio::test]
async fn sc_008_no_session_can_be_fixed() {
    let lab = Lab::new();
    // The attacker plants a session of theirs, and one that never existed.
    let (attacker, _) = lab.signed_in("bob").await;
    for planted in [attacker.session().unwrap().clone(), "A".repeat(43)] {
        let mut victim = lab.browser();
        victim
            .jar
            .insert("__Host-casque".to_owned(), planted.clone());
        let sent = victim.go("/renew").await;
        let service = sent.service(&lab.server);
        let ticket = lab.server.grant_renewed(&service, "alice");
        victim.bring(&service, &ticket).await;
        assert_eq!(victim.go("/").await.text(), "alice");
        assert_ne!(victim.session().unwrap(), &planted);
        let mut thief = lab.browser();
        thief.jar.insert("__Host-casque".to_owned(), planted);
        assert_eq!(thief.go("/").await.text(), "nobody");
    }
}

/// S-076: the store holds neither a session id nor a ticket.
#[tokio::test]
async fn the_store_holds_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let clock = ManualClock::new();
    let url = format!("sqlite:{}", folder.path().join("sessions.db").display());
    let store: SharedStore = casque_store::open(&url, Arc::new(clock.clone())).unwrap();
    let lab = Lab::on(FakeCas::start(), clock, store, |builder| {
        builder.service_base(BASE)
    });
    let (browser, ticket) = lab.signed_in("alice").await;
    let id = browser.session().unwrap();
    let mut bytes = Vec::new();
    for file in std::fs::read_dir(folder.path()).unwrap() {
        bytes.extend(std::fs::read(file.unwrap().path()).unwrap());
    }
    let holds = |text: &str| {
        bytes
            .windows(text.len())
            .any(|window| window == text.as_bytes())
    };
    assert!(holds("alice"), "the file is the one that is used");
    assert!(!holds(id));
    assert!(!holds(ticket.secret()));
}

/// Sessions outlive the process where store and key do.
#[tokio::test]
async fn sessions_outlive_the_process() {
    for (lab, _folder) in labs() {
        let (mut browser, ticket) = lab.signed_in("alice").await;
        let server = FakeCas::start();
        let next = Lab::on(server, lab.clock.clone(), lab.store.clone(), |b| {
            b.service_base(BASE)
        });
        browser.router = next.router.clone();
        assert_eq!(browser.go("/members").await.text(), "alice staff,admin");
        assert_eq!(next.single_logout(&ticket).await.status, StatusCode::OK);
        assert_eq!(browser.go("/").await.text(), "nobody");
        browser.router = lab.router.clone();
        assert_eq!(
            browser.go("/").await.text(),
            "nobody",
            "at once, on every node"
        );
    }
}

/// Nothing is left when everything has expired.
#[tokio::test]
async fn nothing_is_left_after_the_longest_session() {
    let lab = Lab::new();
    for _ in 0..5 {
        lab.signed_in("alice").await;
    }
    lab.clock.advance(8 * HOUR);
    assert!(lab.store.sweep(1000).await.unwrap() > 0);
    assert_eq!(lab.store.sweep(1000).await.unwrap(), 0);
    lab.signed_in("alice").await;
}
