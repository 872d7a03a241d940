//! A CAS server as small as it can be, right but for one fault: what browsers see.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use casque_proto::{LogoutRequest, ServiceTicket};
use url::Url;

use super::back::{proxy, rest, saml, validate};

pub(crate) const USER: &str = "alice";
pub(crate) const PASSWORD: &str = "wonderland";

#[derive(Clone)]
pub(crate) struct Faulty(Arc<Inner>);

struct Inner {
    fault: &'static str,
    state: Mutex<Known>,
    roots: Mutex<String>,
}

#[derive(Default)]
pub(super) struct Known {
    pub(super) number: u64,
    pub(super) sessions: HashMap<String, Session>,
    pub(super) tickets: HashMap<String, Granted>,
    pub(super) pgts: HashMap<String, Granted>,
    pub(super) forms: Vec<String>,
}

#[derive(Clone, Default)]
pub(super) struct Session {
    pub(super) warn: bool,
    pub(super) remembered: bool,
    pub(super) told: Vec<(String, String)>,
}

#[derive(Clone)]
pub(super) struct Granted {
    pub(super) session: String,
    pub(super) service: String,
    pub(super) new: bool,
    pub(super) proxies: Vec<String>,
}

pub(super) type Pairs = Vec<(String, String)>;

impl Faulty {
    pub(crate) async fn start(fault: &'static str) -> (Self, String) {
        let server = Self(Arc::new(Inner {
            fault,
            state: Mutex::default(),
            roots: Mutex::default(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/cas", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (server, url)
    }

    pub(crate) fn trust(&self, pem: &str) {
        pem.clone_into(&mut self.0.roots.lock().unwrap());
    }

    pub(super) fn has(&self, fault: &str) -> bool {
        self.0.fault == fault
    }

    pub(super) fn with<T>(&self, act: impl FnOnce(&mut Known) -> T) -> T {
        act(&mut self.0.state.lock().unwrap())
    }

    /// Distinct, and as long as it should be.
    pub(super) fn secret(&self, prefix: &str) -> String {
        let number = self.with(|known| {
            known.number += 1;
            known.number
        });
        if self.has("tickets in sequence") {
            return format!("{prefix}-{number:026}");
        }
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let tail = format!("{:x}", mixed.rotate_left(17) ^ 0x5bd1_e995_1234_5678);
        format!("{prefix}-{mixed:016x}{tail:.8}")
    }

    pub(super) fn http(&self) -> reqwest::Client {
        use rustls::pki_types::{CertificateDer, pem::PemObject as _};
        let mut roots = rustls::RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(self.0.roots.lock().unwrap().as_bytes()) {
            roots.add(root.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .build()
            .unwrap()
    }

    pub(super) fn grant(&self, session: &str, service: &str, new: bool) -> String {
        let prefix = if self.has("ticket prefix") {
            "TK"
        } else {
            "ST"
        };
        let mut ticket = self.secret(prefix);
        if self.has("ticket characters") {
            ticket.push('.');
        }
        if self.has("ticket length") {
            ticket.push_str(&"x".repeat(300));
        }
        let granted = Granted {
            session: session.to_owned(),
            service: service.to_owned(),
            new,
            proxies: Vec::new(),
        };
        self.with(|known| known.tickets.insert(ticket.clone(), granted));
        ticket
    }
}

pub(super) fn get<'a>(pairs: &'a Pairs, name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

fn flag(pairs: &Pairs, name: &str) -> bool {
    get(pairs, name).is_some_and(|value| value != "false")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn page(status: u16, body: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let headers = [
        ("content-type", "text/html;charset=utf-8"),
        ("cache-control", "no-store"),
        ("pragma", "no-cache"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ];
    (
        status,
        headers,
        format!("<!doctype html><title>CAS</title>{body}"),
    )
        .into_response()
}

fn redirect(status: u16, location: &str) -> Response {
    let mut response = page(status, "");
    response
        .headers_mut()
        .insert(header::LOCATION, location.parse().unwrap());
    response
}

async fn answer(
    State(server): State<Faulty>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let read = |text: &[u8]| {
        url::form_urlencoded::parse(text)
            .into_owned()
            .collect::<Pairs>()
    };
    let query = read(uri.query().unwrap_or_default().as_bytes());
    let cookie = headers
        .get(header::COOKIE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let session = cookie.split("; ").find_map(|pair| {
        pair.split_once('=')
            .filter(|(name, _)| name.starts_with("TGC") || *name == "sid")
    });
    let session = session
        .map(|(_, value)| value.to_owned())
        .unwrap_or_default();
    let path = uri.path().strip_prefix("/cas/").unwrap_or_default();
    match path {
        "login" if method == Method::POST => post_login(&server, &read(&body), &session),
        "login" => get_login(&server, &query, &session),
        "logout" => logout(&server, &query, &session).await,
        "validate" | "serviceValidate" | "proxyValidate" | "p3/serviceValidate"
        | "p3/proxyValidate" => {
            if method != Method::GET && !server.has("methods") {
                return StatusCode::METHOD_NOT_ALLOWED.into_response();
            }
            validate(&server, path, &query).await
        }
        "proxy" => proxy(&server, &query),
        "samlValidate" => saml(&server, &query, &body, &method),
        _ => rest(&server, path, &method, &read(&body)),
    }
}

fn hidden_field(name: &str, value: &str) -> String {
    format!(
        "<input type=hidden name={name} value=\"{}\">",
        escape(value)
    )
}

fn form(server: &Faulty, status: u16, pairs: &Pairs) -> Response {
    let lt = server.secret("LT");
    server.with(|known| known.forms.push(lt.clone()));
    let mut hidden = format!("<input type=hidden name=lt value={lt}>");
    for name in ["service", "TARGET", "method", "renew"] {
        if let Some(value) = get(pairs, name)
            && !(name == "service" && server.has("form service"))
        {
            hidden.push_str(&hidden_field(name, value));
        }
    }
    if server.has("form service") {
        hidden.push_str(&hidden_field(
            "goal",
            get(pairs, "service").unwrap_or_default(),
        ));
    }
    let user = if server.has("form fields") {
        "login"
    } else {
        "username"
    };
    let ticked = if server.has("remember ticked") {
        "checked"
    } else {
        ""
    };
    let mut response = page(
        status,
        &format!(
            "<form method=post action=/cas/login>{hidden}<input name={user}><input type=password name=password>\
             <input type=checkbox name=warn value=true><input type=checkbox name=rememberMe value=true {ticked}><button>Go</button></form>"
        ),
    );
    if server.has("fixation") {
        let planted = "TGC=planted; Path=/cas".parse().unwrap();
        response.headers_mut().insert(header::SET_COOKIE, planted);
    }
    if server.has("form headers") {
        response.headers_mut().remove("x-frame-options");
    }
    if server.has("form cached") {
        response.headers_mut().remove("cache-control");
    }
    response
}

fn registered(server: &Faulty, service: &str) -> bool {
    if server.has("open mode") {
        return true;
    }
    if server.has("prefix match") {
        return service.starts_with("http://127.0.0.1");
    }
    let clean = !service.contains(|c: char| c.is_control() || c == '\\' || c == ' ');
    (clean || server.has("control characters"))
        && Url::parse(service).is_ok_and(|url| {
            url.scheme() == "http"
                && url.host_str() == Some("127.0.0.1")
                && url.username().is_empty()
        })
}

fn service_of(server: &Faulty, pairs: &Pairs) -> Result<Option<String>, Box<Response>> {
    let mut given = pairs.iter().filter(|(name, _)| {
        name == "service"
            || name == "TARGET"
            || (server.has("parameter case") && name.eq_ignore_ascii_case("service"))
    });
    let first = given
        .next()
        .map(|(_, value)| value.clone())
        .filter(|value| !value.is_empty());
    if given.any(|(_, value)| Some(value) != first.as_ref()) && !server.has("duplicates") {
        return Err(Box::new(page(400, "Two services")));
    }
    match &first {
        Some(service) if !registered(server, service) => {
            let shown = if server.has("unescaped") {
                service.clone()
            } else {
                escape(service)
            };
            Err(Box::new(page(403, &format!("Unknown: {shown}"))))
        }
        _ => Ok(first),
    }
}

fn get_login(server: &Faulty, query: &Pairs, session: &str) -> Response {
    if server.has("gateway anywhere")
        && flag(query, "gateway")
        && get(query, "service").is_some_and(|s| !registered(server, s))
    {
        return redirect(303, get(query, "service").unwrap());
    }
    let service = match service_of(server, query) {
        Ok(service) => service,
        Err(refused) => return *refused,
    };
    let known = server.with(|known| known.sessions.get(session).cloned());
    let renew = flag(query, "renew") && !server.has("renew ignored");
    let gateway = flag(query, "gateway");
    if server.has("renew ends") && renew {
        server.with(|known| known.sessions.remove(session));
    }
    match (known, service) {
        (Some(_), _) if server.has("no sso") => form(server, 200, query),
        (Some(known), Some(service)) if !renew => {
            if gateway && server.has("gateway asks") {
                return form(server, 200, query);
            }
            if known.warn && !server.has("warn ignored") {
                return page(200, "Go on?");
            }
            let ticket = server.grant(session, &service, false);
            deliver(server, query, &service, &ticket, 303)
        }
        (Some(_), None) if !renew && !server.has("already form") => page(200, "Already logged in"),
        (None, Some(service))
            if gateway
                && (!renew || server.has("gateway first"))
                && !server.has("gateway form") =>
        {
            redirect(303, &service)
        }
        (None, None) if server.has("no form") => page(200, "Nothing here"),
        (None, None) if gateway && server.has("gateway alone") => page(400, "No service"),
        _ => form(server, 200, query),
    }
}

fn deliver(server: &Faulty, pairs: &Pairs, service: &str, ticket: &str, status: u16) -> Response {
    match get(pairs, "method") {
        Some("POST") => {
            let value = if server.has("method post") {
                "ST-1-nothing"
            } else {
                ticket
            };
            return page(
                200,
                &format!(
                    "<form method=post action=\"{}\"><input type=hidden name=ticket value={value}></form>",
                    escape(service)
                ),
            );
        }
        Some("HEADER") => {
            let mut response = page(200, "");
            let told = if server.has("method header") {
                "http://elsewhere.invalid/"
            } else {
                service
            };
            response
                .headers_mut()
                .insert("service", told.parse().unwrap());
            response
                .headers_mut()
                .insert("ticket", ticket.parse().unwrap());
            return response;
        }
        _ => {}
    }
    let name = if get(pairs, "TARGET").is_some() && !server.has("target as ticket") {
        "SAMLart"
    } else {
        "ticket"
    };
    let (before, fragment) = service
        .split_once('#')
        .map_or((service, None), |(a, b)| (a, Some(b)));
    let before = if server.has("query lost") {
        before.split('?').next().unwrap()
    } else {
        before
    };
    let joint = if before.contains('?') { '&' } else { '?' };
    let mut location = format!("{before}{joint}{name}={ticket}");
    if let Some(fragment) = fragment.filter(|_| !server.has("fragment lost")) {
        location = format!("{location}#{fragment}");
    }
    redirect(status, &location)
}

fn post_login(server: &Faulty, fields: &Pairs, old: &str) -> Response {
    let mut fields = fields.clone();
    if server.has("form service") {
        let goal = get(&fields, "goal").map(ToOwned::to_owned);
        fields.extend(goal.map(|goal| ("service".to_owned(), goal)));
    }
    let service = match service_of(server, &fields) {
        Ok(service) => service,
        Err(refused) => return *refused,
    };
    let good = server.with(|known| {
        let lt = get(&fields, "lt").unwrap_or_default();
        let position = known.forms.iter().position(|form| form == lt);
        if let Some(at) = position
            && !server.has("lt reused")
        {
            known.forms.remove(at);
        }
        position.is_some()
    });
    let user = get(&fields, "username").or(get(&fields, "login"));
    let right = get(&fields, "password") == Some(PASSWORD) && user == Some(USER);
    if !good || !(right || server.has("any password")) {
        if server.has("failure page") {
            return page(200, "No");
        }
        return form(
            server,
            if server.has("failure status") {
                200
            } else {
                401
            },
            &fields,
        );
    }
    let session = if server.has("same cookie") {
        "TGT-always".to_owned()
    } else {
        server.secret("TGT")
    };
    let session = if server.has("fixation") && !old.is_empty() {
        old.to_owned()
    } else {
        session
    };
    let known = Session {
        warn: flag(&fields, "warn"),
        remembered: flag(&fields, "rememberMe"),
        told: Vec::new(),
    };
    let remembered = known.remembered;
    server.with(|all| all.sessions.insert(session.clone(), known));
    let mut response = match &service {
        Some(service) => {
            let ticket = server.grant(&session, service, true);
            let status = if server.has("redirect 307") { 307 } else { 303 };
            deliver(server, &fields, service, &ticket, status)
        }
        None if server.has("success form") => form(server, 200, &fields),
        None => page(200, "Logged in"),
    };
    let name = if server.has("cookie name") {
        "sid"
    } else {
        "TGC"
    };
    let path = if server.has("cookie path") {
        "/"
    } else {
        "/cas"
    };
    let flags = if server.has("cookie flags") {
        ""
    } else {
        "; HttpOnly; SameSite=Lax"
    };
    let lasts = (remembered && !server.has("remember session")) || server.has("cookie lasts");
    let age = if lasts { "; Max-Age=99999" } else { "" };
    let value = if server.has("cookie characters") {
        format!("{session}.x")
    } else {
        session.clone()
    };
    if server.has("cookie characters") {
        server.with(|all| {
            let known = all.sessions.remove(&session).unwrap();
            all.sessions.insert(value.clone(), known);
        });
    }
    response.headers_mut().append(
        header::SET_COOKIE,
        format!("{name}={value}; Path={path}{flags}{age}")
            .parse()
            .unwrap(),
    );
    response
}

async fn logout(server: &Faulty, query: &Pairs, session: &str) -> Response {
    let ended = server.with(|known| {
        let ended = known.sessions.get(session).cloned();
        if !server.has("logout keeps") {
            known.sessions.remove(session);
        }
        if !server.has("tickets survive") {
            known
                .tickets
                .retain(|_, granted| granted.session != session);
        }
        if !server.has("pgt survives") {
            known.pgts.retain(|_, granted| granted.session != session);
        }
        ended
    });
    if ended.is_none() && server.has("logout nobody") {
        return page(403, "Who?");
    }
    for (service, ticket) in ended.map(|ended| ended.told).unwrap_or_default() {
        let named = if server.has("slo index") {
            "ST-1-another"
        } else {
            &ticket
        };
        let parsed = ServiceTicket::parse(named).unwrap();
        let mut body =
            LogoutRequest::to_form_body("_1", std::time::SystemTime::UNIX_EPOCH, &parsed);
        if server.has("slo shape") {
            body = format!("x=1&{body}");
        }
        for _ in 0..if server.has("slo twice") { 2 } else { 1 } {
            let sent = server
                .http()
                .post(&service)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.clone())
                .send()
                .await;
            if server.has("slo minds") && sent.is_ok_and(|answer| !answer.status().is_success()) {
                return page(500, "A service refused");
            }
        }
    }
    if let Some(url) = get(query, "url").filter(|_| server.has("logout url")) {
        return redirect(303, url);
    }
    match get(query, "service") {
        Some(service) if server.has("logout mangles") => redirect(303, &format!("{service}&more")),
        Some(service) if registered(server, service) || server.has("logout anywhere") => {
            redirect(303, service)
        }
        _ if server.has("logout error") => page(500, "Oh"),
        _ => page(200, "Logged out"),
    }
}
