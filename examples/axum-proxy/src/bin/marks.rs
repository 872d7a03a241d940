//! The marks. Settings are `CAS_PROVIDER`, `SERVICE_URL`, `LOGIN_URL`, and `PORTAL`: the address at which the portal
//! receives proxy-granting tickets, which is its name as a proxy.

use anyhow::Context as _;
use casque_axum::CasBuilder;
use casque_example_axum_proxy::marks;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let portal = std::env::var("PORTAL").context("PORTAL is who may call, by its receptor")?;
    let cas = CasBuilder::from_env()?
        .allow_proxy_chain([portal])
        .build()?;
    let listener = TcpListener::bind("127.0.0.1:5001")
        .await
        .context("port 5001 is in use")?;
    axum::serve(listener, marks(&cas)).await?;
    Ok(())
}
