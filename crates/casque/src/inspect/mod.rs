//! `casque inspect`: reads one message or value and prints as JSON what casque makes of it.

mod message;
mod value;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use casque_proto::{Endpoint, ReadOptions, Tolerance};
use casque_store::{Clock as _, SystemClock};
use clap::{Args, ValueEnum};
use serde_json::Value;

/// Read one CAS message and print what casque makes of it, as JSON.
///
/// The exit status is 0 if it could be read, even if it says no or is refused: a ticket that breaks the grammar or a
/// service that is not allowed is an answer, see `accepted`, `allowed_syntax` or `decision`. It is 1 if a message is in
/// error, in which case `class` names the kind of error, and 2 if the command itself is wrong.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// What is read.
    kind: Kind,

    /// The file that holds it, byte for byte; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,

    /// The HTTP status that came with the message.
    #[arg(long, default_value_t = 200)]
    status: u16,

    /// service-response: the endpoint that was asked, such as p3/serviceValidate. Only a proxyValidate endpoint takes
    /// users who come through a proxy.
    #[arg(long)]
    endpoint: Option<String>,

    /// Read a habit of some servers that is refused otherwise: `missing_namespace`, `undeclared_prefix` or `latin1`. Can be given
    /// several times.
    #[arg(long, value_name = "NAME")]
    tolerate: Vec<String>,

    /// service-response: a chain of proxies that is allowed, the most recent first. Can be given several times.
    #[arg(long, value_name = "URL,URL")]
    allow_chain: Vec<String>,

    /// redirect-target: the application's own origin, such as `https://app.example.org`.
    #[arg(long, value_name = "ORIGIN")]
    own_origin: Option<String>,

    /// redirect-target: a path that receives tickets, where nobody is sent. Can be given several times.
    #[arg(long, value_name = "PATH", default_value = "/cas/callback")]
    callback_path: Vec<String>,

    /// saml-request: the parameter TARGET of the query.
    #[arg(long, value_name = "URL")]
    target: Option<String>,

    /// saml-response: the service that the answer must be for; --target says the same.
    #[arg(long, value_name = "URL")]
    service: Option<String>,

    /// saml-response: the time to judge it by, such as 2024-05-01T12:00:00Z; without it, the time of this machine.
    #[arg(long, value_name = "TIME")]
    now: Option<String>,

    /// saml-response: how many seconds the clocks may differ; 5 if nothing is said.
    #[arg(long, value_name = "SECONDS")]
    tolerance: Option<u64>,

    /// saml-response: the id of the request that it must answer.
    #[arg(long, value_name = "ID")]
    in_response_to: Option<String>,

    /// logout-request: the HTTP method, POST (the file is the body) or GET (the file is the query).
    #[arg(long)]
    method: Option<String>,

    /// logout-request: the media type of the body.
    #[arg(long, value_name = "TYPE")]
    content_type: Option<String>,

    /// logout-request: messages through the browser are switched on.
    #[arg(long)]
    front_channel: bool,

    /// rest-response: the base URL of the CAS server.
    #[arg(long, value_name = "URL")]
    base: Option<String>,

    /// ticket: the kind that is wanted; without it, any.
    #[arg(long, value_name = "st|pt|pgt|pgtiou|tgt|lt")]
    ticket_kind: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// The answer of /serviceValidate or /proxyValidate, XML or JSON.
    ServiceResponse,
    /// The answer of /proxy, XML or JSON.
    ProxyResponse,
    /// A single logout message: form body, query string, or the XML itself.
    LogoutRequest,
    /// The answer of /samlValidate.
    SamlResponse,
    /// What is posted to /samlValidate.
    SamlRequest,
    /// The answer of /validate.
    Cas1Response,
    /// An answer of the REST protocol, as JSON with operation, status, headers and body.
    RestResponse,
    /// A ticket, without a line break at its end.
    Ticket,
    /// A service, without a line break at its end.
    ServiceUrl,
    /// Where a browser asks to be sent after login.
    RedirectTarget,
}

/// What became of the input.
#[derive(Debug)]
enum Outcome {
    /// It could be read; a refusal is an answer too.
    Read(Value),
    /// It is in error.
    Error(Value),
}

/// Runs the command; the result is its exit status.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let input = match read(&arguments.file) {
        Ok(input) => input,
        Err(error) => {
            return misuse(&format!(
                "cannot read {}: {error}",
                arguments.file.display()
            ));
        }
    };
    let outcome = match arguments.kind {
        Kind::ServiceResponse => message::service_response(&input, arguments),
        Kind::ProxyResponse => message::proxy_response(&input, arguments),
        Kind::LogoutRequest => message::logout_request(&input, arguments),
        Kind::SamlResponse => message::saml_response(&input, arguments),
        Kind::SamlRequest => message::saml_request(&input, arguments),
        Kind::Cas1Response => message::cas1_response(&input, arguments),
        Kind::RestResponse => message::rest_response(&input, arguments),
        Kind::Ticket => value::ticket(&input, arguments),
        Kind::ServiceUrl => Ok(value::service_url(&input)),
        Kind::RedirectTarget => value::redirect_target(&input, arguments),
    };
    match outcome {
        Ok(Outcome::Read(json)) => print(&json, ExitCode::SUCCESS),
        Ok(Outcome::Error(json)) => print(&json, ExitCode::from(1)),
        Err(message) => misuse(&message),
    }
}

impl Arguments {
    /// What a reader should know, from `--status`, `--tolerate`, `--allow-chain` and `--endpoint`.
    fn read_options(&self) -> Result<ReadOptions, String> {
        let mut options = ReadOptions::default().status(self.status);
        for name in &self.tolerate {
            let tolerance = Tolerance::from_name(name).ok_or_else(|| {
                let known = Tolerance::ALL.map(Tolerance::name).join(", ");
                format!("no tolerance is called {name}: there are {known}")
            })?;
            options = options.with_tolerance(tolerance);
        }
        for chain in &self.allow_chain {
            options = options.allow_proxy_chain(chain.split(',').map(str::trim));
        }
        if let Some(path) = &self.endpoint {
            let endpoint = Endpoint::from_path(path).ok_or_else(|| {
                let known = Endpoint::ALL.map(Endpoint::path).join(", ");
                format!("no endpoint is called {path}: there are {known}")
            })?;
            if !endpoint.accepts_proxied() {
                options = options.without_proxies();
            }
        }
        Ok(options)
    }

    fn now(&self) -> Result<SystemTime, String> {
        match &self.now {
            None => Ok(SystemClock::new().now()),
            Some(text) => {
                let moment: Result<jiff::Timestamp, _> = text.parse();
                moment
                    .map(SystemTime::from)
                    .map_err(|error| format!("--now {text}: {error}"))
            }
        }
    }
}

fn read(file: &Path) -> io::Result<Vec<u8>> {
    let mut input = Vec::new();
    if file == Path::new("-") {
        io::stdin()
            .lock()
            .take(MOST_BYTES)
            .read_to_end(&mut input)?;
    } else {
        File::open(file)?.take(MOST_BYTES).read_to_end(&mut input)?;
    }
    Ok(input)
}

fn print(json: &Value, code: ExitCode) -> ExitCode {
    match writeln!(io::stdout().lock(), "{json:#}") {
        Ok(()) => code,
        Err(error) => misuse(&format!("cannot write: {error}")),
    }
}

fn misuse(message: &str) -> ExitCode {
    // Nobody is left to tell if standard error is closed as well.
    let _ = writeln!(io::stderr().lock(), "error: {message}");
    ExitCode::from(2)
}

/// Enough to see that a message is too large, and no more.
const MOST_BYTES: u64 = 16 << 20;

const EXAMPLES: &str = "\
Examples:
  curl -s \"$CAS/p3/serviceValidate?service=$SERVICE&ticket=$TICKET\" | casque inspect service-response
  casque inspect service-response answer.xml --status 500 --tolerate missing_namespace
  casque inspect logout-request body.txt
  printf %s ST-1-abc | casque inspect ticket
  printf %s //evil.example | casque inspect redirect-target - --own-origin https://app.example.org";
