//! The one way into a service for somebody with a session: who is admitted, who is asked first, and the ticket.

use std::{net::IpAddr, time::Duration};

use axum::response::Response;
use casque_proto::{RegistryUrl, TicketMode};
use http::StatusCode;

use super::{
    Options,
    decide::{Answer, Visitor},
    delivery::deliver,
    flow::{Bound, issue_bound},
    issue, label_of, service_field,
};
use crate::{
    consent,
    http::{Failure, page, page_with_forms, redirect},
    pages::{Continue, Field, Page},
    people::Person,
    registry::{ResponseType, Service},
    sso::Session,
    state::State,
};

/// How long after the password an answer to a question still leads to a ticket of a new login.
const FRESH: Duration = Duration::from_mins(5);

pub(super) const PURPOSE: &str = "enter-service";

/// What a person is asked before they enter a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Warning,
    Consent,
}

impl Question {
    pub(super) const ALL: [Self; 2] = [Self::Warning, Self::Consent];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Consent => "consent",
        }
    }
}

/// A person on the way into a service.
pub(super) struct Entry<'a> {
    pub(super) state: &'a State,
    pub(super) session: &'a Session,
    pub(super) person: &'a Person,
    /// The service as it was given.
    pub(super) text: &'a str,
    pub(super) mode: TicketMode,
    pub(super) url: &'a RegistryUrl,
    pub(super) service: &'a Service,
    pub(super) options: Options,
    /// In direct answer to a password.
    pub(super) fresh: bool,
    /// Whoever sent the request.
    pub(super) client: Option<IpAddr>,
}

impl Entry<'_> {
    /// What holds for this person at this service.
    pub(super) async fn visitor(&self) -> Result<Visitor, Failure> {
        Ok(Visitor {
            admitted: self.service.admits(self.person),
            agreed: self.state.consents.cover(self.service, self.person).await?,
            warn: self.session.choices.warn && !self.fresh,
        })
    }

    /// Does what was decided. None where the session ended meanwhile.
    pub(super) async fn answer(&self, answer: Answer) -> Result<Option<Response>, Failure> {
        let (user, service) = (&self.person.id, &self.service.id);
        Ok(Some(match answer {
            Answer::BackWithoutTicket => self.go(self.url.as_str()),
            Answer::Denied => {
                tracing::warn!(%user, %service, "login to a service that does not admit this person");
                self.denied()
            }
            Answer::AskConsent => self.ask(Question::Consent, StatusCode::OK),
            Answer::Warn => self.ask(Question::Warning, StatusCode::OK),
            _ => {
                let Some(ticket) = issue(
                    self.state,
                    self.session,
                    (self.url, self.service),
                    self.fresh,
                    self.client,
                )
                .await?
                else {
                    return Ok(None);
                };
                if !self.fresh {
                    tracing::debug!(%user, %service, "single sign-on");
                }
                deliver(
                    self.state,
                    (self.url, self.service),
                    (&ticket, self.mode),
                    self.options.method,
                )
            }
        }))
    }

    fn go(&self, url: &str) -> Response {
        redirect(self.state, url)
    }

    fn denied(&self) -> Response {
        if let Some(url) = &self.service.refused_url {
            return self.go(url);
        }
        let shown = Page::Denied {
            user: &self.person.id,
            service: label_of(self.service, self.url),
        };
        page(self.state, StatusCode::FORBIDDEN, &shown)
    }

    /// The page with a question; nothing is issued before it is answered.
    pub(super) fn ask(&self, question: Question, status: StatusCode) -> Response {
        let lifetime = if self.fresh {
            self.state.form_lifetime.min(FRESH)
        } else {
            self.state.form_lifetime
        };
        let to = self.bound_to(question);
        let to: Vec<&[u8]> = to.iter().map(Vec::as_slice).collect();
        let bound = Bound {
            purpose: PURPOSE,
            to: &to,
        };
        let token = issue_bound(self.state, bound, lifetime);
        let action = format!("{}/login/continue", self.state.prefix);
        let mut fields = vec![
            Field::new("lt", &token),
            Field::new("question", question.name()),
            Field::new(service_field(self.mode), self.text),
        ];
        if self.fresh {
            fields.push(Field::new("fresh", "true"));
        }
        self.options.add_to(&mut fields);
        let form = Continue {
            action: &action,
            fields,
        };
        let user = &self.person.id;
        let service = label_of(self.service, self.url);
        let shown = match question {
            Question::Warning => Page::Warn {
                user,
                service,
                form,
            },
            Question::Consent => Page::Consent {
                user,
                service,
                attributes: self.service.release(self.person).collect(),
                form,
            },
        };
        let target = Some(self.url.origin());
        page_with_forms(self.state, status, &shown, target.as_deref())
    }

    /// The one-time field belongs to this session, question, service and way of delivery, to what was
    /// shown, and to whether a password was given just before.
    pub(super) fn bound_to(&self, question: Question) -> Vec<Vec<u8>> {
        let shown = match question {
            Question::Warning => Vec::new(),
            Question::Consent => consent::names(self.service, self.person),
        };
        let method = self.options.method.map_or("", ResponseType::name);
        let fresh = if self.fresh { "fresh" } else { "" };
        let mut to = vec![&self.session.id, question.name(), self.text, method, fresh];
        to.extend(shown);
        to.into_iter()
            .map(|part| part.as_bytes().to_vec())
            .collect()
    }
}
