//! Receives proxy-granting tickets, and keeps them until the login that they belong to asks for them.
//!
//! The CAS server sends the ticket to an address of the application, under a name (PGTIOU) that its
//! answer to the validation repeats. The two requests may come to different nodes, so the pair waits
//! in the store. Anybody can send pairs: they are few and short-lived, and the newest push
//! out the oldest, so that a flood cannot keep a true one out (S-015, R-201).

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_proto::{ProxyGrantingTicket, ProxyGrantingTicketIou};
use casque_store::{Clock, Key, SharedStore, StoreError};
use sha2::{Digest as _, Sha256};

use crate::keys::KeyRing;

const PAIR: &str = "app-pgtiou";
const SHARD: &str = "app-pgtiou-shard";

const PURPOSE: &str = "casque-app waiting proxy-granting ticket 1";

/// How long a pair waits for its login.
const WAITING: Duration = Duration::from_mins(1);

/// Pairs wait in so many sets, so that counting them stays cheap.
const SHARDS: u8 = 64;

/// So many pairs wait in a set at most: 4096 in all.
const PAIRS_IN_SHARD: usize = 64;

/// Expired records removed with each pair that comes.
const SWEEP: usize = 8;

/// Where pairs wait.
#[derive(Debug)]
pub(crate) struct Receptor {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    ring: KeyRing,
}

impl Receptor {
    pub(crate) fn new(store: SharedStore, clock: Arc<dyn Clock>, ring: KeyRing) -> Self {
        Self { store, clock, ring }
    }

    /// Keeps a pair. One whose name is taken changes nothing.
    pub(crate) async fn put(
        &self,
        iou: &ProxyGrantingTicketIou,
        pgt: &ProxyGrantingTicket,
    ) -> Result<(), StoreError> {
        if let Err(error) = self.store.sweep(SWEEP).await {
            tracing::warn!(%error, "expired proxy-granting tickets stay for now");
        }
        let now = self.clock.now();
        let name = Name::new(iou, now);
        let deadline = now + WAITING;
        let sealed = self.ring.seal(PURPOSE, pgt.secret().as_bytes());
        let record = [&name.0[..], sealed.as_bytes()].concat();
        let hasher = self.ring.current();
        let pair = Key::new(PAIR, name.handle(), hasher);
        if !self.store.create(&pair, record, deadline).await? {
            return Ok(());
        }
        let shard = Key::new(SHARD, &name.shard(), hasher);
        let waiting = self.store.append(&shard, name.0.to_vec(), deadline).await?;
        if waiting > PAIRS_IN_SHARD {
            self.push_out(&shard).await?;
        }
        Ok(())
    }

    /// Gives a pair up, once.
    pub(crate) async fn take(
        &self,
        iou: &ProxyGrantingTicketIou,
    ) -> Result<Option<ProxyGrantingTicket>, StoreError> {
        let name = Name::new(iou, UNIX_EPOCH);
        for hasher in self.ring.hashers() {
            let pair = Key::new(PAIR, name.handle(), hasher);
            let Some(record) = self.store.take(&pair).await? else {
                continue;
            };
            let Some((member, sealed)) = record.split_first_chunk::<NAME_BYTES>() else {
                continue;
            };
            let shard = Key::new(SHARD, &name.shard(), hasher);
            self.store.remove_member(&shard, member).await?;
            let pgt = std::str::from_utf8(sealed)
                .ok()
                .and_then(|sealed| self.ring.open(PURPOSE, sealed))
                .and_then(|plain| String::from_utf8(plain).ok())
                .and_then(|text| ProxyGrantingTicket::parse(&text).ok());
            if pgt.is_some() {
                return Ok(pgt);
            }
        }
        Ok(None)
    }

    async fn push_out(&self, shard: &Key) -> Result<(), StoreError> {
        let mut members = self.store.members(shard).await?;
        members.sort_unstable();
        let excess = members.len().saturating_sub(PAIRS_IN_SHARD);
        for member in members.iter().take(excess) {
            if self.store.remove_member(shard, member).await? {
                let handle = member.get(TIME_BYTES..).unwrap_or_default();
                let pair = Key::new(PAIR, handle, self.ring.current());
                self.store.delete(&pair).await?;
            }
        }
        tracing::warn!("more proxy-granting tickets arrive than logins ask for");
        Ok(())
    }
}

const TIME_BYTES: usize = 8;

const NAME_BYTES: usize = TIME_BYTES + 32;

/// When a pair came, so that names sort by age, and a hash of its PGTIOU.
struct Name([u8; NAME_BYTES]);

impl Name {
    fn new(iou: &ProxyGrantingTicketIou, came: SystemTime) -> Self {
        let millis = came
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let mut name = [0; NAME_BYTES];
        let (time, handle) = name.split_at_mut(TIME_BYTES);
        time.copy_from_slice(&millis.to_be_bytes());
        handle.copy_from_slice(&Sha256::digest(iou.secret()));
        Self(name)
    }

    fn handle(&self) -> &[u8] {
        &self.0[TIME_BYTES..]
    }

    fn shard(&self) -> [u8; 1] {
        [self.0[TIME_BYTES] % SHARDS]
    }
}
