//! The endpoints of a CAS server.

use axum::Router;
use axum::response::Html;
use casque_doctor::Kind;
use casque_testkit::{FakeCas, Fault, Page};
use http::StatusCode;

use crate::support::{finds, patient, served};

const XML: &str = "application/xml";

/// Each of these pages answers so, whatever it is asked.
fn answering(
    pages: &[Page],
    status: StatusCode,
    content_type: &str,
    body: &'static str,
) -> FakeCas {
    let cas = FakeCas::start();
    for page in pages {
        cas.fault(*page, Fault::answer(status, content_type, body));
    }
    cas
}

#[tokio::test]
async fn a_server_with_everything() {
    let cas = FakeCas::start();
    for base in [cas.base_url().to_owned(), format!("{}/", cas.base_url())] {
        let report = finds(&patient(&base), &[]).await;
        let text = report.to_text();
        for endpoint in [
            "/login",
            "/p3/serviceValidate",
            "/proxyValidate",
            "/samlValidate",
            "/validate",
            "/logout",
        ] {
            assert!(text.contains(endpoint), "{text}");
        }
    }
    assert_eq!(cas.open_tickets(), 0);
}

#[tokio::test]
async fn a_base_url_without_its_path() {
    let cas = FakeCas::start();
    let base = cas.base_url().strip_suffix("/cas").unwrap();
    let report = finds(&patient(base), &[Kind::CasElsewhere]).await;
    assert!(
        report
            .to_text()
            .contains(&format!("CAS_PROVIDER=\"{}\"", cas.base_url())),
        "{}",
        report.to_text()
    );
    finds(
        &patient(&format!("{}/cas", cas.base_url())),
        &[Kind::CasElsewhere],
    )
    .await;
}

#[tokio::test]
async fn a_server_that_redirects() {
    let cas = FakeCas::start();
    for page in Page::ALL {
        let to = format!("https://cas.example.org{}?x=1", page.path());
        cas.fault(page, Fault::Redirect(to));
    }
    let report = finds(&patient(cas.base_url()), &[Kind::CasRedirects]).await;
    assert!(
        report
            .to_text()
            .contains("CAS_PROVIDER=\"https://cas.example.org/cas\""),
        "{}",
        report.to_text()
    );
}

#[tokio::test]
async fn a_site_that_is_no_cas_server() {
    let empty = served(Router::new()).await;
    finds(&patient(&empty), &[Kind::CasNotFound]).await;
    // A site that shows one page at every address.
    let page =
        served(Router::new().fallback(async || Html("<!doctype html><html><p>Welcome</p></html>")))
            .await;
    finds(&patient(&page), &[Kind::CasNotFound]).await;
}

#[tokio::test]
async fn half_a_server() {
    let gone = |pages: &[Page]| {
        answering(
            pages,
            StatusCode::NOT_FOUND,
            "text/html",
            "<!doctype html>gone",
        )
    };
    finds(
        &patient(gone(&[Page::Login]).base_url()),
        &[Kind::LoginPageMissing],
    )
    .await;
    let validators: Vec<Page> = Page::ALL
        .into_iter()
        .filter(|page| !matches!(page, Page::Login | Page::Logout))
        .collect();
    finds(
        &patient(gone(&validators).base_url()),
        &[Kind::ValidationMissing],
    )
    .await;
    let p3 = [Page::P3ServiceValidate, Page::P3ProxyValidate];
    let report = finds(&patient(gone(&p3).base_url()), &[Kind::Cas3Missing]).await;
    assert!(
        report.to_text().contains("Protocol::Saml11"),
        "{}",
        report.to_text()
    );
    let cas2 = gone(&[p3[0], p3[1], Page::SamlValidate]);
    let report = finds(&patient(cas2.base_url()), &[Kind::Cas3Missing]).await;
    assert!(
        report.to_text().contains("Protocol::Cas2"),
        "{}",
        report.to_text()
    );
}

#[tokio::test]
async fn an_endpoint_that_answers_something_else() {
    let p3 = &[Page::P3ServiceValidate];
    for (status, content_type, body, kind) in [
        (
            StatusCode::BAD_GATEWAY,
            "text/html",
            "<!doctype html>oops",
            Kind::EndpointFails,
        ),
        (
            StatusCode::OK,
            "text/html",
            "<!doctype html><html>Log in to the firewall</html>",
            Kind::EndpointNotCas,
        ),
        (
            StatusCode::OK,
            XML,
            "<serviceResponse><authenticationFailure code=\"INVALID_TICKET\">no</authenticationFailure></serviceResponse>",
            Kind::ToleranceNeeded,
        ),
        (
            StatusCode::OK,
            XML,
            "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\"><cas:authenticationSuccess><cas:user>root\
             </cas:user></cas:authenticationSuccess></cas:serviceResponse>",
            Kind::MadeUpTicketAccepted,
        ),
    ] {
        let cas = answering(p3, status, content_type, body);
        finds(&patient(cas.base_url()), &[kind]).await;
    }
    let cas = FakeCas::start();
    cas.fault(Page::P3ServiceValidate, Fault::ContentType("text/html"));
    let report = finds(&patient(cas.base_url()), &[Kind::ContentTypeOdd]).await;
    assert!(report.is_healthy(), "a caution is no problem");
}
