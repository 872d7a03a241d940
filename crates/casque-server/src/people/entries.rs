//! What `people.toml` holds: its keys, and how it is read.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::Person;
use crate::config::{
    ConfigError, ConfigErrors, Default, Faults, Key, Kind, Lines, Sheet, quote, read_text,
    syntax_error,
};
use crate::password::{HashProblem, inspect_hash};
use crate::text::is_hidden;

pub(crate) const REFERENCE_INTRODUCTION: &str = "## The file of people\n\n\
    One table for each person, named by the name that the person types and services are told. Keep it with \
    `casque user add NAME --attr mail=NAME@example.org`, `casque user passwd NAME`, `list` and `remove`; the server \
    takes changes up at once. A name has up to 256 bytes, no control or invisible characters, no blank at its ends, \
    and differs from every other by more than case. A name with dots or blanks is quoted: `[\"jane.doe\"]`.\n\n\
    A password is read from standard input (one line) or asked for twice at a terminal, never an argument. It is taken \
    byte for byte, up to 1024 bytes; an empty one is refused, one of fewer than 15 characters is taken with a warning, \
    for casque cannot know whether a second factor stands beside it.\n\n\
    ```toml\n[alice]\npassword = \"$argon2id$v=19$m=19456,t=2,p=1$…\"\n\
    attributes = { mail = [\"alice@example.org\"], memberOf = [\"staff\", \"admin\"] }\n```\n\n";

/// The keys of one person. `attributes` holds names of one's own choice and is read apart.
pub(crate) const KEYS: &[Key] = &[
    Key {
        name: "password",
        kind: Kind::Text,
        default: Default::Required,
        example: "\"$argon2id$v=19$m=19456,t=2,p=1$…\"",
        meaning: "An argon2id string of at most 256 MiB, 16 passes and 16 lanes, never the password itself.",
    },
    Key {
        name: "disabled",
        kind: Kind::Flag,
        default: Default::Is("false"),
        example: "true",
        meaning: "Keeps the person and refuses the login, in the words of a wrong password.",
    },
    Key {
        name: "attributes",
        kind: Kind::Text,
        default: Default::Nothing("the person has none"),
        example: "{ mail = [\"alice@example.org\"] }",
        meaning: "A table of names with a text or a list of texts each. A service is told only what its definition \
                  names.",
    },
];

/// Most people in one file.
const MAX_PEOPLE: usize = 100_000;

/// Why a name cannot be a user name.
///
/// # Errors
/// The rule that it breaks, to follow "the name".
///
/// ```
/// assert!(casque_server::check_username("jane.doe@example.org").is_ok());
/// assert!(casque_server::check_username(" alice").is_err());
/// ```
pub fn check_username(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        return Err("is empty");
    }
    if name.len() > 256 {
        return Err("is longer than 256 bytes");
    }
    if name.starts_with(' ') || name.ends_with(' ') {
        return Err("begins or ends with a blank");
    }
    if name
        .chars()
        .any(|c| c.is_control() || is_hidden(c) || (c.is_whitespace() && c != ' '))
    {
        return Err("has a control character or one that cannot be seen");
    }
    Ok(())
}

pub(super) fn read(path: &Path) -> Result<HashMap<String, Arc<Person>>, ConfigErrors> {
    let text = read_text(path).map_err(|error| {
        let missing = !path.exists();
        if missing {
            error.fix("add the first person with `casque user add NAME`")
        } else {
            error
        }
    })?;
    parse(path, &text)
}

fn parse(path: &Path, text: &str) -> Result<HashMap<String, Arc<Person>>, ConfigErrors> {
    let mut faults = Faults::default();
    let mut people = HashMap::new();
    match DeTable::parse(text) {
        Ok(table) if table.get_ref().len() > MAX_PEOPLE => faults.push(ConfigError::new(
            path,
            None,
            format!("holds more than {MAX_PEOPLE} people"),
        )),
        Ok(table) => {
            let lines = Lines::of(text);
            let mut folded: HashMap<String, String> = HashMap::new();
            for (name, value) in table.get_ref() {
                let line = lines.at(name.span().start);
                let name = name.get_ref().as_ref();
                let fault = |problem: String| ConfigError::new(path, Some(line), problem);
                let DeValue::Table(entry) = value.get_ref() else {
                    faults.push(fault(format!("{} is not a person", quote(name))).fix(
                        "each person is a table: [name], and below it password and attributes",
                    ));
                    continue;
                };
                if let Err(rule) = check_username(name) {
                    faults.push(
                        fault(format!("the name {} {rule}", quote(name)))
                            .fix("rename the person; services are told exactly this name"),
                    );
                    continue;
                }
                if let Some(other) = folded.insert(name.to_lowercase(), name.to_owned()) {
                    faults.push(
                        fault(format!(
                            "{} and {} differ only by case",
                            quote(&other),
                            quote(name)
                        ))
                        .fix(
                            "rename one of them; people and services would take one for the other",
                        ),
                    );
                }
                if let Some(person) = person(path, &lines, name, line, entry, &mut faults) {
                    people.insert(name.to_owned(), Arc::new(person));
                }
            }
        }
        Err(error) => faults.push(syntax_error(path, text, &error)),
    }
    faults.or(Some(people))
}

fn person(
    path: &Path,
    lines: &Lines,
    name: &str,
    line: usize,
    entry: &DeTable<'_>,
    faults: &mut Faults,
) -> Option<Person> {
    // `attributes` is free in its names, so it is taken out before the strict reading.
    let mut rest = entry.clone();
    let attributes = rest.remove_entry("attributes");
    let mut inner = Faults::default();
    let sheet = Sheet::of_table(path, lines, &rest, KEYS, &mut inner);
    for fault in inner.drain() {
        faults.push(of_person(fault, name));
    }
    let password_hash = sheet.text("password");
    if let Some(hash) = &password_hash
        && let Err(problem) = inspect_hash(hash)
    {
        faults.push(of_person(hash_fault(&sheet, problem, name), name));
    }
    if !rest.contains_key("password") {
        let fault = ConfigError::new(path, Some(line), "`password` is missing").fix(format!(
            "run `casque user passwd {name}`, or remove the person"
        ));
        faults.push(of_person(fault, name));
    }
    let attributes = attributes.map_or_else(BTreeMap::new, |(key, value)| {
        let line = lines.at(key.span().start);
        let fault = |problem: String| of_person(ConfigError::new(path, Some(line), problem), name);
        read_attributes(value.get_ref(), &fault, faults)
    });
    Some(Person {
        id: name.to_owned(),
        password_hash: password_hash?,
        attributes,
        disabled: sheet.flag("disabled")?,
    })
}

fn hash_fault(sheet: &Sheet, problem: HashProblem, name: &str) -> ConfigError {
    let fault = sheet.fault("password", format!("`password`: {problem}"));
    match problem {
        HashProblem::Cost(_) => fault.fix("make a new hash within these bounds"),
        _ => fault.fix(format!("run `casque user passwd {name}`")),
    }
}

fn read_attributes(
    value: &DeValue<'_>,
    fault: &dyn Fn(String) -> ConfigError,
    faults: &mut Faults,
) -> BTreeMap<String, Vec<String>> {
    const EXAMPLE: &str = "for example: attributes = { mail = [\"alice@example.org\"] }";
    let mut attributes = BTreeMap::new();
    let DeValue::Table(table) = value else {
        faults.push(fault("`attributes` must be a table".into()).fix(EXAMPLE));
        return attributes;
    };
    for (name, value) in table {
        let name = name.get_ref().as_ref();
        if name.is_empty() || name.chars().any(|c| c.is_control() || is_hidden(c)) {
            faults.push(fault(format!(
                "the attribute name {} is empty or has an invisible character",
                quote(name)
            )));
            continue;
        }
        let values = match value.get_ref() {
            DeValue::String(text) => Some(vec![text.as_ref().to_owned()]),
            DeValue::Array(items) => items
                .iter()
                .map(|item| item.get_ref().as_str().map(str::to_owned))
                .collect(),
            _ => None,
        };
        match values {
            Some(values) => {
                attributes.insert(name.to_owned(), values);
            }
            None => faults.push(
                fault(format!(
                    "the attribute {} must be a text or a list of texts",
                    quote(name)
                ))
                .fix(EXAMPLE),
            ),
        }
    }
    attributes
}

/// The fault with the person's name before its words.
fn of_person(fault: ConfigError, name: &str) -> ConfigError {
    fault.about(&format!("person {}", quote(name)))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::people) const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b3kmeCxGo6mB3SzDBgRcaYDzxQ";

    fn faults(text: &str) -> String {
        parse(Path::new("people.toml"), text)
            .expect_err("must be refused")
            .to_string()
    }

    #[test]
    fn people_with_several_values() {
        let text = format!(
            "[alice]\npassword = \"{HASH}\"\nattributes = {{ mail = \"alice@example.org\", memberOf = [\"staff\", \"admin\"] }}\n\n\
             [\"jane.doe\"]\npassword = \"{HASH}\"\ndisabled = true\n\
             [\"jane.doe\".attributes]\n\"urn:oid:0.9.2342\" = []\n"
        );
        let people = parse(Path::new("people.toml"), &text).unwrap();
        assert_eq!(people.len(), 2);
        let alice = &people["alice"];
        assert_eq!(alice.id, "alice");
        assert_eq!(alice.attributes["mail"], ["alice@example.org"]);
        assert_eq!(alice.attributes["memberOf"], ["staff", "admin"]);
        assert!(!alice.disabled);
        assert!(people["jane.doe"].disabled);
        assert!(people["jane.doe"].attributes["urn:oid:0.9.2342"].is_empty());
        assert!(!format!("{alice:?}").contains("argon2id"));
    }

    #[test]
    fn every_fault_names_line_person_and_fix() {
        let hash = format!("password = \"{HASH}\"");
        let rows = [
            (
                "[alice]\npassword = \"wonderland\"\n".to_owned(),
                "people.toml:2: person \"alice\": `password`: it is not a password hash; a password is never written here in clear\n  \
                 fix: run `casque user passwd alice`",
            ),
            (
                "[alice]\npassword = \"$2b$12$abcdefghijklmnopqrstuv\"\n".to_owned(),
                "people.toml:2: person \"alice\": `password`: it is a hash of another kind; casque reads argon2id\n  \
                 fix: run `casque user passwd alice`",
            ),
            (
                "[alice]\npassword = \"$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b3kmeCxGo6mB3SzDBgRcaYDzxQ\"\n".to_owned(),
                "people.toml:2: person \"alice\": `password`: argon2 cost m=4194304 KiB, t=2, p=1 is out of bounds: memory from 8 KiB a lane to 262144 KiB, 1 to 16 passes, 1 to 16 lanes\n  \
                 fix: make a new hash within these bounds",
            ),
            (
                "[alice]\n\n[bob]\npassword = 7\n".to_owned(),
                "people.toml:1: person \"alice\": `password` is missing\n  \
                 fix: run `casque user passwd alice`, or remove the person\n\
                 people.toml:4: person \"bob\": `password` is 7, but must be a text\n  \
                 fix: for example: password = \"$argon2id$v=19$m=19456,t=2,p=1$…\"",
            ),
            (
                format!("[alice]\n{hash}\npasword = \"x\"\n"),
                "people.toml:3: person \"alice\": unknown key `pasword`\n  fix: did you mean `password`?",
            ),
            (
                format!("[alice]\n{hash}\nmail = \"a@example.org\"\n"),
                "people.toml:3: person \"alice\": unknown key `mail`\n  fix: known here: password, disabled, attributes",
            ),
            (
                format!("[alice]\n{hash}\nattributes = [\"mail\"]\n"),
                "people.toml:3: person \"alice\": `attributes` must be a table\n  \
                 fix: for example: attributes = { mail = [\"alice@example.org\"] }",
            ),
            (
                format!("[alice]\n{hash}\nattributes = {{ uid = 1000 }}\n"),
                "people.toml:3: person \"alice\": the attribute \"uid\" must be a text or a list of texts\n  \
                 fix: for example: attributes = { mail = [\"alice@example.org\"] }",
            ),
            (
                format!("[alice]\n{hash}\ndisabled = \"yes\"\n"),
                "people.toml:3: person \"alice\": `disabled` is \"yes\", but must be true or false\n  \
                 fix: for example: disabled = true",
            ),
            (
                format!("[\" alice\"]\n{hash}\n"),
                "people.toml:1: the name \" alice\" begins or ends with a blank\n  \
                 fix: rename the person; services are told exactly this name",
            ),
            (
                format!("[\"al\\u200Bice\"]\n{hash}\n"),
                "people.toml:1: the name \"al\\u{200b}ice\" has a control character or one that cannot be seen\n  \
                 fix: rename the person; services are told exactly this name",
            ),
            (
                format!("[alice]\n{hash}\n[Alice]\n{hash}\n"),
                "people.toml:1: \"Alice\" and \"alice\" differ only by case\n  \
                 fix: rename one of them; people and services would take one for the other",
            ),
            (
                "alice = \"wonderland\"\n".to_owned(),
                "people.toml:1: \"alice\" is not a person\n  \
                 fix: each person is a table: [name], and below it password and attributes",
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(faults(&text), expected, "{text}");
        }
    }

    #[test]
    fn a_damaged_file_shows_no_secret() {
        let text = "[alice]\npassword = \"wonderland\n";
        let said = faults(text);
        assert!(said.starts_with("people.toml:2: is not TOML: "), "{said}");
        assert!(!said.contains("wonderland"), "{said}");
        let twice = faults("[alice]\npassword = \"hush\"\n[alice]\npassword = \"hush\"\n");
        assert!(twice.starts_with("people.toml:3: is not TOML: "), "{twice}");
        assert!(!twice.contains("hush"), "{twice}");
    }
}
