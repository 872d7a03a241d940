use std::{
    fs,
    os::unix::{
        fs::{MetadataExt, PermissionsExt, chown},
        process::CommandExt,
    },
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

/// How a [`PostgresServer`] is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct PostgresOptions {
    /// Flush commits to the disk. Not needed to survive the end of the process.
    pub flushed: bool,
    /// Accept TLS only, with a certificate of this kind; its root is in [`PostgresServer::root_file`].
    pub tls: Option<TlsMode>,
    /// What clients must say; it is in [`PostgresServer::password_file`].
    pub password: Option<&'static str>,
}

/// A PostgreSQL of its own, on loopback. See [the module](crate::servers).
///
/// PostgreSQL refuses to run as root: then it runs as the user nobody.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    options: PostgresOptions,
    port: u16,
    process: ServerProcess,
    folder: TempDir,
}

const READY: &str = "database system is ready to accept connections";
const NOBODY: u32 = 65534;

impl PostgresServer {
    /// Makes a cluster, starts it and waits until it answers; `None` where it is not installed.
    ///
    /// # Panics
    ///
    /// Where it does not start, or is missing with `CI` set.
    pub fn start(options: PostgresOptions) -> Option<Self> {
        let Some(programs) = programs() else {
            missing("postgresql");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let is_root = fs::metadata(folder.path()).expect("the folder").uid() == 0;
        set_up(options, &programs, folder.path(), is_root);
        let mut said = String::new();
        for _ in 0..5 {
            let port = free_port();
            let mut command = server(options, &programs, folder.path(), port, is_root);
            match ServerProcess::start(&mut command, READY) {
                Ok(process) => {
                    return Some(Self {
                        programs,
                        options,
                        port,
                        process,
                        folder,
                    });
                }
                Err(words) => said = words,
            }
        }
        panic!("postgres does not start: {said}");
    }

    /// Its URL for `casque_store::open`, with the files that it needs.
    pub fn url(&self) -> String {
        let mut options = Vec::new();
        if self.options.tls.is_some() {
            options.push(format!("tls=on&ca_file={}", self.root_file().display()));
        }
        if self.options.password.is_some() {
            options.push(format!("password_file={}", self.password_file().display()));
        }
        let mark = if options.is_empty() { "" } else { "?" };
        format!(
            "postgres://casque@127.0.0.1:{}/postgres{mark}{}",
            self.port,
            options.join("&")
        )
    }

    /// The root of its certificate.
    pub fn root_file(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// A file with its password.
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// Ends it as an operator in a hurry does (SIGINT: nobody is waited for), and waits.
    pub fn stop(&mut self) {
        self.process.signal(Signal::INT);
        self.process.wait();
    }

    /// Ends it as a crash does (SIGQUIT: nothing is tidied up), and waits.
    pub fn kill(&mut self) {
        self.process.signal(Signal::QUIT);
        self.process.wait();
    }

    /// Starts it again on the same port and folder.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub fn start_again(&mut self) {
        let is_root = fs::metadata(self.folder.path().join("root")).is_ok();
        let mut command = server(
            self.options,
            &self.programs,
            self.folder.path(),
            self.port,
            is_root,
        );
        self.process = ServerProcess::start(&mut command, READY)
            .unwrap_or_else(|said| panic!("it does not start again: {said}"));
    }

    /// Stops it and its sessions without ending them (SIGSTOP): it accepts connections and answers nothing.
    pub fn pause(&self) {
        self.process.signal_all(Signal::STOP);
    }

    /// Lets it go on after [`pause`](Self::pause).
    pub fn resume(&self) {
        self.process.signal_all(Signal::CONT);
    }

    /// What `psql` answers to SQL, without ornament.
    ///
    /// # Panics
    ///
    /// Where the SQL fails.
    pub fn sql(&self, sql: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "casque", "-d", "postgres", "-v", "ON_ERROR_STOP=1"])
            .args(["-XAtqc", sql])
            .env("PGPASSWORD", self.options.password.unwrap_or_default());
        output(&mut command)
    }

    /// How many records and members it holds in a schema.
    ///
    /// # Panics
    ///
    /// Where it does not answer, or there is no store in the schema.
    pub fn held(&self, schema: &str) -> usize {
        let held = self.sql(&format!(
            "SELECT (SELECT count(*) FROM {schema}.record) + (SELECT count(*) FROM {schema}.member)"
        ));
        held.parse().unwrap_or_else(|_| panic!("no number: {held}"))
    }
}

/// The folder of the newest version: Debian keeps the server off the search path.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    let mut folders: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    folders.sort_by(|a, b| b.cmp(a));
    let folders: Vec<PathBuf> = folders.into_iter().map(|(_, folder)| folder).collect();
    let initdb = find("initdb", &folders)?;
    Some(initdb.parent()?.to_owned())
}

fn set_up(options: PostgresOptions, programs: &Path, folder: &Path, is_root: bool) {
    if is_root {
        write(folder, "root", "");
        chown(folder, Some(NOBODY), Some(NOBODY)).expect("the folder for nobody");
    }
    let mut command = as_nobody(Command::new(programs.join("initdb")), folder, is_root);
    command
        .args([
            "--no-sync",
            "--no-instructions",
            "--encoding=UTF8",
            "--locale=C",
        ])
        .args(["--username=casque", "--pgdata"])
        .arg(folder.join("data"));
    if let Some(password) = options.password {
        let file = write(folder, "password", &format!("{password}\n"));
        command
            .arg("--auth=scram-sha-256")
            .arg(format!("--pwfile={}", file.display()));
    } else {
        command.arg("--auth=trust");
    }
    output(&mut command);
    if let Some(mode) = options.tls {
        let material = Material::new(mode);
        write(folder, "root.pem", material.root_pem());
        write(folder, "certificate.pem", material.certificate_pem());
        let key = write(folder, "key.pem", material.key_pem());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("its own file");
        if is_root {
            chown(&key, Some(NOBODY), Some(NOBODY)).expect("the key for nobody");
        }
        let how = if options.password.is_some() {
            "scram-sha-256"
        } else {
            "trust"
        };
        write(
            &folder.join("data"),
            "pg_hba.conf",
            &format!("hostssl all all 127.0.0.1/32 {how}\n"),
        );
    }
}

fn server(
    options: PostgresOptions,
    programs: &Path,
    folder: &Path,
    port: u16,
    is_root: bool,
) -> Command {
    let mut command = as_nobody(Command::new(programs.join("postgres")), folder, is_root);
    command.arg("-D").arg(folder.join("data"));
    let mut set = |name: &str, value: &str| {
        command.arg("-c").arg(format!("{name}={value}"));
    };
    set("port", &port.to_string());
    set("listen_addresses", "127.0.0.1");
    set("unix_socket_directories", &folder.display().to_string());
    set("fsync", if options.flushed { "on" } else { "off" });
    set("lc_messages", "C");
    if options.tls.is_some() {
        set("ssl", "on");
        set(
            "ssl_cert_file",
            &folder.join("certificate.pem").display().to_string(),
        );
        set(
            "ssl_key_file",
            &folder.join("key.pem").display().to_string(),
        );
    }
    command
}

fn as_nobody(mut command: Command, folder: &Path, is_root: bool) -> Command {
    command.current_dir(folder);
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}
