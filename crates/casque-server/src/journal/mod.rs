//! What happened, told in one place: counted for `/metrics`, and written to the audit log where there is one.

mod audit;
mod event;
mod metrics;
mod page;

pub use self::audit::{Audit, AuditTarget};
pub(crate) use self::{
    event::{Ended, Event, Granted, LoginOutcome, Message, Source},
    metrics::{Endpoint, Facts, Label, Metrics, label},
};

use std::{
    fmt,
    sync::{Arc, OnceLock},
};

use casque_proto::redact::DigestKey;
use casque_store::{Clock, StoreError};

use crate::secret::Secret;

/// The counts and the audit log of one server.
pub(crate) struct Journal {
    pub(crate) metrics: Metrics,
    audit: OnceLock<Audit>,
    /// Makes the digests that stand for tickets: the same on every node, so that a ticket can be followed (S-017).
    digests: DigestKey,
    clock: Arc<dyn Clock>,
}

impl Journal {
    pub(crate) fn new(secret: &Secret, clock: Arc<dyn Clock>) -> Self {
        Self {
            metrics: Metrics::new(clock.now()),
            audit: OnceLock::new(),
            digests: DigestKey::new(secret.mac("audit-digest", &[])),
            clock,
        }
    }

    /// Begins to write an audit log; the first one stays.
    pub(crate) fn audit_to(&self, audit: Audit) {
        // A second one would be told half.
        let _ = self.audit.set(audit);
    }

    pub(crate) fn audit(&self) -> Option<&Audit> {
        self.audit.get()
    }

    /// Tells what happened. Never waits.
    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.metrics.count(event);
        if let Some(audit) = self.audit.get() {
            audit.write(event.to_line(self.clock.now(), &self.digests));
        }
    }

    /// Counts that the store did not answer, and says why in the log.
    pub(crate) fn store_failed(&self, error: &StoreError) {
        self.metrics.store_failures.one();
        let error = error as &dyn std::error::Error;
        tracing::error!(error, "the store did not answer");
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal(…)")
    }
}
