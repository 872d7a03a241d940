//! CAS single sign-on on the command line.

mod bench;
mod conformance;
mod demo;
mod doctor;
mod inspect;
mod keys;
mod locked;
mod log;
mod login;
mod password;
mod runtime;
mod say;
mod serve;
mod service;
mod session;
mod signals;
mod store;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A server makes and drops many small values at once on all cores; see docs/figures.md for what this is worth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// CAS single sign-on: a server, a demonstration, and tools for whoever debugs one.
#[derive(Debug, Parser)]
#[command(name = "casque", version, about, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Demo(demo::Arguments),
    Serve(serve::Arguments),
    User(user::Arguments),
    Service(service::Arguments),
    Login(Box<login::Arguments>),
    Session(session::Arguments),
    Keys(keys::Arguments),
    Store(store::Arguments),
    Backup(store::Backup),
    Restore(store::Restore),
    Inspect(Box<inspect::Arguments>),
    Doctor(Box<doctor::Arguments>),
    Conformance(Box<conformance::Arguments>),
    Bench(Box<bench::Arguments>),
    /// Print docs/reference/configuration.md, as the tables of the program have it.
    #[command(hide = true)]
    ConfigReference,
}

fn main() -> ExitCode {
    // One TLS provider for the whole process, before anything asks for it. Only the first call can succeed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::parse().command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::User(arguments) => user::run(arguments),
        Command::Service(arguments) => service::run(arguments),
        Command::Session(arguments) => session::run(arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Store(arguments) => store::run(arguments),
        Command::Backup(arguments) => store::back_up(&arguments),
        Command::Restore(arguments) => store::restore(&arguments),
        Command::ConfigReference => {
            say::line(casque_server::configuration_reference().trim_end());
            ExitCode::SUCCESS
        }
        Command::Login(arguments) => login::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Inspect(arguments) => inspect::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    }
}
