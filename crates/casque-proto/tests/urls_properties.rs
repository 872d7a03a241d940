//! What holds of tickets, services, targets and log lines whatever the input.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::HashSet;
use std::sync::LazyLock;

use casque_proto::query::{Parameters, ticket_in_request};
use casque_proto::redact::{DigestKey, MAX_FIELD_BYTES, redact};
use casque_proto::return_to::{ReturnToRules, check};
use casque_proto::{
    CasBase, Endpoint, LoginOptions, LoginTicket, PgtUrl, ProxyGrantingTicket,
    ProxyGrantingTicketIou, ProxyRequest, ProxyTicket, RegistryUrl, ServiceRule, ServiceTicket,
    ServiceUrl, TicketGrantingTicket, TicketKind, TicketMode, Validate, ValidateEndpoint,
    ValidateOptions, strip_ticket,
};
use proptest::prelude::*;

/// Text made of what URLs are made of, so that it often gets past the first rule.
fn url_like() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("https://"),
        Just("http://"),
        Just("//"),
        Just("/"),
        Just("\\"),
        Just("app.example.org"),
        Just("APP.example.org"),
        Just("evil.example"),
        Just("[::1]"),
        Just("127.1"),
        Just(":443"),
        Just(":8443"),
        Just("@"),
        Just("?"),
        Just("&"),
        Just(";"),
        Just("#"),
        Just("="),
        Just("a"),
        Just("ticket"),
        Just("SAMLart"),
        Just("%2e"),
        Just(".."),
        Just("."),
        Just("%2F"),
        Just("%5c"),
        Just("%00"),
        Just("%"),
        Just("%25"),
        Just(" "),
        Just("\t"),
        Just("\n"),
        Just("'"),
        Just("é"),
        Just("\u{202e}"),
        Just(";jsessionid=1"),
        Just("ST-1-abc"),
        Just("+"),
        Just("%74"),
    ];
    prop_oneof![
        3 => proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat()),
        1 => any::<String>(),
    ]
}

/// A service that is a web address, with a query and perhaps a fragment.
fn web_service() -> impl Strategy<Value = String> {
    (
        "https?",
        "(/[a-zA-Z0-9._~!$&'()*+,=:@%éß-]{0,8}){0,3}",
        "(\\?[a-zA-Z0-9=&+%/?:;._éß-]{0,24})?",
        "(#[a-z/?=&]{0,8})?",
    )
        .prop_map(|(scheme, path, query, fragment)| {
            format!("{scheme}://app.example.org{path}{query}{fragment}")
        })
}

fn ticket_text() -> impl Strategy<Value = String> {
    "(ST|PT)-[A-Za-z0-9._-]{1,40}"
}

static RULES: LazyLock<Vec<ServiceRule>> = LazyLock::new(|| {
    vec![
        ServiceRule::origin("https://app.example.org").unwrap(),
        ServiceRule::origin("https://*.example.org")
            .unwrap()
            .any_port(true)
            .allow_http(true),
        ServiceRule::origin("https://app.example.org")
            .unwrap()
            .path_prefix("/a/")
            .unwrap(),
        ServiceRule::url("https://app.example.org/a").unwrap(),
        ServiceRule::regex(r"https://app\.example\.org/.*").unwrap(),
        ServiceRule::loopback(),
    ]
});

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_input_panics(text in url_like(), other in any::<String>()) {
        let _ = ServiceUrl::parse(&text);
        let _ = RegistryUrl::parse(&text);
        let _ = PgtUrl::parse(&text);
        let _ = CasBase::parse(&text);
        let _ = CasBase::parse("https://cas.example.org").unwrap().with_login_page(&text);
        let _ = ServiceRule::origin(&text);
        let _ = ServiceRule::url(&text);
        let _ = ServiceRule::origin("https://a.example").unwrap().path_prefix(&text);
        let _ = ReturnToRules::new(&text).map(|rules| check(&other, &rules.callback_path(&other).landing(&other)));
        let _ = strip_ticket(&text, TicketMode::Saml);
        let _ = ticket_in_request(&text, Some(&other), TicketMode::Cas);
        let _ = Parameters::read(&text, Some(&other)).flag(&other);
        let _ = redact(&text, None);
        let _ = redact(&other, Some(&DigestKey::new([1; 32])));
        let _ = ServiceTicket::parse(&text);
        let _ = ServiceTicket::parse_unprefixed(&text);
        let _ = Endpoint::from_path(&text);
    }

    /// S-001, R-004: a server that decodes the URL reads exactly what was meant.
    #[test]
    fn built_urls_say_what_was_meant(service in any::<String>(), ticket in any::<String>(), name in "[a-zA-Z]{1,8}", extra in any::<String>()) {
        let base = CasBase::parse("https://cas.example.org/cas").unwrap();
        let url = base.endpoint_with(Endpoint::P3ServiceValidate, &[("service", &service), ("ticket", &ticket), (&name, &extra)]);
        let url = url::Url::parse(&url).unwrap();
        prop_assert_eq!(url.origin().ascii_serialization(), "https://cas.example.org");
        prop_assert_eq!(url.path(), "/cas/p3/serviceValidate");
        prop_assert_eq!(url.fragment(), None);
        let pairs: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
        prop_assert_eq!(pairs, vec![("service".into(), service), ("ticket".into(), ticket), (name, extra)]);
    }

    /// R-108: login and validation name the same service, byte for byte.
    #[test]
    fn login_and_validation_name_the_same_service(service in web_service(), ticket in ticket_text()) {
        let base = CasBase::parse("https://cas.example.org/cas").unwrap();
        let Ok(service) = ServiceUrl::parse(&service) else { return Ok(()) };
        let ticket = ServiceTicket::parse(&ticket).unwrap();
        let service_of = |url: &str| {
            let url = url::Url::parse(url).unwrap();
            let found = url.query_pairs().find(|(name, _)| name == "service");
            found.unwrap().1.into_owned()
        };
        let login = service_of(&base.login_url(&service, &LoginOptions::default()));
        let validate = service_of(&base.validate_url(Endpoint::ServiceValidate, &service, &ticket, &ValidateOptions::default()));
        prop_assert_eq!(&login, service.without_fragment());
        prop_assert_eq!(&login, &validate);
        let request = Validate::new(&service, &ticket).endpoint(ValidateEndpoint::Cas2).request(&base);
        prop_assert_eq!(service_of(&request.uri().to_string()), login);
    }

    #[test]
    fn canonical_is_idempotent_and_what_matches(text in prop_oneof![url_like(), web_service()]) {
        let Ok(service) = ServiceUrl::parse(&text) else { return Ok(()) };
        prop_assert_eq!(service.as_str(), &text);
        let again = ServiceUrl::parse(service.canonical()).unwrap();
        prop_assert_eq!(again.canonical(), service.canonical());
        prop_assert!(again.matches(&service));
    }

    /// R-047, R-233: the ticket that was added comes off again, and nothing else with it.
    #[test]
    fn a_ticket_comes_off_again(text in web_service(), ticket in ticket_text(), saml in any::<bool>()) {
        let Ok(service) = ServiceUrl::parse(&text) else { return Ok(()) };
        let ticket = ServiceTicket::parse(&ticket).unwrap();
        let mode = if saml { TicketMode::Saml } else { TicketMode::Cas };
        let with = service.with_ticket(mode.parameter(), &ticket);
        prop_assert_eq!(strip_ticket(&with, mode), strip_ticket(&text, mode));
        // What the service reads is the ticket, once.
        let (before, _) = with.split_once('#').unwrap_or((&with, ""));
        let query = before.split_once('?').unwrap().1;
        prop_assert_eq!(query.split('&').filter(|piece| piece.starts_with(&format!("{}=", mode.parameter()))).count(), 1);
        let expected = format!("{}={}", mode.parameter(), ticket.secret());
        prop_assert!(query.ends_with(&expected));
        // And the fragment stays where it was.
        prop_assert_eq!(with.split_once('#').map(|(_, fragment)| fragment), text.split_once('#').map(|(_, fragment)| fragment));
    }

    /// S-035: what the gate lets in, a browser reads as the host that the rule names.
    #[test]
    fn what_a_rule_lets_in_a_browser_reads_alike(text in prop_oneof![url_like(), web_service()]) {
        let Ok(service) = RegistryUrl::parse(&text) else { return Ok(()) };
        for rule in RULES.iter().filter(|rule| rule.matches(&service)) {
            for address in [text.clone(), service.as_str().to_owned(), service.canonical().to_owned(), service.with_ticket("ticket", &ServiceTicket::parse("ST-1").unwrap())] {
                let read = url::Url::parse(&address).unwrap();
                prop_assert_eq!(read.origin().ascii_serialization(), service.origin(), "{:?} {:?}", rule, address);
                prop_assert!(read.username().is_empty() && read.password().is_none());
                let host = read.host_str().unwrap();
                prop_assert!(host.ends_with(".example.org") || service.is_loopback(), "{}", host);
            }
        }
    }

    /// The gate accepts nothing that the rules for every service refuse, and keeps the text.
    #[test]
    fn the_gate_is_narrower(text in prop_oneof![url_like(), web_service()]) {
        let Ok(service) = RegistryUrl::parse(&text) else { return Ok(()) };
        let plain = ServiceUrl::parse(&text).unwrap();
        prop_assert!(plain.is_web());
        prop_assert_eq!(plain.canonical(), service.canonical());
        let again = RegistryUrl::parse(service.as_str()).unwrap();
        prop_assert_eq!(again.as_str(), service.as_str());
        let canonical = RegistryUrl::parse(service.canonical()).unwrap();
        prop_assert!(canonical.matches(&service));
        for rule in &*RULES {
            prop_assert_eq!(rule.matches(&service), rule.matches(&again));
        }
    }

    /// S-041
    #[test]
    fn a_target_never_leaves_the_origin(target in url_like(), loopback in any::<bool>()) {
        let own = if loopback { "http://127.0.0.1:8000" } else { "https://app.example.org" };
        let rules = ReturnToRules::new(own).unwrap().callback_path("/a").landing("/start?x=1");
        let decision = check(&target, &rules);
        let read = url::Url::parse(decision.location()).unwrap();
        prop_assert_eq!(read.origin().ascii_serialization(), own);
        prop_assert!(read.path() != "/a");
        prop_assert!(!decision.location().contains(|c: char| c.is_control() || c == '\\' || !c.is_ascii()));
        prop_assert!(read.query_pairs().all(|(name, _)| name != "ticket"));
        if !decision.is_accepted() {
            prop_assert_eq!(decision.location(), format!("{own}/start?x=1"));
        }
    }

    /// S-017, S-070: the line never holds the secret, however it came in, and is one bounded line.
    #[test]
    fn a_log_line_holds_no_secret(
        before in any::<String>(), after in any::<String>(), seed in any::<[u8; 32]>(), form in 0..9_usize, keyed in any::<bool>(),
    ) {
        let mut next = seed.iter().cycle().enumerate();
        let mut fill = |bytes: &mut [u8]| for byte in bytes {
            let (n, value) = next.next().unwrap();
            *byte = value.wrapping_mul(31).wrapping_add(u8::try_from(n % 251).unwrap());
        };
        let ticket = ServiceTicket::generate(&mut fill);
        let body = ticket.secret()[3..].to_owned();
        let text = match form {
            0 => format!("{before}{}{after}", ticket.secret()),
            1 => format!("{before}ST-12-{body}{after}"),
            2 => format!("{before}&ticket={body}&{after}"),
            3 => format!("{before}ST%2D{body}{after}"),
            4 => format!("{before}?service=https%3A%2F%2Fa%3Fticket%3D{body}{after}"),
            5 => format!("{before}\nCookie: TGC={body}; x={body}\n{after}"),
            6 => format!("{before} \"password\": \"a \\\" {body}\" {after}"),
            7 => format!("{before}TGT-{body}{after}"),
            _ => format!("{before}%2526ticket%253DST%252D{body}%2526{after}"),
        };
        // A generator that is not random may repeat what stands around it.
        prop_assume!(!before.contains(&body) && !after.contains(&body));
        let key = DigestKey::new(seed);
        let line = redact(&text, keyed.then_some(&key));
        prop_assert!(!line.contains(&body), "{}", line);
        prop_assert!(line.len() <= MAX_FIELD_BYTES);
        prop_assert!(!line.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}')), "{:?}", line);
    }

    #[test]
    fn generated_tickets_are_read_again(seed in any::<u64>()) {
        // R-213 to R-215
        let mut fill = generator(seed);
        let st = ServiceTicket::generate(&mut fill);
        prop_assert_eq!(st.secret().len(), 32);
        prop_assert_eq!(ServiceTicket::parse(st.secret()), Ok(st));
        let pt = ProxyTicket::generate(&mut fill);
        prop_assert_eq!((pt.secret().len(), pt.kind()), (32, TicketKind::Proxy));
        prop_assert_eq!(ServiceTicket::parse(pt.secret()).unwrap().kind(), TicketKind::Proxy);
        let pgt = ProxyGrantingTicket::generate(&mut fill);
        prop_assert!(pgt.secret().len() <= 64 && ProxyGrantingTicket::parse(pgt.secret()) == Ok(pgt));
        let iou = ProxyGrantingTicketIou::generate(&mut fill);
        prop_assert!(iou.secret().len() <= 64 && ProxyGrantingTicketIou::parse(iou.secret()) == Ok(iou));
        let tgt = TicketGrantingTicket::generate(&mut fill);
        prop_assert_eq!(TicketGrantingTicket::parse(tgt.secret()), Ok(tgt));
        let lt = LoginTicket::generate(&mut fill);
        prop_assert_eq!(LoginTicket::parse(lt.secret()), Ok(lt));
    }
}

/// splitmix64: uniform, and the same in every run.
fn generator(mut state: u64) -> impl FnMut(&mut [u8]) {
    move |bytes: &mut [u8]| {
        for chunk in bytes.chunks_mut(8) {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = state;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            word ^= word >> 31;
            chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// R-214 to R-217, S-008: uniform over 62 characters, at no position biased, never twice the same.
#[test]
fn tickets_are_uniform_and_unique() {
    const TICKETS: usize = 100_000;
    let mut fill = generator(17);
    let mut seen = HashSet::with_capacity(TICKETS);
    let mut counts = vec![[0_u32; 128]; 29];
    let mut ones = 0_u32;
    for _ in 0..TICKETS {
        let ticket = ServiceTicket::generate(&mut fill);
        let body = ticket.secret().strip_prefix("ST-").unwrap();
        assert!(body.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        for (position, byte) in body.bytes().enumerate() {
            counts[position][usize::from(byte)] += 1;
        }
        // Monobit over "upper half of the alphabet or not": 31 of 62 characters.
        ones += u32::try_from(
            body.bytes()
                .filter(|byte| byte.is_ascii_lowercase() || (b'0'..=b'4').contains(byte))
                .count(),
        )
        .unwrap();
        assert!(seen.insert(body.to_owned()), "a ticket came twice");
    }
    for (position, counts) in counts.iter().enumerate() {
        assert_eq!(
            counts.iter().filter(|count| **count > 0).count(),
            62,
            "position {position}"
        );
        let expected = f64::from(u32::try_from(TICKETS).unwrap()) / 62.0;
        let chi: f64 = counts
            .iter()
            .filter(|count| **count > 0)
            .map(|count| (f64::from(*count) - expected).powi(2) / expected)
            .sum();
        // 61 degrees of freedom: 0.999999 quantile is about 126. A remainder instead of rejection would favour eight
        // characters by a quarter and give thousands.
        assert!(chi < 126.0, "position {position}: {chi}");
    }
    let bits = f64::from(u32::try_from(TICKETS * 29).unwrap());
    let deviation = (f64::from(ones) - bits / 2.0).abs() / (bits / 4.0).sqrt();
    assert!(deviation < 5.0, "{deviation} standard deviations");
}

#[test]
#[should_panic(expected = "the random source")]
fn a_broken_source_is_not_waited_for() {
    ServiceTicket::generate(&mut |bytes| bytes.fill(0xff));
}

/// S-017: a type that holds a secret does not print it.
#[test]
fn secrets_do_not_print() {
    let ticket = ServiceTicket::parse("ST-1-supersecret").unwrap();
    let pgt = ProxyGrantingTicket::parse("PGT-1-supersecret").unwrap();
    let service =
        ServiceUrl::parse("https://app.example.org/?key=supersecret&ticket=ST-1-supersecret")
            .unwrap();
    let registry = RegistryUrl::parse("https://app.example.org/?key=supersecret").unwrap();
    let shown = format!(
        "{ticket:?} {pgt:?} {service:?} {registry:?} {:?} {:?} {:?} {:?}",
        Validate::new(&service, &ticket),
        ProxyRequest::new(&pgt, &service),
        Parameters::read("ticket=supersecret", Some("password=supersecret")),
        DigestKey::new(*b"supersecretsupersecretsupersecre"),
    );
    assert!(!shown.contains("supersecret"), "{shown}");
    assert!(
        shown.starts_with("ServiceTicket(ST-…) ProxyGrantingTicket(PGT-…)"),
        "{shown}"
    );
}

/// The longest request that can be built is still a URI.
#[test]
fn a_request_at_every_limit_is_built() {
    let base = CasBase::parse(&format!("https://cas.example.org/{}", "b".repeat(2000))).unwrap();
    let service =
        ServiceUrl::parse(&format!("https://app.example.org/{}", "é".repeat(4080))).unwrap();
    let ticket = ServiceTicket::parse_unprefixed(&"/".repeat(8192)).unwrap();
    let pgt_url = PgtUrl::parse(&format!("https://app.example.org/{}", "/".repeat(2000))).unwrap();
    let request = Validate::new(&service, &ticket)
        .pgt_url(pgt_url)
        .renew(true)
        .request(&base);
    assert!(request.uri().to_string().len() > 50_000);
    assert!(CasBase::parse(&format!("https://cas.example.org/{}", "b".repeat(2048))).is_err());
}

/// R-016
#[test]
fn a_base_is_https_unless_http_is_asked_for() {
    for wrong in [
        "http://cas.example.org/cas",
        "cas.example.org",
        "https://",
        "https:/cas.example.org",
        "https:\\\\cas.example.org",
        "https://a@cas.example.org/",
        "https://cas.example.org/cas?x",
        "https://cas.example.org/#x",
        " https://cas.example.org",
        "https://cas.example.org/\n",
        "ftp://cas.example.org",
        "",
        "https:///cas.example.org",
    ] {
        assert!(CasBase::parse(wrong).is_err(), "{wrong}");
    }
    let base = CasBase::parse_allowing_http("http://localhost:8000/cas/").unwrap();
    assert_eq!(base.as_str(), "http://localhost:8000/cas");
    assert!(base.is_loopback() && !base.is_https());
    assert_eq!(base.logout_url(None), "http://localhost:8000/cas/logout");
    let service = ServiceUrl::parse("https://app.example.org/?a#b").unwrap();
    assert_eq!(
        base.logout_url(Some(&service)),
        "http://localhost:8000/cas/logout?service=https%3A%2F%2Fapp.example.org%2F%3Fa"
    );
}

#[test]
fn rules_say_what_is_wrong_and_what_to_write() {
    let error = ServiceRule::origin("https://app.example.org/w/").unwrap_err();
    assert_eq!(error.field(), "origin");
    assert_eq!(
        error.to_string(),
        "origin = \"https://app.example.org/w/\": an origin has no path; put the path into path_prefix"
    );
    let wrong_origins = [
        "app.example.org",
        "https://*",
        "https://*.org",
        "https://*.*.example.org",
        "https://a.*.example.org",
        "https://x*.example.org",
        "ftp://a.example",
        "https://a.example?x",
        "https://a.example#",
        "https://a@b.example",
        "https://a.example:x",
        "https:// a.example",
        "",
    ];
    for origin in wrong_origins {
        assert!(ServiceRule::origin(origin).is_err(), "{origin}");
    }
    for prefix in ["w", "", "/a/../b", "/a?b", "/%2f", "/a//b", "/a b", "/a#"] {
        assert_eq!(
            ServiceRule::origin("https://a.example")
                .unwrap()
                .path_prefix(prefix)
                .unwrap_err()
                .field(),
            "path_prefix",
            "{prefix}"
        );
    }
    assert!(
        ServiceRule::url("https://a.example/x")
            .unwrap()
            .path_prefix("/x")
            .is_err()
    );
    assert!(ServiceRule::url("https://a.example/x?y").is_err());
    assert_eq!(
        ServiceRule::origin("http://a.example")
            .unwrap()
            .checked()
            .unwrap_err()
            .field(),
        "origin"
    );
    assert!(
        ServiceRule::origin("http://a.example")
            .unwrap()
            .allow_http(true)
            .checked()
            .is_ok()
    );
    assert_eq!(
        ServiceRule::regex(r"https://a\.example/.*")
            .unwrap()
            .any_port(true)
            .checked()
            .unwrap_err()
            .field(),
        "any_port"
    );
    let long = ServiceRule::regex(&"x".repeat(100_000))
        .unwrap_err()
        .to_string();
    assert!(long.len() < 1000, "{long}");
}

#[test]
fn loopback_is_this_machine_only() {
    let rule = ServiceRule::loopback().checked().unwrap();
    let allowed = |text: &str| RegistryUrl::parse(text).is_ok_and(|service| rule.matches(&service));
    for own in [
        "http://localhost:5000/login",
        "https://localhost/",
        "http://127.0.0.1:8000/",
        "http://127.8.9.1/",
        "http://[::1]:8000/x",
        "http://app.localhost:1234/",
    ] {
        assert!(allowed(own), "{own}");
    }
    for other in [
        "http://localhost.example.org/",
        "http://128.0.0.1/",
        "http://127.0.0.1.example.org/",
        "http://[::2]/",
        "http://0.0.0.0/",
        "http://notlocalhost/",
        "http://10.0.0.1/",
    ] {
        assert!(!allowed(other), "{other}");
    }
}

/// Equal secrets leave equal digests under one key, others under another.
#[test]
fn digests_correlate() {
    let (one, two) = (DigestKey::new([1; 32]), DigestKey::new([2; 32]));
    let plain = redact("ST-1-abcdef", Some(&one));
    assert_eq!(
        redact("x?ticket=ST-1-abcdef&y", Some(&one)),
        format!("x?ticket={plain}&y")
    );
    assert_ne!(redact("ST-1-abcdeg", Some(&one)), plain);
    assert_ne!(redact("ST-1-abcdef", Some(&two)), plain);
}
