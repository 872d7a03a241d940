//! Where the log goes: standard error, so that standard output stays for what was asked.

use std::io::{self, IsTerminal};

use clap::ValueEnum;
use tracing::{Level, Metadata, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::FilterExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::{Filter, Layer as _, SubscriberExt as _};
use tracing_subscriber::registry;
use tracing_subscriber::util::SubscriberInitExt as _;

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
    let log = fmt::layer().with_writer(io::stderr).with_ansi(terminal);
    let otherwise = if terminal { Format::Text } else { Format::Json };
    // A second start, as in a test, keeps the first.
    let _ = match format.unwrap_or(otherwise) {
        Format::Text => registry().with(log.with_filter(guarded(filter))).try_init(),
        Format::Json => {
            let log = log.json().flatten_event(true);
            registry().with(log.with_filter(guarded(filter))).try_init()
        }
    };
}

/// The libraries under HTTP and TLS. Their details hold headers and bodies, and with them tickets, cookies and
/// passwords.
const TALKATIVE: [&str; 8] = [
    "h2",
    "hyper",
    "hyper_util",
    "reqwest",
    "rustls",
    "tokio_rustls",
    "tower",
    "ureq",
];

/// Whatever was asked for, the talkative libraries say nothing below "info" (S-017).
fn guarded<S: Subscriber>(asked: EnvFilter) -> impl Filter<S> {
    asked.and(filter_fn(is_harmless))
}

fn is_harmless(metadata: &Metadata<'_>) -> bool {
    let library = metadata.target().split("::").next().unwrap_or_default();
    *metadata.level() <= Level::INFO || !TALKATIVE.contains(&library)
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;

    use super::*;

    #[test]
    fn details_of_libraries_are_never_logged() {
        for asked in ["trace", "h2=trace", "h2::codec=trace,reqwest=trace"] {
            let log = fmt::layer().with_writer(io::sink);
            let log = registry().with(log.with_filter(guarded(EnvFilter::new(asked))));
            with_default(log, || {
                assert!(
                    !tracing::enabled!(target: "h2::codec", Level::TRACE),
                    "{asked}"
                );
                assert!(
                    !tracing::enabled!(target: "reqwest::connect", Level::DEBUG),
                    "{asked}"
                );
                let own = tracing::enabled!(target: "casque_server", Level::TRACE);
                assert_eq!(own, asked == "trace", "{asked}");
            });
        }
    }
}
