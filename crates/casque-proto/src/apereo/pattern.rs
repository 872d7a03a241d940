//! Which addresses a definition is about: `serviceId` and `matchingStrategy`.

use std::fmt;

use super::expression::Expression;
use super::shape::Shape;

/// How Apereo matches a service, or a proxy callback.
///
/// Matching is a pure function of two texts; the registry's gate ([`RegistryUrl`](crate::RegistryUrl)) stands in front of it.
#[derive(Clone)]
pub struct ServicePattern {
    source: String,
    matching: Matching,
}

#[derive(Clone)]
enum Matching {
    /// The whole text, in any case.
    Whole(Expression),
    /// Some part of the text.
    Part(Expression),
    /// This text.
    Literal { ignore_case: bool },
}

impl ServicePattern {
    /// `FullRegexRegisteredServiceMatchingStrategy`, and `pattern` of a proxy policy.
    ///
    /// # Errors
    ///
    /// Why the expression cannot be used.
    pub(super) fn whole(source: &str) -> Result<Self, String> {
        Expression::new(source, true).map(|expression| Self {
            source: source.to_owned(),
            matching: Matching::Whole(expression),
        })
    }

    /// `PartialRegexRegisteredServiceMatchingStrategy`.
    ///
    /// # Errors
    ///
    /// Why the expression cannot be used.
    pub(super) fn part(source: &str) -> Result<Self, String> {
        Expression::new(source, true).map(|expression| Self {
            source: source.to_owned(),
            matching: Matching::Part(expression),
        })
    }

    /// `LiteralRegisteredServiceMatchingStrategy`.
    pub(super) fn literal(source: &str, ignore_case: bool) -> Self {
        Self {
            source: source.to_owned(),
            matching: Matching::Literal { ignore_case },
        }
    }

    /// Whether the text is matched.
    pub fn matches(&self, text: &str) -> bool {
        match &self.matching {
            Matching::Whole(expression) => expression.is_whole(text),
            Matching::Part(expression) => expression.is_part(text),
            Matching::Literal { ignore_case: false } => text == self.source,
            Matching::Literal { ignore_case: true } => text.eq_ignore_ascii_case(&self.source),
        }
    }

    /// The text as it stands in the definition.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The expression in the syntax of the crate `regex`, ignoring case; `None` where it does not match whole texts.
    pub fn whole_regex(&self) -> Option<&str> {
        match &self.matching {
            Matching::Whole(expression) => Some(&expression.translated),
            Matching::Part(_) | Matching::Literal { .. } => None,
        }
    }

    /// Whether any address is matched that holds the expression somewhere.
    pub fn is_partial(&self) -> bool {
        matches!(self.matching, Matching::Part(_))
    }

    /// What is plainly meant, where the text is an address with no more than a few turns of a regular expression.
    pub fn shape(&self) -> Option<Shape> {
        match &self.matching {
            Matching::Whole(_) => Shape::of_expression(&self.source),
            Matching::Part(_) => None,
            Matching::Literal { .. } => Shape::of_address(&self.source),
        }
    }

    /// The host that is plainly meant, where the text begins with one.
    pub fn host(&self) -> Option<String> {
        match &self.matching {
            Matching::Whole(_) => Shape::host_of_expression(&self.source),
            Matching::Part(_) => None,
            Matching::Literal { .. } => self.shape().map(|shape| shape.host),
        }
    }

    /// An address of somebody else that is matched too.
    pub(super) fn strangers(&self) -> Option<String> {
        let mut probes = vec!["https://x.evil.example/".to_owned()];
        if let Some(host) = self.host() {
            probes.push(format!("https://{host}.evil.example/"));
            probes.push(format!("https://{host}@evil.example/"));
        }
        probes.into_iter().find(|probe| self.matches(probe))
    }

    /// What the check of casque's own rules says against the expression (S-033).
    pub(super) fn openness(&self) -> Option<String> {
        match &self.matching {
            Matching::Whole(expression) => {
                crate::rule_lint::openness(&expression.translated, self.host().as_deref())
            }
            Matching::Part(_) => {
                Some("it matches every address that holds it somewhere".to_owned())
            }
            Matching::Literal { .. } => None,
        }
    }
}

impl fmt::Debug for ServicePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.matching {
            Matching::Whole(_) => "Whole",
            Matching::Part(_) => "Part",
            Matching::Literal { .. } => "Literal",
        };
        f.debug_tuple(kind).field(&self.source).finish()
    }
}

/// A regular expression about values of attributes.
#[derive(Clone)]
pub struct ValuePattern {
    source: String,
    expression: Expression,
}

impl ValuePattern {
    /// # Errors
    ///
    /// Why the expression cannot be used.
    pub(super) fn new(source: &str, ignore_case: bool) -> Result<Self, String> {
        Expression::new(source, ignore_case).map(|expression| Self {
            source: source.to_owned(),
            expression,
        })
    }

    /// Whether a value is matched from its beginning to its end.
    pub fn matches(&self, value: &str) -> bool {
        self.expression.is_whole(value)
    }

    /// Whether some part of a value is matched.
    pub fn occurs_in(&self, value: &str) -> bool {
        self.expression.is_part(value)
    }

    /// The text as it stands in the definition.
    pub fn as_str(&self) -> &str {
        &self.source
    }

    /// The expression in the syntax of the crate `regex`.
    pub fn regex(&self) -> &str {
        &self.expression.translated
    }
}

impl fmt::Debug for ValuePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ValuePattern").field(&self.source).finish()
    }
}
