use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum_core::response::Response;
use casque_app::{Answer, App, RequestView, Session};
use http::header::{CACHE_CONTROL, VARY};
use http::{Extensions, HeaderMap, HeaderValue, Method, Uri, Version};

/// What the layer knows about a request, for extractors and guards behind it.
#[derive(Clone, Debug)]
pub(crate) struct Context(Arc<Known>);

#[derive(Debug)]
struct Known {
    app: Arc<App>,
    /// The target before nested routers take their part away.
    uri: Uri,
    session: Option<Arc<Session>>,
    /// Whether the answer depends on who is signed in.
    asked: AtomicBool,
}

impl Context {
    pub(crate) fn new(app: Arc<App>, uri: Uri, session: Option<Arc<Session>>) -> Self {
        Self(Arc::new(Known {
            app,
            uri,
            session,
            asked: AtomicBool::new(false),
        }))
    }

    pub(crate) fn of(extensions: &Extensions) -> Option<&Self> {
        extensions.get()
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        &self.0.app
    }

    pub(crate) fn belongs_to(&self, app: &Arc<App>) -> bool {
        Arc::ptr_eq(&self.0.app, app)
    }

    /// Who is signed in. From here on the answer is for this browser only.
    pub(crate) fn session(&self) -> Option<&Arc<Session>> {
        self.0.asked.store(true, Ordering::Relaxed);
        self.0.session.as_ref()
    }

    pub(crate) fn view<'a>(
        &'a self,
        method: &'a Method,
        headers: &'a HeaderMap,
        version: Version,
    ) -> RequestView<'a> {
        RequestView {
            method,
            uri: &self.0.uri,
            headers,
            version,
            peer: None,
        }
    }

    /// Keeps an answer that depends on who is signed in out of shared and browser caches, unless
    /// the application has said otherwise (S-072).
    pub(crate) fn finish(&self, response: &mut Response) {
        if self.0.asked.load(Ordering::Relaxed) {
            let headers = response.headers_mut();
            if !headers.contains_key(CACHE_CONTROL) {
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            }
            headers.append(VARY, HeaderValue::from_static("Cookie"));
        }
    }
}

/// An answer of casque as an axum response.
pub(crate) fn respond(answer: Answer) -> Response {
    tracing::debug!(
        reason = answer.reason().as_str(),
        status = answer.status_code().as_u16(),
        "answered in the application's place"
    );
    answer.into_response().map(axum_core::body::Body::from)
}
