//! The login form of a server, filled in as a person with a browser would.

use std::path::Path;
use std::time::Duration;

use casque_client::{Client, LoginOptions, ServiceTicket, ServiceUrl};
use casque_visitor::{Agent, Answer, Reached, Request, Trace, Visitor, complaint, shown, title};
use url::Url;

use super::Fault;

/// A browser at one CAS server, and whose password it knows.
pub(super) struct Browser<'a> {
    agent: Agent,
    visitor: Visitor,
    base: Url,
    username: &'a str,
    password: &'a str,
    fields: &'a [(String, String)],
}

/// A ticket, and the address with it that the server sent the browser to, where it did.
pub(super) struct Entered {
    pub(super) ticket: ServiceTicket,
    pub(super) location: Option<String>,
}

impl<'a> Browser<'a> {
    /// `fields` are sent with the form in place of what it has of these names.
    pub(super) fn new(
        client: &Client,
        (ca_file, timeout): (Option<&Path>, Duration),
        trace: &Trace,
        (username, password): (&'a str, &'a str),
        fields: &'a [(String, String)],
    ) -> Result<Self, Fault> {
        let name = concat!("casque/", env!("CARGO_PKG_VERSION"));
        let agent = Agent::new(name, ca_file, timeout, trace.clone()).map_err(Fault::Misuse)?;
        let base = client.base().as_str();
        Ok(Self {
            visitor: Visitor::new(agent.clone(), base),
            agent,
            base: Url::parse(base).expect("a CAS base URL is a URL"),
            username,
            password,
            fields,
        })
    }

    /// Logs in to a service.
    pub(super) async fn enter(
        &mut self,
        client: &Client,
        service: &ServiceUrl,
    ) -> Result<Entered, Fault> {
        let login = client.login_url(service, LoginOptions::default());
        self.enter_at(&login, service.as_str()).await
    }

    /// Ends the session at the server, as far as it lets itself be told.
    pub(super) async fn leave(&mut self) {
        let _ = self.visitor.visit("logout", &[]).await;
    }

    /// Opens a page of an application, logs in where the application asks for it, and comes back with the page.
    pub(super) async fn get(&mut self, address: &Url) -> Result<Answer, Fault> {
        let mut application = Visitor::new(self.agent.clone(), address.as_str());
        // There it stops, also where application and server share an origin.
        let login_page = format!("{}/login", self.base.as_str().trim_end_matches('/'));
        let open = Request::get(address.clone());
        let mut reached = application.go(open, Some(&login_page)).await?;
        for _ in 0..MOST_LOGINS {
            let Some(left) = &reached.left else {
                return Ok(reached.last);
            };
            let login = reached.last.url.join(left).ok();
            let login = login.filter(|login| self.is_login(login)).ok_or_else(|| {
                let left = shown(left, MOST_SHOWN);
                Fault::Unusable(format!(
                    "{address} sends its visitors to {left}, which is not the login of --cas"
                ))
            })?;
            let service =
                casque_visitor::parameter(login.as_str(), "service").ok_or_else(|| {
                    Fault::Unusable(format!("{address} asks for a login without a service"))
                })?;
            let entered = self.enter_at(login.as_str(), &service).await?;
            let back = entered.location.and_then(|back| Url::parse(&back).ok());
            let back = back.filter(|back| back.origin() == address.origin());
            let back = back.ok_or_else(|| {
                Fault::Unusable(format!("the login of {address} leads to another server"))
            })?;
            reached = application
                .go(Request::get(back), Some(&login_page))
                .await?;
        }
        Err(Fault::Refused {
            words: format!("{address} asks for a login again and again"),
            status: None,
        })
    }

    async fn enter_at(&mut self, login: &str, service: &str) -> Result<Entered, Fault> {
        let page = self.visitor.go(Request::get(login), Some(service)).await?;
        if let Some(entered) = ticket_in(&page, service)? {
            return Ok(entered);
        }
        let Some(form) = page.form() else {
            return Err(self.no_ticket(&page, "there is no login form to fill in"));
        };
        let fields = self.fields;
        let reached = self
            .visitor
            .submit(
                &page.last,
                &form,
                (self.username, self.password),
                Some(service),
                |sent| {
                    sent.retain(|(name, _)| !fields.iter().any(|(field, _)| field == name));
                    sent.extend_from_slice(fields);
                },
            )
            .await?;
        match ticket_in(&reached, service)? {
            Some(entered) => Ok(entered),
            None if reached.form().is_some() => {
                Err(self.no_ticket(&reached, "the login form is back"))
            }
            None => Err(self.no_ticket(&reached, "there is no ticket after the login")),
        }
    }

    /// What the server says in place of a ticket.
    fn no_ticket(&self, reached: &Reached, otherwise: &str) -> Fault {
        if let Some(left) = &reached.left {
            let left = shown(left, MOST_SHOWN);
            return Fault::Unusable(format!(
                "the server sends the browser on to {left} without a ticket; only a login form of the server itself can be \
                 filled in"
            ));
        }
        let page = reached.last.text();
        let status = reached.last.status;
        let said = complaint(&page).map(|words| format!("\"{words}\""));
        let said = said.or_else(|| {
            let title = title(&page).filter(|_| reached.form().is_none())?;
            Some(format!("a page titled \"{title}\""))
        });
        // A page that repeats the password is not repeated.
        let said = said.filter(|said| !said.contains(self.password));
        let words = match said {
            Some(said) => format!("{otherwise}: {}", shown(&said, MOST_SHOWN)),
            None => otherwise.to_owned(),
        };
        if status.is_server_error() {
            return Fault::Unusable(format!("the server failed with status {status}: {words}"));
        }
        Fault::Refused {
            words,
            status: Some(status.as_u16()),
        }
    }

    fn is_login(&self, address: &Url) -> bool {
        let path = self.base.path().trim_end_matches('/');
        address.origin() == self.base.origin() && address.path() == format!("{path}/login")
    }
}

fn ticket_in(reached: &Reached, service: &str) -> Result<Option<Entered>, Fault> {
    let (ticket, location) = match reached.delivered(service) {
        Some(delivered) => (delivered.ticket, Some(delivered.location)),
        None => match reached.posted_ticket(service) {
            Some(ticket) => (ticket, None),
            None => return Ok(None),
        },
    };
    match ServiceTicket::parse(&ticket) {
        Ok(ticket) => Ok(Some(Entered { ticket, location })),
        Err(error) => Err(Fault::Unusable(format!(
            "what the server gives as a ticket is none: {error}"
        ))),
    }
}

/// An application may ask once more, such as for another of its services.
const MOST_LOGINS: usize = 3;
const MOST_SHOWN: usize = 300;
