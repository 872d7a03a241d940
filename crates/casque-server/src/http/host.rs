//! The host guard: every request names this server, once, or goes no further (S-071).

use http::HeaderMap;
use http::StatusCode;
use http::Uri;
use http::header::HOST;
use url::Url;

/// The authority that browsers use for this server, from the configured base URL.
#[derive(Debug, Clone)]
pub(crate) struct Authority {
    /// `host` or `host:port`, lower case, default port left out.
    canonical: String,
    default_port: u16,
}

impl Authority {
    /// From a base URL, whose scheme gives the default port.
    pub(crate) fn of(base: &Url) -> Self {
        let default_port = if base.scheme() == "http" { 80 } else { 443 };
        let host = base.host_str().unwrap_or_default();
        let canonical = base
            .port()
            .map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        Self {
            canonical,
            default_port,
        }
    }

    /// Accepts a request whose target and `Host` both name this server.
    ///
    /// Missing, doubled or unreadable is 400 (RFC 9112 §3.2), foreign is 421.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), StatusCode> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => Some(host.to_str().map_err(|_| StatusCode::BAD_REQUEST)?),
            (None, _) => None,
            (Some(_), Some(_)) => return Err(StatusCode::BAD_REQUEST),
        };
        let target = uri.authority().map(http::uri::Authority::as_str);
        if host.is_none() && target.is_none() {
            return Err(StatusCode::BAD_REQUEST);
        }
        let own = |name: &str| self.is_own(name);
        if host.is_none_or(own) && target.is_none_or(own) {
            Ok(())
        } else {
            Err(StatusCode::MISDIRECTED_REQUEST)
        }
    }

    fn is_own(&self, name: &str) -> bool {
        if name.eq_ignore_ascii_case(&self.canonical) {
            return true;
        }
        name.rsplit_once(':').is_some_and(|(host, port)| {
            host.eq_ignore_ascii_case(&self.canonical) && port == self.default_port.to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(base: &str, uri: &str, hosts: &[&str]) -> Result<(), u16> {
        let mut headers = HeaderMap::new();
        for host in hosts {
            headers.append(HOST, host.parse().expect("header"));
        }
        Authority::of(&Url::parse(base).expect("url"))
            .check(&uri.parse().expect("uri"), &headers)
            .map_err(|status| status.as_u16())
    }

    #[test]
    fn one_host_and_ours() {
        let base = "https://cas.example.org/cas";
        assert_eq!(check(base, "/cas/login", &["cas.example.org"]), Ok(()));
        assert_eq!(check(base, "/cas/login", &["CAS.example.org:443"]), Ok(()));
        assert_eq!(
            check(base, "https://cas.example.org/cas/login", &[]),
            Ok(())
        );
        assert_eq!(check(base, "/cas/login", &[]), Err(400));
        assert_eq!(
            check(base, "/cas/login", &["cas.example.org", "cas.example.org"]),
            Err(400)
        );
        assert_eq!(check(base, "/cas/login", &["evil.example"]), Err(421));
        assert_eq!(check(base, "/cas/login", &["cas.example.org:80"]), Err(421));
        assert_eq!(
            check(base, "https://evil.example/cas", &["cas.example.org"]),
            Err(421)
        );
        assert_eq!(
            check(base, "https://x@cas.example.org/cas", &["cas.example.org"]),
            Err(421)
        );
    }

    #[test]
    fn ports_and_literals() {
        assert_eq!(
            check("http://127.0.0.1:8080/cas", "/", &["127.0.0.1:8080"]),
            Ok(())
        );
        assert_eq!(
            check("http://127.0.0.1:8080/cas", "/", &["127.0.0.1"]),
            Err(421)
        );
        assert_eq!(
            check("https://[2001:db8::1]:8443/", "/", &["[2001:db8::1]:8443"]),
            Ok(())
        );
        assert_eq!(
            check("https://[2001:db8::1]/", "/", &["[2001:db8::1]:443"]),
            Ok(())
        );
    }
}
