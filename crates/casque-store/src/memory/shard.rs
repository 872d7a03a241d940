use super::{
    members::Members,
    table::{Digest, Expires, Held, Table},
};
use crate::{Entry, Key, Shape, instant::Nanos};

/// One lock's worth of the store.
#[derive(Default)]
pub(super) struct Shard {
    records: Table<Record>,
    sets: Table<Members>,
}

struct Record {
    deadline: Nanos,
    value: Box<[u8]>,
}

impl Expires for Record {
    fn first_end(&self) -> Option<Nanos> {
        Some(self.deadline)
    }
}

impl Expires for Members {
    fn first_end(&self) -> Option<Nanos> {
        self.soonest()
    }
}

impl Shard {
    pub(super) fn create(
        &mut self,
        key: &Key,
        value: Vec<u8>,
        deadline: Nanos,
        now: Nanos,
    ) -> bool {
        if self.live(key.digest(), now).is_some() {
            return false;
        }
        if now < deadline {
            let value = value.into_boxed_slice();
            self.records.insert(held(key, Record { deadline, value }));
        } else {
            self.records.remove(key.digest());
        }
        true
    }

    fn live(&self, digest: &Digest, now: Nanos) -> Option<&Record> {
        let record = &self.records.get(digest)?.value;
        (now < record.deadline).then_some(record)
    }

    pub(super) fn get(&self, digest: &Digest, now: Nanos) -> Option<Vec<u8>> {
        self.live(digest, now).map(|record| record.value.to_vec())
    }

    pub(super) fn touch(&mut self, digest: &Digest, deadline: Nanos, now: Nanos) -> bool {
        let touched = self.records.change(digest, |record| {
            let is_live = now < record.deadline;
            if is_live {
                record.deadline = deadline;
            }
            is_live
        });
        touched.unwrap_or(false)
    }

    pub(super) fn take(&mut self, digest: &Digest, now: Nanos) -> Option<Vec<u8>> {
        let record = self.records.remove(digest)?;
        (now < record.deadline).then(|| record.value.into_vec())
    }

    pub(super) fn append(
        &mut self,
        key: &Key,
        member: Vec<u8>,
        deadline: Nanos,
        now: Nanos,
    ) -> usize {
        let add = |set: &mut Members| {
            set.remove_expired(now, usize::MAX);
            if now < deadline {
                set.insert(member, deadline);
            }
            set.len()
        };
        if self.sets.get(key.digest()).is_some() {
            return self.sets.change(key.digest(), add).unwrap_or(0);
        }
        let mut members = Members::default();
        let count = add(&mut members);
        self.sets.insert(held(key, members));
        count
    }

    pub(super) fn members(&self, digest: &Digest, now: Nanos) -> Vec<Vec<u8>> {
        let set = self.sets.get(digest);
        set.map_or_else(Vec::new, |set| set.value.live(now))
    }

    pub(super) fn remove_members(
        &mut self,
        digest: &Digest,
        members: &[&[u8]],
        now: Nanos,
    ) -> usize {
        let removed = self.sets.change(digest, |set| {
            let removed = members.iter().filter_map(|member| set.remove(member));
            removed.filter(|deadline| now < *deadline).count()
        });
        removed.unwrap_or_default()
    }

    pub(super) fn take_members(&mut self, digest: &Digest, now: Nanos) -> Vec<Vec<u8>> {
        let taken = self.sets.change(digest, |set| {
            set.remove_expired(now, usize::MAX);
            set.drain()
        });
        taken.unwrap_or_default()
    }

    /// Removes up to `limit` expired records and members.
    pub(super) fn sweep(&mut self, now: Nanos, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit
            && let Some(digest) = self.records.first_over(now)
        {
            self.records.remove(&digest);
            removed += 1;
        }
        while removed < limit
            && let Some(digest) = self.sets.first_over(now)
        {
            let limit = limit - removed;
            let gone = self
                .sets
                .change(&digest, |set| set.remove_expired(now, limit));
            removed += gone.unwrap_or(0);
        }
        if removed > 0 {
            self.records.give_back();
            self.sets.give_back();
        }
        removed
    }

    pub(super) fn len(&self) -> usize {
        let members: usize = self.sets.iter().map(|set| set.value.len()).sum();
        self.records.len() + members
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
        let records = self.records.iter().map(|record| record.digest);
        let sets = self.sets.iter().map(|set| set.digest);
        let mut digests: Vec<Digest> = records.chain(sets).collect();
        digests.retain(|digest| after.is_none_or(|after| after < *digest));
        digests.sort_unstable();
        digests.dedup();
        let wanted = |of: &str| kind.is_none_or(|kind| kind == of);
        let mut found = Vec::new();
        for digest in &digests {
            if let Some(held) = self.records.get(digest)
                && now < held.value.deadline
                && wanted(held.kind)
            {
                let Record { deadline, value } = &held.value;
                found.push(entry(held, Shape::Record, value.to_vec(), *deadline));
            }
            if let Some(held) = self.sets.get(digest)
                && wanted(held.kind)
            {
                let live = held.value.live_until(now).into_iter();
                found.extend(live.map(|(member, end)| entry(held, Shape::Member, member, end)));
            }
            if found.len() >= limit {
                return (found, Some(*digest));
            }
        }
        (found, None)
    }
}

fn held<V>(key: &Key, value: V) -> Held<V> {
    Held {
        digest: *key.digest(),
        kind: key.kind(),
        value,
    }
}

fn entry<V>(held: &Held<V>, shape: Shape, value: Vec<u8>, deadline: Nanos) -> Entry {
    Entry {
        key: Key::known(held.kind, held.digest),
        shape,
        value,
        deadline: deadline.into(),
    }
}
