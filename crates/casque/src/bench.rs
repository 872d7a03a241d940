//! `casque bench`: puts a CAS server under load.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use casque_load::{Kind, Mix, Pace, Plan, Progress, User, Validation};
use clap::{Args, ValueEnum};

use crate::{password, say};

/// Put a CAS server under load, whoever made it, and measure it.
///
/// Every answer is checked: a ticket must go to the service, a validation must name the user. What is wrong is counted by
/// kind and never left out of the latencies.
///
/// `login` is a whole login by the server's own form, with the ticket and its validation; `sso` a ticket in a session that was
/// begun before, and its validation; `validate` the validation alone, of tickets obtained in batches just before, outside the
/// measured time. Such tickets must not expire meanwhile: where they live for less than a few seconds, make --batch smaller.
///
/// `campus` is all of it at once: --rate people a second log in, go to --visits more services, and leave; some mistype the
/// password first, some log out. --count is how many people come, --duration for how long; then the last ones finish.
///
/// Without --rate, each connection begins an operation when its last one has ended. With --rate, operations begin at fixed
/// moments, and latency is counted from the moment that was intended, so that waiting for a busy server counts.
///
/// It loads the loopback of this machine only, unless --allow-host names another host; load no server that is not yours. The
/// exit status is 0 if every answer was right, 1 if some were not, and 2 if nothing could be measured: the command is wrong, or
/// nobody could log in.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What one operation is.
    #[arg(value_enum, value_name = "LOAD")]
    load: Load,

    /// The server's base URL, such as `http://127.0.0.1:8080/cas`.
    #[arg(long, value_name = "URL")]
    cas: String,

    /// Who logs in.
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "users_file",
        requires = "password_file"
    )]
    user: Option<String>,

    /// The file with their password in its first line; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// A file of users instead, who log in by turns: a name, a colon and a password in each line.
    #[arg(long, value_name = "FILE", conflicts_with = "user")]
    users_file: Option<PathBuf>,

    /// Connections, each with one operation at a time: 1 to 1024.
    #[arg(long, value_name = "N", default_value_t = 8)]
    connections: usize,

    /// Begin this many operations a second, whatever the server does: 1 to 100000. Of `campus`: people.
    #[arg(long, value_name = "PER SECOND")]
    rate: Option<u64>,

    /// How long is measured: 1 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    duration: u64,

    /// How many operations are measured at most: 1 to 10000000.
    #[arg(long, value_name = "N")]
    count: Option<u64>,

    /// How long the same load runs before: 0 to 60. Not for `campus`.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warm_up: u64,

    /// Sessions that are begun before, by turns of the users: 1 to 1000. Not for `login` and `campus`.
    #[arg(long, value_name = "N", default_value_t = 8)]
    sessions: usize,

    /// Tickets that are obtained at once for `validate`: 1 to 10000.
    #[arg(long, value_name = "N", default_value_t = 500)]
    batch: u64,

    /// `campus`: services that a person goes to after the login: 0 to 100.
    #[arg(long, value_name = "N", default_value_t = Mix::default().visits)]
    visits: u64,

    /// `campus`: how long a person stays at each: 1 to 600.
    #[arg(long, value_name = "SECONDS", default_value_t = Mix::default().gap_seconds)]
    gap: u64,

    /// `campus`: one person in N logs out, and the others just leave; 0 is nobody.
    #[arg(long, value_name = "N", default_value_t = Mix::default().logout_every)]
    logout_every: u64,

    /// `campus`: one person in N mistypes the password first; 0 is nobody.
    #[arg(long, value_name = "N", default_value_t = Mix::default().wrong_every)]
    wrong_every: u64,

    /// The service that the tickets are for; the server must know it. It is not visited. For `campus` it may be given
    /// again: people go to them by turns.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9/")]
    service: Vec<String>,

    /// Where tickets are validated: `/p3/serviceValidate` or `/serviceValidate`.
    #[arg(long, value_enum, value_name = "PROTOCOL", default_value = "cas3")]
    protocol: Protocol,

    /// How long one operation may take: 1 to 60.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    timeout: u64,

    /// Load this host though it is not loopback, by https only.
    #[arg(long, value_name = "HOST")]
    allow_host: Option<String>,

    /// Trust the certificates in this PEM file too.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Load {
    /// A whole login by the form, and a validation.
    Login,
    /// A ticket in a session, and its validation.
    Sso,
    /// Validations alone.
    Validate,
    /// Logins, visits, mistyped passwords and logouts.
    Campus,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Protocol {
    /// `/p3/serviceValidate`
    Cas3,
    /// `/serviceValidate`
    Cas2,
}

const EXAMPLES: &str = "\
Examples:
  casque bench sso --cas http://127.0.0.1:8080/cas --user alice --password-file pw
  casque bench login --cas http://127.0.0.1:8080/cas --users-file people --connections 2 --duration 30 --json
  casque bench campus --cas http://127.0.0.1:8080/cas --users-file people --rate 50 --connections 32 --duration 60
  casque bench validate --cas https://cas.test.example.org/cas --allow-host cas.test.example.org --rate 200 \\
      --service https://app.example.org/ --user test --password-file -";

/// Nothing could be measured.
const MISUSE: u8 = 2;

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match measured(arguments) {
        Ok(code) => code,
        Err(words) => say::error(say::plain(&words), MISUSE),
    }
}

fn measured(arguments: &Arguments) -> Result<ExitCode, String> {
    let plan = arguments.plan()?;
    plan.check().map_err(|misuse| misuse.to_string())?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    let terminal = io::stderr().is_terminal();
    let report = runtime.block_on(casque_load::run(plan, |progress| {
        if terminal {
            show(progress);
        }
    }));
    if terminal {
        // Takes the line of progress away.
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    let report = report.map_err(|error| error.to_string())?;
    if arguments.json {
        say::line(format_args!("{:#}", report.to_json()));
    } else {
        let table = report.to_table();
        table.lines().for_each(|line| say::line(say::plain(line)));
    }
    Ok(if report.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn show(progress: Progress) {
    let Progress {
        phase,
        elapsed,
        operations,
        errors,
    } = progress;
    let seconds = elapsed.as_secs();
    let _ = write!(
        io::stderr(),
        "\r\x1b[K{phase}: {seconds} s, {operations} done, {errors} wrong"
    );
    let _ = io::stderr().flush();
}

impl Arguments {
    fn plan(&self) -> Result<Plan, String> {
        let kind = match self.load {
            Load::Login => Kind::Login,
            Load::Sso => Kind::Sso,
            Load::Validate => Kind::Validate,
            Load::Campus => Kind::Campus,
        };
        let mut plan = Plan::new(&self.cas, kind, self.users()?);
        if let Some(per_second) = self.rate {
            plan.pace = Pace::Open { per_second };
        }
        plan.connections = self.connections;
        plan.duration = Duration::from_secs(self.duration);
        plan.count = self.count;
        plan.warm_up = Duration::from_secs(self.warm_up);
        plan.sessions = self.sessions;
        plan.batch = self.batch;
        if let Some((first, more)) = self.service.split_first() {
            plan.service.clone_from(first);
            plan.more_services = more.to_vec();
        }
        plan.mix = Mix {
            visits: self.visits,
            gap_seconds: self.gap,
            logout_every: self.logout_every,
            wrong_every: self.wrong_every,
        };
        plan.validation = match self.protocol {
            Protocol::Cas3 => Validation::Cas3,
            Protocol::Cas2 => Validation::Cas2,
        };
        plan.timeout = Duration::from_secs(self.timeout);
        plan.allow_host.clone_from(&self.allow_host);
        plan.ca_file.clone_from(&self.ca_file);
        Ok(plan)
    }

    fn users(&self) -> Result<Vec<User>, String> {
        if let (Some(name), Some(file)) = (&self.user, &self.password_file) {
            let password = password::first_line(file)?;
            return Ok(vec![User {
                name: name.clone(),
                password,
            }]);
        }
        self.users_file
            .as_deref()
            .map_or_else(|| Ok(Vec::new()), read_users)
    }
}

fn read_users(file: &Path) -> Result<Vec<User>, String> {
    let text = fs::read_to_string(file)
        .map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty());
    lines
        .map(|(number, line)| {
            let (name, password) = line
                .split_once(':')
                .filter(|(name, _)| !name.is_empty())
                .ok_or_else(|| {
                    format!(
                        "--users-file {}, line {}: no user; write NAME:PASSWORD",
                        file.display(),
                        number + 1
                    )
                })?;
            Ok(User {
                name: name.to_owned(),
                password: password.to_owned(),
            })
        })
        .collect()
}
