//! REST answers against the vectors, and what is written against what is read.

mod corpus;

use casque_proto::rest::{
    RestRefusal, RestRequest, RestTgt, StCreated, TgtBody, TgtCreated, TgtDeleted, TgtFound,
    UserAuthenticated,
};
use casque_proto::{Attributes, CasBase, ErrorClass, ReadError, ServiceTicket, ServiceUrl};
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::{Value, json};

use corpus::{Report, Vector};

#[test]
fn vectors() {
    let mut report = Report::default();
    for vector in corpus::vectors("rest_response") {
        report.note(
            &vector.name,
            corpus::compare(&read(&vector), &vector.expect),
        );
    }
    report.finish(true);
}

/// for one vector, in the keys of its expectation.
fn read(vector: &Vector) -> Value {
    let response: Value = serde_json::from_slice(&vector.bytes).expect("a response is JSON");
    let base = CasBase::parse(vector.input_str("base")).expect("a base");
    let status = response["status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .expect("a status");
    let body = response["body"].as_str().unwrap_or_default().as_bytes();
    let headers: HeaderMap = response["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let name: HeaderName = name.parse().expect("a name");
            (
                name,
                HeaderValue::from_str(value.as_str().expect("a text")).expect("a header"),
            )
        })
        .collect();
    let outcome: Result<Value, ReadError> = match response["operation"].as_str().expect("an operation") {
        "create_tgt" => TgtCreated::parse(status, &headers).map(|created| {
            let tgt = created.tgt();
            json!({"result": "tgt", "tgt": tgt.secret(), "next_url": tgt.url(&base)})
        }),
        "create_st" => StCreated::parse(status, body)
            .map(|created| json!({"result": "st", "st": created.ticket().secret()})),
        "delete_tgt" => TgtDeleted::parse(status).map(|_| json!({"result": "deleted"})),
        "tgt_status" | "get_tgt" | "find_tgt" => TgtFound::parse(status).map(|_| json!({"result": "valid"})),
        "authenticate" | "create_user" | "users" => UserAuthenticated::parse(status, body)
            .map(|answer| json!({"result": "user", "user": answer.user(), "attributes": answer.attributes()})),
        other => panic!("{}: an unknown operation {other}", vector.name),
    };
    outcome.unwrap_or_else(|error| json!({"result": "error", "class": error.class().as_str()}))
}

#[test]
fn a_created_tgt_is_a_page_or_text() {
    //
    let created = TgtCreated::new(RestTgt::parse("TGT-1-abc").expect("an id"));
    for (accept, body) in [
        (None, TgtBody::Html),
        (Some("*/*"), TgtBody::Html),
        (Some("text/html,application/xhtml+xml"), TgtBody::Html),
        (Some("Text/HTML"), TgtBody::Html),
        (Some("text/plain"), TgtBody::Text),
        (Some("application/json, */*"), TgtBody::Text),
    ] {
        assert_eq!(TgtBody::for_accept(accept), body, "{accept:?}");
    }
    let page = created.to_response(&base(), TgtBody::Html);
    assert_eq!(page.status(), 201);
    assert!(
        page.headers()["content-type"]
            .to_str()
            .is_ok_and(|value| value.starts_with("text/html"))
    );
    assert!(page.headers()["location"].is_sensitive());
    let html = std::str::from_utf8(page.body()).expect("text");
    assert!(
        html.contains(
            "action=\"https://cas.example.org/cas/v1/tickets/TGT-1-abc\" method=\"POST\""
        ),
        "{html}"
    );
    assert!(html.contains("name=\"service\""), "{html}");
    let text = created.to_response(&base(), TgtBody::Text);
    assert_eq!(text.body(), "TGT-1-abc");
}

#[test]
fn refusals_say_what_clients_tell_apart() {
    //
    for (refusal, on_tickets, on_tgt) in [
        (
            RestRefusal::BadRequest,
            ErrorClass::AuthenticationFailed,
            ErrorClass::AuthenticationFailed,
        ),
        (
            RestRefusal::WrongCredentials,
            ErrorClass::AuthenticationFailed,
            ErrorClass::AuthenticationFailed,
        ),
        (
            RestRefusal::TgtNotFound,
            ErrorClass::EndpointUnavailable,
            ErrorClass::TgtNotFound,
        ),
        (
            RestRefusal::MethodNotAllowed,
            ErrorClass::EndpointUnavailable,
            ErrorClass::EndpointUnavailable,
        ),
        (
            RestRefusal::UnsupportedMediaType,
            ErrorClass::EndpointUnavailable,
            ErrorClass::EndpointUnavailable,
        ),
        (
            RestRefusal::Throttled,
            ErrorClass::Throttled,
            ErrorClass::Throttled,
        ),
    ] {
        let response = refusal.to_response();
        let status = response.status().as_u16();
        let created = TgtCreated::parse(status, response.headers()).map_err(|error| error.class());
        let ticket = StCreated::parse(status, response.body()).map_err(|error| error.class());
        assert_eq!(
            (created, ticket),
            (Err(on_tickets), Err(on_tgt)),
            "{refusal:?}"
        );
    }
    let wrong = RestRefusal::WrongCredentials.to_response();
    let body: Value = serde_json::from_slice(wrong.body()).expect("JSON");
    assert!(body["authentication_exceptions"].is_array());
}

#[test]
fn nothing_shows_a_ticket_or_password() {
    // R-225, S-017
    let tgt = RestTgt::parse("TGT-1-hidden").expect("an id");
    let st = ServiceTicket::parse("ST-1-hidden").expect("a ticket");
    let request = RestRequest::CreateTgt {
        username: "hidden",
        password: "hidden",
    };
    for shown in [
        format!("{tgt:?}"),
        format!("{:?}", TgtCreated::new(tgt.clone())),
        format!("{:?}", StCreated::new(st)),
        format!("{request:?}"),
        format!("{:?}", RestRequest::DeleteTgt(&tgt)),
    ] {
        assert!(!shown.contains("hidden"), "{shown}");
    }
}

#[test]
fn requests_go_to_the_configured_server() {
    // passwords in the body only: R-273
    let tgt = RestTgt::parse("TGT-1").expect("an id");
    let service = ServiceUrl::parse("https://app.example.org/?a=1&b=%20").expect("a service");
    let tickets = "https://cas.example.org/cas/v1/tickets";
    for (request, method, url, body) in [
        (
            RestRequest::CreateTgt {
                username: "j doe",
                password: "p+w&x=é",
            },
            "POST",
            tickets.to_owned(),
            "username=j%20doe&password=p%2Bw%26x%3D%C3%A9",
        ),
        (
            RestRequest::CreateSt {
                tgt: &tgt,
                service: &service,
            },
            "POST",
            format!("{tickets}/TGT-1"),
            "service=https%3A%2F%2Fapp.example.org%2F%3Fa%3D1%26b%3D%2520",
        ),
        (
            RestRequest::FindTgt(&tgt),
            "GET",
            format!("{tickets}/TGT-1"),
            "",
        ),
        (
            RestRequest::DeleteTgt(&tgt),
            "DELETE",
            format!("{tickets}/TGT-1"),
            "",
        ),
        (
            RestRequest::Authenticate {
                username: "",
                password: "",
            },
            "POST",
            "https://cas.example.org/cas/v1/users".to_owned(),
            "username=&password=",
        ),
    ] {
        let built = request.request(&base());
        assert_eq!(built.method(), method, "{request:?}");
        assert_eq!(built.uri().to_string(), url, "{request:?}");
        assert_eq!(built.body(), body, "{request:?}");
        assert_eq!(
            built.headers().contains_key("content-type"),
            method == "POST"
        );
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        id in "[A-Za-z0-9][A-Za-z0-9._-]{0,60}",
        st in "(ST|PT)-[A-Za-z0-9._-]{1,60}",
        user in "[a-zA-Z0-9\"\\\\é@-]{1,20}",
        pairs in proptest::collection::vec(("\\PC{0,8}", "\\PC{0,8}"), 0..6),
    ) {
        let created = TgtCreated::new(RestTgt::parse(&id).expect("an id"));
        for body in [TgtBody::Html, TgtBody::Text] {
            let response = created.to_response(&base(), body);
            let read = TgtCreated::parse(response.status().as_u16(), response.headers());
            prop_assert_eq!(read.as_ref(), Ok(&created));
        }
        let created = StCreated::new(ServiceTicket::parse(&st).expect("a ticket"));
        let response = created.to_response();
        prop_assert_eq!(StCreated::parse(response.status().as_u16(), response.body()), Ok(created));

        let answer = UserAuthenticated::new(user, pairs.into_iter().collect::<Attributes>());
        let response = answer.to_response();
        prop_assert_eq!(UserAuthenticated::parse(response.status().as_u16(), response.body()), Ok(answer));
        prop_assert_eq!(TgtDeleted::parse(TgtDeleted.to_response().status().as_u16()), Ok(TgtDeleted));
        prop_assert_eq!(TgtFound::parse(TgtFound.to_response().status().as_u16()), Ok(TgtFound));
    }

    #[test]
    fn no_location_panics_or_leaves_the_grammar(location in "[ -~]{0,80}", status in 0_u16..1000, body in any::<Vec<u8>>()) {
        let mut headers = HeaderMap::new();
        headers.insert("location", HeaderValue::from_str(&location).expect("printable"));
        if let Ok(created) = TgtCreated::parse(status, &headers) {
            prop_assert_eq!(status, 201);
            let id = created.tgt().secret();
            prop_assert!(location.contains(id) && RestTgt::parse(id).is_ok());
        }
        if let Ok(created) = StCreated::parse(status, &body) {
            prop_assert!(ServiceTicket::parse(created.ticket().secret()).is_ok());
        }
        let _ = UserAuthenticated::parse(status, &body);
    }
}

fn base() -> CasBase {
    CasBase::parse("https://cas.example.org/cas/").expect("a base")
}
