//! POST `/login`.

use std::{net::IpAddr, time::Duration};

use axum::{extract::Request, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};

use super::{Form, Options, Wanted, add_cookie, decide, enter::Entry, flow, logged_in, refused};
use crate::{
    credentials::{Checked, Credentials, Origin},
    http::{
        Cookie, Failure, Parameters, Peer, client_address, is_own_form, is_unlisted_proxy, network,
        read_form,
    },
    journal::Ended,
    pages::LoginProblem,
    people::Person,
    secret::Maker,
    sso::{Choices, Session},
    state::State,
    throttle::{DEVICE_MAX_AGE, Who, device_cookie, known_device},
};

pub(super) async fn submit(state: &State, request: Request) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let headers = &parts.headers;
    let body = read_form(headers, body, &state.form_limits).await?;
    let parameters = Parameters::read(parts.uri.query(), Some(&body))?;
    drop(body);
    let (Some(username), Some(password)) = (
        parameters.only_in_body("username"),
        parameters.only_in_body("password"),
    ) else {
        return Err(Failure::Parameters);
    };
    if parameters.is_repeated("lt") {
        return Err(Failure::Parameters);
    }
    let peer = parts.extensions.get::<Peer>().copied();
    let client = client_address(peer, headers, &state.trusted_proxies);
    let username = String::from_utf8_lossy(username).into_owned();
    let wanted = Wanted::read(state, &parameters)?;
    let attempt = Attempt {
        state,
        headers,
        wanted: &wanted,
        username: &username,
        options: Options::read(&parameters)?,
        choices: Choices {
            // not offered, and so ignored.
            remembered: state.remember_me && parameters.flag("rememberMe"),
            warn: parameters.flag("warn"),
        },
        network: network(client),
        client,
        everybodys: is_unlisted_proxy(peer, headers, &state.trusted_proxies),
    };
    if attempt.everybodys {
        state.unlisted_proxy.call_once(|| {
            tracing::warn!(
                "logins come through a proxy on this host that is not listed: failed logins of \
                 everybody behind it are counted together. List it in trusted_proxies, or have it \
                 send no X-Forwarded-For"
            );
        });
    }
    if !is_own_form(headers, &state.origin) {
        tracing::info!(network = %attempt.network, "login form from another site refused");
        return Ok(attempt.again(StatusCode::FORBIDDEN, LoginProblem::StaleForm));
    }
    if let Wanted::Refused { text } = &wanted {
        return Ok(refused(state, text, client));
    }
    attempt.judge(password, parameters.only_in_body("lt")).await
}

/// One submission of the form, ready to be judged.
struct Attempt<'a> {
    state: &'a State,
    headers: &'a HeaderMap,
    wanted: &'a Wanted<'a>,
    username: &'a str,
    options: Options,
    choices: Choices,
    network: String,
    client: Option<IpAddr>,
    /// The network is that of a proxy which is not listed, and so of everybody behind it.
    everybodys: bool,
}

impl Attempt<'_> {
    async fn spend_ticket(&self, ticket: Option<&[u8]>) -> Result<bool, Failure> {
        let flow = self.state.cookies.read(self.headers, Cookie::Flow);
        match (ticket, flow) {
            (Some(ticket), Some(flow)) => Ok(flow::spend(self.state, ticket, flow).await?),
            _ => Ok(false),
        }
    }

    async fn restore_ticket(&self, ticket: Option<&[u8]>) -> Result<(), Failure> {
        let flow = self.state.cookies.read(self.headers, Cookie::Flow);
        if let (Some(ticket), Some(flow)) = (ticket, flow) {
            flow::restore(self.state, ticket, flow).await?;
        }
        Ok(())
    }

    async fn judge(&self, password: &[u8], ticket: Option<&[u8]>) -> Result<Response, Failure> {
        let state = self.state;
        let credentials = Credentials::new(self.username, password);
        let counted_as = credentials.counted_as().to_owned();
        let now = state.clock.now();
        let device = state
            .cookies
            .read(self.headers, Cookie::Device)
            .and_then(|cookie| known_device(&state.secret, &counted_as, cookie, now));
        let who = Who {
            person: &counted_as,
            network: &self.network,
            everybodys: self.everybodys,
            device: device.map(|device| device.id),
        };
        let origin = Origin {
            client: self.client,
            network: &self.network,
            service: self.wanted.service_id(),
        };
        let attempt = match state.throttle.begin(who, now).await? {
            Ok(attempt) => attempt,
            Err(wait) => {
                credentials.throttled(state, origin);
                tracing::warn!(network = %self.network, "login refused: too many failures");
                let response =
                    self.again(StatusCode::TOO_MANY_REQUESTS, LoginProblem::TooManyAttempts);
                return Ok(retry_after(response, wait));
            }
        };
        // Let in first and spent second: a spent ticket leaves a mark in the store, and only the
        // throttle bounds how many of those a stranger can make (S-061).
        if !self.spend_ticket(ticket).await? {
            return Ok(self.again(StatusCode::FORBIDDEN, LoginProblem::StaleForm));
        }
        match credentials.check(state, attempt, origin).await? {
            Checked::Right(person) => {
                let is_known = device.is_some_and(|device| device.maker == Maker::First);
                self.welcome(&person, &counted_as, is_known).await
            }
            Checked::Wrong => {
                Ok(self.again(StatusCode::UNAUTHORIZED, LoginProblem::WrongCredentials))
            }
            Checked::Busy => {
                self.restore_ticket(ticket).await?;
                let response = self.again(StatusCode::SERVICE_UNAVAILABLE, LoginProblem::Busy);
                Ok(retry_after(response, Duration::from_secs(2)))
            }
        }
    }

    async fn welcome(
        &self,
        person: &Person,
        counted_as: &str,
        device_is_known: bool,
    ) -> Result<Response, Failure> {
        let state = self.state;
        let (cookie, session, replaced) = self.open_session(person).await?;
        let service = self.wanted.service_id().unwrap_or("none");
        tracing::info!(user = %person.id, service, network = %self.network, "login");
        let mut response = match self.enter(&session, person).await? {
            Some(response) => response,
            None => logged_in(state, person),
        };
        if let Some(old) = replaced {
            // Last, so that whoever gets no answer still has the old one.
            let now = state.clock.now();
            state.sessions.hand_over(&old.id, &session, now).await?;
        }
        add_cookie(&mut response, cookie);
        add_cookie(&mut response, state.cookies.clear(Cookie::Flow));
        if !device_is_known {
            let value = device_cookie(&state.secret, counted_as, state.clock.now());
            let cookie = state
                .cookies
                .set(Cookie::Device, &value, Some(DEVICE_MAX_AGE));
            add_cookie(&mut response, cookie);
        }
        Ok(response)
    }

    /// On to the service, if there is one.
    async fn enter(&self, session: &Session, person: &Person) -> Result<Option<Response>, Failure> {
        let Wanted::Registered {
            text,
            mode,
            url,
            service,
        } = self.wanted
        else {
            return Ok(None);
        };
        let entry = Entry {
            state: self.state,
            session,
            person,
            text,
            mode: *mode,
            url,
            service,
            options: self.options,
            fresh: true,
            client: self.client,
        };
        let gateway = self.options.gateway && !self.options.renew;
        entry
            .answer(decide::enter(entry.visitor().await?, gateway))
            .await
    }

    /// Opens the new session in place of the one that the browser had (R-043, S-055), which is given as well where it is
    /// still to be replaced.
    ///
    /// The services of another person's session are told that it ended; those of one's own move
    /// to the new session and are told when that one ends.
    async fn open_session(
        &self,
        person: &Person,
    ) -> Result<(HeaderValue, Session, Option<Session>), Failure> {
        let state = self.state;
        let old = match state.cookies.read(self.headers, Cookie::Tgc) {
            Some(cookie) => state.sessions.of_cookie(cookie).await?,
            None => None,
        };
        let now = state.clock.now();
        if let Some(old) = &old
            && old.user != person.id
        {
            state.end_session(old, Ended::Replaced, self.client).await?;
        }
        let (ticket, session) = state.sessions.open(person, self.choices, now).await?;
        // without remember-me it goes with the browser.
        let age = self
            .choices
            .remembered
            .then(|| state.sessions.lifetime(true).as_secs());
        Ok((
            state.cookies.set(Cookie::Tgc, ticket.secret(), age),
            session,
            old.filter(|old| old.user == person.id),
        ))
    }

    fn again(&self, status: StatusCode, problem: LoginProblem) -> Response {
        let form = Form {
            wanted: self.wanted,
            username: self.username,
            problem: Some(problem),
            options: self.options,
            choices: self.choices,
        };
        form.respond(self.state, self.headers, status)
    }
}

fn retry_after(mut response: Response, wait: Duration) -> Response {
    let seconds = wait.as_secs().max(1);
    response
        .headers_mut()
        .insert(RETRY_AFTER, HeaderValue::from(seconds));
    response
}
