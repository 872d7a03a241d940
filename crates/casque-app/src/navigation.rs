//! Telling a person's navigation from a script's or an image's request.

use http::header::{ACCEPT, HeaderMap, ORIGIN};

/// Whether a browser is on its way to show the answer as a page: `Sec-Fetch-Mode: navigate`, or
/// without that header an `Accept` that names `text/html` and no `X-Requested-With`. A page that is
/// fetched in advance (`Sec-Purpose` or `Purpose`) is none: nobody has asked for it yet.
///
/// Everything else gets a status and JSON instead of a redirect to a login page it cannot show.
pub fn is_navigation(headers: &HeaderMap) -> bool {
    if in_advance(headers) {
        return false;
    }
    match headers.get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => accepts(headers, "text/html") && !headers.contains_key("x-requested-with"),
    }
}

/// Whether the browser only prepares for what somebody may do next: a prefetch or a prerendering.
pub(crate) fn in_advance(headers: &HeaderMap) -> bool {
    ["sec-purpose", "purpose"]
        .into_iter()
        .flat_map(|name| headers.get_all(name))
        .any(|value| {
            let value = value.as_bytes().to_ascii_lowercase();
            [&b"prefetch"[..], b"prerender"]
                .iter()
                .any(|purpose| value.windows(purpose.len()).any(|part| part == *purpose))
        })
}

/// Whether a `GET` may log out: not when the browser fetches a part of a page, such as an image.
///
/// Without fetch metadata only an `Accept` that asks for an image, or `X-Requested-With`, tells.
pub(crate) fn may_log_out(headers: &HeaderMap) -> bool {
    if let Some(destination) = headers.get("sec-fetch-dest")
        && destination != "document"
    {
        return false;
    }
    if let Some(mode) = headers.get("sec-fetch-mode") {
        return mode == "navigate";
    }
    let image = accepts(headers, "image/") && !accepts(headers, "text/html");
    !image && !headers.contains_key("x-requested-with")
}

/// Whether another site's page made the browser send this. Without fetch metadata an `Origin` tells,
/// which has to be one of ours; `null` is none.
pub(crate) fn from_another_site(headers: &HeaderMap, is_own: impl Fn(&str) -> bool) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "cross-site";
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    origins.any(|origin| !origin.to_str().is_ok_and(&is_own))
}

fn accepts(headers: &HeaderMap, media: &str) -> bool {
    headers.get_all(ACCEPT).iter().any(|value| {
        value
            .to_str()
            .is_ok_and(|text| text.to_ascii_lowercase().contains(media))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use http::header::HeaderName;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pair = |(n, v): &(&'static str, &'static str)| {
            (HeaderName::from_static(n), HeaderValue::from_static(v))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn navigations() {
        let rows: &[(&[(&'static str, &'static str)], bool)] = &[
            (&[("sec-fetch-mode", "navigate")], true),
            (&[("sec-fetch-mode", "navigate"), ("accept", "*/*")], true),
            (
                &[("sec-fetch-mode", "cors"), ("accept", "text/html")],
                false,
            ),
            (&[("sec-fetch-mode", "no-cors")], false),
            (&[("accept", "text/html,application/xhtml+xml;q=0.9")], true),
            (&[("accept", "TEXT/HTML")], true),
            (
                &[
                    ("accept", "text/html"),
                    ("x-requested-with", "XMLHttpRequest"),
                ],
                false,
            ),
            (&[("accept", "application/json")], false),
            (&[("accept", "*/*")], false),
            (&[], false),
            (
                &[("sec-fetch-mode", "navigate"), ("sec-purpose", "prefetch")],
                false,
            ),
            (
                &[
                    ("sec-fetch-mode", "navigate"),
                    ("sec-purpose", "prefetch;prerender"),
                ],
                false,
            ),
            (&[("accept", "text/html"), ("purpose", "Prefetch")], false),
            (&[("accept", "text/html"), ("purpose", "prerender")], false),
            (&[("accept", "text/html"), ("purpose", "reading")], true),
        ];
        for (pairs, expected) in rows {
            assert_eq!(is_navigation(&headers(pairs)), *expected, "{pairs:?}");
        }
    }

    #[test]
    fn an_image_does_not_log_out() {
        let rows: &[(&[(&'static str, &'static str)], bool)] = &[
            (
                &[
                    ("sec-fetch-mode", "navigate"),
                    ("sec-fetch-dest", "document"),
                ],
                true,
            ),
            (
                &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")],
                false,
            ),
            (
                &[("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")],
                false,
            ),
            (&[("sec-fetch-dest", "script")], false),
            (&[("accept", "text/html,image/avif,*/*;q=0.8")], true),
            (&[("accept", "image/avif,*/*;q=0.8")], false),
            (&[("x-requested-with", "x")], false),
            (&[("accept", "*/*")], true),
            (&[], true),
        ];
        for (pairs, expected) in rows {
            assert_eq!(may_log_out(&headers(pairs)), *expected, "{pairs:?}");
        }
    }
}
