//! The answer of `/samlValidate` as a value.

use std::time::SystemTime;

use crate::{Attributes, Failure};

/// What `/samlValidate` answers: who the user is, or why there is none.
///
/// Written with [`to_xml`](Self::to_xml), read with [`parse`](Self::parse).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol knows two outcomes")]
pub enum SamlResponse {
    /// The ticket was good.
    Success(SamlAssertion),
    /// It was not; the code is the local name of the status, such as `RequestDenied`.
    Failure(Failure),
}

/// Who has logged in, and how.
///
/// ```
/// use casque_proto::saml::SamlAssertion;
///
/// let assertion = SamlAssertion::new("jdoe")
///     .with_attribute("mail", ["jdoe@example.org"])
///     .with_method(SamlAssertion::PASSWORD);
/// assert_eq!(assertion.user(), "jdoe");
/// assert_eq!(
///     assertion.attributes().first(SamlAssertion::METHOD_ATTRIBUTE),
///     Some(SamlAssertion::PASSWORD),
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlAssertion {
    user: String,
    attributes: Attributes,
    method: Option<String>,
    authenticated_at: Option<SystemTime>,
}

impl SamlAssertion {
    /// `AuthenticationMethod` of a password (R-246).
    pub const PASSWORD: &str = "urn:oasis:names:tc:SAML:1.0:am:password";

    /// `AuthenticationMethod` of a TLS client certificate (R-246).
    pub const TLS_CLIENT: &str = "urn:ietf:rfc:2246";

    /// `AuthenticationMethod` of anything else (R-246).
    pub const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:1.0:am:unspecified";

    /// The attribute under which readers find the authentication method too (R-255).
    pub const METHOD_ATTRIBUTE: &str = "samlAuthenticationStatementAuthMethod";

    /// A user without attributes.
    pub fn new(user: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            attributes: Attributes::default(),
            method: None,
            authenticated_at: None,
        }
    }

    /// Adds values to an attribute.
    #[must_use]
    pub fn with_attribute<I>(mut self, name: &str, values: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        for value in values {
            self.attributes.push(name, value);
        }
        self
    }

    /// Replaces the attributes.
    #[must_use]
    pub fn with_attributes(mut self, attributes: Attributes) -> Self {
        self.attributes = attributes;
        self.mention_method();
        self
    }

    /// How the user was authenticated; also put among the attributes if nothing is there (R-255).
    #[must_use]
    pub fn with_method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self.mention_method();
        self
    }

    /// When the user was authenticated.
    #[must_use]
    pub fn with_authenticated_at(mut self, instant: SystemTime) -> Self {
        self.authenticated_at = Some(instant);
        self
    }

    /// The user's name.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The attributes, the authentication method among them.
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// `AuthenticationMethod`, if there was an `AuthenticationStatement`.
    pub fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// `AuthenticationInstant`, if it was there and could be read.
    pub fn authenticated_at(&self) -> Option<SystemTime> {
        self.authenticated_at
    }

    fn mention_method(&mut self) {
        if let Some(method) = &self.method
            && self.attributes.first(Self::METHOD_ATTRIBUTE).is_none()
        {
            self.attributes.push(Self::METHOD_ATTRIBUTE, method.clone());
        }
    }
}
