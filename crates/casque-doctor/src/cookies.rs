//! The cookies of an application.

use std::collections::{BTreeMap, BTreeSet};

use casque_visitor::Cookie;

use crate::finding::{Finding, Group, Kind};

/// Judges the cookies that an application sets; `secure` says that it is reached by https.
pub(crate) fn judge(cookies: &[Cookie], secure: bool) -> Vec<Finding> {
    let kept: Vec<&Cookie> = cookies.iter().filter(|cookie| !cookie.ends()).collect();
    if kept.is_empty() {
        return vec![Finding::skipped(
            Group::Application,
            "its cookies: it has set none",
        )];
    }
    // Each fault once, with the names of all cookies that have it.
    let mut faults: BTreeMap<u8, (Kind, &str, Vec<&str>)> = BTreeMap::new();
    let mut fault = |order: u8, kind: Kind, fix: &'static str, name| {
        let entry = faults.entry(order).or_insert((kind, fix, Vec::new()));
        if !entry.2.contains(&name) {
            entry.2.push(name);
        }
    };
    for cookie in &kept {
        let name = cookie.name.as_str();
        if !cookie.http_only && !is_for_scripts(name) {
            fault(
                0,
                Kind::CookieScriptReadable,
                "set them with HttpOnly",
                name,
            );
        }
        if secure && !cookie.secure {
            fault(
                1,
                Kind::CookieInsecure,
                "set them with Secure; where the application sees plain http behind a proxy, tell it its public address, \
                 SERVICE_URL=\"https://…\"",
                name,
            );
        }
        if !cookie
            .same_site
            .as_deref()
            .is_some_and(|policy| policy.eq_ignore_ascii_case("lax"))
        {
            fault(2, Kind::CookieSameSite, "set them with SameSite=Lax", name);
        }
        if cookie.domain.is_some() {
            fault(
                3,
                Kind::CookieDomain,
                "set them without Domain, best with a name that begins with __Host-",
                name,
            );
        }
    }
    if faults.is_empty() {
        let names: BTreeSet<_> = kept.iter().map(|cookie| cookie.name.as_str()).collect();
        let names: Vec<_> = names.into_iter().collect();
        let secure = if secure { "Secure, " } else { "" };
        return vec![Finding::good(
            Group::Application,
            format!(
                "its cookies are {secure}HttpOnly and SameSite=Lax: {}",
                names.join(", ")
            ),
        )];
    }
    faults
        .into_values()
        .map(|(kind, fix, names)| {
            let what = match kind {
                Kind::CookieScriptReadable => "without HttpOnly",
                Kind::CookieInsecure => "without Secure",
                Kind::CookieSameSite => "without SameSite=Lax",
                _ => "with Domain",
            };
            Finding::new(kind, format!("cookies {what}: {}", names.join(", ")), fix)
        })
        .collect()
}

/// The cookie of a protection against forged forms, which a script of the page copies into its requests.
fn is_for_scripts(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.contains("csrf") || name.contains("xsrf")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_attribute_one_finding() {
        let kinds = |header: &str| -> Vec<Kind> {
            let cookie = Cookie::parse(header).unwrap();
            judge(&[cookie], true)
                .iter()
                .filter_map(Finding::kind)
                .collect()
        };
        assert_eq!(
            kinds("__Host-s=1; Path=/; HttpOnly; Secure; SameSite=Lax"),
            []
        );
        for (header, kind) in [
            (
                "s=1; Path=/; Secure; SameSite=Lax",
                Kind::CookieScriptReadable,
            ),
            ("s=1; Path=/; HttpOnly; SameSite=lax", Kind::CookieInsecure),
            ("s=1; Path=/; HttpOnly; Secure", Kind::CookieSameSite),
            (
                "s=1; Path=/; HttpOnly; Secure; SameSite=Strict",
                Kind::CookieSameSite,
            ),
            (
                "s=1; Path=/; HttpOnly; Secure; SameSite=None",
                Kind::CookieSameSite,
            ),
            (
                "s=1; Path=/; Domain=example.org; HttpOnly; Secure; SameSite=Lax",
                Kind::CookieDomain,
            ),
        ] {
            assert_eq!(kinds(header), [kind], "{header}");
        }
        assert_eq!(kinds("gone=; Max-Age=0"), []);
        assert_eq!(kinds("csrftoken=1; Path=/; Secure; SameSite=Lax"), []);
    }
}
