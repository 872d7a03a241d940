//! Faults in configuration files, in words that say what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::text::is_hidden;

/// Every fault found in one go; never empty.
///
/// It prints one fault after the other, each with its file and line, the rule, and how to mend it:
///
/// ```text
/// casque.toml:6: unknown key `login.max_failure`
///   fix: did you mean `max_failures`?
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The faults, by file and line.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.errors.iter()
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, error) in self.errors.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigError> for ConfigErrors {
    fn from(error: ConfigError) -> Self {
        Self {
            errors: vec![error],
        }
    }
}

/// One fault. Its text holds no password, no hash, and no control character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    place: PathBuf,
    line: Option<usize>,
    problem: String,
    fix: Option<String>,
}

impl ConfigError {
    pub(crate) fn new(place: &Path, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self {
            place: place.to_owned(),
            line,
            problem: problem.into(),
            fix: None,
        }
    }

    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// The same fault in other words.
    pub(crate) fn saying(mut self, problem: impl Into<String>) -> Self {
        self.problem = problem.into();
        self
    }

    /// The same fault with its subject before its words.
    pub(crate) fn about(mut self, subject: &str) -> Self {
        self.problem = format!("{subject}: {}", self.problem);
        self
    }

    /// The file, or the environment variable, that holds the fault.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// The line in the file, from 1.
    pub fn line(&self) -> Option<usize> {
        self.line
    }

    /// What is wrong: the key, its value where it is no secret, and the rule.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// How to mend it.
    pub fn suggestion(&self) -> Option<&str> {
        self.fix.as_deref()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.place.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.problem)?;
        if let Some(fix) = &self.fix {
            write!(f, "\n  fix: {fix}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Collects faults, so that all are told at once.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    errors: Vec<ConfigError>,
}

impl Faults {
    pub(crate) fn push(&mut self, error: ConfigError) {
        self.errors.push(error);
    }

    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = ConfigError> {
        self.errors.drain(..)
    }

    /// `value` if nothing was wrong.
    pub(crate) fn or<T>(mut self, value: Option<T>) -> Result<T, ConfigErrors> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => {
                self.errors
                    .sort_by(|a, b| (&a.place, a.line).cmp(&(&b.place, b.line)));
                Err(ConfigErrors {
                    errors: self.errors,
                })
            }
        }
    }
}

/// A text from a file, quoted, cut, and with everything that cannot be seen escaped.
pub(crate) fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\\""))
}

/// The same without the quotes.
pub(crate) fn escape(text: &str) -> String {
    const MOST: usize = 80;
    let mut shown = String::new();
    for c in text.chars().take(MOST) {
        if c.is_control() || is_hidden(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    if text.chars().nth(MOST).is_some() {
        shown.push('…');
    }
    shown
}

/// The known name that was most likely meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()) / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters to insert, drop, change or swap.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (
        a.to_lowercase().chars().take(64).collect(),
        b.to_lowercase().chars().take(64).collect(),
    );
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    for (j, cell) in rows[0].iter_mut().enumerate() {
        *cell = j;
    }
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1)
                .min(rows[i][j - 1] + 1)
                .min(rows[i - 1][j - 1] + change);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_the_pen_are_understood() {
        let known = ["max_failures", "window", "listen", "base_url", "regex"];
        for (name, expected) in [
            ("max_failure", Some("max_failures")),
            ("maxfailures", Some("max_failures")),
            ("MAX_FAILURES", Some("max_failures")),
            ("widnow", Some("window")),
            ("lisen", Some("listen")),
            ("url", None),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }

    #[test]
    fn quoted_values_cannot_forge_a_line() {
        assert_eq!(quote("a\nb\"c\u{202e}"), r#""a\u{a}b\"c\u{202e}""#);
        assert_eq!(quote(&"x".repeat(100)).chars().count(), 83);
    }
}
