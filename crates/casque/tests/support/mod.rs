//! What the tests that drive the real binary share: processes that end with the test, and a real browser.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::print_stderr,
    clippy::allow_attributes,
    reason = "each test binary uses its own part of the support"
)]

pub mod browser;
pub mod served;
pub mod visitor;

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

/// The binary under test.
pub fn casque() -> Command {
    Command::new(env!("CARGO_BIN_EXE_casque"))
}

/// The root of the project.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the manifest lies two folders below the root")
}

/// Says that a test is skipped; with `CI` set that is a failure.
pub fn skip(reason: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "{reason}; with CI set this is a failure (run scripts/install-test-needs)"
    );
    eprintln!("skipped: {reason}");
}

/// A child process that is killed, by its process id, when the test ends.
pub struct Process(Child);

impl Process {
    pub fn start(command: &mut Command) -> Self {
        Self(
            command
                .spawn()
                .unwrap_or_else(|error| panic!("{command:?}: {error}")),
        )
    }

    /// Starts a command and gives the first line of its standard output that `found` takes.
    pub fn start_until<T>(
        command: &mut Command,
        mut found: impl FnMut(&str) -> Option<T>,
    ) -> (Self, T) {
        let mut process = Self::start(command.stdout(Stdio::piped()));
        let mut lines = BufReader::new(process.0.stdout.take().expect("stdout is piped")).lines();
        let value = loop {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("{command:?} ended before it was ready"))
                .expect("its output is text");
            if let Some(value) = found(&line) {
                break value;
            }
        };
        // Keep reading, so that the child never blocks on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        (process, value)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends a signal by its name, such as `INT`.
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.id().to_string())
            .status()
            .expect("kill runs");
        assert!(status.success(), "kill -{name} {}", self.id());
    }

    pub fn wait(&mut self) -> std::process::ExitStatus {
        self.0.wait().expect("the child can be waited for")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `casque demo` on free ports.
pub struct Demo {
    pub process: Process,
    pub cas_url: String,
    pub app_url: String,
    pub users: Vec<(String, String)>,
}

impl Demo {
    pub fn start() -> Self {
        Self::start_with(&mut casque())
    }

    /// Starts it from a command that has been given an environment or files.
    pub fn start_with(command: &mut Command) -> Self {
        let (process, ready) = Process::start_until(
            command.args(["demo", "--json", "--cas-port", "0", "--app-port", "0"]),
            |line| serde_json::from_str::<serde_json::Value>(line).ok(),
        );
        let text = |value: &serde_json::Value| value.as_str().expect("text").to_owned();
        let users = ready["users"].as_array().expect("users is a list");
        Self {
            process,
            cas_url: text(&ready["cas_url"]),
            app_url: text(&ready["app_url"]),
            users: users
                .iter()
                .map(|user| (text(&user["username"]), text(&user["password"])))
                .collect(),
        }
    }
}
