//! An application that calls another one as its user: a portal, and the marks that it shows.
//!
//! Both are protected by the same CAS server. The marks belong to whoever the portal's user is, so
//! the portal asks the CAS server for a proxy ticket and calls with it; the marks' application
//! accepts users who come through this portal, and nobody else's.

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use casque_axum::{Cas, CasUser};

/// Where the portal receives the tickets with which it acts as a proxy.
pub const RECEPTOR: &str = "/cas/pgt";

/// The portal, which shows the marks that are at `marks`.
///
/// # Errors
///
/// Where there is no HTTP client to be had.
pub fn portal(cas: &Cas, marks: String) -> anyhow::Result<Router> {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .context("an HTTP client")?;
    Ok(Router::new()
        .route("/", get(|| async { "Log in to see your marks." }))
        .route("/marks", get(shown).layer(cas.require()))
        .with_state(Portal { http, marks })
        .layer(cas.layer()))
}

#[derive(Clone)]
struct Portal {
    http: reqwest::Client,
    marks: String,
}

async fn shown(user: CasUser, State(portal): State<Portal>) -> Result<String, Response> {
    // The address with a ticket for exactly this address, good once.
    let url = user
        .proxied_url(&portal.marks)
        .await
        .map_err(axum::response::IntoResponse::into_response)?;
    let unreachable = || (StatusCode::BAD_GATEWAY, "The marks cannot be reached.").into_response();
    // An error of reqwest's would name the URL, and with it the ticket: it is not shown.
    let answer = portal.http.get(url).send().await;
    let answer = answer.map_err(|_| unreachable())?;
    if answer.status() != StatusCode::OK {
        return Err(unreachable());
    }
    let marks = answer.text().await.map_err(|_| unreachable())?;
    Ok(format!("The portal shows {}: {marks}", user.name()))
}

/// The marks, for their owner only, whether a browser or another application asks.
pub fn marks(cas: &Cas) -> Router {
    Router::new()
        .route("/marks", get(own).layer(cas.require()))
        .layer(cas.layer())
}

async fn own(user: CasUser) -> String {
    match user.session().proxies() {
        [] => format!("{} has an A in logic.", user.name()),
        proxies => format!(
            "{} has an A in logic (asked by {}).",
            user.name(),
            proxies.join(", ")
        ),
    }
}
