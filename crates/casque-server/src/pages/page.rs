//! What a page shows.

use std::borrow::Cow;

use minijinja::value::Serde;
use minijinja::{Value, context};
use serde::Serialize;

use crate::text::is_hidden;

/// A page with everything that is on it. Texts are escaped when it is drawn: pass them as they are.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Page<'a> {
    /// The login form.
    Login(Login<'a>),
    /// Signed in, and no service to go to.
    LoggedIn {
        /// Whom the session belongs to.
        user: &'a str,
        /// What the server knows of the person; an empty list shows nothing.
        attributes: Vec<(&'a str, &'a [String])>,
        /// Where the button "Sign out" posts to, with its hidden fields.
        logout: Continue<'a>,
        /// Where one's own consents are, if there are services that ask for any.
        consents: Option<&'a str>,
    },
    /// "Go on to this service?", before it gets a ticket.
    Warn {
        /// Whom the session belongs to.
        user: &'a str,
        /// Where one is about to go.
        service: ServiceLabel<'a>,
        /// The form behind "Go on", with its one-time token.
        form: Continue<'a>,
    },
    /// "May this service be told this about you?"
    Consent {
        /// Whom the session belongs to; the service learns that, too.
        user: &'a str,
        /// Who asks.
        service: ServiceLabel<'a>,
        /// Everything else that it will be told.
        attributes: Vec<(&'a str, Cow<'a, [String]>)>,
        /// The form behind "Agree" and "Refuse", with its one-time token.
        form: Continue<'a>,
    },
    /// The person refused: the service was told nothing.
    ConsentRefused {
        /// Who asked.
        service: ServiceLabel<'a>,
    },
    /// What the person agreed to, each with a way to take it back.
    Consents {
        /// Whom the session belongs to.
        user: &'a str,
        /// The consents in their order.
        given: Vec<ConsentGiven<'a>>,
    },
    /// The service does not admit this person.
    Denied {
        /// Whom the session belongs to.
        user: &'a str,
        /// Where they wanted to go.
        service: ServiceLabel<'a>,
    },
    /// A form that takes a ticket to its service; it submits itself where scripts run.
    PostTicket {
        /// Where one goes.
        service: ServiceLabel<'a>,
        /// The address of the service, and the ticket.
        form: Continue<'a>,
        /// What the policy of the page lets the script by.
        nonce: &'a str,
    },
    /// Signed out.
    LoggedOut {
        /// A registered service with the address to go back to.
        service: Option<(ServiceLabel<'a>, &'a str)>,
    },
    /// Signed out, with images that tell services so.
    LoggedOutInFront {
        /// A registered service with the address to go back to.
        service: Option<(ServiceLabel<'a>, &'a str)>,
        /// What the browser is to get: addresses of registered services, each with its message.
        messages: Vec<&'a str>,
    },
    /// The service is not registered here; no link to it (R-023, S-032).
    ServiceRefused {
        /// The service as it was asked for. It is cut, escaped, and never a link.
        shown: &'a str,
    },
    /// "Sign out?".
    ConfirmLogout {
        /// Whom the session belongs to, where the request tells.
        user: Option<&'a str>,
        /// The form behind "Sign out", with its one-time token.
        logout: Continue<'a>,
    },
    /// Anything that went wrong.
    Error {
        /// The HTTP status, small on the page.
        status: u16,
        /// A few words, such as "Too many attempts".
        title: &'a str,
        /// What happened and what to do, in a sentence or two.
        words: &'a str,
        /// What to tell the help desk, so that they find the log line.
        reference: Option<&'a str>,
    },
}

/// The login form.
#[derive(Debug, Clone)]
pub struct Login<'a> {
    /// The service one signs in to, by its registration.
    pub service: Option<ServiceLabel<'a>>,
    /// Where the form posts to, and its hidden fields: `lt`, `service`, `renew`, `gateway`.
    pub form: Continue<'a>,
    /// The name that was typed before, or nothing.
    pub username: &'a str,
    /// What was wrong with the last attempt.
    pub problem: Option<LoginProblem>,
    /// The person has a session and is asked again (`renew`).
    pub renew: bool,
    /// Whether "stay signed in" is ticked; none where it is not offered.
    pub remember_me: Option<bool>,
    /// Whether "ask me" is ticked.
    pub warn: bool,
}

/// What a person agreed to.
#[derive(Debug, Clone, Serialize)]
pub struct ConsentGiven<'a> {
    /// What the service is called.
    pub name: &'a str,
    /// The day, as 2024-05-31.
    pub day: String,
    /// The names of the attributes it may be told.
    pub attributes: Vec<String>,
    /// The form behind "Take back", with its one-time token.
    pub form: Continue<'a>,
}

/// A service as people know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ServiceLabel<'a> {
    /// Its name from the registry; where it has none, its id.
    pub name: &'a str,
    /// The host one really goes to, from the checked service URL.
    pub host: &'a str,
    /// A sentence from the registry.
    pub description: Option<&'a str>,
}

/// Where a form posts to, and its hidden fields.
#[derive(Debug, Clone, Serialize)]
pub struct Continue<'a> {
    /// The form's `action`: an own path, or the address of a registered service.
    pub action: &'a str,
    /// Hidden fields in their order.
    pub fields: Vec<Field<'a>>,
}

/// A hidden field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Field<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value, byte for byte.
    pub value: &'a str,
}

impl<'a> Field<'a> {
    /// A field.
    pub const fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value }
    }
}

/// What was wrong with the last attempt to sign in. The words are the same whether or not the person exists (S-059).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoginProblem {
    /// Name or password are not right.
    WrongCredentials,
    /// The form was too old, used already, or of another browser.
    StaleForm,
    /// Too many failures for this name or network.
    TooManyAttempts,
    /// Too many logins at this moment.
    Busy,
}

impl LoginProblem {
    const fn words(self) -> &'static str {
        match self {
            Self::WrongCredentials => {
                "That name and password do not match. Check both, and whether Caps Lock is on."
            }
            Self::StaleForm => {
                "This page was open for too long, or was used before. Please sign in again."
            }
            Self::TooManyAttempts => {
                "There were too many attempts. Please wait a few minutes and try again."
            }
            Self::Busy => {
                "Many people are signing in at this moment. Please try again in a few seconds."
            }
        }
    }
}

/// No more of a foreign address than this is shown.
const MAX_SHOWN: usize = 300;

impl Page<'_> {
    pub(super) const fn template(&self) -> &'static str {
        match self {
            Self::Login(_) => "login.html",
            Self::LoggedIn { .. } => "logged_in.html",
            Self::LoggedOut { .. } | Self::LoggedOutInFront { .. } => "logged_out.html",
            Self::ServiceRefused { .. } => "refused.html",
            Self::ConfirmLogout { .. } => "confirm_logout.html",
            Self::Warn { .. } => "warn.html",
            Self::Consent { .. } => "consent.html",
            Self::ConsentRefused { .. } => "consent_refused.html",
            Self::Consents { .. } => "consents.html",
            Self::Denied { .. } => "denied.html",
            Self::PostTicket { .. } => "post_ticket.html",
            Self::Error { .. } => "error.html",
        }
    }

    pub(super) fn values(&self) -> Value {
        match self {
            Self::Login(login) => context! {
                service => value(&login.service),
                form => value(&login.form),
                username => login.username,
                problem => login.problem.map(LoginProblem::words),
                renew => login.renew,
                remember_me => login.remember_me,
                warn => login.warn,
            },
            Self::LoggedIn {
                user,
                attributes,
                logout,
                consents,
            } => context! {
                consents => *consents,
                user => *user,
                attributes => value(attributes),
                logout => value(logout),
            },
            Self::Warn {
                user,
                service,
                form,
            } => context! {
                user => *user,
                service => value(service),
                form => value(form),
            },
            Self::Consent {
                user,
                service,
                attributes,
                form,
            } => context! {
                user => *user,
                service => value(service),
                attributes => value(attributes),
                form => value(form),
            },
            Self::ConsentRefused { service } => context! { service => value(service) },
            Self::Consents { user, given } => context! {
                user => *user,
                given => value(given),
            },
            Self::Denied { user, service } => context! {
                user => *user,
                service => value(service),
            },
            Self::PostTicket {
                service,
                form,
                nonce,
            } => context! {
                service => value(service),
                form => value(form),
                nonce => *nonce,
            },
            Self::LoggedOut { service } => signed_out(*service, &[]),
            Self::LoggedOutInFront { service, messages } => signed_out(*service, messages),
            Self::ServiceRefused { shown } => context! { shown => shorten(shown) },
            Self::ConfirmLogout { user, logout } => context! {
                user => *user,
                logout => value(logout),
            },
            Self::Error {
                status,
                title,
                words,
                reference,
            } => context! {
                status => *status,
                title => *title,
                words => *words,
                reference => *reference,
            },
        }
    }
}

fn signed_out(service: Option<(ServiceLabel<'_>, &str)>, messages: &[&str]) -> Value {
    context! {
        service => value(&service.map(|(label, _)| label)),
        url => service.map(|(_, url)| url),
        messages => value(&messages),
    }
}

fn value(of: &impl Serialize) -> Value {
    Value::from(Serde(of))
}

/// The beginning of a foreign text, with what cannot be seen made visible.
fn shorten(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN)
        .map(|c| {
            if c.is_control() || is_hidden(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
