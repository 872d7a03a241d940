//! The answer to a validation, CAS 2 and 3 (specification §2.5 to §2.8).

use std::fmt;

use crate::assertion::Assertion;
use crate::body;
use crate::failure::Failure;
use crate::json::Json;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::read::safe_excerpt;
use crate::xml::Writer;

pub(crate) mod envelope;
mod read_json;
mod read_xml;
mod success;
mod write_json;
mod write_xml;

pub use success::SuccessAnswer;
pub(crate) use write_json::failure as json_failure;

/// What a CAS server says about a ticket.
///
/// ```
/// use casque_proto::{ReadOptions, ServiceResponse};
///
/// let body = br#"<cas:serviceResponse xmlns:cas="http://www.yale.edu/tp/cas">
///   <cas:authenticationSuccess><cas:user>ada</cas:user></cas:authenticationSuccess>
/// </cas:serviceResponse>"#;
/// match ServiceResponse::parse(body, &ReadOptions::default().status(200))? {
///     ServiceResponse::Success(assertion) => assert_eq!(assertion.user(), "ada"),
///     ServiceResponse::Failure(failure) => println!("refused: {failure}"),
/// }
/// # Ok::<(), casque_proto::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServiceResponse {
    /// The ticket is good.
    Success(Assertion),
    /// The ticket was refused.
    Failure(Failure),
}

impl ServiceResponse {
    /// Read the body of an answer, XML or JSON as it comes (R-141 to R-179).
    ///
    /// A failure is read whatever the HTTP status; a success only with a status of 200 to 299.
    ///
    /// # Errors
    ///
    /// [`ReadError`] for everything that is not exactly one outcome. There is no principal then, whatever the body
    /// says.
    pub fn parse(body: &[u8], options: &ReadOptions) -> Result<Self, ReadError> {
        read(body, options).map_err(|error| options.blame(error))
    }

    /// The answer in XML: prefix `cas`, no declaration, schema order (R-116 to R-133).
    pub fn to_xml(&self) -> String {
        self.to_xml_with(AttributeStyle::default())
    }

    /// The answer in XML, attributes written in a style of choice (R-135).
    pub fn to_xml_with(&self, style: AttributeStyle) -> String {
        match self {
            Self::Success(assertion) => SuccessAnswer::of(assertion).to_xml_with(style),
            Self::Failure(failure) => {
                let mut writer = Writer::new();
                envelope::open(&mut writer);
                envelope::write_failure(&mut writer, "cas:authenticationFailure", failure);
                envelope::close(writer)
            }
        }
    }

    /// The answer in JSON (R-136 to R-138).
    pub fn to_json(&self) -> String {
        match self {
            Self::Success(assertion) => write_json::success(&SuccessAnswer::of(assertion)),
            Self::Failure(failure) => write_json::failure("authenticationFailure", failure),
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

/// How answers are written: the parameter `format` (R-105).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `XML`, which is what a server sends unless asked otherwise.
    #[default]
    Xml,
    /// `JSON`
    Json,
}

impl Format {
    /// The format of that name, in whatever case; `None` is a request the server refuses.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Xml, Self::Json]
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(name))
    }

    /// `XML` or `JSON`, as it is sent.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }

    /// The media type of an answer in this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Xml => "application/xml;charset=UTF-8",
            Self::Json => "application/json;charset=UTF-8",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How attributes are written in XML (R-135).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AttributeStyle {
    /// `<cas:mail>a@b</cas:mail>`, as the specification has it.
    #[default]
    Elements,
    /// `<cas:attribute name="mail" value="a@b"/>`, for clients that expect it.
    Inline,
}

fn read(body: &[u8], options: &ReadOptions) -> Result<ServiceResponse, ReadError> {
    let text = body::text(body, options)?;
    let response = match document(&text)? {
        Document::Xml => read_xml::read(&text, options)?,
        Document::Json => read_json::read(&Json::parse(&text, options.limits_ref())?, options)?,
    };
    if let ServiceResponse::Success(assertion) = &response {
        check_success(options)?;
        if !options.allows_proxies(&assertion.proxies) {
            return Err(ReadError::new(
                ErrorClass::ProxyNotAllowed,
                format!(
                    "the user came through {} proxies that are not allowed",
                    assertion.proxies.len()
                ),
            ));
        }
    }
    Ok(response)
}

/// What a body is, by its first character, whatever was asked for (R-143).
pub(crate) enum Document {
    Xml,
    Json,
}

pub(crate) fn document(text: &str) -> Result<Document, ReadError> {
    match text.as_bytes().first() {
        Some(b'<') => Ok(Document::Xml),
        Some(b'{') => Ok(Document::Json),
        _ => Err(ReadError::new(
            ErrorClass::NotCas,
            format!("neither XML nor JSON: {}", safe_excerpt(text, 80)),
        )),
    }
}

/// A success comes with a status that says so (R-171).
pub(crate) fn check_success(options: &ReadOptions) -> Result<(), ReadError> {
    if options.is_ok_status() {
        return Ok(());
    }
    Err(ReadError::new(
        ErrorClass::UnexpectedStatus,
        "a success with an error status",
    ))
}
