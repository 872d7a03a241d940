//! What an operator asks: alive, ready, counts; and files that change while the server runs.

use std::{fs, sync::Arc, time::Duration};

use axum::body::Body;
use casque_proto::ServiceRule;
use casque_server::{Password, PeopleFile, Reloader, Service, Services, Tls, hash_password};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::house::{House, PASSWORD, Setup, cheap};
use casque_testkit::Breakable;

const SERVICE: &str = "https://app.example.org/x";

async fn ask(house: &House, path: &str) -> (StatusCode, String) {
    let request = Request::get(path).body(Body::empty()).expect("a request");
    let answer = house.server.operation_router().oneshot(request).await;
    let (head, body) = answer.expect("an answer").into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, String::from_utf8(body.to_vec()).expect("text"))
}

async fn counts(house: &House, line: &str) -> bool {
    let (status, page) = ask(house, "/metrics").await;
    assert_eq!(status, StatusCode::OK);
    page.lines().any(|found| found == line)
}

#[tokio::test]
async fn a_server_without_its_store_is_alive_and_not_ready() {
    let setup = Setup::new();
    let clock = setup.manual_clock().clone();
    let store = Breakable::on(&clock);
    let house = setup.store(store.shared()).build();
    assert_eq!(ask(&house, "/livez").await.0, StatusCode::OK);
    assert_eq!(
        ask(&house, "/readyz").await,
        (StatusCode::OK, "ready\n".into())
    );
    store.break_down();
    assert_eq!(
        ask(&house, "/readyz").await.0,
        StatusCode::OK,
        "asked a moment ago: the store is left alone"
    );
    clock.advance(Duration::from_secs(1));
    let (status, words) = ask(&house, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(words, "not ready: the store does not answer\n");
    assert_eq!(ask(&house, "/livez").await.0, StatusCode::OK);
    assert!(counts(&house, "casque_store_up 0").await);
    assert!(counts(&house, "casque_store_failures_total 1").await);
    store.repair();
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&house, "/readyz").await.0, StatusCode::OK);
    assert!(counts(&house, "casque_store_up 1").await);
    assert_eq!(ask(&house, "/nowhere").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn what_happens_is_counted() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(SERVICE).await;
    let again = browser
        .validate("p3/serviceValidate", SERVICE, &ticket)
        .await;
    assert!(again.body.contains("alice"), "{}", again.body);
    browser.validate("serviceValidate", SERVICE, &ticket).await;
    browser
        .validate("serviceValidate", SERVICE, "nonsense")
        .await;
    house.browser().log_in("alice", "wrong", None).await;
    house.browser().log_in("nobody", "wrong", None).await;
    house
        .browser()
        .get("/login?service=https%3A%2F%2Fevil.example%2F")
        .await;
    browser.get("/logout").await;
    for line in [
        "casque_logins_total{outcome=\"success\"} 1",
        "casque_logins_total{outcome=\"wrong_password\"} 1",
        "casque_logins_total{outcome=\"unknown_user\"} 1",
        "casque_tickets_granted_total{kind=\"service\"} 1",
        "casque_validations_total{outcome=\"success\"} 1",
        "casque_validations_total{outcome=\"INVALID_TICKET\"} 1",
        "casque_validations_total{outcome=\"INVALID_TICKET_SPEC\"} 1",
        "casque_services_refused_total 1",
        "casque_sessions_ended_total{reason=\"logout\"} 1",
        "casque_requests_total{endpoint=\"p3/serviceValidate\",status=\"2xx\"} 1",
        "casque_requests_total{endpoint=\"serviceValidate\",status=\"2xx\"} 2",
    ] {
        assert!(
            counts(&house, line).await,
            "{line}\n{}",
            ask(&house, "/metrics").await.1
        );
    }
}

/// I6: whatever is sent, no label tells of it.
#[tokio::test]
async fn no_label_holds_what_was_sent() {
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(SERVICE).await;
    browser.validate("serviceValidate", SERVICE, &ticket).await;
    browser.get("/marker-in-a-path").await;
    browser.log_in("marker-user", "marker-password", None).await;
    browser
        .get("/login?service=https%3A%2F%2Fmarker.example%2F")
        .await;
    let (_, page) = ask(&house, "/metrics").await;
    let (_, secret) = ticket.split_once('-').expect("a prefix");
    for sent in ["marker", "alice", "app.example.org", secret] {
        assert!(!page.contains(sent), "{sent} is in\n{page}");
    }
}

#[tokio::test]
async fn services_can_be_replaced_while_the_server_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("app.toml");
    let write = |text: &str| fs::write(&file, text).expect("written");
    write("id = \"app\"\norigin = \"https://app.example.org\"\n");
    let services = Services::load(folder.path()).expect("a registry");
    let house = Setup::new().services(services.clone()).build();
    let mut reloader =
        Reloader::new(house.server.clone()).services(folder.path().to_owned(), &services);
    let status = async || {
        let path = format!(
            "/cas/login?service={}",
            crate::house::encode("https://new.example.org/")
        );
        let request = Request::get(path)
            .header("host", "cas.example.org")
            .body(Body::empty())
            .expect("a request");
        let answer = house.server.router().oneshot(request).await;
        answer.expect("an answer").status()
    };
    reloader.look(false);
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    assert!(
        counts(
            &house,
            "casque_reloads_total{what=\"services\",outcome=\"taken\"} 0"
        )
        .await
    );

    write("id = \"app\"\norigin = \"https://new.example.org\"\n");
    reloader.look(false);
    assert_eq!(status().await, StatusCode::OK);

    write("id = \"app\"\norigin = \"nonsense\"\n");
    reloader.look(false);
    reloader.look(false);
    assert_eq!(status().await, StatusCode::OK, "the last good state");
    assert!(counts(&house, "casque_reload_failing{what=\"services\"} 1").await);
    assert!(
        counts(
            &house,
            "casque_reloads_total{what=\"services\",outcome=\"refused\"} 1"
        )
        .await
    );

    fs::remove_file(&file).expect("removed");
    reloader.look(false);
    assert_eq!(status().await, StatusCode::FORBIDDEN);
    assert!(counts(&house, "casque_reload_failing{what=\"services\"} 0").await);
    assert!(counts(&house, "casque_services 0").await);
}

/// A ticket from before a reload is good afterwards, for the same service.
#[tokio::test]
async fn a_ticket_outlives_a_reload() {
    let services = || {
        let rule = ServiceRule::origin("https://app.example.org").expect("a rule");
        Services::new([Service::new("app", rule)])
    };
    let house = Setup::new().services(services()).build();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(SERVICE).await;
    house.server.replace_services(Arc::new(services()));
    let path = format!(
        "/cas/serviceValidate?service={}&ticket={ticket}",
        crate::house::encode(SERVICE)
    );
    let request = Request::get(path)
        .header("host", "cas.example.org")
        .body(Body::empty())
        .expect("a request");
    let answer = house
        .server
        .router()
        .oneshot(request)
        .await
        .expect("an answer");
    let body = answer
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    let body = String::from_utf8_lossy(&body);
    assert!(body.contains("<cas:user>alice</cas:user>"), "{body}");
}

#[tokio::test]
async fn a_change_of_people_and_of_the_certificate_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let hash = hash_password(&Password::new(PASSWORD).expect("short"), cheap());
    let person = |name: &str| format!("[{name}]\npassword = \"{hash}\"\n");
    fs::write(path("people.toml"), person("alice")).expect("written");
    let people = Arc::new(PeopleFile::open(path("people.toml")).expect("people"));
    let pair = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a pair");
    let write_pair = |pair: &rcgen::CertifiedKey<rcgen::KeyPair>| {
        fs::write(path("cas.pem"), pair.cert.pem()).expect("written");
        fs::write(path("cas.key"), pair.signing_key.serialize_pem()).expect("written");
    };
    write_pair(&pair());
    let tls = Tls::from_pem_files(&path("cas.pem"), &path("cas.key")).expect("a pair");
    let house = House::new();
    let mut reloader = Reloader::new(house.server.clone())
        .people(people.clone())
        .certificate(tls);
    reloader.look(false);
    let reloads = async |what, outcome, count| {
        let line = format!("casque_reloads_total{{what=\"{what}\",outcome=\"{outcome}\"}} {count}");
        assert!(counts(&house, &line).await, "{line}");
    };
    reloads("people", "taken", 0).await;
    reloads("certificate", "taken", 0).await;

    fs::write(path("people.toml"), person("bobby")).expect("written");
    write_pair(&pair());
    reloader.look(false);
    reloads("people", "taken", 1).await;
    reloads("certificate", "taken", 1).await;

    fs::write(path("people.toml"), "[alice").expect("written");
    fs::write(path("cas.key"), pair().signing_key.serialize_pem()).expect("written");
    reloader.look(false);
    reloads("people", "refused", 1).await;
    reloads("certificate", "refused", 1).await;
    assert_eq!(people.len(), 1, "the last good state");
    assert!(counts(&house, "casque_reload_failing{what=\"certificate\"} 1").await);

    fs::write(path("people.toml"), person("carol")).expect("written");
    write_pair(&pair());
    reloader.look(true);
    reloads("people", "taken", 2).await;
    reloads("certificate", "taken", 2).await;
    assert!(counts(&house, "casque_reload_failing{what=\"people\"} 0").await);
}
