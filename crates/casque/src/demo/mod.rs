//! `casque demo`: a CAS server and an application that trusts it, in one process on loopback.

mod app;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::Context as _;
use casque_proto::ServiceRule;
use casque_server::{
    Config, HashParams, Parts, Password, PasswordChecker, PeopleFile, ProxyPolicy, Release, Server,
    Service, Services, hash_password,
};
use casque_store::{Clock, KeyHasher, SqliteStore, SystemClock};
use clap::Args;
use serde_json::json;
use tokio::{net::TcpListener, sync::watch};

use crate::{
    log,
    say::{self, FAILED},
    signals,
};

/// Who can log in: name, password, attributes.
const PEOPLE: [(&str, &str, &str); 2] = [
    (
        "alice",
        "wonderland",
        r#"{ mail = ["alice@example.org"], memberOf = ["staff", "admin"] }"#,
    ),
    (
        "bob",
        "builder",
        r#"{ mail = ["bob@example.org"], memberOf = ["staff"] }"#,
    ),
];

/// How long open requests may take to finish at the end.
const GRACE: Duration = Duration::from_secs(3);

/// Run a CAS server and an application that trusts it, on loopback.
///
/// Any service on loopback may use the server, on any port, by http or https. Everything is kept in a temporary folder
/// that is gone when it ends: press Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The port of the CAS server; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 8000)]
    cas_port: u16,

    /// The port of the application; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 5000)]
    app_port: u16,

    /// Print one line of JSON on standard output once both are ready: `cas_url`, `app_url`, `users`.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    // Standard error is for trouble: what goes well is seen in the browser.
    log::start(None, "warn");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(demo(arguments)),
        Err(error) => Err(error).context("the runtime cannot start"),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say::error(format_args!("{error:#}"), FAILED),
    }
}

async fn demo(arguments: &Arguments) -> anyhow::Result<()> {
    // Asked for first, so that Ctrl-C during the start is not lost.
    let told_to_end = signals::told_to_end().context("signals")?;
    let folder = tempfile::Builder::new()
        .prefix("casque-demo-")
        .tempdir()
        .context("a temporary folder")?;
    let cas_listener = listen(arguments.cas_port, "--cas-port").await?;
    let app_listener = listen(arguments.app_port, "--app-port").await?;
    let cas_url = format!("http://{}/cas", cas_listener.local_addr()?);
    let app_url = format!("http://{}", app_listener.local_addr()?);

    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store = Arc::new(SqliteStore::open(
        &folder.path().join("casque.db"),
        clock.clone(),
    )?);
    let server = Server::new(
        &config(folder.path(), &cas_url)?,
        parts(folder.path())?,
        store.clone(),
        clock,
    )?;
    let cas = app::cas(&cas_url, &app_url, store)?;

    announce(arguments.json, &cas_url, &app_url);
    let (end, ended) = watch::channel(());
    let when_ended = || {
        let mut ended = ended.clone();
        async move {
            let _ = ended.changed().await;
        }
    };
    let serve_app =
        axum::serve(app_listener, app::router(&cas)).with_graceful_shutdown(when_ended());
    let serve_cas = server.serve(cas_listener, None, when_ended());
    let stop = async {
        told_to_end.await;
        if !arguments.json {
            say::line("\nEnding.");
        }
        drop(end);
    };
    let serve = async { tokio::join!(serve_app, serve_cas, stop) };
    // A browser that never finishes its request does not keep the demo alive.
    let late = async {
        when_ended().await;
        let _ = tokio::time::timeout(GRACE, std::future::pending::<()>()).await;
    };
    tokio::select! {
        (app_ended, cas_ended, ()) = serve => {
            app_ended.context("the application's socket")?;
            cas_ended.context("the CAS server's socket")?;
        }
        () = late => {}
    }
    Ok(())
}

async fn listen(port: u16, option: &str) -> anyhow::Result<TcpListener> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| {
        if error.kind() == io::ErrorKind::AddrInUse {
            anyhow::anyhow!(
                "port {port} is in use: choose another with {option}, or 0 for a free one"
            )
        } else {
            anyhow::Error::new(error).context(format!("cannot listen on {address}"))
        }
    })
}

/// The settings an operator would write, for the temporary folder.
fn config(folder: &Path, cas_url: &str) -> anyhow::Result<Config> {
    let file = folder.join("casque.toml");
    std::fs::write(
        &file,
        format!("base_url = \"{cas_url}\"\norganisation = \"casque demo\"\n"),
    )?;
    Ok(Config::from_file(&file)?)
}

fn parts(folder: &Path) -> anyhow::Result<Parts> {
    let file = folder.join("people.toml");
    let people = PEOPLE
        .iter()
        .map(|(name, password, attributes)| {
            let hash = hash_password(&Password::new(*password)?, HashParams::default());
            Ok(format!(
                "[{name}]\npassword = \"{hash}\"\nattributes = {attributes}\n"
            ))
        })
        .collect::<anyhow::Result<String>>()?;
    std::fs::write(&file, people)?;
    let loopback = Service::new("loopback", ServiceRule::loopback())
        .named("the demo application")
        .proxying(ProxyPolicy::loopback())
        .releasing(Release::All);
    Ok(Parts {
        people: Arc::new(PeopleFile::open(&file)?),
        services: Arc::new(Services::new([loopback])),
        passwords: PasswordChecker::new(casque_server::PasswordCheckerOptions::default()),
        hasher: KeyHasher::random()?,
    })
}

fn announce(as_json: bool, cas_url: &str, app_url: &str) {
    if as_json {
        let users: Vec<_> = PEOPLE
            .iter()
            .map(|(name, password, _)| json!({"username": name, "password": password}))
            .collect();
        say::line(json!({"cas_url": cas_url, "app_url": app_url, "users": users}));
        return;
    }
    let [(alice, alice_password, _), (bob, bob_password, _)] = PEOPLE;
    say::line(format_args!(
        "casque demo: an application behind CAS, and the CAS server it trusts

  application  {app_url}/
  CAS server   {cas_url}/login

  people       {alice}, password {alice_password}   (staff, admin)
               {bob}, password {bob_password}        (staff)

Try this in a browser:
  1. {app_url}/            the homepage, for everyone
  2. {app_url}/protected   refused until you log in
  3. {app_url}/members     sends you to log in (try a wrong password first) and back
  4. {app_url}/logout      ends both sessions

Your own application can use the CAS server too, from any loopback address.
Press Ctrl-C to end; nothing is left behind."
    ));
}
