use casque_proto::TicketKind::{
    Login, Proxy, ProxyGranting, ProxyGrantingIou, Service, TicketGranting,
};
use casque_proto::query::{TicketInRequest, ticket_in_request};
use casque_proto::redact::{self, DigestKey};
use casque_proto::{
    LoginTicket, ProxyGrantingTicket, ProxyGrantingTicketIou, ProxyTicket, ServiceTicket,
    TicketGrantingTicket, TicketKind, TicketMode,
};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// The grammar of tickets: what is accepted can be put anywhere, and is shown nowhere.
pub(super) fn ticket(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let kind = TicketKind::of(text);
    let check = |secret: &str, (name, debug): (&str, String), kinds: &[TicketKind]| {
        let kind = kind.expect("a ticket has a kind");
        assert_eq!(secret, text, "a ticket is its text");
        assert!(kinds.contains(&kind));
        assert!((kind.prefix().len() + 1..=1024).contains(&text.len()));
        assert!(
            text.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        );
        assert_eq!(
            debug,
            format!("{name}({}…)", kind.prefix()),
            "what is shown does not depend on the secret"
        );
    };
    if let Ok(ticket) = ServiceTicket::parse(text) {
        check(
            ticket.secret(),
            ("ServiceTicket", format!("{ticket:?}")),
            &[Service, Proxy],
        );
    }
    if let Ok(ticket) = ProxyTicket::parse(text) {
        check(
            ticket.secret(),
            ("ProxyTicket", format!("{ticket:?}")),
            &[Service, Proxy],
        );
    }
    if let Ok(ticket) = ProxyGrantingTicket::parse(text) {
        check(
            ticket.secret(),
            ("ProxyGrantingTicket", format!("{ticket:?}")),
            &[ProxyGranting, TicketGranting],
        );
    }
    if let Ok(ticket) = ProxyGrantingTicketIou::parse(text) {
        check(
            ticket.secret(),
            ("ProxyGrantingTicketIou", format!("{ticket:?}")),
            &[ProxyGrantingIou],
        );
    }
    if let Ok(ticket) = TicketGrantingTicket::parse(text) {
        check(
            ticket.secret(),
            ("TicketGrantingTicket", format!("{ticket:?}")),
            &[TicketGranting],
        );
    }
    if let Ok(ticket) = LoginTicket::parse(text) {
        check(
            ticket.secret(),
            ("LoginTicket", format!("{ticket:?}")),
            &[Login],
        );
    }
}

/// The ticket of a request. The first line is the query, the rest the form body.
pub(super) fn ticket_query(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (query, body) = match text.split_once('\n') {
        Some((query, body)) => (query, Some(body)),
        None => (&*text, None),
    };
    for (mode, parameter) in [(TicketMode::Cas, "ticket"), (TicketMode::Saml, "SAMLart")] {
        let values = |part: &str| -> Vec<String> {
            form_urlencoded::parse(part.as_bytes())
                .filter(|(name, _)| name == parameter)
                .map(|(_, value)| value.into_owned())
                .collect()
        };
        let (in_query, in_body) = (values(query), body.map(values).unwrap_or_default());
        match ticket_in_request(query, body, mode) {
            TicketInRequest::InQuery(ticket) => {
                assert_eq!(
                    (in_query.as_slice(), in_body.len()),
                    ([ticket.secret().to_owned()].as_slice(), 0)
                );
            }
            TicketInRequest::InBody(ticket) => {
                assert_eq!(
                    (in_query.len(), in_body.as_slice()),
                    (0, [ticket.secret().to_owned()].as_slice())
                );
            }
            _ => {
                let mut all = in_query.iter().chain(&in_body);
                if let (Some(only), None) = (all.next(), all.next()) {
                    assert!(
                        ServiceTicket::parse(only).is_err(),
                        "a good ticket was not seen"
                    );
                }
            }
        }
    }
}

/// Redaction: one line, bounded, and a secret put anywhere in it is gone, however it is encoded.
pub(super) fn redact(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if holds_secret(&text) {
        // The fuzzer learns the secret; where it stands by itself nobody could know it for one.
        return;
    }
    let key = DigestKey::new([7; 32]);
    check_line(&redact::redact(&text, None));
    let middle = text
        .char_indices()
        .nth(text.chars().count() / 2)
        .map_or(0, |(index, _)| index);
    let (before, after) = text.split_at(middle);
    for kind in TicketKind::ALL {
        let ticket = format!("{}1-{SECRET}", kind.prefix());
        let encoded = utf8_percent_encode(&ticket, NON_ALPHANUMERIC).to_string();
        for hidden in [ticket, encoded] {
            let line = redact::redact(&format!("{before} {hidden} {after}"), Some(&key));
            check_line(&line);
            assert!(!holds_secret(&line), "{line}");
        }
    }
}

fn check_line(line: &str) {
    assert!(
        line.len() <= redact::MAX_FIELD_BYTES,
        "{} bytes",
        line.len()
    );
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    assert!(!line.contains(breaks), "more than one line: {line:?}");
}

/// Whether the secret, or enough of it, is in the text, as it is or percent-encoded up to four times.
fn holds_secret(text: &str) -> bool {
    let mut stage = text.to_owned();
    for _ in 0..4 {
        if stage.contains(&SECRET[..8]) || stage.contains(&SECRET[24..]) {
            return true;
        }
        stage = percent_decode_str(&stage).decode_utf8_lossy().into_owned();
    }
    false
}

const SECRET: &str = "AbCdEfGhIjKlMnOpQrStUvWxYz012345";
