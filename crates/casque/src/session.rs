//! `casque session`: the live single sign-on sessions.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use casque_server::{Server, SessionView};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::runtime::block_on;
use crate::say::{self, Failure, plain, time};
use crate::serve::{Loaded, store_failed};

/// See and end single sign-on sessions, with the server running or not.
///
/// The exit status is 0 if it was done, 1 if there is no such session or the configuration is wrong, and 3 if the store
/// does not answer.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration of the server.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        default_value = "casque.toml"
    )]
    config: PathBuf,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the live sessions, the oldest first.
    List {
        /// Only those of this person.
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// One JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Show one session and the services that will be told of its end.
    Show {
        /// The id of a session, or the beginning of it.
        id: String,
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// End sessions; their services are told.
    Kill {
        /// The ids of sessions, or the beginnings of them.
        #[arg(required_unless_present = "user")]
        ids: Vec<String>,
        /// All sessions of this person.
        #[arg(long, value_name = "NAME", conflicts_with = "ids")]
        user: Option<String>,
    },
}

/// How much of an id is shown in a list: enough to name a session.
const SHORT: usize = 12;

/// The shortest beginning of an id that is taken for it.
const SHORTEST: usize = 6;

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let loaded = match Loaded::read(&arguments.config) {
        Ok(loaded) => loaded,
        Err(faults) => return say::error(faults.join("\n"), say::WRONG),
    };
    if !loaded.config.store.is_durable() {
        return say::error(
            "store = \"memory:\" is in the memory of the server alone: nobody else can look into it",
            say::WRONG,
        );
    }
    say::end(block_on(act(&loaded, arguments.command)))
}

async fn act(loaded: &Loaded, command: Command) -> Result<(), Failure> {
    let server = loaded.claimed_server().await?;
    let sessions = Sessions::read(&server).await?;
    match command {
        Command::List { user, json } => {
            list(&sessions.of(user.as_deref()), json);
            Ok(())
        }
        Command::Show { id, json } => {
            let session = sessions.named(&id)?;
            let services = server.services_of_session(&session.id).await;
            show(
                session,
                &services.map_err(|error| store_failed(&error))?,
                json,
            );
            Ok(())
        }
        Command::Kill { ids, user } => {
            let mut ending = sessions.of(user.as_deref());
            if user.is_none() {
                let named = ids.iter().map(|id| sessions.named(id));
                ending = named.collect::<Result<_, _>>()?;
            }
            kill(&server, &ending).await
        }
    }
}

/// All live sessions, by id.
struct Sessions(BTreeMap<String, SessionView>);

impl Sessions {
    async fn read(server: &Server) -> Result<Self, Failure> {
        let mut found = BTreeMap::new();
        let each = |session: SessionView| {
            found.insert(session.id.clone(), session);
        };
        server
            .each_session(each)
            .await
            .map_err(|error| store_failed(&error))?;
        Ok(Self(found))
    }

    /// Those of a person, or all; the oldest first.
    fn of(&self, user: Option<&str>) -> Vec<&SessionView> {
        let mut sessions: Vec<_> = self
            .0
            .values()
            .filter(|session| user.is_none_or(|user| session.user == user))
            .collect();
        sessions.sort_by(|a, b| (a.since, &a.user).cmp(&(b.since, &b.user)));
        sessions
    }

    /// The one whose id begins so.
    fn named(&self, start: &str) -> Result<&SessionView, Failure> {
        if start.len() < SHORTEST {
            return Err(Failure::wrong(format!(
                "{}: too short to name a session: give at least {SHORTEST} digits of its id",
                plain(start)
            )));
        }
        let mut found = self
            .0
            .values()
            .filter(|session| session.id.starts_with(start));
        match (found.next(), found.next()) {
            (Some(session), None) => Ok(session),
            (None, _) => Err(Failure::wrong(format!(
                "{}: no live session has an id that begins so; see `casque session list`",
                plain(start)
            ))),
            (Some(_), Some(_)) => Err(Failure::wrong(format!(
                "{}: several sessions have ids that begin so: give more of it",
                plain(start)
            ))),
        }
    }
}

fn list(sessions: &[&SessionView], json: bool) {
    if json {
        for session in sessions {
            say::line(as_json(session, None));
        }
        return;
    }
    for session in sessions {
        let remembered = if session.remembered {
            "  remembered"
        } else {
            ""
        };
        say::line(format_args!(
            "{}  {}  since {}  until {}{remembered}",
            session.id.get(..SHORT).unwrap_or(&session.id),
            plain(&session.user),
            time(session.since),
            time(session.ends_unused),
        ));
    }
    say::line(match sessions.len() {
        1 => "1 session.".to_owned(),
        count => format!("{count} sessions."),
    });
}

fn show(session: &SessionView, services: &[String], json: bool) {
    if json {
        return say::line(as_json(session, Some(services)));
    }
    say::line(format_args!(
        "id          {}\nuser        {}\nsince       {}\nends        {}\nif unused   {}\nremembered  {}",
        session.id,
        plain(&session.user),
        time(session.since),
        time(session.ends),
        time(session.ends_unused),
        if session.remembered { "yes" } else { "no" },
    ));
    for service in services {
        say::line(format_args!("service     {}", plain(service)));
    }
}

fn as_json(session: &SessionView, services: Option<&[String]>) -> serde_json::Value {
    let mut value = json!({
        "id": session.id,
        "user": session.user,
        "since": time(session.since),
        "ends": time(session.ends),
        "ends_unused": time(session.ends_unused),
        "remembered": session.remembered,
    });
    if let Some(services) = services {
        value["services"] = json!(services);
    }
    value
}

async fn kill(server: &Server, sessions: &[&SessionView]) -> Result<(), Failure> {
    let mut ended = 0;
    for session in sessions {
        let was_there = server.end_session(&session.id).await;
        ended += usize::from(was_there.map_err(|error| store_failed(&error))?);
    }
    server.finish_logout_messages().await;
    say::line(match ended {
        1 => "1 session has ended.".to_owned(),
        count => format!("{count} sessions have ended."),
    });
    Ok(())
}
