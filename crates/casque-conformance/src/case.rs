//! A case: what is looked at, where it is required, and how.

use futures_util::future::BoxFuture;

use crate::bench::Bench;
use crate::verdict::{Judged, Level};

/// One requirement, as it can be seen from outside.
#[derive(Clone, Copy)]
pub struct Case {
    /// A short name, stable over versions.
    pub id: &'static str,
    /// The numbers in the project's list of requirements, such as `R-222`.
    pub requirements: &'static [&'static str],
    /// How much it weighs; a part of a case can weigh less.
    pub level: Level,
    /// Where it is required.
    pub source: &'static str,
    /// What is required, in a sentence.
    pub title: &'static str,
    pub(crate) run: Run,
}

pub(crate) type Run = for<'b> fn(&'b mut Bench) -> BoxFuture<'b, Judged>;

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Case")
            .field("id", &self.id)
            .field("requirements", &self.requirements)
            .finish_non_exhaustive()
    }
}

/// `case!("id", "R-1 R-2", Must, "§1", "what is required", function)`.
macro_rules! case {
    ($id:literal, [$($r:literal),+], $level:ident, $source:literal, $title:literal, $run:path) => {
        $crate::case::Case {
            id: $id,
            requirements: &[$($r),+],
            level: $crate::verdict::Level::$level,
            source: $source,
            title: $title,
            run: |bench| Box::pin($run(bench)),
        }
    };
}
pub(crate) use case;
