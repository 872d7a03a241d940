//! What the application is told, read as the application reads it.

use std::path::Path;

use casque_app::{App, AppBuilder, CasError, Settings};
use casque_proto::ServiceUrl;

use crate::finding::{Finding, Group, Kind};
use crate::shapes::is_loopback;

/// What is looked at, once settings and wishes are one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Base URL of the CAS server.
    pub(crate) cas: Option<String>,
    /// The service of the application.
    pub(crate) service: Option<String>,
    /// The path of the login page below the application's address.
    pub(crate) login_path: Option<String>,
    pub(crate) findings: Vec<Finding>,
}

/// The settings of an application, as text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// The text of a `.env` file.
    pub(crate) file: &'a str,
    /// The environment, which wins.
    pub(crate) environment: &'a [(String, String)],
}

impl Told<'_> {
    fn environment(self) -> impl Fn(&str) -> Option<String> {
        move |name| {
            let found = self.environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        }
    }

    fn said(self, name: &str) -> Option<String> {
        Settings::said(self.file, self.environment(), name)
    }

    /// Whether anything is said about an application at all.
    pub(crate) fn is_about_an_application(self) -> bool {
        ["CAS_PROVIDER", "SERVICE_URL", "LOGIN_URL"]
            .iter()
            .any(|name| self.said(name).is_some())
    }
}

/// Judges the settings, if there are any, and what else was said beside them.
pub(crate) fn resolve(
    told: Option<Told<'_>>,
    cas: Option<&str>,
    service: Option<&str>,
    roots: Option<&Path>,
) -> Resolved {
    let mut resolved = match told {
        Some(told) => read(told, roots),
        None => Resolved {
            findings: vec![Finding::skipped(
                Group::Settings,
                "no settings of an application: neither CAS_PROVIDER nor SERVICE_URL is in the environment or in .env",
            )],
            ..Resolved::default()
        },
    };
    if let Some(cas) = cas {
        match Settings::provider_url(cas) {
            Ok(cas) => {
                if let Some(other) = resolved.cas.replace(cas.clone()).filter(|old| *old != cas) {
                    resolved.findings.push(Finding::new(
                        Kind::SettingsDisagree,
                        format!("--cas is {cas}, and the settings' CAS_PROVIDER is {other}"),
                        "give the address that the application uses; --cas is looked at now",
                    ));
                }
            }
            Err(error) => {
                resolved.cas = None;
                resolved.findings.push(unusable(&error));
            }
        }
    }
    let service = service.filter(|service| {
        let secret = url::Url::parse(service)
            .is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
        if secret {
            resolved.findings.push(Finding::new(
                Kind::SettingUnusable,
                "--service holds a user name or password",
                "write it as in https://app.example.org/login",
            ));
        }
        !secret
    });
    if let Some(service) = service
        && let Some(other) = resolved.service.replace(service.to_owned())
        && other != service
    {
        resolved.findings.push(Finding::new(
            Kind::SettingsDisagree,
            format!("--service is {service}, and the service of the settings is {other}"),
            "leave --service out, or change SERVICE_URL and LOGIN_URL; --service is looked at now",
        ));
    }
    if let Some(service) = resolved.service.clone() {
        resolved.findings.extend(judge_service(&service));
    }
    resolved
}

fn read(told: Told<'_>, roots: Option<&Path>) -> Resolved {
    match Settings::parse(told.file, told.environment()) {
        Ok(settings) => {
            let mut builder = AppBuilder::<App>::from_settings(&settings);
            if let Some(roots) = roots.filter(|_| settings.provider().starts_with("https:")) {
                builder = builder.extra_roots_file(roots);
            }
            let finding = match builder.build() {
                Ok(_) => Finding::good(
                    Group::Settings,
                    format!(
                        "an application starts with them: CAS server {}, service {}{}",
                        settings.provider(),
                        settings.base(),
                        settings.login_path()
                    ),
                ),
                Err(error) => unusable(&error),
            };
            Resolved {
                cas: Some(settings.provider().to_owned()),
                service: Some(format!("{}{}", settings.base(), settings.login_path())),
                login_path: Some(settings.login_path().to_owned()),
                findings: vec![finding],
            }
        }
        Err(error) => Resolved {
            // What can be used by itself is looked at all the same.
            cas: told
                .said("CAS_PROVIDER")
                .and_then(|text| Settings::provider_url(&text).ok()),
            findings: vec![unusable(&error)],
            ..Resolved::default()
        },
    }
}

fn unusable(error: &CasError) -> Finding {
    match error {
        CasError::Setting {
            name,
            value,
            fault,
            fix,
        } if value.is_empty() => {
            Finding::new(Kind::SettingMissing, format!("{name}: {fault}"), fix)
        }
        CasError::Setting {
            name,
            value,
            fault,
            fix,
        } => Finding::new(
            Kind::SettingUnusable,
            format!("{name} is \"{value}\": {fault}"),
            fix,
        ),
        CasError::TwoOrigins {
            service_url,
            login_url,
            difference,
            suggestion,
        } => Finding::new(
            Kind::SettingsTwoOrigins,
            format!(
                "SERVICE_URL is \"{service_url}\" and LOGIN_URL is \"{login_url}\": {difference}"
            ),
            format!(
                "make both the address that browsers use for the application, for example LOGIN_URL=\"{suggestion}\""
            ),
        ),
        other => Finding::new(
            Kind::SettingUnusable,
            other.to_string(),
            "change what the message names",
        ),
    }
}

/// The pitfalls of a service's text.
fn judge_service(service: &str) -> Vec<Finding> {
    let parsed = match ServiceUrl::parse(service) {
        Ok(parsed) => parsed,
        Err(error) => {
            return vec![Finding::new(
                Kind::SettingUnusable,
                format!("the service {service} cannot be one: {error}"),
                "write it as in https://app.example.org/login",
            )];
        }
    };
    let mut findings = Vec::new();
    let canonical = parsed.canonical();
    if canonical != parsed.as_str() {
        findings.push(Finding::new(
            Kind::ServiceNotCanonical,
            format!("the service is written {service}, and canonical is {canonical}"),
            format!("write {canonical}, in the settings and at the CAS server"),
        ));
    }
    if let Ok(url) = url::Url::parse(service)
        && url.scheme() == "http"
        && !is_loopback(&url)
    {
        findings.push(Finding::new(
            Kind::PlainHttp,
            format!("the service {service} is reached without TLS, and the ticket with it"),
            "put TLS in front of the application, and write https: in SERVICE_URL and LOGIN_URL",
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(file: &str, cas: Option<&str>, service: Option<&str>) -> Vec<Kind> {
        let told = Told {
            file,
            environment: &[],
        };
        let resolved = resolve(Some(told), cas, service, None);
        resolved.findings.iter().filter_map(Finding::kind).collect()
    }

    const GOOD: &str =
        "CAS_PROVIDER=https://cas.example.org/cas\nSERVICE_URL=https://app.example.org\n";

    #[test]
    fn one_wrong_setting_one_finding() {
        let none: [Kind; 0] = [];
        assert_eq!(kinds(GOOD, None, None), none);
        for (file, kind) in [
            (
                "SERVICE_URL=https://app.example.org\n",
                Kind::SettingMissing,
            ),
            (
                "CAS_PROVIDER=https://cas.example.org/cas\n",
                Kind::SettingMissing,
            ),
            (
                "CAS_PROVIDER=https://cas.example.org/cas/login\nSERVICE_URL=https://app.example.org\n",
                Kind::SettingUnusable,
            ),
            (
                "CAS_PROVIDER=https://cas.example.org/cas\nSERVICE_URL=https://app.example.org\nLOGIN_URL=https://app.example.org/\n",
                Kind::SettingUnusable,
            ),
            (
                "CAS_PROVIDER=https://cas.example.org\nSERVICE_URL=http://localhost:5000\nLOGIN_URL=http://localhost:8000/login\n",
                Kind::SettingsTwoOrigins,
            ),
        ] {
            assert_eq!(kinds(file, None, None), [kind], "{file}");
        }
    }

    #[test]
    fn wishes_that_contradict_the_settings() {
        assert_eq!(
            kinds(GOOD, Some("https://cas.example.com/cas"), None),
            [Kind::SettingsDisagree]
        );
        assert_eq!(
            kinds(GOOD, None, Some("https://app.example.org/callback")),
            [Kind::SettingsDisagree]
        );
        assert_eq!(
            kinds(
                GOOD,
                Some("https://cas.example.org/cas/"),
                Some("https://app.example.org/login")
            ),
            []
        );
        assert_eq!(
            kinds(GOOD, Some("cas.example.org"), None),
            [Kind::SettingUnusable]
        );
    }

    #[test]
    fn pitfalls_of_a_service() {
        let of = |service: &str| -> Vec<Kind> {
            judge_service(service)
                .iter()
                .filter_map(Finding::kind)
                .collect()
        };
        assert_eq!(of("https://app.example.org/login"), []);
        assert_eq!(
            of("https://APP.example.org:443/login"),
            [Kind::ServiceNotCanonical]
        );
        assert_eq!(of("http://app.example.org/login"), [Kind::PlainHttp]);
        assert_eq!(of("http://127.0.0.1:5000/login"), []);
        assert_eq!(of("javascript:alert(1)"), [Kind::SettingUnusable]);
    }

    #[test]
    fn what_a_provider_alone_says_is_looked_at() {
        let told = Told {
            file: "CAS_PROVIDER=https://cas.example.org/cas/\n",
            environment: &[],
        };
        let resolved = resolve(Some(told), None, None, None);
        assert_eq!(resolved.cas.as_deref(), Some("https://cas.example.org/cas"));
        assert!(told.is_about_an_application());
    }
}
