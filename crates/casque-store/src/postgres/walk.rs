use tokio_postgres::Row;

use super::{PostgresStore, column};
use crate::{
    Cursor, Entry, Key, Page, Shape, StoreError,
    hex::{hex, unhex},
    instant::Nanos,
};

/// Where a walk is, each by its index: first come the records, then the members.
enum Place {
    Records(Vec<u8>),
    Members(Vec<u8>, Vec<u8>),
}

impl Place {
    fn read(cursor: Option<&Cursor>) -> Option<Self> {
        let digest = |digits| unhex(digits).filter(|digest| digest.len() == 32);
        let Some(cursor) = cursor else {
            return Some(Self::Records(Vec::new()));
        };
        match cursor.as_str().split_once(':')? {
            ("record", key) => digest(key).map(Self::Records),
            ("member", "") => Some(Self::Members(Vec::new(), Vec::new())),
            ("member", place) => {
                let (key, member) = place.split_once(':')?;
                Some(Self::Members(digest(key)?, digest(member)?))
            }
            _ => None,
        }
    }

    fn to_cursor(&self) -> Cursor {
        Cursor::new(match self {
            Self::Records(key) => format!("record:{}", hex(key)),
            Self::Members(key, _) if key.is_empty() => "member:".to_owned(),
            Self::Members(key, member) => format!("member:{}:{}", hex(key), hex(member)),
        })
    }
}

impl PostgresStore {
    /// Looks through `limit` rows behind a place.
    pub(super) async fn page(
        &self,
        kind: Option<&str>,
        from: Option<&Cursor>,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let from = Place::read(from).ok_or_else(Cursor::unknown)?;
        let limit = limit.max(1);
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let (rows, shape) = match &from {
            Place::Records(key) => {
                let rows = self.rows(|all| &all.walk_records, &[key, &most]).await?;
                (rows, Shape::Record)
            }
            Place::Members(key, member) => {
                let rows = self
                    .rows(|all| &all.walk_members, &[key, member, &most])
                    .await?;
                (rows, Shape::Member)
            }
        };
        let next = match (rows.last().filter(|_| rows.len() >= limit), shape) {
            (Some(last), Shape::Record) => Some(Place::Records(column(last, 1)?)),
            (None, Shape::Record) => Some(Place::Members(Vec::new(), Vec::new())),
            (Some(last), Shape::Member) => Some(Place::Members(column(last, 1)?, column(last, 4)?)),
            (None, Shape::Member) => None,
        };
        let mut entries = Vec::new();
        for row in &rows {
            entries.extend(self.entry(row, shape, kind)?);
        }
        Ok(Page {
            entries,
            next: next.as_ref().map(Place::to_cursor),
        })
    }

    /// A row as an entry, if it is live and of the kind that is wanted.
    fn entry(
        &self,
        row: &Row,
        shape: Shape,
        wanted: Option<&str>,
    ) -> Result<Option<Entry>, StoreError> {
        let (kind, key): (&str, &[u8]) = (column(row, 0)?, column(row, 1)?);
        let deadline: i64 = column(row, 3)?;
        if deadline <= self.now() || wanted.is_some_and(|wanted| wanted != kind) {
            return Ok(None);
        }
        let key = key
            .try_into()
            .ok()
            .and_then(|digest| Key::from_digest(kind, digest).ok());
        let Some(key) = key else {
            return Ok(None);
        };
        Ok(Some(Entry {
            key,
            shape,
            value: column(row, 2)?,
            deadline: Nanos(deadline).into(),
        }))
    }
}
