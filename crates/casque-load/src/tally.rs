//! What came of the operations.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// Why an operation came to nothing: a step, a kind that can be counted, and words without secrets.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) step: &'static str,
    pub(crate) kind: String,
    pub(crate) detail: String,
}

impl Fault {
    pub(crate) fn new(
        step: &'static str,
        kind: impl Into<String>,
        detail: impl AsRef<str>,
    ) -> Self {
        let (kind, detail) = (kind.into(), detail.as_ref());
        Self {
            step,
            kind: casque_visitor::shown(&kind, 60),
            detail: casque_visitor::shown(detail, 200),
        }
    }
}

/// Counts of operations, and how long they took.
#[derive(Debug)]
pub(crate) struct Tally {
    pub(crate) operations: u64,
    pub(crate) correct: u64,
    /// In microseconds, of every operation, whatever came of it: one that ran out of time was late as well.
    pub(crate) latency: Histogram<u64>,
    pub(crate) errors: BTreeMap<(&'static str, String), (u64, String)>,
    /// The same by what was done, where operations differ.
    pub(crate) parts: BTreeMap<&'static str, Counts>,
}

/// Operations of one sort.
#[derive(Debug)]
pub(crate) struct Counts {
    pub(crate) operations: u64,
    pub(crate) correct: u64,
    /// As in [`Tally`].
    pub(crate) latency: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            operations: 0,
            correct: 0,
            latency: histogram(),
            errors: BTreeMap::new(),
            parts: BTreeMap::new(),
        }
    }

    /// Records an operation of a sort.
    pub(crate) fn record_part(
        &mut self,
        part: &'static str,
        took: Duration,
        result: Result<(), Fault>,
    ) {
        let counts = self.parts.entry(part).or_insert_with(|| Counts {
            operations: 0,
            correct: 0,
            latency: histogram(),
        });
        counts.operations += 1;
        counts.correct += u64::from(result.is_ok());
        counts.latency.saturating_record(micros(took));
        self.record(took, result);
    }

    pub(crate) fn record(&mut self, took: Duration, result: Result<(), Fault>) {
        self.latency.saturating_record(micros(took));
        self.operations += 1;
        match result {
            Ok(()) => self.correct += 1,
            Err(fault) => self.error(fault),
        }
    }

    fn error(&mut self, fault: Fault) {
        let mut key = (fault.step, fault.kind);
        if self.errors.len() >= MOST_KINDS && !self.errors.contains_key(&key) {
            "others".clone_into(&mut key.1);
        }
        self.errors.entry(key).or_insert((0, fault.detail)).0 += 1;
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, MOST_MICROSECONDS, 3)
        .expect("bounds that the histogram documents")
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1)
}

/// Two hours: more than a run may last.
const MOST_MICROSECONDS: u64 = 7_200_000_000;
/// A server may invent codes without end.
const MOST_KINDS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_counted_with_an_example_and_bounded() {
        let mut tally = Tally::new();
        for number in 0..1_000 {
            let fault = Fault::new(
                "validate",
                format!("refused {}", number % 200),
                "ticket=ST-1-secretsecret",
            );
            tally.record(Duration::from_millis(number), Err(fault));
        }
        tally.record(Duration::MAX, Ok(()));
        assert_eq!((tally.operations, tally.correct), (1_001, 1));
        assert_eq!(
            tally.errors.values().map(|(count, _)| count).sum::<u64>(),
            1_000
        );
        assert!(tally.errors.len() <= MOST_KINDS + 1);
        assert!(!format!("{:?}", tally.errors).contains("secretsecret"));
        assert_eq!(tally.latency.len(), 1_001);
    }
}
