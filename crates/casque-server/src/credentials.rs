//! Name and password, checked in one way wherever they are sent (S-060, S-061, R-045, R-272).

use std::{net::IpAddr, sync::Arc};

use casque_store::StoreError;

use crate::{
    journal::{Event, LoginOutcome},
    password::Password,
    people::Person,
    state::State,
    throttle::{Attempt, canonical_person},
};

/// The longest name that is looked up; a longer one is nobody's.
const MAX_USERNAME_BYTES: usize = 256;

/// Who somebody says they are.
pub(crate) struct Credentials<'a> {
    username: &'a str,
    /// None where name or password are too long to be anybody's.
    password: Option<Password>,
    counted_as: String,
}

/// Where they were sent from, and for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) client: Option<IpAddr>,
    /// The network of that address.
    pub(crate) network: &'a str,
    /// The id of the service.
    pub(crate) service: Option<&'a str>,
}

/// What is known of them afterwards.
pub(crate) enum Checked {
    Right(Arc<Person>),
    Wrong,
    /// Nobody looked: too many at the same time.
    Busy,
}

impl<'a> Credentials<'a> {
    pub(crate) fn new(username: &'a str, password: &[u8]) -> Self {
        let password = Some(password)
            .filter(|_| username.len() <= MAX_USERNAME_BYTES)
            .and_then(|password| Password::new(password).ok());
        // What is too long can be nobody's; all such attempts are counted as one person, so that
        // they are no way around the throttle.
        let counted_as = match &password {
            Some(_) => canonical_person(username),
            None => String::new(),
        };
        Self {
            username,
            password,
            counted_as,
        }
    }

    /// The person that the throttle counts.
    pub(crate) fn counted_as(&self) -> &str {
        &self.counted_as
    }

    /// Checks them, in the same time whoever they name. The attempt counts where they are wrong.
    pub(crate) async fn check(
        self,
        state: &State,
        attempt: Attempt,
        origin: Origin<'_>,
    ) -> Result<Checked, StoreError> {
        let (now, network) = (state.clock.now(), origin.network);
        let Some(password) = self.password else {
            state.throttle.failed(attempt, now).await?;
            tell(state, origin, LoginOutcome::TooLong, None);
            tracing::warn!(network, "login failed: too long");
            return Ok(Checked::Wrong);
        };
        let named = state.people.find(self.username);
        let person = named.clone().filter(|person| !person.disabled);
        let hash = person.as_ref().map(|person| person.password_hash.as_str());
        let right = state.passwords.check(hash, password).await;
        match (right, person) {
            (Ok(true), Some(person)) => {
                tell(state, origin, LoginOutcome::Success, Some(&person));
                Ok(Checked::Right(person))
            }
            (Ok(_), person) => {
                state.throttle.failed(attempt, now).await?;
                let reason = match (&named, &person) {
                    (None, _) => LoginOutcome::UnknownUser,
                    (Some(_), None) => LoginOutcome::Disabled,
                    (Some(_), Some(_)) => LoginOutcome::WrongPassword,
                };
                tell(state, origin, reason, named.as_deref());
                // A name that is nobody's may be a password in the wrong field.
                let user = person.map_or_else(|| "unknown".to_owned(), |person| person.id.clone());
                tracing::warn!(%user, network, "login failed");
                Ok(Checked::Wrong)
            }
            (Err(_), _) => {
                // It was no attempt: nothing of it stays.
                tell(state, origin, LoginOutcome::Busy, None);
                tracing::warn!("login refused: too many at the same time");
                Ok(Checked::Busy)
            }
        }
    }

    /// Tells that nobody looked at them, after too many failures.
    pub(crate) fn throttled(&self, state: &State, origin: Origin<'_>) {
        let named = state.people.find(self.username);
        tell(state, origin, LoginOutcome::Throttled, named.as_deref());
    }
}

fn tell(state: &State, origin: Origin<'_>, outcome: LoginOutcome, person: Option<&Person>) {
    state.journal.tell(&Event::Login {
        outcome,
        user: person.map(|person| person.id.as_str()),
        service: origin.service,
        client: origin.client,
    });
}
