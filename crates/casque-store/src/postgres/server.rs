use std::sync::atomic::{AtomicBool, Ordering};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};
use tokio_postgres::{Client, Config, Error, NoTls, config::SslMode, error::SqlState};

use super::{schema, sql::Statements};
use crate::{
    StoreError,
    dial::{BoxedWire, Tls, check_password, dial, password, unreachable},
    link::Backend,
    url::NetworkUrl,
};

pub(super) struct Server {
    url: NetworkUrl,
    tls: Option<Tls>,
    place: String,
}

/// The request for TLS that precedes everything: its length, and a number that is no version of the protocol.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

impl Server {
    pub(super) fn new(url: &NetworkUrl) -> Result<Self, StoreError> {
        check_password(url.password.as_ref())?;
        Ok(Self {
            tls: Tls::of(url)?,
            place: url.place(),
            url: url.clone(),
        })
    }

    async fn reach(&self) -> std::io::Result<Result<BoxedWire, StoreError>> {
        let mut wire = dial(&self.url.address).await?;
        let Some(tls) = &self.tls else {
            return Ok(Ok(wire));
        };
        wire.write_all(&SSL_REQUEST).await?;
        wire.flush().await?;
        if wire.read_u8().await? != b'S' {
            return Ok(Err(StoreError::unavailable(
                format!(
                    "{} offers no TLS; where nobody else is on the network, add tls=off to the store's URL",
                    self.place
                ),
                "TLS was refused",
            )));
        }
        tls.secure(wire).await.map(Ok)
    }
}

impl Backend for Server {
    type Connection = Connection;

    fn place(&self) -> &str {
        &self.place
    }

    async fn connect(&self) -> Result<Connection, StoreError> {
        let wire = self
            .reach()
            .await
            .map_err(|error| unreachable(&self.place, error))??;
        let mut config = Config::new();
        config
            .ssl_mode(SslMode::Disable)
            .application_name("casque")
            .dbname(&self.url.database);
        if let Some(user) = &self.url.user {
            config.user(user);
        }
        if let Some(password) = password(self.url.password.as_ref())? {
            config.password(password);
        }
        let (client, connection) = config
            .connect_raw(wire, NoTls)
            .await
            .map_err(|error| explain(&error))?;
        let driver = tokio::spawn(async move {
            // Whoever waits for an answer is told as well.
            let _ = connection.await;
        });
        let driver = Driver(driver);
        schema::prepare(&client, &self.url.space, &self.place).await?;
        // A statement whose caller has given up ends, too. Appends count on seeing what was committed before them.
        let settings = format!(
            "SET statement_timeout = {}; SET default_transaction_isolation = 'read committed'",
            self.url.timeout.as_millis()
        );
        client
            .batch_execute(&settings)
            .await
            .map_err(|error| explain(&error))?;
        let statements = Statements::prepare(&client, &self.url.space)
            .await
            .map_err(|error| explain(&error))?;
        Ok(Connection {
            client,
            statements,
            driver,
            is_spent: AtomicBool::new(false),
        })
    }

    fn is_open(connection: &Connection) -> bool {
        !connection.client.is_closed()
            && !connection.driver.0.is_finished()
            && !connection.is_spent.load(Ordering::Relaxed)
    }
}

/// One session of the server, over which many statements go at a time.
pub(super) struct Connection {
    pub(super) client: Client,
    pub(super) statements: Statements,
    driver: Driver,
    /// It answers, but is of no use any more.
    is_spent: AtomicBool,
}

struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Whether PostgreSQL has rolled the statement back and asks for another attempt.
pub(super) fn was_undone(error: &Error) -> bool {
    matches!(
        error.code(),
        Some(&SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE)
    )
}

pub(super) fn takes_no_writes() -> StoreError {
    StoreError::unavailable(
        "this PostgreSQL takes no writes",
        "it is a standby or read-only",
    )
}

/// PostgreSQL's error for an operator.
pub(super) fn fault(error: &Error, connection: &Connection) -> StoreError {
    // The name of the server may lead to another one by now, or the tables be made anew.
    let renew = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::UNDEFINED_TABLE,
        SqlState::UNDEFINED_FUNCTION,
    ];
    if error.code().is_some_and(|code| renew.contains(code)) {
        connection.is_spent.store(true, Ordering::Relaxed);
    }
    explain(error)
}

/// The server's message names tables and limits; its detail could repeat a value and is left out.
pub(super) fn explain(error: &Error) -> StoreError {
    let Some(told) = error.as_db_error() else {
        return StoreError::unavailable("the connection to PostgreSQL broke", error.to_string());
    };
    let reason = match told.code().code() {
        "28P01" | "28000" => "PostgreSQL refused the user or the password",
        "3D000" => "PostgreSQL has no such database",
        "42501" => "PostgreSQL does not permit its user what a store needs",
        "57P03" => "PostgreSQL is starting or ending",
        "57P01" | "57P02" => "PostgreSQL is ending",
        "57014" => "PostgreSQL took too long",
        "53300" => "PostgreSQL has too many connections",
        "53100" => "PostgreSQL's disk is full",
        "25006" => "this PostgreSQL takes no writes",
        _ => "PostgreSQL failed",
    };
    StoreError::unavailable(
        reason,
        format!("{} (SQLSTATE {})", told.message(), told.code().code()),
    )
}
