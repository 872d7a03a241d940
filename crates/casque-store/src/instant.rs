use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A time as the back ends keep it: nanoseconds since 1970, which i64 carries from 1677 to 2262; times beyond are held at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Nanos(pub(crate) i64);

impl From<SystemTime> for Nanos {
    fn from(time: SystemTime) -> Self {
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)
            }
        })
    }
}

impl From<Nanos> for SystemTime {
    fn from(nanos: Nanos) -> Self {
        let distance = Duration::from_nanos(nanos.0.unsigned_abs());
        let time = if nanos.0 < 0 {
            UNIX_EPOCH.checked_sub(distance)
        } else {
            UNIX_EPOCH.checked_add(distance)
        };
        // Systems whose times do not go so far know no later or earlier one either.
        time.unwrap_or(UNIX_EPOCH)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_nanosecond_and_saturates() {
        assert_eq!(Nanos::from(UNIX_EPOCH + Duration::from_nanos(1)), Nanos(1));
        assert_eq!(Nanos::from(UNIX_EPOCH - Duration::from_nanos(1)), Nanos(-1));
        let years_400 = Duration::from_hours(400 * 366 * 24);
        assert_eq!(Nanos::from(UNIX_EPOCH + years_400), Nanos(i64::MAX));
        assert_eq!(Nanos::from(UNIX_EPOCH - years_400), Nanos(i64::MIN));
    }

    #[test]
    fn becomes_the_time_it_came_from() {
        for time in [
            UNIX_EPOCH,
            UNIX_EPOCH + Duration::from_nanos(1_700_000_000_123_456_789),
            UNIX_EPOCH - Duration::from_secs(1),
        ] {
            assert_eq!(SystemTime::from(Nanos::from(time)), time);
        }
    }
}
