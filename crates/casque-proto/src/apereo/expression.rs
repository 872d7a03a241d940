//! Regular expressions of Java, said in the syntax of an engine that takes linear time (R-281, S-034).
//!
//! Whatever the two read differently is either rewritten to what Java means or refused: an expression that would match
//! more here than there is a hole.

use regex::{Regex, RegexBuilder};

/// Memory for a compiled expression.
const REGEX_BYTES: usize = 1 << 20;

const MAX_PATTERN_BYTES: usize = 2048;

/// A Java expression, compiled to match whole texts and parts of them.
#[derive(Clone, Debug)]
pub(super) struct Expression {
    pub(super) translated: String,
    whole: Regex,
    part: Regex,
}

impl Expression {
    /// Compiles an expression of Java.
    ///
    /// # Errors
    ///
    /// Why not, in words.
    pub(super) fn new(source: &str, ignore_case: bool) -> Result<Self, String> {
        if source.len() > MAX_PATTERN_BYTES {
            return Err("it is longer than 2048 bytes".to_owned());
        }
        let mut translated = Translator::new(source).run()?;
        if ignore_case {
            translated.insert_str(0, "(?i)");
        }
        let build = |text: &str| {
            RegexBuilder::new(text)
                .size_limit(REGEX_BYTES)
                .dfa_size_limit(REGEX_BYTES)
                .build()
        };
        // Alone first: wrapped, an expression with a stray parenthesis could escape the anchors.
        let part = build(&translated);
        let whole = part
            .as_ref()
            .ok()
            .map(|_| build(&format!(r"\A(?:{translated})\z")));
        match (part, whole) {
            (Ok(part), Some(Ok(whole))) => Ok(Self {
                translated,
                whole,
                part,
            }),
            (Err(error), _) | (_, Some(Err(error))) => {
                let error = error.to_string();
                let last = error.lines().last().unwrap_or_default();
                Err(last.trim_start_matches("error: ").to_owned())
            }
            (Ok(_), None) => unreachable!("it is built where the first is"),
        }
    }

    pub(super) fn is_whole(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    pub(super) fn is_part(&self, text: &str) -> bool {
        self.part.is_match(text)
    }
}

struct Translator<'a> {
    rest: &'a str,
    out: String,
    in_class: bool,
    /// What came last can be repeated, or is a repetition already.
    last: Last,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Piece,
    Repetition,
    Lazy,
}

impl<'a> Translator<'a> {
    fn new(source: &'a str) -> Self {
        Self {
            rest: source,
            out: String::with_capacity(source.len() + 8),
            in_class: false,
            last: Last::Piece,
        }
    }

    fn run(mut self) -> Result<String, String> {
        while let Some(c) = self.rest.chars().next() {
            self.rest = &self.rest[c.len_utf8()..];
            if self.in_class {
                self.class_part(c)?;
            } else {
                self.piece(c)?;
            }
        }
        if self.in_class {
            return Err("a character class is not closed".to_owned());
        }
        Ok(self.out)
    }

    fn piece(&mut self, c: char) -> Result<(), String> {
        match (c, self.last) {
            ('+', Last::Repetition | Last::Lazy) => {
                return Err("possessive repetitions, such as a++, are not supported".to_owned());
            }
            ('*' | '{', Last::Repetition | Last::Lazy) | ('?', Last::Lazy) => {
                return Err("a repetition is repeated".to_owned());
            }
            ('?', Last::Repetition) => {
                self.out.push('?');
                self.last = Last::Lazy;
                return Ok(());
            }
            ('*' | '+' | '?', Last::Piece) => {
                self.out.push(c);
                self.last = Last::Repetition;
                return Ok(());
            }
            ('{', Last::Piece) => {
                let end = self.rest.find('}').ok_or("{ is not closed")?;
                let counts = &self.rest[..end];
                let digits =
                    |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                let well_formed = match counts.split_once(',') {
                    None => digits(counts),
                    Some((least, most)) => digits(least) && (most.is_empty() || digits(most)),
                };
                if !well_formed {
                    return Err("{ begins no repetition such as {2,5}".to_owned());
                }
                self.out.extend(["{", counts, "}"]);
                self.rest = &self.rest[end + 1..];
                self.last = Last::Repetition;
                return Ok(());
            }
            _ => {}
        }
        self.last = Last::Piece;
        match c {
            '\\' => self.escape(),
            '[' => {
                self.out.push('[');
                self.in_class = true;
                if let Some(rest) = self.rest.strip_prefix('^') {
                    self.out.push('^');
                    self.rest = rest;
                }
                if let Some(rest) = self.rest.strip_prefix(']') {
                    self.out.push_str("\\]");
                    self.rest = rest;
                }
                Ok(())
            }
            '(' => self.group(),
            '.' | '|' | ')' | '^' | '$' => {
                self.out.push(c);
                Ok(())
            }
            c => {
                self.literal(c);
                Ok(())
            }
        }
    }

    /// `(`, and what a `?` behind it says.
    fn group(&mut self) -> Result<(), String> {
        let Some(rest) = self.rest.strip_prefix('?') else {
            self.out.push('(');
            return Ok(());
        };
        let looks = ["=", "!", "<=", "<!", ">"];
        if looks.iter().any(|look| rest.starts_with(look)) {
            return Err(
                "look-around, such as (?!…), and atomic groups are not supported".to_owned(),
            );
        }
        if let Some(rest) = rest.strip_prefix('<') {
            let end = rest.find('>').ok_or("a group has no name")?;
            self.out.extend(["(?<", &rest[..end], ">"]);
            self.rest = &rest[end + 1..];
            return Ok(());
        }
        let end = rest.find([':', ')']).ok_or("a group is not closed")?;
        let flags = &rest[..end];
        if !flags.bytes().all(|flag| b"is-".contains(&flag)) {
            return Err(format!("the flags (?{flags}) are not supported"));
        }
        self.out.extend(["(?", &rest[..=end]]);
        self.rest = &rest[end + 1..];
        Ok(())
    }

    fn class_part(&mut self, c: char) -> Result<(), String> {
        match c {
            ']' => {
                self.out.push(']');
                self.in_class = false;
                Ok(())
            }
            '[' => Err("a character class inside a character class is not supported".to_owned()),
            '&' if self.rest.starts_with('&') => {
                Err("intersections of character classes are not supported".to_owned())
            }
            '-' if self.rest.starts_with('-') => {
                Err("-- in a character class is not supported: write \\-".to_owned())
            }
            '-' => {
                self.out.push('-');
                Ok(())
            }
            '\\' => self.escape(),
            c => {
                self.literal(c);
                Ok(())
            }
        }
    }

    /// What follows a backslash. `\d`, `\w` and `\s` are ASCII in Java.
    fn escape(&mut self) -> Result<(), String> {
        let c = self.rest.chars().next().ok_or("it ends with a backslash")?;
        self.rest = &self.rest[c.len_utf8()..];
        let class = match c {
            'd' => "[0-9]",
            'D' => "[^0-9]",
            'w' => "[0-9A-Za-z_]",
            'W' => "[^0-9A-Za-z_]",
            's' => r"[ \t\n\x0B\f\r]",
            'S' => r"[^ \t\n\x0B\f\r]",
            't' => r"\t",
            'n' => r"\n",
            'r' => r"\r",
            'f' => r"\f",
            'a' => r"\a",
            'A' if !self.in_class => r"\A",
            'z' if !self.in_class => r"\z",
            'b' if !self.in_class && !self.rest.starts_with('{') => r"\b",
            'Q' if !self.in_class => return self.quotation(),
            'p' => return self.property(""),
            'P' => return self.property("^"),
            'x' | 'u' => return self.code_point(c),
            c if !c.is_ascii_alphanumeric() => {
                self.literal(c);
                return Ok(());
            }
            c => return Err(format!("\\{c} is not supported")),
        };
        self.out.push_str(class);
        Ok(())
    }

    /// `\Q…\E`
    fn quotation(&mut self) -> Result<(), String> {
        let (quoted, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
        if quoted.is_empty() {
            return Err("\\Q quotes nothing".to_owned());
        }
        for c in quoted.chars() {
            self.literal(c);
        }
        self.rest = rest;
        Ok(())
    }

    /// `\p{Alpha}`: the classes of POSIX, which are ASCII in Java.
    fn property(&mut self, not: &str) -> Result<(), String> {
        let name = self
            .rest
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'));
        let Some((name, rest)) = name else {
            return Err("\\p needs a name, such as \\p{Alpha}".to_owned());
        };
        let known = [
            ("Lower", "lower"),
            ("Upper", "upper"),
            ("ASCII", "ascii"),
            ("Alpha", "alpha"),
            ("Digit", "digit"),
            ("Alnum", "alnum"),
            ("Punct", "punct"),
            ("Graph", "graph"),
            ("Print", "print"),
            ("Blank", "blank"),
            ("Cntrl", "cntrl"),
            ("XDigit", "xdigit"),
            ("Space", "space"),
        ];
        let posix = known.iter().find(|(java, _)| *java == name);
        let Some((_, posix)) = posix else {
            return Err(
                "\\p{…} is supported for the ASCII classes only, such as \\p{Alpha}".to_owned(),
            );
        };
        self.rest = rest;
        self.out.extend(["[[:", not, posix, ":]]"]);
        Ok(())
    }

    /// `\xhh`, `\x{h…}` and `\uhhhh`
    fn code_point(&mut self, kind: char) -> Result<(), String> {
        let braced = self.rest.strip_prefix('{').filter(|_| kind == 'x');
        let (digits, rest) = if let Some(rest) = braced {
            rest.split_once('}').ok_or("\\x{ is not closed")?
        } else {
            let length = if kind == 'x' { 2 } else { 4 };
            self.rest
                .split_at_checked(length)
                .ok_or("a code point is cut off")?
        };
        let code = digits
            .bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
            .and_then(char::from_u32)
            .ok_or("a code point is none")?;
        self.rest = rest;
        self.literal(code);
        Ok(())
    }

    fn literal(&mut self, c: char) {
        let special = if self.in_class {
            r"[]\^~&-"
        } else {
            r"\.+*?()|[]{}^$"
        };
        if special.contains(c) {
            self.out.push('\\');
        }
        self.out.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(source: &str) -> Result<String, String> {
        Expression::new(source, false).map(|expression| expression.translated)
    }

    #[test]
    fn what_both_read_alike_stays() {
        // R-279
        for source in [
            r"^https://app\.example\.org/.*",
            r"^(https|imaps)://.*$",
            "a{2,5}b{3}c{4,}?d*?e+?f??",
            "(?i)a(?:b|c)(?<name>d)",
            "[a-z0-9_.]+[^x]",
            r"\Aa\z",
        ] {
            assert_eq!(translated(source).as_deref(), Ok(source));
        }
    }

    #[test]
    fn what_java_means_otherwise_is_rewritten() {
        for (source, text, matches) in [
            (r"\d+", "12", true),
            (r"\d+", "\u{662}", false),
            (r"[\d\-]+", "1-2", true),
            (r"\w+", "é", false),
            (r"[\W]", "é", true),
            (r"\s", "\u{a0}", false),
            (r"\<b\>", "<b>", true),
            (r"\Qa.b*\E+", "a.b**", true),
            (r"\Qa.b*\E", "axb*", false),
            (r"\p{Alpha}+", "aB", true),
            (r"\p{Alpha}", "é", false),
            (r"[\P{Digit}]", "x", true),
            (r"\x41\u0042\x{43}", "ABC", true),
            (r"\x2E", ".", true),
            (r"\x2E", "x", false),
            ("[]a]+", "]a", true),
            ("[a&b~]", "~", true),
            (r"[a&\&b-]", "-", true),
            ("a}b]", "a}b]", true),
            ("a#b c", "a#b c", true),
        ] {
            let expression = Expression::new(source, false).expect(source);
            assert_eq!(expression.is_whole(text), matches, "{source} {text}");
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        // R-281
        for (source, words) in [
            ("a(?!b)", "look-around"),
            ("(?<=a)b", "look-around"),
            ("(?>a)b", "atomic"),
            (r"(a)\1", r"\1 is not supported"),
            (r"\k<a>", r"\k is not supported"),
            ("a++", "possessive"),
            ("a*+", "possessive"),
            ("a{2}+", "possessive"),
            ("a??+", "possessive"),
            ("a**", "repeated"),
            ("[a[b]]", "inside a character class"),
            ("[a-z&&[^b]]", "intersections"),
            ("[!--]", "-- in a character class"),
            ("(?x)a", "flags"),
            ("(?U)a", "flags"),
            (r"\p{L}", "ASCII classes only"),
            (r"\Z", r"\Z is not supported"),
            (r"\b{g}", r"\b is not supported"),
            (r"\ud800", "code point"),
            ("(a", "unclosed group"),
            ("a)|(b", "unopened group"),
            ("[a", "not closed"),
            ("a{1000}{1000}", "repeated"),
            ("((a{500}){500}){500}", "size limit"),
            ("a\\", "backslash"),
        ] {
            let fault = translated(source).expect_err(source);
            assert!(fault.contains(words), "{source}: {fault}");
        }
    }

    #[test]
    fn case_and_parts() {
        let any = Expression::new("Ab", true).expect("an expression");
        assert!(any.is_whole("aB") && !any.is_whole("xab") && any.is_part("xabx"));
        let one = Expression::new("Ab", false).expect("an expression");
        assert!(one.is_whole("Ab") && !one.is_whole("ab"));
    }
}
