//! A store that breaks down when told to.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::SystemTime,
};

use casque_store::{Cursor, Key, MemoryStore, Page, SharedStore, Store, StoreError, StoreFuture};

use crate::ManualClock;

/// A store in memory that can be told to break down: from then on every call fails as it does while a real store is away.
///
/// ```
/// use casque_store::Store as _;
/// use casque_testkit::{Breakable, ManualClock};
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let store = Breakable::on(&ManualClock::new());
/// store.break_down();
/// assert!(store.ping().await.unwrap_err().is_unavailable());
/// store.repair();
/// assert!(store.ping().await.is_ok());
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Breakable {
    inner: SharedStore,
    /// How many calls still work.
    left: Arc<AtomicUsize>,
}

impl Breakable {
    /// An empty store on this clock.
    pub fn on(clock: &ManualClock) -> Self {
        Self {
            inner: Arc::new(MemoryStore::new(Arc::new(clock.clone()))),
            left: Arc::new(AtomicUsize::new(usize::MAX)),
        }
    }

    /// The same store, for whoever is to use it.
    pub fn shared(&self) -> SharedStore {
        Arc::new(self.clone())
    }

    /// Every call fails from now on.
    pub fn break_down(&self) {
        self.break_down_after(0);
    }

    /// Every call fails after so many more.
    pub fn break_down_after(&self, calls: usize) {
        self.left.store(calls, Ordering::SeqCst);
    }

    /// Whether the next call fails.
    pub fn is_broken(&self) -> bool {
        self.left.load(Ordering::SeqCst) == 0
    }

    /// Calls work again; nothing is lost.
    pub fn repair(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }

    fn unless_broken<'a, T: Send + 'a>(&self, works: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        let one_less = |left| match left {
            usize::MAX => Some(left),
            left => usize::checked_sub(left, 1),
        };
        let works_still = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok();
        if !works_still {
            let error = io::Error::other("the disk is full");
            return Box::pin(async { Err(StoreError::unavailable("a test store", error)) });
        }
        works
    }
}

impl Store for Breakable {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool> {
        self.unless_broken(self.inner.create(key, value, deadline))
    }

    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.unless_broken(self.inner.get(key))
    }

    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool> {
        self.unless_broken(self.inner.touch(key, deadline))
    }

    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.unless_broken(self.inner.take(key))
    }

    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        self.unless_broken(self.inner.delete(key))
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize> {
        self.unless_broken(self.inner.append(key, member, deadline))
    }

    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        self.unless_broken(self.inner.members(key))
    }

    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        self.unless_broken(self.inner.remove_members(key, members))
    }

    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        self.unless_broken(self.inner.take_members(key))
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.unless_broken(self.inner.sweep(limit))
    }

    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        self.unless_broken(self.inner.walk(kind, from, limit))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.unless_broken(self.inner.ping())
    }
}
