//! What `casque keys show` tells.

use std::fmt;
use std::path::Path;

use casque_server::{KeysInStore, NodeKeys};
use casque_store::{KeyRing, StoreUrl};
use serde_json::{Value, json};

use super::time;
use crate::say;

/// The keys of a file, beside what the store says of them.
pub(super) struct Keys<'a> {
    ours: Vec<String>,
    store: Option<&'a KeysInStore>,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
enum Next {
    /// No change is under way.
    Nothing,
    /// Some servers lack a key, or have the keys in another order.
    Distribute { behind: usize, of: usize },
    /// Every server has the second key, and it has named nothing.
    Promote,
    /// The second key names what is in use until this time.
    Wait { until: String },
    /// The second key names nothing any more.
    Retire,
}

impl<'a> Keys<'a> {
    pub(super) fn new(ring: &KeyRing, store: Option<&'a KeysInStore>) -> Self {
        Self {
            ours: ring.fingerprints(),
            store,
        }
    }

    pub(super) fn say(&self, file: &Path, url: &StoreUrl, json: bool) {
        if json {
            return say::line(self.as_json(file));
        }
        for (number, key) in self.ours.iter().enumerate() {
            let role = ["names what is new", "what it has named is found, too"];
            say::line(format_args!(
                "key      {key}  {}{}",
                role.get(number).unwrap_or(&""),
                self.use_of(number)
            ));
        }
        say::line(format_args!("file     {}", file.display()));
        say::line(format_args!("store    {url}"));
        for NodeKeys { node, keys } in self.nodes() {
            say::line(format_args!("server   {node}  {}", keys.join(" ")));
        }
        say::line(format_args!("next     {}", self.next()));
    }

    fn nodes(&self) -> &[NodeKeys] {
        self.store.map_or(&[], |store| &store.nodes)
    }

    fn use_of(&self, number: usize) -> String {
        let Some(store) = self.store else {
            return String::new();
        };
        let sessions = store.sessions.get(number).copied().unwrap_or_default();
        let until = match self.until(number) {
            Some(until) if number > 0 => format!("; in use until {until}"),
            _ => String::new(),
        };
        format!("; sessions: {sessions}{until}")
    }

    /// Until when something that this key names may be in use.
    fn until(&self, number: usize) -> Option<String> {
        let key = self.ours.get(number)?;
        let mut naming = self.store?.naming.iter();
        let naming = naming.find(|naming| naming.fingerprint == *key)?;
        Some(time(naming.until))
    }

    fn next(&self) -> Next {
        let behind = self.nodes().iter().filter(|node| node.keys != self.ours);
        let behind = behind.count();
        if behind > 0 {
            let of = self.nodes().len();
            return Next::Distribute { behind, of };
        }
        let Some(second) = self.ours.get(1) else {
            return Next::Nothing;
        };
        if let Some(until) = self.until(1) {
            return Next::Wait { until };
        }
        match self.store.map(|store| &store.filled_with) {
            Some(Some(key)) if key == second => Next::Retire,
            _ => Next::Promote,
        }
    }

    fn as_json(&self, file: &Path) -> Value {
        let keys: Vec<Value> = self
            .ours
            .iter()
            .enumerate()
            .map(|(number, key)| {
                let sessions = self.store.and_then(|store| store.sessions.get(number));
                json!({
                    "fingerprint": key,
                    "first": number == 0,
                    "sessions": sessions,
                    "in_use_until": self.until(number),
                })
            })
            .collect();
        let servers: Vec<Value> = self
            .nodes()
            .iter()
            .map(|NodeKeys { node, keys }| json!({ "server": node, "keys": keys }))
            .collect();
        let next = match self.next() {
            Next::Nothing => "nothing",
            Next::Distribute { .. } => "distribute",
            Next::Promote => "promote",
            Next::Wait { .. } => "wait",
            Next::Retire => "retire",
        };
        json!({ "file": file, "keys": keys, "servers": servers, "next": next })
    }
}

impl fmt::Display for Next {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing; `casque keys rotate` begins a change"),
            Self::Distribute { behind, of } => write!(
                f,
                "copy this file to every server and start each again: {behind} of {of} have other keys or another order"
            ),
            Self::Promote => f.write_str("`casque keys promote`"),
            Self::Wait { until } => write!(f, "`casque keys retire`, after {until}"),
            Self::Retire => f.write_str("`casque keys retire`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use casque_server::NamingKey;

    use super::*;

    /// The keys of the file, what the store was filled with, what names something in it, the keys of the servers.
    fn next(ours: &str, filled_with: &str, naming: &str, nodes: &[&str]) -> Next {
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let naming: Vec<String> = words(naming);
        let store = KeysInStore {
            filled_with: Some(filled_with.to_owned()),
            naming: naming
                .into_iter()
                .map(|fingerprint| NamingKey {
                    fingerprint,
                    until: UNIX_EPOCH + Duration::from_hours(24),
                })
                .collect(),
            nodes: nodes
                .iter()
                .map(|keys| NodeKeys {
                    node: (*keys).to_owned(),
                    keys: words(keys),
                })
                .collect(),
            sessions: Vec::new(),
        };
        let keys = Keys {
            ours: words(ours),
            store: Some(&store),
        };
        keys.next()
    }

    #[test]
    fn each_step_says_what_is_next() {
        let distribute = |behind, of| Next::Distribute { behind, of };
        let until = "1970-01-02T00:00:00Z".to_owned();
        for (ours, filled_with, naming, nodes, expected) in [
            ("a", "a", "a", &["a", "a"][..], Next::Nothing),
            ("a b", "a", "a", &["a", "a"], distribute(2, 2)),
            ("a b", "a", "a", &["a b", "a"], distribute(1, 2)),
            ("a b", "a", "a", &["a b", "a b"], Next::Promote),
            ("b a", "a", "a", &["a b", "a b"], distribute(2, 2)),
            ("b a", "a", "a b", &["b a", "a b"], distribute(1, 2)),
            ("b a", "a", "a b", &["b a", "b a"], Next::Wait { until }),
            ("b a", "a", "b", &["b a", "b a"], Next::Retire),
            ("b", "b", "b", &["b a", "b"], distribute(1, 2)),
            ("b", "b", "b", &["b", "b"], Next::Nothing),
        ] {
            let found = next(ours, filled_with, naming, nodes);
            assert_eq!(found, expected, "{ours}, {nodes:?}");
        }
    }
}
