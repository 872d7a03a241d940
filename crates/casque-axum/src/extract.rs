use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use casque_app::{App, Attributes, ProxyTicket, Session};
use http::StatusCode;
use http::request::Parts;

use crate::context::{Context, respond};
use crate::proxy::ProxyRejection;

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
pub struct CasUser {
    session: Arc<Session>,
    app: Arc<App>,
}

impl CasUser {
    fn of(session: &Arc<Session>, context: &Context) -> Self {
        Self {
            session: Arc::clone(session),
            app: Arc::clone(context.app()),
        }
    }

    /// The user's name, exactly as the CAS server gave it.
    pub fn name(&self) -> &str {
        self.session.name()
    }

    /// The attributes that the CAS server released; each has a list of values.
    pub fn attributes(&self) -> &Attributes {
        self.session.attributes()
    }

    /// The first value of an attribute.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.session.attributes().first(name)
    }

    /// The session: when it began, and whether credentials were asked for anew.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// A ticket with which to call another application as this user, once and soon, where
    /// [`proxying`](casque_app::AppBuilder::proxying) is on.
    ///
    /// `service` is the address to call, exactly, without the ticket. See also
    /// [`proxied_url`](Self::proxied_url).
    ///
    /// # Errors
    ///
    /// [`ProxyRejection`], which a handler can return as its answer.
    pub async fn proxy_ticket(&self, service: &str) -> Result<ProxyTicket, ProxyRejection> {
        Ok(self.app.proxy_ticket(&self.session, service).await?)
    }

    /// The address of a page of another application with a [`proxy_ticket`](Self::proxy_ticket) in
    /// its query: what to `GET` to see the page as this user. Keep it out of logs.
    ///
    /// ```
    /// use casque_axum::{CasUser, ProxyRejection};
    ///
    /// async fn marks(user: CasUser) -> Result<String, ProxyRejection> {
    ///     let url = user.proxied_url("https://data.example.org/api/marks").await?;
    ///     // … let an HTTP client get `url`
    /// #   drop(url);
    ///     Ok("the marks".to_owned())
    /// }
    /// # let _ = marks;
    /// ```
    ///
    /// # Errors
    ///
    /// [`ProxyRejection`], which a handler can return as its answer.
    pub async fn proxied_url(&self, service: &str) -> Result<String, ProxyRejection> {
        Ok(self.app.proxied_url(&self.session, service).await?)
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
            return Ok(Self::of(session, context));
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
        let context = Context::of(&parts.extensions);
        Ok(context.and_then(|context| {
            let session = context.session()?;
            Some(Self::of(session, context))
        }))
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
