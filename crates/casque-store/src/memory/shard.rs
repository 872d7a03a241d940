use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasherDefault, Hasher},
};

use super::members::Members;
use crate::{Entry, Key, Shape, instant::Nanos};

type Digest = [u8; 32];
type DigestMap<V> = HashMap<Digest, V, BuildHasherDefault<DigestHasher>>;

/// One lock's worth of the store.
///
/// Every record has one entry in `due`, and every set one, for its soonest member: so a sweep costs what it removes,
/// however much is live.
#[derive(Default)]
pub(super) struct Shard {
    records: DigestMap<Record>,
    sets: DigestMap<Set>,
    due: BTreeSet<(Nanos, What, Digest)>,
}

struct Record {
    kind: &'static str,
    deadline: Nanos,
    value: Box<[u8]>,
}

struct Set {
    kind: &'static str,
    members: Members,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Record,
    Set,
}

impl Shard {
    pub(super) fn create(
        &mut self,
        key: &Key,
        value: Vec<u8>,
        deadline: Nanos,
        now: Nanos,
    ) -> bool {
        let digest = key.digest();
        if self
            .records
            .get(digest)
            .is_some_and(|record| now < record.deadline)
        {
            return false;
        }
        self.forget(digest);
        if now < deadline {
            let record = Record {
                kind: key.kind(),
                deadline,
                value: value.into_boxed_slice(),
            };
            self.records.insert(*digest, record);
            self.due.insert((deadline, What::Record, *digest));
        }
        true
    }

    pub(super) fn get(&self, digest: &Digest, now: Nanos) -> Option<Vec<u8>> {
        let record = self.records.get(digest)?;
        (now < record.deadline).then(|| record.value.to_vec())
    }

    pub(super) fn touch(&mut self, digest: &Digest, deadline: Nanos, now: Nanos) -> bool {
        match self.records.get_mut(digest) {
            Some(record) if now < record.deadline => {
                self.due.remove(&(record.deadline, What::Record, *digest));
                self.due.insert((deadline, What::Record, *digest));
                record.deadline = deadline;
                true
            }
            _ => false,
        }
    }

    pub(super) fn take(&mut self, digest: &Digest, now: Nanos) -> Option<Vec<u8>> {
        let record = self.forget(digest)?;
        (now < record.deadline).then(|| record.value.into_vec())
    }

    pub(super) fn append(
        &mut self,
        key: &Key,
        member: Vec<u8>,
        deadline: Nanos,
        now: Nanos,
    ) -> usize {
        self.sets.entry(*key.digest()).or_insert_with(|| Set {
            kind: key.kind(),
            members: Members::default(),
        });
        self.change_set(*key.digest(), |set| {
            set.remove_expired(now, usize::MAX);
            if now < deadline {
                set.insert(member, deadline);
            }
            set.len()
        })
    }

    pub(super) fn members(&self, digest: &Digest, now: Nanos) -> Vec<Vec<u8>> {
        self.sets
            .get(digest)
            .map_or_else(Vec::new, |set| set.members.live(now))
    }

    pub(super) fn remove_member(&mut self, digest: &Digest, member: &[u8], now: Nanos) -> bool {
        self.change_set(*digest, |set| set.remove(member))
            .is_some_and(|deadline| now < deadline)
    }

    pub(super) fn take_members(&mut self, digest: &Digest, now: Nanos) -> Vec<Vec<u8>> {
        self.change_set(*digest, |set| {
            set.remove_expired(now, usize::MAX);
            set.drain()
        })
    }

    /// Removes up to `limit` expired records and members.
    pub(super) fn sweep(&mut self, now: Nanos, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit {
            match self.due.first() {
                Some(&(deadline, what, digest)) if deadline <= now => {
                    let gone = match what {
                        What::Record => usize::from(self.forget(&digest).is_some()),
                        What::Set => {
                            self.change_set(digest, |set| set.remove_expired(now, limit - removed))
                        }
                    };
                    if gone == 0 {
                        // Every entry has its record or set; if that were ever broken, a sweep must end all the same.
                        self.due.pop_first();
                    }
                    removed += gone;
                }
                _ => break,
            }
        }
        if removed > 0 {
            give_back(&mut self.records);
            give_back(&mut self.sets);
        }
        removed
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
            + self
                .sets
                .values()
                .map(|set| set.members.len())
                .sum::<usize>()
    }

    /// What is live behind `after`, in the order of digests, and the digest to go on behind; none at the end.
    ///
    /// A record and a set of one digest come together, so there may be somewhat more than `limit`.
    pub(super) fn walk(
        &self,
        kind: Option<&str>,
        after: Option<Digest>,
        limit: usize,
        now: Nanos,
    ) -> (Vec<Entry>, Option<Digest>) {
        let mut digests: Vec<Digest> = self
            .records
            .keys()
            .chain(self.sets.keys())
            .copied()
            .collect();
        digests.retain(|digest| after.is_none_or(|after| after < *digest));
        digests.sort_unstable();
        digests.dedup();
        let wanted = |of: &str| kind.is_none_or(|kind| kind == of);
        let mut found = Vec::new();
        for digest in &digests {
            if let Some(record) = self.records.get(digest)
                && now < record.deadline
                && wanted(record.kind)
            {
                let key = Key::known(record.kind, *digest);
                found.push(entry(
                    key,
                    Shape::Record,
                    record.value.to_vec(),
                    record.deadline,
                ));
            }
            if let Some(set) = self.sets.get(digest)
                && wanted(set.kind)
            {
                let key = Key::known(set.kind, *digest);
                let live = set.members.live_until(now).into_iter();
                found.extend(live.map(|(member, end)| entry(key, Shape::Member, member, end)));
            }
            if found.len() >= limit {
                return (found, Some(*digest));
            }
        }
        (found, None)
    }

    fn forget(&mut self, digest: &Digest) -> Option<Record> {
        let record = self.records.remove(digest)?;
        self.due.remove(&(record.deadline, What::Record, *digest));
        Some(record)
    }

    /// Changes a set, if it is there, and keeps its entry in `due` at its soonest member; a set without members is dropped.
    fn change_set<T: Default>(
        &mut self,
        digest: Digest,
        change: impl FnOnce(&mut Members) -> T,
    ) -> T {
        let Some(set) = self.sets.get_mut(&digest) else {
            return T::default();
        };
        let before = set.members.soonest();
        let outcome = change(&mut set.members);
        let after = set.members.soonest();
        if after.is_none() {
            self.sets.remove(&digest);
        }
        if before != after {
            if let Some(before) = before {
                self.due.remove(&(before, What::Set, digest));
            }
            if let Some(after) = after {
                self.due.insert((after, What::Set, digest));
            }
        }
        outcome
    }
}

fn entry(key: Key, shape: Shape, value: Vec<u8>, deadline: Nanos) -> Entry {
    Entry {
        key,
        shape,
        value,
        deadline: deadline.into(),
    }
}

/// Returns memory after a flood has expired.
fn give_back<V>(map: &mut DigestMap<V>) {
    if map.capacity() > 256 && map.len() < map.capacity() / 8 {
        map.shrink_to(map.len() * 2);
    }
}

/// Takes the first eight bytes of the digest as they are: it is an HMAC under a secret key, so nobody can choose them.
#[derive(Default)]
pub(super) struct DigestHasher(u64);

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_ne_bytes(*first);
        }
    }

    // Arrays announce their length first; it is the same for all.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
