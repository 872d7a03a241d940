//! The moment of a login as servers write it.

use std::time::Duration;
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::DateTime;

/// The moment that the text of an `authenticationDate` names, if it names one (R-163).
///
/// Read are RFC 3339 with any number of fraction digits (those beyond the nanosecond are dropped), an offset without
/// a colon, a zone in brackets after that (`[Asia/Shanghai]`, ignored), and seconds since 1970 with an optional
/// fraction. A time without an offset is not guessed.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use casque_proto::parse_authentication_date;
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_564_800);
/// assert_eq!(parse_authentication_date("2024-05-01T14:00:00+02:00[Europe/Paris]"), Some(noon));
/// assert_eq!(parse_authentication_date("1714564800"), Some(noon));
/// assert_eq!(parse_authentication_date("2024-05-01T12:00:00"), None);
/// ```
pub fn parse_authentication_date(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return epoch_seconds(text);
    }
    let text = match text.split_once('[') {
        Some((text, zone)) => zone
            .strip_suffix(']')
            .filter(|zone| is_zone(zone))
            .map(|_| text)?,
        None => text,
    };
    let (seconds, rest) = text.split_at_checked(19)?;
    let (fraction, offset) = match rest.strip_prefix('.') {
        Some(rest) => split_digits(rest).filter(|(digits, _)| !digits.is_empty())?,
        None => ("", rest),
    };
    let local = local_seconds(seconds)?.checked_sub(offset_seconds(offset)?)?;
    moment(local, nanoseconds(fraction))
}

/// UTC in whole seconds: `2024-05-01T12:00:00Z` (R-128).
pub(crate) fn written(moment: SystemTime) -> String {
    let fallback = if moment < SystemTime::UNIX_EPOCH {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    let seconds = Timestamp::try_from(moment).unwrap_or(fallback).as_second();
    Timestamp::from_second(seconds)
        .unwrap_or(fallback)
        .to_string()
}

fn epoch_seconds(text: &str) -> Option<SystemTime> {
    let (seconds, fraction) = match text.split_once('.') {
        Some((seconds, fraction)) if !fraction.is_empty() && !fraction.contains('.') => {
            (seconds, fraction)
        }
        Some(_) => return None,
        None => (text, ""),
    };
    moment(seconds.parse().ok()?, nanoseconds(fraction))
}

/// `2024-05-01T12:00:00`, as seconds since 1970 if it were UTC.
fn local_seconds(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| {
        let digits = text.get(from..to)?;
        digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse::<i16>().ok())?
    };
    let separators: Vec<u8> = [4, 7, 10, 13, 16]
        .into_iter()
        .map(|at| text.as_bytes()[at])
        .collect();
    if !matches!(separators[..], [b'-', b'-', b'T' | b't' | b' ', b':', b':']) {
        return None;
    }
    let second = number(17, 19)?;
    let small = |from, to| number(from, to).and_then(|number| i8::try_from(number).ok());
    // RFC 3339 knows leap seconds, time since 1970 does not: the second after 59 is the next minute.
    let leap = i64::from(second == 60);
    let civil = DateTime::new(
        number(0, 4)?,
        small(5, 7)?,
        small(8, 10)?,
        small(11, 13)?,
        small(14, 16)?,
        i8::try_from(second).ok()? - i8::from(second == 60),
        0,
    )
    .ok()?;
    let timestamp = jiff::tz::Offset::UTC.to_timestamp(civil).ok()?;
    Some(timestamp.as_second() + leap)
}

/// `Z`, `+08:00` or `+0800` in seconds.
fn offset_seconds(text: &str) -> Option<i64> {
    if matches!(text, "Z" | "z") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = match text[1..].split_once(':') {
        Some((hours, minutes)) if hours.len() == 2 => format!("{hours}{minutes}"),
        Some(_) => return None,
        None => text[1..].to_owned(),
    };
    if digits.len() != 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn moment(seconds: i64, nanoseconds: u32) -> Option<SystemTime> {
    // Beyond the year 9999 it is not a date in seconds.
    Timestamp::new(seconds, 0).ok()?;
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let start = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    };
    start?.checked_add(Duration::from_nanos(u64::from(nanoseconds)))
}

/// The first nine digits of a fraction.
fn nanoseconds(fraction: &str) -> u32 {
    let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    digits.fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'))
}

fn split_digits(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    text.split_at_checked(end)
}

fn is_zone(zone: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '+' | ':');
    !zone.is_empty() && zone.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_moment_is_read() {
        // R-163
        let noon = SystemTime::UNIX_EPOCH + Duration::new(1_714_564_800, 0);
        for (text, nanoseconds) in [
            ("2024-05-01T12:00:00Z", 0),
            (" 2024-05-01t12:00:00z ", 0),
            ("2024-05-01T20:00:00+08:00[Asia/Shanghai]", 0),
            ("2024-05-01T07:30:00-0430", 0),
            ("2024-05-01T12:00:00.5Z[UTC]", 500_000_000),
            ("2024-05-01T12:00:00.123456789987654Z", 123_456_789),
            ("2024-05-01T12:00:00-00:00", 0),
            ("2024-05-01T11:59:60Z", 0),
            ("1714564800", 0),
            ("1714564800.000000001", 1),
        ] {
            let expected = noon + Duration::from_nanos(nanoseconds);
            assert_eq!(parse_authentication_date(text), Some(expected), "{text}");
        }
        let before = SystemTime::UNIX_EPOCH - Duration::from_millis(500);
        assert_eq!(
            parse_authentication_date("1969-12-31T23:59:59.5Z"),
            Some(before)
        );
    }

    #[test]
    fn what_names_none_is_no_error_and_no_guess() {
        // R-163
        for text in [
            "",
            "x",
            "2024-05-01",
            "2024-05-01T12:00:00",
            "2024-05-01T12:00Z",
            "2024-02-30T12:00:00Z",
            "2024-05-01T24:00:00Z",
            "2024-05-01T12:00:00.Z",
            "2024-05-01T12:00:00+8:00",
            "2024-05-01T12:00:00+24:00",
            "2024-05-01T12:00:00+08:00:00",
            "2024-05-01T12:00:00Z[",
            "2024-05-01T12:00:00Z[]",
            "2024-05-01T12:00:00Z[a]b",
            "2024-05-01T12:00:00Zx",
            "+1714564800",
            "-1714564800",
            "1714564800.",
            "1714564800.1.2",
            ".5",
            "99999999999999999999999",
            "17145648000000",
            "Wed May 01 12:00:00 UTC 2024",
            "２024-05-01T12:00:00Z",
            "2024-05-01T12:00:0é",
            "2024-05-01T12:00:00é",
        ] {
            assert_eq!(parse_authentication_date(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_written_date_is_read_again() {
        // R-128
        let moment = SystemTime::UNIX_EPOCH + Duration::from_millis(1_714_564_800_999);
        assert_eq!(written(moment), "2024-05-01T12:00:00Z");
        assert_eq!(written(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00Z");
    }
}
