//! `casque conformance`: grades a CAS server.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use casque_conformance::{Case, Finding, Kit, Report, Settings, cases};
use clap::Args;

use crate::{password, say};

/// Grade a CAS server, whoever made it: one case for each requirement of the protocol that can be seen from outside.
///
/// The kit logs in through the server's own login form, is the service that asks for tickets, and validates them. It makes
/// a few dozen logins and two with a wrong password, so run it for an account made for tests. Only what the specification
/// requires can fail; a recommendation that is not followed is a warning, and where casque is stricter than the
/// specification, a difference is a note.
///
/// The exit status is 0 if nothing failed, 1 if something did, and 2 if nothing could be graded: the command is wrong, no
/// server answers, or it does not take the password.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The server's base URL, such as `https://cas.example.org/cas`.
    #[arg(long, value_name = "URL", required_unless_present = "list")]
    cas: Option<String>,

    /// Who logs in.
    #[arg(long, value_name = "NAME", required_unless_present = "list")]
    user: Option<String>,

    /// The file with their password in its first line; `-` is standard input.
    #[arg(long, value_name = "FILE", required_unless_present = "list")]
    password_file: Option<PathBuf>,

    /// The beginning of service URLs that the server knows; without it, the kit's own listener on loopback.
    #[arg(long, value_name = "URL")]
    service_url_base: Option<String>,

    /// Where the kit listens as a service, for single logout; port 0 is any free one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: SocketAddr,

    /// Where the kit listens for proxy-granting tickets, by https.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    callback_listen: SocketAddr,

    /// The beginning of callback URLs as the server reaches them; without it, `https://localhost` and the port.
    #[arg(long, value_name = "URL")]
    callback_url_base: Option<String>,

    /// Write the certificate that the server must trust for the callback here, before anything is asked.
    #[arg(long, value_name = "FILE")]
    callback_ca_out: Option<PathBuf>,

    /// Wait for a line on standard input before the first request, so that the server can be told of the certificate.
    #[arg(long)]
    wait: bool,

    /// A service that the server does not know.
    #[arg(long, value_name = "URL")]
    unregistered_service: Option<String>,

    /// Trust the certificates in this PEM file too, as the server's own.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// Wait this long to see a ticket expire.
    #[arg(long, value_name = "SECONDS")]
    ticket_lifetime: Option<u64>,

    /// How long a message from the server is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    patience: u64,

    /// Run only the cases of this requirement (`R-222`) or of this name, or whose name begins so. Can be given several times.
    #[arg(long, value_name = "R-NUMBER|CASE")]
    only: Vec<String>,

    /// Name the cases instead of running them.
    #[arg(long)]
    list: bool,

    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,

    /// Write `JUnit` XML here too.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Say nothing while it runs.
    #[arg(long)]
    quiet: bool,
}

const EXAMPLES: &str = "\
Examples:
  casque conformance --cas https://cas.example.org/cas --user test --password-file - --junit cas.xml
  casque conformance --cas http://127.0.0.1:8080/cas --user alice --password-file pw --only R-222 --only slo
  casque conformance --list";

/// What could not be graded, or was asked for wrongly.
const MISUSE: u8 = 2;

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match graded(arguments) {
        Ok(code) => code,
        Err(words) => say::error(words, MISUSE),
    }
}

fn graded(arguments: &Arguments) -> Result<ExitCode, String> {
    let chosen = chosen(&arguments.only)?;
    if arguments.list {
        for case in chosen {
            say::line(format_args!(
                "{:<30} {:<7} {:<24} {} [{}]",
                case.id,
                case.level.name(),
                case.requirements.join(" "),
                case.title,
                case.source
            ));
        }
        return Ok(ExitCode::SUCCESS);
    }
    let settings = arguments.settings()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    let report = runtime.block_on(grade(arguments, settings, chosen))?;
    if let Some(file) = &arguments.junit {
        write(file, &report.to_junit())?;
    }
    if arguments.json {
        say::line(format_args!("{:#}", report.to_json()));
    } else {
        say::line(report.to_table());
    }
    Ok(if report.is_success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

async fn grade(
    arguments: &Arguments,
    settings: Settings,
    chosen: Vec<&'static Case>,
) -> Result<Report, String> {
    let kit = Kit::start(settings)
        .await
        .map_err(|error| error.to_string())?;
    if let Some(file) = &arguments.callback_ca_out {
        write(file, kit.callback_root_pem())?;
    }
    let tell = |words: std::fmt::Arguments<'_>| {
        if !arguments.quiet {
            let _ = writeln!(io::stderr(), "{words}");
        }
    };
    tell(format_args!("services begin with {}", kit.service_base()));
    tell(format_args!("callbacks begin with {}", kit.callback_base()));
    if arguments.wait {
        tell(format_args!("waiting for a line on standard input"));
        io::stdin()
            .read_line(&mut String::new())
            .map_err(|error| format!("standard input: {error}"))?;
    }
    let all = chosen.len();
    let mut ended = 0;
    kit.run(chosen, |finding: &Finding| {
        ended += 1;
        tell(format_args!(
            "[{ended}/{all}] {} {}",
            finding.case.id,
            finding.outcome.name()
        ));
    })
    .await
    .map_err(|error| error.to_string())
}

/// The cases of those requirements or names; all, where nothing is asked for.
fn chosen(only: &[String]) -> Result<Vec<&'static Case>, String> {
    for word in only {
        if !cases().any(|case| is_meant(case, word)) {
            return Err(format!(
                "--only {word}: no case is about it (see casque conformance --list)"
            ));
        }
    }
    Ok(cases()
        .filter(|case| only.is_empty() || only.iter().any(|word| is_meant(case, word)))
        .collect())
}

fn is_meant(case: &Case, word: &str) -> bool {
    case.id == word
        || case
            .id
            .strip_prefix(word)
            .is_some_and(|rest| rest.starts_with('-'))
        || case
            .requirements
            .iter()
            .any(|number| number.eq_ignore_ascii_case(word))
}

impl Arguments {
    fn settings(&self) -> Result<Settings, String> {
        // The parser of the command line has asked for all three.
        let (Some(cas), Some(user), Some(file)) = (&self.cas, &self.user, &self.password_file)
        else {
            return Err("--cas, --user and --password-file are needed".to_owned());
        };
        if self.wait && file == Path::new("-") {
            return Err("--wait and --password-file - both read standard input".to_owned());
        }
        let mut settings = Settings::new(cas, user, password::first_line(file)?);
        settings.service_url_base.clone_from(&self.service_url_base);
        settings.listen = self.listen;
        settings.callback_listen = self.callback_listen;
        settings
            .callback_url_base
            .clone_from(&self.callback_url_base);
        if let Some(service) = &self.unregistered_service {
            settings.unregistered_service.clone_from(service);
        }
        settings.ca_file.clone_from(&self.ca_file);
        settings.ticket_lifetime = self.ticket_lifetime.map(Duration::from_secs);
        settings.patience = Duration::from_secs(self.patience);
        Ok(settings)
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("cannot write {}: {error}", file.display()))
}
