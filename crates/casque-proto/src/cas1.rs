//! The answer of `/validate`, CAS 1: two lines of text (specification §2.4.2).

use crate::assertion::Assertion;
use crate::body;
use crate::failure::Failure;
use crate::read::ErrorClass;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::read::safe_excerpt;
use crate::service_response::ServiceResponse;
use crate::service_response::check_success;
use crate::text;
use crate::text::is_xml_blank;

/// What a CAS server says about a ticket in CAS 1.
///
/// ```
/// use casque_proto::{Cas1Response, ReadOptions};
///
/// let response = Cas1Response::parse(b"yes\nada\n", &ReadOptions::default())?;
/// assert_eq!(response, Cas1Response::Success { user: "ada".to_owned() });
/// assert_eq!(Cas1Response::Failure.to_text(), "no\n\n");
/// # Ok::<(), casque_proto::ReadError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cas1Response {
    /// `yes`, and the name.
    Success {
        /// The name of the user, opaque.
        user: String,
    },
    /// `no`. The server says nothing more (R-115).
    Failure,
}

impl Cas1Response {
    /// Read the body of an answer (R-112 to R-115, S-030).
    ///
    /// The first line is exactly `yes` or `no`. After `yes` comes the name, then nothing but blank lines and lines of
    /// the form `name=value`, which some servers add and which are not read. What follows `no` does not matter.
    ///
    /// # Errors
    ///
    /// `not_cas` for another first line, `missing_user`, and `malformed` for a name that cannot be one or a line that
    /// could be a second name.
    pub fn parse(body: &[u8], options: &ReadOptions) -> Result<Self, ReadError> {
        read(body, options).map_err(|error| options.blame(error))
    }

    /// `yes`, LF, name, LF or `no`, LF, LF (R-110, R-111).
    ///
    /// A name with a line break or another control character cannot be sent this way: the answer is then `no`.
    pub fn to_text(&self) -> String {
        match self {
            Self::Success { user }
                if !user.is_empty() && !user.contains(|c: char| c.is_control()) =>
            {
                format!("yes\n{user}\n")
            }
            Self::Success { .. } | Self::Failure => "no\n\n".to_owned(),
        }
    }
}

impl From<Cas1Response> for ServiceResponse {
    fn from(response: Cas1Response) -> Self {
        match response {
            Cas1Response::Success { user } => Self::Success(Assertion::builder(user).build()),
            Cas1Response::Failure => Self::Failure(Failure::read(None, "")),
        }
    }
}

fn read(body: &[u8], options: &ReadOptions) -> Result<Cas1Response, ReadError> {
    let first = first_line(body);
    // Not even the encoding of what follows matters.
    if first == b"no" && body.len() <= options.limits_ref().bytes {
        return Ok(Cas1Response::Failure);
    }
    let text = body::text(body, options)?;
    if first != b"yes" {
        return Err(not_cas(&text));
    }
    let mut lines = text
        .split('\n')
        .skip(1)
        .map(|line| line.strip_suffix('\r').unwrap_or(line));
    let user = text::principal(lines.next().unwrap_or_default(), options.limits_ref())?;
    if !lines.all(is_harmless) {
        return Err(ReadError::malformed(
            "a line after the name that could be another name",
        ));
    }
    check_success(options)?;
    Ok(Cas1Response::Success { user })
}

/// The first line as it is sent: only a BOM before it and the line end are left out, no blanks.
fn first_line(body: &[u8]) -> &[u8] {
    let body = body.strip_prefix(body::BOM).unwrap_or(body);
    let line = body.split(|&byte| byte == b'\n').next().unwrap_or_default();
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// Blank, or `name=value`.
fn is_harmless(line: &str) -> bool {
    let line = line.trim_matches(is_xml_blank);
    let has_name = |name: &str| {
        !name.is_empty() && !name.contains(|c: char| c.is_control() || c.is_whitespace())
    };
    line.is_empty() || line.split_once('=').is_some_and(|(name, _)| has_name(name))
}

fn not_cas(text: &str) -> ReadError {
    ReadError::new(
        ErrorClass::NotCas,
        format!("neither \"yes\" nor \"no\": {}", safe_excerpt(text, 80)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(body: &str) -> Result<Cas1Response, ErrorClass> {
        Cas1Response::parse(body.as_bytes(), &ReadOptions::default()).map_err(|error| error.class())
    }

    #[test]
    fn yes_and_a_name_is_a_success() {
        // R-112, R-114
        let ada = Cas1Response::Success {
            user: "ada".to_owned(),
        };
        for body in [
            "yes\nada\n",
            "yes\nada",
            "yes\r\nada\r\n",
            "\u{feff}yes\n ada\t\n",
            "yes\nada\n\n\r\n \n",
            "yes\nada\nmail=a@b\n\nx=\n",
        ] {
            assert_eq!(parse(body), Ok(ada.clone()), "{body:?}");
        }
        assert_eq!(parse(&ada.to_text()), Ok(ada));
    }

    #[test]
    fn no_is_a_failure_whatever_follows() {
        // R-111, R-115, R-170
        for body in [
            "no\n\n",
            "no\n",
            "no",
            "no\r\n",
            "no\nyes\nadmin\n",
            "no\nada\n",
        ] {
            assert_eq!(parse(body), Ok(Cas1Response::Failure), "{body:?}");
            let error_status = ReadOptions::default().status(422);
            assert_eq!(
                Cas1Response::parse(body.as_bytes(), &error_status),
                Ok(Cas1Response::Failure)
            );
        }
    }

    #[test]
    fn after_no_not_even_the_encoding_matters() {
        // R-112, R-115
        for body in [&b"no\n\xff\xfe"[..], b"\xEF\xBB\xBFno\r\n\x80"] {
            let response = Cas1Response::parse(body, &ReadOptions::default());
            assert_eq!(response, Ok(Cas1Response::Failure));
        }
        for body in [&b"no\xff\n"[..], b"yes\n\xff\n"] {
            let error = Cas1Response::parse(body, &ReadOptions::default()).unwrap_err();
            assert_eq!(error.class(), ErrorClass::InvalidEncoding);
        }
    }

    #[test]
    fn anything_else_is_an_error() {
        // R-112, R-113, S-018, S-030
        for (body, class) in [
            ("", ErrorClass::Empty),
            ("\n", ErrorClass::Empty),
            ("yes", ErrorClass::MissingUser),
            ("yes\n", ErrorClass::MissingUser),
            ("yes\n  \n", ErrorClass::MissingUser),
            ("yes\n\nada\n", ErrorClass::MissingUser),
            ("yes ada\n", ErrorClass::NotCas),
            ("yesada\n", ErrorClass::NotCas),
            ("YES\nada\n", ErrorClass::NotCas),
            (" yes\nada\n", ErrorClass::NotCas),
            ("\nyes\nada\n", ErrorClass::NotCas),
            ("\u{feff} yes\nada\n", ErrorClass::NotCas),
            ("yes \nada\n", ErrorClass::NotCas),
            ("yes \n", ErrorClass::NotCas),
            ("yes\t", ErrorClass::NotCas),
            ("no \n", ErrorClass::NotCas),
            ("no ", ErrorClass::NotCas),
            (" no\n", ErrorClass::NotCas),
            ("yes\rada\r", ErrorClass::NotCas),
            ("<html>yes\nada\n</html>", ErrorClass::NotCas),
            ("{}", ErrorClass::NotCas),
            ("nope\n", ErrorClass::NotCas),
            ("yes\nada\nadmin\n", ErrorClass::Malformed),
            ("yes\nada\n=x\n", ErrorClass::Malformed),
            ("yes\nada\nan admin=x\n", ErrorClass::Malformed),
            ("yes\nad\u{0}a\n", ErrorClass::Malformed),
            ("yes\nada\radmin\n", ErrorClass::Malformed),
            ("yes\nada\u{202e}\n", ErrorClass::Malformed),
        ] {
            assert_eq!(parse(body), Err(class), "{body:?}");
        }
        let error_status = ReadOptions::default().status(500);
        let error = Cas1Response::parse(b"yes\nada\n", &error_status).unwrap_err();
        assert_eq!(error.class(), ErrorClass::UnexpectedStatus);
    }

    #[test]
    fn a_name_that_would_break_the_line_is_never_written() {
        // S-031
        for user in ["", "a\nb", "a\rb", "a\u{0}"] {
            assert_eq!(
                Cas1Response::Success {
                    user: user.to_owned()
                }
                .to_text(),
                "no\n\n"
            );
        }
    }
}
