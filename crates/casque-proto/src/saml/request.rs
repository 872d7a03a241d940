//! The request to `/samlValidate` (R-237 to R-240).

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Request, header};

use super::{SamlStamp, soap};
use crate::xml::{Namespace, Reader, Writer};
use crate::{CasBase, Endpoint, ErrorClass, ReadError, ReadOptions, ServiceTicket, ServiceUrl};

/// A request to validate a ticket, in SAML's words an artifact.
///
/// ```
/// use casque_proto::saml::{SamlRequest, SamlStamp};
/// use casque_proto::{ReadOptions, ServiceTicket};
/// use std::time::SystemTime;
///
/// let ticket = ServiceTicket::parse("ST-1-abc")?;
/// let stamp = SamlStamp::new(SystemTime::UNIX_EPOCH, &mut |bytes| bytes.fill(7));
/// let xml = SamlRequest::to_xml(&ticket, &stamp);
///
/// let target = Some("https://app.example.org/");
/// let request = SamlRequest::parse(target, xml.as_bytes(), &ReadOptions::default())?;
/// assert_eq!(request.artifact(), &ticket);
/// assert_eq!(request.request_id(), Some(stamp.id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SamlRequest {
    target: String,
    artifact: ServiceTicket,
    request_id: Option<String>,
}

impl SamlRequest {
    /// `Content-Type` of the request.
    pub const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

    /// `SOAPAction` of the request, with its quotes; some servers insist on it.
    pub const SOAP_ACTION: &str = "\"http://www.oasis-open.org/committees/security\"";

    /// The request an application sends: the envelope by `POST`, the service in the query as `TARGET` (R-237).
    ///
    /// Do not follow redirects when sending it (R-017).
    ///
    /// ```
    /// use casque_proto::saml::{SamlRequest, SamlStamp};
    /// use casque_proto::{CasBase, ServiceTicket, ServiceUrl};
    /// use std::time::SystemTime;
    ///
    /// let base = CasBase::parse("https://cas.example.org/cas")?;
    /// let service = ServiceUrl::parse("https://app.example.org/")?;
    /// let ticket = ServiceTicket::parse("ST-1-abc")?;
    /// let stamp = SamlStamp::new(SystemTime::UNIX_EPOCH, &mut |bytes| bytes.fill(7));
    /// let request = SamlRequest::request(&base, &service, &ticket, &stamp);
    /// assert_eq!(
    ///     request.uri(),
    ///     "https://cas.example.org/cas/samlValidate?TARGET=https%3A%2F%2Fapp.example.org%2F",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn request(
        base: &CasBase,
        service: &ServiceUrl,
        ticket: &ServiceTicket,
        stamp: &SamlStamp,
    ) -> Request<Bytes> {
        let target = [("TARGET", service.without_fragment())];
        post(
            &base.endpoint_with(Endpoint::SamlValidate, &target),
            Self::to_xml(ticket, stamp),
        )
    }

    /// The same, accepting only a ticket from a fresh login with credentials (R-241, S-013).
    pub fn renewing_request(
        base: &CasBase,
        service: &ServiceUrl,
        ticket: &ServiceTicket,
        stamp: &SamlStamp,
    ) -> Request<Bytes> {
        let query = [("TARGET", service.without_fragment()), ("renew", "true")];
        post(
            &base.endpoint_with(Endpoint::SamlValidate, &query),
            Self::to_xml(ticket, stamp),
        )
    }

    /// The envelope an application posts (R-237, R-238).
    pub fn to_xml(ticket: &ServiceTicket, stamp: &SamlStamp) -> String {
        let mut xml = Writer::new();
        xml.open("SOAP-ENV:Envelope", &[("xmlns:SOAP-ENV", super::SOAP)]);
        xml.empty("SOAP-ENV:Header", &[]);
        xml.open("SOAP-ENV:Body", &[]);
        xml.open(
            "samlp:Request",
            &[
                ("xmlns:samlp", super::PROTOCOL),
                ("MajorVersion", "1"),
                ("MinorVersion", "1"),
                ("RequestID", stamp.id()),
                ("IssueInstant", &stamp.instant()),
            ],
        );
        xml.leaf("samlp:AssertionArtifact", ticket.secret());
        xml.close("samlp:Request");
        xml.close("SOAP-ENV:Body");
        xml.close("SOAP-ENV:Envelope");
        xml.finish()
    }

    /// Reads what an application posted: one artifact in one request in a SOAP 1.1 envelope, and `target`, the
    /// parameter `TARGET` of the query (R-239, R-240).
    ///
    /// The server answers every error with [`SamlResponse::request_denied`](super::SamlResponse::request_denied) and
    /// spends no ticket.
    ///
    /// # Errors
    ///
    /// [`ErrorClass::NotCas`] for anything but such an envelope, [`ErrorClass::Ambiguous`] for two requests or two
    /// artifacts, [`ErrorClass::Malformed`] for an artifact that is not a ticket or a `target` that is blank or not
    /// there, and the classes of every XML reader.
    pub fn parse(
        target: Option<&str>,
        body: &[u8],
        options: &ReadOptions,
    ) -> Result<Self, ReadError> {
        let target = target
            .filter(|target| !target.trim().is_empty())
            .ok_or_else(|| ReadError::malformed("no TARGET in the query"))?;
        let (artifact, request_id) = Found::read(body, options)?;
        Ok(Self {
            target: target.to_owned(),
            artifact,
            request_id,
        })
    }

    /// The service as the query gave it. It has not been judged.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// The ticket to validate.
    pub fn artifact(&self) -> &ServiceTicket {
        &self.artifact
    }

    /// What the answer repeats as `InResponseTo`: any text.
    pub fn request_id(&self) -> Option<&str> {
        self.request_id.as_deref()
    }
}

fn post(url: &str, envelope: String) -> Request<Bytes> {
    Request::builder()
        .method(Method::POST)
        .uri(url)
        .header(header::CONTENT_TYPE, SamlRequest::CONTENT_TYPE)
        .header(header::ACCEPT, "text/xml")
        .header("soapaction", SamlRequest::SOAP_ACTION)
        .body(Bytes::from(envelope))
        .expect("base and service are bounded, and all but the base is percent-encoded")
}

#[derive(Default)]
struct Found {
    bodies: usize,
    requests: usize,
    request_id: Option<String>,
    artifacts: Vec<String>,
}

impl Found {
    fn read(
        body: &[u8],
        options: &ReadOptions,
    ) -> Result<(ServiceTicket, Option<String>), ReadError> {
        let mut found = Self::default();
        soap::each_body(body, options, |reader| {
            found.bodies += 1;
            found.read_body(reader)
        })?;
        found.judge()
    }

    fn read_body(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Protocol, "Request") {
                self.requests += 1;
                self.request_id = reader.attribute("RequestID").map(Cow::into_owned);
                self.read_request(reader)?;
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }

    fn read_request(&mut self, reader: &mut Reader<'_>) -> Result<(), ReadError> {
        while let Some(child) = reader.child()? {
            if child.is(Namespace::Saml1Protocol, "AssertionArtifact") {
                self.artifacts
                    .push(reader.text("AssertionArtifact")?.into_owned());
            } else {
                reader.skip()?;
            }
        }
        Ok(())
    }

    fn judge(self) -> Result<(ServiceTicket, Option<String>), ReadError> {
        if self.bodies > 1 || self.requests > 1 || self.artifacts.len() > 1 {
            return Err(ReadError::new(
                ErrorClass::Ambiguous,
                "more than one body, request or artifact",
            ));
        }
        if self.requests == 0 {
            return Err(ReadError::new(ErrorClass::NotCas, "no SAML 1.x request"));
        }
        let artifact = self
            .artifacts
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let artifact = ServiceTicket::parse(artifact)
            .map_err(|error| ReadError::malformed(format!("the artifact: {error}")))?;
        Ok((artifact, self.request_id))
    }
}
