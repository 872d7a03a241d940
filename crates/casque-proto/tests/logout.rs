//! Logout requests against the vectors, the hostile corpus and an independent parser.

mod corpus;

use casque_proto::{JsonpCallback, LogoutDecision, LogoutMessage, LogoutReceiver, ServiceTicket};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Uri};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
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
        return json!({"result": "pass"});
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
