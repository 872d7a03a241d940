//! The decision table of GET `/login` (protocol ), as a function of its inputs.

/// What the registry says about the service of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// No service was given.
    NoService,
    /// A registered, enabled service.
    Registered {
        /// A session is enough to enter it.
        sso: bool,
    },
    /// Not registered, disabled, or refused by the rules of service URLs.
    Refused,
}

/// The inputs of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) service: Asked,
    /// The browser has a live single sign-on session.
    pub(crate) session: bool,
    pub(crate) renew: bool,
    pub(crate) gateway: bool,
}

/// The rows of the table, by what the browser gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The login form.
    Form,
    /// A page that says who is logged in.
    AlreadyLoggedIn,
    /// A page with status 403 and no way to the service.
    Refused,
    /// Back to the service exactly as given, with nothing added.
    BackWithoutTicket,
    /// To the service with a ticket that does not come from new credentials.
    Ticket,
}

/// Decides one request.
pub(crate) fn decide(situation: Situation) -> Answer {
    let Situation {
        service,
        session,
        renew,
        gateway,
    } = situation;
    match service {
        Asked::Refused => Answer::Refused,
        _ if renew => Answer::Form,
        Asked::NoService if session => Answer::AlreadyLoggedIn,
        Asked::Registered { sso: true } if session => Answer::Ticket,
        Asked::Registered { .. } if gateway => Answer::BackWithoutTicket,
        Asked::NoService | Asked::Registered { .. } => Answer::Form,
    }
}
