//! Logging out, and where it leads (protocol section 6).

use http::Method;

use crate::house::{House, code, encode};

const APP: &str = "https://app.example.org/";

#[tokio::test]
async fn logout_ends_the_session_and_leads_to_registered_services_only() {
    // S-040, S-051
    let house = House::new();
    let registered = "https://app.example.org/bye?x=%20";
    for (query, location) in [
        (String::new(), None),
        (format!("?service={}", encode(registered)), Some(registered)),
        (
            format!("?service={}", encode("https://evil.example/")),
            None,
        ),
        (
            format!("?service={}", encode("https://off.example.org/")),
            None,
        ),
        (format!("?service={}", encode("javascript:alert(1)")), None),
        (format!("?url={}", encode(APP)), None),
    ] {
        let mut browser = house.signed_in("alice").await;
        let mut copy = browser.clone();
        let unused = browser.ticket_for(APP).await;
        for session in ["a session", "none"] {
            let answer = browser.get(&format!("/logout{query}")).await;
            let status = if location.is_some() { 303 } else { 200 };
            assert_eq!(answer.status, status, "{query} with {session}");
            assert_eq!(answer.location(), location, "{query} with {session}");
            assert!(!answer.body.contains("evil.example"), "{}", answer.body);
            assert!(!browser.cookies.contains_key("__Host-TGC"));
        }
        assert!(copy.get("/login").await.is_form(), "{query}");
        let answer = house
            .browser()
            .validate("serviceValidate", APP, &unused)
            .await;
        assert_eq!(code(&answer.body), Some("INVALID_TICKET"), "{query}");
    }
}

#[tokio::test]
async fn a_picture_or_a_script_logs_nobody_out() {
    // S-051
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for headers in [
        &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")][..],
        &[("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")],
        &[("accept", "image/avif,image/webp,*/*;q=0.8")],
    ] {
        let answer = browser
            .send(Method::GET, "/logout", headers, axum::body::Body::empty())
            .await;
        assert_eq!(answer.location(), None, "{headers:?}");
        assert!(
            browser.get("/login").await.body.contains("alice"),
            "{headers:?}"
        );
    }
}
