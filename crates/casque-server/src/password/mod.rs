//! Passwords: kept briefly, hashed slowly, checked beside the road.
//!
//! * [`Password`] holds what the browser sent, byte for byte, and wipes it.
//! * [`hash_password`] makes the argon2id strings of `people.toml`.
//! * [`PasswordChecker`] checks on its own few low-priority threads, behind a bounded queue,
//!   so that a burst of logins costs neither memory nor the time of ticket validation.

mod checker;
mod hash;

pub use checker::{Busy, PasswordChecker, PasswordCheckerOptions};
pub use hash::{HashParams, HashParamsError, HashProblem, hash_password, inspect_hash};

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The longest password taken, in bytes (S-061, S-062). Longer ones are refused, never cut.
pub const MAX_PASSWORD_BYTES: usize = 1024;

/// A password as it was sent: any bytes, not trimmed, not folded, not normalised (S-062).
///
/// It is wiped when dropped, `Debug` shows nothing of it, and it has no `Display`.
///
/// ```
/// use casque_server::Password;
///
/// let password = Password::new(b"correct horse battery staple".to_vec())?;
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// assert!(Password::new(vec![b'a'; 1025]).is_err());
/// # Ok::<(), casque_server::PasswordTooLong>(())
/// ```
pub struct Password(Zeroizing<Vec<u8>>);

impl Password {
    /// Takes the bytes over.
    ///
    /// # Errors
    /// [`PasswordTooLong`] above [`MAX_PASSWORD_BYTES`]; the bytes are wiped then, too.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, PasswordTooLong> {
        let bytes = Zeroizing::new(bytes.into());
        if bytes.len() > MAX_PASSWORD_BYTES {
            return Err(PasswordTooLong);
        }
        Ok(Self(bytes))
    }

    /// Whether nothing was sent. An empty password is never right (S-062).
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of characters, as NIST SP 800-63B counts them: code points where the bytes are
    /// UTF-8, else bytes.
    pub fn characters(&self) -> usize {
        std::str::from_utf8(&self.0).map_or(self.0.len(), |text| text.chars().count())
    }

    /// Whether both are the same bytes, as when a new password is typed twice.
    pub fn is_same(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A password of more than [`MAX_PASSWORD_BYTES`] bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the password is longer than {MAX_PASSWORD_BYTES} bytes")]
pub struct PasswordTooLong;
