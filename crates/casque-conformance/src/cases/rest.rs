//! The REST protocol: a convention of Apereo's server, not of the specification, so nobody can fail it.

use casque_proto::rest::{StCreated, TgtCreated};
use casque_visitor::{Answer, Request};
use http::Method;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::verdict::{Judged, absent, broken, ensure};

pub(crate) const CASES: &[Case] = &[
    case!(
        "rest-tickets",
        ["R-258", "R-261", "R-264"],
        Choice,
        "Apereo's REST protocol",
        "a password gives a TGT, a TGT a service ticket that validates, and DELETE ends it",
        tickets
    ),
    case!(
        "rest-refusal",
        ["R-260", "R-262"],
        Choice,
        "Apereo's REST protocol",
        "a wrong password is 401, an unknown TGT 404",
        refusal
    ),
];

async fn post(b: &Bench, path: &str, fields: &[(&str, &str)]) -> Judged<Answer> {
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let request = Request::get(format!("{}/{path}", b.base))
        .form(&fields)
        .header("accept", "text/plain");
    Ok(b.agent.send(request, None).await?)
}

async fn grant(b: &Bench) -> Judged<String> {
    let (username, password) = b.credentials();
    let answer = post(
        b,
        "v1/tickets",
        &[("username", &username), ("password", &password)],
    )
    .await?;
    match TgtCreated::parse(answer.status.as_u16(), &answer.headers) {
        Ok(created) => Ok(created.tgt().secret().to_owned()),
        Err(error) => absent(format!("/v1/tickets: {error}")),
    }
}

async fn tickets(b: &mut Bench) -> Judged {
    let tgt = grant(b).await?;
    let service = b.service("rest");
    let path = format!("v1/tickets/{tgt}");
    let answer = post(b, &path, &[("service", &service)]).await?;
    let ticket = match StCreated::parse(answer.status.as_u16(), &answer.body) {
        Ok(created) => created.ticket().secret().to_owned(),
        Err(error) => return broken(format!("no service ticket: {error}")),
    };
    let endpoint = b.those(&["p3/serviceValidate", "serviceValidate"]).await?[0];
    b.validate(endpoint, &[("service", &service), ("ticket", &ticket)])
        .await?
        .success()?;
    let request = Request::get(format!("{}/{path}", b.base)).method(Method::DELETE);
    let status = b.agent.send(request, None).await?.status.as_u16();
    ensure(
        matches!(status, 200 | 204),
        format!("DELETE is answered with status {status}"),
    )?;
    let status = post(b, &path, &[("service", &service)])
        .await?
        .status
        .as_u16();
    ensure(
        status == 404,
        format!("the ended TGT is answered with status {status}"),
    )
}

async fn refusal(b: &mut Bench) -> Judged {
    grant(b).await?;
    let (username, password) = b.credentials();
    let wrong = format!("{password}-wrong");
    let status = post(
        b,
        "v1/tickets",
        &[("username", &username), ("password", &wrong)],
    )
    .await?
    .status;
    ensure(
        status.as_u16() == 401,
        format!(
            "a wrong password is answered with status {}",
            status.as_u16()
        ),
    )?;
    let service = b.service("rest");
    let unknown = post(
        b,
        "v1/tickets/TGT-1-casqueConformance",
        &[("service", &service)],
    )
    .await?;
    ensure(
        unknown.status.as_u16() == 404,
        format!(
            "an unknown TGT is answered with status {}",
            unknown.status.as_u16()
        ),
    )?;
    Ok(())
}
