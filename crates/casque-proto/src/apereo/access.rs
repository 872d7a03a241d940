//! Whom a service admits: `accessStrategy`.

use super::definition::ServiceDefinition;
use super::pattern::ValuePattern;
use super::reader::{FindingKind, Reader, class_of};
use crate::json::Json;

/// What a person's attributes must be like.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AccessPolicy {
    /// What a person must have.
    pub required: Vec<AttributeRule>,
    /// All of it, or else one of it.
    pub require_all: bool,
    /// What a person must have none of.
    pub rejected: Vec<AttributeRule>,
}

impl Default for AccessPolicy {
    fn default() -> Self {
        Self {
            required: Vec::new(),
            require_all: true,
            rejected: Vec::new(),
        }
    }
}

/// An attribute, and the values of it that count.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct AttributeRule {
    /// Its name; upper and lower case differ.
    pub attribute: String,
    /// One of these is enough.
    pub values: Vec<ValuePattern>,
}

impl AccessPolicy {
    /// Whether somebody with these attributes is admitted.
    ///
    /// A value that is required is matched as a whole. A value that is rejected need only occur: Apereo searches for both,
    /// and the stricter reading holds for each.
    pub fn admits<'v, V>(&self, values_of: impl Fn(&str) -> V) -> bool
    where
        V: IntoIterator<Item = &'v str>,
    {
        let meets = |rule: &AttributeRule, test: fn(&ValuePattern, &str) -> bool| {
            values_of(&rule.attribute)
                .into_iter()
                .any(|value| rule.values.iter().any(|pattern| test(pattern, value)))
        };
        let mut required = self.required.iter();
        let has = |rule: &AttributeRule| meets(rule, ValuePattern::matches);
        let admitted = if self.require_all {
            required.all(has)
        } else {
            self.required.is_empty() || required.any(has)
        };
        admitted
            && !self
                .rejected
                .iter()
                .any(|rule| meets(rule, ValuePattern::occurs_in))
    }
}

/// Reads `accessStrategy`.
pub(super) fn read(reader: &mut Reader<'_>, value: &Json<'_>, definition: &mut ServiceDefinition) {
    const AT: &str = "accessStrategy";
    match class_of(value) {
        None | Some("DefaultRegisteredServiceAccessStrategy") => {}
        Some(class) => {
            let problem = format!("unsupported accessStrategy: {class}");
            let fix = "say it with requiredAttributes of a DefaultRegisteredServiceAccessStrategy, or keep the service \
                       out of this folder";
            reader.fault(AT, problem, fix);
            return;
        }
    }
    let members = reader.members(AT, value);
    let ignore_case = members
        .iter()
        .find(|(name, _)| name == "caseInsensitive")
        .is_some_and(|(_, value)| reader.flag("accessStrategy.caseInsensitive", value, false));
    for (name, value) in members {
        let at = format!("{AT}.{name}");
        match &**name {
            "@class" | "order" | "caseInsensitive" => {}
            "enabled" => definition.enabled &= reader.flag(&at, value, true),
            "ssoEnabled" => definition.sso &= reader.flag(&at, value, true),
            "requireAllAttributes" => {
                definition.access.require_all = reader.flag(&at, value, true);
            }
            "requiredAttributes" => {
                definition.access.required = rules(reader, &at, value, ignore_case);
            }
            "rejectedAttributes" => {
                definition.access.rejected = rules(reader, &at, value, ignore_case);
            }
            "unauthorizedRedirectUrl" => {
                definition.refused_url = super::parts::address(reader, &at, value);
            }
            "delegatedAuthenticationPolicy" => {
                reader.ignore(&at, value, "nobody signs in by another provider here");
            }
            _ => reader.refuse(
                &at,
                value,
                "drop the member, or say it with requiredAttributes and rejectedAttributes",
            ),
        }
    }
    if definition.access.rejected.len() > 1 && definition.access.require_all {
        reader.find(
            FindingKind::Approximated,
            "accessStrategy.rejectedAttributes",
            "one of the attributes is enough to be refused; Apereo asks for all of them while requireAllAttributes is true",
        );
    }
}

fn rules(
    reader: &mut Reader<'_>,
    at: &str,
    value: &Json<'_>,
    ignore_case: bool,
) -> Vec<AttributeRule> {
    let mut rules = Vec::new();
    for (attribute, value) in reader.members(at, value) {
        let member = format!("{at}.{attribute}");
        let mut values = Vec::new();
        for text in reader.texts(&member, value) {
            if is_script(&text) {
                let problem = format!("unsupported {at}: a script decides about {attribute}");
                reader.fault(
                    &member,
                    problem,
                    "list the values, or expressions that match them",
                );
                continue;
            }
            match ValuePattern::new(&text, ignore_case) {
                Ok(pattern) => values.push(pattern),
                Err(error) => {
                    let problem =
                        format!("`{member}` has \"{text}\", which is not a valid pattern: {error}");
                    reader.fault(
                        &member,
                        problem,
                        "write the value itself, or a simpler expression",
                    );
                }
            }
        }
        rules.push(AttributeRule {
            attribute: attribute.to_string(),
            values,
        });
    }
    rules
}

/// Whether a text is a script, or names one.
pub(super) fn is_script(text: &str) -> bool {
    let text = text.trim();
    let inline = text
        .strip_prefix("groovy")
        .or_else(|| text.strip_prefix("python"));
    inline.is_some_and(|rest| rest.trim_start().starts_with('{'))
        || ((text.starts_with("file:") || text.starts_with("classpath:"))
            && [".groovy", ".js", ".py", ".rb", ".json"]
                .iter()
                .any(|end| text.ends_with(end)))
        || text.starts_with("#{")
        || text.starts_with("${")
}
