//! The text format of Prometheus.

use std::fmt::{self, Write as _};

/// A page in the text format of Prometheus. Writing to a `String` cannot fail.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    pub(super) fn into_text(self) -> String {
        self.0
    }

    pub(super) fn begin(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    pub(super) fn counter(&mut self, name: &str, help: &str) {
        self.begin(name, "counter", help);
    }

    pub(super) fn gauge(&mut self, name: &str, help: &str) {
        self.begin(name, "gauge", help);
    }

    pub(super) fn number(&mut self, name: &str, kind: &str, help: &str, value: impl fmt::Display) {
        self.begin(name, kind, help);
        let _ = writeln!(self.0, "{name} {value}");
    }

    /// A counter for each value of one label.
    pub(super) fn family(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl Iterator<Item = (&'static str, u64)>,
    ) {
        self.counter(name, help);
        for (value, count) in counts {
            self.labelled(name, &[(label, value)], count);
        }
    }

    pub(super) fn labelled(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        value: impl fmt::Display,
    ) {
        let _ = write!(self.0, "{name}{{");
        for (place, (label, text)) in labels.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            // Words of this program: nothing in them needs to be escaped.
            let _ = write!(self.0, "{comma}{label}=\"{text}\"");
        }
        let _ = writeln!(self.0, "}} {value}");
    }
}
