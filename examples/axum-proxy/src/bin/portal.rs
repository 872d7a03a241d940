//! The portal. Settings are `CAS_PROVIDER`, `SERVICE_URL`, `LOGIN_URL` and `MARKS_URL`.

use anyhow::Context as _;
use casque_axum::CasBuilder;
use casque_example_axum_proxy::{RECEPTOR, portal};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .ok()
        .context("TLS for calls")?;
    let marks = std::env::var("MARKS_URL").context("MARKS_URL is the address of the marks")?;
    let cas = CasBuilder::from_env()?.proxying(RECEPTOR).build()?;
    let listener = TcpListener::bind("127.0.0.1:5000")
        .await
        .context("port 5000 is in use")?;
    axum::serve(listener, portal(&cas, marks)?).await?;
    Ok(())
}
