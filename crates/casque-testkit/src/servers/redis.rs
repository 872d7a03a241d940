use std::{
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;
use tempfile::TempDir;

use super::{
    free_port, missing,
    process::{ServerProcess, find, output, write},
};
use crate::fake_cas::{Material, TlsMode};

/// How a [`RedisServer`] is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct RedisOptions {
    /// Run `valkey-server`, not `redis-server`.
    pub valkey: bool,
    /// Write every command to the disk before it is answered, and read them at the next start.
    pub durable: bool,
    /// Together with `durable`: write to the disk once a second, and answer before.
    pub everysec: bool,
    /// Accept TLS only, with a certificate of this kind; its root is in [`RedisServer::root_file`].
    pub tls: Option<TlsMode>,
    /// What clients must say; it is in [`RedisServer::password_file`].
    pub password: Option<&'static str>,
}

/// A Redis or Valkey of its own, on loopback. See [the module](crate::servers).
#[derive(Debug)]
pub struct RedisServer {
    program: PathBuf,
    arguments: Vec<String>,
    options: RedisOptions,
    port: u16,
    process: ServerProcess,
    folder: TempDir,
}

const READY: &str = "Ready to accept connections";

impl RedisServer {
    /// Whether the program that the options name is there.
    pub fn is_installed(options: RedisOptions) -> bool {
        find(program(options), &[]).is_some()
    }

    /// Starts it and waits until it answers; `None` where it is not installed.
    ///
    /// # Panics
    ///
    /// Where it does not start, or is missing with `CI` set.
    pub fn start(options: RedisOptions) -> Option<Self> {
        let name = program(options);
        let Some(program) = find(name, &[]) else {
            missing(name);
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut said = String::new();
        // Somebody else may take the port before it does.
        for _ in 0..5 {
            let port = free_port();
            let arguments = arguments(options, port, folder.path());
            match ServerProcess::start(Command::new(&program).args(&arguments), READY) {
                Ok(process) => {
                    return Some(Self {
                        program,
                        arguments,
                        options,
                        port,
                        process,
                        folder,
                    });
                }
                Err(words) => said = words,
            }
        }
        panic!("{name} does not start: {said}");
    }

    /// Its URL for `casque_store::open`, with the files that it needs.
    pub fn url(&self) -> String {
        let mut url = if self.options.tls.is_some() {
            format!(
                "rediss://127.0.0.1:{}/0?ca_file={}",
                self.port,
                self.root_file().display()
            )
        } else {
            format!("redis://127.0.0.1:{}/0", self.port)
        };
        if self.options.password.is_some() {
            url.push(if url.contains('?') { '&' } else { '?' });
            url.push_str("password_file=");
            url.push_str(&self.password_file().display().to_string());
        }
        url
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The root of its certificate.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A file with its password.
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// The file that a durable server adds commands to, unless it has rewritten it.
    pub fn append_only_file(&self) -> PathBuf {
        let folder = self.folder.path().join("appendonlydir");
        if self.options.valkey || folder.is_dir() {
            folder.join("appendonly.aof.1.incr.aof")
        } else {
            // Before Redis 7.
            self.folder.path().join("appendonly.aof")
        }
    }

    /// Ends it as an operator does (SIGTERM), and waits.
    pub fn stop(&mut self) {
        self.process.signal(Signal::TERM);
        self.process.wait();
    }

    /// Ends it as a crash does (SIGKILL), and waits.
    pub fn kill(&mut self) {
        self.process.signal(Signal::KILL);
        self.process.wait();
    }

    /// Starts it again on the same port and folder.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start_again(&mut self) {
        self.process =
            ServerProcess::start(Command::new(&self.program).args(&self.arguments), READY)
                .unwrap_or_else(|said| panic!("it does not start again: {said}"));
    }

    /// Stops it without ending it (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.process.signal(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.signal(Signal::CONT);
    }

    /// What `redis-cli` answers to a command.
    ///
    /// # Panics
    ///
    /// Where the command fails.
    pub fn cli(&self, arguments: &[&str]) -> String {
        let name = if self.options.valkey {
            "valkey-cli"
        } else {
            "redis-cli"
        };
        let mut command = Command::new(self.program.with_file_name(name));
        command.args(["-p", &self.port.to_string()]);
        if self.options.tls.is_some() {
            command.args(["--tls", "--insecure"]);
        }
        if let Some(password) = self.options.password {
            command.env("REDISCLI_AUTH", password);
        }
        output(command.args(arguments))
    }

    /// How many records and members it holds under a prefix.
    ///
    /// # Panics
    ///
    /// Where it does not answer.
    pub fn held(&self, prefix: &str) -> usize {
        const COUNT: &str = "local held = 0
            for _, name in ipairs(redis.call('KEYS', ARGV[1])) do
              assert(redis.call('PTTL', name) > 0, 'a key without a time to live')
              held = held + (redis.call('TYPE', name).ok == 'zset' and redis.call('ZCARD', name) or 1)
            end
            return held";
        let held = self.cli(&["EVAL", COUNT, "0", &format!("{prefix}:[rs]:*")]);
        held.parse().unwrap_or_else(|_| panic!("no number: {held}"))
    }
}

fn program(options: RedisOptions) -> &'static str {
    if options.valkey {
        "valkey-server"
    } else {
        "redis-server"
    }
}

fn arguments(options: RedisOptions, port: u16, folder: &Path) -> Vec<String> {
    let plain_port = if options.tls.is_some() { 0 } else { port };
    let mut arguments = vec![
        "--bind".to_owned(),
        "127.0.0.1".to_owned(),
        "--port".to_owned(),
        plain_port.to_string(),
        "--dir".to_owned(),
        folder.display().to_string(),
        "--save".to_owned(),
        String::new(),
    ];
    let mut add = |name: &str, value: &str| {
        arguments.push(name.to_owned());
        arguments.push(value.to_owned());
    };
    if options.durable {
        add("--appendonly", "yes");
        add(
            "--appendfsync",
            if options.everysec {
                "everysec"
            } else {
                "always"
            },
        );
    }
    if let Some(password) = options.password {
        write(folder, "password", &format!("{password}\n"));
        add("--requirepass", password);
    }
    if let Some(mode) = options.tls {
        let material = Material::new(mode);
        write(folder, "root.pem", material.root_pem());
        let certificate = write(folder, "certificate.pem", material.certificate_pem());
        let key = write(folder, "key.pem", material.key_pem());
        add("--tls-port", &port.to_string());
        add("--tls-auth-clients", "no");
        add("--tls-cert-file", &certificate.display().to_string());
        add("--tls-key-file", &key.display().to_string());
        add(
            "--tls-ca-cert-file",
            &folder.join("root.pem").display().to_string(),
        );
    }
    arguments
}
