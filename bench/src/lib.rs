//! What the benchmarks share: a server with one person, a load driver, ratios of paired runs, and the name of the machine.

#![expect(clippy::print_stdout, reason = "benchmarks print their figures")]

mod house;
mod load;
mod ratio;

pub use house::House;
pub use load::{ask, drive, get, now};
pub use ratio::{Pairs, Spread, median_rate};

/// The allocator that the binary `casque` has.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Prints what the figures below were measured on.
pub fn print_machine() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(':').nth(1))
        .map_or("unknown processor", str::trim);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "machine: {model}, {cores} cores, {} {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
}
