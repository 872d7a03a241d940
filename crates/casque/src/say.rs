//! Words to the person at the terminal.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

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

/// A warning on standard error.
pub(crate) fn warning(text: impl Display) {
    let _ = writeln!(io::stderr(), "warning: {text}");
}

/// An error on standard error, and the status to end with.
pub(crate) fn error(text: impl Display, status: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {text}");
    ExitCode::from(status)
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
