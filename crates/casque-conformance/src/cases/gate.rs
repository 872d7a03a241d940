//! `/login`: which services get a ticket, and where a browser is never sent.

use casque_visitor::{Reached, parameter};
use url::Url;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::verdict::{Judged, broken, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "service-open",
        ["R-023", "R-299"],
        Should,
        "§2.1.1",
        "only known services get a ticket",
        open
    ),
    case!(
        "service-lookalike",
        ["R-023", "R-235"],
        Must,
        "§2.2.1",
        "an address that only looks like a known service gets no ticket",
        lookalike
    ),
    case!(
        "service-gateway",
        ["R-023", "R-046"],
        Must,
        "§2.2.1",
        "gateway does not lead to an unknown service",
        gateway
    ),
    case!(
        "service-escaped",
        ["R-023"],
        Choice,
        "casque (security)",
        "an unknown service is shown as text, not as HTML",
        escaped
    ),
    case!(
        "service-twice",
        ["R-008"],
        Choice,
        "casque",
        "two different services in one request are refused",
        twice
    ),
    case!(
        "service-control",
        ["R-049"],
        Choice,
        "casque",
        "a service with control characters is refused",
        control
    ),
];

async fn open(b: &mut Bench) -> Judged {
    let open = b.is_open().await?;
    ensure(
        !open,
        "a service that nobody registered gets a ticket: open mode",
    )
}

async fn closed(b: &mut Bench) -> Judged {
    if b.is_open().await? {
        return skipped("any service gets a ticket (open mode)");
    }
    Ok(())
}

/// Addresses of another host, dressed as a service.
fn lookalikes(service: &str) -> Vec<String> {
    let host = Url::parse(service).ok();
    let authority = host.as_ref().map_or_else(String::new, |url| {
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        format!("{}{port}", url.host_str().unwrap_or_default())
    });
    let scheme = host.as_ref().map_or("https", Url::scheme).to_owned();
    let evil = "casque-conformance.invalid";
    vec![
        format!("{scheme}://{authority}@{evil}/"),
        format!("{scheme}://{authority}.{evil}/"),
        format!("{scheme}://{evil}/?x={service}"),
        format!("{scheme}://{evil}/{service}"),
        format!("{scheme}://{evil}/#{service}"),
        format!("//{evil}/"),
        format!("{scheme}://{evil}\\@{authority}/"),
        format!("{scheme}:\\\\{evil}\\{authority}"),
        format!("javascript:alert(1)//{service}"),
        format!("data:text/html,{service}"),
        format!(" {scheme}://{evil}/"),
    ]
}

/// It leads a browser to another host than the service's, or to a script.
fn astray(reached: &Reached, service: &str) -> Option<String> {
    let left = reached.left.clone()?;
    let at_home = Url::parse(&left)
        .ok()
        .zip(Url::parse(service).ok())
        .is_some_and(|(to, home)| to.origin() == home.origin());
    (!at_home).then_some(left)
}

async fn lookalike(b: &mut Bench) -> Judged {
    let service = b.service("");
    b.deliver(&b.service("gate")).await?;
    closed(b).await?;
    for address in lookalikes(&service) {
        let reached = b.session().await?.login(&[("service", &address)]).await?;
        if let Some(left) = astray(&reached, &service) {
            let ticket = parameter(&left, "ticket").is_some();
            return broken(format!(
                "the service {address} leads {} to {}",
                if ticket {
                    "with a ticket"
                } else {
                    "without a ticket"
                },
                casque_visitor::shown(&left, 120)
            ));
        }
    }
    Ok(())
}

async fn gateway(b: &mut Bench) -> Judged {
    closed(b).await?;
    let service = b.unregistered();
    let reached = b
        .visitor()
        .login(&[("service", &service), ("gateway", "true")])
        .await?;
    ensure(
        reached.left.is_none(),
        format!("an unknown service gets {}", reached.words()),
    )
}

async fn escaped(b: &mut Bench) -> Judged {
    let service = format!("{}?q=\"><script>casque</script>'", b.unregistered());
    b.deliver(&b.service("gate")).await?;
    for reached in [
        b.visitor().login(&[("service", &service)]).await?,
        b.session().await?.login(&[("service", &service)]).await?,
    ] {
        ensure(
            !reached.last.text().contains("><script>casque"),
            "the page holds the service's script as script",
        )?;
    }
    Ok(())
}

async fn twice(b: &mut Bench) -> Judged {
    let (one, other) = (b.service("one"), b.service("other"));
    b.deliver(&one).await?;
    let both = [("service", one.as_str()), ("service", other.as_str())];
    let reached = b.session().await?.login(&both).await?;
    ensure(
        reached.left.is_none(),
        format!("two services get {}", reached.words()),
    )
}

async fn control(b: &mut Bench) -> Judged {
    b.deliver(&b.service("gate")).await?;
    for tail in ["a\nb", "a\r\nSet-Cookie: x=y", "a\u{7f}"] {
        let service = b.service(tail);
        let reached = b.session().await?.login(&[("service", &service)]).await?;
        ensure(
            reached
                .last
                .cookies()
                .iter()
                .all(|cookie| cookie.name != "x"),
            "a line break in the service became a header",
        )?;
        ensure(
            reached.left.is_none(),
            format!("{tail:?} in the service gets {}", reached.words()),
        )?;
    }
    Ok(())
}
