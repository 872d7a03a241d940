//! One registered service.

use casque_proto::ServiceRule;

use crate::people::Person;

/// A service that people may sign in to.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own in the file"
)]
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Service {
    /// What names it in logs and statistics.
    pub id: String,
    /// What people know it as, for the pages; the id where there is none.
    pub name: Option<String>,
    /// A sentence about it, for the pages.
    pub description: Option<String>,
    /// Which addresses it has.
    pub rule: ServiceRule,
    /// A disabled service is refused like an unknown one.
    pub enabled: bool,
    /// What it is told about a person.
    pub attributes: Release,
    /// Whether a session lets people in without a password.
    pub sso: bool,
    /// Whether it is told when a person signs out.
    pub single_logout: bool,
    /// Where it is told so, unless at the address that was signed in to.
    pub logout_url: Option<String>,
    pub(super) narrowness: (u8, usize),
    /// The one host that the rule can let in, in the registry's spelling; `None` where it may be any.
    pub(super) host: Option<String>,
    /// Plain http beyond this machine.
    pub(super) plain_http: bool,
}

impl Service {
    /// An enabled service that takes part in single sign-on and single logout and is told the user name only.
    pub fn new(id: impl Into<String>, rule: ServiceRule) -> Self {
        Self {
            id: id.into(),
            name: None,
            description: None,
            rule,
            enabled: true,
            attributes: Release::default(),
            sso: true,
            single_logout: true,
            logout_url: None,
            narrowness: (0, 0),
            host: None,
            plain_http: false,
        }
    }

    /// The same, known to people by this name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The same, told these attributes.
    #[must_use]
    pub fn releasing(mut self, attributes: Release) -> Self {
        self.attributes = attributes;
        self
    }

    /// What people know it as.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().unwrap_or(&self.id)
    }

    /// What this service is told about a person besides the name: the one place where that is decided (S-066).
    ///
    /// Listed attributes come in the order of the list, others by name; empty ones are left out.
    pub fn release<'a>(
        &'a self,
        person: &'a Person,
    ) -> impl Iterator<Item = (&'a str, &'a [String])> {
        let mut released = Vec::new();
        match &self.attributes {
            Release::All => {
                released.extend(
                    person
                        .attributes
                        .iter()
                        .map(|(name, values)| (name.as_str(), values.as_slice())),
                );
            }
            Release::Named(names) => {
                for name in names {
                    if let Some(values) = person.attributes.get(name) {
                        released.push((name.as_str(), values.as_slice()));
                    }
                }
            }
        }
        released
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
    }
}

/// Which attributes a service is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// These; the default is none.
    Named(Vec<String>),
    /// All there are, whatever they may be.
    All,
}

impl Default for Release {
    fn default() -> Self {
        Self::Named(Vec::new())
    }
}
