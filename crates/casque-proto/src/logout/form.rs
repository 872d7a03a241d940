//! One parameter out of a form body or query, exact about encoding.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::{ErrorClass, ReadError};

/// The decoded value of the one parameter of this name; `None` if there is none.
///
/// # Errors
///
/// [`ErrorClass::Ambiguous`] for two, [`ErrorClass::InvalidEncoding`] for a value that is not UTF-8.
pub(super) fn single(parameters: &[u8], name: &str) -> Result<Option<String>, ReadError> {
    let mut values = values(parameters, name);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(ReadError::new(
            ErrorClass::Ambiguous,
            format!("{name} given twice"),
        ));
    }
    String::from_utf8(decode(value))
        .map(Some)
        .map_err(|_| ReadError::new(ErrorClass::InvalidEncoding, format!("{name} is not UTF-8")))
}

/// Whether a parameter of this name is there at all.
pub(super) fn has(parameters: &[u8], name: &str) -> bool {
    values(parameters, name).next().is_some()
}

/// The values of that name, still encoded.
fn values<'a>(parameters: &'a [u8], name: &str) -> impl Iterator<Item = &'a [u8]> {
    parameters
        .split(|byte| *byte == b'&')
        .map(|pair| {
            let end = pair
                .iter()
                .position(|byte| *byte == b'=')
                .unwrap_or(pair.len());
            (&pair[..end], pair.get(end + 1..).unwrap_or_default())
        })
        .filter(move |(encoded, _)| decode(encoded) == name.as_bytes())
        .map(|(_, value)| value)
}

fn decode(encoded: &[u8]) -> Vec<u8> {
    let spaced: Cow<'_, [u8]> = if encoded.contains(&b'+') {
        encoded
            .iter()
            .map(|byte| if *byte == b'+' { b' ' } else { *byte })
            .collect()
    } else {
        encoded.into()
    };
    percent_decode(&spaced).collect()
}
