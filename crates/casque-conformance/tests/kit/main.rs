//! Each case fails on a server with one fault, and passes on the same server without it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod back;
mod server;

use std::time::Duration;

use casque_conformance::{Kit, Outcome, Report, Settings, cases};
use server::{Faulty, PASSWORD, USER};

async fn run(fault: &'static str, only: Option<&str>) -> Report {
    let (server, url) = Faulty::start(fault).await;
    let mut settings = Settings::new(url, USER, PASSWORD);
    // Only what must not come is waited for to the end.
    settings.patience = Duration::from_millis(300);
    let kit = Kit::start(settings).await.unwrap();
    server.trust(kit.callback_root_pem());
    let chosen: Vec<_> = cases()
        .filter(|case| only.is_none_or(|id| case.id == id))
        .collect();
    assert!(!chosen.is_empty(), "no case is called {only:?}");
    kit.run(chosen, |_| {}).await.unwrap()
}

#[tokio::test]
async fn a_right_server_passes_everything() {
    let report = run("none", None).await;
    for finding in &report.findings {
        // Nothing here waits ten seconds for a ticket to expire.
        let wanted = if finding.case.id == "validate-expired" {
            Outcome::Skipped
        } else {
            Outcome::Pass
        };
        assert_eq!(
            finding.outcome, wanted,
            "{}: {} {:#?}",
            finding.case.id, finding.detail, finding.exchanges
        );
    }
    assert!(report.is_success());
    let junit = report.to_junit();
    assert!(
        junit.contains("failures=\"0\"") && !junit.contains(PASSWORD),
        "{junit}"
    );
}

#[tokio::test]
async fn every_case_fails_on_its_fault() {
    use Outcome::{Fail, Note, Warning};
    let faults: &[(&'static str, &str, Outcome)] = &[
        ("no form", "login-form", Warning),
        ("form fields", "login-fields", Fail),
        ("form service", "login-form-service", Fail),
        ("lt reused", "login-ticket-once", Fail),
        ("redirect 307", "login-success", Fail),
        ("success form", "login-success-alone", Fail),
        ("any password", "login-failure", Fail),
        ("failure page", "login-failure", Fail),
        ("failure status", "login-failure-status", Note),
        ("no sso", "login-sso", Warning),
        ("already form", "login-already", Warning),
        ("renew ignored", "login-renew", Fail),
        ("renew ends", "login-renew-keeps", Note),
        ("gateway form", "login-gateway", Fail),
        ("gateway asks", "login-gateway-session", Fail),
        ("gateway first", "login-gateway-renew", Warning),
        ("gateway alone", "login-gateway-alone", Warning),
        ("parameter case", "login-case", Fail),
        ("form cached", "login-no-store", Warning),
        ("form headers", "login-page-headers", Note),
        ("method post", "login-method-post", Fail),
        ("method header", "login-method-header", Fail),
        ("warn ignored", "login-warn", Fail),
        ("remember ticked", "remember-me-box", Fail),
        ("remember session", "remember-me", Fail),
        ("remember untold", "remember-me", Fail),
        ("target as ticket", "login-target", Note),
        ("open mode", "service-open", Warning),
        ("prefix match", "service-lookalike", Fail),
        ("gateway anywhere", "service-gateway", Fail),
        ("unescaped", "service-escaped", Note),
        ("duplicates", "service-twice", Note),
        ("control characters", "service-control", Note),
        ("query lost", "ticket-query", Fail),
        ("fragment lost", "ticket-fragment", Note),
        ("ticket prefix", "ticket-prefix", Fail),
        ("ticket characters", "ticket-characters", Fail),
        ("ticket length", "ticket-length", Warning),
        ("tickets in sequence", "ticket-random", Fail),
        ("cookie path", "cookie-path", Fail),
        ("cookie lasts", "cookie-session", Fail),
        ("cookie characters", "cookie-characters", Fail),
        ("cookie name", "cookie-name", Warning),
        ("cookie flags", "cookie-flags", Note),
        ("same cookie", "cookie-new", Note),
        ("wrong user", "validate-success", Fail),
        ("not cas", "validate-success", Fail),
        ("cas1 success", "validate-cas1", Fail),
        ("missing code", "validate-missing", Fail),
        ("blank", "validate-blank", Note),
        ("parameter case", "validate-case", Fail),
        ("unknown code", "validate-unknown", Fail),
        ("malformed code", "validate-malformed", Fail),
        ("kind code", "validate-kind", Fail),
        ("replay", "validate-replay", Fail),
        ("replay", "validate-cas1-no", Fail),
        ("service code", "validate-other-service", Fail),
        ("not spent", "validate-spent", Fail),
        ("service ignored", "validate-service-differs", Fail),
        ("query ignored", "validate-service-differs", Fail),
        ("renew not checked", "validate-renew", Fail),
        ("renew never", "validate-renew-new", Fail),
        ("renew not checked", "validate-renew-cas1", Fail),
        ("renew false", "validate-renew-false", Note),
        ("race", "validate-race", Fail),
        ("methods", "validate-method", Note),
        ("methods", "validate-head", Note),
        ("duplicates", "validate-twice", Note),
        ("no attributes", "answer-attributes", Fail),
        ("no standard", "answer-standard", Fail),
        ("date form", "answer-date", Fail),
        ("always new", "answer-new-login", Warning),
        ("no json", "answer-json", Fail),
        ("no json failure", "answer-json-failure", Fail),
        ("any format", "answer-format-unknown", Fail),
        ("format case", "answer-format-case", Note),
        ("no words", "answer-text", Warning),
        ("declaration", "answer-prefix", Note),
        ("blanks", "answer-whitespace", Note),
        ("failure 400", "answer-status", Note),
        ("content type", "answer-type", Note),
        ("answers cached", "answer-no-store", Note),
        ("cas2 attributes", "answer-cas2-attributes", Note),
        ("other user", "answer-same-user", Note),
        ("proxy code", "proxy-missing", Fail),
        ("proxy for anybody", "proxy-unknown", Fail),
        ("pgt query lost", "proxy-callback", Fail),
        ("pgt refused", "proxy-callback-refused", Fail),
        ("pgt plain", "proxy-callback-plain", Warning),
        ("proxies wrong", "proxy-ticket", Fail),
        ("pgt once", "proxy-ticket-again", Fail),
        ("replay", "proxy-ticket-once", Fail),
        ("pt anywhere", "proxy-ticket-service-validate", Fail),
        ("pt anywhere", "proxy-ticket-validate", Fail),
        ("chain short", "proxy-chain", Fail),
        ("pgt survives", "proxy-logout", Fail),
        ("saml never", "saml-success", Fail),
        ("saml always", "saml-failure", Fail),
        ("saml replay", "saml-replay", Fail),
        ("saml service", "saml-other-target", Fail),
        ("saml attributes", "saml-plain-attributes", Fail),
        ("saml get", "saml-get", Fail),
        ("rest delete", "rest-tickets", Note),
        ("rest status", "rest-refusal", Note),
        ("logout keeps", "logout-session", Fail),
        ("logout error", "logout-page", Fail),
        ("logout nobody", "logout-nobody", Note),
        ("logout mangles", "logout-service", Fail),
        ("logout anywhere", "logout-unknown-service", Fail),
        ("logout url", "logout-url", Fail),
        ("tickets survive", "logout-tickets", Note),
        ("slo index", "slo-message", Fail),
        ("slo twice", "slo-once", Note),
        ("slo shape", "slo-shape", Note),
        ("slo minds", "slo-ignored", Fail),
        ("fixation", "cookie-fixation", Note),
        ("slo silent", "slo-message", Outcome::NotSupported),
        ("standard last", "answer-standard-first", Note),
        ("empty proxies", "validate-proxies", Note),
        ("pgt prefix", "proxy-prefixes", Warning),
    ];
    let mut wrong = Vec::new();
    for (fault, id, wanted) in faults {
        let report = run(fault, Some(id)).await;
        let finding = &report.findings[0];
        if finding.outcome != *wanted {
            wrong.push(format!(
                "{fault}: {id} is {:?}, not {wanted:?}: {}",
                finding.outcome, finding.detail
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for case in cases() {
        let tested = faults.iter().any(|(_, id, _)| *id == case.id);
        // That one has its own test below.
        assert!(
            tested || case.id == "validate-expired",
            "no fault makes {} fail",
            case.id
        );
    }
}

#[tokio::test]
async fn a_ticket_that_does_not_expire_is_a_failure() {
    let (_server, url) = Faulty::start("none").await;
    let mut settings = Settings::new(url, USER, PASSWORD);
    settings.ticket_lifetime = Some(Duration::ZERO);
    let kit = Kit::start(settings).await.unwrap();
    let case = cases().filter(|case| case.id == "validate-expired");
    let report = kit.run(case, |_| {}).await.unwrap();
    assert_eq!(report.findings[0].outcome, Outcome::Fail);
    assert!(!report.is_success());
}

#[tokio::test]
async fn nothing_is_graded_without_a_login() {
    let (_server, url) = Faulty::start("none").await;
    for (url, password, words) in [
        (url.as_str(), "wrong", "the password of alice is not taken"),
        (
            "http://127.0.0.1:1/cas",
            PASSWORD,
            "http://127.0.0.1:1/cas/login: ",
        ),
    ] {
        let kit = Kit::start(Settings::new(url, USER, password))
            .await
            .unwrap();
        let error = kit.run(cases(), |_| {}).await.unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert!(!error.contains(PASSWORD), "{error}");
    }
    let refused = Kit::start(Settings::new("http://cas.example.org/cas", USER, PASSWORD)).await;
    assert!(
        refused.is_err(),
        "a password by plain http to another machine"
    );
}
