//! `/consents`: what one agreed to oneself, and the way to take it back.

use std::time::SystemTime;

use axum::{extract::Request, response::Response};
use http::{HeaderMap, Method, StatusCode};

use super::Given;
use crate::{
    http::{Failure, Parameters, is_own_form, method_not_allowed, page, read_form, redirect},
    login::{Bound, issue_bound, session_of, spend_bound},
    pages::{ConsentGiven, Continue, Field, Page},
    people::Person,
    sso::Session,
    state::State,
};

const PURPOSE: &str = "revoke-consent";

/// GET, HEAD and POST `/consents`.
pub(crate) async fn consents(state: &State, request: Request) -> Response {
    let answer = match *request.method() {
        Method::GET | Method::HEAD => show(state, request.headers()).await,
        Method::POST => revoke(state, request).await,
        _ => return method_not_allowed("GET, HEAD, POST"),
    };
    answer.unwrap_or_else(|failure| failure.respond(state))
}

async fn show(state: &State, headers: &HeaderMap) -> Result<Response, Failure> {
    match session_of(state, headers).await? {
        Some((session, person)) => list(state, StatusCode::OK, &session, &person).await,
        None => Ok(to(state, "login")),
    }
}

async fn revoke(state: &State, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let body = read_form(headers, body, &state.form_limits).await?;
    let parameters = Parameters::read(parts.uri.query(), Some(&body))?;
    let Some((session, person)) = session_of(state, headers).await? else {
        return Ok(to(state, "login"));
    };
    let (Some(token), Some(id)) = (parameters.only_in_body("lt"), parameters.only_in_body("id"))
    else {
        return Err(Failure::Parameters);
    };
    let bound = Bound {
        purpose: PURPOSE,
        to: &[session.id.as_bytes(), id],
    };
    if !is_own_form(headers, &state.origin) || !spend_bound(state, token, bound).await? {
        tracing::info!("form to take a consent back refused");
        return list(state, StatusCode::FORBIDDEN, &session, &person).await;
    }
    let id = String::from_utf8_lossy(id);
    if state.consents.revoke(&person.id, &id).await? {
        tracing::info!(user = %person.id, service = %id, "consent taken back");
    }
    // Loading the page again does not send the form again.
    Ok(to(state, "consents"))
}

async fn list(
    state: &State,
    status: StatusCode,
    session: &Session,
    person: &Person,
) -> Result<Response, Failure> {
    let given = state.consents.of(&person.id).await?;
    let action = format!("{}/consents", state.prefix);
    let tokens: Vec<String> = given
        .iter()
        .map(|given| {
            let bound = Bound {
                purpose: PURPOSE,
                to: &[session.id.as_bytes(), given.service.as_bytes()],
            };
            issue_bound(state, bound, state.form_lifetime)
        })
        .collect();
    let given = given
        .iter()
        .zip(&tokens)
        .map(|(given, token)| ConsentGiven {
            name: name(state, given),
            day: day(given.at()),
            attributes: given.names.clone(),
            form: Continue {
                action: &action,
                fields: vec![Field::new("lt", token), Field::new("id", &given.service)],
            },
        });
    let shown = Page::Consents {
        user: &person.id,
        given: given.collect(),
    };
    Ok(page(state, status, &shown))
}

/// The service's name; its id if it is not registered any more.
fn name<'a>(state: &'a State, given: &'a Given) -> &'a str {
    let service = state.services.by_id(&given.service);
    service.map_or(&given.service, |service| service.display_name())
}

fn to(state: &State, path: &str) -> Response {
    redirect(state, &format!("{}{}/{path}", state.origin, state.prefix))
}

/// The day in UTC.
fn day(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time)
        .map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}
