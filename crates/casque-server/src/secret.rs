//! What is derived from the secret of a deployment, and random bytes.

use std::fmt;

use aes_gcm_siv::{
    Aes256GcmSiv, Nonce,
    aead::{Aead as _, AeadInOut as _, KeyInit as _, Payload},
};
use casque_store::{Key, KeyHasher};
use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

/// How much longer a sealed value is.
pub(crate) const SEAL_BYTES: usize = 16;

/// The secret of the deployment, which names the records of the store, and what else hangs on it:
/// login tickets, device cookies and sealed values. The store holds nothing that opens without it
/// (S-076).
///
/// While it is changed there are two: the first makes what is new, and what either has made is good.
#[derive(Clone)]
pub(crate) struct Secret {
    hasher: KeyHasher,
    cipher: Aes256GcmSiv,
    second_cipher: Option<Box<Aes256GcmSiv>>,
}

impl Secret {
    pub(crate) fn new(hasher: KeyHasher) -> Self {
        let cipher = |seal: Key| {
            let key = Zeroizing::new(*seal.digest());
            Aes256GcmSiv::new(&(*key).into())
        };
        let seal = Key::new("seal", b"", &hasher);
        Self {
            cipher: cipher(seal),
            second_cipher: seal.second().map(cipher).map(Box::new),
            hasher,
        }
    }

    /// What names records in the store.
    pub(crate) fn hasher(&self) -> &KeyHasher {
        &self.hasher
    }

    /// A keyed hash of several values for one purpose; the values cannot run into each other.
    ///
    /// A purpose is never the kind of a stored record: those hashes can be read in the store.
    pub(crate) fn mac(&self, purpose: &'static str, values: &[&[u8]]) -> [u8; 32] {
        *Key::of_parts(purpose, values, &self.hasher).digest()
    }

    /// The same by each secret, the first one first.
    pub(crate) fn macs(
        &self,
        purpose: &'static str,
        values: &[&[u8]],
    ) -> impl Iterator<Item = [u8; 32]> + use<> {
        let key = Key::of_parts(purpose, values, &self.hasher);
        let second = key.second().map(|second| *second.digest());
        std::iter::once(*key.digest()).chain(second)
    }

    /// Which secret made [`mac`](Self::mac) the one with these hexadecimal digits, compared in constant time.
    pub(crate) fn maker(
        &self,
        digits: &str,
        purpose: &'static str,
        values: &[&[u8]],
    ) -> Option<Maker> {
        self.macs(purpose, values)
            .zip([Maker::First, Maker::Second])
            .find(|(mac, _)| {
                HEXLOWER
                    .encode(mac)
                    .as_bytes()
                    .ct_eq(digits.as_bytes())
                    .into()
            })
            .map(|(_, maker)| maker)
    }

    /// Seals a value for one place in the store, and adds it to what is kept there.
    ///
    /// The same value in the same place gives the same bytes, and nothing else can be told from them (RFC 8452).
    pub(crate) fn seal_onto(&self, kept: &mut Vec<u8>, place: &str, value: &[u8]) {
        kept.reserve(SEAL_BYTES + value.len());
        let start = kept.len();
        kept.extend_from_slice(value);
        let tag = self
            .cipher
            .encrypt_inout_detached(&nonce(place), place.as_bytes(), (&mut kept[start..]).into())
            .expect("values are far below the cipher's limit");
        kept.extend_from_slice(&tag);
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(&self, place: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let open = |cipher: &Aes256GcmSiv| {
            let payload = Payload {
                msg: sealed,
                aad: place.as_bytes(),
            };
            cipher.decrypt(&nonce(place), payload).ok()
        };
        open(&self.cipher).or_else(|| open(self.second_cipher.as_deref()?))
    }
}

/// One of the secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    First,
    Second,
}

impl Maker {
    /// The key by this secret alone. All nodes agree on it, whatever the order of their secrets: what several may try to
    /// make is made once.
    pub(crate) fn name(self, key: &Key) -> Key {
        match (self, key.second()) {
            (Self::Second, Some(second)) => second,
            _ => key.first(),
        }
    }
}

/// This cipher stays safe where a nonce repeats; the whole place is authenticated beside it.
fn nonce(place: &str) -> Nonce {
    let mut nonce = Nonce::default();
    for (byte, from) in nonce.iter_mut().zip(place.bytes()) {
        *byte = from;
    }
    nonce
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Random bytes from the operating system.
///
/// # Panics
///
/// Where the operating system has none: nothing may go on without them, and no value can stand in.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

/// Fills a buffer as [`random_bytes`] does, in the shape that tickets are generated with.
pub(crate) fn fill(bytes: &mut [u8]) {
    getrandom::fill(bytes).expect("the operating system has random bytes");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(byte: u8) -> Secret {
        Secret::new(KeyHasher::new(&[byte; 32]))
    }

    #[test]
    fn sealed_values_open_in_their_place_only() {
        let mut sealed = Vec::new();
        secret(1).seal_onto(&mut sealed, "a", b"value");
        assert_eq!(secret(1).open("a", &sealed).as_deref(), Some(&b"value"[..]));
        assert_eq!(secret(1).open("b", &sealed), None);
        assert_eq!(secret(2).open("a", &sealed), None);
        assert_eq!(secret(1).open("a", &sealed[..10]), None);
        assert!(!sealed.windows(5).any(|window| window == b"value"));
    }

    #[test]
    fn values_of_a_mac_do_not_run_together() {
        let secret = secret(1);
        assert_ne!(
            secret.mac("p", &[b"ab", b"c"]),
            secret.mac("p", &[b"a", b"bc"])
        );
        assert_ne!(secret.mac("p", &[b"a"]), secret.mac("q", &[b"a"]));
        let digits = HEXLOWER.encode(&secret.mac("p", &[b"a"]));
        assert_eq!(secret.maker(&digits, "p", &[b"a"]), Some(Maker::First));
        assert_eq!(secret.maker("", "p", &[b"a"]), None);
    }

    #[test]
    fn what_either_secret_made_is_good_while_they_are_changed() {
        let hasher = |byte| KeyHasher::new(&[byte; 32]);
        let old = secret(1);
        let both = Secret::new(hasher(2).with_second(hasher(1)));
        let (mut before, mut after) = (Vec::new(), Vec::new());
        old.seal_onto(&mut before, "a", b"value");
        both.seal_onto(&mut after, "a", b"value");
        for sealed in [&before, &after] {
            assert_eq!(both.open("a", sealed).as_deref(), Some(&b"value"[..]));
        }
        assert_eq!(old.open("a", &after), None, "the first secret seals");
        let digits = HEXLOWER.encode(&old.mac("p", &[b"a"]));
        assert_eq!(both.maker(&digits, "p", &[b"a"]), Some(Maker::Second));
        let name = |secret: &Secret| Key::new("st", b"X", secret.hasher());
        assert_eq!(Maker::Second.name(&name(&both)), name(&old));
        assert_eq!(Maker::First.name(&name(&both)), name(&secret(2)));
    }
}
