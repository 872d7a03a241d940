//! A TOML file read strictly against a table of keys.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Faults, escape, nearest};
use super::keys::{Default, Key, Kind, Names, Value, describe};

/// The largest configuration file, in bytes. People and services have their own.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The values of one file, each by the rule of its key.
#[derive(Debug)]
pub(crate) struct Sheet {
    keys: &'static [Key],
    found: BTreeMap<&'static str, Found>,
    /// Keys that were there with a value that breaks their rule.
    refused: Vec<&'static str>,
    unreadable: bool,
    /// Advice on variables that nearly name a key.
    misspelt: Vec<String>,
    place: PathBuf,
}

#[derive(Debug)]
struct Found {
    value: Value,
    place: PathBuf,
    line: Option<usize>,
}

impl Sheet {
    /// Reads the text of a file. What is wrong goes to `faults`; such a key counts as absent.
    pub(crate) fn read(
        place: &Path,
        text: &str,
        keys: &'static [Key],
        faults: &mut Faults,
    ) -> Self {
        let mut sheet = Self {
            keys,
            found: BTreeMap::new(),
            refused: Vec::new(),
            unreadable: false,
            misspelt: Vec::new(),
            place: place.to_owned(),
        };
        match DeTable::parse(text) {
            Ok(table) => sheet.walk(table.get_ref(), "", &Lines::of(text), faults),
            Err(error) => {
                sheet.unreadable = true;
                faults.push(syntax_error(place, text, &error));
            }
        }
        sheet
    }

    /// A table inside a file, `prefix` being its name in messages.
    pub(crate) fn of_table(
        place: &Path,
        lines: &Lines,
        table: &DeTable<'_>,
        keys: &'static [Key],
        faults: &mut Faults,
    ) -> Self {
        let mut sheet = Self {
            keys,
            found: BTreeMap::new(),
            refused: Vec::new(),
            unreadable: false,
            misspelt: Vec::new(),
            place: place.to_owned(),
        };
        sheet.walk(table, "", lines, faults);
        sheet
    }

    fn walk(&mut self, table: &DeTable<'_>, prefix: &str, lines: &Lines, faults: &mut Faults) {
        for (name, value) in table {
            let line = Some(lines.at(name.span().start));
            let path = format!("{prefix}{}", name.get_ref());
            let place = self.place.clone();
            if let Some(key) = self.keys.iter().find(|key| key.name == path) {
                self.set(key, value.get_ref(), place, line, faults);
            } else if self.is_table(&path) {
                match value.get_ref() {
                    DeValue::Table(inner) => self.walk(inner, &format!("{path}."), lines, faults),
                    other => faults.push(
                        ConfigError::new(
                            &place,
                            line,
                            format!(
                                "`{path}` is {}, but must be a table",
                                describe(Kind::Text, other)
                            ),
                        )
                        .fix(format!("write [{path}] and its keys below it")),
                    ),
                }
            } else {
                faults.push(
                    ConfigError::new(&place, line, format!("unknown key `{}`", escape(&path)))
                        .fix(self.suggest(prefix, name.get_ref())),
                );
            }
        }
    }

    fn set(
        &mut self,
        key: &'static Key,
        value: &DeValue<'_>,
        place: PathBuf,
        line: Option<usize>,
        faults: &mut Faults,
    ) {
        if let Some(value) = key.kind.read(value) {
            self.found.insert(key.name, Found { value, place, line });
        } else {
            self.refused.push(key.name);
            let is_blank = value.as_str().is_some_and(|text| text.trim().is_empty());
            let problem = match key.kind {
                Kind::Text if is_blank => {
                    format!("`{}` is blank, but must be {}", key.name, key.kind.rule())
                }
                kind => format!(
                    "`{}` is {}, but must be {}",
                    key.name,
                    describe(kind, value),
                    kind.rule()
                ),
            };
            faults.push(ConfigError::new(&place, line, problem).fix(format!(
                "for example: {} = {}",
                key.last(),
                key.example
            )));
        }
    }

    /// Takes a value from an environment variable: it wins over the file.
    pub(crate) fn set_from_environment(&mut self, name: &str, text: &str, faults: &mut Faults) {
        let Some(key) = self.keys.iter().find(|key| key.variable() == name) else {
            self.misspelt.extend(self.advice(name));
            return;
        };
        let place = Path::new(name).to_owned();
        let as_text = DeValue::String(text.into());
        let parsed = match key.kind {
            Kind::Count { .. } | Kind::Flag => DeValue::parse(text).ok(),
            Kind::Networks | Kind::NamesOrAll | Kind::Texts if text != "all" => {
                let items: Vec<String> = text
                    .split(',')
                    .map(|item| format!("{:?}", item.trim()))
                    .collect();
                let list = format!("[{}]", items.join(","));
                let mut list = DeValue::parse(&list).ok().map(toml::Spanned::into_inner);
                if let Some(list) = &mut list {
                    list.make_owned();
                }
                return self.set(key, list.as_ref().unwrap_or(&as_text), place, None, faults);
            }
            _ => None,
        };
        let value = parsed.map_or(as_text, toml::Spanned::into_inner);
        self.set(key, &value, place, None, faults);
    }

    /// What to say about a variable that names no key, and yet a table of the file: no other program has such.
    fn advice(&self, name: &str) -> Option<String> {
        let (table, rest) = name.split_once("__")?;
        let variables: Vec<String> = self.keys.iter().map(Key::variable).collect();
        let known: Vec<&str> = variables
            .iter()
            .filter_map(|variable| variable.strip_prefix(table)?.strip_prefix("__"))
            .collect();
        if known.is_empty() {
            return None;
        }
        let fix = match nearest(rest, known.iter().copied()) {
            Some(meant) => format!("did you mean {table}__{meant}?"),
            None => format!("known are {table}__{}", known.join(&format!(", {table}__"))),
        };
        Some(format!(
            "the environment variable {} is no setting: {fix}",
            escape(name)
        ))
    }

    /// Advice on variables that nearly name a key.
    pub(crate) fn misspelt(&self) -> &[String] {
        &self.misspelt
    }

    /// Names every required key that is missing.
    pub(crate) fn require(&self, faults: &mut Faults) {
        for key in self.keys {
            let absent = !self.found.contains_key(key.name) && !self.refused.contains(&key.name);
            if matches!(key.default, Default::Required) && absent {
                faults.push(self.missing(key));
            }
        }
    }

    fn missing(&self, key: &Key) -> ConfigError {
        ConfigError::new(&self.place, None, format!("`{}` is missing", key.name))
            .fix(format!("add, for example: {} = {}", key.name, key.example))
    }

    /// Whether the file or the environment has the key.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.found.contains_key(name)
    }

    /// Whether one of the keys was there with a value that breaks its rule, which has been told.
    pub(crate) fn was_refused(&self, names: &[&str]) -> bool {
        self.refused.iter().any(|refused| names.contains(refused))
    }

    /// Whether the file is no TOML at all, which has been told.
    pub(crate) fn is_unreadable(&self) -> bool {
        self.unreadable
    }

    /// A fault about a key that is there, at its line.
    pub(crate) fn fault(&self, name: &str, problem: impl Into<String>) -> ConfigError {
        match self.found.get(name) {
            Some(found) => ConfigError::new(&found.place, found.line, problem),
            None => ConfigError::new(&self.place, None, problem),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A path, from the folder of the file.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder().join(self.text(name)?))
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        match self.value(name)? {
            Value::Flag(flag) => Some(flag),
            _ => None,
        }
    }

    pub(crate) fn count(&self, name: &str) -> Option<u32> {
        match self.value(name)? {
            Value::Count(count) => Some(count),
            _ => None,
        }
    }

    pub(crate) fn duration(&self, name: &str) -> Option<Duration> {
        match self.value(name)? {
            Value::Duration(duration) => Some(duration),
            _ => None,
        }
    }

    pub(crate) fn socket(&self, name: &str) -> Option<SocketAddr> {
        match self.value(name)? {
            Value::Socket(socket) => Some(socket),
            _ => None,
        }
    }

    pub(crate) fn networks(&self, name: &str) -> Option<Vec<IpNet>> {
        match self.value(name)? {
            Value::Networks(networks) => Some(networks),
            _ => None,
        }
    }

    pub(crate) fn names(&self, name: &str) -> Option<Names> {
        match self.value(name)? {
            Value::Names(names) => Some(names),
            _ => None,
        }
    }

    pub(crate) fn texts(&self, name: &str) -> Option<Vec<String>> {
        match self.value(name)? {
            Value::Texts(texts) => Some(texts),
            _ => None,
        }
    }

    pub(crate) fn lists(&self, name: &str) -> Option<Vec<(String, Vec<String>)>> {
        match self.value(name)? {
            Value::Lists(lists) => Some(lists),
            _ => None,
        }
    }

    /// Where a key that is there stands: the file with its line, or the environment variable.
    pub(crate) fn place_of(&self, name: &str) -> Option<(PathBuf, Option<usize>)> {
        let found = self.found.get(name)?;
        Some((found.place.clone(), found.line))
    }

    /// The file.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    pub(crate) fn folder(&self) -> &Path {
        self.place.parent().unwrap_or(Path::new(""))
    }

    /// The value in the file, else the default.
    fn value(&self, name: &str) -> Option<Value> {
        if let Some(found) = self.found.get(name) {
            return Some(found.value.clone());
        }
        let key = self.keys.iter().find(|key| key.name == name)?;
        key.default_value()
    }

    fn is_table(&self, path: &str) -> bool {
        self.keys.iter().any(|key| {
            key.name
                .strip_prefix(path)
                .is_some_and(|rest| rest.starts_with('.'))
        })
    }

    fn suggest(&self, prefix: &str, name: &str) -> String {
        let here = |key: &Key| {
            let rest = key.name.strip_prefix(prefix)?;
            rest.split('.').next()
        };
        let mut siblings: Vec<&'static str> = Vec::new();
        for key in self.keys {
            if let Some(sibling) = here(key)
                && !siblings.contains(&sibling)
            {
                siblings.push(sibling);
            }
        }
        if let Some(meant) = nearest(name, siblings.iter().copied()) {
            return format!("did you mean `{meant}`?");
        }
        // The right key in the wrong table.
        let elsewhere = self.keys.iter().find(|key| key.last() == name);
        if let Some(key) = elsewhere {
            return match key.name.rsplit_once('.') {
                Some((table, _)) => format!("`{name}` belongs below [{table}]"),
                None => format!("`{name}` belongs at the top of the file, above every [table]"),
            };
        }
        format!("known here: {}", siblings.join(", "))
    }
}

impl Key {
    /// The name without its table.
    pub(crate) fn last(&self) -> &'static str {
        self.name.rsplit('.').next().unwrap_or(self.name)
    }

    /// The environment variable that replaces it.
    pub(crate) fn variable(&self) -> String {
        format!("CASQUE_{}", self.name.replace('.', "__").to_uppercase())
    }

    pub(crate) fn default_value(&self) -> Option<Value> {
        let Default::Is(text) = self.default else {
            return None;
        };
        let value = DeValue::parse(text).expect("defaults are TOML; a test reads each");
        Some(
            self.kind
                .read(value.get_ref())
                .expect("defaults keep their rule; a test reads each"),
        )
    }
}

/// The text of a file, or a fault that says why not.
pub(crate) fn read_text(path: &Path) -> Result<String, ConfigError> {
    let fault = |problem: String| ConfigError::new(path, None, problem);
    let file = File::open(path).map_err(|error| fault(format!("cannot be read: {error}")))?;
    let mut text = String::new();
    match file.take(MAX_FILE + 1).read_to_string(&mut text) {
        Ok(length) if length as u64 > MAX_FILE => {
            Err(fault(format!("is larger than {} MiB", MAX_FILE >> 20)))
        }
        Ok(_) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
            Err(fault("is not UTF-8 text".into()))
        }
        Err(error) => Err(fault(format!("cannot be read: {error}"))),
    }
}

/// What the TOML reader says, without the line it quotes: that could hold a secret.
pub(crate) fn syntax_error(place: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let line = error.span().map(|span| Lines::of(text).at(span.start));
    let message = error.message().lines().next().unwrap_or_default();
    ConfigError::new(place, line, format!("is not TOML: {}", escape(message)))
        .fix("see https://toml.io for how it is written")
}

/// Where the lines of a text end: a file of many thousand people is not counted through again for each of them.
#[derive(Debug)]
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate();
        Self(
            ends.filter(|(_, byte)| *byte == b'\n')
                .map(|(at, _)| at)
                .collect(),
        )
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn at(&self, offset: usize) -> usize {
        self.0.partition_point(|end| *end < offset) + 1
    }
}
