//! The store, or the CAS server, is down.

use axum::http::StatusCode;
use casque_testkit::{Breakable, FakeCas, ManualClock};

use crate::support::{BASE, Lab};

/// I5: without the store nobody is let in, and nobody is taken for a stranger.
#[tokio::test]
async fn without_the_store_there_is_503() {
    let clock = ManualClock::new();
    let store = Breakable::on(&clock);
    let lab = Lab::on(FakeCas::start(), clock, store.shared(), |builder| {
        builder.service_base(BASE)
    });
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let mut other = lab.browser();
    let asked = other.go("/members").await;

    store.break_down();
    for target in [
        "/",
        "/members",
        "/staff",
        "/login",
        "/logout",
        "/cas/callback?ticket=ST-1-a",
    ] {
        let page = browser.go(target).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{target}");
        assert_eq!(page.header("cache-control"), "no-store", "{target}");
    }
    assert_eq!(
        lab.single_logout(&ticket).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let (back, _) = lab.log_in(&mut other, &asked, "alice").await;
    assert_eq!(back.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        lab.browser().go("/").await.text(),
        "nobody",
        "who has no cookie needs no store"
    );

    store.repair();
    assert_eq!(browser.go("/members").await.status, StatusCode::OK);
}
