//! Proxying: tickets for other applications, and users who come through proxies.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use casque_client::{Client, ClientError, Distrust, Protocol, ServiceRule, TransportFailure};
use casque_proto::{
    ErrorClass, Format, PgtUrl, ProxyGrantingTicket, ServiceTicket, ServiceUrl, TicketKind,
};
use casque_testkit::{FakeCas, Fault, Page};
use http::StatusCode;

use common::{ADAPTERS, SERVICE, Settings, assert_discreet, runtime};

const PGT_URL: &str = "https://portal.example.org/cas/pgt?x=1&y=%20";
const TARGET: &str = "https://data.example.org/api/marks?year=2026&x=a%20b";

fn asking() -> Settings {
    Settings {
        pgt_url: Some(PgtUrl::parse(PGT_URL).unwrap()),
        ..Settings::default()
    }
}

fn allowing(chains: &[&[&'static str]]) -> Settings {
    Settings {
        proxy_chains: chains.iter().map(|chain| chain.to_vec()).collect(),
        ..Settings::default()
    }
}

/// R-192, R-199, R-204, R-206: the whole way from a login to proxy tickets.
#[test]
fn from_a_login_to_proxy_tickets() {
    for adapter in ADAPTERS {
        for format in [None, Some(Format::Json)] {
            let cas = FakeCas::start();
            let callbacks = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&callbacks);
            cas.deliver_pgts(move |url| {
                seen.lock().unwrap().push(url);
                async { 200 }
            });
            let settings = Settings { format, ..asking() };
            let ticket = cas.grant(SERVICE, "alice");
            let user = adapter.validate(&cas, &settings, &ticket).unwrap();
            assert_eq!(user.user(), "alice");
            assert!(user.proxies().is_empty());
            let sent = &cas.requests_for(Page::P3ServiceValidate)[0];
            assert_eq!(sent.parameter("pgtUrl").as_deref(), Some(PGT_URL));

            let callback = callbacks.lock().unwrap().pop().unwrap();
            let query = url::Url::parse(&callback).unwrap();
            let value = |name| query.query_pairs().find(|(n, _)| n == name).unwrap().1;
            let iou = user.proxy_granting_ticket_iou().unwrap();
            assert_eq!(iou.secret(), value("pgtIou"));

            let pgt = ProxyGrantingTicket::parse(&value("pgtId")).unwrap();
            for _ in 0..2 {
                let proxy = adapter
                    .proxy_ticket(cas.base_url(), &settings, &pgt, TARGET)
                    .unwrap();
                assert_eq!(proxy.kind(), TicketKind::Proxy);
                let chain = allowing(&[&[PGT_URL]]);
                let user = adapter
                    .validate_at(cas.base_url(), &chain, &proxy.into(), TARGET)
                    .unwrap();
                assert_eq!(
                    (user.user(), user.proxies()),
                    ("alice", &[PGT_URL.to_owned()][..])
                );
            }
            let asked = &cas.requests_for(Page::Proxy)[0];
            assert_eq!(asked.parameter("targetService").as_deref(), Some(TARGET));
        }
    }
}

/// R-198, R-199: a server that cannot call back refuses, or signs the user in without a proxy-granting ticket.
#[test]
fn without_a_proxy_granting_ticket() {
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        cas.deliver_pgts(|_| async { 500 });
        let ticket = cas.grant(SERVICE, "alice");
        let error = adapter.validate(&cas, &asking(), &ticket).unwrap_err();
        assert_eq!(error.code(), Some("INVALID_PROXY_CALLBACK"));
        assert_discreet(&error, &ticket);

        let body = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
                    <cas:user>alice</cas:user></cas:authenticationSuccess></cas:serviceResponse>";
        let answer = Fault::answer(StatusCode::OK, "application/xml", body);
        cas.fault(Page::P3ServiceValidate, answer);
        let user = adapter.validate(&cas, &asking(), &ticket).unwrap();
        assert_eq!(user.user(), "alice");
        assert_eq!(user.proxy_granting_ticket_iou(), None);
    }
}

/// R-210, S-014: nobody comes through a proxy that is not allowed; the whole chain counts, in order.
#[test]
fn chains_are_allowed_whole_and_by_name() {
    const A: &str = "https://a.example.org/pgt";
    const B: &str = "https://b.example.org/pgt";
    let any = Settings {
        any_proxy_chain: true,
        ..Settings::default()
    };
    let rows: [(Settings, &[&str], bool); 11] = [
        (allowing(&[&[A]]), &[], true),
        (allowing(&[&[A]]), &[A], true),
        (allowing(&[&[A]]), &[B], false),
        (allowing(&[&[A]]), &[A, A], false),
        (allowing(&[&[A, B]]), &[A, B], true),
        (allowing(&[&[A, B]]), &[B, A], false),
        (allowing(&[&[A, B]]), &[A], false),
        (allowing(&[&[B], &[A]]), &[A], true),
        (allowing(&[&[A]]), &["https://A.example.org/pgt"], false),
        (allowing(&[&[A]]), &["https://a.example.org/pgt/"], false),
        (any, &[B, A], true),
    ];
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        for (settings, proxies, allowed) in &rows {
            for protocol in [Protocol::Cas2, Protocol::Cas3] {
                let settings = Settings {
                    protocol,
                    ..settings.clone()
                };
                let ticket = if proxies.is_empty() {
                    cas.grant(SERVICE, "alice")
                } else {
                    cas.grant_proxied(SERVICE, "alice", proxies)
                };
                let outcome = adapter.validate(&cas, &settings, &ticket);
                match (allowed, outcome) {
                    (true, Ok(user)) => assert_eq!(user.proxies(), *proxies),
                    (false, Err(error)) => {
                        assert_discreet(&error, &ticket);
                        assert_eq!(
                            (error.label(), error.status()),
                            ("proxy_not_allowed", Some(200))
                        );
                        let distrust = Distrust::Proxy;
                        assert!(
                            matches!(&error, ClientError::Untrusted { distrust: d, .. } if *d == distrust)
                        );
                    }
                    (_, outcome) => panic!("{proxies:?} by {settings:?}: {outcome:?}"),
                }
            }
        }
        assert!(cas.requests_for(Page::P3ServiceValidate).is_empty());
        assert!(!cas.requests_for(Page::ProxyValidate).is_empty());
    }
}

/// R-210: a rule for each proxy in place of its exact URL.
#[test]
fn chains_can_be_rules() {
    let cas = FakeCas::start();
    let portals = || ServiceRule::regex(r"https://portal[0-9]\.example\.org/pgt").unwrap();
    let client = Client::builder(cas.base_url())
        .allow_plain_http()
        .allow_proxy_chain_matching([portals()])
        .build()
        .unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    for (proxy, allowed) in [
        ("https://portal7.example.org/pgt", true),
        ("https://portal7.example.org/pgt/x", false),
        ("https://portal7.example.org.evil.example/pgt", false),
        (
            "https://evil.example/?https://portal7.example.org/pgt",
            false,
        ),
    ] {
        let ticket = cas.grant_proxied(SERVICE, "alice", &[proxy]);
        let outcome = runtime().block_on(client.validate(&ticket, &service));
        assert_eq!(outcome.is_ok(), allowed, "{proxy}");
    }
}

/// R-211: an endpoint that takes no proxy tickets names no proxies; one that does so all the same is not believed.
#[test]
fn proxies_where_none_can_be() {
    let body = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
                <cas:user>alice</cas:user><cas:proxies><cas:proxy>https://p/</cas:proxy></cas:proxies>\
                </cas:authenticationSuccess></cas:serviceResponse>";
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        for (protocol, page) in [
            (Protocol::Cas2, Page::ServiceValidate),
            (Protocol::Cas3, Page::P3ServiceValidate),
        ] {
            cas.fault(page, Fault::answer(StatusCode::OK, "text/xml", body));
            let settings = Settings {
                protocol,
                ..Settings::default()
            };
            let ticket = cas.grant(SERVICE, "alice");
            let error = adapter.validate(&cas, &settings, &ticket).unwrap_err();
            assert_eq!(error.label(), "proxy_not_allowed");
            // A proxy ticket is refused by the server itself there (S-005).
            cas.clear_faults();
            let ticket = cas.grant_proxied(SERVICE, "alice", &["https://p/"]);
            let error = adapter.validate(&cas, &settings, &ticket).unwrap_err();
            assert_eq!(error.code(), Some("INVALID_TICKET"));
        }
    }
}

/// R-177, R-178, R-180: refusals and unusable answers of `/proxy`, by fault, with code, words and status, without a ticket.
#[test]
fn what_can_go_wrong_at_proxy() {
    fn cas_document(inner: &str) -> String {
        format!(
            "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'>{inner}</cas:serviceResponse>"
        )
    }
    for adapter in ADAPTERS {
        let cas = FakeCas::start();
        let pgt = cas.grant_pgt("alice", &[PGT_URL]);
        let as_ticket = ServiceTicket::parse_unprefixed(pgt.secret()).unwrap();
        let settings = Settings {
            timeout: Some(Duration::from_millis(500)),
            ..Settings::default()
        };
        let ask = || adapter.proxy_ticket(cas.base_url(), &settings, &pgt, TARGET);
        assert!(ask().is_ok());

        let echo = format!(
            "<cas:proxyFailure code='UNAUTHORIZED_SERVICE'>not {} there</cas:proxyFailure>",
            pgt.secret()
        );
        let echo = Fault::answer(StatusCode::FORBIDDEN, "text/xml", cas_document(&echo));
        cas.fault_once(Page::Proxy, echo);
        let error = ask().unwrap_err();
        assert_eq!(error.code(), Some("UNAUTHORIZED_SERVICE"));
        assert_eq!(error.status(), Some(403));
        assert_eq!(error.server_message(), Some("not PGT-… there"));
        assert_discreet(&error, &as_ticket);

        let failure = r#"{"serviceResponse":{"authenticationFailure":{"code":"BAD_PGT","description":"gone"}}}"#;
        let failure = Fault::answer(StatusCode::OK, "application/json", failure);
        cas.fault_once(Page::Proxy, failure);
        let error = ask().unwrap_err();
        assert_eq!(error.code(), Some("BAD_PGT"));
        assert!(error.to_string().contains("begin a new login"), "{error}");

        for (inner, class) in [
            (
                "<cas:authenticationSuccess><cas:user>alice</cas:user></cas:authenticationSuccess>",
                ErrorClass::NotCas,
            ),
            ("<cas:proxySuccess/>", ErrorClass::Malformed),
            (
                "<cas:proxySuccess><cas:proxyTicket>PT-1&amp;renew=false</cas:proxyTicket></cas:proxySuccess>",
                ErrorClass::Malformed,
            ),
        ] {
            let answer = Fault::answer(StatusCode::OK, "text/xml", cas_document(inner));
            cas.fault_once(Page::Proxy, answer);
            let error = ask().unwrap_err();
            assert!(
                matches!(&error, ClientError::Malformed { class: c, .. } if *c == class),
                "{inner}: {error:?}"
            );
        }
        cas.fault_once(Page::Proxy, Fault::Status(StatusCode::BAD_GATEWAY));
        assert_eq!(ask().unwrap_err().label(), "unexpected_status");
        cas.fault_once(Page::Proxy, Fault::Redirect("/x?pgt=1".to_owned()));
        let error = ask().unwrap_err();
        assert_eq!(error.status(), Some(302));
        assert!(!error.to_string().contains("pgt="), "{error}");
        cas.fault_once(Page::Proxy, Fault::Silent);
        let error = ask().unwrap_err();
        let timeout = TransportFailure::Timeout;
        assert!(matches!(&error, ClientError::Transport { failure, .. } if *failure == timeout));

        cas.end_pgts();
        let error = ask().unwrap_err();
        assert_eq!(error.code(), Some("INVALID_TICKET"));
        assert_discreet(&error, &as_ticket);
    }
}

/// CAS 1 has no proxies, and an empty chain is none.
#[test]
fn settings_that_cannot_be() {
    let cas1 = || Client::builder("https://cas.example.org/cas").protocol(Protocol::Cas1);
    let pgt_url = || PgtUrl::parse(PGT_URL).unwrap();
    for (builder, setting) in [
        (cas1().pgt_url(pgt_url()), "pgt_url"),
        (cas1().allow_proxy_chain([PGT_URL]), "allow_proxy_chain"),
        (cas1().allow_any_proxy_chain(), "allow_proxy_chain"),
        (
            Client::builder("https://cas.example.org/cas").allow_proxy_chain::<[&str; 0]>([]),
            "allow_proxy_chain",
        ),
        (
            Client::builder("https://cas.example.org/cas").allow_proxy_chain_matching([]),
            "allow_proxy_chain",
        ),
    ] {
        match builder.build() {
            Err(ClientError::Misuse { setting: seen, .. }) => assert_eq!(seen, setting),
            other => panic!("{other:?}"),
        }
    }
    let client = cas1().build().unwrap();
    assert!(matches!(
        client.with_pgt_url(pgt_url()),
        Err(ClientError::Misuse { .. })
    ));
}
