//! The way of a single logout: from the CAS server to the service's address.

use std::time::SystemTime;

use casque_proto::{CasBase, LogoutRequest, ServiceTicket};
use casque_visitor::{Agent, Answer, NoAnswer, Request, query_of};
use http::Method;
use url::{Host, Url};

use crate::endpoints::MADE_UP_TICKET;
use crate::finding::{Finding, Group, Kind};
use crate::shapes::is_loopback;

const ID: &str = "LR-1-casqueDoctor";

/// Sends the application a message about a ticket that nobody has, and one that no server sends.
pub(crate) async fn examine(agent: &Agent, service: &Url, now: SystemTime) -> Vec<Finding> {
    let Ok(ticket) = ServiceTicket::parse(MADE_UP_TICKET) else {
        return Vec::new();
    };
    let message = LogoutRequest::to_form_body(ID, now, &ticket);
    let xml = LogoutRequest::to_xml(ID, now, &ticket);
    // An entity in a document type is the classical forgery (S-034).
    let forged = format!("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>{xml}");
    let forged = query_of(&[("logoutRequest", forged.as_str())]);
    let mut address = service.clone();
    address.set_query(None);
    let send = async |body: String| {
        let request = Request {
            method: Method::POST,
            url: address.to_string(),
            headers: vec![(
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: body.into_bytes(),
        };
        agent.send(request, None).await
    };
    let received = send(message).await;
    let taken = received
        .as_ref()
        .is_ok_and(|answer| answer.status.is_success());
    let mut findings = vec![judge(&address, &received)];
    if taken {
        findings.push(judge_forged(&send(forged).await));
    }
    findings
}

fn judge(address: &Url, received: &Result<Answer, NoAnswer>) -> Finding {
    let answer = match received {
        Ok(answer) => answer,
        Err(none) => {
            return Finding::new(
                Kind::LogoutNotReceived,
                format!("{address} does not answer a message of single logout: {none}"),
                "let the proxy before the application pass a POST to the service's address",
            );
        }
    };
    let status = answer.status.as_u16();
    if answer.status.is_success() {
        return Finding::good(
            Group::Logout,
            format!("{address} takes messages of single logout"),
        );
    }
    let fix = match status {
        300..=399 => {
            "let the message through without a login: the CAS server has no session of the application"
        }
        401 | 403 => {
            "leave the service's address out of the protection against forged forms (CSRF), out of any login before it, and the \
             CAS server's network in slo_sources"
        }
        404 | 405 => {
            "let the layer of CAS see a POST to the callback: cas.layer() around all routes"
        }
        _ => "look into the log of the application",
    };
    Finding::new(
        Kind::LogoutNotReceived,
        format!("{address} answers a message of single logout with status {status}"),
        fix,
    )
}

fn judge_forged(received: &Result<Answer, NoAnswer>) -> Finding {
    match received {
        Ok(answer) if answer.status.is_success() => Finding::new(
            Kind::LogoutUnchecked,
            "a logout message with a document type and an entity is answered with success",
            "let the application read single logout (casque-axum does), and read XML without document types",
        ),
        Ok(answer) => Finding::good(
            Group::Logout,
            format!(
                "a forged message of single logout is refused with status {}",
                answer.status.as_u16()
            ),
        ),
        Err(none) => Finding::skipped(Group::Logout, format!("a forged message: {none}")),
    }
}

/// Whether the CAS server can be expected to reach the service.
pub(crate) fn judge_way(cas: &CasBase, service: &str) -> Option<Finding> {
    let url = Url::parse(service).ok()?;
    let here = is_loopback(&url);
    let cas_url = Url::parse(cas.as_str()).ok()?;
    if is_loopback(&cas_url) || !(here || is_private(&url) && !is_private(&cas_url)) {
        return None;
    }
    let what = if here {
        "is the machine it runs on, whoever asks"
    } else {
        "is in a private network, and the CAS server's address is not"
    };
    Some(Finding::new(
        Kind::LogoutUnreachable,
        format!(
            "the service {service} {what}: {} cannot reach it",
            cas.as_str()
        ),
        "for tests nothing; in earnest give the application an address that the CAS server reaches",
    ))
}

fn is_private(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_private() || address.is_link_local(),
        Some(Host::Ipv6(address)) => address.is_unique_local() || address.is_unicast_link_local(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_its_server_cannot_reach() {
        let way = |cas: &str, service: &str| {
            let cas = CasBase::parse_allowing_http(cas).unwrap();
            judge_way(&cas, service).and_then(|finding| finding.kind())
        };
        let cas = "https://cas.example.org/cas";
        assert_eq!(
            way(cas, "http://localhost:5000/login"),
            Some(Kind::LogoutUnreachable)
        );
        assert_eq!(
            way(cas, "https://192.168.1.7/login"),
            Some(Kind::LogoutUnreachable)
        );
        assert_eq!(
            way("https://192.168.1.1/cas", "https://192.168.1.7/login"),
            None
        );
        assert_eq!(
            way("http://127.0.0.1:8000/cas", "http://localhost:5000/login"),
            None
        );
        assert_eq!(way(cas, "https://app.example.org/login"), None);
    }
}
