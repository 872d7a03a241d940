//! The reference pages, written from the tables that the readers use.

use std::fmt::Write;

use super::keys::{Default, Key};
use super::table::KEYS;
use crate::people;
use crate::registry;

/// The Markdown of `docs/reference/configuration.md`: every key of every file with its type, bounds, default and
/// meaning. A test fails where the file in the repository is stale.
pub fn configuration_reference() -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         <!-- Written by `casque config-reference`; change the tables in casque-server instead. -->\n\n\
         Three kinds of file, all TOML: `casque.toml`, the file of people, and one file for each service. They are \
         read strictly. A key that casque does not know, a value of another type or out of bounds ends the start with \
         a message that names file, line, rule and fix; `casque serve --config casque.toml --check` says the same \
         without starting.\n\n\
         Durations are texts with a unit: `\"10 s\"`, `\"15 min\"`, `\"8 h\"`, `\"14 d\"`.\n\n\
         ## casque.toml\n\n\
         Paths are relative to the file. Each key can be replaced by an environment variable: `CASQUE_`, then the key \
         in capitals with `__` for the dot, such as `CASQUE_LISTEN` or `CASQUE_LOGIN__MAX_FAILURES`; lists are \
         separated by commas.\n\n",
    );
    page.push_str("### Top of the file\n\n");
    section(&mut page, KEYS.iter().filter(|key| !key.name.contains('.')));
    let mut tables: Vec<&str> = Vec::new();
    for key in KEYS {
        if let Some((table, _)) = key.name.split_once('.')
            && !tables.contains(&table)
        {
            tables.push(table);
        }
    }
    for table in tables {
        let _ = write!(page, "### [{table}]\n\n");
        let inside = |key: &&Key| {
            key.name
                .strip_prefix(table)
                .is_some_and(|rest| rest.starts_with('.'))
        };
        section(&mut page, KEYS.iter().filter(inside));
    }
    page.push_str(people::REFERENCE_INTRODUCTION);
    section(&mut page, people::KEYS.iter());
    page.push_str(registry::REFERENCE_INTRODUCTION);
    section(&mut page, registry::KEYS.iter());
    // One newline at the end, as every file has.
    page.truncate(page.trim_end().len());
    page.push('\n');
    page
}

fn section<'a>(page: &mut String, keys: impl Iterator<Item = &'a Key>) {
    for key in keys {
        let default = match key.default {
            Default::Required => "required".to_owned(),
            Default::Nothing(words) => format!("without it: {words}"),
            Default::Is(value) => format!("default `{value}`"),
        };
        // Writing to a `String` cannot fail.
        let _ = write!(
            page,
            "#### `{}`\n\n{}; {default}. Example: `{} = {}`\n\n{}\n\n",
            key.name,
            capital(&key.kind.rule()),
            key.last(),
            key.example,
            key.meaning,
        );
    }
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
