//! Login tickets: one attempt each, bound to the browser that the form was sent to (R-039, S-054).
//!
//! A ticket carries its own proof, so that showing the form to anyone who asks writes nothing;
//! only a ticket that was used leaves a mark in the store, until it would have expired anyway.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use casque_store::{Key, StoreError};

use crate::{
    secret::{hex, random_bytes},
    state::State,
};

const PURPOSE: &str = "login-ticket";

/// The value of a new `casque-flow` cookie.
pub(crate) fn new_flow() -> String {
    hex(&random_bytes::<32>())
}

/// Whether a cookie value has the shape of [`new_flow`]; anything else is replaced.
pub(crate) fn is_flow(value: &str) -> bool {
    value.len() == 64
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Makes the login ticket for a form that goes to the browser of this flow cookie.
pub(crate) fn issue(state: &State, flow: &str) -> String {
    let id = hex(&random_bytes::<16>());
    let until = state.clock.now() + state.form_lifetime;
    let until = until
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_secs();
    let until = format!("{until:x}");
    let mac = state
        .secret
        .mac(PURPOSE, &[flow.as_bytes(), id.as_bytes(), until.as_bytes()]);
    format!("LT-{until}-{id}-{}", hex(&mac))
}

/// Spends a login ticket. True exactly once for a ticket that was issued to this browser.
pub(crate) async fn spend(state: &State, ticket: &[u8], flow: &str) -> Result<bool, StoreError> {
    match check(state, ticket, flow) {
        Some((id, until)) => {
            let key = spent(state, id);
            state.store.create(&key, Vec::new(), until).await
        }
        None => Ok(false),
    }
}

/// Takes it back, for a ticket whose password was never looked at.
pub(crate) async fn restore(state: &State, ticket: &[u8], flow: &str) -> Result<(), StoreError> {
    match check(state, ticket, flow) {
        Some((id, _)) => state.store.delete(&spent(state, id)).await.map(drop),
        None => Ok(()),
    }
}

fn spent(state: &State, id: &str) -> Key {
    Key::new("lt-spent", id.as_bytes(), state.secret.hasher())
}

fn check<'t>(state: &State, ticket: &'t [u8], flow: &str) -> Option<(&'t str, SystemTime)> {
    let ticket = std::str::from_utf8(ticket).ok()?.strip_prefix("LT-")?;
    let mut parts = ticket.split('-');
    let (until, id, mac) = (parts.next()?, parts.next()?, parts.next()?);
    let ours = state.secret.is_mac(
        mac,
        PURPOSE,
        &[flow.as_bytes(), id.as_bytes(), until.as_bytes()],
    );
    if parts.next().is_some() || !ours {
        return None;
    }
    let seconds = u64::from_str_radix(until, 16).ok()?;
    let until = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    (state.clock.now() < until).then_some((id, until))
}
