use std::future::Future;
use std::pin::Pin;
use std::task::{self, Poll};

use axum_core::response::Response;

use crate::context::Context;

type Acting<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

/// The response of [`CasService`](super::CasService).
#[must_use = "futures do nothing unless polled"]
pub struct ResponseFuture<F, E>(State<F, E>);

enum State<F, E> {
    /// Nobody can be signed in: straight on to the application.
    Serve(Pin<Box<F>>, Context),
    Act(Acting<E>),
}

impl<F, E> ResponseFuture<F, E> {
    pub(crate) fn serve(future: F, context: Context) -> Self {
        Self(State::Serve(Box::pin(future), context))
    }

    pub(crate) fn act(future: Acting<E>) -> Self {
        Self(State::Act(future))
    }
}

impl<F, E> Future for ResponseFuture<F, E>
where
    F: Future<Output = Result<Response, E>>,
{
    type Output = Result<Response, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            State::Serve(future, context) => future.as_mut().poll(cx).map_ok(|mut response| {
                context.finish(&mut response);
                response
            }),
            State::Act(future) => future.as_mut().poll(cx),
        }
    }
}

impl<F, E> std::fmt::Debug for ResponseFuture<F, E> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
