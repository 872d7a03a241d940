//! The compressed form of a logout request, carried by the browser (R-083, R-088, R-089).

use std::io::Write;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use flate2::write::ZlibEncoder;
use flate2::{Compression, Decompress, FlushDecompress, Status};

use crate::{ErrorClass, ReadError};

/// What a compressed logout request may unfold to, in bytes (R-088).
pub(super) const INFLATED_LIMIT: usize = 64 * 1024;

/// Compresses with a zlib header and encodes in standard Base64 (R-083).
pub(super) fn deflate(xml: &str) -> String {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder
        .write_all(xml.as_bytes())
        .expect("a Vec takes every write");
    let compressed = encoder.finish().expect("a Vec takes every write");
    BASE64.encode(compressed)
}

/// Reverses [`deflate`]; raw deflate, without the zlib header, is read too (R-088).
pub(super) fn inflate(value: &str) -> Result<Vec<u8>, ReadError> {
    let compressed = BASE64.decode(base64_text(value)).map_err(|_| {
        ReadError::new(
            ErrorClass::Malformed,
            "logoutRequest is neither XML nor Base64",
        )
    })?;
    match inflate_as(Wrapping::Zlib, &compressed) {
        Inflated::Broken => {}
        outcome => return outcome.into_result(),
    }
    inflate_as(Wrapping::None, &compressed).into_result()
}

/// A JSONP function name that is safe to write into a script (R-089).
///
/// ```
/// use casque_proto::JsonpCallback;
///
/// let callback = JsonpCallback::parse("jQuery112409_1509437967792").ok_or("not a name")?;
/// assert_eq!(callback.script(), "jQuery112409_1509437967792();");
/// assert!(JsonpCallback::parse("alert(1)//").is_none());
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct JsonpCallback(String);

impl JsonpCallback {
    /// The media type a script is answered with.
    pub const CONTENT_TYPE: &str = "application/javascript";

    /// Takes a name of the form `^[A-Za-z_$][A-Za-z0-9_$.]{0,127}$`, nothing else.
    pub fn parse(name: &str) -> Option<Self> {
        let mut bytes = name.bytes();
        let first = bytes.next()?;
        let starts_well = first.is_ascii_alphabetic() || matches!(first, b'_' | b'$');
        let goes_on_well =
            bytes.all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | b'.'));
        (starts_well && goes_on_well && name.len() <= 128).then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole script that answers the browser.
    pub fn script(&self) -> String {
        format!("{}();", self.0)
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Wrapping {
    Zlib,
    None,
}

enum Inflated {
    Whole(Vec<u8>),
    TooLarge,
    Broken,
}

impl Inflated {
    fn into_result(self) -> Result<Vec<u8>, ReadError> {
        match self {
            Self::Whole(xml) => Ok(xml),
            Self::TooLarge => Err(ReadError::new(
                ErrorClass::TooLarge,
                "the compressed logout request unfolds to more than 64 KiB",
            )),
            Self::Broken => Err(ReadError::new(
                ErrorClass::Malformed,
                "logoutRequest is neither XML nor compressed XML",
            )),
        }
    }
}

/// The stream must end, and nothing may follow it.
fn inflate_as(wrapping: Wrapping, compressed: &[u8]) -> Inflated {
    // One byte more than the limit, so that reaching the capacity proves the excess.
    let mut xml = Vec::with_capacity(INFLATED_LIMIT + 1);
    let mut stream = Decompress::new(wrapping == Wrapping::Zlib);
    let status = stream.decompress_vec(compressed, &mut xml, FlushDecompress::Finish);
    if xml.len() > INFLATED_LIMIT {
        return Inflated::TooLarge;
    }
    match status {
        Ok(Status::StreamEnd) if stream.total_in() == compressed.len() as u64 => {
            Inflated::Whole(xml)
        }
        _ => Inflated::Broken,
    }
}

/// Line breaks of MIME encoders go; a `+` that a form decoder turned into a space comes back.
fn base64_text(value: &str) -> String {
    value
        .chars()
        .filter(|c| !matches!(c, '\r' | '\n' | '\t'))
        .map(|c| if c == ' ' { '+' } else { c })
        .collect()
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
