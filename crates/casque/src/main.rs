//! CAS single sign-on on the command line.

mod inspect;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// CAS single sign-on: a server, a demonstration, and tools for whoever debugs one.
#[derive(Debug, Parser)]
#[command(name = "casque", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Inspect(arguments) => inspect::run(&arguments),
    }
}
