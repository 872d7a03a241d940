//! What a key may hold: one table row says its type, bounds, default and meaning, and the reader, the messages and
//! the reference page all follow it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use toml::de::DeValue;

use super::error::{escape, quote};

/// A key of a file.
#[derive(Debug)]
pub(crate) struct Key {
    /// Its name, with its table: `login.max_failures`.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Default,
    /// A value as it is written in TOML, for messages and the reference.
    pub(crate) example: &'static str,
    /// One or two sentences of Markdown.
    pub(crate) meaning: &'static str,
}

/// What holds without the key.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Default {
    Required,
    /// Nothing; the words say what that means.
    Nothing(&'static str),
    /// A value as it is written in TOML.
    Is(&'static str),
}

/// The type and bounds of a value.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any text but blank.
    Text,
    /// A path, relative to the file.
    Path,
    Flag,
    Count {
        least: u32,
        most: u32,
        unit: &'static str,
    },
    Duration {
        least: Duration,
        most: Duration,
    },
    /// `address:port`.
    Socket,
    /// The server's own address; judged where the configuration is put together.
    BaseUrl,
    /// `memory:` or `sqlite:PATH`.
    Store,
    /// Networks or single addresses.
    Networks,
    /// A list of names, or `"all"`.
    NamesOrAll,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of texts, none of them blank.
    Texts,
    /// A table of names, each with a list of texts.
    Lists,
}

/// A value that keeps its key's rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
    Count(u32),
    Duration(Duration),
    Socket(SocketAddr),
    Networks(Vec<IpNet>),
    Names(Names),
    Texts(Vec<String>),
    Lists(Vec<(String, Vec<String>)>),
}

/// A list of names, or the word "all".
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Names {
    All,
    Listed(Vec<String>),
}

impl Kind {
    /// The rule, to follow "must be".
    pub(crate) fn rule(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Path => "a path".into(),
            Self::Flag => "true or false".into(),
            Self::Count { least, most, unit } => {
                let unit = if unit.is_empty() {
                    String::new()
                } else {
                    format!(" ({unit})")
                };
                format!("a whole number from {least} to {most}{unit}")
            }
            Self::Duration { least, most } => format!(
                "a duration from {} to {}, with its unit (s, min, h or d)",
                show(least),
                show(most)
            ),
            Self::Socket => "an IP address with a port".into(),
            Self::BaseUrl => "the https URL of this server".into(),
            Self::Store => "the URL of a store".into(),
            Self::Networks => "a list of networks or addresses".into(),
            Self::NamesOrAll => "a list of attribute names, or \"all\"".into(),
            Self::Word(words) => {
                let quoted: Vec<String> = words.iter().map(|word| quote(word)).collect();
                match quoted.split_last() {
                    Some((last, [])) => last.clone(),
                    Some((last, others)) => format!("{} or {last}", others.join(", ")),
                    None => "nothing".into(),
                }
            }
            Self::Texts => "a list of texts".into(),
            Self::Lists => "a table of attribute names, each with a list of texts".into(),
        }
    }

    /// The value, if it keeps the rule.
    pub(crate) fn read(self, value: &DeValue<'_>) -> Option<Value> {
        match self {
            Self::Text | Self::Path | Self::BaseUrl | Self::Store => {
                let text = value.as_str()?;
                (!text.trim().is_empty() && !text.contains('\0'))
                    .then(|| Value::Text(text.to_owned()))
            }
            Self::Flag => value.as_bool().map(Value::Flag),
            Self::Word(words) => {
                let text = value.as_str().filter(|text| words.contains(text))?;
                Some(Value::Text(text.to_owned()))
            }
            Self::Texts => texts(value).map(Value::Texts),
            Self::Count { least, most, .. } => {
                let integer = value.as_integer()?;
                let number = u32::from_str_radix(integer.as_str(), integer.radix()).ok()?;
                (least..=most)
                    .contains(&number)
                    .then_some(Value::Count(number))
            }
            Self::Duration { least, most } => {
                let duration = duration(value.as_str()?)?;
                (least..=most)
                    .contains(&duration)
                    .then_some(Value::Duration(duration))
            }
            Self::Socket => value.as_str()?.parse().ok().map(Value::Socket),
            Self::Networks => {
                let list = value.as_array()?;
                let networks = list
                    .iter()
                    .map(|item| network(item.get_ref().as_str()?))
                    .collect::<Option<Vec<_>>>()?;
                Some(Value::Networks(networks))
            }
            Self::NamesOrAll => {
                if value.as_str() == Some("all") {
                    return Some(Value::Names(Names::All));
                }
                texts(value).map(|names| Value::Names(Names::Listed(names)))
            }
            Self::Lists => {
                let lists = value
                    .as_table()?
                    .iter()
                    .map(|(name, list)| {
                        let texts = list
                            .get_ref()
                            .as_array()?
                            .iter()
                            .map(|item| item.get_ref().as_str().map(str::to_owned))
                            .collect::<Option<Vec<_>>>()?;
                        // An empty list would admit nobody, or everybody: say which.
                        (!texts.is_empty()).then(|| (name.get_ref().to_string(), texts))
                    })
                    .collect::<Option<Vec<_>>>()?;
                (!lists.is_empty()).then_some(Value::Lists(lists))
            }
        }
    }
}

fn texts(value: &DeValue<'_>) -> Option<Vec<String>> {
    let text = |item: &toml::Spanned<DeValue<'_>>| {
        let text = item.get_ref().as_str()?;
        (!text.trim().is_empty()).then(|| text.to_owned())
    };
    value.as_array()?.iter().map(text).collect()
}

/// A value as a message may repeat it.
pub(crate) fn describe(kind: Kind, value: &DeValue<'_>) -> String {
    match value {
        // The address of a store may hold a password.
        DeValue::String(text) if matches!(kind, Kind::Store) => {
            let scheme = text.split(':').next().unwrap_or_default();
            if text.contains(':') && scheme.len() < text.len() - 1 {
                quote(&format!("{scheme}:…"))
            } else {
                quote(text)
            }
        }
        DeValue::String(text) => quote(text),
        DeValue::Integer(number) => escape(&number.to_string()),
        DeValue::Float(number) => escape(&number.to_string()),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(items) => {
            let shown: Vec<String> = items
                .iter()
                .take(4)
                .map(|item| describe(kind, item.get_ref()))
                .collect();
            let more = if items.len() > 4 { ", …" } else { "" };
            format!("[{}{more}]", shown.join(", "))
        }
        DeValue::Table(_) => "a table".into(),
    }
}

/// A duration as people write it: `10s`, `15 min`, `8h`, `14d`.
fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let seconds = match text[digits..].trim_start() {
        "s" | "sec" | "second" | "seconds" => 1,
        "m" | "min" | "minute" | "minutes" => 60,
        "h" | "hour" | "hours" => 60 * 60,
        "d" | "day" | "days" => 24 * 60 * 60,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

/// A duration in the largest unit that fits.
pub(crate) fn show(duration: Duration) -> String {
    let seconds = duration.as_secs();
    for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "min")] {
        if seconds >= unit && seconds.is_multiple_of(unit) {
            return format!("{}{name}", seconds / unit);
        }
    }
    format!("{seconds}s")
}

/// A network, or one address; never the whole world.
fn network(text: &str) -> Option<IpNet> {
    let network = text
        .parse::<IpNet>()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))?;
    (network.prefix_len() > 0).then_some(network.trunc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_with_a_unit() {
        for (text, seconds) in [
            ("10s", Some(10)),
            ("15 min", Some(900)),
            ("15m", Some(900)),
            ("8h", Some(28_800)),
            ("14 days", Some(1_209_600)),
            (" 1 hour ", Some(3_600)),
            ("10", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1.5h", None),
            ("10 parsecs", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(duration(text), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    #[test]
    fn durations_are_shown_as_they_can_be_written() {
        for text in ["10s", "90s", "15min", "8h", "14d"] {
            assert_eq!(show(duration(text).unwrap()), text);
        }
    }

    #[test]
    fn networks_are_never_everyone() {
        for (text, expected) in [
            ("127.0.0.1", Some("127.0.0.1/32")),
            ("10.1.2.3/8", Some("10.0.0.0/8")),
            ("::1", Some("::1/128")),
            ("fd00::/8", Some("fd00::/8")),
            ("0.0.0.0/0", None),
            ("::/0", None),
            ("10.0.0.0/33", None),
            ("proxy.example.org", None),
        ] {
            assert_eq!(
                network(text).map(|network| network.to_string()).as_deref(),
                expected,
                "{text}"
            );
        }
    }
}
