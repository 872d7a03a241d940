//! A CAS server: people, services, tickets, pages, endpoints.

mod password;

pub use password::{
    Busy, HashParams, HashParamsError, HashProblem, MAX_PASSWORD_BYTES, Password, PasswordChecker,
    PasswordCheckerOptions, PasswordTooLong, hash_password, inspect_hash,
};
