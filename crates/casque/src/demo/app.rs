//! The seed's application, as the demonstration shows it: a homepage for everyone, `/protected` that refuses until one
//! has logged in, `/members` that sends a browser to log in and back, `/login` and `/logout`.

use std::fmt::{Display, Write as _};

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use axum::http::header::{X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::map_response;
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use casque_app::is_navigation;
use casque_axum::{AfterLogout, Cas, CasError, CasUser};
use casque_store::SharedStore;

const STYLE: &str = include_str!("app.css");

/// CAS as the seed's settings have it: one path for login page and callback, after the login on to the protected page,
/// and the logout ends at the CAS server. Both URLs are without a trailing slash.
pub(crate) fn cas(cas_url: &str, app_url: &str, store: SharedStore) -> Result<Cas, CasError> {
    Cas::builder()
        .provider(cas_url)
        .service_base(app_url)
        .login_path("/login")
        .callback_path("/login")
        .landing("/protected")
        .after_logout(AfterLogout::CasServer)
        .store(store)
        .build()
}

/// The application. `cas` answers `/login` and `/logout`.
pub(crate) fn router(cas: &Cas) -> Router {
    Router::new()
        .route("/", get(homepage))
        .route("/protected", get(protected).fallback(protected_otherwise))
        // Around all methods: the extractor in the handler guards the handler's own.
        .route("/members", get(members).layer(cas.require()))
        .route("/style.css", get(style))
        .fallback(not_found)
        .layer(cas.layer())
        .layer(map_response(defended))
}

/// Every answer, whoever gives it, is what it says it is, in no frame, and in no cache unless it says so itself
/// (S-016, S-072).
async fn defended(mut response: Response) -> Response {
    const POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; \
                          frame-ancestors 'none'";
    let headers = response.headers_mut();
    for (name, value) in [
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_FRAME_OPTIONS, "DENY"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        (CACHE_CONTROL, "no-store"),
    ] {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Publicly accessible.
async fn homepage(user: Option<CasUser>) -> Response {
    let mut page = Page::new("Welcome to the Homepage!", user.as_ref());
    page.text("This page is for everyone. The other two ask who you are, each in its own way.");
    page.list(&[
        (
            "/protected",
            "The protected page",
            "refuses until you have logged in.",
        ),
        (
            "/members?from=home",
            "The members page",
            "sends you to log in and brings you back.",
        ),
    ]);
    page.respond(StatusCode::OK)
}

/// As the seed does it: refuse until the user has logged in.
async fn protected(user: Option<CasUser>, headers: HeaderMap) -> Response {
    const DENIED: &str = "Access denied. Please log in first.";
    match user {
        Some(user) => {
            let title = format!("Welcome to the protected page, {}!", user.name());
            let mut page = Page::new(&title, Some(&user));
            page.attributes(&user);
            page.respond(StatusCode::OK)
        }
        None if is_navigation(&headers) => {
            let mut page = Page::new(DENIED, None);
            page.text("This page is for people who are logged in.");
            page.action("/login", "Log in");
            page.respond(StatusCode::UNAUTHORIZED)
        }
        None => (StatusCode::UNAUTHORIZED, DENIED).into_response(),
    }
}

/// No method but GET is answered, and without a login not even that is told.
async fn protected_otherwise(user: Option<CasUser>, headers: HeaderMap) -> Response {
    match user {
        Some(_) => StatusCode::METHOD_NOT_ALLOWED.into_response(),
        None => protected(None, headers).await,
    }
}

/// The seed's "Go further": a browser is sent to log in and comes back here, a script gets 401.
async fn members(user: CasUser, OriginalUri(uri): OriginalUri) -> Response {
    let mut page = Page::new(&format!("Welcome, {}!", user.name()), Some(&user));
    if let Some(query) = uri.query() {
        page.text(&format!(
            "You asked for this page with “{query}”, and that is where you are."
        ));
    }
    page.attributes(&user);
    page.respond(StatusCode::OK)
}

async fn not_found(user: Option<CasUser>) -> Response {
    let mut page = Page::new("There is no such page", user.as_ref());
    page.action("/", "Homepage");
    page.respond(StatusCode::NOT_FOUND)
}

async fn style() -> impl IntoResponse {
    (
        [
            (CONTENT_TYPE, "text/css; charset=utf-8"),
            (CACHE_CONTROL, "max-age=300"),
        ],
        STYLE,
    )
}

/// A page in the making. Text is escaped wherever it goes.
struct Page {
    title: String,
    user: Option<String>,
    body: String,
}

impl Page {
    fn new(title: &str, user: Option<&CasUser>) -> Self {
        Self {
            title: escaped(title),
            user: user.map(|user| escaped(user.name())),
            body: String::new(),
        }
    }

    fn add(&mut self, html: impl Display) {
        write!(self.body, "{html}").expect("a String takes all that is written");
    }

    fn text(&mut self, text: &str) {
        self.add(format_args!("<p>{}</p>", escaped(text)));
    }

    fn list(&mut self, items: &[(&str, &str, &str)]) {
        self.add("<ul class=\"ways\">");
        for (href, label, about) in items {
            self.add(format_args!(
                "<li><a href=\"{href}\">{label}</a> {about}</li>"
            ));
        }
        self.add("</ul>");
    }

    fn action(&mut self, href: &str, label: &str) {
        self.add(format_args!(
            "<p><a class=\"button\" href=\"{href}\">{label}</a></p>"
        ));
    }

    /// What the CAS server released about the user.
    fn attributes(&mut self, user: &CasUser) {
        self.add("<h2>What the CAS server told this application</h2><dl><dt>user</dt>");
        self.add(format_args!("<dd>{}</dd>", escaped(user.name())));
        for (name, values) in user.attributes().iter() {
            self.add(format_args!("<dt>{}</dt>", escaped(name)));
            for value in values {
                self.add(format_args!("<dd>{}</dd>", escaped(value)));
            }
        }
        self.add("</dl>");
    }

    fn respond(&self, status: StatusCode) -> Response {
        let Self { title, body, .. } = self;
        let account = match &self.user {
            Some(name) => format!(
                "<span class=\"who\">Signed in as <strong>{name}</strong></span>\
                 <a class=\"button plain\" href=\"/logout\">Log out</a>"
            ),
            None => "<span class=\"who\">Not signed in</span>\
                     <a class=\"button plain\" href=\"/login\">Log in</a>"
                .to_owned(),
        };
        let html = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>{title}</title><link rel=\"stylesheet\" href=\"/style.css\">\
             <link rel=\"icon\" href=\"data:,\"></head><body>\
             <header><p class=\"name\">An application</p>\
             <nav aria-label=\"Pages\"><a href=\"/\">Home</a> <a href=\"/protected\">Protected</a> \
             <a href=\"/members\">Members</a></nav>\
             <p class=\"account\">{account}</p></header>\
             <main><h1>{title}</h1>{body}</main></body></html>\n"
        );
        (status, Html(html)).into_response()
    }
}

/// Text in HTML, safe between tags and in double-quoted attributes.
fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use casque_store::{MemoryStore, SystemClock};
    use tower::ServiceExt as _;

    use super::*;

    async fn asked(router: &Router, method: &str, path: &str, accept: &str) -> Response {
        let request = axum::extract::Request::builder()
            .method(method)
            .uri(path)
            .header("accept", accept)
            .body(axum::body::Body::empty())
            .unwrap();
        let Ok(response) = router.clone().oneshot(request).await;
        response
    }

    fn demo() -> Router {
        let clock = Arc::new(SystemClock::new());
        let (server, own) = ("http://127.0.0.1:1/cas", "http://127.0.0.1:2");
        router(&cas(server, own, Arc::new(MemoryStore::new(clock))).unwrap())
    }

    /// Issue 2, items 6 and 8, and S-081: without a login, 401 to whatever is not a navigation.
    #[tokio::test]
    async fn no_method_gets_past_a_guard() {
        let demo = demo();
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            for (path, kind) in [
                ("/members", "application/json"),
                ("/protected", "text/plain; charset=utf-8"),
            ] {
                let response = asked(&demo, method, path, "*/*").await;
                assert_eq!(
                    response.status(),
                    StatusCode::UNAUTHORIZED,
                    "{method} {path}"
                );
                assert_eq!(response.headers()[CONTENT_TYPE], kind, "{method} {path}");
            }
        }
        let sent = asked(&demo, "GET", "/members?a=1", "text/html").await;
        assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    }

    /// S-016, S-072: every answer carries the headers, whoever gives it.
    #[tokio::test]
    async fn every_answer_is_defended() {
        let demo = demo();
        for (method, path, accept, status) in [
            ("GET", "/", "text/html", 200),
            ("POST", "/", "text/html", 405),
            ("GET", "/protected", "text/html", 401),
            ("GET", "/protected", "*/*", 401),
            ("GET", "/members", "text/html", 303),
            ("GET", "/members", "*/*", 401),
            ("POST", "/members", "text/html", 401),
            ("GET", "/style.css", "text/css", 200),
            ("GET", "/nowhere", "text/html", 404),
            ("GET", "/login?ticket=ST-1-a", "text/html", 403),
            ("GET", "/login", "text/html", 303),
            ("GET", "/logout", "text/html", 303),
            ("GET", "/logout", "image/png", 403),
        ] {
            let response = asked(&demo, method, path, accept).await;
            assert_eq!(response.status().as_u16(), status, "{method} {path}");
            let headers = response.headers();
            let cache = if path == "/style.css" {
                "max-age=300"
            } else {
                "no-store"
            };
            for (name, value) in [
                (X_FRAME_OPTIONS, "DENY"),
                (X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (REFERRER_POLICY, "no-referrer"),
                (CACHE_CONTROL, cache),
            ] {
                let values: Vec<_> = headers.get_all(&name).iter().collect();
                assert_eq!(values, [value], "{name} of {method} {path}");
            }
            let policies: Vec<_> = headers.get_all(CONTENT_SECURITY_POLICY).iter().collect();
            let [policy] = policies[..] else {
                panic!("{policies:?} of {method} {path}")
            };
            let policy = policy.to_str().unwrap();
            assert!(policy.contains("default-src 'none'"), "{policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        }
    }

    #[test]
    fn markup_stays_text() {
        assert_eq!(
            escaped("<b a='1' b=\"2\">&"),
            "&lt;b a=&#39;1&#39; b=&quot;2&quot;&gt;&amp;"
        );
    }
}
