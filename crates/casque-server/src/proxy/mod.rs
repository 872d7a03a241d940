//! `/proxy`: a proxy ticket for a proxy-granting ticket (protocol section 12).

mod callbacks;

use std::net::IpAddr;

use axum::{extract::Request, response::Response};
use casque_proto::{
    Failure, ProxyGrantingTicket, ProxyResponse, ProxyTicket, RegistryUrl, TicketKind,
};
use casque_store::StoreError;
use http::{Method, StatusCode};

pub(crate) use self::callbacks::Callbacks;
use crate::{
    http::{Parameters, content, method_not_allowed},
    journal::{Event, Granted},
    login::LONGEST_SERVICE,
    people::Person,
    registry::{Service, Services},
    state::State,
    tickets::{Grant, Proxying},
    validate::{
        Code, Refusal, SESSION_ENDED, UNAVAILABLE, UNKNOWN_TICKET, content_type, read_query, refuse,
    },
};

/// Proxies that a person may come through at most.
const LONGEST_CHAIN: usize = 10;

/// GET `/proxy`.
pub(crate) async fn proxy(state: &State, request: Request) -> Response {
    if request.method() != Method::GET {
        return method_not_allowed("GET");
    }
    let (format, parameters) = read_query(request.uri().query(), true);
    let client = state.client(request.headers(), request.extensions());
    let outcome = match parameters {
        Ok(parameters) => ask(state, &parameters, client).await,
        Err(refusal) => Err(refusal),
    };
    let response = match outcome {
        Ok(ticket) => ProxyResponse::Success(ticket),
        Err(refusal) => {
            let code = refusal.code;
            state.journal.tell(&Event::ProxyRefused { code, client });
            tracing::info!(code = ?refusal.code, reason = refusal.words, "proxy ticket refused");
            ProxyResponse::Failure(Failure::new(refusal.code.into(), refusal.words))
        }
    };
    //
    content(
        StatusCode::OK,
        content_type(format),
        response.render(format),
    )
}

/// An unavailable store is `INTERNAL_ERROR`.
async fn ask(
    state: &State,
    parameters: &Parameters,
    client: Option<IpAddr>,
) -> Result<ProxyTicket, Refusal> {
    let Some(pgt) = parameters.text("pgt") else {
        return refuse(Code::InvalidRequest, "The parameter pgt is required.");
    };
    let Some(target) = parameters.text("targetService") else {
        return refuse(
            Code::InvalidRequest,
            "The parameter targetService is required.",
        );
    };
    if target.len() > LONGEST_SERVICE {
        return refuse(
            Code::InvalidRequest,
            "The parameter targetService is too long.",
        );
    }
    // R-191; clients may take others for proxy-granting tickets, but here there are none.
    let pgt = ProxyGrantingTicket::parse(&pgt).ok();
    let Some(pgt) = pgt.filter(|pgt| pgt.kind() == TicketKind::ProxyGranting) else {
        return Err(UNKNOWN_TICKET);
    };
    let granted = grant(state, &pgt, &target, client).await;
    granted.unwrap_or_else(|error| {
        state.journal.store_failed(&error);
        Err(UNAVAILABLE)
    })
}

async fn grant(
    state: &State,
    pgt: &ProxyGrantingTicket,
    target: &str,
    client: Option<IpAddr>,
) -> Result<Result<ProxyTicket, Refusal>, StoreError> {
    let Some(proxying) = state.tickets.proxying(pgt).await? else {
        return Ok(Err(UNKNOWN_TICKET));
    };
    let login = &proxying.login;
    let Some(session) = state.sessions.by_id(&login.session).await? else {
        return Ok(Err(SESSION_ENDED));
    };
    let person = state.people.find(&login.user);
    let person = person.filter(|person| !person.disabled);
    if let Some(person) = &person
        && !state.sessions.still_fits(login, person)
    {
        return Ok(Err(SESSION_ENDED));
    }
    let target = match judge(&proxying, &state.services, target, person.as_deref()) {
        Ok(target) => target,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let now = state.clock.now();
    let granted = Grant {
        login: proxying.login,
        url: target.url,
        place: state.services.place(&target.service.id),
        fresh: false,
        proxies: proxying.proxies,
    };
    // A proxy ticket counts as use. At once, as for a service ticket.
    let (is_live, ticket) = tokio::try_join!(
        state.sessions.used(&session, now),
        state.tickets.issue_proxy(&granted, now, session.ends)
    )?;
    if !is_live {
        return Ok(Err(SESSION_ENDED));
    }
    state.journal.tell(&Event::TicketGranted {
        kind: Granted::Proxy,
        ticket: ticket.secret(),
        user: &session.user,
        service: &target.service.id,
        client,
    });
    tracing::info!(user = %session.user, service = %target.service.id, "proxy ticket issued");
    Ok(Ok(ticket))
}

/// The service that a proxy ticket is for.
struct Target<'a> {
    service: &'a Service,
    url: String,
}

/// Whether a proxy may have a ticket for the target, as a function of what is known.
fn judge<'a>(
    proxying: &Proxying,
    services: &'a Services,
    target: &str,
    person: Option<&Person>,
) -> Result<Target<'a>, Refusal> {
    // What was allowed when the proxy-granting ticket was made may not be any more.
    let proxy = RegistryUrl::parse(&proxying.service).ok();
    let proxy = proxy.and_then(|url| services.find(&url));
    let callback = proxying.proxies.first();
    let still_may = proxy
        .zip(callback)
        .is_some_and(|(proxy, callback)| proxy.proxy.callback(callback).is_some());
    if !still_may {
        return refuse(
            Code::UnauthorizedServiceProxy,
            "This service may not act as a proxy any more.",
        );
    }
    if proxying.proxies.len() > LONGEST_CHAIN {
        return refuse(
            Code::UnauthorizedServiceProxy,
            "There are too many proxies between the person and the target service.",
        );
    }
    let url = RegistryUrl::parse(target).ok();
    let service = url.as_ref().and_then(|url| services.find(url));
    //
    let Some((url, service)) = url.as_ref().zip(service) else {
        return refuse(
            Code::UnauthorizedService,
            "The target service is not registered here.",
        );
    };
    if !service.sso {
        return refuse(
            Code::UnauthorizedService,
            "The target service asks for the password itself.",
        );
    }
    if !person.is_some_and(|person| service.admits(person)) {
        return refuse(
            Code::UnauthorizedService,
            "This person may not use the target service.",
        );
    }
    Ok(Target {
        service,
        url: url.as_str().to_owned(),
    })
}
