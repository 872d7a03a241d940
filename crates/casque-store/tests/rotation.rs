//! Nodes with the secrets in either order on one store: what each writes, all find, once (S-006, S-007).

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use casque_store::{Clock, Key, KeyHasher, RotatingStore, SharedStore, SystemClock, open};
use tokio::{sync::Barrier, task::JoinSet};

/// Tickets, or members of a set, that are raced for.
const THINGS: usize = 60;
/// Callers on each node.
const CALLERS: usize = 4;

/// A node: how it names things, and its way to the store.
#[derive(Clone)]
struct Node {
    store: SharedStore,
    hasher: KeyHasher,
}

impl Node {
    fn new(store: SharedStore, hasher: KeyHasher) -> Self {
        let store = if hasher.is_rotating() {
            Arc::new(RotatingStore::new(store))
        } else {
            store
        };
        Self { store, hasher }
    }

    fn key(&self, name: &str) -> Key {
        Key::new("test", name.as_bytes(), &self.hasher)
    }

    async fn create(&self, name: &str) -> bool {
        let (key, value) = (self.key(name), name.into());
        self.store
            .create(&key, value, later())
            .await
            .expect("create")
    }

    async fn append(&self, set: &str, member: &str) -> usize {
        let (key, member) = (self.key(set), member.into());
        self.store
            .append(&key, member, later())
            .await
            .expect("append")
    }

    async fn members(&self, set: &str) -> BTreeSet<Vec<u8>> {
        let members = self.store.members(&self.key(set)).await.expect("members");
        let count = members.len();
        let members = BTreeSet::from_iter(members);
        assert_eq!(members.len(), count, "each once");
        members
    }
}

/// The nodes that run side by side at each step of a change.
struct Steps {
    /// All have the new secret as their second, or not yet.
    spread: [Node; 2],
    /// All have both, in either order.
    promote: [Node; 2],
    /// All have the new one first, or alone.
    drop: [Node; 2],
}

fn later() -> SystemTime {
    SystemClock::new().now() + Duration::from_mins(10)
}

fn steps(url: &str) -> Steps {
    let [old, new] = [1, 2].map(|byte| KeyHasher::new(&[byte; 32]));
    let old_first = old.clone().with_second(new.clone());
    let new_first = new.clone().with_second(old.clone());
    // Each node opens the store for itself, as on a machine of its own; all share what is in this process.
    let memory = open("memory:", Arc::new(SystemClock::new())).expect("a store");
    let node = |hasher: &KeyHasher| {
        let store = match url {
            "memory:" => memory.clone(),
            url => {
                // A busy machine may take its time.
                let mark = if url.contains('?') { '&' } else { '?' };
                let patience = if url.starts_with("sqlite:") {
                    String::new()
                } else {
                    format!("{mark}timeout=30s")
                };
                open(&format!("{url}{patience}"), Arc::new(SystemClock::new())).expect("a store")
            }
        };
        Node::new(store, hasher.clone())
    };
    Steps {
        spread: [&old, &old_first].map(node),
        promote: [&old_first, &new_first].map(node),
        drop: [&new_first, &new].map(node),
    }
}

/// Lets several callers on each node loose at the same moment, and returns what all of them got.
async fn race<T: Send + 'static, F: Future<Output = Vec<T>> + Send + 'static>(
    nodes: &[Node],
    caller: impl Fn(Node) -> F,
) -> Vec<T> {
    let start = Arc::new(Barrier::new(CALLERS * nodes.len()));
    let mut tasks = JoinSet::new();
    for node in nodes.iter().cycle().take(CALLERS * nodes.len()) {
        let (start, running) = (start.clone(), caller(node.clone()));
        tasks.spawn(async move {
            start.wait().await;
            running.await
        });
    }
    tasks.join_all().await.into_iter().flatten().collect()
}

/// What either node of a step has made is taken once, by whichever.
async fn each_thing_is_taken_once(steps: &Steps) {
    for (step, nodes) in [&steps.spread, &steps.promote, &steps.drop]
        .into_iter()
        .enumerate()
    {
        let names: Arc<[String]> = (0..THINGS).map(|n| format!("{step} {n}")).collect();
        for (number, name) in names.iter().enumerate() {
            assert!(nodes[number % 2].create(name).await);
            assert!(!nodes[(number + 1) % 2].create(name).await, "it is there");
        }
        let mut won = race(nodes, |node| {
            let names = names.clone();
            async move {
                let mut won = Vec::new();
                for name in &*names {
                    won.extend(node.store.take(&node.key(name)).await.expect("take"));
                }
                won
            }
        })
        .await;
        won.sort();
        let mut expected: Vec<Vec<u8>> = names.iter().map(|name| name.clone().into()).collect();
        expected.sort();
        assert_eq!(won, expected, "step {step}: lost, or taken twice");
    }
}

/// A set is one, whichever nodes have added to it.
async fn a_set_is_one(steps: &Steps) {
    for (step, nodes) in [&steps.spread, &steps.promote, &steps.drop]
        .into_iter()
        .enumerate()
    {
        let set = format!("set {step}");
        let mut expected = BTreeSet::new();
        for number in 0..THINGS {
            let member = format!("{step} {number}");
            assert_eq!(nodes[number % 2].append(&set, &member).await, number + 1);
            assert_eq!(
                nodes[(number + 1) % 2].append(&set, &member).await,
                number + 1,
                "once"
            );
            expected.insert(member.into_bytes());
        }
        assert_eq!(nodes[0].members(&set).await, expected);
        assert_eq!(nodes[1].members(&set).await, expected);
        let members: Arc<[Vec<u8>]> = expected.iter().take(THINGS / 2).cloned().collect();
        let mut claimed = race(nodes, |node| {
            let (key, members) = (node.key(&set), members.clone());
            async move {
                let mut claimed = Vec::new();
                for member in &*members {
                    if node
                        .store
                        .remove_member(&key, member)
                        .await
                        .expect("remove_member")
                    {
                        claimed.push(member.clone());
                    }
                }
                claimed
            }
        })
        .await;
        let rest = race(nodes, |node| {
            let key = node.key(&set);
            async move { node.store.take_members(&key).await.expect("take_members") }
        })
        .await;
        claimed.extend(rest);
        claimed.sort();
        assert!(
            claimed.iter().eq(&expected),
            "step {step}: lost, or claimed twice"
        );
    }
}

/// One node claims what another has added, without help of a third.
async fn members_of_others_are_claimed(steps: &Steps) {
    for nodes in [&steps.spread, &steps.promote, &steps.drop] {
        for (writer, reader) in [(&nodes[0], &nodes[1]), (&nodes[1], &nodes[0])] {
            let key = reader.key("others");
            assert_eq!(writer.append("others", "a").await, 1);
            for expected in [true, false] {
                let removed = reader.store.remove_member(&key, b"a").await;
                assert_eq!(removed.expect("remove_member"), expected);
            }
            assert_eq!(writer.append("others", "b").await, 1);
            let taken = reader.store.take_members(&key).await;
            assert_eq!(taken.expect("take_members"), [b"b"]);
            assert_eq!(writer.members("others").await.len(), 0);
        }
    }
}

/// What was written before a step is read, prolonged and ended after it.
async fn what_was_there_stays(steps: &Steps) {
    let written = [&steps.spread[0], &steps.promote[0], &steps.promote[1]];
    for (number, writer) in written.into_iter().enumerate() {
        for (reader_number, reader) in [&steps.promote[0], &steps.promote[1], &steps.drop[0]]
            .into_iter()
            .enumerate()
        {
            let name = format!("{number} {reader_number}");
            assert!(writer.create(&name).await);
            let key = reader.key(&name);
            let found = reader.store.get(&key).await.expect("get");
            assert_eq!(found, Some(name.clone().into_bytes()));
            assert!(reader.store.touch(&key, later()).await.expect("touch"));
            assert!(reader.store.delete(&key).await.expect("delete"));
            assert!(!reader.store.delete(&key).await.expect("delete"));
            let found = writer.store.get(&writer.key(&name)).await.expect("get");
            assert_eq!(found, None);
        }
    }
}

/// A member that is moved from the second key to the first is never out of sight.
async fn a_moving_member_is_seen(steps: &Steps) {
    let [_, new_first] = &steps.promote;
    let (key, member) = (new_first.key("moving"), b"m".to_vec());
    let second = key.second().expect("two keys");
    for _ in 0..20 {
        let placed = new_first.store.append(&second, member.clone(), later());
        assert_eq!(placed.await.expect("append"), 1);
        let (reader, mover) = (new_first.clone(), new_first.clone());
        let reading = tokio::spawn(async move {
            for _ in 0..10 {
                assert_eq!(reader.members("moving").await.len(), 1);
            }
        });
        let moving = tokio::spawn(async move {
            let (store, member) = (&mover.store, b"m".to_vec());
            store
                .append(&key.first(), member.clone(), later())
                .await
                .expect("append");
            assert!(
                store
                    .remove_member(&second, &member)
                    .await
                    .expect("remove_member")
            );
        });
        reading.await.expect("it is seen");
        moving.await.expect("it is moved");
        assert!(
            new_first
                .store
                .remove_member(&key, b"m")
                .await
                .expect("remove_member")
        );
    }
}

async fn everything(url: &str) {
    let steps = steps(url);
    each_thing_is_taken_once(&steps).await;
    a_set_is_one(&steps).await;
    members_of_others_are_claimed(&steps).await;
    what_was_there_stays(&steps).await;
    a_moving_member_is_seen(&steps).await;
    // Nothing is left that a sweep would not see either.
    let page = steps.drop[1]
        .store
        .walk(None, None, 1000)
        .await
        .expect("walk");
    assert_eq!(page.entries, []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_of_secrets_on_memory() {
    everything("memory:").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_of_secrets_on_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    everything(&format!(
        "sqlite:{}",
        folder.path().join("casque.db").display()
    ))
    .await;
}

#[cfg(all(unix, feature = "redis"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_of_secrets_on_redis() {
    use casque_testkit::servers::{RedisOptions, RedisServer};

    let Some(server) = RedisServer::start(RedisOptions::default()) else {
        return;
    };
    everything(&server.url()).await;
}

#[cfg(all(unix, feature = "postgres"))]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_of_secrets_on_postgres() {
    use casque_testkit::servers::{PostgresOptions, PostgresServer};

    let Some(server) = PostgresServer::start(PostgresOptions::default()) else {
        return;
    };
    everything(&server.url()).await;
}
