//! The life of a single sign-on session.

use std::time::Duration;

use axum::body::Body;
use http::Method;

use crate::house::{House, PASSWORD, Setup, code, encode};

const APP: &str = "https://app.example.org/";
const MINUTE: Duration = Duration::from_mins(1);

#[tokio::test]
async fn idle_sessions_end_at_two_hours() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    house.clock.advance(119 * MINUTE);
    // Issuing a ticket is use.
    let ticket = browser.ticket_for(APP).await;
    // Validating one is not.
    house.browser().validate("validate", APP, &ticket).await;
    house.clock.advance(119 * MINUTE);
    assert!(browser.clone().get("/login").await.body.contains("alice"));
    house.clock.advance(MINUTE);
    assert!(browser.get("/login").await.is_form());
}

#[tokio::test]
async fn no_session_lasts_longer_than_eight_hours() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for _ in 0..8 {
        house.clock.advance(59 * MINUTE);
        browser.ticket_for(APP).await;
    }
    house.clock.advance(8 * MINUTE);
    assert!(browser.get("/login").await.is_form());
}

#[tokio::test]
async fn sessions_outlive_a_restart_on_sqlite() {
    let house = Setup::new().sqlite().build();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    let (folder, clock) = (house.folder.clone(), house.clock.clone());
    drop(house);

    let house = Setup::new().sqlite().folder(folder).clock(clock).build();
    let cookies = browser.cookies.clone();
    let mut browser = house.browser();
    browser.cookies = cookies;
    let answer = browser.validate("serviceValidate", APP, &ticket).await;
    assert!(
        answer.body.contains("<cas:user>alice</cas:user>"),
        "{}",
        answer.body
    );
    assert!(browser.ticket_for(APP).await.starts_with("ST-"));
}

#[tokio::test]
async fn another_key_finds_no_session() {
    //
    let house = Setup::new().sqlite().build();
    let browser = house.signed_in("alice").await;
    std::fs::remove_file(house.file("casque.key")).expect("removed");
    let other = Setup::new()
        .sqlite()
        .folder(house.folder.clone())
        .clock(house.clock.clone());
    let mut stranger = other.build().browser();
    stranger.cookies = browser.cookies;
    assert!(stranger.get("/login").await.is_form());
}

#[tokio::test]
async fn the_store_holds_no_secret() {
    // R-224, SC-036, S-056, S-065, S-076
    let house = Setup::new().sqlite().build();
    let mut browser = house.signed_in("alice").await;
    let unused = browser.ticket_for(APP).await;
    let used = browser.ticket_for(APP).await;
    house
        .browser()
        .validate("serviceValidate", APP, &used)
        .await;
    let secrets = [
        PASSWORD.to_owned(),
        browser.cookies["__Host-TGC"].clone(),
        unused.clone(),
        used,
    ];
    let mut seen = 0;
    for entry in std::fs::read_dir(house.folder.path()).expect("a folder") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a file");
        seen += bytes.len();
        for secret in &secrets {
            let found = bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
    assert!(seen > 1000, "there was something to look at");
}

#[tokio::test]
async fn disabled_people_lose_their_sessions() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    house.people.disable("alice");
    let answer = house
        .browser()
        .validate("serviceValidate", APP, &ticket)
        .await;
    assert_eq!(code(&answer.body), Some("UNAUTHORIZED_SERVICE"));
    assert!(browser.get("/login").await.is_form());
    let answer = house.browser().log_in("alice", PASSWORD, None).await;
    assert_eq!(answer.status, 401);
}

#[tokio::test]
async fn another_password_ends_the_sessions_of_the_one_before() {
    // S-057
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let mut bob = house.signed_in("bob").await;
    let ticket = browser.ticket_for(APP).await;
    let other = "another long password";
    let password = casque_server::Password::new(other).expect("short");
    let hash = casque_server::hash_password(&password, crate::house::cheap());
    house.people.set_hash("alice", hash);
    let answer = house
        .browser()
        .validate("serviceValidate", APP, &ticket)
        .await;
    assert_eq!(code(&answer.body), Some("INVALID_TICKET"));
    assert!(browser.get("/login").await.is_form());
    assert_eq!(browser.log_in("alice", other, None).await.status, 200);
    assert!(browser.get("/login").await.body.contains("alice"));
    assert!(bob.get("/login").await.body.contains("bob"));
}

#[tokio::test]
async fn a_login_with_renew_keeps_the_session_until_it_succeeds() {
    //
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let page = browser.get("/login?renew=true").await;
    assert!(page.is_form());
    browser.submit(&page, "alice", "wrong", None).await;
    assert!(browser.get("/login").await.body.contains("alice"));
}

#[tokio::test]
async fn people_and_tools_log_out_and_images_do_not() {
    // LO-002, S-051
    let path = format!("/logout?service={}", encode(APP));
    for (method, headers, ends) in [
        (Method::GET, &[("accept", "*/*")][..], true),
        (Method::GET, &[], true),
        (Method::POST, &[("accept", "*/*")], true),
        (
            Method::GET,
            &[
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "document"),
            ],
            true,
        ),
        (
            Method::GET,
            &[("accept", "image/avif,image/webp,image/*,*/*;q=0.8")],
            false,
        ),
        (
            Method::GET,
            &[("accept", "*/*"), ("sec-fetch-dest", "script")],
            false,
        ),
        (
            Method::GET,
            &[
                ("accept", "text/html"),
                ("sec-fetch-mode", "navigate"),
                ("sec-fetch-dest", "iframe"),
            ],
            false,
        ),
        (
            Method::POST,
            &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
            false,
        ),
        (
            Method::GET,
            &[("accept", "*/*"), ("x-requested-with", "XMLHttpRequest")],
            false,
        ),
    ] {
        let house = House::new();
        let mut browser = house.signed_in("alice").await;
        let before = browser.cookies.clone();
        let answer = browser.send(method, &path, headers, Body::empty()).await;
        browser.cookies = before;
        let ended = browser.get("/login").await.is_form();
        assert_eq!(ended, ends, "{headers:?}");
        let expected = if ends { (303, Some(APP)) } else { (200, None) };
        let got = (answer.status.as_u16(), answer.location());
        assert_eq!(got, expected, "{headers:?}");
    }
}
