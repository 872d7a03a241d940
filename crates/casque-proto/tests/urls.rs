//! Tickets, services and requests against every row of the corpora about them, the crate's own and the shared ones.

#![expect(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests"
)]

mod corpus;

use std::net::IpAddr;
use std::path::Path;

use casque_proto::query::{Parameters, TicketInRequest, is_set, ticket_in_request};
use casque_proto::redact::{DigestKey, redact};
use casque_proto::return_to::{self, Decision, ReturnToRules};
use casque_proto::{
    CasBase, Endpoint, Format, LoginMethod, LoginOptions, PgtUrl, ProxyGrantingTicket,
    ProxyGrantingTicketIou, RegistryUrl, ServiceRule, ServiceTicket, ServiceUrl, ServiceUrlError,
    TicketError, TicketMode, ValidateOptions, strip_ticket,
};
use corpus::{Report, Row};
use serde_json::Value;

/// Runs every case of every table of `kind`.
fn table(kind: &str, check: impl Fn(&Value) -> Result<(), String>) {
    let mut report = Report::default();
    for vector in corpus::vectors(kind) {
        for (number, case) in vector.cases().iter().enumerate() {
            report.note(
                &format!("{} case {number} {case}", vector.name),
                check(case),
            );
        }
    }
    report.finish(true);
}

/// Runs every row for `target`, the crate's own and the shared ones, each with the fixtures of its corpus.
fn rows(target: &str, check: impl Fn(&Row, &Value) -> Result<(), String>) {
    let mut report = Report::default();
    let (own_rows, own_fixtures) = own_rows(target);
    let own = own_rows.into_iter().map(|row| (row, &own_fixtures));
    let shared_fixtures = corpus::fixtures();
    let shared = corpus::hostile(target)
        .into_iter()
        .map(|row| (row, &shared_fixtures));
    for (row, fixtures) in own.chain(shared) {
        let shown: String = format!("{} ({}) {}", row.id, row.note, row.input)
            .chars()
            .take(300)
            .collect();
        report.note(&shown, check(&row, fixtures));
    }
    report.finish(true);
}

fn own_rows(target: &str) -> (Vec<Row>, Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/urls/hostile.json");
    let index: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let entries = index["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["target"] == target);
    let row = |entry: &Value| Row {
        id: entry["id"].as_str().unwrap().to_owned(),
        input: entry["input"].clone(),
        expected: entry["expected"].clone(),
        note: entry["note"].as_str().unwrap_or_default().to_owned(),
        control: entry["control"] == true,
        bytes: None,
    };
    (entries.map(row).collect(), index["fixtures"].clone())
}

fn same<T: PartialEq + std::fmt::Debug>(actual: T, expected: T) -> Result<(), String> {
    if actual == expected {
        Ok(())
    } else {
        Err(format!("expected {expected:?}, got {actual:?}"))
    }
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name]
        .as_str()
        .unwrap_or_else(|| panic!("{value} has no text {name}"))
}

#[test]
fn service_match_vectors() {
    // R-226 to R-228, R-231
    table("service_match", |case| {
        let parse = |name| ServiceUrl::parse(text(case, name)).map_err(|error| error.to_string());
        let (issued, validated) = (parse("issued_for")?, parse("validated_with")?);
        same(issued.matches(&validated), case["match"] == true)?;
        same(validated.matches(&issued), case["match"] == true)
    });
}

#[test]
fn ticket_syntax_vectors() {
    // R-218, R-219
    table("ticket_syntax", |case| {
        let value = text(case, "value");
        let accepted = match text(case, "kind") {
            "st" => ServiceTicket::parse(value).is_ok(),
            "pgt" => ProxyGrantingTicket::parse(value).is_ok(),
            "pgtiou" => ProxyGrantingTicketIou::parse(value).is_ok(),
            other => return Err(format!("unknown kind {other}")),
        };
        same(accepted, case["accepted"] == true)
    });
}

#[test]
fn redirect_build_vectors() {
    // R-047, R-048, R-050
    table("redirect_build", |case| {
        let service =
            ServiceUrl::parse(text(case, "service")).map_err(|error| error.to_string())?;
        let ticket =
            ServiceTicket::parse(text(case, "ticket")).map_err(|error| error.to_string())?;
        same(
            &*service.with_ticket(text(case, "param"), &ticket),
            text(case, "location"),
        )
    });
}

#[test]
fn service_safety_vectors() {
    // R-049, R-235, R-236
    table("service_safety", |case| {
        same(
            ServiceUrl::parse(text(case, "service")).is_ok(),
            case["allowed_syntax"] == true,
        )
    });
}

#[test]
fn service_strip_vectors() {
    // R-233, R-234
    table("service_strip", |case| {
        let mode = match text(case, "mode") {
            "cas" => TicketMode::Cas,
            "saml" => TicketMode::Saml,
            other => return Err(format!("unknown mode {other}")),
        };
        same(
            &*strip_ticket(text(case, "request_url"), mode),
            text(case, "service"),
        )
    });
}

#[test]
fn pgt_callback_vectors() {
    // R-188, R-193, R-194, R-195
    table("pgt_callback", |case| {
        let iou = ProxyGrantingTicketIou::parse(text(case, "pgt_iou"))
            .map_err(|error| error.to_string())?;
        let pgt =
            ProxyGrantingTicket::parse(text(case, "pgt_id")).map_err(|error| error.to_string())?;
        let callback = PgtUrl::parse(text(case, "pgt_url"))
            .ok()
            .map(|url| url.with_tickets(&iou, &pgt));
        same(callback.as_deref(), case["callback"].as_str())
    });
}

#[test]
fn login_url_vectors() {
    // R-003, R-007, R-036, R-234
    table("login_url", |case| {
        let base = CasBase::parse("https://cas.example.org/cas").unwrap();
        let base = base
            .with_login_page(text(case, "login_url"))
            .map_err(|error| error.to_string())?;
        let service =
            ServiceUrl::parse(text(case, "service")).map_err(|error| error.to_string())?;
        let mut options = LoginOptions::default()
            .renew(case["renew"] == true)
            .gateway(case["gateway"] == true);
        if let Some(method) = case["method"].as_str() {
            options = options.method(LoginMethod::from_name(method).ok_or("unknown method")?);
        }
        same(&*base.login_url(&service, &options), text(case, "url"))
    });
}

#[test]
fn validate_url_vectors() {
    // R-001, R-004, R-219
    table("validate_url", |case| {
        let base = CasBase::parse(text(case, "base")).map_err(|error| error.to_string())?;
        let service =
            ServiceUrl::parse(text(case, "service")).map_err(|error| error.to_string())?;
        let endpoint = Endpoint::from_path(text(case, "endpoint")).ok_or("unknown endpoint")?;
        let mut options = ValidateOptions::default().renew(case["renew"] == true);
        if let Some(format) = case["format"].as_str() {
            options = options.format(if format == "JSON" {
                Format::Json
            } else {
                Format::Xml
            });
        }
        if let Some(pgt_url) = case["pgt_url"].as_str() {
            options = options.pgt_url(PgtUrl::parse(pgt_url).map_err(|error| error.to_string())?);
        }
        let ticket = ServiceTicket::parse(text(case, "ticket")).ok();
        let url = ticket.map(|ticket| base.validate_url(endpoint, &service, &ticket, &options));
        same(url.as_deref(), case["url"].as_str())
    });
}

#[test]
fn a_proxy_ticket_is_asked_for_by_get() {
    // R-204
    let base = CasBase::parse("https://cas.example.org/cas").unwrap();
    let pgt = ProxyGrantingTicket::parse("PGT-1").unwrap();
    let target = ServiceUrl::parse("https://imap.example.org/?a=1&pgt=x").unwrap();
    assert_eq!(
        base.proxy_url(&pgt, &target),
        "https://cas.example.org/cas/proxy?pgt=PGT-1\
         &targetService=https%3A%2F%2Fimap.example.org%2F%3Fa%3D1%26pgt%3Dx"
    );
}

#[test]
fn flag_value_vectors() {
    // R-006
    table("flag_value", |case| {
        let set = case["set"] == true;
        let parameters = match case["value"].as_str() {
            None => Parameters::read("", None),
            Some(value) => {
                same(is_set(value), set)?;
                Parameters::read(&format!("renew={}", value.replace(' ', "%20")), None)
            }
        };
        same(parameters.flag("renew"), set)
    });
}

#[test]
fn hostile_service_match() {
    // R-230, R-235, S-032, S-035 to S-039
    // S-004, S-032 to S-039, S-042
    rows("service_match", |row, fixtures| {
        let registry = registry(fixtures);
        let service = RegistryUrl::parse(row.input_str("service"));
        let id = service.as_ref().ok().and_then(|service| {
            registry
                .iter()
                .find(|(_, rule)| rule.matches(service))
                .map(|(id, _)| &**id)
        });
        let decision = if id.is_some() { "accept" } else { "reject" };
        same(decision, text(&row.expected, "decision"))?;
        same(id, row.expected["service_id"].as_str())
    });
}

fn registry(fixtures: &Value) -> Vec<(String, ServiceRule)> {
    let definitions = fixtures["registry"]
        .as_array()
        .expect("the fixtures have a registry");
    definitions
        .iter()
        .map(|definition| {
            let field = |name: &str| definition[name].as_str();
            let mut rule = match (field("origin"), field("url"), field("regex")) {
                (Some(origin), ..) => ServiceRule::origin(origin),
                (_, Some(url), _) => ServiceRule::url(url),
                (_, _, Some(regex)) => ServiceRule::regex(regex),
                _ => panic!("{definition} has no rule"),
            }
            .unwrap_or_else(|error| panic!("{definition}: {error}"));
            if let Some(prefix) = field("path_prefix") {
                rule = rule
                    .path_prefix(prefix)
                    .unwrap_or_else(|error| panic!("{definition}: {error}"));
            }
            let rule = rule
                .allow_http(definition["allow_http"] == true)
                .any_port(definition["any_port"] == true)
                .enabled(definition["enabled"] != false)
                .checked()
                .unwrap_or_else(|error| panic!("{definition}: {error}"));
            (text(definition, "id").to_owned(), rule)
        })
        .collect()
}

#[test]
fn hostile_config_service_pattern() {
    // S-033, S-034
    rows("config_service_pattern", |row, _| {
        let (pattern, host) = (row.input_str("regex"), row.input_str("intended_host"));
        let accept = row.expected["verdict"] == "accept";
        let rule = ServiceRule::regex_for_host(pattern, host).and_then(ServiceRule::checked);
        same(
            rule.as_ref().map(drop).map_err(ToString::to_string).is_ok(),
            accept,
        )
        .map_err(|error| format!("{error} {rule:?}"))?;
        // Where the host is not told, as in a service definition, it is read from the expression.
        if let Some(verdict) = row.expected["verdict_without_host"].as_str() {
            let alone = ServiceRule::regex(pattern).and_then(ServiceRule::checked);
            same(alone.is_ok(), verdict == "accept")
                .map_err(|error| format!("without host: {error} {alone:?}"))?;
        }
        Ok(())
    });
}

#[test]
fn sc_042_expressions_are_refused_or_bounded() {
    // S-034: a backtracking matcher would never end here. How long a match takes is measured in bench/.
    let start = r"https://app\.example\.org/";
    let nested = (0..100).fold("x".to_owned(), |inner, _| format!("({inner}){{2}}"));
    for refused in [
        "(a+)+".to_owned(),
        "(a|a)*b".to_owned(),
        format!("{start}{nested}"),
        format!("{start}(((((x{{100}}){{100}}){{100}}){{100}}){{100}})"),
    ] {
        let rule = ServiceRule::regex_for_host(&refused, "app.example.org");
        assert!(rule.and_then(ServiceRule::checked).is_err(), "{refused}");
    }
    let prefix = "https://app.example.org/";
    let run = "a".repeat(2047 - prefix.len());
    for (pattern, last, expected) in [
        ("(a+)+", "a", true),
        ("(a+)+", "b", false),
        ("(a|a)*b", "b", true),
        ("(a|a)*b", "a", false),
        ("((a*)*)*", "a", true),
        ("((a*)*)*", "b", false),
    ] {
        let rule = ServiceRule::regex_for_host(&format!("{start}{pattern}"), "app.example.org")
            .and_then(ServiceRule::checked)
            .unwrap();
        let service = RegistryUrl::parse(&format!("{prefix}{run}{last}")).unwrap();
        assert_eq!(service.as_str().len(), 2048);
        for _ in 0..100 {
            assert_eq!(rule.matches(&service), expected, "{pattern} {last}");
        }
    }
}

#[test]
fn hostile_redirect_target() {
    // S-041
    rows("redirect_target", |row, fixtures| {
        let rules = ReturnToRules::new(text(fixtures, "own_origin"))
            .unwrap()
            .callback_path(text(fixtures, "own_callback_path"));
        let decision = return_to::check(row.input_str("return_to"), &rules);
        let name = if matches!(decision, Decision::Accept(_)) {
            "accept"
        } else {
            "fallback"
        };
        same(
            (name, decision.location()),
            (
                text(&row.expected, "decision"),
                text(&row.expected, "location"),
            ),
        )
    });
}

#[test]
fn hostile_ticket_client() {
    // S-001
    rows("ticket_client", |row, _| {
        same(
            ServiceTicket::parse(row.input_str("ticket")).is_ok(),
            row.expected["send"] == true,
        )
    });
}

#[test]
fn hostile_ticket_query() {
    // S-004
    rows("ticket_query", |row, _| {
        let found = ticket_in_request(
            row.input_str("query"),
            row.input["body"].as_str(),
            TicketMode::Cas,
        );
        let (action, ticket) = match &found {
            TicketInRequest::InQuery(ticket) => ("validate", Some(ticket.secret())),
            TicketInRequest::Refused(_) => ("reject_400", None),
            // Nobody asked for method=POST.
            _ => ("none", None),
        };
        same(
            (action, ticket),
            (
                text(&row.expected, "action"),
                row.expected["ticket"].as_str(),
            ),
        )
    });
}

#[test]
fn hostile_validate_request_build() {
    // S-001, R-004
    rows("validate_request_build", |row, _| {
        let base = CasBase::parse(row.input_str("base")).map_err(|error| error.to_string())?;
        let endpoint = Endpoint::from_path(row.input_str("endpoint")).ok_or("unknown endpoint")?;
        let mut parameters = vec![
            ("service", row.input_str("service")),
            ("ticket", row.input_str("ticket")),
        ];
        let extra = row.input["extra"].as_array().cloned().unwrap_or_default();
        parameters.extend(
            extra
                .iter()
                .map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())),
        );
        let url = url::Url::parse(&base.endpoint_with(endpoint, &parameters))
            .map_err(|error| error.to_string())?;
        same(
            &*url.origin().ascii_serialization(),
            text(&row.expected, "scheme_host"),
        )?;
        same(url.path(), text(&row.expected, "path"))?;
        same(url.fragment(), row.expected["fragment"].as_str())?;
        let pairs: Vec<[String; 2]> = url
            .query_pairs()
            .map(|(name, value)| [name.into(), value.into()])
            .collect();
        let expected: Vec<[String; 2]> =
            serde_json::from_value(row.expected["query_pairs"].clone())
                .map_err(|error| error.to_string())?;
        same(pairs, expected)
    });
}

#[test]
fn hostile_log_line() {
    // S-017, S-069, S-070
    let key = DigestKey::new([7; 32]);
    rows("log_line", |row, _| {
        for key in [None, Some(&key)] {
            let line = redact(row.input_str("field_value"), key);
            same(line.lines().count().max(1), 1)?;
            let list = |name: &str| row.expected[name].as_array().cloned().unwrap_or_default();
            for wanted in list("must_contain") {
                let wanted = wanted.as_str().unwrap();
                same(line.contains(wanted), true)
                    .map_err(|_| format!("{line} does not hold {wanted:?}"))?;
            }
            for unwanted in list("must_not_contain") {
                let unwanted = unwanted.as_str().unwrap();
                same(line.contains(unwanted), false)
                    .map_err(|_| format!("{line} holds {unwanted:?}"))?;
            }
            same(line.len() <= 4096, true)?;
        }
        Ok(())
    });
}

#[test]
fn the_limit_of_a_return_to_target_is_on_the_target() {
    // S-041
    let rules = ReturnToRules::new("https://app.example.org").unwrap();
    let target = |length: usize| format!("/{}", "a".repeat(length - 1));
    assert!(return_to::check(&target(2048), &rules).is_accepted());
    assert!(!return_to::check(&target(2049), &rules).is_accepted());
}

#[test]
fn a_session_id_at_the_gate_is_one_and_stands_last() {
    // R-227, R-230, S-004
    for path in [
        "/a;jsessionid=0A.b_c-1",
        "/a;JSESSIONID=x?y=1",
        "/;jsessionid=x",
    ] {
        let url = RegistryUrl::parse(&format!("https://app.example.org{path}"));
        assert!(
            url.is_ok_and(|url| !url.canonical().contains("session")),
            "{path}"
        );
    }
    for path in [
        "/a;jsessionid=",
        "/a;jsessionid=?x=1",
        "/a;jsessionid=x/admin",
        "/a;jsessionid=x;y=z",
        "/a;jsessionid=%41",
        "/a;jsessionid=x;jsessionid=y",
        "/a;JSessionId=x!y",
    ] {
        let url = RegistryUrl::parse(&format!("https://app.example.org{path}"));
        assert_eq!(url, Err(ServiceUrlError::Path), "{path}");
    }
}

#[test]
fn an_expression_needs_an_address_that_can_reach_it() {
    // S-033
    for pattern in [
        "https://app\\.example\\.org:443/.*",
        "https://app\\.example\\.org/\\?x=.*",
        "https://app\\.example\\.org/a\\?.+",
        "https://app\\.example\\.org/%2e%2e/.*",
        "https://app\\.example\\.org/\\.\\./x",
        "https://app\\.example\\.org/a%2fb",
        "https://app\\.example\\.org/a;jsessionid=x",
        "https://app\\.example\\.org/a#b",
        "https://app\\.example\\.org/%zz",
        "https://app\\.example\\.org",
    ] {
        assert!(
            ServiceRule::regex_for_host(pattern, "app.example.org").is_err(),
            "{pattern}"
        );
    }
    let good = [
        ("https://app\\.example\\.org(:443)?/cas/[a-z]+", "/cas/a"),
        ("https://app\\.example\\.org/(\\.\\./)?x", "/x"),
        ("https://app\\.example\\.org/%20a", "/%20a"),
        ("https://app\\.example\\.org/%C3%A9", "/%C3%A9"),
        ("https://app\\.example\\.org/", "/"),
        ("https://app\\.example\\.org:8443/a", ":8443/a"),
        (
            "https://app\\.example\\.org/[a-z]{300}",
            &format!("/{}", "a".repeat(300)),
        ),
    ];
    for (pattern, rest) in good {
        let rule = ServiceRule::regex_for_host(pattern, "app.example.org")
            .and_then(ServiceRule::checked)
            .unwrap();
        let url = RegistryUrl::parse(&format!("https://app.example.org{rest}")).unwrap();
        assert!(rule.matches(&url), "{pattern}");
    }
}

#[test]
fn a_bare_prefix_is_no_ticket_of_any_kind() {
    // R-219
    for prefix in ["ST-", "PT-", "PGT-", "PGTIOU-", "TGT-", "LT-"] {
        let error = ServiceTicket::parse(prefix).unwrap_err();
        assert_eq!(error, TicketError::NothingAfterPrefix, "{prefix}");
    }
}

#[test]
fn hostile_pgt_url() {
    // S-052: syntax, origin, and the addresses of the host.
    rows("pgt_url", |row, fixtures| {
        let origin = text(&fixtures["pgt"], "callback_origin");
        let allow_private = fixtures["pgt"]["allow_private"] == true;
        let addresses = |host: &str| -> Vec<IpAddr> {
            let dns = |from: &Value| from[host].as_array().cloned();
            dns(&row.input["dns"])
                .or_else(|| dns(&fixtures["pgt"]["dns"]))
                .unwrap_or_default()
                .iter()
                .map(|address| address.as_str().unwrap().parse().unwrap())
                .collect()
        };
        let allowed = PgtUrl::parse(row.input_str("pgtUrl")).is_ok_and(|url| {
            let host = origin.strip_prefix("https://").unwrap();
            url.origin() == origin && url.may_call(&addresses(host), allow_private)
        });
        same(allowed, row.expected["decision"] == "call")
    });
}
