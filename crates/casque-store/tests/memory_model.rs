//! A model check of the memory store: every order in which two or three callers can meet (R-096, S-006, S-007).
//!
//! loom runs each body once for each order of its locks and atomic steps, the store's own among them: `casque_store` is
//! built with loom's locks in place of the standard library's and is otherwise what everybody runs. Run it with
//! `scripts/proof model`; an ordinary test run has nothing of it.
#![cfg(casque_model)]

use std::{
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    task::{Context, Poll, Waker},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use casque_store::{Clock, Key, KeyHasher, MemoryStore, Store, StoreFuture};
use loom::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// Deadlines of what is live at first.
const DEADLINE: u64 = 10;

/// A clock that a thread of the model sets.
#[derive(Debug)]
struct ModelClock(AtomicU64);

impl Clock for ModelClock {
    fn now(&self) -> SystemTime {
        at(self.0.load(Ordering::SeqCst))
    }
}

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A store, its clock, and one key.
#[derive(Clone)]
struct Case {
    store: Arc<MemoryStore>,
    clock: std::sync::Arc<ModelClock>,
    key: Key,
}

impl Case {
    fn new(key: Key) -> Self {
        let clock = std::sync::Arc::new(ModelClock(AtomicU64::new(0)));
        Self {
            store: Arc::new(MemoryStore::new(clock.clone())),
            clock,
            key,
        }
    }

    fn create(&self, value: &[u8], deadline: u64) -> bool {
        done(self.store.create(&self.key, value.to_vec(), at(deadline)))
    }

    fn take(&self) -> Option<Vec<u8>> {
        done(self.store.take(&self.key))
    }

    /// What takes are left, one after the other.
    fn take_all(&self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.take()).collect()
    }

    fn append(&self, member: &[u8]) -> usize {
        done(self.store.append(&self.key, member.to_vec(), at(DEADLINE)))
    }

    fn passes(&self) {
        self.clock.0.store(DEADLINE, Ordering::SeqCst);
    }

    /// A caller on a thread of its own.
    fn spawn<T: 'static>(&self, call: impl FnOnce(&Self) -> T + 'static) -> thread::JoinHandle<T> {
        let case = self.clone();
        thread::spawn(move || call(&case))
    }
}

/// The memory store never waits for anything but its locks, so every call is done at once.
fn done<T>(call: StoreFuture<'_, T>) -> T {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => outcome.expect("memory does not fail"),
        Poll::Pending => panic!("the memory store waits"),
    }
}

/// Runs a body in every order, and says how many there were.
fn check(name: &str, body: impl Fn(Case) + Send + Sync + 'static) {
    let orders = std::sync::Arc::new(AtomicUsize::new(0));
    let counted = orders.clone();
    // Outside of the model, which has no use for what a key costs.
    let key = Key::new("st", b"ST-1", &KeyHasher::new(&[7; 32]));
    loom::model(move || {
        counted.fetch_add(1, Relaxed);
        body(Case::new(key));
    });
    let orders = orders.load(Relaxed);
    assert!(orders > 1, "{name}: a model of one order");
    println!("{name}: {orders} orders");
}

#[test]
fn of_three_takes_one_wins() {
    check("three takes", |case| {
        assert!(case.create(b"alice", DEADLINE));
        let others = [case.spawn(Case::take), case.spawn(Case::take)];
        let mut won: Vec<Vec<u8>> = case.take().into_iter().collect();
        for other in others {
            won.extend(other.join().expect("no panic"));
        }
        assert_eq!(won, [b"alice"]);
    });
}

#[test]
fn what_is_taken_was_not_over_and_what_is_over_is_not_taken() {
    check("expiry against take", |case| {
        assert!(case.create(b"alice", DEADLINE));
        let time = case.spawn(Case::passes);
        let other = case.spawn(Case::take);
        let mine = case.take();
        let theirs = other.join().expect("no panic");
        time.join().expect("no panic");
        assert!(mine.is_none() || theirs.is_none(), "two winners");
        // From now on it is over, for whoever did not get it.
        assert_eq!(case.take(), None);
    });
}

#[test]
fn a_record_is_taken_or_swept_and_never_both() {
    check("expiry and sweep against take", |case| {
        assert!(case.create(b"alice", DEADLINE));
        let sweeper = case.spawn(|case| {
            case.passes();
            done(case.store.sweep(10))
        });
        let taken = usize::from(case.take().is_some());
        let swept = sweeper.join().expect("no panic");
        assert!(taken + swept <= 1, "taken and swept");
        assert!(case.store.is_empty(), "left behind");
    });
}

#[test]
fn create_races_take_and_no_value_is_lost_or_doubled() {
    check("create against take", |case| {
        assert!(case.create(b"first", DEADLINE));
        let creator = case.spawn(|case| case.create(b"second", DEADLINE));
        let mut taken: Vec<Vec<u8>> = case.take().into_iter().collect();
        let made = creator.join().expect("no panic");
        taken.extend(case.take_all());
        // The second is there if and only if its maker was told so, and only after the first.
        let expected: &[&[u8]] = if made {
            &[b"first", b"second"]
        } else {
            &[b"first"]
        };
        assert_eq!(taken, expected);
    });
}

#[test]
fn what_is_over_is_not_revived_by_who_makes_it_anew() {
    check("create over an expired record against take", |case| {
        assert!(case.create(b"old", DEADLINE));
        case.passes();
        let creator = case.spawn(|case| case.create(b"new", DEADLINE + 1));
        let mut taken: Vec<Vec<u8>> = case.take().into_iter().collect();
        assert!(creator.join().expect("no panic"), "nothing was there");
        taken.extend(case.take_all());
        assert_eq!(taken, [b"new"]);
    });
}

#[test]
fn of_two_creates_one_wins() {
    check("two creates and a take", |case| {
        let one = case.spawn(|case| case.create(b"one", DEADLINE));
        let two = case.spawn(|case| case.create(b"two", DEADLINE));
        let mut taken: Vec<Vec<u8>> = case.take().into_iter().collect();
        let made =
            usize::from(one.join().expect("no panic")) + usize::from(two.join().expect("no panic"));
        taken.extend(case.take_all());
        assert_eq!(taken.len(), made, "each one that was made is taken once");
        assert!(made >= 1 && (made == 1 || taken[0] != taken[1]));
    });
}

#[test]
fn a_visit_noted_while_the_session_is_told_of_is_in_one_hand() {
    check("two appends against taking all members", |case| {
        let one = case.spawn(|case| case.append(b"one"));
        let two = case.spawn(|case| case.append(b"two"));
        let mut found = done(case.store.take_members(&case.key));
        one.join().expect("no panic");
        two.join().expect("no panic");
        found.extend(done(case.store.take_members(&case.key)));
        found.sort();
        assert_eq!(found, [b"one", b"two"]);
    });
}

#[test]
fn a_message_is_claimed_by_one() {
    check("two claims of one member", |case| {
        case.append(b"visit");
        let claim = |case: &Case| done(case.store.remove_member(&case.key, b"visit"));
        let other = case.spawn(claim);
        let mine = claim(&case);
        assert!(mine ^ other.join().expect("no panic"));
        assert!(case.store.is_empty());
    });
}

/// The model does find what is wrong: a take in two steps, as it must not be written, has two winners in some order.
#[test]
fn a_take_in_two_steps_is_found_out() {
    static FOUND: AtomicBool = AtomicBool::new(false);
    check("reading and deleting in two steps", |case| {
        assert!(case.create(b"alice", DEADLINE));
        let in_two_steps = |case: &Case| {
            let value = done(case.store.get(&case.key));
            done(case.store.delete(&case.key));
            value
        };
        let other = case.spawn(in_two_steps);
        let mine = in_two_steps(&case);
        let theirs = other.join().expect("no panic");
        if mine.is_some() && theirs.is_some() {
            FOUND.store(true, Relaxed);
        }
    });
    assert!(FOUND.load(Relaxed), "the model misses orders");
}
