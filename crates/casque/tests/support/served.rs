//! `casque serve` in a temporary folder, as an operator would set it up.

use std::{
    io::Write,
    net::TcpListener,
    path::PathBuf,
    process::{Command, Stdio},
};

use super::{Process, casque};

/// A folder with the configuration of a server, its people and its services.
pub struct Site {
    folder: tempfile::TempDir,
    pub base_url: String,
    port: u16,
}

impl Site {
    /// Alice and Bob; any service on loopback. `settings` are further lines of `casque.toml`.
    pub fn new(store: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let base_url = format!("http://127.0.0.1:{port}/cas");
        let site = Self {
            folder,
            base_url,
            port,
        };
        std::fs::create_dir(site.file("services")).expect("a folder");
        site.write(
            "casque.toml",
            &format!(
                "base_url = \"{}\"\nlisten = \"127.0.0.1:{port}\"\nstore = \"{store}\"\n\
                 people = \"people.toml\"\nservices = \"services/\"\n{settings}\n",
                site.base_url
            ),
        );
        site.write(
            "services/loopback.toml",
            "id = \"loopback\"\norigin = \"http://127.0.0.1\"\nany_port = true\nallow_http = true\nattributes = \"all\"\n",
        );
        site.add_person(
            "alice",
            "wonderland",
            &["mail=alice@example.org", "memberOf=staff", "memberOf=admin"],
        );
        site.add_person("bob", "builder of castles", &["mail=bob@example.org"]);
        site
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.file(name), text).expect("the file can be written");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// `casque user add`, the password on standard input.
    pub fn add_person(&self, name: &str, password: &str, attributes: &[&str]) {
        let mut command = casque();
        command
            .args(["user", "add", name, "--config"])
            .arg(self.file("casque.toml"));
        for attribute in attributes {
            command.args(["--attr", attribute]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("casque runs");
        writeln!(child.stdin.take().expect("stdin is piped"), "{password}")
            .expect("the password is read");
        assert!(
            child.wait().expect("it ends").success(),
            "casque user add {name}"
        );
    }

    pub fn command(&self) -> Command {
        let mut command = casque();
        command
            .args(["serve", "--config"])
            .arg(self.file("casque.toml"));
        command
    }

    /// Starts the server and waits until it listens.
    pub fn serve(&self) -> Process {
        self.serve_with(&mut self.command())
    }

    pub fn serve_with(&self, command: &mut Command) -> Process {
        let address = format!("127.0.0.1:{}", self.port);
        let (process, ()) =
            Process::start_until(command, |line| line.contains(&address).then_some(()));
        process
    }
}

/// A port that nothing listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it has an address").port()
}
