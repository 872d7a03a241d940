//! One own address of the application, and the paths below it.

use std::borrow::Cow;

use casque_proto::ServiceUrl;
use casque_proto::return_to::{self, ReturnToRules};
use http::{HeaderMap, Uri, Version};
use url::Url;

use crate::cookie::Cookies;
use crate::error::CasError;

/// Whether the path prefix of a base URL still stands in the requests that arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum PathPrefix {
    /// Looked at in each request: a path that begins with the prefix keeps it, any other has lost it.
    #[default]
    Either,
    /// Requests arrive as the browser sent them.
    Kept,
    /// A proxy, or a router that nests this application, has removed the prefix.
    Stripped,
}

/// One base URL of the application: where browsers find it, by configuration and never from
/// `Host` or `X-Forwarded-*` (R-232, S-002).
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// Origin and path prefix, without a trailing slash.
    pub(crate) base: String,
    /// Host and port as in a `Host` header.
    authority: String,
    /// Path prefix without a trailing slash; empty at the root of the host.
    prefix: String,
    prefix_in_requests: PathPrefix,
    /// The one service of login and validation.
    pub(crate) service: ServiceUrl,
    /// The pages that a login may return to.
    pub(crate) pages: ReturnToRules,
    pub(crate) cookies: Cookies,
}

impl Site {
    /// `name` is what the base is called by whoever wrote it.
    pub(crate) fn new(
        name: &'static str,
        base: &str,
        callback: &str,
        landing: &str,
        cookie_name: &str,
        prefix_in_requests: PathPrefix,
    ) -> Result<Self, CasError> {
        let fail = |fault: &str, fix: &str| CasError::setting(name, base, fault, fix);
        let fix = "give the address that browsers use, such as https://app.example.org or \
                   https://example.org/app";
        let url = Url::parse(base).map_err(|error| fail(&format!("not a URL: {error}"), fix))?;
        let secure = match url.scheme() {
            "https" => true,
            "http" if is_loopback(&url) => false,
            "http" => {
                return Err(fail(
                    "plain http lets anyone on the network read the session",
                    "use https; http is for loopback only",
                ));
            }
            _ => return Err(fail("its scheme is not https", fix)),
        };
        if url.query().is_some()
            || url.fragment().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(fail("it holds more than origin and path prefix", fix));
        }
        let prefix = url.path().trim_end_matches('/').to_owned();
        let origin_text = url.origin().ascii_serialization();
        let base = format!("{origin_text}{prefix}");
        let service = ServiceUrl::parse(&format!("{base}{callback}"))
            .map_err(|error| fail(&format!("it gives no usable service: {error}"), fix))?;
        let landing = format!("{prefix}{landing}");
        let pages = ReturnToRules::new(&origin_text)
            .map_err(|error| fail(&format!("it gives no usable origin: {error}"), fix))?
            .callback_path(&format!("{prefix}{callback}"))
            .landing(&landing);
        if !return_to::check(&landing, &pages).is_accepted() {
            return Err(CasError::setting(
                "landing",
                &landing,
                "it is not a page of the application, or it is the callback path",
                "give a path that begins with /, such as /home",
            ));
        }
        Ok(Self {
            authority: origin_text
                .split_once("://")
                .map(|(_, authority)| authority.to_owned())
                .unwrap_or_default(),
            pages,
            base,
            prefix,
            prefix_in_requests,
            service,
            cookies: Cookies::new(cookie_name, secure),
        })
    }

    /// The request's path below this address.
    pub(crate) fn local_path<'a>(&self, path: &'a str) -> &'a str {
        match self.strip(path) {
            Some("") => "/",
            Some(rest) => rest,
            None => path,
        }
    }

    /// Path and query of the page a request asks for, as the browser sees them.
    ///
    /// Byte for byte, but for tickets: a parameter `ticket` whose value begins `ST-` or `PT-` is
    /// dropped. Bytes beyond ASCII, which no header may hold, are percent-encoded.
    pub(crate) fn page(&self, uri: &Uri) -> String {
        let asked = uri
            .path_and_query()
            .map_or("/", http::uri::PathAndQuery::as_str);
        let asked = encoded(&without_tickets(asked));
        if !asked.starts_with('/') {
            self.public_path("/")
        } else if self.prefix.is_empty() || self.strip(uri.path()).is_some() {
            asked
        } else {
            self.public_path(&asked)
        }
    }

    /// Path, query and fragment of a page that somebody else named, if it is ours (S-041).
    pub(crate) fn checked_page(&self, page: &str) -> Option<String> {
        match return_to::check(page, &self.pages) {
            return_to::Decision::Accept(url) => url.strip_prefix(self.origin()).map(str::to_owned),
            return_to::Decision::Fallback(_) => None,
        }
    }

    /// The absolute URL of a page of ours. Since the page begins with a slash, right after the
    /// origin, nothing in it can lead to another host (S-041).
    pub(crate) fn page_url(&self, page: &str) -> Option<String> {
        let fits = page.starts_with('/') && page.bytes().all(|b| b.is_ascii_graphic());
        fits.then(|| format!("{}{page}", self.origin()))
    }

    pub(crate) fn origin(&self) -> &str {
        &self.base[..self.base.len() - self.prefix.len()]
    }

    /// The public path of a local one.
    pub(crate) fn public_path(&self, local: &str) -> String {
        format!("{}{local}", self.prefix)
    }

    /// The absolute URL of a local path.
    pub(crate) fn url(&self, local: &str) -> String {
        format!("{}{local}", self.base)
    }

    /// How well a request's path fits this address, among those of one host: with its whole prefix,
    /// without needing one, or only if something has removed the prefix.
    pub(crate) fn fit(&self, path: &str) -> usize {
        if self.prefix.is_empty() {
            1
        } else if self.strip(path).is_some() {
            1 + self.prefix.len()
        } else {
            0
        }
    }

    /// Whether the request's `Host`, or `:authority`, is this address exactly; the scheme's default
    /// port may stand in it.
    pub(crate) fn is_host(&self, uri: &Uri, headers: &HeaderMap, version: Version) -> bool {
        let host = if version >= Version::HTTP_2 {
            uri.authority().map(http::uri::Authority::as_str)
        } else {
            let mut hosts = headers.get_all(http::header::HOST).iter();
            match (hosts.next(), hosts.next()) {
                (Some(host), None) => host.to_str().ok(),
                _ => None,
            }
        };
        let port = if self.base.starts_with("https:") {
            ":443"
        } else {
            ":80"
        };
        host.is_some_and(|host| {
            let host = host.strip_suffix(port).unwrap_or(host);
            host.eq_ignore_ascii_case(&self.authority)
        })
    }

    fn strip<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.prefix.is_empty() || self.prefix_in_requests == PathPrefix::Stripped {
            return None;
        }
        let rest = path.strip_prefix(self.prefix.as_str())?;
        (rest.is_empty() || rest.starts_with('/')).then_some(rest)
    }
}

/// Drops every `ticket` and `SAMLart` that could be one, and a `?` that it leaves bare.
fn without_tickets(target: &str) -> Cow<'_, str> {
    let is_ticket = |piece: &&str| {
        form_urlencoded::parse(piece.as_bytes()).any(|(name, value)| {
            (name == "ticket" || name == "SAMLart")
                && (value.starts_with("ST-") || value.starts_with("PT-"))
        })
    };
    let Some((path, query)) = target.split_once('?') else {
        return target.into();
    };
    if !query.split('&').any(|piece| is_ticket(&piece)) {
        return target.into();
    }
    let kept: Vec<_> = query.split('&').filter(|piece| !is_ticket(piece)).collect();
    if kept.is_empty() {
        return path.into();
    }
    format!("{path}?{}", kept.join("&")).into()
}

fn encoded(target: &str) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(target.len());
    for byte in target.bytes() {
        if byte.is_ascii_graphic() {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Whether a URL names this machine: `localhost`, `*.localhost`, `127.0.0.0/8` or `[::1]`.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(base: &str, prefix: PathPrefix) -> Site {
        Site::new("service base", base, "/login", "/", "casque", prefix).unwrap()
    }

    #[test]
    fn pages_and_local_paths_under_a_prefix() {
        let rows = [
            // base, prefix in requests, request, local path, page
            ("https://a.org", PathPrefix::Either, "/x?q", "/x", "/x?q"),
            (
                "https://a.org/w",
                PathPrefix::Either,
                "/w/x?q=%20",
                "/x",
                "/w/x?q=%20",
            ),
            (
                "https://a.org/w/",
                PathPrefix::Either,
                "/x?q",
                "/x",
                "/w/x?q",
            ),
            ("https://a.org/w", PathPrefix::Either, "/w", "/", "/w"),
            ("https://a.org/w", PathPrefix::Either, "/ww", "/ww", "/w/ww"),
            (
                "https://a.org/w",
                PathPrefix::Stripped,
                "/w/x",
                "/w/x",
                "/w/w/x",
            ),
            ("https://a.org/w", PathPrefix::Kept, "/w/x", "/x", "/w/x"),
            (
                "https://a.org",
                PathPrefix::Either,
                "/x?q=a|{b}%4g%41%",
                "/x",
                "/x?q=a|{b}%4g%41%",
            ),
            (
                "https://a.org/a/b",
                PathPrefix::Either,
                "/a/b/login?x",
                "/login",
                "/a/b/login?x",
            ),
        ];
        for (base, prefix, request, local, page) in rows {
            let site = site(base, prefix);
            let uri: Uri = request.parse().unwrap();
            assert_eq!(site.local_path(uri.path()), local, "{base} {request}");
            assert_eq!(site.page(&uri), page, "{base} {request}");
        }
    }

    #[test]
    fn plain_http_is_for_loopback() {
        for base in [
            "http://localhost:5000",
            "http://127.0.0.1",
            "http://[::1]:80",
            "http://a.localhost",
        ] {
            assert_eq!(site(base, PathPrefix::Either).cookies.session, "casque");
        }
        for base in [
            "http://a.org",
            "http://127.0.0.1.evil.org",
            "ftp://a.org",
            "a.org",
            "https://a.org/?x",
            "https://u@a.org",
        ] {
            let error = Site::new(
                "service base",
                base,
                "/login",
                "/",
                "casque",
                PathPrefix::Either,
            )
            .unwrap_err();
            let told = base.replace("u@", "…@");
            assert!(error.to_string().contains(&told), "{error}");
        }
        assert_eq!(
            site("https://a.org", PathPrefix::Either).cookies.session,
            "__Host-casque"
        );
    }

    #[test]
    fn only_one_exact_host_chooses() {
        let site = site("https://a.org:8443", PathPrefix::Either);
        let uri: Uri = "/".parse().unwrap();
        let hosts_of = |base: &str, host: &str| {
            let headers = HeaderMap::from_iter([(http::header::HOST, host.parse().unwrap())]);
            Site::new(
                "service base",
                base,
                "/login",
                "/",
                "casque",
                PathPrefix::Either,
            )
            .unwrap()
            .is_host(&uri, &headers, Version::HTTP_11)
        };
        for (base, host, expected) in [
            ("https://a.org", "a.org:443", true),
            ("https://a.org:443", "a.org", true),
            ("https://a.org", "a.org:80", false),
            ("https://a.org", "a.org:8443:443", false),
            ("http://localhost", "localhost:80", true),
            ("http://localhost", "localhost:443", false),
            ("http://[::1]:80", "[::1]:80", true),
        ] {
            assert_eq!(hosts_of(base, host), expected, "{base} {host}");
        }
        let rows: &[(&[&str], bool)] = &[
            (&["a.org:8443"], true),
            (&["A.org:8443"], true),
            (&["a.org"], false),
            (&["a.org:8443", "a.org:8443"], false),
            (&["evil.example"], false),
            (&["a.org:8443.evil.example"], false),
            (&[], false),
        ];
        for (hosts, expected) in rows {
            let headers = hosts
                .iter()
                .map(|h| (http::header::HOST, h.parse().unwrap()))
                .collect::<HeaderMap>();
            assert_eq!(
                site.is_host(&uri, &headers, Version::HTTP_11),
                *expected,
                "{hosts:?}"
            );
        }
    }
}
