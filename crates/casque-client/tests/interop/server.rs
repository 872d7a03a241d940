//! Starts a server of `interop/servers`, each on a free port and in a folder of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running server; it ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    ready: serde_json::Value,
    _folder: TempDir,
}

impl Server {
    fn start(command: &mut Command, script: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut child = command
            .arg(root().join("interop/servers").join(script))
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let ready = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("{script} did not start: {line:?}"));
        Self {
            child,
            ready,
            _folder: folder,
        }
    }

    pub(crate) fn cas_url(&self) -> &str {
        self.ready["cas_url"].as_str().unwrap()
    }

    pub(crate) fn username(&self) -> &str {
        self.ready["username"].as_str().unwrap()
    }

    pub(crate) fn password(&self) -> &str {
        self.ready["password"].as_str().unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its standard input tells it to stop, with all it has started.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// `django-cas-server` from `PyPI`.
pub(crate) fn django_cas_server() -> Option<Server> {
    let python = root().join("target/python/bin/python");
    if !works(Command::new(&python).args(["-c", "import cas_server"])) {
        return skipped(
            "django-cas-server is not in target/python (scripts/install-test-needs puts it there)",
        );
    }
    Some(Server::start(
        &mut Command::new(python),
        "django_cas_server.py",
    ))
}

/// `LemonLDAP::NG` from Debian.
pub(crate) fn lemonldap() -> Option<Server> {
    let modules = [
        "-MLemonldap::NG::Common::Conf",
        "-MIO::String",
        "-MXML::Simple",
        "-MHTTP::Server::PSGI",
        "-e",
        "1",
    ];
    if !works(Command::new("perl").args(modules)) {
        return skipped(
            "LemonLDAP::NG is not installed (scripts/install-test-needs does that on Debian)",
        );
    }
    Some(Server::start(&mut Command::new("perl"), "lemonldap.pl"))
}

fn works(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[expect(clippy::print_stdout, reason = "a skip is to be seen")]
fn skipped(reason: &str) -> Option<Server> {
    assert!(std::env::var_os("CI").is_none(), "{reason}");
    println!("skipped: {reason}");
    None
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}
