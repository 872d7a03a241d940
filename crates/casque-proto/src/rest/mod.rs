//! The REST protocol's answers: written by a server, read by a client.
//!
//! A client that holds the user's password trades it for a ticket-granting ticket, and that for service
//! tickets. Follow-up addresses are built from the configured server, never from `Location`.

mod read;
mod refusal;
mod request;
mod ticket;
mod users;
mod write;

pub use self::read::{StCreated, TgtCreated, TgtDeleted, TgtFound};
pub use self::refusal::refusal_words;
pub use self::request::RestRequest;
pub use self::ticket::{RestTgt, RestTgtError};
pub use self::users::UserAuthenticated;
pub use self::write::{RestRefusal, TgtBody};
