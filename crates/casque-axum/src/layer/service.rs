use std::task::{self, Poll};

use axum_core::extract::Request;
use axum_core::response::Response;
use casque_app::{Decision, FormDecision, Outcome, RequestView};
use tower_service::Service;

use super::body::{self, Read};
use super::future::ResponseFuture;
use crate::cas::{Cas, PeerAddress};
use crate::context::{Context, respond};

/// The service of [`CasLayer`](super::CasLayer).
#[derive(Clone)]
pub struct CasService<S> {
    cas: Cas,
    peer: Option<PeerAddress>,
    inner: S,
}

impl<S> CasService<S> {
    pub(crate) fn new(cas: Cas, peer: Option<PeerAddress>, inner: S) -> Self {
        Self { cas, peer, inner }
    }
}

impl<S> std::fmt::Debug for CasService<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CasService")
            .field("cas", &self.cas)
            .finish_non_exhaustive()
    }
}

impl<S> Service<Request> for CasService<S>
where
    S: Service<Request, Response = Response, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future, S::Error>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let decision = self.cas.0.decide(&self.view(&request));
        if let Decision::Serve { session: None } = decision {
            let context = Context::new(self.cas.0.clone(), request.uri().clone(), None);
            request.extensions_mut().insert(context.clone());
            return ResponseFuture::serve(self.inner.call(request), context);
        }
        // The ready service is used, and the clone waits for the next request.
        let clone = self.inner.clone();
        let this = Self {
            cas: self.cas.clone(),
            peer: self.peer.clone(),
            inner: std::mem::replace(&mut self.inner, clone),
        };
        ResponseFuture::act(Box::pin(this.act(decision, request)))
    }
}

impl<S> CasService<S>
where
    S: Service<Request, Response = Response, Future: Send> + Clone + Send + 'static,
{
    async fn act(mut self, decision: Decision, mut request: Request) -> Result<Response, S::Error> {
        let session = match self.cas.0.act(decision).await {
            Outcome::Serve(session) => session,
            Outcome::Answer(answer) => return Ok(respond(answer)),
            _ => {
                let (parts, body) = request.into_parts();
                let Ok(read) = tokio::time::timeout(body::TIMEOUT, body::read(body)).await else {
                    tracing::info!("a form on the callback path did not arrive in time");
                    return Ok(body::too_slow());
                };
                match read {
                    Read::Whole(bytes) => {
                        request = Request::from_parts(parts, bytes.clone().into());
                        let answer = match self.cas.0.decide_form(&self.view(&request), &bytes) {
                            FormDecision::SingleLogout(ticket) => {
                                self.cas.0.single_logout(&ticket).await
                            }
                            FormDecision::KeepPgt(callback) => {
                                let decision = Decision::KeepPgt(callback);
                                match self.cas.0.act(decision).await {
                                    Outcome::Answer(answer) => answer,
                                    _ => return self.serve_form(request).await,
                                }
                            }
                            FormDecision::Answer(answer) => *answer,
                            _ => return self.serve_form(request).await,
                        };
                        return Ok(respond(answer));
                    }
                    Read::TooLong(body) => {
                        request = Request::from_parts(parts, body);
                        return self.serve_form(request).await;
                    }
                }
            }
        };
        self.serve(request, session).await
    }

    /// Hands a form on the callback path on to the application.
    async fn serve_form(&mut self, request: Request) -> Result<Response, S::Error> {
        let decision = self.cas.0.decide_application(&self.view(&request));
        match self.cas.0.act(decision).await {
            Outcome::Serve(session) => self.serve(request, session).await,
            Outcome::Answer(answer) => Ok(respond(answer)),
            _ => self.serve(request, None).await,
        }
    }

    async fn serve(
        &mut self,
        mut request: Request,
        session: Option<std::sync::Arc<casque_app::Session>>,
    ) -> Result<Response, S::Error> {
        let context = Context::new(self.cas.0.clone(), request.uri().clone(), session);
        request.extensions_mut().insert(context.clone());
        let mut response = self.inner.call(request).await?;
        context.finish(&mut response);
        Ok(response)
    }

    fn view<'a>(&self, request: &'a Request) -> RequestView<'a> {
        RequestView {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            version: request.version(),
            peer: self
                .peer
                .as_ref()
                .and_then(|find| find(request.extensions())),
        }
    }
}
