//! The steps of an operation, each checked.

use casque_proto::{ReadOptions, ServiceResponse};
use casque_visitor::{Answer, NoAnswer, Reached, Visitor, parameter, query_of};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::plan::User;
use crate::tally::Fault;
use crate::target::{Service, Target};
use crate::wire::Connection;

/// What a login gave.
pub(crate) struct SignedIn {
    pub(crate) cookies: Option<String>,
    pub(crate) ticket: String,
    /// Of the bodies that were read.
    pub(crate) bytes: u64,
}

/// Logs in by the server's own form, with a new browser.
pub(crate) async fn sign_in(
    target: &Target,
    service: &Service,
    user: &User,
) -> Result<SignedIn, Fault> {
    let no_answer = |step| move |error: NoAnswer| Fault::new(step, "no_answer", error.to_string());
    let service = service.url.as_str();
    let mut visitor = Visitor::new(target.agent.clone(), target.base.clone());
    let page = visitor
        .login(&[("service", service)])
        .await
        .map_err(no_answer("form"))?;
    let Some(form) = page.form() else {
        return Err(Fault::new(
            "form",
            status_or(&page.last, "no_form"),
            page.words(),
        ));
    };
    let who = (user.name.as_str(), user.password.as_str());
    let reached = visitor
        .submit(&page.last, &form, who, Some(service), |_| {})
        .await
        .map_err(no_answer("password"))?;
    let Some(delivered) = reached.delivered(service) else {
        let is_refusal = matches!(reached.last.status.as_u16(), 200 | 401 | 403);
        let kind = if is_refusal && reached.form().is_some() {
            REFUSED.to_owned()
        } else {
            status_or(&reached.last, NO_TICKET)
        };
        return Err(Fault::new("password", kind, reached.words()));
    };
    goes_to_service(service, "password", &delivered.location)?;
    Ok(SignedIn {
        cookies: visitor.jar.header(target.login_url.path()),
        ticket: delivered.ticket,
        bytes: (page.last.body.len() + reached.last.body.len()) as u64,
    })
}

/// Types a wrong password, which must be refused.
pub(crate) async fn mistype(target: &Target, service: &Service, user: &User) -> Result<(), Fault> {
    let mistyped = User {
        name: user.name.clone(),
        password: format!("{}?", user.password),
    };
    match sign_in(target, service, &mistyped).await {
        Ok(_) => {
            let words = "a wrong password was taken";
            Err(Fault::new("password", "let_in", words))
        }
        Err(fault) if fault.kind == REFUSED => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Logs out, after which the cookies must give no ticket.
pub(crate) async fn sign_out(
    target: &Target,
    service: &Service,
    connection: &mut Connection,
    cookies: Option<&str>,
) -> Result<(), Fault> {
    let head = connection.get("logout", &target.logout, cookies).await?;
    if head.status >= 400 {
        let kind = format!("status {}", head.status);
        return Err(Fault::new("logout", kind, ""));
    }
    match ticket(target, service, connection, cookies).await {
        Ok(_) => {
            let words = "the session gave a ticket after its logout";
            Err(Fault::new("logout", "still_live", words))
        }
        Err(fault) if fault.kind == NO_TICKET => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// A ticket in a session.
pub(crate) async fn ticket(
    target: &Target,
    service: &Service,
    connection: &mut Connection,
    cookies: Option<&str>,
) -> Result<String, Fault> {
    let head = connection.get("ticket", &service.login, cookies).await?;
    let in_location = head
        .location
        .as_deref()
        .and_then(|location| plain_ticket(location, &service.url));
    if let Some(ticket) = in_location.filter(|_| (300..400).contains(&head.status)) {
        return Ok(ticket.to_owned());
    }
    // Whatever else a server may do is rare, and read as a browser reads it.
    let mut url = target.login_url.clone();
    url.set_query(service.login.split_once('?').map(|(_, query)| query));
    let mut headers = HeaderMap::new();
    if let Some(Ok(value)) = head.location.as_deref().map(HeaderValue::from_str) {
        headers.insert(header::LOCATION, value);
    }
    let answer = Answer {
        url,
        status: StatusCode::from_u16(head.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        headers,
        body: connection.body.clone(),
    };
    let reached = Reached {
        left: answer.redirect(),
        first: answer.clone(),
        last: answer,
    };
    let Some(delivered) = reached.delivered(&service.url) else {
        return Err(Fault::new(
            "ticket",
            status_or(&reached.last, NO_TICKET),
            reached.words(),
        ));
    };
    goes_to_service(&service.url, "ticket", &delivered.location)?;
    Ok(delivered.ticket)
}

/// Validates a ticket, which must be that user's.
pub(crate) async fn validate(
    service: &Service,
    connection: &mut Connection,
    ticket: &str,
    user: &str,
) -> Result<(), Fault> {
    let mut path = String::with_capacity(service.validate.len() + ticket.len());
    path.push_str(&service.validate);
    path.extend(url::form_urlencoded::byte_serialize(ticket.as_bytes()));
    let head = connection.get("validate", &path, None).await?;
    if head.status == 200 && names(&connection.body, user) {
        return Ok(());
    }
    let options = ReadOptions::default()
        .status(head.status)
        .allow_any_proxy_chain();
    let fault = |kind: &str, detail: String| Err(Fault::new("validate", kind, detail));
    match ServiceResponse::parse(&connection.body, &options) {
        Ok(ServiceResponse::Success(assertion)) if assertion.user() == user => Ok(()),
        Ok(ServiceResponse::Success(_)) => fault(
            "wrong_user",
            format!("the answer names somebody else than {user}"),
        ),
        Ok(ServiceResponse::Failure(failure)) => {
            let code = failure.code().map_or("", |code| code.as_str());
            fault(&format!("refused {code}"), failure.description().to_owned())
        }
        Err(_) if head.status != 200 => fault(&format!("status {}", head.status), String::new()),
        Err(error) => fault("unreadable", error.to_string()),
    }
}

/// A success that names the user, in the spelling that nearly every server uses.
///
/// Looks at the first elements only, before anything that a user could have put there.
fn names(body: &[u8], user: &str) -> bool {
    const SUCCESS: &[u8] = b"<cas:authenticationSuccess>";
    const USER: &[u8] = b"<cas:user>";
    let Some(at) = position(body, SUCCESS) else {
        return false;
    };
    let inside = body[at + SUCCESS.len()..].trim_ascii_start();
    let rest = inside
        .strip_prefix(USER)
        .and_then(|rest| rest.strip_prefix(user.as_bytes()));
    rest.is_some_and(|rest| rest.starts_with(b"</cas:user>"))
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

/// The ticket of `service` + `?ticket=` or `&ticket=`, where nothing needs decoding.
fn plain_ticket<'a>(location: &'a str, service: &str) -> Option<&'a str> {
    let mark = if service.contains('?') {
        "&ticket="
    } else {
        "?ticket="
    };
    let ticket = location.strip_prefix(service)?.strip_prefix(mark)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    (!ticket.is_empty() && ticket.bytes().all(plain)).then_some(ticket)
}

fn goes_to_service(service: &str, step: &'static str, location: &str) -> Result<(), Fault> {
    let there = url::Url::parse(location)
        .is_ok_and(|location| casque_visitor::leads_to(&location, service));
    // Parameters of the service must have come along.
    let wanted = url::Url::parse(service);
    let kept = wanted.is_ok_and(|service| {
        service
            .query_pairs()
            .all(|(name, value)| parameter(location, &name).as_deref() == Some(&value))
    });
    if there && kept {
        Ok(())
    } else {
        let asked = query_of(&[("service", service)]);
        Err(Fault::new(
            step,
            "wrong_service",
            format!("asked with {asked}, sent to {location}"),
        ))
    }
}

/// What a refused password is counted as.
const REFUSED: &str = "password_refused";
/// What an answer without a ticket is counted as.
const NO_TICKET: &str = "no_ticket";

fn status_or(answer: &Answer, kind: &str) -> String {
    let status = answer.status;
    if status.is_client_error() || status.is_server_error() {
        format!("status {}", status.as_u16())
    } else {
        kind.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_success_names_the_user_or_is_read_whole() {
        let body = |inside: &str| {
            format!("<cas:serviceResponse xmlns:cas='x'>\n {inside}</cas:serviceResponse>")
                .into_bytes()
        };
        let good = body(
            "<cas:authenticationSuccess>\n <cas:user>alice</cas:user></cas:authenticationSuccess>",
        );
        assert!(names(&good, "alice"));
        assert!(!names(&good, "ali") && !names(&good, "alice2") && !names(&good, "bob"));
        let failure = body(
            "<cas:authenticationFailure code='X'>&lt;cas:user>alice</cas:authenticationFailure>",
        );
        assert!(!names(&failure, "alice") && !names(b"", "alice"));
    }

    #[test]
    fn a_ticket_is_taken_from_the_service_only() {
        assert_eq!(
            plain_ticket("http://a/?ticket=ST-1", "http://a/"),
            Some("ST-1")
        );
        assert_eq!(
            plain_ticket("http://a/?x=1&ticket=ST-1", "http://a/?x=1"),
            Some("ST-1")
        );
        for other in [
            "http://b/?ticket=ST-1",
            "http://a/x?ticket=ST-1",
            "http://a/?ticket=",
            "http://a/?ticket=%41",
            "http://a/?ticket=ST-1#f",
        ] {
            assert_eq!(plain_ticket(other, "http://a/"), None, "{other}");
        }
    }
}
