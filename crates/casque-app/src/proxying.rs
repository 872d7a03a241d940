//! Proxying: calling other applications as the user, and being called so.

use std::sync::Arc;
use std::time::Duration;

use casque_client::{Client, ClientError, Distrust, TransportFailure};
use casque_proto::query::{TicketInRequest, ticket_in_request};
use casque_proto::{
    PgtUrl, ProxyGrantingTicket, ProxyGrantingTicketIou, ProxyTicket, ServiceTicket, ServiceUrl,
    ServiceUrlError, TicketKind, TicketMode,
};
use casque_store::StoreError;
use http::{Method, StatusCode};
use ipnet::IpNet;

use crate::answer::{Answer, Reason};
use crate::app::{App, RequestView};
use crate::cookie;
use crate::decide::{Decision, MAX_FORM_BYTES};
use crate::navigation::{in_advance, is_navigation};
use crate::receptor::Receptor;
use crate::session::{NewSession, Session};
use crate::single_logout::{content_length, is_form};
use crate::site::Site;

/// What an application needs to call others as its users.
#[derive(Debug)]
pub(crate) struct Proxying {
    /// The path at which proxy-granting tickets arrive.
    pub(crate) path: String,
    /// Its address below each own address.
    pub(crate) pgt_urls: Vec<PgtUrl>,
    pub(crate) receptor: Receptor,
    pub(crate) sources: Vec<IpNet>,
}

impl Proxying {
    /// Says what a request to the receptor is.
    pub(crate) fn decide(&self, request: &RequestView<'_>) -> Decision {
        let from = request.peer;
        let known = |peer| self.sources.iter().any(|network| network.contains(&peer));
        if !self.sources.is_empty() && !from.is_some_and(known) {
            tracing::warn!("a proxy-granting ticket from outside pgt_sources");
            return refuse(StatusCode::FORBIDDEN);
        }
        match *request.method {
            Method::HEAD => Decision::Answer(Box::new(received())),
            Method::POST if is_form(request) => {
                if content_length(request).is_some_and(|length| length > MAX_FORM_BYTES) {
                    return refuse(StatusCode::PAYLOAD_TOO_LARGE);
                }
                Decision::ReadForm
            }
            Method::GET | Method::POST => receive(request.uri.query().unwrap_or_default(), b""),
            _ => refuse(StatusCode::METHOD_NOT_ALLOWED),
        }
    }
}

/// A pair that the CAS server, or anybody, has sent to the receptor.
#[derive(Debug)]
pub struct PgtCallback {
    iou: ProxyGrantingTicketIou,
    pgt: ProxyGrantingTicket,
}

/// A call by another application as one of its users: its ticket and the address that it is for.
#[derive(Debug)]
pub struct ProxiedCall {
    pub(crate) ticket: ServiceTicket,
    pub(crate) service: ServiceUrl,
    pub(crate) site: usize,
}

impl ProxiedCall {
    /// The proxy ticket.
    pub fn ticket(&self) -> &ServiceTicket {
        &self.ticket
    }

    /// What the ticket must have been asked for: the request's own address without the ticket.
    pub fn service(&self) -> &ServiceUrl {
        &self.service
    }
}

/// Why there is no proxy ticket. Its text can be logged: it holds no ticket.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// This session has no proxy-granting ticket: proxying is off, the CAS server gave none at the
    /// login, or the session has ended since.
    #[error(
        "this session has no proxy-granting ticket: proxying is not on in this application, or the CAS server does not \
         let it act as a proxy, or the session has ended"
    )]
    NotGranted,
    /// The address to call cannot be a service.
    #[error("the address to call is no service: {0}")]
    Target(#[from] ServiceUrlError),
    /// The CAS server refused, or could not be asked.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The store for sessions does not answer.
    #[error("the store for sessions does not answer: {0}")]
    Store(#[from] StoreError),
}

impl ProxyError {
    /// The CAS error code of a refusal, for example `INVALID_TICKET` where the session at the CAS
    /// server has ended, or `UNAUTHORIZED_SERVICE` where the target is not to be called.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Client(error) => error.code(),
            _ => None,
        }
    }

    /// The answer of a handler that needs the ticket: a status and JSON, without the server's words.
    pub fn answer(&self) -> Answer {
        let message = "the other application cannot be called as this user";
        Answer::json(self.status(), Reason::NoProxyTicket, message, None)
    }

    /// The status with which a handler that needs the ticket may answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NotGranted => StatusCode::FORBIDDEN,
            Self::Target(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Client(error) => status_of(error, StatusCode::FORBIDDEN),
            Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// The parameter that carries a ticket.
const TICKET: &str = "ticket";

/// When to look again for a proxy-granting ticket that is not there yet.
const LOOK_AGAIN: [Duration; 3] = [
    Duration::from_millis(20),
    Duration::from_millis(80),
    Duration::from_millis(200),
];

impl App {
    /// A ticket with which to call another application as the user of a session.
    ///
    /// `service` is the address that is going to be called, exactly. The ticket is good once.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub async fn proxy_ticket(
        &self,
        session: &Session,
        service: &str,
    ) -> Result<ProxyTicket, ProxyError> {
        let service = ServiceUrl::parse(service)?;
        let pgt = match session.own_pgt() {
            Some(pgt) => pgt.clone(),
            None => self
                .0
                .sessions
                .pgt(session)
                .await?
                .ok_or(ProxyError::NotGranted)?,
        };
        Ok(self.0.client.proxy_ticket(&pgt, &service).await?)
    }

    /// `service` with a [`proxy_ticket`](Self::proxy_ticket) for it in its query.
    ///
    /// # Errors
    ///
    /// [`ProxyError`].
    pub async fn proxied_url(
        &self,
        session: &Session,
        service: &str,
    ) -> Result<String, ProxyError> {
        let ticket = self.proxy_ticket(session, service).await?;
        Ok(ServiceUrl::parse(service)?.with_ticket(TICKET, &ticket.into()))
    }

    /// The receptor, where a path is its.
    pub(crate) fn receptor_at(&self, path: &str) -> Option<&Proxying> {
        let proxying = self.0.proxying.as_ref();
        proxying.filter(|proxying| proxying.path == path)
    }

    /// A call by another application as its user: a proxy ticket in the query of any page, where
    /// chains are allowed.
    ///
    /// Never a browser's, which would become somebody by following a link (S-054): a navigation and
    /// whoever has a session are let alone.
    pub(crate) fn proxied_call(
        &self,
        request: &RequestView<'_>,
        index: usize,
        site: &Site,
    ) -> Option<ProxiedCall> {
        self.0.proxied_client.as_ref()?;
        let query = request.uri.query()?;
        let TicketInRequest::InQuery(ticket) = ticket_in_request(query, None, TicketMode::Cas)
        else {
            return None;
        };
        let is_call = ticket.kind() == TicketKind::Proxy
            && !is_navigation(request.headers)
            && !in_advance(request.headers)
            && cookie::find(request.headers, &site.cookies.session).is_none();
        if !is_call {
            return None;
        }
        let address = site.page_url(&site.page(request.uri))?;
        Some(ProxiedCall {
            ticket,
            service: ServiceUrl::parse(&address).ok()?,
            site: index,
        })
    }

    /// Keeps what came to the receptor. The answer discloses nothing.
    pub(crate) async fn keep_pgt(&self, callback: PgtCallback) -> Result<Answer, StoreError> {
        if let Some(proxying) = &self.0.proxying {
            proxying.receptor.put(&callback.iou, &callback.pgt).await?;
        }
        Ok(received())
    }

    /// The proxy-granting ticket of a login, by the name that the CAS server's answer gave.
    pub(crate) async fn claim_pgt(
        &self,
        iou: Option<&ProxyGrantingTicketIou>,
    ) -> Result<Option<ProxyGrantingTicket>, StoreError> {
        let Some(proxying) = &self.0.proxying else {
            return Ok(None);
        };
        let Some(iou) = iou else {
            tracing::warn!("the CAS server granted no proxy-granting ticket (R-199)");
            return Ok(None);
        };
        // It came before the answer did, but shared stores may lag.
        for pause in LOOK_AGAIN.into_iter().map(Some).chain([None]) {
            if let Some(pgt) = proxying.receptor.take(iou).await? {
                return Ok(Some(pgt));
            }
            if let Some(pause) = pause {
                // Nothing tells when a store has caught up.
                let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
            }
        }
        tracing::warn!("the proxy-granting ticket of a login has not arrived");
        Ok(None)
    }

    /// The client for a login or a call at one of the own addresses.
    pub(crate) fn asking_for_pgt(
        &self,
        client: &Client,
        site: usize,
    ) -> Result<Client, ClientError> {
        let proxying = self.0.proxying.as_ref();
        match proxying.and_then(|proxying| proxying.pgt_urls.get(site)) {
            Some(pgt_url) => client.with_pgt_url(pgt_url.clone()),
            None => Ok(client.clone()),
        }
    }

    /// Validates the ticket of a call. Its session lives for this one request.
    pub(crate) async fn act_on_call(
        &self,
        call: ProxiedCall,
    ) -> Result<Result<Arc<Session>, Answer>, StoreError> {
        let ProxiedCall {
            ticket,
            service,
            site,
        } = call;
        let login = self.0.sites[site].url(&self.0.login);
        let Some(client) = &self.0.proxied_client else {
            return Ok(Err(call_refused(StatusCode::UNAUTHORIZED, &login)));
        };
        let answer = match self.asking_for_pgt(client, site) {
            Ok(client) => client.validate(&ticket, &service).await,
            Err(error) => Err(error),
        };
        let assertion = match answer {
            // Whoever comes through no proxy is no application, and logs in (S-054).
            Ok(assertion) if assertion.proxies().is_empty() => {
                tracing::warn!("a proxy ticket names no proxy");
                return Ok(Err(call_refused(StatusCode::UNAUTHORIZED, &login)));
            }
            Ok(assertion) => assertion,
            Err(error) => {
                tracing::warn!(%error, label = error.label(), "a proxy ticket was not accepted");
                let status = status_of(&error, StatusCode::UNAUTHORIZED);
                return Ok(Err(call_refused(status, &login)));
            }
        };
        let pgt = match assertion.proxy_granting_ticket_iou() {
            Some(iou) => self.claim_pgt(Some(iou)).await?,
            None => None,
        };
        tracing::info!(proxies = assertion.proxies().len(), "called as a user");
        let new = NewSession {
            user: assertion.user(),
            attributes: assertion.attributes(),
            fresh: false,
            pgt: pgt.as_ref(),
        };
        let session = Session::of_call(&new, self.0.clock.now(), assertion.proxies());
        Ok(session
            .map(Arc::new)
            .ok_or_else(|| call_refused(StatusCode::BAD_GATEWAY, &login)))
    }
}

/// Says what a pair of parameters is; query and form count together, each name once.
pub(crate) fn receive(query: &str, form: &[u8]) -> Decision {
    let (mut ious, mut pgts) = (Vec::new(), Vec::new());
    for (name, value) in
        form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(form))
    {
        match &*name {
            "pgtIou" => ious.push(value),
            "pgtId" => pgts.push(value),
            _ => {}
        }
    }
    let parsed = match (ious.as_slice(), pgts.as_slice()) {
        // A probe of the bare address; a blank parameter is none.
        ([], []) => return Decision::Answer(Box::new(received())),
        ([iou], [pgt]) if iou.is_empty() && pgt.is_empty() => {
            return Decision::Answer(Box::new(received()));
        }
        ([iou], [pgt]) => ProxyGrantingTicketIou::parse(iou)
            .ok()
            .zip(ProxyGrantingTicket::parse(pgt).ok()),
        _ => None,
    };
    let Some((iou, pgt)) = parsed else {
        tracing::info!("a callback for a proxy-granting ticket was refused");
        return refuse(StatusCode::BAD_REQUEST);
    };
    Decision::KeepPgt(Box::new(PgtCallback { iou, pgt }))
}

fn received() -> Answer {
    Answer::status(StatusCode::OK, Reason::ProxyCallback)
}

fn refuse(status: StatusCode) -> Decision {
    Decision::Answer(Box::new(Answer::status(status, Reason::BadProxyCallback)))
}

fn call_refused(status: StatusCode, login: &str) -> Answer {
    let login = (status == StatusCode::UNAUTHORIZED).then_some(login);
    let message = "the proxy ticket was not accepted";
    Answer::json(status, Reason::TicketRefused, message, login)
}

fn status_of(error: &ClientError, refused: StatusCode) -> StatusCode {
    match error {
        ClientError::Refused { .. } => refused,
        ClientError::Untrusted {
            distrust: Distrust::Proxy,
            ..
        } => StatusCode::FORBIDDEN,
        ClientError::Transport {
            failure: TransportFailure::Timeout,
            ..
        } => StatusCode::GATEWAY_TIMEOUT,
        ClientError::Misuse { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        _ => StatusCode::BAD_GATEWAY,
    }
}
