//! A CAS server: people, services, tickets, pages, endpoints.

mod config;
mod consent;
mod credentials;
mod http;
mod login;
mod logout;
mod outbound;
mod pages;
mod password;
mod people;
mod proxy;
mod registry;
mod rest;
mod saml;
mod secret;
mod serve;
mod server;
mod slo;
mod sso;
mod state;
mod text;
mod throttle;
mod tickets;
mod validate;

pub use self::http::Peer;
pub use config::{
    ApereoConfig, Config, ConfigError, ConfigErrors, LimitsConfig, LoginConfig, PasswordConfig,
    RestConfig, SsoConfig, TicketConfig, TlsConfig, configuration_reference,
};
pub use outbound::{Network, NetworkFuture, OutboundError, SystemNetwork};
pub use pages::{
    Asset, ConsentGiven, Continue, Field, Login, LoginProblem, Page, Pages, ServiceLabel,
};
pub use password::{
    Busy, HashParams, HashParamsError, HashProblem, MAX_PASSWORD_BYTES, Password, PasswordChecker,
    PasswordCheckerOptions, PasswordTooLong, hash_password, inspect_hash,
};
pub use people::{People, PeopleFile, Person, check_username};
pub use registry::{
    AccessRule, ApereoFile, LogoutType, ProxyPolicy, Release, ReleaseRule, ResponseType, Service,
    Services, UserName, apereo_service_id, read_apereo_files,
};
pub use serve::{Tls, TlsError};
pub use server::{Parts, Server};
