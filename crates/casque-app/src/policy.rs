//! What a route asks of whoever comes.

use std::time::Duration;

use crate::rule::Rule;

/// How long a login with credentials is fresh, unless said otherwise.
const RENEW_WITHIN: Duration = Duration::from_mins(5);

/// How far a route insists on a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Everyone may come in; whoever is signed in is known.
    Optional,
    /// As [`Optional`](Self::Optional), but the CAS server is asked once, without a word to the
    /// user, whether it knows them (`gateway`, R-037).
    Gateway,
    /// Whoever is not signed in is sent to log in.
    Required,
    /// As [`Required`](Self::Required), and credentials must have been given lately (`renew`).
    Renew {
        /// How lately.
        within: Duration,
    },
}

/// What a route asks: a [`Mode`] and rules about the user.
#[derive(Clone, Debug)]
pub struct Policy {
    mode: Mode,
    rule: Option<Rule>,
}

impl Policy {
    /// A policy of this mode without rules.
    pub fn new(mode: Mode) -> Self {
        Self { mode, rule: None }
    }

    /// See [`Mode::Optional`].
    pub fn optional() -> Self {
        Self::new(Mode::Optional)
    }

    /// See [`Mode::Gateway`].
    pub fn gateway() -> Self {
        Self::new(Mode::Gateway)
    }

    /// See [`Mode::Required`].
    pub fn required() -> Self {
        Self::new(Mode::Required)
    }

    /// See [`Mode::Renew`]; credentials count as fresh for five minutes.
    pub fn renew() -> Self {
        Self::new(Mode::Renew {
            within: RENEW_WITHIN,
        })
    }

    /// Adds a rule that must hold as well. Whoever is signed in and fails it gets 403.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(match self.rule.take() {
            Some(before) => Rule::all([before, rule]),
            None => rule,
        });
        self
    }

    /// The mode.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub(crate) fn allowed(&self) -> Option<&Rule> {
        self.rule.as_ref()
    }
}
