//! The answer of `/v1/users` (R-266).

use bytes::Bytes;
use http::{Response, StatusCode};

use super::read::{Resource, expect_status};
use super::write::{JSON, answer};
use crate::json::{self, Json};
use crate::{Attributes, ErrorClass, ReadError, ReadOptions, body, text};

/// The answer to a `POST` of credentials to `/v1/users`: they are right, and no session was made (R-266).
///
/// ```
/// use casque_proto::rest::UserAuthenticated;
///
/// let answer = UserAuthenticated::new("jdoe", [("mail", "jdoe@example.org")].into_iter().collect());
/// let response = answer.to_response();
/// assert_eq!(UserAuthenticated::parse(response.status().as_u16(), response.body())?, answer);
/// # Ok::<(), casque_proto::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserAuthenticated {
    user: String,
    attributes: Attributes,
}

impl UserAuthenticated {
    /// The answer about this user.
    pub fn new(user: impl Into<String>, attributes: Attributes) -> Self {
        Self {
            user: user.into(),
            attributes,
        }
    }

    /// Reads status and body, with the limits of [`ReadOptions`] by default.
    ///
    /// # Errors
    ///
    /// By status as [`TgtCreated::parse`](super::TgtCreated::parse); [`ErrorClass::MissingUser`] and the classes of
    /// every JSON reader.
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, ReadError> {
        expect_status(status, &[StatusCode::OK], Resource::Tickets)?;
        Self::read(body).map_err(|error| error.with_status(status))
    }

    /// 200 with the user and the attributes.
    pub fn to_response(&self) -> Response<Bytes> {
        let mut out = String::from("{\"authentication\":{\"principal\":{\"id\":");
        json::write_string(&mut out, &self.user);
        out.push_str(",\"attributes\":{");
        for (index, (name, values)) in self.attributes.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            json::write_string(&mut out, name);
            out.push_str(":[");
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                json::write_string(&mut out, value);
            }
            out.push(']');
        }
        out.push_str("}}}}");
        answer(StatusCode::OK, JSON, out)
    }

    /// Who the credentials belong to.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What the server says about the user.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    fn read(body: &[u8]) -> Result<Self, ReadError> {
        let options = ReadOptions::default();
        let text = body::text(body, &options)?;
        let document = Json::parse(&text, options.limits_ref())?;
        let principal = document
            .member("authentication")
            .and_then(|authentication| authentication.member("principal"))
            .ok_or_else(|| ReadError::malformed("no authentication of a principal"))?;
        let id = match principal.member("id") {
            Some(Json::String(id)) => id,
            Some(other) => {
                return Err(ReadError::malformed(format!("the id is {}", other.kind())));
            }
            None => return Err(ReadError::new(ErrorClass::MissingUser, "no id")),
        };
        let mut attributes = Attributes::new();
        if let Some(Json::Object(members)) = principal.member("attributes") {
            for (name, value) in members {
                push_values(&mut attributes, name, value);
            }
        }
        Ok(Self {
            user: text::principal(id, options.limits_ref())?,
            attributes,
        })
    }
}

/// Strings, numbers and booleans, alone or in lists; what else a server puts here is its own affair.
fn push_values(attributes: &mut Attributes, name: &str, value: &Json<'_>) {
    match value {
        Json::String(value) => attributes.push(name, value.as_ref()),
        Json::Number(value) => attributes.push(name, *value),
        Json::Bool(value) => attributes.push(name, value.to_string()),
        Json::Array(values) => values
            .iter()
            .for_each(|value| push_values(attributes, name, value)),
        Json::Null | Json::Object(_) => {}
    }
}
