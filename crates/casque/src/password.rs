//! A password for another server: from a file, standard input or the keyboard, never from an argument.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

use crate::say;

/// The first line of a file; `-` is standard input.
pub(crate) fn first_line(file: &Path) -> Result<String, String> {
    let text = if file == Path::new("-") {
        read(io::stdin().lock())
    } else {
        File::open(file).and_then(read)
    };
    let text = text.map_err(|error| format!("cannot read {}: {error}", file.display()))?;
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        return Err(format!("no password in {}", file.display()));
    }
    Ok(line.to_owned())
}

/// The first line of a file, or else what is typed at the terminal.
pub(crate) fn first_line_or_typed(file: Option<&Path>, name: &str) -> Result<String, String> {
    if let Some(file) = file {
        return first_line(file);
    }
    if !io::stdin().is_terminal() {
        return Err("give the password with --password-file FILE; - is standard input".to_owned());
    }
    let typed = rpassword::prompt_password(format!("Password for {}: ", say::plain(name)))
        .map_err(|error| format!("the password cannot be read: {error}"))?;
    if typed.is_empty() {
        return Err("the password is empty".to_owned());
    }
    Ok(typed)
}

fn read(input: impl Read) -> io::Result<String> {
    let mut text = String::new();
    input.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

const MOST_BYTES: u64 = 64 * 1024;
