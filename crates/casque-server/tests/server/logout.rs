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

#[tokio::test]
async fn a_form_of_another_site_logs_nobody_out() {
    // S-051, R-073
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for headers in [
        &[("origin", "https://evil.example")][..],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "null")],
        &[("origin", "null")],
    ] {
        let answer = browser
            .send(Method::POST, "/logout", headers, axum::body::Body::empty())
            .await;
        assert_eq!(answer.status, 200, "{headers:?}");
        assert!(answer.body.contains("Sign out?"), "{headers:?}");
        assert!(browser.get("/login").await.body.contains("alice"));
    }
    for headers in [
        &[][..],
        &[("origin", "https://cas.example.org")],
        &[("sec-fetch-site", "same-origin"), ("origin", "null")],
    ] {
        let mut browser = house.signed_in("alice").await;
        let answer = browser
            .send(Method::POST, "/logout", headers, axum::body::Body::empty())
            .await;
        assert!(answer.body.contains("You are signed out"), "{headers:?}");
        assert!(browser.get("/login").await.is_form(), "{headers:?}");
    }
}

#[tokio::test]
async fn nobody_is_told_they_are_signed_out_by_a_form_that_came_without_their_cookie() {
    // S-051: browsers leave a cookie out that is SameSite=Lax.
    let house = House::new();
    let headers = [("origin", "https://evil.example")];
    let answer = house
        .browser()
        .send(Method::POST, "/logout", &headers, axum::body::Body::empty())
        .await;
    assert!(answer.body.contains("Sign out?"), "{}", answer.body);
    assert!(!answer.body.contains("Signed in as"), "{}", answer.body);
}

#[tokio::test]
async fn a_page_that_is_loaded_in_advance_changes_nothing() {
    // S-051
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for (name, value) in [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
    ] {
        let headers = [(name, value), ("sec-fetch-mode", "navigate")];
        let mut get = async |path: &str| {
            let body = axum::body::Body::empty();
            browser.send(Method::GET, path, &headers, body).await
        };
        let answer = get("/logout").await;
        assert!(answer.body.contains("Sign out?"), "{}", answer.body);
        let answer = get(&format!("/login?service={}", encode(APP))).await;
        assert_eq!((answer.status.as_u16(), answer.location()), (503, None));
        assert!(browser.get("/login").await.body.contains("alice"));
    }
}

#[tokio::test]
async fn the_question_keeps_registered_services_only() {
    // R-070, S-040, S-043
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let image = [("sec-fetch-dest", "image")];
    for (service, origin) in [
        (APP, Some("https://app.example.org")),
        ("https://evil.example/", None),
    ] {
        let path = format!("/logout?service={}", encode(service));
        let body = axum::body::Body::empty();
        let answer = browser.send(Method::GET, &path, &image, body).await;
        assert!(answer.body.contains("Sign out?"), "{}", answer.body);
        assert_eq!(answer.hidden("service").as_deref(), origin.map(|_| service));
        assert!(!answer.body.contains("evil.example"));
        let policy = answer.header("content-security-policy").expect("a policy");
        let action = match origin {
            Some(origin) => format!("form-action 'self' {origin};"),
            None => "form-action 'self';".to_owned(),
        };
        assert!(policy.contains(&action), "{policy}");
    }
}
