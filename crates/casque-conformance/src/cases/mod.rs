//! The cases, by area. They share one session where they can, so their order does not matter.

mod answers;
mod cookie;
mod delivery;
mod gate;
mod login;
mod logout;
mod options;
mod proxy;
mod renew;
mod rest;
mod saml;
mod validate;

use crate::case::Case;

/// Every case, in the order in which they run.
pub fn cases() -> impl Iterator<Item = &'static Case> {
    [
        login::CASES,
        options::CASES,
        gate::CASES,
        delivery::CASES,
        cookie::CASES,
        validate::CASES,
        renew::CASES,
        answers::CASES,
        proxy::CASES,
        saml::CASES,
        rest::CASES,
        logout::CASES,
    ]
    .into_iter()
    .flatten()
}
