//! The checks of a validation in their order, as functions of their inputs.

use std::borrow::Cow;

use casque_proto::{
    Endpoint, FailureCode, Format, PgtUrl, ProxyGrantingTicketIou, RegistryUrl, ServiceTicket,
    TicketError, TicketKind, saml::SamlRequest,
};

use crate::{
    http::Parameters,
    journal::label,
    login::LONGEST_SERVICE,
    people::Person,
    registry::{Service, Services},
    tickets::Grant,
};

/// A validation request that passed the checks which consume nothing.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) endpoint: Endpoint,
    pub(super) format: Format,
    pub(super) ticket: ServiceTicket,
    /// The service as it was given.
    pub(super) service: String,
    pub(super) renew: bool,
    /// A proxy-granting ticket is asked for, to be sent there.
    pub(super) pgt_url: Option<String>,
}

/// Why a validation fails: a CAS code and words, which never echo what was sent (S-031).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) words: &'static str,
}

/// Nothing is known of the ticket.
pub(crate) const UNKNOWN_TICKET: Refusal = Refusal {
    code: Code::InvalidTicket,
    words: "The ticket is not recognized: unknown, used before, or too old.",
};

/// The ticket outlived its session.
pub(crate) const SESSION_ENDED: Refusal = Refusal {
    code: Code::InvalidTicket,
    words: "The session of this ticket has ended.",
};

/// The callback of proxying did not take its tickets.
pub(super) const CALLBACK_FAILED: Refusal = Refusal {
    code: Code::InvalidProxyCallback,
    words: "The proxy callback could not be called, or did not answer 200.",
};

/// The store did not answer.
pub(crate) const UNAVAILABLE: Refusal = Refusal {
    code: Code::InternalError,
    words: "The server cannot answer right now.",
};

label! {
    /// The codes this server gives on validation and to proxies (section 11).
    pub(crate) Code {
        InvalidRequest => "INVALID_REQUEST",
        InvalidTicketSpec => "INVALID_TICKET_SPEC",
        InvalidTicket => "INVALID_TICKET",
        InvalidService => "INVALID_SERVICE",
        UnauthorizedService => "UNAUTHORIZED_SERVICE",
        UnauthorizedServiceProxy => "UNAUTHORIZED_SERVICE_PROXY",
        InvalidProxyCallback => "INVALID_PROXY_CALLBACK",
        InternalError => "INTERNAL_ERROR",
    }
}

impl From<Code> for FailureCode {
    fn from(code: Code) -> Self {
        match code {
            Code::InvalidRequest => Self::InvalidRequest,
            Code::InvalidTicketSpec => Self::InvalidTicketSpec,
            Code::InvalidTicket => Self::InvalidTicket,
            Code::InvalidService => Self::InvalidService,
            Code::UnauthorizedService => Self::UnauthorizedService,
            Code::UnauthorizedServiceProxy => Self::UnauthorizedServiceProxy,
            Code::InvalidProxyCallback => Self::InvalidProxyCallback,
            Code::InternalError => Self::InternalError,
        }
    }
}

pub(crate) const fn refuse<T>(code: Code, words: &'static str) -> Result<T, Refusal> {
    Err(Refusal { code, words })
}

/// The format of the answer: what `format` asks for where it can be read, else XML.
pub(crate) fn format(parameter: Option<&str>) -> Result<Format, Refusal> {
    match parameter {
        None => Ok(Format::Xml),
        Some(blank) if blank.trim().is_empty() => Ok(Format::Xml),
        Some(format) if format.eq_ignore_ascii_case("XML") => Ok(Format::Xml),
        Some(format) if format.eq_ignore_ascii_case("JSON") => Ok(Format::Json),
        Some(_) => refuse(
            Code::InvalidRequest,
            "The parameter format must be XML or JSON.",
        ),
    }
}

impl Question {
    /// Steps 1 and 2: what is asked, and whether the ticket can be one at all.
    pub(super) fn read(
        endpoint: Endpoint,
        format: Format,
        parameters: &Parameters,
    ) -> Result<Self, Refusal> {
        let Some(service) = parameters.text("service") else {
            return refuse(Code::InvalidRequest, "The parameter service is required.");
        };
        let Some(ticket) = parameters.text("ticket") else {
            return refuse(Code::InvalidRequest, "The parameter ticket is required.");
        };
        if service.len() > LONGEST_SERVICE {
            return refuse(Code::InvalidRequest, "The parameter service is too long.");
        }
        let ticket = match ServiceTicket::parse(&ticket) {
            Ok(ticket) => ticket,
            // it is left alone, whether or not there is such a ticket.
            Err(TicketError::WrongKind(_)) => {
                return refuse(Code::InvalidTicket, "This is a ticket of another kind.");
            }
            Err(_) => {
                return refuse(Code::InvalidTicketSpec, "This is not the form of a ticket.");
            }
        };
        Ok(Self {
            endpoint,
            format,
            ticket,
            service: service.into_owned(),
            renew: parameters.flag("renew"),
            pgt_url: match endpoint {
                Endpoint::Validate => None,
                _ => parameters.text("pgtUrl").map(Cow::into_owned),
            },
        })
    }

    /// What a SAML request asks, which has been read by then: steps 1 and 2 are those of R-240.
    pub(crate) fn of_saml(request: &SamlRequest, renew: bool) -> Result<Self, Refusal> {
        if request.target().len() > LONGEST_SERVICE {
            return refuse(Code::InvalidRequest, "The parameter TARGET is too long.");
        }
        Ok(Self {
            endpoint: Endpoint::SamlValidate,
            format: Format::Xml,
            ticket: request.artifact().clone(),
            service: request.target().to_owned(),
            renew,
            pgt_url: None,
        })
    }
}

/// What is known when a ticket has been taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// What the ticket stood for.
    pub(super) grant: &'a Grant,
    /// The service, if it is registered and enabled.
    pub(super) service: Option<&'a Service>,
    /// The person of the session, if they may still log in.
    pub(super) person: Option<&'a Person>,
    /// The person agreed to what the service is told, or need not be asked.
    pub(super) agreed: bool,
}

/// What an accepted ticket proves.
#[derive(Debug, Clone)]
pub(crate) struct Accepted<'a> {
    pub(crate) grant: &'a Grant,
    pub(crate) service: &'a Service,
    pub(crate) person: &'a Person,
    /// The name that the service is told.
    pub(crate) user: Cow<'a, str>,
    /// Where a proxy-granting ticket is to be sent first.
    pub(crate) callback: Option<PgtUrl>,
    /// What names it to the service once it has been.
    pub(crate) iou: Option<ProxyGrantingTicketIou>,
}

impl Question {
    /// Whether the ticket was issued for the service that shows it.
    ///
    /// The same text is the same service; of another text the canonical form decides.
    pub(super) fn is_about(&self, grant: &Grant) -> bool {
        let same = |shown: RegistryUrl| {
            RegistryUrl::parse(&grant.url).is_ok_and(|url| shown.matches(&url))
        };
        self.service == grant.url || RegistryUrl::parse(&self.service).is_ok_and(same)
    }

    /// The service that shows the ticket, if it is registered and enabled.
    ///
    /// A registry that let in this very text when it issued the ticket does not match it against its rules again.
    pub(super) fn find<'a>(&self, grant: &Grant, services: &'a Services) -> Option<&'a Service> {
        let known = grant.place.filter(|_| self.service == grant.url);
        known
            .and_then(|place| services.at(place))
            .or_else(|| services.find(&RegistryUrl::parse(&self.service).ok()?))
    }
}

/// Steps 5 to 9: whether the ticket, which is spent by now, proves who the person is.
pub(super) fn judge<'a>(question: &Question, known: Known<'a>) -> Result<Accepted<'a>, Refusal> {
    let grant = known.grant;
    //
    let takes_proxied = matches!(
        question.endpoint,
        Endpoint::ProxyValidate | Endpoint::P3ProxyValidate
    );
    if question.ticket.kind() == TicketKind::Proxy && !takes_proxied {
        return refuse(
            Code::InvalidTicket,
            "This is a proxy ticket, which is not accepted here.",
        );
    }
    if !question.is_about(grant) {
        return refuse(
            Code::InvalidService,
            "The ticket was issued for another service.",
        );
    }
    let Some(service) = known.service else {
        return refuse(
            Code::UnauthorizedService,
            "The service is not registered here any more.",
        );
    };
    let person = known.person.filter(|person| service.admits(person));
    let named = person.and_then(|person| Some((person, service.user_name(person)?)));
    let Some((person, user)) = named else {
        return refuse(
            Code::UnauthorizedService,
            "This person may not use the service any more.",
        );
    };
    // However the ticket was come by: a consent that was never given, or was taken back, tells nothing.
    if !known.agreed {
        return refuse(
            Code::UnauthorizedService,
            "This person has not agreed to what the service would be told.",
        );
    }
    if question.renew && !grant.fresh {
        return refuse(
            Code::InvalidTicket,
            "The ticket was not issued for a new login.",
        );
    }
    let callback = match &question.pgt_url {
        None => None,
        Some(_) if !service.proxy.allows_proxying() => {
            return refuse(
                Code::UnauthorizedServiceProxy,
                "This service may not act as a proxy.",
            );
        }
        Some(url) => match service.proxy.callback(url) {
            Some(url) => Some(url),
            None => {
                return refuse(
                    Code::InvalidProxyCallback,
                    "The pgtUrl is not a proxy callback that is registered for this service.",
                );
            }
        },
    };
    Ok(Accepted {
        grant,
        service,
        person,
        user,
        callback,
        iou: None,
    })
}
