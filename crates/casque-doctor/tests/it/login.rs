//! A login in earnest.

use axum::Router;
use axum::extract::Query;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use casque_doctor::{Kind, Mark};
use casque_testkit::{FakeCas, Fault, Page, Person};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::support::{alice, finds, served};

const SERVICE: &str = "http://127.0.0.1:5000/login";

#[tokio::test]
async fn a_login_with_attributes() {
    let cas = FakeCas::start();
    let mut patient = alice(cas.base_url(), SERVICE);
    let text = finds(&patient, &[]).await.to_text();
    assert!(text.contains("mail, memberOf (2 values)"), "{text}");
    assert!(
        !text.contains("alice@example.org"),
        "values are told only where it is asked for"
    );
    assert!(text.contains("refused the second time"), "{text}");
    patient.show_values = true;
    let text = finds(&patient, &[]).await.to_text();
    assert!(
        text.contains("mail = alice@example.org, memberOf = staff | admin"),
        "{text}"
    );
}

#[tokio::test]
async fn a_person_without_attributes() {
    let cas = FakeCas::start();
    cas.add_person(Person::new("alice").password("wonderland"));
    let patient = alice(cas.base_url(), SERVICE);
    finds(&patient, &[Kind::AttributesMissing]).await;
    // What is said of the login is nothing about the person.
    let person = Person::new("alice").password("wonderland");
    cas.add_person(person.attribute("isFromNewLogin", ["true"]));
    finds(&patient, &[Kind::AttributesMissing]).await;
}

#[tokio::test]
async fn a_wrong_password() {
    let cas = FakeCas::start();
    let mut patient = alice(cas.base_url(), SERVICE);
    patient.password = Some("looking-glass".to_owned());
    finds(&patient, &[Kind::PasswordRefused]).await;
}

#[tokio::test]
async fn a_login_page_without_a_form() {
    let cas = FakeCas::start();
    let page = "<!doctype html><html><script>login()</script></html>";
    cas.fault(
        Page::Login,
        Fault::answer(StatusCode::OK, "text/html", page),
    );
    let report = finds(&alice(cas.base_url(), SERVICE), &[Kind::LoginFormMissing]).await;
    assert!(report.is_healthy());
}

#[tokio::test]
async fn a_ticket_that_is_refused_at_once() {
    let cas = FakeCas::start();
    let refusal = "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\"><cas:authenticationFailure \
                   code=\"INVALID_SERVICE\">another service</cas:authenticationFailure></cas:serviceResponse>";
    cas.fault(
        Page::P3ServiceValidate,
        Fault::answer(StatusCode::OK, "application/xml", refusal),
    );
    let text = finds(&alice(cas.base_url(), SERVICE), &[Kind::TicketRefused])
        .await
        .to_text();
    assert!(
        text.contains("INVALID_SERVICE") && text.contains("letter by letter"),
        "{text}"
    );
}

#[tokio::test]
async fn a_password_is_not_sent_in_the_clear() {
    let patient = alice("http://cas.invalid/cas", SERVICE);
    let report = crate::support::examined(&patient).await;
    assert_eq!(report.kinds()[0], Kind::NameUnknown);
    assert!(report.count(Mark::Skipped) > 0);
}

/// A CAS server that asks a question after the login, or that never spends a ticket.
async fn odd_cas(asks: bool) -> String {
    let answer = |inner: &str| -> Response {
        let body = format!(
            "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">{inner}</cas:serviceResponse>"
        );
        ([(CONTENT_TYPE, "application/xml")], body).into_response()
    };
    let validate = async move |Query(query): Query<Vec<(String, String)>>| {
        let known = query.iter().any(|(_, value)| value == "ST-1-forever");
        answer(if known {
            "<cas:authenticationSuccess><cas:user>alice</cas:user><cas:attributes><cas:mail>a@b</cas:mail></cas:attributes>\
             </cas:authenticationSuccess>"
        } else {
            "<cas:authenticationFailure code=\"INVALID_TICKET\">no</cas:authenticationFailure>"
        })
    };
    let form = "<!doctype html><form method=post><input name=username><input name=password type=password></form>";
    let logged_in = async move || {
        if asks {
            return Html("<!doctype html><title>Second factor\u{1b}[2J\u{202e}</title>Your code?")
                .into_response();
        }
        Redirect::to(&format!("{SERVICE}?ticket=ST-1-forever")).into_response()
    };
    let router = Router::new()
        .route("/cas/login", get(async move || Html(form)).post(logged_in))
        .route("/cas/logout", get(async || "bye"))
        .route("/cas/p3/serviceValidate", get(validate));
    format!("{}/cas", served(router).await)
}

#[tokio::test]
async fn a_login_that_ends_without_a_ticket() {
    let cas = odd_cas(true).await;
    let text = finds(&alice(&cas, SERVICE), &[Kind::TicketMissing])
        .await
        .to_text();
    assert!(text.contains("Second factor"), "{text}");
}

#[tokio::test]
async fn a_ticket_that_is_good_for_ever() {
    //
    finds(
        &alice(&odd_cas(false).await, SERVICE),
        &[Kind::TicketReusable],
    )
    .await;
}
