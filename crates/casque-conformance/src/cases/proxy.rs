//! Proxying: the callback, proxy tickets, chains.

use casque_proto::{Cas1Response, ProxyResponse, ReadOptions};
use casque_visitor::Visitor;

use crate::bench::{Bench, Validation, is_absent};
use crate::case::{Case, case};
use crate::listener::Arrival;
use crate::verdict::{Judged, Level, absent, broken, broken_at, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "proxy-missing",
        ["R-190"],
        Must,
        "§2.7.3",
        "/proxy without parameters is INVALID_REQUEST",
        missing
    ),
    case!(
        "proxy-unknown",
        ["R-191"],
        Must,
        "§2.7",
        "/proxy refuses an unknown proxy-granting ticket",
        unknown
    ),
    case!(
        "proxy-callback",
        ["R-192", "R-194", "R-125"],
        Must,
        "§2.5.4",
        "the callback gets pgtId and pgtIou by GET, and the answer the same pgtIou",
        callback
    ),
    case!(
        "proxy-callback-refused",
        ["R-197", "R-198"],
        Must,
        "§2.5.4",
        "no proxy-granting ticket where the callback does not answer 200",
        refused
    ),
    case!(
        "proxy-callback-plain",
        ["R-193"],
        Must,
        "§2.5.4",
        "no proxy-granting ticket for a callback by plain http",
        plain
    ),
    case!(
        "proxy-prefixes",
        ["R-213"],
        Should,
        "§3.2.1, §3.3.1, §3.4.1",
        "the tickets begin with PT-, PGT- and PGTIOU-",
        prefixes
    ),
    case!(
        "proxy-ticket",
        ["R-140", "R-205", "R-207"],
        Must,
        "§2.6.2, §2.7",
        "a proxy ticket names the user and the proxy",
        ticket
    ),
    case!(
        "proxy-ticket-again",
        ["R-206"],
        Must,
        "§3.3.1",
        "a proxy-granting ticket is good more than once",
        again
    ),
    case!(
        "proxy-ticket-once",
        ["R-222"],
        Must,
        "§3.2.1",
        "a proxy ticket is good once, and for its service only",
        once
    ),
    case!(
        "proxy-ticket-service-validate",
        ["R-097"],
        Must,
        "§2.5",
        "/serviceValidate refuses a proxy ticket",
        at_service_validate
    ),
    case!(
        "proxy-ticket-validate",
        ["R-098"],
        Must,
        "§2.4",
        "/validate refuses a proxy ticket",
        at_validate
    ),
    case!(
        "proxy-chain",
        ["R-126", "R-207"],
        Must,
        "§2.6.2",
        "a chain lists the proxies, the most recent first",
        chain
    ),
    case!(
        "proxy-logout",
        ["R-060", "R-223"],
        Must,
        "§3.3.1",
        "a proxy-granting ticket ends with the session",
        logout
    ),
];

/// A proxy-granting ticket, how it came, and the browser behind it.
struct Granted {
    pgt: String,
    arrival: Arrival,
    visitor: Visitor,
    iou: String,
}

async fn missing(b: &mut Bench) -> Judged {
    needs_proxy(b).await?;
    for parameters in [
        &[][..],
        &[("pgt", "PGT-1-casqueConformance")],
        &[("targetService", "https://app.example.org/")],
    ] {
        match ask(b, parameters).await? {
            Ok(_) => return broken("a ticket is given"),
            Err(code) => ensure(code == "INVALID_REQUEST", format!("the code is {code}"))?,
        }
    }
    Ok(())
}

async fn unknown(b: &mut Bench) -> Judged {
    needs_proxy(b).await?;
    let target = b.service("target");
    match ask(
        b,
        &[
            ("pgt", "PGT-1-casqueConformance"),
            ("targetService", &target),
        ],
    )
    .await?
    {
        Ok(_) => broken("a ticket is given"),
        Err(_) => Ok(()),
    }
}

/// There is a `/proxy`, whatever it answers.
async fn needs_proxy(b: &Bench) -> Judged {
    let answer = b.ask("proxy", &[]).await?;
    let status = answer.status.as_u16();
    if is_absent(&answer) || answer.is_html() {
        return absent(format!("/proxy answers with status {status}, not as CAS"));
    }
    Ok(())
}

/// The ticket, or the code of the refusal.
async fn ask(b: &Bench, parameters: &[(&str, &str)]) -> Judged<Result<String, String>> {
    let answer = b.ask("proxy", parameters).await?;
    let options = ReadOptions::default().status(answer.status.as_u16());
    match ProxyResponse::parse(&answer.body, &options) {
        Ok(ProxyResponse::Success(ticket)) => Ok(Ok(ticket.secret().to_owned())),
        Ok(ProxyResponse::Failure(failure)) => Ok(Err(failure
            .code()
            .map_or_else(|| "(none)".to_owned(), |code| code.as_str().to_owned()))),
        Err(error) => broken(format!("/proxy: the answer is not CAS: {error}")),
    }
}

async fn validate_with(
    b: &mut Bench,
    service: &str,
    ticket: &str,
    pgt_url: &str,
    endpoint: &'static str,
) -> Judged<Validation> {
    let parameters = [
        ("service", service),
        ("ticket", ticket),
        ("pgtUrl", pgt_url),
    ];
    b.validate(endpoint, &parameters).await
}

/// Asks for a proxy-granting ticket for a service; skipped where the server does not come to the callback.
async fn grant(b: &mut Bench, name: &str) -> Judged<Granted> {
    needs_proxy(b).await?;
    let endpoint = b.those(&["serviceValidate", "p3/serviceValidate"]).await?[0];
    let service = b.service(name);
    let (visitor, delivered) = b.sign_in(&service).await?;
    let pgt_url = callback_url(b, name);
    let validation = validate_with(b, &service, &delivered.ticket, &pgt_url, endpoint).await?;
    granted(b, name, validation, visitor)
}

fn callback_url(b: &Bench, name: &str) -> String {
    format!("{}callback/{name}?kept=a%26b", b.callback_base)
}

fn granted(b: &Bench, name: &str, validation: Validation, visitor: Visitor) -> Judged<Granted> {
    let path = url::Url::parse(&callback_url(b, name))
        .map_or_else(|_| String::new(), |url| url.path().to_owned());
    let arrivals = b.callback.arrivals.at(&path);
    // A probe without parameters comes first from some servers.
    let Some(arrival) = arrivals
        .into_iter()
        .rfind(|arrival| arrival.parameter("pgtId").is_some())
    else {
        let said = match validation.refused() {
            Ok(code) => format!("it answers {code}"),
            Err(_) => "it answers without a proxy-granting ticket".to_owned(),
        };
        return skipped(format!(
            "the server did not trust or reach the callback {}: {said} (see --callback-ca-out and --callback-url-base)",
            b.callback_base
        ));
    };
    let pgt = arrival.parameter("pgtId").unwrap_or_default().to_owned();
    let assertion = validation.success()?;
    let Some(iou) = assertion.proxy_granting_ticket_iou() else {
        return broken("the callback answered 200, and the answer has no proxyGrantingTicket");
    };
    let iou = iou.secret().to_owned();
    Ok(Granted {
        pgt,
        arrival,
        visitor,
        iou,
    })
}

async fn callback(b: &mut Bench) -> Judged {
    let granted = grant(b, "callback").await?;
    let arrival = &granted.arrival;
    ensure(
        arrival.method == http::Method::GET,
        format!("the callback came by {}", arrival.method),
    )?;
    ensure(
        arrival.parameter("pgtIou") == Some(granted.iou.as_str()),
        "the pgtIou of the callback is not that of the answer",
    )?;
    ensure(
        arrival.parameter("kept") == Some("a&b"),
        "the callback's own parameters are not preserved",
    )?;
    ensure(
        granted.iou != granted.pgt,
        "the pgtIou is the ticket itself",
    )
}

async fn refused(b: &mut Bench) -> Judged {
    // Whether the server comes at all; if it does not, nothing is shown by a refusal.
    grant(b, "callback").await?;
    let endpoint = b.those(&["serviceValidate", "p3/serviceValidate"]).await?[0];
    let service = b.service("refuses");
    let ticket = b.ticket(&service).await?;
    let pgt_url = format!("{}callback/refuses", b.callback_base);
    let validation = validate_with(b, &service, &ticket, &pgt_url, endpoint).await?;
    no_grant(validation)
}

fn no_grant(validation: Validation) -> Judged {
    if validation.refused().is_ok() {
        return Ok(());
    }
    let assertion = validation.success()?;
    ensure(
        assertion.proxy_granting_ticket_iou().is_none(),
        "the answer has a proxyGrantingTicket",
    )?;
    // §2.5.4 step 1 wants the validation to fail, step 3 an answer without the block.
    broken_at(
        Level::Choice,
        "the validation succeeds without a proxy-granting ticket, as step 3 of §2.5.4 has it",
    )
}

async fn plain(b: &mut Bench) -> Judged {
    needs_proxy(b).await?;
    let endpoint = b.those(&["serviceValidate", "p3/serviceValidate"]).await?[0];
    let service = b.service("plain/app");
    let ticket = b.ticket(&service).await?;
    let pgt_url = format!("http://127.0.0.1:{}/callback/plain", b.plain.address.port());
    let validation = validate_with(b, &service, &ticket, &pgt_url, endpoint).await?;
    let came = b
        .plain
        .arrivals
        .at("/callback/plain")
        .iter()
        .any(|arrival| arrival.parameter("pgtId").is_some());
    if came {
        return broken_at(
            Level::Should,
            "a proxy-granting ticket is sent by plain http, here to loopback, as a switch for development may allow; \
             whether elsewhere too cannot be seen from here",
        );
    }
    no_grant(validation)
}

async fn prefixes(b: &mut Bench) -> Judged {
    let granted = grant(b, "prefixes").await?;
    ensure(
        granted.pgt.starts_with("PGT-"),
        "the proxy-granting ticket does not begin with PGT-",
    )?;
    ensure(
        granted.iou.starts_with("PGTIOU-"),
        "the IOU does not begin with PGTIOU-",
    )?;
    let target = b.service("target");
    let ticket = proxy_ticket(b, &granted.pgt, &target).await?;
    ensure(
        ticket.starts_with("PT-"),
        "the proxy ticket does not begin with PT-",
    )
}

async fn proxy_ticket(b: &Bench, pgt: &str, target: &str) -> Judged<String> {
    match ask(b, &[("pgt", pgt), ("targetService", target)]).await? {
        Ok(ticket) => Ok(ticket),
        Err(code) => broken(format!(
            "/proxy refuses a good proxy-granting ticket: {code}"
        )),
    }
}

const PROXY_VALIDATORS: [&str; 2] = ["proxyValidate", "p3/proxyValidate"];

async fn ticket(b: &mut Bench) -> Judged {
    let granted = grant(b, "proxy").await?;
    let target = b.service("target");
    for endpoint in b.those(&PROXY_VALIDATORS).await? {
        let ticket = proxy_ticket(b, &granted.pgt, &target).await?;
        let parameters = [("service", target.as_str()), ("ticket", &ticket)];
        let assertion = b.validate(endpoint, &parameters).await?.success()?;
        ensure(
            assertion.user().eq_ignore_ascii_case(&b.settings.username),
            format!("/{endpoint} names {:?}", assertion.user()),
        )?;
        let wanted = callback_url(b, "proxy");
        ensure(
            assertion.proxies() == [wanted.as_str()],
            format!(
                "/{endpoint}: the proxies are {:?}, not {wanted}",
                assertion.proxies()
            ),
        )?;
    }
    Ok(())
}

async fn again(b: &mut Bench) -> Judged {
    let granted = grant(b, "again").await?;
    let target = b.service("target");
    let one = proxy_ticket(b, &granted.pgt, &target).await?;
    let other = proxy_ticket(b, &granted.pgt, &target).await?;
    ensure(one != other, "the same proxy ticket twice")
}

async fn once(b: &mut Bench) -> Judged {
    let granted = grant(b, "once").await?;
    let (target, other) = (b.service("target"), b.service("other"));
    for endpoint in b.those(&PROXY_VALIDATORS).await? {
        let ticket = proxy_ticket(b, &granted.pgt, &target).await?;
        let good = [("service", target.as_str()), ("ticket", ticket.as_str())];
        b.validate(endpoint, &good).await?.success()?;
        b.validate(endpoint, &good).await?.refused()?;
        let ticket = proxy_ticket(b, &granted.pgt, &target).await?;
        b.validate(endpoint, &[("service", &other), ("ticket", &ticket)])
            .await?
            .refused()?;
        b.validate(endpoint, &[("service", &target), ("ticket", &ticket)])
            .await?
            .refused()?;
    }
    Ok(())
}

async fn at_service_validate(b: &mut Bench) -> Judged {
    let granted = grant(b, "kinds").await?;
    let target = b.service("target");
    for endpoint in b.those(&["serviceValidate", "p3/serviceValidate"]).await? {
        let ticket = proxy_ticket(b, &granted.pgt, &target).await?;
        b.validate(endpoint, &[("service", &target), ("ticket", &ticket)])
            .await?
            .refused()?;
    }
    Ok(())
}

async fn at_validate(b: &mut Bench) -> Judged {
    b.needs("validate").await?;
    let granted = grant(b, "kinds").await?;
    let target = b.service("target");
    let ticket = proxy_ticket(b, &granted.pgt, &target).await?;
    let answer = b
        .ask("validate", &[("service", &target), ("ticket", &ticket)])
        .await?;
    match Cas1Response::parse(&answer.body, &ReadOptions::default()) {
        Ok(Cas1Response::Failure) => Ok(()),
        Ok(Cas1Response::Success { .. }) => broken("/validate answers a proxy ticket with yes"),
        Err(error) => broken(format!("/validate: the answer is not CAS 1: {error}")),
    }
}

async fn chain(b: &mut Bench) -> Judged {
    let first = grant(b, "first").await?;
    let endpoint = b.those(&PROXY_VALIDATORS).await?[0];
    let middle = b.service("middle");
    let ticket = proxy_ticket(b, &first.pgt, &middle).await?;
    let second_url = callback_url(b, "second");
    let validation = validate_with(b, &middle, &ticket, &second_url, endpoint).await?;
    let visitor = b.visitor();
    let second = granted(b, "second", validation, visitor)?;
    let target = b.service("target");
    let ticket = proxy_ticket(b, &second.pgt, &target).await?;
    let parameters = [("service", target.as_str()), ("ticket", &ticket)];
    let assertion = b.validate(endpoint, &parameters).await?.success()?;
    let wanted = [second_url, callback_url(b, "first")];
    ensure(
        assertion.proxies() == wanted,
        format!("the chain is {:?}, not {wanted:?}", assertion.proxies()),
    )
}

async fn logout(b: &mut Bench) -> Judged {
    let mut granted = grant(b, "logout").await?;
    let target = b.service("target");
    proxy_ticket(b, &granted.pgt, &target).await?;
    granted.visitor.visit("logout", &[]).await?;
    // Whatever else it answers, it gives no ticket; how it refuses is another case.
    let after = ask(b, &[("pgt", &granted.pgt), ("targetService", &target)]).await;
    ensure(
        !matches!(after, Ok(Ok(_))),
        "after logout the proxy-granting ticket gives a ticket",
    )
}
