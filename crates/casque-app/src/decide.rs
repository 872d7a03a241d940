//! What a request is, and what to do about it: pure functions of values.

use casque_proto::query::{TicketInRequest, ticket_in_request};
use casque_proto::{JsonpCallback, LoginOptions, LogoutDecision, LogoutReceiver, ServiceTicket};
use http::{HeaderValue, Method, StatusCode};

use crate::answer::{Answer, Reason};
use crate::app::{App, RequestView};
use crate::cookie;
use crate::login::{LoginState, PendingLogin, is_gateway_marker, is_marker};
use crate::navigation::{from_another_site, in_advance, is_navigation, may_log_out};
use crate::pages;
use crate::policy::{Mode, Policy};
use crate::proxying::{PgtCallback, ProxiedCall, receive};
use crate::session::{Session, Sessions};
use crate::single_logout::{bad_single_logout, is_form};
use crate::site::Site;

/// Most bytes of a single logout message (S-048).
pub const MAX_FORM_BYTES: usize = LogoutReceiver::MAX_BODY;

/// The query parameter that binds a ticket to a login; see `AppBuilder::login_marker`.
pub(crate) const MARKER: &str = "casque";

/// The value of a session cookie that could be one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SessionId([u8; 43]);

impl SessionId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if !Sessions::is_id(text) {
            return None;
        }
        text.as_bytes().try_into().ok().map(Self)
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl std::fmt::Debug for SessionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionId(…)")
    }
}

/// What to do about a request. [`App::act`] does it.
#[derive(Debug)]
#[non_exhaustive]
pub enum Decision {
    /// It is the application's. The session, if a cookie names one, is to be looked up.
    Serve {
        /// The cookie's value.
        session: Option<SessionId>,
    },
    /// The login page: whoever is not signed in is to be sent to the CAS server.
    Login(Box<LoginPage>),
    /// A browser came back with a ticket that it asked for, or may bring unasked.
    Validate(Box<Callback>),
    /// A ticket came that this browser did not ask for. Harmless where it is signed in already.
    StrayTicket {
        /// The cookie's value.
        session: Option<SessionId>,
        /// Which own address.
        site: usize,
    },
    /// A form on the callback path: read up to [`MAX_FORM_BYTES`] of it and ask
    /// [`App::decide_form`].
    ReadForm,
    /// The session is to be ended.
    Logout {
        /// The cookie's value.
        session: Option<SessionId>,
        /// Which own address.
        site: usize,
    },
    /// A message of single logout that came through the browser.
    SingleLogout {
        /// Whose session ends.
        ticket: ServiceTicket,
        /// The function of a script that asks so.
        callback: Option<JsonpCallback>,
    },
    /// A proxy-granting ticket came to the receptor.
    KeepPgt(Box<PgtCallback>),
    /// Another application calls as its user.
    Call(Box<ProxiedCall>),
    /// Everything is said.
    Answer(Box<Answer>),
}

/// A request for the login page.
#[derive(Debug)]
pub struct LoginPage {
    pub(crate) session: Option<SessionId>,
    pub(crate) site: usize,
    pub(crate) page: String,
    pub(crate) state: LoginState,
}

impl LoginPage {
    /// The page to return to after the login: path and query.
    pub fn page(&self) -> &str {
        &self.page
    }
}

/// A ticket to validate, and the login it belongs to.
#[derive(Debug)]
pub struct Callback {
    pub(crate) ticket: ServiceTicket,
    pub(crate) login: PendingLogin,
    pub(crate) unsolicited: bool,
    pub(crate) session: Option<SessionId>,
    pub(crate) state: LoginState,
}

impl Callback {
    /// The ticket.
    pub fn ticket(&self) -> &ServiceTicket {
        &self.ticket
    }

    /// The login it belongs to.
    pub fn login(&self) -> &PendingLogin {
        &self.login
    }
}

/// What the form of a [`Decision::ReadForm`] is.
#[derive(Debug)]
#[non_exhaustive]
pub enum FormDecision {
    /// The application's: hand every byte on, untouched (S-081).
    Serve,
    /// A message of single logout about this ticket. [`App::single_logout`] does it.
    SingleLogout(ServiceTicket),
    /// A proxy-granting ticket came to the receptor. [`App::act`] does it.
    KeepPgt(Box<PgtCallback>),
    /// Everything is said.
    Answer(Box<Answer>),
}

impl App {
    /// Says what a request is. Total, without input or output, and quick.
    pub fn decide(&self, request: &RequestView<'_>) -> Decision {
        let (index, site) = self.site(request);
        let path = site.local_path(request.uri.path());
        if let Some(proxying) = self.receptor_at(path) {
            return proxying.decide(request);
        }
        let callback = is_page(path, &self.0.callback);
        if callback && let Some(decision) = self.decide_callback(request, index, site) {
            return decision;
        }
        if is_page(path, &self.0.login) && matches!(*request.method, Method::GET | Method::HEAD) {
            if in_advance(request.headers) {
                return Decision::Answer(Box::new(self.login_needed(request, false)));
            }
            return Decision::Login(Box::new(LoginPage {
                session: session_id(request, site),
                site: index,
                page: self.return_to(request, site),
                state: self.login_state(request, site),
            }));
        }
        if path == self.0.logout {
            return self.decide_logout(request, index, site);
        }
        if let Some(call) = self.proxied_call(request, index, site) {
            return Decision::Call(Box::new(call));
        }
        Decision::Serve {
            session: session_id(request, site),
        }
    }

    /// As [`decide`](Self::decide) where it is known to be the application's: its session is to be
    /// looked up.
    pub fn decide_application(&self, request: &RequestView<'_>) -> Decision {
        Decision::Serve {
            session: session_id(request, self.site(request).1),
        }
    }

    /// Says what the body of a form on the callback path is.
    pub fn decide_form(&self, request: &RequestView<'_>, body: &[u8]) -> FormDecision {
        let site = self.site(request).1;
        if self
            .receptor_at(site.local_path(request.uri.path()))
            .is_some()
        {
            let query = request.uri.query().unwrap_or_default();
            return match receive(query, body) {
                Decision::KeepPgt(callback) => FormDecision::KeepPgt(callback),
                Decision::Answer(answer) => FormDecision::Answer(answer),
                _ => FormDecision::Serve,
            };
        }
        let receiver = self.0.slo.receiver(request);
        match receiver.decide(request.method, request.uri, request.headers, body) {
            LogoutDecision::Logout { ticket, .. } => {
                if self.0.slo.receives_from(request.peer) {
                    return FormDecision::SingleLogout(ticket);
                }
                tracing::warn!("single logout message from outside slo_sources");
                let answer = Answer::status(StatusCode::FORBIDDEN, Reason::BadSingleLogout);
                FormDecision::Answer(Box::new(answer))
            }
            LogoutDecision::Refuse(error) => {
                FormDecision::Answer(Box::new(bad_single_logout(&error)))
            }
            _ if !is_form(request) => FormDecision::Serve,
            _ => {
                let query = request.uri.query().unwrap_or_default();
                // Bytes that are not UTF-8 are the application's own: a ticket is ASCII.
                match ticket_in_request(
                    query,
                    Some(&String::from_utf8_lossy(body)),
                    self.0.client.ticket_mode(),
                ) {
                    TicketInRequest::Refused(_) => {
                        FormDecision::Answer(Box::new(pages::bad_ticket()))
                    }
                    _ => FormDecision::Serve,
                }
            }
        }
    }

    /// Judges whether a request may go on to a route with this policy: `None` means that it may.
    pub fn access(
        &self,
        request: &RequestView<'_>,
        session: Option<&Session>,
        policy: &Policy,
    ) -> Option<Answer> {
        let now = self.0.clock.now();
        let renew = match policy.mode() {
            Mode::Renew { within } => !session.is_some_and(|session| {
                let age = now.duration_since(session.since()).unwrap_or_default();
                session.renewed() && age < within
            }),
            _ => false,
        };
        match session {
            Some(_) if renew => Some(self.login_needed(request, true)),
            Some(session) => match policy.allowed() {
                Some(rule) if !rule.allows(session) => Some(pages::not_allowed(
                    is_navigation(request.headers),
                    self.site(request).1,
                )),
                _ => None,
            },
            None if policy.allowed().is_some() => Some(self.login_needed(request, renew)),
            None => match policy.mode() {
                Mode::Optional => None,
                Mode::Gateway => self.ask_once(request),
                Mode::Required | Mode::Renew { .. } => Some(self.login_needed(request, renew)),
            },
        }
    }

    /// What whoever is not signed in gets where a login is needed: a page's navigation is sent to
    /// log in; a form, which is never kept and replayed, gets a page; anything else 401 and JSON.
    pub fn login_needed(&self, request: &RequestView<'_>, renew: bool) -> Answer {
        let (index, site) = self.site(request);
        let login_url = site.url(&self.0.login);
        if !is_navigation(request.headers) {
            return Answer::json(
                StatusCode::UNAUTHORIZED,
                Reason::LoginNeeded,
                "log in first",
                Some(&login_url),
            );
        }
        if *request.method == Method::HEAD {
            // The headers that a GET would get; nobody comes back from it, so no login is kept.
            let options = LoginOptions::default().renew(renew);
            let location = self.0.client.login_url(&site.service, options);
            return Answer::redirect(location, Reason::LoginStarted);
        }
        if *request.method != Method::GET {
            return pages::form_without_login(&login_url);
        }
        let state = self.login_state(request, site);
        self.start_login(
            state,
            self.new_login(index, site.page(request.uri), renew, false),
        )
    }

    /// Sends the browser to the CAS server.
    pub(crate) fn start_login(&self, mut state: LoginState, login: PendingLogin) -> Answer {
        let site = &self.0.sites[login.site];
        if !login.gateway && state.loops(&login.page) {
            state.forget_completed();
            let again = self.page_url(site, &login.page);
            return pages::login_loop(site, &again).cookie(self.state_cookie(site, state));
        }
        let login = state.start(login, self.0.login_marker);
        let options = LoginOptions::default()
            .renew(login.renew)
            .gateway(login.gateway);
        let Some(service) = self.service_of(&login) else {
            return Answer::status(StatusCode::INTERNAL_SERVER_ERROR, Reason::ValidationFailed);
        };
        Answer::redirect(
            self.0.client.login_url(&service, options),
            Reason::LoginStarted,
        )
        .cookie(self.state_cookie(site, state))
    }

    /// A login that returns to a page of our own.
    pub(crate) fn new_login(
        &self,
        site: usize,
        page: String,
        renew: bool,
        gateway: bool,
    ) -> PendingLogin {
        PendingLogin {
            marker: None,
            page,
            site,
            started: self.seconds(),
            refused: 0,
            renew,
            gateway,
        }
    }

    /// The `Set-Cookie` that keeps the login state, or removes its cookie where nothing is left.
    pub(crate) fn state_cookie(&self, site: &Site, state: LoginState) -> HeaderValue {
        match state.seal(&self.0.ring, &site.public_path(&self.0.landing)) {
            Some((value, age)) => site.cookies.set(&site.cookies.login, &value, Some(age)),
            None => site.cookies.remove(&site.cookies.login),
        }
    }

    fn decide_callback(
        &self,
        request: &RequestView<'_>,
        index: usize,
        site: &Site,
    ) -> Option<Decision> {
        match *request.method {
            Method::GET => {}
            Method::POST => {
                return self
                    .0
                    .slo
                    .is_small_message(request)
                    .then_some(Decision::ReadForm);
            }
            _ => return None,
        }
        let receiver = self.0.slo.receiver(request);
        match receiver.decide(request.method, request.uri, request.headers, b"") {
            LogoutDecision::Logout { ticket, callback } => {
                return Some(Decision::SingleLogout { ticket, callback });
            }
            LogoutDecision::Refuse(error) => {
                return Some(Decision::Answer(Box::new(bad_single_logout(&error))));
            }
            _ => {}
        }
        let query = request.uri.query().unwrap_or_default();
        let ticket = match ticket_in_request(query, None, self.0.client.ticket_mode()) {
            TicketInRequest::InQuery(ticket) => Some(ticket),
            TicketInRequest::Refused(_) => {
                return Some(Decision::Answer(Box::new(pages::bad_ticket())));
            }
            _ => None,
        };
        let bound = self.0.login_marker;
        let marker = marker_in(query).filter(|_| bound);
        let Some(ticket) = ticket else {
            return self.decide_without_ticket(request, index, site, marker.as_deref());
        };
        let session = session_id(request, site);
        let mut state = self.login_state(request, site);
        let login = if bound && marker.is_none() {
            None
        } else {
            state.finish(index, marker.as_deref())
        };
        let (login, unsolicited) = match login {
            Some(login) => (login, false),
            None if self.0.allow_unsolicited => {
                let page = site.public_path(&self.0.landing);
                (self.new_login(index, page, false, false), true)
            }
            // SC-031: a gateway attempt never ends in an error.
            None if session.is_none() && marker.as_deref().is_some_and(is_gateway_marker) => {
                return Some(Decision::Answer(Box::new(pages::cookies_refused(site))));
            }
            None => {
                return Some(Decision::StrayTicket {
                    session,
                    site: index,
                });
            }
        };
        let callback = Callback {
            ticket,
            login,
            unsolicited,
            session,
            state,
        };
        Some(Decision::Validate(Box::new(callback)))
    }

    /// A return without a ticket is that of a gateway attempt; any other request without a ticket
    /// is none of ours.
    fn decide_without_ticket(
        &self,
        request: &RequestView<'_>,
        index: usize,
        site: &Site,
        marker: Option<&str>,
    ) -> Option<Decision> {
        let mut state = self.login_state(request, site);
        let login = if self.0.login_marker {
            state.finish(index, Some(marker?))
        } else {
            // SC-031: a browser without cookies comes back to the bare callback. Where that is the
            // login page as well, it cannot be told from a wish to log in.
            if request.uri.query().is_some() || self.clicks_login(request, site) {
                return None;
            }
            let bare = self.0.callback != self.0.login
                && session_id(request, site).is_none()
                && is_navigation(request.headers);
            let login = state.finish_gateway(index, self.seconds());
            if login.is_none() && !bare {
                return None;
            }
            login
        };
        Some(self.returned_without_ticket(site, state, login))
    }

    /// Whether a person follows a link of ours to the login page, which is the callback as well: no
    /// return from a CAS server elsewhere looks like that.
    fn clicks_login(&self, request: &RequestView<'_>, site: &Site) -> bool {
        let link = request
            .headers
            .get("sec-fetch-site")
            .is_some_and(|from| from == "same-origin");
        let server_is_elsewhere = || {
            let server = self.0.client.logout_url(None);
            let rest = server.strip_prefix(site.origin());
            !rest.is_some_and(|rest| rest.starts_with('/'))
        };
        self.0.callback == self.0.login && link && server_is_elsewhere()
    }

    /// A gateway attempt whose answer is that the CAS server knows nobody here.
    fn returned_without_ticket(
        &self,
        site: &Site,
        mut state: LoginState,
        login: Option<PendingLogin>,
    ) -> Decision {
        let answer = match login {
            Some(login) => {
                if login.gateway {
                    state.gateway_returned(self.seconds());
                }
                let location = self.page_url(site, &login.page);
                Answer::redirect(location, Reason::GatewayReturned)
                    .cookie(self.state_cookie(site, state))
            }
            None => pages::cookies_refused(site),
        };
        Decision::Answer(Box::new(answer))
    }

    fn decide_logout(&self, request: &RequestView<'_>, index: usize, site: &Site) -> Decision {
        let get = *request.method == Method::GET;
        if !get && *request.method != Method::POST {
            return Decision::Serve {
                session: session_id(request, site),
            };
        }
        if in_advance(request.headers) || (get && !may_log_out(request.headers)) {
            let answer = Answer::status(StatusCode::FORBIDDEN, Reason::LogoutNotByNavigation);
            return Decision::Answer(Box::new(answer));
        }
        let is_own = |origin: &str| self.0.sites.iter().any(|site| site.origin() == origin);
        if from_another_site(request.headers, is_own) {
            let (logout, home) = (site.url(&self.0.logout), site.url("/"));
            return Decision::Answer(Box::new(pages::confirm_logout(&logout, &home)));
        }
        Decision::Logout {
            session: session_id(request, site),
            site: index,
        }
    }

    /// Asks the CAS server whether it knows this browser, unless it was asked lately.
    fn ask_once(&self, request: &RequestView<'_>) -> Option<Answer> {
        if *request.method != Method::GET || !is_navigation(request.headers) {
            return None;
        }
        let (index, site) = self.site(request);
        let state = self.login_state(request, site);
        if state.gateway_tried() {
            return None;
        }
        let login = self.new_login(index, site.page(request.uri), false, true);
        // Logged in again and again without the session being kept: they stay a stranger.
        if state.loops(&login.page) {
            return None;
        }
        Some(self.start_login(state, login))
    }

    /// The page that a request for the login page wants to return to. Anyone may have written it,
    /// so it is judged by the strict rules (S-041).
    fn return_to(&self, request: &RequestView<'_>, site: &Site) -> String {
        let query = request.uri.query().unwrap_or_default();
        let mut asked =
            form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "return_to");
        match (asked.next(), asked.next()) {
            (Some((_, page)), None) => site.checked_page(&page),
            _ => None,
        }
        .unwrap_or_else(|| site.public_path(&self.0.landing))
    }

    /// The absolute URL that the browser is sent to when a callback has been accepted.
    pub fn page_url_of(&self, callback: &Callback) -> String {
        self.page_url(&self.0.sites[callback.login.site], &callback.login.page)
    }

    /// The absolute URL of a page of our own.
    pub(crate) fn page_url(&self, site: &Site, page: &str) -> String {
        site.page_url(page)
            .unwrap_or_else(|| site.url(&self.0.landing))
    }

    pub(crate) fn login_state(&self, request: &RequestView<'_>, site: &Site) -> LoginState {
        let cookie = cookie::find(request.headers, &site.cookies.login);
        LoginState::open(&self.0.ring, cookie, self.seconds())
    }
}

fn session_id(request: &RequestView<'_>, site: &Site) -> Option<SessionId> {
    cookie::find(request.headers, &site.cookies.session).and_then(SessionId::parse)
}

/// Whether a path is a page of ours. One whose address ends in a slash is meant without it too; not
/// the other way round, where the application may have something below.
fn is_page(path: &str, page: &str) -> bool {
    path == page || page.strip_suffix('/') == Some(path)
}

/// The marker in a callback's query: given once and well-formed.
fn marker_in(query: &str) -> Option<String> {
    let mut markers = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == MARKER);
    match (markers.next(), markers.next()) {
        (Some((_, marker)), None) if is_marker(&marker) => Some(marker.into_owned()),
        _ => None,
    }
}
