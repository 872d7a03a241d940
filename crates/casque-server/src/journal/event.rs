//! What is told, and the lines of the audit log.

use std::{net::IpAddr, time::SystemTime};

use casque_proto::redact::{DigestKey, redact};
use jiff::Timestamp;
use serde::Serialize;

use super::metrics::{Label, label};
use crate::validate::Code;

/// The version of the lines. New fields and new events may come without a new version; a field that means something
/// else, or is gone, never.
const VERSION: u8 = 1;

/// The longest text in a line, in bytes.
const LONGEST: usize = 1024;

label! {
    /// How a check of name and password ended.
    pub(crate) LoginOutcome {
        Success => "success",
        WrongPassword => "wrong_password",
        UnknownUser => "unknown_user",
        Disabled => "disabled",
        TooLong => "too_long",
        Throttled => "throttled",
        Busy => "busy",
    }
}

label! {
    /// A kind of ticket that is granted.
    pub(crate) Granted {
        Service => "service",
        Proxy => "proxy",
        ProxyGranting => "proxy_granting",
    }
}

label! {
    /// What became of a message of single logout.
    pub(crate) Message {
        Delivered => "delivered",
        Refused => "refused",
        Failed => "failed",
        Browser => "browser",
    }
}

label! {
    /// Why a session ended before its time.
    pub(crate) Ended {
        Logout => "logout",
        Rest => "rest",
        Replaced => "replaced",
        PersonChanged => "person_changed",
        Operator => "operator",
    }
}

label! {
    /// What is read anew while the server runs.
    pub(crate) Source {
        People => "people",
        Services => "services",
        Certificate => "certificate",
    }
}

/// What happened. It holds tickets, and so has no form for a log but its [line](Self::to_line).
#[derive(Clone, Copy)]
pub(crate) enum Event<'a> {
    /// Name and password were checked, or were not for lack of room.
    Login {
        outcome: LoginOutcome,
        /// Known people only: a name that is nobody's may be a password in the wrong field.
        user: Option<&'a str>,
        service: Option<&'a str>,
        client: Option<IpAddr>,
    },
    TicketGranted {
        kind: Granted,
        ticket: &'a str,
        user: &'a str,
        service: &'a str,
        client: Option<IpAddr>,
    },
    /// A ticket was validated, or refused with a code.
    TicketValidated {
        /// What was shown as one, if anything was.
        ticket: Option<&'a str>,
        outcome: Result<(&'a str, &'a str), Code>,
        endpoint: &'static str,
        client: Option<IpAddr>,
    },
    ProxyRefused {
        code: Code,
        client: Option<IpAddr>,
    },
    SessionEnded {
        why: Ended,
        user: &'a str,
        client: Option<IpAddr>,
    },
    LogoutMessage {
        outcome: Message,
        service: &'a str,
        ticket: &'a str,
    },
    /// Somebody wanted to go to a service that is not registered.
    ServiceRefused {
        url: &'a str,
        client: Option<IpAddr>,
    },
    /// A file was read anew; where it was wrong, what was read before stays in force.
    Reload {
        what: Source,
        problem: Option<&'a str>,
    },
}

/// One line; the fields are in this order.
#[derive(Debug, Default, Serialize)]
struct Line<'a> {
    v: u8,
    time: String,
    event: &'static str,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<IpAddr>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lines: Option<u64>,
}

const SUCCESS: &str = "success";
const FAILURE: &str = "failure";

impl Event<'_> {
    /// The line of the audit log, with its end. Tickets are digests in it, and addresses lose their secrets (S-017);
    /// nothing in it can be taken for another line (S-070).
    pub(super) fn to_line(self, now: SystemTime, digests: &DigestKey) -> Vec<u8> {
        let hide = |text: &str| redact(text, Some(digests));
        let line = match self {
            Self::Login {
                outcome,
                user,
                service,
                client,
            } => Line {
                event: "login",
                outcome: if outcome == LoginOutcome::Success {
                    SUCCESS
                } else {
                    FAILURE
                },
                reason: (outcome != LoginOutcome::Success).then(|| outcome.text()),
                user,
                service,
                client,
                ..Line::default()
            },
            Self::TicketGranted {
                kind,
                ticket,
                user,
                service,
                client,
            } => Line {
                event: "ticket_granted",
                outcome: SUCCESS,
                user: Some(user),
                service: Some(service),
                kind: Some(kind.text()),
                ticket: Some(hide(ticket)),
                client,
                ..Line::default()
            },
            Self::TicketValidated {
                ticket,
                outcome,
                endpoint,
                client,
            } => Line {
                event: "ticket_validated",
                outcome: if outcome.is_ok() { SUCCESS } else { FAILURE },
                reason: outcome.err().map(Label::text),
                user: outcome.ok().map(|(user, _)| user),
                service: outcome.ok().map(|(_, service)| service),
                ticket: ticket.map(hide).map(shortened),
                endpoint: Some(endpoint),
                client,
                ..Line::default()
            },
            Self::ProxyRefused { code, client } => Line {
                event: "proxy_refused",
                outcome: FAILURE,
                reason: Some(code.text()),
                client,
                ..Line::default()
            },
            Self::SessionEnded { why, user, client } => Line {
                event: "session_ended",
                outcome: SUCCESS,
                reason: Some(why.text()),
                user: Some(user),
                client,
                ..Line::default()
            },
            Self::LogoutMessage {
                outcome,
                service,
                ticket,
            } => Line {
                event: "logout_message",
                outcome: match outcome {
                    Message::Delivered | Message::Browser => SUCCESS,
                    Message::Refused | Message::Failed => FAILURE,
                },
                reason: Some(outcome.text()),
                service: Some(service),
                ticket: Some(hide(ticket)),
                ..Line::default()
            },
            Self::ServiceRefused { url, client } => Line {
                event: "service_refused",
                outcome: FAILURE,
                client,
                url: Some(shortened(hide(url))),
                ..Line::default()
            },
            Self::Reload { what, problem } => Line {
                event: "reload",
                outcome: if problem.is_none() { SUCCESS } else { FAILURE },
                kind: Some(what.text()),
                problem: problem.map(hide).map(shortened),
                ..Line::default()
            },
        };
        line.into_bytes(now)
    }
}

/// The line that says that others are missing.
pub(super) fn lost_line(lines: u64, now: SystemTime) -> Vec<u8> {
    let line = Line {
        event: "audit_lost",
        outcome: FAILURE,
        lines: Some(lines),
        ..Line::default()
    };
    line.into_bytes(now)
}

impl Line<'_> {
    fn into_bytes(self, now: SystemTime) -> Vec<u8> {
        let time = Timestamp::try_from(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let line = Self {
            v: VERSION,
            time: format!("{time:.3}"),
            ..self
        };
        let mut bytes = serde_json::to_vec(&line).expect("a line is plain JSON");
        bytes.push(b'\n');
        bytes
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > LONGEST {
        text.truncate(text.floor_char_boundary(LONGEST));
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    fn line(event: Event<'_>) -> String {
        let now = UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        String::from_utf8(event.to_line(now, &DigestKey::new([1; 32]))).expect("text")
    }

    #[test]
    fn a_line_has_its_fields_in_order() {
        let granted = line(Event::TicketGranted {
            kind: Granted::Service,
            ticket: "ST-1-abcdefghijklmnopqrstuvwxyz",
            user: "alice",
            service: "app",
            client: "192.0.2.7".parse().ok(),
        });
        let (before, after) = granted.split_once("ST-1-[").expect("a digest");
        assert_eq!(
            before,
            "{\"v\":1,\"time\":\"2023-11-14T22:13:20.123Z\",\"event\":\"ticket_granted\",\
             \"outcome\":\"success\",\"user\":\"alice\",\"service\":\"app\",\"kind\":\"service\",\"ticket\":\""
        );
        let (digest, rest) = after.split_once(']').expect("its end");
        assert_eq!(digest.len(), 12);
        assert_eq!(rest, "\",\"client\":\"192.0.2.7\"}\n");
    }

    /// S-017, S-070: what strangers send makes no second line, shows no ticket, and is bounded.
    #[test]
    fn what_strangers_send_stays_in_its_field() {
        let refused = line(Event::ServiceRefused {
            url: "https://evil.example/\r\n{\"v\":1}\u{202e}?ticket=ST-1-secretsecretsecret",
            client: None,
        });
        assert_eq!(refused.matches('\n').count(), 1);
        assert!(!refused.contains("secretsecret"), "{refused}");
        assert!(!refused.contains('\u{202e}'), "{refused}");
        let long = "https://evil.example/".to_owned() + &"x".repeat(100_000);
        let refused = line(Event::ServiceRefused {
            url: &long,
            client: None,
        });
        assert!(refused.len() < 1300, "{}", refused.len());
        let shown = line(Event::TicketValidated {
            ticket: Some("TGT-2-secretsecretsecret\n"),
            outcome: Err(Code::InvalidTicket),
            endpoint: "serviceValidate",
            client: None,
        });
        assert!(!shown.contains("secretsecret"), "{shown}");
        assert!(shown.contains("\"reason\":\"INVALID_TICKET\""), "{shown}");
    }
}
