//! S-045: nobody goes round in circles.

use std::time::Duration;

use axum::http::StatusCode;
use casque_testkit::{Fault, Page as CasPage};

use crate::support::{BASE, Browser, Lab, Page, path_of};

/// Follows redirects between application and CAS server until a page is shown; counts those of the
/// application.
async fn follow(
    lab: &Lab,
    browser: &mut Browser,
    target: &str,
    user: Option<&str>,
) -> (Page, usize) {
    let mut page = browser.go(target).await;
    for redirects in 0..20 {
        if page.status != StatusCode::SEE_OTHER {
            return (page, redirects);
        }
        let location = page.location().to_owned();
        page = if location.starts_with(lab.server.base_url()) {
            let service = page.service(&lab.server);
            match user {
                Some(user) => {
                    browser
                        .bring(&service, &lab.server.grant(&service, user))
                        .await
                }
                None => browser.go(&path_of(&service)).await,
            }
        } else {
            browser.go(&path_of(&location)).await
        };
    }
    panic!("redirected 20 times");
}

/// SC-031, S-045: the browser refuses cookies, the application uses gateway.
#[tokio::test]
async fn sc_031_gateway_without_cookies() {
    // Whether or not the CAS server knows somebody.
    for (user, marker) in [(None, false), (None, true), (Some("alice"), true)] {
        let lab = Lab::with(|builder| builder.service_base(BASE).login_marker(marker));
        let mut browser = Browser {
            keeps: |_| false,
            ..lab.browser()
        };
        let (page, redirects) = follow(&lab, &mut browser, "/gateway", user).await;
        assert!(redirects <= 2, "{redirects} redirects");
        assert_eq!(page.status, StatusCode::OK);
        assert!(
            page.text().contains("You are not signed in"),
            "{}",
            page.text()
        );
    }
}

/// The same where only the session is lost again and again: the page is shown to a stranger.
#[tokio::test]
async fn gateway_without_the_session_cookie() {
    let lab = Lab::new();
    let mut browser = Browser {
        keeps: |name| name.ends_with("-login"),
        ..lab.browser()
    };
    let (page, redirects) = follow(&lab, &mut browser, "/gateway", Some("alice")).await;
    assert!(redirects <= 6, "{redirects}: three logins, three returns");
    assert_eq!((page.status, page.text()), (StatusCode::OK, "nobody"));
}

#[tokio::test]
async fn a_login_without_cookies_ends_in_a_page_that_says_so() {
    let lab = Lab::new();
    let mut browser = Browser {
        keeps: |_| false,
        ..lab.browser()
    };
    let (page, redirects) = follow(&lab, &mut browser, "/members", Some("alice")).await;
    assert_eq!((page.status, redirects), (StatusCode::FORBIDDEN, 1));
    assert!(page.text().contains("refuses cookies"), "{}", page.text());
}

/// SC-032, S-045, R-109: validation always fails.
#[tokio::test]
async fn sc_032_validation_always_fails() {
    let refusal = |code: &str, message: &str| {
        let body = format!(
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationFailure \
             code='{code}'>{message}</cas:authenticationFailure></cas:serviceResponse>"
        );
        Fault::answer(StatusCode::OK, "application/xml", body)
    };
    let html = Fault::answer(StatusCode::OK, "text/html", "<h1>Proxy error</h1>");
    let rows = [
        (
            refusal("INVALID_TICKET", "no &lt;b>such ticket"),
            401,
            "no &lt;b&gt;such ticket",
        ),
        (refusal("INVALID_TICKET", "x"), 401, "Clock"),
        (
            refusal("INVALID_SERVICE", "x"),
            401,
            "another service than https://app.example.org/cas/callback",
        ),
        (
            refusal("UNAUTHORIZED_SERVICE", "x"),
            401,
            "is not registered",
        ),
        (refusal("EXAMPLE_CODE", "x"), 401, "EXAMPLE_CODE"),
        (html, 502, "could not be checked"),
        (
            Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
            502,
            "could not be checked",
        ),
        (Fault::HangUp, 502, "could not be checked"),
    ];
    for (fault, status, text) in rows {
        let lab = Lab::new();
        lab.server.fault(CasPage::P3ServiceValidate, fault);
        let mut browser = lab.browser();
        let (page, redirects) = follow(&lab, &mut browser, "/members?a=1", Some("alice")).await;
        assert!(redirects <= 3, "{redirects} redirects");
        assert_eq!(page.status.as_u16(), status, "{text}: {}", page.text());
        assert!(page.text().contains(text), "{text}: {}", page.text());
        assert!(
            page.text().contains("https://app.example.org/members?a=1"),
            "a link to try again"
        );
        assert_eq!(browser.session(), None);
        // no ticket is presented twice.
        let tickets: Vec<_> = lab
            .server
            .requests_for(CasPage::P3ServiceValidate)
            .iter()
            .map(|request| request.parameter("ticket"))
            .collect();
        let mut distinct = tickets.clone();
        distinct.dedup();
        assert_eq!(tickets, distinct);
        // And trying again tries again.
        lab.server.clear_faults();
        let (page, _) = follow(&lab, &mut browser, "/members?a=1", Some("alice")).await;
        assert_eq!(page.status, StatusCode::OK);
    }
}

/// A ticket that went stale, as after going back in the history, costs one more round and no error.
#[tokio::test]
async fn a_stale_ticket_is_replaced_once() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    let sent = browser.go("/members?a=1").await;
    let service = sent.service(&lab.server);
    let used = lab.server.grant(&service, "alice");
    let mut other = lab.browser();
    other.go("/members").await;
    other.bring(&service, &used).await;
    let sent = browser.bring(&service, &used).await;
    assert_eq!(sent.service(&lab.server), service);
    let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/members?a=1"));
}

/// The login works and the session is lost again and again: by a browser that keeps only some
/// cookies, or processes that do not share their store.
#[tokio::test]
async fn a_login_that_does_not_help_ends_in_a_page_naming_causes() {
    let lab = Lab::new();
    let mut browser = Browser {
        keeps: |name| name.ends_with("-login"),
        ..lab.browser()
    };
    let (page, redirects) = follow(&lab, &mut browser, "/members?a=1", Some("alice")).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    // SC-032: three logins, and three returns to the page.
    assert_eq!(redirects, 6);
    for cause in [
        "Cookies:",
        "Address:",
        "plain http",
        "Proxy:",
        "Clock:",
        "/members?a=1",
    ] {
        assert!(page.text().contains(cause), "{cause} in {}", page.text());
    }
    // A ticket that goes stale on the way counts as well: three logins, two returns to the page.
    let xml = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>\
        <cas:authenticationFailure code='INVALID_TICKET'>x</cas:authenticationFailure>\
        </cas:serviceResponse>";
    let stale = Fault::answer(StatusCode::OK, "application/xml", xml);
    lab.server.fault_once(CasPage::P3ServiceValidate, stale);
    let (page, redirects) = follow(&lab, &mut browser, "/members?b=2", Some("alice")).await;
    assert_eq!((page.status, redirects), (StatusCode::FORBIDDEN, 5));
    // "Try again" tries again, once the browser keeps cookies.
    browser.keeps = |_| true;
    let (page, _) = follow(&lab, &mut browser, "/members?a=1", Some("alice")).await;
    assert_eq!(page.text(), "alice staff,admin");
}

/// Logging in and out many times is no loop.
#[tokio::test]
async fn logging_in_often_is_no_loop() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    for _ in 0..10 {
        let (page, _) = follow(&lab, &mut browser, "/members", Some("alice")).await;
        assert_eq!(page.text(), "alice staff,admin");
        browser.go("/logout").await;
    }
    // Nor is being signed out by the CAS server now and then.
    for _ in 0..10 {
        let sent = browser.go("/members").await;
        let (_, ticket) = lab.log_in(&mut browser, &sent, "alice").await;
        lab.single_logout(&ticket).await;
        lab.clock.advance(Duration::from_secs(7));
    }
}
