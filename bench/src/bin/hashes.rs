//! Password hashes by themselves, for `bench/peers`.
//!
//! `hashes make MEMORY_KIB PASSES` reads a password from its standard input and prints its argon2id string. `hashes rate
//! SECONDS` reads a password and its string, a line each, and verifies it on every processor for that long; it prints how many
//! it did in a second.

#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    io,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

use argon2::{Argon2, PasswordVerifier as _, password_hash::phc::PasswordHash};
use casque_bench::now;
use casque_server::{HashParams, Password, hash_password};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<u32>().expect("a number");
    match *arguments {
        ["make", memory, passes] => {
            let cost = HashParams::new(number(memory), number(passes), 1).expect("a cost");
            let password = Password::new(line()).expect("a short password");
            println!("{}", hash_password(&password, cost));
        }
        ["rate", seconds] => {
            let (password, hash) = (line(), line());
            let seconds = Duration::from_secs(number(seconds).into());
            println!("{:.2}", rate(&password, &hash, seconds));
        }
        _ => panic!("hashes make MEMORY_KIB PASSES, or hashes rate SECONDS"),
    }
}

fn line() -> String {
    let line = io::stdin().lines().next().expect("a line");
    line.expect("text")
}

fn rate(password: &str, hash: &str, seconds: Duration) -> f64 {
    let hash = PasswordHash::new(hash).expect("an argon2id string");
    let verified = AtomicU64::new(0);
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let start = now();
    thread::scope(|scope| {
        for _ in 0..processors {
            scope.spawn(|| {
                while start.elapsed() < seconds {
                    let right = Argon2::default().verify_password(password.as_bytes(), &hash);
                    right.expect("the password of that hash");
                    verified.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let verified = u32::try_from(verified.into_inner()).expect("a number of seconds");
    f64::from(verified) / start.elapsed().as_secs_f64()
}
