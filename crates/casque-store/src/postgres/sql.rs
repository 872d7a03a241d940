//! Each operation of the store as SQL. All of it is prepared once for a connection, and everything variable is bound.

use tokio_postgres::{Client, Error, Statement};

/// `{s}` stands for the schema, whose name the URL's rule keeps to letters, digits and `_`.
const CREATE: &str = "INSERT INTO {s}.record AS held (key, kind, deadline, value) VALUES ($1, $2, $3, $4)
    ON CONFLICT (key) DO UPDATE SET deadline = excluded.deadline, value = excluded.value WHERE held.deadline <= $5
    RETURNING true";
const GET: &str = "SELECT deadline, value FROM {s}.record WHERE key = $1";
const TOUCH: &str =
    "UPDATE {s}.record SET deadline = $2 WHERE key = $1 AND deadline > $3 RETURNING true";
const TAKE: &str = "DELETE FROM {s}.record WHERE key = $1 RETURNING deadline, value";
const DELETE: &str = "DELETE FROM {s}.record WHERE key = $1 RETURNING deadline";
const APPEND: &str = "SELECT {s}.append_1($1, $2, $3, $4, $5, $6, $7)";
const MEMBERS: &str = "SELECT member FROM {s}.member WHERE key = $1 AND deadline > $2";
const REMOVE_MEMBERS: &str =
    "DELETE FROM {s}.member WHERE key = $1 AND digest = ANY ($2) RETURNING deadline";
const TAKE_MEMBERS: &str = "DELETE FROM {s}.member WHERE key = $1 RETURNING deadline, member";

// What another sweep or a caller is just working on is left to it. The array is made once, whatever plan is chosen.
const SWEEP_RECORDS: &str = "WITH swept AS (DELETE FROM {s}.record WHERE key = ANY (ARRAY(
        SELECT key FROM {s}.record WHERE deadline <= $1 ORDER BY deadline LIMIT $2 FOR UPDATE SKIP LOCKED
    )) RETURNING 1) SELECT count(*) FROM swept";
const SWEEP_MEMBERS: &str = "WITH swept AS (DELETE FROM {s}.member WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM {s}.member WHERE deadline <= $1 ORDER BY deadline LIMIT $2 FOR UPDATE SKIP LOCKED
    )) RETURNING 1) SELECT count(*) FROM swept";

const WALK_RECORDS: &str =
    "SELECT kind, key, value, deadline FROM {s}.record WHERE key > $1 ORDER BY key LIMIT $2";
const WALK_MEMBERS: &str = "SELECT kind, key, member, deadline, digest FROM {s}.member
    WHERE (key, digest) > ($1, $2) ORDER BY key, digest LIMIT $3";

// A standby, or a server that an operator has made read-only, is of no use to a store.
const PING: &str = "SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::bool
    FROM {s}.casque_schema";

pub(super) struct Statements {
    pub(super) create: Statement,
    pub(super) get: Statement,
    pub(super) touch: Statement,
    pub(super) take: Statement,
    pub(super) delete: Statement,
    pub(super) append: Statement,
    pub(super) members: Statement,
    pub(super) remove_members: Statement,
    pub(super) take_members: Statement,
    pub(super) sweep_records: Statement,
    pub(super) sweep_members: Statement,
    pub(super) walk_records: Statement,
    pub(super) walk_members: Statement,
    pub(super) ping: Statement,
}

impl Statements {
    pub(super) async fn prepare(client: &Client, schema: &str) -> Result<Self, Error> {
        let prepare = async |sql: &str| client.prepare(&sql.replace("{s}", schema)).await;
        Ok(Self {
            create: prepare(CREATE).await?,
            get: prepare(GET).await?,
            touch: prepare(TOUCH).await?,
            take: prepare(TAKE).await?,
            delete: prepare(DELETE).await?,
            append: prepare(APPEND).await?,
            members: prepare(MEMBERS).await?,
            remove_members: prepare(REMOVE_MEMBERS).await?,
            take_members: prepare(TAKE_MEMBERS).await?,
            sweep_records: prepare(SWEEP_RECORDS).await?,
            sweep_members: prepare(SWEEP_MEMBERS).await?,
            walk_records: prepare(WALK_RECORDS).await?,
            walk_members: prepare(WALK_MEMBERS).await?,
            ping: prepare(PING).await?,
        })
    }
}
