//! What a client takes from the answers, and how it tells the failures apart (R-268 to R-272).

use http::header::LOCATION;
use http::{HeaderMap, StatusCode};

use super::RestTgt;
use crate::{ErrorClass, ReadError, ServiceTicket, TicketError, text};

/// The answer to a `POST` of credentials to `/v1/tickets`: the user has a ticket-granting ticket.
///
/// ```
/// use casque_proto::rest::TgtCreated;
/// use http::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("location", "http://inner.example/cas/v1/tickets/TGT-1-abc?x=y".parse()?);
/// let created = TgtCreated::parse(201, &headers)?;
/// assert_eq!(created.tgt().secret(), "TGT-1-abc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TgtCreated(RestTgt);

impl TgtCreated {
    /// The answer that hands out this ticket.
    pub fn new(tgt: RestTgt) -> Self {
        Self(tgt)
    }

    /// Reads status and headers; the body does not matter (R-268).
    ///
    /// # Errors
    ///
    /// By status (R-272): [`ErrorClass::AuthenticationFailed`], [`ErrorClass::EndpointUnavailable`],
    /// [`ErrorClass::Throttled`], [`ErrorClass::ServerError`], [`ErrorClass::UnexpectedStatus`];
    /// [`ErrorClass::Malformed`] for a success without a usable ticket.
    pub fn parse(status: u16, headers: &HeaderMap) -> Result<Self, ReadError> {
        expect_status(status, &[StatusCode::CREATED], Resource::Tickets)?;
        location_segment(headers)
            .and_then(|id| RestTgt::parse(id).ok())
            .map(Self)
            .ok_or_else(|| {
                ReadError::malformed("Location does not end in a ticket-granting ticket")
                    .with_status(status)
            })
    }

    /// The ticket.
    pub fn tgt(&self) -> &RestTgt {
        &self.0
    }
}

/// The answer to a `POST` of a service to `/v1/tickets/{TGT}`: a service ticket.
///
/// ```
/// use casque_proto::rest::StCreated;
///
/// assert_eq!(StCreated::parse(200, b"ST-1-abc\n")?.ticket().secret(), "ST-1-abc");
/// assert!(StCreated::parse(200, b"<html>login</html>").is_err());
/// # Ok::<(), casque_proto::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StCreated(ServiceTicket);

impl StCreated {
    /// The answer that hands out this ticket.
    pub fn new(ticket: ServiceTicket) -> Self {
        Self(ticket)
    }

    /// Reads status and body (R-270).
    ///
    /// # Errors
    ///
    /// As [`TgtCreated::parse`], and [`ErrorClass::TgtNotFound`] when the ticket-granting ticket has ended.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, ReadError> {
        Self::read(status, body, ServiceTicket::parse)
    }

    /// Reads a ticket of any shape, such as a JWT, for servers that issue those (R-220, R-270). Only for use where an
    /// operator asked for it by name.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_unprefixed(status: u16, body: &[u8]) -> Result<Self, ReadError> {
        Self::read(status, body, ServiceTicket::parse_unprefixed)
    }

    /// The ticket.
    pub fn ticket(&self) -> &ServiceTicket {
        &self.0
    }

    fn read(
        status: u16,
        body: &[u8],
        ticket: fn(&str) -> Result<ServiceTicket, TicketError>,
    ) -> Result<Self, ReadError> {
        expect_status(status, &[StatusCode::OK], Resource::Tgt)?;
        std::str::from_utf8(body)
            .ok()
            .and_then(|text| ticket(text::trim_xml(text)).ok())
            .map(Self)
            .ok_or_else(|| {
                ReadError::malformed("the body is not a service ticket").with_status(status)
            })
    }
}

/// The answer to a `DELETE` of `/v1/tickets/{TGT}`: the ticket-granting ticket is no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TgtDeleted;

impl TgtDeleted {
    /// Reads the status; a ticket that was gone already is a success too (R-271).
    ///
    /// # Errors
    ///
    /// By status, as [`StCreated::parse`].
    pub fn parse(status: u16) -> Result<Self, ReadError> {
        let gone = [
            StatusCode::OK,
            StatusCode::NO_CONTENT,
            StatusCode::NOT_FOUND,
        ];
        expect_status(status, &gone, Resource::Tgt).map(|()| Self)
    }
}

/// The answer to a `GET` of `/v1/tickets/{TGT}`: the ticket-granting ticket is alive (R-265).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TgtFound;

impl TgtFound {
    /// Reads the status.
    ///
    /// # Errors
    ///
    /// By status, as [`StCreated::parse`]: [`ErrorClass::TgtNotFound`] when the ticket has ended.
    pub fn parse(status: u16) -> Result<Self, ReadError> {
        expect_status(status, &[StatusCode::OK], Resource::Tgt).map(|()| Self)
    }
}

/// What was asked, as far as the meaning of a status depends on it.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Resource {
    /// `/v1/tickets` and `/v1/users`.
    Tickets,
    /// `/v1/tickets/{TGT}`.
    Tgt,
}

/// `Ok` for an expected status, otherwise the class of R-272.
pub(super) fn expect_status(
    status: u16,
    expected: &[StatusCode],
    resource: Resource,
) -> Result<(), ReadError> {
    let (class, detail) = match status {
        _ if expected.iter().any(|code| code.as_u16() == status) => return Ok(()),
        200..=299 => (ErrorClass::Malformed, "not the status of this answer"),
        400 | 401 => (
            ErrorClass::AuthenticationFailed,
            "the server refused the request",
        ),
        403 => (
            ErrorClass::UnexpectedStatus,
            "the server forbids it, perhaps to this address only",
        ),
        404 if resource == Resource::Tgt => (
            ErrorClass::TgtNotFound,
            "the ticket-granting ticket has ended",
        ),
        404 | 405 | 415 => (
            ErrorClass::EndpointUnavailable,
            "the server does not speak REST at this address",
        ),
        423 | 429 => (ErrorClass::Throttled, "the server asks to wait"),
        500..=599 => (ErrorClass::ServerError, "the server failed"),
        _ => (
            ErrorClass::UnexpectedStatus,
            "not the status of this answer",
        ),
    };
    Err(ReadError::new(class, detail).with_status(status))
}

/// The last segment of the path of the one `Location`, absolute or relative.
fn location_segment(headers: &HeaderMap) -> Option<&str> {
    let mut locations = headers.get_all(LOCATION).into_iter();
    let location = locations.next()?.to_str().ok()?.trim();
    if locations.next().is_some() {
        return None;
    }
    let path_and_host = location.split(['?', '#']).next()?;
    let path = match path_and_host.split_once("//") {
        // An authority alone has no path: its host must not pass for a ticket.
        Some((scheme, host_and_path)) if scheme.is_empty() || scheme.ends_with(':') => {
            host_and_path.split_once('/')?.1
        }
        _ => path_and_host,
    };
    path.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_segment_of_location_is_the_ticket() {
        // R-268, R-269
        for (location, tgt) in [
            (
                "https://cas.example.org/cas/v1/tickets/TGT-1-a",
                Some("TGT-1-a"),
            ),
            ("/cas/v1/tickets/TGT-1-a", Some("TGT-1-a")),
            ("TGT-1-a", Some("TGT-1-a")),
            ("//evil.example/TGT-1-a#x/y", Some("TGT-1-a")),
            ("http://h:8080/TGT-1-a?x=/y", Some("TGT-1-a")),
            ("/v1/tickets/eyJh.b-c_d", Some("eyJh.b-c_d")),
            ("https://cas.example.org", None),
            ("//cas.example.org", None),
            ("https://cas.example.org/cas/v1/tickets/", None),
            ("https://cas.example.org/cas/v1/tickets/..", None),
            ("/cas/v1/tickets/%2e%2e", None),
            ("/cas/v1/tickets/TGT-1;x", None),
            ("", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(LOCATION, location.parse().expect("a header"));
            let read = TgtCreated::parse(201, &headers);
            let read = read.as_ref().ok().map(|created| created.tgt().secret());
            assert_eq!(read, tgt, "{location}");
        }
    }

    #[test]
    fn two_locations_are_none() {
        let mut headers = HeaderMap::new();
        headers.append(LOCATION, "/TGT-1-a".parse().expect("a header"));
        headers.append(LOCATION, "/TGT-1-a".parse().expect("a header"));
        let class = TgtCreated::parse(201, &headers).map_err(|error| error.class());
        assert_eq!(class, Err(ErrorClass::Malformed));
    }

    #[test]
    fn failures_are_told_apart() {
        // R-272
        let created = |status| {
            TgtCreated::parse(status, &HeaderMap::new())
                .expect_err("no location")
                .class()
        };
        let ticket = |status| {
            StCreated::parse(status, b"")
                .expect_err("no ticket")
                .class()
        };
        for (status, on_tickets, on_tgt) in [
            (200, ErrorClass::Malformed, ErrorClass::Malformed),
            (201, ErrorClass::Malformed, ErrorClass::Malformed),
            (
                302,
                ErrorClass::UnexpectedStatus,
                ErrorClass::UnexpectedStatus,
            ),
            (
                400,
                ErrorClass::AuthenticationFailed,
                ErrorClass::AuthenticationFailed,
            ),
            (
                401,
                ErrorClass::AuthenticationFailed,
                ErrorClass::AuthenticationFailed,
            ),
            (
                403,
                ErrorClass::UnexpectedStatus,
                ErrorClass::UnexpectedStatus,
            ),
            (
                404,
                ErrorClass::EndpointUnavailable,
                ErrorClass::TgtNotFound,
            ),
            (
                405,
                ErrorClass::EndpointUnavailable,
                ErrorClass::EndpointUnavailable,
            ),
            (
                415,
                ErrorClass::EndpointUnavailable,
                ErrorClass::EndpointUnavailable,
            ),
            (423, ErrorClass::Throttled, ErrorClass::Throttled),
            (429, ErrorClass::Throttled, ErrorClass::Throttled),
            (500, ErrorClass::ServerError, ErrorClass::ServerError),
            (503, ErrorClass::ServerError, ErrorClass::ServerError),
        ] {
            assert_eq!(created(status), on_tickets, "{status}");
            assert_eq!(ticket(status), on_tgt, "{status}");
        }
        assert_eq!(TgtDeleted::parse(404), Ok(TgtDeleted));
        assert_eq!(TgtDeleted::parse(204), Ok(TgtDeleted));
        assert_eq!(TgtFound::parse(200), Ok(TgtFound));
        let gone = TgtFound::parse(404).expect_err("gone");
        assert_eq!(
            (gone.class(), gone.status()),
            (ErrorClass::TgtNotFound, Some(404))
        );
    }
}
