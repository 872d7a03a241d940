//! A soak: the people of a campus come and go for as long as is asked, and the server's memory and records are watched.
//!
//! The server is a process of its own, this program once more; the load and the services that are told of logouts are
//! here. At the end everybody has left, every deadline has passed, and the store must be empty.
//! `scripts/proof soak` runs it with the figures of `docs/reliability.md`; `scripts/proof soak --seconds 60 --logins 6000`
//! tries it.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

mod judge;
mod served;
mod services;
mod site;

use std::{
    fs,
    path::PathBuf,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};

use casque_bench::{now, print_machine};
use casque_load::{Kind, Mix, Pace, Plan, Progress, User};
use clap::{Args, Parser, Subcommand};
use tokio::time::timeout;

use crate::{
    judge::{Outcome, Sample},
    served::Served,
    services::Services,
    site::Site,
};

/// Put a server under the load of a campus for long, and see whether memory stays and nothing is left behind.
#[derive(Debug, Parser)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Cli {
    #[command(subcommand)]
    part: Option<Command>,
    #[command(flatten)]
    soak: Soak,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The server alone; the soak starts it.
    #[command(hide = true)]
    Server(served::Arguments),
}

#[derive(Debug, Args)]
struct Soak {
    /// How long people come: 10 to 3600.
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800)]
    seconds: u64,

    /// How many people come, and log in with a password.
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    logins: u64,

    /// Services that each goes to after the first.
    #[arg(long, value_name = "N", default_value_t = 2)]
    visits: u64,

    /// How long they stay at each.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    gap: u64,

    /// One in N logs out; the others leave, and their sessions end by themselves.
    #[arg(long, value_name = "N", default_value_t = 4)]
    logout_every: u64,

    /// One in N mistypes the password first.
    #[arg(long, value_name = "N", default_value_t = 50)]
    wrong_every: u64,

    /// People who have an account.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    people: usize,

    /// Connections of the load.
    #[arg(long, value_name = "N", default_value_t = 64)]
    connections: usize,

    /// The store: `memory:`, `sqlite:`, or the URL of another.
    #[arg(long, value_name = "URL", default_value = "memory:")]
    store: String,

    /// A file for the result as JSON, with every sample.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    match cli.part {
        Some(Command::Server(arguments)) => {
            runtime.block_on(served::serve(&arguments));
            ExitCode::SUCCESS
        }
        None => runtime.block_on(soak(&cli.soak)),
    }
}

/// What the samples are held in while the load runs.
type Samples = Arc<Mutex<Vec<Sample>>>;

async fn soak(arguments: &Soak) -> ExitCode {
    print_machine();
    let services = Services::listen().await;
    let site = Site::new(arguments.people);
    let mut served = Served::start(&site, &arguments.store);
    let plan = plan(arguments, &services, &served);
    let Pace::Open { per_second } = plan.pace else {
        unreachable!("a campus has a rate");
    };
    println!(
        "store {}, {} people with an account, {}\n{} people log in, {per_second} a second for {} s; each goes to {} more \
         services, {} s at each;\none in {} logs out, one in {} mistypes the password first; sessions end after {} s \
         without use, after {} s at the latest",
        arguments.store,
        arguments.people,
        site::HASH_COST,
        arguments.logins,
        arguments.seconds,
        arguments.visits,
        arguments.gap,
        arguments.logout_every,
        arguments.wrong_every,
        site::IDLE.as_secs(),
        site::ABSOLUTE.as_secs(),
    );

    let started = now();
    let samples: Samples = Arc::default();
    served.sample(started, samples.clone());
    let report = casque_load::run(plan, |progress| tell(progress, &samples)).await;
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            println!("{error}");
            return ExitCode::from(2);
        }
    };
    let ended = started.elapsed();
    println!("everybody has left; waiting until the store is empty");
    let is_empty = wait_until_empty(&samples, ended).await;
    drop(served);

    let samples = std::mem::take(&mut *samples.lock().expect("nobody panicked"));
    let outcome = Outcome::new(
        report,
        samples,
        (arguments.seconds, arguments.visits, &arguments.store),
        services.told(),
        is_empty,
    );
    println!("\n{}", outcome.to_table());
    if let Some(file) = &arguments.json {
        fs::write(file, format!("{:#}\n", outcome.to_json())).expect("the file can be written");
    }
    ExitCode::from(u8::from(!outcome.is_good()))
}

fn plan(arguments: &Soak, services: &Services, served: &Served) -> Plan {
    let stay = arguments.gap * arguments.visits;
    assert!(
        arguments.gap < site::IDLE.as_secs() && stay < site::ABSOLUTE.as_secs(),
        "people would stay longer than their sessions live: make --gap or --visits smaller"
    );
    let users = (0..arguments.people).map(|number| User {
        name: site::user(number),
        password: site::PASSWORD.to_owned(),
    });
    let mut plan = Plan::new(&served.base, Kind::Campus, users.collect());
    plan.pace = Pace::Open {
        per_second: arguments.logins.div_ceil(arguments.seconds),
    };
    plan.count = Some(arguments.logins);
    // One more second than the rate needs, which is rounded up.
    plan.duration = Duration::from_secs(arguments.seconds + 1);
    plan.connections = arguments.connections;
    plan.mix = Mix {
        visits: arguments.visits,
        gap_seconds: arguments.gap,
        logout_every: arguments.logout_every,
        wrong_every: arguments.wrong_every,
    };
    let mut urls = services.urls();
    plan.service = urls.remove(0);
    plan.more_services = urls;
    if let Err(misuse) = plan.check() {
        panic!("{misuse}");
    }
    plan
}

/// A line every half a minute, and in the first one more often.
fn tell(progress: Progress, samples: &Samples) {
    let seconds = progress.elapsed.as_secs();
    if !seconds.is_multiple_of(if seconds < 60 { 10 } else { 30 }) {
        return;
    }
    let samples = samples.lock().expect("nobody panicked");
    let Some(last) = samples.last() else {
        return;
    };
    println!(
        "{seconds:>5} s  {:>9} operations, {} wrong; memory {:.1} MiB, records {}",
        progress.operations,
        progress.errors,
        last.mebibytes(),
        last.held,
    );
}

/// Sees the store empty, within the life of the longest session and three sweeps.
async fn wait_until_empty(samples: &Samples, ended: Duration) -> bool {
    let most = site::ABSOLUTE + 3 * site::SWEEP;
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    let empty = async {
        loop {
            ticks.tick().await;
            let samples = samples.lock().expect("nobody panicked");
            if samples
                .last()
                .is_some_and(|last| last.at > ended && last.held == 0)
            {
                break;
            }
        }
    };
    timeout(most, empty).await.is_ok()
}
