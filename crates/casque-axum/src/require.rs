use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use axum_core::extract::Request;
use axum_core::response::Response;
use casque_app::{Outcome, Policy, RequestView, Rule};
use tower_layer::Layer;
use tower_service::Service;

use crate::cas::Cas;
use crate::context::{Context, respond};

/// A guard for the routes of a router, made by [`Cas::require`], [`Cas::gateway`], [`Cas::renew`]
/// or [`Cas::guard`].
///
/// Put it around the routes it guards, inside of [`Cas::layer`], which answers the login. A handler
/// behind it can still take a [`CasUser`](crate::CasUser).
#[derive(Clone, Debug)]
pub struct Require {
    cas: Cas,
    policy: Arc<Policy>,
}

impl Require {
    pub(crate) fn new(cas: Cas, policy: Policy) -> Self {
        Self {
            cas,
            policy: Arc::new(policy),
        }
    }

    /// Adds a rule that must hold as well. Whoever is signed in and fails it gets 403.
    #[must_use]
    pub fn rule(self, rule: Rule) -> Self {
        Self {
            policy: Arc::new(Policy::clone(&self.policy).rule(rule)),
            ..self
        }
    }
}

impl<S> Layer<S> for Require {
    type Service = RequireService<S>;

    fn layer(&self, inner: S) -> RequireService<S> {
        RequireService {
            require: self.clone(),
            inner,
        }
    }
}

/// The service of [`Require`].
#[derive(Clone, Debug)]
pub struct RequireService<S> {
    require: Require,
    inner: S,
}

impl<S> Service<Request> for RequireService<S>
where
    S: Service<Request, Response = Response, Future: Send> + Clone + Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let Require { cas, policy } = &self.require;
        let known = Context::of(request.extensions())
            .filter(|c| c.belongs_to(&cas.0))
            .cloned();
        if let Some(context) = known {
            let view = context.view(request.method(), request.headers(), request.version());
            let session = context.session().map(Arc::as_ref);
            return match cas.0.access(&view, session, policy) {
                Some(answer) => Box::pin(async move { Ok(respond(answer)) }),
                None => Box::pin(self.inner.call(request)),
            };
        }
        // Without the layer around it, the guard looks the session up itself rather than trust.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let (cas, policy) = (cas.clone(), Arc::clone(policy));
        Box::pin(async move {
            let decision = cas.0.decide_application(&view_of(&request));
            let session = match cas.0.act(decision).await {
                Outcome::Serve(session) => session,
                Outcome::Answer(answer) => return Ok(respond(answer)),
                _ => None,
            };
            if let Some(answer) = cas
                .0
                .access(&view_of(&request), session.as_deref(), &policy)
            {
                return Ok(respond(answer));
            }
            let context = Context::new(cas.0.clone(), request.uri().clone(), session);
            context.session();
            request.extensions_mut().insert(context.clone());
            let mut response = inner.call(request).await?;
            context.finish(&mut response);
            Ok(response)
        })
    }
}

fn view_of(request: &Request) -> RequestView<'_> {
    RequestView {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        version: request.version(),
        peer: None,
    }
}
