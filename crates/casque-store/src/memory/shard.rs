use std::{
    collections::{BTreeSet, HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

use super::members::Members;
use crate::instant::Nanos;

type Digest = [u8; 32];
type DigestMap<V> = HashMap<Digest, V, BuildHasherDefault<DigestHasher>>;

/// One lock's worth of the store.
///
/// Every record has one entry in `due`, and every set one, for its soonest member: so a sweep costs what it removes,
/// however much is live.
#[derive(Default)]
pub(super) struct Shard {
    records: DigestMap<Record>,
    sets: DigestMap<Members>,
    due: BTreeSet<(Nanos, What, Digest)>,
}

struct Record {
    deadline: Nanos,
    value: Box<[u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Record,
    Set,
}

impl Shard {
    pub(super) fn create(
        &mut self,
        digest: Digest,
        value: Vec<u8>,
        deadline: Nanos,
        now: Nanos,
    ) -> bool {
        if self
            .records
            .get(&digest)
            .is_some_and(|record| now < record.deadline)
        {
            return false;
        }
        self.forget(&digest);
        if now < deadline {
            let value = value.into_boxed_slice();
            self.records.insert(digest, Record { deadline, value });
            self.due.insert((deadline, What::Record, digest));
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
        digest: Digest,
        member: Vec<u8>,
        deadline: Nanos,
        now: Nanos,
    ) -> usize {
        self.change_set(digest, |set| {
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
            .map_or_else(Vec::new, |set| set.live(now))
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
        self.records.len() + self.sets.values().map(Members::len).sum::<usize>()
    }

    fn forget(&mut self, digest: &Digest) -> Option<Record> {
        let record = self.records.remove(digest)?;
        self.due.remove(&(record.deadline, What::Record, *digest));
        Some(record)
    }

    /// Changes a set and keeps its entry in `due` at its soonest member; a set without members is dropped.
    fn change_set<T>(&mut self, digest: Digest, change: impl FnOnce(&mut Members) -> T) -> T {
        let mut entry = match self.sets.entry(digest) {
            Entry::Occupied(entry) => entry,
            Entry::Vacant(entry) => entry.insert_entry(Members::default()),
        };
        let set = entry.get_mut();
        let before = set.soonest();
        let outcome = change(set);
        let after = set.soonest();
        if after.is_none() {
            entry.remove();
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
