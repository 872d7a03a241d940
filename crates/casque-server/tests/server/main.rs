//! The endpoints of the server, as browsers, services and attackers meet them.

mod anything;
mod apereo;
mod client_habits;
mod consent;
#[path = "../../../casque-proto/tests/corpus/mod.rs"]
mod corpus;
mod entering;
mod floods;
mod grants;
mod hostile;
mod house;
mod login;
mod logout;
mod nodes;
mod operation;
mod proxies;
mod proxying;
mod races;
mod rest;
mod rotation;
mod saml;
mod scenarios;
mod secrets;
mod sessions;
mod single_logout;
mod single_logout_in_front;
mod socket;
mod throttling;
mod validation;
mod vectors;
