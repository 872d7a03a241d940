//! The tables, and how they come to be.
//!
//! A step is never changed once it has been released. It only adds: tables, columns with a default, functions under a new
//! name. What the version before it needs stays for one version more, so that both may run side by side.

use tokio_postgres::{Client, Error, error::SqlState};

use super::server::explain;
use crate::StoreError;

/// The steps from an empty schema to [`VERSION`], each with the oldest version that can work on its result.
const STEPS: [(&str, i32); 1] = [(
    "CREATE TABLE {s}.record (
        key bytea PRIMARY KEY,
        kind text NOT NULL,
        deadline bigint NOT NULL,
        value bytea NOT NULL
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
    CREATE INDEX record_deadline ON {s}.record (deadline);
    CREATE TABLE {s}.member (
        key bytea NOT NULL,
        digest bytea NOT NULL,
        member bytea NOT NULL,
        kind text NOT NULL,
        deadline bigint NOT NULL,
        PRIMARY KEY (key, digest)
    ) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);
    CREATE INDEX member_deadline ON {s}.member (deadline);
    -- Appends to one set take turns, so that each is told a count of its own. Every statement in here sees what was
    -- committed before its turn, which one statement alone would not.
    CREATE FUNCTION {s}.append_1(
        set_key bytea, new_digest bytea, new_member bytea, new_kind text, new_deadline bigint, now bigint, turn integer
    ) RETURNS bigint LANGUAGE plpgsql AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock(1667330161, turn);
        IF now < new_deadline THEN
            INSERT INTO {s}.member AS held (key, digest, member, kind, deadline)
            VALUES (set_key, new_digest, new_member, new_kind, new_deadline)
            ON CONFLICT (key, digest) DO UPDATE SET deadline = greatest(held.deadline, excluded.deadline);
        END IF;
        RETURN (SELECT count(*) FROM {s}.member WHERE key = set_key AND deadline > now);
    END $$;",
    1,
)];

/// The schema that this version writes.
const VERSION: i32 = 1;

/// What nodes lock that start at the same moment, so that one of them makes the tables.
const LOCK: &str = "SELECT pg_advisory_xact_lock(1667330160, 0)";

/// Makes the tables where there are none, or brings them up to date.
pub(super) async fn prepare(client: &Client, schema: &str, place: &str) -> Result<(), StoreError> {
    let current = match version(client, schema).await {
        Ok(found) => found,
        Err(error)
            if matches!(
                error.code(),
                Some(&SqlState::UNDEFINED_TABLE | &SqlState::INVALID_SCHEMA_NAME)
            ) =>
        {
            None
        }
        Err(error) => return Err(explain(&error)),
    };
    match current {
        Some((found, oldest)) if oldest > VERSION => Err(StoreError::NewerSchema {
            store: place.to_owned(),
            found: found.into(),
            known: VERSION.into(),
        }),
        Some((found, _)) if found >= VERSION => Ok(()),
        _ => migrate(client, schema).await.map_err(|error| {
            if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
                return StoreError::misuse(format!(
                    "the user of {place} may not make the schema {schema}: let its owner run \
                     CREATE SCHEMA {schema} AUTHORIZATION the user"
                ));
            }
            explain(&error)
        }),
    }
}

/// The version of the schema, and the oldest casque that can work on it.
async fn version(client: &Client, schema: &str) -> Result<Option<(i32, i32)>, Error> {
    let sql = format!("SELECT version, oldest_reader FROM {schema}.casque_schema");
    let row = client.query_opt(&sql, &[]).await?;
    row.map(|row| Ok((row.try_get(0)?, row.try_get(1)?)))
        .transpose()
}

/// All steps that are missing, in one transaction: after a failure nothing has changed.
async fn migrate(client: &Client, schema: &str) -> Result<(), Error> {
    client.batch_execute("BEGIN").await?;
    client.batch_execute(LOCK).await?;
    let exists = |kind, name| {
        let sql = format!("SELECT {kind}('{name}') IS NOT NULL");
        async move { client.query_one(&sql, &[]).await?.try_get::<_, bool>(0) }
    };
    if !exists("to_regnamespace", schema.to_owned()).await? {
        client
            .batch_execute(&format!("CREATE SCHEMA {schema}"))
            .await?;
    }
    if !exists("to_regclass", format!("{schema}.casque_schema")).await? {
        client
            .batch_execute(&format!(
                "CREATE TABLE {schema}.casque_schema (version integer NOT NULL, oldest_reader integer NOT NULL);
                 INSERT INTO {schema}.casque_schema VALUES (0, 0)"
            ))
            .await?;
    }
    // Another node may have done it while this one waited.
    let found = version(client, schema).await?.map_or(0, |found| found.0);
    let missing = usize::try_from(found).unwrap_or(0);
    for (number, (step, oldest_reader)) in (1..).zip(STEPS).skip(missing) {
        client.batch_execute(&step.replace("{s}", schema)).await?;
        client
            .batch_execute(&format!(
                "UPDATE {schema}.casque_schema SET version = {number}, oldest_reader = {oldest_reader}"
            ))
            .await?;
    }
    client.batch_execute("COMMIT").await
}
