//! POST `/login/continue`: the answer to a question that was asked before a ticket is issued.

use axum::{extract::Request, response::Response};
use http::{Method, StatusCode};

use super::{
    Form, Options, Wanted,
    decide::{self, Answer},
    enter::{Entry, PURPOSE, Question},
    flow::{Bound, spend_bound},
    label_of, refused, session_of,
};
use crate::{
    http::{Failure, Parameters, is_own_form, method_not_allowed, page, read_form, redirect},
    pages::{LoginProblem, Page},
    sso::Choices,
    state::State,
};

/// `/login/continue`.
pub(crate) async fn proceed(state: &State, request: Request) -> Response {
    match *request.method() {
        Method::POST => answer(state, request)
            .await
            .unwrap_or_else(|failure| failure.respond(state)),
        // Somebody loads the address of an answer again.
        Method::GET | Method::HEAD => home(state),
        _ => method_not_allowed("GET, HEAD, POST"),
    }
}

async fn answer(state: &State, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let client = state.client(headers, &parts.extensions);
    let body = read_form(headers, body, &state.form_limits).await?;
    let parameters = Parameters::read(parts.uri.query(), Some(&body))?;
    let options = Options::read(&parameters)?;
    let question = parameters.text("question");
    let question = Question::ALL
        .into_iter()
        .find(|known| question.as_deref() == Some(known.name()));
    let (Some(question), Some(token)) = (question, parameters.only_in_body("lt")) else {
        return Err(Failure::Parameters);
    };
    let wanted = Wanted::read(state, &parameters)?;
    let (text, mode, url, service) = match &wanted {
        Wanted::Registered {
            text,
            mode,
            url,
            service,
        } => (text, *mode, url, *service),
        Wanted::Refused { text } => return Ok(refused(state, text, client)),
        Wanted::None => return Ok(home(state)),
    };
    let ask_password = |renew| {
        let form = Form {
            wanted: &wanted,
            username: "",
            problem: Some(LoginProblem::StaleForm),
            options: Options { renew, ..options },
            choices: Choices::default(),
        };
        form.respond(state, headers, StatusCode::FORBIDDEN)
    };
    let Some((session, person)) = session_of(state, headers).await? else {
        return Ok(ask_password(options.renew));
    };
    let entry = Entry {
        state,
        session: &session,
        person: &person,
        text,
        mode,
        url,
        service,
        options,
        fresh: parameters.flag("fresh"),
        client,
    };
    // Taken as it was shown: other attributes by now, and it is asked again.
    let to = entry.bound_to(question);
    let to: Vec<&[u8]> = to.iter().map(Vec::as_slice).collect();
    let bound = Bound {
        purpose: PURPOSE,
        to: &to,
    };
    let ours = is_own_form(headers, &state.origin) && spend_bound(state, token, bound).await?;
    if !ours {
        tracing::info!(user = %person.id, service = %service.id, "form before a service refused");
        if entry.fresh || options.renew || !service.sso {
            // Only a password leads on from here, and the one that was given is too long ago.
            return Ok(ask_password(true));
        }
        let again = match decide::enter(entry.visitor().await?, options.gateway) {
            Answer::AskConsent => entry.ask(Question::Consent, StatusCode::FORBIDDEN),
            Answer::Warn | Answer::Ticket => entry.ask(Question::Warning, StatusCode::FORBIDDEN),
            other => entry.answer(other).await?.unwrap_or_else(|| home(state)),
        };
        return Ok(again);
    }
    if !entry.fresh && (options.renew || !service.sso) {
        return Ok(ask_password(options.renew));
    }
    if question == Question::Consent {
        match parameters.only_in_body("answer") {
            Some(b"agree") => {
                state
                    .consents
                    .give(service, &person, state.clock.now())
                    .await?;
                tracing::info!(user = %person.id, service = %service.id, "consent given");
            }
            Some(b"refuse") => {
                tracing::info!(user = %person.id, service = %service.id, "consent refused");
                let shown = Page::ConsentRefused {
                    service: label_of(service, url),
                };
                return Ok(page(state, StatusCode::OK, &shown));
            }
            _ => return Err(Failure::Parameters),
        }
    }
    let mut visitor = entry.visitor().await?;
    // Whichever question it was, it named the service and was answered.
    visitor.warn = false;
    let entered = entry
        .answer(decide::enter(visitor, options.gateway && !options.renew))
        .await?;
    Ok(entered.unwrap_or_else(|| ask_password(options.renew)))
}

fn home(state: &State) -> Response {
    redirect(state, &format!("{}{}/login", state.origin, state.prefix))
}
