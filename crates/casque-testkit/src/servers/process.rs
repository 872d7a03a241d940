use std::{
    io::{BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

/// The process of a server, which is killed, by its process id, when this is dropped.
#[derive(Debug)]
pub(super) struct ServerProcess(Child);

impl ServerProcess {
    /// Starts it and waits for a line of its log with `ready` in it. `Err` has what it said instead.
    pub(super) fn start(command: &mut Command, ready: &str) -> Result<Self, String> {
        let (log, end) = std::io::pipe().expect("a pipe");
        let child = command
            .stdin(Stdio::null())
            .stdout(end.try_clone().expect("the same pipe"))
            .stderr(end)
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        // The command holds the writing end, too; without this the log would never end.
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let process = Self(child);
        let mut log = BufReader::new(log);
        let mut said = String::new();
        while log.read_line(&mut said).expect("its log is text") > 0 {
            if said
                .lines()
                .next_back()
                .is_some_and(|line| line.contains(ready))
            {
                // Keep reading, so that it never blocks on a full pipe.
                std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
                return Ok(process);
            }
        }
        Err(said)
    }

    pub(super) fn signal(&self, signal: Signal) {
        send(self.0.id(), signal);
    }

    /// Sends a signal to the process and to those that it has started.
    pub(super) fn signal_all(&self, signal: Signal) {
        let id = self.0.id();
        // Itself first: when it is stopped, it starts no more.
        self.signal(signal);
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children"))
            .expect("a kernel that lists children");
        for child in children.split_whitespace() {
            send(child.parse().expect("a process id"), signal);
        }
    }

    pub(super) fn wait(&mut self) {
        self.0.wait().expect("it ends");
    }
}

fn send(id: u32, signal: Signal) {
    let id = i32::try_from(id).ok().and_then(Pid::from_raw);
    // One that has ended meanwhile needs no signal.
    let _ = kill_process(id.expect("a process id"), signal);
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Where a program is: on the search path, or in one of the folders.
pub(super) fn find(program: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .iter()
        .cloned()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// The standard output of a command that must succeed.
pub(super) fn output(command: &mut Command) -> String {
    let output = command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(super) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let file = folder.join(name);
    std::fs::write(&file, text).expect("a file in the folder");
    file
}
