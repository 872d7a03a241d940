//! Who may use a service (protocol R-031, R-285).

use regex::{Regex, RegexBuilder};

use crate::people::Person;

/// The compiled size of a pattern, in bytes.
const MAX_PATTERN: usize = 1 << 20;

/// What a person's attributes must be like for a service to admit them.
///
/// Without requirements everybody is admitted. The rule is judged on everything that is known of the
/// person, whatever the service is told.
///
/// ```
/// use casque_server::AccessRule;
///
/// let rule = AccessRule::default()
///     .value("memberOf", "staff")
///     .pattern("memberOf", "admin-[a-z]+")?;
/// # Ok::<(), regex::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct AccessRule {
    requirements: Vec<Requirement>,
    any: bool,
    rejections: Vec<Requirement>,
}

#[derive(Debug, Clone)]
struct Requirement {
    attribute: String,
    values: Vec<Wanted>,
}

#[derive(Debug, Clone)]
enum Wanted {
    Equal(String),
    Whole(Regex),
}

impl AccessRule {
    /// The same, satisfied by one of the attributes instead of all.
    #[must_use]
    pub fn any(mut self, any: bool) -> Self {
        self.any = any;
        self
    }

    /// The same, requiring that the attribute has this value, or another one that is named for it.
    #[must_use]
    pub fn value(mut self, attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self::wanted(&mut self.requirements, attribute.into()).push(Wanted::Equal(value.into()));
        self
    }

    /// The same, requiring that the attribute has a value that this expression matches as a whole,
    /// or another one that is named for it.
    ///
    /// # Errors
    /// Where the expression is none, or too large.
    pub fn pattern(
        mut self,
        attribute: impl Into<String>,
        pattern: &str,
    ) -> Result<Self, regex::Error> {
        let whole = whole(pattern)?;
        Self::wanted(&mut self.requirements, attribute.into()).push(Wanted::Whole(whole));
        Ok(self)
    }

    /// The same, refusing those whose attribute has this value.
    #[must_use]
    pub fn reject_value(mut self, attribute: impl Into<String>, value: impl Into<String>) -> Self {
        Self::wanted(&mut self.rejections, attribute.into()).push(Wanted::Equal(value.into()));
        self
    }

    /// The same, refusing those whose attribute has a value that this expression matches as a whole.
    ///
    /// # Errors
    /// Where the expression is none, or too large.
    pub fn reject_pattern(
        mut self,
        attribute: impl Into<String>,
        pattern: &str,
    ) -> Result<Self, regex::Error> {
        let whole = whole(pattern)?;
        Self::wanted(&mut self.rejections, attribute.into()).push(Wanted::Whole(whole));
        Ok(self)
    }

    /// Whether the person may use the service.
    pub fn admits(&self, person: &Person) -> bool {
        let mut requirements = self.requirements.iter();
        let is_met = |requirement: &Requirement| requirement.is_met_by(person);
        let admitted = if self.any {
            self.requirements.is_empty() || requirements.any(is_met)
        } else {
            requirements.all(is_met)
        };
        admitted && !self.rejections.iter().any(is_met)
    }

    fn wanted(rules: &mut Vec<Requirement>, attribute: String) -> &mut Vec<Wanted> {
        let known = rules.iter().position(|rule| rule.attribute == attribute);
        let at = known.unwrap_or_else(|| {
            rules.push(Requirement {
                attribute,
                values: Vec::new(),
            });
            rules.len() - 1
        });
        &mut rules[at].values
    }
}

/// An expression that matches whole values.
pub(super) fn whole(pattern: &str) -> Result<Regex, regex::Error> {
    // On its own first: `a)|(b` is one only inside the brackets.
    Regex::new(pattern)?;
    RegexBuilder::new(&format!(r"\A(?:{pattern})\z"))
        .size_limit(MAX_PATTERN)
        .build()
}

impl Requirement {
    fn is_met_by(&self, person: &Person) -> bool {
        let values = person.attributes.get(&self.attribute);
        values.is_some_and(|values| {
            values
                .iter()
                .any(|value| self.values.iter().any(|wanted| wanted.is(value)))
        })
    }
}

impl Wanted {
    fn is(&self, value: &str) -> bool {
        match self {
            Self::Equal(wanted) => wanted == value,
            Self::Whole(wanted) => wanted.is_match(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(attributes: &[(&str, &[&str])]) -> Person {
        Person {
            id: "alice".into(),
            password_hash: String::new(),
            attributes: attributes
                .iter()
                .map(|(name, values)| {
                    let values = values.iter().map(|&value| value.to_owned());
                    ((*name).to_owned(), values.collect())
                })
                .collect(),
            disabled: false,
        }
    }

    #[test]
    fn rules() {
        // R-031, R-285
        let staff = || AccessRule::default().value("memberOf", "staff");
        let both = || staff().value("faculty", "law");
        let admins = || {
            AccessRule::default()
                .pattern("memberOf", "admin-[a-z]+|root")
                .expect("an expression")
        };
        let student = person(&[("memberOf", &["student"])]);
        let teacher = person(&[("memberOf", &["teacher", "staff"])]);
        let lawyer = person(&[("memberOf", &["staff"]), ("faculty", &["arts", "law"])]);
        for (name, rule, who, admitted) in [
            ("no rule", AccessRule::default(), &student, true),
            (
                "no rule, any",
                AccessRule::default().any(true),
                &student,
                true,
            ),
            ("another value", staff(), &student, false),
            ("one of the values", staff(), &teacher, true),
            (
                "two values to choose from",
                staff().value("memberOf", "student"),
                &student,
                true,
            ),
            (
                "names have cases",
                AccessRule::default().value("memberof", "staff"),
                &teacher,
                false,
            ),
            (
                "so have values",
                AccessRule::default().value("memberOf", "Staff"),
                &teacher,
                false,
            ),
            (
                "a rejected value",
                staff().reject_value("memberOf", "teacher"),
                &teacher,
                false,
            ),
            (
                "a rejected value alone",
                AccessRule::default().reject_value("memberOf", "left"),
                &teacher,
                true,
            ),
            (
                "a rejected pattern, whole",
                AccessRule::default()
                    .reject_pattern("memberOf", "teach.*")
                    .expect("an expression"),
                &teacher,
                false,
            ),
            (
                "a rejected pattern, part",
                AccessRule::default()
                    .reject_pattern("memberOf", "teach")
                    .expect("an expression"),
                &teacher,
                true,
            ),
            ("one of all", both(), &teacher, false),
            ("all of all", both(), &lawyer, true),
            ("one of any", both().any(true), &teacher, true),
            ("none of any", both().any(true), &student, false),
            (
                "whole value",
                admins(),
                &person(&[("memberOf", &["admin-net"])]),
                true,
            ),
            (
                "the other half",
                admins(),
                &person(&[("memberOf", &["root"])]),
                true,
            ),
            (
                "not a part",
                admins(),
                &person(&[("memberOf", &["xadmin-net", "root2"])]),
                false,
            ),
            (
                "not a line",
                admins(),
                &person(&[("memberOf", &["root\nx", "x\nroot"])]),
                false,
            ),
            (
                "no value at all",
                admins(),
                &person(&[("memberOf", &[])]),
                false,
            ),
        ] {
            assert_eq!(rule.admits(who), admitted, "{name}");
        }
    }

    #[test]
    fn expressions_stay_in_their_brackets() {
        for bad in ["a)|(b", "(", "a{1000}{1000}{1000}"] {
            assert!(AccessRule::default().pattern("x", bad).is_err(), "{bad}");
        }
    }
}
