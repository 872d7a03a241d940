//! The service definitions of an Apereo CAS server: one JSON file for each service (R-274 to R-298).
//!
//! Reading is pure: text in, a [`ServiceDefinition`] out, with what was approximated or left aside as [`Finding`]s.
//! What restricts access and cannot be honoured is a fault, never left aside: nothing may become laxer than it was
//! written for Apereo.
//!
//! ```
//! use casque_proto::apereo::{Definition, ServiceDefinition};
//!
//! let file = r#"{
//!   "@class": "org.apereo.cas.services.CasRegisteredService",
//!   "serviceId": "^https://wiki\\.example\\.org/.*", // the wiki
//!   "name": "Wiki",
//!   "id": 1001,
//! }"#;
//! let Definition::Service(wiki) = ServiceDefinition::read(file, &[])? else {
//!     panic!("it is a CAS service");
//! };
//! assert!(wiki.pattern.matches("https://wiki.example.org/start"));
//! assert!(wiki.findings.is_empty());
//!
//! let faults = ServiceDefinition::read(r#"{"name": "Wiki", "serviceId": "https://(", "id": 1}"#, &[]).unwrap_err();
//! assert_eq!(faults.iter().next().map(|fault| fault.member.as_str()), Some("serviceId"));
//! # Ok::<(), casque_proto::apereo::DefinitionFaults>(())
//! ```

mod access;
mod definition;
mod expression;
mod parts;
mod pattern;
mod reader;
mod relaxed;
mod release;
mod shape;

pub use access::{AccessPolicy, AttributeRule};
pub use definition::{Definition, Logout, ServiceDefinition, Username, UsernameCase};
pub use pattern::{ServicePattern, ValuePattern};
pub use reader::{DefinitionFault, DefinitionFaults, Finding, FindingKind, IGNORABLE};
pub use release::{ReleaseRule, Released};
pub use shape::{Rest, Shape};
