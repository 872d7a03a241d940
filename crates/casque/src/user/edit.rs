//! people.toml as its writer left it, comments and order included.

use std::io;
use std::path::Path;

use toml_edit::{Array, DocumentMut, InlineTable, Item, Table, Value, value};

use crate::say::Failure;

/// The file, ready to be changed.
#[derive(Debug)]
pub(super) struct Edit {
    document: DocumentMut,
}

impl Edit {
    /// Reads the file; where there is none, nobody is in it.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::parse(path, ""),
            Err(error) => Err(Failure::failed(
                format_args!("{} cannot be read", path.display()),
                &error,
            )),
        }
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        match text.parse() {
            Ok(document) => Ok(Self { document }),
            Err(error) => {
                let error: toml_edit::TomlError = error;
                let line = error.span().map_or(1, |span| {
                    text[..span.start.min(text.len())].matches('\n').count() + 1
                });
                Err(Failure::wrong(format!(
                    "{}:{line}: is not TOML: {}",
                    path.display(),
                    error.message().lines().next().unwrap_or_default()
                )))
            }
        }
    }

    pub(super) fn refuse_taken(&self, name: &str) -> Result<(), Failure> {
        let taken = self
            .document
            .iter()
            .find(|(other, _)| other.to_lowercase() == name.to_lowercase());
        match taken {
            None => Ok(()),
            Some((other, _)) if other == name => Err(Failure::wrong(format!(
                "{name:?} is there already\n  fix: `casque user passwd` sets a new password"
            ))),
            Some((other, _)) => Err(Failure::wrong(format!(
                "{name:?} differs from {other:?} only by case\n  fix: choose a name that nobody mistakes for another"
            ))),
        }
    }

    pub(super) fn require(&self, name: &str) -> Result<(), Failure> {
        if self.document.get(name).is_some_and(Item::is_table_like) {
            return Ok(());
        }
        Err(Failure::wrong(format!("there is nobody called {name:?}")))
    }

    pub(super) fn add(&mut self, name: &str, hash: &str, attributes: &[(String, String)]) {
        let mut person = Table::new();
        if !self.document.is_empty() {
            person.decor_mut().set_prefix("\n");
        }
        person.insert("password", value(hash));
        let mut table = InlineTable::new();
        for (key, text) in attributes {
            let values = table
                .entry(key)
                .or_insert_with(|| Value::Array(Array::new()));
            if let Value::Array(values) = values {
                values.push(text.as_str());
            }
        }
        if !table.is_empty() {
            person.insert("attributes", value(table));
        }
        self.document.insert(name, Item::Table(person));
    }

    pub(super) fn set_password(&mut self, name: &str, hash: &str) {
        let Some(person) = self
            .document
            .get_mut(name)
            .and_then(Item::as_table_like_mut)
        else {
            return;
        };
        let mut new = Value::from(hash);
        // A comment behind the old one stays.
        if let Some(old) = person.get("password").and_then(Item::as_value) {
            *new.decor_mut() = old.decor().clone();
        }
        person.insert("password", Item::Value(new));
    }

    /// Comments right above the person go as well; what a blank line parts from them stays.
    pub(super) fn remove(&mut self, name: &str) {
        let Some(removed) = self.document.remove(name) else {
            return;
        };
        let Item::Table(table) = removed else { return };
        let above = prefix(&table);
        let Some((kept, _)) = above.rsplit_once("\n\n") else {
            return;
        };
        if !kept.contains('#') {
            return;
        }
        let position = table.position();
        let next = self
            .document
            .iter_mut()
            .filter_map(|(_, item)| item.as_table_mut())
            .filter(|other| other.position() > position)
            .min_by_key(|other| other.position());
        if let Some(next) = next {
            let own = prefix(next);
            let own = own.trim_start_matches('\n');
            next.decor_mut().set_prefix(format!("{kept}\n\n{own}"));
        } else {
            let rest = self.document.trailing().as_str();
            let rest = rest.unwrap_or_default().to_owned();
            self.document.set_trailing(format!("{kept}\n{rest}"));
        }
    }

    pub(super) fn into_text(self) -> String {
        self.document.to_string()
    }
}

fn prefix(table: &Table) -> String {
    let prefix = table.decor().prefix().and_then(|prefix| prefix.as_str());
    prefix.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# People of the department.\n\
        # Ask Jane before you change it.\n\
        \n\
        # since 2019\n\
        [alice]\n\
        password = \"old\"   # changed in May\n\
        attributes = { mail = [\"alice@example.org\"] } # two\n\
        \n\
        [\"jane.doe\"]\n\
        password = \"old\"\n\
        [\"jane.doe\".attributes]\n\
        mail = \"jane@example.org\"\n\
        # the end\n";

    fn edit(text: &str) -> Edit {
        Edit::parse(Path::new("people.toml"), text)
            .map_err(|failure| failure.words)
            .unwrap()
    }

    #[test]
    fn a_new_person_comes_last_and_nothing_else_changes() {
        let mut file = edit(FILE);
        let attributes = [
            ("mail", "b@example.org"),
            ("memberOf", "a"),
            ("memberOf", "b\"c"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()));
        file.add("bob", "$argon2id$x", &attributes);
        let text = file.into_text();
        let expected = "\n[bob]\npassword = \"$argon2id$x\"\n\
                        attributes = { mail = [\"b@example.org\"], memberOf = [\"a\", 'b\"c'] }\n";
        let before = FILE.strip_suffix("# the end\n").unwrap();
        assert_eq!(text, format!("{before}{expected}# the end\n"));
    }

    #[test]
    fn names_are_quoted_where_they_must_be() {
        let mut file = edit("");
        file.add("jane.doe@example.org", "x", &[]);
        assert_eq!(
            file.into_text(),
            "[\"jane.doe@example.org\"]\npassword = \"x\"\n"
        );
    }

    #[test]
    fn a_new_password_leaves_the_rest_alone() {
        let mut file = edit(FILE);
        file.set_password("alice", "new");
        assert_eq!(file.into_text(), FILE.replacen("\"old\"", "\"new\"", 1));
        let mut file = edit("bob = { password = \"old\", disabled = true } # b\n");
        file.set_password("bob", "new");
        assert_eq!(
            file.into_text(),
            "bob = { password = \"new\", disabled = true } # b\n"
        );
    }

    #[test]
    fn a_removed_person_takes_only_what_is_theirs() {
        let mut file = edit(FILE);
        file.remove("alice");
        assert_eq!(
            file.into_text(),
            "# People of the department.\n\
             # Ask Jane before you change it.\n\
             \n\
             [\"jane.doe\"]\n\
             password = \"old\"\n\
             [\"jane.doe\".attributes]\n\
             mail = \"jane@example.org\"\n\
             # the end\n"
        );
        let mut file = edit(FILE);
        file.remove("jane.doe");
        let before = FILE.split("\n[\"jane.doe\"]").next().unwrap();
        assert_eq!(file.into_text(), format!("{before}# the end\n"));
    }

    #[test]
    fn the_header_stays_when_the_last_person_goes() {
        let mut file = edit("# Header.\n\n[alice]\npassword = \"x\"\n");
        file.remove("alice");
        assert_eq!(file.into_text(), "# Header.\n");
    }

    #[test]
    fn names_that_differ_by_case_are_refused() {
        let file = edit("[alice]\npassword = \"x\"\n");
        assert!(file.refuse_taken("Alice").is_err());
        assert!(file.refuse_taken("alice").is_err());
        assert!(file.refuse_taken("alicia").is_ok());
        assert!(file.require("Alice").is_err());
        assert!(file.require("alice").is_ok());
    }
}
