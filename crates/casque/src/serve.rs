//! `casque serve`: the CAS server.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use casque_server::{
    Audit, AuditTarget, ClaimError, Config, Node, OutboundError, Parts, PasswordChecker,
    PasswordCheckerOptions, PeopleFile, Reloader, Server, Services, Tls, TlsConfig, TlsError,
};
use casque_store::{Clock, KeyHasher, KeyRing, MemoryStore, SharedStore, StoreError, SystemClock};
use clap::Args;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::log;
use crate::runtime::block_on;
use crate::say::{self, Failure, WRONG, chain};
use crate::signals::{self, notify_hangups};

/// Run a CAS server.
///
/// The exit status is 0 if it ended because it was told to (Ctrl-C, SIGTERM) or if --check found nothing wrong, 1 if
/// the configuration is wrong, 2 if the command itself is wrong, and 3 if the server could not start or go on.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The configuration; every key is in docs/reference/configuration.md.
    #[arg(long, value_name = "FILE", default_value = "casque.toml")]
    config: PathBuf,

    /// Read everything, say what is wrong, and end without serving.
    #[arg(long)]
    check: bool,

    /// How the log on standard error is written; without it, text on a terminal and JSON elsewhere.
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<log::Format>,
}

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let loaded = match Loaded::read(&arguments.config) {
        Ok(loaded) => loaded,
        Err(faults) => return say::error(faults.join("\n"), WRONG),
    };
    if arguments.check {
        return check(&loaded);
    }
    log::start(arguments.log_format, "info");
    say::end(block_on(serve(loaded)))
}

/// Everything that the configuration names.
pub(crate) struct Loaded {
    pub(crate) config: Config,
    pub(crate) people: Arc<PeopleFile>,
    services: Arc<Services>,
    tls: Option<Tls>,
}

impl Loaded {
    /// Reads it all before it gives up, so that one run tells everything that is wrong.
    pub(crate) fn read(path: &Path) -> Result<Self, Vec<String>> {
        let config = Config::from_file_and_environment(path, environment())
            .map_err(|faults| vec![faults.to_string()])?;
        let mut faults = Vec::new();
        let mut reached = |key: &str| {
            config
                .reach(key)
                .map_err(|fault| faults.push(fault))
                .is_ok()
        };
        let there = (reached("people"), reached("services"));
        let roots_are_there = reached("trusted_roots");
        let pair_is_there = reached("tls.certificate") & reached("tls.key");
        let mut faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let mut note = |words: String| faults.push(words);
        let store_is_good = store_files(&config).map_err(&mut note).is_ok();
        let people = there.0.then(|| PeopleFile::open(&config.people));
        let people = people.and_then(|read| read.map_err(|wrong| note(wrong.to_string())).ok());
        let ignored: Vec<&str> = config.apereo.ignore.iter().map(String::as_str).collect();
        let services = there
            .1
            .then(|| Services::load_ignoring(&config.services, &ignored));
        let services = services.and_then(|read| read.map_err(|wrong| note(wrong.to_string())).ok());
        let tls = match &config.tls {
            None => Some(None),
            Some(_) if !pair_is_there => None,
            Some(files) => Tls::from_pem_files(&files.certificate, &files.key)
                .map_err(|error| note(tls_fault(&config, files, &error)))
                .ok()
                .map(Some),
        };
        match (people, services, tls) {
            (Some(people), Some(services), Some(tls)) if roots_are_there && store_is_good => {
                Ok(Self {
                    config,
                    people: Arc::new(people),
                    services: Arc::new(services),
                    tls,
                })
            }
            _ => Err(faults),
        }
    }

    /// The server that is made of it, on its store.
    pub(crate) fn server(&self) -> Result<Server, Failure> {
        let hasher = secret_key(&self.config.secret_key)?.hasher();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = self.config.store.open(clock.clone()).map_err(|error| {
            Failure::failed(format_args!("the store {}", self.config.store), &error)
        })?;
        let parts = Parts {
            people: self.people.clone(),
            services: self.services.clone(),
            passwords: PasswordChecker::new(self.checker_options()),
            hasher,
        };
        Server::new(&self.config, parts, store, clock)
            .map_err(|error| roots_fault(&self.config, &error))
    }

    /// The same, for an operator who looks into its store: that is this deployment's.
    pub(crate) async fn claimed_server(&self) -> Result<Server, Failure> {
        let server = self.server()?;
        let claimed = server.claim_store().await;
        claimed.map_err(|error| claim_fault(&error))?;
        Ok(server)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.config.warnings();
        if self.people.is_empty() {
            warnings.push(format!(
                "nobody is in {}: add the first person with `casque user add NAME`",
                self.config.people.display()
            ));
        }
        if let Some((usual, others)) = self.people.usual_cost() {
            if usual.is_weak() {
                warnings.push(format!(
                    "most passwords are hashed with m={} KiB, t={}, which is less than advised; \
                     `casque user passwd NAME` makes new hashes",
                    usual.memory_kib(),
                    usual.passes()
                ));
            }
            if others > 0 {
                warnings.push(format!(
                    "{others} of {} people have a password hash of another cost than most: how long their login \
                     takes tells that they exist",
                    self.people.len()
                ));
            }
        }
        if is_readable_by_others(&self.config.people) {
            warnings.push(format!(
                "every account of this machine can read the password hashes; run: chmod o= {}",
                self.config.people.display()
            ));
        }
        warnings.extend(self.services.warnings());
        warnings
    }

    fn checker_options(&self) -> PasswordCheckerOptions {
        let mut options = self.config.passwords.checker_options();
        if let Some((usual, _)) = self.people.usual_cost() {
            options.decoy = usual;
        }
        options
    }
}

/// A store on a server is opened without connecting, so that what is wrong with the files of its URL is told with the
/// rest. The file of another store would be made.
fn store_files(config: &Config) -> Result<(), String> {
    if !config.store.is_on_a_server() {
        return Ok(());
    }
    let opened = config.store.open(Arc::new(SystemClock::new()));
    opened.map(drop).map_err(|error| {
        let fault = config.fault("store", format!("`store`: {}", chain(&error)));
        fault.to_string()
    })
}

/// What is wrong with certificate or key, at the line of the key that names it.
fn tls_fault(config: &Config, files: &TlsConfig, error: &TlsError) -> String {
    let key = match error {
        TlsError::File { path, .. } if *path == files.key => "tls.key",
        _ => "tls.certificate",
    };
    let fault = config.fault(key, format!("`{key}`: {}", chain(error)));
    fault.to_string()
}

/// The one thing that is read where a server is made: the roots.
fn roots_fault(config: &Config, error: &OutboundError) -> Failure {
    let words = chain(error);
    Failure::wrong(match error {
        OutboundError::Roots { .. } => config
            .fault("trusted_roots", format!("`trusted_roots`: {words}"))
            .to_string(),
        _ => words,
    })
}

fn check(loaded: &Loaded) -> ExitCode {
    if loaded.config.trusted_roots.is_some()
        && let Err(failure) = try_roots(loaded)
    {
        return say::error(failure.words, failure.status);
    }
    for notice in loaded.services.notices() {
        say::line(format_args!("note: {}", say::plain(&notice)));
    }
    for warning in loaded.warnings() {
        say::warning(warning);
    }
    say::line(format_args!(
        "The configuration is good. People: {}, services: {}.",
        loaded.people.len(),
        loaded.services.len()
    ));
    ExitCode::SUCCESS
}

/// The roots are read where a server is made, so one is made for a moment.
fn try_roots(loaded: &Loaded) -> Result<(), Failure> {
    let hasher = KeyHasher::random()
        .map_err(|error| Failure::failed("the operating system gave no random bytes", &error))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let store: SharedStore = Arc::new(MemoryStore::new(clock.clone()));
    let parts = Parts {
        people: loaded.people.clone(),
        services: loaded.services.clone(),
        passwords: PasswordChecker::new(loaded.checker_options()),
        hasher,
    };
    Server::new(&loaded.config, parts, store, clock)
        .map(drop)
        .map_err(|error| roots_fault(&loaded.config, &error))
}

async fn serve(loaded: Loaded) -> Result<(), Failure> {
    let mut warnings = loaded.warnings();
    let server = loaded.server()?;
    let mut node = Node::new(server.clone());
    let announced = announce_node(&mut node).await?;
    let Loaded {
        config,
        people,
        services,
        tls,
    } = loaded;
    if let Err(error) = &announced {
        // Machines that start together need not start in order.
        warnings.push(format!(
            "the store {} does not answer yet, and until it does people are told to come back later: {}",
            config.store,
            chain(error)
        ));
    }
    let (people_count, service_count) = (people.len(), services.len());
    let notices = services.notices();
    if let Some(target) = &config.operation.audit {
        server.audit_to(open_audit(&config, target)?);
    }
    let mut reloader = Reloader::new(server.clone())
        .people(people)
        .services(config.services.clone(), &services);
    if let Some(tls) = &tls {
        reloader = reloader.certificate(tls.clone());
    }
    let (listener, address) = listen(config.listen).await?;
    let operation = match config.operation.listen {
        Some(address) => Some(listen(address).await?),
        None => None,
    };
    let signals = |error| Failure::failed("signals", &error);
    let shutdown = signals::told_to_drain(server.clone()).map_err(signals)?;
    let reload = Arc::new(Notify::new());
    notify_hangups(reload.clone()).map_err(signals)?;
    let operation_address = operation.as_ref().map(|(_, address)| *address);
    announce(
        &config,
        (address, operation_address),
        people_count,
        service_count,
    );
    // In the log and not beside it: whoever reads the log as JSON reads these, too.
    for notice in notices {
        tracing::info!("{notice}");
    }
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    let reloading = tokio::spawn(reloader.run(reload));
    let operation = operation.map(|(listener, _)| {
        let server = server.clone();
        tokio::spawn(async move { server.serve_operation(listener).await })
    });
    let serving = server.serve(listener, tls, shutdown);
    let outcome = tokio::select! {
        outcome = serving => outcome.map_err(|error| Failure::failed("the socket", &error)),
        failure = stay_announced(&mut node, announced.is_ok()) => Err(failure),
    };
    // Where that fails the others notice after a while.
    let _ = node.withdraw().await;
    reloading.abort();
    if let Some(operation) = operation {
        operation.abort();
    }
    outcome?;
    tell_person(&config, format_args!("Ended."));
    Ok(())
}

/// How often a store that did not answer is asked again whose it is.
const CLAIM_INTERVAL: Duration = Duration::from_secs(2);

/// Makes sure that this node may use the store; the inner error says that it does not answer yet.
async fn announce_node(node: &mut Node) -> Result<Result<(), ClaimError>, Failure> {
    match node.announce().await {
        Ok(()) => Ok(Ok(())),
        Err(ClaimError::Store(error)) if error.is_unavailable() => Ok(Err(error.into())),
        Err(error) => Err(claim_fault(&error)),
    }
}

/// Ends with a failure where a store that answers at last turns out to be another deployment's. Later such a node stays,
/// and says that it is not ready.
async fn stay_announced(node: &mut Node, announced: bool) -> Failure {
    let mut announced = announced;
    let mut ticks = tokio::time::interval(CLAIM_INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.reset_after(if announced {
            Node::INTERVAL
        } else {
            CLAIM_INTERVAL
        });
        ticks.tick().await;
        match announce_node(node).await {
            Ok(outcome) => announced |= outcome.is_ok(),
            Err(failure) if !announced => return failure,
            // The log has it, and so has whoever asks whether it is ready.
            Err(_) => {}
        }
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| Failure::failed(format_args!("cannot listen on {address}"), &error))?;
    let address = listener
        .local_addr()
        .map_err(|error| Failure::failed("the socket", &error))?;
    Ok((listener, address))
}

fn open_audit(config: &Config, target: &AuditTarget) -> Result<Audit, Failure> {
    Audit::open(target.clone(), Arc::new(SystemClock::new())).map_err(|error| {
        let problem = format!("`operation.audit` names {target}, which cannot be opened: {error}");
        Failure::wrong(config.fault("operation.audit", problem).to_string())
    })
}

/// Says something to the person at the terminal, away from an audit log on standard output.
fn tell_person(config: &Config, text: std::fmt::Arguments<'_>) {
    if config.operation.audit == Some(AuditTarget::Standard) {
        say::aside(text);
    } else {
        say::line(text);
    }
}

fn announce(
    config: &Config,
    (address, operation): (SocketAddr, Option<SocketAddr>),
    people: usize,
    services: usize,
) {
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "plain http"
    };
    let operation = operation.map_or_else(String::new, |address| {
        format!("\n  operation   http://{address}/livez, /readyz, /metrics")
    });
    let audit = config.operation.audit.as_ref();
    let audit = audit.map_or_else(String::new, |target| format!("\n  audit log   {target}"));
    tell_person(
        config,
        format_args!(
            "casque {} serves {}\n  listens on  {address} ({scheme})\n  people      {people} in {}\n  \
             services    {services} in {}\n  store       {}{operation}{audit}",
            env!("CARGO_PKG_VERSION"),
            config.base_url.as_str(),
            config.people.display(),
            config.services.display(),
            config.store,
        ),
    );
}

/// The store did not answer an operator's command.
pub(crate) fn store_failed(error: &StoreError) -> Failure {
    Failure::failed("the store", error)
}

/// Why this node must not use the store, and what to do.
pub(crate) fn claim_fault(error: &ClaimError) -> Failure {
    let words = chain(error);
    match error {
        ClaimError::OtherKey { .. } => Failure::wrong(format!(
            "{words}\n  fix: copy the file of `secret_key` from a node that uses this store, or name another `store`; see \
             `casque keys show`"
        )),
        ClaimError::NewKey { .. } => Failure::wrong(format!(
            "{words}\n  fix: give every server a key file with both keys first, as `casque keys rotate` writes it, and \
             start it again; if the file of this one is older than theirs, copy theirs"
        )),
        ClaimError::NewerSchema { .. } => Failure::wrong(format!(
            "{words}\n  fix: start the casque that wrote them, or a newer one"
        )),
        _ => Failure::failed("the store", error),
    }
}

/// The secret of the deployment, made at the first start; one that others can read is no secret (S-074).
pub(crate) fn secret_key(path: &Path) -> Result<KeyRing, Failure> {
    let ring = KeyRing::from_file(path).map_err(|error| Failure::wrong(chain(&error)))?;
    if is_open_to_others(path) {
        return Err(Failure::wrong(format!(
            "{0}: other accounts of this machine can read the secret key\n  fix: chmod 600 {0}",
            path.display()
        )));
    }
    Ok(ring)
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;

    std::fs::metadata(path).map_or(0, |data| data.permissions().mode())
}

#[cfg(not(unix))]
fn mode(_path: &Path) -> u32 {
    0
}

fn is_open_to_others(path: &Path) -> bool {
    mode(path) & 0o077 != 0
}

fn is_readable_by_others(path: &Path) -> bool {
    mode(path) & 0o004 != 0
}

/// `CASQUE_…` variables; those that are no text cannot be meant.
pub(crate) fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        name.starts_with("CASQUE_").then_some(())?;
        Some((name, value.into_string().ok()?))
    })
}
