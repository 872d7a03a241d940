//! What a session's end is told to: the services that accepted a ticket of it, each in a list until it has been told
//!

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use casque_store::{Key, StoreError};

use super::{Session, Sessions};
use crate::secret::SEAL_BYTES;

/// How long it is tried to tell services that a session has ended.
pub(crate) const TELLING: Duration = Duration::from_hours(1);

/// Visits that are kept of one session to one service URL; up to twice as many until somebody
/// counts. Whoever goes there again and again has left the oldest behind.
const PER_SERVICE: usize = 100;

/// Messages that one page has room for; what is left over is told by this server.
const ON_A_PAGE: usize = 40;

/// What a kept visit begins with: a keyed hash of its service, and the time in milliseconds.
const SERVICE_BYTES: usize = 16;
const TIME_BYTES: usize = 8;

/// How the services of a session are told of its end: each way has a list of its own, so that a page need not look
/// through what it does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Channel {
    /// By this server.
    Back,
    /// By the browser, as far as it can be.
    Front,
}

/// A service that accepted a ticket of a session, and will be told when the session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visit {
    /// The ticket by which the service knows its session.
    pub(crate) ticket: String,
    /// The service URL as it was given when the ticket was issued.
    pub(crate) service: String,
}

impl Visit {
    /// Neither a ticket nor a service URL has a line end in it.
    fn to_text(&self) -> String {
        [&self.ticket, "\n", &self.service].concat()
    }

    fn from_text(text: &str) -> Option<Self> {
        let (ticket, service) = text.split_once('\n')?;
        Some(Self {
            ticket: ticket.to_owned(),
            service: service.to_owned(),
        })
    }
}

impl Sessions {
    /// The services that accepted a ticket of a session, as their addresses were given.
    pub(crate) async fn visited(&self, id: &str) -> Result<Vec<String>, StoreError> {
        let mut visited = Vec::new();
        for channel in [Channel::Back, Channel::Front] {
            let visits = self.store.members(&self.visits(id, channel)).await?;
            let opened = visits
                .iter()
                .filter_map(|sealed| self.open_visit(id, sealed));
            visited.extend(opened.map(|visit| visit.service));
        }
        visited.sort();
        visited.dedup();
        Ok(visited)
    }

    /// Notes that a service accepts a ticket, and gives the note as it is kept.
    ///
    /// Call it before the session is looked up for the last time: a session that ends in between
    /// then either finds this note or is found ended.
    pub(crate) async fn note(
        &self,
        id: &str,
        visit: &Visit,
        (channel, remembered): (Channel, bool),
        now: SystemTime,
    ) -> Result<Vec<u8>, StoreError> {
        let member = self.member(id, visit, now);
        let deadline = now + self.lifetime(remembered);
        let visits = self.visits(id, channel);
        let count = self.store.append(&visits, member.clone(), deadline).await?;
        match channel {
            Channel::Front if count >= 2 * ON_A_PAGE => {
                // In a box, so that no other visit carries what this takes.
                Box::pin(self.leave_to_server(id, &member, deadline, now)).await?;
            }
            Channel::Back => self.trim(id, count).await?,
            Channel::Front => {}
        }
        Ok(member)
    }

    /// Leaves all that one page cannot tell to this server, but the visit just noted, so that whoever logs out waits
    /// for no more than a page's worth, however much there is.
    async fn leave_to_server(
        &self,
        id: &str,
        newest: &[u8],
        deadline: SystemTime,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let (front, back) = (
            self.visits(id, Channel::Front),
            self.visits(id, Channel::Back),
        );
        let mut visits = self.store.members(&front).await?;
        visits.retain(|visit| visit != newest);
        visits.sort_unstable_by(|a, b| by_age(b).cmp(by_age(a)));
        for old in visits.iter().skip(ON_A_PAGE - 1) {
            // Noted there first: who is stopped in between has it told twice, and not never.
            let count = self.store.append(&back, old.clone(), deadline).await?;
            self.store.remove_member(&front, old).await?;
            self.trim(id, count).await?;
        }
        self.end_again(id, now).await
    }

    /// Has a session told once more if it has ended: what was moved to it meanwhile may have come too late.
    async fn end_again(&self, id: &str, now: SystemTime) -> Result<(), StoreError> {
        if self.is_live(id).await? {
            Ok(())
        } else {
            self.end(id, now).await
        }
    }

    /// Forgets the oldest visits of each service beyond [`PER_SERVICE`].
    async fn trim(&self, id: &str, count: usize) -> Result<(), StoreError> {
        // Now and then is enough, and does not slow down a session with thousands of services.
        if count.is_multiple_of(PER_SERVICE) {
            let visits = self.visits(id, Channel::Back);
            let old = too_many(self.store.members(&visits).await?);
            if !old.is_empty() {
                let old: Vec<&[u8]> = old.iter().map(Vec::as_slice).collect();
                self.store.remove_members(&visits, &old).await?;
            }
        }
        Ok(())
    }

    /// A visit as it is kept: sealed, behind what tells visits of one service and their order.
    fn member(&self, id: &str, visit: &Visit, time: SystemTime) -> Vec<u8> {
        let service = [id.as_bytes(), visit.service.as_bytes()];
        let service = self.secret.mac("visit-service", &service);
        let millis = time
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_millis();
        let millis = u64::try_from(millis).unwrap_or(u64::MAX);
        let text = visit.to_text();
        let mut member = Vec::with_capacity(SERVICE_BYTES + TIME_BYTES + SEAL_BYTES + text.len());
        member.extend_from_slice(&service[..SERVICE_BYTES]);
        member.extend_from_slice(&millis.to_be_bytes());
        self.secret.seal_onto(&mut member, id, text.as_bytes());
        member
    }

    /// Takes a note back.
    pub(crate) async fn forget(
        &self,
        id: &str,
        sealed: &[u8],
        channel: Channel,
    ) -> Result<(), StoreError> {
        self.store
            .remove_member(&self.visits(id, channel), sealed)
            .await
            .map(drop)
    }

    /// Ends a session. Its services are still to be told: the session is in [`ended`](Self::ended)
    /// until [`told`](Self::told).
    pub(crate) async fn end(&self, id: &str, now: SystemTime) -> Result<(), StoreError> {
        // Noted first: a server that dies in between has told too few otherwise. A session that is
        // noted and alive after all is left alone.
        self.store
            .append(&self.all_ended(), id.as_bytes().to_vec(), now + TELLING)
            .await?;
        self.store.delete(&self.key(id)).await.map(drop)
    }

    /// Ends a session in favour of another of the same person, whose end its services are told.
    pub(crate) async fn hand_over(
        &self,
        old: &str,
        new: &Session,
        now: SystemTime,
    ) -> Result<(), StoreError> {
        let mut copied = BTreeSet::new();
        // Before the old one ends: who is stopped in between leaves it as it was.
        self.copy_visits(old, new, now, &mut copied).await?;
        self.store.delete(&self.key(old)).await?;
        let rest = async {
            // What was noted in between; from now on nothing more is.
            self.copy_visits(old, new, now, &mut copied).await?;
            for channel in [Channel::Back, Channel::Front] {
                self.store.take_members(&self.visits(old, channel)).await?;
            }
            self.end_again(&new.id, now).await
        };
        // The old one is gone, so the new one has to be handed out, whatever becomes of the rest.
        if let Err(error) = rest.await {
            tracing::warn!(%error, "the last visits of a session could not be moved to the one in its place");
        }
        Ok(())
    }

    /// Notes the visits of one session in another, but those that were copied before.
    async fn copy_visits(
        &self,
        from: &str,
        to: &Session,
        now: SystemTime,
        copied: &mut BTreeSet<Vec<u8>>,
    ) -> Result<(), StoreError> {
        for channel in [Channel::Back, Channel::Front] {
            let mut visits = self.store.members(&self.visits(from, channel)).await?;
            visits.sort_by(|a, b| by_age(a).cmp(by_age(b)));
            for sealed in visits {
                let visit = self.open_visit(from, &sealed);
                let Some(visit) = visit.filter(|_| copied.insert(sealed)) else {
                    continue;
                };
                self.note(&to.id, &visit, (channel, to.choices.remembered), now)
                    .await?;
            }
        }
        Ok(())
    }

    /// Sessions that have ended and whose services may not all have been told.
    pub(crate) async fn ended(&self) -> Result<Vec<String>, StoreError> {
        let members = self.store.members(&self.all_ended()).await?;
        Ok(members
            .into_iter()
            .filter_map(|id| String::from_utf8(id).ok())
            .collect())
    }

    /// What is still to be told about an ended session; none if it has not ended.
    pub(crate) async fn untold(
        &self,
        id: &str,
    ) -> Result<Option<Vec<(Channel, Vec<u8>)>>, StoreError> {
        if self.store.get(&self.key(id)).await?.is_some() {
            return Ok(None);
        }
        let mut untold = Vec::new();
        for channel in [Channel::Back, Channel::Front] {
            let visits = self.store.members(&self.visits(id, channel)).await?;
            untold.extend(visits.into_iter().map(|sealed| (channel, sealed)));
        }
        Ok(Some(untold))
    }

    /// Claims what the browser is to tell, the newest first and at most [`ON_A_PAGE`].
    pub(crate) async fn claim_front(&self, id: &str) -> Result<Vec<Visit>, StoreError> {
        let mut visits = self.store.members(&self.visits(id, Channel::Front)).await?;
        visits.sort_by(|a, b| by_age(b).cmp(by_age(a)));
        let mut claimed = Vec::new();
        for sealed in visits.iter().take(ON_A_PAGE) {
            claimed.extend(self.claim(id, sealed, Channel::Front).await?);
        }
        Ok(claimed)
    }

    /// Claims one of those. Of many callers, on many nodes, one gets it.
    pub(crate) async fn claim(
        &self,
        id: &str,
        sealed: &[u8],
        channel: Channel,
    ) -> Result<Option<Visit>, StoreError> {
        let visits = self.visits(id, channel);
        let ours = self.store.remove_member(&visits, sealed).await?;
        Ok(if ours {
            self.open_visit(id, sealed)
        } else {
            None
        })
    }

    /// Everything about an ended session has been told.
    pub(crate) async fn told(&self, id: &str) -> Result<(), StoreError> {
        self.store
            .remove_member(&self.all_ended(), id.as_bytes())
            .await
            .map(drop)
    }

    fn open_visit(&self, id: &str, sealed: &[u8]) -> Option<Visit> {
        let sealed = sealed.get(SERVICE_BYTES + TIME_BYTES..)?;
        let text = String::from_utf8(self.secret.open(id, sealed)?).ok()?;
        Visit::from_text(&text)
    }

    fn all_ended(&self) -> Key {
        Key::new("ended", b"", self.secret.hasher())
    }

    fn visits(&self, id: &str, channel: Channel) -> Key {
        let kind = match channel {
            Channel::Back => "visits",
            Channel::Front => "front-visits",
        };
        Key::new(kind, id.as_bytes(), self.secret.hasher())
    }
}

/// The visits that are one too many: the oldest of each service beyond [`PER_SERVICE`].
fn too_many(mut visits: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    // By service, the newest first.
    visits.sort_unstable_by(|a, b| b.cmp(a));
    let service = |visit: &[u8]| visit.get(..SERVICE_BYTES).map(<[u8]>::to_vec);
    visits
        .chunk_by(|a, b| service(a) == service(b))
        .flat_map(|of_one| of_one.iter().skip(PER_SERVICE))
        .cloned()
        .collect()
}

fn by_age(visit: &[u8]) -> &[u8] {
    visit.get(SERVICE_BYTES..).unwrap_or_default()
}
