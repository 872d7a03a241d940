//! Doing what was decided: the steps that ask the store or the CAS server.

use std::sync::Arc;

use casque_client::{ClientError, Distrust, TransportFailure};
use casque_proto::{FailureCode, ServiceTicket};
use casque_store::StoreError;
use http::StatusCode;

use crate::answer::{Answer, Reason};
use crate::app::{AfterLogout, App};
use crate::decide::{Callback, Decision, LoginPage, SessionId};
use crate::pages;
use crate::session::{NewSession, Session};
use crate::site::Site;

/// What is left to do for an adapter.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// Let the application answer, for whoever is signed in.
    Serve(Option<Arc<Session>>),
    /// Read the form, up to [`MAX_FORM_BYTES`](crate::MAX_FORM_BYTES), and ask
    /// [`App::decide_form`].
    ReadForm,
    /// Send this.
    Answer(Answer),
}

impl App {
    /// Does what was decided. A store that does not answer gives 503.
    pub async fn act(&self, decision: Decision) -> Outcome {
        let done = match decision {
            Decision::Serve { session: None } => return Outcome::Serve(None),
            Decision::Serve { session: Some(id) } => {
                self.0.sessions.find(id.as_str()).await.map(Outcome::Serve)
            }
            Decision::Login(page) => self.login(*page).await.map(Outcome::Answer),
            Decision::Validate(callback) => self.validate(*callback).await.map(Outcome::Answer),
            Decision::StrayTicket { session, site } => self
                .stray_ticket(session, &self.0.sites[site])
                .await
                .map(Outcome::Answer),
            Decision::ReadForm => return Outcome::ReadForm,
            Decision::Logout { session, site } => self
                .logout(session, &self.0.sites[site])
                .await
                .map(Outcome::Answer),
            Decision::SingleLogout { ticket, callback } => {
                let answer = self.single_logout(&ticket).await;
                return Outcome::Answer(match callback {
                    Some(callback) if answer.status_code() == StatusCode::OK => {
                        answer.script(&callback)
                    }
                    _ => answer,
                });
            }
            Decision::KeepPgt(callback) => self.keep_pgt(*callback).await.map(Outcome::Answer),
            Decision::Call(call) => self.act_on_call(*call).await.map(|outcome| match outcome {
                Ok(session) => Outcome::Serve(Some(session)),
                Err(answer) => Outcome::Answer(answer),
            }),
            Decision::Answer(answer) => return Outcome::Answer(*answer),
        };
        done.unwrap_or_else(|error| Outcome::Answer(store_unavailable(&error)))
    }

    /// Ends the session that a ticket began. The answer is the same whether there was one (R-090,
    /// S-048).
    pub async fn single_logout(&self, ticket: &ServiceTicket) -> Answer {
        match self.0.sessions.end_by_ticket(ticket.secret()).await {
            Ok(ended) => {
                if ended == 0 {
                    tracing::info!("single logout for a ticket that has no session here");
                } else {
                    tracing::info!(ended, "single logout ended a session");
                }
                Answer::status(StatusCode::OK, Reason::SingleLogout)
            }
            Err(error) => store_unavailable(&error),
        }
    }

    /// Gives a session a new id, as after a change of what its user may do, and returns the
    /// `Set-Cookie` for it. The old id is worth nothing at once; single logout still works.
    ///
    /// # Errors
    ///
    /// [`StoreError`] where the store does not answer.
    pub async fn rotate(
        &self,
        request: &crate::RequestView<'_>,
    ) -> Result<Option<http::HeaderValue>, StoreError> {
        let (_, site) = self.site(request);
        let Some(id) =
            crate::cookie::find(request.headers, &site.cookies.session).and_then(SessionId::parse)
        else {
            return Ok(None);
        };
        let new = self.0.sessions.rotate(id.as_str()).await?;
        Ok(new.map(|id| site.cookies.set(&site.cookies.session, &id, None)))
    }

    async fn login(&self, page: LoginPage) -> Result<Answer, StoreError> {
        let site = &self.0.sites[page.site];
        if let Some(id) = page.session
            && self.0.sessions.find(id.as_str()).await?.is_some()
        {
            let location = self.page_url(site, &page.page);
            return Ok(Answer::redirect(location, Reason::AlreadyLoggedIn));
        }
        Ok(self.start_login(
            page.state,
            self.new_login(page.site, page.page, false, false),
        ))
    }

    async fn validate(&self, callback: Callback) -> Result<Answer, StoreError> {
        let Callback {
            ticket,
            login,
            unsolicited,
            session,
            mut state,
        } = callback;
        let site = &self.0.sites[login.site];
        let Some(service) = self.service_of(&login) else {
            return Ok(Answer::status(
                StatusCode::INTERNAL_SERVER_ERROR,
                Reason::ValidationFailed,
            ));
        };
        let client = if login.renew {
            &self.0.renewing_client
        } else {
            &self.0.client
        };
        let expected = self.0.sessions.expect(ticket.secret()).await?;
        let validated = match self.asking_for_pgt(client, login.site) {
            Ok(client) => client.validate(&ticket, &service).await,
            Err(error) => Err(error),
        };
        let assertion = match validated {
            Ok(assertion) => assertion,
            Err(error) => {
                self.0.sessions.refused(&expected).await?;
                tracing::warn!(%error, label = error.label(), "the ticket was not accepted");
                state.completed(&login.page, self.seconds());
                // A used or expired ticket, as after going back in the history: one new login.
                let first = login.refused == 0 && !state.loops(&login.page);
                if is_stale_ticket(&error) && first && !unsolicited {
                    let mut again = login;
                    again.refused = 1;
                    again.started = self.seconds();
                    return Ok(self.start_login(state, again));
                }
                // Nothing goes round any more: trying again is up to the person.
                state.forget_completed();
                let again = self.page_url(site, &login.page);
                let page = not_validated(&error, site, service.as_str(), &again);
                return Ok(page.cookie(self.state_cookie(site, state)));
            }
        };
        let pgt = self
            .claim_pgt(assertion.proxy_granting_ticket_iou())
            .await?;
        let id = self
            .0
            .sessions
            .create(
                &NewSession {
                    user: assertion.user(),
                    attributes: assertion.attributes(),
                    fresh: login.renew,
                    pgt: pgt.as_ref(),
                },
                &expected,
            )
            .await?;
        if let Some(old) = session {
            self.0.sessions.end(old.as_str()).await?;
        }
        state.completed(&login.page, self.seconds());
        let Some(id) = id else {
            tracing::info!("logged out by the CAS server while signing in");
            let location = self.page_url(site, &login.page);
            let answer = Answer::redirect(location, Reason::LoggedOut)
                .cookie(site.cookies.remove(&site.cookies.session));
            return Ok(answer.cookie(self.state_cookie(site, state)));
        };
        state.gateway_forgotten();
        tracing::info!(renew = login.renew, "signed in");
        Ok(
            Answer::redirect(self.page_url(site, &login.page), Reason::LoggedIn)
                .cookie(site.cookies.set(&site.cookies.session, &id, None))
                .cookie(self.state_cookie(site, state)),
        )
    }

    /// Whoever is signed in has reloaded the callback or logged in in another tab; nobody else
    /// brings a ticket unasked.
    async fn stray_ticket(
        &self,
        session: Option<SessionId>,
        site: &Site,
    ) -> Result<Answer, StoreError> {
        if let Some(id) = session
            && self.0.sessions.find(id.as_str()).await?.is_some()
        {
            return Ok(Answer::redirect(
                site.url(&self.0.landing),
                Reason::AlreadyLoggedIn,
            ));
        }
        Ok(pages::unsolicited_ticket(site, &site.url(&self.0.login)))
    }

    async fn logout(&self, session: Option<SessionId>, site: &Site) -> Result<Answer, StoreError> {
        if let Some(id) = session {
            self.0.sessions.end(id.as_str()).await?;
        }
        let client = &self.0.client;
        let answer = match &self.0.after_logout {
            AfterLogout::Application(path) => {
                let service = casque_proto::ServiceUrl::parse(&site.url(path)).ok();
                Answer::redirect(client.logout_url(service.as_ref()), Reason::LoggedOut)
            }
            AfterLogout::CasServer => Answer::redirect(client.logout_url(None), Reason::LoggedOut),
            AfterLogout::Nowhere => pages::logged_out(&site.url(&self.0.login), &site.url("/")),
        };
        Ok(answer
            .cookie(site.cookies.remove(&site.cookies.session))
            .cookie(site.cookies.remove(&site.cookies.login)))
    }
}

fn is_stale_ticket(error: &ClientError) -> bool {
    matches!(
        error,
        ClientError::Refused {
            code: Some(FailureCode::InvalidTicket | FailureCode::InvalidTicketSpec),
            ..
        }
    )
}

fn not_validated(error: &ClientError, site: &Site, service: &str, again: &str) -> Answer {
    match error {
        ClientError::Refused { .. } => pages::ticket_refused(
            error.code().unwrap_or("no code"),
            error.server_message().unwrap_or_default(),
            site,
            service,
            again,
        ),
        ClientError::Untrusted {
            distrust: Distrust::Proxy,
            ..
        } => pages::validation_failed(StatusCode::FORBIDDEN, error.label(), again),
        ClientError::Transport {
            failure: TransportFailure::Timeout,
            ..
        } => pages::validation_failed(StatusCode::GATEWAY_TIMEOUT, error.label(), again),
        ClientError::Misuse { .. } => {
            pages::validation_failed(StatusCode::INTERNAL_SERVER_ERROR, error.label(), again)
        }
        _ => pages::validation_failed(StatusCode::BAD_GATEWAY, error.label(), again),
    }
}

fn store_unavailable(error: &StoreError) -> Answer {
    tracing::error!(%error, "the store for sessions does not answer");
    pages::store_unavailable()
}
