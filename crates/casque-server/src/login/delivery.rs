//! How a ticket reaches its service (protocol section 4).

use axum::response::Response;
use casque_proto::{RegistryUrl, ServiceTicket, TicketMode};
use data_encoding::HEXLOWER;
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_SECURITY_POLICY};

use crate::{
    http::{Parameters, content, redirect, text},
    pages::{Continue, Field, Page, Pages},
    registry::{ResponseType, Service},
    secret::random_bytes,
    state::State,
};

/// The reply form that a request asks for; none where it asks for none or for one that is
/// not known, so that the service's own counts.
pub(crate) fn asked_for(parameters: &Parameters) -> Option<ResponseType> {
    ResponseType::of(parameters.text("method")?.trim())
}

/// Sends the browser to the service with its ticket.
pub(super) fn deliver(
    state: &State,
    (url, service): (&RegistryUrl, &Service),
    (ticket, mode): (&ServiceTicket, TicketMode),
    method: Option<ResponseType>,
) -> Response {
    let way = match mode {
        // by redirect only.
        TicketMode::Saml => ResponseType::Redirect,
        _ => method.unwrap_or(service.response_type),
    };
    match way {
        ResponseType::Redirect => {
            let location = url.with_ticket(mode.parameter(), ticket);
            redirect(state, &location)
        }
        ResponseType::Post => by_post(state, url, service, ticket),
        ResponseType::Header => by_header(state, url, ticket),
    }
}

/// A page with a form to the service, which submits itself where scripts run (R-051, S-046).
fn by_post(
    state: &State,
    url: &RegistryUrl,
    service: &Service,
    ticket: &ServiceTicket,
) -> Response {
    let nonce = HEXLOWER.encode(&random_bytes::<16>());
    let shown = Page::PostTicket {
        service: super::label_of(service, url),
        form: Continue {
            action: url.as_str(),
            fields: vec![Field::new("ticket", ticket.secret())],
        },
        nonce: &nonce,
    };
    let policy = Pages::content_security_policy_of_post(&url.origin(), &nonce);
    let policy =
        HeaderValue::try_from(policy).expect("a policy is made of plain origins and words");
    let mut response = content(
        StatusCode::OK,
        "text/html; charset=UTF-8",
        state.pages.render(&shown),
    );
    response
        .headers_mut()
        .insert(CONTENT_SECURITY_POLICY, policy);
    response
}

/// Headers for a program that logs in.
fn by_header(state: &State, url: &RegistryUrl, ticket: &ServiceTicket) -> Response {
    let (Ok(service), Ok(mut ticket)) = (
        HeaderValue::from_str(url.as_str()),
        HeaderValue::from_str(ticket.secret()),
    ) else {
        // Checked service URLs are plain ASCII; anything else goes nowhere (S-042).
        return crate::http::Failure::Parameters.respond(state);
    };
    ticket.set_sensitive(true);
    let mut response = text(
        StatusCode::OK,
        "The ticket is in the headers of this answer.\n",
    );
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("service"), service);
    headers.insert(HeaderName::from_static("ticket"), ticket);
    response
}
