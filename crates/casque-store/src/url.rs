use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

use crate::{Clock, MemoryStore, SharedStore, SqliteStore, StoreError};

/// Where a store is, as it stands in a configuration: `memory:` or `sqlite:PATH`.
///
/// ```
/// use std::{path::Path, sync::Arc};
/// use casque_store::{StoreUrl, SystemClock};
///
/// let url: StoreUrl = "sqlite:casque.db".parse()?;
/// // A relative path belongs to the file that names it.
/// assert_eq!(url.relative_to(Path::new("/etc/casque")).to_string(), "sqlite:/etc/casque/casque.db");
///
/// let store = "memory:".parse::<StoreUrl>()?.open(Arc::new(SystemClock::new()))?;
/// # Ok::<_, casque_store::StoreError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreUrl(Place);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Memory,
    Sqlite(PathBuf),
}

/// For messages: what a store URL may be.
const KNOWN: &str =
    "a store is \"memory:\" (gone when the process ends) or \"sqlite:PATH\" (one file)";

impl StoreUrl {
    /// The same place, with a relative path counted from the folder `base`.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        match self.0 {
            Place::Sqlite(path) => Self(Place::Sqlite(base.join(path))),
            Place::Memory => self,
        }
    }

    /// Whether what is stored there outlives the process.
    pub fn is_durable(&self) -> bool {
        match self.0 {
            Place::Memory => false,
            Place::Sqlite(_) => true,
        }
    }

    /// Opens the store, or makes it. Reads and writes files, so call it before serving.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub fn open(&self, clock: Arc<dyn Clock>) -> Result<SharedStore, StoreError> {
        Ok(match &self.0 {
            Place::Memory => Arc::new(MemoryStore::new(clock)),
            Place::Sqlite(path) => Arc::new(SqliteStore::open(path, clock)?),
        })
    }
}

impl FromStr for StoreUrl {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let Some((scheme, rest)) = text.split_once(':') else {
            return Err(StoreError::misuse(format!(
                "no scheme in the store's URL: {KNOWN}"
            )));
        };
        match scheme {
            "memory" if rest.is_empty() => Ok(Self(Place::Memory)),
            "memory" => Err(StoreError::misuse("nothing may follow \"memory:\"")),
            "sqlite" => sqlite_path(rest).map(|path| Self(Place::Sqlite(path))),
            // What follows an unknown scheme may hold a password, so only the scheme is repeated.
            _ => Err(StoreError::misuse(format!(
                "unknown store scheme {scheme:?}: {KNOWN}"
            ))),
        }
    }
}

fn sqlite_path(rest: &str) -> Result<PathBuf, StoreError> {
    // Other programs write sqlite:///absolute/path. With two slashes they mean different things by it.
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(path) => {
            return Err(StoreError::misuse(format!(
                "write \"sqlite:{path}\" for a path relative to the configuration, or \"sqlite:/{path}\" for an absolute one"
            )));
        }
        None => rest,
    };
    match path {
        "" => Err(StoreError::misuse(
            "\"sqlite:\" needs the path of a file, for example \"sqlite:casque.db\"",
        )),
        ":memory:" => Err(StoreError::misuse(
            "write \"memory:\" for a store in memory",
        )),
        _ if path.contains('\0') => Err(StoreError::misuse("a path cannot hold a NUL character")),
        _ => Ok(path.into()),
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Memory => f.write_str("memory:"),
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

/// Opens the store that a URL names: `memory:` or `sqlite:PATH`, relative to the working directory.
///
/// See [`StoreUrl`] for paths relative to a configuration file.
///
/// # Errors
///
/// [`StoreError::Misuse`] for a URL that names no store, saying what it may be; otherwise as [`SqliteStore::open`].
///
/// ```
/// use std::sync::Arc;
/// use casque_store::{SystemClock, open};
///
/// let clock = Arc::new(SystemClock::new());
/// assert!(open("memory:", clock.clone()).is_ok());
/// assert!(open("etcd:localhost", clock).is_err());
/// ```
pub fn open(url: &str, clock: Arc<dyn Clock>) -> Result<SharedStore, StoreError> {
    url.parse::<StoreUrl>()?.open(clock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<StoreUrl>().expect_err(text).to_string()
    }

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "memory:",
            "sqlite:casque.db",
            "sqlite:/var/lib/casque/casque.db",
            "sqlite:a b:c?d.db",
        ] {
            assert_eq!(text.parse::<StoreUrl>().expect(text).to_string(), text);
        }
        let absolute: StoreUrl = "sqlite:///var/casque.db".parse().expect("three slashes");
        assert_eq!(absolute.to_string(), "sqlite:/var/casque.db");
    }

    #[test]
    fn only_relative_paths_move() {
        let moved = |text: &str| {
            text.parse::<StoreUrl>()
                .expect(text)
                .relative_to(Path::new("/etc"))
                .to_string()
        };
        assert_eq!(moved("sqlite:casque.db"), "sqlite:/etc/casque.db");
        assert_eq!(moved("sqlite:/var/casque.db"), "sqlite:/var/casque.db");
        assert_eq!(moved("memory:"), "memory:");
    }

    #[test]
    fn refusals_say_what_is_known_and_repeat_no_password() {
        let unknown = refusal("redis://:hunter2@localhost");
        assert!(
            unknown.contains("\"redis\"")
                && unknown.contains("memory:")
                && unknown.contains("sqlite:PATH")
        );
        assert!(!unknown.contains("hunter2"));
        assert!(refusal("casque.db").contains("sqlite:PATH"));
        assert!(refusal("memory:x").contains("memory:"));
        assert!(refusal("sqlite:").contains("sqlite:casque.db"));
        assert!(refusal("sqlite::memory:").contains("memory:"));
        assert!(refusal("sqlite://casque.db").contains("\"sqlite:casque.db\""));
        assert!(refusal("sqlite:a\0b").contains("NUL"));
    }
}
