//! The layer around a whole router.

mod body;
mod future;
mod service;

use std::net::IpAddr;
use std::sync::Arc;

use http::Extensions;
use tower_layer::Layer;

pub use self::future::ResponseFuture;
pub use self::service::CasService;
use crate::cas::{Cas, PeerAddress};

/// Knows who is signed in, and answers the login, callback and logout paths; made by
/// [`Cas::layer`].
///
/// For each request, in this order:
///
/// 1. On the callback path a ticket is validated and the browser sent on to the page it asked for;
///    a form is read, up to 16 KiB and for 10 seconds, to see whether it is a message of single
///    logout; a slower one gets 408. Any other body streams through untouched.
/// 2. Where [`proxying`](casque_app::AppBuilder::proxying) is on, its path receives proxy-granting
///    tickets.
/// 3. The login path sends to the CAS server whoever is not signed in, the logout path ends the
///    session.
/// 4. Everything else goes on to the application, which learns who is signed in through
///    [`CasUser`](crate::CasUser) and the guards of [`Cas`].
///
/// Answers that depend on who is signed in get `Cache-Control: no-store`, unless the application
/// says otherwise, and `Vary: Cookie`.
///
/// # Deployment
///
/// Own addresses are settings: no forwarded header is read, so a proxy cannot get them wrong. Let
/// CSRF protection pass `POST` to the callback path, which is how single logout arrives, and to the
/// path of proxying.
#[derive(Clone)]
pub struct CasLayer {
    cas: Cas,
    peer: Option<PeerAddress>,
}

impl CasLayer {
    pub(crate) fn new(cas: Cas) -> Self {
        Self { cas, peer: None }
    }

    /// How to find the peer's address, which `slo_sources` and `pgt_sources` are compared with.
    ///
    /// With `into_make_service_with_connect_info::<SocketAddr>()`:
    ///
    /// ```
    /// use std::net::SocketAddr;
    /// use axum::extract::ConnectInfo;
    /// # use casque_axum::Cas;
    /// # let cas = Cas::builder()
    /// #     .provider("https://cas.example.org/cas")
    /// #     .service_base("https://app.example.org")
    /// #     .build()?;
    ///
    /// let layer = cas.layer().peer_address(|extensions| {
    ///     extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
    /// });
    /// # let _ = layer;
    /// # Ok::<(), casque_axum::CasError>(())
    /// ```
    #[must_use]
    pub fn peer_address(
        mut self,
        find: impl Fn(&Extensions) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.peer = Some(Arc::new(find));
        self
    }
}

impl std::fmt::Debug for CasLayer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CasLayer")
            .field("cas", &self.cas)
            .finish_non_exhaustive()
    }
}

impl<S> Layer<S> for CasLayer {
    type Service = CasService<S>;

    fn layer(&self, inner: S) -> CasService<S> {
        CasService::new(self.cas.clone(), self.peer.clone(), inner)
    }
}
