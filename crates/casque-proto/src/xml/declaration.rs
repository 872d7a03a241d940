//! `<?xml version="1.0" encoding="UTF-8"?>`

use std::borrow::Cow;

use quick_xml::events::attributes::Attribute;

use super::pieces::attributes;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::read::Tolerance;
use crate::text::is_xml_blank;

/// Whether these bytes begin with a declaration that says ISO-8859-1.
pub(crate) fn declares_latin1(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(LONGEST)];
    let ascii = head
        .iter()
        .position(|byte| !byte.is_ascii())
        .unwrap_or(head.len());
    std::str::from_utf8(&head[..ascii])
        .ok()
        .and_then(split)
        .and_then(|(inside, _)| parse(inside).ok())
        .and_then(|declaration| declaration.encoding)
        .is_some_and(|encoding| encoding.eq_ignore_ascii_case(LATIN1))
}

/// Check the declaration at the start of a document, if there is one. Returns its length in bytes.
pub(super) fn check(text: &str, options: &ReadOptions) -> Result<usize, ReadError> {
    let Some((inside, length)) = split(text) else {
        return Ok(0);
    };
    let declaration = parse(inside).map_err(ReadError::malformed)?;
    if declaration.version != "1.0" {
        return Err(ReadError::malformed(format!(
            "XML version {:?}, only 1.0 is read",
            declaration.version
        )));
    }
    match declaration.encoding {
        None => Ok(length),
        Some(name) if name.eq_ignore_ascii_case("UTF-8") => Ok(length),
        Some(name) if name.eq_ignore_ascii_case("US-ASCII") && text.is_ascii() => Ok(length),
        Some(name) if name.eq_ignore_ascii_case(LATIN1) && options.tolerates(Tolerance::Latin1) => {
            Ok(length)
        }
        Some(name) => Err(ReadError::new(
            ErrorClass::InvalidEncoding,
            format!("declared encoding {name:?}, only UTF-8 is read"),
        )),
    }
}

struct Declaration<'a> {
    version: Cow<'a, str>,
    encoding: Option<Cow<'a, str>>,
}

/// What stands between `<?xml` and `?>`, and the length of the whole.
fn split(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("<?xml")?;
    if !inside.starts_with(is_xml_blank) {
        return None;
    }
    let end = inside.find("?>")?;
    Some((&inside[..end], "<?xml".len() + end + "?>".len()))
}

fn parse(inside: &str) -> Result<Declaration<'_>, &'static str> {
    let mut version = None;
    let mut encoding = None;
    let mut names = ["version", "encoding", "standalone"].iter();
    for attribute in attributes(inside) {
        let Attribute { key, value } = attribute?;
        if !names.any(|name| *name == key.0) {
            return Err("an XML declaration with something unknown in it");
        }
        if !value.chars().all(is_value_char) {
            return Err("an XML declaration with a bad value");
        }
        match key.0 {
            "version" => version = Some(value),
            "encoding" => encoding = Some(value),
            _ if matches!(&*value, "yes" | "no") => {}
            _ => return Err("an XML declaration with a bad standalone"),
        }
    }
    let version = version.ok_or("an XML declaration without a version")?;
    Ok(Declaration { version, encoding })
}

fn is_value_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ':')
}

const LATIN1: &str = "ISO-8859-1";

/// A declaration longer than this is not looked at for its encoding.
const LONGEST: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    fn class(text: &str) -> Result<usize, ErrorClass> {
        check(text, &ReadOptions::default()).map_err(|error| error.class())
    }

    #[test]
    fn xml_1_0_in_utf_8_is_read() {
        for good in [
            "<?xml version=\"1.0\"?>",
            "<?xml version='1.0' ?>",
            "<?xml version = \"1.0\" encoding='utf-8'?>",
            "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>",
            "<?xml version=\"1.0\" standalone=\"no\" ?>",
            "<?xml\tversion=\"1.0\"\n encoding=\"US-ASCII\"?>",
        ] {
            assert_eq!(class(good), Ok(good.len()), "{good}");
        }
        assert_eq!(class("<a/>"), Ok(0));
        assert_eq!(class("<?xml-stylesheet href='x'?>"), Ok(0));
    }

    #[test]
    fn other_encodings_and_versions_are_refused() {
        // R-142, S-028
        for encoding in ["UTF-7", "UTF-16", "ISO-8859-1", "windows-1252", "x"] {
            let text = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?>");
            assert_eq!(class(&text), Err(ErrorClass::InvalidEncoding), "{text}");
        }
        assert_eq!(
            class("<?xml version=\"1.0\" encoding=\"US-ASCII\"?><a>é</a>"),
            Err(ErrorClass::InvalidEncoding)
        );
        for bad in [
            "<?xml version=\"1.1\"?>",
            "<?xml ?>",
            "<?xml encoding=\"UTF-8\"?>",
            "<?xml version=\"1.0\"encoding=\"UTF-8\"?>",
            "<?xml version=\"1.0\" encoding=UTF-8?>",
            "<?xml version=\"1.0\" standalone=\"maybe\"?>",
            "<?xml encoding=\"UTF-8\" version=\"1.0\"?>",
            "<?xml version=\"1.0\" version=\"1.0\"?>",
            "<?xml version=\"1.0' ?>",
            "<?xml version=\"1.0\" encoding=\"\"?>",
        ] {
            assert!(class(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn latin_1_is_found_in_bytes_that_are_not_utf_8() {
        assert!(declares_latin1(
            b"<?xml version=\"1.0\" encoding=\"iso-8859-1\"?><a>\xe9</a>"
        ));
        assert!(!declares_latin1(b"<?xml version=\"1.0\"?><a>\xe9</a>"));
        assert!(!declares_latin1(b"\xff\xfe"));
        assert!(!declares_latin1(b""));
    }
}
