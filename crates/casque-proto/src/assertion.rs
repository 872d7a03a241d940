//! What a server vouches for: a user, and what it says about them.

use std::fmt;
use std::time::SystemTime;

use crate::attributes::Attributes;
use crate::attributes::STANDARD_ATTRIBUTES;
use crate::authentication_date;
use crate::ticket::ProxyGrantingTicketIou;

/// The content of a successful answer (R-119, R-151).
///
/// The user is opaque text: compare it byte for byte, never fold its case (S-018).
#[derive(Clone, PartialEq, Eq)]
pub struct Assertion {
    pub(crate) user: String,
    pub(crate) attributes: Attributes,
    pub(crate) proxy_granting_ticket_iou: Option<ProxyGrantingTicketIou>,
    pub(crate) proxies: Vec<String>,
}

impl Assertion {
    /// Start an assertion about `user`, for a server to send.
    ///
    /// ```
    /// use std::time::SystemTime;
    /// use casque_proto::{Assertion, ServiceResponse};
    ///
    /// let assertion = Assertion::builder("ada")
    ///     .authentication_date(SystemTime::UNIX_EPOCH)
    ///     .long_term(false)
    ///     .from_new_login(true)
    ///     .attribute("mail", "ada@example.org")
    ///     .build();
    /// let xml = ServiceResponse::Success(assertion).to_xml();
    /// assert!(xml.contains("<cas:authenticationDate>1970-01-01T00:00:00Z</cas:authenticationDate>"));
    /// ```
    pub fn builder(user: impl Into<String>) -> AssertionBuilder {
        AssertionBuilder {
            standard: [const { None }; 3],
            assertion: Self {
                user: user.into(),
                attributes: Attributes::new(),
                proxy_granting_ticket_iou: None,
                proxies: Vec::new(),
            },
        }
    }

    /// The name of the user, 1 to 512 bytes without control characters.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// What the server says about the user. An attribute called `user` is only an attribute (S-025).
    pub fn attributes(&self) -> &Attributes {
        &self.attributes
    }

    /// What ties this answer to the proxy-granting ticket that the server sent to the callback (R-164).
    pub fn proxy_granting_ticket_iou(&self) -> Option<&ProxyGrantingTicketIou> {
        self.proxy_granting_ticket_iou.as_ref()
    }

    /// The proxies the user came through, the most recent first (R-165). Empty for a direct login.
    pub fn proxies(&self) -> &[String] {
        &self.proxies
    }

    /// When the user authenticated, if the server says so in a way that can be read (R-163).
    pub fn authentication_date(&self) -> Option<SystemTime> {
        self.only(STANDARD_ATTRIBUTES[0])
            .and_then(authentication_date::parse_authentication_date)
    }

    /// Whether the user asked to be remembered at login (R-162).
    pub fn long_term(&self) -> Option<bool> {
        self.only(STANDARD_ATTRIBUTES[1]).and_then(flag)
    }

    /// Whether the ticket was issued right after the user gave credentials (R-162).
    pub fn is_from_new_login(&self) -> Option<bool> {
        self.only(STANDARD_ATTRIBUTES[2]).and_then(flag)
    }

    /// The value of an attribute that has one; values that differ say nothing.
    fn only(&self, name: &str) -> Option<&str> {
        let (first, rest) = self.attributes.get(name).split_first()?;
        rest.iter().all(|value| value == first).then_some(first)
    }
}

impl fmt::Debug for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Assertion")
            .field("user", &self.user)
            .field("attributes", &self.attributes)
            .field("proxy_granting_ticket_iou", &self.proxy_granting_ticket_iou)
            .field("proxies", &self.proxies)
            .finish()
    }
}

/// Builds an [`Assertion`]: the standard attributes first (R-128), then those of the user.
#[derive(Clone, Debug)]
#[must_use]
pub struct AssertionBuilder {
    standard: [Option<String>; 3],
    assertion: Assertion,
}

impl AssertionBuilder {
    /// When the user authenticated; written in UTC, in whole seconds.
    pub fn authentication_date(mut self, moment: SystemTime) -> Self {
        self.standard[0] = Some(authentication_date::written(moment));
        self
    }

    /// Whether the user asked to be remembered at login.
    pub fn long_term(mut self, remembered: bool) -> Self {
        self.standard[1] = Some(remembered.to_string());
        self
    }

    /// Whether the ticket was issued right after the user gave credentials.
    pub fn from_new_login(mut self, new: bool) -> Self {
        self.standard[2] = Some(new.to_string());
        self
    }

    /// Add one value of one attribute.
    pub fn attribute(
        mut self,
        name: impl AsRef<str> + Into<String>,
        value: impl Into<String>,
    ) -> Self {
        self.assertion.attributes.push(name, value);
        self
    }

    /// Add attributes, after those already there.
    pub fn attributes(mut self, attributes: &Attributes) -> Self {
        for (name, values) in attributes.iter() {
            for value in values {
                self.assertion.attributes.push(name, value);
            }
        }
        self
    }

    /// What ties the answer to the proxy-granting ticket sent to the callback (R-125).
    pub fn proxy_granting_ticket_iou(mut self, iou: ProxyGrantingTicketIou) -> Self {
        self.assertion.proxy_granting_ticket_iou = Some(iou);
        self
    }

    /// The proxies the user came through, the most recent first (R-126).
    pub fn proxies<I>(mut self, proxies: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.assertion.proxies = proxies.into_iter().map(Into::into).collect();
        self
    }

    /// The assertion. An attribute of the user with the name of a standard one gives way to it (R-130).
    pub fn build(self) -> Assertion {
        let mut assertion = self.assertion;
        let mut attributes = Attributes::new();
        for (name, value) in STANDARD_ATTRIBUTES.into_iter().zip(self.standard) {
            if let Some(value) = value {
                attributes.push(name, value);
            }
        }
        attributes.extend_new(assertion.attributes);
        assertion.attributes = attributes;
        assertion
    }
}

fn flag(text: &str) -> Option<bool> {
    match text.trim() {
        "1" => Some(true),
        "0" => Some(false),
        text if text.eq_ignore_ascii_case("true") => Some(true),
        text if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_attributes_come_first_and_win() {
        // R-128, R-130
        let assertion = Assertion::builder("ada")
            .attribute("mail", "a@b")
            .attribute("isFromNewLogin", "maybe")
            .attribute("longTermAuthenticationRequestTokenUsed", "kept")
            .from_new_login(true)
            .authentication_date(SystemTime::UNIX_EPOCH)
            .build();
        let names: Vec<&str> = assertion
            .attributes()
            .iter()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(
            names,
            [
                "authenticationDate",
                "isFromNewLogin",
                "mail",
                "longTermAuthenticationRequestTokenUsed"
            ]
        );
        assert_eq!(assertion.attributes().get("isFromNewLogin"), ["true"]);
        assert_eq!(
            assertion.authentication_date(),
            Some(SystemTime::UNIX_EPOCH)
        );
        assert_eq!(assertion.is_from_new_login(), Some(true));
        assert_eq!(assertion.long_term(), None);
    }

    #[test]
    fn flags_are_read_in_four_spellings() {
        // R-162
        for (text, value) in [
            ("true", Some(true)),
            ("TRUE", Some(true)),
            ("1", Some(true)),
            ("False", Some(false)),
            ("0", Some(false)),
            ("yes", None),
            ("", None),
        ] {
            assert_eq!(flag(text), value, "{text}");
        }
    }

    #[test]
    fn debug_shows_no_ticket() {
        // S-017
        let iou = ProxyGrantingTicketIou::parse("PGTIOU-1-secret").unwrap();
        let assertion = Assertion::builder("ada")
            .proxy_granting_ticket_iou(iou)
            .build();
        assert!(!format!("{assertion:?}").contains("secret"));
    }
}
