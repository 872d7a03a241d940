//! The people of the application, in an SQLite database.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, Result, Row};

/// The table of people.
pub(crate) struct People(Mutex<Connection>);

/// One row.
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) mail: String,
    pub(crate) about: String,
    pub(crate) since: String,
}

impl People {
    pub(crate) fn open(path: impl AsRef<Path>) -> Result<Self> {
        let database = Connection::open(path)?;
        database.execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE IF NOT EXISTS people (
                 name TEXT PRIMARY KEY NOT NULL,
                 mail TEXT NOT NULL,
                 about TEXT NOT NULL DEFAULT '',
                 since TEXT NOT NULL DEFAULT CURRENT_DATE
             ) STRICT;",
        )?;
        Ok(Self(Mutex::new(database)))
    }

    /// The person of this name, created where they are new. What the CAS server says about them is
    /// brought up to date.
    pub(crate) fn at_login(&self, name: &str, mail: &str) -> Result<Person> {
        self.database().query_row(
            "INSERT INTO people (name, mail) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET mail = excluded.mail
             RETURNING name, mail, about, since",
            [name, mail],
            person,
        )
    }

    pub(crate) fn set_about(&self, name: &str, about: &str) -> Result<()> {
        self.database().execute(
            "UPDATE people SET about = ?2 WHERE name = ?1",
            [name, about],
        )?;
        Ok(())
    }

    pub(crate) fn all(&self) -> Result<Vec<Person>> {
        self.database()
            .prepare("SELECT name, mail, about, since FROM people ORDER BY name")?
            .query_map([], person)?
            .collect()
    }

    fn database(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn person(row: &Row<'_>) -> Result<Person> {
    Ok(Person {
        name: row.get(0)?,
        mail: row.get(1)?,
        about: row.get(2)?,
        since: row.get(3)?,
    })
}
