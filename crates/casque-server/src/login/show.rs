//! GET `/login`.

use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::{
    Form, Wanted,
    decide::{Answer, Situation, decide},
    grant, logged_in, refused, session_of,
};
use crate::{
    http::{Failure, Parameters, method_not_allowed, redirect},
    state::State,
};

pub(super) async fn show(
    state: &State,
    query: Option<&str>,
    headers: &HeaderMap,
) -> Result<Response, Failure> {
    let parameters = Parameters::from_query(query)?;
    if parameters.in_query("username") || parameters.in_query("password") {
        // Credentials in an address end up in logs and histories; they are never looked at.
        return Ok(method_not_allowed("POST"));
    }
    let wanted = Wanted::read(state, &parameters)?;
    let session = session_of(state, headers).await?;
    let renew = parameters.flag("renew");
    let gateway = parameters.flag("gateway");
    let situation = Situation {
        service: wanted.asked(),
        session: session.is_some(),
        renew,
        gateway,
    };
    match (decide(situation), &wanted, &session) {
        (Answer::Refused, Wanted::Refused { text }, _) => return Ok(refused(state, text)),
        (Answer::AlreadyLoggedIn, _, Some((_, person))) => return Ok(logged_in(state, person)),
        (Answer::BackWithoutTicket, Wanted::Registered { url, .. }, _) => {
            return Ok(redirect(state, url.as_str()));
        }
        (
            Answer::Ticket,
            Wanted::Registered {
                url, service, mode, ..
            },
            Some((session, person)),
        ) => {
            if let Some(location) = grant(state, session, url, service, *mode, false).await? {
                tracing::info!(user = %person.id, service = %service.id, "single sign-on");
                return Ok(redirect(state, &location));
            }
            if gateway {
                return Ok(redirect(state, url.as_str()));
            }
        }
        _ => {}
    }
    // Nobody types a password into a form that cannot be answered.
    state.store.ping().await?;
    let form = Form {
        wanted: &wanted,
        username: "",
        problem: None,
        renew,
        gateway,
    };
    Ok(form.respond(state, headers, StatusCode::OK))
}
