//! Percent-encoding of values and surgery on query strings that leaves every other byte alone.

use std::borrow::Cow;
use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything but the unreserved characters of RFC 3986: `A-Z a-z 0-9 - . _ ~`.
pub(crate) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// Appends `name=value` to a URL without a fragment. The value is percent-encoded, whatever it holds.
pub(crate) fn push_pair(url: &mut String, name: &str, value: &str) {
    match url.find('?') {
        None => url.push('?'),
        Some(at) if at + 1 == url.len() => {}
        Some(_) => url.push('&'),
    }
    // Writing to a String cannot fail.
    let _ = write!(
        url,
        "{}={}",
        utf8_percent_encode(name, ESCAPED),
        utf8_percent_encode(value, ESCAPED)
    );
}

/// A URL's text in three parts: before `?`, the query without `?`, the fragment without `#`.
pub(crate) fn split(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (rest, fragment) = match text.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (text, None),
    };
    match rest.split_once('?') {
        Some((before, query)) => (before, Some(query), fragment),
        None => (rest, None, fragment),
    }
}

/// The query without the parameters that `drop` names (by the raw text before `=`). All other bytes stay.
pub(crate) fn without_parameters(query: &str, drop: impl Fn(&str) -> bool) -> Cow<'_, str> {
    let name = |piece: &str| drop(raw_name(piece));
    if !query.split('&').any(name) {
        return Cow::Borrowed(query);
    }
    Cow::Owned(
        query
            .split('&')
            .filter(|piece| !name(piece))
            .collect::<Vec<_>>()
            .join("&"),
    )
}

/// The text of a `name=value` piece before its `=`.
pub(crate) fn raw_name(piece: &str) -> &str {
    piece.split_once('=').map_or(piece, |(name, _)| name)
}

/// A form-encoded name or value decoded once: `+` is a space, `%HH` a byte, bad UTF-8 becomes U+FFFD.
pub(crate) fn form_decode(text: &str) -> String {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
}
