//! `/logout`: ends the single sign-on session (protocol section 6).

use std::sync::Arc;

use axum::{
    extract::{self, Request},
    response::Response,
};
use casque_proto::RegistryUrl;
use http::{HeaderMap, Method, StatusCode, header::SET_COOKIE};

use crate::{
    http::{
        BodyError, Cookie, Failure, Parameters, is_form_navigation, is_navigation,
        method_not_allowed, page, read_form, redirect,
    },
    pages::{Continue, Field, Page},
    state::State,
};

/// GET, HEAD and POST `/logout`.
pub(crate) async fn logout(
    extract::State(state): extract::State<Arc<State>>,
    request: Request,
) -> Response {
    let method = request.method().clone();
    if ![Method::GET, Method::HEAD, Method::POST].contains(&method) {
        return method_not_allowed("GET, HEAD, POST");
    }
    let (parts, body) = request.into_parts();
    let answer = async {
        let body = match read_form(&parts.headers, body, &state.form_limits).await {
            Ok(body) if method == Method::POST => Some(body),
            // Nothing in a body is needed here; only its size matters.
            Ok(_) | Err(BodyError::NoType | BodyError::WrongType) => None,
            Err(error) => return Err(error.into()),
        };
        let body = body.as_ref().map(|body| body.as_slice());
        let parameters = Parameters::read(parts.uri.query(), body)?;
        if is_meant(&method, &parts.headers) {
            end(&state, &parts.headers, &parameters).await
        } else {
            ask(&state, &parts.headers, &parameters).await
        }
    };
    answer
        .await
        .unwrap_or_else(|failure| failure.respond(&state))
}

/// Whether a person wants to log out, as opposed to an image or a script on some page (S-051).
fn is_meant(method: &Method, headers: &HeaderMap) -> bool {
    match *method {
        // Another site's form comes without the cookie (SameSite).
        Method::POST => is_form_navigation(headers),
        Method::GET => is_navigation(headers),
        _ => false,
    }
}

async fn end(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    if let Some(cookie) = state.cookies.read(headers, Cookie::Tgc)
        && let Some(session) = state.sessions.of_cookie(cookie).await?
    {
        state.end_session(&session.id).await?;
        tracing::info!(user = %session.user, "logout");
    }
    // only a registered service is a place to go (S-040).
    let onward = parameters
        .text("service")
        .and_then(|text| RegistryUrl::parse(&text).ok())
        .filter(|url| state.services.find(url).is_some());
    let mut response = match onward {
        Some(url) => redirect(state, url.as_str()),
        None => page(state, StatusCode::OK, &Page::LoggedOut { service: None }),
    };
    response
        .headers_mut()
        .append(SET_COOKIE, state.cookies.clear(Cookie::Tgc));
    Ok(response)
}

/// Ends nothing, and offers a button that does.
async fn ask(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let session = match state.cookies.read(headers, Cookie::Tgc) {
        Some(cookie) => state.sessions.of_cookie(cookie).await?,
        None => None,
    };
    let Some(session) = session else {
        return Ok(page(
            state,
            StatusCode::OK,
            &Page::LoggedOut { service: None },
        ));
    };
    let action = format!("{}/logout", state.prefix);
    let service = parameters.text("service");
    let fields = service.as_deref().map(|text| Field::new("service", text));
    let shown = Page::ConfirmLogout {
        user: &session.user,
        logout: Continue {
            action: &action,
            fields: fields.into_iter().collect(),
        },
    };
    Ok(page(state, StatusCode::OK, &shown))
}
