use std::{sync::Arc, thread::JoinHandle};

use rusqlite::{Connection, ErrorCode, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::{Clock, StoreError, instant::Nanos};

/// A thread that owns one connection and works off what it is sent.
///
/// Dropping it closes its queue, waits until what is queued is done, and closes the connection.
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// How many jobs may wait; callers beyond wait for a place, so that a slow disk bounds memory.
const QUEUE: usize = 1024;

/// How many jobs share a commit at most: enough that flushing costs each little, few enough that a commit stays short.
const BATCH: usize = 256;

impl Worker {
    /// Runs many jobs in one transaction, and acknowledges them once it is committed.
    pub(super) fn writer(
        mut connection: Connection,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::start("casque-store-writer", move |mut jobs| {
            let mut batch = Vec::with_capacity(BATCH);
            while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
                commit(&mut connection, &mut batch, &*clock);
            }
            if let Err((_, error)) = connection.close() {
                tracing::warn!(%error, "the store was not closed cleanly; nothing acknowledged is lost");
            }
        })
    }

    /// Runs each job as it comes.
    pub(super) fn reader(
        connection: Connection,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        Self::start("casque-store-reader", move |mut jobs| {
            while let Some(mut job) = jobs.blocking_recv() {
                match job.run(&connection, clock.now().into()) {
                    Ok(()) => job.acknowledge(),
                    Err(error) => job.refuse(unavailable(&error)),
                }
            }
        })
    }

    fn start(
        name: &str,
        work: impl FnOnce(mpsc::Receiver<Box<dyn Job>>) + Send + 'static,
    ) -> Result<Self, StoreError> {
        let (jobs, receiver) = mpsc::channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(receiver))
            .map_err(|error| StoreError::unavailable("no thread could be started", error))?;
        Ok(Self {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Sends a job and waits for its outcome. A caller that goes away after sending leaves the job to be done.
    ///
    /// The job may run twice, when the first transaction it was in is rolled back.
    pub(super) async fn run<T, F>(&self, operation: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: Fn(&Connection, Nanos) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        let job = Box::new(Pending {
            operation,
            result: None,
            reply,
        });
        let jobs = self.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).await.map_err(|_| stopped())?;
        outcome.await.map_err(|_| stopped())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the store panicked");
        }
    }
}

/// One operation, and whom to tell.
trait Job: Send {
    fn run(&mut self, db: &Connection, now: Nanos) -> rusqlite::Result<()>;
    fn acknowledge(self: Box<Self>);
    fn refuse(self: Box<Self>, error: StoreError);
}

struct Pending<F, T> {
    operation: F,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Pending<F, T>
where
    T: Send,
    F: Fn(&Connection, Nanos) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, db: &Connection, now: Nanos) -> rusqlite::Result<()> {
        self.result = Some((self.operation)(db, now)?);
        Ok(())
    }

    // A caller that has gone away does not read its answer; sending to it fails, and that is all.
    fn acknowledge(self: Box<Self>) {
        if let Some(result) = self.result {
            drop(self.reply.send(Ok(result)));
        }
    }

    fn refuse(self: Box<Self>, error: StoreError) {
        drop(self.reply.send(Err(error)));
    }
}

enum Failure {
    /// One job failed. The others may be fine.
    Job(rusqlite::Error),
    /// No transaction could be had or committed. Trying the jobs one by one would only fail as often.
    Transaction(rusqlite::Error),
}

/// Carries out a batch and empties it.
fn commit(connection: &mut Connection, batch: &mut Vec<Box<dyn Job>>, clock: &dyn Clock) {
    match transact(connection, batch, clock) {
        Ok(()) => batch.drain(..).for_each(Job::acknowledge),
        Err(Failure::Job(_)) if batch.len() > 1 => {
            for job in batch.drain(..) {
                commit(connection, &mut vec![job], clock);
            }
        }
        Err(Failure::Job(error) | Failure::Transaction(error)) => {
            for job in batch.drain(..) {
                job.refuse(unavailable(&error));
            }
        }
    }
}

fn transact(
    connection: &mut Connection,
    batch: &mut [Box<dyn Job>],
    clock: &dyn Clock,
) -> Result<(), Failure> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Failure::Transaction)?;
    for job in batch {
        // The time is read once the write lock is held, so that waiting for it does not lengthen a life.
        job.run(&transaction, clock.now().into())
            .map_err(Failure::Job)?;
    }
    transaction.commit().map_err(Failure::Transaction)
}

/// SQLite's error for an operator. Its text names tables and columns, never what was bound.
pub(super) fn unavailable(error: &rusqlite::Error) -> StoreError {
    let reason = match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another process has kept the file locked for writing"
        }
        Some(ErrorCode::DiskFull) => "the disk is full",
        Some(ErrorCode::ReadOnly) => "the file or its folder cannot be written",
        Some(ErrorCode::CannotOpen) => "the file cannot be opened",
        Some(ErrorCode::PermissionDenied) => "access to the file is denied",
        Some(ErrorCode::SystemIoFailure) => "the disk failed to read or write",
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            "the file is damaged: restore a copy, or move it away and start with an empty store"
        }
        _ => "SQLite failed",
    };
    let code = error.sqlite_error().map_or(0, |error| error.extended_code);
    StoreError::unavailable(reason, format!("{error} (SQLite code {code})"))
}

fn stopped() -> StoreError {
    StoreError::Unavailable {
        reason: "the store's thread has stopped".to_owned(),
        source: None,
    }
}
