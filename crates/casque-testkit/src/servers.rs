//! Real servers that keep a store: Redis or Valkey, and PostgreSQL, from the packages of the machine.
//!
//! Each runs in a temporary folder of its own, listens on loopback only, and ends with its value. Where a program is not
//! installed, starting it prints why the test is skipped and gives `None`; with `CI` set it panics instead.

mod postgres;
mod process;
mod redis;

pub use self::{
    postgres::{PostgresOptions, PostgresServer},
    redis::{RedisOptions, RedisServer},
};

/// What every server of a store can be made to do.
pub trait StoreServer {
    /// The URL of a store on it.
    fn url(&self) -> String;

    /// Ends it in good order, and waits for that.
    fn stop(&mut self);

    /// Ends it as a crash does, and waits for that.
    fn kill(&mut self);

    /// Starts it again, on the same port and folder.
    fn start_again(&mut self);

    /// Makes it stand still: it takes what is sent and answers nothing.
    fn pause(&self);

    /// Lets it go on.
    fn resume(&self);
}

macro_rules! store_server {
    ($($name:ty)+) => {
        $(impl StoreServer for $name {
            fn url(&self) -> String {
                self.url()
            }

            fn stop(&mut self) {
                self.stop();
            }

            fn kill(&mut self) {
                self.kill();
            }

            fn start_again(&mut self) {
                self.start_again();
            }

            fn pause(&self) {
                self.pause();
            }

            fn resume(&self) {
                self.resume();
            }
        })+
    };
}

store_server!(RedisServer PostgresServer);

#[expect(
    clippy::print_stderr,
    reason = "a developer is to see what was not tested"
)]
fn missing(program: &str) {
    let reason = format!("{program} is not installed (see scripts/install-test-needs)");
    assert!(
        std::env::var_os("CI").is_none(),
        "{reason}; with CI set this is a failure"
    );
    eprintln!("skipped: {reason}");
}

/// A port that nothing listens on now.
fn free_port() -> u16 {
    std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .expect("a free loopback port")
        .port()
}
