//! A jar for the cookies of one host, with everything that was said about each.

use std::fmt;

/// A `Set-Cookie` header, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie {
    /// Its name.
    pub name: String,
    /// Its value, a secret.
    pub value: String,
    /// `Path`, as it was said.
    pub path: Option<String>,
    /// `Domain`, as it was said.
    pub domain: Option<String>,
    /// `SameSite`, as it was said.
    pub same_site: Option<String>,
    /// `Secure` was said.
    pub secure: bool,
    /// `HttpOnly` was said.
    pub http_only: bool,
    /// `Max-Age` or `Expires`, with its name.
    pub expires: Option<String>,
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cookie")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Cookie {
    /// Nothing for a header without a name.
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split(';').map(str::trim);
        let (name, value) = parts.next()?.split_once('=')?;
        let mut cookie = Self {
            name: name.trim().to_owned(),
            value: value.trim().trim_matches('"').to_owned(),
            path: None,
            domain: None,
            same_site: None,
            secure: false,
            http_only: false,
            expires: None,
        };
        if cookie.name.is_empty() {
            return None;
        }
        for part in parts {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().to_owned();
            match key.trim().to_ascii_lowercase().as_str() {
                "path" => cookie.path = Some(value),
                "domain" => cookie.domain = Some(value),
                "samesite" => cookie.same_site = Some(value),
                "secure" => cookie.secure = true,
                "httponly" => cookie.http_only = true,
                // Max-Age beats Expires, in whatever order they come.
                "max-age" => cookie.expires = Some(format!("Max-Age={value}")),
                "expires" if cookie.expires.is_none() => {
                    cookie.expires = Some(format!("Expires={value}"));
                }
                _ => {}
            }
        }
        Some(cookie)
    }

    /// The header takes the cookie away.
    pub fn ends(&self) -> bool {
        self.expires.as_deref().is_some_and(|when| {
            when.strip_prefix("Max-Age=")
                .map_or(when.contains("1970"), |age| {
                    age.trim_start().starts_with('-') || age == "0"
                })
        })
    }
}

/// The cookies of one host.
///
/// `Secure` cookies go over plain http as well, because only loopback is spoken to that way, and browsers trust it.
#[derive(Clone, Debug, Default)]
pub struct Jar {
    cookies: Vec<Cookie>,
}

impl Jar {
    /// Keeps a cookie, or takes away the one that it ends.
    pub fn keep(&mut self, cookie: Cookie) {
        self.cookies
            .retain(|kept| (&kept.name, &kept.path) != (&cookie.name, &cookie.path));
        if !cookie.ends() {
            self.cookies.push(cookie);
        }
    }

    /// The `Cookie` header for a path, if there is anything to send.
    pub fn header(&self, path: &str) -> Option<String> {
        let sent: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| reaches(cookie.path.as_deref(), path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!sent.is_empty()).then(|| sent.join("; "))
    }

    /// Every cookie, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Cookie> {
        self.cookies.iter()
    }

    /// The same jar without the cookies of that name.
    #[must_use]
    pub fn without(&self, name: &str) -> Self {
        let cookies = self.cookies.iter().filter(|cookie| cookie.name != name);
        Self {
            cookies: cookies.cloned().collect(),
        }
    }
}

/// Whether a cookie of that path is sent to `path` (RFC 6265 §5.1.4). No path is read as `/`.
fn reaches(cookie: Option<&str>, path: &str) -> bool {
    let prefix = cookie.filter(|text| text.starts_with('/')).unwrap_or("/");
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cookie(header: &str) -> Cookie {
        Cookie::parse(header).expect("a cookie with a name")
    }

    #[test]
    fn attributes_are_told_apart() {
        let read = cookie(
            "TGC=a-b=; Path=/cas; Secure; HttpOnly; samesite=Lax; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Max-Age=5",
        );
        assert_eq!((read.name.as_str(), read.value.as_str()), ("TGC", "a-b="));
        assert_eq!(read.path.as_deref(), Some("/cas"));
        assert!(read.secure && read.http_only);
        assert_eq!(read.expires.as_deref(), Some("Max-Age=5"));
        assert!(!read.ends());
        assert!(cookie("a=; Max-Age=0").ends());
        assert!(cookie("a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT").ends());
        assert_eq!(Cookie::parse("=v"), None);
        assert_eq!(Cookie::parse("novalue"), None);
    }

    #[test]
    fn the_jar_sends_what_reaches_a_path() {
        let mut jar = Jar::default();
        jar.keep(cookie("a=1; Path=/cas"));
        jar.keep(cookie("b=2; Path=/"));
        assert_eq!(jar.header("/cas/login").as_deref(), Some("a=1; b=2"));
        assert_eq!(jar.header("/casino").as_deref(), Some("b=2"));
        jar.keep(cookie("a=; Path=/cas; Max-Age=0"));
        assert_eq!(jar.header("/cas/login").as_deref(), Some("b=2"));
        assert_eq!(jar.without("b").header("/cas"), None);
    }
}
