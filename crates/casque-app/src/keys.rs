//! The application's secret keys: the current one, and previous ones that still open.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use casque_store::KeyHasher;
use chacha20poly1305::aead::{Aead, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

const NONCE_BYTES: usize = 24;

/// 32 secret bytes of an application, from a strong random source.
///
/// They must be the same on every node that serves the application, and outlive the process where
/// its store does. Without one, a process makes its own, and its sessions end with it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Takes 32 secret bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Makes a key from the operating system's random source.
    ///
    /// # Panics
    ///
    /// If the operating system has no random source, which it must have before it runs anything.
    pub fn generate() -> Self {
        Self(random())
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits)
                .ok()
                .filter(|d| !d.starts_with('+'))?;
            *byte = u8::from_str_radix(digits, 16).ok()?;
        }
        Some(Self(bytes))
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes any key length");
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}

/// The keys in use: the first writes, all of them read.
#[derive(Clone)]
pub(crate) struct KeyRing(Vec<Keys>);

#[derive(Clone)]
struct Keys {
    hasher: KeyHasher,
    cipher: XChaCha20Poly1305,
}

impl KeyRing {
    pub(crate) fn new(current: &SecretKey, previous: &[SecretKey]) -> Self {
        let keys = |key: &SecretKey| Keys {
            hasher: KeyHasher::new(&key.derive("casque-app store keys")),
            cipher: XChaCha20Poly1305::new(&key.derive("casque-app sealed cookies").into()),
        };
        Self(std::iter::once(current).chain(previous).map(keys).collect())
    }

    /// The hasher for what is written now.
    pub(crate) fn current(&self) -> &KeyHasher {
        &self.0[0].hasher
    }

    /// The hashers under which something may have been written, the current one first.
    pub(crate) fn hashers(&self) -> impl Iterator<Item = &KeyHasher> {
        self.0.iter().map(|keys| &keys.hasher)
    }

    /// Encrypts and authenticates for one purpose, as base64url (S-044, S-078): XChaCha20-Poly1305
    /// with a random nonce, the purpose in the associated data.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> String {
        let nonce: [u8; NONCE_BYTES] = random();
        let payload = Payload {
            msg: plain,
            aad: purpose.as_bytes(),
        };
        let sealed = self.0[0]
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a cookie is shorter than the cipher's limit of 256 GiB");
        URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat())
    }

    /// Opens what [`seal`](Self::seal) made for the same purpose with any key of the ring.
    pub(crate) fn open(&self, purpose: &str, text: &str) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let nonce = XNonce::from(*nonce);
        let aad = purpose.as_bytes();
        self.0.iter().find_map(|keys| {
            keys.cipher
                .decrypt(&nonce, Payload { msg: sealed, aad })
                .ok()
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} keys)", self.0.len())
    }
}

/// Bytes from the operating system's random source.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// 256 random bits as 43 characters of base64url.
pub(crate) fn random_id() -> String {
    URL_SAFE_NO_PAD.encode(random::<32>())
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SecretKey = SecretKey::new([1; 32]);
    const B: SecretKey = SecretKey::new([2; 32]);

    #[test]
    fn opens_with_current_and_previous_key_for_one_purpose_only() {
        let old = KeyRing::new(&A, &[]);
        let sealed = old.seal("login", b"text");
        assert_ne!(sealed, old.seal("login", b"text"), "every nonce is new");
        assert_eq!(old.open("login", &sealed).as_deref(), Some(&b"text"[..]));
        assert_eq!(
            KeyRing::new(&B, &[A]).open("login", &sealed).as_deref(),
            Some(&b"text"[..])
        );
        assert_eq!(
            KeyRing::new(&B, &[]).open("login", &sealed),
            None,
            "retired key"
        );
        assert_eq!(old.open("session", &sealed), None, "another purpose");
    }

    #[test]
    fn every_changed_or_cut_byte_is_refused() {
        let ring = KeyRing::new(&A, &[]);
        let sealed = ring.seal("login", b"text");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(
                ring.open("login", std::str::from_utf8(&changed).unwrap()),
                None,
                "{at}"
            );
            assert_eq!(ring.open("login", &sealed[..at]), None, "{at}");
        }
        assert_eq!(ring.open("login", &format!("\"{sealed}\"")), None);
    }

    #[test]
    fn keys_in_hexadecimal() {
        assert_eq!(SecretKey::from_hex(&"01".repeat(32)), Some(A));
        for text in [
            "",
            "01",
            &"0g".repeat(32),
            &"é".repeat(32),
            &"+1".repeat(32),
        ] {
            assert_eq!(SecretKey::from_hex(text), None, "{text}");
        }
        assert_eq!(format!("{A:?}"), "SecretKey(…)");
    }
}
