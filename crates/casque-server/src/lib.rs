//! A CAS server: people, services, tickets, pages, endpoints.

mod admin;
mod config;
mod consent;
mod credentials;
mod deployment;
mod fields;
mod http;
mod journal;
mod login;
mod logout;
mod operation;
mod outbound;
mod pages;
mod password;
mod people;
mod proxy;
mod registry;
mod reload;
mod rest;
mod routes;
mod saml;
mod secret;
mod seen;
mod serve;
mod server;
mod slo;
mod sso;
mod state;
mod text;
mod throttle;
mod tickets;
mod tls;
mod validate;

pub use self::http::Peer;
pub use self::journal::{Audit, AuditTarget};
pub use admin::SessionView;
pub use config::{
    ApereoConfig, Config, ConfigError, ConfigErrors, LimitsConfig, LoginConfig, OperationConfig,
    PasswordConfig, RestConfig, SsoConfig, TicketConfig, TlsConfig, configuration_reference,
};
pub use deployment::{ClaimError, KeysInStore, NamingKey, Node, NodeKeys, RetireError};
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
pub use reload::Reloader;
pub use server::{Parts, Server};
pub use tls::{Tls, TlsError};
