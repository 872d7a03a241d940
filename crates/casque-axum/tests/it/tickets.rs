//! S-004: `ticket_query` rows through the layer, and where a ticket counts at all.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use casque_testkit::{Fault, Page as CasPage};

use crate::support::{BASE, CALLBACK, FORM, Lab, SERVICE};

const ALICE: &str = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>\
    <cas:authenticationSuccess><cas:user>alice</cas:user></cas:authenticationSuccess>\
    </cas:serviceResponse>";

#[tokio::test]
async fn ticket_query_rows() {
    // R-055, S-004
    let mut report = crate::corpus::Report::default();
    let rows = crate::corpus::hostile("ticket_query");
    for row in &rows {
        let lab = Lab::new();
        // Whatever ticket arrives at the CAS server is good.
        let good = Fault::answer(StatusCode::OK, "application/xml", ALICE);
        lab.server.fault(CasPage::P3ServiceValidate, good);
        let mut browser = lab.browser();
        browser.go("/members").await;
        let method: Method = row.input_str("method").parse().unwrap();
        let target = format!("{CALLBACK}?{}", row.input_str("query"));
        let headers: &[_] = if method == Method::POST {
            &[("content-type", FORM)]
        } else {
            &[("accept", "text/html")]
        };
        let body = Body::from(row.input_str("body").to_owned());
        let page = browser.send(method, &target, headers, body).await;
        let presented = lab.server.requests_for(CasPage::P3ServiceValidate);
        let (action, ticket) = match (page.status, presented.as_slice()) {
            (StatusCode::SEE_OTHER, [validation]) => ("validate", validation.parameter("ticket")),
            (StatusCode::BAD_REQUEST, []) => ("reject_400", None),
            (StatusCode::OK, []) => ("none", None),
            other => panic!("{}: {other:?}", row.id),
        };
        report.check(&row.id, &action, &row.expected["action"].as_str().unwrap());
        report.check(
            &row.id,
            &ticket.as_deref(),
            &row.expected["ticket"].as_str(),
        );
    }
    report.finish(!rows.is_empty());
}

/// a ticket counts in the query of a GET to the callback path, and nowhere else.
#[tokio::test]
async fn a_ticket_elsewhere_is_the_applications_own() {
    let lab = Lab::new();
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let session = browser.session().cloned();
    browser.go("/renew").await;
    let ticket = ticket.secret();
    for (method, target, body) in [
        (Method::GET, format!("/?ticket={ticket}"), String::new()),
        (
            Method::GET,
            format!("/?ticket={ticket}&ticket=x"),
            String::new(),
        ),
        (
            Method::HEAD,
            format!("{CALLBACK}?ticket={ticket}"),
            String::new(),
        ),
        (
            Method::POST,
            CALLBACK.to_owned(),
            format!("ticket={ticket}"),
        ),
        (
            Method::POST,
            format!("{CALLBACK}?ticket={ticket}"),
            "x=1".to_owned(),
        ),
        (
            Method::PUT,
            format!("{CALLBACK}?ticket={ticket}"),
            String::new(),
        ),
    ] {
        let headers = [("content-type", FORM)];
        let page = browser
            .send(method, &target, &headers, body.clone().into())
            .await;
        assert_eq!(page.status, StatusCode::OK, "{target}");
        assert_eq!(browser.session().cloned(), session, "{target}");
    }
    assert_eq!(lab.server.requests_for(CasPage::P3ServiceValidate).len(), 1);
}

#[tokio::test]
async fn a_client_of_saml_takes_its_ticket_as_samlart() {
    // asked for by TARGET, and `ticket` is the application's own then.
    let lab = Lab::with(|builder| {
        builder
            .service_base(BASE)
            .client_options(|client| client.protocol(casque_client::Protocol::Saml11))
    });
    let mut browser = lab.browser();
    let asked = browser.go("/members").await;
    let target: String = url::form_urlencoded::byte_serialize(SERVICE.as_bytes()).collect();
    assert!(
        asked
            .location()
            .contains(&format!("/login?TARGET={target}")),
        "{}",
        asked.location()
    );
    let ticket = lab.server.grant(SERVICE, "alice");
    let ignored = browser
        .go(&format!("{CALLBACK}?ticket={}", ticket.secret()))
        .await;
    assert!(lab.server.requests().is_empty(), "{ignored:?}");
    let back = browser
        .go(&format!("{CALLBACK}?SAMLart={}", ticket.secret()))
        .await;
    assert_eq!(back.location(), format!("{BASE}/members"));
    assert_eq!(browser.go("/members").await.status, StatusCode::OK);
    assert_eq!(lab.server.requests_for(CasPage::SamlValidate).len(), 1);
}
