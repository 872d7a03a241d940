//! What it means that some endpoints are there and others not.

use casque_proto::{CasBase, Endpoint};
use url::Url;

use super::{Seen, VALIDATING, Voice, is_here, is_nowhere};
use crate::finding::{Finding, Group, Kind};

/// Judges a server that answers; `elsewhere` is where one was found instead.
pub(crate) fn judge(base: &CasBase, seen: &[Seen], elsewhere: Option<&CasBase>) -> Vec<Finding> {
    if let Some(other) = elsewhere {
        return vec![Finding::new(
            Kind::CasElsewhere,
            format!(
                "{} has no endpoint of CAS, and {} has",
                base.as_str(),
                other.as_str()
            ),
            format!("write CAS_PROVIDER=\"{}\"", other.as_str()),
        )];
    }
    let redirected = seen.iter().find_map(|seen| match &seen.voice {
        Voice::Redirects(to) if seen.endpoint.validates_by_get() => Some((seen.endpoint, to)),
        _ => None,
    });
    if let Some((endpoint, to)) = redirected {
        return vec![redirects(base, endpoint, to)];
    }
    if let Some(words) = seen.iter().find_map(|seen| match &seen.voice {
        Voice::Silent(words) => Some(format!("/{}: {words}", seen.endpoint.path())),
        _ => None,
    }) {
        return vec![no_answer(&format!("{}{words}", base.as_str()))];
    }
    let has = |endpoint| is_here(seen, endpoint);
    let is_absent = |endpoint| {
        seen.iter()
            .any(|seen| seen.endpoint == endpoint && seen.voice == Voice::Absent)
    };
    let no_validation = VALIDATING.into_iter().all(is_absent);
    if is_nowhere(seen) && !(no_validation && has(Endpoint::Login)) {
        return vec![Finding::new(
            Kind::CasNotFound,
            format!(
                "{} has no endpoint that validates a ticket, nor have the addresses beside it",
                base.as_str()
            ),
            "ask whoever runs the CAS server for its base URL: that of its login page without /login",
        )];
    }
    let mut findings = broken(seen);
    if is_absent(Endpoint::Login) {
        findings.push(Finding::new(
            Kind::LoginPageMissing,
            format!("{}/login does not exist", base.as_str()),
            "write the base URL of the login page that people know, or let the proxy before the CAS server pass /login",
        ));
    }
    if no_validation {
        findings.push(Finding::new(
            Kind::ValidationMissing,
            format!("{} has a login page and no endpoint that validates a ticket", base.as_str()),
            "let the proxy before the CAS server pass /serviceValidate and /p3/serviceValidate, or write the base URL of the \
             CAS server itself",
        ));
    } else if is_absent(Endpoint::P3ServiceValidate) {
        let (name, advice) = if has(Endpoint::SamlValidate) {
            ("Saml11", "which carries attributes too")
        } else if has(Endpoint::ServiceValidate) {
            ("Cas2", "which carries no attributes at most servers")
        } else {
            ("Cas1", "which carries the user name alone")
        };
        findings.push(Finding::new(
            Kind::Cas3Missing,
            format!("{}/p3/serviceValidate does not exist", base.as_str()),
            format!(
                "let the CAS server speak CAS 3, or set .client_options(|client| client.protocol(Protocol::{name})), {advice}"
            ),
        ));
    }
    let here: Vec<String> = seen
        .iter()
        .filter(|seen| seen.voice == Voice::Here)
        .map(|seen| format!("/{}", seen.endpoint.path()))
        .collect();
    if findings.is_empty() {
        findings.push(Finding::good(
            Group::Server,
            format!(
                "there are {}; CAS 3 fits, which is what casque speaks unless it is told otherwise",
                here.join(", ")
            ),
        ));
    } else if !here.is_empty() {
        findings.push(Finding::good(
            Group::Server,
            format!("there are {}", here.join(", ")),
        ));
    }
    findings
}

pub(crate) fn no_answer(words: &str) -> Finding {
    Finding::new(
        Kind::NoAnswer,
        words,
        "look into the log of the CAS server, and of the proxy before it; --timeout SECONDS waits longer",
    )
}

/// What answers wrongly.
fn broken(seen: &[Seen]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let names = |wanted: &dyn Fn(&Seen) -> bool| -> Vec<String> {
        seen.iter()
            .filter(|seen| wanted(seen))
            .map(|seen| format!("/{}", seen.endpoint.path()))
            .collect()
    };
    for seen in seen {
        let path = seen.endpoint.path();
        findings.extend(match &seen.voice {
            // At /samlValidate a server that has no SAML may answer as it likes.
            _ if seen.endpoint == Endpoint::SamlValidate => None,
            Voice::Fails(status) => Some(Finding::new(
                Kind::EndpointFails,
                format!("/{path} answers a ticket that was made up with status {status}"),
                "look into the log of the CAS server, and of the proxy before it",
            )),
            Voice::NotCas(words) => Some(not_cas(path, words)),
            _ => None,
        });
    }
    let accepts = names(&|seen| seen.voice == Voice::Accepts);
    if !accepts.is_empty() {
        findings.push(Finding::new(
            Kind::MadeUpTicketAccepted,
            format!(
                "{} say that a ticket that was made up is somebody's",
                accepts.join(", ")
            ),
            "take this server away from users at once: what answers there validates nothing",
        ));
    }
    let tolerable = seen.iter().find_map(|seen| match seen.voice {
        Voice::Tolerable(name) => Some((seen.endpoint.path(), name)),
        _ => None,
    });
    if let Some((path, name)) = tolerable {
        let variant = match name {
            "missing_namespace" => "MissingNamespace",
            "undeclared_prefix" => "UndeclaredPrefix",
            _ => "Latin1",
        };
        findings.push(Finding::new(
            Kind::ToleranceNeeded,
            format!("/{path} answers in a way that is read only with the tolerance {name}"),
            format!(
                "correct the server, or set .client_options(|client| client.tolerance(Tolerance::{variant}))"
            ),
        ));
    }
    let odd = seen.iter().find(|seen| {
        let wanted: &[&str] = if seen.endpoint == Endpoint::Validate {
            &["text/"]
        } else {
            &["xml", "json"]
        };
        seen.endpoint.validates_by_get()
            && seen.voice == Voice::Here
            && !wanted.iter().any(|part| seen.content_type.contains(part))
    });
    if let Some(odd) = odd {
        findings.push(Finding::new(
            Kind::ContentTypeOdd,
            match odd.content_type.as_str() {
                "" => format!("/{} answers without a content type", odd.endpoint.path()),
                other => format!("/{} answers as \"{other}\"", odd.endpoint.path()),
            },
            "let the server say application/xml (text/plain at /validate)",
        ));
    }
    findings
}

fn not_cas(path: &str, words: &str) -> Finding {
    Finding::new(
        Kind::EndpointNotCas,
        format!("/{path} answers a ticket that was made up with something else than CAS: {words}"),
        "let the proxy before the CAS server pass this address unchanged, without a login of its own",
    )
}

fn redirects(base: &CasBase, endpoint: Endpoint, to: &str) -> Finding {
    let from = base.endpoint(endpoint);
    let target = Url::parse(&from).ok().and_then(|url| url.join(to).ok());
    let seen_to = target.as_ref().map_or_else(
        || to.to_owned(),
        |target| {
            let mut target = target.clone();
            target.set_query(None);
            target.to_string()
        },
    );
    let real = target
        .as_ref()
        .and_then(|target| {
            let path = target.path().trim_end_matches('/');
            let path = path.strip_suffix(endpoint.path())?;
            let mut base = target.clone();
            base.set_query(None);
            base.set_fragment(None);
            base.set_path(path.trim_end_matches('/'));
            Some(base.to_string())
        })
        .filter(|real| real.trim_end_matches('/') != base.as_str());
    let fix = match real {
        Some(real) => format!("write CAS_PROVIDER=\"{}\"", real.trim_end_matches('/')),
        None => "let the proxy before the CAS server pass this address, without a login of its own"
            .to_owned(),
    };
    Finding::new(
        Kind::CasRedirects,
        format!("{from} redirects to {seen_to}"),
        fix,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_tells_the_real_base() {
        let base = CasBase::parse_allowing_http("http://cas.example.org/cas").unwrap();
        let fix = |to: &str| {
            redirects(&base, Endpoint::ServiceValidate, to)
                .fix()
                .to_owned()
        };
        assert_eq!(
            fix("https://cas.example.org/cas/serviceValidate?service=x"),
            "write CAS_PROVIDER=\"https://cas.example.org/cas\""
        );
        assert_eq!(
            fix("https://sso.example.org/serviceValidate/"),
            "write CAS_PROVIDER=\"https://sso.example.org\""
        );
        assert!(fix("/portal").contains("proxy"));
    }
}
