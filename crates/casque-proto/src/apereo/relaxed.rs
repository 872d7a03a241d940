//! The relaxed JSON of Apereo's files, made strict (R-275).

/// Strict JSON, and where in the file its parts came from.
#[derive(Debug)]
pub(super) struct Relaxed {
    /// The file with every comment and every comma before a closing bracket blanked out, and `'''` texts quoted.
    pub(super) text: String,
    /// The members of objects: their path, and the line of their name.
    lines: Vec<(String, usize)>,
    /// From which byte of the text on, which byte of the file it is.
    shifts: Vec<(usize, usize)>,
}

impl Relaxed {
    /// Reads a file. What is no JSON in another way is left to the reader of JSON.
    ///
    /// # Errors
    ///
    /// A comment or text without an end: what, and its byte.
    pub(super) fn of(file: &str) -> Result<Self, (&'static str, usize)> {
        let mut lexer = Lexer {
            file,
            at: 0,
            out: Self {
                text: String::with_capacity(file.len()),
                lines: Vec::new(),
                shifts: Vec::new(),
            },
            frames: Vec::new(),
            before: b'[',
            comma: None,
            name: None,
            line: (0, 1),
        };
        while lexer.at < file.len() {
            lexer.token()?;
        }
        Ok(lexer.out)
    }

    /// The byte of the file that a byte of the text came from.
    pub(super) fn offset(&self, at: usize) -> usize {
        let shift = self.shifts.iter().rev().find(|(text, _)| *text <= at);
        shift.map_or(at, |(text, file)| file + (at - text))
    }

    /// The line of a member, or of the nearest one around it; members in lists have the path of the list.
    pub(super) fn line(&self, path: &str) -> Option<usize> {
        let mut path = path;
        loop {
            if let Some((_, line)) = self.lines.iter().find(|(known, _)| known == path) {
                return Some(*line);
            }
            path = path.rsplit_once('.')?.0;
        }
    }
}

struct Lexer<'a> {
    file: &'a str,
    at: usize,
    out: Relaxed,
    /// The open brackets: the name of the member an object is at, `None` for a list.
    frames: Vec<Option<String>>,
    /// The last byte that is neither blank nor comment; `"` for a text.
    before: u8,
    /// Where a comma stands in the text that nothing has followed yet.
    comma: Option<usize>,
    /// The text that may turn out to be a name, and its byte in the file.
    name: Option<(String, usize)>,
    /// A byte of the file, and its line.
    line: (usize, usize),
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<(), (&'static str, usize)> {
        let rest = &self.file[self.at..];
        let first = rest.as_bytes()[0];
        if first.is_ascii_whitespace() {
            self.copy(1);
            return Ok(());
        }
        if rest.starts_with("//") || first == b'#' {
            let end = rest.find('\n').unwrap_or(rest.len());
            self.blank(end);
            return Ok(());
        }
        if rest.starts_with("/*") {
            let end = rest
                .find("*/")
                .ok_or(("a comment without an end", self.at))?;
            self.blank(end + 2);
            return Ok(());
        }
        if matches!(first, b'}' | b']')
            && let Some(comma) = self.comma
        {
            self.out.text.replace_range(comma..=comma, " ");
        }
        self.comma = None;
        match first {
            b'"' => self.quoted(),
            b'\'' if rest.starts_with("'''") => self.lines_of_text()?,
            b',' => {
                if !matches!(self.before, b'[' | b'{' | b',' | b':') {
                    self.comma = Some(self.out.text.len());
                }
                self.mark(1);
            }
            b':' => {
                self.member();
                self.mark(1);
            }
            b'{' => {
                self.frames.push(Some(String::new()));
                self.mark(1);
            }
            b'[' => {
                self.frames.push(None);
                self.mark(1);
            }
            b'}' | b']' => {
                self.frames.pop();
                self.mark(1);
            }
            _ => self.mark(rest.chars().next().map_or(1, char::len_utf8)),
        }
        Ok(())
    }

    /// A text in double quotes, as it is.
    fn quoted(&mut self) {
        let rest = &self.file[self.at..];
        let mut escaped = false;
        let end = rest.bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        let length = end.map_or(rest.len(), |end| end + 2);
        let inner = rest[..length].trim_matches('"');
        self.name = Some((inner.to_owned(), self.at));
        self.copy(length);
        self.before = b'"';
    }

    /// A text between `'''`: without the line ends at both ends, and without the indentation that the quotes have.
    fn lines_of_text(&mut self) -> Result<(), (&'static str, usize)> {
        let rest = &self.file[self.at + 3..];
        let length = rest.find("'''").ok_or(("a text without an end", self.at))?;
        let line = self.file[..self.at].rfind('\n').map_or(0, |at| at + 1);
        let indentation = self.at - line;
        let mut lines: Vec<&str> = rest[..length].split('\n').collect();
        if lines.len() > 1 && lines[0].trim().is_empty() {
            lines.remove(0);
        }
        if lines.len() > 1 && lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        let lines: Vec<&str> = lines
            .into_iter()
            .map(|line| {
                let line = line.strip_suffix('\r').unwrap_or(line);
                let blank = line.len() - line.trim_start_matches([' ', '\t']).len();
                &line[blank.min(indentation)..]
            })
            .collect();
        crate::json::write_string(&mut self.out.text, &lines.join("\n"));
        self.at += 3 + length + 3;
        self.out.shifts.push((self.out.text.len(), self.at));
        self.name = None;
        self.before = b'"';
        Ok(())
    }

    /// The text before a colon names a member of the innermost object.
    fn member(&mut self) {
        let (Some(Some(current)), Some((name, at))) = (self.frames.last_mut(), self.name.take())
        else {
            return;
        };
        *current = name;
        let path: Vec<&str> = self.frames.iter().flatten().map(String::as_str).collect();
        let (counted, line) = self.line;
        let ends = self.file[counted..at].matches('\n').count();
        self.line = (at, line + ends);
        let line = line + ends;
        self.out.lines.push((path.join("."), line));
    }

    fn mark(&mut self, length: usize) {
        self.before = self.file.as_bytes()[self.at];
        self.copy(length);
    }

    fn copy(&mut self, length: usize) {
        self.out
            .text
            .push_str(&self.file[self.at..self.at + length]);
        self.at += length;
    }

    fn blank(&mut self, length: usize) {
        let hidden = &self.file.as_bytes()[self.at..self.at + length];
        let blanks = hidden
            .iter()
            .map(|byte| if *byte == b'\n' { '\n' } else { ' ' });
        self.out.text.extend(blanks);
        self.at += length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strict(file: &str) -> Result<String, &'static str> {
        Relaxed::of(file)
            .map(|relaxed| relaxed.text)
            .map_err(|(what, _)| what)
    }

    #[test]
    fn comments_commas_and_long_texts_are_made_strict() {
        // R-275
        for (file, expected) in [
            ("{} // a } b\n", "{}         \n"),
            ("# x\n{}", "   \n{}"),
            ("{/* a\n\" */}", "{    \n    }"),
            (
                r#"{"a": "// no # comment", }"#,
                r#"{"a": "// no # comment"  }"#,
            ),
            (r#"["a\",//", 1 /**/, ]"#, r#"["a\",//", 1       ]"#),
            ("['''a'''  ]", "[\"a\"  ]"),
            (
                "{\"a\":\n  '''\n  one\n    \"two\"\n  '''}",
                "{\"a\":\n  \"one\\n  \\\"two\\\"\"}",
            ),
            // What is no JSON stays none.
            ("[,]", "[,]"),
            ("[1,,]", "[1,,]"),
            ("{a: 1}", "{a: 1}"),
            ("\"open", "\"open"),
        ] {
            assert_eq!(strict(file).as_deref(), Ok(expected), "{file}");
        }
        assert_eq!(strict("{ /* "), Err("a comment without an end"));
        assert_eq!(strict("'''a''"), Err("a text without an end"));
    }

    #[test]
    fn members_are_found_by_path() {
        let file = "{\n\"a\": {\n \"b\": [\n { \"c\": ''' x\n y''',\n \"d\": ! } ] } }";
        let relaxed = Relaxed::of(file).expect("relaxed");
        for (path, line) in [
            ("a", Some(2)),
            ("a.b", Some(3)),
            ("a.b.c", Some(4)),
            ("a.b.d", Some(6)),
            ("a.x.y", Some(2)),
            ("x", None),
        ] {
            assert_eq!(relaxed.line(path), line, "{path}");
        }
        let at = relaxed.text.find('!').expect("a mark");
        assert_eq!(file.as_bytes()[relaxed.offset(at)], b'!');
    }
}
