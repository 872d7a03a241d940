//! Single logout: the message that ends an application's session (R-075 to R-092).
//!
//! The server tells each service which of its tickets belongs to the session that ended. The message is not
//! signed: knowing the ticket is the only proof (R-092), so it is compared whole and never logged.

mod form;
mod front_channel;
mod receive;

use std::borrow::Cow;
use std::time::SystemTime;

use percent_encoding::utf8_percent_encode;

use self::front_channel::{deflate, inflate};
use crate::encode::ESCAPED;
use crate::xml::{Namespace, Reader};
use crate::{ErrorClass, ReadError, ReadOptions, ServiceTicket, TicketError, body, instant};

pub use self::front_channel::JsonpCallback;
pub use self::receive::{LogoutDecision, LogoutReceiver};

/// How a session index is read as a ticket.
type ReadTicket = fn(&str) -> Result<ServiceTicket, TicketError>;

/// A logout request: the service tickets whose sessions have ended.
///
/// ```
/// use casque_proto::{LogoutRequest, ServiceTicket};
/// use std::time::{Duration, SystemTime};
///
/// let ticket = ServiceTicket::parse("ST-1-abc")?;
/// let now = SystemTime::UNIX_EPOCH + Duration::from_hours(476_268);
/// let body = LogoutRequest::to_form_body("LR-1", now, &ticket);
/// assert!(body.starts_with("logoutRequest=%3Csamlp%3ALogoutRequest%20"));
///
/// let request = LogoutRequest::parse_form_body(body.as_bytes())?;
/// assert_eq!(request.session_indexes(), [ticket]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two messages are equal if they are about the same tickets.
#[derive(Clone, Debug)]
pub struct LogoutRequest {
    session_indexes: Vec<ServiceTicket>,
    id: Option<String>,
    issue_instant: Option<String>,
}

impl PartialEq for LogoutRequest {
    fn eq(&self, other: &Self) -> bool {
        self.session_indexes == other.session_indexes
    }
}

impl Eq for LogoutRequest {}

impl LogoutRequest {
    /// The message about one ticket.
    pub fn new(ticket: ServiceTicket) -> Self {
        Self {
            session_indexes: vec![ticket],
            id: None,
            issue_instant: None,
        }
    }

    /// A fresh `ID`: `LR-` and 32 hexadecimal digits from `fill`, which fills a slice with random bytes (R-080).
    pub fn new_id(fill: &mut dyn FnMut(&mut [u8])) -> String {
        let mut random = [0; 16];
        fill(&mut random);
        format!("LR-{:032x}", u128::from_be_bytes(random))
    }

    /// The document the server sends, on one line, for one ticket (R-078 to R-081).
    ///
    /// `id` is the unique `ID` of this message; characters it may not hold (R-080) are written as `_`.
    pub fn to_xml(id: &str, issue_instant: SystemTime, ticket: &ServiceTicket) -> String {
        format!(
            "<samlp:LogoutRequest xmlns:samlp=\"{SAMLP}\" ID=\"{id}\" Version=\"2.0\" \
             IssueInstant=\"{instant}\"><saml:NameID xmlns:saml=\"{SAML}\">@NOT_USED@</saml:NameID>\
             <samlp:SessionIndex>{index}</samlp:SessionIndex></samlp:LogoutRequest>",
            id = xml_id(id),
            instant = instant::seconds(issue_instant),
            index = ticket.secret(),
        )
    }

    /// The body of the back-channel `POST` (R-077): `application/x-www-form-urlencoded`.
    pub fn to_form_body(id: &str, issue_instant: SystemTime, ticket: &ServiceTicket) -> String {
        parameter(&Self::to_xml(id, issue_instant, ticket))
    }

    /// The query of the front-channel `GET` (R-083): the document compressed and in Base64.
    ///
    /// ```
    /// use casque_proto::{LogoutMessage, LogoutRequest, ServiceTicket};
    /// use std::time::SystemTime;
    ///
    /// let ticket = ServiceTicket::parse("ST-1-abc")?;
    /// let query = LogoutRequest::to_front_channel_query("LR-1", SystemTime::UNIX_EPOCH, &ticket);
    /// let message = LogoutMessage::parse(query.as_bytes())?;
    /// assert_eq!(message.request().session_indexes(), [ticket]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_front_channel_query(
        id: &str,
        issue_instant: SystemTime,
        ticket: &ServiceTicket,
    ) -> String {
        parameter(&deflate(&Self::to_xml(id, issue_instant, ticket)))
    }

    /// Reads the document, with the limits of [`ReadOptions`] by default (R-085 to R-087).
    ///
    /// `ID`, `Version`, `IssueInstant` and `NameID` do not decide anything (R-085).
    ///
    /// # Errors
    ///
    /// [`ErrorClass::NotLogoutRequest`], [`ErrorClass::NoSessionIndex`], [`ErrorClass::InvalidSessionIndex`] and
    /// the classes of every XML reader.
    pub fn parse_xml(xml: &[u8]) -> Result<Self, ReadError> {
        Self::read_xml(xml, ServiceTicket::parse)
    }

    /// [`parse_xml`](Self::parse_xml), with tickets as [`ServiceTicket::parse_unprefixed`] reads them (R-220).
    ///
    /// # Errors
    ///
    /// As [`parse_xml`](Self::parse_xml).
    pub fn parse_xml_unprefixed(xml: &[u8]) -> Result<Self, ReadError> {
        Self::read_xml(xml, ServiceTicket::parse_unprefixed)
    }

    fn read_xml(xml: &[u8], ticket: ReadTicket) -> Result<Self, ReadError> {
        let options = ReadOptions::default();
        let text = body::text(xml, &options)?;
        if !text.starts_with('<') {
            return Err(ReadError::malformed("not XML"));
        }
        let mut reader = Reader::new(&text, &options)?;
        if !reader.root()?.is(Namespace::Saml2Protocol, "LogoutRequest") {
            let what = "not a LogoutRequest of SAML 2.0";
            return Err(reader.error(ErrorClass::NotLogoutRequest, what));
        }
        let mut attribute = |name| reader.attribute(name).map(Cow::into_owned);
        let (id, issue_instant) = (attribute("ID"), attribute("IssueInstant"));
        let mut indexes = Vec::new();
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml2Protocol, "SessionIndex") {
                indexes.push(reader.text("SessionIndex")?);
            } else {
                reader.skip()?;
            }
        }
        reader.finish()?;
        if indexes.is_empty() {
            return Err(ReadError::new(
                ErrorClass::NoSessionIndex,
                "no SessionIndex",
            ));
        }
        match indexes.iter().map(|index| ticket(index)).collect() {
            Ok(session_indexes) => Ok(Self {
                session_indexes,
                id,
                issue_instant,
            }),
            Err::<_, TicketError>(error) => Err(ReadError::new(
                ErrorClass::InvalidSessionIndex,
                format!("the SessionIndex: {error}"),
            )),
        }
    }

    /// Reads the value of `logoutRequest`: the document, or the document compressed (R-088).
    ///
    /// # Errors
    ///
    /// As [`parse_xml`](Self::parse_xml); [`ErrorClass::TooLarge`] when it unfolds to more than 64 KiB.
    pub fn parse_value(value: &str) -> Result<Self, ReadError> {
        Self::read_value(value, ServiceTicket::parse)
    }

    /// [`parse_value`](Self::parse_value), with tickets as [`ServiceTicket::parse_unprefixed`] reads them (R-220).
    ///
    /// # Errors
    ///
    /// As [`parse_value`](Self::parse_value).
    pub fn parse_value_unprefixed(value: &str) -> Result<Self, ReadError> {
        Self::read_value(value, ServiceTicket::parse_unprefixed)
    }

    fn read_value(value: &str, ticket: ReadTicket) -> Result<Self, ReadError> {
        if looks_like_xml(value) {
            return Self::read_xml(value.as_bytes(), ticket);
        }
        let xml = inflate(value.trim_matches(XML_BLANK))?;
        Self::read_xml(&xml, ticket)
    }

    /// Reads a form body: see [`LogoutMessage::parse`].
    ///
    /// # Errors
    ///
    /// As [`LogoutMessage::parse`].
    pub fn parse_form_body(body: &[u8]) -> Result<Self, ReadError> {
        LogoutMessage::parse(body).map(|message| message.request)
    }

    /// [`parse_form_body`](Self::parse_form_body), with tickets as [`ServiceTicket::parse_unprefixed`] reads them
    /// (R-220).
    ///
    /// # Errors
    ///
    /// As [`LogoutMessage::parse`].
    pub fn parse_form_body_unprefixed(body: &[u8]) -> Result<Self, ReadError> {
        LogoutMessage::read(body, ServiceTicket::parse_unprefixed).map(|message| message.request)
    }

    /// The tickets, in document order; at least one.
    pub fn session_indexes(&self) -> &[ServiceTicket] {
        &self.session_indexes
    }

    /// The `ID` as the sender wrote it: any text, which nobody has vouched for.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// The `IssueInstant` as the sender wrote it: any text, which nobody has vouched for.
    pub fn issue_instant(&self) -> Option<&str> {
        self.issue_instant.as_deref()
    }

    /// The one ticket of a message as CAS servers send it.
    ///
    /// # Errors
    ///
    /// [`ErrorClass::Ambiguous`] if there are several: one message ends one session (S-048).
    pub fn session_index(&self) -> Result<&ServiceTicket, ReadError> {
        match self.session_indexes.as_slice() {
            [ticket] => Ok(ticket),
            _ => Err(ReadError::new(
                ErrorClass::Ambiguous,
                "a logout request with more than one SessionIndex",
            )),
        }
    }
}

/// A form body or query string that carries a logout request, and perhaps the name of a JSONP function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogoutMessage {
    request: LogoutRequest,
    callback: Option<JsonpCallback>,
}

impl LogoutMessage {
    /// Reads the parameters: `logoutRequest` once, other names are ignored, a `callback` that is not a safe name
    /// is none (R-084, R-089).
    ///
    /// # Errors
    ///
    /// [`ErrorClass::NotLogoutRequest`] without a value, [`ErrorClass::Ambiguous`] with two,
    /// [`ErrorClass::InvalidEncoding`] if the value is not UTF-8, and as [`LogoutRequest::parse_value`].
    pub fn parse(parameters: &[u8]) -> Result<Self, ReadError> {
        Self::read(parameters, ServiceTicket::parse)
    }

    fn read(parameters: &[u8], ticket: ReadTicket) -> Result<Self, ReadError> {
        let value = form::single(parameters, PARAMETER)?.filter(|value| !is_blank(value));
        let value = value.ok_or_else(|| {
            ReadError::new(ErrorClass::NotLogoutRequest, "no logoutRequest parameter")
        })?;
        let callback = form::single(parameters, "callback").ok().flatten();
        Ok(Self {
            request: LogoutRequest::read_value(&value, ticket)?,
            callback: callback.and_then(|name| JsonpCallback::parse(&name)),
        })
    }

    /// The logout request.
    pub fn request(&self) -> &LogoutRequest {
        &self.request
    }

    /// The function that a JSONP answer calls (R-089).
    pub fn callback(&self) -> Option<&JsonpCallback> {
        self.callback.as_ref()
    }
}

fn parameter(value: &str) -> String {
    // `+` and `/` of Base64 and every character of XML but letters, digits and `-._~` are encoded.
    format!("{PARAMETER}={}", utf8_percent_encode(value, ESCAPED))
}

/// `id` as an `ID` of R-080: `[A-Za-z_][A-Za-z0-9_-]*`.
fn xml_id(id: &str) -> String {
    let mut safe: String = id
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    if !safe.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
        safe.insert(0, '_');
    }
    safe
}

fn looks_like_xml(value: &str) -> bool {
    let value = value.trim_start_matches(XML_BLANK);
    value
        .strip_prefix('\u{feff}')
        .unwrap_or(value)
        .trim_start_matches(XML_BLANK)
        .starts_with('<')
}

fn is_blank(value: &str) -> bool {
    value.trim_matches(XML_BLANK).is_empty()
}

const PARAMETER: &str = "logoutRequest";

const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";

const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";

const XML_BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

#[cfg(test)]
mod tests;
