use std::{
    collections::BTreeSet,
    fmt,
    path::Path,
    sync::{Mutex, PoisonError},
};

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::{KeyRing, StoreError, hex::hex, key_ring::random_secret};

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
    /// The hash by the second secret, while the secret is changed.
    second: Option<[u8; 32]>,
}

impl Key {
    /// The key of the `kind` of thing that `secret_or_name` stands for.
    ///
    /// `kind` is a short lower-case word of the program, such as `st` or `session`.
    pub fn new(kind: &'static str, secret_or_name: &[u8], hasher: &KeyHasher) -> Self {
        Self::by_each(kind, hasher, |mac| mac.update(secret_or_name))
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
        Self::by_each(kind, hasher, |mac| {
            for part in parts {
                mac.update(&(part.len() as u64).to_be_bytes());
                mac.update(part);
            }
        })
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
        Ok(Self::known(kind, digest))
    }

    /// A key whose kind is the program's own.
    pub(crate) fn known(kind: &'static str, digest: [u8; 32]) -> Self {
        Self {
            kind,
            digest,
            second: None,
        }
    }

    fn by_each(kind: &'static str, hasher: &KeyHasher, update: impl Fn(&mut Hmac<Sha256>)) -> Self {
        let digest = |hasher: &KeyHasher| {
            let mut mac = begin(kind, hasher);
            update(&mut mac);
            mac.finalize().into_bytes().into()
        };
        Self {
            kind,
            digest: digest(hasher),
            second: hasher.second.as_deref().map(digest),
        }
    }

    /// The same by the second secret of a [`KeyHasher`] that has two.
    ///
    /// ```
    /// use casque_store::{Key, KeyHasher};
    ///
    /// let [old, new] = [1, 2].map(|byte| KeyHasher::new(&[byte; 32]));
    /// let key = |hasher: &KeyHasher| Key::new("st", b"ST-1", hasher);
    /// assert_eq!(key(&old).second(), None);
    /// let both = key(&new.clone().with_second(old.clone()));
    /// assert_eq!((both.first(), both.second()), (key(&new), Some(key(&old))));
    /// ```
    pub fn second(&self) -> Option<Self> {
        self.second.map(|digest| Self::known(self.kind, digest))
    }

    /// The same by the first secret alone.
    #[must_use]
    pub fn first(&self) -> Self {
        Self::known(self.kind, self.digest)
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
    let mut mac = hasher.mac.clone();
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
///
/// While the secret is changed there are two: the first names what is written, and what the second has named is found
/// through a [`RotatingStore`](crate::RotatingStore).
#[derive(Clone)]
pub struct KeyHasher {
    mac: Hmac<Sha256>,
    second: Option<Box<Self>>,
}

impl KeyHasher {
    /// Takes 32 secret bytes from a strong random source.
    pub fn new(secret: &[u8; 32]) -> Self {
        // HMAC pads a key with zeros to the block of its hash (RFC 2104).
        let mut block = [0; 64];
        block[..secret.len()].copy_from_slice(secret);
        Self {
            mac: Hmac::new(&block.into()),
            second: None,
        }
    }

    /// Makes a secret that ends with the process: for [`MemoryStore`](crate::MemoryStore), which does so too.
    ///
    /// # Errors
    ///
    /// Where the operating system gives no random bytes.
    pub fn random() -> Result<Self, StoreError> {
        Ok(Self::new(&random_secret()?))
    }

    /// Reads the secret, or both while it is changed, from a file, and makes the file where there is none: see
    /// [`KeyRing::from_file`].
    ///
    /// # Errors
    ///
    /// As [`KeyRing::from_file`].
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
        Ok(KeyRing::from_file(path)?.hasher())
    }

    /// The same, with the first secret of another as the second.
    #[must_use]
    pub fn with_second(self, second: Self) -> Self {
        Self {
            mac: self.mac,
            second: Some(Box::new(Self {
                mac: second.mac,
                second: None,
            })),
        }
    }

    /// Whether there are two secrets, as there are while one is changed for the other.
    pub fn is_rotating(&self) -> bool {
        self.second.is_some()
    }

    /// What tells each secret from others, the first one first: 12 hexadecimal digits that give nothing of it away.
    ///
    /// ```
    /// use casque_store::KeyHasher;
    ///
    /// let [old, new] = [1, 2].map(|byte| KeyHasher::new(&[byte; 32]));
    /// let both = new.clone().with_second(old.clone()).fingerprints();
    /// assert_eq!(both, [new.fingerprints(), old.fingerprints()].concat());
    /// ```
    pub fn fingerprints(&self) -> Vec<String> {
        let key = Key::of_parts("fingerprint", &[], self);
        [Some(key.digest), key.second]
            .into_iter()
            .flatten()
            .map(|digest| hex(&digest[..6]))
            .collect()
    }
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
    fn random_secrets_differ() {
        let [a, b] = [(); 2].map(|()| KeyHasher::random().expect("random bytes"));
        assert_ne!(Key::new("st", b"X", &a), Key::new("st", b"X", &b));
    }
}
