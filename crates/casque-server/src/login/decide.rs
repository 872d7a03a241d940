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

/// What holds for the person of a live session at the service asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// The service admits them.
    pub(crate) admitted: bool,
    /// They agreed to what the service will be told, or need not be asked.
    pub(crate) agreed: bool,
    /// They want to be asked before a ticket is issued.
    pub(crate) warn: bool,
}

/// The inputs of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Situation {
    pub(crate) service: Asked,
    /// The browser has a live single sign-on session.
    pub(crate) session: Option<Visitor>,
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
    /// A page with status 403: the service does not admit this person.
    Denied,
    /// Back to the service exactly as given, with nothing added.
    BackWithoutTicket,
    /// The page that asks whether the service may be told about the person.
    AskConsent,
    /// The page that asks before a ticket is issued.
    Warn,
    /// To the service with a ticket.
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
    match (service, session) {
        (Asked::Refused, _) => Answer::Refused,
        _ if renew => Answer::Form,
        (Asked::NoService, Some(_)) => Answer::AlreadyLoggedIn,
        (Asked::Registered { sso: true }, Some(visitor)) => enter(visitor, gateway),
        (Asked::Registered { .. }, _) if gateway => Answer::BackWithoutTicket,
        (Asked::NoService, None) | (Asked::Registered { .. }, _) => Answer::Form,
    }
}

/// Decides for someone who need not show a password (again).
///
/// `gateway` promises the service that nobody is asked anything; the warning of R-029 is shown
/// nevertheless, since the person ordered it.
pub(crate) fn enter(visitor: Visitor, gateway: bool) -> Answer {
    match visitor {
        Visitor {
            admitted: false, ..
        }
        | Visitor { agreed: false, .. }
            if gateway =>
        {
            Answer::BackWithoutTicket
        }
        Visitor {
            admitted: false, ..
        } => Answer::Denied,
        // It names the service and waits for a yes: that is the warning, too.
        Visitor { agreed: false, .. } => Answer::AskConsent,
        Visitor { warn: true, .. } => Answer::Warn,
        Visitor { warn: false, .. } => Answer::Ticket,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPEN: Asked = Asked::Registered { sso: true };
    const FRESH: Asked = Asked::Registered { sso: false };
    const NOBODY: Option<Visitor> = None;
    const ANYBODY: Option<Visitor> = Some(Visitor {
        admitted: true,
        agreed: true,
        warn: false,
    });

    #[expect(clippy::unnecessary_wraps, reason = "as it stands in a `Situation`")]
    const fn visitor(admitted: bool, agreed: bool, warn: bool) -> Option<Visitor> {
        Some(Visitor {
            admitted,
            agreed,
            warn,
        })
    }

    /// `renew` and `gateway` of a row: all combinations, or some.
    const ANY: &[(bool, bool)] = &[(false, false), (false, true), (true, false), (true, true)];
    const NEITHER: &[(bool, bool)] = &[(false, false)];
    const GATEWAY: &[(bool, bool)] = &[(false, true)];
    const RENEW: &[(bool, bool)] = &[(true, false), (true, true)];
    const NO_RENEW: &[(bool, bool)] = &[(false, false), (false, true)];

    #[test]
    fn every_row_of_the_table() {
        use Answer::{
            AlreadyLoggedIn, AskConsent, BackWithoutTicket, Denied, Form, Refused, Ticket, Warn,
        };
        let rows = [
            (
                "R-020, R-027: no service, nobody",
                Asked::NoService,
                NOBODY,
                ANY,
                Form,
            ),
            (
                "R-021: no service, somebody",
                Asked::NoService,
                ANYBODY,
                NO_RENEW,
                AlreadyLoggedIn,
            ),
            (
                "R-022: no service, renew",
                Asked::NoService,
                ANYBODY,
                RENEW,
                Form,
            ),
            (
                "R-023: not registered, nobody",
                Asked::Refused,
                NOBODY,
                ANY,
                Refused,
            ),
            (
                "R-023: not registered, somebody",
                Asked::Refused,
                ANYBODY,
                ANY,
                Refused,
            ),
            ("R-022, R-026: renew, nobody", OPEN, NOBODY, RENEW, Form),
            ("R-022, R-026: renew, somebody", OPEN, ANYBODY, RENEW, Form),
            (
                "R-022: renew, in warn mode",
                OPEN,
                visitor(true, true, true),
                RENEW,
                Form,
            ),
            (
                "R-022: renew, not admitted",
                OPEN,
                visitor(false, true, false),
                RENEW,
                Form,
            ),
            (
                "R-022: renew, not agreed",
                OPEN,
                visitor(true, false, false),
                RENEW,
                Form,
            ),
            ("R-024: nobody", OPEN, NOBODY, NEITHER, Form),
            (
                "R-025: nobody, gateway",
                OPEN,
                NOBODY,
                GATEWAY,
                BackWithoutTicket,
            ),
            ("R-028: somebody", OPEN, ANYBODY, NO_RENEW, Ticket),
            (
                "R-029: warn mode",
                OPEN,
                visitor(true, true, true),
                NO_RENEW,
                Warn,
            ),
            ("R-030: no sso, nobody", FRESH, NOBODY, NEITHER, Form),
            (
                "R-030: no sso, nobody, gateway",
                FRESH,
                NOBODY,
                GATEWAY,
                BackWithoutTicket,
            ),
            ("R-030: no sso, somebody", FRESH, ANYBODY, NEITHER, Form),
            (
                "R-030: no sso, somebody, gateway",
                FRESH,
                ANYBODY,
                GATEWAY,
                BackWithoutTicket,
            ),
            ("R-030: no sso, renew", FRESH, ANYBODY, RENEW, Form),
            (
                "R-031: not admitted",
                OPEN,
                visitor(false, true, false),
                NEITHER,
                Denied,
            ),
            (
                "R-031: not admitted, gateway",
                OPEN,
                visitor(false, true, false),
                GATEWAY,
                BackWithoutTicket,
            ),
            (
                "R-031 before R-029: not admitted, warn mode",
                OPEN,
                visitor(false, false, true),
                NEITHER,
                Denied,
            ),
            (
                "R-031: not admitted, gateway, warn mode",
                OPEN,
                visitor(false, false, true),
                GATEWAY,
                BackWithoutTicket,
            ),
            (
                "consent: not agreed",
                OPEN,
                visitor(true, false, false),
                NEITHER,
                AskConsent,
            ),
            (
                "consent: not agreed, gateway",
                OPEN,
                visitor(true, false, false),
                GATEWAY,
                BackWithoutTicket,
            ),
            (
                "consent: not agreed, warn mode",
                OPEN,
                visitor(true, false, true),
                NEITHER,
                AskConsent,
            ),
            (
                "consent: not agreed, gateway, warn mode",
                OPEN,
                visitor(true, false, true),
                GATEWAY,
                BackWithoutTicket,
            ),
            (
                "R-030: no sso, not admitted",
                FRESH,
                visitor(false, true, false),
                NEITHER,
                Form,
            ),
        ];
        for (row, service, session, flags, expected) in rows {
            for &(renew, gateway) in flags {
                let situation = Situation {
                    service,
                    session,
                    renew,
                    gateway,
                };
                assert_eq!(decide(situation), expected, "{row} {renew} {gateway}");
            }
        }
    }

    #[test]
    fn a_ticket_is_for_those_who_are_admitted_agreed_and_need_no_warning() {
        // over every input there is.
        let flags = [false, true];
        let mut tickets = 0;
        for service in [Asked::NoService, OPEN, FRESH, Asked::Refused] {
            for bits in 0..32_u8 {
                let bit = |place: u8| bits >> place & 1 == 1;
                for somebody in flags {
                    let situation = Situation {
                        service,
                        session: visitor(bit(0), bit(1), bit(2)).filter(|_| somebody),
                        renew: bit(3),
                        gateway: bit(4),
                    };
                    if decide(situation) == Answer::Ticket {
                        tickets += 1;
                        assert!(somebody && bit(0) && bit(1) && !bit(2) && !bit(3));
                        assert_eq!(service, OPEN);
                    }
                }
            }
        }
        assert_eq!(tickets, 2, "with gateway and without");
    }
}
