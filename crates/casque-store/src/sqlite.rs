mod schema;
mod sql;
#[cfg(test)]
mod tests;
mod worker;

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, SystemTime},
};

use rusqlite::Connection;

use self::worker::Worker;
use crate::{
    Clock, Cursor, Key, Page, Store, StoreError, StoreFuture,
    hex::{hex, unhex},
    instant::Nanos,
    store::check_length,
};

/// A store in one SQLite file, which outlives the process.
///
/// # What survives
///
/// - **The process is killed** (`kill -9`, a panic, out of memory): every acknowledged operation is there afterwards.
/// - **The machine loses power**: every acknowledged operation too, as far as the disk keeps what it says it has
///   written. Each commit is flushed to the disk before it is acknowledged (`synchronous=FULL`). Nobody waits for a
///   flush alone: one thread writes, and everything that arrives while it is flushing goes into the next commit together.
/// - In both cases an operation whose caller had no answer yet took place as a whole or not at all.
///
/// # What waits for what
///
/// Reading ([`get`](Store::get), [`members`](Store::members)) has connections of its own and never waits for a writer, nor a
/// writer for it (SQLite's write-ahead log). Several stores, in one process or in several, may open the same file; their
/// writers take turns, and one that gets no turn within five seconds answers [`StoreError::Unavailable`]. The file must be
/// on a local disk: the log does not work over network file systems.
///
/// The file is made readable by its owner only. Expired rows take up space until [`Store::sweep`] removes them; run
/// [`keep_swept`](crate::keep_swept) beside the store. Space that becomes free is used again, the file itself does not
/// shrink.
///
/// Dropping the store waits until everything it was asked to do is written.
///
/// ```
/// use std::sync::Arc;
/// use casque_store::{SharedStore, SqliteStore, SystemClock};
///
/// let folder = tempfile::tempdir()?;
/// let store: SharedStore = Arc::new(SqliteStore::open(&folder.path().join("casque.db"), Arc::new(SystemClock::new()))?);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub struct SqliteStore {
    path: PathBuf,
    // Readers are dropped first: the writer's connection is then the last, and closing it folds the log into the file.
    // Reads are short; the second is there for when the first waits for the disk.
    readers: [Worker; 2],
    writer: Worker,
    next_reader: AtomicUsize,
}

/// How long a writer waits for another process's.
const BUSY: Duration = Duration::from_secs(5);

impl SqliteStore {
    /// Opens the file at `path`, or makes it, and starts the threads that work on it. The folder must exist.
    ///
    /// Reads and writes the file, so call it before serving, not within a request.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotOurs`] or [`StoreError::NewerSchema`] for a file that is not for this program, which is left as it
    /// is; [`StoreError::Unavailable`] where it cannot be read or written.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_with(path, clock, BUSY)
    }

    fn open_with(path: &Path, clock: Arc<dyn Clock>, busy: Duration) -> Result<Self, StoreError> {
        let writer = schema::open(path, busy)?;
        let reader = || Worker::reader(schema::open_reader(path, busy)?, Arc::clone(&clock));
        let readers = [reader()?, reader()?];
        Ok(Self {
            path: path.to_owned(),
            readers,
            writer: Worker::writer(writer, clock)?,
            next_reader: AtomicUsize::new(0),
        })
    }

    fn reader(&self) -> &Worker {
        &self.readers[self.next_reader.fetch_add(1, Ordering::Relaxed) % self.readers.len()]
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store for SqliteStore {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool> {
        let (key, deadline) = (*key, Nanos::from(deadline));
        Box::pin(async move {
            check_length(&value)?;
            self.writer
                .run(move |db, now| sql::create(db, &key, &value, deadline, now))
                .await
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        let key = *key;
        Box::pin(async move {
            self.reader()
                .run(move |db, now| sql::get(db, &key, now))
                .await
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool> {
        let (key, deadline) = (*key, Nanos::from(deadline));
        Box::pin(async move {
            self.writer
                .run(move |db, now| sql::touch(db, &key, deadline, now))
                .await
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        let key = *key;
        Box::pin(async move {
            self.writer
                .run(move |db, now| sql::take(db, &key, now))
                .await
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        let key = *key;
        Box::pin(async move {
            self.writer
                .run(move |db, now| sql::delete(db, &key, now))
                .await
        })
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize> {
        let (key, deadline) = (*key, Nanos::from(deadline));
        Box::pin(async move {
            check_length(&member)?;
            self.writer
                .run(move |db, now| sql::append(db, &key, &member, deadline, now))
                .await
        })
    }

    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        let key = *key;
        Box::pin(async move {
            self.reader()
                .run(move |db, now| sql::members(db, &key, now))
                .await
        })
    }

    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        let key = *key;
        Box::pin(async move {
            let members: Vec<Vec<u8>> = members.iter().map(|member| member.to_vec()).collect();
            self.writer
                .run(move |db, now| sql::remove_members(db, &key, &members, now))
                .await
        })
    }

    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        let key = *key;
        Box::pin(async move {
            self.writer
                .run(move |db, now| sql::take_members(db, &key, now))
                .await
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(async move {
            self.writer
                .run(move |db, now| sql::sweep(db, limit, now))
                .await
        })
    }

    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        Box::pin(async move {
            let kind = kind.map(str::to_owned);
            let from = Place::read(from).ok_or_else(Cursor::unknown)?;
            self.reader()
                .run(move |db, now| walk(db, kind.as_deref(), &from, limit.max(1), now))
                .await
        })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.writer.run(|db, _| sql::ping(db)).await })
    }
}

/// Where a walk is: first come the records, then the members.
enum Place {
    Records(i64),
    Members(Option<sql::MemberPlace>),
}

impl Place {
    fn read(cursor: Option<&Cursor>) -> Option<Self> {
        let Some(cursor) = cursor else {
            return Some(Self::Records(0));
        };
        let (table, place) = cursor.as_str().split_once(':')?;
        match (table, place) {
            ("record", row) => row.parse().ok().map(Self::Records),
            ("member", "") => Some(Self::Members(None)),
            ("member", place) => {
                let (key, member) = place.split_once(':')?;
                let key = unhex(key)?.try_into().ok()?;
                Some(Self::Members(Some((key, unhex(member)?))))
            }
            _ => None,
        }
    }

    fn to_cursor(&self) -> Cursor {
        Cursor::new(match self {
            Self::Records(row) => format!("record:{row}"),
            Self::Members(None) => "member:".to_owned(),
            Self::Members(Some((key, member))) => format!("member:{}:{}", hex(key), hex(member)),
        })
    }
}

fn walk(
    db: &Connection,
    kind: Option<&str>,
    from: &Place,
    limit: usize,
    now: Nanos,
) -> rusqlite::Result<Page> {
    let (entries, next) = match from {
        Place::Records(after) => {
            let (found, last) = sql::walk_records(db, kind, *after, limit, now)?;
            (
                found,
                Some(last.map_or(Place::Members(None), Place::Records)),
            )
        }
        Place::Members(after) => {
            let (found, last) = sql::walk_members(db, kind, after.as_ref(), limit, now)?;
            (found, last.map(|last| Place::Members(Some(last))))
        }
    };
    Ok(Page {
        entries,
        next: next.as_ref().map(Place::to_cursor),
    })
}
