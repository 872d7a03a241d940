//! Parameters of a request, decoded once, bytes kept (R-002 to R-008, S-004).

use std::{borrow::Cow, fmt};

use percent_encoding::percent_decode;
use zeroize::Zeroize;

/// Parameters that may not disagree with themselves in one request.
const SINGLE: [&str; 8] = [
    "service",
    "TARGET",
    "ticket",
    "pgtUrl",
    "pgt",
    "targetService",
    "format",
    "lt",
];

/// Most fields one request may carry; the largest form of casque has six.
const MAX_FIELDS: usize = 64;

/// The parameters of one request, from its query and its form body together.
///
/// Values are bytes: a password that is not UTF-8 is an ordinary wrong password. They are wiped
/// when the request is over.
pub(crate) struct Parameters {
    fields: Vec<Field>,
}

struct Field {
    name: Cow<'static, str>,
    value: Vec<u8>,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Query,
    Body,
}

/// Why the parameters of a request are refused with status 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterError {
    /// More than [`MAX_FIELDS`] fields.
    TooMany,
    /// A parameter that decides something, twice, with different values.
    Contradiction(&'static str),
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany => write!(f, "more than {MAX_FIELDS} parameters"),
            Self::Contradiction(name) => {
                write!(
                    f,
                    "the parameter {name} is given twice, with different values"
                )
            }
        }
    }
}

impl Parameters {
    /// Reads the query of a request.
    pub(crate) fn from_query(query: Option<&str>) -> Result<Self, ParameterError> {
        Self::read(query, None)
    }

    /// Reads query and form body together.
    pub(crate) fn read(query: Option<&str>, body: Option<&[u8]>) -> Result<Self, ParameterError> {
        let mut parameters = Self { fields: Vec::new() };
        parameters.push_all(query.unwrap_or_default().as_bytes(), Place::Query)?;
        parameters.push_all(body.unwrap_or_default(), Place::Body)?;
        for name in SINGLE {
            let mut values = parameters.named(name).map(|field| &field.value);
            if let Some(first) = values.next()
                && values.any(|value| value != first)
            {
                return Err(ParameterError::Contradiction(name));
            }
        }
        Ok(parameters)
    }

    fn push_all(&mut self, encoded: &[u8], place: Place) -> Result<(), ParameterError> {
        for pair in encoded
            .split(|byte| *byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            if self.fields.len() == MAX_FIELDS {
                return Err(ParameterError::TooMany);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decode_name(halves.next().unwrap_or_default());
            let value = decode(halves.next().unwrap_or_default());
            self.fields.push(Field { name, value, place });
        }
        Ok(())
    }

    /// The value of one parameter in a query that is refused as a whole; none where it is not given
    /// or contradicts itself.
    pub(crate) fn of_refused_query(query: Option<&str>, name: &str) -> Option<String> {
        let mut values = query
            .unwrap_or_default()
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(key, _)| decode(key.as_bytes()) == name.as_bytes())
            .map(|(_, value)| decode(value.as_bytes()));
        let first = values.next()?;
        let agreed = values.all(|value| value == first);
        agreed.then(|| String::from_utf8_lossy(&first).into_owned())
    }

    fn named(&self, name: &str) -> impl Iterator<Item = &Field> {
        self.fields.iter().filter(move |field| field.name == name)
    }

    /// The value of a parameter as text; absent, empty and blank are the same.
    ///
    /// Text that is not UTF-8 comes back with replacement characters, which no rule accepts.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = String::from_utf8_lossy(&self.named(name).next()?.value);
        (!text.trim().is_empty()).then_some(text)
    }

    /// Whether a flag is set.
    pub(crate) fn flag(&self, name: &str) -> bool {
        self.named(name).any(|field| {
            let value = field.value.trim_ascii();
            !(value.is_empty()
                || ["false", "0", "off", "no"]
                    .iter()
                    .any(|unset| value.eq_ignore_ascii_case(unset.as_bytes())))
        })
    }

    /// Whether a parameter of this name is in the query, whatever its value.
    pub(crate) fn in_query(&self, name: &str) -> bool {
        self.named(name).any(|field| field.place == Place::Query)
    }

    /// Whether a parameter is given more than once, in query and form body together.
    pub(crate) fn is_repeated(&self, name: &str) -> bool {
        self.named(name).nth(1).is_some()
    }

    /// The one value of a field of the form body: neither absent, nor repeated, nor in the query.
    pub(crate) fn only_in_body(&self, name: &str) -> Option<&[u8]> {
        let mut fields = self.named(name);
        let field = fields.next()?;
        (field.place == Place::Body && fields.next().is_none()).then_some(&field.value)
    }
}

impl Drop for Parameters {
    fn drop(&mut self) {
        for field in &mut self.fields {
            field.value.zeroize();
        }
    }
}

impl fmt::Debug for Parameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parameters")
            .field("fields", &self.fields.len())
            .finish_non_exhaustive()
    }
}

fn decode_name(encoded: &[u8]) -> Cow<'static, str> {
    if let Some(known) = SINGLE.iter().find(|name| name.as_bytes() == encoded) {
        return Cow::Borrowed(known);
    }
    let name = String::from_utf8(decode(encoded));
    Cow::Owned(name.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

fn decode(encoded: &[u8]) -> Vec<u8> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return encoded.to_vec();
    }
    let mut decoded = Vec::with_capacity(encoded.len());
    let mut words = encoded.split(|byte| *byte == b'+');
    decoded.extend(percent_decode(words.next().unwrap_or_default()));
    for word in words {
        decoded.push(b' ');
        decoded.extend(percent_decode(word));
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decoded_once_and_keep_their_bytes() {
        //
        let read = Parameters::read(
            Some("service=https%3A%2F%2Fa%2B%252F"),
            Some(b"password=%ff+x"),
        )
        .expect("plain");
        assert_eq!(read.text("service").as_deref(), Some("https://a+%2F"));
        assert_eq!(read.only_in_body("password"), Some(&b"\xff x"[..]));
    }

    #[test]
    fn blank_is_absent() {
        //
        let read = Parameters::from_query(Some("service=+&ticket=")).expect("plain");
        assert_eq!(read.text("service"), None);
        assert_eq!(read.text("ticket"), None);
    }

    #[test]
    fn equal_repeats_count_as_one_and_others_are_refused() {
        // R-008, S-004
        assert!(Parameters::read(Some("service=a"), Some(b"service=a")).is_ok());
        assert_eq!(
            Parameters::read(Some("service=a"), Some(b"service=b")).err(),
            Some(ParameterError::Contradiction("service"))
        );
    }

    #[test]
    fn flags_follow_the_settled_list() {
        //
        for (value, set) in [
            ("", false),
            ("false", false),
            ("NO", false),
            ("0", false),
            ("off", false),
            ("true", true),
            ("x", true),
        ] {
            let read = Parameters::from_query(Some(&format!("renew={value}"))).expect("plain");
            assert_eq!(read.flag("renew"), set, "{value}");
        }
        assert!(!Parameters::from_query(None).expect("plain").flag("renew"));
    }

    #[test]
    fn credentials_count_only_once_and_only_in_the_body() {
        let twice = Parameters::read(None, Some(b"username=a&username=a")).expect("plain");
        assert_eq!(twice.only_in_body("username"), None);
        let query = Parameters::read(Some("username=a"), Some(b"")).expect("plain");
        assert_eq!(query.only_in_body("username"), None);
        assert!(query.in_query("username"));
    }
}
