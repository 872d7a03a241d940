//! Reading `.env` files, which hold more than our settings.

use std::collections::BTreeMap;

/// What a `.env` file says, and which of its lines cannot be read.
#[derive(Debug, Default)]
pub(crate) struct Dotenv {
    pub(crate) values: BTreeMap<String, String>,
    faults: Vec<Fault>,
}

/// A line that cannot be read. Its text is not kept: it may hold a secret of the application.
#[derive(Debug)]
struct Fault {
    name: Option<String>,
    text: String,
}

/// Most faults that one message names.
const TOLD_FAULTS: usize = 5;

impl Dotenv {
    /// Reads `NAME=value` lines: blank lines, `#` comments, an `export` in front, single quotes
    /// (literal) and double quotes (with `\n`, `\"`, `\\`, `\$`), both over several lines if need
    /// be. A later line wins.
    pub(crate) fn parse(text: &str) -> Self {
        let mut found = Self::default();
        let text = text.trim_start_matches('\u{feff}');
        let mut rest = text;
        while !rest.is_empty() {
            let number = text[..text.len() - rest.len()].matches('\n').count() + 1;
            let (line, after) = split_line(rest);
            let start = line.trim_start();
            if start.is_empty() || start.starts_with('#') {
                rest = after;
                continue;
            }
            let start = start
                .strip_prefix("export")
                .filter(|rest| rest.starts_with([' ', '\t']))
                .map_or(start, str::trim_start);
            let (name, value) = start.split_once('=').unwrap_or((start, ""));
            let name = name.trim();
            let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
            let is_name = !name.is_empty() && name.chars().all(named);
            let read = if !start.contains('=') {
                Err("there is no `=`")
            } else if !is_name {
                Err("the name before `=` is not a setting's name")
            } else {
                // From here to the end of the file: a quoted value may go on in the next line.
                let value = value.trim_start_matches([' ', '\t']);
                value_of(&rest[line.len() - value.len()..])
            };
            match read {
                Ok((value, behind)) => {
                    found.values.insert(name.to_owned(), value);
                    rest = behind;
                }
                Err(what) => {
                    found.faults.push(Fault {
                        name: is_name.then(|| name.to_owned()),
                        text: format!("line {number}: {what}"),
                    });
                    rest = after;
                }
            }
        }
        found
    }

    pub(crate) fn unreadable(error: &std::io::Error) -> Self {
        let text = format!("the file cannot be read: {error}");
        Self {
            faults: vec![Fault { name: None, text }],
            ..Self::default()
        }
    }

    pub(crate) fn fault_of(&self, name: &str) -> Option<&str> {
        let fault = self
            .faults
            .iter()
            .find(|fault| fault.name.as_deref() == Some(name))?;
        Some(&fault.text)
    }

    pub(crate) fn told_faults(&self) -> String {
        if self.faults.is_empty() {
            return String::new();
        }
        let mut texts: Vec<_> = self
            .faults
            .iter()
            .take(TOLD_FAULTS)
            .map(|fault| fault.text.as_str())
            .collect();
        if self.faults.len() > TOLD_FAULTS {
            texts.push("and more");
        }
        format!(
            " (and .env cannot be read everywhere: {})",
            texts.join(", ")
        )
    }
}

fn split_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// The value at the beginning of a text, and what follows its last line.
fn value_of(text: &str) -> Result<(String, &str), &'static str> {
    let Some(quote @ ('"' | '\'')) = text.chars().next() else {
        let (line, after) = split_line(text);
        let comment = line.find(" #").or_else(|| line.find("\t#"));
        let value = comment.map_or(line, |at| &line[..at]).trim();
        let value = if value.starts_with('#') { "" } else { value };
        return Ok((value.to_owned(), after));
    };
    let mut value = String::new();
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        match c {
            c if c == quote => {
                let (line, after) = split_line(&text[at + 1..]);
                return if nothing_after(line) {
                    Ok((value, after))
                } else {
                    Err("something follows the closing quote")
                };
            }
            '\\' if quote == '"' => match chars.next() {
                Some((_, 'n')) => value.push('\n'),
                Some((_, escaped @ ('"' | '\\' | '$'))) => value.push(escaped),
                Some((_, other)) => value.extend(['\\', other]),
                None => break,
            },
            c => value.push(c),
        }
    }
    Err("a quote is not closed")
}

fn nothing_after(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotenv_forms() {
        let rows = [
            ("A=b", Some("b")),
            ("export A=b", Some("b")),
            ("export\tA = b ", Some("b")),
            ("A='b # c'", Some("b # c")),
            ("A=\"b \\\"c\\\" \\\\ \\n\" # d", Some("b \"c\" \\ \n")),
            ("A=b # c", Some("b")),
            ("A=b#c", Some("b#c")),
            ("A=", Some("")),
            ("A=#c", Some("")),
            ("# A=b", None),
            ("A='b\nc'", Some("b\nc")),
            ("A=\"b\nc\" # d\nB=e", Some("b\nc")),
            ("A = 'b'\r\n", Some("b")),
            ("A=1\nA=2\r", Some("2")),
            ("\u{feff}A=b\r\n", Some("b")),
        ];
        for (text, expected) in rows {
            let found = Dotenv::parse(text);
            assert_eq!(
                found.values.get("A").map(String::as_str),
                expected,
                "{text:?}"
            );
            assert!(found.faults.is_empty(), "{text:?}");
        }
        for text in ["A", "=b", "A b=c", "A='b", "A=\"b", "A=\"b\\", "A='b' c"] {
            let found = Dotenv::parse(text);
            assert!(found.values.is_empty(), "{text:?}");
            assert!(found.told_faults().contains("line 1"), "{text:?}");
        }
    }
}
