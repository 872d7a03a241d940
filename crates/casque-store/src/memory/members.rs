use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::instant::Nanos;

/// The members of one set, each with its deadline.
///
/// Most sets hold a handful (the services of one session) and should cost little; a few hold thousands (the failures of
/// one network) and should not be walked at every append. Hence two shapes.
pub(super) enum Members {
    Few(Vec<(Box<[u8]>, Nanos)>),
    // In a box, so that the many sets with a handful do not carry its size.
    Many(Box<Many>),
}

#[derive(Default)]
pub(super) struct Many {
    deadlines: HashMap<Arc<[u8]>, Nanos>,
    by_deadline: BTreeSet<(Nanos, Arc<[u8]>)>,
}

/// Up to here a walk is as cheap as a lookup.
const FEW: usize = 16;

impl Members {
    /// Adds a member; one that is there keeps the later deadline.
    pub(super) fn insert(&mut self, member: Vec<u8>, deadline: Nanos) {
        match self {
            Self::Few(few) => {
                if let Some((_, present)) = few.iter_mut().find(|(bytes, _)| **bytes == *member) {
                    *present = deadline.max(*present);
                } else if few.len() < FEW {
                    few.reserve_exact(1);
                    few.push((member.into_boxed_slice(), deadline));
                } else {
                    let mut many = Box::<Many>::default();
                    for (bytes, deadline) in few.drain(..) {
                        many.insert(bytes.into(), deadline);
                    }
                    many.insert(member.into(), deadline);
                    *self = Self::Many(many);
                }
            }
            Self::Many(many) => many.insert(member.into(), deadline),
        }
    }

    /// Removes a member and returns its deadline.
    pub(super) fn remove(&mut self, member: &[u8]) -> Option<Nanos> {
        match self {
            Self::Few(few) => {
                let place = few.iter().position(|(bytes, _)| **bytes == *member)?;
                Some(few.swap_remove(place).1)
            }
            Self::Many(many) => {
                let (bytes, deadline) = many.deadlines.remove_entry(member)?;
                many.by_deadline.remove(&(deadline, bytes));
                Some(deadline)
            }
        }
    }

    /// Removes up to `limit` members whose deadline has passed, and returns how many.
    pub(super) fn remove_expired(&mut self, now: Nanos, limit: usize) -> usize {
        let mut removed = 0;
        match self {
            Self::Few(few) => few.retain(|&(_, deadline)| {
                let keep = now < deadline || removed >= limit;
                removed += usize::from(!keep);
                keep
            }),
            Self::Many(many) => {
                while removed < limit && many.remove_expired_one(now) {
                    removed += 1;
                }
            }
        }
        removed
    }

    /// Removes all members and returns them.
    pub(super) fn drain(&mut self) -> Vec<Vec<u8>> {
        match std::mem::take(self) {
            Self::Few(few) => few.into_iter().map(|(bytes, _)| bytes.into_vec()).collect(),
            Self::Many(many) => {
                let members = many.deadlines.into_keys();
                members.map(|bytes| bytes.to_vec()).collect()
            }
        }
    }

    pub(super) fn live(&self, now: Nanos) -> Vec<Vec<u8>> {
        let live = self.live_until(now).into_iter();
        live.map(|(member, _)| member).collect()
    }

    /// The live members, each with its deadline.
    pub(super) fn live_until(&self, now: Nanos) -> Vec<(Vec<u8>, Nanos)> {
        match self {
            Self::Few(few) => few
                .iter()
                .filter(|(_, deadline)| now < *deadline)
                .map(|(bytes, deadline)| (bytes.to_vec(), *deadline))
                .collect(),
            Self::Many(many) => many
                .by_deadline
                .iter()
                .rev()
                .take_while(|(deadline, _)| now < *deadline)
                .map(|(deadline, bytes)| (bytes.to_vec(), *deadline))
                .collect(),
        }
    }

    pub(super) fn soonest(&self) -> Option<Nanos> {
        match self {
            Self::Few(few) => few.iter().map(|&(_, deadline)| deadline).min(),
            Self::Many(many) => many.by_deadline.first().map(|&(deadline, _)| deadline),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.deadlines.len(),
        }
    }
}

impl Many {
    fn insert(&mut self, member: Arc<[u8]>, deadline: Nanos) {
        let member = match self.deadlines.get_key_value(&member) {
            Some((_, &present)) if deadline <= present => return,
            Some((kept, &present)) => {
                let kept = Arc::clone(kept);
                self.by_deadline.remove(&(present, Arc::clone(&kept)));
                kept
            }
            None => member,
        };
        self.by_deadline.insert((deadline, Arc::clone(&member)));
        self.deadlines.insert(member, deadline);
    }

    fn remove_expired_one(&mut self, now: Nanos) -> bool {
        let soonest = self.by_deadline.first();
        if soonest.is_none_or(|&(deadline, _)| now < deadline) {
            return false;
        }
        if let Some((_, bytes)) = self.by_deadline.pop_first() {
            self.deadlines.remove(&bytes);
        }
        true
    }
}

impl Default for Members {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}
