//! Login tickets: one attempt each, bound to the browser that the form was sent to (R-039, S-054).
//!
//! A ticket carries its own proof, so that showing the form to anyone who asks writes nothing;
//! only a ticket that was used leaves a mark in the store, until it would have expired anyway.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_store::{Key, StoreError};
use data_encoding::HEXLOWER;

use crate::{secret::random_bytes, state::State};

const PURPOSE: &str = "login-ticket";

/// The value of a new `casque-flow` cookie.
pub(crate) fn new_flow() -> String {
    HEXLOWER.encode(&random_bytes::<32>())
}

/// Whether a cookie value has the shape of [`new_flow`]; anything else is replaced.
pub(crate) fn is_flow(value: &str) -> bool {
    value.len() == 64
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// What a one-time field of a form is for, and what it is bound to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound<'a> {
    /// Tells one kind of form from another.
    pub(crate) purpose: &'static str,
    /// The browser or session that the form was sent to, and what else must come back unchanged.
    pub(crate) to: &'a [&'a [u8]],
}

/// Makes the login ticket for a form that goes to the browser of this flow cookie.
pub(crate) fn issue(state: &State, flow: &str) -> String {
    issue_bound(state, login(&[flow.as_bytes()]), state.form_lifetime)
}

/// Makes the one-time field of a form.
pub(crate) fn issue_bound(state: &State, bound: Bound<'_>, lifetime: Duration) -> String {
    let id = HEXLOWER.encode(&random_bytes::<16>());
    let until = state.clock.now() + lifetime;
    let until = until
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let until = format!("{until:x}");
    let mac = state.secret.mac(bound.purpose, &bound.with(&id, &until));
    format!("LT-{until}-{id}-{}", HEXLOWER.encode(&mac))
}

/// Spends a login ticket. True exactly once for a ticket that was issued to this browser.
pub(crate) async fn spend(state: &State, ticket: &[u8], flow: &str) -> Result<bool, StoreError> {
    spend_bound(state, ticket, login(&[flow.as_bytes()])).await
}

/// Spends a one-time field. True exactly once for one that was issued for this.
pub(crate) async fn spend_bound(
    state: &State,
    ticket: &[u8],
    bound: Bound<'_>,
) -> Result<bool, StoreError> {
    match check(state, ticket, bound) {
        Some((spent, until)) => state.store.create(&spent, Vec::new(), until).await,
        None => Ok(false),
    }
}

/// Takes it back, for a ticket whose password was never looked at.
pub(crate) async fn restore(state: &State, ticket: &[u8], flow: &str) -> Result<(), StoreError> {
    match check(state, ticket, login(&[flow.as_bytes()])) {
        Some((spent, _)) => state.store.delete(&spent).await.map(drop),
        None => Ok(()),
    }
}

fn login<'a>(to: &'a [&'a [u8]]) -> Bound<'a> {
    Bound {
        purpose: PURPOSE,
        to,
    }
}

impl<'a> Bound<'a> {
    fn with(&self, id: &'a str, until: &'a str) -> Vec<&'a [u8]> {
        let mut values = self.to.to_vec();
        values.extend([id.as_bytes(), until.as_bytes()]);
        values
    }
}

/// The mark of a ticket that was issued for this, and until when it is good.
///
/// The mark is named by the secret that made the ticket, so that nodes with the secrets in either order leave the same.
fn check(state: &State, ticket: &[u8], bound: Bound<'_>) -> Option<(Key, SystemTime)> {
    let ticket = std::str::from_utf8(ticket).ok()?.strip_prefix("LT-")?;
    let mut parts = ticket.split('-');
    let (until, id, mac) = (parts.next()?, parts.next()?, parts.next()?);
    let maker = state
        .secret
        .maker(mac, bound.purpose, &Bound::with(&bound, id, until))?;
    if parts.next().is_some() {
        return None;
    }
    let spent = maker.name(&Key::new("lt-spent", id.as_bytes(), state.secret.hasher()));
    let seconds = u64::from_str_radix(until, 16).ok()?;
    let until = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    (state.clock.now() < until).then_some((spent, until))
}
