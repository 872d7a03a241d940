//! Text for log fields: no secrets, one physical line, bounded (S-017, S-070, R-225).

use std::fmt;
use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use zeroize::Zeroizing;

/// The longest redacted text, in bytes.
pub const MAX_FIELD_BYTES: usize = 4096;

/// A key for the short digests that stand in place of tickets, so that two log lines about one ticket can be
/// recognised while the ticket cannot be guessed from them. Draw it anew at each start.
#[derive(Clone)]
pub struct DigestKey(Zeroizing<[u8; 32]>);

impl DigestKey {
    /// A key of 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    fn digest(&self, secret: &str) -> String {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&*self.0).expect("HMAC takes a key of any length");
        mac.update(secret.as_bytes());
        let mut digest = String::with_capacity(12);
        for byte in &mac.finalize().into_bytes()[..6] {
            // Writing to a String cannot fail.
            let _ = write!(digest, "{byte:02x}");
        }
        digest
    }
}

impl fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestKey(…)")
    }
}

/// The text without its secrets, on one physical line, at most [`MAX_FIELD_BYTES`].
///
/// Tickets of every kind keep their prefix (service and proxy tickets a short serial number too); values of parameters, headers
/// and cookies that carry secrets go whole. Percent-encoding, also repeated, hides nothing. Control, format and
/// line-breaking characters are escaped. With a key, each secret leaves a digest by which lines can be correlated.
///
/// ```
/// # use casque_proto::redact::redact;
/// let line = redact("GET /cb?ticket=ST-1-abcdefghijklmnop&x=1 HTTP/1.1", None);
/// assert_eq!(line, "GET /cb?ticket=ST-1-[redacted]&x=1 HTTP/1.1");
/// assert_eq!(redact("alice\r\nINFO all is well", None), "alice\\r\\nINFO all is well");
/// ```
pub fn redact(text: &str, key: Option<&DigestKey>) -> String {
    let text = text
        .get(..text.floor_char_boundary(MAX_INPUT_BYTES))
        .unwrap_or(text);
    let units = Unit::all(text);
    let mut line = Line::default();
    let mut at = 0;
    while at < units.len() && !line.is_full() {
        if let Some(secret) = find_secret(&units, at) {
            line.push_all(&text[units[at].start..units[secret.shown_until].start]);
            let hidden: String = units[secret.shown_until..secret.end]
                .iter()
                .map(|unit| unit.c)
                .collect();
            match key {
                Some(key) => line.push_all(&format!(
                    "[{}]",
                    key.digest(&format!("{}{hidden}", secret.prefix))
                )),
                None => line.push_all("[redacted]"),
            }
            at = secret.end;
        } else {
            line.push_all(&text[units[at].start..units[at].end]);
            at += 1;
        }
    }
    line.finish()
}

/// A URL, or any text, that displays [redacted](redact).
///
/// ```
/// # use casque_proto::redact::RedactedUrl;
/// let url = RedactedUrl::new("https://cas.example.org/proxy?pgt=PGT-1-x", None);
/// assert_eq!(url.to_string(), "https://cas.example.org/proxy?pgt=PGT-[redacted]");
/// ```
#[derive(Clone, Copy)]
pub struct RedactedUrl<'a> {
    url: &'a str,
    key: Option<&'a DigestKey>,
}

impl<'a> RedactedUrl<'a> {
    /// Wraps a URL. See [`redact`] for the key.
    pub fn new(url: &'a str, key: Option<&'a DigestKey>) -> Self {
        Self { url, key }
    }
}

impl fmt::Display for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redact(self.url, self.key))
    }
}

impl fmt::Debug for RedactedUrl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A character as the last reader would see it: percent-encoding undone, however often it was applied.
#[derive(Debug, Clone, Copy)]
struct Unit {
    c: char,
    /// How often it was encoded. A delimiter ends a value only if it is encoded no more often than the value's `=`.
    depth: u8,
    start: usize,
    end: usize,
}

impl Unit {
    fn all(text: &str) -> Vec<Self> {
        let bytes = text.as_bytes();
        let mut units = Vec::with_capacity(text.len());
        let mut chars = text.char_indices();
        while let Some((start, c)) = chars.next() {
            let encoded = if c == '%' {
                encoded(&bytes[start..])
            } else {
                None
            };
            let (c, depth, length) = encoded.unwrap_or((c, 0, c.len_utf8()));
            units.push(Self {
                c,
                depth,
                start,
                end: start + length,
            });
            while chars.offset() < start + length {
                chars.next();
            }
        }
        units
    }
}

/// `%41`, `%2541`, `%252541`… at the start of `bytes`: the character, the depth, the length.
fn encoded(bytes: &[u8]) -> Option<(char, u8, usize)> {
    let hex = |at: usize| {
        let digits = std::str::from_utf8(bytes.get(at..at + 2)?).ok()?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u8::from_str_radix(digits, 16).ok())
            .flatten()
    };
    let mut at = 1;
    let mut depth = 1_u8;
    while hex(at) == Some(b'%') && hex(at + 2).is_some() {
        at += 2;
        depth = depth.saturating_add(1);
    }
    // Bytes of longer characters stay what they are: no name, prefix or delimiter holds them.
    let byte = hex(at)?;
    let c = if byte.is_ascii() {
        char::from(byte)
    } else {
        char::REPLACEMENT_CHARACTER
    };
    Some((c, depth, at + 2))
}

/// Where a secret lies: shown up to `shown_until`, hidden up to `end` (both indexes of units).
struct Secret {
    prefix: &'static str,
    shown_until: usize,
    end: usize,
}

fn find_secret(units: &[Unit], at: usize) -> Option<Secret> {
    ticket(units, at)
        .or_else(|| named_value(units, at))
        .or_else(|| credentials_in_url(units, at))
}

/// A ticket that begins at `at`. There is no need of a boundary before it: rather a word too many than a ticket.
fn ticket(units: &[Unit], at: usize) -> Option<Secret> {
    let prefix = TICKET_PREFIXES
        .into_iter()
        .find(|prefix| starts_with(units, at, prefix))?;
    let body = at + prefix.len();
    let end = skip_while(units, body, |unit| {
        unit.c.is_ascii_alphanumeric() || "._-~+".contains(unit.c)
    });
    let mut shown_until = body;
    if matches!(prefix, "ST-" | "PT-") {
        // A serial number is no secret, and six characters are all that may show (R-225).
        let digits = skip_while(units, body, |unit| unit.c.is_ascii_digit());
        if digits > body && digits - body < 6 && units.get(digits).is_some_and(|unit| unit.c == '-')
        {
            shown_until = (digits + 1).min(end);
        }
    }
    (shown_until < end).then_some(Secret {
        prefix,
        shown_until,
        end,
    })
}

/// `ticket=…`, `"password": "…"`, `Cookie: …` and their like, whose name begins at `at`.
fn named_value(units: &[Unit], at: usize) -> Option<Secret> {
    let name_goes_on = |unit: &Unit| unit.c.is_ascii_alphanumeric() || unit.c == '_';
    if at > 0 && name_goes_on(&units[at - 1]) {
        return None;
    }
    if let Some(name) = SECRET_HEADERS
        .into_iter()
        .find(|name| starts_with_ignoring_case(units, at, name))
    {
        let colon = skip_while(units, at + name.len(), |unit| {
            matches!(unit.c, ' ' | '"' | '\'')
        });
        if units.get(colon)?.c == ':' {
            let value = skip_while(units, colon + 1, |unit| matches!(unit.c, ' ' | '"' | '\''));
            let end = skip_while(units, value, |unit| !matches!(unit.c, '\r' | '\n'));
            return (value < end).then_some(Secret {
                prefix: "",
                shown_until: value,
                end,
            });
        }
    }
    let name = SECRET_NAMES.into_iter().find(|name| {
        starts_with_ignoring_case(units, at, name)
            && !units.get(at + name.len()).is_some_and(name_goes_on)
    })?;
    // `"name" : "value"`, also with escaped quotes, and `name=value`.
    let quoting = |unit: &Unit| matches!(unit.c, ' ' | '"' | '\'' | '\\' | '[' | ']');
    let sign = skip_while(units, at + name.len(), quoting);
    let assigns = units.get(sign)?;
    let quoted_name = units
        .get(at + name.len())
        .is_some_and(|unit| matches!(unit.c, '"' | '\'' | '\\'));
    if assigns.c != '=' && !(assigns.c == ':' && (quoted_name || LONG_VALUES.contains(&name))) {
        return None;
    }
    let value = skip_while(units, sign + 1, |unit| {
        quoting(unit) && unit.depth <= assigns.depth
    });
    let quote = units[sign + 1..value]
        .iter()
        .map(|unit| unit.c)
        .rfind(|c| matches!(c, '"' | '\''));
    let mut end = value;
    while let Some(unit) = units.get(end) {
        let delimits = match quote {
            Some(quote) => unit.c == quote,
            None if LONG_VALUES.contains(&name) => matches!(unit.c, '&' | '"' | '\r' | '\n'),
            None => {
                unit.c.is_whitespace()
                    || "&\"'<>;#".contains(unit.c)
                    || (unit.c == '?' && name == "jsessionid")
            }
        };
        if delimits && unit.depth <= assigns.depth {
            break;
        }
        // An escaped quote belongs to the value.
        end += if unit.c == '\\' { 2 } else { 1 };
    }
    let end = end.min(units.len());
    // The kind of a ticket may show. What its grammar leaves over, such as `/` and what follows it, goes too.
    if let Some(ticket) = ticket(units, value) {
        return Some(Secret {
            end: end.max(ticket.end),
            ..ticket
        });
    }
    (value < end).then_some(Secret {
        prefix: "",
        shown_until: value,
        end,
    })
}

/// `//user:password@` of a URL whose `//` begins at `at`.
fn credentials_in_url(units: &[Unit], at: usize) -> Option<Secret> {
    if !starts_with(units, at, "//") {
        return None;
    }
    let start = at + 2;
    let end = skip_while(units, start, |unit| {
        !unit.c.is_whitespace() && !"/?#\"<>".contains(unit.c)
    });
    let at_sign = (start..end).rfind(|index| units[*index].c == '@')?;
    (start < at_sign).then_some(Secret {
        prefix: "",
        shown_until: start,
        end: at_sign,
    })
}

fn starts_with(units: &[Unit], at: usize, text: &str) -> bool {
    units
        .get(at..at + text.len())
        .is_some_and(|units| units.iter().zip(text.chars()).all(|(unit, c)| unit.c == c))
}

fn starts_with_ignoring_case(units: &[Unit], at: usize, text: &str) -> bool {
    let found = units.get(at..at + text.len());
    found.is_some_and(|units| {
        units
            .iter()
            .zip(text.chars())
            .all(|(unit, c)| unit.c.eq_ignore_ascii_case(&c))
    })
}

fn skip_while(units: &[Unit], from: usize, wanted: impl Fn(&Unit) -> bool) -> usize {
    let rest = units.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .position(|unit| !wanted(unit))
        .unwrap_or(rest.len())
}

/// The line as it grows, escaped and bounded.
#[derive(Default)]
struct Line {
    text: String,
    full: bool,
}

impl Line {
    fn is_full(&self) -> bool {
        self.full
    }

    fn push_all(&mut self, text: &str) {
        for c in text.chars() {
            let before = self.text.len();
            match c {
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                c if c.is_control() || crate::text::is_invisible(c) => {
                    self.text.extend(c.escape_unicode());
                }
                c => self.text.push(c),
            }
            if self.text.len() > MAX_FIELD_BYTES - CUT_MARK.len() {
                self.text.truncate(before);
                self.full = true;
                return;
            }
        }
    }

    fn finish(mut self) -> String {
        if self.full {
            self.text.push_str(CUT_MARK);
        }
        self.text
    }
}

/// Longer prefixes first.
const TICKET_PREFIXES: [&str; 7] = ["PGTIOU-", "PGT-", "TGT-", "TGC-", "ST-", "PT-", "LT-"];

/// Headers whose value is a secret to the end of the line.
const SECRET_HEADERS: [&str; 4] = [
    "set-cookie",
    "cookie",
    "proxy-authorization",
    "authorization",
];

/// Parameters, fields and cookies whose value is a secret. Longer names first where one begins another.
const SECRET_NAMES: [&str; 22] = [
    "ticket",
    "samlart",
    "pgtiou",
    "pgtid",
    "pgt",
    "proxygrantingticket",
    "proxyticket",
    "password",
    "passwd",
    "logoutrequest",
    "samlrequest",
    "samlresponse",
    "execution",
    "csrf_token",
    "csrf",
    "_csrf",
    "lt",
    "tgc",
    "jsessionid",
    "casque-flow",
    "casque-login",
    "casque",
];

/// Values that may hold blanks.
const LONG_VALUES: [&str; 2] = ["password", "passwd"];

const CUT_MARK: &str = "[cut]";

/// More is not looked at: with most of it hidden, this still fills a line.
const MAX_INPUT_BYTES: usize = 64 * 1024;
