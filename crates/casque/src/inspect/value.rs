//! Tickets, services and return-to targets.

use std::borrow::Cow;

use casque_proto::return_to::{Decision, ReturnToRules, check};
use casque_proto::{
    LoginTicket, ProxyGrantingTicket, ProxyGrantingTicketIou, ProxyTicket, RegistryUrl,
    ServiceTicket, ServiceUrl, TicketError, TicketGrantingTicket, TicketKind,
};
use serde_json::json;

use super::{Arguments, Outcome};

/// A ticket of the kind asked for, or of the kind that its prefix says.
pub(super) fn ticket(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let wanted = match arguments.ticket_kind.as_deref() {
        None => None,
        Some(name) => match TicketKind::ALL.into_iter().find(|kind| kind.name() == name) {
            Some(kind) => Some(kind),
            None => {
                return Err(format!(
                    "no kind of ticket is called {name}: use st, pt, pgt, pgtiou, tgt or lt"
                ));
            }
        },
    };
    let text = String::from_utf8_lossy(input);
    let kind = TicketKind::of(&text);
    let refusal = match wanted.or(kind) {
        None => ServiceTicket::parse(&text).err(),
        Some(kind) => parse_as(kind, &text).err(),
    };
    let reason = refusal.map(|error| format!("{error}{}", line_break_hint(&text)));
    Ok(Outcome::Read(json!({
        "accepted": reason.is_none(),
        "kind": kind.map(TicketKind::name),
        "reason": reason,
    })))
}

/// A service: whether it may be one at all, and what the registry compares.
pub(super) fn service_url(input: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(input);
    let service = match std::str::from_utf8(input) {
        Ok(text) => ServiceUrl::parse(text).map_err(|error| error.to_string()),
        Err(_) => Err("the service is not UTF-8".to_owned()),
    };
    let registry = RegistryUrl::parse(&text).err();
    let (canonical, reason) = match &service {
        Ok(service) => (Some(service.canonical()), None),
        Err(reason) => (None, Some(format!("{reason}{}", line_break_hint(&text)))),
    };
    Outcome::Read(json!({
        "allowed_syntax": reason.is_none(),
        "canonical": canonical,
        "reason": reason,
        // A server's registry is stricter than the protocol: it takes only what everybody reads alike.
        "allowed_by_registry_gate": registry.is_none(),
        "registry_reason": registry.map(|error| error.to_string()),
    }))
}

/// Where the browser is sent.
pub(super) fn redirect_target(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let Some(origin) = &arguments.own_origin else {
        return Err(
            "redirect-target needs --own-origin, such as --own-origin https://app.example.org"
                .to_owned(),
        );
    };
    let rules = match ReturnToRules::new(origin) {
        Ok(rules) => arguments
            .callback_path
            .iter()
            .fold(rules, |rules, path| rules.callback_path(path)),
        Err(error) => return Err(format!("--own-origin {origin}: {error}")),
    };
    let decision = check(&String::from_utf8_lossy(input), &rules);
    let name = match decision {
        Decision::Accept(_) => "accept",
        Decision::Fallback(_) => "fallback",
    };
    Ok(Outcome::Read(
        json!({ "decision": name, "location": decision.location() }),
    ))
}

fn parse_as(kind: TicketKind, text: &str) -> Result<(), TicketError> {
    match kind {
        TicketKind::Service => ServiceTicket::parse(text).map(drop),
        TicketKind::Proxy => ProxyTicket::parse(text).map(drop),
        TicketKind::ProxyGranting => ProxyGrantingTicket::parse(text).map(drop),
        TicketKind::ProxyGrantingIou => ProxyGrantingTicketIou::parse(text).map(drop),
        TicketKind::TicketGranting => TicketGrantingTicket::parse(text).map(drop),
        TicketKind::Login => LoginTicket::parse(text).map(drop),
        _ => Err(TicketError::UnknownPrefix),
    }
}

fn line_break_hint(text: &str) -> Cow<'static, str> {
    if text.ends_with('\n') {
        "; it ends with a line break, which echo adds: use printf %s".into()
    } else {
        "".into()
    }
}
