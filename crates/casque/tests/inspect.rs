//! `casque inspect`, the real program, over every vector of the kinds it reads.

#[path = "../../casque-proto/tests/corpus/mod.rs"]
mod corpus;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use corpus::{Report, Vector};
use serde_json::Value;

/// Runs `casque inspect KIND -` with these options and this input.
fn inspect(kind: &str, options: &[String], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_casque"))
        .args(["inspect", kind, "-"])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("casque starts");
    // A command that is misused ends without reading.
    let _ = child.stdin.take().expect("a pipe").write_all(input);
    child.wait_with_output().expect("casque ends")
}

/// What it printed, and its exit status, which must agree: 1 where there is an error class, else 0.
fn answer(kind: &str, options: &[String], input: &[u8]) -> Result<Value, String> {
    let output = inspect(kind, options, input);
    let error = String::from_utf8_lossy(&output.stderr);
    let json: Value =
        serde_json::from_slice(&output.stdout).map_err(|broken| format!("{broken}: {error}"))?;
    let expected = i32::from(json["result"] == "error");
    match output.status.code() {
        Some(code) if code == expected => Ok(json),
        code => Err(format!("exit status {code:?} with {json}")),
    }
}

fn equal(actual: &Value, expected: &Value) -> Result<(), String> {
    if actual == expected {
        Ok(())
    } else {
        Err(format!("expected {expected}, got {actual}"))
    }
}

fn option(name: &str, value: &str) -> [String; 2] {
    [name.to_owned(), value.to_owned()]
}

/// The options that say what the vector's input says.
fn options(vector: &Vector) -> Vec<String> {
    let mut options = Vec::new();
    for (name, key) in [
        ("--status", "http_status"),
        ("--endpoint", "endpoint"),
        ("--service", "service"),
        ("--target", "target"),
        ("--now", "now"),
        ("--tolerance", "tolerance_s"),
        ("--in-response-to", "strict_in_response_to"),
        ("--method", "method"),
        ("--base", "base"),
    ] {
        match &vector.input[key] {
            Value::String(value) => options.extend(option(name, value)),
            Value::Number(value) => options.extend(option(name, &value.to_string())),
            _ => {}
        }
    }
    for chain in vector.input["allowed_proxy_chains"]
        .as_array()
        .into_iter()
        .flatten()
    {
        let chain: Vec<&str> = chain
            .as_array()
            .expect("a chain")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        options.extend(option("--allow-chain", &chain.join(",")));
    }
    if vector.input.get("method").is_some()
        && let Some(content_type) = vector.input["content_type"].as_str()
    {
        options.extend(option("--content-type", content_type));
    }
    if vector.input["front_channel"] == true {
        options.push("--front-channel".to_owned());
    }
    options
}

fn run(kind: &str) {
    let mut report = Report::default();
    for vector in corpus::vectors(&kind.replace('-', "_")) {
        let mut options = options(&vector);
        let judge = |options: &[String], expect: &Value| {
            answer(kind, options, &vector.bytes).and_then(|json| corpus::compare(&json, expect))
        };
        report.note(&vector.name, judge(&options, &vector.expect));
        if let Some((name, expect)) = &vector.with_tolerance {
            options.extend(option("--tolerate", name));
            report.note(
                &format!("{} with {name}", vector.name),
                judge(&options, expect),
            );
        }
    }
    report.finish(true);
}

#[test]
fn service_responses() {
    run("service-response");
}

#[test]
fn proxy_responses() {
    run("proxy-response");
}

#[test]
fn logout_requests() {
    run("logout-request");
}

#[test]
fn saml_responses() {
    run("saml-response");
}

#[test]
fn saml_requests() {
    run("saml-request");
}

#[test]
fn cas1_responses() {
    run("cas1-response");
}

#[test]
fn rest_responses() {
    run("rest-response");
}

#[test]
fn tickets() {
    let mut report = Report::default();
    for vector in corpus::vectors("ticket_syntax") {
        for case in vector.cases() {
            let (kind, value) = (
                case["kind"].as_str().expect("a kind"),
                case["value"].as_str().expect("a value"),
            );
            let result = answer("ticket", &option("--ticket-kind", kind), value.as_bytes())
                .and_then(|json| equal(&json["accepted"], &case["accepted"]));
            report.note(&format!("{} {case}", vector.name), result);
        }
    }
    report.finish(true);
}

#[test]
fn services() {
    let mut report = Report::default();
    for vector in corpus::vectors("service_safety") {
        for case in vector.cases() {
            let service = case["service"].as_str().expect("a service");
            let result = answer("service-url", &[], service.as_bytes()).and_then(|json| {
                equal(&json["allowed_syntax"], &case["allowed_syntax"])?;
                equal(
                    &json["canonical"].is_string().into(),
                    &case["allowed_syntax"],
                )
            });
            report.note(&format!("{} {service:.80}", vector.name), result);
        }
    }
    for vector in corpus::vectors("service_match") {
        for case in vector.cases() {
            let canonical = |name: &str| {
                let service = case[name].as_str().expect("a service");
                answer("service-url", &[], service.as_bytes()).map(|json| json["canonical"].clone())
            };
            let result = canonical("issued_for")
                .and_then(|issued| Ok((issued == canonical("validated_with")?).into()))
                .and_then(|same: Value| equal(&same, &case["match"]));
            report.note(&format!("{} {case}", vector.name), result);
        }
    }
    report.finish(true);
}

#[test]
fn redirect_targets() {
    let mut report = Report::default();
    let fixtures = corpus::fixtures();
    for row in corpus::hostile("redirect_target") {
        let own = option(
            "--own-origin",
            fixtures["own_origin"].as_str().expect("an origin"),
        );
        let result = answer(
            "redirect-target",
            &own,
            row.input_str("return_to").as_bytes(),
        )
        .and_then(|json| corpus::compare(&json, &row.expected));
        report.note(&row.id, result);
    }
    for (target, location) in [
        ("/a?b=c", "https://portal.uni.example/a?b=c"),
        ("https://portal.uni.example", "https://portal.uni.example/"),
        ("//evil.example", "https://portal.uni.example/"),
        ("/cas/callback", "https://portal.uni.example/"),
    ] {
        let result = answer(
            "redirect-target",
            &option("--own-origin", "https://portal.uni.example"),
            target.as_bytes(),
        )
        .and_then(|json| equal(&json["location"], &location.into()));
        report.note(target, result);
    }
    report.finish(true);
}

/// A file, the bare document, and what the exit status says.
#[test]
fn a_file_is_read_as_well() {
    let xml = "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"><samlp:SessionIndex>ST-1</samlp:SessionIndex></samlp:LogoutRequest>\n";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("logout.xml");
    std::fs::write(&file, xml).expect("a file");
    let output = Command::new(env!("CARGO_BIN_EXE_casque"))
        .arg("inspect")
        .arg("logout-request")
        .arg(&file)
        .output()
        .expect("casque runs");
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(json["session_indexes"], serde_json::json!(["ST-1"]));
}

/// what an application would not take for a logout is none here either, a bare document included.
#[test]
fn a_request_that_is_no_logout_is_an_error() {
    let xml = "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\"><samlp:SessionIndex>ST-1</samlp:SessionIndex></samlp:LogoutRequest>";
    for options in [
        &["--method", "GET"][..],
        &["--content-type", "text/plain"],
        &["--content-type", "multipart/form-data; boundary=b"],
        &["--method", "PUT"],
    ] {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        for input in [xml, "logoutRequest=%3Ca%2F%3E"] {
            let json = answer("logout-request", &options, input.as_bytes()).expect("an answer");
            assert_eq!(json["result"], "error", "{options:?}");
            assert_eq!(json["class"], "not_logout_request", "{options:?}");
        }
    }
    let form = option("--content-type", "application/x-www-form-urlencoded");
    let json = answer("logout-request", &form, xml.as_bytes()).expect("an answer");
    assert_eq!(json["session_indexes"], serde_json::json!(["ST-1"]));
}

#[test]
fn misuse_is_told_apart() {
    for (kind, options, words) in [
        (
            "service-response",
            &["--tolerate", "html"][..],
            "missing_namespace",
        ),
        (
            "service-response",
            &["--endpoint", "validat"],
            "p3/serviceValidate",
        ),
        ("service-response", &["--status", "many"], "--status"),
        ("redirect-target", &[], "--own-origin"),
        (
            "redirect-target",
            &["--own-origin", "app.example.org"],
            "--own-origin",
        ),
        ("saml-response", &[], "--service"),
        (
            "saml-response",
            &["--target", "https://app.example.org/", "--now", "noon"],
            "--now",
        ),
        ("ticket", &["--ticket-kind", "xt"], "pgtiou"),
        ("rest-response", &[], "operation"),
        ("service", &[], "service-response"),
    ] {
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let output = inspect(kind, &options, b"");
        assert_eq!(output.status.code(), Some(2), "{kind} {options:?}");
        assert!(output.stdout.is_empty());
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains(words), "{kind} {options:?}: {told}");
    }
    let missing = Command::new(env!("CARGO_BIN_EXE_casque"))
        .args(["inspect", "ticket", "/nonexistent/file"])
        .output()
        .expect("casque runs");
    assert_eq!(missing.status.code(), Some(2));
}

/// A refusal is an answer: exit status 0, and the reason in words.
#[test]
fn a_refused_value_has_a_reason() {
    let ticket = answer("ticket", &[], b"ST-1\n").expect("an answer");
    assert_eq!(
        (&ticket["accepted"], &ticket["kind"]),
        (&Value::Bool(false), &Value::from("st"))
    );
    assert!(
        ticket["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("echo")),
        "{ticket}"
    );
    let service = answer("service-url", &[], b"https://app.example.org/a|b").expect("an answer");
    assert_eq!(
        (
            &service["allowed_syntax"],
            &service["allowed_by_registry_gate"]
        ),
        (&Value::Bool(true), &Value::Bool(false))
    );
}

/// Whoever meets a server that forgets the namespace is told what to switch on.
#[test]
fn an_error_names_the_tolerance_that_would_read_it() {
    let body = b"<serviceResponse><authenticationSuccess><user>ada</user></authenticationSuccess></serviceResponse>";
    let strict = answer("service-response", &[], body).expect("an answer");
    assert_eq!(strict["class"], "not_cas");
    assert_eq!(
        strict["readable_with_tolerance"],
        serde_json::json!(["missing_namespace"])
    );
    let tolerant = answer(
        "service-response",
        &option("--tolerate", "missing_namespace"),
        body,
    );
    assert_eq!(tolerant.expect("an answer")["user"], "ada");
}
