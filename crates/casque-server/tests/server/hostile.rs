//! The rows of the hostile corpus that a router answers. What goes over a socket is in `socket`.

use axum::body::Body;
use http::Method;
use serde_json::Value;

use crate::{
    corpus::{self, Report, Row},
    house::{Answer, Browser, House, PASSWORD, Setup, code, encode},
    proxies::{APP_PGT, Village, ask_for_proxy, proxy_ticket},
    secrets::Log,
};

const APP: &str = "https://app.example.org/";

/// What a row expects, each word of it: a word that is not known here fails the row.
fn judge(row: &Row, mut known: impl FnMut(&str, &Value) -> Option<bool>) -> Result<(), String> {
    let expected = row.expected.as_object().expect("expectations");
    let mut wrong = Vec::new();
    for (word, value) in expected {
        match known(word, value) {
            Some(true) => {}
            Some(false) => wrong.push(format!("{word} is not {value}")),
            None => wrong.push(format!("the expectation {word} is not understood")),
        }
    }
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(wrong.join(", "))
    }
}

/// The words that say something about one answer.
fn judge_answer(answer: &Answer, word: &str, value: &Value) -> Option<bool> {
    let location = answer.location();
    Some(match word {
        "status" => value.as_u64() == Some(u64::from(answer.status.as_u16())),
        "location" => value.as_str() == location,
        "location_prefix" => {
            location.is_some_and(|at| at.starts_with(value.as_str().expect("a prefix")))
        }
        "form" => value.as_bool() == Some(answer.is_form()),
        "tgc" => value.as_bool() == Some(answer.sets_tgc()),
        "body_not_contains" => !answer.body.contains(value.as_str().expect("a text")),
        _ => return None,
    })
}

fn path(row: &Row) -> String {
    let path = row.input_str("path").trim_start_matches("/cas").to_owned();
    match row.input_str("query") {
        "" => path,
        query => format!("{path}?{query}"),
    }
}

fn method(row: &Row) -> Method {
    row.input_str("method").parse().expect("a method")
}

#[tokio::test]
async fn login_form() {
    // S-054, S-059 to S-063
    let rows = corpus::hostile("login_form");
    let expect_rows = !rows.is_empty();
    let mut report = Report::default();
    for row in rows {
        report.note(&row.id, login_form_row(&row).await);
    }
    report.finish(expect_rows);
}

async fn login_form_row(row: &Row) -> Result<(), String> {
    let house = House::new();
    let (answer, browser) = send_form(row, &house).await;
    let hashes = house.passwords.hashes();
    let mut wrong_next = None;
    if let Some(key) = row.expected["throttle_key"].as_str() {
        wrong_next = Some(after_this_row(row, key).await);
    }
    let written = row.expected.get("log_lines").map(|_| lines_logged(row));
    judge(row, |word, value| match word {
        "hashes" => Some(value.as_u64() == Some(hashes)),
        "throttle_key" => Some(wrong_next == Some(429)),
        "log_lines" => Some(value.as_u64() == written),
        "tgc_differs_from_presented" => Some(
            browser
                .cookies
                .get("__Host-TGC")
                .is_some_and(|tgc| tgc != PLANTED),
        ),
        // There is no LDAP here that anything could be sent to.
        "ldap_bind" => Some(value == 0),
        _ => judge_answer(&answer, word, value),
    })
}

const PLANTED: &str = "TGT-PlantedByAnAttackerPlantedByAnAttackerPlantedByAnAtt";

async fn send_form(row: &Row, house: &House) -> (Answer, Browser) {
    let mut browser = house.browser();
    let ticket = browser.get("/login").await.login_ticket().expect("a form");
    let other = house
        .browser()
        .get("/login")
        .await
        .login_ticket()
        .expect("a form");
    if row.input_str("cookies").contains("TGC-planted") {
        browser.cookies.insert("__Host-TGC".into(), PLANTED.into());
    }
    let body = match &row.input["body"] {
        Value::String(body) => body.clone(),
        generated => corpus::generate(&generated["generator"]),
    };
    // The corpus calls the one-time field `csrf`; here it is `lt`.
    let body = body
        .replace("csrf=", "lt=")
        .replace("{{CSRF}}", &ticket)
        .replace("{{CSRF_OF_OTHER_BROWSER}}", &other);
    let mut headers = vec![
        ("accept", "text/html"),
        ("content-type", row.input_str("content_type")),
    ];
    for (name, header) in [("origin", "origin"), ("sec_fetch_site", "sec-fetch-site")] {
        if let Some(value) = row.input[name].as_str() {
            headers.push((header, value));
        }
    }
    let answer = browser
        .send(method(row), &path(row), &headers, Body::from(body))
        .await;
    (answer, browser)
}

/// Where one failure is allowed: the row is that one, and the next is for the name it counts for.
async fn after_this_row(row: &Row, key: &str) -> u16 {
    let house = Setup::new().settings("[login]\nmax_failures = 1\n").build();
    let (first, _) = send_form(row, &house).await;
    assert_eq!(first.status, 401);
    let answer = house
        .browser()
        .from("203.0.113.9")
        .log_in(key, "wrong", None)
        .await;
    answer.status.as_u16()
}

/// How many lines this row makes in a log of one line an event.
fn lines_logged(row: &Row) -> u64 {
    let log = Log::default();
    std::thread::scope(|scope| {
        let logged = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            let runtime = runtime.expect("a runtime");
            let _guard = tracing::subscriber::set_default(log.subscriber("info"));
            runtime.block_on(send_form(row, &House::new()));
        });
        logged.join().expect("no panic");
    });
    log.text().lines().count() as u64
}

#[tokio::test]
async fn unknown_people_get_the_same_page() {
    let mut pages = Vec::new();
    for name in ["nosuchuser", "alice", "*", "disabled"] {
        let house = House::new();
        if name == "disabled" {
            house.people.disable("alice");
        }
        let typed = if name == "disabled" { "alice" } else { name };
        let answer = house.browser().log_in(typed, "x", None).await;
        let ticket = answer.login_ticket().expect("a form");
        let shown = format!("value=\"{typed}\"");
        let page = answer
            .body
            .replace(&ticket, "LT")
            .replace(&shown, "value=\"NAME\"");
        assert_eq!(house.passwords.hashes(), 1, "{name}");
        pages.push((answer.status, page));
    }
    assert!(
        pages.iter().all(|page| *page == pages[0]),
        "S-059: {pages:#?}"
    );
}

#[tokio::test]
async fn login_get() {
    // S-032, S-045
    let rows = corpus::hostile("login_get");
    let expect_rows = !rows.is_empty();
    let mut report = Report::default();
    for row in rows {
        let house = House::new();
        let mut browser = house.browser();
        if row.input["sso"] == true {
            browser = house.signed_in("alice").await;
        }
        let headers = [("accept", "text/html")];
        let answer = browser
            .send(method(&row), &path(&row), &headers, Body::empty())
            .await;
        let outcome = judge(&row, |word, value| match word {
            "auto_post_form_action" => {
                let action = value.as_str().expect("an action");
                let origin = action.trim_end_matches('/');
                let policy = answer.header("content-security-policy").expect("a policy");
                Some(
                    answer.form().0 == action
                        && answer.body.contains(">document.forms[0].submit()</script>")
                        && policy.contains(&format!("; form-action {origin}; ")),
                )
            }
            _ => judge_answer(&answer, word, value),
        });
        report.note(&row.id, outcome);
    }
    report.finish(expect_rows);
}

#[tokio::test]
async fn logout() {
    // S-040, S-051
    let rows = corpus::hostile("logout");
    let expect_rows = !rows.is_empty();
    let mut report = Report::default();
    for row in rows {
        let house = House::new();
        let mut browser = house.signed_in("alice").await;
        let before = browser.cookies.clone();
        let is_image = row.input_str("sec_fetch_dest") == "image";
        let accept = if is_image {
            "image/avif,*/*;q=0.8"
        } else {
            "text/html,*/*;q=0.8"
        };
        let mut headers = vec![("accept", accept)];
        for (name, header) in [
            ("sec_fetch_site", "sec-fetch-site"),
            ("sec_fetch_dest", "sec-fetch-dest"),
        ] {
            if let Some(value) = row.input[name].as_str() {
                headers.push((header, value));
            }
        }
        if row.input.get("csrf").is_some() {
            headers.push(("content-type", "application/x-www-form-urlencoded"));
        }
        let answer = browser
            .send(method(&row), &path(&row), &headers, Body::empty())
            .await;
        browser.cookies = before;
        let ended = browser.get("/login").await.is_form();
        let outcome = judge(&row, |word, value| match word {
            "sso_ended" => Some(value.as_bool() == Some(ended)),
            "clear_cookie" => {
                let cleared = answer
                    .set_cookie("__Host-TGC")
                    .is_some_and(|line| line.contains("Max-Age=0"));
                Some(value.as_bool() == Some(cleared))
            }
            _ => judge_answer(&answer, word, value),
        });
        report.note(&row.id, outcome);
    }
    report.finish(expect_rows);
}

#[tokio::test]
async fn validate() {
    // S-003 to S-006, S-009, S-013
    let rows = corpus::hostile("validate");
    let expect_rows = !rows.is_empty();
    let mut report = Report::default();
    for row in rows {
        report.note(&row.id, validate_row(&row).await);
    }
    report.finish(expect_rows);
}

async fn validate_row(row: &Row) -> Result<(), String> {
    let mut village = Village::open().await;
    let setup = row.input_str("setup");
    let mut alice = village.house.signed_in("alice").await;
    let (delivered, _) = village.proxy_granting(&mut alice, APP, APP_PGT).await;
    let proxied = proxy_ticket(&ask_for_proxy(&alice, &delivered.pgt, APP).await);
    let house = &village.house;
    let mut browser = house.browser();
    let fresh = browser
        .log_in("alice", PASSWORD, Some(APP))
        .await
        .ticket()
        .expect("a ticket");
    let ticket = if setup.contains("SSO") {
        browser.ticket_for(APP).await
    } else {
        fresh
    };
    let mut other = house.browser();
    let form = other.get("/login").await;
    let login_ticket = form.login_ticket().expect("a form");
    match setup {
        "ST already validated once" => {
            house
                .browser()
                .validate("serviceValidate", APP, &ticket)
                .await;
        }
        "ST whose TGT is gone" => {
            browser.get("/logout").await;
        }
        _ => {}
    }
    let query = path(row)
        .replace("{{ST}}", &ticket)
        .replace("{{LT}}", &login_ticket)
        .replace("{{PT}}", &proxied)
        .replace("{{PGT}}", &delivered.pgt);
    let answer = house.browser().ask(&query).await;
    let again = if query.contains(&login_ticket) {
        other
            .submit(&form, "alice", PASSWORD, None)
            .await
            .sets_tgc()
    } else if query.contains(&ticket) {
        let again = house
            .browser()
            .validate("serviceValidate", APP, &ticket)
            .await;
        again.body.contains("authenticationSuccess")
    } else if query.contains(&proxied) {
        let again = alice.validate("proxyValidate", APP, &proxied).await;
        again.body.contains("authenticationSuccess")
    } else if query.contains(&delivered.pgt) {
        let again = ask_for_proxy(&alice, &delivered.pgt, APP).await;
        again.body.contains("proxySuccess")
    } else {
        row.expected["ticket_burned"] == false
    };
    judge(row, |word, value| match word {
        "authenticated" => {
            Some(value.as_bool() == Some(answer.body.contains("authenticationSuccess")))
        }
        "code" => Some(value.as_str() == code(&answer.body)),
        "ticket_burned" => Some(value.as_bool() == Some(!again)),
        _ => judge_answer(&answer, word, value),
    })
}

#[tokio::test]
async fn services_get_a_ticket_if_the_gate_lets_them_in() {
    // R-046, S-032 to S-039
    let rows = corpus::hostile("service_match");
    let expect_rows = !rows.is_empty();
    let mut report = Report::default();
    let house = House::new();
    let browser = house.signed_in("alice").await;
    for row in rows {
        let service = match &row.input["service"] {
            Value::String(service) => service.clone(),
            generated => corpus::generate(&generated["generator"]),
        };
        // As the browser sends it, unless the row is about what was sent.
        let sent = row.input["raw_query"]
            .as_str()
            .map_or_else(|| encode(&service), str::to_owned);
        let answer = browser.clone().get(&format!("/login?service={sent}")).await;
        let accepted = row.expected["decision"] == "accept";
        let outcome = match (answer.status.as_u16(), answer.ticket()) {
            (303, Some(_)) if accepted => Ok(()),
            (400 | 403, None) if !accepted => Ok(()),
            // Blank is no service at all.
            (200, None) if !accepted && service.trim().is_empty() => Ok(()),
            (status, _) => Err(format!("status {status}, {:?}", row.expected)),
        };
        report.note(&row.id, outcome);
    }
    report.finish(expect_rows);
}
