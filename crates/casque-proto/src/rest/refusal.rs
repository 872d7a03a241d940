//! What a server says about a refusal (R-260).

use crate::json::Json;
use crate::{ReadOptions, body};

/// The server's own words about a refusal: the names in `authentication_exceptions`, or a plain text as it is.
///
/// Empty where there are none, or a page for people. It may repeat what was sent, so look for secrets in it before it is
/// shown or logged.
///
/// ```
/// use casque_proto::rest::refusal_words;
///
/// let body = br#"{"authentication_exceptions": ["FailedLoginException", "AccountDisabledException"]}"#;
/// assert_eq!(refusal_words(body), "FailedLoginException, AccountDisabledException");
/// assert_eq!(refusal_words(b"service is not registered\n"), "service is not registered");
/// assert_eq!(refusal_words(b"<html>Not found</html>"), "");
/// ```
pub fn refusal_words(body: &[u8]) -> String {
    let options = ReadOptions::default();
    let Ok(text) = body::text(body, &options) else {
        return String::new();
    };
    let text = text.trim();
    if text.starts_with('<') {
        return String::new();
    }
    let Ok(document) = Json::parse(text, options.limits_ref()) else {
        return text.to_owned();
    };
    let exceptions = document.member("authentication_exceptions");
    let names = strings(exceptions.unwrap_or(&document));
    names.join(", ")
}

/// The strings of a string, a list, or the members of an object.
fn strings(value: &Json<'_>) -> Vec<String> {
    match value {
        Json::String(text) => vec![text.as_ref().to_owned()],
        Json::Array(values) => values.iter().flat_map(strings).collect(),
        Json::Object(members) => members
            .iter()
            .flat_map(|(_, value)| strings(value))
            .collect(),
        Json::Null | Json::Bool(_) | Json::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_every_shape() {
        // R-260: Apereo's servers have written lists and objects.
        for (body, words) in [
            (
                r#"{"authentication_exceptions":{"LDAP":["FailedLoginException"]}}"#,
                "FailedLoginException",
            ),
            (r#"{"error":"no such user","status":401}"#, "no such user"),
            (r#"["a","b"]"#, "a, b"),
            ("{\"a\":", "{\"a\":"),
            ("  \n", ""),
            ("", ""),
        ] {
            assert_eq!(refusal_words(body.as_bytes()), words, "{body}");
        }
        assert_eq!(refusal_words(b"\xff"), "");
    }
}
