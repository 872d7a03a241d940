//! People, tickets and what was seen.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use casque_proto::{ProxyGrantingTicket, ProxyGrantingTicketIou, ProxyTicket, ServiceTicket};

use super::callback::Delivery;
use super::faults::Faults;
use super::record::RecordedRequest;

/// Somebody who can sign in at a [`FakeCas`](super::FakeCas).
#[derive(Clone)]
pub struct Person {
    name: String,
    password: Option<String>,
    attributes: Vec<(String, Vec<String>)>,
}

impl Person {
    /// A person without a password, who can be signed in and granted tickets by the test alone.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            password: None,
            attributes: Vec::new(),
        }
    }

    /// Gives a password for the login form.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Gives an attribute with its values.
    #[must_use]
    pub fn attribute<V: Into<String>>(
        mut self,
        name: impl Into<String>,
        values: impl IntoIterator<Item = V>,
    ) -> Self {
        self.attributes
            .push((name.into(), values.into_iter().map(Into::into).collect()));
        self
    }

    /// The user name, which is what a validation answers.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The attributes in order.
    pub fn attributes(&self) -> &[(String, Vec<String>)] {
        &self.attributes
    }

    pub(super) fn knows(&self, password: &str) -> bool {
        self.password.as_deref() == Some(password)
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Person")
            .field("name", &self.name)
            .field("attributes", &self.attributes)
            .finish_non_exhaustive()
    }
}

/// What a ticket was granted for.
#[derive(Clone)]
pub(super) struct Grant {
    pub(super) service: String,
    pub(super) person: Person,
    pub(super) renewed: bool,
    /// Through whom the ticket was asked for, the most recent first.
    pub(super) proxies: Vec<String>,
}

/// Everything the server knows.
pub(super) struct State {
    base_url: String,
    faults: Faults,
    delivery: Delivery,
    inner: Mutex<Inner>,
    connections: AtomicUsize,
    body_bytes: AtomicU64,
    random: RandomState,
}

#[derive(Default)]
struct Inner {
    people: BTreeMap<String, Person>,
    signed_in: Option<String>,
    granted: u64,
    tickets: HashMap<String, Grant>,
    pgts: HashMap<String, (Person, Vec<String>)>,
    /// Whose ticket-granting tickets of the REST protocol live.
    tgts: HashMap<String, String>,
    requests: Vec<RecordedRequest>,
}

impl State {
    pub(super) fn new(base_url: String) -> Self {
        let state = Self {
            base_url,
            faults: Faults::default(),
            delivery: Delivery::default(),
            inner: Mutex::default(),
            connections: AtomicUsize::new(0),
            body_bytes: AtomicU64::new(0),
            random: RandomState::new(),
        };
        state.add_person(
            Person::new("alice")
                .password("wonderland")
                .attribute("mail", ["alice@example.org"])
                .attribute("memberOf", ["staff", "admin"]),
        );
        state.add_person(Person::new("bob").password("builder"));
        state
    }

    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.faults
    }

    pub(super) fn add_person(&self, person: Person) {
        self.lock().people.insert(person.name.clone(), person);
    }

    pub(super) fn sign_in(&self, name: &str) {
        let mut inner = self.lock();
        assert!(inner.people.contains_key(name), "nobody is called {name}");
        inner.signed_in = Some(name.to_owned());
    }

    pub(super) fn sign_out(&self) {
        self.lock().signed_in = None;
    }

    pub(super) fn signed_in(&self) -> Option<String> {
        self.lock().signed_in.clone()
    }

    /// Signs in with a password, as the login form does.
    pub(super) fn log_in(&self, name: &str, password: &str) -> bool {
        let knows = self.whose(name, password).is_some();
        if knows {
            self.lock().signed_in = Some(name.to_owned());
        }
        knows
    }

    /// Whose name and password that is.
    pub(super) fn whose(&self, name: &str, password: &str) -> Option<Person> {
        let inner = self.lock();
        let person = inner.people.get(name)?;
        person.knows(password).then(|| person.clone())
    }

    pub(super) fn grant_tgt(&self, name: &str) -> String {
        let tgt = self.ticket("TGT");
        self.lock().tgts.insert(tgt.clone(), name.to_owned());
        tgt
    }

    pub(super) fn person_of_tgt(&self, tgt: &str) -> Option<String> {
        self.lock().tgts.get(tgt).cloned()
    }

    pub(super) fn end_tgt(&self, tgt: &str) {
        self.lock().tgts.remove(tgt);
    }

    pub(super) fn grant(&self, service: &str, name: &str, renewed: bool) -> ServiceTicket {
        let grant = Grant {
            service: service.to_owned(),
            person: self.person(name),
            renewed,
            proxies: Vec::new(),
        };
        let text = self.ticket("ST");
        let ticket = ServiceTicket::parse(&text).expect("letters, digits and hyphens");
        self.lock().tickets.insert(text, grant);
        ticket
    }

    pub(super) fn person(&self, name: &str) -> Person {
        let inner = self.lock();
        let person = inner.people.get(name);
        person
            .unwrap_or_else(|| panic!("nobody is called {name}"))
            .clone()
    }

    /// A proxy-granting ticket for an application that is reached through `proxies`, itself the first of them.
    pub(super) fn grant_pgt(
        &self,
        person: Person,
        proxies: Vec<String>,
    ) -> (ProxyGrantingTicketIou, ProxyGrantingTicket) {
        let (iou, pgt) = (self.ticket("PGTIOU"), self.ticket("PGT"));
        self.lock().pgts.insert(pgt.clone(), (person, proxies));
        (
            ProxyGrantingTicketIou::parse(&iou).expect("letters, digits and hyphens"),
            ProxyGrantingTicket::parse(&pgt).expect("letters, digits and hyphens"),
        )
    }

    /// A ticket for another application, where the proxy-granting ticket is a live one.
    pub(super) fn grant_proxy_ticket(&self, pgt: &str, service: &str) -> Option<ProxyTicket> {
        let (person, proxies) = self.lock().pgts.get(pgt)?.clone();
        let text = self.ticket("PT");
        let grant = Grant {
            service: service.to_owned(),
            person,
            renewed: false,
            proxies,
        };
        self.lock().tickets.insert(text.clone(), grant);
        Some(ProxyTicket::parse(&text).expect("letters, digits and hyphens"))
    }

    pub(super) fn end_pgts(&self) {
        self.lock().pgts.clear();
    }

    pub(super) fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    /// Distinct and not to be guessed from another run; a double needs no more.
    fn ticket(&self, prefix: &str) -> String {
        let mut inner = self.lock();
        inner.granted += 1;
        let random = self.random.hash_one(inner.granted);
        format!("{prefix}-{}-{random:016x}", inner.granted)
    }

    /// Takes a ticket away for ever and says what it was for.
    pub(super) fn spend(&self, ticket: &str) -> Option<Grant> {
        self.lock().tickets.remove(ticket)
    }

    pub(super) fn open_tickets(&self) -> usize {
        self.lock().tickets.len()
    }

    pub(super) fn record(&self, request: RecordedRequest) {
        self.lock().requests.push(request);
    }

    pub(super) fn requests(&self) -> Vec<RecordedRequest> {
        self.lock().requests.clone()
    }

    /// Counts a connection and gives its number, from 1.
    pub(super) fn count_connection(&self) -> usize {
        self.connections.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn count_body(&self, bytes: usize) {
        self.body_bytes.fetch_add(bytes as u64, Ordering::SeqCst);
    }

    pub(super) fn body_bytes(&self) -> u64 {
        self.body_bytes.load(Ordering::SeqCst)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("base_url", &self.base_url)
            .finish_non_exhaustive()
    }
}
