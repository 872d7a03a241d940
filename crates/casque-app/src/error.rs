//! Errors of setting up an application.

use casque_store::StoreError;

/// Why an application could not be set up: the caller's settings are at fault, and the message
/// says which, what its value is and what to change.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CasError {
    /// A setting is missing or cannot be used.
    #[error("{name}{}: {fault}; {fix}", shown(.value))]
    Setting {
        /// The setting's name, as in the environment or the builder.
        name: &'static str,
        /// Its value; empty where there is none.
        value: String,
        /// What is wrong with it.
        fault: String,
        /// What to do.
        fix: String,
    },
    /// `SERVICE_URL` and `LOGIN_URL` contradict each other.
    #[error(
        "SERVICE_URL is \"{service_url}\" and LOGIN_URL is \"{login_url}\": these are two origins \
         ({difference}), but a CAS server accepts a ticket only for the service it was issued for; \
         make both the address that browsers use for this application, for example \
         LOGIN_URL=\"{suggestion}\""
    )]
    TwoOrigins {
        /// Value of `SERVICE_URL`.
        service_url: String,
        /// Value of `LOGIN_URL`.
        login_url: String,
        /// The part in which they differ.
        difference: String,
        /// A `LOGIN_URL` that would fit.
        suggestion: String,
    },
    /// The client for the CAS server could not be made.
    #[error("the CAS client cannot be set up: {0}")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store for sessions could not be opened.
    #[error("the store for sessions cannot be opened: {0}")]
    Store(#[from] StoreError),
}

impl CasError {
    pub(crate) fn setting(name: &'static str, value: &str, fault: &str, fix: &str) -> Self {
        Self::Setting {
            name,
            value: without_credentials(value),
            fault: fault.to_owned(),
            fix: fix.to_owned(),
        }
    }
}

/// A setting's value for people to read: without user name and password, which some write into
/// URLs (S-017). What cannot be read as a URL loses everything before its last `@`.
pub(crate) fn without_credentials(value: &str) -> String {
    let plain =
        |url: url::Url| url.has_host() && url.username().is_empty() && url.password().is_none();
    match value.rsplit_once('@') {
        Some((before, after)) if !url::Url::parse(value).is_ok_and(plain) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            let is_scheme = !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphabetic());
            let scheme = if is_scheme {
                format!("{scheme}://")
            } else {
                String::new()
            };
            format!("{scheme}…@{after}")
        }
        _ => value.to_owned(),
    }
}

fn shown(value: &str) -> String {
    if value.is_empty() {
        String::new()
    } else {
        format!(" is \"{value}\"")
    }
}
