//! Logout requests against the vectors, the hostile corpus and an independent parser.

mod corpus;

use std::time::{Duration, SystemTime};

use casque_proto::{
    JsonpCallback, LogoutDecision, LogoutMessage, LogoutReceiver, LogoutRequest, ServiceTicket,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::{Value, json};

use corpus::{Report, Row, Vector};

#[test]
fn vectors() {
    let mut report = Report::default();
    for vector in corpus::vectors("logout_request") {
        report.note(
            &vector.name,
            corpus::compare(&read(&vector), &vector.expect),
        );
    }
    report.finish(true);
}

/// for one vector, in the keys of its expectation.
fn read(vector: &Vector) -> Value {
    let method: Method = vector.input_str("method").parse().expect("a method");
    let front_channel = vector.input["front_channel"] == true;
    let receiver = LogoutReceiver::new("/callback").front_channel(front_channel);
    let headers = headers(vector.input["content_type"].as_str());
    if !receiver.may_be_logout(&method, &Uri::from_static("/callback"), &headers) {
        return json!({"result": "error", "class": "not_logout_request"});
    }
    match LogoutMessage::parse(&vector.bytes) {
        Ok(message) => json!({
            "result": "logout",
            "session_indexes": message.request().session_indexes().iter().map(ServiceTicket::secret).collect::<Vec<_>>(),
            "jsonp_callback": message.callback().map(JsonpCallback::as_str),
        }),
        Err(error) => json!({"result": "error", "class": error.class().as_str()}),
    }
}

#[test]
fn hostile_rows() {
    // S-047, S-048: what concerns the reading; who had a session is the application's knowledge.
    let mut report = Report::default();
    let sessions = corpus::fixtures()["slo_sessions"].clone();
    for row in corpus::hostile("slo_request") {
        let decision = decide(&row);
        let http = match &decision {
            LogoutDecision::Logout { .. } => json!(200),
            LogoutDecision::Refuse(_) => json!(400),
            _ => json!("pass"),
        };
        let terminated: Vec<&Value> = match &decision {
            LogoutDecision::Logout { ticket, .. } => {
                sessions.get(ticket.secret()).into_iter().collect()
            }
            _ => Vec::new(),
        };
        let outcome = json!({"http": http, "terminated": terminated});
        report.check(&row.id, &outcome, &row.expected);
    }
    report.finish(corpus::shared("hostile").is_some());
}

fn decide(row: &Row) -> LogoutDecision {
    let path = row.input_str("path");
    let parameters = if let Some(body) = row.input["body"].as_str() {
        body.to_owned()
    } else {
        let xml =
            String::from_utf8_lossy(row.bytes.as_deref().expect("a row has a file or a body"));
        let value = utf8_percent_encode(&xml, NON_ALPHANUMERIC);
        let parameter = format!("{}={value}", row.input_str("param"));
        let copies = row.input["copies"].as_u64().unwrap_or(1);
        vec![parameter; usize::try_from(copies).expect("a few")].join("&")
    };
    let method: Method = row.input_str("method").parse().expect("a method");
    let (uri, body) = match method {
        Method::GET => (format!("{path}?{parameters}"), String::new()),
        _ => (path.to_owned(), parameters),
    };
    let callback = corpus::fixtures()["own_callback_path"]
        .as_str()
        .expect("a callback path")
        .to_owned();
    LogoutReceiver::new(callback).decide(
        &method,
        &uri.parse::<Uri>().expect("a URI"),
        &headers(row.input["content_type"].as_str()),
        body.as_bytes(),
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(rest in "[A-Za-z0-9._-]{1,64}", id in "\\PC{0,20}", seconds in 0_u64..4_000_000_000) {
        //
        let ticket = ServiceTicket::parse(&format!("ST-{rest}")).expect("a ticket");
        let instant = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let request = LogoutRequest::new(ticket.clone());

        let xml = LogoutRequest::to_xml(&id, instant, &ticket);
        prop_assert!(!xml.contains(['%', '+', '\n']), "{}", xml);
        let tree = roxmltree::Document::parse(&xml).expect("written XML is well-formed");
        let id = tree.root_element().attribute("ID").expect("an ID");
        prop_assert!(id.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_'), "{}", id);
        prop_assert_eq!(LogoutRequest::parse_xml(xml.as_bytes()), Ok(request.clone()));

        let body = LogoutRequest::to_form_body(id, instant, &ticket);
        let pairs: Vec<_> = form_urlencoded::parse(body.as_bytes()).collect();
        prop_assert_eq!(pairs, [("logoutRequest".into(), xml.as_str().into())]);
        prop_assert_eq!(LogoutRequest::parse_form_body(body.as_bytes()), Ok(request.clone()));

        let query = LogoutRequest::to_front_channel_query(id, instant, &ticket);
        let message = LogoutMessage::parse(query.as_bytes()).expect("readable");
        prop_assert_eq!(message.request(), &request);
    }
}

fn headers(content_type: Option<&str>) -> HeaderMap {
    content_type
        .map(|value| {
            (
                CONTENT_TYPE,
                HeaderValue::from_str(value).expect("a header"),
            )
        })
        .into_iter()
        .collect()
}
