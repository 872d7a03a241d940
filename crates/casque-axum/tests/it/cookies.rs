//! S-078, S-079: `cookie` rows through the layer.

use axum::extract::Request;
use axum::http::header::{COOKIE, HOST};
use axum::http::{HeaderValue, StatusCode};
use casque_axum::SecretKey;
use casque_testkit::FakeCas;

use crate::support::{BASE, KEY, Lab, Page};

const OLD: SecretKey = SecretKey::new([2; 32]);
const RETIRED: SecretKey = SecretKey::new([3; 32]);

/// A laboratory on the same store with other keys.
fn with_keys(lab: &Lab, key: SecretKey, previous: &[SecretKey]) -> Lab {
    let server = FakeCas::start();
    Lab::on(server, lab.clock.clone(), lab.store.clone(), |builder| {
        let builder = builder.service_base(BASE).key(key);
        previous
            .iter()
            .fold(builder, |builder, key| builder.previous_key(key.clone()))
    })
}

async fn session_of(lab: &Lab, user: &str) -> String {
    lab.signed_in(user).await.0.session().unwrap().clone()
}

async fn who(lab: &Lab, cookie: HeaderValue) -> String {
    let mut request = Request::get("/").body(axum::body::Body::empty()).unwrap();
    request
        .headers_mut()
        .insert(HOST, HeaderValue::from_static("app.example.org"));
    request.headers_mut().insert(COOKIE, cookie);
    let page = Page::of(&lab.router, request).await;
    assert_eq!(page.status, StatusCode::OK);
    page.text().to_owned()
}

#[tokio::test]
async fn cookie_rows() {
    let lab = with_keys(&Lab::new(), KEY, &[OLD]);
    let valid = session_of(&lab, "alice").await;
    let planted = session_of(&lab, "bob").await;
    let old = session_of(&with_keys(&lab, OLD, &[]), "alice").await;
    let retired = session_of(&with_keys(&lab, RETIRED, &[]), "alice").await;
    // A blob of this application, sealed for another purpose: the login state.
    let mut browser = lab.browser();
    browser.go("/members").await;
    let sealed = browser.jar["__Host-casque-login"].clone();

    let mut report = crate::corpus::Report::default();
    let rows = crate::corpus::hostile("cookie");
    for row in &rows {
        let header = row
            .input_str("cookie_header")
            .replace("OLD_KEY_VALID", &old)
            .replace("RETIRED_KEY", &retired)
            .replace("SEALED_FOR_TGC", &sealed)
            .replace("PLANTED", &planted)
            .replace("VALID", &valid);
        // What cannot stand in a header is refused before the layer.
        let who = match HeaderValue::from_str(&header) {
            Ok(header) => who(&lab, header).await,
            Err(_) => "nobody".to_owned(),
        };
        let expected = if row.expected["session"] == "valid" {
            "alice"
        } else {
            "nobody"
        };
        report.check(&row.id, &who.as_str(), &expected);
    }
    report.finish(!rows.is_empty());
}

/// The same rows about keys for the sealed login state: CK-012, CK-013, CK-014.
#[tokio::test]
async fn login_state_and_keys() {
    for (key, previous, opens) in [
        (KEY, &[][..], true),
        (OLD, &[KEY][..], true),
        (OLD, &[][..], false),
    ] {
        let lab = Lab::new();
        let mut browser = lab.browser();
        let sent = browser.go("/members?a=1").await;
        let other = with_keys(&lab, key, previous);
        browser.router = other.router.clone();
        let ticket = other.server.grant(&sent.service(&lab.server), "alice");
        let back = browser.bring(&sent.service(&lab.server), &ticket).await;
        if opens {
            assert_eq!(back.location(), format!("{BASE}/members?a=1"));
        } else {
            assert_eq!(back.status, StatusCode::FORBIDDEN);
        }
    }
    // A session's value is no login state.
    let lab = Lab::new();
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let session = browser.session().unwrap().clone();
    browser.jar.clear();
    browser
        .jar
        .insert("__Host-casque-login".to_owned(), session);
    let page = browser.bring(crate::support::SERVICE, &ticket).await;
    assert_eq!(page.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_session_is_found_by_exactly_its_own_cookie() {
    let lab = Lab::new();
    let valid = session_of(&lab, "alice").await;
    let flipped = |at: usize| {
        let mut bytes = valid.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    };
    let mut values: Vec<String> = (0..valid.len()).map(flipped).collect();
    values.extend([
        String::new(),
        format!("{valid}A"),
        format!("{valid}="),
        valid[1..].to_owned(),
    ]);
    for value in values {
        let cookie = format!("__Host-casque={value}");
        assert_eq!(
            who(&lab, cookie.parse().unwrap()).await,
            "nobody",
            "{value}"
        );
    }
    let two_headers = {
        let mut request = Request::get("/").body(axum::body::Body::empty()).unwrap();
        for _ in 0..2 {
            request
                .headers_mut()
                .append(COOKIE, format!("__Host-casque={valid}").parse().unwrap());
        }
        Page::of(&lab.router, request).await
    };
    assert_eq!(two_headers.text(), "nobody");
}
