use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Weak},
    time::{Duration, SystemTime},
};

use crate::{Cursor, Key, Page, StoreError};

/// The longest value or member a store takes, in bytes (16 MiB). Longer ones are [`StoreError::Misuse`].
pub const MAX_VALUE_BYTES: usize = 16 * 1024 * 1024;

/// How many records one batch of [`keep_swept`] removes.
const SWEEP_BATCH: usize = 500;

/// A store that many owners share.
pub type SharedStore = Arc<dyn Store>;

/// What every operation of a [`Store`] returns. It does nothing until it is polled.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Records and sets that expire, shared by many callers.
///
/// **Records** hold one value and one deadline. **Sets** hold members, each with a deadline of its own; a set without
/// live members does not exist. A record and a set of the same key have nothing to do with each other.
///
/// A record or member is live if and only if [`Clock::now`](crate::Clock::now) is before its deadline: gone at the
/// deadline itself, whether or not it has been tidied away. A deadline in the past is allowed, and makes something that
/// is gone at once.
///
/// Every operation is atomic and takes effect once. An operation that has returned `Ok` is seen by all that start
/// afterwards. Dropping a future never leaves half of an operation: it took place as a whole or not at all, and which of
/// the two is not known; the same is true after [`StoreError::Unavailable`].
///
/// The conformance suite in `casque-testkit` checks these promises on any implementation.
pub trait Store: Send + Sync + fmt::Debug + 'static {
    /// Makes a record unless a live one is there. Tells whether it did.
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool>;

    /// Reads a live record.
    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// Gives a live record another deadline, later or earlier. Tells whether there was one; it never brings one back.
    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool>;

    /// Removes a live record and returns its value. Of many callers exactly one gets it (security S-006, S-007).
    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>>;

    /// Removes a record. Tells whether there was a live one.
    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool>;

    /// Adds a member to a set, and returns how many live members the set then has.
    ///
    /// A member that is there already stays once and keeps the later of both deadlines, so that the order in which two
    /// callers append does not matter.
    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize>;

    /// Reads the live members of a set, in no particular order.
    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>>;

    /// Removes some members, all at once. Tells how many were live ones.
    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize>;

    /// Removes one member. Tells whether it was a live one.
    fn remove_member<'a>(&'a self, key: &'a Key, member: &'a [u8]) -> StoreFuture<'a, bool> {
        Box::pin(async move { Ok(self.remove_members(key, &[member]).await? > 0) })
    }

    /// Removes all members and returns the live ones. Of many callers each member goes to exactly one.
    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>>;

    /// Removes up to `limit` records and members whose deadline has passed, and returns how many it removed.
    ///
    /// Fewer than `limit` means that nothing is left to remove for now. See [`keep_swept`].
    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize>;

    /// Reads a page of what is live: for moving, backing up and listing, never within a request.
    ///
    /// Begins at the beginning, or at the cursor of the page before; a page without one ends the walk. With `kind` only
    /// records and sets of that kind are given.
    ///
    /// A page has about `limit` entries: fewer, or none at all, where the back end looked through that much to find
    /// them, and more only where a back end gives one set as a whole. What is live from the first page to the last is
    /// given at least once. What is made, changed or removed meanwhile is given or not, and anything may be given twice.
    /// Deadlines are exact to the millisecond.
    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page>;

    /// Whether the back end frees the space of what has expired by itself, so that nobody needs to sweep.
    ///
    /// No by default. [`keep_swept`] leaves such a store alone; [`sweep`](Self::sweep) works all the same.
    fn frees_space_itself(&self) -> bool {
        false
    }

    /// Finds out whether the store answers, and would take a write.
    fn ping(&self) -> StoreFuture<'_, ()>;
}

/// Sweeps a store at intervals, in bounded batches with a yield between them, until the store is dropped.
/// Ends at once for a store that [frees space by itself](Store::frees_space_itself).
///
/// For a background task: `tokio::spawn(keep_swept(Arc::downgrade(&store), Duration::from_secs(30)))`. Needs tokio's
/// timer. A store that is unavailable is tried again at the next interval.
pub async fn keep_swept(store: Weak<dyn Store>, every: Duration) {
    let mut ticks = tokio::time::interval(every.max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        loop {
            let Some(store) = store.upgrade().filter(|store| !store.frees_space_itself()) else {
                return;
            };
            match store.sweep(SWEEP_BATCH).await {
                Ok(removed) if removed >= SWEEP_BATCH => tokio::task::yield_now().await,
                Ok(_) => break,
                Err(error) => {
                    tracing::warn!(%error, "expired records stay for now");
                    break;
                }
            }
        }
    }
}

/// Refuses what is longer than [`MAX_VALUE_BYTES`].
pub(crate) fn check_length(bytes: &[u8]) -> Result<(), StoreError> {
    if bytes.len() > MAX_VALUE_BYTES {
        return Err(StoreError::misuse(format!(
            "a value of {} bytes is over the store's limit of {MAX_VALUE_BYTES}",
            bytes.len()
        )));
    }
    Ok(())
}
