//! All that was found, for people and for programs.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::finding::{Finding, Kind, Mark};

/// All that was found, in the order in which it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub(crate) findings: Vec<Finding>,
}

impl Report {
    /// Everything that was looked at.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether there is no problem; a caution is none.
    pub fn is_healthy(&self) -> bool {
        self.count(Mark::Problem) == 0
    }

    /// How many findings have this mark.
    pub fn count(&self, mark: Mark) -> usize {
        self.findings
            .iter()
            .filter(|finding| finding.mark() == mark)
            .count()
    }

    /// The kinds of everything that is wrong.
    pub fn kinds(&self) -> Vec<Kind> {
        self.findings.iter().filter_map(Finding::kind).collect()
    }

    /// One object: `healthy`, `summary` with a number for each mark, and `findings`, each with `group`, `mark`, `name`
    /// (null where nothing is wrong), `seen`, `why` and `fix`. Names are those of the book and stay.
    pub fn to_json(&self) -> Value {
        let findings: Vec<Value> = self
            .findings
            .iter()
            .map(|finding| {
                json!({
                    "group": finding.group().name(),
                    "mark": finding.mark().name(),
                    "name": finding.kind().map(Kind::name),
                    "seen": finding.seen(),
                    "why": finding.why(),
                    "fix": finding.fix(),
                })
            })
            .collect();
        let marks = [Mark::Ok, Mark::Caution, Mark::Problem, Mark::Skipped];
        let summary: serde_json::Map<String, Value> = marks
            .iter()
            .map(|mark| (mark.name().to_owned(), self.count(*mark).into()))
            .collect();
        json!({ "healthy": self.is_healthy(), "summary": summary, "findings": findings })
    }

    /// A list for people, by group, and a line that sums it up.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut group = None;
        for finding in &self.findings {
            if group != Some(finding.group()) {
                if group.is_some() {
                    text.push('\n');
                }
                group = Some(finding.group());
                put(&mut text, format_args!("{}", finding.group().name()));
            }
            let name = match finding.kind() {
                Some(kind) => format!("{}: ", kind.name()),
                None => String::new(),
            };
            let mark = finding.mark().name();
            put(
                &mut text,
                format_args!("  {mark:<8} {name}{}", finding.seen()),
            );
            if finding.kind().is_some() {
                put(&mut text, format_args!("           why  {}", finding.why()));
                put(&mut text, format_args!("           fix  {}", finding.fix()));
            }
        }
        let problems = self.count(Mark::Problem);
        put(
            &mut text,
            format_args!(
                "\n{}: {problems} {}, {} {}, {} ok, {} not looked at",
                if self.is_healthy() {
                    "nothing is wrong"
                } else {
                    "something is wrong"
                },
                plural(problems, "problem"),
                self.count(Mark::Caution),
                plural(self.count(Mark::Caution), "caution"),
                self.count(Mark::Ok),
                self.count(Mark::Skipped),
            ),
        );
        text.truncate(text.trim_end().len());
        text
    }
}

fn put(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{line}");
}

fn plural(count: usize, word: &str) -> String {
    let end = if count == 1 { "" } else { "s" };
    format!("{word}{end}")
}
