//! What every CAS 2 and 3 answer has in common: the root, and one outcome in it.

use crate::failure::Failure;
use crate::json::Json;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::read::Tolerance;
use crate::text::trim_xml;
use crate::xml::CAS_NAMESPACE;
use crate::xml::Element;
use crate::xml::Namespace;
use crate::xml::Reader;
use crate::xml::Writer;

/// The element that says how it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    AuthenticationSuccess,
    AuthenticationFailure,
    ProxySuccess,
    ProxyFailure,
}

impl Outcome {
    const ALL: [Self; 4] = [
        Self::AuthenticationSuccess,
        Self::AuthenticationFailure,
        Self::ProxySuccess,
        Self::ProxyFailure,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AuthenticationSuccess => "authenticationSuccess",
            Self::AuthenticationFailure => "authenticationFailure",
            Self::ProxySuccess => "proxySuccess",
            Self::ProxyFailure => "proxyFailure",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }
}

/// Reads the root of an XML answer and the one outcome in it, whose content `content` reads.
///
/// The outcome is the only child of the root, as the schema has it: beside it there is room for nothing (S-023). Nothing is returned before the end of the document has been seen (S-024).
pub(crate) fn read_xml<'a, T>(
    text: &'a str,
    options: &ReadOptions,
    mut content: impl FnMut(&mut CasReader<'a>, Outcome) -> Result<T, ReadError>,
) -> Result<T, ReadError> {
    let mut reader = CasReader {
        xml: Reader::new(text, options)?,
        counts_no_namespace: options.tolerates(Tolerance::MissingNamespace),
    };
    let root = reader.xml.root()?;
    if root.local != "serviceResponse" || !reader.is_cas(root) {
        return Err(not_cas(&format!(
            "the root is {:?} in {}",
            root.local,
            match root.namespace {
                Namespace::None => "no namespace",
                Namespace::Cas => "the namespace of CAS",
                _ => "another namespace",
            }
        )));
    }
    let mut read = None;
    let mut children = 0_usize;
    while let Some(child) = reader.xml.child()? {
        children += 1;
        match Outcome::of(child.local).filter(|_| reader.is_cas(child)) {
            Some(_) if read.is_some() => {
                return Err(reader.xml.error(ErrorClass::Ambiguous, "a second outcome"));
            }
            Some(outcome) => read = Some(content(&mut reader, outcome)?),
            None => reader.xml.skip()?,
        }
    }
    reader.xml.finish()?;
    match read {
        None => Err(not_cas("a serviceResponse without an outcome")),
        Some(_) if children > 1 => Err(ReadError::malformed("an element beside the outcome")),
        Some(read) => Ok(read),
    }
}

/// The outcome of a JSON answer and its content.
pub(crate) fn read_json<'j, 'a>(
    document: &'j Json<'a>,
) -> Result<(Outcome, &'j Json<'a>), ReadError> {
    let response = document
        .member("serviceResponse")
        .ok_or_else(|| not_cas("JSON without a serviceResponse"))?;
    if !matches!(response, Json::Object(_)) {
        return Err(ReadError::malformed(format!(
            "serviceResponse is {}",
            response.kind()
        )));
    }
    let mut outcomes = Outcome::ALL
        .into_iter()
        .filter_map(|outcome| Some((outcome, response.member(outcome.name())?)));
    let Some((outcome, content)) = outcomes.next() else {
        return Err(not_cas("a serviceResponse without an outcome"));
    };
    if outcomes.next().is_some() {
        return Err(ReadError::new(ErrorClass::Ambiguous, "a second outcome"));
    }
    if !matches!(content, Json::Object(_)) {
        return Err(ReadError::malformed(format!(
            "{} is {}",
            outcome.name(),
            content.kind()
        )));
    }
    Ok((outcome, content))
}

/// An XML reader that knows what counts as an element of CAS.
pub(crate) struct CasReader<'a> {
    pub(crate) xml: Reader<'a>,
    counts_no_namespace: bool,
}

impl CasReader<'_> {
    /// In the namespace of CAS, or in none where that is tolerated.
    pub(crate) fn is_cas(&self, element: Element<'_>) -> bool {
        element.namespace == Namespace::Cas
            || (self.counts_no_namespace && element.namespace == Namespace::None)
    }

    /// Named without a namespace where that does not count: what a reader that ignores namespaces would take for one of CAS.
    pub(crate) fn lacks_namespace(&self, element: Element<'_>) -> bool {
        element.namespace == Namespace::None && !self.counts_no_namespace
    }

    /// The failure whose start tag was just read. What is nested in it does not count.
    pub(crate) fn failure(&mut self) -> Result<Failure, ReadError> {
        let code = self.xml.attribute("code");
        let description = self.xml.loose_text()?;
        Ok(Failure::read(code.as_deref().map(trim_xml), &description))
    }
}

/// A failure in JSON.
pub(crate) fn read_json_failure(content: &Json<'_>) -> Result<Failure, ReadError> {
    let text = |name| match content.member(name) {
        None => Ok(None),
        Some(Json::String(text)) => Ok(Some(trim_xml(text))),
        Some(other) => Err(ReadError::malformed(format!(
            "the {name} is {}",
            other.kind()
        ))),
    };
    Ok(Failure::read(
        text("code")?,
        text("description")?.unwrap_or_default(),
    ))
}

/// `<cas:serviceResponse>` with the one namespace there is.
pub(crate) fn open(writer: &mut Writer) {
    writer.open("cas:serviceResponse", &[("xmlns:cas", CAS_NAMESPACE)]);
}

pub(crate) fn close(mut writer: Writer) -> String {
    writer.close("cas:serviceResponse");
    writer.finish()
}

/// `<cas:authenticationFailure code="…">…</…>`.
pub(crate) fn write_failure(writer: &mut Writer, name: &str, failure: &Failure) {
    match failure.code() {
        Some(code) => writer.open(name, &[("code", code.as_str())]),
        None => writer.open(name, &[]),
    }
    writer.text(failure.description());
    writer.close(name);
}

pub(crate) fn not_cas(detail: &str) -> ReadError {
    ReadError::new(ErrorClass::NotCas, detail)
}
