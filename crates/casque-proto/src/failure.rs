//! Refusals: the code and the words of the server.

use std::fmt;

use crate::read::safe_excerpt;

/// Why the server refused (R-180). Codes are compared case-sensitively; unknown ones pass through unchanged (R-168).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailureCode {
    /// A parameter is missing, blank, given twice, or asks for an unknown format (R-182).
    InvalidRequest,
    /// The ticket breaks the grammar of tickets (R-183).
    InvalidTicketSpec,
    /// The service is not registered, or may not have this user (R-186).
    UnauthorizedService,
    /// The service may not act as a proxy (R-187).
    UnauthorizedServiceProxy,
    /// The callback for the proxy-granting ticket failed or is not allowed (R-188).
    InvalidProxyCallback,
    /// The ticket is unknown, expired, used or not good enough (R-184).
    InvalidTicket,
    /// The ticket was issued for another service (R-185).
    InvalidService,
    /// Something broke inside the server (R-189).
    InternalError,
    /// CAS 2, at `/proxy`: the proxy-granting ticket is not good (R-191).
    BadPgt,
    /// A code of one server only (R-181).
    Other(String),
}

impl FailureCode {
    /// The codes the protocol knows, [`Other`](Self::Other) left out.
    pub const KNOWN: [Self; 9] = [
        Self::InvalidRequest,
        Self::InvalidTicketSpec,
        Self::UnauthorizedService,
        Self::UnauthorizedServiceProxy,
        Self::InvalidProxyCallback,
        Self::InvalidTicket,
        Self::InvalidService,
        Self::InternalError,
        Self::BadPgt,
    ];

    /// The code of that name.
    pub fn from_name(name: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|code| code.as_str() == name)
            .unwrap_or_else(|| Self::Other(name.to_owned()))
    }

    /// The name, for example `INVALID_TICKET`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::InvalidTicketSpec => "INVALID_TICKET_SPEC",
            Self::UnauthorizedService => "UNAUTHORIZED_SERVICE",
            Self::UnauthorizedServiceProxy => "UNAUTHORIZED_SERVICE_PROXY",
            Self::InvalidProxyCallback => "INVALID_PROXY_CALLBACK",
            Self::InvalidTicket => "INVALID_TICKET",
            Self::InvalidService => "INVALID_SERVICE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::BadPgt => "BAD_PGT",
            Self::Other(name) => name,
        }
    }

    /// Words for a server that has none of its own: a description is never empty (R-122).
    fn default_description(&self) -> &'static str {
        match self {
            Self::InvalidRequest => "a required parameter is missing or not valid",
            Self::InvalidTicketSpec => "the ticket is not a ticket of the expected form",
            Self::UnauthorizedService => "the service is not authorized to use CAS",
            Self::UnauthorizedServiceProxy => "the service is not authorized to act as a proxy",
            Self::InvalidProxyCallback => "the proxy callback failed or is not allowed",
            Self::InvalidTicket => "the ticket is not recognized",
            Self::InvalidService => "the ticket was not issued for this service",
            Self::InternalError => "an internal error occurred",
            Self::BadPgt => "the proxy-granting ticket is not valid",
            Self::Other(_) => "the request was refused",
        }
    }
}

/// On one line, bounded: a server may send anything.
impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&safe_excerpt(self.as_str(), 64))
    }
}

/// A refusal of the server (R-121, R-167).
///
/// `Display` and `Debug` are bounded, escaped and mask tickets, which servers like to echo; the accessors give the
/// server's words as they came.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure {
    code: Option<FailureCode>,
    description: String,
}

impl Failure {
    /// A failure with a code. A blank description is replaced by words for the code (R-122).
    ///
    /// ```
    /// use casque_proto::{Failure, FailureCode};
    ///
    /// let failure = Failure::new(FailureCode::InvalidTicket, "");
    /// assert_eq!(failure.description(), "the ticket is not recognized");
    /// ```
    pub fn new(code: FailureCode, description: impl Into<String>) -> Self {
        let mut description = description.into();
        if description.trim().is_empty() {
            code.default_description().clone_into(&mut description);
        }
        Self {
            code: Some(code),
            description,
        }
    }

    /// A failure as it was read: without a code it is a failure all the same.
    pub(crate) fn read(code: Option<&str>, description: &str) -> Self {
        Self {
            code: code
                .filter(|code| !code.is_empty())
                .map(FailureCode::from_name),
            description: description.to_owned(),
        }
    }

    /// The code, unless the server sent none.
    pub fn code(&self) -> Option<&FailureCode> {
        self.code.as_ref()
    }

    /// The words of the server, which may be none.
    pub fn description(&self) -> &str {
        &self.description
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", safe_excerpt(&self.description, 200)),
            None => write!(f, "refused: {}", safe_excerpt(&self.description, 200)),
        }
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field(
                "code",
                &self
                    .code
                    .as_ref()
                    .map(|code| safe_excerpt(code.as_str(), 64)),
            )
            .field("description", &safe_excerpt(&self.description, 200))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_keep_their_names() {
        // R-168, R-180
        for code in FailureCode::KNOWN {
            assert_eq!(FailureCode::from_name(code.as_str()), code);
            assert!(!Failure::new(code, " ").description().trim().is_empty());
        }
        for other in ["invalid_ticket", "INVALID_REQUEST_PROXY", "x"] {
            assert_eq!(
                FailureCode::from_name(other),
                FailureCode::Other(other.to_owned())
            );
        }
    }

    #[test]
    fn shown_failures_hold_no_ticket() {
        // S-017
        let failure = Failure::read(Some("X\n"), "Ticket ST-1-secret not\nrecognized");
        assert_eq!(
            failure.to_string(),
            "X\\u{a}: Ticket ST-… not\\u{a}recognized"
        );
        assert!(!format!("{failure:?}").contains("secret"));
        assert_eq!(failure.description(), "Ticket ST-1-secret not\nrecognized");
    }
}
