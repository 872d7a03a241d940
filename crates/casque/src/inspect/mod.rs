//! `casque inspect`: reads one message or value and prints as JSON what casque makes of it.

mod value;

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

/// Read one CAS message and print what casque makes of it, as JSON.
///
/// The exit status is 0 if the message could be read, even if it says no or casque refuses the value, 1 if it is in
/// error (the JSON names the class), and 2 if the command itself is wrong.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// What is read.
    kind: Kind,

    /// The file that holds it, byte for byte; `-` is standard input.
    #[arg(default_value = "-")]
    file: PathBuf,

    /// ticket: the kind that is wanted; without it, any.
    #[arg(long, value_name = "st|pt|pgt|pgtiou|tgt|lt")]
    ticket_kind: Option<String>,

    /// redirect-target: the application's own origin, such as `https://app.example.org`.
    #[arg(long, value_name = "ORIGIN")]
    own_origin: Option<String>,

    /// redirect-target: a path that receives tickets, where nobody is sent. Can be given several times.
    #[arg(long, value_name = "PATH", default_value = "/cas/callback")]
    callback_path: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
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
    /// The command is used wrongly.
    Misuse(String),
}

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
        Kind::Ticket => value::ticket(&input, arguments),
        Kind::ServiceUrl => value::service_url(&input),
        Kind::RedirectTarget => value::redirect_target(&input, arguments),
    };
    match outcome {
        Outcome::Read(json) => print(&json, ExitCode::SUCCESS),
        Outcome::Misuse(message) => misuse(&message),
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
