//! Validation: which tickets are good, for whom, and how often.

use casque_proto::{Cas1Response, ReadOptions};
use futures_util::future::join_all;
use http::Method;

use super::options::with_method;
use crate::bench::{Bench, MADE_UP_TICKET, VALIDATORS, pause, read};
use crate::case::{Case, case};
use crate::verdict::{Judged, Level, broken, broken_at, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "validate-success",
        ["R-099", "R-116"],
        Must,
        "§2.5, §2.6, §2.8, §2.9",
        "a good ticket names the user",
        success
    ),
    case!(
        "validate-cas1",
        ["R-110"],
        Must,
        "§2.4.2",
        "/validate answers a good ticket with yes",
        cas1_success
    ),
    case!(
        "validate-cas1-no",
        ["R-111"],
        Must,
        "§2.4.2",
        "/validate answers a bad ticket with no",
        cas1_failure
    ),
    case!(
        "validate-missing",
        ["R-182"],
        Must,
        "§2.5.3",
        "a missing parameter is INVALID_REQUEST",
        missing
    ),
    case!(
        "validate-blank",
        ["R-005", "R-182"],
        Choice,
        "casque",
        "an empty parameter is INVALID_REQUEST too",
        blank
    ),
    case!(
        "validate-case",
        ["R-002"],
        Must,
        "§2.5.1",
        "names of parameters are case-sensitive",
        parameter_case
    ),
    case!(
        "validate-unknown",
        ["R-184"],
        Must,
        "§2.5.3",
        "an unknown ticket is refused as such",
        unknown
    ),
    case!(
        "validate-malformed",
        ["R-183"],
        Must,
        "§2.5.3",
        "what is no ticket at all is refused",
        malformed
    ),
    case!(
        "validate-kind",
        ["R-100"],
        Must,
        "§2.5.3",
        "a ticket of another kind is refused",
        kind
    ),
    case!(
        "validate-replay",
        ["R-222"],
        Must,
        "§3.1.1",
        "a ticket is good once",
        replay
    ),
    case!(
        "validate-other-service",
        ["R-185"],
        Must,
        "§2.5.3",
        "a ticket of another service is INVALID_SERVICE",
        other_service
    ),
    case!(
        "validate-spent",
        ["R-095", "R-222"],
        Must,
        "§2.5.3, §3.1.1",
        "a ticket that was tried for another service is spent",
        spent
    ),
    case!(
        "validate-service-differs",
        ["R-226", "R-227"],
        Must,
        "§3.1.1",
        "a ticket is good for the service it was made for only",
        differs
    ),
    case!(
        "validate-race",
        ["R-096"],
        Must,
        "§3.1.1",
        "of many validations at once, one succeeds",
        race
    ),
    case!(
        "validate-method",
        ["R-009"],
        Choice,
        "casque",
        "POST is not allowed, and spends nothing",
        method
    ),
    case!(
        "validate-head",
        ["R-009"],
        Choice,
        "casque",
        "HEAD spends no ticket",
        head
    ),
    case!(
        "validate-twice",
        ["R-008"],
        Choice,
        "casque",
        "a parameter given twice is INVALID_REQUEST",
        twice
    ),
    case!(
        "validate-expired",
        ["R-221"],
        Must,
        "§3.1.1",
        "an expired ticket is refused",
        expired
    ),
    case!(
        "validate-proxies",
        ["R-099"],
        Must,
        "§2.6",
        "/proxyValidate takes a service ticket, and names no proxies",
        no_proxies
    ),
];

async fn success(b: &mut Bench) -> Judged {
    let service = b.service("validate?a=1&b=%20");
    for endpoint in b.those(&VALIDATORS).await? {
        let ticket = b.ticket(&service).await?;
        let assertion = b
            .validate(endpoint, &[("service", &service), ("ticket", &ticket)])
            .await?
            .success()?;
        ensure(
            assertion.user().eq_ignore_ascii_case(&b.settings.username),
            format!("/{endpoint} names {:?}", assertion.user()),
        )?;
    }
    Ok(())
}

/// The answer of `/validate`, read.
pub(super) async fn ask_cas1(b: &mut Bench, parameters: &[(&str, &str)]) -> Judged<Cas1Response> {
    let answer = b.ask("validate", parameters).await?;
    let options = ReadOptions::default().status(answer.status.as_u16());
    match Cas1Response::parse(&answer.body, &options) {
        Ok(read) => Ok(read),
        Err(error) => broken(format!("/validate: the answer is not CAS 1: {error}")),
    }
}

async fn cas1_success(b: &mut Bench) -> Judged {
    b.needs("validate").await?;
    let service = b.service("cas1");
    let ticket = b.ticket(&service).await?;
    match ask_cas1(b, &[("service", &service), ("ticket", &ticket)]).await? {
        Cas1Response::Success { user, .. } => ensure(
            user.eq_ignore_ascii_case(&b.settings.username),
            format!("it names {user:?}"),
        ),
        Cas1Response::Failure => broken("a good ticket is answered with no"),
    }
}

async fn cas1_failure(b: &mut Bench) -> Judged {
    b.needs("validate").await?;
    let service = b.service("cas1");
    let ticket = b.ticket(&service).await?;
    let good = [("service", service.as_str()), ("ticket", ticket.as_str())];
    ask_cas1(b, &good).await?;
    for parameters in [
        &good[..],
        &[("service", &service), ("ticket", MADE_UP_TICKET)],
        &[],
    ] {
        match ask_cas1(b, parameters).await? {
            Cas1Response::Failure => {}
            Cas1Response::Success { .. } => return broken("a bad ticket is answered with yes"),
        }
    }
    Ok(())
}

async fn missing(b: &mut Bench) -> Judged {
    let service = b.service("missing");
    for endpoint in b.those(&VALIDATORS).await? {
        for parameters in [
            &[][..],
            &[("service", service.as_str())],
            &[("ticket", MADE_UP_TICKET)],
        ] {
            b.validate(endpoint, parameters)
                .await?
                .refused_with(&["INVALID_REQUEST"])?;
        }
    }
    Ok(())
}

async fn blank(b: &mut Bench) -> Judged {
    let service = b.service("missing");
    for endpoint in b.those(&VALIDATORS).await? {
        for parameters in [
            [("service", service.as_str()), ("ticket", "")],
            [("service", ""), ("ticket", MADE_UP_TICKET)],
        ] {
            b.validate(endpoint, &parameters)
                .await?
                .refused_with(&["INVALID_REQUEST"])?;
        }
    }
    Ok(())
}

async fn parameter_case(b: &mut Bench) -> Judged {
    let service = b.service("case");
    for endpoint in b.those(&VALIDATORS).await? {
        let ticket = b.ticket(&service).await?;
        for parameters in [
            [("Service", service.as_str()), ("ticket", &ticket)],
            [("service", service.as_str()), ("Ticket", &ticket)],
        ] {
            b.validate(endpoint, &parameters).await?.refused()?;
        }
    }
    Ok(())
}

/// The codes for a ticket that is not good: the specification names the first, and the second for its "specification".
pub(super) const NOT_GOOD: &[&str] = &["INVALID_TICKET", "INVALID_TICKET_SPEC"];

async fn unknown(b: &mut Bench) -> Judged {
    let service = b.service("unknown");
    for endpoint in b.those(&VALIDATORS).await? {
        b.validate(
            endpoint,
            &[("service", &service), ("ticket", MADE_UP_TICKET)],
        )
        .await?
        .refused_with(NOT_GOOD)?;
    }
    Ok(())
}

async fn malformed(b: &mut Bench) -> Judged {
    let service = b.service("unknown");
    let long = format!("ST-{}", "a".repeat(2000));
    for endpoint in b.those(&VALIDATORS).await? {
        for ticket in [
            "nonsense",
            "ST-",
            "ST-1-<x>&'\"",
            "ST-1-é",
            "ST-1-\u{0}",
            &long,
        ] {
            b.validate(endpoint, &[("service", &service), ("ticket", ticket)])
                .await?
                .refused_with(NOT_GOOD)?;
        }
    }
    Ok(())
}

async fn kind(b: &mut Bench) -> Judged {
    let service = b.service("unknown");
    for endpoint in b.those(&VALIDATORS).await? {
        for prefix in ["PGT", "PGTIOU", "TGT", "LT", "TGC"] {
            let ticket = MADE_UP_TICKET.replace("ST-", &format!("{prefix}-"));
            b.validate(endpoint, &[("service", &service), ("ticket", &ticket)])
                .await?
                .refused_with(NOT_GOOD)?;
        }
    }
    Ok(())
}

async fn replay(b: &mut Bench) -> Judged {
    let service = b.service("replay");
    for first in b.those(&VALIDATORS).await? {
        let ticket = b.ticket(&service).await?;
        let parameters = [("service", service.as_str()), ("ticket", ticket.as_str())];
        b.validate(first, &parameters).await?.success()?;
        for second in b.those(&VALIDATORS).await? {
            b.validate(second, &parameters)
                .await?
                .refused_with(NOT_GOOD)?;
        }
    }
    Ok(())
}

async fn other_service(b: &mut Bench) -> Judged {
    let (service, other) = (b.service("mine"), b.service("yours"));
    for endpoint in b.those(&VALIDATORS).await? {
        let ticket = b.ticket(&service).await?;
        b.validate(endpoint, &[("service", &other), ("ticket", &ticket)])
            .await?
            .refused_with(&["INVALID_SERVICE"])?;
    }
    Ok(())
}

async fn spent(b: &mut Bench) -> Judged {
    let (service, other) = (b.service("mine"), b.service("yours"));
    for endpoint in b.those(&VALIDATORS).await? {
        let ticket = b.ticket(&service).await?;
        b.validate(endpoint, &[("service", &other), ("ticket", &ticket)])
            .await?
            .refused()?;
        let again = [("service", service.as_str()), ("ticket", ticket.as_str())];
        let second = b.validate(endpoint, &again).await?;
        if second.refused().is_err() {
            return broken(format!(
                "/{endpoint}: after the failed attempt the ticket is still good"
            ));
        }
    }
    Ok(())
}

async fn differs(b: &mut Bench) -> Judged {
    let service = b.service("path/one?a=1&b=2");
    let endpoint = b.those(&VALIDATORS).await?[0];
    for other in [
        b.service("path/one"),
        b.service("path"),
        b.service("path/one/more?a=1&b=2"),
        b.service("path/one?a=1&b=3"),
        b.service("path/one?a=1&b=2&c=3"),
        b.unregistered(),
        "nonsense".to_owned(),
    ] {
        let ticket = b.ticket(&service).await?;
        let parameters = [("service", other.as_str()), ("ticket", ticket.as_str())];
        if b.validate(endpoint, &parameters).await?.refused().is_err() {
            return broken(format!("a ticket for {service} is not refused for {other}"));
        }
    }
    for other in [b.service("path/one?b=2&a=1"), b.service("PATH/one?a=1&b=2")] {
        let ticket = b.ticket(&service).await?;
        let parameters = [("service", other.as_str()), ("ticket", ticket.as_str())];
        if b.validate(endpoint, &parameters).await?.refused().is_err() {
            return broken_at(
                Level::Choice,
                format!("a ticket for {service} is good for {other} too"),
            );
        }
    }
    Ok(())
}

async fn race(b: &mut Bench) -> Judged {
    let service = b.service("race");
    let endpoint = b.those(&VALIDATORS).await?[0];
    for _ in 0..3 {
        let ticket = b.ticket(&service).await?;
        let parameters = [("service", service.as_str()), ("ticket", ticket.as_str())];
        let b = &*b;
        let attempts = (0..16).map(|_| b.validate(endpoint, &parameters));
        let mut won = 0;
        for attempt in join_all(attempts).await {
            if attempt?.success().is_ok() {
                won += 1;
            }
        }
        ensure(
            won <= 1,
            format!("{won} of 16 validations of one ticket succeed"),
        )?;
        ensure(won == 1, "none of 16 validations of a good ticket succeeds")?;
    }
    Ok(())
}

async fn method(b: &mut Bench) -> Judged {
    let service = b.service("method");
    let endpoint = b.those(&VALIDATORS).await?[0];
    let ticket = b.ticket(&service).await?;
    let parameters = [("service", service.as_str()), ("ticket", ticket.as_str())];
    let request = with_method(b.url(endpoint, &parameters), Method::POST);
    let answer = b.agent.send(request, None).await?;
    ensure(
        answer.status.as_u16() == 405,
        format!("POST is answered with status {}", answer.status.as_u16()),
    )?;
    b.validate(endpoint, &parameters).await?.success()?;
    Ok(())
}

async fn head(b: &mut Bench) -> Judged {
    let service = b.service("method");
    let endpoint = b.those(&VALIDATORS).await?[0];
    let ticket = b.ticket(&service).await?;
    let parameters = [("service", service.as_str()), ("ticket", ticket.as_str())];
    let request = with_method(b.url(endpoint, &parameters), Method::HEAD);
    b.agent.send(request, None).await?;
    b.validate(endpoint, &parameters).await?.success()?;
    Ok(())
}

async fn twice(b: &mut Bench) -> Judged {
    let (service, other) = (b.service("twice"), b.service("other"));
    let endpoint = b.those(&VALIDATORS).await?[0];
    let ticket = b.ticket(&service).await?;
    for parameters in [
        [
            ("service", service.as_str()),
            ("service", &other),
            ("ticket", &ticket),
        ],
        [
            ("service", &service),
            ("ticket", MADE_UP_TICKET),
            ("ticket", &ticket),
        ],
    ] {
        b.validate(endpoint, &parameters)
            .await?
            .refused_with(&["INVALID_REQUEST"])?;
    }
    b.validate(endpoint, &[("service", &service), ("ticket", &ticket)])
        .await?
        .success()?;
    Ok(())
}

async fn expired(b: &mut Bench) -> Judged {
    let Some(lifetime) = b.settings.ticket_lifetime else {
        return skipped("not waited for: --ticket-lifetime SECONDS says how long");
    };
    let service = b.service("expired");
    let endpoint = b.those(&VALIDATORS).await?[0];
    let ticket = b.ticket(&service).await?;
    pause(lifetime).await;
    b.validate(endpoint, &[("service", &service), ("ticket", &ticket)])
        .await?
        .refused_with(NOT_GOOD)
}

async fn no_proxies(b: &mut Bench) -> Judged {
    let service = b.service("proxies");
    for endpoint in b.those(&["proxyValidate", "p3/proxyValidate"]).await? {
        let ticket = b.ticket(&service).await?;
        let answer = b
            .ask(endpoint, &[("service", &service), ("ticket", &ticket)])
            .await?;
        let text = answer.text();
        read(endpoint, answer).success()?;
        if text.contains("<cas:proxies") {
            return broken_at(
                Level::Choice,
                format!(
                    "/{endpoint}: an empty proxies for a service ticket (the schema wants at least one proxy in it)"
                ),
            );
        }
    }
    Ok(())
}
