//! The answer of `/proxy` (specification §2.7.2).

use std::borrow::Cow;

use crate::body;
use crate::failure::Failure;
use crate::json::Json;
use crate::json::write_string;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::service_response::Document;
use crate::service_response::Format;
use crate::service_response::check_success;
use crate::service_response::document;
use crate::service_response::envelope;
use crate::service_response::envelope::CasReader;
use crate::service_response::envelope::Outcome;
use crate::service_response::json_failure;
use crate::text::trim_xml;
use crate::ticket::ProxyTicket;
use crate::xml::Writer;

/// What a CAS server says when asked for a proxy ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyResponse {
    /// A ticket for the target service.
    Success(ProxyTicket),
    /// The request was refused.
    Failure(Failure),
}

impl ProxyResponse {
    /// Read the body of an answer, XML or JSON as it comes (R-177, R-178).
    ///
    /// An `authenticationFailure` is a failure here too: some servers send it.
    ///
    /// # Errors
    ///
    /// [`ReadError`] as for [`ServiceResponse::parse`](crate::ServiceResponse::parse); `malformed` for a ticket that
    /// breaks the grammar of tickets (R-219).
    pub fn parse(body: &[u8], options: &ReadOptions) -> Result<Self, ReadError> {
        read(body, options).map_err(|error| options.blame(error))
    }

    /// The answer in XML (R-140).
    pub fn to_xml(&self) -> String {
        let mut writer = Writer::new();
        envelope::open(&mut writer);
        match self {
            Self::Success(ticket) => {
                writer.open("cas:proxySuccess", &[]);
                writer.leaf("cas:proxyTicket", ticket.secret());
                writer.close("cas:proxySuccess");
            }
            Self::Failure(failure) => {
                envelope::write_failure(&mut writer, "cas:proxyFailure", failure);
            }
        }
        envelope::close(writer)
    }

    /// The answer in JSON (R-136, R-137).
    pub fn to_json(&self) -> String {
        match self {
            Self::Success(ticket) => {
                let mut out =
                    String::from("{\"serviceResponse\":{\"proxySuccess\":{\"proxyTicket\":");
                write_string(&mut out, ticket.secret());
                out.push_str("}}}");
                out
            }
            Self::Failure(failure) => json_failure("proxyFailure", failure),
        }
    }

    /// The answer in the format asked for.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Xml => self.to_xml(),
            Format::Json => self.to_json(),
        }
    }
}

fn read(body: &[u8], options: &ReadOptions) -> Result<ProxyResponse, ReadError> {
    let text = body::text(body, options)?;
    let response = match document(&text)? {
        Document::Xml => envelope::read_xml(&text, options, read_xml)?.judge()?,
        Document::Json => read_json(&Json::parse(&text, options.limits_ref())?)?,
    };
    if matches!(response, ProxyResponse::Success(_)) {
        check_success(options)?;
    }
    Ok(response)
}

/// What stood in the outcome; judged only once the document has been read to its end (R-150).
enum Content<'a> {
    Failure(Failure),
    Tickets(Vec<Cow<'a, str>>),
    Foreign,
}

impl Content<'_> {
    fn judge(self) -> Result<ProxyResponse, ReadError> {
        match self {
            Self::Failure(failure) => Ok(ProxyResponse::Failure(failure)),
            Self::Foreign => Err(foreign()),
            Self::Tickets(tickets) => match tickets.as_slice() {
                [] => Err(no_ticket()),
                [ticket] => proxy_ticket(ticket).map(ProxyResponse::Success),
                _ => Err(ReadError::new(
                    ErrorClass::Ambiguous,
                    "a second proxyTicket",
                )),
            },
        }
    }
}

fn read_xml<'a>(reader: &mut CasReader<'a>, outcome: Outcome) -> Result<Content<'a>, ReadError> {
    match outcome {
        Outcome::ProxyFailure | Outcome::AuthenticationFailure => {
            reader.failure().map(Content::Failure)
        }
        Outcome::AuthenticationSuccess => {
            reader.xml.skip()?;
            Ok(Content::Foreign)
        }
        Outcome::ProxySuccess => {
            let mut tickets = Vec::new();
            while let Some(child) = reader.xml.child()? {
                if child.local != "proxyTicket" || !reader.is_cas(child) {
                    reader.xml.skip()?;
                    continue;
                }
                tickets.push(reader.xml.text("the proxyTicket")?);
            }
            Ok(Content::Tickets(tickets))
        }
    }
}

fn read_json(document: &Json<'_>) -> Result<ProxyResponse, ReadError> {
    let (outcome, content) = envelope::read_json(document)?;
    match outcome {
        Outcome::ProxyFailure | Outcome::AuthenticationFailure => {
            envelope::read_json_failure(content).map(ProxyResponse::Failure)
        }
        Outcome::AuthenticationSuccess => Err(foreign()),
        Outcome::ProxySuccess => match content.member("proxyTicket") {
            Some(Json::String(ticket)) => {
                proxy_ticket(trim_xml(ticket)).map(ProxyResponse::Success)
            }
            Some(other) => Err(ReadError::malformed(format!(
                "the proxyTicket is {}",
                other.kind()
            ))),
            None => Err(no_ticket()),
        },
    }
}

fn proxy_ticket(text: &str) -> Result<ProxyTicket, ReadError> {
    ProxyTicket::parse(text)
        .map_err(|error| ReadError::malformed(format!("the proxyTicket is no ticket: {error}")))
}

fn foreign() -> ReadError {
    envelope::not_cas("authenticationSuccess does not answer /proxy")
}

fn no_ticket() -> ReadError {
    ReadError::malformed("a proxySuccess without a proxyTicket")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureCode;

    fn parse(body: &str) -> Result<ProxyResponse, ErrorClass> {
        ProxyResponse::parse(body.as_bytes(), &ReadOptions::default())
            .map_err(|error| error.class())
    }

    #[test]
    fn what_is_written_is_read() {
        // R-137, R-140
        let ticket = ProxyTicket::parse("PT-1-abc").unwrap();
        let success = ProxyResponse::Success(ticket);
        let failure = ProxyResponse::Failure(Failure::new(
            FailureCode::UnauthorizedService,
            "no <b> & \"co\"",
        ));
        for response in [success, failure] {
            for format in [Format::Xml, Format::Json] {
                assert_eq!(parse(&response.render(format)), Ok(response.clone()));
            }
        }
    }

    #[test]
    fn only_one_good_ticket_is_a_success() {
        // R-150, R-177, R-178, R-219
        let xml = |inside: &str| {
            format!(
                r#"<c:serviceResponse xmlns:c="http://www.yale.edu/tp/cas">{inside}</c:serviceResponse>"#
            )
        };
        let success = |inside: &str| xml(&format!("<c:proxySuccess>{inside}</c:proxySuccess>"));
        for (body, class) in [
            (success(""), ErrorClass::Malformed),
            (success("<c:proxyTicket/>"), ErrorClass::Malformed),
            (
                success("<c:proxyTicket>PGT-1</c:proxyTicket>"),
                ErrorClass::Malformed,
            ),
            (
                success("<proxyTicket>PT-1</proxyTicket>"),
                ErrorClass::Malformed,
            ),
            (
                success("<c:proxyTicket>PT<!-- -->-1</c:proxyTicket>"),
                ErrorClass::Malformed,
            ),
            (
                success("<c:proxyTicket>PT-1</c:proxyTicket><c:proxyTicket>PT-2</c:proxyTicket>"),
                ErrorClass::Ambiguous,
            ),
            (
                xml("<c:proxySuccess/><c:proxyFailure/>"),
                ErrorClass::Ambiguous,
            ),
            (
                xml("<c:proxyFailure/><c:proxySuccess/>"),
                ErrorClass::Ambiguous,
            ),
            (
                xml("<c:authenticationSuccess><c:user>a</c:user></c:authenticationSuccess>"),
                ErrorClass::NotCas,
            ),
            (
                r#"{"serviceResponse":{"proxySuccess":{"proxyTicket":1}}}"#.to_owned(),
                ErrorClass::Malformed,
            ),
            (
                r#"{"serviceResponse":{"proxySuccess":{}}}"#.to_owned(),
                ErrorClass::Malformed,
            ),
            (
                r#"{"serviceResponse":{"authenticationSuccess":{"user":"a"}}}"#.to_owned(),
                ErrorClass::NotCas,
            ),
            ("PT-1".to_owned(), ErrorClass::NotCas),
        ] {
            assert_eq!(parse(&body), Err(class), "{body}");
        }
    }

    #[test]
    fn a_success_needs_a_status_that_says_so() {
        // R-170, R-171
        let options = ReadOptions::default().status(500);
        let success = ProxyResponse::Success(ProxyTicket::parse("PT-1").unwrap()).to_xml();
        let failure = ProxyResponse::Failure(Failure::new(FailureCode::BadPgt, "")).to_xml();
        let error = ProxyResponse::parse(success.as_bytes(), &options).unwrap_err();
        assert_eq!(error.class(), ErrorClass::UnexpectedStatus);
        assert!(matches!(
            ProxyResponse::parse(failure.as_bytes(), &options),
            Ok(ProxyResponse::Failure(_))
        ));
    }
}
