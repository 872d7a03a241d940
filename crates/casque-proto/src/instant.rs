//! Instants as SAML writes and reads them.

use std::time::SystemTime;

use jiff::Timestamp;

/// `YYYY-MM-DDThh:mm:ssZ`, the rest of the second cut off.
pub(crate) fn seconds(instant: SystemTime) -> String {
    format!("{:.0}", timestamp(instant))
}

/// `YYYY-MM-DDThh:mm:ss.mmmZ`, the rest of the millisecond cut off.
pub(crate) fn millis(instant: SystemTime) -> String {
    format!("{:.3}", timestamp(instant))
}

/// RFC 3339 with `Z` or an offset, `T` and `Z` in either case, and any number of fraction digits; nanoseconds count.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (seconds, rest) = text.split_at_checked(19)?;
    for (index, byte) in seconds.bytes().enumerate() {
        let expected = match index {
            4 | 7 => byte == b'-',
            10 => byte.eq_ignore_ascii_case(&b'T'),
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        };
        if !expected {
            return None;
        }
    }
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(rest) => {
            let end = rest
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(rest.len());
            if end == 0 {
                return None;
            }
            rest.split_at(end)
        }
        None => ("", rest),
    };
    if !is_zone(zone) {
        return None;
    }
    let fraction = &fraction[..fraction.len().min(9)];
    let point = if fraction.is_empty() { "" } else { "." };
    let timestamp: Timestamp = format!("{seconds}{point}{fraction}{zone}").parse().ok()?;
    Some(timestamp.into())
}

fn is_zone(zone: &str) -> bool {
    let digits = |text: &str| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    let Some(offset) = zone.strip_prefix(['+', '-']) else {
        return zone.eq_ignore_ascii_case("Z");
    };
    offset
        .split_once(':')
        .is_some_and(|(hours, minutes)| digits(hours) && digits(minutes))
}

/// Instants that no calendar of four-digit years holds become its first or last.
fn timestamp(instant: SystemTime) -> Timestamp {
    let bound = if instant < SystemTime::UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::try_from(instant).unwrap_or(bound)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn writes_utc_with_the_rest_cut_off() {
        //
        let instant = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_714_564_799_999_999_999);
        assert_eq!(seconds(instant), "2024-05-01T11:59:59Z");
        assert_eq!(millis(instant), "2024-05-01T11:59:59.999Z");
        assert_eq!(millis(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000Z");
    }

    #[test]
    fn reads_any_offset_and_fraction() {
        //
        let noon = SystemTime::UNIX_EPOCH + Duration::from_hours(476_268);
        for (text, nanos) in [
            ("2024-05-01T12:00:00Z", 0),
            ("2024-05-01t12:00:00z", 0),
            ("2024-05-01T12:00:00.5Z", 500_000_000),
            ("2024-05-01T12:00:00.123456+00:00", 123_456_000),
            ("2024-05-01T14:00:00.000000000999999+02:00", 0),
            ("2024-05-01T06:30:00-05:30", 0),
        ] {
            assert_eq!(
                parse(text),
                Some(noon + Duration::from_nanos(nanos)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_what_has_no_zone_or_no_meaning() {
        for text in [
            "",
            "2024-05-01",
            "2024-05-01T12:00:00",
            "2024-05-01T12:00:00.Z",
            "2024-05-01T12:00:00+0000",
            "2024-05-01T12:00:00+1:00",
            "2024-05-01T12:00:00Z[UTC]",
            "2024-05-01 12:00:00Z",
            "2024-02-30T12:00:00Z",
            "2024-05-01T24:00:00Z",
            "2024-05-01T12:00:00é",
            "1714564800",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
