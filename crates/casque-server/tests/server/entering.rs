//! On the way into a service: remembered sessions, warnings, access rules, and how the ticket gets there.

use std::time::Duration;

use axum::body::Body;
use casque_proto::ServiceRule;
use casque_server::{AccessRule, ResponseType, Service, Services};
use http::Method;

use crate::house::{Answer, Browser, House, PASSWORD, Setup, code, encode};

const APP: &str = "https://app.example.org/";
const STAFF: &str = "https://staff.example.org/";
const REMEMBER: &str = "[sso]\nremember_me = true\n";
const DAY: Duration = Duration::from_hours(24);

fn long_term(answer: &Answer) -> Option<bool> {
    let (_, rest) = answer
        .body
        .split_once("<cas:longTermAuthenticationRequestTokenUsed>")?;
    Some(rest.starts_with("true"))
}

async fn is_signed_in(browser: &mut Browser) -> bool {
    !browser.get("/login").await.is_form()
}

#[tokio::test]
async fn remember_me_is_ignored_unless_it_is_offered() {
    //
    let house = House::new();
    let mut browser = house.browser();
    assert!(!browser.get("/login").await.body.contains("rememberMe"));
    let answer = browser.log_in_with("alice", "rememberMe=true").await;
    let cookie = answer.set_cookie("__Host-TGC").expect("a session");
    assert!(!cookie.contains("Max-Age"), "{cookie}");
    let ticket = browser.ticket_for(APP).await;
    let told = browser.validate("p3/serviceValidate", APP, &ticket).await;
    assert_eq!(long_term(&told), Some(false));
}

#[tokio::test]
async fn a_remembered_session_outlives_browser_and_idle_time() {
    //
    let house = Setup::new().settings(REMEMBER).build();
    let mut browser = house.browser();
    assert!(
        browser
            .get("/login")
            .await
            .body
            .contains("name=\"rememberMe\"")
    );
    let answer = browser.log_in_with("alice", "rememberMe=on").await;
    let cookie = answer.set_cookie("__Host-TGC").expect("a session");
    assert!(
        cookie.ends_with("; Secure; HttpOnly; SameSite=Lax; Max-Age=1209600"),
        "{cookie}"
    );
    house.clock.advance(13 * DAY);
    let ticket = browser.ticket_for(APP).await;
    let told = browser.validate("p3/serviceValidate", APP, &ticket).await;
    assert_eq!(long_term(&told), Some(true), "{}", told.body);
    // Use does not lengthen it.
    house.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(is_signed_in(&mut browser).await);
    house.clock.advance(Duration::from_secs(1));
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn sessions_that_are_not_remembered_stay_short() {
    //
    let house = Setup::new().settings(REMEMBER).build();
    for choice in ["", "rememberMe=", "rememberMe=false", "rememberMe=0"] {
        let mut browser = house.browser();
        let answer = browser.log_in_with("alice", choice).await;
        let cookie = answer.set_cookie("__Host-TGC").expect("a session");
        assert!(!cookie.contains("Max-Age"), "{choice}: {cookie}");
        house.clock.advance(Duration::from_hours(2));
        assert!(!is_signed_in(&mut browser).await, "{choice}");
    }
}

#[tokio::test]
async fn a_remembered_session_is_no_new_login() {
    // R-064; the flag is in the answer in JSON, too
    let house = Setup::new().settings(REMEMBER).build();
    let mut browser = house.browser();
    browser.log_in_with("alice", "rememberMe=true").await;
    let ticket = browser.ticket_for(APP).await;
    let told = browser
        .validate("p3/serviceValidate", APP, &format!("{ticket}&renew=true"))
        .await;
    assert_eq!(code(&told.body), Some("INVALID_TICKET"));
    let ticket = browser.ticket_for(APP).await;
    let told = browser
        .validate("p3/serviceValidate", APP, &format!("{ticket}&format=JSON"))
        .await;
    let told: serde_json::Value = serde_json::from_str(&told.body).expect("JSON");
    let attributes = &told["serviceResponse"]["authenticationSuccess"]["attributes"];
    assert!(
        attributes["longTermAuthenticationRequestTokenUsed"]
            .to_string()
            .contains("true"),
        "{attributes}"
    );
    assert!(attributes["isFromNewLogin"].to_string().contains("false"));
    // It does not replace a password where one is asked for.
    let renew = format!("/login?renew=true&service={}", encode(APP));
    assert!(browser.get(&renew).await.is_form());
}

#[tokio::test]
async fn a_remembered_session_ends_by_logout_and_by_another_password() {
    // R-060, S-057
    let house = Setup::new().settings(REMEMBER).build();
    let mut browser = house.browser();
    browser.log_in_with("alice", "rememberMe=true").await;
    let kept = browser.cookies.clone();
    browser.get("/logout").await;
    browser.cookies = kept;
    assert!(!is_signed_in(&mut browser).await);

    let mut browser = house.browser();
    browser.log_in_with("bob", "rememberMe=true").await;
    house
        .people
        .set_hash("bob", crate::house::cheap_hash().replace('$', "$ "));
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn lifetimes_of_remembered_sessions_have_bounds() {
    // at most 30 days here
    let lines = "[sso]\nremember_me = true\nremember_me_lifetime = \"3 d\"\n";
    let house = Setup::new().settings(lines).build();
    let mut browser = house.browser();
    let answer = browser.log_in_with("alice", "rememberMe=true").await;
    let cookie = answer.set_cookie("__Host-TGC").expect("a session");
    assert!(cookie.ends_with("Max-Age=259200"), "{cookie}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("casque.toml");
    let text = "base_url = \"https://cas.example.org\"\n[sso]\nremember_me_lifetime = \"31 d\"\n";
    std::fs::write(&file, text).expect("a file");
    assert!(casque_server::Config::from_file(&file).is_err());
}

#[tokio::test]
async fn choices_survive_a_wrong_password() {
    //
    let house = Setup::new().settings(REMEMBER).build();
    let mut browser = house.browser();
    let ticket = browser.get("/login").await.login_ticket().expect("a form");
    let form = format!("lt={ticket}&username=alice&password=wrong&warn=true&method=POST");
    let again = browser.post("/login", &form).await;
    assert_eq!(again.status, 401);
    assert_eq!(again.body.matches(" checked").count(), 1, "{}", again.body);
    assert_eq!(again.hidden("method").as_deref(), Some("POST"));
}

async fn warned(house: &House) -> Browser {
    let mut browser = house.browser();
    browser.log_in_with("alice", "warn=true").await;
    browser
}

#[tokio::test]
async fn in_warn_mode_nothing_is_issued_before_a_yes() {
    //
    let house = House::new();
    let mut browser = warned(&house).await;
    for gateway in ["", "&gateway=true"] {
        let path = format!("/login?service={}{gateway}", encode(APP));
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200);
        assert!(page.location().is_none() && page.ticket().is_none());
        assert!(!page.body.contains("ST-"), "{}", page.body);
        assert!(page.body.contains("app.example.org") && page.body.contains("alice"));
        let done = browser.send_on(&page, "").await;
        assert_eq!(done.status, 303, "{}", done.body);
        let ticket = done.ticket().expect("a ticket");
        let told = browser.validate("p3/serviceValidate", APP, &ticket).await;
        assert!(told.body.contains("<cas:user>alice<"), "{}", told.body);
        assert!(told.body.contains("<cas:isFromNewLogin>false<"));
    }
}

#[tokio::test]
async fn the_login_itself_needs_no_warning() {
    //
    let house = House::new();
    let mut browser = house.browser();
    let page = browser
        .get(&format!("/login?service={}", encode(APP)))
        .await;
    let further = format!("username=alice&password={}&warn=1", encode(PASSWORD));
    let done = browser.send_on(&page, &further).await;
    assert!(done.ticket().is_some());
    let next = browser
        .get(&format!("/login?service={}", encode(STAFF)))
        .await;
    assert!(next.location().is_none());
}

#[tokio::test]
async fn the_yes_is_for_once_for_one_service_and_one_session() {
    // R-029, S-051, S-054
    let house = House::new();
    let mut browser = warned(&house).await;
    let path = format!("/login?service={}", encode(APP));
    let page = browser.get(&path).await;

    // Another service, another way of delivery, or a login that never was.
    let (_, form) = page.form();
    let changed = [
        form.replace(&encode(APP), &encode(STAFF)),
        format!("{form}method=POST"),
        format!("{form}fresh=true"),
        form.replace("question=warning", "question=consent"),
    ];
    for form in changed {
        let answer = browser
            .post("/login/continue", &format!("{form}&answer=agree"))
            .await;
        assert_eq!(answer.status, 403, "{form}");
        assert!(answer.ticket().is_none() && answer.hidden("ticket").is_none());
    }
    // Another site's form.
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("sec-fetch-site", "cross-site"),
    ];
    let forged = browser
        .send(
            Method::POST,
            "/login/continue",
            &headers,
            Body::from(form.clone()),
        )
        .await;
    assert_eq!(forged.status, 403);
    // Another person's session, and nobody's.
    let mut other = house.browser();
    other.log_in_with("bob", "warn=true").await;
    assert_eq!(other.post("/login/continue", &form).await.status, 403);
    let nobody = house.browser().post("/login/continue", &form).await;
    assert_eq!(nobody.status, 403);
    assert!(nobody.is_form());

    assert_eq!(browser.send_on(&page, "").await.status, 303);
    let twice = browser.send_on(&page, "").await;
    assert_eq!(twice.status, 403);
    // What comes back instead works.
    assert_eq!(browser.send_on(&twice, "").await.status, 303);

    let old = browser.get(&path).await;
    house.clock.advance(Duration::from_hours(1));
    assert_eq!(browser.send_on(&old, "").await.status, 403);
    assert_eq!(browser.get("/login/continue").await.status, 303);
    assert_eq!(browser.post("/login/continue", "").await.status, 400);
}

#[tokio::test]
async fn only_those_whom_a_service_admits_get_in() {
    //
    let house = House::new();
    let mut alice = house.signed_in("alice").await;
    assert!(alice.ticket_for(STAFF).await.starts_with("ST-"));

    let mut bob = house.signed_in("bob").await;
    let path = format!("/login?service={}", encode(STAFF));
    let page = bob.get(&path).await;
    assert_eq!(page.status, 403);
    assert!(page.body.contains("bob") && page.location().is_none());
    let back = bob.get(&format!("{path}&gateway=true")).await;
    assert_eq!((back.status.as_u16(), back.location()), (303, Some(STAFF)));
    // A password changes nothing, but the session is there for other services.
    let page = house.browser().log_in("bob", PASSWORD, Some(STAFF)).await;
    assert_eq!(page.status, 403);
    assert!(page.sets_tgc());
    assert!(!page.body.contains("ST-"));
}

#[tokio::test]
async fn access_is_judged_again_when_a_ticket_is_validated() {
    //
    let house = House::new();
    let mut alice = house.signed_in("alice").await;
    let ticket = alice.ticket_for(STAFF).await;
    house.people.set_attribute("alice", "memberOf", &["alumni"]);
    let told = alice.validate("p3/serviceValidate", STAFF, &ticket).await;
    assert_eq!(code(&told.body), Some("UNAUTHORIZED_SERVICE"));
    let told = alice.validate("p3/serviceValidate", STAFF, &ticket).await;
    assert_eq!(
        code(&told.body),
        Some("INVALID_TICKET"),
        "R-095: it is spent"
    );
}

fn one(id: &str, change: impl FnOnce(&mut Service)) -> Services {
    let rule = ServiceRule::origin("https://app.example.org").expect("an origin");
    let mut service = Service::new(id, rule);
    change(&mut service);
    Services::new([service])
}

#[tokio::test]
async fn those_who_are_refused_may_have_a_page_of_the_service() {
    //
    let services = one("app", |service| {
        service.access = AccessRule::default().value("memberOf", "staff");
        service.refused_url = Some("https://help.example.org/access".into());
    });
    let house = Setup::new().services(services).build();
    let mut bob = house.signed_in("bob").await;
    let answer = bob.get(&format!("/login?service={}", encode(APP))).await;
    assert_eq!(answer.location(), Some("https://help.example.org/access"));
    let back = bob
        .get(&format!("/login?gateway=1&service={}", encode(APP)))
        .await;
    assert_eq!(back.location(), Some(APP));
}

#[tokio::test]
async fn services_without_single_sign_on() {
    //
    let fresh = "https://fresh.example.org/";
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let path = format!("/login?service={}", encode(fresh));
    assert!(browser.get(&path).await.is_form());
    let back = browser.get(&format!("{path}&gateway=true")).await;
    assert_eq!(back.location(), Some(fresh));
    let done = browser.log_in("alice", PASSWORD, Some(fresh)).await;
    let ticket = done.ticket().expect("a ticket");
    let told = browser
        .validate("p3/serviceValidate", fresh, &format!("{ticket}&renew=1"))
        .await;
    assert!(
        told.body.contains("<cas:isFromNewLogin>true<"),
        "{}",
        told.body
    );
}

/// How an answer takes its ticket to the service.
fn way(answer: &Answer) -> &'static str {
    match (
        answer.location(),
        answer.hidden("ticket"),
        answer.header("ticket"),
    ) {
        (Some(_), None, None) => "redirect",
        (None, Some(_), None) => "post",
        (None, None, Some(_)) => "header",
        _ => "nothing",
    }
}

#[tokio::test]
async fn requests_and_services_choose_the_way_of_a_ticket() {
    //
    use ResponseType::{Header, Post, Redirect};
    for (of_service, of_request, expected) in [
        (Redirect, None, "redirect"),
        (Redirect, Some("POST"), "post"),
        (Redirect, Some("post"), "post"),
        (Redirect, Some("HEADER"), "header"),
        (Redirect, Some("GET"), "redirect"),
        (Redirect, Some("PUT"), "redirect"),
        (Redirect, Some(""), "redirect"),
        (Post, None, "post"),
        (Post, Some("Redirect"), "redirect"),
        (Post, Some("get"), "redirect"),
        (Post, Some("nonsense"), "post"),
        (Post, Some("HEADER"), "header"),
        (Header, None, "header"),
        (Header, Some("POST"), "post"),
    ] {
        let house = Setup::new()
            .services(one("app", |service| service.response_type = of_service))
            .build();
        let row = format!("{of_service:?} {of_request:?}");
        let mut path = format!("/login?service={}", encode(APP));
        if let Some(method) = of_request {
            path = format!("{path}&method={method}");
        }
        let mut browser = house.browser();
        let page = browser.get(&path).await;
        let further = format!("username=alice&password={}", encode(PASSWORD));
        let answer = browser.send_on(&page, &further).await;
        assert_eq!(way(&answer), expected, "after a password: {row}");
        assert!(answer.sets_tgc());
        let answer = browser.get(&path).await;
        assert_eq!(way(&answer), expected, "with a session: {row}");
        let page = warned(&house).await.get(&path).await;
        assert_eq!(way(&page), "nothing", "{row}");
    }
}

#[tokio::test]
async fn a_ticket_by_post() {
    // R-051, S-043, S-046
    let service = "https://app.example.org/a?x='1'&ticket=old&y=%22";
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let page = browser
        .get(&format!("/login?method=POST&service={}", encode(service)))
        .await;
    assert_eq!(page.status, 200);
    let (action, fields) = page.form();
    assert_eq!(action, "https://app.example.org/a?x='1'&y=%22");
    assert_eq!(page.body.matches("<form").count(), 1);
    assert!(page.body.contains("<button type=\"submit\">"));
    assert_eq!(fields.matches("ticket=ST-").count(), 1, "{fields}");
    let policy = page.header("content-security-policy").expect("a policy");
    let (_, nonce) = page.body.split_once("<script nonce=\"").expect("a script");
    let nonce = nonce.split('"').next().expect("a nonce");
    assert!(policy.contains(&format!(
        "script-src 'nonce-{nonce}'; form-action https://app.example.org; "
    )));
    let again = browser
        .get(&format!("/login?method=POST&service={}", encode(service)))
        .await;
    assert!(!again.body.contains(nonce), "a nonce is used once");
    assert_eq!(page.header("cache-control"), Some("no-store"));

    let ticket = page.hidden("ticket").expect("a ticket");
    let told = browser
        .validate("p3/serviceValidate", &action, &ticket)
        .await;
    assert!(told.body.contains("<cas:user>alice<"), "{}", told.body);
}

#[tokio::test]
async fn a_ticket_in_headers() {
    // R-052, S-042
    let service = "https://app.example.org/a?x=%0D%0AX:1";
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let path = format!("/login?method=HEADER&service={}", encode(service));
    let answer = browser.get(&path).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.location(), None);
    assert_eq!(answer.header("service"), Some(service));
    let ticket = answer.header("ticket").expect("a ticket");
    let told = browser.validate("serviceValidate", service, ticket).await;
    assert!(told.body.contains("<cas:user>alice<"), "{}", told.body);
    for bad in [
        "https://app.example.org/\r\nx",
        "https://app.example.org/\nx",
    ] {
        let answer = browser
            .get(&format!("/login?method=HEADER&service={}", encode(bad)))
            .await;
        assert_eq!(answer.status, 403);
        assert_eq!(answer.header("ticket"), None);
    }
}

#[tokio::test]
async fn methods_that_disagree_are_refused() {
    // R-008, S-004
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let path = format!("/login?method=POST&method=HEADER&service={}", encode(APP));
    assert_eq!(browser.get(&path).await.status, 400);
}

#[tokio::test]
async fn gateway_without_a_ticket_is_a_redirect_whatever_the_method() {
    //
    let house = House::new();
    for method in ["POST", "HEADER"] {
        let path = format!("/login?gateway=1&method={method}&service={}", encode(APP));
        let answer = house.browser().get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.location()),
            (303, Some(APP))
        );
    }
}
