//! Tickets as types: kinds, the grammar of acceptance, and generation.
//!
//! Every ticket is a secret. The types print redacted, have no `Display`, compare in constant time and
//! are wiped when dropped; [`secret`](ServiceTicket::secret) is the one, visibly named, way to the text.

use std::fmt;

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// The longest ticket that is read, in bytes, prefix included (R-219).
pub const MAX_TICKET_BYTES: usize = 1024;

/// The longest ticket read by [`ServiceTicket::parse_unprefixed`], in bytes (R-220).
pub const MAX_UNPREFIXED_TICKET_BYTES: usize = 8192;

/// What a ticket is for (CAS specification §3, R-213).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum TicketKind {
    /// `ST-`: one login of one service, used once.
    Service,
    /// `PT-`: like a service ticket, obtained through a proxy.
    Proxy,
    /// `PGT-`: lets a service obtain proxy tickets.
    ProxyGranting,
    /// `PGTIOU-`: ties a validation answer to the proxy-granting ticket sent to the callback.
    ProxyGrantingIou,
    /// `TGT-`: the single sign-on session itself.
    TicketGranting,
    /// `LT-`: one submission of the login form.
    Login,
}

impl TicketKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Service,
        Self::Proxy,
        Self::ProxyGranting,
        Self::ProxyGrantingIou,
        Self::TicketGranting,
        Self::Login,
    ];

    /// The prefix with its hyphen, such as `ST-`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Service => "ST-",
            Self::Proxy => "PT-",
            Self::ProxyGranting => "PGT-",
            Self::ProxyGrantingIou => "PGTIOU-",
            Self::TicketGranting => "TGT-",
            Self::Login => "LT-",
        }
    }

    /// The kind that `text` claims to be by its prefix. Prefixes are case-sensitive; the rest of the text is not judged.
    ///
    /// ```
    /// # use casque_proto::TicketKind;
    /// assert_eq!(TicketKind::of("PGTIOU-84678-8a9d"), Some(TicketKind::ProxyGrantingIou));
    /// assert_eq!(TicketKind::of("st-1"), None);
    /// ```
    pub fn of(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| text.starts_with(kind.prefix()))
    }

    /// A short lower-case name: `st`, `pt`, `pgt`, `pgtiou`, `tgt`, `lt`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Service => "st",
            Self::Proxy => "pt",
            Self::ProxyGranting => "pgt",
            Self::ProxyGrantingIou => "pgtiou",
            Self::TicketGranting => "tgt",
            Self::Login => "lt",
        }
    }
}

/// Why a text is not a ticket of the kind asked for. It never holds the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketError {
    /// Nothing was given.
    #[error("the ticket is empty")]
    Empty,
    /// More bytes than [`MAX_TICKET_BYTES`].
    #[error("the ticket is longer than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// No known prefix.
    #[error("the ticket does not begin with a known prefix such as ST-")]
    UnknownPrefix,
    /// A ticket of another kind, well-formed or not (R-100).
    #[error("the ticket is a {0:?} ticket, which does not belong here")]
    WrongKind(TicketKind),
    /// Nothing follows the prefix.
    #[error("nothing follows the prefix of the ticket")]
    NothingAfterPrefix,
    /// A character outside `A-Z a-z 0-9 . _ -`.
    #[error("the ticket holds a character outside A-Z a-z 0-9 . _ -")]
    Alphabet,
}

/// Declares one ticket type: accepted kinds, kind when generated, count of random characters.
macro_rules! ticket_type {
    ($(#[$doc:meta])* $name:ident, accepts $accepted:expr, generates $kind:expr, $random:literal characters) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(Zeroizing<String>);

        impl $name {
            /// Reads a ticket by the grammar of R-219: a prefix, then `A-Z a-z 0-9 . _ -`, at most 1024 bytes.
            ///
            /// # Errors
            ///
            /// [`TicketError`] says which rule was broken; it does not hold the text.
            pub fn parse(text: &str) -> Result<Self, TicketError> {
                check(text, &$accepted)?;
                Ok(Self(Zeroizing::new(text.to_owned())))
            }

            /// Makes a new ticket from `fill`, which must fill its argument from a cryptographic random source (R-214 to R-217).
            ///
            /// The characters are uniform over `A-Z a-z 0-9`: bytes that would favour some of them are thrown away.
            ///
            /// # Panics
            ///
            /// When `fill` keeps giving bytes of which none can be used, which no random source does.
            pub fn generate(fill: &mut dyn FnMut(&mut [u8])) -> Self {
                Self(random_ticket($kind.prefix(), $random, fill))
            }

            /// The kind by its prefix.
            pub fn kind(&self) -> TicketKind {
                TicketKind::of(&self.0).unwrap_or($kind)
            }

            /// The text of the ticket. It is a secret: never log it, never store it in clear.
            pub fn secret(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({}…)", stringify!($name), self.kind().prefix())
            }
        }

        impl PartialEq for $name {
            fn eq(&self, other: &Self) -> bool {
                self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
            }
        }

        impl Eq for $name {}
    };
}

ticket_type! {
    /// What a service receives and hands to the CAS server: `ST-`, or `PT-` when it was reached through a proxy.
    ///
    /// ```
    /// # use casque_proto::{ServiceTicket, TicketKind};
    /// let ticket = ServiceTicket::parse("ST-1856339-aA5Yuvrxzpv8Tau1cYQ7")?;
    /// assert_eq!(ticket.kind(), TicketKind::Service);
    /// assert_eq!(format!("{ticket:?}"), "ServiceTicket(ST-…)");
    /// assert!(ServiceTicket::parse("ST-1&renew=false").is_err());
    /// # Ok::<(), casque_proto::TicketError>(())
    /// ```
    ServiceTicket, accepts [TicketKind::Service, TicketKind::Proxy], generates TicketKind::Service, 29 characters
}

ticket_type! {
    /// A ticket obtained at `/proxy`. Issued with `PT-`; `ST-`, which CAS 2 allows, is read too.
    ProxyTicket, accepts [TicketKind::Proxy, TicketKind::Service], generates TicketKind::Proxy, 29 characters
}

ticket_type! {
    /// A proxy-granting ticket. Issued with `PGT-`; `TGT-`, as some servers send it, is read too (R-201).
    ProxyGrantingTicket, accepts [TicketKind::ProxyGranting, TicketKind::TicketGranting], generates TicketKind::ProxyGranting, 50 characters
}

ticket_type! {
    /// The `PGTIOU-` of a validation answer.
    ProxyGrantingTicketIou, accepts [TicketKind::ProxyGrantingIou], generates TicketKind::ProxyGrantingIou, 50 characters
}

ticket_type! {
    /// The single sign-on session, `TGT-`.
    TicketGrantingTicket, accepts [TicketKind::TicketGranting], generates TicketKind::TicketGranting, 50 characters
}

ticket_type! {
    /// The one-time field of the login form, `LT-`.
    LoginTicket, accepts [TicketKind::Login], generates TicketKind::Login, 50 characters
}

impl ServiceTicket {
    /// Reads a ticket without the prefix rule, for servers that issue tickets of their own shape (R-220):
    /// 1 to 8192 of `A-Z a-z 0-9 . _ ~ + / = -`. Only for use where an operator asked for it by name.
    ///
    /// # Errors
    ///
    /// [`TicketError`] says which rule was broken; it does not hold the text.
    pub fn parse_unprefixed(text: &str) -> Result<Self, TicketError> {
        if text.is_empty() {
            return Err(TicketError::Empty);
        }
        if text.len() > MAX_UNPREFIXED_TICKET_BYTES {
            return Err(TicketError::TooLong {
                limit: MAX_UNPREFIXED_TICKET_BYTES,
            });
        }
        if !text
            .bytes()
            .all(|byte| is_ticket_byte(byte) || b"~+/=".contains(&byte))
        {
            return Err(TicketError::Alphabet);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl From<ProxyTicket> for ServiceTicket {
    fn from(ticket: ProxyTicket) -> Self {
        Self(ticket.0)
    }
}

pub(crate) const fn is_ticket_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

fn check(text: &str, accepted: &[TicketKind]) -> Result<(), TicketError> {
    if text.is_empty() {
        return Err(TicketError::Empty);
    }
    if text.len() > MAX_TICKET_BYTES {
        return Err(TicketError::TooLong {
            limit: MAX_TICKET_BYTES,
        });
    }
    if !text.bytes().all(is_ticket_byte) {
        return Err(TicketError::Alphabet);
    }
    let kind = TicketKind::of(text).ok_or(TicketError::UnknownPrefix)?;
    // Grammar before kind: a bare prefix is no ticket of any kind (R-219).
    if text.len() == kind.prefix().len() {
        return Err(TicketError::NothingAfterPrefix);
    }
    if !accepted.contains(&kind) {
        return Err(TicketError::WrongKind(kind));
    }
    Ok(())
}

const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// The largest multiple of 62 that fits a byte: bytes from here on would favour the first characters.
const FAIR_BELOW: u8 = 248;

fn random_ticket(prefix: &str, count: usize, fill: &mut dyn FnMut(&mut [u8])) -> Zeroizing<String> {
    // Exact capacity: a growing string would leave copies of the secret behind.
    let mut text = Zeroizing::new(String::with_capacity(prefix.len() + count));
    text.push_str(prefix);
    let mut missing = count;
    let mut bytes = Zeroizing::new([0_u8; 64]);
    while missing > 0 {
        fill(&mut *bytes);
        let before = missing;
        for byte in bytes
            .iter()
            .filter(|byte| **byte < FAIR_BELOW)
            .take(missing)
        {
            text.push(char::from(ALPHABET[usize::from(*byte % 62)]));
            missing -= 1;
        }
        assert!(
            missing < before,
            "the random source gave 64 bytes of 248 and above"
        );
    }
    text
}
