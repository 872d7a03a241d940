use std::time::SystemTime;

use casque_proto::{JsonpCallback, LogoutDecision, LogoutMessage, LogoutReceiver, LogoutRequest};
use http::{HeaderMap, HeaderValue, Method, Uri};

use super::{check_error, check_well_formed};

/// The readers of a logout request: the document, the form that carries it, and the receiver.
pub(super) fn logout_request(bytes: &[u8]) {
    match LogoutRequest::parse_xml(bytes) {
        Ok(request) => {
            check_well_formed(bytes);
            check_request(&request);
        }
        Err(error) => check_error(&error),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        match LogoutRequest::parse_value(text) {
            Ok(request) => check_request(&request),
            Err(error) => check_error(&error),
        }
        if let Some(callback) = JsonpCallback::parse(text) {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_$.".contains(c);
            assert!(callback.as_str().chars().all(plain) && text.len() <= 128);
        }
    }
    match LogoutMessage::parse(bytes) {
        Ok(message) => check_request(message.request()),
        Err(error) => check_error(&error),
    }
    check_receiver(bytes);
}

fn check_request(request: &LogoutRequest) {
    assert!(!request.session_indexes().is_empty());
    for ticket in request.session_indexes() {
        let one = LogoutRequest::new(ticket.clone());
        let body = LogoutRequest::to_form_body("LR-1", SystemTime::UNIX_EPOCH, ticket);
        assert_eq!(
            LogoutRequest::parse_form_body(body.as_bytes()).as_ref(),
            Ok(&one)
        );
        let query = LogoutRequest::to_front_channel_query("LR-1", SystemTime::UNIX_EPOCH, ticket);
        let message = LogoutMessage::parse(query.as_bytes()).expect("what is written is read");
        assert_eq!(message.request(), &one);
    }
}

/// A body passes through exactly if an independent form parser finds no `logoutRequest` in it (S-047, S-081).
fn check_receiver(body: &[u8]) {
    let receiver = LogoutReceiver::new("/callback");
    let mut headers = HeaderMap::new();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/x-www-form-urlencoded"),
    );
    let uri = Uri::from_static("/callback");
    let decision = receiver.decide(&Method::POST, &uri, &headers, body);
    let values: Vec<_> = form_urlencoded::parse(body)
        .filter(|(name, _)| name == "logoutRequest")
        .collect();
    assert_eq!(
        decision == LogoutDecision::Pass,
        values.is_empty(),
        "{decision:?}"
    );
    if let LogoutDecision::Logout {
        ticket,
        callback: _,
    } = decision
    {
        assert_eq!(values.len(), 1, "an ambiguous message was believed");
        let xml = super::unpadded(&values[0].1);
        let tree = roxmltree::Document::parse(xml).expect("accepted XML is well-formed");
        let texts: Vec<_> = tree
            .root_element()
            .children()
            .filter(|node| {
                node.has_tag_name(("urn:oasis:names:tc:SAML:2.0:protocol", "SessionIndex"))
            })
            .map(|index| {
                index
                    .children()
                    .filter_map(|node| node.text())
                    .collect::<String>()
            })
            .collect();
        assert_eq!(texts.len(), 1, "one message ends one session");
        assert_eq!(texts[0].trim(), ticket.secret());
    }
    let decision = receiver.decide(&Method::GET, &uri, &headers, body);
    assert_eq!(decision, LogoutDecision::Pass);
}
