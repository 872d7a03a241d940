//! `casque doctor`: says what is wrong between an application and its CAS server.

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use casque_app::Settings;
use casque_doctor::{Patient, Report, examine};
use casque_store::SystemClock;
use clap::Args;

use crate::{password, say};

/// Say what is wrong between an application and its CAS server, why it matters, and how to put it right.
///
/// Looks at the settings of an application as the application reads them (CAS_PROVIDER, SERVICE_URL and LOGIN_URL in the
/// environment, then in .env), at the CAS server from here, and, with --app, at the running application. Nothing is changed
/// anywhere; with --user one person logs in and two logins are counted. Run it where the application runs: what that machine
/// reaches and trusts is what matters.
///
/// The exit status is 0 if nothing is wrong (cautions included), 1 if there is a problem, and 2 if there is nothing to look at
/// or the command is wrong.
#[derive(Debug, Args)]
#[expect(
    clippy::doc_markdown,
    reason = "these words are shown in a terminal, where no mark-up is wanted"
)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// The base URL of the CAS server, such as `https://cas.example.org/cas`; without it, CAS_PROVIDER.
    #[arg(long, value_name = "URL")]
    cas: Option<String>,

    /// The file with the settings of the application; without it, `.env` in this folder, if it names one of them.
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,

    /// The running application, at the address that people type; best a page that asks for a login.
    #[arg(long, value_name = "URL")]
    app: Option<String>,

    /// The service of the application; without it, that of the settings.
    #[arg(long, value_name = "URL")]
    service: Option<String>,

    /// Who logs in, to see tickets and attributes.
    #[arg(long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,

    /// The file with their password in its first line; `-` is standard input.
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,

    /// Show the values of attributes, besides their names.
    #[arg(long)]
    values: bool,

    /// Trust the certificates in this PEM file too.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// How long an answer is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,

    /// Print JSON instead of a list.
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Examples:
  casque doctor                                           the settings of this folder's application
  casque doctor --cas https://cas.example.org/cas         a CAS server alone
  casque doctor --app https://app.example.org/ --cas https://cas.example.org/cas --user test --password-file -";

/// There is nothing to look at, or it was asked for wrongly.
const MISUSE: u8 = 2;

const NAMES: [&str; 3] = ["CAS_PROVIDER", "SERVICE_URL", "LOGIN_URL"];

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match arguments.patient().and_then(|patient| looked_at(&patient)) {
        Ok(report) => {
            if arguments.json {
                say::line(format_args!("{:#}", report.to_json()));
            } else {
                say::line(report.to_text());
            }
            ExitCode::from(u8::from(!report.is_healthy()))
        }
        Err(words) => say::error(words, MISUSE),
    }
}

fn looked_at(patient: &Patient) -> Result<Report, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the runtime cannot start: {error}"))?;
    let watched = io::stderr().is_terminal();
    let progress = |what: &str| {
        if watched {
            // One line that is written over, and gone at the end.
            let _ = write!(io::stderr(), "\r\x1b[K{} …", say::plain(what));
        }
    };
    let report = runtime.block_on(examine(patient, &SystemClock::new(), progress));
    if watched {
        let _ = write!(io::stderr(), "\r\x1b[K");
    }
    report.map_err(|misuse| misuse.to_string())
}

impl Arguments {
    fn patient(&self) -> Result<Patient, String> {
        let mut patient = Patient::default();
        patient.cas.clone_from(&self.cas);
        patient.service.clone_from(&self.service);
        patient.app.clone_from(&self.app);
        patient.username.clone_from(&self.user);
        patient.password = self
            .password_file
            .as_deref()
            .map(password::first_line)
            .transpose()?;
        patient.ca_file.clone_from(&self.ca);
        patient.show_values = self.values;
        patient.patience = Duration::from_secs(self.timeout);
        patient.env_file = self.settings_file()?;
        patient.environment = NAMES
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
            .collect();
        Ok(patient)
    }

    /// The text of the file that was named; else of `.env`, where it is about an application of CAS.
    fn settings_file(&self) -> Result<Option<String>, String> {
        if let Some(file) = &self.env_file {
            return match fs::read(file) {
                Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) => Err(format!("cannot read {}: {error}", file.display())),
            };
        }
        let text = match fs::read(".env") {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(format!(
                    "cannot read .env: {error}; --env-file names another"
                ));
            }
        };
        let is_about_cas = NAMES
            .iter()
            .any(|name| Settings::said(&text, |_| None, name).is_some());
        Ok(is_about_cas.then_some(text))
    }
}
