//! Whether the CAS server knows the application.

use casque_proto::{CasBase, ServiceUrl};
use casque_visitor::{Agent, NoAnswer, Reached, Visitor, complaint, leads_to, title};
use url::Url;

use crate::finding::{Finding, Group, Kind};
use crate::shapes::{host, other_scheme};

/// What `/login` shows for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) status: u16,
    pub(crate) form: bool,
    /// What the page complains of, or its title.
    pub(crate) complaint: Option<String>,
    pub(crate) title: Option<String>,
    /// Leads away, to another login or back to the service.
    pub(crate) leads_out: bool,
}

impl Look {
    pub(crate) fn of(reached: &Reached) -> Self {
        let text = reached.last.text();
        Self {
            status: reached.last.status.as_u16(),
            form: reached.form().is_some(),
            complaint: complaint(&text),
            title: title(&text),
            leads_out: reached.left.is_some(),
        }
    }

    /// Whether the service is taken, held against the same page without a service.
    fn takes(&self, plain: &Self) -> bool {
        let complains = self.complaint.is_some() && self.complaint != plain.complaint;
        self.leads_out
            || (self.form && !complains && (self.status < 400 || self.status == plain.status))
    }

    fn words(&self) -> String {
        let said = self.complaint.as_ref().or(self.title.as_ref());
        let form = if self.form { "with" } else { "without" };
        let said = said.map_or_else(String::new, |said| format!(": \"{said}\""));
        format!("a page {form} login form, status {}{said}", self.status)
    }
}

/// Looks at the login page for a service, in a new browser.
pub(crate) async fn look(
    agent: &Agent,
    base: &CasBase,
    service: Option<&str>,
) -> Result<Look, NoAnswer> {
    let mut visitor = Visitor::new(agent.clone(), base.as_str());
    let parameters: Vec<_> = service
        .iter()
        .map(|service| ("service", *service))
        .collect();
    Ok(Look::of(&visitor.login(&parameters).await?))
}

/// Looks at a service, and where it is refused at those that are often meant instead.
pub(crate) async fn examine(agent: &Agent, base: &CasBase, service: &ServiceUrl) -> Vec<Finding> {
    let text = service.without_fragment();
    let (plain, with) = match (
        look(agent, base, None).await,
        look(agent, base, Some(text)).await,
    ) {
        (Ok(plain), Ok(with)) => (plain, with),
        (Err(none), _) | (_, Err(none)) => {
            return vec![Finding::skipped(
                Group::Service,
                format!("the login page does not answer: {none}"),
            )];
        }
    };
    let mut others = Vec::new();
    if !with.takes(&plain) {
        for variant in variants(text) {
            if let Ok(look) = look(agent, base, Some(&variant)).await {
                others.push((variant, look));
            }
        }
    }
    vec![judge(text, &plain, &with, &others)]
}

/// Judges what the login page showed without a service, with it, and with others.
pub(crate) fn judge(
    service: &str,
    plain: &Look,
    with: &Look,
    others: &[(String, Look)],
) -> Finding {
    if with.takes(plain) {
        return Finding::good(
            Group::Service,
            format!(
                "the login page takes the service {service}; some servers judge it only after the login"
            ),
        );
    }
    let known = others.iter().find(|(_, look)| look.takes(plain));
    if let Some((other, _)) = known {
        return Finding::new(
            Kind::ServiceRegisteredOtherwise,
            format!(
                "the login page refuses {service} ({}), and takes {other}",
                with.words()
            ),
            format!(
                "register {service} at the CAS server, or make SERVICE_URL and LOGIN_URL those of {other}"
            ),
        );
    }
    if !plain.form && !with.form && plain.status == with.status {
        return Finding::skipped(
            Group::Service,
            format!("the login page cannot be read: {}", plain.words()),
        );
    }
    Finding::new(
        Kind::ServiceRefused,
        format!("the login page refuses {service}: {}", with.words()),
        format!(
            "register {service} at the CAS server, exactly so (at casque serve, a file in the folder of services whose origin \
             or url is that)"
        ),
    )
}

/// The same service as others write it.
fn variants(service: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut add = |text: String| {
        if text != service && !found.contains(&text) {
            found.push(text);
        }
    };
    if let Ok(parsed) = ServiceUrl::parse(service) {
        add(parsed.canonical().to_owned());
    }
    let Ok(url) = Url::parse(service) else {
        return found;
    };
    let (address, query) = match service.split_once('?') {
        Some((address, query)) => (address, format!("?{query}")),
        None => (service, String::new()),
    };
    add(match address.strip_suffix('/') {
        Some(without) => format!("{without}{query}"),
        None => format!("{address}/{query}"),
    });
    if let Some(other) = other_scheme(&url) {
        add(other.to_string());
    }
    let other_host = match host(&url).as_str() {
        "localhost" => Some("127.0.0.1"),
        "127.0.0.1" | "::1" => Some("localhost"),
        _ => None,
    };
    if let Some(other_host) = other_host {
        let mut other = url.clone();
        if other.set_host(Some(other_host)).is_ok() {
            add(other.to_string());
        }
    }
    found
}

/// Whether a redirect that leads out of the server leads to the service.
pub(crate) fn leads_back(location: &str, service: &str) -> bool {
    Url::parse(location).is_ok_and(|url| leads_to(&url, service))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(status: u16, form: bool, complaint: Option<&str>) -> Look {
        Look {
            status,
            form,
            complaint: complaint.map(ToOwned::to_owned),
            title: None,
            leads_out: false,
        }
    }

    #[test]
    fn a_refusal_is_told_from_a_login_form() {
        let service = "https://app.example.org/login";
        let plain = page(200, true, None);
        let judged = |with: &Look| judge(service, &plain, with, &[]).kind();
        assert_eq!(judged(&plain), None);
        assert_eq!(judged(&page(403, false, None)), Some(Kind::ServiceRefused));
        assert_eq!(
            judged(&page(200, true, Some("not allowed"))),
            Some(Kind::ServiceRefused)
        );
        // Some answer the form itself with 401.
        let strict = page(401, true, Some("Authentication required"));
        assert_eq!(judge(service, &strict, &strict, &[]).kind(), None);
        let away = Look {
            leads_out: true,
            ..page(302, false, None)
        };
        assert_eq!(judged(&away), None);
        let others = [("https://app.example.org/login/".to_owned(), plain.clone())];
        let found = judge(service, &plain, &page(403, false, None), &others);
        assert_eq!(found.kind(), Some(Kind::ServiceRegisteredOtherwise));
        assert!(
            found
                .seen()
                .contains("takes https://app.example.org/login/")
        );
    }

    #[test]
    fn services_that_are_often_meant() {
        assert_eq!(
            variants("http://127.0.0.1:5000/login?a=1"),
            [
                "http://127.0.0.1:5000/login/?a=1",
                "https://127.0.0.1:5000/login?a=1",
                "http://localhost:5000/login?a=1"
            ]
        );
        assert_eq!(
            variants("https://APP.example.org/x/"),
            [
                "https://app.example.org/x/",
                "https://APP.example.org/x",
                "http://app.example.org/x/"
            ]
        );
    }
}
