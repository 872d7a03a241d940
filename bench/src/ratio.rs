//! Two things measured in turn, A B A B ..., so that a machine whose speed drifts slows both.

use std::{fmt, time::Duration};

/// Times of pairs of runs.
#[derive(Debug)]
pub struct Pairs {
    /// Times of what is measured.
    pub ours: Vec<Duration>,
    /// Times of what it is held against.
    pub floor: Vec<Duration>,
}

impl Pairs {
    /// Runs each once without counting it, then `rounds` pairs.
    pub fn measure(
        rounds: usize,
        mut ours: impl FnMut() -> Duration,
        mut floor: impl FnMut() -> Duration,
    ) -> Self {
        ours();
        floor();
        let mut pairs = Self {
            ours: Vec::new(),
            floor: Vec::new(),
        };
        for _ in 0..rounds {
            pairs.ours.push(ours());
            pairs.floor.push(floor());
        }
        pairs
    }

    /// The time of ours divided by that of the floor: minimum, median and maximum over the pairs.
    pub fn time_ratio(&self) -> Spread {
        Spread::of(
            self.ours
                .iter()
                .zip(&self.floor)
                .map(|(ours, floor)| ours.as_secs_f64() / floor.as_secs_f64()),
        )
    }

    /// The rate of ours divided by that of the floor.
    pub fn rate_ratio(&self) -> Spread {
        Spread::of(
            self.ours
                .iter()
                .zip(&self.floor)
                .map(|(ours, floor)| floor.as_secs_f64() / ours.as_secs_f64()),
        )
    }
}

/// How many a second, by the median of some runs of `count` each.
///
/// # Panics
///
/// Where there is no run, or a run counts more than four thousand million.
pub fn median_rate(times: &[Duration], count: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    let count = u32::try_from(count).expect("a number that is driven in a run");
    f64::from(count) / times[times.len() / 2].as_secs_f64()
}

/// Minimum, median, maximum.
#[derive(Debug)]
pub struct Spread {
    min: f64,
    median: f64,
    max: f64,
}

impl Spread {
    /// # Panics
    ///
    /// Where there is no value.
    pub fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        Self {
            min: *values.first().expect("at least one run"),
            median: values[values.len() / 2],
            max: *values.last().expect("at least one run"),
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = if self.max < 100.0 { 2 } else { 0 };
        write!(
            f,
            "{:.digits$} ({:.digits$} to {:.digits$})",
            self.median, self.min, self.max
        )
    }
}
