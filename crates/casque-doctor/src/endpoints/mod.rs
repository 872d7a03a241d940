//! Which endpoints a CAS server has, told by how they answer to a ticket that was made up.

mod judge;

use std::path::PathBuf;
use std::time::Duration;

use casque_client::{Client, ClientError, Protocol};
use casque_proto::{
    Cas1Response, CasBase, Endpoint, ReadOptions, ServiceResponse, ServiceTicket, ServiceUrl,
    Tolerance,
};
use casque_visitor::{Agent, Answer, NoAnswer, Request, Visitor};
use url::Url;

pub(crate) use self::judge::{judge, no_answer};

/// Of the right form, and nobody's.
pub(crate) const MADE_UP_TICKET: &str = "ST-1-casqueDoctor000000000000000";

/// What an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Voice {
    /// It speaks CAS: refuses the ticket, or is a page for people.
    Here,
    /// There is nothing at this address.
    Absent,
    /// Leads elsewhere.
    Redirects(String),
    /// An error of the server.
    Fails(u16),
    /// Something else answers.
    NotCas(String),
    /// CAS, if it is read with more patience.
    Tolerable(&'static str),
    /// The ticket that was made up is good.
    Accepts,
    /// Nothing comes back.
    Silent(String),
}

/// One endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) endpoint: Endpoint,
    pub(crate) voice: Voice,
    pub(crate) content_type: String,
}

/// What asks.
#[derive(Clone)]
pub(crate) struct Asking<'a> {
    pub(crate) agent: &'a Agent,
    pub(crate) base: CasBase,
    pub(crate) service: ServiceUrl,
    pub(crate) roots: Option<PathBuf>,
    pub(crate) patience: Duration,
}

/// The endpoints that validate a ticket by GET and answer with a service response.
const VALIDATORS: [Endpoint; 4] = [
    Endpoint::P3ServiceValidate,
    Endpoint::ServiceValidate,
    Endpoint::P3ProxyValidate,
    Endpoint::ProxyValidate,
];

impl Asking<'_> {
    pub(crate) async fn all(&self) -> Vec<Seen> {
        let mut seen = vec![self.login().await];
        for endpoint in VALIDATORS {
            seen.push(self.validator(endpoint).await);
        }
        seen.push(self.cas1().await);
        seen.push(self.saml().await);
        seen.push(self.logout().await);
        seen
    }

    /// The client of an application, by one version of the protocol.
    pub(crate) fn client(&self, protocol: Protocol) -> Result<Client, ClientError> {
        let mut builder = Client::builder(self.base.as_str())
            .protocol(protocol)
            .timeout(self.patience);
        if self.base.is_https() {
            if let Some(roots) = &self.roots {
                builder = builder.extra_roots_file(roots);
            }
        } else if let Some(host) = Url::parse(self.base.as_str())
            .ok()
            .as_ref()
            .and_then(Url::host_str)
        {
            // That it is wrong is told where the server is reached, and nobody's password goes there.
            builder = builder.allow_plain_http_to(host);
        }
        builder.build()
    }

    async fn login(&self) -> Seen {
        let mut visitor = Visitor::new(self.agent.clone(), self.base.as_str());
        let (voice, content_type) = match visitor.login(&[]).await {
            Err(none) => (Voice::Silent(none.to_string()), String::new()),
            Ok(reached) => {
                let voice = match &reached.left {
                    Some(left) => Voice::Redirects(left.clone()),
                    None => page(&reached.last),
                };
                (voice, reached.last.content_type())
            }
        };
        Seen {
            endpoint: Endpoint::Login,
            voice,
            content_type,
        }
    }

    /// Nobody is logged in here, so nobody is logged out.
    async fn logout(&self) -> Seen {
        let request = Request::get(self.base.endpoint(Endpoint::Logout));
        let answer = self.agent.send(request, None).await;
        seen(Endpoint::Logout, answer, page)
    }

    async fn validator(&self, endpoint: Endpoint) -> Seen {
        seen(endpoint, self.ask(endpoint).await, read)
    }

    async fn cas1(&self) -> Seen {
        let endpoint = Endpoint::Validate;
        seen(endpoint, self.ask(endpoint).await, |answer| {
            let options = ReadOptions::default().status(answer.status.as_u16());
            match Cas1Response::parse(&answer.body, &options) {
                Ok(Cas1Response::Failure) => Voice::Here,
                Ok(Cas1Response::Success { .. }) => Voice::Accepts,
                Err(error) => otherwise(answer, error.to_string()),
            }
        })
    }

    async fn ask(&self, endpoint: Endpoint) -> Result<Answer, NoAnswer> {
        let parameters = [
            ("service", self.service.without_fragment()),
            ("ticket", MADE_UP_TICKET),
        ];
        let request = Request::get(self.base.endpoint_with(endpoint, &parameters));
        self.agent.send(request, None).await
    }

    async fn saml(&self) -> Seen {
        let asked = match self.client(Protocol::Saml11) {
            Ok(client) => {
                let ticket = ServiceTicket::parse(MADE_UP_TICKET).expect("a test parses it");
                client.validate(&ticket, &self.service).await
            }
            Err(error) => Err(error),
        };
        let voice = match asked {
            Ok(_) => Voice::Accepts,
            Err(ClientError::Refused { .. }) => Voice::Here,
            Err(ClientError::Malformed { status, detail, .. }) => {
                of_status(status).unwrap_or(Voice::NotCas(detail))
            }
            Err(error) => Voice::Silent(error.to_string()),
        };
        Seen {
            endpoint: Endpoint::SamlValidate,
            voice,
            content_type: String::new(),
        }
    }

    /// A base URL beside this one, below which a ticket is refused as a CAS server does.
    pub(crate) async fn elsewhere(&self) -> Option<CasBase> {
        for candidate in candidates(&self.base) {
            let beside = Asking {
                base: candidate.clone(),
                ..self.clone()
            };
            let here = beside.validator(Endpoint::ServiceValidate).await.voice == Voice::Here
                || beside.cas1().await.voice == Voice::Here;
            if here {
                return Some(candidate);
            }
        }
        None
    }
}

fn seen(
    endpoint: Endpoint,
    answer: Result<Answer, NoAnswer>,
    judge: impl FnOnce(&Answer) -> Voice,
) -> Seen {
    let (voice, content_type) = match answer {
        Ok(answer) => (judge(&answer), answer.content_type()),
        Err(none) => (Voice::Silent(none.to_string()), String::new()),
    };
    Seen {
        endpoint,
        voice,
        content_type,
    }
}

/// A page for people.
fn page(answer: &Answer) -> Voice {
    match answer.status.as_u16() {
        404 | 405 | 410 | 501 => Voice::Absent,
        status @ 500.. => Voice::Fails(status),
        _ => Voice::Here,
    }
}

fn read(answer: &Answer) -> Voice {
    let options = ReadOptions::default()
        .status(answer.status.as_u16())
        .allow_any_proxy_chain();
    let error = match ServiceResponse::parse(&answer.body, &options) {
        Ok(ServiceResponse::Failure(_)) => return Voice::Here,
        Ok(ServiceResponse::Success(_)) => return Voice::Accepts,
        Err(error) => error,
    };
    let tolerances = [
        Tolerance::MissingNamespace,
        Tolerance::UndeclaredPrefix,
        Tolerance::Latin1,
    ];
    let helps = tolerances.into_iter().find(|tolerance| {
        ServiceResponse::parse(&answer.body, &options.clone().with_tolerance(*tolerance)).is_ok()
    });
    match helps {
        Some(tolerance) => Voice::Tolerable(tolerance.name()),
        None => otherwise(answer, error.to_string()),
    }
}

fn otherwise(answer: &Answer, error: String) -> Voice {
    if let Some(location) = answer.redirect() {
        return Voice::Redirects(location);
    }
    let words = if answer.is_html() {
        format!(
            "an HTML page with status {} came: {error}",
            answer.status.as_u16()
        )
    } else {
        error
    };
    of_status(answer.status.as_u16()).unwrap_or(Voice::NotCas(words))
}

fn of_status(status: u16) -> Option<Voice> {
    match status {
        404 | 405 | 410 | 501 => Some(Voice::Absent),
        500.. => Some(Voice::Fails(status)),
        300..=399 => Some(Voice::Redirects(String::new())),
        _ => None,
    }
}

/// Base URLs that are often meant instead.
fn candidates(base: &CasBase) -> Vec<CasBase> {
    let Ok(url) = Url::parse(base.as_str()) else {
        return Vec::new();
    };
    let path = url.path().trim_end_matches('/');
    let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
    let mut found: Vec<CasBase> = Vec::new();
    for candidate in [
        format!("{path}/cas"),
        parent.to_owned(),
        "/cas".to_owned(),
        String::new(),
    ] {
        let mut other = url.clone();
        other.set_path(&candidate);
        if let Ok(other) = CasBase::parse_allowing_http(other.as_str())
            && other.as_str() != base.as_str()
            && !found.iter().any(|known| known.as_str() == other.as_str())
        {
            found.push(other);
        }
    }
    found
}

/// Those by which an application validates.
const VALIDATING: [Endpoint; 4] = [
    Endpoint::P3ServiceValidate,
    Endpoint::SamlValidate,
    Endpoint::ServiceValidate,
    Endpoint::Validate,
];

/// Whether nothing here speaks CAS to applications.
pub(crate) fn is_nowhere(seen: &[Seen]) -> bool {
    seen.iter()
        .filter(|seen| !matches!(seen.endpoint, Endpoint::Login | Endpoint::Logout))
        .all(|seen| matches!(seen.voice, Voice::Absent | Voice::NotCas(_)))
}

/// The version of the protocol by which an application can validate; the best first.
pub(crate) fn protocol(seen: &[Seen]) -> Option<Protocol> {
    [
        (Endpoint::P3ServiceValidate, Protocol::Cas3),
        (Endpoint::SamlValidate, Protocol::Saml11),
        (Endpoint::ServiceValidate, Protocol::Cas2),
        (Endpoint::Validate, Protocol::Cas1),
    ]
    .into_iter()
    .find(|(endpoint, _)| is_here(seen, *endpoint))
    .map(|(_, protocol)| protocol)
}

fn is_here(seen: &[Seen], endpoint: Endpoint) -> bool {
    seen.iter()
        .any(|seen| seen.endpoint == endpoint && seen.voice == Voice::Here)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_made_up_ticket_is_one_by_its_form() {
        assert!(ServiceTicket::parse(MADE_UP_TICKET).is_ok());
    }

    #[test]
    fn base_urls_that_are_often_meant() {
        let of = |text: &str| -> Vec<String> {
            let base = CasBase::parse(text).unwrap();
            candidates(&base)
                .iter()
                .map(|base| base.as_str().to_owned())
                .collect()
        };
        assert_eq!(
            of("https://cas.example.org"),
            ["https://cas.example.org/cas"]
        );
        assert_eq!(
            of("https://cas.example.org/cas"),
            ["https://cas.example.org/cas/cas", "https://cas.example.org"]
        );
        assert_eq!(
            of("https://cas.example.org/a/b"),
            [
                "https://cas.example.org/a/b/cas",
                "https://cas.example.org/a",
                "https://cas.example.org/cas",
                "https://cas.example.org"
            ]
        );
    }
}
