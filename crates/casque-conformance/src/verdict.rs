//! What a case can come to.

use casque_visitor::NoAnswer;

/// Where a requirement comes from, and so how much it weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// casque's own stricter choice, or a convention of the field: a server that does otherwise is not wrong.
    Choice,
    /// The specification recommends it: SHOULD, RECOMMENDED.
    Should,
    /// The specification requires it: MUST, SHALL, REQUIRED, or its schema.
    Must,
}

impl Level {
    /// `must`, `should` or `choice`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Choice => "choice",
            Self::Should => "should",
            Self::Must => "must",
        }
    }
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The server does as required.
    Pass,
    /// It breaks a MUST of the specification.
    Fail,
    /// It does not follow a recommendation of the specification.
    Warning,
    /// It differs from casque's stricter choice, or from a convention. Nothing is wrong.
    Note,
    /// The server does not have the feature, and need not have it.
    NotSupported,
    /// It could not be looked at.
    Skipped,
}

impl Outcome {
    /// All, in the order of a table.
    pub const ALL: [Self; 6] = [
        Self::Pass,
        Self::Fail,
        Self::Warning,
        Self::Note,
        Self::NotSupported,
        Self::Skipped,
    ];

    /// `pass`, `fail`, `warning`, `note`, `not supported`, `skipped`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::NotSupported => "not supported",
            Self::Skipped => "skipped",
        }
    }
}

/// Why a case does not pass.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// The requirement is broken, at this level or else at that of the case.
    Broken(Option<Level>, String),
    NotSupported(String),
    Skipped(String),
}

impl Stop {
    pub(crate) fn outcome(&self, level: Level) -> Outcome {
        match self {
            Self::Broken(own, _) => match own.unwrap_or(level) {
                Level::Must => Outcome::Fail,
                Level::Should => Outcome::Warning,
                Level::Choice => Outcome::Note,
            },
            Self::NotSupported(_) => Outcome::NotSupported,
            Self::Skipped(_) => Outcome::Skipped,
        }
    }

    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Broken(_, words) | Self::NotSupported(words) | Self::Skipped(words) => words,
        }
    }
}

/// The server hung up or said nothing: no requirement is met that way.
impl From<NoAnswer> for Stop {
    fn from(none: NoAnswer) -> Self {
        Self::Broken(None, format!("no HTTP answer: {none}"))
    }
}

/// Nothing to say, or why not.
pub(crate) type Judged<T = ()> = Result<T, Stop>;

pub(crate) fn broken<T>(words: impl Into<String>) -> Judged<T> {
    Err(Stop::Broken(None, words.into()))
}

pub(crate) fn broken_at<T>(level: Level, words: impl Into<String>) -> Judged<T> {
    Err(Stop::Broken(Some(level), words.into()))
}

pub(crate) fn absent<T>(words: impl Into<String>) -> Judged<T> {
    Err(Stop::NotSupported(words.into()))
}

pub(crate) fn skipped<T>(words: impl Into<String>) -> Judged<T> {
    Err(Stop::Skipped(words.into()))
}

/// Broken unless it holds.
pub(crate) fn ensure(holds: bool, words: impl Into<String>) -> Judged {
    if holds { Ok(()) } else { broken(words) }
}
