//! Whatever is sent, there is an answer, and it is not a failure of the server (I7).

use axum::body::Body;
use http::{HeaderValue, Method};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, any, prop_oneof},
    test_runner::{Config, TestRunner},
};

use crate::house::House;

/// What an attacker begins with: words that mean something here, and any bytes.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = [
        "service=",
        "ticket=",
        "ST-",
        "renew",
        "gateway=true",
        "&",
        "=",
        "%",
        "%2",
        "%00",
        "+",
        "username=",
        "password=",
        "lt=",
        "LT-",
        "format=json",
        "https://app.example.org/",
        "[]",
        ";",
    ];
    prop_oneof![
        proptest::sample::select(known.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        vec(any::<u8>(), 0..8),
    ]
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn any_request_gets_an_answer() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let house = House::new();
    let paths = [
        "/login",
        "/logout",
        "/validate",
        "/serviceValidate",
        "/p3/serviceValidate",
        "/x",
    ];
    let request = (
        proptest::sample::select(paths.to_vec()),
        prop_oneof![
            Just(Method::GET),
            Just(Method::POST),
            Just(Method::HEAD),
            Just(Method::PUT)
        ],
        bytes(),
        bytes(),
        bytes(),
    );
    let mut runner = TestRunner::new(Config {
        failure_persistence: None,
        ..Config::default()
    });
    let outcome = runner.run(&request, |(path, method, query, body, cookie)| {
        let query: String = query
            .iter()
            .map(|byte| char::from(*byte))
            .filter(|c| c.is_ascii_graphic() && !"#<>\"\\^`{|}".contains(*c))
            .collect();
        let cookie = HeaderValue::from_bytes(&cookie).ok();
        let cookie = cookie
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .unwrap_or("TGC=");
        let headers = [
            ("content-type", "application/x-www-form-urlencoded"),
            ("cookie", cookie),
        ];
        let answer = runtime.block_on(house.browser().send(
            method,
            &format!("{path}?{query}"),
            &headers,
            Body::from(body),
        ));
        let status = answer.status.as_u16();
        assert!(
            status < 500 && !answer.sets_tgc() && answer.ticket().is_none(),
            "{answer:?}"
        );
        Ok(())
    });
    outcome.expect("every request has an answer");
}
