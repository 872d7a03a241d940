//! Which path is answered by what.
//!
//! There are a dozen paths, all but two of them fixed words: comparing them takes less than a router's bookkeeping,
//! which every validation would pay for.

use std::borrow::Cow;

use axum::{extract::Request, response::Response};
use casque_proto::Endpoint as Cas;
use http::{HeaderValue, Method, StatusCode, header::CACHE_CONTROL};
use percent_encoding::percent_decode_str;

use crate::{
    consent::consents,
    http::{content, method_not_allowed, page, redirect},
    journal::Endpoint,
    login::{login, proceed},
    logout::logout,
    pages::Page,
    proxy::proxy,
    rest,
    saml::saml_validate,
    state::State,
    validate::validate,
};

/// What a request is for.
pub(crate) fn endpoint(state: &State, request: &Request) -> Endpoint {
    below(state, request).map_or(Endpoint::Other, Endpoint::of)
}

/// Answers a request that has passed the guard.
///
/// Boxes, so that a validation does not carry about what a login needs.
pub(crate) async fn answer(state: &State, endpoint: Endpoint, request: Request) -> Response {
    match endpoint {
        Endpoint::Login => Box::pin(login(state, request)).await,
        Endpoint::Continue => Box::pin(proceed(state, request)).await,
        Endpoint::Consents => Box::pin(consents(state, request)).await,
        Endpoint::Logout => Box::pin(logout(state, request)).await,
        Endpoint::Validate => validated(state, Cas::Validate, request).await,
        Endpoint::ServiceValidate => validated(state, Cas::ServiceValidate, request).await,
        Endpoint::ProxyValidate => validated(state, Cas::ProxyValidate, request).await,
        Endpoint::P3ServiceValidate => validated(state, Cas::P3ServiceValidate, request).await,
        Endpoint::P3ProxyValidate => validated(state, Cas::P3ProxyValidate, request).await,
        Endpoint::SamlValidate => Box::pin(saml_validate(state, request)).await,
        Endpoint::Proxy => Box::pin(proxy(state, request)).await,
        Endpoint::Rest if state.rest.enabled => Box::pin(rest_protocol(state, request)).await,
        Endpoint::Assets => asset(state, &request),
        Endpoint::Rest | Endpoint::Other => match below(state, &request) {
            Some("" | "/") => redirect(state, &format!("{}{}/login", state.origin, state.prefix)),
            _ => missing(state),
        },
    }
}

/// The path below that of the base URL.
fn below<'r>(state: &State, request: &'r Request) -> Option<&'r str> {
    request.uri().path().strip_prefix(&*state.prefix)
}

async fn validated(state: &State, endpoint: Cas, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    Box::pin(validate(state, endpoint, &parts)).await
}

async fn rest_protocol(state: &State, request: Request) -> Response {
    match below(state, &request) {
        Some("/v1/tickets") => rest::tickets(state, request).await,
        Some("/v1/users") => rest::users(state, request).await,
        path => match path.and_then(|path| segment(path, "/v1/tickets/")) {
            Some(tgt) => {
                let tgt = tgt.into_owned();
                rest::ticket(state, &tgt, request).await
            }
            None => missing(state),
        },
    }
}

fn asset(state: &State, request: &Request) -> Response {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return method_not_allowed("GET, HEAD");
    }
    let file = below(state, request).and_then(|path| segment(path, "/assets/"));
    let Some(asset) = file.and_then(|file| state.pages.asset(&file)) else {
        return missing(state);
    };
    let mut response = content(StatusCode::OK, asset.content_type(), asset.bytes());
    // Its name changes with its content.
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(CACHE_CONTROL, forever);
    response
}

/// The last segment of a path that begins like that, as it was meant.
fn segment<'p>(path: &'p str, begin: &str) -> Option<Cow<'p, str>> {
    let segment = path.strip_prefix(begin)?;
    let is_one = !segment.is_empty() && !segment.contains('/');
    is_one.then(|| percent_decode_str(segment).decode_utf8().ok())?
}

fn missing(state: &State) -> Response {
    let shown = Page::Error {
        status: 404,
        title: "There is no such page",
        words: "Check the address, or go to the service you want to use.",
        reference: None,
    };
    page(state, StatusCode::NOT_FOUND, &shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_one_and_is_decoded() {
        let tgt = |path| segment(path, "/v1/tickets/");
        assert_eq!(tgt("/v1/tickets/TGT-1%2D2").as_deref(), Some("TGT-1-2"));
        assert_eq!(tgt("/v1/tickets/a%2Fb").as_deref(), Some("a/b"));
        for none in [
            "/v1/tickets/",
            "/v1/tickets",
            "/v1/tickets/a/b",
            "/v1/tickets/a/",
            "/v1/tickets/%ff",
            "/v1/users/a",
        ] {
            assert_eq!(tgt(none), None, "{none}");
        }
    }
}
