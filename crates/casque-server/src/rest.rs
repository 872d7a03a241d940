//! The REST protocol: tickets for programs that hold a password (protocol section 16). Off by default.

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::Request,
    response::Response,
};
use casque_proto::{
    RegistryUrl,
    rest::{
        RestRefusal, RestTgt, StCreated, TgtBody, TgtCreated, TgtDeleted, TgtFound,
        UserAuthenticated,
    },
};
use casque_store::StoreError;
use http::{
    HeaderValue, Method, StatusCode,
    header::{ACCEPT, ALLOW, RETRY_AFTER},
    request::Parts,
};

use crate::{
    credentials::{Checked, Credentials, Origin},
    http::{
        BodyError, Parameters, Peer, client_address, is_unlisted_proxy, network, read_form, text,
    },
    journal::{Ended, Event},
    login::{LONGEST_SERVICE, issue},
    people::Person,
    registry::Service,
    sso::{Choices, Session},
    state::State,
    throttle::Who,
};

/// `/v1/tickets`: POST opens a session.
pub(crate) async fn tickets(state: &State, request: Request) -> Response {
    if !may_ask(state, &request) {
        return forbidden();
    }
    if request.method() != Method::POST {
        return not_allowed("POST");
    }
    respond(state, create_tgt(state, request).await)
}

/// `/v1/tickets/{tgt}`: POST gives a service ticket, GET says whether the session lives, DELETE ends it.
pub(crate) async fn ticket(state: &State, tgt: &str, request: Request) -> Response {
    if !may_ask(state, &request) {
        return forbidden();
    }
    match *request.method() {
        Method::POST => respond(state, create_st(state, tgt, request).await),
        Method::GET | Method::HEAD => respond(state, find_tgt(state, tgt).await),
        Method::DELETE => {
            let (parts, _) = request.into_parts();
            respond(state, delete_tgt(state, tgt, &parts).await)
        }
        _ => not_allowed("GET, HEAD, POST, DELETE"),
    }
}

/// `/v1/users`: POST checks credentials, and opens nothing.
pub(crate) async fn users(state: &State, request: Request) -> Response {
    if !may_ask(state, &request) {
        return forbidden();
    }
    if request.method() != Method::POST {
        return not_allowed("POST");
    }
    respond(state, authenticate(state, request).await)
}

/// Whether a request comes from where it may.
fn may_ask(state: &State, request: &Request) -> bool {
    let Some(clients) = &state.rest.clients else {
        return true;
    };
    let peer = request.extensions().get::<Peer>().copied();
    let (headers, proxies) = (request.headers(), &state.trusted_proxies);
    // What an unlisted proxy on this host passes on has the address of the host, and is not of it.
    let address = client_address(peer, headers, proxies)
        .filter(|_| !is_unlisted_proxy(peer, headers, proxies));
    let listed = |address: &IpAddr| clients.iter().any(|network| network.contains(address));
    if address.as_ref().is_some_and(listed) {
        return true;
    }
    let network = network(address);
    tracing::warn!(%network, "REST refused: the client is not in rest.clients");
    false
}

fn forbidden() -> Response {
    text(
        StatusCode::FORBIDDEN,
        "The REST protocol is not open to this address.\n",
    )
}

/// Why there is no answer of the protocol's own.
enum Refused {
    Rest(RestRefusal),
    Throttled(Duration),
    Busy,
    Body(BodyError),
    Store(StoreError),
}

impl From<RestRefusal> for Refused {
    fn from(refusal: RestRefusal) -> Self {
        Self::Rest(refusal)
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

type Outcome = Result<http::Response<Bytes>, Refused>;

async fn create_tgt(state: &State, request: Request) -> Outcome {
    let (parts, form) = read(state, request).await?;
    // Judged before the password: no session is opened for a service that is refused.
    if form.text("service").is_some() {
        registered(state, &form)?;
    }
    let person = check(state, &parts, &form, None).await?;
    let choices = Choices {
        // not offered, and so ignored.
        remembered: state.remember_me && form.flag("rememberMe"),
        ..Choices::default()
    };
    let (ticket, _) = state
        .sessions
        .open(&person, choices, state.clock.now())
        .await?;
    tracing::info!(user = %person.id, "login by REST");
    let tgt = RestTgt::parse(ticket.secret()).expect("a ticket is letters, digits and dashes");
    let accept = parts
        .headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok());
    Ok(TgtCreated::new(tgt).to_response(&state.base, TgtBody::for_accept(accept)))
}

async fn create_st(state: &State, tgt: &str, request: Request) -> Outcome {
    let (parts, form) = read(state, request).await?;
    let client = state.client(&parts.headers, &parts.extensions);
    let (session, person) = live(state, tgt).await?;
    let (url, service) = registered(state, &form)?;
    let renew = form.flag("renew");
    if renew {
        // the same person, not just anybody with a password.
        let shown = check(state, &parts, &form, Some(service)).await?;
        if shown.id != person.id {
            return Err(RestRefusal::WrongCredentials.into());
        }
    } else if !service.sso {
        // here a session is not enough.
        return Err(RestRefusal::BadRequest.into());
    }
    admit(state, service, &person).await?;
    let ticket = issue(state, &session, (&url, service), renew, client)
        .await?
        .ok_or(RestRefusal::TgtNotFound)?;
    tracing::info!(user = %person.id, service = %service.id, "service ticket by REST");
    Ok(StCreated::new(ticket).to_response())
}

async fn find_tgt(state: &State, tgt: &str) -> Outcome {
    live(state, tgt).await?;
    Ok(TgtFound.to_response())
}

/// 200 also for what is no session, so that nobody learns what is one.
async fn delete_tgt(state: &State, tgt: &str, parts: &Parts) -> Outcome {
    if let Some(session) = state.sessions.of_cookie(tgt).await? {
        let client = state.client(&parts.headers, &parts.extensions);
        state.end_session(&session, Ended::Rest, client).await?;
        tracing::info!(user = %session.user, "logout by REST");
    }
    Ok(TgtDeleted.to_response())
}

async fn authenticate(state: &State, request: Request) -> Outcome {
    let (parts, form) = read(state, request).await?;
    let service = match form.text("service") {
        Some(_) => Some(registered(state, &form)?.1),
        None => None,
    };
    let person = check(state, &parts, &form, service).await?;
    if let Some(service) = service {
        admit(state, service, &person).await?;
    }
    tracing::info!(user = %person.id, "password checked by REST");
    let attributes = match service {
        Some(service) => service
            .release(&person)
            .flat_map(|(name, values)| {
                let values = values.into_owned();
                values
                    .into_iter()
                    .map(move |value| (name.to_owned(), value))
            })
            .collect(),
        // Whoever holds the password may see what its owner sees on the page after a login.
        None => person
            .attributes
            .iter()
            .flat_map(|(name, values)| {
                values
                    .iter()
                    .map(move |value| (name.clone(), value.clone()))
            })
            .collect(),
    };
    let user = service.and_then(|service| service.user_name(&person));
    let user = user.as_deref().unwrap_or(&person.id);
    Ok(UserAuthenticated::new(user, attributes).to_response())
}

async fn read(state: &State, request: Request) -> Result<(Parts, Parameters), Refused> {
    let (parts, body) = request.into_parts();
    let body = read_form(&parts.headers, body, &state.form_limits)
        .await
        .map_err(|error| match error {
            BodyError::NoType | BodyError::WrongType => RestRefusal::UnsupportedMediaType.into(),
            error => Refused::Body(error),
        })?;
    let form =
        Parameters::read(parts.uri.query(), Some(&body)).map_err(|_| RestRefusal::BadRequest)?;
    Ok((parts, form))
}

/// The service that a form names, where the registry has it (R-262, S-032).
fn registered<'s>(
    state: &'s State,
    form: &Parameters,
) -> Result<(RegistryUrl, &'s Service), Refused> {
    let text = form.text("service");
    let text = text.filter(|service| service.len() <= LONGEST_SERVICE);
    let url = text
        .as_ref()
        .and_then(|service| RegistryUrl::parse(service).ok());
    let found = url.and_then(|url| {
        let service = state.services.find(&url)?;
        Some((url, service))
    });
    if let (None, Some(url)) = (&found, &text) {
        state
            .journal
            .tell(&Event::ServiceRefused { url, client: None });
    }
    found.ok_or_else(|| RestRefusal::BadRequest.into())
}

/// The session of a ticket-granting ticket and whose it is, as [`login`](crate::login) finds that of a browser.
async fn live(state: &State, tgt: &str) -> Result<(Session, Arc<Person>), Refused> {
    let Some(session) = state.sessions.of_cookie(tgt).await? else {
        return Err(RestRefusal::TgtNotFound.into());
    };
    let person = state
        .people
        .find(&session.user)
        .filter(|person| !person.disabled && state.sessions.fits(&session, person));
    if let Some(person) = person {
        return Ok((session, person));
    }
    state
        .end_session(&session, Ended::PersonChanged, None)
        .await?;
    Err(RestRefusal::TgtNotFound.into())
}

/// Whether a service lets a person in, and may be told about them: nobody can be asked here.
async fn admit(state: &State, service: &Service, person: &Person) -> Result<(), Refused> {
    if service.admits(person) && state.consents.cover(service, person).await? {
        return Ok(());
    }
    tracing::warn!(user = %person.id, service = %service.id, "ticket by REST refused: no access or no consent");
    Err(RestRefusal::BadRequest.into())
}

/// Whose credentials a form holds: throttled, timed and worded as the login form (S-060).
async fn check(
    state: &State,
    parts: &Parts,
    form: &Parameters,
    service: Option<&Service>,
) -> Result<Arc<Person>, Refused> {
    let (Some(username), Some(password)) =
        (form.only_in_body("username"), form.only_in_body("password"))
    else {
        return Err(RestRefusal::BadRequest.into());
    };
    if username.is_empty() || password.is_empty() {
        return Err(RestRefusal::BadRequest.into());
    }
    let username = String::from_utf8_lossy(username).into_owned();
    let credentials = Credentials::new(&username, password);
    let peer = parts.extensions.get::<Peer>().copied();
    let client = client_address(peer, &parts.headers, &state.trusted_proxies);
    let network = network(client);
    let origin = Origin {
        client,
        network: &network,
        service: service.map(|service| service.id.as_str()),
    };
    let who = Who {
        person: credentials.counted_as(),
        network: &network,
        everybodys: is_unlisted_proxy(peer, &parts.headers, &state.trusted_proxies),
        device: None,
    };
    let attempt = state
        .throttle
        .begin(who, state.clock.now())
        .await?
        .map_err(|wait| {
            credentials.throttled(state, origin);
            tracing::warn!(%network, "login by REST refused: too many failures");
            Refused::Throttled(wait)
        })?;
    match credentials.check(state, attempt, origin).await? {
        Checked::Right(person) => Ok(person),
        Checked::Wrong => Err(RestRefusal::WrongCredentials.into()),
        Checked::Busy => Err(Refused::Busy),
    }
}

fn respond(state: &State, outcome: Outcome) -> Response {
    let refused = match outcome {
        Ok(response) => return response.map(Body::from),
        Err(refused) => refused,
    };
    match refused {
        Refused::Rest(refusal) => refusal.to_response().map(Body::from),
        Refused::Throttled(wait) => {
            after(RestRefusal::Throttled.to_response().map(Body::from), wait)
        }
        Refused::Busy => {
            let response = text(
                StatusCode::SERVICE_UNAVAILABLE,
                "Too many at the same time.\n",
            );
            after(response, Duration::from_secs(2))
        }
        Refused::Body(BodyError::TooLarge) => {
            text(StatusCode::PAYLOAD_TOO_LARGE, "The form is too large.\n")
        }
        Refused::Body(BodyError::Incomplete) => {
            text(StatusCode::REQUEST_TIMEOUT, "The form did not arrive.\n")
        }
        Refused::Body(_) => text(StatusCode::BAD_REQUEST, "The form was broken on its way.\n"),
        Refused::Store(error) => {
            state.journal.store_failed(&error);
            let response = text(
                StatusCode::SERVICE_UNAVAILABLE,
                "The server cannot answer right now.\n",
            );
            after(response, Duration::from_secs(30))
        }
    }
}

fn after(mut response: Response, wait: Duration) -> Response {
    let seconds = HeaderValue::from(wait.as_secs().max(1));
    response.headers_mut().insert(RETRY_AFTER, seconds);
    response
}

fn not_allowed(allow: &'static str) -> Response {
    let mut response = RestRefusal::MethodNotAllowed.to_response().map(Body::from);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}
