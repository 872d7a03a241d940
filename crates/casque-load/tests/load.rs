//! Small loads on a server that behaves, and on one that does not.

use std::time::Duration;

use casque_load::{Kind, Pace, Plan, Progress, Report, RunError, User, run};
use casque_testkit::{FakeCas, Fault, Gate, Page};
use http::StatusCode;

const OTHER: &str = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
                     <cas:user>mallory</cas:user></cas:authenticationSuccess></cas:serviceResponse>";

fn plan(cas: &FakeCas, kind: Kind, count: u64) -> Plan {
    let alice = User {
        name: "alice".to_owned(),
        password: "wonderland".to_owned(),
    };
    let mut plan = Plan::new(cas.base_url(), kind, vec![alice]);
    plan.connections = 2;
    // The fake has one session for everybody.
    plan.sessions = 1;
    plan.warm_up = Duration::ZERO;
    plan.duration = Duration::from_mins(1);
    plan.count = Some(count);
    plan
}

async fn load(plan: Plan) -> Report {
    run(plan, |_| {}).await.expect("a report")
}

/// A load whose server begins to misbehave once the session is there.
async fn load_with(cas: &FakeCas, plan: Plan, page: Page, fault: Fault) -> Report {
    let misbehave = |progress: Progress| {
        if progress.phase == "sessions" {
            cas.fault(page, fault.clone());
        }
    };
    run(plan, misbehave).await.expect("a report")
}

#[tokio::test]
async fn each_kind_does_what_it_says_and_keeps_its_connections() {
    let cas = FakeCas::start();
    let report = load(plan(&cas, Kind::Sso, 40)).await;
    assert!(report.is_success(), "{}", report.to_table());
    assert_eq!((report.operations, report.correct), (40, 40));
    assert_eq!(cas.requests_for(Page::P3ServiceValidate).len(), 40);
    assert!(report.connections_opened <= 2);
    assert!(report.bytes_sent > 40 * 100 && report.bytes_received > 40 * 100);
    assert!(report.latency.p50 > Duration::ZERO && report.latency.p50 <= report.latency.max);

    let cas = FakeCas::start();
    let mut validations = plan(&cas, Kind::Validate, 40);
    validations.batch = 15;
    let report = load(validations).await;
    assert!(report.is_success(), "{}", report.to_table());
    assert_eq!((report.correct, report.tickets_prepared), (40, 40));
    // The ticket of the session itself.
    assert_eq!(cas.open_tickets(), 1);

    // Time in which no validation can begin is over all the same.
    let cas = FakeCas::start();
    let mut no_time = plan(&cas, Kind::Validate, 1);
    no_time.warm_up = Duration::from_nanos(1);
    assert_eq!(load(no_time).await.correct, 1);

    let cas = FakeCas::start();
    let mut login = plan(&cas, Kind::Login, 1);
    login.connections = 1;
    let report = load(login).await;
    assert!(report.is_success(), "{}", report.to_table());
    assert_eq!(cas.open_tickets(), 0);
}

#[tokio::test]
async fn an_open_loop_does_as_many_as_are_due() {
    let cas = FakeCas::start();
    for kind in [Kind::Sso, Kind::Validate] {
        cas.sign_out();
        let mut open = plan(&cas, kind, 30);
        open.pace = Pace::Open { per_second: 1_000 };
        let report = load(open).await;
        assert!(report.is_success(), "{}", report.to_table());
        assert_eq!(report.operations, 30);
    }
    cas.sign_out();
    let mut second = plan(&cas, Kind::Sso, 1);
    second.pace = Pace::Open { per_second: 20 };
    second.count = None;
    second.duration = Duration::from_secs(1);
    assert_eq!(load(second).await.operations, 20);
}

#[tokio::test]
async fn what_goes_wrong_is_counted_and_named() {
    let html = |body: &'static str| Fault::answer(StatusCode::OK, "text/html", body);
    let xml = Fault::answer(StatusCode::OK, "application/xml", OTHER);
    let elsewhere = Fault::Redirect("http://127.0.0.1:9/other?ticket=ST-1-secret".to_owned());
    for (page, fault, step, kind) in [
        (
            Page::P3ServiceValidate,
            Fault::Status(StatusCode::SERVICE_UNAVAILABLE),
            "validate",
            "status 503",
        ),
        (Page::P3ServiceValidate, xml, "validate", "wrong_user"),
        (
            Page::P3ServiceValidate,
            html("<html>"),
            "validate",
            "unreadable",
        ),
        (Page::P3ServiceValidate, Fault::HangUp, "validate", "closed"),
        (Page::P3ServiceValidate, Fault::Cut, "validate", "closed"),
        (
            Page::P3ServiceValidate,
            Fault::Huge(1 << 22),
            "validate",
            "too_large",
        ),
        (Page::Login, html("<html>"), "ticket", "no_ticket"),
        (Page::Login, elsewhere, "ticket", "wrong_service"),
        (
            Page::Login,
            Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
            "ticket",
            "status 500",
        ),
    ] {
        let cas = FakeCas::start();
        let report = load_with(&cas, plan(&cas, Kind::Sso, 6), page, fault.clone()).await;
        assert!(!report.is_success());
        assert_eq!((report.operations, report.correct), (6, 0), "{fault:?}");
        let [error] = &report.errors[..] else {
            panic!("{fault:?}: {:?}", report.errors);
        };
        assert_eq!(
            (error.step, error.kind.as_str(), error.count),
            (step, kind, 6),
            "{fault:?}"
        );
        let told = format!("{}{}", report.to_table(), report.to_json());
        assert!(
            told.contains(kind) && !told.contains("ST-1-secret"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_runs_out_of_time() {
    let cas = FakeCas::start();
    let mut silent = plan(&cas, Kind::Sso, 2);
    silent.timeout = Duration::from_secs(1);
    let report = load_with(&cas, silent, Page::P3ServiceValidate, Fault::Silent).await;
    assert_eq!(report.errors[0].kind, "timeout");
    assert!(report.latency.p50 >= Duration::from_secs(1));
}

#[tokio::test]
async fn waiting_for_a_slow_server_is_in_the_latency_of_an_open_loop() {
    // One connection, whose server stands still for a second: 20 people came in the first fifth of it.
    for (pace, all_were_late) in [
        (Pace::Open { per_second: 100 }, true),
        (Pace::Closed, false),
    ] {
        let (cas, gate) = (FakeCas::start(), Gate::new());
        let mut slow = plan(&cas, Kind::Sso, 20);
        slow.connections = 1;
        slow.pace = pace;
        cas.fault(Page::P3ServiceValidate, Fault::Hold(gate.clone()));
        let open_late = |progress: Progress| {
            if progress.phase == "load" {
                gate.open();
            }
        };
        let report = run(slow, open_late).await.expect("a report");
        assert!(report.is_success(), "{}", report.to_table());
        assert!(report.latency.max >= Duration::from_millis(900));
        let half_late = report.latency.p50 >= Duration::from_millis(700);
        assert_eq!(half_late, all_were_late, "{pace:?}: {:?}", report.latency);
    }
}

#[tokio::test]
async fn without_a_session_nothing_is_measured() {
    let cas = FakeCas::start();
    let mut wrong = plan(&cas, Kind::Sso, 5);
    wrong.users[0].password = "not-hers".to_owned();
    let error = run(wrong, |_| {}).await.expect_err("no session");
    let words = error.to_string();
    assert!(words.contains("password_refused"), "{words}");
    // S-017
    assert!(!words.contains("not-hers"), "{words}");

    let mut bad = plan(&cas, Kind::Sso, 5);
    bad.cas = "https://cas.example.org/cas".to_owned();
    assert!(matches!(run(bad, |_| {}).await, Err(RunError::Misuse(_))));
}

#[tokio::test]
async fn the_json_has_a_stable_shape() {
    let cas = FakeCas::start();
    let fault = Fault::Status(StatusCode::SERVICE_UNAVAILABLE);
    let report = load_with(
        &cas,
        plan(&cas, Kind::Sso, 2),
        Page::P3ServiceValidate,
        fault,
    )
    .await;
    let json = report.to_json();
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value
            .as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect()
    };
    let mut all = keys(&json);
    all.sort();
    assert_eq!(
        all,
        [
            "bytes",
            "cas",
            "connections",
            "connections_opened",
            "correct",
            "correct_per_second",
            "errors",
            "format",
            "kind",
            "latency_ms",
            "loop",
            "operations",
            "rate_per_second",
            "seconds",
            "tickets_prepared",
            "warm_up"
        ]
    );
    assert_eq!(json["format"], "casque-bench/1");
    assert_eq!(
        (&json["loop"], &json["kind"]),
        (&"closed".into(), &"sso".into())
    );
    for name in ["p50", "p90", "p99", "p99_9", "max"] {
        assert!(json["latency_ms"][name].is_number(), "{name}");
    }
    assert_eq!(json["errors"][0]["count"], 2);
    assert_eq!(keys(&json["errors"][0]).len(), 4);
    assert_eq!(json["warm_up"]["errors"], serde_json::json!([]));
}
