//! Reading and writing our two cookies (S-056, S-079).

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// More pairs than this in one request and none is believed (S-078).
const MAX_PAIRS: usize = 150;

/// The value of the cookie `name`, if the request has exactly one.
///
/// Two cookies of the name are none, wherever they come from: a sub-domain or a plain-http page
/// may have planted one of them (S-079). Names are case-sensitive and values are not unquoted.
pub(crate) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut found = None;
    let mut pairs = 0;
    for header in headers.get_all(COOKIE) {
        for pair in header.as_bytes().split(|byte| *byte == b';') {
            pairs += 1;
            if pairs > MAX_PAIRS {
                return None;
            }
            let pair = pair.trim_ascii();
            let Some(value) = pair.strip_prefix(name.as_bytes()) else {
                continue;
            };
            let Some(value) = value.strip_prefix(b"=") else {
                continue;
            };
            if found.is_some() {
                return None;
            }
            found = Some(std::str::from_utf8(value).unwrap_or_default());
        }
    }
    found
}

/// Names and attributes of the cookies of one own address.
#[derive(Clone, Debug)]
pub(crate) struct Cookies {
    pub(crate) session: String,
    pub(crate) login: String,
    secure: bool,
}

impl Cookies {
    /// Over https the names carry the `__Host-` prefix; over plain http, which only loopback may
    /// use, they do not.
    pub(crate) fn new(name: &str, secure: bool) -> Self {
        let prefix = if secure { "__Host-" } else { "" };
        Self {
            session: format!("{prefix}{name}"),
            login: format!("{prefix}{name}-login"),
            secure,
        }
    }

    /// `Set-Cookie` for a cookie that ends with the browser, or after `max_age` seconds.
    pub(crate) fn set(&self, name: &str, value: &str, max_age: Option<u64>) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = max_age.map_or(String::new(), |age| format!("; Max-Age={age}"));
        HeaderValue::try_from(format!(
            "{name}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}"
        ))
        .expect("cookie names are checked at start and values are base64url")
    }

    /// `Set-Cookie` that removes a cookie.
    pub(crate) fn remove(&self, name: &str) -> HeaderValue {
        self.set(name, "", Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|v| (COOKIE, HeaderValue::from_str(v).unwrap()))
            .collect()
    }

    #[test]
    fn exactly_one_of_the_name() {
        let rows: &[(&[&str], Option<&str>)] = &[
            (&["casque=a"], Some("a")),
            (&["x=1; casque=a; y=2"], Some("a")),
            (&["x=1", "casque=a"], Some("a")),
            (&["x=1;casque=a"], Some("a")),
            (&["casque=a; casque=a"], None),
            (&["casque=a", "casque=b"], None),
            (&["Casque=a"], None),
            (&["casque-login=a"], None),
            (&["xcasque=a"], None),
            (&["casque"], None),
            (&["casque="], Some("")),
            (&["casque=\"a\""], Some("\"a\"")),
            (&["casque=a=b"], Some("a=b")),
            (&[], None),
        ];
        for (values, expected) in rows {
            assert_eq!(find(&headers(values), "casque"), *expected, "{values:?}");
        }
    }

    #[test]
    fn a_flood_of_cookies_is_none() {
        let flood = |n: usize| "c=x; ".repeat(n);
        assert_eq!(
            find(&headers(&[&(flood(149) + "casque=a")]), "casque"),
            Some("a")
        );
        assert_eq!(
            find(&headers(&[&(flood(150) + "casque=a")]), "casque"),
            None
        );
    }

    #[test]
    fn attributes_of_the_cookie() {
        let https = Cookies::new("casque", true);
        assert_eq!(
            https.set(&https.session, "v", None),
            "__Host-casque=v; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        let http = Cookies::new("casque", false);
        assert_eq!(
            http.remove(&http.login),
            "casque-login=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }
}
