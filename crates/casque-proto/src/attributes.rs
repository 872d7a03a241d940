//! What a server says about a user besides the name.

use std::collections::HashMap;
use std::fmt;

mod names;

pub use names::AUTHENTICATION_ATTRIBUTES;
pub use names::STANDARD_ATTRIBUTES;
pub use names::attribute_xml_name;
pub(crate) use names::decoded_name;
pub(crate) use names::is_free;
pub(crate) use names::is_plain_name;

/// Attributes: names in order of first appearance, each with its values in order (R-127, R-154).
///
/// Values are text and are not interpreted (R-161). A name that has been asked for and is not there has no values.
///
/// ```
/// use casque_proto::Attributes;
///
/// let mut attributes = Attributes::new();
/// attributes.push("mail", "ada@example.org");
/// attributes.push("memberOf", "staff");
/// attributes.push("memberOf", "admins");
/// assert_eq!(attributes.first("mail"), Some("ada@example.org"));
/// assert_eq!(attributes.get("memberOf"), ["staff", "admins"]);
/// assert!(attributes.get("phone").is_empty());
/// ```
#[derive(Clone, Default)]
pub struct Attributes {
    entries: Vec<(String, Vec<String>)>,
    /// Places by name, kept only once there are many names: a message of 10,000 of them is read in no time (S-027).
    places: HashMap<String, usize>,
}

impl Attributes {
    /// No attributes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Add one value to the values of `name`.
    pub fn push(&mut self, name: impl AsRef<str> + Into<String>, value: impl Into<String>) {
        let place = self.place_or_insert(name);
        self.entries[place].1.push(value.into());
    }

    /// Replace the values of `name`. No values remove it.
    pub fn insert<I>(&mut self, name: impl AsRef<str> + Into<String>, values: I)
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        if values.is_empty() {
            self.remove(name.as_ref());
            return;
        }
        let place = self.place_or_insert(name);
        self.entries[place].1 = values;
    }

    /// Remove `name` with its values, and return them.
    pub fn remove(&mut self, name: &str) -> Vec<String> {
        let Some(place) = self.place(name) else {
            return Vec::new();
        };
        let (_, values) = self.entries.remove(place);
        self.places.clear();
        self.index();
        values
    }

    /// The values of `name`, in order; none if it is not there.
    pub fn get(&self, name: &str) -> &[String] {
        self.place(name).map_or(&[], |place| &self.entries[place].1)
    }

    /// The first value of `name`.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.get(name).first().map(String::as_str)
    }

    /// Whether `name` is there.
    pub fn contains(&self, name: &str) -> bool {
        self.place(name).is_some()
    }

    /// The number of names.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no name at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Names with their values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.entries
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    /// Add the names of `other` that are not here yet, with their values (R-159).
    pub(crate) fn extend_new(&mut self, other: Self) {
        for (name, values) in other.entries {
            if !self.contains(&name) {
                self.entries.push((name, values));
                self.index();
            }
        }
    }

    fn place_or_insert(&mut self, name: impl AsRef<str> + Into<String>) -> usize {
        if let Some(place) = self.place(name.as_ref()) {
            return place;
        }
        if self.entries.is_empty() {
            self.entries.reserve(FEW_NAMES);
        }
        self.entries.push((name.into(), Vec::new()));
        self.index();
        self.entries.len() - 1
    }

    fn place(&self, name: &str) -> Option<usize> {
        if self.places.is_empty() {
            return self.entries.iter().position(|(known, _)| known == name);
        }
        self.places.get(name).copied()
    }

    /// Bring the index up to date after an addition at the end.
    fn index(&mut self) {
        if self.entries.len() > FEW_NAMES {
            for place in self.places.len()..self.entries.len() {
                self.places.insert(self.entries[place].0.clone(), place);
            }
        }
    }
}

/// Order of names does not matter, order of values does.
impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|(name, values)| other.get(name) == values)
    }
}

impl Eq for Attributes {}

/// Values that servers are known to put credentials in are left out (S-017).
impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, values) in self.iter() {
            if SECRET_NAMES.contains(&name) {
                map.entry(&name, &format_args!("…"));
            } else {
                map.entry(&name, &values);
            }
        }
        map.finish()
    }
}

impl<N, V> FromIterator<(N, V)> for Attributes
where
    N: AsRef<str> + Into<String>,
    V: Into<String>,
{
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut attributes = Self::new();
        attributes.extend(pairs);
        attributes
    }
}

impl<N, V> Extend<(N, V)> for Attributes
where
    N: AsRef<str> + Into<String>,
    V: Into<String>,
{
    fn extend<I: IntoIterator<Item = (N, V)>>(&mut self, pairs: I) {
        for (name, value) in pairs {
            self.push(name, value);
        }
    }
}

/// A map from names to lists of values.
impl serde::Serialize for Attributes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> serde::Deserialize<'de> for Attributes {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from attribute names to lists of values")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Attributes, A::Error> {
                let mut attributes = Attributes::new();
                while let Some((name, values)) = map.next_entry::<String, Vec<String>>()? {
                    for value in values {
                        attributes.push(name.as_str(), value);
                    }
                }
                Ok(attributes)
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// Up to here a look along the list is faster than an index.
const FEW_NAMES: usize = 24;

/// Attributes in which Apereo CAS sends an encrypted proxy-granting ticket or password.
const SECRET_NAMES: [&str; 2] = ["proxyGrantingTicket", "credential"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_keep_their_order() {
        let attributes: Attributes = [("b", "1"), ("a", "2"), ("b", "3")].into_iter().collect();
        let seen: Vec<_> = attributes
            .iter()
            .map(|(name, values)| (name, values.join(",")))
            .collect();
        assert_eq!(seen, [("b", "1,3".to_owned()), ("a", "2".to_owned())]);
        assert_eq!(
            attributes,
            [("a", "2"), ("b", "1"), ("b", "3")].into_iter().collect()
        );
        assert_ne!(
            attributes,
            [("a", "2"), ("b", "3"), ("b", "1")].into_iter().collect()
        );
    }

    #[test]
    fn many_names_are_found_and_removed() {
        let mut attributes: Attributes = (0..1_000)
            .map(|n| (format!("n{n}"), n.to_string()))
            .collect();
        assert_eq!(attributes.first("n999"), Some("999"));
        assert_eq!(attributes.remove("n500"), ["500"]);
        assert_eq!(attributes.len(), 999);
        assert!(!attributes.contains("n500"));
        assert_eq!(attributes.first("n999"), Some("999"));
        attributes.push("n499", "again");
        assert_eq!(attributes.get("n499"), ["499", "again"]);
        attributes.insert("n499", ["only"]);
        attributes.insert("n498", [""; 0]);
        assert_eq!(attributes.get("n499"), ["only"]);
        assert_eq!(attributes.len(), 998);
        assert!(attributes.remove("n498").is_empty());
    }

    #[test]
    fn debug_leaves_credentials_out() {
        // S-017
        let attributes: Attributes = [
            ("mail", "a@b"),
            ("credential", "pw"),
            ("proxyGrantingTicket", "PGT-1"),
        ]
        .into_iter()
        .collect();
        let shown = format!("{attributes:?}");
        assert!(
            shown.contains("a@b") && !shown.contains("pw") && !shown.contains("PGT-1"),
            "{shown}"
        );
    }
}
