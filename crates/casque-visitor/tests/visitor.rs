//! A browser at a server that behaves, and at one that does not.

use std::time::Duration;

use casque_testkit::{FakeCas, Fault, Page};
use casque_visitor::{Agent, NoAnswer, Reached, Trace, Visitor};
use http::{Response, StatusCode};

const SERVICE: &str = "https://app.example.org/cas/callback?x=1";
const CREDENTIALS: (&str, &str) = ("alice", "wonderland");

fn visitor(cas: &FakeCas) -> (Visitor, Trace) {
    let trace = Trace::default();
    let timeout = Duration::from_millis(500);
    let agent = Agent::new("test/1.0", None, timeout, trace.clone()).expect("an agent");
    (Visitor::new(agent, cas.base_url()), trace)
}

async fn sign_in(visitor: &mut Visitor, who: (&str, &str)) -> Result<Reached, NoAnswer> {
    let page = visitor.login(&[("service", SERVICE)]).await?;
    let form = page.form().expect("a login form");
    visitor
        .submit(&page.last, &form, who, Some(SERVICE), |_| {})
        .await
}

fn page(body: &str) -> Fault {
    Fault::answer(
        StatusCode::OK,
        "text/html",
        format!("<!doctype html>{body}"),
    )
}

#[tokio::test]
async fn a_form_leads_to_a_ticket_and_the_trace_tells_no_secret() {
    // R-038, S-017
    let cas = FakeCas::start();
    let (mut visitor, trace) = visitor(&cas);
    let reached = sign_in(&mut visitor, CREDENTIALS).await.expect("an answer");
    let delivered = reached.delivered(SERVICE).expect("a ticket");
    assert_eq!(cas.open_tickets(), 1);
    let told = format!("{:?} {reached:?} {delivered:?} {visitor:?}", trace.take());
    assert!(
        told.contains("form of service, username, password"),
        "{told}"
    );
    assert!(!told.contains("wonderland"), "{told}");
    assert!(!told.contains(&delivered.ticket), "{told}");

    cas.sign_out();
    let refused = sign_in(&mut visitor, ("alice", "not it")).await;
    let refused = refused.expect("an answer");
    assert!(refused.delivered(SERVICE).is_none() && refused.form().is_some());
}

#[tokio::test]
async fn a_password_goes_nowhere_else() {
    let cas = FakeCas::start();
    let other = FakeCas::start();
    for action in [
        format!("{}/login", other.base_url()),
        "//localhost.example/login".to_owned(),
        "https://127.0.0.1/cas/login".to_owned(),
        "javascript:alert(1)".to_owned(),
    ] {
        let form = format!(
            "<form action='{action}' method=post><input name=username><input name=p type=password></form>"
        );
        cas.fault(Page::Login, page(&form));
        let before = cas.requests().len();
        let refused = sign_in(&mut visitor(&cas).0, CREDENTIALS).await;
        let words = refused.expect_err("it is not sent").to_string();
        assert!(words.contains("not where it came from"), "{words}");
        assert_eq!(cas.requests().len(), before + 1);
    }
    assert_eq!(other.requests().len(), 0);

    // Not by a redirect either: the browser stops there.
    cas.fault(
        Page::Login,
        Fault::Redirect(format!("{}/login", other.base_url())),
    );
    let reached = visitor(&cas).0.login(&[("service", SERVICE)]).await;
    let reached = reached.expect("an answer");
    assert!(reached.form().is_none() && reached.left.is_some());
    assert_eq!(other.requests().len(), 0);
}

#[tokio::test]
async fn a_ticket_may_come_in_a_form() {
    //
    let cas = FakeCas::start();
    let form = |action: &str| {
        page(&format!(
            "<form method=post action='{action}'><input type=hidden name=ticket value=ST-1-abc></form>"
        ))
    };
    cas.fault(Page::Login, form(SERVICE));
    let reached = visitor(&cas).0.login(&[("service", SERVICE)]).await;
    let ticket = reached.expect("an answer").posted_ticket(SERVICE);
    assert_eq!(ticket.as_deref(), Some("ST-1-abc"));
    cas.fault(Page::Login, form("https://other.example.org/cas/callback"));
    let reached = visitor(&cas).0.login(&[("service", SERVICE)]).await;
    assert_eq!(reached.expect("an answer").posted_ticket(SERVICE), None);
}

#[tokio::test]
async fn servers_that_misbehave_are_given_up() {
    let cas = FakeCas::start();
    let again = format!("{}/login", cas.base_url());
    let half = Response::builder()
        .status(302)
        .body(bytes())
        .expect("a response");
    for (fault, words) in [
        (Fault::Redirect(again), "redirected 10 times"),
        (Fault::Huge(u64::MAX), "more than 1048576 bytes"),
        (Fault::Silent, "timed out"),
        (Fault::Stall, "timed out"),
        (Fault::HangUp, "closed"),
    ] {
        cas.fault(Page::Login, fault.clone());
        let error = visitor(&cas).0.login(&[]).await.expect_err("no answer");
        assert!(error.to_string().contains(words), "{fault:?}: {error}");
    }
    // A redirect that leads nowhere is a page.
    cas.fault(Page::Login, Fault::Answer(half));
    let reached = visitor(&cas).0.login(&[]).await.expect("an answer");
    assert_eq!(reached.left, None);
}

fn bytes() -> bytes::Bytes {
    bytes::Bytes::new()
}
