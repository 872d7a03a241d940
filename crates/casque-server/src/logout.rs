//! `/logout`: ends the single sign-on session (protocol section 6).

use axum::{extract::Request, response::Response};
use casque_proto::RegistryUrl;
use http::{
    HeaderMap, HeaderValue, Method, StatusCode,
    header::{REFRESH, SET_COOKIE},
    request::Parts,
};

use crate::{
    http::{
        BodyError, Cookie, Failure, Parameters, is_form_navigation, is_navigation, is_own_form,
        method_not_allowed, page, page_with_forms, page_with_images, read_form, redirect,
    },
    pages::{Continue, Field, Page, ServiceLabel},
    slo::FrontMessage,
    state::State,
};

/// GET, HEAD and POST `/logout`.
pub(crate) async fn logout(state: &State, request: Request) -> Response {
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
        if is_meant(state, &method, &parts.headers) {
            end(state, &parts, &parameters).await
        } else {
            let is_form = method == Method::POST;
            ask(state, &parts.headers, &parameters, is_form).await
        }
    };
    answer
        .await
        .unwrap_or_else(|failure| failure.respond(state))
}

/// Whether a person wants to log out, as opposed to an image or a script on some page (S-051).
fn is_meant(state: &State, method: &Method, headers: &HeaderMap) -> bool {
    match *method {
        // Another site's form may come with the cookie: browsers send new ones for two minutes.
        Method::POST => is_form_navigation(headers) && is_own_form(headers, &state.origin),
        Method::GET => is_navigation(headers),
        _ => false,
    }
}

async fn end(
    state: &State,
    Parts {
        headers,
        extensions,
        ..
    }: &Parts,
    parameters: &Parameters,
) -> Result<Response, Failure> {
    let mut messages = Vec::new();
    if let Some(cookie) = state.cookies.read(headers, Cookie::Tgc)
        && let Some(session) = state.sessions.of_cookie(cookie).await?
    {
        let client = state.client(headers, extensions);
        messages = state.end_session_in_front(&session, client).await?;
        tracing::info!(user = %session.user, "logout");
    }
    let onward = onward(state, parameters);
    let mut response = match onward {
        _ if !messages.is_empty() => tell_by_page(state, &messages, onward.as_ref()),
        Some(url) => redirect(state, url.as_str()),
        None => page(state, StatusCode::OK, &Page::LoggedOut { service: None }),
    };
    response
        .headers_mut()
        .append(SET_COOKIE, state.cookies.clear(Cookie::Tgc));
    Ok(response)
}

/// The page whose images take the messages to their services. It leads on to the service after a moment, in
/// which the browser has begun to get them.
fn tell_by_page(
    state: &State,
    messages: &[FrontMessage],
    onward: Option<&RegistryUrl>,
) -> Response {
    let service = onward.and_then(|url| Some((state.services.find(url)?, url)));
    let label = service.map(|(service, url)| {
        let label = ServiceLabel {
            name: service.display_name(),
            host: url.host(),
            description: None,
        };
        (label, url.as_str())
    });
    let shown = Page::LoggedOutInFront {
        service: label,
        messages: messages.iter().map(|message| &*message.url).collect(),
    };
    let images = messages.iter().map(|message| &*message.origin);
    let mut response = page_with_images(state, &shown, images);
    let refresh = onward.map(|url| HeaderValue::try_from(format!("3; url={}", url.as_str())));
    if let Some(Ok(refresh)) = refresh {
        response.headers_mut().insert(REFRESH, refresh);
    }
    response
}

/// The registered service to go to afterwards; no other place will do (R-040, R-069, R-070, S-040).
fn onward(state: &State, parameters: &Parameters) -> Option<RegistryUrl> {
    let text = parameters.text("service")?;
    let url = RegistryUrl::parse(&text).ok()?;
    state.services.find(&url).is_some().then_some(url)
}

/// Ends nothing, and offers a button that does.
///
/// A form of another site comes without the cookie, so that it cannot be told whether anybody is signed in: then that
/// is asked, too.
async fn ask(
    state: &State,
    headers: &HeaderMap,
    parameters: &Parameters,
    is_form: bool,
) -> Result<Response, Failure> {
    let session = match state.cookies.read(headers, Cookie::Tgc) {
        Some(cookie) => state.sessions.of_cookie(cookie).await?,
        None => None,
    };
    if session.is_none() && !is_form {
        return Ok(page(
            state,
            StatusCode::OK,
            &Page::LoggedOut { service: None },
        ));
    }
    let action = format!("{}/logout", state.prefix);
    let onward = onward(state, parameters);
    let target = onward.as_ref().map(RegistryUrl::origin);
    let fields = onward
        .as_ref()
        .map(|url| Field::new("service", url.as_str()));
    let shown = Page::ConfirmLogout {
        user: session.as_ref().map(|session| &*session.user),
        logout: Continue {
            action: &action,
            fields: fields.into_iter().collect(),
        },
    };
    Ok(page_with_forms(
        state,
        StatusCode::OK,
        &shown,
        target.as_deref(),
    ))
}
