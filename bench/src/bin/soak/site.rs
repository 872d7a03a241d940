//! The files of a server with many people, whose passwords are hashed as cheaply as can be.

use std::{fmt::Write as _, fs, path::PathBuf, time::Duration};

use casque_server::{HashParams, Password, hash_password};
use tempfile::TempDir;

/// Everybody's; a soak is about something else.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// Said with the figures: a real hash costs some hundred times as much.
pub(crate) const HASH_COST: &str = "argon2id at m=64 KiB, t=1, p=1";

/// As short as the configuration allows, so that the number of sessions is steady soon.
pub(crate) const IDLE: Duration = Duration::from_mins(1);
/// The longest that a session lives, and what services are kept for its logout.
pub(crate) const ABSOLUTE: Duration = Duration::from_mins(2);
/// How often a server removes what has expired.
pub(crate) const SWEEP: Duration = Duration::from_secs(30);

/// A folder with `casque.toml`, `people.toml` and `services/`.
pub(crate) struct Site {
    folder: TempDir,
}

impl Site {
    pub(crate) fn new(people: usize) -> Self {
        let site = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        let cost = HashParams::new(64, 1, 1).expect("a cost");
        let password = Password::new(PASSWORD).expect("short");
        // One salt for all: it takes the same time to check.
        let hash = hash_password(&password, cost);
        let mut text = String::new();
        for number in 0..people {
            let user = user(number);
            let _ = write!(
                text,
                "[{user}]\npassword = \"{hash}\"\n\
                 attributes = {{ mail = [\"{user}@example.org\"], memberOf = [\"staff\", \"physics\"] }}\n"
            );
        }
        fs::write(site.file("people.toml"), text).expect("a file of people");
        fs::create_dir(site.file("services")).expect("a folder");
        fs::write(
            site.file("services/loopback.toml"),
            "id = \"loopback\"\norigin = \"http://127.0.0.1\"\nany_port = true\nallow_http = true\nattributes = \"all\"\n",
        )
        .expect("a service");
        site
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The name of a person.
pub(crate) fn user(number: usize) -> String {
    format!("user{number}")
}

/// The settings of the server at an address.
pub(crate) fn settings(address: std::net::SocketAddr) -> String {
    format!(
        "base_url = \"http://{address}/cas\"\n\
         [login]\nwindow = \"1 min\"\nform_lifetime = \"1 min\"\nmax_failures_per_network = 100000\n\
         [passwords]\nqueue = 10000\n\
         [sso]\nidle = \"{} s\"\nabsolute = \"{} s\"\n",
        IDLE.as_secs(),
        ABSOLUTE.as_secs()
    )
}
