//! The SOAP 1.1 envelope around SAML messages.

use crate::body;
use crate::read::{ErrorClass, ReadError, ReadOptions};
use crate::xml::{Namespace, Reader};

/// Opens an envelope and reads each of its `Body` elements with `read`; a `Header` is passed over.
pub(super) fn each_body(
    envelope: &[u8],
    options: &ReadOptions,
    mut read: impl FnMut(&mut Reader<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let text = body::text(envelope, options)?;
    if !text.starts_with('<') {
        return Err(ReadError::new(ErrorClass::NotCas, "not XML"));
    }
    let mut reader = Reader::new(&text, options)?;
    if !reader.root()?.is(Namespace::Soap, "Envelope") {
        return Err(reader.error(ErrorClass::NotCas, "not a SOAP 1.1 envelope"));
    }
    while let Some(child) = reader.child()? {
        if child.is(Namespace::Soap, "Body") {
            read(&mut reader)?;
        } else {
            reader.skip()?;
        }
    }
    reader.finish()
}
