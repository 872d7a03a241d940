//! Signing in: the form, its ticket, cookies, and what comes after.

use http::Method;

use crate::house::{House, PASSWORD, Setup, encode, plain};

const APP: &str = "https://app.example.org/";

#[tokio::test]
async fn the_form_carries_the_service_unchanged_and_comes_back() {
    //
    let service = "https://app.example.org/a%20b?x=1&y=%C3%A9";
    let house = House::new();
    let mut browser = house.browser();
    let page = browser
        .get(&format!("/login?service={}&renew=true", encode(service)))
        .await;
    assert_eq!(page.hidden("service").as_deref(), Some(service));
    assert_eq!(page.hidden("renew").as_deref(), Some("true"));
    let again = browser.submit(&page, "alice", "wrong", Some(service)).await;
    assert_eq!(again.status, 401);
    assert_eq!(again.hidden("service").as_deref(), Some(service));
    assert_ne!(again.login_ticket(), page.login_ticket());
    assert!(!again.sets_tgc());
    let done = browser
        .submit(&again, "alice", PASSWORD, Some(service))
        .await;
    assert_eq!(done.status, 303);
    let location = done.location().expect("a way on");
    assert!(
        location.starts_with(&format!("{service}&ticket=ST-")),
        "{location}"
    );
}

#[tokio::test]
async fn fields_that_other_servers_ask_for_are_ignored() {
    //
    let house = House::new();
    let mut browser = house.browser();
    let ticket = browser.get("/login").await.login_ticket().expect("a form");
    let form = format!(
        "execution=e1s1&_eventId=submit&geolocation=&submit=LOGIN&Username=bob&lt={ticket}\
         &username=alice&password={}",
        encode(PASSWORD)
    );
    let done = browser.post("/login", &form).await;
    assert_eq!(done.status, 200);
    assert!(browser.get("/login").await.body.contains("alice"));
}

#[tokio::test]
async fn a_login_ticket_is_for_one_attempt() {
    // R-039, S-054
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/login").await;
    assert_eq!(
        browser.submit(&page, "alice", "wrong", None).await.status,
        401
    );
    let used = browser.submit(&page, "alice", PASSWORD, None).await;
    assert_eq!(used.status, 403);
    assert!(!used.sets_tgc());
    assert_eq!(house.passwords.hashes(), 1);
}

#[tokio::test]
async fn a_login_ticket_grows_old() {
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/login").await;
    house.clock.advance(std::time::Duration::from_hours(1));
    assert_eq!(
        browser.submit(&page, "alice", PASSWORD, None).await.status,
        403
    );
}

#[tokio::test]
async fn the_flow_cookie_is_needed_and_replaced_after_login() {
    // S-055: what an attacker could have planted before the login is worth nothing after it.
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/login").await;
    let flow = browser
        .cookies
        .remove("__Host-casque-flow")
        .expect("a flow cookie");
    assert_eq!(
        browser.submit(&page, "alice", PASSWORD, None).await.status,
        403
    );
    browser
        .cookies
        .insert("__Host-casque-flow".into(), flow.clone());
    let page = browser.get("/login").await;
    let done = browser.submit(&page, "alice", PASSWORD, None).await;
    assert_eq!(done.status, 200);
    assert!(!browser.cookies.contains_key("__Host-casque-flow"));
}

#[tokio::test]
async fn planted_flow_cookies_of_another_shape_are_replaced() {
    let house = House::new();
    let mut browser = house.browser();
    browser
        .cookies
        .insert("__Host-casque-flow".into(), "planted".into());
    let page = browser.get("/login").await;
    assert!(page.set_cookie("__Host-casque-flow").is_some());
    assert_eq!(
        browser.submit(&page, "alice", PASSWORD, None).await.status,
        200
    );
}

#[tokio::test]
async fn another_person_on_the_same_browser_replaces_the_first() {
    //
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let alice = browser.cookies["__Host-TGC"].clone();
    let ticket = browser.ticket_for(APP).await;
    browser.log_in("bob", PASSWORD, None).await;
    assert!(browser.get("/login").await.body.contains("bob"));
    let answer = house
        .browser()
        .validate("serviceValidate", APP, &ticket)
        .await;
    assert!(
        answer.body.contains("INVALID_TICKET"),
        "R-060: {}",
        answer.body
    );
    browser.cookies.insert("__Host-TGC".into(), alice);
    assert!(browser.get("/login").await.is_form());
}

#[tokio::test]
async fn head_makes_nothing_and_spends_nothing() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let path = format!("/login?service={}", encode(APP));
    let answer = browser
        .send(Method::HEAD, &path, &[], axum::body::Body::empty())
        .await;
    assert_eq!((answer.status.as_u16(), answer.location()), (200, None));
    let answer = browser
        .send(Method::HEAD, "/logout", &[], axum::body::Body::empty())
        .await;
    assert_eq!(answer.status, 200);
    assert!(browser.get("/login").await.body.contains("alice"));
    let answer = browser
        .send(Method::PUT, "/login", &[], axum::body::Body::empty())
        .await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
}

#[tokio::test]
async fn a_form_may_come_from_the_own_page_only() {
    let house = House::new();
    for (headers, status) in [
        (&[("origin", "https://cas.example.org")][..], 200),
        (
            &[("origin", "null"), ("sec-fetch-site", "same-origin")],
            200,
        ),
        (&[("origin", "null")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("origin", "https://cas.example.org:8443")], 403),
    ] {
        let mut browser = house.browser();
        let ticket = browser.get("/login").await.login_ticket().expect("a form");
        let body = format!("lt={ticket}&username=alice&password={}", encode(PASSWORD));
        let mut all = vec![(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )];
        all.extend_from_slice(headers);
        let answer = browser
            .send(Method::POST, "/login", &all, body.into())
            .await;
        assert_eq!(answer.status, status, "{headers:?}");
    }
}

#[tokio::test]
async fn a_very_long_name_is_an_ordinary_failure() {
    let house = House::new();
    let answer = house.browser().log_in(&"a".repeat(257), "x", None).await;
    assert_eq!((answer.status.as_u16(), house.passwords.hashes()), (401, 0));
    let answer = house.browser().log_in(&"a".repeat(256), "x", None).await;
    assert_eq!((answer.status.as_u16(), house.passwords.hashes()), (401, 1));
}

#[tokio::test]
async fn very_long_services_are_refused() {
    //
    let house = House::new();
    for (length, status) in [(2049, 403), (8193, 400)] {
        let service = format!("{APP}{}", "a".repeat(length - APP.len()));
        let answer = house
            .browser()
            .get(&format!("/login?service={}", encode(&service)))
            .await;
        assert_eq!(answer.status, status, "{length}");
    }
}

#[tokio::test]
async fn the_form_may_lead_on_to_the_service_and_nowhere_else() {
    let house = House::new();
    let policy = |page: &crate::house::Answer| {
        page.header("content-security-policy")
            .expect("a policy")
            .to_owned()
    };
    let page = house
        .browser()
        .get(&format!("/login?service={}", encode(APP)))
        .await;
    assert!(policy(&page).contains("form-action 'self' https://app.example.org;"));
    let page = house.browser().get("/login").await;
    assert!(policy(&page).contains("form-action 'self';"));
    assert!(policy(&page).starts_with("default-src 'none';"));
}

#[tokio::test]
async fn plain_http_on_loopback_has_plain_cookies() {
    let house = Setup::new().base("http://127.0.0.1:8080/cas").build();
    let browser = house.signed_in("alice").await;
    assert!(browser.cookies.contains_key("TGC"));
    let page = house.browser().get("/login").await;
    assert!(
        !page
            .set_cookie("casque-flow")
            .expect("a cookie")
            .contains("Secure")
    );
    assert_eq!(page.header("strict-transport-security"), None);
}

#[tokio::test]
async fn a_server_at_the_root_of_its_host() {
    let house = Setup::new().base("https://cas.example.org").build();
    let mut browser = house.signed_in("alice").await;
    assert!(browser.ticket_for(APP).await.starts_with("ST-"));
    let home = browser.get("/").await;
    assert_eq!(home.location(), Some("https://cas.example.org/login"));
}

#[tokio::test]
async fn other_pages() {
    let house = House::new();
    let mut browser = house.browser();
    assert_eq!(
        browser.get("").await.location(),
        Some("https://cas.example.org/cas/login")
    );
    assert_eq!(
        browser.get("/").await.location(),
        Some("https://cas.example.org/cas/login")
    );
    let missing = browser.get("/nowhere?ticket=ST-1").await;
    assert_eq!(missing.status, 404);
    assert_eq!(missing.header("cache-control"), Some("no-store"));
    let page = plain(&browser.get("/login").await.body);
    let start = page.find("/cas/assets/").expect("a stylesheet");
    let asset = page[start..]
        .split('"')
        .next()
        .expect("a name")
        .trim_start_matches("/cas");
    let asset = browser.get(asset).await;
    assert_eq!(asset.status, 200);
    assert!(
        asset
            .header("cache-control")
            .expect("cached")
            .contains("immutable")
    );
    assert_eq!(asset.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(browser.get("/assets/other.css").await.status, 404);
}

#[tokio::test]
async fn a_login_ticket_is_given_once() {
    //
    let house = House::new();
    let mut browser = house.browser();
    let ticket = browser.get("/login").await.login_ticket().expect("a form");
    let password = encode(PASSWORD);
    let fields = format!("lt={ticket}&username=alice&password={password}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    for (path, body) in [
        ("/login".to_owned(), format!("{fields}&lt={ticket}")),
        (format!("/login?lt={ticket}"), fields.clone()),
    ] {
        let answer = browser.send(Method::POST, &path, &form, body.into()).await;
        assert_eq!(answer.status, 400);
        assert!(!answer.sets_tgc());
    }
    let answer = browser
        .send(Method::POST, "/login", &form, fields.into())
        .await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn the_form_shows_names_back_that_can_be_typed() {
    // S-062: nothing cuts a pasted password.
    let house = House::new();
    let mut browser = house.browser();
    for (name, shown) in [
        ("alicia", "value=\"alicia\""),
        ("ali\u{7}cia", "value=\"\""),
    ] {
        let answer = browser.log_in(name, "wrong", None).await;
        assert_eq!(answer.status, 401);
        assert!(answer.body.contains(shown), "{}", answer.body);
        assert_eq!(answer.body.matches("maxlength").count(), 1);
        assert!(answer.body.contains("maxlength=\"256\""));
    }
}
