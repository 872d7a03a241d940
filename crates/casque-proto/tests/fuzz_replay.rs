//! The fuzzer's properties over its corpus, its finds and every row of the corpora, without the fuzzer.
//!
//! `fuzz/seed` runs the ignored test, which writes the rows to where the fuzzer starts from.

mod corpus;
mod properties;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use corpus::Report;
use properties::{Property, TARGETS};

#[test]
fn properties_hold_for_every_seed() {
    let mut report = Report::default();
    let mut seeds = seeds(&Origin::Own);
    for (target, inputs) in seeds_of_shared() {
        seeds.entry(target).or_default().extend(inputs);
    }
    for (target, property) in TARGETS {
        let inputs = seeds.remove(target).unwrap_or_default();
        assert!(!inputs.is_empty(), "no seed for {target}");
        for (name, bytes) in inputs {
            report.note(&format!("{target}/{name}"), hold(property, &bytes));
        }
    }
    assert!(
        seeds.is_empty(),
        "seeds for targets that are not there: {:?}",
        seeds.keys()
    );
    report.finish(true);
}

#[test]
fn properties_hold_for_the_corpus_of_the_fuzzer() {
    let mut report = Report::default();
    for (target, property) in TARGETS {
        for folder in ["corpus", "regressions"] {
            for path in files(&fuzz_folder().join(folder).join(target)) {
                let bytes = fs::read(&path).expect("an input can be read");
                report.note(&path.display().to_string(), hold(property, &bytes));
            }
        }
    }
    report.finish(fuzz_folder().is_dir());
}

/// The fuzzer in small: the seeds, damaged in ways that repeat from run to run.
#[test]
fn properties_hold_for_damaged_seeds() {
    let mut report = Report::default();
    let mut seeds = seeds(&Origin::Own);
    for (target, property) in TARGETS {
        let inputs = seeds.remove(target).unwrap_or_default();
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        for round in 0..400 {
            let other = &inputs[random.below(inputs.len())].1;
            let mut bytes = inputs[random.below(inputs.len())].1.clone();
            for _ in 0..=random.below(4) {
                damage(&mut bytes, other, &mut random);
            }
            let problem = hold(property, &bytes).map_err(|problem| {
                format!("{problem}\n    for {:?}", bytes.escape_ascii().to_string())
            });
            report.note(&format!("{target}, round {round}"), problem);
        }
    }
    report.finish(true);
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    let end = (at + 1 + random.below(16)).min(bytes.len());
    match random.below(5) {
        0 => drop(bytes.drain(at..end)),
        1 => bytes.extend_from_within(at..end),
        2 => bytes.insert(at, b"<>&;%='\"/:?#\n\0 \xff-"[random.below(17)]),
        3 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        _ => {
            let from = random.below(other.len() + 1);
            let until = (from + random.below(64)).min(other.len());
            bytes.splice(at..at, other[from..until].iter().copied());
        }
    }
}

/// xorshift64*: repeatable, and good enough to choose places.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits fit") % limit.max(1)
    }
}

#[test]
#[ignore = "writes to fuzz/corpus: run by fuzz/seed"]
fn write_seeds() {
    for (prefix, seeds) in [
        ("own-", seeds(&Origin::Own)),
        ("shared-", seeds_of_shared()),
    ] {
        for (target, inputs) in seeds {
            let folder = fuzz_folder().join("corpus").join(target);
            fs::create_dir_all(&folder).expect("a folder can be made");
            for (name, bytes) in inputs {
                let name = name.strip_prefix("own-").unwrap_or(&name);
                fs::write(folder.join(format!("{prefix}{name}")), bytes)
                    .expect("a seed can be written");
            }
        }
    }
}

fn hold(property: Property, bytes: &[u8]) -> Result<(), String> {
    panic::catch_unwind(|| property(bytes)).map_err(|cause| {
        let text = cause.downcast_ref::<String>().map(String::as_str);
        text.or_else(|| cause.downcast_ref::<&str>().copied())
            .unwrap_or("a panic")
            .to_owned()
    })
}

/// Inputs by target, each with a name that can be a file name.
type Seeds = BTreeMap<&'static str, Vec<(String, Vec<u8>)>>;

enum Origin {
    Own,
    Shared,
}

fn seeds_of_shared() -> Seeds {
    let mut seeds = if corpus::shared("vectors").is_some() {
        seeds(&Origin::Shared)
    } else {
        Seeds::new()
    };
    for (row_target, target) in [
        ("xml_service_response", "service_response"),
        ("json_service_response", "service_response"),
        ("xml_service_response", "proxy_response"),
        ("cas1_response", "cas1"),
    ] {
        for row in corpus::hostile(row_target) {
            add(&mut seeds, target, &row.id, row.document());
        }
    }
    for row in corpus::hostile("slo_request") {
        let bytes = match &row.bytes {
            Some(xml) => {
                let value = utf8_percent_encode(&String::from_utf8_lossy(xml), NON_ALPHANUMERIC)
                    .to_string();
                add(
                    &mut seeds,
                    "logout_request",
                    &format!("{}-xml", row.id),
                    xml.clone(),
                );
                let parameter = format!("{}={value}", row.input_str("param"));
                let copies = row.input["copies"].as_u64().unwrap_or(1);
                vec![parameter; usize::try_from(copies).expect("a few")]
                    .join("&")
                    .into_bytes()
            }
            None => row.document(),
        };
        add(&mut seeds, "logout_request", &row.id, bytes);
    }
    for (row_target, target) in [
        ("service_match", "service_url"),
        ("validate_request_build", "service_url"),
        ("pgt_url", "service_url"),
        ("redirect_target", "redirect_target"),
        ("ticket_client", "ticket"),
        ("log_line", "redact"),
    ] {
        for row in corpus::hostile(row_target) {
            add_texts(&mut seeds, target, &row.id, &row.input);
        }
    }
    for row in corpus::hostile("ticket_query") {
        let text = format!("{}\n{}", row.input_str("query"), row.input_str("body"));
        add(&mut seeds, "ticket_query", &row.id, text.into_bytes());
    }
    for row in corpus::hostile("xml_render") {
        add(
            &mut seeds,
            "xml_writer",
            &row.id,
            assertion_lines(&row.input),
        );
    }
    seeds
}

/// The vectors, the crate's own or the shared ones.
fn seeds(origin: &Origin) -> Seeds {
    let mut seeds = Seeds::new();
    let vectors = |kind: &str| {
        let own = corpus::own_vectors(kind);
        match origin {
            Origin::Own => own,
            Origin::Shared => corpus::vectors(kind).split_off(own.len()),
        }
    };
    for (kind, target) in [
        ("cas1_response", "cas1"),
        ("logout_request", "logout_request"),
        ("proxy_response", "proxy_response"),
        ("saml_request", "saml_request"),
        ("saml_response", "saml_response"),
        ("service_definition", "service_definition"),
        ("service_response", "service_response"),
    ] {
        for vector in vectors(kind) {
            add(&mut seeds, target, &vector.name, vector.bytes);
        }
    }
    for vector in vectors("rest_response") {
        let response: Value = serde_json::from_slice(&vector.bytes).expect("a response is JSON");
        let member = |name: &str| response[name].as_str().unwrap_or_default();
        let location = ["Location", "location"]
            .iter()
            .find_map(|name| response["headers"][*name].as_str());
        let text = format!(
            "{}\n{}\n{}",
            response["status"],
            location.unwrap_or_default(),
            member("body")
        );
        add(&mut seeds, "rest_response", &vector.name, text.into_bytes());
    }
    for (kind, targets) in [
        ("service_match", &["service_url", "redirect_target"][..]),
        ("service_safety", &["service_url", "redirect_target"]),
        ("service_strip", &["service_url", "redirect_target"]),
        (
            "redirect_build",
            &["service_url", "redirect_target", "redact", "ticket_query"],
        ),
        ("ticket_syntax", &["ticket", "redact"]),
        ("attribute_name_xml", &["xml_writer"]),
        ("pgt_callback", &["service_url", "redact", "ticket_query"]),
        ("login_url", &["service_url", "redact"]),
        ("validate_url", &["service_url", "redact", "ticket_query"]),
    ] {
        for vector in vectors(kind) {
            for (number, case) in vector.cases().iter().enumerate() {
                for target in targets {
                    add_texts(
                        &mut seeds,
                        target,
                        &format!("{}-{number}", vector.name),
                        case,
                    );
                }
            }
        }
    }
    if matches!(origin, Origin::Own) {
        add_literals(&mut seeds);
    }
    seeds
}

/// A few inputs for the targets that may have no vector of their own.
fn add_literals(seeds: &mut Seeds) {
    for (target, inputs) in [
        (
            "redact",
            &[
                "GET /?ticket=ST-1-abcdefgh HTTP/1.1",
                "Cookie: a=b; TGC=TGT-1-x",
                "a%2553T\n\u{202e}",
            ][..],
        ),
        (
            "redirect_target",
            &[
                "/a?b=c",
                "//evil.example/",
                "/%2e%2e//x",
                "https://app.example.org/x",
            ],
        ),
        (
            "service_url",
            &[
                "https://app.example.org/x?a=1&ticket=ST-0",
                "HTTPS://App.example.org:443",
                "imaps://mail.example.org",
                "https://[2001:db8::1]:8443/",
                "https://app.example.org/a;jsessionid=1?b=%2F#c",
            ],
        ),
        (
            "ticket",
            &[
                "ST-1-abc",
                "PT-1",
                "PGT-1-abc",
                "PGTIOU-1-abc",
                "TGT-1-abc",
                "LT-1",
                "st-1",
                "ST-",
            ],
        ),
        (
            "ticket_query",
            &[
                "ticket=ST-1-abc",
                "a=1&%74icket=PT-1\nb=2",
                "SAMLart=ST-1\nticket=ST-2",
            ],
        ),
        (
            "xml_writer",
            &[
                "ada\nmail=a@b\nurn:x=<&>",
                "</cas:user>\u{0}\u{ffff}\nuser=x\n=\n1=2",
            ],
        ),
    ] {
        for (number, input) in inputs.iter().enumerate() {
            add(
                seeds,
                target,
                &format!("literal-{number}"),
                input.as_bytes().to_vec(),
            );
        }
    }
}

fn add(seeds: &mut Seeds, target: &'static str, name: &str, bytes: Vec<u8>) {
    seeds
        .entry(target)
        .or_default()
        .push((name.to_owned(), bytes));
}

/// Every text in a row that is long enough to be interesting.
fn add_texts(seeds: &mut Seeds, target: &'static str, name: &str, value: &Value) {
    match value {
        Value::String(text) => add(seeds, target, name, text.clone().into_bytes()),
        Value::Array(values) => {
            for (number, value) in values.iter().enumerate() {
                add_texts(seeds, target, &format!("{name}-{number}"), value);
            }
        }
        Value::Object(members) => {
            for (key, value) in members
                .iter()
                .filter(|(key, _)| *key != "why" && *key != "note")
            {
                add_texts(seeds, target, &format!("{name}-{key}"), value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A user and attributes as the property of the writer reads them.
fn assertion_lines(input: &Value) -> Vec<u8> {
    let mut lines = vec![input["user"].as_str().unwrap_or_default().to_owned()];
    for (name, values) in input["attributes"].as_object().into_iter().flatten() {
        let values = values.as_array().cloned().unwrap_or_default();
        lines.extend(
            values
                .iter()
                .map(|value| format!("{name}={}", value.as_str().unwrap_or_default())),
        );
    }
    lines.join("\n").into_bytes()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry can be read").path())
        .collect();
    paths.sort();
    paths
}

fn fuzz_folder() -> PathBuf {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz");
    env::var_os("CASQUE_FUZZ").map_or_else(beside, PathBuf::from)
}
