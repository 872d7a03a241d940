//! Members of a definition, read one by one, and what there is to say about them.

use std::borrow::Cow;
use std::fmt;

use super::relaxed::Relaxed;
use crate::json::{Json, JsonFault};
use crate::read::Limits;

/// Members that an operator may have left aside although they restrict access.
pub const IGNORABLE: &[&str] = &[
    "authenticationPolicy",
    "multifactorPolicy",
    "proxyGrantingTicketExpirationPolicy",
    "proxyTicketExpirationPolicy",
    "serviceTicketExpirationPolicy",
    "singleSignOnParticipationPolicy",
    "ticketGrantingTicketExpirationPolicy",
    "webflowInterruptPolicy",
];

/// Something to know about a definition that is read all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What kind of news it is.
    pub kind: FindingKind,
    /// The member, with the members around it: `accessStrategy.order`.
    pub member: String,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// What there is to know.
    pub words: String,
}

/// What kind of news a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// It is rarely meant.
    Warning,
    /// It is read, and means a little less than it does for Apereo.
    Approximated,
    /// It has no effect here.
    Ignored,
}

impl FindingKind {
    /// `warning`, `approximated` or `ignored`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Approximated => "approximated",
            Self::Ignored => "ignored",
        }
    }
}

/// Something that keeps a definition from being used.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DefinitionFault {
    /// The member, with the members around it; empty where the file is no JSON.
    pub member: String,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// What is wrong: one line, bounded, escaped.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for DefinitionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

/// Everything that keeps a definition from being used; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionFaults {
    pub(super) faults: Vec<DefinitionFault>,
}

impl DefinitionFaults {
    /// The faults, in the order of the members.
    pub fn iter(&self) -> impl Iterator<Item = &DefinitionFault> {
        self.faults.iter()
    }
}

impl fmt::Display for DefinitionFaults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.faults.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DefinitionFaults {}

/// Collects what there is to say while a definition is read.
pub(super) struct Reader<'a> {
    pub(super) relaxed: &'a Relaxed,
    /// Members that are left aside at the operator's word.
    pub(super) ignored: &'a [&'a str],
    pub(super) faults: Vec<DefinitionFault>,
    pub(super) findings: Vec<Finding>,
}

/// The members of an object.
pub(super) type Members<'j> = [(Cow<'j, str>, Json<'j>)];

impl Reader<'_> {
    pub(super) fn fault(
        &mut self,
        member: &str,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.faults.push(DefinitionFault {
            member: member.to_owned(),
            line: self.relaxed.line(member),
            problem: crate::read::safe_excerpt(&problem.into(), 400),
            fix: fix.into(),
        });
    }

    pub(super) fn find(&mut self, kind: FindingKind, member: &str, words: impl Into<String>) {
        self.findings.push(Finding {
            kind,
            member: member.to_owned(),
            line: self.relaxed.line(member),
            words: crate::read::safe_excerpt(&words.into(), 400),
        });
    }

    /// A member that has no effect here, unless it holds nothing anyway.
    pub(super) fn ignore(&mut self, member: &str, value: &Json<'_>, words: &str) {
        if !is_idle(value) {
            self.find(FindingKind::Ignored, member, words);
        }
    }

    /// A member that restricts access in a way that is not known here, unless it holds nothing.
    pub(super) fn refuse(&mut self, member: &str, value: &Json<'_>, fix: &str) {
        if is_idle(value) {
            return;
        }
        let name = member.rsplit('.').next().unwrap_or(member);
        if self.ignored.contains(&member) {
            let words =
                "left aside because the operator says so: what it restricts is not restricted here";
            self.find(FindingKind::Ignored, member, words);
            return;
        }
        let class = class_of(value).map_or(String::new(), |class| format!(": {class}"));
        self.fault(member, format!("unsupported {name}{class}"), fix);
    }

    /// A text; null and blank are absent.
    pub(super) fn text(&mut self, member: &str, value: &Json<'_>) -> Option<String> {
        match value {
            Json::String(text) if text.trim().is_empty() => None,
            Json::String(text) => Some(text.to_string()),
            Json::Null => None,
            other => {
                self.wrong_type(member, other, "a text");
                None
            }
        }
    }

    /// `true` or `false`, also as a text; null is the default.
    pub(super) fn flag(&mut self, member: &str, value: &Json<'_>, default: bool) -> bool {
        match value {
            Json::Bool(flag) => *flag,
            Json::String(text) if text.eq_ignore_ascii_case("true") => true,
            Json::String(text) if text.eq_ignore_ascii_case("false") => false,
            Json::Null => default,
            other => {
                self.wrong_type(member, other, "true or false");
                default
            }
        }
    }

    /// A whole number, also as a text.
    pub(super) fn number(&mut self, member: &str, value: &Json<'_>) -> Option<i64> {
        let number = match value {
            Json::Null => return None,
            Json::Number(text) => text.parse().ok(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        if number.is_none() {
            self.wrong_type(member, value, "a whole number");
        }
        number
    }

    /// A list of texts; one text alone is a list of it.
    pub(super) fn texts(&mut self, member: &str, value: &Json<'_>) -> Vec<String> {
        match value {
            Json::Null => Vec::new(),
            Json::String(text) => vec![text.to_string()],
            Json::Array(items) => {
                let mut texts = Vec::new();
                for item in items {
                    match item {
                        Json::String(text) => texts.push(text.to_string()),
                        other => self.wrong_type(member, other, "a list of texts"),
                    }
                }
                texts
            }
            other => {
                self.wrong_type(member, other, "a list of texts");
                Vec::new()
            }
        }
    }

    /// The members of an object; null has none.
    pub(super) fn members<'j>(&mut self, member: &str, value: &'j Json<'j>) -> &'j Members<'j> {
        match value {
            Json::Object(members) => members,
            Json::Null => &[],
            other => {
                self.wrong_type(member, other, "an object");
                &[]
            }
        }
    }

    pub(super) fn wrong_type(&mut self, member: &str, value: &Json<'_>, wanted: &str) {
        let problem = format!("`{member}` holds {}, but must be {wanted}", value.kind());
        self.fault(member, problem, format!("write {wanted}"));
    }
}

/// The class of an object without its package, if the package is one of Apereo's.
pub(super) fn class_of<'j>(value: &'j Json<'_>) -> Option<&'j str> {
    let Some(Json::String(class)) = value.member("@class") else {
        return None;
    };
    let ours = ["org.apereo.cas.", "org.jasig.cas."];
    if ours.iter().any(|package| class.starts_with(package)) {
        class.rsplit('.').next()
    } else {
        Some(class)
    }
}

/// Whether a member holds nothing, or nothing but defaults.
pub(super) fn is_idle(value: &Json<'_>) -> bool {
    match value {
        Json::Null | Json::Bool(false) => true,
        Json::Bool(true) => false,
        Json::Number(number) => *number == "0",
        Json::String(text) => text.trim().is_empty(),
        Json::Array(items) => items.iter().all(is_idle),
        Json::Object(members) => {
            let scripted = class_of(value).is_some_and(|class| {
                ["Groovy", "Script", "Restful"]
                    .iter()
                    .any(|kind| class.contains(kind))
            });
            !scripted
                && members.iter().all(|(name, value)| {
                    name == "@class" || is_default(name, value) || is_idle(value)
                })
        }
    }
}

/// Members of policies whose default is not empty.
fn is_default(name: &str, value: &Json<'_>) -> bool {
    let texts: &[&str] = match name {
        // Of a multifactor policy that names no provider.
        "failureMode" => &["UNDEFINED", "NOT_SET", "NONE", "OPEN", "CLOSED", "PHANTOM"],
        "forceExecution" => &["UNDEFINED"],
        _ => return false,
    };
    matches!(value, Json::String(text) if texts.contains(&&**text))
}

/// The document with the type tags of Java dropped.
pub(super) fn untagged(value: Json<'_>) -> Json<'_> {
    match value {
        Json::Array(mut items) => {
            let tag = match items.first() {
                Some(Json::String(tag)) if items.len() == 2 => &**tag,
                _ => "",
            };
            let held = match (tag, items.get(1)) {
                (tag, Some(Json::Array(_))) => tag.starts_with("java.util."),
                (
                    "java.lang.Long" | "java.lang.Integer" | "java.math.BigInteger",
                    Some(Json::Number(_)),
                )
                | ("java.net.URI" | "java.net.URL", Some(Json::String(_))) => true,
                _ => false,
            };
            if held {
                return untagged(items.pop().expect("it has two items"));
            }
            Json::Array(items.into_iter().map(untagged).collect())
        }
        Json::Object(members) => Json::Object(
            members
                .into_iter()
                .filter(|(name, value)| {
                    name != "@class"
                        || !matches!(value, Json::String(class) if class.starts_with("java.util."))
                })
                .map(|(name, value)| (name, untagged(value)))
                .collect(),
        ),
        other => other,
    }
}

/// The JSON of a file, and its fault in words where it has none.
pub(super) fn parse<'r>(file: &str, relaxed: &'r Relaxed) -> Result<Json<'r>, DefinitionFault> {
    Json::parse_or_fault(&relaxed.text, &Limits::default())
        .map(untagged)
        .map_err(|fault| {
            let at = relaxed.offset(fault.at);
            let rest = file.get(at..).unwrap_or_default();
            no_json(file, fault.what, at, fix_for(&fault, rest))
        })
}

fn fix_for(fault: &JsonFault, rest: &str) -> &'static str {
    let word = rest.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '@');
    match fault.what {
        "an unknown JSON escape" => {
            "in JSON a backslash is written twice, as in \"https://app\\\\.example\\\\.org/.*\""
        }
        "a JSON name given twice" => "keep one of the two",
        "a comma or the end of an object was expected" => {
            "put a comma between two members, also where a line ends, and quotes around texts"
        }
        _ if word => "put names and texts in double quotes: Hjson without quotes is not read",
        _ => {
            "comments, commas before a closing bracket and ''' texts are read; everything else is JSON"
        }
    }
}

/// A fault of the file's form, with its place.
pub(super) fn no_json(file: &str, what: &str, at: usize, fix: &str) -> DefinitionFault {
    let before = &file.as_bytes()[..at.min(file.len())];
    let line = before.split(|byte| *byte == b'\n').count();
    let column = before
        .iter()
        .rev()
        .take_while(|byte| **byte != b'\n')
        .count()
        + 1;
    DefinitionFault {
        member: String::new(),
        line: Some(line),
        problem: format!("not JSON: {what}, in column {column}"),
        fix: fix.to_owned(),
    }
}
