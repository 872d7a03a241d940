//! Asking people before a service is told about them.

use std::time::Duration;

use crate::house::{Answer, Browser, House, PASSWORD, code, encode};

const ASKING: &str = "https://asking.example.org/";

fn way_in() -> String {
    format!("/login?service={}", encode(ASKING))
}

fn is_question(answer: &Answer) -> bool {
    answer.hidden("question").as_deref() == Some("consent")
}

async fn agree(browser: &mut Browser) -> Answer {
    let page = browser.get(&way_in()).await;
    assert!(is_question(&page), "{}", page.body);
    browser.send_on(&page, "answer=agree").await
}

#[tokio::test]
async fn what_will_be_told_is_shown_and_told_after_a_yes_only() {
    // S-066
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let page = browser.get(&way_in()).await;
    assert_eq!(page.status, 200);
    for shown in [
        "asking.example.org",
        "alice",
        "mail",
        "alice@example.org",
        "memberOf",
        "staff",
        "admin",
    ] {
        assert!(page.body.contains(shown), "{shown}");
    }
    assert!(!page.body.contains("ST-"));
    let done = browser.send_on(&page, "answer=agree").await;
    assert_eq!(done.status, 303, "{}", done.body);
    let ticket = done.ticket().expect("a ticket");
    let told = browser
        .validate("p3/serviceValidate", ASKING, &ticket)
        .await;
    assert!(
        told.body.contains("<cas:mail>alice@example.org<"),
        "{}",
        told.body
    );
    // Once.
    assert!(browser.ticket_for(ASKING).await.starts_with("ST-"));
    // Also in another session, and for others not at all.
    assert!(
        house
            .signed_in("alice")
            .await
            .ticket_for(ASKING)
            .await
            .starts_with("ST-")
    );
    assert!(is_question(
        &house.signed_in("bob").await.get(&way_in()).await
    ));
}

#[tokio::test]
async fn after_a_no_nothing_is_told() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let page = browser.get(&way_in()).await;
    let refused = browser.send_on(&page, "answer=refuse").await;
    assert_eq!(refused.status, 200);
    assert!(refused.location().is_none() && !refused.body.contains("ST-"));
    assert!(is_question(&browser.get(&way_in()).await), "asked again");
    let page = browser.get(&way_in()).await;
    for answer in ["", "answer=", "answer=yes", "answer=agree&answer=refuse"] {
        let page = browser.get(&way_in()).await;
        let said = browser.send_on(&page, answer).await;
        assert_eq!(said.status, 400, "{answer}");
    }
    // The session and its other services are as before.
    assert!(!browser.get("/login").await.is_form());
    drop(page);
}

#[tokio::test]
async fn gateway_never_asks() {
    //
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let path = format!("{}&gateway=true", way_in());
    let back = browser.get(&path).await;
    assert_eq!((back.status.as_u16(), back.location()), (303, Some(ASKING)));
    agree(&mut browser).await;
    assert!(browser.get(&path).await.ticket().is_some());
}

#[tokio::test]
async fn a_login_that_asks_is_still_a_new_login_for_a_while() {
    //
    let house = House::new();
    for (wait, fresh) in [(299, true), (300, false)] {
        let mut browser = house.browser();
        let name = if fresh { "alice" } else { "bob" };
        let page = browser.log_in(name, PASSWORD, Some(ASKING)).await;
        assert!(is_question(&page) && page.sets_tgc());
        house.clock.advance(Duration::from_secs(wait));
        let done = browser.send_on(&page, "answer=agree").await;
        if fresh {
            let ticket = format!("{}&renew=1", done.ticket().expect("a ticket"));
            let told = browser
                .validate("p3/serviceValidate", ASKING, &ticket)
                .await;
            assert!(
                told.body.contains("<cas:isFromNewLogin>true<"),
                "{}",
                told.body
            );
        } else {
            assert_eq!(done.status, 403);
            assert!(done.is_form());
        }
    }
}

#[tokio::test]
async fn more_names_are_asked_again_and_other_values_are_not() {
    let house = House::new();
    let mut bob = house.signed_in("bob").await;
    house
        .people
        .set_attribute("bob", "mail", &["bob@example.org"]);
    agree(&mut bob).await;
    house
        .people
        .set_attribute("bob", "mail", &["robert@example.org", "bob@example.org"]);
    assert!(bob.get(&way_in()).await.ticket().is_some(), "other values");
    house.people.set_attribute("bob", "phone", &["1"]);
    assert!(bob.get(&way_in()).await.ticket().is_some(), "not released");
    house.people.set_attribute("bob", "memberOf", &["staff"]);
    let page = bob.get(&way_in()).await;
    assert!(is_question(&page), "another name");
    bob.send_on(&page, "answer=agree").await;
    house.people.set_attribute("bob", "mail", &[]);
    assert!(bob.get(&way_in()).await.ticket().is_some(), "fewer names");
    let own = bob.get("/consents").await;
    assert_eq!(own.body.matches("<section").count(), 1, "{}", own.body);
}

#[tokio::test]
async fn one_agrees_to_what_was_shown() {
    let house = House::new();
    let mut bob = house.signed_in("bob").await;
    let page = bob.get(&way_in()).await;
    house
        .people
        .set_attribute("bob", "mail", &["bob@example.org"]);
    let again = bob.send_on(&page, "answer=agree").await;
    assert_eq!(again.status, 403);
    assert!(is_question(&again) && again.body.contains("bob@example.org"));
    assert!(bob.send_on(&again, "answer=agree").await.ticket().is_some());
}

#[tokio::test]
async fn the_answer_is_for_once_and_from_our_own_page() {
    // S-051, S-054
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let page = browser.get(&way_in()).await;
    let (_, form) = page.form();
    let form = format!("{form}answer=agree");
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("origin", "https://evil.example"),
    ];
    let forged = browser
        .send(
            http::Method::POST,
            "/login/continue",
            &headers,
            form.clone().into(),
        )
        .await;
    assert_eq!(forged.status, 403);
    assert!(is_question(&forged));
    let mut other = house.signed_in("bob").await;
    assert_eq!(other.post("/login/continue", &form).await.status, 403);
    assert!(is_question(&other.get(&way_in()).await));
    assert!(
        browser
            .post("/login/continue", &form)
            .await
            .ticket()
            .is_some()
    );
    assert_eq!(browser.post("/login/continue", &form).await.status, 403);
}

#[tokio::test]
async fn a_consent_can_be_taken_back() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let home = browser.get("/login").await;
    assert!(
        home.body.contains("href=\"/cas/consents\""),
        "{}",
        home.body
    );
    let none = browser.get("/consents").await;
    assert!(none.body.contains("agreed to nothing"), "{}", none.body);
    let ticket = agree(&mut browser).await.ticket().expect("a ticket");
    let own = browser.get("/consents").await;
    for shown in ["asking", "mail, memberOf", "2024-05-01"] {
        assert!(own.body.contains(shown), "{shown}: {}", own.body);
    }
    // Not by another person, nor from another site, nor for another service.
    let (_, form) = own.form();
    let mut bob = house.signed_in("bob").await;
    assert_eq!(bob.post("/consents", &form).await.status, 403);
    let changed = form.replace("id=asking", "id=app");
    assert_eq!(browser.post("/consents", &changed).await.status, 403);
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "same-site"),
    ];
    let forged = browser
        .send(
            http::Method::POST,
            "/consents",
            &headers,
            form.clone().into(),
        )
        .await;
    assert_eq!(forged.status, 403);
    assert!(
        browser
            .get("/consents")
            .await
            .body
            .contains("mail, memberOf")
    );

    let done = browser.send_on(&own, "").await;
    assert_eq!(
        done.location(),
        Some("https://cas.example.org/cas/consents")
    );
    assert!(
        !browser
            .get("/consents")
            .await
            .body
            .contains("mail, memberOf")
    );
    assert!(is_question(&browser.get(&way_in()).await));
    // What was under way tells nothing any more.
    let told = browser
        .validate("p3/serviceValidate", ASKING, &ticket)
        .await;
    assert_eq!(code(&told.body), Some("UNAUTHORIZED_SERVICE"));
    assert_eq!(browser.send_on(&own, "").await.status, 403, "once");
}

#[tokio::test]
async fn nobodys_consents_are_shown_to_nobody() {
    let house = House::new();
    let answer = house.browser().get("/consents").await;
    assert_eq!(answer.location(), Some("https://cas.example.org/cas/login"));
    assert_eq!(
        house
            .browser()
            .post("/consents", "id=asking&lt=x")
            .await
            .status,
        303
    );
}

#[tokio::test]
async fn after_a_year_the_question_comes_again() {
    let house = House::new();
    agree(&mut house.signed_in("alice").await).await;
    house.clock.advance(Duration::from_hours(364 * 24));
    let ticket = house.signed_in("alice").await.ticket_for(ASKING).await;
    assert!(ticket.starts_with("ST-"));
    house.clock.advance(Duration::from_hours(24));
    assert!(is_question(
        &house.signed_in("alice").await.get(&way_in()).await
    ));
}

#[tokio::test]
async fn a_warning_and_a_question_are_one_page() {
    //
    let house = House::new();
    let mut browser = house.browser();
    browser.log_in_with("alice", "warn=true").await;
    let page = browser.get(&way_in()).await;
    assert!(is_question(&page));
    assert!(
        browser
            .send_on(&page, "answer=agree")
            .await
            .ticket()
            .is_some()
    );
    let page = browser.get(&way_in()).await;
    assert_eq!(page.hidden("question").as_deref(), Some("warning"));
    assert!(browser.send_on(&page, "").await.ticket().is_some());
}

#[tokio::test]
async fn those_who_are_not_admitted_are_not_asked() {
    //
    let mut services: Vec<casque_server::Service> =
        crate::house::registry().iter().cloned().collect();
    for service in &mut services {
        service.access = casque_server::AccessRule::default().value("memberOf", "staff");
    }
    let house = crate::house::Setup::new()
        .services(casque_server::Services::new(services))
        .build();
    let page = house.signed_in("bob").await.get(&way_in()).await;
    assert_eq!(page.status, 403);
    assert!(!is_question(&page));
}
