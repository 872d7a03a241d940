//! Guards: required, gateway, renew, and rules about attributes.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, StatusCode};
use casque_axum::{Mode, Policy, Rule};
use casque_testkit::{Page as CasPage, Person};

use crate::support::{BASE, CALLBACK, Lab, SERVICE, path_of};

#[tokio::test]
async fn rules_about_attributes() {
    let lab = Lab::new();
    assert!(
        lab.browser()
            .go("/staff")
            .await
            .location()
            .contains("/cas/login?")
    );
    assert_eq!(
        lab.browser().fetch("/staff").await.status,
        StatusCode::UNAUTHORIZED
    );
    let (mut alice, _) = lab.signed_in("alice").await;
    assert_eq!(alice.go("/staff").await.text(), "alice");
    let page = alice.go("/students").await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text().contains("for others"));
    let script = alice.fetch("/students").await;
    assert_eq!(script.status, StatusCode::FORBIDDEN);
    assert_eq!(script.header("content-type"), "application/json");
    let (mut bob, _) = lab.signed_in("bob").await;
    assert_eq!(
        bob.go("/staff").await.status,
        StatusCode::FORBIDDEN,
        "no such attribute"
    );
}

#[tokio::test]
async fn rules_any_all_equal_and_regex() {
    let lab = Lab::new();
    let (alice, _) = lab.signed_in("alice").await;
    let mail = |pattern: &str| Rule::matching("mail", pattern).unwrap();
    let rows = [
        (Rule::user("alice"), true),
        (Rule::user("Alice"), false),
        (Rule::user("ali"), false),
        (Rule::equal("memberOf", "admin"), true),
        (Rule::equal("memberOf", "Admin"), false),
        (Rule::equal("memberof", "admin"), false),
        (Rule::equal("memberOf", "staff,admin"), false),
        (mail(r".+@example\.org"), true),
        (mail("example"), false),
        (mail("a|alice@example.org"), true),
        (mail("alice|bob"), false),
        (mail("(?i)ALICE@EXAMPLE.ORG"), true),
        (Rule::any([]), false),
        (Rule::all([]), true),
        (
            Rule::any([Rule::user("bob"), Rule::equal("memberOf", "staff")]),
            true,
        ),
        (
            Rule::all([Rule::user("alice"), Rule::equal("memberOf", "student")]),
            false,
        ),
        (
            Rule::all([
                Rule::user("alice"),
                Rule::any([Rule::user("x"), mail(".*")]),
            ]),
            true,
        ),
    ];
    for (rule, allowed) in rows {
        let text = format!("{rule:?}");
        let policies = [Mode::Required, Mode::Optional, Mode::Gateway].map(Policy::new);
        for policy in policies {
            let router = axum::Router::new()
                .route("/", axum::routing::get(|| async { "in" }))
                .layer(lab.cas.guard(policy.rule(rule.clone())))
                .layer(lab.cas.layer());
            let mut browser = crate::support::Browser {
                router,
                ..alice.clone()
            };
            let status = browser.go("/").await.status;
            assert_eq!(status == StatusCode::OK, allowed, "{text}");
            // A rule needs somebody it can be about.
            browser.jar.clear();
            assert_eq!(
                browser.fetch("/").await.status,
                StatusCode::UNAUTHORIZED,
                "{text}"
            );
        }
    }
    for pattern in ["(", "a)(b", "(?<x>", "a{100000}{1000}"] {
        let error = Rule::matching("mail", pattern).unwrap_err();
        assert!(error.to_string().contains(pattern), "{error}");
    }
}

#[tokio::test]
async fn a_guard_without_the_layer_still_guards() {
    let lab = Lab::new();
    let (alice, _) = lab.signed_in("alice").await;
    let router = axum::Router::new()
        .route(
            "/x",
            axum::routing::get(|user: casque_axum::CasUser| async move { user.name().to_owned() }),
        )
        .layer(lab.cas.require());
    let mut browser = crate::support::Browser { router, ..alice };
    assert_eq!(browser.go("/x").await.text(), "alice");
    browser.jar.clear();
    assert_eq!(browser.go("/x").await.service(&lab.server), SERVICE);

    let bare = axum::Router::new().route(
        "/x",
        axum::routing::get(|user: casque_axum::CasUser| async move { user.name().to_owned() }),
    );
    browser.router = bare;
    assert_eq!(
        browser.go("/x").await.status,
        StatusCode::INTERNAL_SERVER_ERROR
    );
}

/// Issue 2, item 6, and S-081: the guard answers every method, with a handler or without.
#[tokio::test]
async fn a_guard_guards_every_method() {
    let lab = Lab::new();
    let members = |user: casque_axum::CasUser| async move { user.name().to_owned() };
    let router = axum::Router::new()
        .route("/one", axum::routing::get(members).layer(lab.cas.require()))
        .merge(
            axum::Router::new()
                .route("/two", axum::routing::get(members))
                .layer(lab.cas.require()),
        )
        .layer(lab.cas.layer());
    let (alice, _) = lab.signed_in("alice").await;
    let mut alice = crate::support::Browser { router, ..alice };
    let mut nobody = crate::support::Browser {
        jar: std::collections::BTreeMap::new(),
        ..alice.clone()
    };
    for page in ["/one", "/two"] {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let script = [("sec-fetch-mode", "cors"), ("accept", "*/*")];
            let refused = nobody
                .send(method.clone(), page, &script, Body::empty())
                .await;
            assert_eq!(refused.status, StatusCode::UNAUTHORIZED, "{method} {page}");
            assert_eq!(refused.header("content-type"), "application/json");
            assert!(nobody.jar.is_empty(), "{method}: no login begins");
            let served = alice
                .send(method.clone(), page, &script, Body::empty())
                .await;
            let expected = if matches!(method, Method::GET | Method::HEAD) {
                StatusCode::OK
            } else {
                StatusCode::METHOD_NOT_ALLOWED
            };
            assert_eq!(served.status, expected, "{method} {page}");
        }
        // HEAD by a navigation: the headers of a GET, and nothing is kept of it.
        let navigation = [("accept", "text/html")];
        let head = nobody
            .send(Method::HEAD, page, &navigation, Body::empty())
            .await;
        assert_eq!(head.service(&lab.server), SERVICE);
        assert!(nobody.jar.is_empty());
        let form = nobody
            .send(Method::POST, page, &navigation, Body::empty())
            .await;
        assert_eq!(form.status, StatusCode::UNAUTHORIZED);
        assert!(form.text().contains("Nothing was saved"));
    }
}

/// R-037: the CAS server is asked once, without a word to the user.
#[tokio::test]
async fn gateway_asks_once() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    let sent = browser.go("/gateway?a=1").await;
    assert_eq!(
        sent.parameter(&lab.server, "gateway").as_deref(),
        Some("true")
    );
    assert_eq!(sent.parameter(&lab.server, "renew"), None);
    // The server knows nobody: back without a ticket.
    let service = sent.service(&lab.server);
    assert!(service.starts_with(SERVICE), "{service}");
    let back = browser.go(&path_of(&service)).await;
    assert_eq!(back.location(), format!("{BASE}/gateway?a=1"));
    let page = browser.go("/gateway?a=1").await;
    assert_eq!((page.status, page.text()), (StatusCode::OK, "nobody"));
    // Remembered for two minutes, to the second (S-045).
    lab.clock.advance(Duration::from_secs(119));
    assert_eq!(browser.go("/gateway").await.text(), "nobody");
    lab.clock.advance(Duration::from_secs(1));
    let sent = browser.go("/gateway?b=2").await;
    // Now it knows somebody.
    let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/gateway?b=2"));
    assert_eq!(browser.go("/gateway?b=2").await.text(), "alice");
    // A script is never sent away.
    assert_eq!(lab.browser().fetch("/gateway").await.text(), "nobody");
}

/// A required login after a gateway attempt still works.
#[tokio::test]
async fn a_login_after_a_gateway_attempt() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    let sent = browser.go("/gateway").await;
    browser.go(&path_of(&sent.service(&lab.server))).await;
    let sent = browser.go("/members").await;
    assert_eq!(sent.parameter(&lab.server, "gateway"), None);
    let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/members"));
}

/// S-013: renew is asked for at login and again at validation, and stays good for a while.
#[tokio::test]
async fn renew_asks_for_credentials_again() {
    let lab = Lab::new();
    let (mut browser, _) = lab.signed_in("alice").await;
    let before = browser.session().cloned();
    let sent = browser.go("/renew?a=1").await;
    assert_eq!(
        sent.parameter(&lab.server, "renew").as_deref(),
        Some("true")
    );
    let service = sent.service(&lab.server);

    // A ticket from single sign-on is not enough: the server refuses it, since renew is sent again.
    let ticket = lab.server.grant(&service, "alice");
    let refused = browser.bring(&service, &ticket).await;
    let validations = lab.server.requests_for(CasPage::P3ServiceValidate);
    assert_eq!(
        validations.last().unwrap().parameter("renew").as_deref(),
        Some("true")
    );
    assert_ne!(refused.header("location"), format!("{BASE}/renew?a=1"));
    assert_eq!(browser.session().cloned(), before);

    let sent = browser.go("/renew?a=1").await;
    let service = sent.service(&lab.server);
    let ticket = lab.server.grant_renewed(&service, "alice");
    assert_eq!(
        browser.bring(&service, &ticket).await.location(),
        format!("{BASE}/renew?a=1")
    );
    assert_eq!(browser.go("/renew?a=1").await.text(), "alice");
    assert_ne!(browser.session().cloned(), before, "a new id");
    lab.clock.advance(Duration::from_secs(299));
    assert_eq!(browser.go("/renew").await.text(), "alice");
    lab.clock.advance(Duration::from_secs(1));
    assert!(browser.go("/renew").await.location().contains("renew=true"));
    assert_eq!(browser.go("/members").await.status, StatusCode::OK);
}

/// Attributes come as they were given, all values of each, and markup in them is the application's
/// to escape.
#[tokio::test]
async fn attributes_keep_their_values() {
    let lab = Lab::new();
    lab.server.add_person(
        Person::new("eve")
            .attribute("memberOf", ["a", "b", "", "<b>&\"'", "ü€𝄞"])
            .attribute("empty", [""]),
    );
    let (mut browser, _) = lab.signed_in("eve").await;
    assert_eq!(browser.go("/members").await.text(), "eve a,b,,<b>&\"',ü€𝄞");
    assert_eq!(browser.go(CALLBACK).await.status, StatusCode::OK);
}
