//! Characters: which ones XML can carry, which ones a principal may have, which ones hide.

use crate::read::ErrorClass;
use crate::read::Limits;
use crate::read::ReadError;

/// The name of a user as a server gave it, checked (R-151, R-153, S-018).
///
/// Blanks of XML are trimmed at both ends. What is left is opaque: never case-mapped, never normalised. It has to be
/// 1 to 512 bytes long and may not hold control or format characters, line separators, or a blank other than U+0020.
pub(crate) fn principal(raw: &str, limits: &Limits) -> Result<String, ReadError> {
    let name = trim_xml(raw);
    if name.is_empty() {
        return Err(ReadError::new(ErrorClass::MissingUser, "the user is blank"));
    }
    if name.len() > limits.user_bytes {
        return Err(ReadError::malformed(format!(
            "the user is {} bytes long, more than {}",
            name.len(),
            limits.user_bytes
        )));
    }
    if let Some(bad) = name.chars().find(|&c| !is_principal_char(c)) {
        return Err(ReadError::malformed(format!(
            "the user holds the character U+{:04X}",
            u32::from(bad)
        )));
    }
    Ok(name.to_owned())
}

/// `text` without the blanks of XML (tab, line feed, carriage return, space) at its ends.
pub(crate) fn trim_xml(text: &str) -> &str {
    text.trim_matches(is_xml_blank)
}

pub(crate) fn is_xml_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

/// The characters an XML 1.0 document may hold, literally or by reference.
pub(crate) fn is_xml_char(c: char) -> bool {
    matches!(c, ' '..='\u{D7FF}' | '\t' | '\n' | '\r' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..)
}

/// The first character of an XML name, the colon left out: names here are names of namespaces in XML.
#[inline]
pub(crate) fn is_name_start(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '_')
        || (c >= '\u{80}'
            && matches!(c,
                '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}' | '\u{370}'..='\u{37D}'
                | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}' | '\u{2070}'..='\u{218F}'
                | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}' | '\u{F900}'..='\u{FDCF}'
                | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}'))
}

/// A further character of an XML name, the colon left out.
#[inline]
pub(crate) fn is_name_char(c: char) -> bool {
    is_name_start(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Format characters (category Cf) and line separators: they change how text looks without being seen.
pub(crate) fn is_invisible(c: char) -> bool {
    c >= '\u{AD}'
        && matches!(c,
            '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}'
            | '\u{8E2}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
            | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}' | '\u{E0001}' | '\u{E0020}'..='\u{E007F}')
}

fn is_principal_char(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace() || is_invisible(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_opaque_but_visible() {
        // S-018
        let limits = Limits::default();
        for good in [
            "bob",
            "o'brien&co",
            "zoë",
            "ａdmin",
            "ADMIN",
            "two words",
            "\n  bob\t",
        ] {
            assert_eq!(principal(good, &limits).as_deref(), Ok(good.trim()));
        }
        for blank in ["", " ", "\r\n\t "] {
            assert_eq!(
                principal(blank, &limits).map_err(|e| e.class()),
                Err(ErrorClass::MissingUser)
            );
        }
        for bad in [
            "a\u{0}",
            "a\nb",
            "a\u{7f}",
            "a\u{85}b",
            "bob\u{202e}",
            "ad\u{200b}min",
            "\u{a0}",
            "a\u{3000}b",
            "a\u{2028}b",
            "\u{feff}bob",
            "a\u{ad}b",
            "a\u{e0041}",
        ] {
            assert_eq!(
                principal(bad, &limits).map_err(|e| e.class()),
                Err(ErrorClass::Malformed),
                "{bad:?}"
            );
        }
        assert!(principal(&"a".repeat(512), &limits).is_ok());
        assert!(principal(&"a".repeat(513), &limits).is_err());
    }

    #[test]
    fn xml_characters_are_those_of_the_recommendation() {
        for good in [
            '\t',
            '\n',
            '\r',
            ' ',
            '\u{7f}',
            '\u{d7ff}',
            '\u{e000}',
            '\u{fffd}',
            '\u{10ffff}',
        ] {
            assert!(is_xml_char(good), "{good:?}");
        }
        for bad in [
            '\0', '\u{8}', '\u{b}', '\u{c}', '\u{1f}', '\u{fffe}', '\u{ffff}',
        ] {
            assert!(!is_xml_char(bad), "{bad:?}");
        }
    }
}
