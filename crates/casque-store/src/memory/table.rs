use std::collections::BTreeSet;

use hashbrown::HashTable;

use crate::instant::Nanos;

pub(super) type Digest = [u8; 32];

/// What is held by digest, and what of it is over first.
///
/// A table doubles when it is full, so its places are small: what is held is in a box of its own. `due` has one entry for
/// everything that is held, so a sweep costs what it removes, however much is live.
pub(super) struct Table<V> {
    held: HashTable<Box<Held<V>>>,
    due: BTreeSet<(Nanos, u64)>,
}

/// A record or a set, and what it is held by.
pub(super) struct Held<V> {
    pub(super) digest: Digest,
    pub(super) kind: &'static str,
    pub(super) value: V,
}

pub(super) trait Expires {
    /// When the first of it is over; none if nothing is left of it.
    fn first_end(&self) -> Option<Nanos>;
}

/// The first eight bytes as they are: a digest is an HMAC under a secret key, so nobody can choose them. They stand for
/// the digest in `due`. Two that share them are told apart by their deadlines, to the nanosecond.
fn hash(digest: &Digest) -> u64 {
    let (first, _) = digest.split_first_chunk().expect("a digest is longer");
    u64::from_ne_bytes(*first)
}

impl<V: Expires> Table<V> {
    pub(super) fn get(&self, digest: &Digest) -> Option<&Held<V>> {
        let found = self.held.find(hash(digest), |held| held.digest == *digest);
        found.map(|held| &**held)
    }

    /// Puts it in the place of what was held by its digest. What is over from the start is not held.
    pub(super) fn insert(&mut self, held: Held<V>) {
        self.remove(&held.digest);
        if let Some(end) = held.value.first_end() {
            let hashed = hash(&held.digest);
            self.due.insert((end, hashed));
            self.held
                .insert_unique(hashed, Box::new(held), |held| hash(&held.digest));
        }
    }

    pub(super) fn remove(&mut self, digest: &Digest) -> Option<V> {
        let held = self
            .held
            .find_entry(hash(digest), |held| held.digest == *digest);
        let (held, _) = held.ok()?.remove();
        if let Some(end) = held.value.first_end() {
            self.due.remove(&(end, hash(digest)));
        }
        Some(held.value)
    }

    /// Changes what is held by a digest; if nothing is left of it then, it is held no more.
    pub(super) fn change<T>(
        &mut self,
        digest: &Digest,
        change: impl FnOnce(&mut V) -> T,
    ) -> Option<T> {
        let hashed = hash(digest);
        let mut held = self
            .held
            .find_entry(hashed, |held| held.digest == *digest)
            .ok()?;
        let value = &mut held.get_mut().value;
        let before = value.first_end();
        let outcome = change(value);
        let after = value.first_end();
        if after.is_none() {
            held.remove();
        }
        if before != after {
            if let Some(before) = before {
                self.due.remove(&(before, hashed));
            }
            if let Some(after) = after {
                self.due.insert((after, hashed));
            }
        }
        Some(outcome)
    }

    /// The digest of what is over first, if something is.
    pub(super) fn first_over(&mut self, now: Nanos) -> Option<Digest> {
        while let Some(&(end, hashed)) = self.due.first()
            && end <= now
        {
            let found = self.held.find(hashed, |held| {
                hash(&held.digest) == hashed && held.value.first_end() == Some(end)
            });
            if let Some(held) = found {
                return Some(held.digest);
            }
            // Every entry stands for something; if that were ever broken, a sweep must end all the same.
            self.due.pop_first();
        }
        None
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held<V>> {
        self.held.iter().map(|held| &**held)
    }

    pub(super) fn len(&self) -> usize {
        self.held.len()
    }

    /// Returns memory after a flood has expired.
    pub(super) fn give_back(&mut self) {
        if self.held.capacity() > 256 && self.held.len() < self.held.capacity() / 8 {
            self.held
                .shrink_to(self.held.len() * 2, |held| hash(&held.digest));
        }
    }
}

impl<V> Default for Table<V> {
    fn default() -> Self {
        Self {
            held: HashTable::new(),
            due: BTreeSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Until(i64);

    impl Expires for Until {
        fn first_end(&self) -> Option<Nanos> {
            Some(Nanos(self.0))
        }
    }

    fn held(last: u8, end: i64) -> Held<Until> {
        let mut digest = [7; 32];
        digest[31] = last;
        Held {
            digest,
            kind: "st",
            value: Until(end),
        }
    }

    #[test]
    fn digests_that_begin_alike_are_told_apart() {
        let mut table = Table::default();
        for (last, end) in [(1, 30), (2, 10), (3, 20)] {
            table.insert(held(last, end));
        }
        assert_eq!(table.len(), 3);
        assert_eq!(
            table.get(&held(1, 0).digest).map(|held| held.value.0),
            Some(30)
        );
        for (now, last) in [(10, 2), (20, 3), (30, 1)] {
            assert_eq!(table.first_over(Nanos(now - 1)), None);
            let digest = table.first_over(Nanos(now)).expect("one is over");
            assert_eq!(digest[31], last);
            assert!(table.remove(&digest).is_some());
        }
        assert_eq!((table.len(), table.due.len()), (0, 0));
    }

    #[test]
    fn what_is_changed_is_due_at_its_new_end() {
        let mut table = Table::default();
        table.insert(held(1, 10));
        table.insert(held(1, 20));
        assert_eq!((table.len(), table.due.len()), (1, 1));
        let digest = held(1, 0).digest;
        assert!(table.change(&digest, |until| until.0 = 40).is_some());
        assert_eq!(table.first_over(Nanos(39)), None);
        assert_eq!(table.first_over(Nanos(40)), Some(digest));
        assert!(table.change(&held(2, 0).digest, |_| ()).is_none());
    }
}
