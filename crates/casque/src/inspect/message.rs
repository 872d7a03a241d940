//! Messages between applications and CAS servers.

use casque_proto::rest::{StCreated, TgtCreated, TgtDeleted, TgtFound, UserAuthenticated};
use casque_proto::saml::{SamlExpectation, SamlRequest, SamlResponse};
use casque_proto::{
    Cas1Response, CasBase, ErrorClass, Failure, FailureCode, JsonpCallback, LogoutMessage,
    LogoutReceiver, LogoutRequest, ProxyResponse, ReadError, ReadOptions, ServiceResponse,
    ServiceTicket, ServiceUrl, Tolerance,
};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{Arguments, Outcome};

/// The answer of `/serviceValidate` or `/proxyValidate`, CAS 2 or 3.
pub(super) fn service_response(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let options = arguments.read_options()?;
    Ok(match ServiceResponse::parse(input, &options) {
        Ok(ServiceResponse::Success(assertion)) => Outcome::Read(json!({
            "result": "success",
            "user": assertion.user(),
            "attributes": assertion.attributes(),
            "pgt_iou": assertion.proxy_granting_ticket_iou().map(casque_proto::ProxyGrantingTicketIou::secret),
            "proxies": assertion.proxies(),
            "authentication_date": assertion.authentication_date().and_then(|moment| jiff::Timestamp::try_from(moment).ok()).map(|moment| moment.to_string()),
            "is_from_new_login": assertion.is_from_new_login(),
            "long_term": assertion.long_term(),
        })),
        Ok(ServiceResponse::Failure(failure)) => Outcome::Read(refused(&failure)),
        Err(error) => Outcome::error(&error).or_with_tolerance(&options, |options| {
            ServiceResponse::parse(input, options).is_ok()
        }),
    })
}

/// The answer of `/proxy`.
pub(super) fn proxy_response(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let options = arguments.read_options()?;
    Ok(match ProxyResponse::parse(input, &options) {
        Ok(ProxyResponse::Success(ticket)) => {
            Outcome::Read(json!({ "result": "success", "proxy_ticket": ticket.secret() }))
        }
        Ok(ProxyResponse::Failure(failure)) => Outcome::Read(refused(&failure)),
        Err(error) => Outcome::error(&error).or_with_tolerance(&options, |options| {
            ProxyResponse::parse(input, options).is_ok()
        }),
    })
}

/// The answer of `/validate`, CAS 1.
pub(super) fn cas1_response(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    Ok(
        match Cas1Response::parse(input, &arguments.read_options()?) {
            Ok(Cas1Response::Success { user }) => {
                Outcome::Read(json!({ "result": "success", "user": user }))
            }
            Ok(Cas1Response::Failure) => Outcome::Read(json!({
                "result": "failure", "code": null, "code_class": "UNKNOWN", "description": "",
            })),
            Err(error) => Outcome::error(&error),
        },
    )
}

/// A single logout message: a form body, a query string, or the document itself.
pub(super) fn logout_request(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    if !arguments.is_received()? {
        // An application would pass the request on as any other.
        return Ok(Outcome::Error(json!({
            "result": "error",
            "class": ErrorClass::NotLogoutRequest.as_str(),
            "detail": "an application takes a form by POST, or a query by GET with --front-channel",
        })));
    }
    // A form begins with a name, a document with `<`.
    let blank = |byte: &u8| byte.is_ascii_whitespace();
    let begins_with_bracket = input.iter().find(|byte| !blank(byte)) == Some(&b'<')
        || input.starts_with(b"\xef\xbb\xbf<");
    if begins_with_bracket {
        return Ok(match LogoutRequest::parse_xml(input) {
            Ok(request) => Outcome::Read(logout(&request, None)),
            Err(error) => Outcome::error(&error),
        });
    }
    Ok(match LogoutMessage::parse(input) {
        Ok(message) => Outcome::Read(logout(message.request(), message.callback())),
        Err(error) => Outcome::error(&error),
    })
}

/// The answer of `/samlValidate`.
pub(super) fn saml_response(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let service = arguments.service.as_deref().or(arguments.target.as_deref());
    let service = service
        .ok_or("saml-response needs --service (or --target), the service that the answer is for")?;
    let service = ServiceUrl::parse(service).map_err(|error| format!("--service: {error}"))?;
    let mut expectation = SamlExpectation::new(&service, arguments.now()?);
    if let Some(seconds) = arguments.tolerance {
        expectation = expectation.tolerance(std::time::Duration::from_secs(seconds));
    }
    if let Some(id) = &arguments.in_response_to {
        expectation = expectation.in_response_to(id);
    }
    Ok(
        match SamlResponse::parse(input, &expectation, &arguments.read_options()?) {
            Ok(SamlResponse::Success(assertion)) => Outcome::Read(json!({
                "result": "success",
                "user": assertion.user(),
                "attributes": assertion.attributes(),
                "auth_method": assertion.method(),
            })),
            Ok(SamlResponse::Failure(failure)) => Outcome::Read(refused(&failure)),
            Err(error) => Outcome::error(&error),
        },
    )
}

/// The body posted to `/samlValidate`.
pub(super) fn saml_request(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let options = arguments.read_options()?;
    Ok(
        match SamlRequest::parse(arguments.target.as_deref(), input, &options) {
            Ok(request) => Outcome::Read(json!({
                "result": "request",
                "artifact": request.artifact().secret(),
                "request_id": request.request_id(),
            })),
            // A server answers with a document that says so, and spends no ticket.
            Err(error) => Outcome::Read(json!({
                "result": "denied",
                "status_code": "RequestDenied",
                "http_status": 200,
                "class": error.class().as_str(),
                "detail": error.detail(),
            })),
        },
    )
}

/// An answer of the REST protocol, described in JSON: `{"operation", "status", "headers", "body"}`.
pub(super) fn rest_response(input: &[u8], arguments: &Arguments) -> Result<Outcome, String> {
    let answer: RestAnswer = serde_json::from_slice(input).map_err(|error| {
        format!("rest-response is described as {{\"operation\": \"create_tgt\", \"status\": 201, \"headers\": {{…}}, \"body\": \"…\"}}: {error}")
    })?;
    let headers = answer.headers()?;
    let (status, body) = (answer.status, answer.body.as_bytes());
    let read = match &*answer.operation {
        "create_tgt" => match TgtCreated::parse(status, &headers) {
            Ok(created) => {
                let base = arguments.rest_base(answer.base.as_deref())?;
                Ok(json!({
                    "result": "tgt",
                    "tgt": created.tgt().secret(),
                    "next_url": base.map(|base| created.tgt().url(&base)),
                }))
            }
            Err(error) => Err(error),
        },
        "create_st" => {
            StCreated::parse(status, body).map(|created| json!({ "result": "st", "st": created.ticket().secret() }))
        }
        "delete_tgt" => TgtDeleted::parse(status).map(|_| json!({ "result": "deleted" })),
        "tgt_status" | "get_tgt" | "find_tgt" => TgtFound::parse(status).map(|_| json!({ "result": "valid" })),
        "authenticate" | "create_user" | "users" => UserAuthenticated::parse(status, body).map(|answer| {
            json!({ "result": "user", "user": answer.user(), "attributes": answer.attributes() })
        }),
        other => {
            return Err(format!(
                "no REST operation is called {other}: use create_tgt, create_st, tgt_status, delete_tgt or authenticate"
            ));
        }
    };
    Ok(read.map_or_else(|error| Outcome::error(&error), Outcome::Read))
}

impl Outcome {
    fn error(error: &ReadError) -> Self {
        Self::Error(json!({
            "result": "error",
            "class": error.class().as_str(),
            "detail": error.detail(),
            "http_status": error.status(),
        }))
    }

    /// Adds the names of tolerances with any of which the message could be read.
    fn or_with_tolerance(
        self,
        options: &ReadOptions,
        reads: impl Fn(&ReadOptions) -> bool,
    ) -> Self {
        let helps = |tolerance: &Tolerance| {
            !options.tolerates(*tolerance) && reads(&options.clone().with_tolerance(*tolerance))
        };
        let names: Vec<_> = Tolerance::ALL
            .into_iter()
            .filter(helps)
            .map(Tolerance::name)
            .collect();
        match self {
            Self::Error(mut json) if !names.is_empty() => {
                json["readable_with_tolerance"] = json!(names);
                Self::Error(json)
            }
            other => other,
        }
    }
}

impl Arguments {
    /// Whether an application would take such a request for a logout message; without options about the request, it would.
    fn is_received(&self) -> Result<bool, String> {
        if self.method.is_none() && self.content_type.is_none() && !self.front_channel {
            return Ok(true);
        }
        let method =
            self.method
                .as_deref()
                .unwrap_or(if self.front_channel { "GET" } else { "POST" });
        let method: Method = method
            .to_ascii_uppercase()
            .parse()
            .map_err(|_| format!("--method {method} is not an HTTP method"))?;
        let mut headers = HeaderMap::new();
        let content_type = self
            .content_type
            .as_deref()
            .unwrap_or("application/x-www-form-urlencoded");
        let content_type = HeaderValue::from_str(content_type)
            .map_err(|_| "--content-type is not a header value")?;
        headers.insert(CONTENT_TYPE, content_type);
        let receiver = LogoutReceiver::new("/").front_channel(self.front_channel);
        Ok(receiver.may_be_logout(&method, &Uri::from_static("/"), &headers))
    }

    /// The server that was asked: `Location` says which ticket, never which server.
    fn rest_base(&self, described: Option<&str>) -> Result<Option<CasBase>, String> {
        let given = [
            ("--base", self.base.as_deref()),
            ("--target", self.target.as_deref()),
            ("base", described),
        ];
        let Some((name, base)) = given
            .into_iter()
            .find_map(|(name, base)| Some((name, base?)))
        else {
            return Ok(None);
        };
        CasBase::parse_allowing_http(base)
            .map(Some)
            .map_err(|error| format!("{name}: {error}"))
    }
}

#[derive(Debug, Deserialize)]
struct RestAnswer {
    operation: String,
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: String,
    /// The base URL of the server that was asked.
    base: Option<String>,
}

impl RestAnswer {
    fn headers(&self) -> Result<HeaderMap, String> {
        let header = |(name, value): (&String, &Value)| {
            let value = value
                .as_str()
                .and_then(|value| HeaderValue::from_str(value).ok());
            name.parse::<HeaderName>()
                .ok()
                .zip(value)
                .ok_or_else(|| format!("{name} is not a header"))
        };
        self.headers.iter().map(header).collect()
    }
}

fn logout(request: &LogoutRequest, callback: Option<&JsonpCallback>) -> Value {
    json!({
        "result": "logout",
        "session_indexes": request.session_indexes().iter().map(ServiceTicket::secret).collect::<Vec<_>>(),
        "jsonp_callback": callback.map(JsonpCallback::as_str),
    })
}

fn refused(failure: &Failure) -> Value {
    json!({
        "result": "failure",
        "code": failure.code().map(FailureCode::as_str),
        "code_class": match failure.code() {
            None => "UNKNOWN",
            Some(FailureCode::Other(_)) => "OTHER",
            Some(known) => known.as_str(),
        },
        "description": failure.description(),
    })
}
