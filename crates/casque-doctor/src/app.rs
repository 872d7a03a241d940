//! A running application, looked at as its users and its attackers see it.

use casque_proto::{CasBase, Endpoint};
use casque_visitor::{Agent, NoAnswer, Reached, Request, Visitor, complaint, parameter, title};
use url::Url;

use crate::cookies;
use crate::finding::{Finding, Group, Kind};
use crate::login::{self, Person};
use crate::service::leads_back;
use crate::shapes::origin;

/// An application, and what is known of it.
pub(crate) struct Application<'a> {
    pub(crate) agent: &'a Agent,
    /// The address as people type it.
    pub(crate) url: &'a Url,
    pub(crate) cas: Option<&'a CasBase>,
    /// The service that the settings give.
    pub(crate) service: Option<&'a str>,
    pub(crate) login_path: &'a str,
    pub(crate) person: Option<Person<'a>>,
}

/// Where an application sends a browser that is to log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SentTo {
    /// The login page of the CAS server, without its query.
    pub(crate) login: String,
    /// The whole address.
    pub(crate) location: String,
    pub(crate) service: String,
}

impl SentTo {
    /// A redirect to a page named `login` with a service is one to a CAS server.
    fn read(from: &Url, location: &str) -> Option<Self> {
        let service = parameter(location, "service").or_else(|| parameter(location, "TARGET"))?;
        let mut login = from.join(location).ok()?;
        let location = login.to_string();
        login.set_query(None);
        login.set_fragment(None);
        Some(Self {
            login: login.to_string(),
            location,
            service,
        })
    }

    fn of(reached: &Reached) -> Option<Self> {
        let first = reached.first.redirect();
        reached
            .left
            .as_deref()
            .and_then(|left| Self::read(&reached.last.url, left))
            .or_else(|| Self::read(&reached.first.url, &first?))
            .or_else(|| Self::read(&reached.last.url, reached.last.url.as_str()))
    }
}

/// What came of it, for what is looked at next.
pub(crate) struct Examined {
    pub(crate) findings: Vec<Finding>,
    /// The service that the application names.
    pub(crate) service: Option<String>,
}

impl Application<'_> {
    pub(crate) async fn examine(&self) -> Examined {
        let mut findings = Vec::new();
        let mut visitor = self.visitor();
        let home = match visitor.go(Request::get(self.url.as_str()), None).await {
            Ok(home) => home,
            Err(none) => {
                return Examined {
                    findings: vec![self.no_answer(&none)],
                    service: None,
                };
            }
        };
        findings.push(judge_home(self.url, &home));
        let (page, sent) = if let Some(sent) = SentTo::of(&home) {
            (self.url.clone(), Some(sent))
        } else {
            let page = below(self.url, self.login_path);
            match visitor.go(Request::get(page.as_str()), None).await {
                Ok(reached) => (page, SentTo::of(&reached)),
                Err(none) => {
                    findings.push(self.no_answer(&none));
                    return Examined {
                        findings,
                        service: None,
                    };
                }
            }
        };
        let Some(sent) = sent else {
            findings.push(Finding::new(
                Kind::AppNoLogin,
                format!("neither {} nor {page} redirects to a login page with a service", self.url),
                "give the address of a page that needs a login as --app; if this one should, its route lacks the guard \
                 (cas.require()) or the application the layer (cas.layer())",
            ));
            return Examined {
                findings,
                service: None,
            };
        };
        findings.extend(judge_redirect(
            self.url,
            &page,
            &sent,
            self.cas,
            self.service,
        ));
        findings.push(self.forged(&page, &sent.service).await);
        if let Some(person) = self.person {
            findings.extend(self.log_in(&mut visitor, &sent, person).await);
        }
        findings.extend(cookies::judge(
            &visitor.was_set,
            self.url.scheme() == "https",
        ));
        Examined {
            findings,
            service: Some(sent.service),
        }
    }

    fn visitor(&self) -> Visitor {
        Visitor::new(self.agent.clone(), self.url.as_str())
    }

    fn no_answer(&self, none: &NoAnswer) -> Finding {
        Finding::new(
            Kind::NoAnswer,
            format!("the application {}: {none}", self.url),
            "look into the log of the application, and of the proxy before it",
        )
    }

    /// Says to the application that it has another address (S-002).
    async fn forged(&self, page: &Url, service: &str) -> Finding {
        let scheme = if page.scheme() == "https" {
            "http"
        } else {
            "https"
        };
        let forwarded = format!("for=192.0.2.1;host={FORGED};proto={scheme}");
        let lies: [(&str, Vec<(&'static str, String)>); 3] = [
            (
                "X-Forwarded-Host, X-Forwarded-Proto and X-Forwarded-Port",
                vec![
                    ("x-forwarded-host", FORGED.to_owned()),
                    ("x-forwarded-proto", scheme.to_owned()),
                    ("x-forwarded-port", "4443".to_owned()),
                ],
            ),
            ("Forwarded", vec![("forwarded", forwarded)]),
            ("Host", vec![("host", FORGED.to_owned())]),
        ];
        let mut told = Vec::new();
        for (name, headers) in lies {
            let request = headers
                .into_iter()
                .fold(Request::get(page.as_str()), |request, (name, value)| {
                    request.header(name, value)
                });
            let reached = self.visitor().go(request, None).await;
            // A refusal of the lie is as good as not minding it.
            let service = reached
                .ok()
                .as_ref()
                .and_then(SentTo::of)
                .map(|sent| sent.service);
            told.push((name, service));
        }
        judge_forged(service, &told)
    }

    async fn log_in(
        &self,
        visitor: &mut Visitor,
        sent: &SentTo,
        person: Person<'_>,
    ) -> Vec<Finding> {
        let skipped = |words: String| vec![Finding::skipped(Group::Application, words)];
        // Only the CAS server that was looked at is told a password.
        let Some(cas) = self.cas.filter(|cas| is_login_page(cas, &sent.login)) else {
            return skipped(format!(
                "a login: the password is not told to {}, which is not the CAS server that was named",
                sent.login
            ));
        };
        // Nor does the ticket, with the cookies of this application, go to another place than this one.
        let comes_back = Url::parse(&sent.service).is_ok_and(|to| origin(&to) == origin(self.url));
        if !comes_back {
            return skipped(format!(
                "a login: the browser would be sent on to {}",
                sent.service
            ));
        }
        let mut browser = Visitor::new(self.agent.clone(), cas.as_str());
        let page = browser
            .go(Request::get(sent.location.as_str()), Some(&sent.service))
            .await;
        let logged_in = match page {
            Ok(page) => login::log_in(&mut browser, page, person, &sent.service).await,
            Err(none) => Ok(Err(none)),
        };
        let reached = match logged_in {
            Ok(Ok(reached)) => reached,
            Ok(Err(none)) => return skipped(format!("a login: {none}")),
            // What the login form says has been told already.
            Err(_) => return skipped("a login: see above".to_owned()),
        };
        let Some(delivered) = reached
            .delivered(&sent.service)
            .filter(|delivered| leads_back(&delivered.location, &sent.service))
        else {
            return skipped(format!("a login: after the form comes {}", reached.words()));
        };
        match visitor.go(Request::get(delivered.location), None).await {
            Ok(back) => vec![judge_return(person.name, &back)],
            Err(none) => vec![self.no_answer(&none)],
        }
    }
}

const FORGED: &str = "forged.casque-doctor.invalid";

/// A path below an address, whose own query is left out.
fn below(url: &Url, path: &str) -> Url {
    let mut page = url.clone();
    page.set_query(None);
    page.set_fragment(None);
    page.set_path(&format!("{}{path}", url.path().trim_end_matches('/')));
    page
}

fn is_login_page(cas: &CasBase, login: &str) -> bool {
    Url::parse(&cas.endpoint(Endpoint::Login))
        .is_ok_and(|known| known.as_str() == login.trim_end_matches('/'))
}

fn judge_home(url: &Url, home: &Reached) -> Finding {
    let status = home.last.status.as_u16();
    if home.left.is_none() && (status >= 500 || matches!(status, 400 | 404 | 421)) {
        let said =
            title(&home.last.text()).map_or_else(String::new, |title| format!(": \"{title}\""));
        return Finding::new(
            Kind::AppFails,
            format!("{url} answers with status {status}{said}"),
            "correct the address; if it is right, the proxy before the application leads elsewhere, or its log says what fails",
        );
    }
    Finding::good(Group::Application, format!("{url} answers"))
}

/// Judges where the application sends a browser.
fn judge_redirect(
    url: &Url,
    page: &Url,
    sent: &SentTo,
    cas: Option<&CasBase>,
    settings: Option<&str>,
) -> Vec<Finding> {
    let mut findings = vec![Finding::good(
        Group::Application,
        format!(
            "{page} sends browsers to {} with the service {}",
            sent.login, sent.service
        ),
    )];
    if let Some(cas) = cas.filter(|cas| !is_login_page(cas, &sent.login)) {
        findings.push(Finding::new(
            Kind::AppOtherCas,
            format!(
                "the application sends browsers to {}, and {} was looked at",
                sent.login,
                cas.as_str()
            ),
            "correct CAS_PROVIDER and start the application again, or give that server as --cas",
        ));
    }
    let service = Url::parse(&sent.service).ok();
    let comes_back = service
        .as_ref()
        .is_some_and(|service| origin(service) == origin(url));
    if !comes_back {
        let there = service
            .as_ref()
            .map_or_else(|| sent.service.clone(), origin);
        findings.push(Finding::new(
            Kind::AppServiceDiffers,
            format!(
                "the application was reached at {}, and its service is {}: after the login browsers are sent to {there}",
                origin(url),
                sent.service
            ),
            format!(
                "write SERVICE_URL=\"{0}\" (and LOGIN_URL below it) and start the application again; if people are to use {there}, \
                 lead {0} there by a redirect",
                origin(url)
            ),
        ));
    }
    let same = |one: &str, two: &str| {
        let bare = |text: &str| {
            Url::parse(text).map(|mut url| {
                url.set_query(None);
                url
            })
        };
        matches!((bare(one), bare(two)), (Ok(one), Ok(two)) if one == two)
    };
    if let Some(settings) = settings.filter(|settings| !same(settings, &sent.service)) {
        findings.push(Finding::new(
            Kind::SettingsDisagree,
            format!("the running application's service is {}, and the settings give {settings}", sent.service),
            "start the application with these settings, or give the file that it was started with as --env-file",
        ));
    }
    findings
}

/// Judges which service was named when somebody lied about the address.
fn judge_forged(service: &str, told: &[(&str, Option<String>)]) -> Finding {
    let bare = |text: &str| text.split(['?', '#']).next().map(ToOwned::to_owned);
    let believed = told.iter().find_map(|(name, seen)| {
        let seen = seen.as_ref().filter(|seen| bare(seen) != bare(service))?;
        Some((name, seen))
    });
    match believed {
        Some((name, seen)) => Finding::new(
            Kind::AppBelievesHeaders,
            format!("with a forged {name} the service becomes {seen}"),
            "take the application's address from its settings and never from a request; let the proxy before it replace \
             X-Forwarded-* and Forwarded, and refuse other hosts",
        ),
        None => Finding::good(
            Group::Application,
            "forged Host, Forwarded and X-Forwarded-* headers do not change the service",
        ),
    }
}

/// Judges where the browser is after it came back with its ticket.
fn judge_return(name: &str, back: &Reached) -> Finding {
    let status = back.last.status.as_u16();
    let text = back.last.text();
    let fails = |words: String| {
        Finding::new(
            Kind::AppLoginFails,
            words,
            "read the page and the application's log: a ticket that is refused, a cookie that does not come back, an access rule",
        )
    };
    if SentTo::of(back).is_some() {
        return fails(format!(
            "{name} comes back with a ticket and is sent to log in again"
        ));
    }
    if status >= 400 {
        let said = complaint(&text).or_else(|| title(&text));
        let said = said.map_or_else(String::new, |said| format!(": \"{said}\""));
        return fails(format!(
            "{name} comes back with a ticket, and the page has status {status}{said}"
        ));
    }
    Finding::good(
        Group::Application,
        format!(
            "{name} logs in and comes back to {}",
            without_query(&back.last.url)
        ),
    )
}

fn without_query(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    url.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(service: &str) -> SentTo {
        SentTo {
            login: "https://cas.example.org/cas/login".to_owned(),
            location: String::new(),
            service: service.to_owned(),
        }
    }

    #[test]
    fn where_an_application_sends_browsers() {
        let cas = CasBase::parse("https://cas.example.org/cas").unwrap();
        let other = CasBase::parse("https://sso.example.org").unwrap();
        let url = Url::parse("https://app.example.org/").unwrap();
        let service = "https://app.example.org/login?casque=1";
        let kinds = |sent: &SentTo, cas: &CasBase, settings: Option<&str>| -> Vec<Kind> {
            judge_redirect(&url, &url, sent, Some(cas), settings)
                .iter()
                .filter_map(Finding::kind)
                .collect()
        };
        let settings = Some("https://app.example.org/login");
        assert_eq!(kinds(&sent(service), &cas, settings), []);
        assert_eq!(kinds(&sent(service), &other, settings), [Kind::AppOtherCas]);
        assert_eq!(
            kinds(
                &sent(service),
                &cas,
                Some("https://app.example.org/callback")
            ),
            [Kind::SettingsDisagree]
        );
        for elsewhere in [
            "http://app.example.org/login",
            "https://app.example.org:8443/login",
            "http://127.0.0.1:5000/login",
        ] {
            assert_eq!(
                kinds(&sent(elsewhere), &cas, None),
                [Kind::AppServiceDiffers],
                "{elsewhere}"
            );
        }
    }

    #[test]
    fn a_lie_that_is_believed() {
        let service = "https://app.example.org/login?casque=1";
        let told = |seen: Option<&str>| {
            judge_forged(service, &[("Host", seen.map(ToOwned::to_owned))]).kind()
        };
        assert_eq!(told(None), None);
        assert_eq!(told(Some("https://app.example.org/login?casque=2")), None);
        assert_eq!(
            told(Some("https://forged/login")),
            Some(Kind::AppBelievesHeaders)
        );
        assert_eq!(
            told(Some("http://app.example.org/login")),
            Some(Kind::AppBelievesHeaders)
        );
    }
}
