//! A password from standard input or from the keyboard, never from an argument.

use std::io::{self, BufRead, BufReader, IsTerminal, Read};

use casque_server::{MAX_PASSWORD_BYTES, Password};

use crate::say;
use crate::say::Failure;

/// The least length that NIST SP 800-63B-4 asks of a password that is the only factor (S-section 5, ASVS V6.2.1).
/// Shorter ones are taken with a warning: whether there is a second factor, or a demonstration, casque cannot know.
const ADVISED_CHARACTERS: usize = 15;

/// One line of a pipe or file, or twice the same from the keyboard.
pub(super) fn ask(name: &str) -> Result<Password, Failure> {
    let password = if io::stdin().is_terminal() {
        prompt(name)?
    } else {
        read(io::stdin())?
    };
    if password.is_empty() {
        return Err(Failure::wrong("the password is empty"));
    }
    if password.characters() < ADVISED_CHARACTERS {
        say::warning(format_args!(
            "the password has {} characters; {ADVISED_CHARACTERS} or more are advised where it is the only thing \
             asked for",
            password.characters()
        ));
    }
    Ok(password)
}

fn prompt(name: &str) -> Result<Password, Failure> {
    let ask = |words: String| {
        let typed = rpassword::prompt_password(words)
            .map_err(|error| Failure::failed("the password cannot be read", &error))?;
        into_password(typed.into_bytes())
    };
    let first = ask(format!("Password for {}: ", say::plain(name)))?;
    let second = ask("The same again: ".to_owned())?;
    if first.is_same(&second) {
        Ok(first)
    } else {
        Err(Failure::wrong("the two passwords differ"))
    }
}

fn read(input: impl Read) -> Result<Password, Failure> {
    let failed = |error: io::Error| Failure::failed("the password cannot be read", &error);
    // Room for the longest password, a line end, and one byte that shows that it is longer.
    let most = MAX_PASSWORD_BYTES + 3;
    let mut input = BufReader::with_capacity(most, input);
    let mut line = Vec::with_capacity(most);
    (&mut input)
        .take(most as u64)
        .read_until(b'\n', &mut line)
        .map_err(failed)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        // Nothing is cut off in silence (S-062).
        if !input.buffer().is_empty() {
            return Err(Failure::wrong(
                "standard input holds more than one line; a password is one line",
            ));
        }
    }
    into_password(line)
}

fn into_password(bytes: Vec<u8>) -> Result<Password, Failure> {
    Password::new(bytes).map_err(|error| Failure::wrong(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn characters(input: &[u8]) -> Result<usize, String> {
        read(input)
            .map(|password| password.characters())
            .map_err(|failure| failure.words)
    }

    #[test]
    fn one_line_without_its_end() {
        assert_eq!(characters(b"wonderland\n"), Ok(10));
        assert_eq!(characters(b"wonderland\r\n"), Ok(10));
        assert_eq!(characters(b"wonderland"), Ok(10));
        assert_eq!(characters(" blanks and ünïcode \n".as_bytes()), Ok(20));
        assert_eq!(characters(b"\xff\xfe\n"), Ok(2));
        assert_eq!(characters(b""), Ok(0));
        assert_eq!(characters(b"\n"), Ok(0));
    }

    #[test]
    fn nothing_is_cut_off() {
        let most = "a".repeat(MAX_PASSWORD_BYTES);
        assert_eq!(
            characters(format!("{most}\r\n").as_bytes()),
            Ok(MAX_PASSWORD_BYTES)
        );
        for longer in ["a", "aa", "aaa", "aaaa"] {
            let told = characters(format!("{most}{longer}\n").as_bytes()).unwrap_err();
            assert_eq!(told, "the password is longer than 1024 bytes");
        }
        let told = characters(b"first\nsecond\n").unwrap_err();
        assert!(told.contains("more than one line"), "{told}");
    }
}
