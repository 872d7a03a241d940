//! Validation: whose ticket is this? (protocol sections 8, 9 and 11)

mod decide;

use std::{net::IpAddr, sync::Arc};

use axum::response::Response;
use casque_proto::{
    Cas1Response, Endpoint, Failure, Format, ProxyGrantingTicket, ProxyGrantingTicketIou,
    ServiceResponse, SuccessAnswer,
};
use casque_store::StoreError;
use http::{Method, StatusCode, request::Parts};

pub(crate) use self::decide::{
    Accepted, Code, Question, Refusal, SESSION_ENDED, UNAVAILABLE, UNKNOWN_TICKET, refuse,
};
use self::decide::{CALLBACK_FAILED, Known, format, judge};
use crate::{
    http::{ParameterError, Parameters, content, method_not_allowed},
    journal::{Event, Granted},
    people::Person,
    registry::{LogoutType, Service},
    secret,
    sso::{Channel, Visit},
    state::State,
    tickets::{Grant, Proxying},
};

/// An answer, ready to be sent.
#[derive(Debug)]
struct Answer {
    content_type: &'static str,
    body: String,
}

/// GET `/validate` (CAS 1), `/serviceValidate` (CAS 2) and `/p3/serviceValidate` (CAS 3); `/proxyValidate` and
/// `/p3/proxyValidate` take proxy tickets, too.
pub(crate) async fn validate(state: &State, endpoint: Endpoint, request: &Parts) -> Response {
    if request.method != Method::GET {
        return method_not_allowed("GET");
    }
    let query = request.uri.query();
    // CAS 1 knows no format.
    let (wanted, parameters) = read_query(query, endpoint != Endpoint::Validate);
    let client = state.client(&request.headers, &request.extensions);
    let outcome = match &parameters {
        Ok(parameters) => ask(state, endpoint, wanted, parameters, client).await,
        Err(refusal) => Err(*refusal),
    };
    let answer = outcome.unwrap_or_else(|refusal| {
        let parameters = parameters.as_ref().ok();
        let ticket = parameters.and_then(|parameters| parameters.text("ticket"));
        tell_refusal(state, endpoint, refusal, ticket.as_deref(), client);
        tracing::info!(code = ?refusal.code, reason = refusal.words, endpoint_name = endpoint.path(), "ticket refused");
        failure(endpoint, wanted, refusal)
    });
    // Failures have status 200 too: many clients look at nothing else.
    content(StatusCode::OK, answer.content_type, answer.body)
}

/// The parameters of a request for a ticket, and the format of its answer. The format is kept where it is not itself
/// what is wrong.
pub(crate) fn read_query(
    query: Option<&str>,
    has_format: bool,
) -> (Format, Result<Parameters, Refusal>) {
    match Parameters::from_query(query) {
        Ok(parameters) if has_format => match format(parameters.text("format").as_deref()) {
            Ok(format) => (format, Ok(parameters)),
            Err(refusal) => (Format::Xml, Err(refusal)),
        },
        Ok(parameters) => (Format::Xml, Ok(parameters)),
        Err(error) => {
            let asked = Parameters::of_refused_query(query, "format");
            let words = match error {
                ParameterError::TooMany => "There are too many parameters.",
                ParameterError::Contradiction(_) => {
                    "A parameter is given twice with different values."
                }
            };
            (
                format(asked.as_deref()).unwrap_or(Format::Xml),
                refuse(Code::InvalidRequest, words),
            )
        }
    }
}

/// All steps of R-094.
async fn ask(
    state: &State,
    endpoint: Endpoint,
    format: Format,
    parameters: &Parameters,
    client: Option<IpAddr>,
) -> Result<Answer, Refusal> {
    let question = Question::read(endpoint, format, parameters)?;
    settle(state, &question, client, |accepted| {
        tell(&question, accepted)
    })
    .await
}

/// Tells of a validation that was refused.
pub(crate) fn tell_refusal(
    state: &State,
    endpoint: Endpoint,
    refusal: Refusal,
    ticket: Option<&str>,
    client: Option<IpAddr>,
) {
    state.journal.tell(&Event::TicketValidated {
        ticket,
        outcome: Err(refusal.code),
        endpoint: endpoint.path(),
        client,
    });
}

/// Spends the ticket, judges it, and tells whose it is: steps 3 to 10 of R-094, the same wherever tickets are
/// validated. An unavailable store is `INTERNAL_ERROR`.
pub(crate) async fn settle<T>(
    state: &State,
    question: &Question,
    client: Option<IpAddr>,
    tell: impl FnOnce(&Accepted<'_>) -> T,
) -> Result<T, Refusal> {
    let tell = |accepted: &Accepted<'_>| {
        state.journal.tell(&Event::TicketValidated {
            ticket: Some(question.ticket.secret()),
            outcome: Ok((&accepted.person.id, &accepted.service.id)),
            endpoint: question.endpoint.path(),
            client,
        });
        tell(accepted)
    };
    take_and_judge(state, question, client, tell)
        .await
        .unwrap_or_else(|error| {
            state.journal.store_failed(&error);
            Err(UNAVAILABLE)
        })
}

async fn take_and_judge<T>(
    state: &State,
    question: &Question,
    client: Option<IpAddr>,
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
    let service = question.find(&grant, &state.services);
    let agreed = match (service, &person) {
        (Some(service), Some(person)) => state.consents.cover(service, person).await?,
        _ => false,
    };
    let known = Known {
        grant: &grant,
        service,
        person: person.as_deref(),
        agreed,
    };
    match judge(question, known) {
        Ok(accepted) if accepted.callback.is_some() => {
            // In a box, so that nobody else carries what a call takes.
            let accepted = Box::pin(proxying(state, question, accepted, client)).await?;
            Ok(accepted.map(|accepted| tell(&accepted)))
        }
        Ok(accepted) if remember(state, question, &grant, accepted.service).await? => {
            Ok(Ok(tell(&accepted)))
        }
        // What else is wrong with the ticket of an ended session does not matter.
        Err(refusal) if state.sessions.is_live(&grant.login.session).await? => Ok(Err(refusal)),
        _ => Ok(Err(SESSION_ENDED)),
    }
}

/// Steps 10 and 11 with a proxy-granting ticket: it is good for nothing until its callback has taken it.
async fn proxying<'a>(
    state: &State,
    question: &Question,
    mut accepted: Accepted<'a>,
    client: Option<IpAddr>,
) -> Result<Result<Accepted<'a>, Refusal>, StoreError> {
    let Some(callback) = &accepted.callback else {
        return Ok(Ok(accepted));
    };
    let grant = accepted.grant;
    if !state.sessions.is_live(&grant.login.session).await? {
        return Ok(Err(SESSION_ENDED));
    }
    // Neither can be told from the other.
    let pgt = ProxyGrantingTicket::generate(&mut secret::fill);
    let iou = ProxyGrantingTicketIou::generate(&mut secret::fill);
    let service = accepted.service;
    let delivered = state.callbacks.deliver(service, callback, &iou, &pgt).await;
    if let Err(error) = delivered {
        tracing::warn!(service = %service.id, %error, "proxy callback failed");
        return Ok(Err(CALLBACK_FAILED));
    }
    if !remember(state, question, grant, service).await? {
        return Ok(Err(SESSION_ENDED));
    }
    let Some(session) = state.sessions.by_id(&grant.login.session).await? else {
        return Ok(Err(SESSION_ENDED));
    };
    let mut proxies = Vec::with_capacity(grant.proxies.len() + 1);
    proxies.push(callback.as_str().to_owned());
    proxies.extend_from_slice(&grant.proxies);
    let proxying = Proxying {
        login: grant.login.clone(),
        service: grant.url.clone(),
        proxies,
    };
    state.tickets.keep(&pgt, &proxying, session.ends).await?;
    state.journal.tell(&Event::TicketGranted {
        kind: Granted::ProxyGranting,
        ticket: pgt.secret(),
        user: &session.user,
        service: &service.id,
        client,
    });
    tracing::info!(user = %session.user, service = %service.id, "proxy-granting ticket delivered");
    accepted.iou = Some(iou);
    Ok(Ok(accepted))
}

/// Notes the visit, so that the service is told when the session ends. False where the
/// session has ended: a logout that did not find the note is found here.
async fn remember(
    state: &State,
    question: &Question,
    grant: &Grant,
    service: &Service,
) -> Result<bool, StoreError> {
    let session = &grant.login.session;
    let visit = Visit {
        ticket: question.ticket.secret().to_owned(),
        service: grant.url.clone(),
    };
    let now = state.clock.now();
    let channel = match service.logout_type {
        LogoutType::FrontChannel => Channel::Front,
        _ => Channel::Back,
    };
    let kept = (channel, grant.login.is_remembered());
    let noted = state.sessions.note(session, &visit, kept, now).await?;
    if state.sessions.is_live(session).await? {
        return Ok(true);
    }
    state.sessions.forget(session, &noted, channel).await?;
    Ok(false)
}

/// What the service learns (S-066); answers of CAS 1 and 2 carry no attributes.
fn tell(question: &Question, accepted: &Accepted<'_>) -> Answer {
    let Accepted {
        service,
        person,
        user,
        ..
    } = accepted;
    let endpoint = question.endpoint;
    tracing::debug!(user = %person.id, service = %service.id, endpoint_name = endpoint.path(), "ticket accepted");
    if endpoint == Endpoint::Validate {
        return Answer::cas1(&Cas1Response::Success {
            user: user.to_string(),
        });
    }
    let mut success = if matches!(
        endpoint,
        Endpoint::P3ServiceValidate | Endpoint::P3ProxyValidate
    ) {
        with_attributes(accepted)
    } else {
        SuccessAnswer::new(user)
    };
    success = success.proxies(&accepted.grant.proxies);
    if let Some(iou) = &accepted.iou {
        success = success.proxy_granting_ticket_iou(iou);
    }
    Answer::new(question.format, success.render(question.format))
}

/// The person with everything that this service is told (R-128, S-066).
pub(crate) fn with_attributes<'a>(accepted: &'a Accepted<'_>) -> SuccessAnswer<'a> {
    let Accepted {
        grant,
        service,
        person,
        user,
        ..
    } = accepted;
    SuccessAnswer::new(user)
        .authentication_date(grant.login.authenticated())
        .long_term(grant.login.is_remembered())
        .from_new_login(grant.fresh)
        .attributes(service.release(person))
}

fn failure(endpoint: Endpoint, format: Format, refusal: Refusal) -> Answer {
    if endpoint == Endpoint::Validate {
        return Answer::cas1(&Cas1Response::Failure);
    }
    let failure = Failure::new(refusal.code.into(), refusal.words);
    Answer::new(format, ServiceResponse::Failure(failure).render(format))
}

/// The media type of an answer.
pub(crate) fn content_type(format: Format) -> &'static str {
    match format {
        Format::Json => "application/json; charset=UTF-8",
        _ => "application/xml; charset=UTF-8",
    }
}

impl Answer {
    fn new(format: Format, body: String) -> Self {
        Self {
            content_type: content_type(format),
            body,
        }
    }

    ///
    fn cas1(response: &Cas1Response) -> Self {
        Self {
            content_type: "text/plain; charset=UTF-8",
            body: response.to_text(),
        }
    }
}
