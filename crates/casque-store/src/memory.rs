mod members;
mod shard;
mod table;

use std::{
    fmt,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::SystemTime,
};

use self::shard::Shard;
use crate::{
    Clock, Cursor, Key, Page, Store, StoreError, StoreFuture,
    hex::{hex, unhex},
    instant::Nanos,
    store::check_length,
    sync::{AtomicUsize, Mutex, MutexGuard},
};

/// A store in the memory of one process: fast, and gone when the process ends.
///
/// Keys are spread over shards with a lock each, so every operation is one short critical section. Whatever expires is
/// removed by [`Store::sweep`], and a little of it by every insertion, so that memory stays in proportion to what is
/// live even where nobody sweeps.
///
/// ```
/// use std::sync::Arc;
/// use casque_store::{MemoryStore, SharedStore, SystemClock};
///
/// let store: SharedStore = Arc::new(MemoryStore::new(Arc::new(SystemClock::new())));
/// ```
pub struct MemoryStore {
    shards: Box<[Mutex<Shard>]>,
    /// Where the next sweep begins, so that no shard is left out when each batch fills up early.
    sweep_from: AtomicUsize,
    clock: Arc<dyn Clock>,
}

/// More than the cores of the machines this runs on, so that two threads seldom want the same lock.
///
/// A model takes two, the fewest that can be told apart: every lock is one more thing that it turns over.
const SHARDS: usize = if cfg!(casque_model) { 2 } else { 64 };

/// How many expired entries an insertion removes from its shard: more than it adds, so leftovers shrink under load.
const SWEEP_BY_INSERT: usize = 2;

impl MemoryStore {
    /// An empty store that judges deadlines by `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::new(Shard::default())).collect(),
            sweep_from: AtomicUsize::new(0),
            clock,
        }
    }

    /// How many records and members are held, expired ones that have not been swept included.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    /// Whether nothing is held at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn now(&self) -> Nanos {
        self.clock.now().into()
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, Shard> {
        // The digest is uniform; its first bytes choose the bucket inside the shard, so the last one chooses the shard.
        lock(&self.shards[usize::from(key.digest()[31]) % SHARDS])
    }

    fn sweep_some(&self, limit: usize) -> usize {
        let now = self.now();
        let start = self.sweep_from.fetch_add(1, Ordering::Relaxed);
        let mut removed = 0;
        for step in 0..SHARDS {
            if removed >= limit {
                break;
            }
            removed +=
                lock(&self.shards[start.wrapping_add(step) % SHARDS]).sweep(now, limit - removed);
        }
        removed
    }

    /// A cursor is the number of a shard, and the digest to go on behind where the shard has more.
    fn page(
        &self,
        kind: Option<&str>,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let (mut number, mut after) = match from {
            None => (0, None),
            Some(cursor) => read_cursor(cursor).ok_or_else(Cursor::unknown)?,
        };
        let mut entries = Vec::new();
        while number < SHARDS && entries.len() < limit.max(1) {
            let shard = lock(&self.shards[number]);
            let now = self.now();
            let (found, last) = shard.walk(kind, after, limit.max(1) - entries.len(), now);
            entries.extend(found);
            after = last;
            if last.is_none() {
                number += 1;
            }
        }
        let next = (number < SHARDS).then(|| {
            let digits = after.map(|digest| hex(&digest)).unwrap_or_default();
            Cursor::new(format!("{number}:{digits}"))
        });
        Ok(Page { entries, next })
    }
}

fn read_cursor(cursor: &Cursor) -> Option<(usize, Option<[u8; 32]>)> {
    let (number, digits) = cursor.as_str().split_once(':')?;
    let number = number.parse().ok()?;
    if digits.is_empty() {
        return Some((number, None));
    }
    Some((number, Some(unhex(digits)?.try_into().ok()?)))
}

/// A panic under the lock cannot leave a shard half changed in a way that matters more than refusing all later calls.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}

// The time is read under the shard's lock: two callers of one key then agree on the order of lock and time.
impl Store for MemoryStore {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            check_length(&value)?;
            let mut shard = self.shard(key);
            let now = self.now();
            shard.sweep(now, SWEEP_BY_INSERT);
            Ok(shard.create(key, value, deadline.into(), now))
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let shard = self.shard(key);
            let now = self.now();
            Ok(shard.get(key.digest(), now))
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut shard = self.shard(key);
            let now = self.now();
            Ok(shard.touch(key.digest(), deadline.into(), now))
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            let mut shard = self.shard(key);
            let now = self.now();
            Ok(shard.take(key.digest(), now))
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let mut shard = self.shard(key);
            let now = self.now();
            Ok(shard.take(key.digest(), now).is_some())
        })
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move {
            check_length(&member)?;
            let mut shard = self.shard(key);
            let now = self.now();
            shard.sweep(now, SWEEP_BY_INSERT);
            Ok(shard.append(key, member, deadline.into(), now))
        })
    }

    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let shard = self.shard(key);
            let now = self.now();
            Ok(shard.members(key.digest(), now))
        })
    }

    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move {
            let mut shard = self.shard(key);
            let now = self.now();
            Ok(shard.remove_members(key.digest(), members, now))
        })
    }

    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let mut shard = self.shard(key);
            let now = self.now();
            Ok(shard.take_members(key.digest(), now))
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(async move { Ok(self.sweep_some(limit)) })
    }

    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        Box::pin(async move { self.page(kind, from, limit) })
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async { Ok::<_, StoreError>(()) })
    }
}
