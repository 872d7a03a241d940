//! Both back ends and a model that is too simple to be wrong answer every sequence of operations alike.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use casque_store::{Clock, Key, KeyHasher, MemoryStore, SqliteStore, Store};
use casque_testkit::ManualClock;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Operation {
    Create(u8, u8, i8),
    Get(u8),
    Touch(u8, i8),
    Take(u8),
    Delete(u8),
    Append(u8, u8, i8),
    Members(u8),
    RemoveMember(u8, u8),
    TakeMembers(u8),
    Sweep(u8),
    Advance(u8),
}

#[derive(Debug, PartialEq)]
enum Answer {
    Did(bool),
    Value(Option<Vec<u8>>),
    Count(usize),
    Members(Vec<Vec<u8>>),
    Nothing,
}

/// Deadlines in seconds from now, seldom past.
fn seconds() -> impl Strategy<Value = i8> {
    -1..12_i8
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (key, member) = (0..3_u8, 0..40_u8);
    prop_oneof![
        4 => (key.clone(), any::<u8>(), seconds()).prop_map(|(key, value, life)| Create(key, value, life)),
        3 => key.clone().prop_map(Get),
        2 => (key.clone(), seconds()).prop_map(|(key, life)| Touch(key, life)),
        2 => key.clone().prop_map(Take),
        1 => key.clone().prop_map(Delete),
        12 => (key.clone(), member.clone(), seconds()).prop_map(|(key, member, life)| Append(key, member, life)),
        3 => key.clone().prop_map(Members),
        2 => (key.clone(), member).prop_map(|(key, member)| RemoveMember(key, member)),
        1 => key.prop_map(TakeMembers),
        1 => (0..8_u8).prop_map(Sweep),
        3 => (0..4_u8).prop_map(Advance),
    ]
}

#[derive(Default)]
struct Model {
    records: HashMap<u8, (Vec<u8>, SystemTime)>,
    sets: HashMap<u8, HashMap<Vec<u8>, SystemTime>>,
}

impl Model {
    fn answer(&mut self, operation: &Operation, now: SystemTime) -> Answer {
        self.records.retain(|_, (_, deadline)| now < *deadline);
        for set in self.sets.values_mut() {
            set.retain(|_, deadline| now < *deadline);
        }
        match *operation {
            Operation::Create(key, value, life) => {
                let free = !self.records.contains_key(&key);
                if free {
                    self.records.insert(key, (vec![value], after(now, life)));
                }
                Answer::Did(free)
            }
            Operation::Get(key) => {
                Answer::Value(self.records.get(&key).map(|(value, _)| value.clone()))
            }
            Operation::Touch(key, life) => Answer::Did(
                self.records
                    .get_mut(&key)
                    .map(|(_, deadline)| *deadline = after(now, life))
                    .is_some(),
            ),
            Operation::Take(key) => {
                Answer::Value(self.records.remove(&key).map(|(value, _)| value))
            }
            Operation::Delete(key) => Answer::Did(self.records.remove(&key).is_some()),
            Operation::Append(key, member, life) => {
                let set = self.sets.entry(key).or_default();
                let deadline = set.entry(vec![member]).or_insert(now);
                *deadline = after(now, life).max(*deadline);
                set.retain(|_, deadline| now < *deadline);
                Answer::Count(set.len())
            }
            Operation::Members(key) => {
                Answer::Members(sorted(self.sets.entry(key).or_default().keys().cloned()))
            }
            Operation::RemoveMember(key, member) => {
                let set = self.sets.entry(key).or_default();
                Answer::Did(set.remove([member].as_slice()).is_some())
            }
            Operation::TakeMembers(key) => Answer::Members(sorted(
                self.sets.remove(&key).unwrap_or_default().into_keys(),
            )),
            Operation::Sweep(_) | Operation::Advance(_) => Answer::Nothing,
        }
    }
}

async fn ask(store: &dyn Store, operation: &Operation, now: SystemTime) -> Answer {
    let hasher = KeyHasher::new(&[1; 32]);
    let key = |number| Key::new("model", &[number], &hasher);
    match *operation {
        Operation::Create(k, value, life) => Answer::Did(
            store
                .create(&key(k), vec![value], after(now, life))
                .await
                .expect("create"),
        ),
        Operation::Get(k) => Answer::Value(store.get(&key(k)).await.expect("get")),
        Operation::Touch(k, life) => {
            Answer::Did(store.touch(&key(k), after(now, life)).await.expect("touch"))
        }
        Operation::Take(k) => Answer::Value(store.take(&key(k)).await.expect("take")),
        Operation::Delete(k) => Answer::Did(store.delete(&key(k)).await.expect("delete")),
        Operation::Append(k, member, life) => Answer::Count(
            store
                .append(&key(k), vec![member], after(now, life))
                .await
                .expect("append"),
        ),
        Operation::Members(k) => {
            Answer::Members(sorted(store.members(&key(k)).await.expect("members")))
        }
        Operation::RemoveMember(k, member) => Answer::Did(
            store
                .remove_member(&key(k), &[member])
                .await
                .expect("remove_member"),
        ),
        Operation::TakeMembers(k) => Answer::Members(sorted(
            store.take_members(&key(k)).await.expect("take_members"),
        )),
        Operation::Sweep(limit) => {
            let removed = store.sweep(limit.into()).await.expect("sweep");
            assert!(removed <= limit.into());
            Answer::Nothing
        }
        Operation::Advance(_) => Answer::Nothing,
    }
}

fn after(now: SystemTime, seconds: i8) -> SystemTime {
    let distance = Duration::from_secs(seconds.unsigned_abs().into());
    if seconds < 0 {
        now - distance
    } else {
        now + distance
    }
}

fn sorted(members: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut members: Vec<_> = members.into_iter().collect();
    members.sort();
    members
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn all_answer_alike(operations in prop::collection::vec(operation(), 1..150)) {
        let clock = ManualClock::new();
        let folder = tempfile::tempdir().expect("a folder");
        let memory = MemoryStore::new(Arc::new(clock.clone()));
        let sqlite = SqliteStore::open(&folder.path().join("casque.db"), Arc::new(clock.clone())).expect("a store");
        let mut model = Model::default();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            for (step, operation) in operations.iter().enumerate() {
                if let Operation::Advance(seconds) = operation {
                    clock.advance(Duration::from_secs((*seconds).into()));
                }
                let now = clock.now();
                let expected = model.answer(operation, now);
                prop_assert_eq!(&ask(&memory, operation, now).await, &expected, "memory, step {} {:?}", step, operation);
                prop_assert_eq!(&ask(&sqlite, operation, now).await, &expected, "sqlite, step {} {:?}", step, operation);
            }
            clock.advance(Duration::from_mins(1));
            while memory.sweep(7).await.expect("sweep") > 0 {}
            while sqlite.sweep(7).await.expect("sweep") > 0 {}
            prop_assert_eq!(memory.len(), 0);
            Ok(())
        })?;
        drop(sqlite);
        let db = rusqlite::Connection::open(folder.path().join("casque.db")).expect("the file");
        let rows: i64 = db
            .query_row("SELECT (SELECT count(*) FROM record) + (SELECT count(*) FROM member)", [], |row| row.get(0))
            .expect("count");
        prop_assert_eq!(rows, 0);
    }
}
