use redis::{RedisResult, Value, cmd, from_redis_value, pipe};

use super::{Micros, RedisStore, server::fault};
use crate::{Cursor, Entry, Key, Page, Shape, StoreError, hex::unhex};

impl RedisStore {
    /// One step of a SCAN, and what is under the names that it gave. A cursor is Redis' own.
    pub(super) async fn page(
        &self,
        kind: Option<&str>,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let cursor = match from {
            None => 0,
            Some(cursor) => read_cursor(cursor).ok_or_else(Cursor::unknown)?,
        };
        let pattern = match kind {
            None => format!("{}:[rs]:*", self.url.space),
            // No record has a kind that would mean more than itself in a pattern.
            Some(kind)
                if kind
                    .bytes()
                    .all(|byte| byte == b'-' || byte.is_ascii_alphanumeric()) =>
            {
                format!("{}:[rs]:{kind}:*", self.url.space)
            }
            Some(_) => {
                return Ok(Page {
                    entries: Vec::new(),
                    next: None,
                });
            }
        };
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("MATCH").arg(pattern);
        scan.arg("COUNT").arg(limit.max(1));
        let (next, names): (u64, Vec<String>) = self.ask(scan).await?;
        Ok(Page {
            entries: self.read(&names).await?,
            next: (next != 0).then(|| Cursor::new(format!("scan:{next}"))),
        })
    }

    async fn read(&self, names: &[String]) -> Result<Vec<Entry>, StoreError> {
        let places: Vec<Place<'_>> = names
            .iter()
            .filter_map(|name| Place::of(name, &self.url.space))
            .collect();
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = pipe();
        let now = self.now().behind();
        for place in &places {
            match place.shape {
                Shape::Record => asked.cmd("GET").arg(place.name),
                Shape::Member => asked
                    .cmd("ZRANGEBYSCORE")
                    .arg(place.name)
                    .arg(&now)
                    .arg("+inf")
                    .arg("WITHSCORES"),
            };
        }
        self.link
            .call(|connection| async move {
                let answers: RedisResult<Vec<Value>> =
                    asked.query_async(&mut connection.commands()).await;
                let mut entries = Vec::new();
                for (place, answer) in places
                    .iter()
                    .zip(answers.map_err(|error| fault(&error, &connection))?)
                {
                    let found = self.entries(place, answer);
                    entries.extend(found.map_err(|_| {
                        StoreError::unavailable("Redis holds what is none of casque's", "a type")
                    })?);
                }
                Ok(entries)
            })
            .await
    }

    fn entries(&self, place: &Place<'_>, answer: Value) -> Result<Vec<Entry>, redis::ParsingError> {
        let entry = |value, deadline: Micros| Entry {
            key: place.key,
            shape: place.shape,
            value,
            deadline: deadline.into(),
        };
        match place.shape {
            Shape::Record => {
                let held: Option<Vec<u8>> = from_redis_value(answer)?;
                // What is none of casque's has no deadline and is not given.
                let live = held.and_then(|mut held| {
                    let deadline = Micros::read(&held).filter(|&end| self.now() < end)?;
                    held.drain(..Micros::DIGITS);
                    Some(entry(held, deadline))
                });
                Ok(live.into_iter().collect())
            }
            Shape::Member => {
                let members: Vec<(Vec<u8>, u64)> = from_redis_value(answer)?;
                Ok(members
                    .into_iter()
                    .map(|(member, deadline)| entry(member, Micros(deadline)))
                    .collect())
            }
        }
    }
}

fn read_cursor(cursor: &Cursor) -> Option<u64> {
    cursor.as_str().strip_prefix("scan:")?.parse().ok()
}

/// A name that Redis gave, and what it stands for.
struct Place<'a> {
    name: &'a str,
    shape: Shape,
    key: Key,
}

impl<'a> Place<'a> {
    fn of(name: &'a str, space: &str) -> Option<Self> {
        let (shape, rest) = name
            .strip_prefix(space)?
            .strip_prefix(':')?
            .split_once(':')?;
        let (kind, digits) = rest.rsplit_once(':')?;
        Some(Self {
            name,
            shape: match shape {
                "r" => Shape::Record,
                "s" => Shape::Member,
                _ => return None,
            },
            key: Key::from_digest(kind, unhex(digits)?.try_into().ok()?).ok()?,
        })
    }
}
