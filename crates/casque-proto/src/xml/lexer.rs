//! The smallest pieces: names, character data, attribute values, references, comments.

use std::borrow::Cow;

use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::text::is_name_char;
use crate::text::is_name_start;
use crate::text::is_xml_char;

/// A position in a text, moving forward only.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str, at: usize) -> Self {
        Self { text, at }
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at == self.text.len()
    }

    /// The next byte, without moving; 0 at the end, which no rule accepts.
    #[inline]
    pub(super) fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// Move past `token` if it comes next.
    #[inline]
    pub(super) fn eat(&mut self, token: &str) -> bool {
        let found = self.text.as_bytes()[self.at..].starts_with(token.as_bytes());
        if found {
            self.at += token.len();
        }
        found
    }

    pub(super) fn eat_ignore_case(&mut self, token: &str) -> bool {
        let next = self.text.as_bytes()[self.at..].get(..token.len());
        let found = next.is_some_and(|next| next.eq_ignore_ascii_case(token.as_bytes()));
        if found {
            self.at += token.len();
        }
        found
    }

    /// Move past blanks; whether there were any.
    #[inline]
    pub(super) fn blanks(&mut self) -> bool {
        let start = self.at;
        while CLASS[usize::from(self.peek())] & BLANK != 0 {
            self.at += 1;
        }
        self.at > start
    }

    /// `prefix:local` or `local`: the prefix (or ""), the local part, and both as written.
    #[inline]
    pub(super) fn qualified_name(&mut self) -> Result<QualifiedName<'a>, ReadError> {
        let start = self.at;
        let first = self.name()?;
        if self.peek() != b':' {
            return Ok(QualifiedName {
                prefix: "",
                local: first,
                written: first,
            });
        }
        self.at += 1;
        let local = self.name()?;
        Ok(QualifiedName {
            prefix: first,
            local,
            written: &self.text[start..self.at],
        })
    }

    /// A name without a colon.
    #[inline]
    pub(super) fn name(&mut self) -> Result<&'a str, ReadError> {
        let start = self.at;
        let bytes = self.text.as_bytes();
        while let Some(&byte) = bytes.get(self.at) {
            if byte >= 0x80 {
                let c = self.char_here();
                if !is_name_char(c) {
                    break;
                }
                self.at += c.len_utf8();
            } else if CLASS[usize::from(byte)] & NAME == 0 {
                break;
            } else {
                self.at += 1;
            }
        }
        let name = &self.text[start..self.at];
        if name.starts_with(is_name_start) {
            Ok(name)
        } else {
            Err(self.malformed("a name was expected"))
        }
    }

    /// Text up to the next `<` or the end, references expanded and line ends made LF.
    #[inline]
    pub(super) fn character_data(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let mut plain = self.at;
        let mut owned: Option<String> = None;
        loop {
            while CLASS[usize::from(self.peek())] & TEXT_STOP == 0 {
                self.at += 1;
            }
            match self.peek() {
                b'<' => break,
                0 if self.is_at_end() => break,
                b']' if self.text[self.at..].starts_with("]]>") => {
                    return Err(self.malformed("\"]]>\" in text"));
                }
                b']' => self.at += 1,
                b'&' | b'\r' => {
                    let owned = owned.get_or_insert_default();
                    owned.push_str(&self.text[plain..self.at]);
                    if self.peek() == b'&' {
                        owned.push(self.reference()?);
                    } else {
                        self.at += if self.text[self.at..].starts_with("\r\n") {
                            2
                        } else {
                            1
                        };
                        owned.push('\n');
                    }
                    plain = self.at;
                }
                _ => self.legal_character()?,
            }
        }
        Ok(self.since(plain, owned))
    }

    /// The value of an XML attribute, quotes included, normalised as the recommendation says.
    #[inline]
    pub(super) fn attribute_value(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let quote = self.peek();
        if !matches!(quote, b'"' | b'\'') {
            return Err(self.malformed("an attribute value without quotes"));
        }
        self.at += 1;
        let mut plain = self.at;
        let mut owned: Option<String> = None;
        loop {
            while CLASS[usize::from(self.peek())] & VALUE_STOP == 0 {
                self.at += 1;
            }
            match self.peek() {
                byte if byte == quote => break,
                b'"' | b'\'' => self.at += 1,
                b'<' => return Err(self.malformed("\"<\" in an attribute value")),
                b'&' | b'\t' | b'\n' | b'\r' => {
                    let owned = owned.get_or_insert_default();
                    owned.push_str(&self.text[plain..self.at]);
                    if self.peek() == b'&' {
                        owned.push(self.reference()?);
                    } else {
                        self.at += if self.text[self.at..].starts_with("\r\n") {
                            2
                        } else {
                            1
                        };
                        owned.push(' ');
                    }
                    plain = self.at;
                }
                _ => self.legal_character()?,
            }
        }
        let value = self.since(plain, owned);
        self.at += 1;
        Ok(value)
    }

    /// What follows `<![CDATA[`, up to and past `]]>`.
    pub(super) fn cdata(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let content = self.up_to("]]>", "a CDATA section")?;
        if content.contains('\r') {
            return Ok(Cow::Owned(
                content.replace("\r\n", "\n").replace('\r', "\n"),
            ));
        }
        Ok(Cow::Borrowed(content))
    }

    /// What follows `<!--`, up to and past `-->`.
    pub(super) fn comment(&mut self) -> Result<(), ReadError> {
        self.up_to("--", "a comment")?;
        if self.eat(">") {
            return Ok(());
        }
        Err(self.malformed("\"--\" in a comment"))
    }

    /// What follows `<?`, up to and past `?>`.
    pub(super) fn instruction(&mut self) -> Result<(), ReadError> {
        let target = self.name()?;
        if target.eq_ignore_ascii_case("xml") {
            return Err(self.malformed("an XML declaration that is not at the start"));
        }
        if self.blanks() || self.text[self.at..].starts_with("?>") {
            return self.up_to("?>", "a processing instruction").map(drop);
        }
        Err(self.malformed("a bad processing instruction"))
    }

    pub(super) fn malformed(&self, what: &str) -> ReadError {
        self.error(ErrorClass::Malformed, what)
    }

    pub(super) fn error(&self, class: ErrorClass, what: &str) -> ReadError {
        ReadError::new(class, format!("{what}, at byte {}", self.at))
    }

    fn since(&self, plain: usize, owned: Option<String>) -> Cow<'a, str> {
        let rest = &self.text[plain..self.at];
        match owned {
            None => Cow::Borrowed(rest),
            Some(mut text) => {
                text.push_str(rest);
                Cow::Owned(text)
            }
        }
    }

    /// `&lt;`, `&#60;`, `&#x3C;`: the character it stands for. No other entity exists here.
    fn reference(&mut self) -> Result<char, ReadError> {
        let body = &self.text[self.at + 1..];
        let end = body
            .as_bytes()
            .iter()
            .take(LONGEST_REFERENCE)
            .position(|&byte| byte == b';')
            .ok_or_else(|| self.malformed("a reference without an end"))?;
        let character = match &body[..end] {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            name => name.strip_prefix('#').and_then(numeric_reference),
        };
        let character = character.ok_or_else(|| self.malformed("an unknown reference"))?;
        self.at += end + 2;
        Ok(character)
    }

    fn up_to(&mut self, end: &str, what: &str) -> Result<&'a str, ReadError> {
        let rest = &self.text[self.at..];
        let length = rest
            .find(end)
            .ok_or_else(|| self.malformed(&format!("{what} without an end")))?;
        let content = &rest[..length];
        if let Some((offset, _)) = content.char_indices().find(|&(_, c)| !is_xml_char(c)) {
            self.at += offset;
            return Err(self.malformed("a character that XML cannot carry"));
        }
        self.at += length + end.len();
        Ok(content)
    }

    /// Move past one character that needs a closer look.
    fn legal_character(&mut self) -> Result<(), ReadError> {
        if self.is_at_end() {
            return Err(self.malformed("the document ends too early"));
        }
        let c = self.char_here();
        if !is_xml_char(c) {
            return Err(self.malformed("a character that XML cannot carry"));
        }
        self.at += c.len_utf8();
        Ok(())
    }

    fn char_here(&self) -> char {
        self.text[self.at..].chars().next().unwrap_or('\0')
    }
}

/// A name as written in a tag.
#[derive(Clone, Copy, Debug)]
pub(super) struct QualifiedName<'a> {
    pub(super) prefix: &'a str,
    pub(super) local: &'a str,
    pub(super) written: &'a str,
}

fn numeric_reference(body: &str) -> Option<char> {
    let (digits, radix) = match body.strip_prefix('x') {
        Some(digits) => (digits, 16),
        None => (body, 10),
    };
    // `from_str_radix` would accept a plus sign.
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let code = u32::from_str_radix(digits, radix).ok()?;
    char::from_u32(code).filter(|&c| is_xml_char(c))
}

/// Long enough for every character with many leading zeros.
const LONGEST_REFERENCE: usize = 32;

const NAME: u8 = 1;
const TEXT_STOP: u8 = 2;
const VALUE_STOP: u8 = 4;
const BLANK: u8 = 8;

/// What each byte means. 0xEF begins U+FFFE and U+FFFF, which XML cannot carry.
const CLASS: [u8; 256] = {
    let mut class = [0; 256];
    let mut byte: u8 = 0;
    loop {
        let mut bits = 0;
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            bits |= NAME;
        }
        if matches!(byte, b'<' | b'&' | b']' | 0xEF)
            || (byte < 0x20 && !matches!(byte, b'\t' | b'\n'))
        {
            bits |= TEXT_STOP;
        }
        if matches!(byte, b'<' | b'&' | b'"' | b'\'' | 0xEF) || byte < 0x20 {
            bits |= VALUE_STOP;
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            bits |= BLANK;
        }
        class[byte as usize] = bits;
        if byte == u8::MAX {
            break;
        }
        byte += 1;
    }
    class
};
