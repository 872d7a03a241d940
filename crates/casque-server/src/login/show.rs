//! GET `/login`.

use std::net::IpAddr;

use axum::response::Response;
use http::{HeaderMap, StatusCode};

use super::{
    Form, Options, Wanted,
    decide::{Answer, Situation, Visitor, decide},
    enter::Entry,
    logged_in, refused, session_of,
};
use crate::{
    http::{Failure, Parameters, method_not_allowed, redirect},
    sso::Choices,
    state::State,
};

/// At no service, nobody is refused or asked.
const EVERYBODY: Visitor = Visitor {
    admitted: true,
    agreed: true,
    warn: false,
};

pub(super) async fn show(
    state: &State,
    query: Option<&str>,
    headers: &HeaderMap,
    client: Option<IpAddr>,
) -> Result<Response, Failure> {
    let parameters = Parameters::from_query(query)?;
    if parameters.in_query("username") || parameters.in_query("password") {
        // Credentials in an address end up in logs and histories; they are never looked at.
        return Ok(method_not_allowed("POST"));
    }
    let wanted = Wanted::read(state, &parameters)?;
    let options = Options::read(&parameters)?;
    let session = session_of(state, headers).await?;
    let entry = match (&wanted, &session) {
        (
            Wanted::Registered {
                text,
                mode,
                url,
                service,
            },
            Some((session, person)),
        ) => Some(Entry {
            state,
            session,
            person,
            text,
            mode: *mode,
            url,
            service,
            options,
            fresh: false,
            client,
        }),
        _ => None,
    };
    let visitor = match &entry {
        Some(entry) => Some(entry.visitor().await?),
        None => session.is_some().then_some(EVERYBODY),
    };
    let situation = Situation {
        service: wanted.asked(),
        session: visitor,
        renew: options.renew,
        gateway: options.gateway,
    };
    match (decide(situation), &wanted) {
        (Answer::Form, _) => {}
        (Answer::Refused, Wanted::Refused { text }) => return Ok(refused(state, text, client)),
        (Answer::BackWithoutTicket, Wanted::Registered { url, .. }) => {
            return Ok(redirect(state, url.as_str()));
        }
        (answer, _) => {
            if let Some((_, person)) = session.as_ref().filter(|_| entry.is_none()) {
                return Ok(logged_in(state, person));
            }
            let answered = match &entry {
                Some(entry) => entry.answer(answer).await?,
                None => None,
            };
            if let Some(response) = answered {
                return Ok(response);
            }
            // The session ended meanwhile.
            if let Wanted::Registered { url, .. } = &wanted
                && options.gateway
            {
                return Ok(redirect(state, url.as_str()));
            }
        }
    }
    // Nobody types a password into a form that cannot be answered.
    state.store.ping().await?;
    let form = Form {
        wanted: &wanted,
        username: "",
        problem: None,
        options,
        choices: Choices::default(),
    };
    Ok(form.respond(state, headers, StatusCode::OK))
}
