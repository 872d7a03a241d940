//! Rules about who may come in.

use regex::RegexBuilder;

use crate::error::CasError;
use crate::session::Session;

/// Compiled size that a pattern may reach (S-034).
const PATTERN_BYTES: usize = 1 << 20;

/// A rule about a user and the attributes that the CAS server released.
///
/// Comparison is exact: case and every character count (S-018). A pattern must match a whole value.
///
/// ```
/// use casque_app::Rule;
///
/// let rule = Rule::any([
///     Rule::equal("memberOf", "staff"),
///     Rule::all([
///         Rule::matching("mail", r"[a-z.]+@example\.org")?,
///         Rule::equal("affiliation", "student"),
///     ]),
///     Rule::user("alice"),
/// ]);
/// # let _ = rule;
/// # Ok::<(), casque_app::CasError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rule(Kind);

#[derive(Clone, Debug)]
enum Kind {
    User(String),
    Equal(String, String),
    Matching(String, regex::Regex),
    Any(Vec<Rule>),
    All(Vec<Rule>),
}

impl Rule {
    /// The user with exactly this name.
    pub fn user(name: impl Into<String>) -> Self {
        Self(Kind::User(name.into()))
    }

    /// One of the attribute's values is exactly this.
    pub fn equal(attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self(Kind::Equal(attribute.into(), value.into()))
    }

    /// The pattern matches one of the attribute's values from its beginning to its end.
    ///
    /// # Errors
    ///
    /// [`CasError::Setting`] where the pattern is not a regular expression or is too large.
    pub fn matching(attribute: impl Into<String>, pattern: &str) -> Result<Self, CasError> {
        let regex = RegexBuilder::new(&format!("^(?:{pattern})$"))
            .size_limit(PATTERN_BYTES)
            .build()
            // On its own as well, so that a `)` cannot leave the group.
            .and_then(|regex| regex::Regex::new(pattern).map(|_| regex))
            .map_err(|error| {
                CasError::setting(
                    "rule",
                    pattern,
                    &format!("it is not a usable regular expression: {error}"),
                    "correct the pattern; it must match a whole value",
                )
            })?;
        Ok(Self(Kind::Matching(attribute.into(), regex)))
    }

    /// At least one of the rules holds. No rules: nobody.
    pub fn any(rules: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::Any(rules.into_iter().collect()))
    }

    /// Each of the rules holds. No rules: everybody who is signed in.
    pub fn all(rules: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::All(rules.into_iter().collect()))
    }

    /// Whether the rule holds for the user of a session.
    pub fn allows(&self, session: &Session) -> bool {
        let values = |attribute: &str| session.attributes().get(attribute);
        match &self.0 {
            Kind::User(name) => session.name() == name,
            Kind::Equal(attribute, value) => values(attribute).iter().any(|v| v == value),
            Kind::Matching(attribute, regex) => values(attribute).iter().any(|v| regex.is_match(v)),
            Kind::Any(rules) => rules.iter().any(|rule| rule.allows(session)),
            Kind::All(rules) => rules.iter().all(|rule| rule.allows(session)),
        }
    }
}
