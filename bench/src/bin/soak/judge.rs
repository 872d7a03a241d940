//! What came of a soak, and whether that is good.

use std::time::Duration;

use casque_load::Report;
use serde_json::{Value, json};

use crate::{services::Told, site};

/// How much the last third of the time may take more than the middle one.
const MOST_GROWTH: f64 = 1.05;

/// What the server told at a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Since the load began.
    pub(crate) at: Duration,
    /// Memory in RAM.
    pub(crate) kibibytes: u64,
    /// Records and members in the store.
    pub(crate) held: u64,
}

impl Sample {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn mebibytes(self) -> f64 {
        self.kibibytes as f64 / 1024.0
    }
}

/// The whole of it.
pub(crate) struct Outcome {
    report: Report,
    samples: Vec<Sample>,
    seconds: u64,
    visits: u64,
    store: String,
    told: Told,
    is_empty: bool,
}

/// Memory over the time in which people came.
struct Memory {
    middle: f64,
    last: f64,
    most: f64,
    at_end: f64,
}

impl Outcome {
    pub(crate) fn new(
        report: Report,
        samples: Vec<Sample>,
        (seconds, visits, store): (u64, u64, &str),
        told: Told,
        is_empty: bool,
    ) -> Self {
        Self {
            report,
            samples,
            seconds,
            visits,
            store: store.to_owned(),
            told,
            is_empty,
        }
    }

    pub(crate) fn is_good(&self) -> bool {
        self.report.is_success()
            && self.is_empty
            && self.is_flat() != Some(false)
            && self.all_were_told()
    }

    /// Whether the mean of the last third is at most 5 % above that of the middle third. None where the first third was
    /// too short for the number of sessions to become steady.
    fn is_flat(&self) -> Option<bool> {
        let memory = self.memory()?;
        let is_steady = self.seconds / 3 > (site::ABSOLUTE + site::SWEEP).as_secs();
        is_steady.then_some(memory.last <= memory.middle * MOST_GROWTH)
    }

    fn memory(&self) -> Option<Memory> {
        let mean = |from: u64, to: u64| {
            let range = Duration::from_secs(from)..Duration::from_secs(to);
            let samples = self.samples.iter().filter(|one| range.contains(&one.at));
            let (sum, count) = samples.fold((0.0, 0.0), |(sum, count), one| {
                (sum + one.mebibytes(), count + 1.0)
            });
            (count > 0.0).then(|| sum / count)
        };
        Some(Memory {
            middle: mean(self.seconds / 3, self.seconds * 2 / 3)?,
            last: mean(self.seconds * 2 / 3, self.seconds)?,
            most: self
                .samples
                .iter()
                .map(|one| one.mebibytes())
                .fold(0.0, f64::max),
            at_end: self.samples.last()?.mebibytes(),
        })
    }

    /// One message for each ticket of each session that was logged out.
    fn all_were_told(&self) -> bool {
        let expected = self.expected_messages();
        self.told.messages == expected && self.told.tickets == expected
    }

    fn expected_messages(&self) -> u64 {
        self.part("logout") * (self.visits + 1)
    }

    /// How many operations of a sort were correct.
    fn part(&self, name: &str) -> u64 {
        let mut parts = self.report.parts.iter();
        parts
            .find(|part| part.name == name)
            .map_or(0, |part| part.correct)
    }

    fn most_held(&self) -> u64 {
        self.samples.iter().map(|one| one.held).max().unwrap_or(0)
    }

    fn held_at_end(&self) -> u64 {
        self.samples.last().map_or(0, |one| one.held)
    }

    pub(crate) fn to_table(&self) -> String {
        let memory = self.memory().map_or_else(
            || "not seen".to_owned(),
            |memory| {
                format!(
                    "middle third {:.1} MiB, last third {:.1} MiB ({:+.1} %), at most {:.1} MiB, at the end {:.1} MiB: {}",
                    memory.middle,
                    memory.last,
                    (memory.last / memory.middle - 1.0) * 100.0,
                    memory.most,
                    memory.at_end,
                    match self.is_flat() {
                        Some(true) => "flat (at most 5 % more)",
                        Some(false) => "NOT FLAT (more than 5 % more)",
                        None => "too short to judge",
                    }
                )
            },
        );
        format!(
            "{}\n\nlogins      {} correct, {} visits, {} logouts, {} wrong passwords refused\n\
             logout      {} messages about {} tickets; {} expected\n\
             memory      {memory}\n\
             records     at most {}, at the end {}{}\n\n{}",
            self.report.to_table(),
            self.part("login"),
            self.part("visit"),
            self.part("logout"),
            self.part("wrong_password"),
            self.told.messages,
            self.told.tickets,
            self.expected_messages(),
            self.most_held(),
            self.held_at_end(),
            if self.is_empty {
                ""
            } else {
                ": NOT EMPTY IN TIME"
            },
            if self.is_good() {
                "All of it is as promised."
            } else {
                "NOT as promised."
            },
        )
    }

    pub(crate) fn to_json(&self) -> Value {
        let memory = self.memory().map(|memory| {
            json!({
                "middle_third": memory.middle,
                "last_third": memory.last,
                "most": memory.most,
                "at_end": memory.at_end,
            })
        });
        let samples = self.samples.iter().map(|one| {
            json!({ "seconds": one.at.as_secs_f64(), "resident_kib": one.kibibytes, "held": one.held })
        });
        json!({
            "format": "casque-soak/1",
            "store": self.store,
            "password_hash": site::HASH_COST,
            "is_good": self.is_good(),
            "load": self.report.to_json(),
            "memory_mib": memory,
            "is_flat": self.is_flat(),
            "held": { "most": self.most_held(), "at_end": self.held_at_end() },
            "logout_messages": {
                "expected": self.expected_messages(),
                "messages": self.told.messages,
                "tickets": self.told.tickets,
            },
            "samples": samples.collect::<Value>(),
        })
    }
}
