//! Validation: whose ticket is this? (protocol sections 8, 9 and 11)

mod decide;

use std::sync::Arc;

use axum::{extract, response::Response};
use casque_proto::{Cas1Response, Endpoint, Failure, Format, ServiceResponse, SuccessAnswer};
use casque_store::StoreError;
use http::{Method, StatusCode, Uri};

pub(crate) use self::decide::{Accepted, Code, Question, Refusal};
use self::decide::{Known, SESSION_ENDED, UNKNOWN_TICKET, format, judge};
use crate::{
    http::{ParameterError, Parameters, content, method_not_allowed},
    people::Person,
    sso::Visit,
    state::State,
    tickets::Grant,
};

type Shared = extract::State<Arc<State>>;

/// GET `/validate` (CAS 1).
pub(crate) async fn validate(state: Shared, method: Method, uri: Uri) -> Response {
    answer(&state, Endpoint::Validate, &method, uri.query()).await
}

/// GET `/serviceValidate` (CAS 2).
pub(crate) async fn service_validate(state: Shared, method: Method, uri: Uri) -> Response {
    answer(&state, Endpoint::ServiceValidate, &method, uri.query()).await
}

/// GET `/p3/serviceValidate` (CAS 3).
pub(crate) async fn p3_service_validate(state: Shared, method: Method, uri: Uri) -> Response {
    answer(&state, Endpoint::P3ServiceValidate, &method, uri.query()).await
}

/// An answer, ready to be sent.
#[derive(Debug)]
struct Answer {
    content_type: &'static str,
    body: String,
}

async fn answer(
    state: &State,
    endpoint: Endpoint,
    method: &Method,
    query: Option<&str>,
) -> Response {
    if method != Method::GET {
        return method_not_allowed("GET");
    }
    let mut wanted = Format::Xml;
    let outcome = match Parameters::from_query(query) {
        Ok(parameters) => match format(parameters.text("format").as_deref()) {
            Ok(format) => {
                wanted = format;
                ask(state, endpoint, format, &parameters).await
            }
            // CAS 1 knows no format.
            Err(_) if endpoint == Endpoint::Validate => {
                ask(state, endpoint, wanted, &parameters).await
            }
            Err(refusal) => Err(refusal),
        },
        Err(error) => {
            // The format is kept where it is not itself what is wrong.
            let asked = Parameters::of_refused_query(query, "format");
            wanted = format(asked.as_deref()).unwrap_or(Format::Xml);
            Err(Refusal {
                code: Code::InvalidRequest,
                words: match error {
                    ParameterError::TooMany => "There are too many parameters.",
                    ParameterError::Contradiction(_) => {
                        "A parameter is given twice with different values."
                    }
                },
            })
        }
    };
    let answer = outcome.unwrap_or_else(|refusal| {
        tracing::info!(code = ?refusal.code, reason = refusal.words, endpoint_name = endpoint.path(), "ticket refused");
        refuse(endpoint, wanted, refusal)
    });
    // Failures have status 200 too: many clients look at nothing else.
    content(StatusCode::OK, answer.content_type, answer.body)
}

/// All steps of R-094.
async fn ask(
    state: &State,
    endpoint: Endpoint,
    format: Format,
    parameters: &Parameters,
) -> Result<Answer, Refusal> {
    let question = Question::read(endpoint, format, parameters)?;
    settle(state, &question, |accepted| tell(&question, accepted)).await
}

/// Spends the ticket, judges it, and tells whose it is: steps 3 to 10 of R-094, the same wherever tickets are
/// validated. An unavailable store is `INTERNAL_ERROR`.
pub(crate) async fn settle<T>(
    state: &State,
    question: &Question,
    tell: impl FnOnce(&Accepted<'_>) -> T,
) -> Result<T, Refusal> {
    take_and_judge(state, question, tell)
        .await
        .unwrap_or_else(|error| {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the store did not answer"
            );
            Err(Refusal {
                code: Code::InternalError,
                words: "The server cannot answer right now.",
            })
        })
}

async fn take_and_judge<T>(
    state: &State,
    question: &Question,
    tell: impl FnOnce(&Accepted<'_>) -> T,
) -> Result<Result<T, Refusal>, StoreError> {
    // Taken first and judged afterwards: whatever the outcome, no second attempt (S-006).
    let Some(grant) = state.tickets.take(&question.ticket).await? else {
        return Ok(Err(UNKNOWN_TICKET));
    };
    let person = state.people.find(&grant.login.user);
    let person = person.filter(|person| !person.disabled);
    // A session that was opened with an earlier password is none (S-057).
    let fits = |person: &Arc<Person>| state.sessions.still_fits(&grant.login, person);
    if !person.as_ref().is_none_or(fits) {
        return Ok(Err(SESSION_ENDED));
    }
    let known = Known {
        grant: &grant,
        service: question.find(&grant, &state.services),
        person: person.as_deref(),
    };
    match judge(question, known) {
        Ok(accepted) if remember(state, question, &grant).await? => Ok(Ok(tell(&accepted))),
        // What else is wrong with the ticket of an ended session does not matter.
        Err(refusal) if state.sessions.is_live(&grant.login.session).await? => Ok(Err(refusal)),
        _ => Ok(Err(SESSION_ENDED)),
    }
}

/// Notes the visit, so that the service is told when the session ends. False where the
/// session has ended: a logout that did not find the note is found here.
async fn remember(state: &State, question: &Question, grant: &Grant) -> Result<bool, StoreError> {
    let session = &grant.login.session;
    let visit = Visit {
        ticket: question.ticket.secret().to_owned(),
        service: grant.url.clone(),
    };
    let now = state.clock.now();
    let noted = state.sessions.note(session, &visit, now).await?;
    if state.sessions.is_live(session).await? {
        return Ok(true);
    }
    state.sessions.forget(session, &noted).await?;
    Ok(false)
}

/// What the service learns (S-066); answers of CAS 1 and 2 carry no attributes.
fn tell(question: &Question, accepted: &Accepted<'_>) -> Answer {
    let Accepted {
        service, person, ..
    } = accepted;
    let endpoint = question.endpoint;
    tracing::info!(user = %person.id, service = %service.id, endpoint_name = endpoint.path(), "ticket accepted");
    if endpoint == Endpoint::Validate {
        return Answer::cas1(&Cas1Response::Success {
            user: person.id.clone(),
        });
    }
    let success = if endpoint == Endpoint::P3ServiceValidate {
        with_attributes(accepted)
    } else {
        SuccessAnswer::new(&person.id)
    };
    Answer::new(question.format, success.render(question.format))
}

/// The person with everything that this service is told (R-128, S-066).
pub(crate) fn with_attributes<'a>(accepted: &Accepted<'a>) -> SuccessAnswer<'a> {
    let Accepted {
        grant,
        service,
        person,
    } = accepted;
    SuccessAnswer::new(&person.id)
        .authentication_date(grant.login.authenticated())
        .long_term(false)
        .from_new_login(grant.fresh)
        .attributes(service.release(person))
}

fn refuse(endpoint: Endpoint, format: Format, refusal: Refusal) -> Answer {
    if endpoint == Endpoint::Validate {
        return Answer::cas1(&Cas1Response::Failure);
    }
    let failure = Failure::new(refusal.code.into(), refusal.words);
    Answer::new(format, ServiceResponse::Failure(failure).render(format))
}

impl Answer {
    fn new(format: Format, body: String) -> Self {
        let content_type = match format {
            Format::Json => "application/json; charset=UTF-8",
            _ => "application/xml; charset=UTF-8",
        };
        Self { content_type, body }
    }

    ///
    fn cas1(response: &Cas1Response) -> Self {
        Self {
            content_type: "text/plain; charset=UTF-8",
            body: response.to_text(),
        }
    }
}
