//! With every log at TRACE, no ticket is to be seen (S-017).
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use casque_client::{Client, RestTgt, blocking};
use casque_proto::{ServiceTicket, ServiceUrl};
use casque_testkit::{FakeCas, Fault, Page, TlsMode};

use common::{ADAPTERS, SERVICE, Settings};

#[derive(Clone, Default)]
struct Captured(Arc<Mutex<Vec<u8>>>);

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn no_log_at_trace_and_no_debug_text_holds_a_ticket() {
    let captured = Captured::default();
    let writer = captured.clone();
    // Takes what the network stack writes by the `log` crate too.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .init();

    let mut tickets = Vec::new();
    for mode in [None, Some(TlsMode::Good)] {
        let cas = mode.map_or_else(FakeCas::start, FakeCas::start_tls);
        let mut root = tempfile::NamedTempFile::new().unwrap();
        root.write_all(cas.root_pem().unwrap_or_default().as_bytes())
            .unwrap();
        let settings = Settings {
            timeout: Some(Duration::from_millis(500)),
            extra_roots: mode.map(|_| root.path().to_owned()).into_iter().collect(),
            ..Settings::default()
        };
        let faults = [
            None,
            Some(Fault::HangUp),
            Some(Fault::Cut),
            Some(Fault::Silent),
            Some(Fault::Redirect("/x".to_owned())),
        ];
        for adapter in ADAPTERS {
            for fault in faults.clone() {
                cas.clear_faults();
                if let Some(fault) = fault {
                    cas.fault(Page::P3ServiceValidate, fault.clone());
                    for page in [Page::Proxy, Page::RestTickets] {
                        cas.fault(page, fault.clone());
                    }
                    cas.fault_once(Page::RestTicket, fault);
                }
                let ticket = cas.grant(SERVICE, "alice");
                let outcome = adapter.validate(&cas, &settings, &ticket);
                writeln!(captured.clone(), "{outcome:?}").unwrap();
                tickets.push(ticket);
                let pgt = cas.grant_pgt("alice", &["https://portal.example.org/pgt"]);
                let outcome = adapter.proxy_ticket(cas.base_url(), &settings, &pgt, SERVICE);
                writeln!(captured.clone(), "{outcome:?}").unwrap();
                tickets.extend(outcome.map(ServiceTicket::from));
                tickets.push(ServiceTicket::parse_unprefixed(pgt.secret()).unwrap());
                tickets.extend(by_rest(&cas, &settings, captured.clone()));
            }
        }
        let client = settings
            .apply(Client::builder(cas.base_url()))
            .build()
            .unwrap();
        let blocking = settings
            .apply(blocking::Client::builder(cas.base_url()))
            .build()
            .unwrap();
        let service = ServiceUrl::parse(SERVICE).unwrap();
        let ticket = cas.grant(SERVICE, "alice");
        let tgt = blocking.rest().log_in("alice", "wonderland");
        writeln!(captured.clone(), "{tgt:?} {:?}", client.rest()).unwrap();
        let validation = client.validate(&ticket, &service);
        drop(validation);
        writeln!(
            captured.clone(),
            "{client:?} {blocking:?} {:?} {ticket:?}",
            cas.requests()
        )
        .unwrap();
        tickets.push(ticket);
    }

    assert!(tickets.len() > 60);
    let text = String::from_utf8(captured.0.lock().unwrap().clone()).unwrap();
    assert!(
        text.contains("hyper_util") && text.contains("a ticket was not confirmed"),
        "the logs were captured"
    );
    assert!(
        !text.contains("wonderland"),
        "{}",
        excerpt(&text, "wonderland")
    );
    for ticket in tickets {
        let (_, secret) = ticket.secret().rsplit_once('-').unwrap();
        assert!(!text.contains(secret), "{}", excerpt(&text, secret));
    }
}

/// A login by REST, and what comes of it; the tickets that were seen.
fn by_rest(cas: &FakeCas, settings: &Settings, mut log: Captured) -> Vec<ServiceTicket> {
    let client = settings.apply(blocking::Client::builder(cas.base_url()));
    let rest = client.build().unwrap().rest();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let mut seen = Vec::new();
    let tgt = rest.log_in("alice", "wonderland");
    writeln!(
        log,
        "{tgt:?} {:?}",
        rest.authenticate("alice", "wonderland")
    )
    .unwrap();
    // Where the login fails, a ticket that nobody has does as well.
    let tgt = tgt.unwrap_or_else(|_| RestTgt::parse("TGT-1-3141592653589793").unwrap());
    for _ in 0..2 {
        let ticket = rest.service_ticket(&tgt, &service);
        writeln!(log, "{ticket:?} {:?}", rest.is_alive(&tgt)).unwrap();
        seen.extend(ticket);
    }
    writeln!(log, "{:?}", rest.log_out(&tgt)).unwrap();
    seen.push(ServiceTicket::parse_unprefixed(tgt.secret()).unwrap());
    seen
}

fn excerpt<'a>(text: &'a str, secret: &str) -> &'a str {
    text.lines()
        .find(|line| line.contains(secret))
        .unwrap_or_default()
}
