//! Logging in, and coming back to where one was.

use axum::http::{Method, StatusCode};
use casque_testkit::Page as CasPage;
use serde_json::Value;

use crate::support::{BASE, CALLBACK, FORM, Lab, SERVICE};

#[tokio::test]
async fn the_page_asked_for_is_restored_byte_for_byte() {
    for page in [
        "/members",
        "/members?page=2&q=a%20b%2Bc",
        "/members?x==&&y;z=%2e%2e",
        "/members/a%20b?return_to=https://evil.example/",
        "/members?q=%C3%BC+%E2%82%AC",
        // Parameters of the application's own, whatever their names, and raw characters.
        "/members?ticket=ABC-123",
        "/members?a=1&ticket=abc",
        "/members?a=1&type=x;ticket=2",
        "/members?x=%00",
        "/members?",
        "/members?&&",
        "/members?q=a|b{c}&d=100%&e=\\",
        "/members//x/%2e%2e/%5c",
    ] {
        let lab = Lab::new();
        let mut browser = lab.browser();
        let sent = browser.go(page).await;
        assert_eq!(
            sent.service(&lab.server),
            SERVICE,
            "the page does not stand in the service"
        );
        let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
        assert_eq!(back.location(), format!("{BASE}{page}"));
        let shown = browser.go(page).await;
        assert_eq!(
            (shown.status, shown.text()),
            (StatusCode::OK, "alice staff,admin")
        );
        // the service of the validation is that of the login.
        let validation = &lab.server.requests_for(CasPage::P3ServiceValidate)[0];
        assert_eq!(validation.parameter("service").as_deref(), Some(SERVICE));
        assert_eq!(validation.parameter("renew"), None);
    }
}

/// Tickets leave the page, a page that a cookie can hold is kept whole, and a longer one
/// becomes the landing page.
#[tokio::test]
async fn tickets_and_length_of_a_page() {
    let long = format!("/members?q={}", "x".repeat(2600));
    let too_long = format!("/members?q={}", "x".repeat(4000));
    for (asked, restored) in [
        ("/members?ticket=ST-1-a", "/members"),
        (
            "/members?a=1&ticket=PT-1-a&b&ticket=x",
            "/members?a=1&b&ticket=x",
        ),
        ("/members?%74icket=ST%2D1&b=2", "/members?b=2"),
        (&long, &long),
        (&too_long, "/"),
    ] {
        let lab = Lab::new();
        let mut browser = lab.browser();
        let sent = browser.go(asked).await;
        let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
        assert_eq!(back.location(), format!("{BASE}{restored}"));
    }
}

/// SC-012, S-016, R-054: after the validation nothing shows the ticket.
#[tokio::test]
async fn sc_012_the_ticket_leaves_the_address() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    let sent = browser.go("/members?a=1").await;
    let (back, ticket) = lab.log_in(&mut browser, &sent, "alice").await;
    let shown = browser.go("/members?a=1").await;
    for page in [&back, &shown] {
        let everything = format!("{:?} {:?}", page.headers, page.body);
        assert!(!everything.contains(ticket.secret()), "{everything}");
    }
    assert_eq!(back.status, StatusCode::SEE_OTHER);
    assert_eq!(back.header("referrer-policy"), "no-referrer");
    assert_eq!(back.header("cache-control"), "no-store");
    assert!(back.body.is_empty());
    let cookie = back.header("set-cookie");
    assert!(cookie.starts_with("__Host-casque="), "{cookie}");
    assert!(
        cookie.ends_with("; Path=/; HttpOnly; SameSite=Lax; Secure"),
        "{cookie}"
    );
}

/// SC-010, S-054: a ticket that this browser did not ask for signs nobody in.
#[tokio::test]
async fn sc_010_an_unsolicited_ticket_is_refused() {
    let lab = Lab::new();
    let ticket = lab.server.grant(SERVICE, "bob");
    let mut victim = lab.browser();
    let page = victim.bring(SERVICE, &ticket).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
    assert!(page.text().contains("cookies"), "{}", page.text());
    assert!(victim.jar.is_empty());
    assert_eq!(
        lab.server.open_tickets(),
        1,
        "the ticket was not even presented"
    );

    // A login under way in another browser does not help.
    let mut other = lab.browser();
    other.go("/members").await;
    assert_eq!(
        victim.bring(SERVICE, &ticket).await.status,
        StatusCode::FORBIDDEN
    );

    // Nor does being signed in already change who one is.
    let (mut alice, _) = lab.signed_in("alice").await;
    let page = alice.bring(SERVICE, &ticket).await;
    assert_eq!(page.location(), format!("{BASE}/"));
    assert_eq!(alice.go("/").await.text(), "alice");
    assert_eq!(lab.server.open_tickets(), 1);
}

/// SC-011: the documented opt-out.
#[tokio::test]
async fn sc_011_unsolicited_tickets_can_be_allowed() {
    let lab = Lab::with(|builder| builder.service_base(BASE).allow_unsolicited(true));
    let ticket = lab.server.grant(SERVICE, "bob");
    let mut browser = lab.browser();
    assert_eq!(
        browser.bring(SERVICE, &ticket).await.location(),
        format!("{BASE}/")
    );
    assert_eq!(browser.go("/").await.text(), "bob");
    // Nothing that the request says reaches the service URL.
    let marked = format!("{SERVICE}?casque=t{}", "a".repeat(22));
    let ticket = lab.server.grant(&marked, "bob");
    let page = lab.browser().bring(&marked, &ticket).await;
    assert_eq!(page.status, StatusCode::UNAUTHORIZED);
    let validations = lab.server.requests_for(CasPage::P3ServiceValidate);
    let services = validations.iter().map(|sent| sent.parameter("service"));
    assert!(
        services
            .into_iter()
            .all(|sent| sent.as_deref() == Some(SERVICE))
    );
}

/// SC-049, S-072: nothing of a login may be stored.
#[tokio::test]
async fn sc_049_no_answer_of_a_login_is_stored() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    let sent = browser.go("/login").await;
    let (back, ticket) = lab.log_in(&mut browser, &sent, "alice").await;
    let unsolicited = lab.browser().bring(SERVICE, &ticket).await;
    let twice = lab
        .browser()
        .go(&format!("{CALLBACK}?ticket=ST-1-a&ticket=ST-1-a"))
        .await;
    let script = lab.browser().fetch("/members").await;
    let again = browser.go("/login").await;
    let out = browser.go("/logout").await;
    for page in [sent, back, unsolicited, twice, script, again, out] {
        assert_eq!(page.header("cache-control"), "no-store", "{page:?}");
        assert_eq!(page.header("pragma"), "no-cache", "{page:?}");
        assert_eq!(page.header("vary"), "Cookie", "{page:?}");
    }
}

/// An answer that depends on who is signed in is not stored either, others are left alone.
#[tokio::test]
async fn answers_that_depend_on_the_user_are_not_stored() {
    let lab = Lab::new();
    let (mut browser, _) = lab.signed_in("alice").await;
    for target in ["/", "/members", "/staff"] {
        for browser in [&mut browser, &mut lab.browser()] {
            let page = browser.go(target).await;
            assert_eq!(page.header("cache-control"), "no-store", "{target}");
            assert_eq!(page.header("vary"), "Cookie", "{target}");
        }
    }
    assert_eq!(browser.go("/static").await.header("cache-control"), "");
}

/// SC-044, S-058: no page of ours can be framed, and none needs a script.
#[tokio::test]
async fn sc_044_pages_cannot_be_framed() {
    let lab = Lab::new();
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let cross = [
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-site", "cross-site"),
    ];
    let pages = [
        lab.browser().bring(SERVICE, &ticket).await,
        lab.browser().go(CALLBACK).await,
        lab.browser().go(&format!("{CALLBACK}?ticket=ST-%00")).await,
        browser.go("/students").await,
        browser
            .send(Method::GET, "/logout", &cross, axum::body::Body::empty())
            .await,
    ];
    for page in pages {
        assert!(
            page.header("content-type").starts_with("text/html"),
            "{page:?}"
        );
        let policy = page.header("content-security-policy");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert!(policy.contains("default-src 'none'"), "{policy}");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert!(!page.text().contains("<script"));
        assert!(page.text().contains("<html lang=\"en\">"));
        assert!(page.body.len() < 30 * 1024);
    }
}

/// Anything that is not a navigation gets 401 and JSON instead of a page it cannot show.
#[tokio::test]
async fn a_script_gets_401_with_json() {
    let lab = Lab::new();
    let navigation = [("sec-fetch-mode", "navigate"), ("accept", "text/html")];
    let rows: &[(Method, &[(&str, &str)], bool)] = &[
        (Method::GET, &[("sec-fetch-mode", "cors")], true),
        (
            Method::GET,
            &[("sec-fetch-mode", "no-cors"), ("accept", "text/html")],
            true,
        ),
        (Method::GET, &[("accept", "*/*")], true),
        (
            Method::GET,
            &[
                ("accept", "text/html"),
                ("x-requested-with", "XMLHttpRequest"),
            ],
            true,
        ),
        (Method::GET, &[], true),
        (Method::HEAD, &[], true),
        (Method::POST, &[("accept", "application/json")], true),
        (Method::POST, &navigation, false),
    ];
    for (method, headers, json) in rows {
        let mut browser = lab.browser();
        let body = axum::body::Body::from("amount=1000");
        let page = browser
            .send(method.clone(), "/members", headers, body)
            .await;
        assert_eq!(
            page.status,
            StatusCode::UNAUTHORIZED,
            "{method} {headers:?}"
        );
        assert!(
            browser.jar.is_empty(),
            "no login is begun, and nothing is kept to be replayed"
        );
        assert!(
            page.header("www-authenticate").starts_with("CAS ") == *json,
            "{headers:?}"
        );
        if *json && *method != Method::HEAD {
            let value: Value = serde_json::from_slice(&page.body).unwrap();
            assert_eq!(value["error"], "login_needed");
            assert_eq!(value["login_url"], "https://app.example.org/login");
        } else if !json {
            assert!(page.text().contains("not signed in"), "{}", page.text());
        }
    }
    let accept = [("accept", "text/html")];
    let page = lab
        .browser()
        .send(Method::GET, "/members", &accept, axum::body::Body::empty())
        .await;
    assert_eq!(page.service(&lab.server), SERVICE);
}

/// the service is exactly the registered one, however many logins were begun and abandoned;
/// each return restores one of the pages, the newest first.
#[tokio::test]
async fn every_login_has_the_one_service() {
    let lab = Lab::new();
    let mut browser = lab.browser();
    let targets = ["/login", "/members?tab=1", "/gateway", "/members?tab=1"];
    for target in targets {
        let sent = browser.go(target).await;
        assert_eq!(sent.service(&lab.server), SERVICE, "{target}");
    }
    for page in ["/members?tab=1", "/gateway", "/"] {
        let ticket = lab.server.grant(SERVICE, "alice");
        let back = browser.bring(SERVICE, &ticket).await;
        assert_eq!(back.location(), format!("{BASE}{page}"));
    }
    let sent = lab.server.requests_for(CasPage::P3ServiceValidate);
    assert_eq!(sent.len(), 3);
    for validation in sent {
        assert_eq!(validation.parameter("service").as_deref(), Some(SERVICE));
    }
    // No login is pending any more.
    browser.jar.remove("__Host-casque");
    let ticket = lab.server.grant(SERVICE, "alice");
    let page = browser.bring(SERVICE, &ticket).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

/// Pending logins live for ten minutes.
#[tokio::test]
async fn a_login_can_take_ten_minutes() {
    for (seconds, status) in [(599, StatusCode::SEE_OTHER), (600, StatusCode::FORBIDDEN)] {
        let lab = Lab::new();
        let mut browser = lab.browser();
        browser.go("/members").await;
        lab.clock.advance(std::time::Duration::from_secs(seconds));
        let ticket = lab.server.grant(SERVICE, "alice");
        let page = browser.bring(SERVICE, &ticket).await;
        assert_eq!(page.status, status, "{seconds}");
    }
}

/// S-054: with `login_marker` a ticket counts only for the login that asked for it. The attacker
/// makes the victim begin a login, then feeds a ticket of their own.
#[tokio::test]
async fn login_csrf_in_two_steps_fails_with_a_marker() {
    let lab = Lab::with(|builder| builder.service_base(BASE).login_marker(true));
    let mut victim = lab.browser();
    let sent = victim.go("/login").await;
    let service = sent.service(&lab.server);
    assert!(
        service.starts_with(&format!("{SERVICE}?casque=t")),
        "{service}"
    );
    let of_attacker = lab.browser().go("/login").await.service(&lab.server);
    assert_ne!(service, of_attacker);
    for stranger in [SERVICE, of_attacker.as_str()] {
        let ticket = lab.server.grant(stranger, "bob");
        let page = victim.bring(stranger, &ticket).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN);
        assert_eq!(victim.session(), None);
    }
    assert!(
        lab.server
            .requests_for(CasPage::P3ServiceValidate)
            .is_empty()
    );
    let (back, _) = lab.log_in(&mut victim, &sent, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/"));
    let validations = lab.server.requests_for(CasPage::P3ServiceValidate);
    assert_eq!(validations[0].parameter("service"), Some(service), "R-108");
}

/// Several tabs at once, with a marker: each comes back to its own page, in whichever order.
#[tokio::test]
async fn tabs_do_not_mix() {
    let lab = Lab::with(|builder| builder.service_base(BASE).login_marker(true));
    let mut browser = lab.browser();
    let first = browser.go("/members?tab=1").await;
    let second = browser.go("/members?tab=2").await;
    let third = browser.go("/members?tab=3").await;
    let mut services = Vec::new();
    for (tab, sent) in [(2, second), (1, first), (3, third)] {
        services.push(Some(sent.service(&lab.server)));
        let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
        assert_eq!(back.location(), format!("{BASE}/members?tab={tab}"));
        assert_eq!(browser.go("/").await.text(), "alice");
    }
    // R-108 for each of them.
    let sent = lab.server.requests_for(CasPage::P3ServiceValidate);
    let validated: Vec<_> = sent.iter().map(|one| one.parameter("service")).collect();
    assert_eq!(validated, services);
    assert_eq!(sent.len(), 3);
}

/// Tabs that were all restored at once: the browser keeps the login state of one of them, and
/// nobody ends with an error page.
#[tokio::test]
async fn tabs_opened_at_the_same_moment_all_get_in() {
    let lab = Lab::new();
    let (mut first, mut second) = (lab.browser(), lab.browser());
    let sent_first = first.go("/members?tab=1").await;
    let sent_second = second.go("/members?tab=2").await;
    let mut browser = second;
    let (back, _) = lab.log_in(&mut browser, &sent_second, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/members?tab=2"));
    let (back, _) = lab.log_in(&mut browser, &sent_first, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/"));
}

/// The login page: whoever is signed in goes on; a page to return to is checked.
#[tokio::test]
async fn the_login_page() {
    let lab = Lab::with(|builder| builder.service_base(BASE).landing("/members"));
    let mut browser = lab.browser();
    let sent = browser.go("/login").await;
    let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
    assert_eq!(back.location(), format!("{BASE}/members"));
    let again = browser.go("/login?return_to=/static?a=1").await;
    assert_eq!(again.location(), format!("{BASE}/static?a=1"));
    assert_eq!(
        browser.go("/login").await.location(),
        format!("{BASE}/members")
    );
    let form = browser.post("/login", FORM, "x=1").await;
    assert_eq!(
        form.text(),
        "x=1",
        "a form to that path is the application's"
    );
}

/// S-041: `redirect_target` rows through a login and back.
#[tokio::test]
async fn redirect_target_rows_through_a_login() {
    let mut report = crate::corpus::Report::default();
    let rows = crate::corpus::hostile("redirect_target");
    for row in &rows {
        let lab = Lab::new();
        let mut browser = lab.browser();
        let target = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("return_to", row.input_str("return_to"))
            .finish();
        let sent = browser.go(&format!("/login?{target}")).await;
        let (back, _) = lab.log_in(&mut browser, &sent, "alice").await;
        report.check(
            &row.id,
            &back.location(),
            &row.expected["location"].as_str().unwrap(),
        );
        // And for whoever is signed in already.
        let again = browser.go(&format!("/login?{target}")).await;
        report.check(
            &row.id,
            &again.location(),
            &row.expected["location"].as_str().unwrap(),
        );
    }
    report.finish(!rows.is_empty());
}
