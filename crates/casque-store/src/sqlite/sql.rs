//! Each operation of the store as SQL. All of it is prepared once for a connection, and everything variable is bound.

use rusqlite::{Connection, OptionalExtension, Result, params};

use crate::{Key, instant::Nanos};

pub(super) fn create(
    db: &Connection,
    key: &Key,
    value: &[u8],
    deadline: Nanos,
    now: Nanos,
) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "INSERT INTO record (key, kind, deadline, value) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key) DO UPDATE SET deadline = excluded.deadline, value = excluded.value WHERE deadline <= ?5",
        )?
        .execute(params![key.digest(), key.kind(), deadline.0, value, now.0])?;
    Ok(changed == 1)
}

pub(super) fn get(db: &Connection, key: &Key, now: Nanos) -> Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM record WHERE key = ?1 AND deadline > ?2")?
        .query_row(params![key.digest(), now.0], |row| row.get(0))
        .optional()
}

pub(super) fn touch(db: &Connection, key: &Key, deadline: Nanos, now: Nanos) -> Result<bool> {
    let changed = db
        .prepare_cached("UPDATE record SET deadline = ?2 WHERE key = ?1 AND deadline > ?3")?
        .execute(params![key.digest(), deadline.0, now.0])?;
    Ok(changed == 1)
}

pub(super) fn take(db: &Connection, key: &Key, now: Nanos) -> Result<Option<Vec<u8>>> {
    let taken = db
        .prepare_cached("DELETE FROM record WHERE key = ?1 RETURNING deadline > ?2, value")?
        .query_row(params![key.digest(), now.0], |row| {
            Ok(if row.get(0)? { Some(row.get(1)?) } else { None })
        })
        .optional()?;
    Ok(taken.flatten())
}

pub(super) fn delete(db: &Connection, key: &Key, now: Nanos) -> Result<bool> {
    let was_live = db
        .prepare_cached("DELETE FROM record WHERE key = ?1 RETURNING deadline > ?2")?
        .query_row(params![key.digest(), now.0], |row| row.get(0))
        .optional()?;
    Ok(was_live.unwrap_or(false))
}

pub(super) fn append(
    db: &Connection,
    key: &Key,
    member: &[u8],
    deadline: Nanos,
    now: Nanos,
) -> Result<usize> {
    if now < deadline {
        db.prepare_cached(
            "INSERT INTO member (key, member, kind, deadline) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (key, member) DO UPDATE SET deadline = max(deadline, excluded.deadline)",
        )?
        .execute(params![key.digest(), member, key.kind(), deadline.0])?;
    }
    let live: i64 = db
        .prepare_cached("SELECT count(*) FROM member WHERE key = ?1 AND deadline > ?2")?
        .query_row(params![key.digest(), now.0], |row| row.get(0))?;
    Ok(usize::try_from(live).unwrap_or(0))
}

pub(super) fn members(db: &Connection, key: &Key, now: Nanos) -> Result<Vec<Vec<u8>>> {
    db.prepare_cached("SELECT member FROM member WHERE key = ?1 AND deadline > ?2")?
        .query_map(params![key.digest(), now.0], |row| row.get(0))?
        .collect()
}

pub(super) fn remove_member(db: &Connection, key: &Key, member: &[u8], now: Nanos) -> Result<bool> {
    let was_live = db
        .prepare_cached(
            "DELETE FROM member WHERE key = ?1 AND member = ?2 RETURNING deadline > ?3",
        )?
        .query_row(params![key.digest(), member, now.0], |row| row.get(0))
        .optional()?;
    Ok(was_live.unwrap_or(false))
}

pub(super) fn take_members(db: &Connection, key: &Key, now: Nanos) -> Result<Vec<Vec<u8>>> {
    let taken = members(db, key, now)?;
    db.prepare_cached("DELETE FROM member WHERE key = ?1")?
        .execute(params![key.digest()])?;
    Ok(taken)
}

pub(super) fn sweep(db: &Connection, limit: usize, now: Nanos) -> Result<usize> {
    let sql_limit = |limit| i64::try_from(limit).unwrap_or(i64::MAX);
    let records = db
        .prepare_cached(
            "DELETE FROM record WHERE id IN (SELECT id FROM record WHERE deadline <= ?1 ORDER BY deadline LIMIT ?2)",
        )?
        .execute(params![now.0, sql_limit(limit)])?;
    let members = db
        .prepare_cached(
            "DELETE FROM member WHERE (key, member) IN
             (SELECT key, member FROM member WHERE deadline <= ?1 ORDER BY deadline LIMIT ?2)",
        )?
        .execute(params![now.0, sql_limit(limit - records)])?;
    Ok(records + members)
}

/// Runs in a transaction of the writer, so it finds out whether writing is possible.
pub(super) fn ping(db: &Connection) -> Result<()> {
    db.prepare_cached("SELECT version FROM casque_schema")?
        .query_row([], |row| row.get::<_, i64>(0))?;
    Ok(())
}
