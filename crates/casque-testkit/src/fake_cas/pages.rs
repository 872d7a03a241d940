//! The pages, as a function of a request and the state.

use std::fmt::Write as _;
use std::time::SystemTime;

use bytes::Bytes;
use casque_proto::saml::{SamlAssertion, SamlReply, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{ProxyGrantingTicketIou, ReadOptions};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Response, StatusCode};
use url::form_urlencoded;

use super::record::RecordedRequest;
use super::rest;
use super::state::{Grant, State};

/// A page of a [`FakeCas`](super::FakeCas).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Page {
    /// `/login`: redirects with a ticket where somebody is signed in, else shows a form.
    Login,
    /// `/logout`: signs out, and redirects to `service` where one is given.
    Logout,
    /// `/validate`, CAS 1.
    Validate,
    /// `/serviceValidate`, CAS 2, without attributes.
    ServiceValidate,
    /// `/p3/serviceValidate`, CAS 3, with attributes.
    P3ServiceValidate,
    /// `/samlValidate`, SAML 1.1, with attributes.
    SamlValidate,
    /// `/proxyValidate`, CAS 2 for proxy tickets too.
    ProxyValidate,
    /// `/p3/proxyValidate`, CAS 3 for proxy tickets too.
    P3ProxyValidate,
    /// `/proxy`: gives proxy tickets.
    Proxy,
    /// `/v1/tickets` of the REST protocol: trades a password for a ticket-granting ticket.
    RestTickets,
    /// Everything below `/v1/tickets/`: one ticket-granting ticket of the REST protocol.
    RestTicket,
    /// `/v1/users` of the REST protocol: says whose a password is.
    RestUsers,
}

impl Page {
    /// All pages.
    pub const ALL: [Self; 12] = [
        Self::Login,
        Self::Logout,
        Self::Validate,
        Self::ServiceValidate,
        Self::P3ServiceValidate,
        Self::SamlValidate,
        Self::ProxyValidate,
        Self::P3ProxyValidate,
        Self::Proxy,
        Self::RestTickets,
        Self::RestTicket,
        Self::RestUsers,
    ];

    /// Its path, with the prefix `/cas`; of [`RestTicket`](Self::RestTicket) what comes before the ticket.
    pub fn path(self) -> &'static str {
        match self {
            Self::Login => "/cas/login",
            Self::Logout => "/cas/logout",
            Self::Validate => "/cas/validate",
            Self::ServiceValidate => "/cas/serviceValidate",
            Self::P3ServiceValidate => "/cas/p3/serviceValidate",
            Self::SamlValidate => "/cas/samlValidate",
            Self::ProxyValidate => "/cas/proxyValidate",
            Self::P3ProxyValidate => "/cas/p3/proxyValidate",
            Self::Proxy => "/cas/proxy",
            Self::RestTickets => "/cas/v1/tickets",
            Self::RestTicket => "/cas/v1/tickets/",
            Self::RestUsers => "/cas/v1/users",
        }
    }

    fn takes_proxy_tickets(self) -> bool {
        matches!(self, Self::ProxyValidate | Self::P3ProxyValidate)
    }

    pub(super) fn of_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|page| match page {
            Self::RestTicket => path.starts_with(page.path()),
            _ => page.path() == path,
        })
    }
}

pub(super) async fn respond(
    page: Page,
    request: &RecordedRequest,
    state: &State,
) -> Response<Bytes> {
    match page {
        Page::Login => login(request, state),
        Page::Logout => logout(request, state),
        Page::Proxy => proxy(request, state),
        Page::RestTickets => rest::tickets(request, state),
        Page::RestTicket => rest::ticket(request, state),
        Page::RestUsers => rest::users(request, state),
        Page::SamlValidate => saml_validate(request, state),
        Page::Validate
        | Page::ServiceValidate
        | Page::P3ServiceValidate
        | Page::ProxyValidate
        | Page::P3ProxyValidate => validate(page, request, state).await,
    }
}

pub(super) fn not_found() -> Response<Bytes> {
    html(StatusCode::NOT_FOUND, "<h1>Not found</h1>")
}

fn login(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    let query = request.query();
    if request.method() == Method::POST {
        let form: Vec<(String, String)> = form_urlencoded::parse(request.body())
            .into_owned()
            .collect();
        let username = find(&form, "username").unwrap_or_default();
        let password = find(&form, "password").unwrap_or_default();
        let service = find(&form, "service").or_else(|| find(&query, "service"));
        if !state.log_in(username, password) {
            return form_page(StatusCode::UNAUTHORIZED, service);
        }
        return signed_in(state, username, service, true);
    }
    let service = find(&query, "service");
    let renew = find(&query, "renew").is_some();
    match (state.signed_in(), service) {
        (Some(name), _) if !renew => signed_in(state, &name, service, false),
        (_, Some(service)) if find(&query, "gateway").is_some() && !renew => redirect(service),
        (_, service) => form_page(StatusCode::OK, service),
    }
}

fn signed_in(state: &State, name: &str, service: Option<&str>, renewed: bool) -> Response<Bytes> {
    let Some(service) = service else {
        return html(StatusCode::OK, "<h1>Signed in</h1>");
    };
    let ticket = state.grant(service, name, renewed);
    let (before, fragment) = service
        .split_once('#')
        .map_or((service, None), |(a, b)| (a, Some(b)));
    let joint = if before.contains('?') { '&' } else { '?' };
    let mut location = format!("{before}{joint}ticket={}", ticket.secret());
    if let Some(fragment) = fragment {
        location.push('#');
        location.push_str(fragment);
    }
    redirect(&location)
}

fn logout(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    state.sign_out();
    match find(&request.query(), "service") {
        Some(service) => redirect(service),
        None => html(StatusCode::OK, "<h1>Signed out</h1>"),
    }
}

async fn validate(page: Page, request: &RecordedRequest, state: &State) -> Response<Bytes> {
    if request.method() != Method::GET {
        return html(
            StatusCode::METHOD_NOT_ALLOWED,
            "<h1>Method not allowed</h1>",
        );
    }
    let query = request.query();
    let outcome = match judge(page, &query, state) {
        Ok(grant) => proxy_granting(page, &query, grant, state).await,
        Err(refusal) => Err(refusal),
    };
    let json = find(&query, "format").is_some_and(|format| format.eq_ignore_ascii_case("json"));
    match (page, outcome) {
        (Page::Validate, Ok((grant, _))) => text(format!("yes\n{}\n", grant.person.name())),
        (Page::Validate, Err(_)) => text("no\n\n".to_owned()),
        (page, Ok((grant, iou))) => {
            let attributes = if matches!(page, Page::P3ServiceValidate | Page::P3ProxyValidate) {
                grant.person.attributes()
            } else {
                &[]
            };
            let success = Success {
                user: grant.person.name(),
                attributes,
                iou: iou.as_ref(),
                proxies: &grant.proxies,
            };
            if json { success.json() } else { success.xml() }
        }
        (_, Err((code, description))) => {
            if json {
                failure_json(code, description)
            } else {
                failure_xml("authenticationFailure", code, description)
            }
        }
    }
}

/// Grants a proxy-granting ticket where one is asked for and its address takes it.
async fn proxy_granting(
    page: Page,
    query: &[(String, String)],
    grant: Grant,
    state: &State,
) -> Result<(Grant, Option<ProxyGrantingTicketIou>), Refusal> {
    let Some(pgt_url) = find(query, "pgtUrl").filter(|_| page != Page::Validate) else {
        return Ok((grant, None));
    };
    let proxies = std::iter::once(pgt_url.to_owned())
        .chain(grant.proxies.iter().cloned())
        .collect();
    let (iou, pgt) = state.grant_pgt(grant.person.clone(), proxies);
    if !state.delivery().deliver(pgt_url, &iou, &pgt).await {
        return Err((
            "INVALID_PROXY_CALLBACK",
            "the proxy-granting ticket could not be delivered",
        ));
    }
    Ok((grant, Some(iou)))
}

fn proxy(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    let query = request.query();
    let (Some(pgt), Some(target)) = (find(&query, "pgt"), find(&query, "targetService")) else {
        return failure_xml(
            "proxyFailure",
            "INVALID_REQUEST",
            "'pgt' and 'targetService' parameters are both required",
        );
    };
    match state.grant_proxy_ticket(pgt, target) {
        Some(ticket) => xml(&format!(
            "  <cas:proxySuccess>\n    <cas:proxyTicket>{}</cas:proxyTicket>\n  </cas:proxySuccess>\n",
            ticket.secret()
        )),
        None => failure_xml(
            "proxyFailure",
            "INVALID_TICKET",
            "the proxy-granting ticket is not recognized",
        ),
    }
}

type Refusal = (&'static str, &'static str);

#[expect(
    clippy::disallowed_methods,
    reason = "a client of SAML holds the answer against the wall clock"
)]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

fn saml_validate(request: &RecordedRequest, state: &State) -> Response<Bytes> {
    let query = request.query();
    let target = find(&query, "TARGET");
    let options = ReadOptions::default();
    let Ok(asked) = SamlRequest::parse(target, request.body(), &options) else {
        return html(StatusCode::BAD_REQUEST, "<h1>No SAML request</h1>");
    };
    let mut parameters = vec![
        ("service".to_owned(), asked.target().to_owned()),
        ("ticket".to_owned(), asked.artifact().secret().to_owned()),
    ];
    parameters.extend(find(&query, "renew").map(|set| ("renew".to_owned(), set.to_owned())));
    let now = wall_clock();
    let response = match judge(Page::SamlValidate, &parameters, state) {
        Ok(Grant { person, .. }) => {
            let attributes = person.attributes().iter();
            let assertion = attributes.fold(
                SamlAssertion::new(person.name()).with_authenticated_at(now),
                |assertion, (name, values)| assertion.with_attribute(name, values),
            );
            SamlResponse::Success(assertion.with_method(SamlAssertion::PASSWORD))
        }
        Err((_, description)) => SamlResponse::request_denied(description),
    };
    let stamp = SamlStamp::new(now, &mut |bytes| bytes.fill(1));
    let reply =
        SamlReply::new(&stamp, state.base_url(), asked.target()).in_response_to(asked.request_id());
    respond_with(
        StatusCode::OK,
        "text/xml;charset=UTF-8",
        response.to_xml(&reply),
    )
}

/// The checks of a CAS server in their order; a ticket that was looked up is gone whatever comes after.
fn judge(page: Page, query: &[(String, String)], state: &State) -> Result<Grant, Refusal> {
    let (Some(service), Some(ticket)) = (find(query, "service"), find(query, "ticket")) else {
        return Err((
            "INVALID_REQUEST",
            "'service' and 'ticket' parameters are both required",
        ));
    };
    let Some(grant) = state.spend(ticket) else {
        return Err(("INVALID_TICKET", "the ticket is not recognized"));
    };
    if !grant.proxies.is_empty() && !page.takes_proxy_tickets() {
        return Err(("INVALID_TICKET", "a proxy ticket is not taken here"));
    }
    if grant.service != service {
        return Err((
            "INVALID_SERVICE",
            "the ticket was granted for another service",
        ));
    }
    if find(query, "renew").is_some() && !grant.renewed {
        return Err((
            "INVALID_TICKET",
            "the ticket does not come from a new login",
        ));
    }
    Ok(grant)
}

/// What a success says.
struct Success<'a> {
    user: &'a str,
    attributes: &'a [(String, Vec<String>)],
    iou: Option<&'a ProxyGrantingTicketIou>,
    proxies: &'a [String],
}

impl Success<'_> {
    fn xml(&self) -> Response<Bytes> {
        let mut inner = format!(
            "  <cas:authenticationSuccess>\n    <cas:user>{}</cas:user>\n",
            escape(self.user)
        );
        if !self.attributes.is_empty() {
            inner.push_str("    <cas:attributes>\n");
            for (name, values) in self.attributes {
                for value in values {
                    // Writing to a string cannot fail.
                    let _ = writeln!(inner, "      <cas:{name}>{}</cas:{name}>", escape(value));
                }
            }
            inner.push_str("    </cas:attributes>\n");
        }
        if let Some(iou) = self.iou {
            let _ = writeln!(
                inner,
                "    <cas:proxyGrantingTicket>{}</cas:proxyGrantingTicket>",
                iou.secret()
            );
        }
        if !self.proxies.is_empty() {
            inner.push_str("    <cas:proxies>\n");
            for proxy in self.proxies {
                let _ = writeln!(inner, "      <cas:proxy>{}</cas:proxy>", escape(proxy));
            }
            inner.push_str("    </cas:proxies>\n");
        }
        inner.push_str("  </cas:authenticationSuccess>\n");
        xml(&inner)
    }

    fn json(&self) -> Response<Bytes> {
        let attributes: serde_json::Map<String, serde_json::Value> = self
            .attributes
            .iter()
            .map(|(name, values)| (name.clone(), serde_json::json!(values)))
            .collect();
        let mut success = serde_json::json!({ "user": self.user, "attributes": attributes });
        if let Some(iou) = self.iou {
            success["proxyGrantingTicket"] = iou.secret().into();
        }
        if !self.proxies.is_empty() {
            success["proxies"] = serde_json::json!(self.proxies);
        }
        json(&serde_json::json!({ "serviceResponse": { "authenticationSuccess": success } }))
    }
}

fn failure_xml(element: &str, code: &str, description: &str) -> Response<Bytes> {
    xml(&format!(
        "  <cas:{element} code=\"{code}\">{}</cas:{element}>\n",
        escape(description)
    ))
}

fn xml(inner: &str) -> Response<Bytes> {
    let body = format!(
        "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\n{inner}</cas:serviceResponse>\n"
    );
    respond_with(StatusCode::OK, "application/xml;charset=UTF-8", body)
}

fn failure_json(code: &str, description: &str) -> Response<Bytes> {
    json(&serde_json::json!({
        "serviceResponse": { "authenticationFailure": { "code": code, "description": description } }
    }))
}

fn json(value: &serde_json::Value) -> Response<Bytes> {
    respond_with(
        StatusCode::OK,
        "application/json;charset=UTF-8",
        value.to_string(),
    )
}

fn text(body: String) -> Response<Bytes> {
    respond_with(StatusCode::OK, "text/plain;charset=UTF-8", body)
}

fn html(status: StatusCode, body: &str) -> Response<Bytes> {
    respond_with(
        status,
        "text/html;charset=UTF-8",
        format!("<!doctype html>\n<title>Fake CAS</title>\n{body}\n"),
    )
}

fn form_page(status: StatusCode, service: Option<&str>) -> Response<Bytes> {
    let service = service
        .map(|service| {
            format!(
                "<input type=\"hidden\" name=\"service\" value=\"{}\">",
                escape(service)
            )
        })
        .unwrap_or_default();
    html(
        status,
        &format!(
            "<form method=\"post\" action=\"/cas/login\">{service}<input name=\"username\">\
             <input name=\"password\" type=\"password\"><button>Sign in</button></form>"
        ),
    )
}

fn redirect(location: &str) -> Response<Bytes> {
    let mut response = html(StatusCode::SEE_OTHER, "");
    match HeaderValue::try_from(location) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Err(_) => html(
            StatusCode::BAD_REQUEST,
            "<h1>The service cannot be a header</h1>",
        ),
    }
}

fn respond_with(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// The first value of that name; a double does not judge repeats.
pub(super) fn find<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    pairs
        .iter()
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
