use casque_proto::rest::{
    RestTgt, StCreated, TgtBody, TgtCreated, TgtDeleted, TgtFound, UserAuthenticated,
};
use casque_proto::{CasBase, ServiceTicket};
use http::{HeaderMap, HeaderValue};

use super::{check_error, check_user, check_well_formed};

/// The readers of REST answers. The first line is the status, the second the `Location`, the rest the body.
pub(super) fn rest_response(bytes: &[u8]) {
    let mut parts = bytes.splitn(3, |byte| *byte == b'\n');
    let status = parts.next().and_then(|line| std::str::from_utf8(line).ok());
    let status = status.and_then(|line| line.parse().ok()).unwrap_or(200);
    let location = parts.next().unwrap_or_default();
    let body = parts.next().unwrap_or_default();
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(location) {
        headers.insert("location", value);
    }
    let base = CasBase::parse("https://cas.example.org/cas").expect("a base");

    match TgtCreated::parse(status, &headers) {
        Ok(created) => {
            assert_eq!(status, 201);
            let url = created.tgt().url(&base);
            let parsed = url::Url::parse(&url).expect("a URL");
            assert_eq!(parsed.as_str(), url, "an id that is not one plain segment");
            assert_eq!(parsed.path_segments().map(Iterator::count), Some(4));
            for body in [TgtBody::Html, TgtBody::Text] {
                let response = created.to_response(&base, body);
                let read = TgtCreated::parse(response.status().as_u16(), response.headers());
                assert_eq!(read.as_ref(), Ok(&created));
            }
        }
        Err(error) => check_error(&error),
    }
    match StCreated::parse(status, body) {
        Ok(created) => {
            assert_eq!(status, 200);
            let response = created.to_response();
            assert_eq!(
                StCreated::parse(200, response.body()).as_ref(),
                Ok(&created)
            );
        }
        Err(error) => check_error(&error),
    }
    if let Ok(created) = StCreated::parse_unprefixed(status, body) {
        assert!(ServiceTicket::parse_unprefixed(created.ticket().secret()).is_ok());
    }
    match UserAuthenticated::parse(status, body) {
        Ok(answer) => {
            check_user(answer.user());
            check_well_formed(body);
            let response = answer.to_response();
            assert_eq!(
                UserAuthenticated::parse(200, response.body()).as_ref(),
                Ok(&answer)
            );
        }
        Err(error) => check_error(&error),
    }
    assert_eq!(
        TgtDeleted::parse(status).is_ok(),
        [200, 204, 404].contains(&status)
    );
    assert_eq!(TgtFound::parse(status).is_ok(), status == 200);
    if let Ok(Ok(tgt)) = std::str::from_utf8(location).map(RestTgt::parse) {
        assert!(!format!("{tgt:?}").contains(tgt.secret()) || tgt.secret().len() < 8);
    }
}
