//! `casque login`: a ticket for a script.

mod form;

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use casque_client::{Assertion, Client, ClientError, Protocol, ServiceTicket, ServiceUrl};
use casque_visitor::{NoAnswer, Trace};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use url::Url;

use self::form::Browser;
use crate::password;
use crate::say::{self, FAILED};

/// Log in at a CAS server without a browser, and print a ticket for a service.
///
/// The server's own login form is filled in and its hidden fields are kept, whoever made the server; or, with --rest, the REST
/// protocol is spoken. The password is read from a file, standard input or the keyboard. It is sent to the server at --cas and
/// nowhere else, and never by plain http to another machine.
///
/// The exit status is 0 after a login, 1 if the server refuses (the message says what it said), 2 if the command is wrong,
/// and 3 if there is no usable answer, so that it may be tried again later.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of its own on the command line"
)]
pub(crate) struct Arguments {
    /// The server's base URL, such as `https://cas.example.org/cas`.
    #[arg(long, value_name = "URL")]
    cas: String,

    /// The application to log in to, as it is registered at the server.
    #[arg(long, value_name = "URL", required_unless_present = "get")]
    service: Option<String>,

    /// Who logs in.
    #[arg(long, value_name = "NAME")]
    user: String,

    /// The file with their password in its first line; `-` is standard input. Without it, the terminal is asked.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

    /// Fill in the server's login form. This is what is done if nothing is said.
    #[arg(long, conflicts_with = "rest")]
    form: bool,

    /// Speak the REST protocol, which most servers have turned off.
    #[arg(long)]
    rest: bool,

    /// Validate the ticket at once, print the user and their attributes, and log out.
    #[arg(long)]
    validate: bool,

    /// The version of CAS to validate with.
    #[arg(long, value_name = "1|2|3", default_value = "3", requires = "validate")]
    cas_version: Version,

    /// Print the address of the service with the ticket in it, as a browser would be sent there.
    #[arg(long, conflicts_with_all = ["validate", "json"])]
    url: bool,

    /// Open this page of an application instead, log in where it asks for it, and print the page.
    #[arg(long, value_name = "URL", conflicts_with_all = ["service", "rest", "validate", "url", "json"])]
    get: Option<Url>,

    /// A further field of the login form, such as one that chooses where a person is looked up.
    #[arg(long, value_name = "NAME=VALUE", value_parser = field, conflicts_with = "rest")]
    field: Vec<(String, String)>,

    /// Trust the certificates in this PEM file too, as the server's own.
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,

    /// How long a request may take.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// Print JSON.
    #[arg(long)]
    json: bool,

    /// Tell on standard error what was sent and what came back while the form was filled in, without secrets.
    #[arg(long, conflicts_with = "rest")]
    verbose: bool,
}

const EXAMPLES: &str = "\
Examples:
  casque login --cas https://cas.example.org/cas --service https://app.example.org/ --user ada --password-file pw
  casque login --cas https://cas.example.org/cas --service https://app.example.org/ --user ada --validate --json
  casque login --cas https://cas.example.org/cas --user ada --password-file pw --get https://app.example.org/report.csv";

/// A version of CAS.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    #[value(name = "1")]
    One,
    #[value(name = "2")]
    Two,
    #[value(name = "3")]
    Three,
}

/// Why there is no ticket.
enum Fault {
    /// The server says no.
    Refused { words: String, status: Option<u16> },
    /// The command is wrong.
    Misuse(String),
    /// The server cannot be reached, or what it answers is of no use.
    Unusable(String),
}

impl From<NoAnswer> for Fault {
    fn from(none: NoAnswer) -> Self {
        Self::Unusable(none.to_string())
    }
}

impl From<ClientError> for Fault {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::Refused { .. } | ClientError::RestRefused { .. } => Self::Refused {
                words: error.to_string(),
                status: error.status(),
            },
            ClientError::Misuse { .. } => Self::Misuse(error.to_string()),
            _ => Self::Unusable(error.to_string()),
        }
    }
}

/// What a login came to.
enum Done {
    Ticket {
        ticket: ServiceTicket,
        service: ServiceUrl,
        location: Option<String>,
    },
    User(Box<Assertion>, ServiceUrl),
    Page(casque_visitor::Answer),
}

const REFUSED: u8 = 1;
const MISUSE: u8 = 2;

pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let trace = Trace::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(arguments.log_in(&trace)),
        Err(error) => Err(Fault::Unusable(format!(
            "the runtime cannot start: {error}"
        ))),
    };
    if arguments.verbose {
        for exchange in trace.take() {
            let _ = writeln!(io::stderr(), "> {}\n< {}", exchange.sent, exchange.received);
        }
    }
    match outcome {
        Ok(done) => arguments.tell(&done),
        Err(fault) => arguments.complain(fault),
    }
}

impl Arguments {
    async fn log_in(&self, trace: &Trace) -> Result<Done, Fault> {
        let client = self.client()?;
        let service = self.service.as_deref().map(|service| {
            ServiceUrl::parse(service).map_err(|error| {
                Fault::Misuse(format!("--service {}: {error}", say::plain(service)))
            })
        });
        let service = service.transpose()?;
        let password = password::first_line_or_typed(self.password_file.as_deref(), &self.user)
            .map_err(Fault::Misuse)?;
        let who = (self.user.as_str(), password.as_str());
        match (service, &self.get) {
            (Some(service), _) if self.rest => self.by_rest(&client, service, who).await,
            (service, page) => {
                let reach = (self.ca_file.as_deref(), self.timeout());
                let mut browser = Browser::new(&client, reach, trace, who, &self.field)?;
                match (service, page) {
                    (Some(service), _) => self.by_form(&client, service, &mut browser).await,
                    (None, Some(page)) => {
                        let page = browser.get(page).await?;
                        browser.leave().await;
                        Ok(Done::Page(page))
                    }
                    (None, None) => Err(Fault::Misuse("--service or --get is needed".to_owned())),
                }
            }
        }
    }

    async fn by_form(
        &self,
        client: &Client,
        service: ServiceUrl,
        browser: &mut Browser<'_>,
    ) -> Result<Done, Fault> {
        let entered = browser.enter(client, &service).await?;
        if !self.validate {
            return Ok(Done::Ticket {
                ticket: entered.ticket,
                location: entered.location,
                service,
            });
        }
        let user = client.validate(&entered.ticket, &service).await;
        browser.leave().await;
        Ok(Done::User(Box::new(user?), service))
    }

    async fn by_rest(
        &self,
        client: &Client,
        service: ServiceUrl,
        (username, password): (&str, &str),
    ) -> Result<Done, Fault> {
        let rest = client.rest();
        let tgt = rest.log_in(username, password).await?;
        let ticket = match rest.service_ticket(&tgt, &service).await {
            Ok(ticket) => ticket,
            Err(error) => {
                // Nobody would use the session.
                let _ = rest.log_out(&tgt).await;
                return Err(error.into());
            }
        };
        if !self.validate {
            return Ok(Done::Ticket {
                ticket,
                service,
                location: None,
            });
        }
        let user = client.validate(&ticket, &service).await;
        let _ = rest.log_out(&tgt).await;
        Ok(Done::User(Box::new(user?), service))
    }

    fn client(&self) -> Result<Client, Fault> {
        let mut builder = Client::builder(&self.cas)
            .protocol(match self.cas_version {
                Version::One => Protocol::Cas1,
                Version::Two => Protocol::Cas2,
                Version::Three => Protocol::Cas3,
            })
            .timeout(self.timeout())
            .allow_plain_http();
        if let Some(file) = &self.ca_file {
            builder = builder.extra_roots_file(file);
        }
        builder
            .build()
            .map_err(|error| Fault::Misuse(format!("--cas {}: {error}", say::plain(&self.cas))))
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout)
    }

    fn tell(&self, done: &Done) -> ExitCode {
        match done {
            Done::Ticket {
                ticket,
                service,
                location,
            } => {
                let address = || match location {
                    Some(location) => location.clone(),
                    None => service.with_ticket("ticket", ticket),
                };
                if self.json {
                    say::line(json!({
                        "result": "logged_in",
                        "service": service.as_str(),
                        "ticket": ticket.secret(),
                        "url": address(),
                    }));
                } else if self.url {
                    say::line(address());
                } else {
                    say::line(ticket.secret());
                }
            }
            Done::User(user, service) if self.json => say::line(json!({
                "result": "logged_in",
                "service": service.as_str(),
                "user": user.user(),
                "attributes": attributes(user),
            })),
            Done::User(user, _) => {
                say::line(say::plain(user.user()));
                for (name, values) in user.attributes().iter() {
                    for value in values {
                        say::line(format_args!(
                            "  {}: {}",
                            say::plain(name),
                            say::plain(value)
                        ));
                    }
                }
            }
            Done::Page(page) => {
                // A reader that has gone away is no fault of ours.
                let mut out = io::stdout().lock();
                let _ = out.write_all(&page.body).and_then(|()| out.flush());
                if !page.status.is_success() {
                    let words = format!("the page answers {}", page.status);
                    return say::error(words, REFUSED);
                }
            }
        }
        ExitCode::SUCCESS
    }

    fn complain(&self, fault: Fault) -> ExitCode {
        match fault {
            Fault::Misuse(words) => say::error(words, MISUSE),
            Fault::Unusable(words) => {
                self.tell_failure("failed", &words, None);
                say::error(say::plain(&words), FAILED)
            }
            Fault::Refused { words, status } => {
                self.tell_failure("refused", &words, status);
                say::error(
                    format_args!("not logged in: {}", say::plain(&words)),
                    REFUSED,
                )
            }
        }
    }

    fn tell_failure(&self, result: &str, words: &str, status: Option<u16>) {
        if self.json {
            say::line(json!({"result": result, "message": words, "status": status}));
        }
    }
}

fn attributes(user: &Assertion) -> Value {
    let pairs = user.attributes().iter();
    Value::Object(
        pairs
            .map(|(name, values)| (name.to_owned(), json!(values)))
            .collect(),
    )
}

fn field(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("a field is written NAME=VALUE".to_owned()),
    }
}
