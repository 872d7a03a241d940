//! What a browser says about why it sends a request (S-051, S-054).

use http::HeaderMap;
use http::header::ACCEPT;
use http::header::ORIGIN;

/// Whether a request to log out comes from a person who follows a link or submits a form, as
/// opposed to an image, a frame or a script on some page.
///
/// Where the browser says what it is doing, that decides: `Sec-Fetch-Mode` must be `navigate` and
/// `Sec-Fetch-Dest` must be `document`, each where it is sent. Without both headers there must be
/// no `X-Requested-With`, and `Accept` is absent, names `text/html`, or is exactly `*/*`: tools
/// such as curl send that, and so do old browsers for scripts. Those come without the cookie from
/// another site (`SameSite=Lax`) and end nothing.
pub(crate) fn is_navigation(headers: &HeaderMap) -> bool {
    if is_prefetch(headers) {
        return false;
    }
    match is_declared_navigation(headers) {
        Some(declared) => declared,
        None => !headers.contains_key("x-requested-with") && accepts_a_page(headers),
    }
}

/// The same for a form post, whose `Accept` says nothing: it cannot be an image.
pub(crate) fn is_form_navigation(headers: &HeaderMap) -> bool {
    !is_prefetch(headers)
        && is_declared_navigation(headers).unwrap_or(!headers.contains_key("x-requested-with"))
}

/// Whether a browser loads a page that nobody has asked for yet.
pub(crate) fn is_prefetch(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose"]
        .iter()
        .flat_map(|name| headers.get_all(*name))
        .any(|value| {
            let words = value.as_bytes().to_ascii_lowercase();
            let has = |word: &[u8]| words.windows(word.len()).any(|part| part == word);
            has(b"prefetch") || has(b"prerender")
        })
}

/// What `Sec-Fetch-Mode` and `Sec-Fetch-Dest` say; none where neither is sent.
fn is_declared_navigation(headers: &HeaderMap) -> Option<bool> {
    let modes = headers.get_all("sec-fetch-mode").iter();
    let destinations = headers.get_all("sec-fetch-dest").iter();
    let says_yes = modes
        .map(|mode| mode == "navigate")
        .chain(destinations.map(|destination| destination == "document"));
    says_yes.reduce(|all, one| all && one)
}

fn accepts_a_page(headers: &HeaderMap) -> bool {
    let lines: Option<Vec<&str>> = headers
        .get_all(ACCEPT)
        .iter()
        .map(|line| line.to_str().ok())
        .collect();
    match lines.as_deref() {
        Some([]) => true,
        Some([line]) if line.trim() == "*/*" => true,
        Some(lines) => lines
            .iter()
            .flat_map(|line| line.split(','))
            .filter_map(|range| range.split(';').next())
            .any(|range| range.trim().eq_ignore_ascii_case("text/html")),
        None => false,
    }
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
        // R-066, S-051
        for (expected, pairs) in [
            (true, &[("sec-fetch-mode", "navigate")][..]),
            (true, &[("sec-fetch-dest", "document")]),
            (
                true,
                &[
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
            ),
            (
                false,
                &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
            ),
            (
                false,
                &[
                    ("sec-fetch-mode", "no-cors"),
                    ("sec-fetch-dest", "document"),
                ],
            ),
            (
                false,
                &[("sec-fetch-mode", "no-cors"), ("accept", "text/html")],
            ),
            (false, &[("sec-fetch-dest", "image")]),
            (false, &[("sec-fetch-dest", "empty"), ("accept", "*/*")]),
            (
                false,
                &[("sec-fetch-dest", "document"), ("sec-fetch-dest", "script")],
            ),
            (true, &[]),
            (true, &[("accept", "*/*")]),
            (true, &[("accept", "text/html,*/*;q=0.8")]),
            (true, &[("accept", "application/xml, TEXT/HTML;q=0.9")]),
            (false, &[("accept", "image/avif,image/webp,*/*;q=0.8")]),
            (false, &[("accept", "*/*"), ("accept", "image/png")]),
            (false, &[("accept", "application/json")]),
            (false, &[("accept", "text/html-ish")]),
            (false, &[("accept", "text/html"), ("x-requested-with", "x")]),
            (false, &[("x-requested-with", "x")]),
            (false, &[("sec-purpose", "prefetch;prerender")]),
            (
                false,
                &[("sec-fetch-mode", "navigate"), ("purpose", "Prefetch")],
            ),
            (true, &[("purpose", "none")]),
        ] {
            assert_eq!(is_navigation(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn form_navigations() {
        assert!(is_form_navigation(&headers(&[(
            "accept",
            "application/json"
        )])));
        assert!(!is_form_navigation(&headers(&[("x-requested-with", "x")])));
        assert!(!is_form_navigation(&headers(&[("sec-fetch-mode", "cors")])));
        assert!(!is_form_navigation(&headers(&[
            ("sec-fetch-mode", "navigate"),
            ("sec-fetch-dest", "iframe")
        ])));
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
