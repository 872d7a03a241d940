//! Names of attributes, and how XML carries them.

use crate::text::is_name_char;
use crate::text::is_name_start;

/// The attributes that every CAS 3 answer has, in the order they are written (R-128).
pub const STANDARD_ATTRIBUTES: [&str; 3] = [
    "authenticationDate",
    "longTermAuthenticationRequestTokenUsed",
    "isFromNewLogin",
];

/// Further attributes about the authentication that Apereo CAS sends, and others may (R-129).
pub const AUTHENTICATION_ATTRIBUTES: [&str; 4] = [
    "credentialType",
    "authenticationMethod",
    "successfulAuthenticationHandlers",
    "samlAuthenticationStatementAuthMethod",
];

/// The local name of the XML element that carries the attribute `name`; `None` where XML may not carry it at all.
///
/// A name with `:` or `@` becomes `_` and the hexadecimal digits of its bytes (R-132). Characters other than letters,
/// digits, `_`, `-` and `.` become `_`, and the name is made to begin with a letter or `_` (R-133). What is then a
/// name of the protocol itself (R-131), or one reserved by XML, is dropped. Two names can become one: their values
/// are then written together.
///
/// ```
/// use casque_proto::attribute_xml_name;
///
/// assert_eq!(attribute_xml_name("mail").as_deref(), Some("mail"));
/// assert_eq!(attribute_xml_name("first name").as_deref(), Some("first_name"));
/// assert_eq!(attribute_xml_name("urn:a").as_deref(), Some("_75726e3a61"));
/// assert_eq!(attribute_xml_name("user"), None);
/// ```
pub fn attribute_xml_name(name: &str) -> Option<String> {
    let written = if is_plain_name(name) {
        name.to_owned()
    } else {
        made_into_name(name)
    };
    is_free(&written).then_some(written)
}

/// Whether XML carries this name as it is.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// Whether neither the protocol nor XML means something by this name.
pub(crate) fn is_free(written: &str) -> bool {
    let is_xml = written
        .get(..3)
        .is_some_and(|start| start.eq_ignore_ascii_case("xml"));
    !is_xml && !PROTOCOL_NAMES.contains(&written)
}

fn made_into_name(name: &str) -> String {
    let mut written = String::with_capacity(name.len() + 1);
    if name.contains([':', '@']) {
        written.push('_');
        for byte in name.bytes() {
            for digit in [byte >> 4, byte & 0xF] {
                written.push(char::from(HEX[usize::from(digit)]));
            }
        }
    } else {
        written.extend(name.chars().map(|c| if is_written(c) { c } else { '_' }));
    }
    if !written.starts_with(is_first) {
        written.insert(0, '_');
    }
    written
}

/// The name behind `_` and an even number of hexadecimal digits that spell a name with `:` or `@` (R-160).
pub(crate) fn decoded_name(written: &str) -> Option<String> {
    let digits = written.strip_prefix('_')?;
    if digits.is_empty() || digits.len() % 2 != 0 {
        return None;
    }
    let bytes: Vec<u8> = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| Some(hex_digit(pair[0])? << 4 | hex_digit(pair[1])?))
        .collect::<Option<_>>()?;
    let name = String::from_utf8(bytes).ok()?;
    let is_name = name.contains([':', '@']) && !name.contains(|c: char| c.is_control());
    is_name.then_some(name)
}

/// Letters and digits as Unicode knows them, but only where an XML name may hold them.
fn is_written(c: char) -> bool {
    (c.is_alphanumeric() || matches!(c, '_' | '-' | '.')) && is_name_char(c)
}

fn is_first(c: char) -> bool {
    c == '_' || (c.is_alphabetic() && is_name_start(c))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

const HEX: &[u8; 16] = b"0123456789abcdef";

/// Readers that look for these anywhere in a document would take an attribute for the real thing (R-131).
const PROTOCOL_NAMES: [&str; 14] = [
    "user",
    "attributes",
    "attribute",
    "userAttributes",
    "proxyGrantingTicket",
    "proxyGrantingTicketIou",
    "proxies",
    "proxy",
    "proxyTicket",
    "authenticationSuccess",
    "authenticationFailure",
    "proxySuccess",
    "proxyFailure",
    "serviceResponse",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_protocol_and_of_xml_are_not_written() {
        // R-131, and the xml_render rule for `xml*`
        for name in PROTOCOL_NAMES
            .into_iter()
            .chain(["xml", "XMLfoo", "xmlns", "Xml-x"])
        {
            assert_eq!(attribute_xml_name(name), None, "{name}");
        }
        assert_eq!(attribute_xml_name("User").as_deref(), Some("User"));
        assert_eq!(attribute_xml_name("xm").as_deref(), Some("xm"));
    }

    #[test]
    fn every_other_name_becomes_an_xml_name() {
        // R-132, R-133
        for (name, written) in [
            ("mail", "mail"),
            ("prénom", "prénom"),
            ("钟", "钟"),
            ("a:b", "_613a62"),
            ("é@x", "_c3a94078"),
            ("a b\n", "a_b_"),
            ("9", "_9"),
            ("٣", "_٣"),
            ("\u{345}", "_\u{345}"),
            ("", "_"),
            ("\u{b7}", "_"),
            ("\u{0}", "_"),
            ("a\u{202e}", "a_"),
            ("½", "_"),
            ("😀", "_"),
            ("<user>", "_user_"),
        ] {
            assert_eq!(
                attribute_xml_name(name).as_deref(),
                Some(written),
                "{name:?}"
            );
        }
    }

    #[test]
    fn encoded_names_are_decoded_and_others_are_left() {
        // R-160
        assert_eq!(
            decoded_name("_75726e3a6f69643a322e352e342e33").as_deref(),
            Some("urn:oid:2.5.4.3")
        );
        assert_eq!(decoded_name("_75726E3A61").as_deref(), Some("urn:a"));
        for other in [
            "_6d61696c",
            "_",
            "__",
            "_3",
            "_3g",
            "mail",
            "_ff3a",
            "_003a",
            "_é",
        ] {
            assert_eq!(decoded_name(other), None, "{other}");
        }
    }
}
