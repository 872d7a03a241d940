use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, ErrorKind, RedisConnectionInfo, RedisError, ServerErrorKind,
    aio::MultiplexedConnection,
};
use tokio::task::JoinHandle;

use super::scripts::SCRIPTS;
use crate::{
    StoreError,
    dial::{Tls, check_password, dial, password, unreachable},
    link::Backend,
    url::NetworkUrl,
};

/// The layout that this version writes.
const VERSION: i64 = 1;

/// The oldest version that can read what this one writes.
const OLDEST_READER: i64 = 1;

/// Redis frees the note of the layout only if nobody has connected for so long: longer than any session lasts.
const SCHEMA_LIFE: Duration = Duration::from_hours(400 * 24);

/// How many calls may wait to be written to the socket.
const QUEUE: usize = 1024;

pub(super) struct Server {
    url: NetworkUrl,
    tls: Option<Tls>,
    place: String,
}

impl Server {
    pub(super) fn new(url: &NetworkUrl) -> Result<Self, StoreError> {
        check_password(url.password.as_ref())?;
        if !url.tls && !url.address.is_local() {
            tracing::warn!(
                "redis:// to another machine is not encrypted: on a network that others use write rediss://"
            );
        }
        Ok(Self {
            tls: Tls::of(url)?,
            place: url.place(),
            url: url.clone(),
        })
    }

    async fn log_in(&self) -> Result<Connection, StoreError> {
        let mut wire = dial(&self.url.address)
            .await
            .map_err(|error| unreachable(&self.place, error))?;
        if let Some(tls) = &self.tls {
            wire = tls
                .secure(wire)
                .await
                .map_err(|error| unreachable(&self.place, error))?;
        }
        let mut info = RedisConnectionInfo::default()
            .set_skip_set_lib_name()
            .set_db(self.url.database.parse().unwrap_or(0));
        if let Some(password) = password(self.url.password.as_ref())? {
            info = info.set_password(password);
            if let Some(user) = &self.url.user {
                info = info.set_username(user);
            }
        }
        // Every call has a deadline of its own.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let (commands, driver) = MultiplexedConnection::new_with_config(&info, wire, config)
            .await
            .map_err(|error| explain(&error))?;
        Ok(Connection {
            commands,
            driver: tokio::spawn(driver),
            is_spent: AtomicBool::new(false),
        })
    }

    /// Writes or renews the note of the layout: so it is known that this Redis takes writes, and what is in it.
    pub(super) async fn check(&self, connection: &Connection) -> Result<(), StoreError> {
        let mut schema = SCRIPTS.schema.key(format!("{}:schema", self.url.space));
        schema
            .arg(VERSION)
            .arg(OLDEST_READER)
            .arg(u64::try_from(SCHEMA_LIFE.as_millis()).unwrap_or(u64::MAX));
        let found: String = schema
            .invoke_async(&mut connection.commands())
            .await
            .map_err(|error| fault(&error, connection))?;
        let numbers = found.split_once(' ').and_then(|(version, oldest)| {
            Some((version.parse::<i64>().ok()?, oldest.parse::<i64>().ok()?))
        });
        match numbers {
            Some((_, oldest)) if oldest <= VERSION => Ok(()),
            Some((version, _)) => Err(StoreError::NewerSchema {
                store: self.place.clone(),
                found: version,
                known: VERSION,
            }),
            None => Err(StoreError::misuse(format!(
                "the key {}:schema in {} is none of casque's: take another `prefix`",
                self.url.space, self.place
            ))),
        }
    }
}

impl Backend for Server {
    type Connection = Connection;

    fn place(&self) -> &str {
        &self.place
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let connection = self.log_in().await?;
        self.check(&connection).await?;
        Ok(connection)
    }

    fn is_open(connection: &Connection) -> bool {
        !connection.driver.is_finished() && !connection.is_spent.load(Ordering::Relaxed)
    }
}

/// One socket, over which many calls go at a time.
pub(super) struct Connection {
    commands: MultiplexedConnection,
    driver: JoinHandle<()>,
    /// It answers, but is of no use any more.
    is_spent: AtomicBool,
}

impl Connection {
    pub(super) fn commands(&self) -> MultiplexedConnection {
        self.commands.clone()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Redis' error for an operator.
pub(super) fn fault(error: &RedisError, connection: &Connection) -> StoreError {
    // The name of the server may lead to another one by now, which has become the primary.
    let moved = matches!(
        error.kind(),
        ErrorKind::Server(
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::ClusterDown
        )
    );
    if moved || error.is_unrecoverable_error() {
        connection.is_spent.store(true, Ordering::Relaxed);
    }
    explain(error)
}

/// Redis repeats the arguments of a command that it does not know; they are not passed on.
fn explain(error: &RedisError) -> StoreError {
    let code = error.code().unwrap_or_default();
    let reason = match (error.kind(), code) {
        (ErrorKind::AuthenticationFailed, _) | (_, "WRONGPASS" | "NOAUTH") => {
            "Redis refused the user or the password"
        }
        (_, "LOADING") => "Redis is still loading its data",
        (_, "READONLY") => "this Redis is a replica, which takes no writes",
        (_, "OOM") => "Redis has no memory left",
        (_, "MISCONF") => "Redis cannot write to its disk and takes no writes meanwhile",
        (_, "NOPERM") => {
            "Redis does not permit its user what a store needs (see the list in the book)"
        }
        (_, "BUSY") => "Redis is busy with somebody else's script",
        (_, "MOVED" | "ASK" | "CLUSTERDOWN" | "TRYAGAIN") => {
            "this Redis is part of a cluster, which needs a proxy in front for casque"
        }
        (_, "ERR") => "Redis refused a command: it must be Redis 6.2 or later, or Valkey",
        (ErrorKind::Io, _) => "the connection to Redis broke",
        _ => "Redis failed",
    };
    let source = match error.kind() {
        ErrorKind::Io => error.to_string(),
        _ => format!("{} {code}", error.category()),
    };
    StoreError::unavailable(reason, source)
}
