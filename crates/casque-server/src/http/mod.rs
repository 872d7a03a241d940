//! HTTP around the endpoints: who may ask, what is read, and the headers of every answer.

mod body;
mod cookies;
mod fetch;
mod guard;
mod host;
mod params;
mod peer;
mod respond;

pub(crate) use body::{BodyError, FormLimits, read_body, read_form};
pub(crate) use cookies::{Cookie, Cookies};
pub(crate) use fetch::{is_form_navigation, is_navigation, is_own_form, is_prefetch};
pub(crate) use guard::{DefaultHeaders, Guard};
pub(crate) use host::Authority;
pub(crate) use params::{ParameterError, Parameters};
pub use peer::Peer;
pub(crate) use peer::{client_address, is_unlisted_proxy, network};
pub(crate) use respond::{
    Failure, content, method_not_allowed, page, page_with_forms, page_with_images, redirect, text,
};
