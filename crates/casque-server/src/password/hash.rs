//! argon2id strings: made, and judged before they are trusted.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

use super::Password;

/// The cost of one password hash.
///
/// The default is OWASP's and the least that S-061 allows for new hashes: argon2id with 19 MiB of
/// memory, 2 passes, 1 lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct HashParams {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

impl HashParams {
    /// The most memory one hash may ask for: 256 MiB. A hash is a request for memory by whoever
    /// wrote the file, repeated by everyone who tries to log in.
    pub const MAX_MEMORY_KIB: u32 = 256 * 1024;
    /// The most passes over that memory.
    pub const MAX_PASSES: u32 = 16;
    /// The most lanes. casque computes them one after the other.
    pub const MAX_LANES: u32 = 16;

    /// Cost in KiB of memory, passes and lanes.
    ///
    /// # Errors
    /// [`HashParamsError`] where argon2 forbids the combination or it passes the bounds above.
    ///
    /// ```
    /// use casque_server::HashParams;
    ///
    /// assert_eq!(HashParams::new(19 * 1024, 2, 1)?, HashParams::default());
    /// assert!(HashParams::new(4 * 1024 * 1024, 2, 1).is_err());
    /// # Ok::<(), casque_server::HashParamsError>(())
    /// ```
    pub fn new(memory_kib: u32, passes: u32, lanes: u32) -> Result<Self, HashParamsError> {
        let params = Self {
            memory_kib,
            passes,
            lanes,
        };
        if memory_kib > Self::MAX_MEMORY_KIB
            || passes > Self::MAX_PASSES
            || lanes > Self::MAX_LANES
            || Params::new(memory_kib, passes, lanes, None).is_err()
        {
            return Err(HashParamsError { params });
        }
        Ok(params)
    }

    /// Memory in KiB.
    pub const fn memory_kib(self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    pub const fn passes(self) -> u32 {
        self.passes
    }

    /// Lanes.
    pub const fn lanes(self) -> u32 {
        self.lanes
    }

    /// Whether it costs less than the default in memory or in passes over it.
    pub fn is_weak(self) -> bool {
        let work = u64::from(self.memory_kib) * u64::from(self.passes);
        let least = u64::from(Params::DEFAULT_M_COST) * u64::from(Params::DEFAULT_T_COST);
        work < least
    }

    fn argon2(self) -> Argon2<'static> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, None)
            .expect("checked when the value was made");
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
    }
}

impl Default for HashParams {
    fn default() -> Self {
        Self {
            memory_kib: Params::DEFAULT_M_COST,
            passes: Params::DEFAULT_T_COST,
            lanes: Params::DEFAULT_P_COST,
        }
    }
}

/// A cost that argon2 does not allow or that would be a memory bomb.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "argon2 cost m={} KiB, t={}, p={} is out of bounds: memory from 8 KiB a lane to {} KiB, 1 to {} passes, 1 to {} lanes",
    params.memory_kib, params.passes, params.lanes,
    HashParams::MAX_MEMORY_KIB, HashParams::MAX_PASSES, HashParams::MAX_LANES
)]
pub struct HashParamsError {
    params: HashParams,
}

/// Why the text in a `password` field is no hash to check against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashProblem {
    /// It does not begin with `$`: most likely the password itself.
    #[error("it is not a password hash; a password is never written here in clear")]
    NotAHash,
    /// A PHC string of another algorithm.
    #[error("it is a hash of another kind; casque reads argon2id")]
    OtherAlgorithm,
    /// An argon2id string with a part missing or damaged.
    #[error("it is not a complete argon2id string")]
    Malformed,
    /// argon2 version 1.0 (`v=16`).
    #[error("it uses argon2 version 1.0, which is no longer trusted")]
    OldVersion,
    /// A salt under 8 or a hash under 16 bytes.
    #[error("its salt or hash is too short to be safe")]
    TooShort,
    /// Cost out of bounds.
    #[error(transparent)]
    Cost(#[from] HashParamsError),
}

/// Hashes a password for `people.toml`: an argon2id PHC string with a fresh 128-bit salt.
///
/// It takes tens of milliseconds and the memory in `params`; call it off the async threads.
///
/// ```
/// use casque_server::{HashParams, Password, hash_password};
///
/// let password = Password::new("correct horse battery staple")?;
/// let text = hash_password(&password, HashParams::default());
/// assert!(text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
/// # Ok::<(), casque_server::PasswordTooLong>(())
/// ```
///
/// # Panics
/// Where the operating system gives no random bytes or the memory cannot be had: neither leaves
/// anything useful to do.
pub fn hash_password(password: &Password, params: HashParams) -> String {
    params
        .argon2()
        .hash_password(password.expose())
        .expect("parameters are checked, so only randomness or memory can be missing")
        .to_string()
}

/// Judges a stored hash before it is used, and tells its cost.
///
/// # Errors
/// [`HashProblem`]; none of its texts repeat the hash.
pub fn inspect_hash(text: &str) -> Result<HashParams, HashProblem> {
    if !text.starts_with('$') {
        return Err(HashProblem::NotAHash);
    }
    if !text.starts_with("$argon2id$") {
        return Err(HashProblem::OtherAlgorithm);
    }
    let hash = PasswordHash::new(text).map_err(|_| HashProblem::Malformed)?;
    // The bounds are read from the text first: `Params` itself accepts 4 TiB.
    let part = |name: &str| hash.params.get_decimal(name);
    let (Some(memory), Some(passes), Some(lanes)) = (part("m"), part("t"), part("p")) else {
        return Err(HashProblem::Malformed);
    };
    let params = HashParams::new(memory, passes, lanes)?;
    match hash.version {
        Some(19) => {}
        Some(_) | None => return Err(HashProblem::OldVersion),
    }
    let (Some(salt), Some(output)) = (&hash.salt, &hash.hash) else {
        return Err(HashProblem::Malformed);
    };
    if salt.len() < 8 || output.len() < 16 {
        return Err(HashProblem::TooShort);
    }
    Params::try_from(&hash).map_err(|_| HashProblem::Malformed)?;
    Ok(params)
}

/// Whether the password makes that hash. A hash that [`inspect_hash`] refuses never matches.
pub(super) fn verify(password: &Password, text: &str) -> bool {
    if inspect_hash(text).is_err() {
        return false;
    }
    let Ok(hash) = PasswordHash::new(text) else {
        return false;
    };
    Argon2::default()
        .verify_password(password.expose(), &hash)
        .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHEAP: (u32, u32, u32) = (64, 1, 1);

    fn cheap() -> HashParams {
        HashParams::new(CHEAP.0, CHEAP.1, CHEAP.2).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[test]
    fn a_hash_verifies_its_own_password_only() {
        let hash = hash_password(&password("correct horse battery staple"), cheap());
        assert!(verify(&password("correct horse battery staple"), &hash));
        // S-062: no trimming, no folding, NUL is a byte like any other.
        for other in [
            "correct horse battery staple ",
            " correct horse battery staple",
            "Correct horse battery staple",
            "correct horse battery staple\0",
            "correct horse",
            "",
        ] {
            assert!(!verify(&password(other), &hash), "{other:?}");
        }
    }

    #[test]
    fn two_hashes_of_one_password_differ() {
        let (a, b) = (
            hash_password(&password("same"), cheap()),
            hash_password(&password("same"), cheap()),
        );
        assert_ne!(a, b);
    }

    #[test]
    fn every_byte_of_a_long_password_counts() {
        // S-062: bcrypt would have stopped at 72.
        let long = "x".repeat(1023);
        let hash = hash_password(&password(&format!("{long}a")), cheap());
        assert!(verify(&password(&format!("{long}a")), &hash));
        assert!(!verify(&password(&format!("{long}b")), &hash));
    }

    #[test]
    fn bytes_that_are_not_text_are_hashed_as_they_are() {
        let odd = Password::new(vec![0xff, 0xfe, 0x00]).unwrap();
        let hash = hash_password(&odd, cheap());
        assert!(verify(&odd, &hash));
        assert_eq!(odd.characters(), 3);
    }

    #[test]
    fn the_default_cost_is_what_owasp_asks_for() {
        let text = hash_password(&password("wonderland"), HashParams::default());
        assert!(
            text.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{text}"
        );
        assert_eq!(inspect_hash(&text), Ok(HashParams::default()));
        assert!(!HashParams::default().is_weak());
        assert!(cheap().is_weak());
    }

    #[test]
    fn hashes_of_other_tools_and_costs_are_read() {
        // Made by the argon2 command line tool: argon2 somesalt -id -t 3 -m 12 -p 4 -l 32
        let params = HashParams::new(4096, 3, 4).unwrap();
        let text = hash_password(&password("password"), params);
        assert_eq!(inspect_hash(&text), Ok(params));
        assert!(verify(&password("password"), &text));
    }

    #[test]
    fn a_bad_hash_is_named_for_what_it_is() {
        const SALT: &str = "c29tZXNhbHRzb21lc2FsdA";
        const HASH: &str = "RdescudvJCsgt3ub+b3kmeCxGo6mB3SzDBgRcaYDzxQ";
        let good = format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}${HASH}");
        assert!(inspect_hash(&good).is_ok(), "{:?}", inspect_hash(&good));
        let cost = |m, t, p| {
            HashProblem::Cost(HashParamsError {
                params: HashParams {
                    memory_kib: m,
                    passes: t,
                    lanes: p,
                },
            })
        };
        let rows: Vec<(String, HashProblem)> = vec![
            (String::new(), HashProblem::NotAHash),
            ("wonderland".into(), HashProblem::NotAHash),
            (
                "$2b$12$KIXQ0Yq0z0Yq0z0Yq0z0Y".into(),
                HashProblem::OtherAlgorithm,
            ),
            (
                format!("$argon2i$v=19$m=19456,t=2,p=1${SALT}${HASH}"),
                HashProblem::OtherAlgorithm,
            ),
            (
                format!("$argon2d$v=19$m=19456,t=2,p=1${SALT}${HASH}"),
                HashProblem::OtherAlgorithm,
            ),
            ("$argon2id$".into(), HashProblem::Malformed),
            (
                "$argon2id$v=19$m=19456,t=2,p=1".into(),
                HashProblem::Malformed,
            ),
            (
                format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}"),
                HashProblem::Malformed,
            ),
            (
                format!("$argon2id$v=19$m=19456,t=2${SALT}${HASH}"),
                HashProblem::Malformed,
            ),
            (format!("{good}$more"), HashProblem::Malformed),
            (
                format!("$argon2id$v=16$m=19456,t=2,p=1${SALT}${HASH}"),
                HashProblem::OldVersion,
            ),
            (
                format!("$argon2id$m=19456,t=2,p=1${SALT}${HASH}"),
                HashProblem::OldVersion,
            ),
            // S-061: 4 GiB, 4 TiB, a million passes, a thousand lanes.
            (
                format!("$argon2id$v=19$m=4194304,t=2,p=1${SALT}${HASH}"),
                cost(4_194_304, 2, 1),
            ),
            (
                format!("$argon2id$v=19$m=4294967295,t=2,p=1${SALT}${HASH}"),
                cost(u32::MAX, 2, 1),
            ),
            (
                format!("$argon2id$v=19$m=19456,t=1000000,p=1${SALT}${HASH}"),
                cost(19456, 1_000_000, 1),
            ),
            (
                format!("$argon2id$v=19$m=19456,t=2,p=1000${SALT}${HASH}"),
                cost(19456, 2, 1000),
            ),
            (
                format!("$argon2id$v=19$m=0,t=2,p=1${SALT}${HASH}"),
                cost(0, 2, 1),
            ),
            (
                format!("$argon2id$v=19$m=19456,t=0,p=1${SALT}${HASH}"),
                cost(19456, 0, 1),
            ),
            (
                format!("$argon2id$v=19$m=19456,t=2,p=1${SALT}$c2hvcnQgaGFzaA"),
                HashProblem::TooShort,
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(inspect_hash(&text), Err(expected), "{text}");
            assert!(!verify(&password("x"), &text), "{text}");
            assert!(text.is_empty() || !expected.to_string().contains(&text));
        }
    }
}
