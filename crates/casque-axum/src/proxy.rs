use axum_core::response::{IntoResponse, Response};
use casque_app::ProxyError;

use crate::context::respond;

/// Why there is no proxy ticket, as an error and as the answer of a handler: a status and JSON, which tell the browser
/// nothing of the CAS server's words. Those are in the log.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ProxyRejection(#[from] ProxyError);

impl ProxyRejection {
    /// What went wrong.
    pub fn error(&self) -> &ProxyError {
        &self.0
    }
}

impl IntoResponse for ProxyRejection {
    fn into_response(self) -> Response {
        tracing::warn!(error = %self.0, "there is no proxy ticket");
        respond(self.0.answer())
    }
}
