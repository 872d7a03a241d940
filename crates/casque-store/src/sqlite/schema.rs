//! Opening the file: whose is it, and does it have the tables we know?

use std::{
    fs::OpenOptions,
    io,
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

use super::worker::unavailable;
use crate::StoreError;

/// Marks the file as ours in SQLite's header ("csqe"), where `file` and other programs see it.
const APPLICATION_ID: i64 = 0x6373_7165;

/// The schema this build reads and writes. A change that older builds cannot live with gets the next number.
const VERSION: i64 = 1;

/// Memory for pages of each connection.
const CACHE_KIB: i64 = 8 * 1024;

/// What the log is cut back to once it has been folded into the file.
const LOG_BYTES: i64 = 64 * 1024 * 1024;

// A record's values can be long, so its key is an index beside the rows: by kind, so that tickets, which come and go,
// share a few pages of it however many sessions there are. Members are short and always read by set, so they lie in the
// order of their key; there `kind` is for people, and for moving to another back end, whose keys spell it out.
const TABLES: &str = "
CREATE TABLE casque_schema (version INTEGER NOT NULL);
CREATE TABLE record (
    id INTEGER PRIMARY KEY,
    key BLOB NOT NULL,
    kind TEXT NOT NULL,
    deadline INTEGER NOT NULL, -- nanoseconds since 1970
    value BLOB NOT NULL,
    UNIQUE (kind, key)
);
CREATE INDEX record_deadline ON record (deadline);
CREATE TABLE member (
    key BLOB NOT NULL,
    member BLOB NOT NULL,
    kind TEXT NOT NULL,
    deadline INTEGER NOT NULL, -- nanoseconds since 1970
    PRIMARY KEY (key, member)
) WITHOUT ROWID;
CREATE INDEX member_deadline ON member (deadline);
";

/// Closing any descriptor of a file drops every lock that this process holds on it (POSIX), and [`make_file`] closes one.
/// So nobody else in this process may begin with a file that is being made.
static OPENING: Mutex<()> = Mutex::new(());

/// Opens or makes the file and returns the connection that writes. It waits for other writers no longer than `busy`.
pub(super) fn open(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    make_file(path)?;
    let mut connection = connect(path, busy)?;
    // One snapshot: another process may be making the tables just now.
    let snapshot = connection.transaction().map_err(|e| unavailable(&e))?;
    let known = identify(&snapshot, path)?;
    drop(snapshot);
    if connection
        .is_readonly("main")
        .map_err(|e| unavailable(&e))?
    {
        return Err(StoreError::Unavailable {
            reason: format!(
                "{} cannot be written: check who owns it and its folder",
                path.display()
            ),
            source: None,
        });
    }
    if known == Known::Empty {
        create_tables(&mut connection, path)?;
    }
    use_write_ahead_log(&mut connection, path)?;
    configure(&connection)?;
    Ok(connection)
}

/// Opens a file that [`open`] has opened before, for reading.
pub(super) fn open_reader(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    let connection = connect(path, busy)?;
    configure(&connection)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(|e| unavailable(&e))?;
    Ok(connection)
}

/// Makes an empty file that only its owner can read. SQLite gives the log beside it the same mode.
fn make_file(path: &Path) -> Result<(), StoreError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            if path.is_dir() {
                return Err(StoreError::misuse(format!(
                    "{} is a folder: name a file in it, for example {}",
                    path.display(),
                    path.join("casque.db").display()
                )));
            }
            warn_if_others_can_read(path);
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::misuse(format!(
            "{} cannot be made: its folder does not exist",
            path.display()
        ))),
        Err(error) => Err(StoreError::unavailable(
            format!("{} cannot be made", path.display()),
            error,
        )),
    }
}

fn warn_if_others_can_read(path: &Path) {
    #[cfg(unix)]
    if let Ok(metadata) = path.metadata()
        && std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0
    {
        tracing::warn!(path = %path.display(), "the store can be read by other users of this machine: chmod 600");
    }
    #[cfg(not(unix))]
    let _ = path;
}

fn connect(path: &Path, busy: Duration) -> Result<Connection, StoreError> {
    // Without SQLITE_OPEN_URI, so that no path is read as one; without CREATE, so that the file is made by us or not at all.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| {
        StoreError::unavailable(
            format!("{} cannot be opened", path.display()),
            error.to_string(),
        )
    })?;
    connection.busy_timeout(busy).map_err(|e| unavailable(&e))?;
    Ok(connection)
}

/// Settings that SQLite forgets with the connection. Some of them read the file, so it must be known by now.
fn configure(connection: &Connection) -> Result<(), StoreError> {
    connection.set_prepared_statement_cache_capacity(32);
    connection
        .pragma_update(None, "trusted_schema", false)
        // FULL flushes the log at every commit; see the documentation of SqliteStore.
        .and_then(|()| connection.pragma_update(None, "synchronous", "FULL"))
        .and_then(|()| connection.pragma_update(None, "cache_size", -CACHE_KIB))
        // The log grows while a reader holds on to an old state; give the space back afterwards.
        .and_then(|()| connection.pragma_update(None, "journal_size_limit", LOG_BYTES))
        .map_err(|e| unavailable(&e))
}

#[derive(PartialEq)]
enum Known {
    Ours,
    Empty,
}

/// Finds out whose file this is, without writing to it.
fn identify(transaction: &Transaction<'_>, path: &Path) -> Result<Known, StoreError> {
    let not_ours = |reason: &str| StoreError::NotOurs {
        path: path.to_owned(),
        reason: reason.to_owned(),
    };
    let number = |sql: &str| {
        transaction
            .query_row(sql, [], |row| row.get::<_, i64>(0))
            .map_err(|error| match error.sqlite_error_code() {
                Some(ErrorCode::NotADatabase) => not_ours("it is not an SQLite database"),
                _ => unavailable(&error),
            })
    };
    let application_id = number("PRAGMA application_id")?;
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    match (application_id, tables) {
        (0, 0) => return Ok(Known::Empty),
        (APPLICATION_ID, 1..) => {}
        _ => return Err(not_ours("it is the SQLite database of another program")),
    }
    let found = number("SELECT version FROM casque_schema")?;
    if found > VERSION {
        return Err(StoreError::NewerSchema {
            store: path.display().to_string(),
            found,
            known: VERSION,
        });
    }
    Ok(Known::Ours)
}

fn create_tables(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(|e| unavailable(&e))?;
    // Another process may have made the tables while this one waited for the lock.
    if identify(&transaction, path)? == Known::Ours {
        return Ok(());
    }
    transaction
        .execute_batch(TABLES)
        .and_then(|()| {
            transaction.execute("INSERT INTO casque_schema (version) VALUES (?1)", [VERSION])
        })
        .and_then(|_| transaction.pragma_update(None, "application_id", APPLICATION_ID))
        .and_then(|()| transaction.commit())
        .map_err(|e| unavailable(&e))
}

fn use_write_ahead_log(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    // SQLite answers "busy" at once here instead of waiting, when another process is just opening the file. Waiting for
    // the write lock, as a transaction does, waits for that process.
    let mut attempts = 0;
    let mode = loop {
        match connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0))
        {
            Ok(mode) => break mode,
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && attempts < 100 =>
            {
                attempts += 1;
                connection
                    .transaction_with_behavior(TransactionBehavior::Immediate)
                    .and_then(Transaction::commit)
                    .map_err(|e| unavailable(&e))?;
            }
            Err(error) => return Err(unavailable(&error)),
        }
    };
    if mode != "wal" {
        return Err(StoreError::Unavailable {
            reason: format!(
                "{} is on a file system without shared memory (journal mode {mode}): use a local disk",
                path.display()
            ),
            source: None,
        });
    }
    Ok(())
}
