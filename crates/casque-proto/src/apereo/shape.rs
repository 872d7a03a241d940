//! What is plainly meant by a `serviceId`: most are an address with `.*` behind it.

use std::ops::ControlFlow;

/// A host with what may stand around it, read from a regular expression without looking at what else that lets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// `https` is let in.
    pub https: bool,
    /// `http` is let in.
    pub http: bool,
    /// The host, in lower case.
    pub host: String,
    /// A dot of the host is any character for the expression.
    pub loose_host: bool,
    /// The port, unless it is the default one.
    pub port: Option<u16>,
    /// The path, `/` where there is none.
    pub path: String,
    /// What may follow the path.
    pub rest: Rest,
}

/// What may follow the literal part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Rest {
    /// Nothing.
    Nothing,
    /// Anything below the path, which ends in a slash.
    Below,
    /// Nothing, or a slash and anything below.
    Tree,
    /// Anything at all, so that other names begin alike: `/app.*` is `/application` too.
    Anything,
    /// Anything right behind the host, so that other hosts begin alike.
    AfterHost,
}

impl Shape {
    pub(super) fn of_address(text: &str) -> Option<Self> {
        Reader::of_address(text).shape()
    }

    pub(super) fn of_expression(source: &str) -> Option<Self> {
        Reader::of_expression(source).shape()
    }

    /// The host at the beginning, whatever follows.
    pub(super) fn host_of_expression(source: &str) -> Option<String> {
        let mut reader = Reader::of_expression(source);
        reader.scheme()?;
        reader.host()
    }

    /// Scheme, host and port, as `https` unless only `http` is let in.
    pub fn origin(&self) -> String {
        let scheme = if self.https { "https" } else { "http" };
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        format!("{scheme}://{}{port}", self.host)
    }
}

struct Reader<'a> {
    rest: &'a str,
    /// No character has a meaning of its own.
    literal: bool,
    /// A dot stood for any character.
    loose: bool,
}

impl<'a> Reader<'a> {
    fn of_address(text: &'a str) -> Self {
        Self {
            rest: text,
            literal: true,
            loose: false,
        }
    }

    fn of_expression(source: &'a str) -> Self {
        let source = source.strip_prefix('^').unwrap_or(source);
        let source = match source.strip_suffix('$') {
            Some(rest) if !rest.ends_with('\\') => rest,
            _ => source,
        };
        Self {
            literal: false,
            ..Self::of_address(source)
        }
    }

    fn shape(mut self) -> Option<Shape> {
        let (https, http) = self.scheme()?;
        let host = self.host()?;
        let loose_host = self.loose;
        let mut port = None;
        if self.eat(":") {
            let digits = self.characters(|c| c.is_ascii_digit());
            port = Some(digits.parse().ok().filter(|port| *port > 0)?);
        }
        let default = if https { 443 } else { 80 };
        let mut shape = Shape {
            https,
            http,
            host,
            loose_host,
            port: port.filter(|port| *port != default),
            path: "/".to_owned(),
            rest: Rest::Nothing,
        };
        if !self.literal {
            if [".*", "/?.*", ".+"].contains(&self.rest) {
                shape.rest = Rest::AfterHost;
                return Some(shape);
            }
            if [
                "(/.*)?", "(?:/.*)?", "(/.*)*", "(/|/.*)", "(/.*|)", "($|/.*)", "(/.*|$)",
            ]
            .contains(&self.rest)
            {
                shape.rest = Rest::Below;
                return Some(shape);
            }
            if self.rest == "/?" {
                return Some(shape);
            }
        }
        if self.rest.is_empty() {
            return Some(shape);
        }
        if !self.rest.starts_with('/') && !self.rest.starts_with("\\/") {
            return None;
        }
        let path = self.characters(|c| {
            c.is_ascii_alphanumeric()
                || matches!(c, '/' | '-' | '_' | '~' | '.' | '=' | ':' | '@' | '!' | ',')
        });
        shape.rest = match self.rest {
            "" => Rest::Nothing,
            ".*" | "(.*)" if !self.literal && path.ends_with('/') => Rest::Below,
            ".*" | "(.*)" | "/?.*" if !self.literal => Rest::Anything,
            "(/.*)?" | "(?:/.*)?" if !self.literal && !path.ends_with('/') => Rest::Tree,
            _ => return None,
        };
        crate::registry_url::check_path(&path).ok()?;
        shape.path = path;
        Some(shape)
    }

    fn host(&mut self) -> Option<String> {
        let host = self.characters(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.'));
        crate::registry_url::check_host(&host).ok()
    }

    fn scheme(&mut self) -> Option<(bool, bool)> {
        let schemes: &[(&str, bool, bool)] = &[
            ("https://", true, false),
            ("http://", false, true),
            ("https?://", true, true),
            ("http(s)?://", true, true),
            ("http[s]?://", true, true),
            ("(https?)://", true, true),
            ("(http|https)://", true, true),
            ("(https|http)://", true, true),
            ("(?:http|https)://", true, true),
            ("(?:https|http)://", true, true),
            ("https:\\/\\/", true, false),
            ("http:\\/\\/", false, true),
            ("https?:\\/\\/", true, true),
        ];
        let known = if self.literal { &schemes[..2] } else { schemes };
        let (text, https, http) = known
            .iter()
            .find(|(text, ..)| self.rest.starts_with(text))?;
        self.rest = &self.rest[text.len()..];
        Some((*https, *http))
    }

    /// As many literal characters as are allowed and not repeated.
    fn characters(&mut self, allowed: impl Fn(char) -> bool) -> String {
        let mut text = String::new();
        while let ControlFlow::Continue(c) = self.character(&allowed) {
            text.push(c);
        }
        text
    }

    fn character(&mut self, allowed: &impl Fn(char) -> bool) -> ControlFlow<(), char> {
        let escaped = !self.literal && self.rest.starts_with('\\');
        let body = if escaped { &self.rest[1..] } else { self.rest };
        let Some(c) = body.chars().next().filter(|c| allowed(*c)) else {
            return ControlFlow::Break(());
        };
        // `\d` is no letter.
        if escaped && c.is_ascii_alphanumeric() {
            return ControlFlow::Break(());
        }
        let after = &body[c.len_utf8()..];
        if !self.literal && after.starts_with(['*', '+', '?', '{']) {
            return ControlFlow::Break(());
        }
        self.loose |= c == '.' && !escaped && !self.literal;
        self.rest = after;
        ControlFlow::Continue(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(source: &str) -> Option<(String, bool, String, Rest)> {
        let shape = Shape::of_expression(source)?;
        Some((shape.origin(), shape.http, shape.path, shape.rest))
    }

    #[test]
    fn what_is_plainly_meant() {
        let some = |origin: &str, http, path: &str, rest| {
            Some((origin.to_owned(), http, path.to_owned(), rest))
        };
        let app = "https://app.example.org";
        for (source, expected) in [
            (
                "^https://app.example.org/.*",
                some(app, false, "/", Rest::Below),
            ),
            (
                r"https://app\.example\.org/.*$",
                some(app, false, "/", Rest::Below),
            ),
            (
                r"^https?://app\.example\.org(/.*)?",
                some(app, true, "/", Rest::Below),
            ),
            (
                "^(http|https)://app.example.org.*",
                some(app, true, "/", Rest::AfterHost),
            ),
            (
                "https://app.example.org:443/a/.*",
                some(app, false, "/a/", Rest::Below),
            ),
            (
                "https://app.example.org:8443/",
                some("https://app.example.org:8443", false, "/", Rest::Nothing),
            ),
            (
                "https://app.example.org",
                some(app, false, "/", Rest::Nothing),
            ),
            (
                r"https://app.example.org/cas\.php",
                some(app, false, "/cas.php", Rest::Nothing),
            ),
            (
                "https://app.example.org/a.*",
                some(app, false, "/a", Rest::Anything),
            ),
            (
                "https://app.example.org/a(/.*)?",
                some(app, false, "/a", Rest::Tree),
            ),
            (
                "http://App.example.org/.*",
                some("http://app.example.org", true, "/", Rest::Below),
            ),
            (
                r"^https:\/\/app\.example\.org\/.*",
                some(app, false, "/", Rest::Below),
            ),
            ("^https://.*", None),
            ("^(https|imaps)://.*", None),
            ("https://app.example.org/a|https://evil.example/.*", None),
            ("https://app.example.orgs?/.*", None),
            ("https://app[0-9].example.org/.*", None),
            (r"https://app.example.org/\d", None),
            (r"https://app.example.org/a\?b=c", None),
            ("https://app.example.org/../a", None),
            ("https://app.example.org:0/a", None),
            ("app.example.org", None),
        ] {
            assert_eq!(shape(source), expected, "{source}");
        }
        assert!(Shape::of_expression("https://a.example/.*").is_some_and(|shape| shape.loose_host));
        assert!(
            Shape::of_expression(r"https://a\.example/.*").is_some_and(|shape| !shape.loose_host)
        );
        assert!(Shape::of_address("https?://a.example/").is_none());
        assert!(
            Shape::of_address("https://a.example/x")
                .is_some_and(|shape| !shape.loose_host && shape.rest == Rest::Nothing)
        );
    }
}
