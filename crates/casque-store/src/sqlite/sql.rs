//! Each operation of the store as SQL. All of it is prepared once for a connection, and everything variable is bound.

use rusqlite::{Connection, OptionalExtension, Result, Row, params};

use crate::{Entry, Key, Shape, instant::Nanos};

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
             ON CONFLICT DO UPDATE SET deadline = excluded.deadline, value = excluded.value WHERE deadline <= ?5",
        )?
        .execute(params![key.digest(), key.kind(), deadline.0, value, now.0])?;
    Ok(changed == 1)
}

pub(super) fn get(db: &Connection, key: &Key, now: Nanos) -> Result<Option<Vec<u8>>> {
    db.prepare_cached("SELECT value FROM record WHERE kind = ?1 AND key = ?2 AND deadline > ?3")?
        .query_row(params![key.kind(), key.digest(), now.0], |row| row.get(0))
        .optional()
}

pub(super) fn touch(db: &Connection, key: &Key, deadline: Nanos, now: Nanos) -> Result<bool> {
    let changed = db
        .prepare_cached(
            "UPDATE record SET deadline = ?3 WHERE kind = ?1 AND key = ?2 AND deadline > ?4",
        )?
        .execute(params![key.kind(), key.digest(), deadline.0, now.0])?;
    Ok(changed == 1)
}

pub(super) fn take(db: &Connection, key: &Key, now: Nanos) -> Result<Option<Vec<u8>>> {
    let taken = db
        .prepare_cached(
            "DELETE FROM record WHERE kind = ?1 AND key = ?2 RETURNING deadline > ?3, value",
        )?
        .query_row(params![key.kind(), key.digest(), now.0], |row| {
            Ok(if row.get(0)? { Some(row.get(1)?) } else { None })
        })
        .optional()?;
    Ok(taken.flatten())
}

pub(super) fn delete(db: &Connection, key: &Key, now: Nanos) -> Result<bool> {
    let was_live = db
        .prepare_cached("DELETE FROM record WHERE kind = ?1 AND key = ?2 RETURNING deadline > ?3")?
        .query_row(params![key.kind(), key.digest(), now.0], |row| row.get(0))
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

pub(super) fn remove_members(
    db: &Connection,
    key: &Key,
    members: &[Vec<u8>],
    now: Nanos,
) -> Result<usize> {
    let mut remove = db.prepare_cached(
        "DELETE FROM member WHERE key = ?1 AND member = ?2 RETURNING deadline > ?3",
    )?;
    let mut removed = 0;
    for member in members {
        let was_live = remove
            .query_row(params![key.digest(), member, now.0], |row| row.get(0))
            .optional()?;
        removed += usize::from(was_live.unwrap_or(false));
    }
    Ok(removed)
}

pub(super) fn take_members(db: &Connection, key: &Key, now: Nanos) -> Result<Vec<Vec<u8>>> {
    let taken = members(db, key, now)?;
    db.prepare_cached("DELETE FROM member WHERE key = ?1")?
        .execute(params![key.digest()])?;
    Ok(taken)
}

pub(super) fn sweep(db: &Connection, limit: usize, now: Nanos) -> Result<usize> {
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

/// Looks through `limit` records behind a row.
pub(super) fn walk_records(
    db: &Connection,
    kind: Option<&str>,
    after: i64,
    limit: usize,
    now: Nanos,
) -> Result<(Vec<Entry>, Option<i64>)> {
    let mut statement = db.prepare_cached(
        "SELECT kind, key, value, deadline, id FROM record WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, sql_limit(limit)])?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0, after);
    while let Some(row) = rows.next()? {
        seen += 1;
        last = row.get(4)?;
        found.extend(entry(row, Shape::Record, kind, now)?);
    }
    Ok((found, (seen >= limit).then_some(last)))
}

/// Where a walk through the members is: a set and one of its members.
pub(super) type MemberPlace = ([u8; 32], Vec<u8>);

/// Looks through `limit` members behind a place.
pub(super) fn walk_members(
    db: &Connection,
    kind: Option<&str>,
    after: Option<&MemberPlace>,
    limit: usize,
    now: Nanos,
) -> Result<(Vec<Entry>, Option<MemberPlace>)> {
    let mut statement = db.prepare_cached(
        "SELECT kind, key, member, deadline FROM member WHERE (key, member) > (?1, ?2)
         ORDER BY key, member LIMIT ?3",
    )?;
    // Every key is longer than nothing, and therefore behind it.
    let (key, member) = after.map_or((&[][..], &[][..]), |(key, member)| (key, member));
    let mut rows = statement.query(params![key, member, sql_limit(limit)])?;
    let (mut found, mut seen, mut last) = (Vec::new(), 0, None);
    while let Some(row) = rows.next()? {
        seen += 1;
        if seen == limit {
            last = Some((row.get(1)?, row.get(2)?));
        }
        found.extend(entry(row, Shape::Member, kind, now)?);
    }
    Ok((found, last))
}

/// A row as an entry, if it is live and of the kind that is wanted.
fn entry(row: &Row<'_>, shape: Shape, wanted: Option<&str>, now: Nanos) -> Result<Option<Entry>> {
    let kind = row.get_ref(0)?.as_str()?;
    let deadline = Nanos(row.get(3)?);
    if deadline <= now || wanted.is_some_and(|wanted| wanted != kind) {
        return Ok(None);
    }
    let Ok(key) = Key::from_digest(kind, row.get(1)?) else {
        return Ok(None);
    };
    Ok(Some(Entry {
        key,
        shape,
        value: row.get(2)?,
        deadline: deadline.into(),
    }))
}

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Runs in a transaction of the writer, so it finds out whether writing is possible.
pub(super) fn ping(db: &Connection) -> Result<()> {
    db.prepare_cached("SELECT version FROM casque_schema")?
        .query_row([], |row| row.get::<_, i64>(0))?;
    Ok(())
}
