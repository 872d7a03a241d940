//! Apereo's service definitions against every vector about them, the crate's own and the shared ones.

mod corpus;

use std::collections::HashMap;

use casque_proto::apereo::{
    Definition, FindingKind, Logout, Released, Rest, ServiceDefinition, ServicePattern,
    UsernameCase,
};
use casque_proto::{RegistryUrl, ServiceRule};
use corpus::{Report, Vector};
use proptest::prelude::*;
use serde_json::Value;

#[test]
fn definition_vectors() {
    // R-274 to R-298
    let mut report = Report::default();
    for vector in corpus::vectors("service_definition") {
        report.note(&vector.name, check(&vector));
    }
    report.finish(true);
}

fn check(vector: &Vector) -> Result<(), String> {
    let file = std::str::from_utf8(&vector.bytes).map_err(|error| error.to_string())?;
    let ignored: Vec<&str> = vector.input["ignored"]
        .as_array()
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let expect = &vector.expect;
    let result = expect["result"].as_str().unwrap_or_default();
    match (ServiceDefinition::read(file, &ignored), result) {
        (Ok(Definition::Service(definition)), "loaded") => loaded(&definition, expect),
        (Ok(Definition::Other { .. }), "skipped") => Ok(()),
        (Err(faults), "invalid") => {
            let reason = expect["reason"].as_str().unwrap_or_default();
            let said = faults.to_string();
            let places = faults.iter().all(|fault| {
                let name = fault.member.rsplit('.').next().unwrap_or_default();
                fault.line.is_some() || !file.contains(&format!("\"{name}\""))
            });
            let fixes = faults.iter().all(|fault| !fault.fix.is_empty());
            let has = said.contains(reason) && places && fixes;
            has.then_some(()).ok_or_else(|| format!("said {said}"))
        }
        (other, _) => Err(format!("expected {result}, got {other:?}")),
    }
}

/// Only the members given are compared; a warning is there if and only if it is listed.
fn loaded(definition: &ServiceDefinition, expect: &Value) -> Result<(), String> {
    let members = expect.as_object().ok_or("no expectation")?;
    for (name, wanted) in members {
        let holds = match name.as_str() {
            "result" | "warning" => true,
            "id" => wanted.as_u64() == Some(definition.id),
            "name" => wanted == &definition.name,
            "description" => wanted.as_str() == definition.description.as_deref(),
            "enabled" => wanted == definition.enabled,
            "sso" | "sso_enabled" => wanted == definition.sso,
            "evaluation_order" | "order" => wanted.as_i64() == Some(definition.order),
            "matches" => texts(wanted)
                .iter()
                .all(|url| definition.pattern.matches(url)),
            "not_matches" => texts(wanted)
                .iter()
                .all(|url| !definition.pattern.matches(url)),
            "access" => {
                return access(definition, wanted).and_then(|()| warned(definition, expect));
            }
            "release" => released(definition) == texts(wanted),
            "username" => {
                wanted["attribute"].as_str() == definition.username.attribute.as_deref()
                    && wanted["case"].as_str().unwrap_or("kept")
                        == match definition.username.case {
                            UsernameCase::Upper => "upper",
                            UsernameCase::Lower => "lower",
                            _ => "kept",
                        }
            }
            "proxy" => wanted.as_str() == definition.proxy.as_ref().map(ServicePattern::as_str),
            "logout" | "logout_type" => {
                let kind = match definition.logout {
                    Logout::FrontChannel => "FRONT_CHANNEL",
                    Logout::None => "NONE",
                    _ => "BACK_CHANNEL",
                };
                wanted == kind
            }
            "logout_url" => wanted.as_str() == definition.logout_url.as_deref(),
            "refused_url" => wanted.as_str() == definition.refused_url.as_deref(),
            "response" | "response_type" => {
                wanted.as_str()
                    == Some(
                        definition
                            .response
                            .as_str()
                            .replace("GET", "REDIRECT")
                            .as_str(),
                    )
            }
            "consent" => wanted == definition.consent,
            "expires" => {
                let expires = definition.expires.map(seconds);
                wanted.as_str() == expires.as_deref()
            }
            "about" => {
                texts(wanted)
                    == definition
                        .about
                        .iter()
                        .map(|(name, _)| name.clone())
                        .collect::<Vec<_>>()
            }
            "ignored" => said(definition, FindingKind::Ignored) == texts(wanted),
            "approximated" => said(definition, FindingKind::Approximated) == texts(wanted),
            // What this test does not know is no member of a definition either.
            other => return Err(format!("the expectation {other} is not understood")),
        };
        if !holds {
            return Err(format!("{name}: {definition:?}"));
        }
    }
    warned(definition, expect)
}

fn seconds(at: std::time::SystemTime) -> String {
    let since = at
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    since.as_secs().to_string()
}

fn said(definition: &ServiceDefinition, kind: FindingKind) -> Vec<String> {
    let findings = definition
        .findings
        .iter()
        .filter(|finding| finding.kind == kind);
    findings.map(|finding| finding.member.clone()).collect()
}

fn warned(definition: &ServiceDefinition, expect: &Value) -> Result<(), String> {
    let warnings: Vec<&str> = definition
        .findings
        .iter()
        .filter(|finding| finding.kind == FindingKind::Warning)
        .map(|finding| finding.words.as_str())
        .collect();
    match expect["warning"].as_str() {
        None if warnings.is_empty() => Ok(()),
        Some(wanted) if warnings.iter().any(|words| words.contains(wanted)) => Ok(()),
        wanted => Err(format!("warnings {warnings:?}, wanted {wanted:?}")),
    }
}

fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().expect("a list of texts");
    items
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

fn released(definition: &ServiceDefinition) -> Vec<String> {
    definition
        .release
        .iter()
        .map(|rule| {
            let values = rule
                .values
                .as_ref()
                .map_or(String::new(), |values| format!(" ~ {}", values.as_str()));
            match &rule.released {
                Released::AllBut(names) => format!("* - {}{values}", names.join(" "))
                    .trim_end_matches(" - ")
                    .to_owned(),
                Released::One { attribute, name } if attribute == name => format!("{name}{values}"),
                Released::One { attribute, name } => format!("{attribute} as {name}{values}"),
                other => format!("{other:?}"),
            }
        })
        .collect()
}

fn access(definition: &ServiceDefinition, cases: &Value) -> Result<(), String> {
    for case in cases.as_array().ok_or("access is a list")? {
        let attributes: HashMap<String, Vec<String>> =
            serde_json::from_value(case["attributes"].clone())
                .map_err(|error| error.to_string())?;
        let allowed = definition.access.admits(|name| {
            attributes
                .get(name)
                .into_iter()
                .flatten()
                .map(String::as_str)
        });
        if case["allowed"] != allowed {
            return Err(format!("{case}: {allowed}"));
        }
    }
    Ok(())
}

fn read(text: &str) -> ServiceDefinition {
    match ServiceDefinition::read(text, &[]) {
        Ok(Definition::Service(definition)) => *definition,
        other => panic!("{text}: {other:?}"),
    }
}

fn service(members: &str) -> String {
    format!(r#"{{ "serviceId": "https://a.example.org/.*", "name": "a", "id": 1, {members} }}"#)
}

#[test]
fn faults_name_line_member_and_fix() {
    // R-276
    for (text, line, member, problem, fix) in [
        (
            "{\n \"id\": 1,\n name: \"a\" }",
            3,
            "",
            "a JSON name was expected",
            "double quotes",
        ),
        (
            "{\n \"id\": 1\n \"name\": \"a\" }",
            3,
            "",
            "a comma or the end",
            "a comma between",
        ),
        (
            "{ \"serviceId\": \"https://a\\.b\" }",
            1,
            "",
            "an unknown JSON escape, in column 27",
            "written twice",
        ),
        (
            "{ \"id\": 1, \"id\": 2 }",
            1,
            "",
            "a JSON name given twice",
            "one of the two",
        ),
        (
            "{ \"id\": 1 /* }",
            1,
            "",
            "a comment without an end",
            "end it",
        ),
        ("[1]", 1, "", "a definition is an object", "begin with {"),
        ("", 1, "", "a JSON value was expected", "JSON"),
        (
            "{ \"id\": 1, \"name\": \"a\",\n \"serviceId\": 5 }",
            2,
            "serviceId",
            "`serviceId` holds a number, but must be a text",
            "a text",
        ),
        (
            "{ \"id\": 1, \"name\": \"a\", \"serviceId\": \"https://a/.*\",\n \"accessStrategy\": {\n  \"enabled\": 1 } }",
            3,
            "accessStrategy.enabled",
            "must be true or false",
            "true or false",
        ),
        (
            "{ \"id\": -1, \"name\": \"a\", \"serviceId\": \"https://a/.*\" }",
            1,
            "id",
            "must not be negative",
            "number",
        ),
    ] {
        let faults = ServiceDefinition::read(text, &[]).expect_err(text);
        let fault = faults.iter().next().expect("a fault");
        assert_eq!(
            (fault.line, fault.member.as_str()),
            (Some(line), member),
            "{text}"
        );
        assert!(fault.problem.contains(problem), "{text}: {}", fault.problem);
        assert!(fault.fix.contains(fix), "{text}: {}", fault.fix);
    }
    let faults = ServiceDefinition::read("{}", &[]).expect_err("nothing is there");
    assert_eq!(faults.iter().count(), 3, "everything is told at once");
    let large = format!("{}{{}}", " ".repeat(300_000));
    assert!(ServiceDefinition::read(&large, &[]).is_err());
}

#[test]
fn the_rule_asks_behind_the_gate() {
    // R-279: the whole text in any case, with its query; S-035, S-038: of what is written one way only.
    let rule = |members: &str| ServiceRule::apereo(read(&service(members)).pattern);
    let whole = rule("\"evaluationOrder\": 1");
    for (url, matches) in [
        ("https://a.example.org/", true),
        ("https://A.Example.org/x?y=z", true),
        ("https://a.example.org", false),
        ("http://a.example.org/", false),
        ("https://a.example.org/a%2fb", false),
        ("https://a.example.org.evil.example/", false),
    ] {
        let url = RegistryUrl::parse(url).expect(url);
        assert_eq!(whole.matches(&url), matches, "{}", url.as_str());
    }
    let literal = rule(
        r#""matchingStrategy": { "@class": "org.apereo.cas.services.LiteralRegisteredServiceMatchingStrategy" }"#,
    );
    let url = RegistryUrl::parse("https://a.example.org/x").expect("a URL");
    assert!(!literal.matches(&url), "R-280");
    let exact = ServiceRule::url("https://a.example.org/x")
        .expect("a rule")
        .query(false);
    let with_query = RegistryUrl::parse("https://a.example.org/x?y").expect("a URL");
    assert!(exact.matches(&url) && !exact.matches(&with_query));
    assert!(exact.clone().query(true).matches(&with_query));
}

#[test]
fn services_have_a_place() {
    // R-283: by number, then name in any case, then address, then id
    let place = |order: i64, name: &str, id: u64| {
        read(&format!(
            r#"{{ "serviceId": "https://a/.*", "name": "{name}", "id": {id}, "evaluationOrder": {order} }}"#
        ))
    };
    let sorted = [
        place(-1, "z", 9),
        place(0, "A", 8),
        place(0, "b", 7),
        place(0, "C", 5),
        place(0, "c", 6),
        place(3, "a", 1),
    ];
    for pair in sorted.windows(2) {
        assert!(pair[0].place() < pair[1].place());
    }
}

#[test]
fn shapes_say_what_is_meant() {
    let shape = read(&service("\"theme\": \"x\""))
        .pattern
        .shape()
        .expect("a shape");
    assert_eq!(
        (shape.origin().as_str(), shape.path.as_str(), shape.rest),
        ("https://a.example.org", "/", Rest::Below)
    );
}

proptest! {
    // S-029: whatever a file holds is an answer.
    #[test]
    fn no_file_breaks_the_reader(text in r#"[\[\]{}",:'#/*a-z0-9@\\ \n.]{0,80}"#) {
        let _ = ServiceDefinition::read(&text, &[]);
    }

    #[test]
    fn no_pattern_breaks_the_reader(pattern in r"[a-z0-9:/.*+?|()\[\]{}^$\\&,=!<>-]{0,40}", part in any::<bool>()) {
        let strategy = if part { "Partial" } else { "FullRegex" };
        let strategy = match strategy { "Partial" => "PartialRegex", other => other };
        let text = serde_json::json!({
            "serviceId": format!("https://a.example.org/{pattern}"),
            "name": "a",
            "id": 1,
            "matchingStrategy": { "@class": format!("org.apereo.cas.services.{strategy}RegisteredServiceMatchingStrategy") },
        });
        if let Ok(Definition::Service(definition)) = ServiceDefinition::read(&text.to_string(), &[]) {
            // What a shape says is never more than what the pattern lets in.
            if let Some(shape) = definition.pattern.shape() {
                let address = format!("{}{}", shape.origin(), shape.path);
                prop_assert!(definition.pattern.matches(&address) || shape.path == "/", "{}", address);
            }
        }
    }
}
