//! What a CAS server of casque says to services that it knows and does not know.

use std::sync::Arc;

use casque_doctor::Kind;
use casque_proto::ServiceRule;
use casque_server::{
    Config, Parts, PasswordChecker, PasswordCheckerOptions, PeopleFile, Server, Service, Services,
};
use casque_store::{KeyHasher, MemoryStore, SystemClock};

use crate::support::{finds, listener, patient};

/// A server that knows one service.
async fn server(rule: ServiceRule) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let (listener, url) = listener().await;
    let base = format!("{url}/cas");
    let file = folder.path().join("casque.toml");
    std::fs::write(&file, format!("base_url = \"{base}\"\n")).unwrap();
    let people = folder.path().join("people.toml");
    std::fs::write(&people, "").unwrap();
    let clock = Arc::new(SystemClock::new());
    let parts = Parts {
        people: Arc::new(PeopleFile::open(&people).unwrap()),
        services: Arc::new(Services::new([Service::new("wiki", rule)])),
        passwords: PasswordChecker::new(PasswordCheckerOptions::default()),
        hasher: KeyHasher::random().unwrap(),
    };
    let store = Arc::new(MemoryStore::new(clock.clone()));
    let server = Server::new(&Config::from_file(&file).unwrap(), parts, store, clock).unwrap();
    tokio::spawn(async move {
        server
            .serve(listener, None, std::future::pending::<()>())
            .await
    });
    (folder, base)
}

#[tokio::test]
async fn a_service_that_is_registered_or_not() {
    let (_folder, base) = server(ServiceRule::url("https://wiki.example.org/login").unwrap()).await;
    let mut patient = patient(&base);
    let mut of = async |service: &str, kinds: &[Kind]| {
        patient.service = Some(service.to_owned());
        finds(&patient, kinds).await.to_text()
    };
    let text = of("https://wiki.example.org/login", &[]).await;
    assert!(
        text.contains("takes the service https://wiki.example.org/login"),
        "{text}"
    );
    let text = of("https://other.example.org/login", &[Kind::ServiceRefused]).await;
    assert!(
        text.contains("register https://other.example.org/login"),
        "{text}"
    );
    let text = of(
        "https://wiki.example.org/login/",
        &[Kind::ServiceRegisteredOtherwise],
    )
    .await;
    assert!(
        text.contains("takes https://wiki.example.org/login\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_service_under_its_other_name() {
    let (_folder, base) = server(
        ServiceRule::url("http://localhost:5000/login")
            .unwrap()
            .allow_http(true),
    )
    .await;
    let mut patient = patient(&base);
    patient.service = Some("http://127.0.0.1:5000/login".to_owned());
    let report = finds(&patient, &[Kind::ServiceRegisteredOtherwise]).await;
    assert!(
        report
            .to_text()
            .contains("takes http://localhost:5000/login"),
        "{}",
        report.to_text()
    );
}
