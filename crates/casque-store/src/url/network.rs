use std::{
    fmt,
    net::IpAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use percent_encoding::percent_decode_str;
use url::Url;

use crate::StoreError;

/// Where a server is that keeps the store, and how it is spoken to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct NetworkUrl {
    pub(crate) engine: Engine,
    pub(crate) tls: bool,
    pub(crate) address: Address,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Password>,
    /// The number of a Redis database, or the name of a PostgreSQL one.
    pub(crate) database: String,
    /// What keeps this store apart from others of the same database: Redis' key prefix, PostgreSQL's schema.
    pub(crate) space: String,
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) timeout: Duration,
    pub(crate) connections: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Redis,
    Postgres,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Password {
    Written(String),
    InFile(PathBuf),
}

const TIMEOUT: Duration = Duration::from_secs(2);
const SPACE: &str = "casque";
const CONNECTIONS: usize = 16;
const MAX_CONNECTIONS: usize = 64;

impl Engine {
    /// The engine and whether the scheme itself asks for TLS; `None` for another scheme.
    pub(crate) fn of_scheme(scheme: &str) -> Option<(Self, bool)> {
        match scheme {
            "redis" | "valkey" => Some((Self::Redis, false)),
            "rediss" | "valkeys" => Some((Self::Redis, true)),
            "postgres" | "postgresql" => Some((Self::Postgres, false)),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "Redis",
            Self::Postgres => "PostgreSQL",
        }
    }

    #[cfg(not(all(feature = "redis", feature = "postgres")))]
    pub(crate) fn feature(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Postgres => "postgres",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Redis => 6379,
            Self::Postgres => 5432,
        }
    }

    fn example(self) -> &'static str {
        match self {
            Self::Redis => {
                "\"redis://127.0.0.1\" or \"rediss://casque@redis.example.org/0?password_file=redis.password\""
            }
            Self::Postgres => {
                "\"postgres://casque@db.example.org/casque?password_file=postgres.password\""
            }
        }
    }

    fn options(self) -> &'static [&'static str] {
        match self {
            Self::Redis => &["password_file", "ca_file", "socket", "prefix", "timeout"],
            Self::Postgres => &[
                "password_file",
                "ca_file",
                "socket",
                "schema",
                "timeout",
                "tls",
                "connections",
            ],
        }
    }
}

impl NetworkUrl {
    /// Reads a URL whose scheme is the engine's. No fault repeats what may be a password.
    pub(crate) fn parse(text: &str, engine: Engine, tls: bool) -> Result<Self, StoreError> {
        let wrong = |rule: &str| {
            StoreError::misuse(format!(
                "{rule}; for example {}{}",
                engine.example(),
                if text.contains('#') {
                    " (write # as %23 in a password)"
                } else {
                    ""
                }
            ))
        };
        let url = Url::parse(text)
            .map_err(|error| wrong(&format!("the store's URL cannot be read: {error}")))?;
        if url.fragment().is_some() {
            return Err(wrong("the store's URL has a part after #"));
        }
        let options = Options::read(&url, engine)?;
        let address = match (&options.socket, url.host()) {
            (Some(socket), None) => Address::Unix(socket.clone()),
            (Some(_), Some(_)) => {
                return Err(StoreError::misuse(
                    "`socket` replaces the host: write the URL with nothing between // and the next /",
                ));
            }
            (None, None) => return Err(wrong("the store's URL names no host")),
            (None, Some(host)) => Address::Tcp {
                host: match host {
                    url::Host::Ipv6(address) => address.to_string(),
                    url::Host::Ipv4(address) => address.to_string(),
                    url::Host::Domain(name) => decode(name, "host")?,
                },
                port: url.port().unwrap_or(engine.port()),
            },
        };
        let given = url
            .password()
            .map(|text| decode(text, "password"))
            .transpose()?;
        let password = match (given, options.password_file) {
            (Some(_), Some(_)) => {
                return Err(StoreError::misuse(
                    "the store's URL has a password and a `password_file`: keep one, the file by preference",
                ));
            }
            (Some(written), None) => Some(Password::Written(written)),
            (None, file) => file.map(Password::InFile),
        };
        let user = (!url.username().is_empty())
            .then(|| decode(url.username(), "user"))
            .transpose()?;
        if tls && matches!(address, Address::Unix(_)) {
            return Err(StoreError::misuse(
                "TLS goes over the network, not over a `socket`: write the scheme without its final s",
            ));
        }
        let tls = tls
            || options
                .tls
                .unwrap_or(engine == Engine::Postgres && !address.is_local());
        if options.ca_file.is_some() && !tls {
            return Err(StoreError::misuse(match engine {
                Engine::Redis => "`ca_file` is for TLS: write rediss:// for it",
                Engine::Postgres => "`ca_file` is for TLS, which this URL does not use: add tls=on",
            }));
        }
        Ok(Self {
            engine,
            tls,
            address,
            user,
            password,
            database: database(&url, engine)?,
            space: options.space.unwrap_or_else(|| SPACE.to_owned()),
            ca_file: options.ca_file,
            timeout: options.timeout.unwrap_or(TIMEOUT),
            connections: options.connections.unwrap_or(match engine {
                Engine::Redis => 1,
                Engine::Postgres => CONNECTIONS,
            }),
        })
    }

    /// Which server, for an operator.
    #[cfg(feature = "network")]
    pub(crate) fn place(&self) -> String {
        let how = if self.tls { " with TLS" } else { "" };
        format!("{} at {}{how}", self.engine.name(), self.address)
    }

    pub(crate) fn relative_to(mut self, base: &Path) -> Self {
        let moved = |path: &mut PathBuf| *path = base.join(&*path);
        if let Some(Password::InFile(path)) = &mut self.password {
            moved(path);
        }
        if let Some(path) = &mut self.ca_file {
            moved(path);
        }
        if let Address::Unix(path) = &mut self.address {
            moved(path);
        }
        self
    }
}

impl Address {
    /// Whether what is said stays on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Unix(_) => true,
            Self::Tcp { host, .. } => {
                host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
            }
        }
    }
}

#[derive(Default)]
struct Options {
    password_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    socket: Option<PathBuf>,
    space: Option<String>,
    timeout: Option<Duration>,
    tls: Option<bool>,
    connections: Option<usize>,
}

impl Options {
    fn read(url: &Url, engine: Engine) -> Result<Self, StoreError> {
        let mut options = Self::default();
        let mut seen = Vec::new();
        for (name, value) in url.query_pairs() {
            let Some(&known) = engine.options().iter().find(|known| **known == name) else {
                // A mistyped option may hold a password: its value is not repeated, and its name only if it is a word.
                let shown = if name.len() <= 32 && name.bytes().all(is_word) {
                    format!("`{name}`")
                } else {
                    "a part after ?".to_owned()
                };
                return Err(StoreError::misuse(format!(
                    "{shown} is no option of a store on {}; known are {}",
                    engine.name(),
                    engine.options().join(", ")
                )));
            };
            if seen.contains(&known) {
                return Err(StoreError::misuse(format!(
                    "`{known}` is given twice in the store's URL"
                )));
            }
            seen.push(known);
            options.set(known, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), StoreError> {
        let must =
            |rule: &str| StoreError::misuse(format!("`{name}` in the store's URL must be {rule}"));
        let path = || {
            (!value.is_empty() && !value.contains('\0'))
                .then(|| PathBuf::from(value))
                .ok_or_else(|| must("the path of a file"))
        };
        match name {
            "password_file" => self.password_file = Some(path()?),
            "ca_file" => self.ca_file = Some(path()?),
            "socket" => self.socket = Some(path()?),
            "prefix" => {
                let fits = (1..=64).contains(&value.len())
                    && value
                        .bytes()
                        .all(|byte| is_word(byte) || b".:-".contains(&byte));
                self.space = Some(
                    fits.then(|| value.to_owned())
                        .ok_or_else(|| must("1 to 64 letters, digits, or characters of _.:-"))?,
                );
            }
            "schema" => {
                let fits = (1..=40).contains(&value.len())
                    && !value.starts_with("pg_")
                    && value.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
                    && value
                        .bytes()
                        .all(|byte| is_word(byte) && !byte.is_ascii_uppercase());
                self.space = Some(fits.then(|| value.to_owned()).ok_or_else(|| {
                    must("1 to 40 small letters, digits or _, with no digit first and not pg_")
                })?);
            }
            "timeout" => {
                let range = Duration::from_millis(100)..=Duration::from_mins(1);
                self.timeout = Some(
                    duration(value)
                        .filter(|timeout| range.contains(timeout))
                        .ok_or_else(|| must("from 100ms to 60s, with its unit"))?,
                );
            }
            "tls" => {
                self.tls = Some(match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(must("on or off")),
                });
            }
            _ => {
                self.connections = Some(
                    value
                        .parse()
                        .ok()
                        .filter(|count| (1..=MAX_CONNECTIONS).contains(count))
                        .ok_or_else(|| must(&format!("a number from 1 to {MAX_CONNECTIONS}")))?,
                );
            }
        }
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?
        .parse()
        .ok()
        .map(Duration::from_secs)
}

fn database(url: &Url, engine: Engine) -> Result<String, StoreError> {
    let path = url.path().strip_prefix('/').unwrap_or(url.path());
    let name = decode(path, "database")?;
    match engine {
        Engine::Redis if name.is_empty() => Ok("0".to_owned()),
        Engine::Redis => match name.parse::<u16>() {
            Ok(number) => Ok(number.to_string()),
            Err(_) => Err(StoreError::misuse(
                "what follows the host in a Redis URL is the number of a database, such as redis://127.0.0.1/0",
            )),
        },
        Engine::Postgres if name.is_empty() || name.contains(['/', '\0']) => {
            Err(StoreError::misuse(
                "a PostgreSQL URL names a database after the host, such as postgres://casque@127.0.0.1/casque",
            ))
        }
        Engine::Postgres => Ok(name),
    }
}

fn decode(text: &str, part: &str) -> Result<String, StoreError> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| {
            StoreError::misuse(format!("the {part} in the store's URL is not text (UTF-8)"))
        })
}

/// The URL with everything but the password.
impl fmt::Display for NetworkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.engine, self.tls) {
            (Engine::Redis, false) => "redis://",
            (Engine::Redis, true) => "rediss://",
            (Engine::Postgres, _) => "postgres://",
        })?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if matches!(self.password, Some(Password::Written(_))) {
            f.write_str(":…")?;
        }
        if self.user.is_some() || matches!(self.password, Some(Password::Written(_))) {
            f.write_str("@")?;
        }
        if let Address::Tcp { .. } = self.address {
            write!(f, "{}", self.address)?;
        }
        write!(f, "/{}", self.database)?;
        let mut options = Vec::new();
        if let Address::Unix(path) = &self.address {
            options.push(format!("socket={}", path.display()));
        }
        if let Some(Password::InFile(path)) = &self.password {
            options.push(format!("password_file={}", path.display()));
        }
        if let Some(path) = &self.ca_file {
            options.push(format!("ca_file={}", path.display()));
        }
        if self.space != SPACE {
            let name = match self.engine {
                Engine::Redis => "prefix",
                Engine::Postgres => "schema",
            };
            options.push(format!("{name}={}", self.space));
        }
        if self.engine == Engine::Postgres && self.tls == self.address.is_local() {
            options.push(format!("tls={}", if self.tls { "on" } else { "off" }));
        }
        if !options.is_empty() {
            write!(f, "?{}", options.join("&"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for NetworkUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}
