//! What services are told, and in which form (protocol sections 8 and 9).

use casque_proto::{Cas1Response, Format, ReadOptions, ServiceResponse};
use http::Method;

use crate::house::{Answer, House, PASSWORD, Setup, code, encode};
use casque_testkit::Breakable;

const APP: &str = "https://app.example.org/";
const WIKI: &str = "https://wiki.example.org:8443/w/";

fn read(answer: &Answer) -> ServiceResponse {
    ServiceResponse::parse(answer.body.as_bytes(), &ReadOptions::default()).expect("an answer")
}

#[tokio::test]
async fn all_formats_say_the_same() {
    //
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for (endpoint, extra, content_type, format) in [
        (
            "serviceValidate",
            "",
            "application/xml; charset=UTF-8",
            Format::Xml,
        ),
        (
            "serviceValidate",
            "&format=JSON",
            "application/json; charset=UTF-8",
            Format::Json,
        ),
        (
            "p3/serviceValidate",
            "&format=xml",
            "application/xml; charset=UTF-8",
            Format::Xml,
        ),
        (
            "p3/serviceValidate",
            "&format=json",
            "application/json; charset=UTF-8",
            Format::Json,
        ),
    ] {
        let ticket = browser.ticket_for(WIKI).await;
        let path = format!(
            "/{endpoint}?service={}&ticket={ticket}{extra}",
            encode(WIKI)
        );
        let answer = house.browser().ask(&path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("content-type"), Some(content_type));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.body.starts_with('{'), format == Format::Json);
        let ServiceResponse::Success(assertion) = read(&answer) else {
            panic!("{answer:?}")
        };
        assert_eq!(assertion.user(), "alice");
        let attributes = assertion.attributes();
        if endpoint.starts_with("p3") {
            assert_eq!(attributes.get("memberOf"), ["staff", "admin"]);
            assert_eq!(attributes.get("mail"), ["alice@example.org"]);
            assert_eq!(
                attributes.get("authenticationDate"),
                ["2024-05-01T12:00:00Z"]
            );
            assert_eq!(assertion.is_from_new_login(), Some(false));
            assert_eq!(assertion.long_term(), Some(false));
        } else {
            assert!(attributes.is_empty(), "R-102: {attributes:?}");
        }
    }
    let ticket = browser.ticket_for(WIKI).await;
    let answer = house.browser().validate("validate", WIKI, &ticket).await;
    assert_eq!(answer.body, "yes\nalice\n");
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain; charset=UTF-8")
    );
    let response = Cas1Response::parse(answer.body.as_bytes(), &ReadOptions::default());
    assert_eq!(
        response,
        Ok(Cas1Response::Success {
            user: "alice".to_owned()
        })
    );
}

#[tokio::test]
async fn a_ticket_of_new_credentials_says_so() {
    //
    let house = House::new();
    let mut browser = house.browser();
    for endpoint in ["p3/serviceValidate", "serviceValidate", "validate"] {
        let ticket = browser
            .log_in("alice", PASSWORD, Some(APP))
            .await
            .ticket()
            .expect("a ticket");
        let path = format!(
            "/{endpoint}?service={}&ticket={ticket}&renew=true",
            encode(APP)
        );
        let answer = house.browser().ask(&path).await;
        assert!(answer.body.contains("alice"), "{}", answer.body);
        if endpoint.starts_with("p3") {
            assert!(
                answer
                    .body
                    .contains("<cas:isFromNewLogin>true</cas:isFromNewLogin>")
            );
        }
    }
}

#[tokio::test]
async fn sc_046_a_service_learns_what_it_is_registered_for() {
    // R-139, S-066
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for (service, expected) in [
        (APP, &["mail"][..]),
        ("https://a.dept.example.org/", &[]),
        (WIKI, &["mail", "memberOf"]),
    ] {
        let ticket = browser.ticket_for(service).await;
        let answer = house
            .browser()
            .validate("p3/serviceValidate", service, &ticket)
            .await;
        let ServiceResponse::Success(assertion) = read(&answer) else {
            panic!("{answer:?}")
        };
        let standard = [
            "authenticationDate",
            "longTermAuthenticationRequestTokenUsed",
            "isFromNewLogin",
        ];
        let mut told: Vec<_> = assertion
            .attributes()
            .iter()
            .map(|(name, _)| name)
            .filter(|name| !standard.contains(name))
            .collect();
        told.sort_unstable();
        assert_eq!(told, expected, "{service}");
        assert!(!answer.body.contains("argon2"));
    }
}

#[tokio::test]
async fn the_service_is_matched_in_canonical_form() {
    // S-003, R-226, R-227
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for (asked, shown, same) in [
        (
            "https://app.example.org",
            "https://APP.example.org:443/",
            true,
        ),
        (
            "https://app.example.org/a?x=1",
            "https://app.example.org/a?x=1&ticket=ST-9",
            true,
        ),
        (
            "https://app.example.org/a",
            "https://app.example.org/a/",
            false,
        ),
        (
            "https://app.example.org/a",
            "https://app.example.org/A",
            false,
        ),
        (
            "https://app.example.org/?a=1&b=2",
            "https://app.example.org/?b=2&a=1",
            false,
        ),
    ] {
        let ticket = browser.ticket_for(asked).await;
        let answer = house
            .browser()
            .validate("serviceValidate", shown, &ticket)
            .await;
        let expected = if same { None } else { Some("INVALID_SERVICE") };
        assert_eq!(code(&answer.body), expected, "{asked} {shown}");
    }
}

#[tokio::test]
async fn only_get_spends_a_ticket() {
    //
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    for endpoint in ["validate", "serviceValidate", "p3/serviceValidate"] {
        let path = format!("/{endpoint}?service={}&ticket={ticket}", encode(APP));
        for method in [Method::HEAD, Method::POST, Method::PUT, Method::OPTIONS] {
            let answer = house
                .browser()
                .send(method.clone(), &path, &[], axum::body::Body::empty())
                .await;
            assert_eq!(answer.status, 405, "{method}");
            assert_eq!(answer.header("allow"), Some("GET"));
        }
    }
    let answer = house.browser().validate("validate", APP, &ticket).await;
    assert_eq!(answer.body, "yes\nalice\n");
}

#[tokio::test]
async fn tickets_live_ten_seconds() {
    // S-009, R-221
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let in_time = browser.ticket_for(APP).await;
    let late = browser.ticket_for(APP).await;
    house.clock.advance(std::time::Duration::from_millis(9_999));
    assert!(
        house
            .browser()
            .validate("validate", APP, &in_time)
            .await
            .body
            .starts_with("yes")
    );
    house.clock.advance(std::time::Duration::from_millis(1));
    let answer = house
        .browser()
        .validate("serviceValidate", APP, &late)
        .await;
    assert_eq!(code(&answer.body), Some("INVALID_TICKET"));
}

#[tokio::test]
async fn every_kind_of_secret_is_refused_as_every_other() {
    // S-005: what a browser holds, shown as a service ticket and as a session.
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    let page = house.browser().get("/login").await;
    let login_ticket = page.login_ticket().expect("a form");
    let mut held: Vec<String> = browser.cookies.values().cloned().collect();
    held.push(login_ticket);
    for secret in &held {
        let answer = house
            .browser()
            .validate("serviceValidate", APP, secret)
            .await;
        assert!(answer.body.contains("INVALID_TICKET"), "{secret}");
    }
    held.push(ticket.clone());
    for secret in held.iter().filter(|secret| !secret.starts_with("TGT-")) {
        let mut thief = house.browser();
        thief.cookies.insert("__Host-TGC".into(), secret.clone());
        assert!(thief.get("/login").await.is_form(), "{secret}");
    }
    let answer = house.browser().validate("validate", APP, &ticket).await;
    assert_eq!(answer.body, "yes\nalice\n", "none of it spent the ticket");
}

#[tokio::test]
async fn failures_of_the_store() {
    // pages are 503, validation is INTERNAL_ERROR with 200.
    let setup = Setup::new();
    let store = Breakable::on(setup.manual_clock());
    let house = setup.store(store.shared()).build();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(APP).await;
    let page = browser.get("/login?renew=1").await;
    store.break_down();
    let answer = house
        .browser()
        .validate("serviceValidate", APP, &ticket)
        .await;
    assert_eq!(
        (answer.status.as_u16(), code(&answer.body)),
        (200, Some("INTERNAL_ERROR"))
    );
    let answer = house.browser().validate("validate", APP, &ticket).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, "no\n\n")
    );
    for path in ["/login", "/logout"] {
        assert_eq!(browser.get(path).await.status, 503, "{path}");
    }
    assert_eq!(house.browser().get("/login").await.status, 503);
    let answer = browser.submit(&page, "alice", PASSWORD, None).await;
    assert_eq!(answer.status, 503);
    assert!(!answer.sets_tgc());
    assert!(answer.header("retry-after").is_some());
    store.repair();
    let answer = house.browser().validate("validate", APP, &ticket).await;
    assert_eq!(answer.body, "yes\nalice\n", "nothing was spent meanwhile");
}

#[tokio::test]
async fn the_format_is_kept_when_something_else_is_wrong() {
    //
    let house = House::new();
    let many = "&x=1".repeat(70);
    for (query, json) in [
        ("service=a&service=b&ticket=ST-1&format=JSON", true),
        ("format=json&ticket=ST-1&ticket=ST-2", true),
        ("service=a&service=b&format=JSON&format=JSON", true),
        (&format!("format=JSON{many}"), true),
        ("service=a&service=b&ticket=ST-1", false),
        ("service=a&format=JSON&format=XML", false),
        ("service=a&service=b&format=YAML", false),
        ("service=a&format=YAML", false),
    ] {
        let answer = house
            .browser()
            .ask(&format!("/p3/serviceValidate?{query}"))
            .await;
        assert_eq!(answer.status, 200, "R-011");
        let kind = if json {
            "application/json"
        } else {
            "application/xml"
        };
        let got = answer.header("content-type").expect("a type");
        assert!(got.starts_with(kind), "{query}: {got}");
        assert_eq!(answer.body.starts_with('{'), json, "{query}");
        assert!(answer.body.contains("INVALID_REQUEST"), "{query}");
    }
}
