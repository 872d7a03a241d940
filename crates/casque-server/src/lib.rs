//! A CAS server: people, services, tickets, pages, endpoints.

mod config;
mod pages;
mod password;
mod people;
mod registry;
mod text;

pub use config::{
    Config, ConfigError, ConfigErrors, LimitsConfig, LoginConfig, PasswordConfig, SsoConfig,
    TicketConfig, TlsConfig, configuration_reference,
};
pub use pages::{Asset, Continue, Field, Login, LoginProblem, Page, Pages, ServiceLabel};
pub use password::{
    Busy, HashParams, HashParamsError, HashProblem, MAX_PASSWORD_BYTES, Password, PasswordChecker,
    PasswordCheckerOptions, PasswordTooLong, hash_password, inspect_hash,
};
pub use people::{People, PeopleFile, Person, check_username};
pub use registry::{Release, Service, Services};
