//! The ticket and the address it is sent to.

use url::Url;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::verdict::{Judged, Level, absent, broken, broken_at, ensure};

pub(crate) const CASES: &[Case] = &[
    case!(
        "ticket-query",
        ["R-047"],
        Must,
        "§2.2.4",
        "the query of the service comes back whole, and the ticket with it",
        query
    ),
    case!(
        "ticket-fragment",
        ["R-047", "R-048"],
        Choice,
        "casque",
        "a fragment stays behind the ticket",
        fragment
    ),
    case!(
        "ticket-prefix",
        ["R-213"],
        Must,
        "§3.1.1",
        "a service ticket begins with ST-",
        prefix
    ),
    case!(
        "ticket-characters",
        ["R-214"],
        Must,
        "§3.7",
        "a ticket holds letters, digits and hyphens only",
        characters
    ),
    case!(
        "ticket-length",
        ["R-215"],
        Should,
        "§3.1.1",
        "a ticket has at most 256 characters",
        length
    ),
    case!(
        "ticket-random",
        ["R-216", "R-217"],
        Must,
        "§3.1.1",
        "tickets cannot be guessed from one another",
        random
    ),
];

/// Names and values as they are written, the ticket left out.
fn pairs(address: &str) -> Vec<String> {
    let query = address
        .split('#')
        .next()
        .and_then(|text| text.split_once('?'));
    let query = query.map_or("", |(_, query)| query);
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("ticket="))
        .map(ToOwned::to_owned)
        .collect()
}

/// Names and values as they are meant, in any order.
fn meaning(address: &str) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = Url::parse(address)
        .map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default();
    pairs.retain(|(name, _)| name != "ticket");
    pairs.sort();
    pairs
}

async fn query(b: &mut Bench) -> Judged {
    let service = b.service("query?b=2&a=1&empty=&c=x%20y&d=%C3%A9%26%3D&b=3");
    let location = b.deliver(&service).await?.location;
    if meaning(&location) != meaning(&service) {
        return broken(format!(
            "{service} became {}",
            casque_visitor::shown(&location, 200)
        ));
    }
    if pairs(&location) != pairs(&service) {
        return broken_at(
            Level::Choice,
            format!(
                "the same parameters, written otherwise: {}",
                casque_visitor::shown(&location, 200)
            ),
        );
    }
    let last = location.rsplit(['&', '?']).next().unwrap_or_default();
    if !location.starts_with(&service) || !last.starts_with("ticket=") {
        return broken_at(Level::Choice, "the ticket is not the last parameter");
    }
    Ok(())
}

async fn fragment(b: &mut Bench) -> Judged {
    let service = b.service("fragment#/a?b=c");
    let reached = b.session().await?.login(&[("service", &service)]).await?;
    let Some(location) = &reached.left else {
        return absent(format!(
            "a service with a fragment gets {}",
            reached.words()
        ));
    };
    let good = location
        .split_once('#')
        .is_some_and(|(before, fragment)| before.contains("?ticket=ST-") && fragment == "/a?b=c");
    ensure(
        good,
        format!("{service} became {}", casque_visitor::shown(location, 200)),
    )
}

async fn prefix(b: &mut Bench) -> Judged {
    let ticket = b.ticket(&b.service("ticket")).await?;
    let start: String = ticket.chars().take(3).collect();
    ensure(start == "ST-", format!("it begins with {start:?}"))
}

async fn characters(b: &mut Bench) -> Judged {
    let ticket = b.ticket(&b.service("ticket")).await?;
    let other = ticket
        .chars()
        .find(|c| !c.is_ascii_alphanumeric() && *c != '-');
    match other {
        None => Ok(()),
        Some(other) => broken(format!("the ticket holds {other:?}")),
    }
}

async fn length(b: &mut Bench) -> Judged {
    let length = b.ticket(&b.service("ticket")).await?.len();
    ensure(length <= 256, format!("the ticket has {length} characters"))?;
    if length > 32 {
        return broken_at(
            Level::Choice,
            format!("the ticket has {length} characters; a minimal client takes 32"),
        );
    }
    Ok(())
}

async fn random(b: &mut Bench) -> Judged {
    let service = b.service("guess");
    let mut tickets = Vec::new();
    for _ in 0..6 {
        tickets.push(b.ticket(&service).await?);
    }
    for (at, ticket) in tickets.iter().enumerate() {
        for other in &tickets[at + 1..] {
            ensure(ticket != other, "the same ticket is given twice")?;
            let differing = ticket
                .bytes()
                .zip(other.bytes())
                .filter(|(a, b)| a != b)
                .count()
                + ticket.len().abs_diff(other.len());
            ensure(
                differing >= 8,
                format!("two tickets differ in {differing} characters only"),
            )?;
        }
    }
    let user = &b.settings.username;
    if user.len() > 3 && tickets.iter().any(|ticket| ticket.contains(user.as_str())) {
        return broken_at(Level::Choice, "the ticket holds the name of the user");
    }
    Ok(())
}
