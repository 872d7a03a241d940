//! Which path is answered by what.
//!
//! There are a dozen paths, all but two of them fixed words: comparing them takes less than a router's bookkeeping,
//! which every validation would pay for.

use std::{borrow::Cow, future::ready, pin::Pin};

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
    match below(state, request) {
        Some("/login") => Endpoint::Login,
        Some("/login/continue") => Endpoint::Continue,
        Some("/consents") => Endpoint::Consents,
        Some("/logout") => Endpoint::Logout,
        Some("/validate") => Endpoint::Validate,
        Some("/serviceValidate") => Endpoint::ServiceValidate,
        Some("/proxyValidate") => Endpoint::ProxyValidate,
        Some("/p3/serviceValidate") => Endpoint::P3ServiceValidate,
        Some("/p3/proxyValidate") => Endpoint::P3ProxyValidate,
        Some("/samlValidate") => Endpoint::SamlValidate,
        Some("/proxy") => Endpoint::Proxy,
        Some(path) if path.starts_with("/v1/") => Endpoint::Rest,
        Some(path) if path.starts_with("/assets/") => Endpoint::Assets,
        _ => Endpoint::Other,
    }
}

/// Answers a request that has passed the guard.
///
/// In a box, so that a connection does not carry about what the longest answer needs.
pub(crate) fn answer(state: &State, endpoint: Endpoint, request: Request) -> Answering<'_> {
    match endpoint {
        Endpoint::Login => Box::pin(login(state, request)),
        Endpoint::Continue => Box::pin(proceed(state, request)),
        Endpoint::Consents => Box::pin(consents(state, request)),
        Endpoint::Logout => Box::pin(logout(state, request)),
        Endpoint::Validate => validation(state, Cas::Validate, request),
        Endpoint::ServiceValidate => validation(state, Cas::ServiceValidate, request),
        Endpoint::ProxyValidate => validation(state, Cas::ProxyValidate, request),
        Endpoint::P3ServiceValidate => validation(state, Cas::P3ServiceValidate, request),
        Endpoint::P3ProxyValidate => validation(state, Cas::P3ProxyValidate, request),
        Endpoint::SamlValidate => Box::pin(saml_validate(state, request)),
        Endpoint::Proxy => Box::pin(proxy(state, request)),
        Endpoint::Rest if state.rest.enabled => Box::pin(rest_protocol(state, request)),
        Endpoint::Assets => Box::pin(ready(asset(state, &request))),
        Endpoint::Rest | Endpoint::Other => Box::pin(ready(other(state, &request))),
    }
}

type Answering<'s> = Pin<Box<dyn Future<Output = Response> + Send + 's>>;

/// The path below that of the base URL.
fn below<'r>(state: &State, request: &'r Request) -> Option<&'r str> {
    request.uri().path().strip_prefix(&*state.prefix)
}

fn validation(state: &State, endpoint: Cas, request: Request) -> Answering<'_> {
    let (parts, _) = request.into_parts();
    Box::pin(async move { validate(state, endpoint, &parts).await })
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

fn other(state: &State, request: &Request) -> Response {
    match below(state, request) {
        Some("" | "/") => redirect(state, &format!("{}{}/login", state.origin, state.prefix)),
        _ => missing(state),
    }
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
