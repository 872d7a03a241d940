//! What an operator and their tools ask: is it alive, is it ready, what does it count. On a listener of its own, which
//! the public never sees.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, extract::State as Shared, response::Response, routing::get};
use casque_store::StoreError;
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use tokio::sync::Mutex;

use crate::{
    http::{content, text},
    journal::Facts,
    server::Server,
    state::State,
};

/// How long a ticket may take through the store and back.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long an answer is given again before the store is asked anew: however many ask, it costs the store little.
const FRESH: Duration = Duration::from_secs(1);

/// Whether people should be sent here.
#[derive(Debug, Default)]
pub(crate) struct Readiness {
    /// The last round trip, for all who ask at the same time.
    last: Mutex<Option<Trip>>,
    /// The store has become one that this server must not use.
    is_estranged: AtomicBool,
}

/// How a round trip of a ticket through the store went.
#[derive(Debug, Clone, Copy)]
struct Trip {
    ended: std::time::SystemTime,
    taken: Duration,
    answered: bool,
}

impl Server {
    /// `/livez`, `/readyz` and `/metrics`, for [`serve_operation`](Self::serve_operation) and tests.
    pub fn operation_router(&self) -> Router {
        Router::new()
            .route("/livez", get(|| async { text(StatusCode::OK, "alive\n") }))
            .route("/readyz", get(ready))
            .route("/metrics", get(metrics))
            .fallback(|| async {
                text(
                    StatusCode::NOT_FOUND,
                    "There are /livez, /readyz and /metrics.\n",
                )
            })
            .layer(axum::middleware::map_response(uncached))
            .with_state(self.clone())
    }
}

async fn uncached(mut response: Response) -> Response {
    let never = HeaderValue::from_static("no-store");
    response.headers_mut().insert(CACHE_CONTROL, never);
    response
}

async fn ready(Shared(server): Shared<Server>) -> Response {
    let state = server.state();
    if state.is_draining() {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the server is ending\n",
        );
    }
    if state.readiness.is_estranged() {
        return text(
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the store is not this server's any more, see its log\n",
        );
    }
    if state.readiness.trip(&state).await.answered {
        text(StatusCode::OK, "ready\n")
    } else {
        text(
            StatusCode::SERVICE_UNAVAILABLE,
            "not ready: the store does not answer\n",
        )
    }
}

async fn metrics(Shared(server): Shared<Server>) -> Response {
    let state = server.state();
    let trip = state.readiness.trip(&state).await;
    let facts = Facts {
        draining: state.is_draining(),
        round_trip: Some((trip.answered, trip.taken)),
        services: state.services.len(),
        password_hashes: state.passwords.hashes(),
        audit: state.journal.audit(),
    };
    content(
        StatusCode::OK,
        "text/plain; version=0.0.4; charset=utf-8",
        state.journal.metrics.render(facts),
    )
}

impl Readiness {
    /// Says whether the store has become one that this server must not use. Gives what was said before.
    pub(crate) fn estrange(&self, is_estranged: bool) -> bool {
        self.is_estranged.swap(is_estranged, Ordering::Relaxed)
    }

    fn is_estranged(&self) -> bool {
        self.is_estranged.load(Ordering::Relaxed)
    }

    /// Sends a ticket through the store, or tells of the last one. One at a time.
    async fn trip(&self, state: &State) -> Trip {
        let mut last = self.last.lock().await;
        let began = state.clock.now();
        let was_answered = last.is_none_or(|trip| trip.answered);
        if let Some(trip) = *last
            && began
                .duration_since(trip.ended)
                .is_ok_and(|age| age < FRESH)
        {
            return trip;
        }
        let outcome = tokio::time::timeout(PATIENCE, state.tickets.round_trip(began)).await;
        let answered = matches!(outcome, Ok(Ok(true)));
        if was_answered != answered {
            tell(state, answered, outcome.ok().and_then(Result::err).as_ref());
        }
        let ended = state.clock.now();
        let taken = ended.duration_since(began).unwrap_or_default();
        *last.insert(Trip {
            ended,
            taken,
            answered,
        })
    }
}

/// Says so once, not at every look.
fn tell(state: &State, answered: bool, error: Option<&StoreError>) {
    match error {
        Some(error) => state.journal.store_failed(error),
        None if answered => tracing::info!("the store answers again"),
        None => tracing::error!("the store loses tickets, or takes too long with them"),
    }
}

/// What several states of one server share to end together.
#[derive(Debug, Default)]
pub(crate) struct Ending {
    begun: AtomicBool,
    hurried: tokio::sync::Notify,
}

impl Ending {
    pub(crate) fn begin(&self) {
        self.begun.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }

    /// Waits no longer for others to notice.
    pub(crate) fn hurry(&self) {
        self.hurried.notify_one();
    }

    pub(crate) async fn hurried(&self) {
        self.hurried.notified().await;
    }
}

/// For the state to hold.
pub(crate) type SharedEnding = Arc<Ending>;
