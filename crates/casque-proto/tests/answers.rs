//! The readers of a CAS server's answers, held against the corpora.

mod corpus;

use casque_proto::Cas1Response;
use casque_proto::Failure;
use casque_proto::FailureCode;
use casque_proto::ProxyResponse;
use casque_proto::ReadError;
use casque_proto::ReadOptions;
use casque_proto::ServiceResponse;
use casque_proto::Tolerance;
use casque_proto::attribute_xml_name;
use casque_proto::parse_authentication_date;
use serde_json::Value;
use serde_json::json;

use corpus::Report;
use corpus::Row;
use corpus::Vector;

#[test]
fn service_response_vectors() {
    //
    let read = |vector: &Vector, options: &ReadOptions| {
        let result = ServiceResponse::parse(&vector.bytes, options);
        match result {
            Ok(ServiceResponse::Success(assertion)) => json!({
                "result": "success",
                "user": assertion.user(),
                "attributes": attributes(&assertion),
                "pgt_iou": assertion.proxy_granting_ticket_iou().map(|iou| iou.secret().to_owned()),
                "proxies": assertion.proxies(),
                "authentication_date": assertion.authentication_date().map(utc),
                "is_from_new_login": assertion.is_from_new_login(),
                "long_term": assertion.long_term(),
            }),
            Ok(ServiceResponse::Failure(failure)) => failure_value(&failure),
            Err(error) => error_value(&error),
        }
    };
    run_vectors("service_response", read);
}

#[test]
fn proxy_response_vectors() {
    run_vectors(
        "proxy_response",
        |vector, options| match ProxyResponse::parse(&vector.bytes, options) {
            Ok(ProxyResponse::Success(ticket)) => {
                json!({"result": "success", "proxy_ticket": ticket.secret()})
            }
            Ok(ProxyResponse::Failure(failure)) => failure_value(&failure),
            Err(error) => error_value(&error),
        },
    );
}

#[test]
fn cas1_response_vectors() {
    run_vectors(
        "cas1_response",
        |vector, options| match Cas1Response::parse(&vector.bytes, options) {
            Ok(Cas1Response::Success { user }) => json!({"result": "success", "user": user}),
            Ok(Cas1Response::Failure) => {
                json!({"result": "failure", "code": null, "code_class": "UNKNOWN", "description": ""})
            }
            Err(error) => error_value(&error),
        },
    );
}

#[test]
fn attribute_name_vectors() {
    //
    let mut report = Report::default();
    for vector in corpus::vectors("attribute_name_xml") {
        for case in vector.cases() {
            let name = case["attribute"].as_str().expect("an attribute has a name");
            let row = format!("{} {name:?}", vector.name);
            let expected = case["xml_name"].as_str().map(str::to_owned);
            report.check(&row, &attribute_xml_name(name), &expected);
        }
    }
    report.finish(true);
}

#[test]
fn authentication_date_vectors() {
    //
    let mut report = Report::default();
    for vector in corpus::vectors("authentication_date") {
        for case in vector.cases() {
            let text = case["value"].as_str().expect("a case has a value");
            let row = format!("{} {text:?}", vector.name);
            let expected = case["utc"].as_str().map(str::to_owned);
            report.check(&row, &parse_authentication_date(text).map(utc), &expected);
        }
    }
    report.finish(true);
}

#[test]
fn hostile_xml_rows() {
    run_hostile("xml_service_response", read_service_response);
}

#[test]
fn hostile_json_rows() {
    run_hostile("json_service_response", read_service_response);
}

#[test]
fn hostile_cas1_rows() {
    run_hostile("cas1_response", |row, options| {
        match Cas1Response::parse(&row.document(), options) {
            Ok(Cas1Response::Success { user }) => json!({"authenticated": true, "user": user}),
            Ok(Cas1Response::Failure) => {
                json!({"authenticated": false, "outcome": "failure", "code": null})
            }
            Err(error) => {
                json!({"authenticated": false, "outcome": "error", "class": error.class().as_str()})
            }
        }
    });
}

fn read_service_response(row: &Row, options: &ReadOptions) -> Value {
    match ServiceResponse::parse(&row.document(), options) {
        Ok(ServiceResponse::Success(assertion)) => json!({
            "authenticated": true,
            "user": assertion.user(),
            "attributes": attributes(&assertion),
            "proxies": assertion.proxies(),
            "pgtiou": assertion.proxy_granting_ticket_iou().map(|iou| iou.secret().to_owned()),
        }),
        Ok(ServiceResponse::Failure(failure)) => json!({
            "authenticated": false,
            "outcome": "failure",
            "code": failure.code().map(FailureCode::as_str),
        }),
        Err(error) => {
            json!({"authenticated": false, "outcome": "error", "class": error.class().as_str()})
        }
    }
}

/// Reads every vector of `kind` strictly and, where the vector names a tolerance, with that tolerance.
fn run_vectors(kind: &str, read: impl Fn(&Vector, &ReadOptions) -> Value) {
    let mut report = Report::default();
    for vector in corpus::vectors(kind) {
        let options = options_of(&vector.input);
        let actual = read(&vector, &options);
        report.note(&vector.name, compare(&actual, &vector.expect));
        if let Some((name, expect)) = &vector.with_tolerance {
            let tolerance =
                Tolerance::from_name(name).unwrap_or_else(|| panic!("{name} is no tolerance"));
            let actual = read(&vector, &options.with_tolerance(tolerance));
            report.note(
                &format!("{} with {name}", vector.name),
                compare(&actual, expect),
            );
        }
    }
    report.finish(true);
}

fn run_hostile(target: &str, read: impl Fn(&Row, &ReadOptions) -> Value) {
    let mut report = Report::default();
    for row in corpus::hostile(target) {
        // The rows say nothing about allowed chains: one that names proxies allows exactly those.
        let mut options = options_of(&row.input);
        if let Some(proxies) = strings(&row.expected["proxies"]) {
            options = options.allow_proxy_chain(proxies);
        }
        let actual = read(&row, &options);
        let name = format!("{} {}", row.id, row.note);
        report.note(&name, compare(&actual, &row.expected));
    }
    report.finish(corpus::shared("hostile").is_some());
}

fn options_of(input: &Value) -> ReadOptions {
    let status = [&input["http_status"], &input["status"]];
    let status = status.into_iter().find_map(Value::as_u64).unwrap_or(200);
    let mut options = ReadOptions::default().status(u16::try_from(status).expect("a status"));
    let asks_proxies = input["endpoint"]
        .as_str()
        .is_some_and(|endpoint| endpoint.contains("proxyValidate"));
    if let (true, Some(chains)) = (asks_proxies, input["allowed_proxy_chains"].as_array()) {
        for chain in chains {
            options = options.allow_proxy_chain(strings(chain).expect("a chain is a list"));
        }
    }
    options
}

/// Every member that is expected is there. Expected attributes of hostile rows leave the standard ones out, vectors
/// name all of them.
fn compare(actual: &Value, expect: &Value) -> Result<(), String> {
    let fail =
        |name: &str, actual: &Value| Err(format!("{name}: expected {expect}, actual {actual}"));
    for (name, expected) in expect.as_object().expect("an expectation is an object") {
        let found = &actual[name.as_str()];
        let matches = match name.as_str() {
            "class_any_of" => expected
                .as_array()
                .is_some_and(|classes| classes.contains(&actual["class"])),
            "attributes" if expect.get("authenticated").is_some() => {
                let is_there = |(name, values): (&String, &Value)| found[name.as_str()] == *values;
                expected
                    .as_object()
                    .is_some_and(|attributes| attributes.iter().all(is_there))
            }
            _ => found == expected,
        };
        if !matches {
            return fail(name, actual);
        }
    }
    Ok(())
}

fn attributes(assertion: &casque_proto::Assertion) -> Value {
    assertion
        .attributes()
        .iter()
        .map(|(name, values)| (name.to_owned(), json!(values)))
        .collect()
}

fn failure_value(failure: &Failure) -> Value {
    json!({
        "result": "failure",
        "code": failure.code().map(FailureCode::as_str),
        "code_class": match failure.code() {
            None => "UNKNOWN",
            Some(FailureCode::Other(_)) => "OTHER",
            Some(known) => known.as_str(),
        },
        "description": failure.description(),
    })
}

fn error_value(error: &ReadError) -> Value {
    json!({"result": "error", "class": error.class().as_str()})
}

fn utc(moment: std::time::SystemTime) -> String {
    jiff::Timestamp::try_from(moment)
        .expect("a date of four digits")
        .to_string()
}

fn strings(value: &Value) -> Option<Vec<String>> {
    let strings = value
        .as_array()?
        .iter()
        .map(|item| item.as_str().expect("a string").to_owned());
    Some(strings.collect())
}
