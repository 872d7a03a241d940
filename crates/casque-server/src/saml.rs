//! POST `/samlValidate`: SAML 1.1 (protocol section 15).

use std::net::IpAddr;

use axum::{extract::Request, response::Response};
use casque_proto::{
    Endpoint, ErrorClass, ReadOptions, RegistryUrl, ServiceTicket,
    saml::{SamlAssertion, SamlReply, SamlRequest, SamlResponse, SamlStamp},
};
use http::{HeaderValue, Method, StatusCode, header::CONNECTION};

use crate::{
    http::{BodyError, Parameters, content, method_not_allowed, read_body, text},
    secret,
    state::State,
    validate::{Accepted, Code, Question, Refusal, settle, tell_refusal, with_attributes},
};

/// POST `/samlValidate`.
pub(crate) async fn saml_validate(state: &State, request: Request) -> Response {
    if request.method() != Method::POST {
        return method_not_allowed("POST");
    }
    let (parts, body) = request.into_parts();
    let body = match read_body(body, &state.form_limits).await {
        Ok(body) => Ok(body),
        Err(BodyError::Incomplete) => {
            return text(StatusCode::REQUEST_TIMEOUT, "The request did not arrive.\n");
        }
        Err(BodyError::Malformed) => return broken(),
        Err(_) => Err(denied("The request is too large.")),
    };
    let mut asked = Asked::default();
    let client = state.client(&parts.headers, &parts.extensions);
    let outcome = match body {
        Ok(body) => answer(state, parts.uri.query(), &body, &mut asked, client).await,
        Err(refusal) => Err(refusal),
    };
    let response = outcome.unwrap_or_else(|refusal| {
        let ticket = asked.ticket.as_ref().map(ServiceTicket::secret);
        tell_refusal(state, Endpoint::SamlValidate, refusal, ticket, client);
        tracing::info!(code = ?refusal.code, reason = refusal.words, endpoint_name = "samlValidate", "ticket refused");
        // The one status of R-247; the words say which.
        SamlResponse::request_denied(refusal.words)
    });
    let stamp = SamlStamp::new(state.clock.now(), &mut secret::fill);
    let issuer = [state.origin.as_str(), &state.prefix].concat();
    let reply = SamlReply::new(&stamp, &issuer, &asked.service).in_response_to(asked.id.as_deref());
    content(
        StatusCode::OK,
        "text/xml; charset=UTF-8",
        response.to_xml(&reply),
    )
}

/// What every answer repeats of its request.
#[derive(Default)]
struct Asked {
    /// The service, once it is known to be registered: nothing else of an address is repeated (S-031).
    service: String,
    id: Option<String>,
    ticket: Option<ServiceTicket>,
}

async fn answer(
    state: &State,
    query: Option<&str>,
    body: &[u8],
    asked: &mut Asked,
    client: Option<IpAddr>,
) -> Result<SamlResponse, Refusal> {
    let parameters = Parameters::from_query(query)
        .map_err(|_| denied("There are too many parameters, or TARGET is given twice."))?;
    let Some(target) = parameters.text("TARGET") else {
        return Err(denied("The parameter TARGET is required."));
    };
    let request = SamlRequest::parse(Some(&target), body, &ReadOptions::default())
        .map_err(|error| denied(words_for(error.class())))?;
    asked.id = request.request_id().map(str::to_owned);
    asked.ticket = Some(request.artifact().clone());
    let question = Question::of_saml(&request, parameters.flag("renew"))?;
    let url = RegistryUrl::parse(request.target()).ok();
    if url
        .as_ref()
        .is_some_and(|url| state.services.find(url).is_some())
    {
        request.target().clone_into(&mut asked.service);
    }
    // attributes travel to https only; who it is does anyway.
    let protected = url.is_some_and(|url| url.is_https());
    settle(state, &question, client, |accepted| {
        tell(accepted, protected)
    })
    .await
}

fn tell(accepted: &Accepted<'_>, protected: bool) -> SamlResponse {
    let Accepted {
        grant,
        service,
        person,
        user,
        ..
    } = accepted;
    tracing::debug!(user = %person.id, service = %service.id, endpoint_name = "samlValidate", "ticket accepted");
    let mut assertion = SamlAssertion::new(&**user)
        .with_authenticated_at(grant.login.authenticated())
        .with_method(SamlAssertion::PASSWORD);
    if protected {
        assertion = assertion.with_attributes(with_attributes(accepted).to_attributes());
    }
    SamlResponse::Success(assertion)
}

fn denied(words: &'static str) -> Refusal {
    Refusal {
        code: Code::InvalidRequest,
        words,
    }
}

/// What was wrong, of what was sent nothing.
fn words_for(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Ambiguous => "There is more than one request or artifact.",
        ErrorClass::ForbiddenXml => "The request holds XML that is not allowed here.",
        ErrorClass::Malformed => "The request cannot be read, or its artifact is not a ticket.",
        _ => "This is not a SAML 1.1 request in a SOAP envelope.",
    }
}

/// What follows on the connection may be no request.
fn broken() -> Response {
    let mut response = text(
        StatusCode::BAD_REQUEST,
        "The request was broken on its way.\n",
    );
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}
