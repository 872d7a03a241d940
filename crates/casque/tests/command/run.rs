//! Runs the real binary once and keeps what it said.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::casque;

/// What a command said, and its exit status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `casque` in a folder of its own, with no `CASQUE_…` variable of ours.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = casque();
    command.args(arguments).current_dir(folder);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CASQUE_") {
            command.env_remove(name);
        }
    }
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Said {
    run_with(folder, arguments, b"")
}

pub(crate) fn run_with(folder: &Path, arguments: &[&str], input: &[u8]) -> Said {
    finish(&mut command(folder, arguments), input)
}

pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Said {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("casque runs");
    // It may refuse before it reads.
    let _ = child.stdin.take().expect("stdin is piped").write_all(input);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes| String::from_utf8(bytes).expect("its output is text");
    Said {
        status: output.status.code().expect("it was not killed"),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}
