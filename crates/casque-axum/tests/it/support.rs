//! The laboratory: one application, one fake CAS server, as many browsers as a test wants.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{ACCEPT, CONTENT_TYPE, COOKIE, HOST, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::routing::{any, get, post};
use casque_axum::{Cas, CasBuilder, CasUser, Rule, SecretKey};
use casque_proto::{LogoutRequest, ServiceTicket, ServiceUrl};
use casque_store::{MemoryStore, SharedStore};
use casque_testkit::{FakeCas, ManualClock};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

pub(crate) const BASE: &str = "https://app.example.org";
pub(crate) const SERVICE: &str = "https://app.example.org/cas/callback";
pub(crate) const CALLBACK: &str = "/cas/callback";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
pub(crate) const KEY: SecretKey = SecretKey::new([1; 32]);

/// What runs in one test.
pub(crate) struct Lab {
    pub(crate) server: FakeCas,
    pub(crate) clock: ManualClock,
    pub(crate) store: SharedStore,
    pub(crate) cas: Cas,
    pub(crate) router: Router,
}

impl Lab {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder.service_base(BASE))
    }

    pub(crate) fn with(settings: impl FnOnce(CasBuilder) -> CasBuilder) -> Self {
        let clock = ManualClock::new();
        let store: SharedStore = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        Self::on(FakeCas::start(), clock, store, settings)
    }

    pub(crate) fn on(
        server: FakeCas,
        clock: ManualClock,
        store: SharedStore,
        settings: impl FnOnce(CasBuilder) -> CasBuilder,
    ) -> Self {
        let builder = Cas::builder()
            .provider(server.base_url())
            .key(KEY)
            .store(store.clone())
            .clock(Arc::new(clock.clone()));
        let cas = settings(builder).build().unwrap();
        let router = router(&cas);
        Self {
            server,
            clock,
            store,
            cas,
            router,
        }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser {
            router: self.router.clone(),
            jar: BTreeMap::new(),
            keeps: |_| true,
            host: "app.example.org".to_owned(),
        }
    }

    /// A browser in which somebody has signed in by asking for `/members`.
    pub(crate) async fn signed_in(&self, user: &str) -> (Browser, ServiceTicket) {
        let mut browser = self.browser();
        let asked = browser.go("/members").await;
        let (back, ticket) = self.log_in(&mut browser, &asked, user).await;
        assert_eq!(back.location(), format!("{BASE}/members"));
        assert_eq!(browser.go("/members").await.status, StatusCode::OK);
        (browser, ticket)
    }

    /// What happens at the CAS server after a redirect to it, and the browser's return.
    pub(crate) async fn log_in(
        &self,
        browser: &mut Browser,
        sent: &Page,
        user: &str,
    ) -> (Page, ServiceTicket) {
        let service = sent.service(&self.server);
        let ticket = self.server.grant(&service, user);
        (browser.bring(&service, &ticket).await, ticket)
    }

    /// The message of single logout for a ticket.
    pub(crate) async fn single_logout(&self, ticket: &ServiceTicket) -> Page {
        let body = LogoutRequest::to_form_body("LR-1", SystemTime::UNIX_EPOCH, ticket);
        self.browser().post(CALLBACK, FORM, body).await
    }
}

/// The pages behind the layer.
pub(crate) fn router(cas: &Cas) -> Router {
    async fn anyone(user: Option<CasUser>) -> String {
        user.map_or("nobody".to_owned(), |user| user.name().to_owned())
    }
    async fn members(user: CasUser) -> String {
        format!(
            "{} {}",
            user.name(),
            user.attributes().get("memberOf").join(",")
        )
    }
    async fn echo(request: Request) -> Body {
        request.into_body()
    }
    let guarded = |path: &str, guard| Router::new().route(path, any(anyone)).layer(guard);
    Router::new()
        .route("/", get(anyone))
        .route("/static", get(|| async { "for everyone" }))
        .route("/members", any(members))
        .route("/members/{*rest}", any(members))
        .route("/echo", post(echo))
        .merge(guarded("/gateway", cas.gateway()))
        .merge(guarded("/renew", cas.renew()))
        .merge(guarded(
            "/staff",
            cas.require().rule(Rule::equal("memberOf", "staff")),
        ))
        .merge(guarded(
            "/students",
            cas.require().rule(Rule::equal("memberOf", "student")),
        ))
        .fallback(echo)
        .layer(cas.layer())
}

/// A browser with a cookie jar. It follows no redirect by itself.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) router: Router,
    pub(crate) jar: BTreeMap<String, String>,
    /// Which cookies it keeps.
    pub(crate) keeps: fn(&str) -> bool,
    pub(crate) host: String,
}

impl Browser {
    /// Navigates, as by a link or the address bar.
    pub(crate) async fn go(&mut self, target: &str) -> Page {
        let headers = [
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "document"),
        ];
        self.send(Method::GET, target, &headers, Body::empty())
            .await
    }

    /// Fetches, as a script does.
    pub(crate) async fn fetch(&mut self, target: &str) -> Page {
        let headers = [
            ("sec-fetch-mode", "cors"),
            (ACCEPT.as_str(), "application/json"),
        ];
        self.send(Method::GET, target, &headers, Body::empty())
            .await
    }

    /// Posts outside of a navigation, as a server does.
    pub(crate) async fn post(&mut self, target: &str, kind: &str, body: impl Into<Body>) -> Page {
        self.send(
            Method::POST,
            target,
            &[(CONTENT_TYPE.as_str(), kind)],
            body.into(),
        )
        .await
    }

    /// Comes back from the CAS server to a service with a ticket.
    pub(crate) async fn bring(&mut self, service: &str, ticket: &ServiceTicket) -> Page {
        let url = ServiceUrl::parse(service)
            .unwrap()
            .with_ticket("ticket", ticket);
        self.go(&path_of(&url)).await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        target: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Page {
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .body(body)
            .unwrap();
        let map = request.headers_mut();
        map.insert(HOST, self.host.parse().unwrap());
        if !self.jar.is_empty() {
            let pairs: Vec<_> = self
                .jar
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            map.insert(COOKIE, pairs.join("; ").parse().unwrap());
        }
        for (name, value) in headers {
            map.append(
                name.parse::<HeaderName>().unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        let page = Page::of(&self.router, request).await;
        for cookie in page.headers.get_all(SET_COOKIE) {
            let text = cookie.to_str().unwrap();
            let (pair, attributes) = text.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.jar.remove(name);
            } else if (self.keeps)(name) {
                self.jar.insert(name.to_owned(), value.to_owned());
            }
        }
        page
    }

    pub(crate) fn session(&self) -> Option<&String> {
        self.jar.get("__Host-casque")
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Page {
    pub(crate) async fn of(router: &Router, request: Request) -> Self {
        let response = router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{self:?}");
        self.headers[LOCATION].to_str().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The service of a redirect to the login page of the CAS server.
    pub(crate) fn service(&self, server: &FakeCas) -> String {
        self.parameter(server, "service")
            .expect("a login has a service")
    }

    /// A parameter of a redirect to the login page of the CAS server.
    pub(crate) fn parameter(&self, server: &FakeCas, name: &str) -> Option<String> {
        let url = url::Url::parse(self.location()).unwrap();
        assert!(
            url.as_str()
                .starts_with(&format!("{}/login?", server.base_url())),
            "{url}"
        );
        url.query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }
}

/// Path and query of an absolute URL.
pub(crate) fn path_of(url: &str) -> String {
    url.parse::<Uri>()
        .unwrap()
        .path_and_query()
        .unwrap()
        .to_string()
}

/// What was logged.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<std::sync::Mutex<Vec<u8>>>);

impl Captured {
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap().clear();
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl std::io::Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
