//! What a client can be built of, and the URLs it makes.

use std::time::Duration;

use casque_client::{Client, ClientBuilder, ClientError, blocking};
use casque_proto::{LoginOptions, ServiceUrl};

fn refused(builder: ClientBuilder<Client>, setting: &str) -> String {
    match builder.build() {
        Err(error @ ClientError::Misuse { setting: seen, .. }) => {
            assert_eq!(seen, setting);
            assert_eq!(
                (error.code(), error.status(), error.label()),
                (None, None, "misuse")
            );
            error.to_string()
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn plain_http_is_for_those_who_ask_by_name() {
    // S-010, R-016
    let base = "http://127.0.0.1:8080/cas";
    assert!(refused(Client::builder(base), "base URL").contains("allow_plain_http"));
    for base in [
        base,
        "http://localhost/cas",
        "http://cas.localhost:1/",
        "http://[::1]:8080/cas",
        "http://127.9.9.9/",
    ] {
        Client::builder(base).allow_plain_http().build().unwrap();
        blocking::Client::builder(base)
            .allow_plain_http()
            .build()
            .unwrap();
    }
    for base in [
        "http://cas.example.org/cas",
        "http://localhost.example.org/",
        "http://10.0.0.1/",
        "http://notlocalhost/",
    ] {
        let text = refused(Client::builder(base).allow_plain_http(), "base URL");
        assert!(text.contains("allow_plain_http_to"), "{text}");
    }
    Client::builder("http://CAS.internal:8080/cas")
        .allow_plain_http_to("cas.internal")
        .build()
        .unwrap();
    refused(
        Client::builder("http://other.internal/cas").allow_plain_http_to("cas.internal"),
        "base URL",
    );
    refused(
        Client::builder("http://x.cas.internal/cas").allow_plain_http_to("cas.internal"),
        "base URL",
    );
    refused(
        Client::builder("http://127.0.0.1/cas").allow_plain_http_to("cas.internal"),
        "base URL",
    );
}

#[test]
fn nonsense_is_refused_with_its_name() {
    let good = || Client::builder("https://cas.example.org/cas");
    for base in [
        "",
        "cas.example.org",
        "ftp://cas.example.org/",
        "https://user@cas.example.org/",
        "https://cas.example.org/cas?x=1",
    ] {
        refused(Client::builder(base), "base URL");
    }
    refused(good().timeout(Duration::ZERO), "timeout");
    refused(good().connect_timeout(Duration::ZERO), "connect_timeout");
    refused(good().max_body(0), "max_body");
    refused(
        Client::builder("http://localhost/")
            .allow_plain_http()
            .extra_roots_file("/some/roots.pem"),
        "extra_roots_file",
    );
}

#[test]
fn both_clients_make_the_same_urls() {
    let service = ServiceUrl::parse("https://app.example.org/a?b=c&d=%20").unwrap();
    let encoded = "https%3A%2F%2Fapp.example.org%2Fa%3Fb%3Dc%26d%3D%2520";
    let client = Client::builder("https://cas.example.org/cas/")
        .build()
        .unwrap();
    let blocking = blocking::Client::builder("https://cas.example.org/cas")
        .build()
        .unwrap();
    let none = LoginOptions::default();
    for (ours, theirs, expected) in [
        (
            client.login_url(&service, none),
            blocking.login_url(&service, none),
            format!("login?service={encoded}"),
        ),
        (
            client.renewing().login_url(&service, none),
            blocking.renewing().login_url(&service, none),
            format!("login?service={encoded}&renew=true"),
        ),
        (
            client.login_url(&service, none.gateway(true)),
            blocking.login_url(&service, none.gateway(true)),
            format!("login?service={encoded}&gateway=true"),
        ),
        (
            client.logout_url(None),
            blocking.logout_url(None),
            "logout".to_owned(),
        ),
        (
            client.logout_url(Some(&service)),
            blocking.logout_url(Some(&service)),
            format!("logout?service={encoded}"),
        ),
    ] {
        assert_eq!(ours, format!("https://cas.example.org/cas/{expected}"));
        assert_eq!(ours, theirs);
    }
    assert_eq!(client.base().to_string(), "https://cas.example.org/cas");
    assert_eq!(blocking.base(), client.base());
}
