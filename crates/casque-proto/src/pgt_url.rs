//! The proxy callback: where a CAS server sends a proxy-granting ticket.

use std::fmt;

use crate::encode::push_pair;
use crate::registry_url::Parts;
use crate::service_url::{ServiceUrlError, join};
use crate::ticket::{ProxyGrantingTicket, ProxyGrantingTicketIou};

/// A `pgtUrl` that a server may call: the strict syntax of [`RegistryUrl`](crate::RegistryUrl), and `https` (R-188, R-193).
///
/// Whether the service may use it, and whether its host's addresses are public, is the server's to decide.
///
/// ```
/// # use casque_proto::{PgtUrl, ProxyGrantingTicket, ProxyGrantingTicketIou};
/// let callback = PgtUrl::parse("https://app.example.org/cb?x=1")?;
/// let (iou, pgt) = (ProxyGrantingTicketIou::parse("PGTIOU-1-i")?, ProxyGrantingTicket::parse("PGT-1-p")?);
/// assert_eq!(callback.with_tickets(&iou, &pgt), "https://app.example.org/cb?x=1&pgtIou=PGTIOU-1-i&pgtId=PGT-1-p");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PgtUrl {
    text: String,
    parts: Parts,
}

impl PgtUrl {
    /// Reads a `pgtUrl`.
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, ServiceUrlError> {
        let parts = Parts::parse(text)?;
        if !parts.https {
            return Err(ServiceUrlError::Scheme);
        }
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// The exact text, as it appears in `proxies` (R-126).
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Scheme, host, and the port unless it is the default one.
    pub fn origin(&self) -> String {
        self.parts.origin()
    }

    /// The address to call (R-194, R-195).
    pub fn with_tickets(&self, iou: &ProxyGrantingTicketIou, pgt: &ProxyGrantingTicket) -> String {
        let before = format!("{}{}", self.parts.origin(), self.parts.path);
        let mut url = join(&before, self.parts.query.as_deref(), None);
        push_pair(&mut url, "pgtIou", iou.secret());
        push_pair(&mut url, "pgtId", pgt.secret());
        url
    }
}

impl fmt::Debug for PgtUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PgtUrl")
            .field(&format_args!("{}{}", self.parts.origin(), self.parts.path))
            .finish()
    }
}
