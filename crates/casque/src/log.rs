//! Where the log goes: standard error, so that standard output stays for what was asked.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

/// How a log line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON object a line, for programs; nothing that is logged can forge a line.
    Json,
}

/// Begins to log. `RUST_LOG` says what, and without it everything from `level` on; without a format it is text on a
/// terminal and JSON elsewhere.
pub(crate) fn start(format: Option<Format>, level: &str) {
    let terminal = io::stderr().is_terminal();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(terminal);
    let otherwise = if terminal { Format::Text } else { Format::Json };
    // A second start, as in a test, keeps the first.
    let _ = match format.unwrap_or(otherwise) {
        Format::Text => log.try_init(),
        Format::Json => log.json().flatten_event(true).try_init(),
    };
}
