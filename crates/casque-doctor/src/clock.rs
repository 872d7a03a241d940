//! Two clocks that should agree.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::finding::{Finding, Group, Kind};

/// The `Date` of an answer, and the local time before and after it was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) date: Option<String>,
    pub(crate) before: SystemTime,
    pub(crate) after: SystemTime,
}

/// What SAML 1.1 tolerates (`SamlExpectation::TOLERANCE`), the smallest difference that matters to anybody.
const MATTERS: Duration = casque_proto::saml::SamlExpectation::TOLERANCE;
const FAR_OFF: Duration = Duration::from_mins(5);

pub(crate) fn judge(reading: &Reading) -> Finding {
    let Some(date) = reading.date.as_deref() else {
        return Finding::skipped(
            Group::Clock,
            "the CAS server's answers have no Date header to compare with",
        );
    };
    let Some(told) = parse(date) else {
        return Finding::skipped(
            Group::Clock,
            format!("the CAS server's Date header is no date: {date}"),
        );
    };
    // The header leaves the part of a second out.
    let end = told + Duration::from_secs(1);
    let (skew, direction) = if let Ok(behind) = reading.before.duration_since(end) {
        (behind, "behind")
    } else if let Ok(ahead) = told.duration_since(reading.after) {
        (ahead, "ahead of")
    } else {
        (Duration::ZERO, "with")
    };
    if skew <= MATTERS {
        return Finding::good(
            Group::Clock,
            format!(
                "the CAS server's clock and this machine's agree within {} s",
                skew.as_secs() + 1
            ),
        );
    }
    let kind = if skew > FAR_OFF {
        Kind::ClockWrong
    } else {
        Kind::ClockSkew
    };
    let here = Timestamp::try_from(reading.after)
        .map_or_else(|_| String::new(), |here| format!("; here it is {here:.0}"));
    Finding::new(
        kind,
        format!(
            "the CAS server's clock is {} s {direction} this machine's: it says {date}{here}",
            skew.as_secs()
        ),
        "let both machines set their clocks by NTP (chrony or systemd-timesyncd; timedatectl tells whether this one does)",
    )
}

/// The date of an HTTP header.
pub(crate) fn parse(date: &str) -> Option<SystemTime> {
    let zoned = rfc2822::DateTimeParser::new().parse_timestamp(date).ok()?;
    Some(zoned.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(date: &str, local: u64) -> Option<Kind> {
        let local = SystemTime::UNIX_EPOCH + Duration::from_secs(local);
        judge(&Reading {
            date: Some(date.to_owned()),
            before: local,
            after: local + Duration::from_millis(300),
        })
        .kind()
    }

    #[test]
    fn only_a_difference_that_matters_is_told() {
        // 784111777 is Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110.
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let noon = 784_111_777;
        assert_eq!(at(date, noon), None);
        assert_eq!(at(date, noon + 6), None);
        assert_eq!(at(date, noon - 5), None);
        assert_eq!(at(date, noon + 7), Some(Kind::ClockSkew));
        assert_eq!(at(date, noon - 6), Some(Kind::ClockSkew));
        assert_eq!(at(date, noon + 302), Some(Kind::ClockWrong));
        assert_eq!(at("yesterday", noon), None);
    }
}
