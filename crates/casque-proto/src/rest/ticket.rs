//! The ticket-granting ticket as the REST protocol hands it out.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::CasBase;

/// The id of a ticket-granting ticket as the REST protocol hands it out: a secret.
///
/// Wider than [`TicketGrantingTicket`](crate::TicketGrantingTicket), because servers put whole JWTs here:
/// `^[A-Za-z0-9][A-Za-z0-9._-]{0,8191}$` (R-268), so never `..` and never a `%`.
///
/// ```
/// use casque_proto::CasBase;
/// use casque_proto::rest::RestTgt;
///
/// let base = CasBase::parse("https://cas.example.org/cas/")?;
/// let tgt = RestTgt::parse("TGT-1-abc-cas01.example.org")?;
/// assert_eq!(format!("{tgt:?}"), "RestTgt(…)");
/// assert_eq!(
///     tgt.url(&base),
///     "https://cas.example.org/cas/v1/tickets/TGT-1-abc-cas01.example.org",
/// );
/// assert!(RestTgt::parse("../admin").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct RestTgt(Zeroizing<String>);

impl RestTgt {
    /// Takes an id that matches the grammar of R-268.
    ///
    /// # Errors
    ///
    /// [`RestTgtError`], which does not repeat the value.
    pub fn parse(id: &str) -> Result<Self, RestTgtError> {
        let starts_well = id.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
        let goes_on_well = id
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        if starts_well && goes_on_well && id.len() <= 8192 {
            Ok(Self(Zeroizing::new(id.to_owned())))
        } else {
            Err(RestTgtError)
        }
    }

    /// The id itself.
    pub fn secret(&self) -> &str {
        &self.0
    }

    /// Where this ticket is asked for service tickets, looked at and ended (R-269). As secret as the ticket.
    pub fn url(&self, base: &CasBase) -> String {
        format!("{}/{}", tickets_url(base), self.secret())
    }
}

/// Where credentials are traded for a ticket-granting ticket.
pub(super) fn tickets_url(base: &CasBase) -> String {
    format!("{}/v1/tickets", base.as_str())
}

impl PartialEq for RestTgt {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for RestTgt {}

impl fmt::Debug for RestTgt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RestTgt(…)")
    }
}

/// The id breaks the grammar of R-268.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a REST ticket-granting ticket is 1 to 8192 of A-Z a-z 0-9 . _ - and starts with a letter or digit"
)]
pub struct RestTgtError;
