//! `casque service`: the files of services.

mod draft;
mod import;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use casque_server::{Config, Service, Services};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::say::{self, Failure};
use crate::serve::environment;

/// Keep the files of services: list what a folder holds, and read service definitions of an Apereo CAS server.
///
/// The exit status is 0 if all is well, 1 if a file or the configuration is wrong, 2 if the command itself is, and 3 if
/// a file cannot be written.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the services in the order in which the server asks them.
    List {
        /// As one JSON list.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    Import(import::Arguments),
}

/// Which folder of services.
#[derive(Debug, Args)]
struct Place {
    /// The configuration that names the folder.
    #[arg(long, value_name = "FILE", default_value = "casque.toml")]
    config: PathBuf,

    /// The folder itself; the configuration is not read then.
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    services: Option<PathBuf>,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::List { json, place } => list(json, &place),
        Command::Import(arguments) => import::run(&arguments),
    };
    match done {
        Ok(status) => status,
        Err(failure) => say::error(failure.words, failure.status),
    }
}

fn list(json: bool, place: &Place) -> Result<ExitCode, Failure> {
    let wrong = |faults: &dyn std::fmt::Display| Failure::wrong(faults.to_string());
    let services = if let Some(folder) = &place.services {
        Services::load(folder)
    } else {
        let config = Config::from_file_and_environment(&place.config, environment())
            .map_err(|faults| wrong(&faults))?;
        let ignored: Vec<&str> = config.apereo.ignore.iter().map(String::as_str).collect();
        Services::load_ignoring(&config.services, &ignored)
    };
    let services = services.map_err(|faults| wrong(&faults))?;
    if json {
        let list: Vec<_> = services.iter().map(as_json).collect();
        say::line(json!(list));
    } else {
        for service in services.iter() {
            say::line(in_words(service));
        }
    }
    for warning in services.warnings() {
        say::warning(say::plain(&warning));
    }
    Ok(ExitCode::SUCCESS)
}

fn as_json(service: &Service) -> serde_json::Value {
    json!({
        "id": service.id,
        "name": service.name,
        "rule": service.rule.to_string(),
        "order": service.order,
        "enabled": service.enabled,
        "sso": service.sso,
        "may_proxy": service.proxy.allows_proxying(),
    })
}

fn in_words(service: &Service) -> String {
    let mut words = format!(
        "{}  {}",
        say::plain(&service.id),
        say::plain(&service.rule.to_string())
    );
    if let Some(name) = &service.name {
        words.extend(["  \"", &say::plain(name), "\""]);
    }
    for (is, what) in [
        (!service.enabled, "disabled"),
        (!service.sso, "asks for the password"),
        (service.proxy.allows_proxying(), "may proxy"),
    ] {
        if is {
            words.extend([" (", what, ")"]);
        }
    }
    words
}
