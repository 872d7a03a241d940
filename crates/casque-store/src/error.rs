use std::{error::Error, path::PathBuf};

/// Why a store could not do what it was asked.
///
/// No variant carries a key, a value or a member.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached or cannot write: busy, disk full, read-only, closed.
    ///
    /// Whether the operation took place is not known; where it matters (a take), assume that it did.
    #[error("the store is unavailable: {reason}")]
    #[non_exhaustive]
    Unavailable {
        /// What happened, in words for an operator.
        reason: String,
        /// What the back end said.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The caller asked for something that cannot work: an unknown URL, a value over [`MAX_VALUE_BYTES`](crate::MAX_VALUE_BYTES).
    #[error("{reason}")]
    #[non_exhaustive]
    Misuse {
        /// What is wrong, and what to do instead.
        reason: String,
    },
    /// The file exists and is not a casque store; it was not changed.
    #[error("{} is not a casque store: {reason}", path.display())]
    #[non_exhaustive]
    NotOurs {
        /// The file.
        path: PathBuf,
        /// What it is instead, as far as known.
        reason: String,
    },
    /// The store was written by a newer casque, in a way that this one cannot read; it was not changed.
    #[error(
        "{store} has store schema {found}, this casque knows up to {known}: use the casque that wrote it, or a newer one"
    )]
    #[non_exhaustive]
    NewerSchema {
        /// The file, or the server.
        store: String,
        /// The schema version found there.
        found: i64,
        /// The newest schema version this build knows.
        known: i64,
    },
}

impl StoreError {
    /// A back end outside this crate reports that it cannot serve.
    pub fn unavailable(
        reason: impl Into<String>,
        source: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            source: Some(source.into()),
        }
    }

    /// The caller asked for something that cannot work.
    pub fn misuse(reason: impl Into<String>) -> Self {
        Self::Misuse {
            reason: reason.into(),
        }
    }

    /// The same without its source, for another caller who hears of it later.
    #[cfg(feature = "network")]
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Unavailable { reason, source } => Self::Unavailable {
                reason: reason.clone(),
                source: source.as_ref().map(|source| source.to_string().into()),
            },
            Self::Misuse { reason } => Self::Misuse {
                reason: reason.clone(),
            },
            Self::NotOurs { path, reason } => Self::NotOurs {
                path: path.clone(),
                reason: reason.clone(),
            },
            Self::NewerSchema {
                store,
                found,
                known,
            } => Self::NewerSchema {
                store: store.clone(),
                found: *found,
                known: *known,
            },
        }
    }

    /// Whether the same call may succeed later, so that a page answers 503 and not 500.
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
