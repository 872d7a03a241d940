//! What came of a run, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use crate::plan::{Kind, Pace, Plan};
use crate::run::Measured;
use crate::tally::Tally;

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The server.
    pub cas: String,
    /// What one operation was.
    pub kind: Kind,
    /// When an operation began.
    pub pace: Pace,
    /// Connections.
    pub connections: usize,
    /// How long was measured: from the first moment to the end of the last operation, without obtaining tickets.
    pub took: Duration,
    /// Operations that ended, whatever came of them.
    pub operations: u64,
    /// Those whose every answer was as it must be.
    pub correct: u64,
    /// What the others came to.
    pub errors: Vec<ErrorCount>,
    /// How long operations took, all of them.
    pub latency: Latency,
    /// The same by what people did, of [`Kind::Campus`].
    pub parts: Vec<Part>,
    /// Bytes sent on the kept connections.
    pub bytes_sent: u64,
    /// Bytes received on the kept connections, and bodies of login pages.
    pub bytes_received: u64,
    /// How often a kept connection was opened while it was measured; more than there are, where the server closes them.
    pub connections_opened: u64,
    /// Tickets obtained beforehand, for [`Kind::Validate`].
    pub tickets_prepared: u64,
    /// How long the server was warmed up.
    pub warm_up: Duration,
    /// Operations of the warm-up.
    pub warm_up_operations: u64,
    /// What came to nothing in the warm-up, which is wrong as well.
    pub warm_up_errors: Vec<ErrorCount>,
}

/// Operations of one sort.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// `wrong_password`, `login`, `visit` or `logout`.
    pub name: &'static str,
    /// Operations that ended, whatever came of them.
    pub operations: u64,
    /// Those whose every answer was as it must be: of `wrong_password` a refusal, of `logout` also that its session
    /// gives no ticket any more.
    pub correct: u64,
    /// How long they took.
    pub latency: Latency,
}

/// How often something went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorCount {
    /// `form`, `password`, `ticket`, `validate`, `logout`, `visit`, `operation` or `wait`.
    pub step: &'static str,
    /// Such as `timeout`, `status 503`, `wrong_user` or `refused INVALID_TICKET`.
    pub kind: String,
    /// How often.
    pub count: u64,
    /// The first one, in words without secrets.
    pub example: String,
}

/// Percentiles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half are not later.
    pub p50: Duration,
    /// 90 % are not later.
    pub p90: Duration,
    /// 99 % are not later.
    pub p99: Duration,
    /// 99.9 % are not later.
    pub p999: Duration,
    /// The latest.
    pub max: Duration,
}

impl Report {
    pub(crate) fn new(plan: &Plan, warm_up: &Measured, load: &Measured) -> Self {
        Self {
            cas: plan.cas.clone(),
            kind: plan.kind,
            pace: plan.pace,
            connections: plan.connections,
            took: load.took,
            operations: load.tally.operations,
            correct: load.tally.correct,
            errors: errors(&load.tally),
            latency: Latency::of(&load.tally.latency),
            parts: parts(&load.tally),
            bytes_sent: load.traffic.sent,
            bytes_received: load.traffic.received,
            connections_opened: load.traffic.opened,
            tickets_prepared: load.tickets,
            warm_up: plan.warm_up,
            warm_up_operations: warm_up.tally.operations,
            warm_up_errors: errors(&warm_up.tally),
        }
    }

    /// Something was measured, and no answer was wrong, in the warm-up neither.
    pub fn is_success(&self) -> bool {
        self.correct > 0 && self.errors.is_empty() && self.warm_up_errors.is_empty()
    }

    /// Correct operations a second.
    #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
    pub fn per_second(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 {
            self.correct as f64 / seconds
        } else {
            0.0
        }
    }

    /// For programs. What is here stays; more may come.
    pub fn to_json(&self) -> Value {
        let per_second = match self.pace {
            Pace::Closed => Value::Null,
            Pace::Open { per_second } => per_second.into(),
        };
        let mut report = json!({
            "format": "casque-bench/1",
            "cas": self.cas,
            "kind": self.kind.name(),
            "loop": if per_second.is_null() { "closed" } else { "open" },
            "rate_per_second": per_second,
            "connections": self.connections,
            "seconds": self.took.as_secs_f64(),
            "operations": self.operations,
            "correct": self.correct,
            "correct_per_second": self.per_second(),
            "latency_ms": self.latency.to_json(),
            "errors": errors_json(&self.errors),
            "bytes": { "sent": self.bytes_sent, "received": self.bytes_received },
            "connections_opened": self.connections_opened,
            "tickets_prepared": self.tickets_prepared,
            "warm_up": {
                "seconds": self.warm_up.as_secs_f64(),
                "operations": self.warm_up_operations,
                "errors": errors_json(&self.warm_up_errors),
            },
        });
        if self.kind == Kind::Campus {
            let parts = self.parts.iter().map(|part| {
                let counts = json!({
                    "operations": part.operations,
                    "correct": part.correct,
                    "latency_ms": part.latency.to_json(),
                });
                (part.name.to_owned(), counts)
            });
            report["parts"] = Value::Object(parts.collect());
        }
        report
    }

    /// For people.
    pub fn to_table(&self) -> String {
        let pace = match self.pace {
            Pace::Closed => "closed loop".to_owned(),
            Pace::Open { per_second } if self.kind == Kind::Campus => {
                format!("open loop, {per_second} people a second")
            }
            Pace::Open { per_second } => format!("open loop, {per_second} a second"),
        };
        let mut text = format!(
            "{} at {}\n{pace}, {} connections",
            self.kind.name(),
            self.cas,
            self.connections
        );
        let Latency {
            p50,
            p90,
            p99,
            p999,
            max,
        } = self.latency;
        let from = if self.pace == Pace::Closed {
            ""
        } else {
            ", from the intended start"
        };
        let _ = write!(
            text,
            "\n\noperations  {} in {:.2} s, {} correct\nthroughput  {:.0} correct a second\n\
             latency     p50 {:.2}  p90 {:.2}  p99 {:.2}  p99.9 {:.2}  max {:.2} ms{from}\n\
             bytes       {} sent, {} received; connections opened: {}",
            self.operations,
            self.took.as_secs_f64(),
            self.correct,
            self.per_second(),
            milliseconds(p50),
            milliseconds(p90),
            milliseconds(p99),
            milliseconds(p999),
            milliseconds(max),
            self.bytes_sent,
            self.bytes_received,
            self.connections_opened,
        );
        if self.kind == Kind::Validate {
            let _ = write!(
                text,
                "\ntickets     {} obtained beforehand, not in the time",
                self.tickets_prepared
            );
        }
        for part in &self.parts {
            let Latency { p50, p99, max, .. } = part.latency;
            let _ = write!(
                text,
                "\n{:<14}  {} correct of {}; p50 {:.2}  p99 {:.2}  max {:.2} ms",
                part.name,
                part.correct,
                part.operations,
                milliseconds(p50),
                milliseconds(p99),
                milliseconds(max),
            );
        }
        for (when, errors) in [("", &self.errors), (" (warm-up)", &self.warm_up_errors)] {
            for error in errors {
                let ErrorCount {
                    step,
                    kind,
                    count,
                    example,
                } = error;
                let _ = write!(text, "\nwrong{when}       {count} × {step}: {kind}");
                if !example.is_empty() {
                    let _ = write!(text, "; first: {example}");
                }
            }
        }
        text
    }
}

impl Latency {
    fn of(latency: &Histogram<u64>) -> Self {
        let at = |quantile| Duration::from_micros(latency.value_at_quantile(quantile));
        Self {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p999: at(0.999),
            max: Duration::from_micros(latency.max()),
        }
    }

    fn to_json(self) -> Value {
        json!({
            "p50": milliseconds(self.p50),
            "p90": milliseconds(self.p90),
            "p99": milliseconds(self.p99),
            "p99_9": milliseconds(self.p999),
            "max": milliseconds(self.max),
        })
    }
}

fn parts(tally: &Tally) -> Vec<Part> {
    let parts = tally.parts.iter().map(|(name, counts)| Part {
        name,
        operations: counts.operations,
        correct: counts.correct,
        latency: Latency::of(&counts.latency),
    });
    parts.collect()
}

fn errors(tally: &Tally) -> Vec<ErrorCount> {
    let errors = tally
        .errors
        .iter()
        .map(|((step, kind), (count, example))| ErrorCount {
            step,
            kind: kind.clone(),
            count: *count,
            example: example.clone(),
        });
    errors.collect()
}

fn errors_json(errors: &[ErrorCount]) -> Value {
    let errors = errors.iter().map(|error| {
        json!({ "step": error.step, "kind": error.kind, "count": error.count, "example": error.example })
    });
    errors.collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
