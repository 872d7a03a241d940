//! `casque.toml`: read strictly, told with file, line and fix.

mod error;
mod keys;
mod pointers;
mod reference;
mod sheet;
mod table;

pub use error::{ConfigError, ConfigErrors};
pub(crate) use error::{Faults, quote};
pub(crate) use keys::{Default, Key, Kind, Names};
pub use reference::configuration_reference;
pub(crate) use sheet::{Lines, Sheet, read_text, syntax_error};

use pointers::Pointers;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use casque_proto::CasBase;
use casque_proto::apereo::IGNORABLE;
use casque_store::StoreUrl;
use ipnet::IpNet;

use crate::journal::AuditTarget;
use crate::password::{HashParams, PasswordCheckerOptions};

/// Everything an operator can set. Paths are resolved against the folder of the file.
///
/// ```
/// use casque_server::Config;
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("casque.toml");
/// std::fs::write(&file, "base_url = \"https://cas.example.edu/cas\"\n")?;
/// let config = Config::from_file(&file)?;
/// assert_eq!(config.login.max_failures, 20);
/// assert_eq!(config.people, folder.path().join("people.toml"));
///
/// std::fs::write(&file, "base_url = \"https://cas.example.edu/cas\"\nlisten_on = 1\n")?;
/// let faults = Config::from_file(&file).unwrap_err().to_string();
/// assert!(faults.contains("casque.toml:2: unknown key `listen_on`"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// What browsers see; https, or http on loopback.
    pub base_url: CasBase,
    /// Where connections are accepted.
    pub listen: SocketAddr,
    /// The name on the pages.
    pub organisation: Option<String>,
    /// Where sessions and tickets are, with resolved paths.
    pub store: StoreUrl,
    /// The file with the secret that tickets are hashed with.
    pub secret_key: PathBuf,
    /// The file of people.
    pub people: PathBuf,
    /// The folder of services.
    pub services: PathBuf,
    /// Further authorities for calls out, a PEM file.
    pub trusted_roots: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// The server's own certificate.
    pub tls: Option<TlsConfig>,
    /// Throttle and login form.
    pub login: LoginConfig,
    /// How passwords are hashed and checked.
    pub passwords: PasswordConfig,
    /// Lifetimes of tickets.
    pub tickets: TicketConfig,
    /// Lifetimes of single sign-on sessions.
    pub sso: SsoConfig,
    /// The REST protocol.
    pub rest: RestConfig,
    /// What is left aside of service definitions of Apereo.
    pub apereo: ApereoConfig,
    /// What one client may take.
    pub limits: LimitsConfig,
    /// What an operator watches.
    pub operation: OperationConfig,
    pointers: Pointers,
    /// Advice on environment variables that nearly name a key.
    misspelt: Vec<String>,
}

/// `[tls]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate chain, a PEM file.
    pub certificate: PathBuf,
    /// Its private key, a PEM file.
    pub key: PathBuf,
}

/// `[login]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginConfig {
    /// Failures of one person within the window, 1 to 100.
    pub max_failures: u32,
    /// Failures from one network within the window.
    pub max_failures_per_network: u32,
    /// How long a failure counts.
    pub window: Duration,
    /// How long a login form is good for.
    pub form_lifetime: Duration,
}

/// `[passwords]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordConfig {
    /// Hashes at the same time.
    pub workers: usize,
    /// Logins that may wait.
    pub queue: usize,
    /// The cost of new hashes.
    pub params: HashParams,
}

impl PasswordConfig {
    /// For [`PasswordChecker::new`](crate::PasswordChecker::new); set
    /// [`decoy`](PasswordCheckerOptions::decoy) to what most people's hashes cost.
    pub fn checker_options(&self) -> PasswordCheckerOptions {
        PasswordCheckerOptions {
            workers: self.workers,
            queue: self.queue,
            decoy: self.params,
        }
    }
}

/// `[tickets]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicketConfig {
    /// From issue to validation, at most 300 s.
    pub service_ticket_lifetime: Duration,
    /// The same for proxy tickets.
    pub proxy_ticket_lifetime: Duration,
}

/// `[sso]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoConfig {
    /// From login to the end.
    pub absolute: Duration,
    /// From the last use to the end.
    pub idle: Duration,
    /// People may ask to be remembered.
    pub remember_me: bool,
    /// From login to the end of a remembered session.
    pub remember_me_lifetime: Duration,
}

/// `[rest]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestConfig {
    /// Whether programs may trade a password for tickets at `/v1/tickets` and `/v1/users`.
    pub enabled: bool,
    /// From where they may; from everywhere, where nothing is said.
    pub clients: Option<Vec<IpNet>>,
}

/// `[apereo]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApereoConfig {
    /// Members that restrict access, and are left aside at the operator's word (R-297).
    pub ignore: Vec<String>,
}

/// `[limits]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// Open connections.
    pub connections: usize,
    /// The head of a request, in bytes.
    pub header_bytes: usize,
    /// The body of a request, in bytes.
    pub body_bytes: usize,
    /// For the head of a request to arrive, and again for its body.
    pub request_timeout: Duration,
    /// For open requests to finish at the end.
    pub shutdown: Duration,
}

/// `[operation]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationConfig {
    /// Where `/livez`, `/readyz` and `/metrics` are answered; nowhere without it.
    pub listen: Option<SocketAddr>,
    /// Where the audit log goes, if there is one.
    pub audit: Option<AuditTarget>,
    /// How long connections are accepted after the server has been told to end.
    pub drain: Duration,
}

impl Config {
    /// Reads a file. Environment variables are not looked at.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        Self::from_file_and_environment(path, [])
    }

    /// Reads a file, then lets variables such as `CASQUE_LISTEN` and `CASQUE_LOGIN__MAX_FAILURES` replace its values.
    /// Variables of other names are ignored, with a [warning](Self::warnings) where they begin like those of a table;
    /// paths in them are relative to the file, too.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong.
    pub fn from_file_and_environment(
        path: impl AsRef<Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let path = path.as_ref();
        let text = read_text(path).map_err(|fault| match path.try_exists() {
            Ok(false) => fault.fix(
                "write it, or name another with --config FILE; docs/reference/configuration.md has every key",
            ),
            _ => fault,
        })?;
        let mut faults = Faults::default();
        let mut sheet = Sheet::read(path, &text, table::KEYS, &mut faults);
        for (name, value) in variables {
            sheet.set_from_environment(&name, &value, &mut faults);
        }
        if !sheet.is_unreadable() {
            sheet.require(&mut faults);
        }
        let config = Self::from_sheet(&sheet, &mut faults);
        faults.or(config)
    }

    /// Advice on settings that are allowed and yet rarely meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.misspelt.clone();
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            warnings.push(format!(
                "listen = \"{}\" is reachable from outside and speaks plain http: passwords cross that network \
                 unprotected unless a proxy ends TLS on this host; use a loopback address or set [tls]",
                self.listen
            ));
        }
        let is_https = self.base_url.as_str().starts_with("https:");
        if is_https
            && self.tls.is_none()
            && self.listen.ip().is_loopback()
            && self.trusted_proxies.is_empty()
        {
            warnings.push(
                "base_url is https, but neither [tls] nor trusted_proxies is set: behind a proxy on this host all \
                 visitors have one address, so failed logins are not counted by network, or, if the proxy sends no \
                 X-Forwarded-For, one visitor's failures shut everybody out; let the proxy send it and set \
                 trusted_proxies = [\"127.0.0.1\", \"::1\"]"
                    .to_owned(),
            );
        }
        if let Some(listen) = self.operation.listen
            && !listen.ip().is_loopback()
        {
            warnings.push(format!(
                "operation.listen = \"{listen}\" is reachable from outside: whoever reaches it can read what the \
                 server counts; keep it in a network of your own"
            ));
        }
        if !self.store.is_durable() {
            warnings.push(format!(
                "store = \"{}\" forgets every session when the server ends",
                self.store
            ));
        }
        warnings
    }

    fn from_sheet(sheet: &Sheet, faults: &mut Faults) -> Option<Self> {
        let base_url = base_url(sheet, faults);
        let store = store(sheet, faults);
        let tls = match (sheet.path("tls.certificate"), sheet.path("tls.key")) {
            (Some(certificate), Some(key)) => Some(TlsConfig { certificate, key }),
            (None, None) => None,
            (certificate, _) => {
                let (there, missing) = if certificate.is_some() {
                    ("tls.certificate", "tls.key")
                } else {
                    ("tls.key", "tls.certificate")
                };
                faults.push(
                    sheet
                        .fault(there, format!("`{there}` needs `{missing}` beside it"))
                        .fix(format!("add `{missing}`, or drop [tls] behind a proxy")),
                );
                None
            }
        };
        let sso = SsoConfig {
            absolute: sheet.duration("sso.absolute")?,
            idle: sheet.duration("sso.idle")?,
            remember_me: sheet.flag("sso.remember_me")?,
            remember_me_lifetime: sheet.duration("sso.remember_me_lifetime")?,
        };
        if sso.idle > sso.absolute {
            let name = if sheet.has("sso.idle") {
                "sso.idle"
            } else {
                "sso.absolute"
            };
            faults.push(
                sheet
                    .fault(
                        name,
                        format!(
                            "`sso.idle` ({}) is longer than `sso.absolute` ({})",
                            keys::show(sso.idle),
                            keys::show(sso.absolute)
                        ),
                    )
                    .fix("shorten `sso.idle` or lengthen `sso.absolute`"),
            );
        }
        let params = HashParams::new(
            sheet.count("passwords.memory_kib")?,
            sheet.count("passwords.passes")?,
            1,
        )
        .expect("the bounds of the keys lie within those of argon2");
        Some(Self {
            base_url: base_url?,
            listen: sheet.socket("listen")?,
            organisation: sheet.text("organisation"),
            store: store?,
            secret_key: sheet.path("secret_key")?,
            people: sheet.path("people")?,
            services: sheet.path("services")?,
            trusted_roots: sheet.path("trusted_roots"),
            trusted_proxies: sheet.networks("trusted_proxies")?,
            tls,
            login: LoginConfig {
                max_failures: sheet.count("login.max_failures")?,
                max_failures_per_network: sheet.count("login.max_failures_per_network")?,
                window: sheet.duration("login.window")?,
                form_lifetime: sheet.duration("login.form_lifetime")?,
            },
            passwords: PasswordConfig {
                workers: match sheet.count("passwords.workers") {
                    Some(workers) => workers as usize,
                    None => thread::available_parallelism().map_or(1, Into::into),
                },
                queue: sheet.count("passwords.queue")? as usize,
                params,
            },
            tickets: TicketConfig {
                service_ticket_lifetime: sheet.duration("tickets.service_ticket_lifetime")?,
                proxy_ticket_lifetime: sheet.duration("tickets.proxy_ticket_lifetime")?,
            },
            sso,
            rest: RestConfig {
                enabled: sheet.flag("rest.enabled")?,
                clients: sheet.networks("rest.clients"),
            },
            apereo: ApereoConfig {
                ignore: ignored(sheet, faults)?,
            },
            limits: LimitsConfig {
                connections: sheet.count("limits.connections")? as usize,
                header_bytes: sheet.count("limits.header_bytes")? as usize,
                body_bytes: sheet.count("limits.body_bytes")? as usize,
                request_timeout: sheet.duration("limits.request_timeout")?,
                shutdown: sheet.duration("limits.shutdown")?,
            },
            operation: OperationConfig {
                listen: sheet.socket("operation.listen"),
                audit: match sheet.text("operation.audit").as_deref() {
                    None => None,
                    Some("-") => Some(AuditTarget::Standard),
                    Some(path) => Some(AuditTarget::File(sheet.folder().join(path))),
                },
                drain: sheet.duration("operation.drain")?,
            },
            pointers: Pointers::of(sheet),
            misspelt: sheet.misspelt().to_vec(),
        })
    }
}

/// Names of members that may be left aside, each known.
fn ignored(sheet: &Sheet, faults: &mut Faults) -> Option<Vec<String>> {
    let names = sheet.texts("apereo.ignore")?;
    for name in &names {
        if !IGNORABLE.contains(&name.as_str()) {
            let problem = format!(
                "`apereo.ignore` has {}, which cannot be left aside",
                quote(name)
            );
            let fix = format!("known here: {}", IGNORABLE.join(", "));
            faults.push(sheet.fault("apereo.ignore", problem).fix(fix));
        }
    }
    Some(names)
}

/// The store's URL with paths that no longer depend on where the server was started.
fn store(sheet: &Sheet, faults: &mut Faults) -> Option<StoreUrl> {
    // No fault of a store's URL repeats a password.
    match sheet.text("store")?.parse::<StoreUrl>() {
        Ok(url) => Some(url.relative_to(sheet.folder())),
        Err(error) => {
            let fault = sheet.fault("store", format!("`store`: {error}"));
            faults.push(fault.fix("for example: store = \"sqlite:casque.db\""));
            None
        }
    }
}

fn base_url(sheet: &Sheet, faults: &mut Faults) -> Option<CasBase> {
    let text = sheet.text("base_url")?;
    let fault = |rule: &str| {
        sheet
            .fault(
                "base_url",
                format!("`base_url` is {}, but {rule}", quote(&hide_userinfo(&text))),
            )
            .fix("for example: base_url = \"https://cas.example.edu/cas\"")
    };
    let url = match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "https" | "http") => url,
        Ok(_) | Err(_) => {
            faults.push(fault("must be the https URL of this server"));
            return None;
        }
    };
    if !url.username().is_empty() || url.password().is_some() {
        faults.push(fault("must not hold a user name or password"));
        return None;
    }
    if url.query().is_some() || url.fragment().is_some() {
        faults.push(fault("must end with its path, without `?` or `#`"));
        return None;
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        faults.push(fault(
            "plain http is allowed on loopback only (localhost, 127.0.0.1, [::1])",
        ));
        return None;
    }
    let base = if url.scheme() == "http" {
        CasBase::parse_allowing_http(&text)
    } else {
        CasBase::parse(&text)
    };
    match base {
        Ok(base) => Some(base),
        Err(error) => {
            faults.push(fault(&format!("cannot be used: {error}")));
            None
        }
    }
}

fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => IpAddr::from(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::from(address).is_loopback(),
        None => false,
    }
}

/// `https://user:password@host/` with the first part hidden.
fn hide_userinfo(text: &str) -> String {
    match (text.find("//"), text.rfind('@')) {
        (Some(start), Some(at)) if start + 2 <= at => {
            format!("{}…{}", &text[..start + 2], &text[at..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
