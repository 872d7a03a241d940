use std::{
    collections::BTreeSet,
    fmt,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{StoreError, hex::unhex};

/// The name of a record or a set: a kind, and a keyed hash (HMAC-SHA256) of a secret or a name.
///
/// The kind goes into the hash, so a value of one kind can never be looked up as another (security S-005). Whatever
/// bytes the secret holds, the text of a key is `casque:KIND:` and 64 hexadecimal digits, so nothing in it can reach
/// into a back end's own syntax (S-077). A leaked store does not give the secrets away (S-076).
///
/// ```
/// use casque_store::{Key, KeyHasher};
///
/// let hasher = KeyHasher::new(&[7; 32]);
/// let key = Key::new("st", b"ST-1-hSKbXYbDfYVkkcJ", &hasher);
/// assert!(key.to_string().starts_with("casque:st:"));
/// assert_ne!(key, Key::new("pt", b"ST-1-hSKbXYbDfYVkkcJ", &hasher));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key {
    kind: &'static str,
    digest: [u8; 32],
}

impl Key {
    /// The key of the `kind` of thing that `secret_or_name` stands for.
    ///
    /// `kind` is a short lower-case word of the program, such as `st` or `session`.
    pub fn new(kind: &'static str, secret_or_name: &[u8], hasher: &KeyHasher) -> Self {
        let mut mac = begin(kind, hasher);
        mac.update(secret_or_name);
        Self::end(kind, mac)
    }

    /// The key of the `kind` of thing that several values stand for together; they cannot run into each other.
    ///
    /// ```
    /// use casque_store::{Key, KeyHasher};
    ///
    /// let hasher = KeyHasher::new(&[7; 32]);
    /// let of = |values: &[&[u8]]| Key::of_parts("attempt", values, &hasher);
    /// assert_ne!(of(&[b"ab", b"c"]), of(&[b"a", b"bc"]));
    /// ```
    pub fn of_parts(kind: &'static str, parts: &[&[u8]], hasher: &KeyHasher) -> Self {
        let mut mac = begin(kind, hasher);
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Self::end(kind, mac)
    }

    /// A key that has been read from a store, as [`Store::walk`](crate::Store::walk) does and as a backup is restored.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] for a kind that no program has: one to 32 lower-case letters, digits and dashes.
    ///
    /// ```
    /// use casque_store::{Key, KeyHasher};
    ///
    /// let key = Key::new("st", b"ST-1", &KeyHasher::new(&[7; 32]));
    /// assert_eq!(Key::from_digest("st", *key.digest())?, key);
    /// assert!(Key::from_digest("no kind", *key.digest()).is_err());
    /// # Ok::<_, casque_store::StoreError>(())
    /// ```
    pub fn from_digest(kind: &str, digest: [u8; 32]) -> Result<Self, StoreError> {
        let kind = known(kind).ok_or_else(|| StoreError::misuse("not the kind of a record"))?;
        Ok(Self { kind, digest })
    }

    /// A key whose kind is the program's own.
    pub(crate) fn known(kind: &'static str, digest: [u8; 32]) -> Self {
        Self { kind, digest }
    }

    fn end(kind: &'static str, mac: Hmac<Sha256>) -> Self {
        Self {
            kind,
            digest: mac.finalize().into_bytes().into(),
        }
    }

    /// The kind of thing this key names.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// The keyed hash; it differs between kinds too.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }
}

/// Kinds that have been read, kept for as long as the program runs: they are few.
static KNOWN: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());

/// Far more kinds than programs have; whatever else is read is not kept.
const MOST_KINDS: usize = 1024;

fn known(kind: &str) -> Option<&'static str> {
    let is_word = (1..=32).contains(&kind.len())
        && kind
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'));
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = known.get(kind) {
        return Some(known);
    }
    if !is_word || known.len() >= MOST_KINDS {
        return None;
    }
    let kept: &'static str = Box::leak(kind.to_owned().into_boxed_str());
    known.insert(kept);
    Some(kept)
}

fn begin(kind: &'static str, hasher: &KeyHasher) -> Hmac<Sha256> {
    let mut mac = hasher.0.clone();
    // The length in front keeps ("ab", "c") and ("a", "bc") apart.
    mac.update(&(kind.len() as u64).to_be_bytes());
    mac.update(kind.as_bytes());
    mac
}

/// The whole key as text, for back ends: `casque:KIND:` and 64 hexadecimal digits.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "casque:{}:", self.kind)?;
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The kind and the first bytes of the hash: enough to tell two keys apart in a log.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}:", self.kind)?;
        self.digest[..4]
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("…)")
    }
}

/// The secret that turns tickets and session ids into [`Key`]s.
///
/// All nodes that share a store need the same one, and it must outlive the process where the store does: with another
/// secret every record is still there and none can be found.
#[derive(Clone)]
pub struct KeyHasher(Hmac<Sha256>);

impl KeyHasher {
    /// Takes 32 secret bytes from a strong random source.
    pub fn new(secret: &[u8; 32]) -> Self {
        // HMAC pads a key with zeros to the block of its hash (RFC 2104).
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(secret);
        Self(Hmac::new(&block.into()))
    }

    /// Makes a secret that ends with the process: for [`MemoryStore`](crate::MemoryStore), which does so too.
    ///
    /// # Errors
    ///
    /// Where the operating system gives no random bytes.
    pub fn random() -> Result<Self, StoreError> {
        Ok(Self::new(&random_secret()?))
    }

    /// Reads the secret from a file of 64 hexadecimal digits; makes the file, readable by its owner only, where there is none.
    ///
    /// For a store that outlives the process. Processes that start at the same moment agree on one secret, and a crash
    /// leaves a whole file or none. The folder must exist. Blocks on the file, so call it before serving.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] where the file holds something else, [`StoreError::Unavailable`] where it cannot be read or made.
    ///
    /// ```
    /// use casque_store::{Key, KeyHasher};
    ///
    /// let folder = tempfile::tempdir()?;
    /// let made = KeyHasher::from_file(&folder.path().join("store.key"))?;
    /// let read = KeyHasher::from_file(&folder.path().join("store.key"))?;
    /// assert_eq!(Key::new("st", b"ST-1", &made), Key::new("st", b"ST-1", &read));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn from_file(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| {
            StoreError::unavailable(format!("{} cannot be read or made", path.display()), error)
        };
        match fs::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                make_secret_file(path, &random_secret()?).map_err(failed)?;
            }
            read => return parse_secret(&read.map_err(failed)?, path),
        }
        parse_secret(&fs::read_to_string(path).map_err(failed)?, path)
    }
}

fn random_secret() -> Result<[u8; 32], StoreError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| {
        StoreError::unavailable("the operating system gave no random bytes", error)
    })?;
    Ok(secret)
}

fn parse_secret(text: &str, path: &Path) -> Result<KeyHasher, StoreError> {
    let secret = unhex(text.trim_ascii()).and_then(|bytes| bytes.try_into().ok());
    let Some(secret) = secret else {
        return Err(StoreError::misuse(format!(
            "{} does not hold a store key (64 hexadecimal digits): restore it, or remove it and lose the sessions it names",
            path.display()
        )));
    };
    Ok(KeyHasher::new(&secret))
}

/// Writes a file of another name and links it into place, where a file that somebody else has made meanwhile stays.
fn make_secret_file(path: &Path, secret: &[u8; 32]) -> io::Result<()> {
    let mut unique = [0; 8];
    getrandom::fill(&mut unique).map_err(io::Error::other)?;
    let draft = path.with_added_extension(format!("{:016x}", u64::from_ne_bytes(unique)));
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let linked = options
        .open(&draft)
        .and_then(|mut file| {
            for byte in secret {
                write!(file, "{byte:02x}")?;
            }
            writeln!(file)?;
            file.sync_all()
        })
        .and_then(|()| match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        });
    let removed = fs::remove_file(&draft);
    linked.and(removed)
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHasher(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SC-052: ticket ids with `: * ? CR LF NUL` and 64 kB.
    #[test]
    fn hostile_secrets_give_plain_keys() {
        let hasher = KeyHasher::new(&[1; 32]);
        let long = vec![b'x'; 64 * 1024];
        let secrets: [&[u8]; 8] = [
            b"",
            b":",
            b"*",
            b"?",
            b"\r\n",
            b"\0",
            b"'; DROP TABLE record; --",
            &long,
        ];
        let mut seen = std::collections::HashSet::new();
        for secret in secrets {
            let text = Key::new("st", secret, &hasher).to_string();
            let hex = text.strip_prefix("casque:st:").expect("fixed prefix");
            assert_eq!(hex.len(), 64);
            assert!(
                hex.bytes()
                    .all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
            );
            assert!(seen.insert(text), "two secrets, one key");
        }
    }

    /// S-005: the kind is part of the hash, and does not run into the secret.
    #[test]
    fn kinds_and_secrets_do_not_run_together() {
        let hasher = KeyHasher::new(&[1; 32]);
        let key = |kind, secret: &str| *Key::new(kind, secret.as_bytes(), &hasher).digest();
        assert_ne!(key("st", "X"), key("pt", "X"));
        assert_ne!(key("s", "tX"), key("st", "X"));
        assert_ne!(
            key("st", "X"),
            *Key::new("st", b"X", &KeyHasher::new(&[2; 32])).digest()
        );
        assert_eq!(key("st", "X"), key("st", "X"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let hasher = KeyHasher::new(b"an example of a 32 byte secret..");
        assert_eq!(format!("{hasher:?}"), "KeyHasher(…)");
        let key = Key::new("st", b"ST-1-secret", &hasher);
        assert!(!format!("{key:?}").contains("secret"));
        assert_eq!(
            format!("{key:?}").chars().count(),
            "Key(st:01234567…)".chars().count()
        );
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

    #[test]
    fn random_secrets_differ() {
        let [a, b] = [(); 2].map(|()| KeyHasher::random().expect("random bytes"));
        assert_ne!(Key::new("st", b"X", &a), Key::new("st", b"X", &b));
    }
}
