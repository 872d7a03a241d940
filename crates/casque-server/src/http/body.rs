//! Form bodies, bounded in size and time (S-061, S-095).

use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, header::CONTENT_TYPE};
use http_body_util::BodyExt as _;
use zeroize::Zeroizing;

/// How much of a form that is too large is read and thrown away, so that its sender gets to see
/// the answer instead of a broken connection.
const MAX_DISCARDED_BYTES: usize = 2 * 1024 * 1024;

/// What one form may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FormLimits {
    /// Its size.
    pub(crate) bytes: usize,
    /// Until all of it has arrived.
    pub(crate) timeout: Duration,
}

/// Why a form was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// No `Content-Type`, or more than one.
    NoType,
    /// Something other than `application/x-www-form-urlencoded`.
    WrongType,
    /// More than [`FormLimits::bytes`].
    TooLarge,
    /// It is not framed as HTTP says, or the connection broke.
    Malformed,
    /// It did not arrive in time.
    Incomplete,
}

/// Reads a form body. The bytes are wiped when dropped: they may hold a password.
pub(crate) async fn read_form(
    headers: &HeaderMap,
    body: Body,
    limits: &FormLimits,
) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    check_type(headers)?;
    read_body(body, limits).await
}

/// Reads a body of any type.
pub(crate) async fn read_body(
    body: Body,
    limits: &FormLimits,
) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    match tokio::time::timeout(limits.timeout, collect(body, limits.bytes)).await {
        Ok(done) => done,
        Err(_) => Err(BodyError::Incomplete),
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), BodyError> {
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (types.next(), types.next()) else {
        return Err(BodyError::NoType);
    };
    let value = value.to_str().map_err(|_| BodyError::WrongType)?;
    let essence = value.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        Ok(())
    } else {
        Err(BodyError::WrongType)
    }
}

async fn collect(mut body: Body, limit: usize) -> Result<Zeroizing<Vec<u8>>, BodyError> {
    // Full capacity at once: a growing buffer would leave copies of a password behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit));
    let mut discarded = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BodyError::Malformed)?;
        let Ok(data) = frame.into_data() else {
            continue;
        };
        if discarded == 0 && bytes.len() + data.len() <= limit {
            bytes.extend_from_slice(&data);
            continue;
        }
        discarded += data.len();
        if discarded > MAX_DISCARDED_BYTES {
            break;
        }
    }
    if discarded > 0 {
        Err(BodyError::TooLarge)
    } else {
        Ok(bytes)
    }
}
