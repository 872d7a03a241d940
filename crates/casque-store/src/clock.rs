use std::{
    fmt,
    time::{Instant, SystemTime},
};

/// Tells the time by which deadlines are judged.
///
/// Everything that needs the time takes one of these, so that tests set it by hand (`ManualClock` in `casque-testkit`).
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time now.
    fn now(&self) -> SystemTime;
}

/// The wall clock as it was when this value was made, carried on by the monotonic clock.
///
/// Setting the machine's clock back while the process runs therefore does not bring an expired record back, and setting
/// it ahead does not sign anyone out (security S-075). The wall clock is read anew when the process starts. On Linux the
/// monotonic clock stands still while the machine is suspended, and deadlines wait as long.
///
/// ```
/// use casque_store::{Clock, SystemClock};
///
/// let clock = SystemClock::new();
/// let earlier = clock.now();
/// assert!(clock.now() >= earlier);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    wall_at_start: SystemTime,
    started: Instant,
}

impl SystemClock {
    /// Reads the wall clock, once.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the Clock that everything else takes its time from"
    )]
    pub fn new() -> Self {
        Self {
            wall_at_start: SystemTime::now(),
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        self.wall_at_start + self.started.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// SC-006 (S-075): whatever the wall clock is set to after the start, a ticket of ten seconds is over ten seconds
    /// later, and not before.
    #[expect(
        clippy::disallowed_methods,
        reason = "the wall clock and the monotonic clock are what this is about"
    )]
    #[test]
    fn setting_the_wall_clock_changes_no_deadline() {
        let wall = SystemTime::now();
        let long_ago = Instant::now()
            .checked_sub(Duration::from_secs(10))
            .expect("the machine has run for ten seconds");
        for wall_at_start in [wall + HOUR, wall - HOUR] {
            let deadline = wall_at_start + Duration::from_secs(10);
            let at_issue = SystemClock {
                wall_at_start,
                started: Instant::now(),
            };
            let issued = at_issue.now();
            assert!(issued >= wall_at_start && issued < wall_at_start + HOUR);
            assert!(at_issue.now() >= issued);
            let ten_seconds_later = SystemClock {
                wall_at_start,
                started: long_ago,
            };
            assert!(ten_seconds_later.now() >= deadline);
        }
    }
}
