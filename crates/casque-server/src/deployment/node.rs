//! A server among those that share its store.

use std::time::Duration;

use casque_store::{Key, SharedStore, StoreError};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::{ClaimError, Naming, kept, naming, noted, place, read};
use crate::{secret::random_bytes, server::Server};

/// How long a node that says nothing is taken for one that runs.
const GONE_AFTER: Duration = Duration::from_secs(90);

/// A server that serves, among those that share its store: it says which keys it has, and hears which ones are used.
///
/// ```no_run
/// use casque_server::{ClaimError, Node, Server};
///
/// # async fn run(server: Server) -> Result<(), ClaimError> {
/// let mut node = Node::new(server);
/// node.announce().await?; // before it serves, and then every `Node::INTERVAL`
/// node.withdraw().await?; // when it has ended
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Node {
    server: Server,
    as_kept: Vec<u8>,
    has_joined: bool,
}

/// A node, and the fingerprints of the keys it has; the first names what it writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeKeys {
    /// Tells nodes apart; another one after every start.
    pub node: String,
    /// Fingerprints, as [`Server::key_fingerprints`] gives them.
    pub keys: Vec<String>,
}

impl Node {
    /// How often to [announce](Self::announce) it.
    pub const INTERVAL: Duration = Duration::from_secs(20);

    /// Nobody has heard of it yet.
    pub fn new(server: Server) -> Self {
        let keys = NodeKeys {
            node: HEXLOWER.encode(&random_bytes::<8>()),
            keys: server.key_fingerprints(),
        };
        Self {
            as_kept: kept(&keys),
            server,
            has_joined: false,
        }
    }

    /// Makes sure that the store is this deployment's, as [`Server::claim_store`] does, and that all nodes can find what
    /// each of them writes; and says that this one is there.
    ///
    /// Once that has succeeded, a node that finds the store to be another's goes on to answer, and `/readyz` fails.
    ///
    /// # Errors
    ///
    /// [`ClaimError`] where this node must not serve.
    pub async fn announce(&mut self) -> Result<(), ClaimError> {
        let outcome = self.try_announce().await;
        let is_known = !matches!(outcome, Err(ClaimError::Store(_)));
        if self.has_joined && is_known {
            let state = self.server.state();
            let was_estranged = state.readiness.estrange(outcome.is_err());
            match &outcome {
                Err(error) => tracing::error!(%error, "not ready any more"),
                Ok(()) if was_estranged => tracing::info!("ready again"),
                Ok(()) => {}
            }
        } else if outcome.is_err() && is_known {
            self.withdraw().await?;
        }
        self.has_joined |= outcome.is_ok();
        outcome
    }

    async fn try_announce(&self) -> Result<(), ClaimError> {
        let state = self.server.state();
        let (store, now) = (&state.store, state.clock.now());
        store
            .append(&nodes_key(), self.as_kept.clone(), now + GONE_AFTER)
            .await?;
        self.server.claim_store().await?;
        let ours = self.server.key_fingerprints();
        let naming_ours = Naming {
            key: ours[0].clone(),
        };
        let is_used = naming(store).await?.contains(&naming_ours)
            || noted(store).await?.is_some_and(|note| note.key == ours[0]);
        // A node that has stopped without having noticed writes for as long after its last word.
        let until = now + self.server.longest + GONE_AFTER;
        let (key, member) = (place(b"keys"), kept(&naming_ours));
        store.append(&key, member.clone(), until).await?;
        if is_used {
            return Ok(());
        }
        let nodes = nodes(store).await?;
        let without = nodes.iter().filter(|node| !node.keys.contains(&ours[0]));
        match without.count() {
            0 => Ok(()),
            nodes => {
                store.remove_member(&key, &member).await?;
                let key = naming_ours.key;
                Err(ClaimError::NewKey { key, nodes })
            }
        }
    }

    /// Says that this node is not there any more.
    ///
    /// # Errors
    ///
    /// Where the store does not answer; the others notice after a while.
    pub async fn withdraw(&self) -> Result<(), StoreError> {
        let store = &self.server.state().store;
        let removed = store.remove_member(&nodes_key(), &self.as_kept).await;
        removed.map(drop)
    }
}

/// The nodes that run, as far as they have said so.
pub(super) async fn nodes(store: &SharedStore) -> Result<Vec<NodeKeys>, StoreError> {
    read(store, &nodes_key()).await
}

fn nodes_key() -> Key {
    place(b"nodes")
}
