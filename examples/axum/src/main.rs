//! The seed's application: a homepage for everyone, `/login`, `/logout`, and protected pages.
//!
//! Settings are `CAS_PROVIDER`, `SERVICE_URL` and `LOGIN_URL`, from the environment or `.env`.

use anyhow::Context as _;
use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use casque_axum::{Cas, CasUser};
use tokio::net::TcpListener;

async fn homepage() -> &'static str {
    "Welcome to the Homepage!"
}

/// As the seed does it: refuse until the user has logged in.
async fn protected(user: Option<CasUser>) -> Result<String, (StatusCode, &'static str)> {
    let user = user.ok_or((
        StatusCode::UNAUTHORIZED,
        "Access denied. Please log in first.",
    ))?;
    Ok(format!("Welcome to the protected page, {}!", user.name()))
}

/// The seed's "Go further": a browser is sent to log in and comes back here, a script gets 401.
async fn members(user: CasUser) -> String {
    format!("Welcome, {}!", user.name())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cas = Cas::from_env()?; // CAS_PROVIDER, SERVICE_URL, LOGIN_URL; also from .env
    let app = Router::new()
        .route("/", get(homepage))
        .route("/protected", get(protected))
        .route("/members", get(members).layer(cas.require()))
        .layer(cas.layer()); // also answers /login and /logout

    let listener = TcpListener::bind("127.0.0.1:5000")
        .await
        .context("port 5000 is in use")?;
    axum::serve(listener, app).await?;
    Ok(())
}
