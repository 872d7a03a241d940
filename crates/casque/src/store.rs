//! `casque store migrate`, `casque backup` and `casque restore`: the state of a deployment in another place.

mod backup;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use casque_server::Config;
use casque_store::{Copied, SharedStore, Store, StoreError, StoreUrl, SystemClock, copy_store};
use clap::{Args, Subcommand};

use crate::runtime::block_on;
use crate::say::{self, Failure};
use crate::serve::environment;

/// Look after the store.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Copy everything from one store to another that is empty; nobody is signed out.
    ///
    /// End the servers first, copy, set `store` to the new place, and start them. The secret key stays the same.
    Migrate {
        /// Where it is, as `store` of the configuration has it: `sqlite:casque.db`.
        from: String,
        /// Where it should be.
        to: String,
    },
}

/// Write everything in the store to a file.
///
/// The file holds sessions and consents, and nothing that signs anyone in. It is of use with the secret key alone, which
/// is not in it: keep casque.key, casque.toml, the people and the services as well. Of what changes meanwhile it holds
/// one state or the other. The exit status is 0 if the file is complete.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    /// The configuration of the server.
    #[arg(long, value_name = "FILE", default_value = "casque.toml")]
    config: PathBuf,

    /// The file to write; it must not exist.
    file: PathBuf,
}

/// Read a backup into the store, which must be empty.
///
/// The whole file is checked before anything is written. What has ended since stays away.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    /// The configuration of the server.
    #[arg(long, value_name = "FILE", default_value = "casque.toml")]
    config: PathBuf,

    /// The file that `casque backup` wrote.
    file: PathBuf,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let Command::Migrate { from, to } = arguments.command;
    end(block_on(async {
        let (from, to) = (open(&url(&from)?)?, open_empty(&url(&to)?).await?);
        let copied = copy_store(&*from, &*to).await;
        let copied = copied.map_err(|error| Failure::failed("copying", &error))?;
        Ok(format!("Copied: {}.", words(copied)))
    }))
}

pub(crate) fn back_up(arguments: &Backup) -> ExitCode {
    end(block_on(async {
        let store = open(&configured(&arguments.config)?)?;
        let copied = backup::write(&*store, &arguments.file).await?;
        Ok(format!(
            "Written to {}: {}.",
            arguments.file.display(),
            words(copied)
        ))
    }))
}

pub(crate) fn restore(arguments: &Restore) -> ExitCode {
    end(block_on(async {
        backup::check(&arguments.file)?;
        let store = open_empty(&configured(&arguments.config)?).await?;
        let copied = backup::read(&arguments.file, &*store).await?;
        Ok(format!("Restored: {}.", words(copied)))
    }))
}

fn end(done: Result<String, Failure>) -> ExitCode {
    say::end(done.map(say::line))
}

/// The store that a configuration names.
fn configured(path: &std::path::Path) -> Result<StoreUrl, Failure> {
    let config = Config::from_file_and_environment(path, environment())
        .map_err(|faults| Failure::wrong(faults.to_string()))?;
    Ok(config.store)
}

fn url(text: &str) -> Result<StoreUrl, Failure> {
    text.parse()
        .map_err(|error: StoreError| Failure::wrong(say::chain(&error)))
}

fn open(url: &StoreUrl) -> Result<SharedStore, Failure> {
    if !url.is_durable() {
        return Err(Failure::wrong(
            "memory: is in the memory of a server alone: name a store that outlives it",
        ));
    }
    url.open(Arc::new(SystemClock::new())).map_err(|error| {
        if error.is_unavailable() {
            Failure::failed("the store", &error)
        } else {
            Failure::wrong(say::chain(&error))
        }
    })
}

/// A store that holds nothing: what is copied would mix with what is there.
async fn open_empty(url: &StoreUrl) -> Result<SharedStore, Failure> {
    let store = open(url)?;
    if is_empty(&*store).await? {
        return Ok(store);
    }
    Err(Failure::wrong(
        "the store to write to is not empty: name another one, or end its servers and remove what it holds",
    ))
}

async fn is_empty(store: &dyn Store) -> Result<bool, Failure> {
    let mut cursor = None;
    loop {
        let page = store.walk(None, cursor.as_ref(), 100).await;
        let page = page.map_err(|error| Failure::failed("the store", &error))?;
        if !page.entries.is_empty() {
            return Ok(false);
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(true);
        }
    }
}

fn words(copied: Copied) -> String {
    let Copied { records, members } = copied;
    format!("{records} records and {members} members of sets")
}
