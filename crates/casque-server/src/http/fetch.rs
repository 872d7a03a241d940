//! What a browser says about why it sends a request (S-051, S-054).

use http::HeaderMap;
use http::header::ACCEPT;
use http::header::ORIGIN;

/// Whether a person follows a link or submits a form, as opposed to an image or a script.
///
/// `Sec-Fetch-Mode` decides where it is sent. Without it, `Sec-Fetch-Dest` must not name a
/// subresource, there is no `X-Requested-With`, and `Accept` names `text/html`; a request without
/// any `Accept` comes from no browser and counts as a navigation too.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    if let Some(mode) = headers.get("sec-fetch-mode") {
        return mode == "navigate";
    }
    if headers
        .get("sec-fetch-dest")
        .is_some_and(|dest| dest != "document")
    {
        return false;
    }
    if headers.contains_key("x-requested-with") {
        return false;
    }
    let mut accepts = headers.get_all(ACCEPT).iter().peekable();
    accepts.peek().is_none()
        || accepts.any(|accept| {
            accept
                .to_str()
                .is_ok_and(|text| text.to_ascii_lowercase().contains("text/html"))
        })
}

/// Whether a form post comes from the server's own page, as far as the browser tells.
///
/// Pages are sent with `Referrer-Policy: no-referrer`, which makes browsers send `Origin: null`
/// with a form; that is believed only beside `Sec-Fetch-Site: same-origin`. A request with neither
/// header, from a tool or an old browser, is left to the login ticket.
pub(crate) fn is_own_form(headers: &HeaderMap, own_origin: &str) -> bool {
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let site = sites.next();
    if sites.next().is_some() {
        return false;
    }
    if site.is_some_and(|site| site != "same-origin" && site != "none") {
        return false;
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    match (origins.next(), origins.next()) {
        (None, _) => true,
        (Some(origin), None) if origin == "null" => site.is_some_and(|site| site == "same-origin"),
        (Some(origin), None) => origin == own_origin,
        (Some(_), Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn navigations() {
        assert!(is_navigation(&headers(&[("sec-fetch-mode", "navigate")])));
        assert!(!is_navigation(&headers(&[
            ("sec-fetch-mode", "no-cors"),
            ("accept", "text/html")
        ])));
        assert!(!is_navigation(&headers(&[("sec-fetch-dest", "image")])));
        assert!(is_navigation(&headers(&[(
            "accept",
            "text/html,*/*;q=0.8"
        )])));
        assert!(!is_navigation(&headers(&[("accept", "image/avif,*/*")])));
        assert!(!is_navigation(&headers(&[
            ("accept", "text/html"),
            ("x-requested-with", "x")
        ])));
        assert!(is_navigation(&headers(&[])));
    }

    #[test]
    fn own_forms() {
        let own = "https://cas.example.org";
        assert!(is_own_form(&headers(&[]), own));
        assert!(is_own_form(&headers(&[("origin", own)]), own));
        assert!(is_own_form(
            &headers(&[("origin", "null"), ("sec-fetch-site", "same-origin")]),
            own
        ));
        assert!(!is_own_form(&headers(&[("origin", "null")]), own));
        assert!(!is_own_form(
            &headers(&[("origin", "https://evil.example")]),
            own
        ));
        assert!(!is_own_form(
            &headers(&[("origin", own), ("sec-fetch-site", "same-site")]),
            own
        ));
        assert!(!is_own_form(
            &headers(&[("origin", own), ("origin", own)]),
            own
        ));
        assert!(!is_own_form(
            &headers(&[("sec-fetch-site", "cross-site")]),
            own
        ));
    }
}
