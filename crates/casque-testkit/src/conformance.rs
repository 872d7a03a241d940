//! What every [`Store`](casque_store::Store) promises, as tests that run on any of them.
//!
//! [`store_conformance!`](crate::store_conformance) makes a module of tests from a function that opens an empty store:
//!
//! ```
//! use std::sync::Arc;
//! use casque_store::MemoryStore;
//! use casque_testkit::{StoreUnderTest, store_conformance};
//!
//! store_conformance!(memory, |clock| {
//!     let store = Arc::new(MemoryStore::new(clock));
//!     let held = Arc::clone(&store);
//!     StoreUnderTest::new(store, move || held.len())
//! });
//! # fn main() {}
//! ```

#![expect(
    clippy::missing_panics_doc,
    reason = "a property that does not hold panics; that is its purpose"
)]

mod expiry;
mod races;
mod records;
mod sets;
mod walk;

use std::{
    fmt,
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime},
};

use casque_store::{Clock, Key, KeyHasher, SharedStore};
use tokio::{sync::Barrier, task::JoinSet};

use crate::ManualClock;

pub use self::{expiry::*, races::*, records::*, sets::*, walk::*};

/// An empty store, and a way to look into its back end.
pub struct StoreUnderTest {
    store: SharedStore,
    hasher: KeyHasher,
    held: Box<dyn Fn() -> usize + Send + Sync>,
}

impl StoreUnderTest {
    /// `held` counts the records and members that the back end holds, expired ones included.
    ///
    /// Whatever `held` captures, such as a temporary folder, is dropped after the store.
    pub fn new(store: SharedStore, held: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self {
            store,
            hasher: KeyHasher::new(&[42; 32]),
            held: Box::new(held),
        }
    }

    /// The same, with records named by another hasher.
    #[must_use]
    pub fn named_by(self, hasher: KeyHasher) -> Self {
        Self { hasher, ..self }
    }
}

impl fmt::Debug for StoreUnderTest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("StoreUnderTest").field(&self.store).finish()
    }
}

/// Runs one property on a fresh store with four threads. For [`store_conformance!`](crate::store_conformance).
///
/// # Panics
///
/// Where the store breaks the property, or has not answered within two minutes.
pub fn check<F>(
    open: impl FnOnce(Arc<dyn Clock>) -> StoreUnderTest,
    property: impl FnOnce(Lab) -> F,
) where
    F: Future<Output = ()>,
{
    let clock = ManualClock::new();
    let StoreUnderTest {
        store,
        hasher,
        held,
    } = open(Arc::new(YieldingClock(clock.clone())));
    let lab = Lab {
        clock,
        store,
        hasher,
        held,
    };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(async {
            tokio::time::timeout(Duration::from_mins(2), property(lab))
                .await
                .expect("the store does not answer");
        });
}

/// Gives way to another thread whenever the time is asked for, which stores do in the middle of an operation: so that
/// racing callers really get between each other, on few cores too.
#[derive(Debug)]
struct YieldingClock(ManualClock);

impl Clock for YieldingClock {
    fn now(&self) -> SystemTime {
        std::thread::yield_now();
        self.0.now()
    }
}

/// A store on the bench: with a clock to set and names to use.
pub struct Lab {
    clock: ManualClock,
    store: SharedStore,
    hasher: KeyHasher,
    held: Box<dyn Fn() -> usize + Send + Sync>,
}

impl fmt::Debug for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lab")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Lab {
    fn key(&self, name: impl AsRef<[u8]>) -> Key {
        Key::new("test", name.as_ref(), &self.hasher)
    }

    fn seconds_from_now(&self, seconds: u64) -> SystemTime {
        self.clock.now() + Duration::from_secs(seconds)
    }

    async fn create(&self, key: &Key, value: &[u8], deadline: SystemTime) -> bool {
        self.store
            .create(key, value.to_vec(), deadline)
            .await
            .expect("create")
    }

    async fn get(&self, key: &Key) -> Option<Vec<u8>> {
        self.store.get(key).await.expect("get")
    }

    async fn touch(&self, key: &Key, deadline: SystemTime) -> bool {
        self.store.touch(key, deadline).await.expect("touch")
    }

    async fn take(&self, key: &Key) -> Option<Vec<u8>> {
        self.store.take(key).await.expect("take")
    }

    async fn delete(&self, key: &Key) -> bool {
        self.store.delete(key).await.expect("delete")
    }

    async fn append(&self, key: &Key, member: &[u8], deadline: SystemTime) -> usize {
        self.store
            .append(key, member.to_vec(), deadline)
            .await
            .expect("append")
    }

    /// Sorted, since sets have no order.
    async fn members(&self, key: &Key) -> Vec<Vec<u8>> {
        let mut members = self.store.members(key).await.expect("members");
        members.sort();
        members
    }

    async fn remove_member(&self, key: &Key, member: &[u8]) -> bool {
        self.store
            .remove_member(key, member)
            .await
            .expect("remove_member")
    }

    async fn remove_members(&self, key: &Key, members: &[&[u8]]) -> usize {
        self.store
            .remove_members(key, members)
            .await
            .expect("remove_members")
    }

    async fn take_members(&self, key: &Key) -> Vec<Vec<u8>> {
        let mut members = self.store.take_members(key).await.expect("take_members");
        members.sort();
        members
    }

    async fn sweep(&self, limit: usize) -> usize {
        self.store.sweep(limit).await.expect("sweep")
    }

    fn held(&self) -> usize {
        (self.held)()
    }

    /// Runs `callers` tasks that start together, and returns what each got.
    async fn race<T, F>(&self, callers: usize, caller: impl Fn(usize, SharedStore) -> F) -> Vec<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let start = Arc::new(Barrier::new(callers));
        let mut tasks = JoinSet::new();
        for number in 0..callers {
            let (start, running) = (Arc::clone(&start), caller(number, Arc::clone(&self.store)));
            tasks.spawn(async move {
                start.wait().await;
                running.await
            });
        }
        tasks.join_all().await
    }
}

/// Makes a module of tests that hold a store to its promises.
///
/// Takes the module's name and a closure from a clock to a [`StoreUnderTest`] that is empty. See [`conformance`](crate::conformance).
///
/// With `NAME in one` it makes a single test instead, for a back end whose server takes long to start: the closure then
/// starts it, and returns the closure that opens stores, or `None` where the server is missing.
#[macro_export]
macro_rules! store_conformance {
    ($name:ident, $open:expr) => {
        $crate::store_conformance! { @list each, $name, $open }
    };
    ($name:ident in one, $open:expr) => {
        $crate::store_conformance! { @list all, $name, $open }
    };
    (@list $how:ident, $name:ident, $open:expr) => {
        $crate::store_conformance! { @$how $name, $open,
            a_record_is_made_read_and_removed
            values_are_opaque_bytes
            a_value_of_one_mebibyte_comes_back
            too_long_values_are_refused
            kinds_are_separate
            records_and_sets_are_separate
            hostile_names_touch_only_themselves
            a_future_does_nothing_until_it_is_polled
            callers_that_go_away_leave_whole_operations
            the_store_answers_a_ping
            a_record_ends_at_its_deadline
            an_expired_record_makes_room
            touch_moves_the_deadline_both_ways
            touch_does_not_revive
            a_deadline_in_the_past_makes_nothing
            nothing_is_left_after_expiry
            a_sweep_is_bounded_and_spares_the_living
            removal_leaves_nothing_to_sweep
            a_take_has_one_winner
            a_create_has_one_winner
            take_and_delete_have_one_winner
            a_touch_never_undoes_a_take
            parallel_appends_are_all_counted
            each_member_is_taken_once
            a_set_counts_its_members
            a_member_appended_again_keeps_the_later_deadline
            each_member_has_its_own_deadline
            members_are_removed_one_by_one
            some_members_are_removed_at_once
            take_members_empties_the_set
            members_are_opaque_bytes
            a_large_set_works_like_a_small_one
            a_walk_finds_what_is_live
            a_walk_of_one_kind_gives_no_other
            a_walk_is_in_pages
            a_walk_finds_what_stays
            a_walk_from_nowhere_is_refused
        }
    };
    (@all $name:ident, $open:expr, $($property:ident)+) => {
        #[test]
        fn $name() {
            let Some(mut open) = ($open)() else { return };
            $(
                ::std::println!("{}", ::std::stringify!($property));
                $crate::conformance::check(&mut open, $crate::conformance::$property);
            )+
        }
    };
    (@each $name:ident, $open:expr, $($property:ident)+) => {
        mod $name {
            #[allow(unused_imports, reason = "the closure may name things of the module around")]
            use super::*;

            fn open(clock: ::std::sync::Arc<dyn $crate::conformance::__Clock>) -> $crate::StoreUnderTest {
                ($open)(clock)
            }

            $(
                #[test]
                fn $property() {
                    $crate::conformance::check(open, $crate::conformance::$property);
                }
            )+
        }
    };
}

#[doc(hidden)]
pub use casque_store::Clock as __Clock;
