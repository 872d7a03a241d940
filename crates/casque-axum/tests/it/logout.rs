//! Logging out: the application first, then the CAS server.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use casque_axum::AfterLogout;

use crate::support::{BASE, FORM, Lab};

/// the session ends here, then the browser is sent to end the one there.
#[tokio::test]
async fn application_first_then_the_cas_server() {
    let lab = Lab::new();
    let logout = format!("{}/logout", lab.server.base_url());
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let thief = browser.clone();
    let out = browser.go("/logout").await;
    assert_eq!(
        out.location(),
        format!("{logout}?service=https%3A%2F%2Fapp.example.org%2F")
    );
    assert!(browser.jar.is_empty(), "{:?}", browser.jar);
    assert_eq!(
        thief.clone().go("/").await.text(),
        "nobody",
        "the id is worth nothing"
    );
    // The ticket's entry went with it, and the message that follows finds nothing.
    assert_eq!(lab.single_logout(&ticket).await.status, StatusCode::OK);
    // Without a session it is no error.
    assert!(browser.go("/logout").await.location().starts_with(&logout));
}

#[tokio::test]
async fn where_it_goes_then() {
    for (after, expected) in [
        (
            AfterLogout::Application("/bye".to_owned()),
            Some("?service=https%3A%2F%2Fapp.example.org%2Fbye"),
        ),
        (AfterLogout::CasServer, Some("")),
        (AfterLogout::Nowhere, None),
    ] {
        let lab = Lab::with(|builder| builder.service_base(BASE).after_logout(after));
        let (mut browser, _) = lab.signed_in("alice").await;
        let out = browser.go("/logout").await;
        match expected {
            Some(rest) => {
                assert_eq!(
                    out.location(),
                    format!("{}/logout{rest}", lab.server.base_url())
                );
            }
            None => assert!(out.text().contains("You are logged out")),
        }
        assert_eq!(browser.go("/").await.text(), "nobody");
    }
}

/// S-051: by a person's navigation or a form, not by a picture, and not unasked from elsewhere.
#[tokio::test]
async fn who_may_log_out() {
    let navigate = ("sec-fetch-mode", "navigate");
    let document = ("sec-fetch-dest", "document");
    let rows: &[(Method, &[(&str, &str)], StatusCode)] = &[
        (
            Method::GET,
            &[navigate, document, ("sec-fetch-site", "none")],
            StatusCode::SEE_OTHER,
        ),
        (
            Method::GET,
            &[navigate, document, ("sec-fetch-site", "same-origin")],
            StatusCode::SEE_OTHER,
        ),
        (
            Method::GET,
            &[navigate, document, ("sec-fetch-site", "same-site")],
            StatusCode::SEE_OTHER,
        ),
        (
            Method::GET,
            &[navigate, document, ("sec-fetch-site", "cross-site")],
            StatusCode::OK,
        ),
        (
            Method::GET,
            &[("accept", "text/html")],
            StatusCode::SEE_OTHER,
        ),
        (Method::GET, &[], StatusCode::SEE_OTHER),
        (
            Method::GET,
            &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
            StatusCode::FORBIDDEN,
        ),
        (
            Method::GET,
            &[navigate, ("sec-fetch-dest", "iframe")],
            StatusCode::FORBIDDEN,
        ),
        (
            Method::GET,
            &[("sec-fetch-mode", "cors")],
            StatusCode::FORBIDDEN,
        ),
        (
            Method::GET,
            &[("accept", "image/avif,image/webp,*/*;q=0.8")],
            StatusCode::FORBIDDEN,
        ),
        (
            Method::POST,
            &[navigate, ("sec-fetch-site", "same-origin")],
            StatusCode::SEE_OTHER,
        ),
        (
            Method::POST,
            &[("content-type", FORM)],
            StatusCode::SEE_OTHER,
        ),
        (
            Method::POST,
            &[("content-type", FORM), ("origin", BASE)],
            StatusCode::SEE_OTHER,
        ),
        (
            Method::POST,
            &[("content-type", FORM), ("origin", "https://evil.example")],
            StatusCode::OK,
        ),
        (
            Method::POST,
            &[("content-type", FORM), ("origin", "null")],
            StatusCode::OK,
        ),
        (
            Method::GET,
            &[navigate, document, ("sec-purpose", "prefetch;prerender")],
            StatusCode::FORBIDDEN,
        ),
        (
            Method::POST,
            &[("content-type", FORM), ("purpose", "prefetch")],
            StatusCode::FORBIDDEN,
        ),
        (
            Method::POST,
            &[navigate, ("sec-fetch-site", "cross-site")],
            StatusCode::OK,
        ),
    ];
    let lab = Lab::new();
    for (method, headers, status) in rows {
        let (mut browser, _) = lab.signed_in("alice").await;
        let page = browser
            .send(method.clone(), "/logout", headers, Body::empty())
            .await;
        assert_eq!(page.status, *status, "{method} {headers:?}");
        let user = browser.go("/").await;
        let ended = *status == StatusCode::SEE_OTHER;
        assert_eq!(
            user.text(),
            if ended { "nobody" } else { "alice" },
            "{method} {headers:?}"
        );
        if *status == StatusCode::OK {
            assert!(
                page.text()
                    .contains("href=\"https://app.example.org/logout\"")
            );
        }
    }
}
