//! Many at once, some of them given up: nobody becomes somebody else (S-012).

mod common;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use casque_client::{Client, blocking};
use casque_proto::ServiceUrl;
use casque_testkit::{FakeCas, Fault, Gate, Page, Person};

use tokio::task::JoinSet;

use common::{ADAPTERS, SERVICE, Settings};

fn person(number: usize) -> String {
    format!("person-{number}")
}

fn crowded(count: usize) -> FakeCas {
    let cas = FakeCas::start();
    for number in 0..count {
        // Answers of different lengths, so that bytes of one in another would show.
        cas.add_person(
            Person::new(person(number))
                .attribute("pad", ["x".repeat(number * 7 % 400), number.to_string()]),
        );
    }
    cas
}

#[tokio::test]
async fn parallel_validations_with_cancellations_swap_nobody() {
    const WAVES: usize = 5;
    const PEOPLE: usize = 100;
    let cas = crowded(PEOPLE);
    let client = Client::builder(cas.base_url())
        .allow_plain_http()
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap();
    let service = Arc::new(ServiceUrl::parse(SERVICE).unwrap());
    for _ in 0..WAVES {
        let gate = Gate::new();
        cas.fault(Page::P3ServiceValidate, Fault::Hold(gate.clone()));
        let mut tasks = JoinSet::new();
        let mut abandoned = Vec::new();
        for number in 0..PEOPLE {
            let ticket = cas.grant(SERVICE, &person(number));
            let (client, service) = (client.clone(), Arc::clone(&service));
            let task =
                tasks.spawn(async move { (number, client.validate(&ticket, &service).await) });
            if number % 4 == 0 {
                abandoned.push(task);
            }
        }
        // Every request is at the server, its ticket spent and its answer ready, when a quarter of them is given up.
        gate.arrived(PEOPLE).await;
        for task in &abandoned {
            task.abort();
        }
        gate.open();
        let mut confirmed = 0;
        while let Some(outcome) = tasks.join_next().await {
            match outcome {
                Ok((number, user)) => {
                    let user = user.unwrap();
                    assert_eq!(user.user(), person(number));
                    assert_eq!(
                        user.attributes().get("pad").last(),
                        Some(&number.to_string())
                    );
                    confirmed += 1;
                }
                Err(error) => assert!(error.is_cancelled(), "{error}"),
            }
        }
        assert_eq!(confirmed, PEOPLE - abandoned.len());
        assert_eq!(cas.open_tickets(), 0);
    }
}

#[test]
fn threads_of_the_blocking_client_swap_nobody() {
    const PEOPLE: usize = 120;
    let cas = crowded(PEOPLE);
    let client = blocking::Client::builder(cas.base_url())
        .allow_plain_http()
        .timeout(Duration::from_mins(1))
        .build()
        .unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    std::thread::scope(|scope| {
        for lane in 0..8 {
            let (cas, client, service) = (&cas, client.clone(), &service);
            scope.spawn(move || {
                for number in (lane..PEOPLE).step_by(8) {
                    let ticket = cas.grant(SERVICE, &person(number));
                    assert_eq!(
                        client.validate(&ticket, service).unwrap().user(),
                        person(number)
                    );
                }
            });
        }
    });
    assert_eq!(cas.open_tickets(), 0);
}

#[tokio::test]
async fn a_connection_is_used_again_only_after_a_whole_answer() {
    let cas = FakeCas::start();
    let client = Client::builder(cas.base_url())
        .allow_plain_http()
        .max_body(10_000)
        .build()
        .unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let validate = async |name: &str| client.validate(&cas.grant(SERVICE, name), &service).await;

    // Whole answers share one connection.
    validate("alice").await.unwrap();
    validate("bob").await.unwrap();
    assert_eq!(cas.connections(), 1);

    // After each failure the next answer comes on a new connection.
    for fault in [
        Fault::Cut,
        Fault::HangUp,
        Fault::Huge(u64::MAX),
        Fault::Huge(20_000),
    ] {
        cas.fault_once(Page::P3ServiceValidate, fault);
        validate("alice").await.unwrap_err();
        assert_eq!(validate("bob").await.unwrap().user(), "bob");
        let requests = cas.requests();
        let [.., failed, next] = requests.as_slice() else {
            panic!("two requests at least")
        };
        assert!(next.connection() > failed.connection());
    }

    // One that is given up while the server is about to answer takes its connection with it.
    let gate = Gate::new();
    cas.fault_once(Page::P3ServiceValidate, Fault::Hold(gate.clone()));
    {
        let abandoned = validate("alice");
        tokio::select! {
            outcome = abandoned => panic!("{outcome:?}"),
            () = gate.arrived(1) => {}
        }
    }
    gate.open();
    assert_eq!(validate("bob").await.unwrap().user(), "bob");
    let requests = cas.requests();
    let [.., failed, next] = requests.as_slice() else {
        panic!("two requests at least")
    };
    assert!(next.connection() > failed.connection());
}

#[test]
fn connections_are_reused_over_tls_too() {
    let cas = FakeCas::start_tls(casque_testkit::TlsMode::Good);
    let mut root = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut root, cas.root_pem().unwrap().as_bytes()).unwrap();
    let client = blocking::Client::builder(cas.base_url())
        .extra_roots_file(root.path())
        .build()
        .unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let users: HashSet<_> = ["alice", "bob"]
        .map(|name| {
            client
                .validate(&cas.grant(SERVICE, name), &service)
                .unwrap()
                .user()
                .to_owned()
        })
        .into();
    assert_eq!(users.len(), 2);
    assert_eq!(cas.connections(), 1);
}

#[tokio::test]
async fn the_blocking_client_may_be_used_and_dropped_inside_a_runtime() {
    let cas = FakeCas::start();
    let client = blocking::Client::builder(cas.base_url())
        .allow_plain_http()
        .build()
        .unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    assert_eq!(
        client
            .validate(&cas.grant(SERVICE, "alice"), &service)
            .unwrap()
            .user(),
        "alice"
    );
    drop(client);
}

#[test]
fn the_environments_proxies_are_not_asked() {
    // The variable is set for a child process, since it belongs to the whole of one.
    if std::env::var_os("CASQUE_TEST_CHILD").is_some() {
        for adapter in ADAPTERS {
            let cas = FakeCas::start();
            let ticket = cas.grant(SERVICE, "alice");
            assert_eq!(
                adapter
                    .validate(&cas, &Settings::default(), &ticket)
                    .unwrap()
                    .user(),
                "alice"
            );
        }
        return;
    }
    let proxy = FakeCas::start();
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "the_environments_proxies_are_not_asked"])
        .env("CASQUE_TEST_CHILD", "1");
    for name in [
        "http_proxy",
        "HTTP_PROXY",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        child.env(name, format!("http://{}", proxy.address()));
    }
    for name in ["no_proxy", "NO_PROXY"] {
        child.env_remove(name);
    }
    let output = child.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    assert_eq!(proxy.connections(), 0);
}
