//! Keys that point to files and folders, and faults about what is there.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Config, ConfigError, Sheet};

/// Every key that points to something that is opened at start, with the way to mend it.
const POINTERS: [(&str, &str); 6] = [
    (
        "people",
        "add the first person with `casque user add NAME`, or correct `people`",
    ),
    ("services", "make the folder, or correct `services`"),
    (
        "trusted_roots",
        "put the authorities' certificates there as PEM, or correct `trusted_roots`",
    ),
    (
        "tls.certificate",
        "put the certificate chain there as PEM, or correct `tls.certificate`",
    ),
    (
        "tls.key",
        "put the certificate's private key there as PEM, or correct `tls.key`",
    ),
    (
        "operation.audit",
        "make its folder and let the server write there, or correct `operation.audit`",
    ),
];

/// Where a configuration sets those keys.
#[derive(Debug, Clone)]
pub(super) struct Pointers {
    file: PathBuf,
    places: BTreeMap<&'static str, (PathBuf, Option<usize>)>,
}

impl Pointers {
    pub(super) fn of(sheet: &Sheet) -> Self {
        let place = |name| Some((name, sheet.place_of(name)?));
        Self {
            file: sheet.place().to_owned(),
            places: POINTERS
                .into_iter()
                .map(|(name, _)| name)
                // Its URL may name files.
                .chain(["store"])
                .filter_map(place)
                .collect(),
        }
    }
}

impl Config {
    /// Whether what a key points to can be read at all: `people`, `services`, `trusted_roots`, `tls.certificate` or
    /// `tls.key`. An optional key that is not set points to nothing, which is fine.
    ///
    /// # Errors
    /// [`ConfigError`] at the line of the key.
    pub fn reach(&self, key: &str) -> Result<(), ConfigError> {
        let Some(path) = self.pointed_to(key) else {
            return Ok(());
        };
        let reached = if key == "services" {
            fs::read_dir(path).map(drop)
        } else {
            read_a_byte(path)
        };
        reached.map_err(|error| {
            let path = path.display();
            let problem = if self.pointers.places.contains_key(key) {
                format!("`{key}` names {path}, which cannot be read: {error}")
            } else {
                format!("`{key}` is not set, and its default, {path}, cannot be read: {error}")
            };
            self.fault(key, problem)
        })
    }

    /// A fault in what one of those keys points to, at the line of the key, with the fix for it.
    pub fn fault(&self, key: &str, problem: impl Into<String>) -> ConfigError {
        let fault = match self.pointers.places.get(key) {
            Some((place, line)) => ConfigError::new(place, *line, problem),
            None => ConfigError::new(&self.pointers.file, None, problem),
        };
        match POINTERS.iter().find(|(name, _)| *name == key) {
            Some((_, fix)) => fault.fix(*fix),
            None => fault,
        }
    }

    fn pointed_to(&self, key: &str) -> Option<&Path> {
        let tls = self.tls.as_ref();
        match key {
            "people" => Some(&self.people),
            "services" => Some(&self.services),
            "trusted_roots" => self.trusted_roots.as_deref(),
            "tls.certificate" => tls.map(|tls| tls.certificate.as_path()),
            "tls.key" => tls.map(|tls| tls.key.as_path()),
            _ => None,
        }
    }
}

/// A folder can be opened, and read no byte of.
fn read_a_byte(path: &Path) -> io::Result<()> {
    File::open(path)?.read(&mut [0]).map(drop)
}
