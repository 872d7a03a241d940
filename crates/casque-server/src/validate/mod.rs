//! Validation: whose ticket is this? (protocol sections 8, 9 and 11)

mod decide;

use std::sync::Arc;

use axum::{extract, response::Response};
use casque_proto::{Assertion, Cas1Response, Endpoint, Failure, Format, ServiceResponse};
use casque_store::StoreError;
use http::{Method, StatusCode, Uri};

use self::decide::{Accepted, Code, Known, Question, Refusal, SESSION_ENDED, format, judge};
use crate::{
    http::{ParameterError, Parameters, content, method_not_allowed},
    sso::Visit,
    state::State,
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

/// What an accepted ticket tells the service with this id.
#[derive(Debug)]
struct Told {
    service: String,
    assertion: Assertion,
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
                ask(state, endpoint, &parameters).await
            }
            // CAS 1 knows no format.
            Err(_) if endpoint == Endpoint::Validate => ask(state, endpoint, &parameters).await,
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
    let endpoint_name = endpoint.path();
    match &outcome {
        Ok(told) => {
            tracing::info!(user = %told.assertion.user(), service = %told.service, endpoint_name, "ticket accepted");
        }
        Err(refusal) => {
            tracing::info!(code = ?refusal.code, reason = refusal.words, endpoint_name, "ticket refused");
        }
    }
    match endpoint {
        Endpoint::Validate => write_cas1(outcome),
        _ => write(wanted, outcome),
    }
}

/// All steps of R-094. An unavailable store is `INTERNAL_ERROR`.
async fn ask(state: &State, endpoint: Endpoint, parameters: &Parameters) -> Result<Told, Refusal> {
    let question = Question::read(endpoint, parameters)?;
    take_and_judge(state, &question)
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

async fn take_and_judge(
    state: &State,
    question: &Question,
) -> Result<Result<Told, Refusal>, StoreError> {
    // Taken first and judged afterwards: whatever the outcome, no second attempt (S-006).
    let grant = state.tickets.take(&question.ticket).await?;
    let session = match &grant {
        Some(grant) => state.sessions.by_id(&grant.session).await?,
        None => None,
    };
    let person = session
        .as_ref()
        .and_then(|session| state.people.find(&session.user))
        .filter(|person| !person.disabled);
    // A session that was opened with an earlier password is none (S-057).
    let session = session.filter(|session| {
        let mut person = person.iter();
        person.all(|person| state.sessions.fits(session, person))
    });
    let known = Known {
        grant: grant.as_ref(),
        session: session.as_ref(),
        service: grant
            .as_ref()
            .and_then(|grant| question.find(grant, &state.services)),
        person: person.as_deref(),
    };
    let accepted = match judge(question, known) {
        Ok(accepted) => accepted,
        Err(refusal) => return Ok(Err(refusal)),
    };
    if !remember(state, question, &accepted).await? {
        return Ok(Err(SESSION_ENDED));
    }
    Ok(Ok(tell(question.endpoint, accepted)))
}

/// Notes the visit, so that the service is told when the session ends. False where the
/// session has ended meanwhile: a logout that did not find the note is found here.
async fn remember(
    state: &State,
    question: &Question,
    accepted: &Accepted<'_>,
) -> Result<bool, StoreError> {
    let session = accepted.session;
    let visit = Visit {
        ticket: question.ticket.secret().to_owned(),
        service: accepted.grant.url.clone(),
    };
    let now = state.clock.now();
    let noted = state.sessions.note(&session.id, &visit, now).await?;
    if state.sessions.is_live(session).await? {
        return Ok(true);
    }
    state.sessions.forget(&session.id, &noted).await?;
    Ok(false)
}

/// What the service learns (S-066); answers of CAS 1 and 2 carry no attributes.
fn tell(endpoint: Endpoint, accepted: Accepted<'_>) -> Told {
    let Accepted {
        grant,
        session,
        service,
        person,
    } = accepted;
    let mut assertion = Assertion::builder(person.id.as_str());
    if endpoint == Endpoint::P3ServiceValidate {
        assertion = assertion
            .authentication_date(session.authenticated)
            .long_term(false)
            .from_new_login(grant.fresh);
        for (name, values) in service.release(person) {
            for value in values {
                assertion = assertion.attribute(name, value.as_str());
            }
        }
    }
    Told {
        service: service.id.clone(),
        assertion: assertion.build(),
    }
}

///
fn write_cas1(outcome: Result<Told, Refusal>) -> Response {
    let response = match outcome {
        Ok(told) => Cas1Response::Success {
            user: told.assertion.user().to_owned(),
        },
        Err(_) => Cas1Response::Failure,
    };
    content(
        StatusCode::OK,
        "text/plain; charset=UTF-8",
        response.to_text(),
    )
}

/// Failures have status 200 too: many clients look at nothing else.
fn write(format: Format, outcome: Result<Told, Refusal>) -> Response {
    let response = match outcome {
        Ok(told) => ServiceResponse::Success(told.assertion),
        Err(refusal) => ServiceResponse::Failure(Failure::new(refusal.code.into(), refusal.words)),
    };
    match format {
        Format::Json => content(
            StatusCode::OK,
            "application/json; charset=UTF-8",
            response.to_json(),
        ),
        _ => content(
            StatusCode::OK,
            "application/xml; charset=UTF-8",
            response.to_xml(),
        ),
    }
}
