//! HTTP: one request, one answer, and a trace of both that can be shown to anybody.

use std::fmt::{self, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use casque_proto::redact::redact;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Method, StatusCode};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use url::Url;

use crate::cookies::{Cookie, Jar};

/// What was sent and what came back, redacted and bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Method, path, query, and what the body was.
    pub sent: String,
    /// Status, the headers that matter, and the beginning of the body.
    pub received: String,
}

/// The last exchanges, which whoever made the [`Agent`] may look at. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Trace(Arc<Mutex<Vec<Exchange>>>);

impl Trace {
    fn push(&self, exchange: Exchange) {
        let mut exchanges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if exchanges.len() == MOST_EXCHANGES {
            exchanges.remove(0);
        }
        exchanges.push(exchange);
    }

    /// What was exchanged since this was asked for last, eight exchanges at most.
    pub fn take(&self) -> Vec<Exchange> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The one that decides is among the last.
const MOST_EXCHANGES: usize = 8;
const SENT_BYTES: usize = 300;
const RECEIVED_BYTES: usize = 400;
const MAX_BODY: usize = 1 << 20;
const FORM_TYPE: &str = "application/x-www-form-urlencoded";

/// An answer of the server, whole.
#[derive(Clone)]
pub struct Answer {
    /// What was asked for.
    pub url: Url,
    /// The status.
    pub status: StatusCode,
    /// The headers; cookies and redirects are secrets.
    pub headers: HeaderMap,
    /// The body, of 1 MiB at most.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as text; what is no UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text; what is not ASCII stays readable.
    pub fn header(&self, name: impl http::header::AsHeaderName) -> Option<String> {
        self.headers
            .get(name)
            .map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// The text of `Location` in a redirect.
    pub fn redirect(&self) -> Option<String> {
        self.status
            .is_redirection()
            .then(|| self.header(LOCATION))
            .flatten()
    }

    /// The content type; empty where none is said.
    pub fn content_type(&self) -> String {
        self.header(CONTENT_TYPE).unwrap_or_default()
    }

    /// The body is a page for people, whatever its content type says.
    pub fn is_html(&self) -> bool {
        let start = self.text();
        let start = start.trim_start().to_ascii_lowercase();
        start.starts_with("<!doctype html") || start.starts_with("<html")
    }

    /// The cookies that it sets or ends.
    pub fn cookies(&self) -> Vec<Cookie> {
        self.headers
            .get_all(SET_COOKIE)
            .iter()
            .filter_map(|value| Cookie::parse(&String::from_utf8_lossy(value.as_bytes())))
            .collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_answer(self))
    }
}

/// The server did not answer as HTTP; in words that hold no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoAnswer(pub String);

impl std::error::Error for NoAnswer {}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request that is about to be sent.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: String,
    /// Headers beside those of a browser.
    pub headers: Vec<(&'static str, String)>,
    /// The body, which may hold a password.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&show_request(self))
    }
}

impl Request {
    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// The same with another method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same as the `POST` of a form.
    #[must_use]
    pub fn form(mut self, fields: &[(String, String)]) -> Self {
        self.method = Method::POST;
        self.body = query_of(fields).into_bytes();
        self.header("content-type", FORM_TYPE)
    }
}

/// Sends requests; follows nothing, keeps nothing.
#[derive(Clone, Debug)]
pub struct Agent {
    http: reqwest::Client,
    trace: Trace,
}

impl Agent {
    /// An agent with a name (its `User-Agent`), and with certificates in a PEM file to trust besides the platform's.
    ///
    /// # Errors
    ///
    /// In words, where the roots cannot be read.
    pub fn new(
        name: &str,
        extra_roots: Option<&Path>,
        timeout: Duration,
        trace: Trace,
    ) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(extra_roots)?)
            .http1_only()
            // Shorter than the keep-alive of usual servers, so that no request dies of a connection that is closing.
            .pool_idle_timeout(Duration::from_secs(2))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .timeout(timeout)
            .user_agent(name)
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self { http, trace })
    }

    /// Sends a request with the cookies of a jar.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] where no answer of at most 1 MiB comes in time.
    pub async fn send(&self, request: Request, jar: Option<&Jar>) -> Result<Answer, NoAnswer> {
        let sent = show_request(&request);
        let answer = self.exchange(request, jar).await;
        let received = match &answer {
            Ok(answer) => show_answer(answer),
            Err(none) => format!("no HTTP answer: {none}"),
        };
        self.trace.push(Exchange { sent, received });
        answer
    }

    async fn exchange(&self, request: Request, jar: Option<&Jar>) -> Result<Answer, NoAnswer> {
        let url = Url::parse(&request.url)
            .map_err(|error| NoAnswer(format!("an address that is no URL: {error}")))?;
        let mut builder = self
            .http
            .request(request.method, url.clone())
            .body(request.body);
        if let Some(cookies) = jar.and_then(|jar| jar.header(url.path())) {
            builder = builder.header(COOKIE, cookies);
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let words = |error: reqwest::Error| NoAnswer(chain(&error.without_url()));
        let mut response = builder.send().await.map_err(words)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(words)? {
            if body.len() + chunk.len() > MAX_BODY {
                return Err(NoAnswer(format!("a body of more than {MAX_BODY} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            url,
            status,
            headers,
            body,
        })
    }
}

/// The roots of the machine, and those of a PEM file.
///
/// # Errors
///
/// In words, where the file cannot be read.
pub fn roots(extra_roots: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = extra_roots {
        let wrong = |reason: String| {
            format!(
                "cannot use the certificates in {}: {reason}",
                file.display()
            )
        };
        for certificate in CertificateDer::pem_file_iter(file).map_err(|e| wrong(e.to_string()))? {
            let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
            roots
                .add(certificate)
                .map_err(|error| wrong(error.to_string()))?;
        }
    }
    Ok(roots)
}

fn tls(extra_roots: Option<&Path>) -> Result<ClientConfig, String> {
    let roots = roots(extra_roots)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// `name=value&…`, encoded.
pub fn query_of<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())))
        .finish()
}

/// One line without secrets, of at most `most` bytes.
pub fn shown(text: &str, most: usize) -> String {
    let mut text = redact(text, None);
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

fn show_request(request: &Request) -> String {
    let target = Url::parse(&request.url).map_or_else(
        |_| request.url.clone(),
        |url| match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        },
    );
    // Of a form only the names are shown: nobody knows what a server calls its secrets.
    let is_form = request.headers.iter().any(|(_, value)| value == FORM_TYPE);
    let body = if request.body.is_empty() {
        String::new()
    } else if is_form {
        let fields: Vec<_> = url::form_urlencoded::parse(&request.body)
            .map(|(name, _)| name.into_owned())
            .collect();
        format!(", form of {}", fields.join(", "))
    } else {
        format!(", body {}", String::from_utf8_lossy(&request.body))
    };
    shown(&format!("{} {target}{body}", request.method), SENT_BYTES)
}

fn show_answer(answer: &Answer) -> String {
    let mut text = answer.status.as_u16().to_string();
    if let Some(location) = answer.header(LOCATION) {
        let _ = write!(text, " Location: {location}");
    }
    for cookie in answer.cookies() {
        let verb = if cookie.ends() { "ends" } else { "sets" };
        let path = cookie.path.as_deref().unwrap_or("(none)");
        let _ = write!(text, " {verb} cookie {} for path {path}", cookie.name);
    }
    if answer.is_html() {
        let _ = write!(text, " (an HTML page of {} bytes)", answer.body.len());
    } else if !answer.body.is_empty() {
        text.push(' ');
        text.push_str(answer.text().trim());
    }
    shown(&text, RECEIVED_BYTES)
}

/// The messages of an error and its causes, without what repeats itself.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    shown(&text, RECEIVED_BYTES)
}
