//! The REST protocol's pages.

use bytes::Bytes;
use casque_proto::CasBase;
use casque_proto::rest::{
    RestRefusal, RestTgt, StCreated, TgtBody, TgtCreated, TgtDeleted, TgtFound, UserAuthenticated,
};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, Response};
use url::form_urlencoded;

use super::pages::{Page, find};
use super::record::RecordedRequest;
use super::state::{Person, State};

type Outcome = Result<Response<Bytes>, RestRefusal>;

/// `/v1/tickets`.
pub(super) fn tickets(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    respond(create_tgt(request, state))
}

/// `/v1/tickets/{TGT}`.
pub(super) fn ticket(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    let id = request.path().strip_prefix(Page::RestTicket.path());
    let id = id.unwrap_or_default();
    respond(match *request.method() {
        Method::POST => create_st(id, request, state),
        Method::GET => match state.person_of_tgt(id) {
            Some(_) => Ok(TgtFound.to_response()),
            None => Err(RestRefusal::TgtNotFound),
        },
        Method::DELETE => {
            state.end_tgt(id);
            Ok(TgtDeleted.to_response())
        }
        _ => Err(RestRefusal::MethodNotAllowed),
    })
}

/// `/v1/users`.
pub(super) fn users(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    respond(authenticate(request, state))
}

fn create_tgt(request: &RecordedRequest, state: &State) -> Outcome {
    let person = check(&form(request)?, state)?;
    let tgt = state.grant_tgt(person.name());
    let tgt = RestTgt::parse(&tgt).expect("letters, digits and hyphens");
    let base = CasBase::parse_allowing_http(state.base_url()).expect("a base URL");
    let accept = request.headers().get(ACCEPT);
    let body = TgtBody::for_accept(accept.and_then(|accept| accept.to_str().ok()));
    Ok(TgtCreated::new(tgt).to_response(&base, body))
}

fn create_st(tgt: &str, request: &RecordedRequest, state: &State) -> Outcome {
    let form = form(request)?;
    let name = state.person_of_tgt(tgt).ok_or(RestRefusal::TgtNotFound)?;
    let service = find(&form, "service").ok_or(RestRefusal::BadRequest)?;
    Ok(StCreated::new(state.grant(service, &name, false)).to_response())
}

fn authenticate(request: &RecordedRequest, state: &State) -> Outcome {
    let person = check(&form(request)?, state)?;
    let attributes = person.attributes().iter();
    let attributes = attributes
        .flat_map(|(name, values)| {
            values
                .iter()
                .map(move |value| (name.clone(), value.clone()))
        })
        .collect();
    Ok(UserAuthenticated::new(person.name(), attributes).to_response())
}

fn form(request: &RecordedRequest) -> Result<Vec<(String, String)>, RestRefusal> {
    if *request.method() != Method::POST {
        return Err(RestRefusal::MethodNotAllowed);
    }
    let media_type = request.headers().get(CONTENT_TYPE);
    if media_type.is_none_or(|kind| kind != "application/x-www-form-urlencoded") {
        return Err(RestRefusal::UnsupportedMediaType);
    }
    Ok(form_urlencoded::parse(request.body())
        .into_owned()
        .collect())
}

fn check(form: &[(String, String)], state: &State) -> Result<Person, RestRefusal> {
    let (Some(name), Some(password)) = (find(form, "username"), find(form, "password")) else {
        return Err(RestRefusal::BadRequest);
    };
    state
        .whose(name, password)
        .ok_or(RestRefusal::WrongCredentials)
}

fn respond(outcome: Outcome) -> Response<Bytes> {
    outcome.unwrap_or_else(RestRefusal::to_response)
}
