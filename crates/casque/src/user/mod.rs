//! `casque user`: the people in people.toml.

mod edit;
mod password;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use casque_proto::{STANDARD_ATTRIBUTES, attribute_xml_name};
use casque_server::{Config, HashParams, PeopleFile, check_username, hash_password, inspect_hash};
use clap::{Args, Subcommand};
use serde_json::json;

use crate::locked::Locked;
use crate::say::{self, Failure};
use crate::serve::environment;
use edit::Edit;

/// Keep the file of people: add, list and remove them, and set their passwords.
///
/// The file keeps its comments, its order and its mode; a running server takes changes up at once. The exit status is
/// 0 if it is done, 1 if the person, the password or the configuration is wrong, 2 if the command itself is, and 3 if
/// the file cannot be written.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Add a person; the password is read from standard input or asked for twice.
    Add {
        /// The name that the person types and services are told.
        name: String,
        /// An attribute; several values by giving it again.
        #[arg(long = "attr", value_name = "KEY=VALUE", value_parser = attribute)]
        attributes: Vec<(String, String)>,
        #[command(flatten)]
        place: Place,
    },
    /// Set a person's password, read from standard input or asked for twice.
    Passwd {
        /// Whose.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// List everybody with their attributes.
    List {
        /// As one JSON list.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a person.
    Remove {
        /// Whom.
        name: String,
        #[command(flatten)]
        place: Place,
    },
}

/// Which file of people.
#[derive(Debug, Args)]
struct Place {
    /// The configuration that names the file.
    #[arg(long, value_name = "FILE", default_value = "casque.toml")]
    config: PathBuf,

    /// The file itself; the configuration is not read then.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    people: Option<PathBuf>,
}

/// Where the people are, and what a new hash costs.
struct Found {
    path: PathBuf,
    params: HashParams,
}

pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Add {
            name,
            attributes,
            place,
        } => add(&name, &attributes, &place),
        Command::Passwd { name, place } => passwd(&name, &place),
        Command::List { json, place } => list(json, &place),
        Command::Remove { name, place } => remove(&name, &place),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => say::error(failure.words, failure.status),
    }
}

impl Place {
    fn find(&self) -> Result<Found, Failure> {
        if let Some(path) = &self.people {
            return Ok(Found {
                path: path.clone(),
                params: HashParams::default(),
            });
        }
        let config = Config::from_file_and_environment(&self.config, environment())
            .map_err(|faults| Failure::wrong(faults.to_string()))?;
        Ok(Found {
            path: config.people,
            params: config.passwords.params,
        })
    }
}

fn add(name: &str, attributes: &[(String, String)], place: &Place) -> Result<(), Failure> {
    if let Err(rule) = check_username(name) {
        return Err(Failure::wrong(format!("the name {name:?} {rule}")));
    }
    let found = place.find()?;
    // Told before the password is asked for, and looked at again under the lock.
    Edit::read(&found.path)?.refuse_taken(name)?;
    let password = password::ask(name)?;
    let hash = hash_password(&password, found.params);
    let file = Locked::open(&found.path)?;
    let mut edit = Edit::parse(&found.path, file.text())?;
    edit.refuse_taken(name)?;
    edit.add(name, &hash, attributes);
    file.replace(&edit.into_text())?;
    say::line(format_args!("Added {}.", say::plain(name)));
    for warning in attributes_told_otherwise(attributes) {
        say::warning(warning);
    }
    tell_faults(&found);
    Ok(())
}

fn passwd(name: &str, place: &Place) -> Result<(), Failure> {
    let found = place.find()?;
    Edit::read(&found.path)?.require(name)?;
    let password = password::ask(name)?;
    let hash = hash_password(&password, found.params);
    let file = Locked::open(&found.path)?;
    let mut edit = Edit::parse(&found.path, file.text())?;
    edit.require(name)?;
    edit.set_password(name, &hash);
    file.replace(&edit.into_text())?;
    say::line(format_args!("{} has a new password.", say::plain(name)));
    tell_faults(&found);
    Ok(())
}

fn remove(name: &str, place: &Place) -> Result<(), Failure> {
    let found = place.find()?;
    Edit::read(&found.path)?.require(name)?;
    let file = Locked::open(&found.path)?;
    let mut edit = Edit::parse(&found.path, file.text())?;
    edit.require(name)?;
    edit.remove(name);
    file.replace(&edit.into_text())?;
    say::line(format_args!(
        "Removed {}. Whoever is signed in under that name is nobody from the next request on.",
        say::plain(name)
    ));
    tell_faults(&found);
    Ok(())
}

fn list(json: bool, place: &Place) -> Result<(), Failure> {
    let found = place.find()?;
    let people = PeopleFile::open(&found.path)
        .map_err(|faults| Failure::wrong(faults.to_string()))?
        .people();
    if json {
        let list: Vec<_> = people
            .iter()
            .map(|person| {
                let cost = inspect_hash(&person.password_hash).ok().map(|cost| {
                    json!({
                        "algorithm": "argon2id",
                        "memory_kib": cost.memory_kib(),
                        "passes": cost.passes(),
                        "lanes": cost.lanes(),
                    })
                });
                json!({
                    "username": person.id,
                    "disabled": person.disabled,
                    "attributes": person.attributes,
                    "hash": cost,
                })
            })
            .collect();
        say::line(json!(list));
        return Ok(());
    }
    for person in people {
        let mut line = say::plain(&person.id);
        if person.disabled {
            line.push_str(" (disabled)");
        }
        for (name, values) in &person.attributes {
            for value in values {
                line.extend(["  ", &say::plain(name), "=", &say::plain(value)]);
            }
        }
        say::line(line);
    }
    Ok(())
}

/// The change is made; what else is wrong with the file would keep the server from reading it.
fn tell_faults(found: &Found) {
    if let Err(faults) = PeopleFile::open(&found.path) {
        say::warning(format_args!(
            "the server cannot read the file yet:\n{faults}"
        ));
    }
}

/// What to say about attributes whose names do not reach services as they are.
fn attributes_told_otherwise(attributes: &[(String, String)]) -> Vec<String> {
    let names: BTreeSet<&str> = attributes.iter().map(|(name, _)| name.as_str()).collect();
    names
        .into_iter()
        .filter_map(|name| {
            let shown = say::plain(name);
            if STANDARD_ATTRIBUTES.contains(&name) {
                return Some(format!(
                    "the server itself says {shown} about every login; this one may be left out"
                ));
            }
            match attribute_xml_name(name) {
                None => Some(format!(
                    "services that read XML are never told {shown}: the protocol keeps that name for itself"
                )),
                Some(written) if written != name => Some(format!(
                    "services that read XML are told {shown} as {written}"
                )),
                Some(_) => None,
            }
        })
        .collect()
}

fn attribute(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as KEY=VALUE, such as mail=alice@example.org".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_that_xml_changes_are_warned_of_once() {
        //
        let attributes = [
            "mail",
            "user",
            "user",
            "urn:a",
            "first name",
            "isFromNewLogin",
        ]
        .map(|name| (name.to_owned(), "x".to_owned()));
        let warnings = attributes_told_otherwise(&attributes);
        assert_eq!(
            warnings,
            [
                "services that read XML are told first name as first_name",
                "the server itself says isFromNewLogin about every login; this one may be left out",
                "services that read XML are told urn:a as _75726e3a61",
                "services that read XML are never told user: the protocol keeps that name for itself",
            ]
        );
    }
}
