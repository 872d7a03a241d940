//! `/logout` and single logout.

use casque_proto::LogoutRequest;
use casque_visitor::Visitor;
use http::Method;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::listener::Arrival;
use crate::verdict::{Judged, Level, absent, broken, broken_at, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "logout-session",
        ["R-066"],
        Must,
        "§2.3, §3.8.1",
        "logout ends the session, for a kept cookie too",
        session
    ),
    case!(
        "logout-page",
        ["R-068"],
        Must,
        "§2.3.2",
        "logout without service is a page",
        page
    ),
    case!(
        "logout-nobody",
        ["R-067"],
        Choice,
        "casque",
        "logout without a session is no error",
        nobody
    ),
    case!(
        "logout-service",
        ["R-069"],
        Must,
        "§2.3.2",
        "logout leads to the service that is named",
        service
    ),
    case!(
        "logout-unknown-service",
        ["R-070"],
        Must,
        "§2.3.2",
        "logout does not lead to an unknown service",
        unknown_service
    ),
    case!(
        "logout-url",
        ["R-071"],
        Must,
        "§2.3.1",
        "the parameter url is ignored",
        url
    ),
    case!(
        "logout-tickets",
        ["R-060"],
        Choice,
        "casque",
        "unused tickets end with the session",
        tickets
    ),
    case!(
        "slo-message",
        ["R-075", "R-077", "R-081"],
        Must,
        "§2.3.3, appendix C",
        "logout posts a logout request with the ticket to the service",
        message
    ),
    case!(
        "slo-once",
        ["R-075"],
        Choice,
        "casque",
        "each ticket of the session is told once",
        once
    ),
    case!(
        "slo-shape",
        ["R-077", "R-078", "R-079", "R-080"],
        Choice,
        "convention",
        "the message has the form that every client reads",
        shape
    ),
    case!(
        "slo-ignored",
        ["R-082"],
        Must,
        "§2.3.3.1",
        "logout does not depend on what a service answers",
        ignored
    ),
];

async fn log_out(
    visitor: &mut Visitor,
    parameters: &[(&str, &str)],
) -> Judged<casque_visitor::Reached> {
    let reached = visitor.visit("logout", parameters).await?;
    Ok(reached)
}

/// A browser that logged out, with the cookies it had before.
async fn after_logout(b: &Bench) -> Judged<(Visitor, Visitor, casque_visitor::Reached)> {
    let (mut visitor, _) = b.sign_in(&b.service("logout")).await?;
    let before = visitor.clone();
    let reached = log_out(&mut visitor, &[]).await?;
    Ok((before, visitor, reached))
}

async fn session(b: &mut Bench) -> Judged {
    let service = b.service("after");
    let (mut before, mut after, _) = after_logout(b).await?;
    for (who, visitor) in [("the browser", &mut after), ("a kept cookie", &mut before)] {
        let reached = visitor.login(&[("service", &service)]).await?;
        ensure(
            reached.delivered(&service).is_none(),
            format!("after logout {who} still gets a ticket"),
        )?;
    }
    Ok(())
}

async fn page(b: &mut Bench) -> Judged {
    let (_, _, reached) = after_logout(b).await?;
    ensure(
        reached.left.is_none() && reached.last.status.is_success(),
        format!("logout gives {}", reached.words()),
    )?;
    if reached.form().is_some() {
        return broken_at(
            Level::Choice,
            "logout ends at the login form; whether it says that the user is logged out is for a person to read",
        );
    }
    Ok(())
}

async fn nobody(b: &mut Bench) -> Judged {
    let reached = log_out(&mut b.visitor(), &[]).await?;
    ensure(
        reached.left.is_none() && reached.last.status.is_success(),
        format!("without a session came {}", reached.words()),
    )
}

async fn service(b: &mut Bench) -> Judged {
    let service = b.service("goodbye?a=1&b=%20");
    let (mut visitor, _) = b.sign_in(&b.service("logout")).await?;
    let reached = log_out(&mut visitor, &[("service", &service)]).await?;
    match &reached.left {
        None => absent("a page instead (§2.3.1: depends on the configuration)"),
        Some(left) if *left == service => Ok(()),
        Some(left) => broken(format!("{service} became {left}")),
    }
}

async fn unknown_service(b: &mut Bench) -> Judged {
    let open = b.is_open().await?;
    let unknown = b.unregistered();
    let (mut visitor, _) = b.sign_in(&b.service("logout")).await?;
    let reached = log_out(&mut visitor, &[("service", &unknown)]).await?;
    let led_there = reached.left.as_deref().is_some_and(|left| {
        left.contains("casque-conformance.invalid") || left.starts_with(&unknown)
    });
    match (led_there, open) {
        (false, _) => Ok(()),
        (true, true) => broken_at(Level::Should, "any service is redirected to (open mode)"),
        (true, false) => broken("an unknown service is redirected to"),
    }
}

async fn url(b: &mut Bench) -> Judged {
    for target in [b.service("goodbye"), b.unregistered()] {
        let (mut visitor, _) = b.sign_in(&b.service("logout")).await?;
        let reached = log_out(&mut visitor, &[("url", &target)]).await?;
        ensure(
            reached.left.is_none(),
            format!(
                "url={target} leads to {}",
                reached.left.clone().unwrap_or_default()
            ),
        )?;
    }
    Ok(())
}

async fn tickets(b: &mut Bench) -> Judged {
    let service = b.service("unused");
    let endpoint = b.those(&crate::bench::VALIDATORS).await?[0];
    let (mut visitor, delivered) = b.sign_in(&service).await?;
    log_out(&mut visitor, &[]).await?;
    let parameters = [("service", service.as_str()), ("ticket", &delivered.ticket)];
    if b.validate(endpoint, &parameters).await?.refused().is_err() {
        return broken("a ticket that was not used before logout is good after it");
    }
    Ok(())
}

/// Logs in at services by those names, validates each ticket, logs out: the tickets, and what the last service got.
async fn told(b: &mut Bench, names: &[&str]) -> Judged<(Vec<String>, Vec<Vec<Arrival>>)> {
    let endpoint = b.those(&crate::bench::VALIDATORS).await?[0];
    let (mut visitor, _) = b.sign_in(&b.service("slo-login")).await?;
    let mut tickets = Vec::new();
    for name in names {
        let service = b.service(name);
        let reached = visitor.login(&[("service", &service)]).await?;
        let Some(delivered) = reached.delivered(&service) else {
            return skipped(format!("no ticket for {service}, but {}", reached.words()));
        };
        let parameters = [("service", service.as_str()), ("ticket", &delivered.ticket)];
        b.validate(endpoint, &parameters).await?.success()?;
        tickets.push(delivered.ticket);
    }
    let reached = log_out(&mut visitor, &[]).await?;
    if reached.last.status.is_server_error() {
        return broken(format!(
            "logout is answered with status {}",
            reached.last.status.as_u16()
        ));
    }
    let mut messages = Vec::new();
    for name in names {
        let path = b.service_path(name);
        messages.push(b.plain.arrivals.wait(&path, 1, b.settings.patience).await);
    }
    if messages.iter().all(Vec::is_empty) {
        return absent(format!(
            "no message came to {} (§2.3.3: may; a service may have to be configured for it)",
            b.service_base
        ));
    }
    Ok((tickets, messages))
}

/// The tickets a message names.
fn named(arrival: &Arrival) -> Judged<Vec<String>> {
    match LogoutRequest::parse_form_body(&arrival.body) {
        Ok(request) => Ok(request
            .session_indexes()
            .iter()
            .map(|ticket| ticket.secret().to_owned())
            .collect()),
        Err(error) => broken(format!("not a logout request: {error}")),
    }
}

async fn message(b: &mut Bench) -> Judged {
    let (tickets, messages) = told(b, &["slo-one", "slo-two"]).await?;
    for (ticket, arrivals) in tickets.iter().zip(&messages) {
        let Some(arrival) = arrivals.first() else {
            return broken("one of two services of the session got no message");
        };
        ensure(
            arrival.method == Method::POST,
            format!("the message came by {}", arrival.method),
        )?;
        ensure(
            named(arrival)?.contains(ticket),
            "SessionIndex is not the ticket that the service validated",
        )?;
    }
    Ok(())
}

async fn once(b: &mut Bench) -> Judged {
    let (tickets, _) = told(b, &["slo-once", "slo-once"]).await?;
    let path = b.service_path("slo-once");
    // One more than there may be, so that a second message of one ticket has its time to come.
    let arrivals = b
        .plain
        .arrivals
        .wait(&path, tickets.len() + 1, b.settings.patience)
        .await;
    let mut all = Vec::new();
    for arrival in &arrivals {
        all.extend(named(arrival)?);
    }
    for ticket in &tickets {
        let count = all.iter().filter(|named| *named == ticket).count();
        ensure(count == 1, format!("a ticket is told {count} times"))?;
    }
    Ok(())
}

async fn shape(b: &mut Bench) -> Judged {
    let (_, messages) = told(b, &["slo-shape"]).await?;
    let Some(arrival) = messages.first().and_then(|arrivals| arrivals.first()) else {
        return skipped("no message");
    };
    let said = &arrival.content_type;
    ensure(
        said.starts_with("application/x-www-form-urlencoded"),
        format!("the content type is {said:?}"),
    )?;
    ensure(
        arrival.body.starts_with(b"logoutRequest="),
        "the body does not begin with logoutRequest=",
    )?;
    let fields: Vec<(String, String)> = url::form_urlencoded::parse(&arrival.body)
        .into_owned()
        .collect();
    ensure(
        fields.len() == 1,
        format!("the body has {} parameters", fields.len()),
    )?;
    let xml = &fields[0].1;
    ensure(
        xml.contains("<samlp:SessionIndex>"),
        "no literal <samlp:SessionIndex>",
    )?;
    let index = xml
        .split_once("<samlp:SessionIndex>")
        .and_then(|(_, rest)| rest.split_once('<'));
    ensure(
        index.is_some_and(|(index, _)| index.trim() == index),
        "blanks round the ticket in SessionIndex",
    )?;
    ensure(!xml.contains('\n'), "the document has several lines")?;
    let instant = xml
        .split_once("IssueInstant=\"")
        .and_then(|(_, rest)| rest.split_once('"'));
    let instant = instant.map_or("", |(instant, _)| instant);
    ensure(
        instant.len() == 20 && instant.ends_with('Z') && instant.contains('T'),
        format!("IssueInstant is {instant:?}"),
    )
}

async fn ignored(b: &mut Bench) -> Judged {
    // The listener answers 404 at a path of that end.
    let (_, messages) = told(b, &["slo/refuses", "slo-after"]).await?;
    ensure(
        messages.iter().all(|arrivals| !arrivals.is_empty()),
        "after one service refused, the other got no message",
    )
}
