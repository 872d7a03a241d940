//! SAML 1.1 as CAS speaks it at `/samlValidate` (R-237 to R-257).
//!
//! The application posts a SOAP envelope with the ticket as an artifact and gets an envelope with an assertion
//! back. No signature is involved: trust rests on TLS to the configured server, so a response that came through a
//! browser must never be read with this module (R-257).

mod read;
mod request;
mod response;
mod soap;
mod write;

use std::time::SystemTime;

use crate::instant;

pub use self::read::SamlExpectation;
pub use self::request::SamlRequest;
pub use self::response::{SamlAssertion, SamlResponse};
pub use self::write::SamlReply;

/// The identifier and the instant of a message that is about to be sent (R-238, R-243).
///
/// ```
/// use casque_proto::saml::SamlStamp;
/// use std::time::SystemTime;
///
/// // In real use, random bytes from the operating system.
/// let stamp = SamlStamp::new(SystemTime::UNIX_EPOCH, &mut |bytes| bytes.fill(7));
/// assert_eq!(stamp.id(), "_07070707070707070707070707070707");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlStamp {
    id: String,
    now: SystemTime,
}

impl SamlStamp {
    /// `_` and 32 hexadecimal digits from `fill`, which fills a slice with random bytes.
    pub fn new(now: SystemTime, fill: &mut dyn FnMut(&mut [u8])) -> Self {
        let mut random = [0; 16];
        fill(&mut random);
        Self {
            id: format!("_{:032x}", u128::from_be_bytes(random)),
            now,
        }
    }

    /// The identifier, an `xs:ID`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// When the message is made.
    pub fn now(&self) -> SystemTime {
        self.now
    }

    fn instant(&self) -> String {
        instant::millis(self.now)
    }
}

const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const PROTOCOL: &str = "urn:oasis:names:tc:SAML:1.0:protocol";
const ASSERTION: &str = "urn:oasis:names:tc:SAML:1.0:assertion";
