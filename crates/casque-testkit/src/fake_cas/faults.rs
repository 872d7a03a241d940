//! What can be made to go wrong, and when.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::sync::watch;

use super::pages::Page;

/// One way of failing.
///
/// The page does its work first (a ticket that is presented is spent), except where the answer does not come from it:
/// [`Silent`](Self::Silent), [`HangUp`](Self::HangUp), [`Answer`](Self::Answer) and [`Redirect`](Self::Redirect).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Holds the answer back until the gate is opened.
    Hold(Gate),
    /// Takes the request and never says a word. The connection stays open.
    Silent,
    /// Takes the request and closes the connection.
    HangUp,
    /// Sends the head with the right length, half of the body, and closes the connection.
    Cut,
    /// Sends the head with the right length, half of the body, and then nothing more. The connection stays open.
    Stall,
    /// Sends the body in pieces of one byte.
    Trickle,
    /// Sends the body, and after it this many blanks, without having said how much will come.
    ///
    /// Blanks after a CAS document are harmless, so only the size is wrong. `u64::MAX` goes on for ever.
    Huge(u64),
    /// The usual body under another status.
    Status(StatusCode),
    /// The usual body under another content type.
    ContentType(&'static str),
    /// This answer instead.
    Answer(Response<Bytes>),
    /// A 302 to this address instead.
    Redirect(String),
}

impl Fault {
    /// An [`Answer`](Self::Answer) of a status, a content type and a body.
    ///
    /// # Panics
    ///
    /// Where the content type cannot be a header.
    pub fn answer(status: StatusCode, content_type: &str, body: impl Into<Bytes>) -> Self {
        let response = Response::builder()
            .status(status)
            .header(http::header::CONTENT_TYPE, content_type)
            .body(body.into())
            .expect("a content type that can be a header");
        Self::Answer(response)
    }
}

/// Holds answers back, so that a test decides when they come, without waiting for time to pass.
///
/// ```
/// # use casque_testkit::{FakeCas, Fault, Gate, Page};
/// let cas = FakeCas::start();
/// let gate = Gate::new();
/// cas.fault(Page::P3ServiceValidate, Fault::Hold(gate.clone()));
/// // … begin a validation, then: gate.arrived(1).await, look around, and
/// gate.open();
/// ```
#[derive(Clone)]
pub struct Gate {
    arrivals: Arc<watch::Sender<usize>>,
    open: Arc<watch::Sender<bool>>,
}

impl Gate {
    /// A closed gate.
    pub fn new() -> Self {
        Self {
            arrivals: Arc::new(watch::Sender::new(0)),
            open: Arc::new(watch::Sender::new(false)),
        }
    }

    /// Waits until at least `count` requests have come to the gate, those that went through included.
    pub async fn arrived(&self, count: usize) {
        let mut arrivals = self.arrivals.subscribe();
        // This gate holds the sender, so waiting cannot fail.
        let _ = arrivals.wait_for(|arrived| *arrived >= count).await;
    }

    /// [`arrived`](Self::arrived) for a test that is not async.
    ///
    /// # Panics
    ///
    /// Inside an async runtime, which it would block.
    pub fn wait_arrived(&self, count: usize) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without drivers")
            .block_on(self.arrived(count));
    }

    /// Lets everything through, now and from now on.
    pub fn open(&self) {
        self.open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        self.arrivals.send_modify(|arrived| *arrived += 1);
        let mut open = self.open.subscribe();
        // This gate holds the sender, so waiting cannot fail.
        let _ = open.wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate")
            .field("arrivals", &*self.arrivals.borrow())
            .field("open", &*self.open.borrow())
            .finish()
    }
}

/// The faults that are set, by page.
#[derive(Debug, Default)]
pub(super) struct Faults {
    inner: Mutex<HashMap<Page, Planned>>,
}

#[derive(Debug, Default)]
struct Planned {
    once: VecDeque<Fault>,
    standing: Option<Fault>,
}

impl Faults {
    pub(super) fn stand(&self, page: Page, fault: Fault) {
        self.with(|faults| faults.entry(page).or_default().standing = Some(fault));
    }

    pub(super) fn once(&self, page: Page, fault: Fault) {
        self.with(|faults| faults.entry(page).or_default().once.push_back(fault));
    }

    pub(super) fn clear(&self) {
        self.with(HashMap::clear);
    }

    pub(super) fn next(&self, page: Page) -> Option<Fault> {
        self.with(|faults| {
            let planned = faults.get_mut(&page)?;
            planned
                .once
                .pop_front()
                .or_else(|| planned.standing.clone())
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut HashMap<Page, Planned>) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
