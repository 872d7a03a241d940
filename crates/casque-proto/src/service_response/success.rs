//! A success as a server sends it, borrowed from what the server knows.

use std::borrow::Cow;
use std::time::SystemTime;

use super::AttributeStyle;
use super::Format;
use super::envelope;
use super::write_json;
use super::write_xml;
use crate::assertion::Assertion;
use crate::attributes::{Attributes, STANDARD_ATTRIBUTES};
use crate::authentication_date;
use crate::ticket::ProxyGrantingTicketIou;
use crate::xml::Writer;

/// The answer of a server that accepts a ticket, written from what it has at hand.
///
/// The standard attributes come first (R-128), and an attribute of the user with the name of one of them gives way to
/// it (R-130). It writes the same bytes as a [`ServiceResponse`](super::ServiceResponse) of an [`Assertion`] with the
/// same content, and copies none of it.
///
/// ```
/// use std::time::SystemTime;
/// use casque_proto::{Format, SuccessAnswer};
///
/// let mail = ["ada@example.org".to_owned()];
/// let answer = SuccessAnswer::new("ada")
///     .authentication_date(SystemTime::UNIX_EPOCH)
///     .attributes([("mail", &mail[..])]);
/// assert!(answer.render(Format::Xml).contains("<cas:mail>ada@example.org</cas:mail>"));
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct SuccessAnswer<'a> {
    pub(super) user: &'a str,
    standard: [Option<Cow<'static, str>>; 3],
    attributes: Vec<(&'a str, Cow<'a, [String]>)>,
    pub(super) proxy_granting_ticket_iou: Option<&'a ProxyGrantingTicketIou>,
    pub(super) proxies: &'a [String],
}

impl<'a> SuccessAnswer<'a> {
    /// An answer about `user`, and nothing else.
    pub fn new(user: &'a str) -> Self {
        Self {
            user,
            standard: [const { None }; 3],
            attributes: Vec::new(),
            proxy_granting_ticket_iou: None,
            proxies: &[],
        }
    }

    /// What an assertion holds, in its order.
    pub(super) fn of(assertion: &'a Assertion) -> Self {
        Self {
            attributes: assertion
                .attributes()
                .iter()
                .map(|(name, values)| (name, values.into()))
                .collect(),
            proxy_granting_ticket_iou: assertion.proxy_granting_ticket_iou(),
            proxies: assertion.proxies(),
            ..Self::new(assertion.user())
        }
    }

    /// When the user authenticated; written in UTC, in whole seconds.
    pub fn authentication_date(mut self, moment: SystemTime) -> Self {
        self.standard[0] = Some(authentication_date::written(moment).into());
        self
    }

    /// Whether the user asked to be remembered at login.
    pub fn long_term(mut self, remembered: bool) -> Self {
        self.standard[1] = Some(flag(remembered));
        self
    }

    /// Whether the ticket was issued right after the user gave credentials.
    pub fn from_new_login(mut self, new: bool) -> Self {
        self.standard[2] = Some(flag(new));
        self
    }

    /// Adds attributes, each name once, with their values in order.
    pub fn attributes<V: Into<Cow<'a, [String]>>>(
        mut self,
        attributes: impl IntoIterator<Item = (&'a str, V)>,
    ) -> Self {
        let attributes = attributes.into_iter();
        self.attributes
            .extend(attributes.map(|(name, values)| (name, values.into())));
        self
    }

    /// What ties the answer to the proxy-granting ticket sent to the callback (R-125).
    pub fn proxy_granting_ticket_iou(mut self, iou: &'a ProxyGrantingTicketIou) -> Self {
        self.proxy_granting_ticket_iou = Some(iou);
        self
    }

    /// The proxies the user came through, the most recent first (R-126).
    pub fn proxies(mut self, proxies: &'a [String]) -> Self {
        self.proxies = proxies;
        self
    }

    /// The answer in the format asked for.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Xml => self.to_xml_with(AttributeStyle::default()),
            Format::Json => write_json::success(self),
        }
    }

    /// The attributes as they are sent, the standard ones first, for a message of another kind (R-244).
    pub fn to_attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        for (name, values) in self.entries() {
            attributes.insert(name, values.iter());
        }
        attributes
    }

    pub(super) fn to_xml_with(&self, style: AttributeStyle) -> String {
        let mut writer = Writer::new();
        envelope::open(&mut writer);
        write_xml::success(&mut writer, self, style);
        envelope::close(writer)
    }

    /// Names with their values, as they are sent.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Values<'_>)> + Clone {
        let standard = STANDARD_ATTRIBUTES.into_iter().zip(&self.standard);
        let given = self.attributes.iter().filter(|(name, _)| !self.sets(name));
        standard
            .filter_map(|(name, value)| Some((name, Values::One(value.as_deref()?))))
            .chain(given.map(|(name, values)| (*name, Values::Listed(values))))
    }

    fn sets(&self, name: &str) -> bool {
        let mut standard = STANDARD_ATTRIBUTES.iter().zip(&self.standard);
        standard.any(|(known, value)| *known == name && value.is_some())
    }
}

fn flag(value: bool) -> Cow<'static, str> {
    Cow::Borrowed(if value { "true" } else { "false" })
}

/// The values of one attribute.
#[derive(Clone, Copy, Debug)]
pub(super) enum Values<'a> {
    One(&'a str),
    Listed(&'a [String]),
}

impl<'a> Values<'a> {
    /// The value, if there is one and no other.
    pub(super) fn only(self) -> Option<&'a str> {
        match self {
            Self::One(value) => Some(value),
            Self::Listed([value]) => Some(value),
            Self::Listed(_) => None,
        }
    }

    pub(super) fn iter(self) -> impl Iterator<Item = &'a str> {
        let (one, listed) = match self {
            Self::One(value) => (Some(value), &[][..]),
            Self::Listed(values) => (None, values),
        };
        one.into_iter().chain(listed.iter().map(String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceResponse;

    #[test]
    fn borrowed_and_owned_answers_are_the_same_bytes() {
        // R-128, R-130: "longTerm…" is not set here, so that of the user stays; the other two give way.
        let values = ["one".to_owned(), "<two>".to_owned()];
        let iou = ProxyGrantingTicketIou::parse("PGTIOU-1-x").unwrap();
        let proxies = ["https://proxy.example.org/".to_owned()];
        let attributes = [
            ("isFromNewLogin", &values[..1]),
            ("memberOf", &values[..]),
            ("longTermAuthenticationRequestTokenUsed", &values[..1]),
            ("1 odd name", &values[..]),
        ];
        let answer = SuccessAnswer::new("ada")
            .authentication_date(SystemTime::UNIX_EPOCH)
            .from_new_login(true)
            .attributes(attributes)
            .proxy_granting_ticket_iou(&iou)
            .proxies(&proxies);
        let mut assertion = Assertion::builder("ada")
            .authentication_date(SystemTime::UNIX_EPOCH)
            .from_new_login(true)
            .proxy_granting_ticket_iou(iou.clone())
            .proxies(proxies.clone());
        for (name, values) in attributes {
            for value in values {
                assertion = assertion.attribute(name, value);
            }
        }
        let response = ServiceResponse::Success(assertion.build());
        for format in [Format::Xml, Format::Json] {
            assert_eq!(answer.render(format), response.render(format));
        }
        let inline = AttributeStyle::Inline;
        assert_eq!(answer.to_xml_with(inline), response.to_xml_with(inline));
    }
}
