//! What is to be done, and the bounds that it must keep.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use casque_proto::{CasBase, Endpoint, ServiceUrl};

/// What one operation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole login: the form, the password, the ticket, its validation. Each by a browser without cookies.
    Login,
    /// A ticket by single sign-on in a session that was begun before, and its validation.
    Sso,
    /// The validation of a ticket that was obtained just before, outside the measured time.
    Validate,
    /// A day of people: logins, visits of more services by single sign-on, mistyped passwords and logouts, mixed by
    /// a [`Mix`]. Each of these is an operation.
    Campus,
}

impl Kind {
    /// As it is written in a report.
    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Sso => "sso",
            Self::Validate => "validate",
            Self::Campus => "campus",
        }
    }
}

/// What people do in [`Kind::Campus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mix {
    /// Services that a person goes to after the login, each with a ticket and its validation.
    pub visits: u64,
    /// Seconds from the login to the first visit, from one to the next, and from the last one to the logout.
    pub gap_seconds: u64,
    /// One person in so many logs out after the last visit; the others are never heard of again. 0 is nobody.
    pub logout_every: u64,
    /// One person in so many types a wrong password first. 0 is nobody.
    pub wrong_every: u64,
}

impl Mix {
    /// Moments that every person has: a wrong password, the login, each visit, and the logout.
    pub(crate) fn moments(self) -> u64 {
        self.visits + 3
    }
}

impl Default for Mix {
    /// Two visits ten seconds apart; one in 4 logs out, one in 50 mistypes the password.
    fn default() -> Self {
        Self {
            visits: 2,
            gap_seconds: 10,
            logout_every: 4,
            wrong_every: 50,
        }
    }
}

/// When an operation begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As soon as the connection's last one has ended.
    Closed,
    /// At a fixed rate, whether the last ones have ended or not.
    Open {
        /// Operations begun in a second; of [`Kind::Campus`], people who come in a second.
        per_second: u64,
    },
}

/// Where tickets are validated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validation {
    /// `/p3/serviceValidate`.
    Cas3,
    /// `/serviceValidate`.
    Cas2,
}

impl Validation {
    pub(crate) fn endpoint(self) -> Endpoint {
        match self {
            Self::Cas3 => Endpoint::P3ServiceValidate,
            Self::Cas2 => Endpoint::ServiceValidate,
        }
    }
}

/// Somebody who can log in.
#[derive(Clone)]
pub struct User {
    /// What is typed into the form, and what a validation must name.
    pub name: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A load, with everything that bounds it.
///
/// ```
/// use casque_load::{Kind, Plan, User};
///
/// let alice = User { name: "alice".to_owned(), password: "wonderland".to_owned() };
/// let mut plan = Plan::new("http://127.0.0.1:8080/cas", Kind::Sso, vec![alice]);
/// plan.connections = 4;
/// assert!(plan.check().is_ok());
///
/// plan.cas = "https://cas.example.org/cas".to_owned();
/// let refused = plan.check().unwrap_err();
/// assert_eq!(refused.field, "--cas");
/// ```
#[derive(Clone, Debug)]
pub struct Plan {
    /// The server's base URL.
    pub cas: String,
    /// What one operation is.
    pub kind: Kind,
    /// When an operation begins.
    pub pace: Pace,
    /// Connections, each with one operation at a time.
    pub connections: usize,
    /// How long is measured, without the preparation of tickets.
    pub duration: Duration,
    /// How many operations are measured at most; of [`Kind::Campus`], how many people come.
    pub count: Option<u64>,
    /// How long the server is warmed up before, with the same load.
    pub warm_up: Duration,
    /// Sessions that are begun before; [`Kind::Login`] and [`Kind::Campus`] begin their own.
    pub sessions: usize,
    /// Tickets of [`Kind::Validate`] that are obtained at once.
    pub batch: u64,
    /// The service that the tickets are for. Nobody asks it for anything but the server, at single logout.
    pub service: String,
    /// Further services, which people of [`Kind::Campus`] go to by turns.
    pub more_services: Vec<String>,
    /// What people do in [`Kind::Campus`].
    pub mix: Mix,
    /// Where tickets are validated.
    pub validation: Validation,
    /// Who logs in, in turn.
    pub users: Vec<User>,
    /// Certificates in a PEM file to trust besides the platform's.
    pub ca_file: Option<PathBuf>,
    /// The one host that may be spoken to though it is not loopback.
    pub allow_host: Option<String>,
    /// How long one operation may take.
    pub timeout: Duration,
}

impl Plan {
    /// A closed loop of 8 connections for 10 seconds after 2 of warming up.
    pub fn new(cas: impl Into<String>, kind: Kind, users: Vec<User>) -> Self {
        Self {
            cas: cas.into(),
            kind,
            pace: Pace::Closed,
            connections: 8,
            duration: Duration::from_secs(10),
            count: None,
            warm_up: Duration::from_secs(2),
            sessions: 8,
            batch: 500,
            service: "http://127.0.0.1:9/".to_owned(),
            more_services: Vec::new(),
            mix: Mix::default(),
            validation: Validation::Cas3,
            users,
            ca_file: None,
            allow_host: None,
            timeout: Duration::from_secs(10),
        }
    }

    /// Looks at every bound.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Misuse> {
        self.base()?;
        self.service_urls()?;
        if self.users.is_empty() {
            return Err(Misuse::new(
                "--user",
                "nobody",
                "somebody must log in",
                "name a user",
            ));
        }
        if let Pace::Open { per_second } = self.pace {
            within("--rate", per_second, 1, 100_000, "operations a second")?;
        }
        let seconds = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        within(
            "--connections",
            self.connections as u64,
            1,
            1_024,
            "connections",
        )?;
        within("--duration", seconds(self.duration), 1, 3_600, "seconds")?;
        within(
            "--count",
            self.count.unwrap_or(1),
            1,
            10_000_000,
            "operations",
        )?;
        within("--warm-up", seconds(self.warm_up), 0, 60, "seconds")?;
        within("--sessions", self.sessions as u64, 1, 1_000, "sessions")?;
        within("--batch", self.batch, 1, 10_000, "tickets")?;
        within("--timeout", seconds(self.timeout), 1, 60, "seconds")?;
        within("--users-file", self.users.len() as u64, 1, 100_000, "users")?;
        self.check_campus()
    }

    fn check_campus(&self) -> Result<(), Misuse> {
        if self.kind != Kind::Campus {
            if self.more_services.is_empty() {
                return Ok(());
            }
            let given = (1 + self.more_services.len()).to_string();
            let (rule, fix) = ("only `campus` goes to more than one", "name one");
            return Err(Misuse::new("--service", &given, rule, fix));
        }
        let Pace::Open { per_second } = self.pace else {
            let (rule, fix) = (
                "people come whether the server is busy or not",
                "say how many come in a second",
            );
            return Err(Misuse::new("--rate", "not given", rule, fix));
        };
        within("--visits", self.mix.visits, 0, 100, "services")?;
        within("--gap", self.mix.gap_seconds, 1, 600, "seconds")?;
        let stay = self.mix.gap_seconds * (self.mix.visits + 1);
        within("--gap × (--visits + 1)", stay, 1, 3_600, "seconds")?;
        let operations = per_second * self.mix.moments();
        within(
            "--rate × (--visits + 3)",
            operations,
            1,
            100_000,
            "operations a second",
        )
    }

    /// How many people come, of a campus.
    pub(crate) fn people(&self, per_second: u64) -> u64 {
        let time = u64::try_from(self.duration.as_millis()).unwrap_or(u64::MAX);
        let come = per_second.saturating_mul(time).div_ceil(1_000);
        self.count.map_or(come, |count| count.min(come))
    }

    pub(crate) fn base(&self) -> Result<CasBase, Misuse> {
        let wrong = |rule: &str, fix: &str| Err(Misuse::new("--cas", &self.cas, rule, fix));
        let base = match CasBase::parse_allowing_http(&self.cas) {
            Ok(base) => base,
            Err(error) => return wrong(&error.to_string(), "give the server's base URL"),
        };
        if base.is_loopback() {
            return Ok(base);
        }
        let url = url::Url::parse(base.as_str());
        let host = url
            .as_ref()
            .ok()
            .and_then(url::Url::host_str)
            .unwrap_or_default();
        if self.allow_host.as_deref() != Some(host) {
            let fix = format!("add --allow-host {host} if that server is yours to load");
            return wrong("load goes to loopback only, unless the host is named", &fix);
        }
        if !base.is_https() {
            return wrong(
                "passwords leave this machine by https only",
                "give its https address",
            );
        }
        Ok(base)
    }

    pub(crate) fn service_urls(&self) -> Result<Vec<ServiceUrl>, Misuse> {
        let all = [&self.service].into_iter().chain(&self.more_services);
        let parsed = all.map(|service| {
            ServiceUrl::parse(service).map_err(|error| {
                let fix = "give the address of a service that the server knows";
                Misuse::new("--service", service, &error.to_string(), fix)
            })
        });
        parsed.collect()
    }
}

fn within(
    field: &'static str,
    value: u64,
    least: u64,
    most: u64,
    unit: &str,
) -> Result<(), Misuse> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let rule = format!("{least} to {most} {unit}");
    Err(Misuse::new(field, &value.to_string(), &rule, "stay within"))
}

/// A plan that is not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// The option of the command line.
    pub field: &'static str,
    /// What was given, without secrets.
    pub value: String,
    /// What it breaks.
    pub rule: String,
    /// What to do.
    pub fix: String,
}

impl Misuse {
    pub(crate) fn new(field: &'static str, value: &str, rule: &str, fix: &str) -> Self {
        Self {
            field,
            value: casque_visitor::shown(value, 200),
            rule: rule.to_owned(),
            fix: fix.to_owned(),
        }
    }
}

impl std::error::Error for Misuse {}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            field,
            value,
            rule,
            fix,
        } = self;
        write!(f, "{field} {value}: {rule}; {fix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(cas: &str) -> Plan {
        let alice = User {
            name: "alice".to_owned(),
            password: "wonderland".to_owned(),
        };
        Plan::new(cas, Kind::Sso, vec![alice])
    }

    #[test]
    fn load_goes_to_loopback_unless_the_host_is_named() {
        for cas in [
            "http://127.0.0.1:1/cas",
            "https://localhost/cas",
            "http://[::1]:1/cas",
        ] {
            assert_eq!(plan(cas).check(), Ok(()), "{cas}");
        }
        let mut far = plan("https://cas.example.org/cas");
        assert!(
            far.check()
                .unwrap_err()
                .fix
                .contains("--allow-host cas.example.org")
        );
        far.allow_host = Some("other.example.org".to_owned());
        assert_eq!(far.check().unwrap_err().field, "--cas");
        far.allow_host = Some("cas.example.org".to_owned());
        assert_eq!(far.check(), Ok(()));
        far.cas = "http://cas.example.org/cas".to_owned();
        assert!(far.check().unwrap_err().rule.contains("https"));
    }

    #[test]
    fn every_bound_is_refused_by_name() {
        let refused = |break_it: &dyn Fn(&mut Plan)| {
            let mut plan = plan("http://127.0.0.1:1/cas");
            break_it(&mut plan);
            plan.check().unwrap_err().field
        };
        let long = Duration::from_millis(60_001);
        assert_eq!(refused(&|plan| plan.connections = 1_025), "--connections");
        assert_eq!(refused(&|plan| plan.duration = long * 60), "--duration");
        assert_eq!(refused(&|plan| plan.count = Some(10_000_001)), "--count");
        assert_eq!(refused(&|plan| plan.warm_up = long), "--warm-up");
        assert_eq!(refused(&|plan| plan.sessions = 0), "--sessions");
        assert_eq!(refused(&|plan| plan.batch = 10_001), "--batch");
        assert_eq!(
            refused(&|plan| plan.pace = Pace::Open { per_second: 0 }),
            "--rate"
        );
        assert_eq!(refused(&|plan| plan.timeout = Duration::ZERO), "--timeout");
        assert_eq!(
            refused(&|plan| plan.service = "no address".to_owned()),
            "--service"
        );
        assert_eq!(refused(&|plan| plan.users.clear()), "--user");
        let second = "http://127.0.0.1:9/2".to_owned();
        assert_eq!(
            refused(&|plan| plan.more_services = vec![second.clone()]),
            "--service"
        );
    }

    #[test]
    fn a_campus_needs_a_rate_and_has_bounds_of_its_own() {
        let mut plan = plan("http://127.0.0.1:1/cas");
        plan.kind = Kind::Campus;
        assert_eq!(plan.check().unwrap_err().field, "--rate");
        plan.pace = Pace::Open { per_second: 100 };
        assert_eq!(plan.check(), Ok(()));
        assert_eq!(plan.people(100), 1_000);
        plan.count = Some(7);
        assert_eq!(plan.people(100), 7);
        plan.mix.visits = 101;
        assert_eq!(plan.check().unwrap_err().field, "--visits");
        plan.mix.visits = 100;
        plan.mix.gap_seconds = 0;
        assert_eq!(plan.check().unwrap_err().field, "--gap");
        plan.mix.gap_seconds = 36;
        assert_eq!(plan.check().unwrap_err().field, "--gap × (--visits + 1)");
        plan.mix.gap_seconds = 1;
        plan.pace = Pace::Open { per_second: 971 };
        assert_eq!(plan.check().unwrap_err().field, "--rate × (--visits + 3)");
    }

    #[test]
    fn a_plan_shows_no_password() {
        // S-017
        assert!(!format!("{:?}", plan("http://127.0.0.1:1/cas")).contains("wonderland"));
    }
}
