use std::{
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use crate::{
    KeyHasher, StoreError,
    hex::{hex, unhex},
};

/// The secrets of a deployment as its file has them: one, or two while it is changed.
///
/// A file has a line of 64 hexadecimal digits for each. The first names what is written from now on; what the second has
/// named is found as well. A secret is changed without losing anything by steps of which each leaves nodes side by side
/// that find each other's records: first every node gets the new secret as its second, then as its first with the old one
/// as its second, and once nothing can be left of the old one, alone.
///
/// ```
/// use casque_store::KeyRing;
///
/// let old = KeyRing::random()?;
/// let both = old.clone().with_new()?;
/// assert_eq!(both.fingerprints()[0], old.fingerprints()[0], "the old one still names");
/// let new = both.swapped()?.without_second();
/// assert_ne!(new.fingerprints(), old.fingerprints());
/// assert_eq!(KeyRing::parse(&new.to_text()), Some(new));
/// # Ok::<_, casque_store::StoreError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRing {
    first: [u8; 32],
    second: Option<[u8; 32]>,
}

impl KeyRing {
    /// One new secret.
    ///
    /// # Errors
    ///
    /// Where the operating system gives no random bytes.
    pub fn random() -> Result<Self, StoreError> {
        Ok(Self {
            first: random_secret()?,
            second: None,
        })
    }

    /// Reads the text of a file: one or two different secrets. Nothing for another text.
    pub fn parse(text: &str) -> Option<Self> {
        let mut secrets = text
            .lines()
            .map(str::trim_ascii)
            .filter(|line| !line.is_empty())
            .map(|line| unhex(line)?.try_into().ok());
        let (first, second) = (secrets.next()??, secrets.next());
        let second = match second {
            Some(second) => Some(second?),
            None => None,
        };
        (secrets.next().is_none() && second != Some(first)).then_some(Self { first, second })
    }

    /// The text of a file.
    pub fn to_text(&self) -> String {
        [Some(self.first), self.second]
            .into_iter()
            .flatten()
            .map(|secret| hex(&secret) + "\n")
            .collect()
    }

    /// Reads a file; makes it with a new secret, readable by its owner only, where there is none.
    ///
    /// For a store that outlives the process. Processes that start at the same moment agree on one secret, and a crash
    /// leaves a whole file or none. The folder must exist. Blocks on the file, so call it before serving.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] where the file holds something else, [`StoreError::Unavailable`] where it cannot be read or made.
    pub fn from_file(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| {
            StoreError::unavailable(format!("{} cannot be read or made", path.display()), error)
        };
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_file(path, &Self::random()?.to_text()).map_err(failed)?;
                fs::read_to_string(path)
            }
            read => read,
        };
        Self::parse(&text.map_err(failed)?).ok_or_else(|| {
            StoreError::misuse(format!(
                "{} does not hold a store key (64 hexadecimal digits; two lines while it is changed): restore it, or \
                 remove it and lose the sessions it names",
                path.display()
            ))
        })
    }

    /// What turns tickets into keys by these secrets.
    pub fn hasher(&self) -> KeyHasher {
        let hasher = KeyHasher::new(&self.first);
        match &self.second {
            Some(second) => hasher.with_second(KeyHasher::new(second)),
            None => hasher,
        }
    }

    /// As [`KeyHasher::fingerprints`].
    pub fn fingerprints(&self) -> Vec<String> {
        self.hasher().fingerprints()
    }

    /// The same with a new secret as the second.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] where there are two already, and where the operating system gives no random bytes.
    pub fn with_new(self) -> Result<Self, StoreError> {
        match self.second {
            None => Ok(Self {
                second: Some(random_secret()?),
                ..self
            }),
            Some(_) => Err(StoreError::misuse("there are two keys already")),
        }
    }

    /// The same with the second secret first.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] where there is one alone.
    pub fn swapped(self) -> Result<Self, StoreError> {
        match self.second {
            Some(second) => Ok(Self {
                first: second,
                second: Some(self.first),
            }),
            None => Err(StoreError::misuse("there is one key alone")),
        }
    }

    /// The first secret alone.
    #[must_use]
    pub fn without_second(self) -> Self {
        Self {
            second: None,
            ..self
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyRing(…)")
    }
}

pub(crate) fn random_secret() -> Result<[u8; 32], StoreError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| {
        StoreError::unavailable("the operating system gave no random bytes", error)
    })?;
    Ok(secret)
}

/// Writes a file of another name and links it into place, where a file that somebody else has made meanwhile stays.
fn make_file(path: &Path, text: &str) -> io::Result<()> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(io::Error::other)?;
    let draft = path.with_added_extension(hex(&unique));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let linked = options
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&draft);
    linked.and(removed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Key;

    #[test]
    fn a_change_of_secrets_step_by_step() {
        let old = KeyRing::random().expect("random bytes");
        let spread = old.clone().with_new().expect("random bytes");
        let promoted = spread.clone().swapped().expect("two");
        let new = promoted.clone().without_second();
        let key = |ring: &KeyRing| Key::new("st", b"X", &ring.hasher());
        assert_eq!(key(&spread).first(), key(&old));
        assert_eq!(
            key(&promoted),
            Key::new(
                "st",
                b"X",
                &new.hasher()
                    .with_second(old.hasher())
                    .with_second(old.hasher())
            )
        );
        assert_eq!(key(&promoted).second(), Some(key(&old)));
        assert!(spread.clone().with_new().is_err(), "one change at a time");
        assert!(new.clone().swapped().is_err());
        for ring in [old, spread, promoted, new] {
            assert_eq!(KeyRing::parse(&ring.to_text()), Some(ring.clone()));
            assert_eq!(format!("{ring:?}"), "KeyRing(…)");
        }
    }

    #[test]
    fn a_text_has_one_or_two_secrets() {
        let [a, b, c] = ["a", "b", "c"].map(|digit| digit.repeat(64));
        assert!(
            KeyRing::parse(&format!("\r\n{a}\r\n\n {b} ")).is_some_and(|ring| {
                ring.second == Some([0xbb; 32]) && ring.first == [0xaa; 32]
            })
        );
        for wrong in [
            format!("{a}\n{a}\n"),
            format!("{a}\n{b}\n{c}\n"),
            format!("{a}\nshort\n"),
            format!("{a} {b}"),
            format!("# {a}"),
            "\n".to_owned(),
        ] {
            assert_eq!(KeyRing::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn many_starting_at_once_agree_on_one_file() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("store.key");
        let keys: Vec<Key> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..16)
                .map(|_| {
                    scope
                        .spawn(|| Key::new("st", b"X", &KeyHasher::from_file(&path).expect("file")))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().expect("no panic"))
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        assert_eq!(
            fs::read_dir(folder.path()).expect("folder").count(),
            1,
            "drafts left behind"
        );
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(
                &fs::metadata(&path).expect("file").permissions()
            ) & 0o777,
            0o600
        );
    }

    #[test]
    fn a_file_that_holds_no_secret_is_refused_and_kept() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("store.key");
        for text in [
            "",
            "short",
            &"g".repeat(64),
            &"a".repeat(66),
            &"é".repeat(32),
        ] {
            fs::write(&path, text).expect("write");
            let error = KeyHasher::from_file(&path).expect_err(text).to_string();
            assert!(
                error.contains("store.key") && error.contains("64 hexadecimal"),
                "{error}"
            );
            assert_eq!(fs::read_to_string(&path).expect("read"), text);
        }
        fs::write(&path, format!("{}\r\n", "0aF".repeat(21) + "b")).expect("write");
        assert!(
            KeyHasher::from_file(&path).is_ok(),
            "either case, any line end"
        );
        let nowhere =
            KeyHasher::from_file(&folder.path().join("no/store.key")).expect_err("no folder");
        assert!(nowhere.is_unavailable());
    }
}
