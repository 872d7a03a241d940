//! `casque keys`: the secret key of a deployment, seen and changed without signing anyone out.

mod report;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use casque_server::{KeysInStore, RetireError, Server};
use casque_store::{KeyRing, StoreError};
use clap::{Args, Subcommand};

use crate::locked::Locked;
use crate::runtime::block_on;
use crate::say::{self, Failure, chain, time};
use crate::serve::{Loaded, claim_fault, secret_key, store_failed};

/// See and change the secret key of the server; nobody is signed out.
///
/// A change has three steps: `rotate`, `promote` and, when everything that the old key names has ended, `retire`. After each
/// of them give the key file to all servers of the store, and start them again one after the other. `show` says what is
/// next. The exit status is 0 if it was done, 1 if it must not be done now or the configuration is wrong, and 3 if the store
/// or the key file cannot be reached.
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
    /// Show the keys of the file and of the store by their fingerprints, who has which, and what is next.
    Show {
        /// One JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Begin: add a new key to the file as the second; the old one still names what is new.
    Rotate {
        /// Put the new key first at once. For a store that one server alone uses.
        #[arg(long)]
        only_server: bool,
    },
    /// Go on: put the second key first, once every server has both.
    Promote,
    /// End: remove the second key, once nothing that it names can be in use. Consents are moved to the first.
    Retire,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    say::end(block_on(act(arguments)))
}

async fn act(arguments: &Arguments) -> Result<(), Failure> {
    let loaded =
        Loaded::read(&arguments.config).map_err(|faults| Failure::wrong(faults.join("\n")))?;
    let path = &loaded.config.secret_key;
    if !path.exists() {
        return Err(Failure::wrong(format!(
            "{}: there is no such file; the server makes it at its first start",
            path.display()
        )));
    }
    match arguments.command {
        Command::Show { json } => {
            let ring = secret_key(path)?;
            let store = if loaded.config.store.is_durable() {
                Some(Store::look(&loaded).await?.keys)
            } else {
                None
            };
            report::Keys::new(&ring, store.as_ref()).say(path, &loaded.config.store, json);
        }
        Command::Rotate { only_server } => rotate(&loaded, only_server).await?,
        Command::Promote => promote(&loaded).await?,
        Command::Retire => retire(&loaded).await?,
    }
    Ok(())
}

/// The store, and what it says of the keys.
struct Store {
    server: Server,
    keys: KeysInStore,
}

impl Store {
    async fn look(loaded: &Loaded) -> Result<Self, Failure> {
        if !loaded.config.store.is_durable() {
            return Err(Failure::wrong(format!(
                "store = \"memory:\" is forgotten at every start, so there is nothing to keep while the key is changed\n  \
                 fix: end the server, remove {}, and start the server",
                loaded.config.secret_key.display()
            )));
        }
        let server = loaded.claimed_server().await?;
        let keys = server.keys_in_store().await;
        let keys = keys.map_err(|error| store_failed(&error))?;
        Ok(Self { server, keys })
    }
}

async fn rotate(loaded: &Loaded, only_server: bool) -> Result<(), Failure> {
    let path = &loaded.config.secret_key;
    let file = Locked::open(path)?;
    let old = ring(&file, path)?;
    let [known] = &old.fingerprints()[..] else {
        return Err(Failure::wrong(format!(
            "{}: there are two keys already\n  fix: end that change first; `casque keys show` says what is next",
            path.display()
        )));
    };
    let nodes = Store::look(loaded).await?.keys.nodes;
    let mut theirs = nodes.iter().flat_map(|node| &node.keys);
    if let Some(other) = theirs.find(|key| *key != known) {
        return Err(Failure::wrong(format!(
            "another server has the key {other} already\n  fix: copy its key file to {}",
            path.display()
        )));
    }
    if only_server && nodes.len() > 1 {
        return Err(Failure::wrong(format!(
            "{} servers use this store, or did less than 90 seconds ago\n  fix: leave --only-server away",
            nodes.len()
        )));
    }
    let mut new = old.with_new().map_err(|error| no_random(&error))?;
    if only_server {
        new = new.swapped().map_err(|error| no_random(&error))?;
    }
    file.replace(&new.to_text())?;
    let keys = new.fingerprints();
    let added = &keys[usize::from(!only_server)];
    say::line(format_args!(
        "{}: the key {added} is added.",
        path.display()
    ));
    say::line(if only_server {
        "next: start the server again; `casque keys show` says when the old key may be retired."
    } else {
        "next: copy this file to every other server and start each again; then `casque keys promote`."
    });
    Ok(())
}

async fn promote(loaded: &Loaded) -> Result<(), Failure> {
    let path = &loaded.config.secret_key;
    let file = Locked::open(path)?;
    let old = ring(&file, path)?;
    let Ok(new) = old.clone().swapped() else {
        return Err(Failure::wrong(format!(
            "{}: there is one key alone\n  fix: `casque keys rotate` adds another",
            path.display()
        )));
    };
    let first = &new.fingerprints()[0];
    let nodes = Store::look(loaded).await?.keys.nodes;
    let without = nodes.iter().filter(|node| !node.keys.contains(first));
    let without = without.count();
    if without > 0 {
        return Err(Failure::wrong(format!(
            "{without} of {} servers cannot find what the key {first} names: they do not have it\n  fix: copy {} to every \
             server and start each again; one that has ended is forgotten after 90 seconds",
            nodes.len(),
            path.display()
        )));
    }
    file.replace(&new.to_text())?;
    say::line(format_args!(
        "{}: the key {first} is the first.\nnext: copy this file to every other server and start each again; `casque keys \
         show` says when the old key may be retired.",
        path.display()
    ));
    Ok(())
}

async fn retire(loaded: &Loaded) -> Result<(), Failure> {
    let path = &loaded.config.secret_key;
    let file = Locked::open(path)?;
    let old = ring(&file, path)?;
    let keys = old.fingerprints();
    let [_, second] = &keys[..] else {
        return Err(Failure::wrong(format!(
            "{}: there is one key alone, and it is in use",
            path.display()
        )));
    };
    let store = Store::look(loaded).await?;
    let people = loaded.people.people();
    let people = people.iter().map(|person| person.id.as_str());
    let retired = store.server.retire_second_key(people).await;
    let moved = retired.map_err(|error| retire_fault(&error))?;
    file.replace(&old.clone().without_second().to_text())?;
    say::line(format_args!(
        "{}: the key {second} is removed. Consents moved: {moved}.\nnext: copy this file to every other server and start \
         each again.",
        path.display()
    ));
    Ok(())
}

fn ring(file: &Locked, path: &Path) -> Result<KeyRing, Failure> {
    // What is wrong with the file is told as the server tells it.
    secret_key(path)?;
    KeyRing::parse(file.text()).ok_or_else(|| {
        Failure::wrong(format!(
            "{}: it has been changed meanwhile; try again",
            path.display()
        ))
    })
}

fn retire_fault(error: &RetireError) -> Failure {
    match error {
        RetireError::InUse { until, .. } => Failure::wrong(format!(
            "{}\n  fix: try again after {}, if no server has that key first any more; `casque keys show` tells",
            chain(error),
            time(*until)
        )),
        RetireError::Claim(error) => claim_fault(error),
        _ => Failure::wrong(chain(error)),
    }
}

fn no_random(error: &StoreError) -> Failure {
    Failure::failed("a new key", error)
}
