//! The parameters of a request: query and form body read together, strictly.

use crate::encode::form_decode;
use crate::service_url::TicketMode;
use crate::ticket::{ServiceTicket, TicketError, TicketKind};

/// The parameters of one request, decoded once (R-002, R-003).
///
/// ```
/// # use casque_proto::query::Parameters;
/// let parameters = Parameters::read("service=https%3A%2F%2Fapp.example.org%2F&renew=false", None);
/// assert_eq!(parameters.single("service"), Ok(Some("https://app.example.org/")));
/// assert!(!parameters.flag("renew"));
///
/// let twice = Parameters::read("ticket=ST-1-a", Some("ticket=ST-2-b"));
/// assert!(twice.single("ticket").is_err());
/// ```
#[derive(Clone, Default)]
pub struct Parameters {
    pairs: Vec<(String, String)>,
}

impl Parameters {
    /// Reads a query string without its `?`, and the body where it is `application/x-www-form-urlencoded`.
    pub fn read(query: &str, body: Option<&str>) -> Self {
        let pair = |piece: &str| {
            let (name, value) = piece.split_once('=').unwrap_or((piece, ""));
            (form_decode(name), form_decode(value))
        };
        let pieces = [query, body.unwrap_or_default()];
        let pieces = pieces
            .into_iter()
            .flat_map(|text| text.split('&'))
            .filter(|piece| !piece.is_empty());
        Self {
            pairs: pieces.map(pair).collect(),
        }
    }

    /// Every value of a parameter, query first. Names are case-sensitive.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| &**value)
    }

    /// The value of a parameter as a server reads it: equal repeats count as one (R-008), blank is absent (R-005).
    ///
    /// # Errors
    ///
    /// [`Duplicate`] where it occurs with different values.
    pub fn single<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Duplicate> {
        let mut values = self.all(name);
        let Some(first) = values.next() else {
            return Ok(None);
        };
        if values.any(|value| value != first) {
            return Err(Duplicate);
        }
        Ok(present(first))
    }

    /// The value of a parameter as a client reads it: given twice is an error, equal or not (S-004).
    ///
    /// # Errors
    ///
    /// [`Duplicate`] where it occurs more than once.
    pub fn only<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Duplicate> {
        let mut values = self.all(name);
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Duplicate),
            (Some(value), None) => Ok(present(value)),
            (None, None) => Ok(None),
        }
    }

    /// Whether a flag such as `renew` is set, by any of its occurrences (R-006).
    pub fn flag<'a>(&'a self, name: &'a str) -> bool {
        self.all(name).any(is_set)
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values hold tickets and passwords.
        f.debug_list()
            .entries(self.pairs.iter().map(|(name, _)| name))
            .finish()
    }
}

/// A security parameter was given more than once (R-008, S-004).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the parameter is given more than once")]
pub struct Duplicate;

/// Whether the value of a flag means set: not when blank, `false`, `0`, `off` or `no` in any case (R-006).
pub fn is_set(value: &str) -> bool {
    present(value).is_some_and(|value| {
        let value = value.trim();
        !["false", "0", "off", "no"]
            .iter()
            .any(|unset| value.eq_ignore_ascii_case(unset))
    })
}

/// The value, unless it is blank (R-005).
pub fn present(value: &str) -> Option<&str> {
    (!value.trim().is_empty()).then_some(value)
}

/// What a request says about a ticket, as a service reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TicketInRequest {
    /// No ticket: the parameter is absent, blank, or the application's own.
    None,
    /// A well-formed ticket in the query.
    InQuery(ServiceTicket),
    /// A well-formed ticket in the form body: to be believed only where `method=POST` was asked for (R-053).
    InBody(ServiceTicket),
    /// To be answered with 400: given twice, or malformed (R-055, S-001, S-004).
    Refused(TicketRefusal),
}

/// Why a request with a ticket is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TicketRefusal {
    /// The parameter occurs twice, query and body counted together.
    #[error("the ticket is given more than once")]
    Twice,
    /// It claims to be a ticket and is not one.
    #[error("{0}")]
    Malformed(TicketError),
}

/// Looks for the ticket in a request: query, and the body of a form, counted together (S-004).
///
/// ```
/// # use casque_proto::{TicketMode, query::{ticket_in_request, TicketInRequest}};
/// let found = ticket_in_request("a=1&ticket=ST-1-abc", None, TicketMode::Cas);
/// assert!(matches!(found, TicketInRequest::InQuery(_)));
/// let own = ticket_in_request("ticket=12345", None, TicketMode::Cas);
/// assert_eq!(own, TicketInRequest::None);
/// ```
pub fn ticket_in_request(query: &str, body: Option<&str>, mode: TicketMode) -> TicketInRequest {
    let (in_query, both) = (Parameters::read(query, None), Parameters::read(query, body));
    let Ok(value) = both.only(mode.parameter()) else {
        return TicketInRequest::Refused(TicketRefusal::Twice);
    };
    let Some(value) = value.filter(|value| {
        matches!(
            TicketKind::of(value),
            Some(TicketKind::Service | TicketKind::Proxy)
        )
    }) else {
        return TicketInRequest::None;
    };
    match ServiceTicket::parse(value) {
        Ok(ticket) if in_query.all(mode.parameter()).next().is_some() => {
            TicketInRequest::InQuery(ticket)
        }
        Ok(ticket) => TicketInRequest::InBody(ticket),
        Err(error) => TicketInRequest::Refused(TicketRefusal::Malformed(error)),
    }
}
