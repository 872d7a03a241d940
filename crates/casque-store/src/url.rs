mod network;
#[cfg(test)]
mod tests;

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
};

#[cfg(feature = "network")]
pub(crate) use self::network::{Address, Password};
pub(crate) use self::network::{Engine, NetworkUrl};
use crate::{Clock, MemoryStore, SharedStore, SqliteStore, StoreError};

/// Where a store is, as it stands in a configuration.
///
/// | URL | where records are | needs the feature |
/// | --- | --- | --- |
/// | `memory:` | in this process, and gone with it | |
/// | `sqlite:PATH` | in one file | |
/// | `redis://USER@HOST:PORT/NUMBER` | in Redis 6.2 or later, or Valkey; `rediss://` with TLS | `redis` |
/// | `postgres://USER@HOST:PORT/DATABASE` | in PostgreSQL 12 or later; with TLS unless the host is this machine | `postgres` |
///
/// `valkey://` and `valkeys://` are Redis by another name, and `postgresql://` is PostgreSQL. After `?` may follow:
///
/// | option | meaning | without it |
/// | --- | --- | --- |
/// | `password_file` | a file with the password alone, read again for every connection | the password in the URL, or none |
/// | `ca_file` | for TLS: a PEM file of the only authorities to trust | those of this machine |
/// | `socket` | the path of a Unix socket, instead of a host | |
/// | `timeout` | for every call, from `100ms` to `60s` | `2s` |
/// | `prefix` | Redis: what every key begins with | `casque` |
/// | `schema` | PostgreSQL: where the tables are | `casque` |
/// | `tls` | PostgreSQL: `on` or `off` | `on`, but `off` on loopback and a socket |
/// | `connections` | PostgreSQL: how many at most, from 1 to 64 | 16 |
///
/// Neither [`Display`](fmt::Display) nor [`Debug`](fmt::Debug) nor any error shows a password.
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
    Network(NetworkUrl),
}

/// For messages: what a store URL may be.
const KNOWN: &str = "a store is \"memory:\" (gone when the process ends), \"sqlite:PATH\" (one file), \"redis://HOST\" or \"postgres://USER@HOST/DATABASE\"";

impl StoreUrl {
    /// The same place, with a relative path counted from the folder `base`.
    #[must_use]
    pub fn relative_to(self, base: &Path) -> Self {
        match self.0 {
            Place::Sqlite(path) => Self(Place::Sqlite(base.join(path))),
            Place::Network(url) => Self(Place::Network(url.relative_to(base))),
            Place::Memory => self,
        }
    }

    /// Whether what is stored there outlives the process.
    pub fn is_durable(&self) -> bool {
        match self.0 {
            Place::Memory => false,
            Place::Sqlite(_) | Place::Network(_) => true,
        }
    }

    /// Whether the store is on a server, which [`open`](Self::open) does not contact yet.
    pub fn is_on_a_server(&self) -> bool {
        matches!(self.0, Place::Network(_))
    }

    /// Opens the store, or makes it. Reads and writes files, so call it before serving.
    ///
    /// A server is not contacted yet: the first call connects, and [`ping`](crate::Store::ping) tells whether it could.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`] for a file; [`StoreError::Misuse`] for a server whose `password_file` or `ca_file` cannot
    /// be used, or that this program was built without.
    pub fn open(&self, clock: Arc<dyn Clock>) -> Result<SharedStore, StoreError> {
        Ok(match &self.0 {
            Place::Memory => Arc::new(MemoryStore::new(clock)),
            Place::Sqlite(path) => Arc::new(SqliteStore::open(path, clock)?),
            Place::Network(url) => open_network(url, clock)?,
        })
    }
}

fn open_network(url: &NetworkUrl, clock: Arc<dyn Clock>) -> Result<SharedStore, StoreError> {
    match url.engine {
        #[cfg(feature = "redis")]
        Engine::Redis => Ok(Arc::new(crate::redis::RedisStore::open(url, clock)?)),
        #[cfg(feature = "postgres")]
        Engine::Postgres => Ok(Arc::new(crate::postgres::PostgresStore::open(url, clock)?)),
        #[cfg(not(all(feature = "redis", feature = "postgres")))]
        engine => {
            drop(clock);
            Err(StoreError::misuse(format!(
                "this program was built without {0}: build it with the feature \"{1}\" of casque-store",
                engine.name(),
                engine.feature(),
            )))
        }
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
            _ => match Engine::of_scheme(scheme) {
                Some((engine, tls)) => {
                    NetworkUrl::parse(text, engine, tls).map(|url| Self(Place::Network(url)))
                }
                None => Err(StoreError::misuse(format!(
                    "unknown store scheme {scheme:?}: {KNOWN}"
                ))),
            },
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
            Place::Network(url) => write!(f, "{url}"),
        }
    }
}

/// Opens the store that a URL names, with paths relative to the working directory.
///
/// See [`StoreUrl`] for the URLs and for paths relative to a configuration file.
///
/// # Errors
///
/// [`StoreError::Misuse`] for a URL that names no store, saying what it may be; otherwise as [`StoreUrl::open`].
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
