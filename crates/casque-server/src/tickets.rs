//! Service and proxy tickets: bound to one service, gone with the first attempt (R-095, R-096, S-003, S-006). And
//! proxy-granting tickets, good until their session ends.

use std::time::{Duration, SystemTime};

use casque_proto::{ProxyGrantingTicket, ProxyTicket, ServiceTicket, TicketKind};
use casque_store::{Key, KeyHasher, SharedStore, StoreError};

use crate::{
    fields::{FieldReader, FieldWriter},
    registry::Place,
    secret,
    sso::Login,
};

/// The longest a ticket may be valid for.
pub(crate) const LONGEST: Duration = Duration::from_mins(5);

/// Issues and takes tickets.
#[derive(Debug, Clone)]
pub(crate) struct Tickets {
    store: SharedStore,
    hasher: KeyHasher,
    lifetime: Duration,
    proxy_lifetime: Duration,
}

/// What a ticket stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The login that it was issued for.
    pub(crate) login: Login,
    /// The service as it was given; the only one that may validate it.
    pub(crate) url: String,
    /// Where the registry that let the service in has it.
    pub(crate) place: Option<Place>,
    /// It was issued in direct answer to a password.
    pub(crate) fresh: bool,
    /// The proxies that the person comes through, the most recent first; of a proxy ticket only.
    pub(crate) proxies: Vec<String>,
}

/// What a proxy-granting ticket stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxying {
    /// The login that it came from.
    pub(crate) login: Login,
    /// The service that may act as a proxy, as it was given.
    pub(crate) service: String,
    /// The callbacks of that proxy and of those before it, the most recent first.
    pub(crate) proxies: Vec<String>,
}

impl Grant {
    fn to_record(&self) -> Vec<u8> {
        let mut fields = FieldWriter::new();
        self.login.write(&mut fields);
        fields.text(&self.url);
        fields.flag(self.fresh);
        fields.flag(self.place.is_some());
        if let Some(place) = self.place {
            place.write(&mut fields);
        }
        write_all(&mut fields, &self.proxies);
        fields.finish()
    }

    fn from_record(record: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(record);
        Some(Self {
            login: Login::read(&mut fields)?,
            url: fields.text()?,
            fresh: fields.flag(),
            place: if fields.flag() {
                Some(Place::read(&mut fields)?)
            } else {
                None
            },
            proxies: read_all(&mut fields)?,
        })
    }
}

impl Proxying {
    fn to_record(&self) -> Vec<u8> {
        let mut fields = FieldWriter::new();
        self.login.write(&mut fields);
        fields.text(&self.service);
        write_all(&mut fields, &self.proxies);
        fields.finish()
    }

    fn from_record(record: &[u8]) -> Option<Self> {
        let mut fields = FieldReader::new(record);
        Some(Self {
            login: Login::read(&mut fields)?,
            service: fields.text()?,
            proxies: read_all(&mut fields)?,
        })
    }
}

fn write_all(fields: &mut FieldWriter, texts: &[String]) {
    fields.number(texts.len() as u64);
    for text in texts {
        fields.text(text);
    }
}

fn read_all(fields: &mut FieldReader<'_>) -> Option<Vec<String>> {
    (0..fields.number()?).map(|_| fields.text()).collect()
}

impl Tickets {
    pub(crate) fn new(
        store: SharedStore,
        hasher: KeyHasher,
        lifetime: Duration,
        proxy_lifetime: Duration,
    ) -> Self {
        Self {
            store,
            hasher,
            lifetime: lifetime.min(LONGEST),
            proxy_lifetime: proxy_lifetime.min(LONGEST),
        }
    }

    /// Issues a ticket.
    pub(crate) async fn issue(
        &self,
        grant: &Grant,
        now: SystemTime,
    ) -> Result<ServiceTicket, StoreError> {
        let ticket = ServiceTicket::generate(&mut secret::fill);
        let key = self.key(ticket.kind(), ticket.secret());
        self.create(&key, grant.to_record(), now + self.lifetime)
            .await?;
        Ok(ticket)
    }

    /// Issues a proxy ticket, which lasts no longer than its session.
    pub(crate) async fn issue_proxy(
        &self,
        grant: &Grant,
        now: SystemTime,
        session_ends: SystemTime,
    ) -> Result<ProxyTicket, StoreError> {
        let ticket = ProxyTicket::generate(&mut secret::fill);
        let key = self.key(TicketKind::Proxy, ticket.secret());
        let deadline = session_ends.min(now + self.proxy_lifetime);
        self.create(&key, grant.to_record(), deadline).await?;
        Ok(ticket)
    }

    /// Makes a proxy-granting ticket good until its session ends at the latest.
    pub(crate) async fn keep(
        &self,
        ticket: &ProxyGrantingTicket,
        proxying: &Proxying,
        session_ends: SystemTime,
    ) -> Result<(), StoreError> {
        let key = self.key(TicketKind::ProxyGranting, ticket.secret());
        self.create(&key, proxying.to_record(), session_ends).await
    }

    /// What a proxy-granting ticket stands for; it stays as it is.
    pub(crate) async fn proxying(
        &self,
        ticket: &ProxyGrantingTicket,
    ) -> Result<Option<Proxying>, StoreError> {
        let key = self.key(TicketKind::ProxyGranting, ticket.secret());
        let record = self.store.get(&key).await?;
        Ok(record.and_then(|record| Proxying::from_record(&record)))
    }

    async fn create(
        &self,
        key: &Key,
        record: Vec<u8>,
        deadline: SystemTime,
    ) -> Result<(), StoreError> {
        let made = self.store.create(key, record, deadline).await?;
        debug_assert!(made, "172 random bits do not repeat");
        Ok(())
    }

    /// Takes a ticket away and says what it stood for. One caller gets it; whatever is decided
    /// afterwards, it is spent.
    pub(crate) async fn take(&self, ticket: &ServiceTicket) -> Result<Option<Grant>, StoreError> {
        let key = self.key(ticket.kind(), ticket.secret());
        let record = self.store.take(&key).await?;
        Ok(record.and_then(|record| Grant::from_record(&record)))
    }

    /// Sends a ticket that nobody has through the store. Tells whether it came back, once.
    pub(crate) async fn round_trip(&self, now: SystemTime) -> Result<bool, StoreError> {
        let ticket = ServiceTicket::generate(&mut secret::fill);
        let key = self.key(ticket.kind(), ticket.secret());
        let value = b"readiness".to_vec();
        let made = self
            .store
            .create(&key, value.clone(), now + LONGEST)
            .await?;
        let taken = self.store.take(&key).await?;
        Ok(made && taken == Some(value) && self.store.take(&key).await?.is_none())
    }

    fn key(&self, kind: TicketKind, secret: &str) -> Key {
        // The kind is part of the key, so that no ticket is ever found as one of another kind (S-005).
        let kind = match kind {
            TicketKind::Proxy => "pt",
            TicketKind::ProxyGranting => "pgt",
            _ => "st",
        };
        Key::new(kind, secret.as_bytes(), &self.hasher)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Service, Services};

    fn grant(place: Option<Place>, proxies: &[&str]) -> Grant {
        let mut login = FieldWriter::new();
        login.bytes(b"an id");
        login.text("zoë");
        login.number(1_790_000_000);
        login.bytes(&[7; 16]);
        login.flag(true);
        Grant {
            login: Login::read(&mut FieldReader::new(&login.finish())).expect("a login"),
            url: "https://app.example.org/?a=1".to_owned(),
            place,
            fresh: true,
            proxies: proxies.iter().map(|&proxy| proxy.to_owned()).collect(),
        }
    }

    fn place() -> Option<Place> {
        let rule = casque_proto::ServiceRule::origin("https://app.example.org").expect("an origin");
        Services::new([Service::new("app", rule)]).place("app")
    }

    #[test]
    fn a_grant_is_read_as_it_was_written() {
        let chain = ["https://b.example.org/", "https://a.example.org/"];
        for grant in [
            grant(None, &[]),
            grant(place(), &[]),
            grant(place(), &chain),
        ] {
            assert_eq!(Grant::from_record(&grant.to_record()), Some(grant));
        }
    }

    #[test]
    fn what_stands_behind_a_grant_is_for_later_versions() {
        let grant = grant(place(), &["https://a.example.org/"]);
        let mut record = grant.to_record();
        record.extend_from_slice(b"\0\0\0\x03new");
        assert_eq!(Grant::from_record(&record), Some(grant));
    }

    #[test]
    fn a_grant_that_is_cut_is_none() {
        let record = grant(place(), &["https://a.example.org/"]).to_record();
        for end in 0..record.len() {
            assert_eq!(Grant::from_record(&record[..end]), None, "{end}");
        }
    }
}
