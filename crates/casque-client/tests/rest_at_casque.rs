//! The REST protocol between our own client and our own server, over a socket.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use casque_client::{Client, ServiceUrl, blocking};
use casque_proto::ServiceRule;
use casque_server::{
    Config, HashParams, Parts, Password, PasswordChecker, PasswordCheckerOptions, People, Person,
    Release, Server, Service, Services, hash_password,
};
use casque_store::{KeyHasher, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

const PASSWORD: &str = "correct & horse=battery \u{e9}";
const SERVICE: &str = "https://app.example.org/api?x=1";

#[derive(Debug)]
struct Ada(Arc<Person>);

impl People for Ada {
    fn find(&self, username: &str) -> Option<Arc<Person>> {
        (username == "ada").then(|| Arc::clone(&self.0))
    }
}

/// Serves until the sender is dropped; gives the base URL.
async fn serve(rest: &str) -> (String, oneshot::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/cas", listener.local_addr().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("casque.toml");
    std::fs::write(&file, format!("base_url = \"{base}\"\n[rest]\n{rest}\n")).unwrap();
    let config = Config::from_file(&file).unwrap();
    let params = HashParams::new(19_456, 2, 1).unwrap();
    let hash = hash_password(
        &Password::new(PASSWORD.as_bytes().to_vec()).unwrap(),
        params,
    );
    let person = Person {
        id: "ada".to_owned(),
        password_hash: hash,
        attributes: BTreeMap::from([("mail".to_owned(), vec!["ada@example.org".to_owned()])]),
        disabled: false,
    };
    let rule = ServiceRule::origin("https://app.example.org").unwrap();
    let service = Service::new("app", rule).releasing(Release::All);
    let clock = Arc::new(SystemClock::new());
    let parts = Parts {
        people: Arc::new(Ada(Arc::new(person))),
        services: Arc::new(Services::new([service])),
        passwords: PasswordChecker::new(PasswordCheckerOptions::default()),
        hasher: KeyHasher::from_file(&folder.path().join("casque.key")).unwrap(),
    };
    let store = casque_store::open("memory:", clock.clone()).unwrap();
    let server = Server::new(&config, parts, store, clock).unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(async move {
        let stopped = async { drop(stopped.await) };
        server.serve(listener, None, stopped).await.unwrap();
    });
    (base, stop)
}

#[tokio::test]
async fn a_whole_story() {
    //
    let (base, _stop) = serve("enabled = true").await;
    let client = Client::builder(&base).allow_plain_http().build().unwrap();
    let rest = client.rest();
    let service = ServiceUrl::parse(SERVICE).unwrap();

    let error = rest.log_in("ada", "not it").await.unwrap_err();
    assert_eq!(
        (error.label(), error.status()),
        ("authentication_failed", Some(401))
    );
    assert_eq!(error.server_message(), Some("FailedLoginException"));
    let user = rest.authenticate("ada", PASSWORD).await.unwrap();
    assert_eq!(
        (user.user(), user.attributes().first("mail")),
        ("ada", Some("ada@example.org"))
    );

    let tgt = rest.log_in("ada", PASSWORD).await.unwrap();
    assert!(rest.is_alive(&tgt).await.unwrap());
    let ticket = rest.service_ticket(&tgt, &service).await.unwrap();
    let user = client.validate(&ticket, &service).await.unwrap();
    assert_eq!(
        (user.user(), user.is_from_new_login()),
        ("ada", Some(false))
    );
    let elsewhere = ServiceUrl::parse("https://evil.example/").unwrap();
    let error = rest.service_ticket(&tgt, &elsewhere).await.unwrap_err();
    assert_eq!(
        (error.label(), error.status()),
        ("authentication_failed", Some(400))
    );
    assert!(
        error.to_string().contains("not registered there"),
        "{error}"
    );

    rest.log_out(&tgt).await.unwrap();
    assert!(!rest.is_alive(&tgt).await.unwrap());
    let error = rest.service_ticket(&tgt, &service).await.unwrap_err();
    assert_eq!(error.label(), "tgt_not_found");
    rest.log_out(&tgt).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_blocking_client_does_the_same() {
    let (base, _stop) = serve("enabled = true").await;
    let client = blocking::Client::builder(&base).allow_plain_http();
    let client = client.build().unwrap();
    let rest = client.rest();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let tgt = rest.log_in("ada", PASSWORD).unwrap();
    let ticket = rest.service_ticket(&tgt, &service).unwrap();
    assert_eq!(client.validate(&ticket, &service).unwrap().user(), "ada");
    rest.log_out(&tgt).unwrap();
    assert!(!rest.is_alive(&tgt).unwrap());
}

#[tokio::test]
async fn a_server_without_rest_says_so() {
    //
    let (base, _stop) = serve("enabled = false").await;
    let rest = Client::builder(&base)
        .allow_plain_http()
        .build()
        .unwrap()
        .rest();
    let error = rest.log_in("ada", PASSWORD).await.unwrap_err();
    assert_eq!(error.label(), "endpoint_unavailable");
    assert!(error.to_string().contains("rest.enabled"), "{error}");

    let (base, _stop) = serve("enabled = true\nclients = [\"192.0.2.1\"]").await;
    let rest = Client::builder(&base)
        .allow_plain_http()
        .build()
        .unwrap()
        .rest();
    let error = rest.log_in("ada", PASSWORD).await.unwrap_err();
    assert_eq!(
        (error.label(), error.status()),
        ("unexpected_status", Some(403))
    );
    assert!(error.to_string().contains("forbids"), "{error}");
}
