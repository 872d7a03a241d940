use std::io::{Read, Write};
use std::net::TcpStream;

use http::StatusCode;

use super::{FakeCas, Fault, Gate, Page};

const SERVICE: &str = "https://app.example.org/cas/callback?x=1&y=%20";

/// Asks without any client library in between; what comes back is everything the socket gives.
fn ask(cas: &FakeCas, request_line: &str, body: &str) -> String {
    let mut socket = begin(cas, request_line, body);
    let mut answer = Vec::new();
    // A connection that is broken off may end in a reset: what came before it is what counts.
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn begin(cas: &FakeCas, request_line: &str, body: &str) -> TcpStream {
    let mut socket = TcpStream::connect(cas.address()).unwrap();
    write!(
        socket,
        "{request_line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    socket
}

fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn validation(path: &str, service: &str, ticket: &str) -> String {
    format!(
        "GET /cas/{path}?service={}&ticket={ticket}",
        encode(service)
    )
}

#[test]
fn a_ticket_names_its_person_once() {
    let cas = FakeCas::start();
    let ticket = cas.grant(SERVICE, "alice");
    let line = validation("p3/serviceValidate", SERVICE, ticket.secret());

    let first = ask(&cas, &line, "");
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    assert!(first.contains("<cas:user>alice</cas:user>"), "{first}");
    assert!(
        first.contains("<cas:memberOf>admin</cas:memberOf>"),
        "{first}"
    );

    let second = ask(&cas, &line, "");
    assert!(second.contains("code=\"INVALID_TICKET\""), "{second}");
    assert_eq!(cas.requests_for(Page::P3ServiceValidate).len(), 2);
    assert_eq!(cas.connections(), 2);
}

#[test]
fn a_ticket_for_another_service_is_refused_and_spent() {
    let cas = FakeCas::start();
    let ticket = cas.grant(SERVICE, "alice");
    let answer = ask(
        &cas,
        &validation(
            "serviceValidate",
            "https://app.example.org/",
            ticket.secret(),
        ),
        "",
    );
    assert!(answer.contains("code=\"INVALID_SERVICE\""), "{answer}");
    assert_eq!(cas.open_tickets(), 0);
}

#[test]
fn renew_needs_a_ticket_from_a_new_login() {
    let cas = FakeCas::start();
    for (ticket, granted) in [
        (cas.grant(SERVICE, "bob"), false),
        (cas.grant_renewed(SERVICE, "bob"), true),
    ] {
        let line =
            validation("p3/serviceValidate", SERVICE, ticket.secret()) + "&renew=true&format=JSON";
        assert_eq!(ask(&cas, &line, "").contains("\"user\":\"bob\""), granted);
    }
}

#[test]
fn the_form_signs_in_and_the_session_grants() {
    let cas = FakeCas::start();
    let login = format!("GET /cas/login?service={}", encode(SERVICE));
    assert!(ask(&cas, &login, "").contains("<form"));

    let form = format!("username=alice&password=wrong&service={}", encode(SERVICE));
    assert!(ask(&cas, "POST /cas/login", &form).starts_with("HTTP/1.1 401"));

    let form = format!(
        "username=alice&password=wonderland&service={}",
        encode(SERVICE)
    );
    let answer = ask(&cas, "POST /cas/login", &form);
    assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    assert!(
        answer.contains(&format!("location: {SERVICE}&ticket=ST-")),
        "{answer}"
    );
    assert_eq!(cas.signed_in().as_deref(), Some("alice"));

    assert!(ask(&cas, &login, "").contains("&ticket=ST-"));
    assert!(ask(&cas, &format!("{login}&renew=true"), "").contains("<form"));

    assert!(
        ask(
            &cas,
            &format!("GET /cas/logout?service={}", encode(SERVICE)),
            ""
        )
        .starts_with("HTTP/1.1 303")
    );
    let gateway = ask(&cas, &format!("{login}&gateway=true"), "");
    assert!(
        gateway.contains(&format!("location: {SERVICE}\r\n")),
        "{gateway}"
    );
}

#[test]
fn faults_are_carried_out() {
    let cas = FakeCas::start();
    let whole = ask(&cas, "GET /cas/serviceValidate", "");
    let (_, document) = whole.split_once("\r\n\r\n").unwrap();

    cas.fault_once(Page::ServiceValidate, Fault::Cut);
    cas.fault_once(
        Page::ServiceValidate,
        Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
    );
    cas.fault_once(Page::ServiceValidate, Fault::ContentType("image/png"));
    cas.fault_once(
        Page::ServiceValidate,
        Fault::answer(StatusCode::OK, "text/html", "<html>"),
    );
    cas.fault_once(
        Page::ServiceValidate,
        Fault::Redirect("https://elsewhere.example.org/".to_owned()),
    );
    cas.fault_once(Page::ServiceValidate, Fault::Trickle);
    cas.fault_once(Page::ServiceValidate, Fault::HangUp);
    cas.fault_once(Page::ServiceValidate, Fault::Huge(100_000));

    let cut = ask(&cas, "GET /cas/serviceValidate", "");
    assert!(
        cut.contains(&format!("content-length: {}", document.len())),
        "{cut}"
    );
    assert!(cut.ends_with(&document[..document.len() / 2]), "{cut}");
    assert!(ask(&cas, "GET /cas/serviceValidate", "").starts_with("HTTP/1.1 500"));
    assert!(ask(&cas, "GET /cas/serviceValidate", "").contains("content-type: image/png"));
    assert!(ask(&cas, "GET /cas/serviceValidate", "").ends_with("<html>"));
    assert!(
        ask(&cas, "GET /cas/serviceValidate", "")
            .contains("location: https://elsewhere.example.org/")
    );
    assert!(ask(&cas, "GET /cas/serviceValidate", "").ends_with(document));
    assert_eq!(ask(&cas, "GET /cas/serviceValidate", ""), "");
    assert!(ask(&cas, "GET /cas/serviceValidate", "").len() > 100_000);
    assert!(
        ask(&cas, "GET /cas/serviceValidate", "").ends_with(document),
        "the queue is used up"
    );
}

#[test]
fn a_gate_holds_the_answer_back() {
    let cas = FakeCas::start();
    let gate = Gate::new();
    cas.fault(Page::Validate, Fault::Hold(gate.clone()));
    let mut socket = begin(&cas, "GET /cas/validate", "");
    gate.wait_arrived(1);
    socket.set_nonblocking(true).unwrap();
    assert_eq!(
        socket.read(&mut [0; 16]).unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
    gate.open();
    socket.set_nonblocking(false).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("no\n\n"), "{answer}");
}

#[test]
fn a_silent_server_can_be_dropped() {
    let cas = FakeCas::start();
    cas.fault(Page::Validate, Fault::Silent);
    let _socket = begin(&cas, "GET /cas/validate", "");
    drop(cas);
}

#[test]
fn debug_hides_tickets_and_passwords() {
    let cas = FakeCas::start();
    let ticket = cas.grant(SERVICE, "alice");
    ask(&cas, &validation("validate", SERVICE, ticket.secret()), "");
    let shown = format!(
        "{cas:?} {:?} {:?}",
        cas.requests(),
        super::Person::new("x").password("hunter2")
    );
    assert!(
        !shown.contains(ticket.secret()) && !shown.contains("hunter2"),
        "{shown}"
    );
}

/// callbacks, proxy tickets, and the chain that a validation names.
#[test]
fn applications_act_as_proxies() {
    const PGT_URL: &str = "https://portal.example.org/pgt";
    const TARGET: &str = "https://data.example.org/api?x=1";
    let cas = FakeCas::start();
    let (send, received) = std::sync::mpsc::channel();
    cas.deliver_pgts(move |url| {
        let was_taken = send.send(url).is_ok();
        async move { if was_taken { 200 } else { 500 } }
    });
    let ticket = cas.grant(SERVICE, "alice");
    let line = validation("serviceValidate", SERVICE, ticket.secret());
    let answer = ask(&cas, &format!("{line}&pgtUrl={}", encode(PGT_URL)), "");
    let callback = url::Url::parse(&received.recv().unwrap()).unwrap();
    let tickets: Vec<_> = callback.query_pairs().map(|(_, v)| v).collect();
    let [iou, pgt] = tickets.as_slice() else {
        panic!("{tickets:?}")
    };
    assert!(
        answer.contains(&format!(
            "<cas:proxyGrantingTicket>{iou}</cas:proxyGrantingTicket>"
        )),
        "{answer}"
    );

    let line = format!("GET /cas/proxy?pgt={pgt}&targetService={}", encode(TARGET));
    let answer = ask(&cas, &line, "");
    let (_, rest) = answer.split_once("<cas:proxyTicket>").unwrap();
    let (ticket, _) = rest.split_once('<').unwrap();
    let answer = ask(&cas, &validation("p3/proxyValidate", TARGET, ticket), "");
    assert!(
        answer.contains(&format!("<cas:proxy>{PGT_URL}</cas:proxy>")),
        "{answer}"
    );

    let ticket = cas.grant_proxied(TARGET, "bob", &[PGT_URL, "https://first.example.org/"]);
    let line = validation("serviceValidate", TARGET, ticket.secret());
    assert!(ask(&cas, &line, "").contains("INVALID_TICKET"));
    cas.end_pgts();
    let line = format!("GET /cas/proxy?pgt={pgt}&targetService={}", encode(TARGET));
    assert!(ask(&cas, &line, "").contains("proxyFailure code=\"INVALID_TICKET\""));

    // The application is not there: nothing listens at the address.
    drop(received);
    let ticket = cas.grant(SERVICE, "alice");
    let line = validation("serviceValidate", SERVICE, ticket.secret());
    let answer = ask(&cas, &format!("{line}&pgtUrl={}", encode(PGT_URL)), "");
    assert!(answer.contains("INVALID_PROXY_CALLBACK"), "{answer}");
}
