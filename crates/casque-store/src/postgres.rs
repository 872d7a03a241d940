mod schema;
mod server;
mod sql;
mod walk;

use std::{fmt, sync::Arc, time::SystemTime};

use sha2::{Digest, Sha256};
use tokio_postgres::{Row, types::ToSql};

use self::{
    server::{Connection, Server},
    sql::Statements,
};
use crate::{
    Clock, Cursor, Key, Page, Store, StoreError, StoreFuture, instant::Nanos, link::Link,
    store::check_length, url::NetworkUrl,
};

/// A store in PostgreSQL, which many processes and machines share.
///
/// Every operation is one prepared statement in a transaction of its own, and no lock outlives a statement. A commit waits for
/// the disk, and connections that commit at the same moment wait together; so a call takes a connection of its own while
/// there are any, and then one behind another call, without waiting for that one's answer.
pub(crate) struct PostgresStore {
    url: NetworkUrl,
    link: Link<Server>,
    clock: Arc<dyn Clock>,
}

/// How often a statement is tried that PostgreSQL has undone as a whole, because it was in another's way.
const ATTEMPTS: usize = 3;

impl PostgresStore {
    /// Reads the files that the URL names. Does not connect.
    pub(crate) fn open(url: &NetworkUrl, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Ok(Self {
            link: Link::new(Server::new(url)?, url.connections, url.timeout),
            url: url.clone(),
            clock,
        })
    }

    fn now(&self) -> i64 {
        Nanos::from(self.clock.now()).0
    }

    async fn rows(
        &self,
        statement: fn(&Statements) -> &tokio_postgres::Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, StoreError> {
        self.link
            .call(|connection| async move {
                let mut attempt = 1;
                loop {
                    let Connection {
                        client, statements, ..
                    } = &*connection;
                    match client.query(statement(statements), parameters).await {
                        Ok(rows) => return Ok(rows),
                        Err(error) if attempt < ATTEMPTS && server::was_undone(&error) => {
                            attempt += 1;
                        }
                        Err(error) => return Err(server::fault(&error, &connection)),
                    }
                }
            })
            .await
    }

    async fn row(
        &self,
        statement: fn(&Statements) -> &tokio_postgres::Statement,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.rows(statement, parameters).await?.pop())
    }

    /// Whether a deadline that has come with an answer just now is still ahead.
    fn is_live(&self, row: &Row) -> Result<bool, StoreError> {
        Ok(self.now() < column::<i64>(row, 0)?)
    }

    async fn sweep_some(&self, limit: usize) -> Result<usize, StoreError> {
        let mut removed = 0;
        for statement in [
            (|all| &all.sweep_records) as fn(&Statements) -> &tokio_postgres::Statement,
            |all| &all.sweep_members,
        ] {
            let most = i64::try_from(limit - removed).unwrap_or(i64::MAX);
            let row = self.row(statement, &[&self.now(), &most]).await?;
            removed += count(row.as_ref())?;
        }
        Ok(removed)
    }
}

fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    place: usize,
) -> Result<T, StoreError> {
    row.try_get(place)
        .map_err(|_| StoreError::unavailable("PostgreSQL answered what no store holds", "a column"))
}

fn count(row: Option<&Row>) -> Result<usize, StoreError> {
    let number = row.map_or(Ok(0), |row| column::<i64>(row, 0))?;
    Ok(usize::try_from(number).unwrap_or(0))
}

/// Members may be longer than an index takes, so they are found by their hash.
fn digest(member: &[u8]) -> [u8; 32] {
    Sha256::digest(member).into()
}

/// A number that appends to one set have in common, for their turn.
fn turn(key: &Key) -> i32 {
    let [a, b, c, d, ..] = *key.digest();
    i32::from_be_bytes([a, b, c, d])
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Store for PostgresStore {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            check_length(&value)?;
            let made = self
                .row(
                    |all| &all.create,
                    &[
                        &&key.digest()[..],
                        &key.kind(),
                        &Nanos::from(deadline).0,
                        &value,
                        &self.now(),
                    ],
                )
                .await?;
            Ok(made.is_some())
        })
    }

    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            match self.row(|all| &all.get, &[&&key.digest()[..]]).await? {
                Some(row) if self.is_live(&row)? => column(&row, 1).map(Some),
                _ => Ok(None),
            }
        })
    }

    fn touch<'a>(&'a self, key: &'a Key, deadline: SystemTime) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let touched = self
                .row(
                    |all| &all.touch,
                    &[&&key.digest()[..], &Nanos::from(deadline).0, &self.now()],
                )
                .await?;
            Ok(touched.is_some())
        })
    }

    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        Box::pin(async move {
            match self.row(|all| &all.take, &[&&key.digest()[..]]).await? {
                Some(row) if self.is_live(&row)? => column(&row, 1).map(Some),
                _ => Ok(None),
            }
        })
    }

    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            match self.row(|all| &all.delete, &[&&key.digest()[..]]).await? {
                Some(row) => self.is_live(&row),
                None => Ok(false),
            }
        })
    }

    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        deadline: SystemTime,
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move {
            check_length(&member)?;
            let counted = self
                .row(
                    |all| &all.append,
                    &[
                        &&key.digest()[..],
                        &&digest(&member)[..],
                        &member,
                        &key.kind(),
                        &Nanos::from(deadline).0,
                        &self.now(),
                        &turn(key),
                    ],
                )
                .await?;
            count(counted.as_ref())
        })
    }

    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let rows = self
                .rows(|all| &all.members, &[&&key.digest()[..], &self.now()])
                .await?;
            rows.iter().map(|row| column(row, 0)).collect()
        })
    }

    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        Box::pin(async move {
            let digests: Vec<_> = members.iter().map(|member| digest(member)).collect();
            let digests: Vec<&[u8]> = digests.iter().map(<[u8; 32]>::as_slice).collect();
            let removed = self
                .rows(|all| &all.remove_members, &[&&key.digest()[..], &digests])
                .await?;
            let mut live = 0;
            for row in &removed {
                live += usize::from(self.is_live(row)?);
            }
            Ok(live)
        })
    }

    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        Box::pin(async move {
            let rows = self
                .rows(|all| &all.take_members, &[&&key.digest()[..]])
                .await?;
            let mut live = Vec::with_capacity(rows.len());
            for row in &rows {
                if self.is_live(row)? {
                    live.push(column(row, 1)?);
                }
            }
            Ok(live)
        })
    }

    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        Box::pin(self.sweep_some(limit))
    }

    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        Box::pin(self.page(kind, from, limit))
    }

    fn ping(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let row = self.row(|all| &all.ping, &[]).await?;
            match row.map(|row| column::<bool>(&row, 0)).transpose()? {
                Some(false) => Ok(()),
                _ => Err(server::takes_no_writes()),
            }
        })
    }
}
