//! As much of a certificate as an explanation needs: who, by whom, until when.
//!
//! Nothing is trusted by what is read here: rustls judges, and this says what it judged.

use std::time::SystemTime;

use jiff::Timestamp;

/// A server's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Certificate {
    pub(crate) subject: String,
    pub(crate) issuer: String,
    pub(crate) self_signed: bool,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
}

impl Certificate {
    /// Reads X.509 in DER (RFC 5280 §4.1); nothing where it is something else.
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let certificate = Element::first(der, SEQUENCE)?;
        let body = Element::first(certificate.content, SEQUENCE)?;
        let mut rest = body.content;
        if let Some(version) = Element::first(rest, VERSION) {
            rest = version.behind;
        }
        let serial = Element::first(rest, INTEGER)?;
        let algorithm = Element::first(serial.behind, SEQUENCE)?;
        let issuer = Element::first(algorithm.behind, SEQUENCE)?;
        let validity = Element::first(issuer.behind, SEQUENCE)?;
        let subject = Element::first(validity.behind, SEQUENCE)?;
        let not_before = Element::any(validity.content)?;
        let not_after = Element::any(not_before.behind)?;
        Some(Self {
            subject: name(subject.content),
            issuer: name(issuer.content),
            self_signed: subject.content == issuer.content,
            not_before: time(&not_before),
            not_after: time(&not_after),
        })
    }

    /// How long it is good from a moment on.
    pub(crate) fn days_left(&self, now: SystemTime) -> Option<u64> {
        let end = SystemTime::from(self.not_after?);
        Some(end.duration_since(now).ok()?.as_secs() / 86_400)
    }
}

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const OBJECT_IDENTIFIER: u8 = 0x06;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

struct Element<'a> {
    tag: u8,
    content: &'a [u8],
    behind: &'a [u8],
}

impl<'a> Element<'a> {
    fn any(der: &'a [u8]) -> Option<Self> {
        let (&tag, rest) = der.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes
                    .iter()
                    .fold(0_usize, |sum, byte| (sum << 8) | usize::from(*byte));
                (length, rest)
            }
            _ => return None,
        };
        let (content, behind) = rest.split_at_checked(length)?;
        Some(Self {
            tag,
            content,
            behind,
        })
    }

    fn first(der: &'a [u8], tag: u8) -> Option<Self> {
        Self::any(der).filter(|element| element.tag == tag)
    }
}

/// `CN=…, O=…` of a distinguished name.
fn name(mut der: &[u8]) -> String {
    let mut parts = Vec::new();
    while let Some(set) = Element::first(der, SET) {
        der = set.behind;
        let part = Element::first(set.content, SEQUENCE).and_then(|pair| {
            let identifier = Element::first(pair.content, OBJECT_IDENTIFIER)?;
            let short = match identifier.content {
                [0x55, 0x04, 0x03] => "CN",
                [0x55, 0x04, 0x0a] => "O",
                [0x55, 0x04, 0x0b] => "OU",
                _ => return None,
            };
            let value = Element::any(identifier.behind)?;
            Some(format!(
                "{short}={}",
                String::from_utf8_lossy(value.content)
            ))
        });
        parts.extend(part);
    }
    if parts.is_empty() {
        return "(no name)".to_owned();
    }
    parts.join(", ")
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(element: &Element<'_>) -> Option<Timestamp> {
    let text = std::str::from_utf8(element.content).ok()?;
    let text = match element.tag {
        UTC_TIME if text.get(..2)? >= "50" => format!("19{text}"),
        UTC_TIME => format!("20{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let digits = text.strip_suffix('Z')?;
    if digits.len() != 14 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!(
        "{}-{}-{}T{}:{}:{}Z",
        &digits[..4],
        &digits[4..6],
        &digits[6..8],
        &digits[8..10],
        &digits[10..12],
        &digits[12..]
    )
    .parse()
    .ok()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn who_by_whom_and_until_when() {
        let mut params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, "Großer Server");
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Campus");
        params.not_before = date_time_ymd(1999, 12, 31);
        params.not_after = date_time_ymd(2050, 1, 2);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let read = Certificate::read(certificate.der()).unwrap();
        assert!(
            read.subject.contains("CN=Großer Server") && read.subject.contains("O=Campus"),
            "{read:?}"
        );
        assert!(read.self_signed);
        assert_eq!(
            read.not_before,
            Some("1999-12-31T00:00:00Z".parse().unwrap())
        );
        let end: Timestamp = "2050-01-02T00:00:00Z".parse().unwrap();
        assert_eq!(read.not_after, Some(end));
        let before = SystemTime::from(end) - std::time::Duration::from_hours(49);
        assert_eq!(read.days_left(before), Some(2));
        assert_eq!(read.days_left(end.into()), Some(0));
    }

    #[test]
    fn what_is_cut_off_or_altered_is_no_trouble() {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        for at in 0..der.len() {
            let _ = Certificate::read(&der[..at]);
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut altered = der.clone();
                altered[at] = byte;
                let _ = Certificate::read(&altered);
            }
        }
    }
}
