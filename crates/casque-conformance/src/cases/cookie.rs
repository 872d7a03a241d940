//! The ticket-granting cookie, whatever its name: the cookie without which a session is not known.

use casque_visitor::Cookie;
use url::Url;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::verdict::{Judged, Level, broken, broken_at, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "cookie-path",
        ["R-056"],
        Must,
        "§3.6.1",
        "the cookie's path is that of the server",
        path
    ),
    case!(
        "cookie-session",
        ["R-056"],
        Must,
        "§3.6.1",
        "the cookie ends with the browser",
        session
    ),
    case!(
        "cookie-characters",
        ["R-057"],
        Must,
        "§3.7",
        "the cookie's value holds letters, digits and hyphens only",
        characters
    ),
    case!(
        "cookie-name",
        ["R-056"],
        Should,
        "§3.6.1",
        "the cookie is called TGC",
        name
    ),
    case!(
        "cookie-flags",
        ["R-056"],
        Choice,
        "casque (security)",
        "the cookie is HttpOnly, SameSite and, over https, Secure",
        flags
    ),
    case!(
        "cookie-new",
        ["R-043"],
        Choice,
        "casque (security)",
        "each login gives the cookie a new value",
        renewed
    ),
    case!(
        "cookie-fixation",
        ["R-043"],
        Choice,
        "casque (security)",
        "the cookies from before a login are worth nothing after it",
        fixation
    ),
];

async fn granting(b: &mut Bench) -> Judged<Vec<Cookie>> {
    let (visitor, _) = b.sign_in(&b.service("cookie")).await?;
    b.granting_cookies(&visitor).await
}

async fn path(b: &mut Bench) -> Judged {
    let wanted = Url::parse(&b.base)
        .map(|url| url.path().to_owned())
        .unwrap_or_default();
    let wanted = wanted.trim_end_matches('/');
    for cookie in granting(b).await? {
        let path = cookie.path.clone().unwrap_or_default();
        if cookie.name.starts_with("__Host-") {
            return broken_at(
                Level::Choice,
                format!(
                    "{} has path {path}, as its prefix __Host- demands: no other host can set it",
                    cookie.name
                ),
            );
        }
        // A cookie without a path is for the folder of the page that set it.
        let narrow =
            cookie.path.is_none() || path == wanted || path.starts_with(&format!("{wanted}/"));
        ensure(
            narrow,
            format!("{} has path {path}, the server is at {wanted}", cookie.name),
        )?;
    }
    Ok(())
}

async fn session(b: &mut Bench) -> Judged {
    for cookie in granting(b).await? {
        if let Some(expires) = &cookie.expires {
            return broken(format!("{} has {expires}", cookie.name));
        }
    }
    Ok(())
}

async fn characters(b: &mut Bench) -> Judged {
    for cookie in granting(b).await? {
        let other = cookie
            .value
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && *c != '-');
        if let Some(other) = other {
            return broken(format!("the value of {} holds {other:?}", cookie.name));
        }
    }
    Ok(())
}

async fn name(b: &mut Bench) -> Judged {
    let cookies = granting(b).await?;
    let names: Vec<_> = cookies.iter().map(|cookie| cookie.name.as_str()).collect();
    let called = cookies.iter().any(|cookie| {
        let bare = cookie
            .name
            .trim_start_matches("__Host-")
            .trim_start_matches("__Secure-");
        // The specification's second version put the prefix on the value.
        bare.starts_with("TGC") || cookie.value.starts_with("TGC-")
    });
    ensure(called, format!("it is called {}", names.join(", ")))
}

async fn flags(b: &mut Bench) -> Judged {
    let https = b.base.starts_with("https:");
    for cookie in granting(b).await? {
        let name = &cookie.name;
        if https && !cookie.secure {
            return broken_at(
                Level::Must,
                format!("{name} is not Secure (§2.1: a secure cookie)"),
            );
        }
        ensure(
            cookie.http_only,
            format!("{name} is not HttpOnly: a script can read it"),
        )?;
        ensure(
            cookie.same_site.is_some(),
            format!("{name} says no SameSite"),
        )?;
        ensure(
            cookie.domain.is_none(),
            format!("{name} is for the whole domain {:?}", cookie.domain),
        )?;
    }
    Ok(())
}

async fn renewed(b: &mut Bench) -> Judged {
    let (first, second) = (granting(b).await?, granting(b).await?);
    let same = first.iter().all(|cookie| {
        second
            .iter()
            .any(|other| cookie.name == other.name && cookie.value == other.value)
    });
    ensure(!same, "two logins have the same cookie")
}

async fn fixation(b: &mut Bench) -> Judged {
    let service = b.service("cookie");
    let mut visitor = b.visitor();
    let page = visitor.login(&[("service", &service)]).await?;
    let Some(form) = page.form() else {
        return skipped("no login form");
    };
    let mut before = visitor.clone();
    let (username, password) = b.credentials();
    visitor
        .submit(
            &page.last,
            &form,
            (&username, &password),
            Some(&service),
            |_| {},
        )
        .await?;
    let reached = before.login(&[("service", &service)]).await?;
    ensure(
        reached.delivered(&service).is_none(),
        "whoever planted the cookies before the login is signed in by it (session fixation)",
    )
}
