//! `/login`: asks for a password, or hands out a ticket (protocol sections 2 to 5).

mod decide;
mod delivery;
mod enter;
mod flow;
mod proceed;
mod show;
mod submit;

use std::{net::IpAddr, sync::Arc};

use axum::{extract::Request, response::Response};
use casque_proto::{RegistryUrl, ServiceTicket, TicketMode, redact::redact};
use casque_store::StoreError;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header::SET_COOKIE};

pub(crate) use self::{
    flow::{Bound, issue_bound, spend_bound},
    proceed::proceed,
};

use self::decide::Asked;
use crate::{
    http::{Cookie, Failure, Parameters, is_prefetch, method_not_allowed, page_with_forms, text},
    journal::{Ended, Event, Granted},
    pages::{Continue, Field, Login, LoginProblem, Page, ServiceLabel},
    people::Person,
    registry::{ResponseType, Service},
    sso::{Choices, Session},
    state::State,
    tickets::Grant,
};

/// The longest service that is looked at; a longer one is 400 rather than refused.
pub(crate) const LONGEST_SERVICE: usize = 8192;

/// GET, HEAD and POST `/login`.
pub(crate) async fn login(state: &State, request: Request) -> Response {
    let answer = match *request.method() {
        // A ticket would be spent on a page that nobody may ever see; browsers then ask again.
        Method::GET if is_prefetch(request.headers()) => {
            return text(
                StatusCode::SERVICE_UNAVAILABLE,
                "This page is not sent in advance.\n",
            );
        }
        Method::GET => {
            let client = state.client(request.headers(), request.extensions());
            show::show(state, request.uri().query(), request.headers(), client).await
        }
        // A link checker must not spend or make anything: it sees what a stranger sees.
        Method::HEAD => show::show(state, request.uri().query(), &HeaderMap::new(), None).await,
        // In a box, so that single sign-on does not carry what a password takes.
        Method::POST => Box::pin(submit::submit(state, request)).await,
        _ => return method_not_allowed("GET, HEAD, POST"),
    };
    answer.unwrap_or_else(|failure| failure.respond(state))
}

/// The service that a request is about.
#[derive(Debug)]
enum Wanted<'s> {
    None,
    Registered {
        /// As it was sent.
        text: String,
        /// Which parameter named it, and so how its ticket is called.
        mode: TicketMode,
        url: RegistryUrl,
        service: &'s Service,
    },
    Refused {
        text: String,
    },
}

impl<'s> Wanted<'s> {
    fn read(state: &'s State, parameters: &Parameters) -> Result<Self, Failure> {
        let service = parameters
            .text("service")
            .map(|text| (text, TicketMode::Cas));
        let target = || Some((parameters.text("TARGET")?, TicketMode::Saml));
        let Some((text, mode)) = service.or_else(target) else {
            return Ok(Self::None);
        };
        if text.len() > LONGEST_SERVICE {
            return Err(Failure::Parameters);
        }
        let found = RegistryUrl::parse(&text)
            .ok()
            .and_then(|url| state.services.find(&url).map(|service| (url, service)));
        Ok(match found {
            Some((url, service)) => Self::Registered {
                text: text.into_owned(),
                mode,
                url,
                service,
            },
            None => Self::Refused {
                text: text.into_owned(),
            },
        })
    }

    /// The id of the service, if there is one.
    fn service_id(&self) -> Option<&'s str> {
        match self {
            Self::Registered { service, .. } => Some(&service.id),
            Self::None | Self::Refused { .. } => None,
        }
    }

    fn asked(&self) -> Asked {
        match self {
            Self::None => Asked::NoService,
            Self::Registered { service, .. } => Asked::Registered { sso: service.sso },
            Self::Refused { .. } => Asked::Refused,
        }
    }
}

/// What a request asks for beside the service.
#[derive(Debug, Clone, Copy)]
struct Options {
    renew: bool,
    gateway: bool,
    /// How the ticket is to reach the service.
    method: Option<ResponseType>,
}

impl Options {
    fn read(parameters: &Parameters) -> Result<Self, Failure> {
        if parameters.is_repeated("method") {
            return Err(Failure::Parameters);
        }
        Ok(Self {
            renew: parameters.flag("renew"),
            gateway: parameters.flag("gateway"),
            method: delivery::asked_for(parameters),
        })
    }

    /// They survive the way through a form.
    fn add_to(self, fields: &mut Vec<Field<'_>>) {
        if self.renew {
            fields.push(Field::new("renew", "true"));
        }
        if self.gateway {
            fields.push(Field::new("gateway", "true"));
        }
        if let Some(method) = self.method {
            fields.push(Field::new("method", method.name()));
        }
    }
}

/// The login form with a fresh login ticket, and the flow cookie that the ticket is bound to.
struct Form<'a> {
    wanted: &'a Wanted<'a>,
    username: &'a str,
    problem: Option<LoginProblem>,
    options: Options,
    choices: Choices,
}

impl Form<'_> {
    fn respond(&self, state: &State, headers: &HeaderMap, status: StatusCode) -> Response {
        let sent = state
            .cookies
            .read(headers, Cookie::Flow)
            .filter(|value| flow::is_flow(value));
        let flow = sent.map_or_else(flow::new_flow, str::to_owned);
        let ticket = flow::issue(state, &flow);
        let action = format!("{}/login", state.prefix);
        let mut fields = vec![Field::new("lt", &ticket)];
        let (mut label, mut target) = (None, None);
        if let Wanted::Registered {
            text,
            mode,
            url,
            service,
        } = self.wanted
        {
            fields.push(Field::new(service_field(*mode), text));
            label = Some(label_of(service, url));
            target = Some(url.origin());
        }
        self.options.add_to(&mut fields);
        let shown = Page::Login(Login {
            service: label,
            form: Continue {
                action: &action,
                fields,
            },
            username: shown_back(self.username),
            problem: self.problem,
            renew: self.options.renew,
            remember_me: state.remember_me.then_some(self.choices.remembered),
            warn: self.choices.warn,
        });
        let mut response = page_with_forms(state, status, &shown, target.as_deref());
        if sent.is_none() {
            add_cookie(&mut response, state.cookies.set(Cookie::Flow, &flow, None));
        }
        response
    }
}

/// The parameter that names the service.
const fn service_field(mode: TicketMode) -> &'static str {
    match mode {
        TicketMode::Saml => "TARGET",
        _ => "service",
    }
}

/// The name that was typed, for the form that is shown again. No keyboard types control
/// characters: such a name is not worth keeping.
fn shown_back(username: &str) -> &str {
    if username.chars().any(char::is_control) {
        ""
    } else {
        username
    }
}

/// The page for a service that is not registered.
fn refused(state: &State, text: &str, client: Option<IpAddr>) -> Response {
    state
        .journal
        .tell(&Event::ServiceRefused { url: text, client });
    tracing::info!(
        service = %redact(text, None),
        "login for a service that is not registered"
    );
    crate::http::page(
        state,
        StatusCode::FORBIDDEN,
        &Page::ServiceRefused { shown: text },
    )
}

/// The page for someone who is logged in and has nowhere to go.
fn logged_in(state: &State, person: &Person) -> Response {
    let action = format!("{}/logout", state.prefix);
    let consents = format!("{}/consents", state.prefix);
    let shown = Page::LoggedIn {
        user: &person.id,
        attributes: person
            .attributes
            .iter()
            .map(|(name, values)| (name.as_str(), values.as_slice()))
            .collect(),
        logout: Continue {
            action: &action,
            fields: Vec::new(),
        },
        consents: state
            .services
            .iter()
            .any(|service| service.consent)
            .then_some(&consents),
    };
    crate::http::page(state, StatusCode::OK, &shown)
}

/// The session of a browser and whose it is. A session whose person is gone or
/// disabled, or has another password since, ends (S-057).
pub(crate) async fn session_of(
    state: &State,
    headers: &HeaderMap,
) -> Result<Option<(Session, Arc<Person>)>, StoreError> {
    let Some(cookie) = state.cookies.read(headers, Cookie::Tgc) else {
        return Ok(None);
    };
    let Some(session) = state.sessions.of_cookie(cookie).await? else {
        return Ok(None);
    };
    let person = state
        .people
        .find(&session.user)
        .filter(|person| !person.disabled && state.sessions.fits(&session, person));
    if let Some(person) = person {
        return Ok(Some((session, person)));
    }
    state
        .end_session(&session, Ended::PersonChanged, None)
        .await?;
    Ok(None)
}

/// Issues a ticket. None where the session ended meanwhile.
pub(crate) async fn issue(
    state: &State,
    session: &Session,
    (url, service): (&RegistryUrl, &Service),
    fresh: bool,
    client: Option<IpAddr>,
) -> Result<Option<ServiceTicket>, StoreError> {
    let now = state.clock.now();
    let grant = Grant {
        login: session.login(),
        url: url.as_str().to_owned(),
        place: state.services.place(&service.id),
        fresh,
        proxies: Vec::new(),
    };
    // At once, so that a store far away is waited for once. A ticket that comes too late is told nobody, and would not be
    // accepted.
    let (is_live, ticket) = tokio::try_join!(
        state.sessions.used(session, now),
        state.tickets.issue(&grant, now)
    )?;
    if !is_live {
        return Ok(None);
    }
    state.journal.tell(&Event::TicketGranted {
        kind: Granted::Service,
        ticket: ticket.secret(),
        user: &session.user,
        service: &service.id,
        client,
    });
    Ok(Some(ticket))
}

fn add_cookie(response: &mut Response, cookie: HeaderValue) {
    response.headers_mut().append(SET_COOKIE, cookie);
}

/// The host, with its port where that is not the usual one.
fn host_and_port(url: &RegistryUrl) -> &str {
    let after_scheme = url.canonical().split_once("://");
    after_scheme.map_or(url.host(), |(_, rest)| {
        rest.split('/').next().unwrap_or_default()
    })
}

fn label_of<'a>(service: &'a Service, url: &'a RegistryUrl) -> ServiceLabel<'a> {
    ServiceLabel {
        name: service.display_name(),
        host: host_and_port(url),
        description: service.description.as_deref(),
    }
}
