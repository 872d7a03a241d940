//! The cookies of the server: names, attributes, and reading without guessing (S-056, S-079).

use http::HeaderMap;
use http::HeaderValue;
use http::header::COOKIE;

/// More pairs than any browser needs; beyond it nothing is read (CVE-2024-24814 class).
const MAX_PAIRS: usize = 150;

/// How cookies of this deployment are named and marked.
///
/// Over https every name has the prefix `__Host-` and the cookie is `Secure`; plain http, which
/// only loopback may use, has neither.
#[derive(Debug, Clone)]
pub(crate) struct Cookies {
    secure: bool,
    /// Over plain http: the server's own, as narrow as it can be. `__Host-` demands `/`.
    path: String,
}

/// A cookie that the server sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The single sign-on session.
    Tgc,
    /// The browser before it has logged in: login tickets are bound to it.
    Flow,
    /// A browser in which a person has logged in before: see [`crate::throttle`].
    Device,
}

impl Cookie {
    fn base_name(self) -> &'static str {
        match self {
            Self::Tgc => "TGC",
            Self::Flow => "casque-flow",
            Self::Device => "casque-device",
        }
    }
}

impl Cookies {
    /// `path` is that of the server's base URL.
    pub(crate) fn new(secure: bool, path: &str) -> Self {
        let path = if secure { "" } else { path };
        Self {
            secure,
            path: match path.trim_end_matches('/') {
                "" => "/".to_owned(),
                path => path.to_owned(),
            },
        }
    }

    pub(crate) fn name(&self, cookie: Cookie) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}{}", cookie.base_name())
    }

    /// The value a browser sent. Two of one name, a quoted value or a flood of cookies are none.
    pub(crate) fn read<'r>(&self, headers: &'r HeaderMap, cookie: Cookie) -> Option<&'r str> {
        let name = self.name(cookie);
        let mut pairs = 0;
        let mut found = None;
        for header in headers.get_all(COOKIE) {
            // Bytes, not text: another application on the host may have set any (S-078).
            for pair in header.as_bytes().split(|byte| *byte == b';') {
                pairs += 1;
                if pairs > MAX_PAIRS {
                    return None;
                }
                let value = pair
                    .trim_ascii()
                    .strip_prefix(name.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"="));
                if let Some(value) = value
                    && found.replace(value).is_some()
                {
                    return None;
                }
            }
        }
        let value = std::str::from_utf8(found?).ok()?;
        (!value.is_empty() && value.len() <= 512 && !value.contains('"')).then_some(value)
    }

    /// `Set-Cookie` that lives as long as the browser, or for `max_age` seconds.
    pub(crate) fn set(&self, cookie: Cookie, value: &str, max_age: Option<u64>) -> HeaderValue {
        let name = self.name(cookie);
        let secure = if self.secure { "; Secure" } else { "" };
        let age = max_age
            .map(|seconds| format!("; Max-Age={seconds}"))
            .unwrap_or_default();
        let text = format!(
            "{name}={value}; Path={}{secure}; HttpOnly; SameSite=Lax{age}",
            self.path
        );
        let mut header =
            HeaderValue::try_from(text).expect("cookie values are drawn from base62 and dashes");
        header.set_sensitive(true);
        header
    }

    /// `Set-Cookie` that removes the cookie.
    pub(crate) fn clear(&self, cookie: Cookie) -> HeaderValue {
        self.set(cookie, "", Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(value: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_str(value).expect("header"));
        headers
    }

    #[test]
    fn two_of_ours_are_none() {
        let cookies = Cookies::new(true, "/cas");
        assert_eq!(
            cookies.read(&sent("a=b; __Host-TGC=x"), Cookie::Tgc),
            Some("x")
        );
        assert_eq!(
            cookies.read(&sent("__Host-TGC=x; __Host-TGC=x"), Cookie::Tgc),
            None
        );
        assert_eq!(cookies.read(&sent("TGC=x"), Cookie::Tgc), None);
        assert_eq!(cookies.read(&sent("__host-TGC=x"), Cookie::Tgc), None);
        assert_eq!(cookies.read(&sent("__Host-TGC=\"x\""), Cookie::Tgc), None);
    }

    #[test]
    fn other_cookies_may_hold_any_byte() {
        // S-078, S-079
        let read = |bytes: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_bytes(bytes).expect("header"));
            Cookies::new(true, "/cas")
                .read(&headers, Cookie::Tgc)
                .map(str::to_owned)
        };
        assert_eq!(read(b"x=\xe9; __Host-TGC=v; y=\xff").as_deref(), Some("v"));
        assert_eq!(read(b"__Host-TGC=v; __Host-TGC=\xe9"), None);
        assert_eq!(read(b"__Host-TGC=\xe9"), None);
        assert_eq!(read(b"__Host-TGC\xe9=v"), None);
    }

    #[test]
    fn a_flood_is_none() {
        let flood: Vec<String> = (0..MAX_PAIRS).map(|n| format!("c{n}=x")).collect();
        let cookies = Cookies::new(false, "/cas/");
        assert_eq!(
            cookies.read(&sent(&format!("{}; TGC=x", flood.join("; "))), Cookie::Tgc),
            None
        );
    }

    #[test]
    fn attributes_follow_the_scheme() {
        let secure = Cookies::new(true, "/cas").set(Cookie::Tgc, "v", None);
        assert_eq!(
            secure,
            "__Host-TGC=v; Path=/; Secure; HttpOnly; SameSite=Lax"
        );
        let plain = Cookies::new(false, "/cas/").clear(Cookie::Tgc);
        assert_eq!(plain, "TGC=; Path=/cas; HttpOnly; SameSite=Lax; Max-Age=0");
    }
}
