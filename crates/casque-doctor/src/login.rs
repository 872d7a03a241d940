//! A login in earnest: a ticket, what it says, and that it says it once.

use casque_client::{ClientError, Protocol};
use casque_proto::{Assertion, ServiceTicket, TicketMode};
use casque_visitor::{NoAnswer, Reached, Visitor, complaint, parameter, title};

use crate::endpoints::Asking;
use crate::finding::{Finding, Group, Kind};
use crate::service::leads_back;

/// Who logs in.
#[derive(Clone, Copy)]
pub(crate) struct Person<'a> {
    pub(crate) name: &'a str,
    pub(crate) password: &'a str,
}

/// Logs in, takes the ticket to the CAS server, and takes it there again.
pub(crate) async fn examine(
    asking: &Asking<'_>,
    protocol: Protocol,
    person: Person<'_>,
    show_values: bool,
) -> Vec<Finding> {
    let service = asking.service.without_fragment();
    let (mode, name) = match protocol {
        Protocol::Saml11 => (TicketMode::Saml, "TARGET"),
        _ => (TicketMode::Cas, "service"),
    };
    let mut visitor = Visitor::new(asking.agent.clone(), asking.base.as_str());
    let reached = match visitor.login(&[(name, service)]).await {
        Ok(page) => log_in(&mut visitor, page, person, service).await,
        Err(none) => Ok(Err(none)),
    };
    let reached = match reached {
        Ok(Ok(reached)) => reached,
        Ok(Err(none)) => {
            return vec![Finding::skipped(Group::Login, format!("no answer: {none}"))];
        }
        Err(finding) => return vec![finding],
    };
    let ticket = match ticket(&reached, service, mode) {
        Ok(ticket) => ticket,
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![Finding::good(
        Group::Login,
        format!("{} logs in, and a ticket comes to {service}", person.name),
    )];
    let client = match asking.client(protocol) {
        Ok(client) => client,
        Err(error) => {
            findings.push(Finding::new(
                Kind::TicketRefused,
                error.to_string(),
                SETTINGS,
            ));
            return findings;
        }
    };
    let first = client.validate(&ticket, &asking.service).await;
    findings.extend(judge_validation(service, &first, show_values));
    if first.is_ok() {
        let second = client.validate(&ticket, &asking.service).await;
        findings.push(judge_second(&second));
    }
    findings
}

const SETTINGS: &str = "change what the message names";

/// Fills in the login form, where the page is one.
pub(crate) async fn log_in(
    visitor: &mut Visitor,
    page: Reached,
    person: Person<'_>,
    service: &str,
) -> Result<Result<Reached, NoAnswer>, Finding> {
    let Some(form) = page.form() else {
        if page
            .left
            .as_deref()
            .is_some_and(|left| leads_back(left, service))
        {
            return Ok(Ok(page));
        }
        return Err(Finding::new(
            Kind::LoginFormMissing,
            format!(
                "/login is no form with a name and a password, but {}",
                page.words()
            ),
            "where people log in by another server or by a script, log in with a browser and look at the application there",
        ));
    };
    let reached = visitor
        .submit(
            &page.last,
            &form,
            (person.name, person.password),
            Some(service),
            |_| {},
        )
        .await;
    let reached = match reached {
        Ok(reached) => reached,
        Err(none) => return Ok(Err(none)),
    };
    if reached.form().is_some() {
        let said = complaint(&reached.last.text())
            .map_or_else(String::new, |said| format!(": \"{said}\""));
        return Err(Finding::new(
            Kind::PasswordRefused,
            format!(
                "the login form comes again after the password of {}{said}",
                person.name
            ),
            "correct the name or the password; after several wrong ones wait, since servers count them",
        ));
    }
    Ok(Ok(reached))
}

/// The ticket on its way to the service.
fn ticket(reached: &Reached, service: &str, mode: TicketMode) -> Result<ServiceTicket, Finding> {
    let text = match mode {
        TicketMode::Saml => reached
            .left
            .as_deref()
            .and_then(|left| parameter(left, "SAMLart")),
        _ => reached.delivered(service).map(|delivered| delivered.ticket),
    };
    let missing = |words: String, fix: &str| Finding::new(Kind::TicketMissing, words, fix);
    let Some(text) = text else {
        let page = reached.last.text();
        let said = complaint(&page).or_else(|| title(&page));
        let said = said
            .filter(|_| reached.left.is_none())
            .map_or_else(String::new, |said| format!(": \"{said}\""));
        return Err(missing(
            format!("after the login comes {}{said}", reached.words()),
            "register the service at the CAS server; where the page asks a question (consent, a second factor), answer it in a \
             browser first",
        ));
    };
    if let Some(left) = reached
        .left
        .as_deref()
        .filter(|left| !leads_back(left, service))
    {
        return Err(missing(
            format!("the ticket for {service} is taken to {left}"),
            "look into the CAS server's definition of the service: it redirects elsewhere",
        ));
    }
    ServiceTicket::parse(&text).map_err(|error| {
        missing(
            format!("what comes to {service} is no ticket: {error}"),
            "look into the log of the CAS server",
        )
    })
}

/// What the first validation says.
fn judge_validation(
    service: &str,
    validated: &Result<Assertion, ClientError>,
    show_values: bool,
) -> Vec<Finding> {
    let user = match validated {
        Ok(user) => user,
        Err(error) => {
            return vec![Finding::new(
                Kind::TicketRefused,
                format!("the ticket for {service} is not taken at once: {error}"),
                advice(error),
            )];
        }
    };
    let mut findings = vec![Finding::good(
        Group::Login,
        format!("the ticket is {}'s", user.user()),
    )];
    let attributes: Vec<_> = user
        .attributes()
        .iter()
        .filter(|(name, _)| !OF_THE_LOGIN.contains(name))
        .collect();
    if attributes.is_empty() {
        findings.push(Finding::new(
            Kind::AttributesMissing,
            "the ticket says the user name, and no attribute of the person",
            "let the CAS server release attributes to this service (at casque serve: attributes = [\"mail\"] in the file of the \
             service; at Apereo CAS: an attribute release policy), and validate by CAS 3 or SAML 1.1",
        ));
    } else {
        findings.push(Finding::good(
            Group::Login,
            format!("attributes arrive: {}", named(&attributes, show_values)),
        ));
    }
    findings
}

/// What servers say about the login rather than about the person, by CAS 3 and Apereo's habit.
const OF_THE_LOGIN: [&str; 7] = [
    "authenticationDate",
    "longTermAuthenticationRequestTokenUsed",
    "isFromNewLogin",
    "authenticationMethod",
    "credentialType",
    "samlAuthenticationStatementAuthMethod",
    "successfulAuthenticationHandlers",
];

fn named(attributes: &[(&str, &[String])], show_values: bool) -> String {
    let one = |(name, values): &(&str, &[String])| match (show_values, values.len()) {
        (true, _) => format!("{name} = {}", values.join(" | ")),
        (false, 1) => (*name).to_owned(),
        (false, count) => format!("{name} ({count} values)"),
    };
    attributes.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn advice(error: &ClientError) -> &'static str {
    match error.code() {
        Some("INVALID_SERVICE") => {
            "let login and validation say the same service, letter by letter: one address in SERVICE_URL and LOGIN_URL, that of \
             the browser's address line"
        }
        Some("INVALID_TICKET") => {
            "where several CAS servers stand behind one address, let them share their tickets; a ticket lives for seconds, so \
             look for what delays it"
        }
        Some(_) => "register the service at the CAS server; its log says why it refuses",
        None => {
            "look into the log of the CAS server; casque inspect service-response explains an answer"
        }
    }
}

/// What the second validation of the same ticket says.
fn judge_second(validated: &Result<Assertion, ClientError>) -> Finding {
    match validated {
        Ok(_) => Finding::new(
            Kind::TicketReusable,
            "the same ticket is good a second time",
            "let the CAS server spend a ticket at its first validation (R-222); several nodes must share one store",
        ),
        Err(ClientError::Refused { .. }) => {
            Finding::good(Group::Login, "the same ticket is refused the second time")
        }
        Err(error) => Finding::skipped(
            Group::Login,
            format!("whether a ticket is good a second time: {error}"),
        ),
    }
}
