//! From the bytes of a message to its text: size, encoding, blank space round it.

use std::borrow::Cow;

use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::read::Tolerance;
use crate::text::is_xml_blank;
use crate::xml;

/// The text of a message without the BOM and blank space before it and the blank space after it.
///
/// # Errors
///
/// `too_large`, `empty`, `invalid_encoding`; `malformed` for an XML declaration that cannot be read.
pub(crate) fn text<'a>(bytes: &'a [u8], options: &ReadOptions) -> Result<Cow<'a, str>, ReadError> {
    let limit = options.limits_ref().bytes;
    if bytes.len() > limit {
        return Err(ReadError::new(
            ErrorClass::TooLarge,
            format!("{} bytes, more than {limit}", bytes.len()),
        ));
    }
    let trimmed = trim_start(
        trim_start(bytes)
            .strip_prefix(BOM)
            .unwrap_or(trim_start(bytes)),
    );
    if options.tolerates(Tolerance::Latin1) && xml::declares_latin1(trimmed) {
        let text: String = trimmed.iter().map(|&byte| char::from(byte)).collect();
        return Ok(Cow::Owned(text.trim_end_matches(is_xml_blank).to_owned()));
    }
    let text = std::str::from_utf8(trimmed).map_err(|error| {
        ReadError::new(
            ErrorClass::InvalidEncoding,
            format!(
                "not UTF-8 at byte {}",
                bytes.len() - trimmed.len() + error.valid_up_to()
            ),
        )
    })?;
    match text.trim_end_matches(is_xml_blank) {
        "" => Err(ReadError::new(ErrorClass::Empty, "the body is empty")),
        text => Ok(Cow::Borrowed(text)),
    }
}

fn trim_start(bytes: &[u8]) -> &[u8] {
    let blanks = bytes
        .iter()
        .take_while(|&&byte| is_xml_blank(char::from(byte)))
        .count();
    &bytes[blanks..]
}

pub(crate) const BOM: &[u8] = b"\xEF\xBB\xBF";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read::Limits;

    fn class(bytes: &[u8], options: &ReadOptions) -> Option<ErrorClass> {
        text(bytes, options).err().map(|error| error.class())
    }

    #[test]
    fn a_bom_and_blanks_are_left_out() {
        //
        let options = ReadOptions::default();
        for bytes in [
            &b"\xEF\xBB\xBF <a/>\r\n"[..],
            b"\n\t<a/>",
            b" \xEF\xBB\xBF<a/>",
        ] {
            assert_eq!(text(bytes, &options).as_deref(), Ok("<a/>"));
        }
        for bytes in [&b""[..], b" \n\r\t", b"\xEF\xBB\xBF", b"\xEF\xBB\xBF\n"] {
            assert_eq!(class(bytes, &options), Some(ErrorClass::Empty));
        }
        assert_eq!(
            text(b"\xEF\xBB\xBF\xEF\xBB\xBF<a/>", &options).as_deref(),
            Ok("\u{feff}<a/>")
        );
    }

    #[test]
    fn only_utf_8_is_spoken() {
        // R-142, S-028
        let strict = ReadOptions::default();
        let tolerant = ReadOptions::default().with_tolerance(Tolerance::Latin1);
        for bytes in [&b"bo\xff"[..], b"\xc1\xa2", b"\xff\xfe<\0", b"\xed\xa0\x80"] {
            assert_eq!(class(bytes, &strict), Some(ErrorClass::InvalidEncoding));
            assert_eq!(class(bytes, &tolerant), Some(ErrorClass::InvalidEncoding));
        }
        let latin1 = b"<?xml version='1.0' encoding='iso-8859-1'?><a>\xeb</a>";
        assert_eq!(class(latin1, &strict), Some(ErrorClass::InvalidEncoding));
        assert!(text(latin1, &tolerant).is_ok_and(|text| text.ends_with("<a>ë</a>")));
    }

    #[test]
    fn a_body_over_the_limit_is_not_looked_at() {
        // R-145, S-027
        let limits = Limits {
            bytes: 4,
            ..Limits::default()
        };
        let options = ReadOptions::default().limits(limits);
        assert_eq!(class(b"12345", &options), Some(ErrorClass::TooLarge));
        assert_eq!(class(b"1234", &options), None);
    }
}
