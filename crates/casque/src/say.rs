//! Words to the person at the terminal.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::SystemTime;

use jiff::Timestamp;

/// The configuration, or something it names, is wrong.
pub(crate) const WRONG: u8 = 1;
/// The machine did not let us: a port that is taken, a file that cannot be written.
pub(crate) const FAILED: u8 = 3;

/// A line on standard output. A reader that has gone away is no fault of ours.
pub(crate) fn line(text: impl Display) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{text}");
    let _ = out.flush();
}

/// A line on standard error, where standard output belongs to a program.
pub(crate) fn aside(text: impl Display) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A warning on standard error.
pub(crate) fn warning(text: impl Display) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// An error on standard error, and the status to end with.
pub(crate) fn error(text: impl Display, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {text}");
    ExitCode::from(status)
}

/// How a command ends: without a word, or with the words of its failure.
pub(crate) fn end(done: Result<(), Failure>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => error(failure.words, failure.status),
    }
}

/// Why a command did not do its work, and the exit status for it.
pub(crate) struct Failure {
    pub(crate) words: String,
    pub(crate) status: u8,
}

impl Failure {
    /// What the person gave is wrong.
    pub(crate) fn wrong(words: impl Into<String>) -> Self {
        Self {
            words: words.into(),
            status: WRONG,
        }
    }

    /// The machine did not let us.
    pub(crate) fn failed(what: impl Display, error: &dyn Error) -> Self {
        Self {
            words: format!("{what}: {}", chain(error)),
            status: FAILED,
        }
    }
}

/// An error and its causes, on one line.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words = format!("{words}: {error}");
        cause = error.source();
    }
    words
}

/// A time to the second, in UTC.
pub(crate) fn time(time: SystemTime) -> String {
    let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH);
    format!("{time:.0}")
}

/// A text from a file as a terminal may show it: what would move the cursor is escaped.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let escaped = c.is_control();
            let shown = (!escaped).then_some(c);
            shown
                .into_iter()
                .chain(escaped.then(|| c.escape_unicode()).into_iter().flatten())
        })
        .collect()
}
