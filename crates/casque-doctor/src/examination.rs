//! From what is asked to all that is found, one step after the other.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use casque_proto::{CasBase, ServiceUrl};
use casque_store::Clock;
use casque_visitor::{Agent, Trace, Visitor};
use http::header::DATE;
use url::Url;

use crate::app::Application;
use crate::clock::{self, Reading};
use crate::endpoints::{self, Asking};
use crate::finding::{Finding, Group};
use crate::login::{self, Person};
use crate::logout;
use crate::network;
use crate::report::Report;
use crate::roots::Roots;
use crate::service;
use crate::settings::{self, Told};

/// Whom to look at: at least a CAS server, settings or an application.
#[derive(Clone)]
#[non_exhaustive]
pub struct Patient {
    /// The base URL of the CAS server, before the settings'.
    pub cas: Option<String>,
    /// The text of a `.env` file; it is judged even where it says nothing about CAS.
    pub env_file: Option<String>,
    /// Variables of the environment, which win over the file: `CAS_PROVIDER`, `SERVICE_URL`, `LOGIN_URL`.
    pub environment: Vec<(String, String)>,
    /// The service, before the settings'.
    pub service: Option<String>,
    /// The address of a running application, as people type it.
    pub app: Option<String>,
    /// Somebody who can log in.
    pub username: Option<String>,
    /// Their password.
    pub password: Option<String>,
    /// Certificates to trust besides those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Whether the values of attributes are told, besides their names.
    pub show_values: bool,
    /// How long an answer is waited for.
    pub patience: Duration,
}

impl Default for Patient {
    fn default() -> Self {
        Self {
            cas: None,
            env_file: None,
            environment: Vec::new(),
            service: None,
            app: None,
            username: None,
            password: None,
            ca_file: None,
            show_values: false,
            patience: Duration::from_secs(10),
        }
    }
}

impl fmt::Debug for Patient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Patient")
            .field("cas", &self.cas)
            .field("service", &self.service)
            .field("app", &self.app)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// Why nothing can be looked at: what was asked makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse(String);

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

/// Looks at everything that can be looked at; `progress` hears what comes next.
///
/// # Errors
///
/// [`Misuse`] where there is nothing to look at, an address is none, or the file of certificates cannot be used.
pub async fn examine(
    patient: &Patient,
    clock: &dyn Clock,
    progress: impl FnMut(&str),
) -> Result<Report, Misuse> {
    let told = Told {
        file: patient.env_file.as_deref().unwrap_or_default(),
        environment: &patient.environment,
    };
    let told = (patient.env_file.is_some() || told.is_about_an_application()).then_some(told);
    if told.is_none() && patient.cas.is_none() && patient.app.is_none() {
        return Err(Misuse(
            "there is nothing to look at: give --cas URL, --app URL or --env-file FILE, or set CAS_PROVIDER and SERVICE_URL"
                .to_owned(),
        ));
    }
    let roots = Roots::load(patient.ca_file.as_deref()).map_err(Misuse)?;
    let agent = Agent::new(
        concat!("casque-doctor/", env!("CARGO_PKG_VERSION")),
        patient.ca_file.as_deref(),
        patient.patience,
        Trace::default(),
    )
    .map_err(Misuse)?;
    let app = patient.app.as_deref().map(app_url).transpose()?;
    Examination {
        patient,
        clock,
        roots,
        agent,
        progress,
        findings: Vec::new(),
    }
    .run(told, app)
    .await
}

fn app_url(text: &str) -> Result<Url, Misuse> {
    let wrong = |words: String| {
        Misuse(format!(
            "--app {}: {words}; write it as people type it, such as https://app.example.org/",
            casque_visitor::shown(text, 200)
        ))
    };
    let url = Url::parse(text).map_err(|error| wrong(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return Err(wrong("it is no plain http or https address".to_owned()));
    }
    Ok(url)
}

struct Examination<'a, P> {
    patient: &'a Patient,
    clock: &'a dyn Clock,
    roots: Roots,
    agent: Agent,
    progress: P,
    findings: Vec<Finding>,
}

impl<P: FnMut(&str)> Examination<'_, P> {
    async fn run(mut self, told: Option<Told<'_>>, app: Option<Url>) -> Result<Report, Misuse> {
        let resolved = settings::resolve(
            told,
            self.patient.cas.as_deref(),
            self.patient.service.as_deref(),
            self.patient.ca_file.as_deref(),
        );
        self.findings.extend(resolved.findings);
        let cas = resolved
            .cas
            .as_deref()
            .and_then(|cas| CasBase::parse_allowing_http(cas).ok());
        let service = resolved.service.as_deref();
        if let Some(cas) = &cas {
            self.server(cas, service).await;
        }
        if let Some(app) = &app {
            let login_path = resolved.login_path.as_deref().unwrap_or("/login");
            let app_service = self
                .application(app, cas.as_ref(), service, login_path)
                .await;
            let known = app_service.as_deref().or(service);
            if let (Some(cas), Some(service)) = (&cas, known) {
                self.findings.extend(logout::judge_way(cas, service));
            }
        } else if let (Some(cas), Some(service)) = (&cas, service) {
            self.findings.extend(logout::judge_way(cas, service));
        }
        // Each step may find something of another group.
        self.findings.sort_by_key(Finding::group);
        Ok(Report {
            findings: self.findings,
        })
    }

    fn tell(&mut self, what: impl fmt::Display) {
        (self.progress)(&what.to_string());
    }

    fn skip(&mut self, groups: &[Group], why: &str) {
        let skipped = groups.iter().map(|group| Finding::skipped(*group, why));
        self.findings.extend(skipped);
    }

    async fn contact(&mut self, who: &str, url: &Url) -> bool {
        self.tell(format_args!("reaching {who} {url}"));
        let contact = network::contact(url, &self.roots, self.patient.patience).await;
        let judged = network::judge(who, url, &contact, &self.roots, self.clock.now());
        self.findings.extend(judged);
        contact.is_open()
    }

    async fn server(&mut self, cas: &CasBase, service: Option<&str>) {
        let Ok(url) = Url::parse(cas.as_str()) else {
            return;
        };
        if !self.contact("the CAS server", &url).await {
            self.skip(
                &[Group::Clock, Group::Server, Group::Service, Group::Login],
                UNASKED,
            );
            return;
        }
        self.tell("comparing clocks");
        let before = self.clock.now();
        let login = Visitor::new(self.agent.clone(), cas.as_str())
            .login(&[])
            .await;
        match login {
            Ok(login) => {
                let reading = Reading {
                    date: login.last.header(DATE),
                    before,
                    after: self.clock.now(),
                };
                self.findings.push(clock::judge(&reading));
            }
            // Whoever does not answer here is not waited for at every endpoint.
            Err(none) => {
                let words = format!("{}/login: {none}", cas.as_str());
                self.findings.push(endpoints::no_answer(&words));
                self.skip(
                    &[Group::Clock, Group::Server, Group::Service, Group::Login],
                    UNASKED,
                );
                return;
            }
        }
        let known = service.and_then(|service| ServiceUrl::parse(service).ok());
        let made_up = || ServiceUrl::parse(MADE_UP_SERVICE).ok();
        let Some(probe) = known.clone().or_else(made_up) else {
            return;
        };
        let asking = Asking {
            agent: &self.agent,
            base: cas.clone(),
            service: probe,
            roots: self.patient.ca_file.clone(),
            patience: self.patient.patience,
        };
        (self.progress)("asking every endpoint about a ticket that was made up");
        let seen = asking.all().await;
        let elsewhere = if endpoints::is_nowhere(&seen) {
            (self.progress)("looking for a CAS server beside that address");
            asking.elsewhere().await
        } else {
            None
        };
        self.findings
            .extend(endpoints::judge(cas, &seen, elsewhere.as_ref()));
        let protocol = endpoints::protocol(&seen);
        let Some(service) = known else {
            self.skip(
                &[Group::Service, Group::Login],
                "no service is known: give --service URL or the settings of an application",
            );
            return;
        };
        let Some(protocol) = protocol else {
            self.skip(
                &[Group::Service, Group::Login],
                "there is no CAS server to ask",
            );
            return;
        };
        (self.progress)("looking at the login page for the service");
        self.findings
            .extend(service::examine(&self.agent, cas, &service).await);
        match person(self.patient, cas) {
            Ok(person) => {
                (self.progress)("logging in");
                let found =
                    login::examine(&asking, protocol, person, self.patient.show_values).await;
                self.findings.extend(found);
            }
            Err(finding) => self.findings.push(finding),
        }
    }

    /// Gives the service that the application names.
    async fn application(
        &mut self,
        url: &Url,
        cas: Option<&CasBase>,
        service: Option<&str>,
        login_path: &str,
    ) -> Option<String> {
        if !self.contact("the application", url).await {
            self.skip(
                &[Group::Application, Group::Logout],
                "the application cannot be asked",
            );
            return None;
        }
        self.tell("looking at the application");
        let application = Application {
            agent: &self.agent,
            url,
            cas,
            service,
            login_path,
            person: cas.and_then(|cas| person(self.patient, cas).ok()),
        };
        let examined = application.examine().await;
        self.findings.extend(examined.findings);
        let named = examined.service?;
        let address = Url::parse(&named).ok()?;
        if crate::shapes::origin(&address) == crate::shapes::origin(url) {
            (self.progress)("sending messages of single logout");
            let found = logout::examine(&self.agent, &address, self.clock.now()).await;
            self.findings.extend(found);
        } else {
            self.findings.push(Finding::skipped(
                Group::Logout,
                format!("messages of single logout: the service {named} is not at the address that was given"),
            ));
        }
        Some(named)
    }
}

const UNASKED: &str = "the CAS server cannot be asked";

/// Nobody's, where no service is known.
const MADE_UP_SERVICE: &str = "https://casque-doctor.invalid/";

/// Who logs in, if their password may go to that server.
fn person<'a>(patient: &'a Patient, cas: &CasBase) -> Result<Person<'a>, Finding> {
    let (Some(name), Some(password)) = (&patient.username, &patient.password) else {
        return Err(Finding::skipped(
            Group::Login,
            "nobody logs in: give --user NAME --password-file FILE to see tickets and attributes",
        ));
    };
    if !cas.is_https() && !cas.is_loopback() {
        return Err(Finding::skipped(
            Group::Login,
            "nobody logs in: a password is not sent by plain http to another machine",
        ));
    }
    Ok(Person { name, password })
}
