//! The same server's back: what applications see.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use casque_proto::saml::{SamlAssertion, SamlReply, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{
    Assertion, Attributes, Failure, FailureCode, ProxyGrantingTicketIou, ProxyResponse,
    ProxyTicket, ReadOptions, ServiceResponse,
};
use url::Url;

use super::server::{Faulty, Granted, PASSWORD, Pairs, Session, USER, get};

fn refusal(code: FailureCode) -> Failure {
    Failure::new(code, "because")
}

pub(super) async fn validate(server: &Faulty, path: &str, query: &Pairs) -> Response {
    let judged = judge(server, path, query).await;
    if path == "validate" {
        let text = match judged {
            Ok(_) if server.has("cas1 success") => "YES\n".to_owned(),
            Ok(assertion) => format!("yes\n{}\n", assertion.user()),
            Err(_) if server.has("cas1 failure") => "nope".to_owned(),
            Err(_) => "no\n\n".to_owned(),
        };
        return (
            [
                ("content-type", "text/plain"),
                ("cache-control", "no-store"),
            ],
            text,
        )
            .into_response();
    }
    let json = get(query, "format").is_some_and(|format| {
        format == "JSON" || (format.eq_ignore_ascii_case("json") && !server.has("format case"))
    }) && !server.has("no json");
    let response = match judged {
        Ok(assertion) => ServiceResponse::Success(assertion),
        Err(failure) => ServiceResponse::Failure(failure),
    };
    let failed = matches!(response, ServiceResponse::Failure(_));
    let mut text = if json && !(failed && server.has("no json failure")) {
        response.to_json()
    } else {
        response.to_xml()
    };
    if server.has("blanks") {
        text = text.replace("<cas:user>", "<cas:user>\n ");
    }
    if server.has("empty proxies") && !json {
        let end = "</cas:authenticationSuccess>";
        text = text.replace(end, &format!("<cas:proxies></cas:proxies>{end}"));
    }
    if server.has("standard last") && !json {
        let mail = "<cas:mail>a@example.org</cas:mail>";
        text = text.replacen("<cas:attributes>", &format!("<cas:attributes>{mail}"), 1);
    }
    if server.has("declaration") && !json {
        text = format!("<?xml version=\"1.0\"?>{text}");
    }
    if server.has("no words") {
        text = text.replace(">because<", "><");
    }
    if server.has("not cas") {
        text = text.replace("http://www.yale.edu/tp/cas", "urn:other");
    }
    let kind = if server.has("content type") {
        "text/html"
    } else if json {
        "application/json"
    } else {
        "application/xml"
    };
    let cache = if server.has("answers cached") {
        "public"
    } else {
        "no-store"
    };
    let status = if failed && server.has("failure 400") {
        400
    } else {
        200
    };
    (
        StatusCode::from_u16(status).unwrap(),
        [("content-type", kind), ("cache-control", cache)],
        text,
    )
        .into_response()
}

async fn judge(server: &Faulty, path: &str, query: &Pairs) -> Result<Assertion, Failure> {
    let find = |name: &str| {
        let exact = get(query, name);
        let loose = query
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        if server.has("parameter case") {
            exact.or(loose)
        } else {
            exact
        }
    };
    let twice = ["service", "ticket"]
        .iter()
        .any(|name| query.iter().filter(|(key, _)| key == name).count() > 1);
    let missing = if server.has("missing code") {
        FailureCode::InvalidTicket
    } else {
        FailureCode::InvalidRequest
    };
    let (Some(service), Some(ticket)) = (find("service"), find("ticket")) else {
        let blank = query.iter().any(|(_, value)| value.is_empty());
        return Err(refusal(if blank && server.has("blank") {
            FailureCode::InvalidTicket
        } else {
            missing
        }));
    };
    let format = get(query, "format").unwrap_or("XML").to_ascii_uppercase();
    if (twice && !server.has("duplicates"))
        || !(matches!(format.as_str(), "XML" | "JSON") || server.has("any format"))
    {
        return Err(refusal(FailureCode::InvalidRequest));
    }
    let bad = if server.has("unknown code") {
        FailureCode::InternalError
    } else {
        FailureCode::InvalidTicket
    };
    let kind = if server.has("malformed code") && !ticket.starts_with("ST-1-casque") {
        FailureCode::InternalError
    } else {
        bad
    };
    let kind = if server.has("kind code") && ticket.starts_with("PGT-") {
        FailureCode::InvalidService
    } else {
        kind
    };
    let first = server.with(|known| {
        let first = !known.forms.iter().any(|seen| seen == ticket);
        known.forms.push(ticket.to_owned());
        first
    });
    let keeps = server.has("replay")
        || (server.has("race") && first)
        || (server.has("not spent")
            && server.with(|known| {
                known
                    .tickets
                    .get(ticket)
                    .is_some_and(|granted| granted.service != service)
            }));
    let granted = server.with(|known| {
        if keeps {
            known.tickets.get(ticket).cloned()
        } else {
            known.tickets.remove(ticket)
        }
    });
    let Some(granted) = granted else {
        return Err(refusal(kind));
    };
    let proxied = !granted.proxies.is_empty();
    if proxied && !path.contains("proxyValidate") && !server.has("pt anywhere") {
        return Err(refusal(FailureCode::InvalidTicket));
    }
    let same = granted.service == service
        || (server.has("service ignored"))
        || (server.has("query ignored")
            && granted.service.split('?').next() == service.split('?').next());
    if !same {
        return Err(refusal(if server.has("service code") {
            FailureCode::InvalidTicket
        } else {
            FailureCode::InvalidService
        }));
    }
    let renew = get(query, "renew");
    let renew = renew.is_some_and(|value| value != "false" || server.has("renew false"));
    if renew && (!granted.new && !server.has("renew not checked") || server.has("renew never")) {
        return Err(refusal(FailureCode::InvalidTicket));
    }
    server.with(|known| {
        if let Some(session) = known.sessions.get_mut(&granted.session)
            && !server.has("slo silent")
        {
            session
                .told
                .push((granted.service.clone(), ticket.to_owned()));
        }
    });
    let remembered = server.with(|known| {
        known
            .sessions
            .get(&granted.session)
            .is_some_and(|s| s.remembered)
    });
    let user =
        if server.has("wrong user") || (server.has("other user") && path == "p3/serviceValidate") {
            "Alice"
        } else {
            USER
        };
    let user = if server.has("wrong user") {
        "mallory"
    } else {
        user
    };
    let mut assertion = Assertion::builder(user);
    if (path.starts_with("p3/") && !server.has("no attributes")) || server.has("cas2 attributes") {
        if server.has("date form") {
            assertion = assertion
                .attribute("authenticationDate", "yesterday")
                .long_term(remembered);
        } else if !server.has("no standard") {
            assertion = assertion
                .authentication_date(std::time::SystemTime::UNIX_EPOCH)
                .long_term(remembered && !server.has("remember untold"));
        }
        assertion = assertion.from_new_login(granted.new || server.has("always new"));
        assertion = assertion.attribute("mail", "a@example.org");
    }
    if let Some(pgt_url) = get(query, "pgtUrl")
        && let Some(iou) = call_back(server, pgt_url, &granted).await?
    {
        assertion = assertion.proxy_granting_ticket_iou(iou);
    }
    if path.contains("proxyValidate") {
        assertion = assertion.proxies(granted.proxies);
    }
    Ok(assertion.build())
}

async fn call_back(
    server: &Faulty,
    pgt_url: &str,
    granted: &Granted,
) -> Result<Option<ProxyGrantingTicketIou>, Failure> {
    let failed = Err(refusal(FailureCode::InvalidProxyCallback));
    if !pgt_url.starts_with("https:") && !server.has("pgt plain") {
        return failed;
    }
    let (pgt, iou) = (
        server.secret(if server.has("pgt prefix") {
            "TGT"
        } else {
            "PGT"
        }),
        server.secret("PGTIOU"),
    );
    let mut url = Url::parse(pgt_url).unwrap();
    if server.has("pgt query lost") {
        url.set_query(None);
    }
    url.query_pairs_mut()
        .append_pair("pgtIou", &iou)
        .append_pair("pgtId", &pgt);
    let answer = server.http().get(url).send().await;
    if !answer.is_ok_and(|answer| answer.status() == StatusCode::OK) && !server.has("pgt refused") {
        return failed;
    }
    let mut chain = granted.clone();
    chain.proxies.insert(0, pgt_url.to_owned());
    if server.has("chain short") {
        chain.proxies.truncate(1);
    }
    server.with(|known| known.pgts.insert(pgt, chain));
    Ok(Some(ProxyGrantingTicketIou::parse(&iou).unwrap()))
}

pub(super) fn proxy(server: &Faulty, query: &Pairs) -> Response {
    let answer = match (get(query, "pgt"), get(query, "targetService")) {
        (Some(pgt), Some(target)) => match server.with(|known| {
            if server.has("pgt once") {
                known.pgts.remove(pgt)
            } else {
                known.pgts.get(pgt).cloned()
            }
        }) {
            Some(granted) => {
                let ticket = server.secret("PT");
                let proxies = if server.has("proxies wrong") {
                    vec!["https://other.invalid/".to_owned()]
                } else {
                    granted.proxies
                };
                let made = Granted {
                    session: granted.session,
                    service: target.to_owned(),
                    new: false,
                    proxies,
                };
                server.with(|known| known.tickets.insert(ticket.clone(), made));
                ProxyResponse::Success(ProxyTicket::parse(&ticket).unwrap())
            }
            None if server.has("proxy for anybody") => {
                ProxyResponse::Success(ProxyTicket::parse("PT-1-x").unwrap())
            }
            None => ProxyResponse::Failure(refusal(FailureCode::InvalidTicket)),
        },
        _ => ProxyResponse::Failure(refusal(if server.has("proxy code") {
            FailureCode::InternalError
        } else {
            FailureCode::InvalidRequest
        })),
    };
    ([("content-type", "application/xml")], answer.to_xml()).into_response()
}

pub(super) fn saml(server: &Faulty, query: &Pairs, body: &[u8], method: &Method) -> Response {
    let stamp = SamlStamp::new(now(), &mut |bytes| bytes.fill(3));
    let xml = |text: String| ([("content-type", "text/xml")], text).into_response();
    let target = get(query, "TARGET");
    if *method == Method::GET && server.has("saml get") {
        return xml("<NameIdentifier>alice</NameIdentifier>".to_owned());
    }
    let request = SamlRequest::parse(target, body, &ReadOptions::default());
    let denied = SamlResponse::request_denied("because");
    let Ok(request) = request else {
        return xml(denied
            .to_xml(&SamlReply::new(&stamp, "cas", "https://x.invalid/").in_response_to(None)));
    };
    let ticket = request.artifact().secret();
    let granted = server.with(|known| {
        if server.has("saml replay") {
            known.tickets.get(ticket).cloned()
        } else {
            known.tickets.remove(ticket)
        }
    });
    let good = granted
        .is_some_and(|granted| granted.service == request.target() || server.has("saml service"));
    let answer = if (good && !server.has("saml never")) || server.has("saml always") {
        let mut assertion = SamlAssertion::new(USER);
        if server.has("saml attributes") {
            let mut attributes = Attributes::new();
            attributes.push("mail", "a@example.org");
            assertion = assertion.with_attributes(attributes);
        }
        SamlResponse::Success(assertion)
    } else {
        denied
    };
    xml(answer.to_xml(
        &SamlReply::new(&stamp, "cas", request.target()).in_response_to(request.request_id()),
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kit judges by the time of this machine, and so does its server"
)]
fn now() -> std::time::SystemTime {
    std::time::SystemTime::now()
}

pub(super) fn rest(server: &Faulty, path: &str, method: &Method, fields: &Pairs) -> Response {
    if path == "v1/tickets" && *method == Method::POST {
        if get(fields, "password") != Some(PASSWORD) {
            return StatusCode::from_u16(if server.has("rest status") { 400 } else { 401 })
                .unwrap()
                .into_response();
        }
        let tgt = server.secret("TGT");
        server.with(|known| known.sessions.insert(tgt.clone(), Session::default()));
        return (
            StatusCode::CREATED,
            [("location", format!("http://127.0.0.1/cas/v1/tickets/{tgt}"))],
        )
            .into_response();
    }
    let Some(tgt) = path.strip_prefix("v1/tickets/") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if !server.with(|known| known.sessions.contains_key(tgt)) {
        return StatusCode::NOT_FOUND.into_response();
    }
    if *method == Method::DELETE {
        if !server.has("rest delete") {
            server.with(|known| known.sessions.remove(tgt));
        }
        return StatusCode::OK.into_response();
    }
    server
        .grant(tgt, get(fields, "service").unwrap_or_default(), false)
        .into_response()
}
