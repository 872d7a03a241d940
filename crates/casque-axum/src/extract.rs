use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use casque_app::{Attributes, Session};
use http::StatusCode;
use http::request::Parts;

use crate::context::{Context, respond};

/// The user who is signed in.
///
/// As an argument of a handler it needs a login: a browser is sent to the CAS server and back to
/// the page it asked for, and anything that is not a navigation gets 401 with a JSON body. As
/// `Option<CasUser>` it asks for nothing.
///
/// It guards its own handler, so only that handler's methods: [`Cas::require`](crate::Cas::require)
/// as a layer around the route guards them all.
///
/// ```
/// use casque_axum::CasUser;
///
/// async fn members(user: CasUser) -> String {
///     let mail = user.attribute("mail").unwrap_or("no mail");
///     format!("Welcome, {} ({mail})!", user.name())
/// }
/// # let _ = members;
/// ```
#[derive(Clone)]
pub struct CasUser(Arc<Session>);

impl CasUser {
    /// The user's name, exactly as the CAS server gave it.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The attributes that the CAS server released; each has a list of values.
    pub fn attributes(&self) -> &Attributes {
        self.0.attributes()
    }

    /// The first value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.0.attributes().first(name)
    }

    /// The session: when it began, and whether credentials were asked for anew.
    pub fn session(&self) -> &Session {
        &self.0
    }
}

impl fmt::Debug for CasUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CasUser").field(&self.name()).finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CasUser {
    type Rejection = CasRejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, CasRejection> {
        let context = Context::of(&parts.extensions).ok_or_else(CasRejection::no_layer)?;
        if let Some(session) = context.session() {
            return Ok(Self(Arc::clone(session)));
        }
        let view = context.view(&parts.method, &parts.headers, parts.version);
        Err(CasRejection(respond(
            context.app().login_needed(&view, false),
        )))
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for CasUser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        let session = Context::of(&parts.extensions).and_then(Context::session);
        Ok(session.map(|session| Self(Arc::clone(session))))
    }
}

/// What is answered instead, because nobody is signed in.
#[derive(Debug)]
pub struct CasRejection(Response);

impl CasRejection {
    fn no_layer() -> Self {
        tracing::error!(
            "CasUser is used on a route that has no casque layer: add .layer(cas.layer())"
        );
        let mut response = Response::default();
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        Self(response)
    }
}

impl IntoResponse for CasRejection {
    fn into_response(self) -> Response {
        self.0
    }
}
