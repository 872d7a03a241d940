//! `/samlValidate`, SAML 1.1.

use casque_proto::saml::{SamlExpectation, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{ReadOptions, STANDARD_ATTRIBUTES, ServiceTicket, ServiceUrl};
use casque_visitor::{Answer, Request};
use http::Method;

use crate::bench::{Bench, MADE_UP_TICKET};
use crate::case::{Case, case};
use crate::verdict::{Judged, absent, broken, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "saml-success",
        ["R-243"],
        Must,
        "§4.2.5",
        "a good ticket names the user in a SAML 1.1 response",
        success
    ),
    case!(
        "saml-failure",
        ["R-240", "R-247"],
        Must,
        "§4.2.5",
        "a bad ticket gets a SAML response without assertion",
        failure
    ),
    case!(
        "saml-replay",
        ["R-241"],
        Must,
        "§3.1.1",
        "a ticket is good once at /samlValidate",
        replay
    ),
    case!(
        "saml-other-target",
        ["R-241"],
        Must,
        "§4.2.1",
        "a ticket is good for its TARGET only",
        other_target
    ),
    case!(
        "saml-plain-attributes",
        ["R-242"],
        Must,
        "§4.2.1",
        "no attributes are told to a site without TLS",
        plain_attributes
    ),
    case!(
        "saml-get",
        ["R-009"],
        Must,
        "§4.2.2",
        "a GET is no request",
        get
    ),
];

async fn post(b: &Bench, target: &str, ticket: &str) -> Judged<Answer> {
    let Ok(ticket) = ServiceTicket::parse(ticket) else {
        return skipped("the ticket does not fit the grammar of tickets");
    };
    let stamp = stamp();
    let mut request = Request::get(b.url("samlValidate", &[("TARGET", target)]))
        .method(Method::POST)
        .header("content-type", SamlRequest::CONTENT_TYPE)
        .header("soapaction", SamlRequest::SOAP_ACTION)
        .header("accept", "text/xml");
    request.body = SamlRequest::to_xml(&ticket, &stamp).into_bytes();
    Ok(b.agent.send(request, None).await?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kit judges servers by the time of this machine"
)]
fn stamp() -> SamlStamp {
    SamlStamp::new(std::time::SystemTime::now(), &mut |bytes| {
        // Only to be unique: without randomness the same bytes do.
        let _ = getrandom::fill(bytes);
    })
}

fn read(target: &str, answer: &Answer) -> Judged<SamlResponse> {
    let Ok(service) = ServiceUrl::parse(target) else {
        return skipped("the service is no service to casque");
    };
    let options = ReadOptions::default().status(answer.status.as_u16());
    let now = stamp().now();
    match SamlResponse::parse(&answer.body, &SamlExpectation::new(&service, now), &options) {
        Ok(response) => Ok(response),
        Err(error) => broken(format!("/samlValidate: not a SAML 1.1 response: {error}")),
    }
}

/// The server answers SAML with SAML.
async fn needs(b: &Bench) -> Judged {
    let target = b.service("saml");
    let answer = post(b, &target, MADE_UP_TICKET).await?;
    if answer
        .text()
        .contains("urn:oasis:names:tc:SAML:1.0:protocol")
    {
        Ok(())
    } else {
        absent(format!(
            "/samlValidate answers status {} without SAML",
            answer.status.as_u16()
        ))
    }
}

async fn success(b: &mut Bench) -> Judged {
    needs(b).await?;
    let target = b.service("saml");
    let ticket = b.ticket(&target).await?;
    match read(&target, &post(b, &target, &ticket).await?)? {
        SamlResponse::Success(assertion) => ensure(
            assertion.user().eq_ignore_ascii_case(&b.settings.username),
            format!("it names {:?}", assertion.user()),
        ),
        SamlResponse::Failure(_) => broken("a good ticket is refused"),
    }
}

async fn refused(b: &Bench, target: &str, ticket: &str) -> Judged {
    let answer = post(b, target, ticket).await?;
    match read(target, &answer)? {
        SamlResponse::Failure(_) => Ok(()),
        SamlResponse::Success(_) => broken("the ticket is taken"),
    }
}

async fn failure(b: &mut Bench) -> Judged {
    needs(b).await?;
    refused(b, &b.service("saml"), MADE_UP_TICKET).await
}

async fn replay(b: &mut Bench) -> Judged {
    needs(b).await?;
    let target = b.service("saml");
    let ticket = b.ticket(&target).await?;
    post(b, &target, &ticket).await?;
    refused(b, &target, &ticket).await
}

async fn other_target(b: &mut Bench) -> Judged {
    needs(b).await?;
    let (target, other) = (b.service("saml"), b.service("other"));
    let ticket = b.ticket(&target).await?;
    refused(b, &other, &ticket).await
}

async fn plain_attributes(b: &mut Bench) -> Judged {
    needs(b).await?;
    let target = b.service("saml");
    if !target.starts_with("http:") {
        return skipped("the service is https");
    }
    let ticket = b.ticket(&target).await?;
    match read(&target, &post(b, &target, &ticket).await?)? {
        SamlResponse::Success(assertion) => {
            // How the user logged in is part of the assertion itself.
            let told: Vec<_> = assertion
                .attributes()
                .iter()
                .map(|(name, _)| name)
                .filter(|name| {
                    !STANDARD_ATTRIBUTES.contains(name)
                        && *name != "samlAuthenticationStatementAuthMethod"
                })
                .collect();
            ensure(
                told.is_empty(),
                format!("told over plain http: {}", told.join(", ")),
            )
        }
        SamlResponse::Failure(_) => Ok(()),
    }
}

async fn get(b: &mut Bench) -> Judged {
    needs(b).await?;
    let target = b.service("saml");
    let ticket = b.ticket(&target).await?;
    let answer = b
        .ask(
            "samlValidate",
            &[
                ("TARGET", &target),
                ("ticket", &ticket),
                ("SAMLart", &ticket),
            ],
        )
        .await?;
    ensure(
        !answer.text().contains("NameIdentifier"),
        "a GET is answered with an assertion",
    )
}
