//! The decision tables of the protocol, row by row at a running server.

use std::time::Duration;

use casque_proto::ServiceRule;
use casque_server::{ProxyPolicy, Service, Services};
use serde_json::Value;

use crate::{
    corpus::{self, Report},
    house::{Answer, House, PASSWORD, Setup, code, encode, registry},
    proxies::{ELSEWHERE, NOT_FOUND, Village, ask_for_proxy, proxy_ticket},
};
use casque_testkit::Breakable;

const SAME: &str = "https://app.example.org/";
const OTHER: &str = "https://wiki.example.org:8443/w/";

#[tokio::test]
async fn login_decision() {
    //
    let mut report = Report::default();
    for vector in corpus::vectors("login_decision") {
        for (number, case) in vector.cases().iter().enumerate() {
            let name = format!("{} {number}", vector.name);
            report.note(&name, login_row(case).await);
        }
    }
    report.finish(true);
}

async fn login_row(case: &Value) -> Result<(), String> {
    let service = match (case["service"].as_str(), case["sso_enabled"].as_bool()) {
        (None, _) => None,
        (Some("registered"), Some(false)) => Some("https://fresh.example.org/"),
        (Some("registered"), _) if case["principal_allowed"] == false => {
            Some("https://staff.example.org/")
        }
        (Some("registered"), _) => Some(SAME),
        (Some("disabled"), _) => Some("https://off.example.org/"),
        (Some("unregistered"), _) => Some("https://evil.example/"),
        (Some(other), _) => return Err(format!("the service {other} is not understood")),
    };
    let house = House::new();
    let mut browser = if case["session"] == true {
        let warn = case["warn"].as_bool().unwrap_or(false);
        let mut browser = house.browser();
        let person = if case["principal_allowed"] == false {
            "bob"
        } else {
            "alice"
        };
        browser.log_in_with(person, &format!("warn={warn}")).await;
        browser
    } else {
        house.browser()
    };
    let mut path = format!("/login?renew={}&gateway={}", case["renew"], case["gateway"]);
    if let Some(service) = service {
        path.push_str("&service=");
        path.push_str(&encode(service));
    }
    if let Some(method) = case["method"].as_str() {
        path.push_str("&method=");
        path.push_str(method);
    }
    let answer = browser.get(&path).await;
    let kind = kind_of(&answer, service);
    let expected = &case["expect"];
    if expected["kind"].as_str() != Some(kind) {
        return Err(format!("{kind} with {}", answer.status));
    }
    if let Some(status) = expected["status"].as_u64()
        && status != u64::from(answer.status.as_u16())
    {
        return Err(format!("status {}", answer.status));
    }
    if let Some(new) = expected["from_new_login"].as_bool() {
        let (ticket, service) = (
            answer.ticket().expect("a ticket"),
            service.expect("a service"),
        );
        let told = house
            .browser()
            .validate("p3/serviceValidate", service, &ticket)
            .await;
        if !told.body.contains(&format!("<cas:isFromNewLogin>{new}<")) {
            return Err(told.body);
        }
    }
    Ok(())
}

fn kind_of(answer: &Answer, service: Option<&str>) -> &'static str {
    match (answer.status.as_u16(), answer.location(), answer.ticket()) {
        (303, Some(_), Some(_)) => "redirect_with_ticket",
        (303, at, None) if at == service => "redirect_without_ticket",
        (403, None, None) => "denied_page",
        (200, None, None) if answer.is_form() => "form",
        (200, None, None) if answer.hidden("ticket").is_some() => {
            assert_eq!(Some(answer.form().0.as_str()), service);
            "post_form_with_ticket"
        }
        (200, None, None) if answer.body.contains("/login/continue") => "warn_page",
        (200, None, None) if answer.body.contains("alice") => "already_logged_in",
        _ => "something else",
    }
}

#[tokio::test]
async fn validate_decision() {
    //
    let mut report = Report::default();
    for vector in corpus::vectors("validate_decision") {
        for (number, case) in vector.cases().iter().enumerate() {
            let why = case["why"].as_str().unwrap_or_default();
            let name = format!("{} {number} ({why})", vector.name);
            if is_about_proxying(&case["request"]) {
                report.note(&name, proxying_row(case).await);
                continue;
            }
            report.note(&name, validation_row(case).await);
        }
    }
    report.finish(true);
}

fn is_about_proxying(request: &Value) -> bool {
    let endpoint = request["endpoint"].as_str().unwrap_or_default();
    let ticket = request["ticket"].as_str().unwrap_or_default();
    let policy = request["proxy_policy"].as_str().unwrap_or("refuse");
    endpoint == "proxy"
        || endpoint.ends_with("proxyValidate")
        || ["PT", "PGT"].contains(&ticket)
        || policy != "refuse"
}

/// A row whose tickets come from proxying: the service may have its callbacks on one host.
async fn proxying_row(case: &Value) -> Result<(), String> {
    const PGT_URL: &str = "https://a.example/cb";
    let request = &case["request"];
    let app = registry().by_id("app").expect("registered").clone();
    let callbacks = ServiceRule::origin("https://a.example").expect("an origin");
    let target = ServiceRule::origin("https://b.example").expect("an origin");
    let services = Services::new([
        app.proxying(ProxyPolicy::to([callbacks])),
        Service::new("b", target),
    ]);
    let setup = Setup::new().services(services);
    let mut village = Village::of(setup, &["a.example"]).await;
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, SAME, PGT_URL).await;
    let pgt = delivered.pgt;
    let pt = proxy_ticket(&ask_for_proxy(&alice, &pgt, SAME).await);
    let st = alice.ticket_for(SAME).await;
    if request["session_ended"] == true {
        alice.get("/logout").await;
    }
    match request["callback_status"].as_u64() {
        Some(404) => village.callback.behave(NOT_FOUND),
        Some(302) => village.callback.behave(ELSEWHERE),
        Some(200) | None => {}
        Some(other) => return Err(format!("the status {other} is not understood")),
    }
    let mut query = Vec::new();
    for (name, parameter) in [
        ("ticket", "ticket"),
        ("pgt", "pgt"),
        ("service", "service"),
        ("target_service", "targetService"),
        ("renew", "renew"),
        ("format", "format"),
        ("pgt_url", "pgtUrl"),
    ] {
        let value = match request[name].as_str() {
            Some("ST") => &st,
            Some("PT") => &pt,
            Some("PGT") => &pgt,
            Some("same") => SAME,
            Some("other") => OTHER,
            Some(other) => other.trim_start_matches("literal:"),
            None => continue,
        };
        query.push(format!("{parameter}={}", encode(value)));
    }
    let endpoint = request["endpoint"].as_str().expect("an endpoint");
    let path = format!("/{endpoint}?{}", query.join("&"));
    let answer = alice.ask(&path).await;
    let expected = &case["expect"];
    let success = answer.body.contains("Success>");
    let good = expected["http_status"].as_u64() == Some(u64::from(answer.status.as_u16()))
        && expected["code"].as_str() == code(&answer.body)
        && (expected["success"] != true || success)
        && (expected["has_pgtiou"] != true || answer.body.contains("<cas:proxyGrantingTicket>"))
        && expected["body"]
            .as_str()
            .is_none_or(|body| body == answer.body);
    if !good {
        return Err(answer.body);
    }
    let spent = match request["ticket"].as_str() {
        Some("ST") => code(&alice.validate("serviceValidate", SAME, &st).await.body).is_some(),
        Some("PT") => code(&alice.validate("proxyValidate", SAME, &pt).await.body).is_some(),
        Some("PGT") => code(&ask_for_proxy(&alice, &pgt, SAME).await.body).is_some(),
        _ => return Ok(()),
    };
    match expected["ticket_consumed"].as_bool() {
        Some(consumed) if consumed != spent => Err(format!("consumed: {spent}")),
        _ => Ok(()),
    }
}

async fn validation_row(case: &Value) -> Result<(), String> {
    let request = &case["request"];
    let setup = Setup::new();
    let store = Breakable::on(setup.manual_clock());
    let house = setup.store(store.shared()).build();
    let mut browser = house.browser();
    let fresh = browser
        .log_in("alice", PASSWORD, Some(SAME))
        .await
        .ticket()
        .expect("a ticket");
    let issued = if request["from_new_login"] == false {
        browser.ticket_for(SAME).await
    } else {
        fresh
    };
    let used = request["used"] == true || request["previous"] == "INVALID_SERVICE";
    if used {
        let service = if request["used"] == true { SAME } else { OTHER };
        house
            .browser()
            .validate("serviceValidate", service, &issued)
            .await;
    }
    if request["session_ended"] == true {
        browser.get("/logout").await;
    }
    if request["principal_allowed"] == false {
        house.people.disable("alice");
    }
    if request["expired"] == true {
        house.clock.advance(Duration::from_secs(10));
    }
    let services = if request["service_disabled"] == true {
        Services::new(
            registry()
                .iter()
                .filter(|service| service.id != "app")
                .cloned(),
        )
    } else {
        registry()
    };
    let house = Setup::new()
        .store(house.store.clone())
        .clock(house.clock.clone())
        .folder(house.folder.clone())
        .services(services)
        .people(house.people.clone())
        .build();
    let ticket = match request["ticket"].as_str() {
        Some("ST") => Some(issued.clone()),
        Some(other) => Some(other.trim_start_matches("literal:").to_owned()),
        None => None,
    };
    let mut query = Vec::new();
    if let Some(ticket) = &ticket {
        query.push(("ticket", ticket.clone()));
    }
    for name in ["service", "second_service"] {
        match request[name].as_str() {
            Some("same") => query.push(("service", SAME.to_owned())),
            Some("other") => query.push(("service", OTHER.to_owned())),
            Some(other) => return Err(format!("the service {other} is not understood")),
            None => {}
        }
    }
    for (name, parameter) in [
        ("renew", "renew"),
        ("format", "format"),
        ("pgt_url", "pgtUrl"),
    ] {
        if let Some(value) = request[name].as_str() {
            query.push((parameter, value.to_owned()));
        }
    }
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    let endpoint = request["endpoint"].as_str().expect("an endpoint");
    let path = format!("/{endpoint}?{}", query.join("&"));
    let method = request["http_method"]
        .as_str()
        .unwrap_or("GET")
        .parse()
        .expect("a method");
    if request["store_down"] == true {
        store.break_down();
    }
    let answer = house
        .browser()
        .send(method, &path, &[], axum::body::Body::empty())
        .await;
    store.repair();

    let expected = &case["expect"];
    if expected["http_status"].as_u64() != Some(u64::from(answer.status.as_u16())) {
        return Err(format!("status {}", answer.status));
    }
    if let Some(body) = expected["body"].as_str() {
        let name = request["user"].as_str().unwrap_or("alice");
        if answer.body != body.replace(name, "alice") {
            return Err(answer.body);
        }
    }
    let json = answer.body.starts_with('{');
    let success = answer.body.contains(if json {
        "authenticationSuccess"
    } else {
        "<cas:user>alice<"
    });
    if expected["success"] == true && !success {
        return Err(answer.body);
    }
    if expected["code"].as_str() != code(&answer.body) {
        return Err(answer.body);
    }
    match expected["ticket_consumed"].as_bool() {
        Some(consumed) if request["ticket"] == "ST" => {
            let again = house.browser().validate("validate", SAME, &issued).await;
            if again.body.starts_with("yes") == consumed {
                return Err(format!("consumed: {}", !consumed));
            }
        }
        _ => {}
    }
    Ok(())
}
