use std::net::IpAddr;
use std::sync::Arc;

use axum_core::response::Response;
use casque_app::{App, AppBuilder, CasError, Policy, Settings};
use http::Extensions;

use crate::layer::CasLayer;
use crate::require::Require;

/// Settings of an application, begun with [`Cas::builder`].
pub type CasBuilder = AppBuilder<Cas>;

/// How to find the peer's address in a request.
pub(crate) type PeerAddress = Arc<dyn Fn(&Extensions) -> Option<IpAddr> + Send + Sync>;

/// An application's side of CAS, for axum. Clones share everything.
#[derive(Clone, Debug)]
pub struct Cas(pub(crate) Arc<App>);

impl Cas {
    /// Reads `CAS_PROVIDER`, `SERVICE_URL` and `LOGIN_URL` from the environment or `.env`.
    ///
    /// `LOGIN_URL` is the one service for login and validation; `SERVICE_URL` is the application's
    /// address. The login page is at `LOGIN_URL`, the logout at `/logout`.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn from_env() -> Result<Self, CasError> {
        CasBuilder::from_env()?.build()
    }

    /// As [`from_env`](Self::from_env), with settings that have been read.
    ///
    /// # Errors
    ///
    /// [`CasError`] naming the setting, its value and what to change.
    pub fn from_settings(settings: &Settings) -> Result<Self, CasError> {
        CasBuilder::from_settings(settings).build()
    }

    /// Begins setting up an application with more than the environment says.
    ///
    /// ```
    /// use casque_axum::Cas;
    ///
    /// let cas = Cas::builder()
    ///     .provider("https://cas.example.org/cas")
    ///     .service_base("https://app.example.org")
    ///     .build()?;
    /// assert_eq!(cas.service(), "https://app.example.org/cas/callback");
    /// # Ok::<(), casque_axum::CasError>(())
    /// ```
    pub fn builder() -> CasBuilder {
        CasBuilder::new()
    }

    /// The layer that knows who is signed in, and answers the login, callback and logout paths.
    /// Put it around the whole router with [`Router::layer`], after the routes.
    ///
    /// [`Router::layer`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.layer
    pub fn layer(&self) -> CasLayer {
        CasLayer::new(self.clone())
    }

    /// A guard for routes: whoever is not signed in is sent to log in, a script gets 401.
    ///
    /// It guards every method of its routes, those without a handler included, while a
    /// [`CasUser`](crate::CasUser) guards the methods of its handler only. Around one route it is
    /// `get(members).layer(cas.require())`.
    ///
    /// ```
    /// use axum::{Router, routing::get};
    /// use casque_axum::{Cas, Rule};
    ///
    /// # let cas = Cas::builder()
    /// #     .provider("https://cas.example.org/cas")
    /// #     .service_base("https://app.example.org")
    /// #     .build()?;
    /// let staff: Router = Router::new()
    ///     .route("/staff", get(|| async { "for staff" }))
    ///     .layer(cas.require().rule(Rule::equal("memberOf", "staff")));
    /// let app = Router::new().merge(staff).layer(cas.layer());
    /// # let _ = app;
    /// # Ok::<(), casque_axum::CasError>(())
    /// ```
    pub fn require(&self) -> Require {
        self.guard(Policy::required())
    }

    /// A guard that asks the CAS server once, without a word to the user, whether it knows them.
    pub fn gateway(&self) -> Require {
        self.guard(Policy::gateway())
    }

    /// A guard for what needs credentials given in the last minutes.
    pub fn renew(&self) -> Require {
        self.guard(Policy::renew())
    }

    /// A guard of any policy.
    pub fn guard(&self, policy: Policy) -> Require {
        Require::new(self.clone(), policy)
    }

    /// The service URL to register at the CAS server.
    pub fn service(&self) -> &str {
        self.0.service()
    }

    /// Gives the session of a request a new id, as after a change of what its user may do: add the
    /// `Set-Cookie` of the result to the response. The old id is worth nothing at once.
    ///
    /// # Errors
    ///
    /// A response with 503 where the store does not answer.
    pub async fn rotate(
        &self,
        parts: &http::request::Parts,
    ) -> Result<Option<http::HeaderValue>, Response> {
        self.0.rotate(&parts.into()).await.map_err(|error| {
            tracing::error!(%error, "the store for sessions does not answer");
            let mut response = Response::default();
            *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
            response
        })
    }
}

impl From<App> for Cas {
    fn from(app: App) -> Self {
        Self(Arc::new(app))
    }
}
