//! The pieces of a token that quick-xml hands over as they were written: attributes, references, names, characters.

use std::borrow::Cow;

use quick_xml::XmlVersion;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::BytesRef;
use quick_xml::events::attributes::Attribute;
use quick_xml::events::attributes::Attributes;
use quick_xml::name::LocalName;
use quick_xml::name::Prefix;
use quick_xml::name::QName;

use crate::text::is_name_char;
use crate::text::is_name_start;
use crate::text::is_xml_blank;
use crate::text::is_xml_char;

/// The attributes in what follows a name in a tag, values as written.
///
/// quick-xml would let them stand side by side.
pub(super) fn attributes(text: &str) -> impl Iterator<Item = Result<Attribute<'_>, &'static str>> {
    let mut attributes = Attributes::new(text, 0);
    // Namespaces decide which attributes are the same, and the caller knows them.
    attributes.with_checks(false);
    attributes.map(|attribute| {
        let attribute = attribute.map_err(|_| "an attribute without a value in quotes")?;
        let before = attribute.key.0.as_ptr().addr() - text.as_ptr().addr();
        if text[..before].ends_with(is_xml_blank) {
            Ok(attribute)
        } else {
            Err("no blank before an attribute")
        }
    })
}

/// The value of an attribute, normalised as the recommendation says.
pub(super) fn value<'a>(attribute: &Attribute<'a>) -> Result<Cow<'a, str>, &'static str> {
    if attribute.value.contains('<') {
        return Err("\"<\" in an attribute value");
    }
    attribute
        .normalized_value(XmlVersion::Explicit1_0)
        .ok()
        .filter(|value| value.chars().all(is_xml_char))
        .ok_or("an unknown reference")
}

/// What `&lt;`, `&#60;` or `&#x3C;` stands for. No other entity exists here.
pub(super) fn referenced(reference: &BytesRef<'_>) -> Result<Cow<'static, str>, &'static str> {
    match reference.resolve_char_ref() {
        Ok(Some(c)) if is_xml_char(c) => Some(c.to_string().into()),
        Ok(None) => resolve_predefined_entity(reference).map(Cow::Borrowed),
        _ => None,
    }
    .ok_or("an unknown reference")
}

/// `prefix:local` or `local`, both parts names.
pub(super) fn split_name(
    name: QName<'_>,
) -> Result<(Option<Prefix<'_>>, LocalName<'_>), &'static str> {
    let (local, prefix) = name.decompose();
    if is_name(local.as_ref()) && prefix.is_none_or(|prefix| is_name(prefix.as_ref())) {
        Ok((prefix, local))
    } else {
        Err("a bad name")
    }
}

/// A name without a colon.
pub(super) fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.starts_with(is_name_start) && (text.bytes().all(plain) || text.chars().all(is_name_char))
}

/// Where the first character stands that XML cannot carry, or the length.
pub(super) fn first_illegal(text: &str) -> usize {
    let plain = |byte: u8| {
        // 0xEF begins U+FFFE and U+FFFF.
        (byte >= b' ' && byte != 0xEF) || matches!(byte, b'\t' | b'\n' | b'\r')
    };
    // Looking at every byte, unlike `all`, is vectorised.
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        return text.len();
    }
    text.find(|c| !is_xml_char(c)).unwrap_or(text.len())
}
