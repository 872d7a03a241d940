//! Walking through a whole store, page by page.

use std::{fmt, time::SystemTime};

use crate::{Key, Store, StoreError};

/// How many entries are copied between two looks at the next page.
const PAGE: usize = 500;

/// A live record, or a live member of a set, as [`Store::walk`] gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// What names the record or the set.
    pub key: Key,
    /// Whether this is a record, or one of the members of a set.
    pub shape: Shape,
    /// The value, or the member.
    pub value: Vec<u8>,
    /// When it ends.
    pub deadline: SystemTime,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A record with one value.
    Record,
    /// One member of a set.
    Member,
}

/// A part of a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What was found; there may be none and more to come.
    pub entries: Vec<Entry>,
    /// Where the next page begins; none where this was the last.
    pub next: Option<Cursor>,
}

/// A place in a walk: a text that means something to the back end that gave it, and to no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// For back ends.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For back ends.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What a back end says to a cursor that it did not make.
    pub fn unknown() -> StoreError {
        StoreError::misuse("this is no cursor of this store")
    }
}

/// The value is left out: it may be whatever its owner keeps.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("key", &self.key)
            .field("shape", &self.shape)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

/// What [`copy_store`] copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Records.
    pub records: usize,
    /// Members of sets.
    pub members: usize,
}

/// Puts one entry into a store. Tells whether it was not there before.
///
/// # Errors
///
/// As the store's [`create`](Store::create) and [`append`](Store::append).
pub async fn put_entry(store: &dyn Store, entry: Entry) -> Result<bool, StoreError> {
    let Entry {
        key,
        shape,
        value,
        deadline,
    } = entry;
    match shape {
        Shape::Record => store.create(&key, value, deadline).await,
        Shape::Member => {
            store.append(&key, value, deadline).await?;
            Ok(true)
        }
    }
}

/// Copies everything that is live from one store to another, which keeps what it has.
///
/// Both may be used meanwhile, but what changes in the first store is then copied or not; end its servers before.
///
/// # Errors
///
/// Where one of the stores fails; what was copied until then stays, and copying again is harmless.
///
/// ```
/// use std::{sync::Arc, time::Duration};
/// use casque_store::{Clock, Key, KeyHasher, MemoryStore, Store, SystemClock, copy_store};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let clock = Arc::new(SystemClock::new());
/// let (old, new) = (MemoryStore::new(clock.clone()), MemoryStore::new(clock.clone()));
/// let key = Key::new("session", b"alice's", &KeyHasher::random()?);
/// old.create(&key, b"alice".to_vec(), clock.now() + Duration::from_secs(60)).await?;
///
/// assert_eq!(copy_store(&old, &new).await?.records, 1);
/// assert_eq!(new.get(&key).await?.as_deref(), Some(&b"alice"[..]));
/// # Ok::<_, casque_store::StoreError>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
pub async fn copy_store(from: &dyn Store, to: &dyn Store) -> Result<Copied, StoreError> {
    let mut copied = Copied::default();
    let mut cursor = None;
    loop {
        let page = from.walk(None, cursor.as_ref(), PAGE).await?;
        for entry in page.entries {
            match entry.shape {
                Shape::Record => copied.records += 1,
                Shape::Member => copied.members += 1,
            }
            put_entry(to, entry).await?;
        }
        cursor = page.next;
        if cursor.is_none() {
            return Ok(copied);
        }
    }
}
