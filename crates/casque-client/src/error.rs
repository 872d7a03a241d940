//! Errors, by who is at fault.

use std::borrow::Cow;

use casque_proto::{ErrorClass, FailureCode};

/// Why there is no user.
///
/// The variants say who is at fault, so that a caller can decide without reading texts: show "try again" for
/// [`Transport`](Self::Transport), begin a new login for [`Refused`](Self::Refused), call the operator for the rest.
///
/// The text of an error is one line without control characters that says what to do. It never holds a ticket (S-017),
/// so it can be logged; what the server wrote is cut to a bounded length with its tickets masked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The server answered something that is not a usable CAS answer: the fault of the server, or of what answered in
    /// its place.
    #[error("the CAS server's answer cannot be used (HTTP status {status}): {class}: {detail}{}", advice_of_class(*class))]
    Malformed {
        /// What is wrong with the answer, in the classes of the protocol core.
        class: ErrorClass,
        /// The HTTP status of the answer.
        status: u16,
        /// What was wrong, in words.
        detail: String,
    },
    /// The server understood the request and refused it.
    #[error("the CAS server refused the ticket: {}{}{}", code_text(code.as_ref()), quoted(message), advice_of_code(code.as_ref()))]
    Refused {
        /// The CAS error code. CAS 1 has none, and some servers leave it out.
        code: Option<FailureCode>,
        /// The server's own words; they may be empty.
        message: String,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// The server understood a request of the REST protocol and refused it.
    #[error("the CAS server refused: {detail}{}", quoted(message))]
    RestRefused {
        /// [`AuthenticationFailed`](ErrorClass::AuthenticationFailed), [`TgtNotFound`](ErrorClass::TgtNotFound) or
        /// [`Throttled`](ErrorClass::Throttled).
        class: ErrorClass,
        /// What that means for what was asked.
        detail: String,
        /// The server's own words; they may be empty.
        message: String,
        /// The HTTP status of the answer.
        status: u16,
    },
    /// The answer or the server breaks our policy, although it may be well-formed.
    #[error("{distrust}: {detail}{}", distrust.advice())]
    Untrusted {
        /// Which policy.
        distrust: Distrust,
        /// What was seen.
        detail: String,
        /// The HTTP status, where an answer was read at all.
        status: Option<u16>,
    },
    /// The caller asked for something that cannot be: a setting is wrong.
    #[error("{setting}: {detail}")]
    Misuse {
        /// The setting or argument.
        setting: &'static str,
        /// What is wrong with it and how to put it right.
        detail: String,
    },
    /// The server could not be reached, or the connection failed.
    #[error("{failure}: {detail}{}", failure.advice())]
    Transport {
        /// In which phase.
        failure: TransportFailure,
        /// The cause, as the network stack tells it.
        detail: String,
    },
}

impl ClientError {
    /// The CAS error code of a refusal, for example `INVALID_TICKET`.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_ref().map(FailureCode::as_str),
            _ => None,
        }
    }

    /// What the server said about a refusal. It may be empty.
    pub fn server_message(&self) -> Option<&str> {
        match self {
            Self::Refused { message, .. } | Self::RestRefused { message, .. } => Some(message),
            _ => None,
        }
    }

    /// The HTTP status of the answer, where one came.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Malformed { status, .. }
            | Self::Refused { status, .. }
            | Self::RestRefused { status, .. } => Some(*status),
            Self::Untrusted { status, .. } => *status,
            Self::Misuse { .. } | Self::Transport { .. } => None,
        }
    }

    /// A short stable name for logs and metrics: an error class, a code, or a kind of failure.
    ///
    /// The set of names is bounded: a code that the protocol does not know counts as `other_code`.
    pub fn label(&self) -> &str {
        match self {
            Self::Malformed { class, .. } | Self::RestRefused { class, .. } => class.as_str(),
            Self::Refused { code: None, .. } => "no_code",
            Self::Refused {
                code: Some(FailureCode::Other(_)),
                ..
            } => "other_code",
            Self::Refused {
                code: Some(code), ..
            } => code.as_str(),
            Self::Untrusted { distrust, .. } => distrust.label(),
            Self::Misuse { .. } => "misuse",
            Self::Transport { failure, .. } => failure.label(),
        }
    }

    /// Whether the ticket may have reached the server, and so may be spent.
    ///
    /// Where this is false, the same ticket can be validated once more; everywhere else begin a new login.
    pub fn may_have_reached_server(&self) -> bool {
        match self {
            Self::Malformed { .. } | Self::Refused { .. } | Self::RestRefused { .. } => true,
            Self::Untrusted { distrust, .. } => *distrust != Distrust::Certificate,
            Self::Misuse { .. } => false,
            Self::Transport { failure, .. } => *failure != TransportFailure::Connect,
        }
    }

    pub(crate) fn misuse(setting: &'static str, detail: impl Into<String>) -> Self {
        Self::Misuse {
            setting,
            detail: detail.into(),
        }
    }
}

/// Which policy an [`Untrusted`](ClientError::Untrusted) answer breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// The server's certificate is not one we trust for its name at this time (S-010). Nothing was sent.
    #[error("the CAS server's certificate is not trusted")]
    Certificate,
    /// The user came through a proxy that is not allowed (S-014).
    #[error("the user came through a proxy")]
    Proxy,
    /// A SAML assertion without a period of validity, or outside it.
    #[error("the SAML assertion is not valid now")]
    Conditions,
    /// A SAML assertion for another service.
    #[error("the SAML assertion is for another service")]
    Audience,
}

impl Distrust {
    fn label(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Proxy => "proxy_not_allowed",
            Self::Conditions => "saml_conditions",
            Self::Audience => "saml_audience",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Certificate => {
                "; if the server uses your institution's own authority, give its root certificate with extra_roots_file"
            }
            Self::Proxy => {
                "; only those proxies are accepted whose chain is allowed with allow_proxy_chain"
            }
            Self::Conditions => {
                "; set the clocks of this machine and the CAS server right, or allow a larger clock_tolerance"
            }
            Self::Audience => {
                "; the service sent with this ticket and the one in the answer must be equal, so build one ServiceUrl and \
                 use it everywhere"
            }
        }
    }
}

/// The phase in which a [`Transport`](ClientError::Transport) error happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum TransportFailure {
    /// No connection: the name is unknown, the port closed, the TLS handshake failed, or the connect timeout ran out.
    /// Nothing was sent.
    #[error("cannot connect to the CAS server")]
    Connect,
    /// The total timeout ran out.
    #[error("the CAS server did not answer in time")]
    Timeout,
    /// The connection broke off while the request was being sent or the answer read.
    #[error("the connection to the CAS server broke off")]
    Interrupted,
}

impl TransportFailure {
    fn label(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Timeout => "timeout",
            Self::Interrupted => "interrupted",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Connect => "",
            Self::Timeout | Self::Interrupted => {
                "; a ticket that was sent may be spent, so begin a new login"
            }
        }
    }
}

fn code_text(code: Option<&FailureCode>) -> Cow<'_, str> {
    match code {
        None => Cow::Borrowed("no reason code"),
        // An unknown code is the server's text, and may be anything.
        Some(code) => Cow::Owned(crate::text::one_line(code.as_str(), 60)),
    }
}

fn quoted(message: &str) -> String {
    if message.is_empty() {
        String::new()
    } else {
        format!(" (\"{message}\")")
    }
}

fn advice_of_code(code: Option<&FailureCode>) -> &'static str {
    match code {
        Some(FailureCode::InvalidService) => {
            "; the service sent with this ticket is not the one that was sent to /login: both must be equal, character \
             for character, so build one ServiceUrl and use it for both"
        }
        Some(FailureCode::InvalidTicket) => {
            "; a ticket is good once and for seconds, a proxy-granting one until the session at the CAS server ends: begin \
             a new login (a page that was loaded again, a second worker validating the same ticket, and clocks far apart \
             are the usual causes)"
        }
        Some(FailureCode::InvalidTicketSpec) => {
            "; the server does not take this kind of ticket: begin a new login"
        }
        Some(FailureCode::InvalidRequest) => {
            "; the server missed a parameter or does not know one (an old server may not know format=JSON)"
        }
        Some(FailureCode::UnauthorizedService) => {
            "; the server does not let this service use CAS, or not this person: ask its operator to register the service"
        }
        Some(FailureCode::UnauthorizedServiceProxy | FailureCode::InvalidProxyCallback) => {
            "; the server does not let this service act as a proxy: ask its operator"
        }
        Some(FailureCode::BadPgt) => {
            "; the proxy-granting ticket has ended with the session at the CAS server: begin a new login"
        }
        Some(FailureCode::InternalError) => "; the fault is on the server: see its log",
        _ => "",
    }
}

fn advice_of_class(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::NotCas | ErrorClass::UnexpectedStatus | ErrorClass::Empty => {
            "; check that the base URL is that of the CAS server itself (often with /cas at the end) and that the server \
             speaks the protocol version that is set"
        }
        ErrorClass::EndpointUnavailable => {
            "; most servers have the REST protocol turned off: ask its operator (at casque serve the key is rest.enabled), \
             and check the base URL"
        }
        ErrorClass::ServerError => "; the fault is on the server: see its log",
        ErrorClass::TooLarge => {
            "; a CAS answer is a few kilobytes, so something else may be answering"
        }
        _ => "",
    }
}
