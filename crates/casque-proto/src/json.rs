//! JSON as strictly as XML: RFC 8259, no key twice at any level, bounded, numbers kept as they are written (R-174 to
//! R-176, S-029).

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::read::ErrorClass;
use crate::read::Limits;
use crate::read::ReadError;

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// A number as it is written, which no conversion can bend.
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Self>),
    /// Members in order; no two have the same name.
    Object(Vec<(Cow<'a, str>, Self)>),
}

impl<'a> Json<'a> {
    /// Read a whole document.
    ///
    /// # Errors
    ///
    /// `malformed`, `ambiguous` for a key given twice, `too_deep`, `too_large`.
    pub(crate) fn parse(text: &'a str, limits: &Limits) -> Result<Self, ReadError> {
        Self::parse_or_fault(text, limits).map_err(|fault| {
            ReadError::new(fault.class, format!("{}, at byte {}", fault.what, fault.at))
        })
    }

    /// The same, for a reader that tells where in a file the fault is.
    pub(crate) fn parse_or_fault(text: &'a str, limits: &Limits) -> Result<Self, JsonFault> {
        let mut parser = Parser {
            text,
            at: 0,
            depth: 0,
            values: 0,
            limits,
        };
        let value = parser.value()?;
        parser.blanks();
        if parser.at < text.len() {
            return Err(parser.malformed("something follows the JSON document"));
        }
        Ok(value)
    }

    /// A member of an object that is there and not null (R-174).
    pub(crate) fn member(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        members
            .iter()
            .find(|(key, value)| key == name && *value != Self::Null)
            .map(|(_, value)| value)
    }

    /// What kind of value this is, for error messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// Why a text is no JSON, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct JsonFault {
    pub(crate) class: ErrorClass,
    pub(crate) what: &'static str,
    /// The byte.
    pub(crate) at: usize,
}

/// Append `text` as a JSON string, quotes included.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c < ' ' || matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}') => {
                write!(out, "\\u{:04x}", u32::from(c)).expect("a String takes everything");
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

struct Parser<'a, 'l> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
    limits: &'l Limits,
}

impl<'a> Parser<'a, '_> {
    fn value(&mut self) -> Result<Json<'a>, JsonFault> {
        self.values += 1;
        if self.values > self.limits.elements {
            return Err(self.error(ErrorClass::TooLarge, "too many JSON values"));
        }
        self.blanks();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Json::String),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') if self.eat("true") => Ok(Json::Bool(true)),
            Some(b'f') if self.eat("false") => Ok(Json::Bool(false)),
            Some(b'n') if self.eat("null") => Ok(Json::Null),
            _ => Err(self.malformed("a JSON value was expected")),
        }
    }

    fn nested(
        &mut self,
        read: fn(&mut Self) -> Result<Json<'a>, JsonFault>,
    ) -> Result<Json<'a>, JsonFault> {
        if self.depth >= self.limits.depth {
            return Err(self.error(ErrorClass::TooDeep, "JSON nested too deep"));
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json<'a>, JsonFault> {
        let mut items = Vec::new();
        self.blanks();
        if self.eat("]") {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.eat("]") {
                return Ok(Json::Array(items));
            }
            if !self.eat(",") {
                return Err(self.malformed("a comma or the end of an array was expected"));
            }
        }
    }

    fn object(&mut self) -> Result<Json<'a>, JsonFault> {
        let mut members = Vec::new();
        self.blanks();
        if self.eat("}") {
            return Ok(Json::Object(members));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.malformed("a JSON name was expected"));
            }
            let name = self.string()?;
            self.blanks();
            if !self.eat(":") {
                return Err(self.malformed("a colon was expected"));
            }
            members.push((name, self.value()?));
            self.blanks();
            if self.eat("}") {
                break;
            }
            if !self.eat(",") {
                return Err(self.malformed("a comma or the end of an object was expected"));
            }
        }
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(self.error(ErrorClass::Ambiguous, "a JSON name given twice"));
        }
        Ok(Json::Object(members))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonFault> {
        self.at += 1;
        let mut plain = self.at;
        let mut owned: Option<String> = None;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    let owned = owned.get_or_insert_default();
                    owned.push_str(&self.text[plain..self.at]);
                    owned.push(self.escape()?);
                    plain = self.at;
                }
                Some(byte) if byte >= b' ' => self.at += 1,
                Some(_) => return Err(self.malformed("a control character in a JSON string")),
                None => return Err(self.malformed("a JSON string without an end")),
            }
        }
        let rest = &self.text[plain..self.at];
        self.at += 1;
        Ok(match owned {
            None => Cow::Borrowed(rest),
            Some(text) => Cow::Owned(text + rest),
        })
    }

    fn escape(&mut self) -> Result<char, JsonFault> {
        self.at += 1;
        let escaped = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            _ => return Err(self.malformed("an unknown JSON escape")),
        };
        self.at += 1;
        Ok(escaped)
    }

    fn unicode_escape(&mut self) -> Result<char, JsonFault> {
        let first = self.four_digits()?;
        let code = match first {
            0xD800..0xDC00 => {
                if !self.eat("\\u") {
                    return Err(self.malformed("a lone surrogate"));
                }
                match self.four_digits()? {
                    low @ 0xDC00..0xE000 => 0x10000 + ((first - 0xD800) << 10) + (low - 0xDC00),
                    _ => return Err(self.malformed("a lone surrogate")),
                }
            }
            code => code,
        };
        char::from_u32(code).ok_or_else(|| self.malformed("a lone surrogate"))
    }

    fn four_digits(&mut self) -> Result<u32, JsonFault> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| self.malformed("a bad \\u escape"))?;
        self.at += 4;
        Ok(digits)
    }

    fn number(&mut self) -> Result<Json<'a>, JsonFault> {
        let start = self.at;
        self.eat("-");
        if !self.eat("0") {
            self.digits()?;
        }
        if self.eat(".") {
            self.digits()?;
        }
        if self.eat("e") || self.eat("E") {
            if !self.eat("+") {
                self.eat("-");
            }
            self.digits()?;
        }
        Ok(Json::Number(&self.text[start..self.at]))
    }

    fn digits(&mut self) -> Result<(), JsonFault> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start {
            return Ok(());
        }
        Err(self.malformed("a bad JSON number"))
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    fn malformed(&self, what: &'static str) -> JsonFault {
        self.error(ErrorClass::Malformed, what)
    }

    fn error(&self, class: ErrorClass, what: &'static str) -> JsonFault {
        JsonFault {
            class,
            what,
            at: self.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Json<'_>, ErrorClass> {
        Json::parse(text, &Limits::default()).map_err(|error| error.class())
    }

    #[test]
    fn values_are_read_as_written() {
        // R-176: a number is its literal text
        let text =
            r#" { "a" : [ 1.50, -0e+1, true, false, null, "x\u00e9\ud83d\ude00\/\n" ], "" : {} } "#;
        let string = |text: &'static str| Json::String(Cow::Borrowed(text));
        assert_eq!(
            parse(text),
            Ok(Json::Object(vec![
                (
                    Cow::Borrowed("a"),
                    Json::Array(vec![
                        Json::Number("1.50"),
                        Json::Number("-0e+1"),
                        Json::Bool(true),
                        Json::Bool(false),
                        Json::Null,
                        string("xé😀/\n"),
                    ])
                ),
                (Cow::Borrowed(""), Json::Object(vec![])),
            ]))
        );
    }

    #[test]
    fn what_is_not_json_is_refused() {
        // S-029
        for bad in [
            "",
            "{",
            "{}x",
            "{}{}",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{'a':1}",
            "01",
            "+1",
            "1.",
            ".5",
            "1e",
            "-",
            "NaN",
            "tru",
            "truex",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u+123\"",
            "\"\\ud800\"",
            "\"\\udc00\"",
            "\"\\ud800\\u0041\"",
            "\"a",
            "\"\n\"",
            "\"\u{0}\"",
            "[1 2]",
            "{\"a\" 1}",
            "{\"a\":}",
            "/*x*/{}",
            "\u{feff}{}",
            "{\"a\":1 \"b\":2}",
            "[1}",
            "{\"a\":1]",
            "\"\\u00é\"",
            "\u{a0}1",
        ] {
            assert_eq!(parse(bad), Err(ErrorClass::Malformed), "{bad:?}");
        }
    }

    #[test]
    fn no_name_is_given_twice_at_any_level() {
        // R-175, S-029
        for bad in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"\u0061":3}"#,
            r#"{"x":[{"a":null,"a":null}]}"#,
        ] {
            assert_eq!(parse(bad), Err(ErrorClass::Ambiguous), "{bad}");
        }
        assert!(parse(r#"{"a":{"a":1},"A":[{"a":1},{"a":1}]}"#).is_ok());
    }

    #[test]
    fn depth_and_size_are_bounded() {
        // R-145, S-027, S-029
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(parse(&nested(16)).is_ok());
        assert_eq!(parse(&nested(17)), Err(ErrorClass::TooDeep));
        assert_eq!(parse(&nested(100_000)), Err(ErrorClass::TooDeep));
        let wide = |count: usize| format!("[{}]", vec!["1"; count].join(","));
        assert!(parse(&wide(9_999)).is_ok());
        assert_eq!(parse(&wide(10_000)), Err(ErrorClass::TooLarge));
    }

    #[test]
    fn strings_survive_writing() {
        let text = "a\"\\\n\r\t\u{0}\u{7f}\u{85}\u{2028}é😀</script>";
        let mut out = String::new();
        write_string(&mut out, text);
        assert!(out.is_char_boundary(1) && !out.contains(|c: char| c.is_control()));
        assert_eq!(parse(&out), Ok(Json::String(Cow::Owned(text.to_owned()))));
    }
}
