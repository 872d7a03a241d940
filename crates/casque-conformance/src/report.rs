//! What was found, as a table, as JSON, and as XML for `JUnit`'s readers.

use std::fmt::Write as _;

use casque_visitor::Exchange;
use serde_json::{Value, json};

use crate::case::Case;
use crate::verdict::Outcome;

/// How one case ended.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The case.
    pub case: &'static Case,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in words; empty for a pass.
    pub detail: String,
    /// The last that was sent and came back, redacted and bounded.
    pub exchanges: Vec<Exchange>,
}

/// How all cases ended.
#[derive(Clone, Debug)]
pub struct Report {
    /// The server.
    pub server: String,
    /// In the order in which they ran.
    pub findings: Vec<Finding>,
}

impl Report {
    /// How many cases ended so.
    pub fn count(&self, outcome: Outcome) -> usize {
        let ended = |finding: &&Finding| finding.outcome == outcome;
        self.findings.iter().filter(ended).count()
    }

    /// No requirement of the specification is broken.
    pub fn is_success(&self) -> bool {
        self.count(Outcome::Fail) == 0
    }

    /// `63 pass, 1 fail, …`.
    pub fn summary(&self) -> String {
        let counts = Outcome::ALL
            .into_iter()
            .filter(|outcome| self.count(*outcome) > 0)
            .map(|outcome| format!("{} {}", self.count(outcome), outcome.name()));
        counts.collect::<Vec<_>>().join(", ")
    }

    /// For people: a line each, and what was said to and fro where something is wrong.
    pub fn to_table(&self) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            let case = finding.case;
            let _ = writeln!(
                text,
                "{:<14} {:<30} {:<20} {}",
                finding.outcome.name(),
                case.id,
                case.requirements.join(" "),
                case.title
            );
            if finding.outcome != Outcome::Pass {
                let _ = writeln!(text, "{:15}{} [{}]", "", finding.detail, case.source);
            }
            if matches!(finding.outcome, Outcome::Fail | Outcome::Warning)
                && let Some(exchange) = finding.exchanges.last()
            {
                let _ = writeln!(text, "{:15}sent      {}", "", exchange.sent);
                let _ = writeln!(text, "{:15}came back {}", "", exchange.received);
            }
        }
        let _ = write!(text, "\n{}: {}", self.server, self.summary());
        text
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let cases: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                let exchanges: Vec<Value> = finding
                    .exchanges
                    .iter()
                    .map(|exchange| json!({ "sent": exchange.sent, "received": exchange.received }))
                    .collect();
                json!({
                    "id": finding.case.id,
                    "requirements": finding.case.requirements,
                    "level": finding.case.level.name(),
                    "source": finding.case.source,
                    "title": finding.case.title,
                    "outcome": finding.outcome.name(),
                    "detail": finding.detail,
                    "exchanges": exchanges,
                })
            })
            .collect();
        let counts: serde_json::Map<String, Value> = Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome.name().to_owned(), json!(self.count(outcome))))
            .collect();
        json!({ "server": self.server, "counts": counts, "cases": cases })
    }

    /// For continuous integration: a failure is a failure, everything that is neither pass nor failure is skipped.
    pub fn to_junit(&self) -> String {
        let skipped = self.findings.len() - self.count(Outcome::Pass) - self.count(Outcome::Fail);
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"casque conformance {}\" tests=\"{}\" failures=\"{}\" skipped=\"{skipped}\">\n",
            escape(&self.server),
            self.findings.len(),
            self.count(Outcome::Fail),
        );
        for finding in &self.findings {
            let _ = write!(
                xml,
                "  <testcase classname=\"cas.{}\" name=\"{}: {}\"",
                finding.case.level.name(),
                escape(finding.case.id),
                escape(finding.case.title)
            );
            let said: Vec<String> = finding
                .exchanges
                .iter()
                .map(|exchange| {
                    format!(
                        "sent: {}\ncame back: {}\n",
                        exchange.sent, exchange.received
                    )
                })
                .collect();
            let said = said.concat();
            let message = format!(
                "{} [{}, {}]",
                finding.detail,
                finding.case.requirements.join(" "),
                finding.case.source
            );
            let _ = match finding.outcome {
                Outcome::Pass => writeln!(xml, "/>"),
                Outcome::Fail => writeln!(
                    xml,
                    ">\n    <failure message=\"{}\">{}</failure>\n  </testcase>",
                    escape(&message),
                    escape(&said)
                ),
                other => writeln!(
                    xml,
                    ">\n    <skipped message=\"{}: {}\"/>\n  </testcase>",
                    other.name(),
                    escape(&message)
                ),
            };
        }
        xml.push_str("</testsuite>\n");
        xml
    }
}

/// Text for XML, attribute values included; what XML cannot hold is left out.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            c if (c.is_control() && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}
