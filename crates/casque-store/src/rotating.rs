use std::time::SystemTime;

use crate::{Cursor, Key, Page, SharedStore, Store, StoreFuture};

/// A store while the secret that names its records is changed: what is found under neither key of a
/// [`KeyHasher`](crate::KeyHasher) with two secrets is not there.
///
/// Something new is written under the first key, and everything else is looked for under both. So nodes with the secrets
/// in either order find each other's records, and nodes with one secret find all that others write as long as it is
/// the first of those. A record is under one key alone and never moves: of many callers on nodes of either order exactly
/// one [takes](Store::take) it (security S-006, S-007). A set may be under both keys at once, and is read and emptied as one.
///
/// One thing two nodes of different order cannot do at the same moment is to [create](Store::create) the same record:
/// both may. That is no matter for what is random and made once, such as a ticket. What several may try to make is named by
/// one secret, which the thing itself tells: [`Key::first`] or [`Key::second`].
///
/// A call costs up to three calls of the store; keys by one secret cost what they cost without this. Where nothing is
/// changed, leave it away.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use casque_store::{Clock, Key, KeyHasher, MemoryStore, RotatingStore, SharedStore, Store, SystemClock};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let clock = Arc::new(SystemClock::new());
/// let store: SharedStore = Arc::new(MemoryStore::new(clock.clone()));
/// let [old, new] = [1, 2].map(|byte| KeyHasher::new(&[byte; 32]));
/// let before = Key::new("st", b"ST-1", &old);
/// store.create(&before, b"alice".to_vec(), clock.now() + Duration::from_secs(10)).await?;
///
/// let store = RotatingStore::new(store);
/// let ticket = Key::new("st", b"ST-1", &new.with_second(old));
/// assert_eq!(store.take(&ticket).await?.as_deref(), Some(&b"alice"[..]));
/// assert_eq!(store.take(&ticket).await?, None);
/// # Ok::<_, casque_store::StoreError>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct RotatingStore(SharedStore);

impl RotatingStore {
    /// Looks into `store` under both keys.
    pub fn new(store: SharedStore) -> Self {
        Self(store)
    }
}

impl Store for RotatingStore {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool> {
        let Some(second) = key.second() else {
            return self.0.create(key, value, deadline);
        };
        Box::pin(async move {
            if self.0.get(&second).await?.is_some() {
                return Ok(false);
            }
            self.0.create(key, value, deadline).await
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        let Some(second) = key.second() else {
            return self.0.get(key);
        };
        Box::pin(async move {
            match self.0.get(key).await? {
                None => self.0.get(&second).await,
                found => Ok(found),
            }
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool> {
        let Some(second) = key.second() else {
            return self.0.touch(key, deadline);
        };
        Box::pin(async move {
            Ok(self.0.touch(key, deadline).await? || self.0.touch(&second, deadline).await?)
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        let Some(second) = key.second() else {
            return self.0.take(key);
        };
        Box::pin(async move {
            match self.0.take(key).await? {
                None => self.0.take(&second).await,
                taken => Ok(taken),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        let Some(second) = key.second() else {
            return self.0.delete(key);
        };
        Box::pin(async move { Ok(self.0.delete(key).await? | self.0.delete(&second).await?) })
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize> {
        let Some(second) = key.second() else {
            return self.0.append(key, member, deadline);
        };
        Box::pin(async move {
            let others = self.0.members(&second).await?;
            if others.contains(&member) {
                let there = self.0.append(&second, member, deadline).await?;
                return Ok(there + self.0.members(key).await?.len());
            }
            Ok(self.0.append(key, member, deadline).await? + others.len())
        })
    }

    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        let Some(second) = key.second() else {
            return self.0.members(key);
        };
        Box::pin(async move {
            // In this order a member that is moved from the second key to the first meanwhile is seen.
            let members = self.0.members(&second).await?;
            Ok(united(members, self.0.members(key).await?))
        })
    }

    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        let Some(second) = key.second() else {
            return self.0.remove_members(key, members);
        };
        Box::pin(async move {
            let mut removed = 0;
            // One by one: a member may be under both keys, and counts once.
            for member in members {
                let by_first = self.0.remove_member(key, member).await?;
                let by_second = self.0.remove_member(&second, member).await?;
                removed += usize::from(by_first | by_second);
            }
            Ok(removed)
        })
    }

    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        let Some(second) = key.second() else {
            return self.0.take_members(key);
        };
        Box::pin(async move {
            let members = self.0.take_members(&second).await?;
            Ok(united(members, self.0.take_members(key).await?))
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.0.sweep(limit)
    }

    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        self.0.walk(kind, from, limit)
    }

    fn frees_space_itself(&self) -> bool {
        self.0.frees_space_itself()
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        self.0.ping()
    }
}

/// The members of two sets, each once.
fn united(mut members: Vec<Vec<u8>>, mut more: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    if members.is_empty() {
        return more;
    }
    members.append(&mut more);
    members.sort_unstable();
    members.dedup();
    members
}
