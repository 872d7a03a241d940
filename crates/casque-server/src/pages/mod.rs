//! The pages that people see.
//!
//! Plain HTML that needs no JavaScript (one line submits the form of `method=POST` where scripts run), one stylesheet and one icon under `/assets/`, both named by
//! their content so that they may be cached for ever. Templates are compiled in, everything put into
//! them is escaped, and a value a template asks for in vain is an error that the tests would find.

mod assets;
mod page;

pub use assets::Asset;
pub use page::{ConsentGiven, Continue, Field, Login, LoginProblem, Page, ServiceLabel};

use std::{collections::BTreeSet, fmt};

use minijinja::{AutoEscape, Environment, Error, UndefinedBehavior, context};

/// Draws [`Page`]s.
///
/// ```
/// use casque_server::{Page, Pages};
///
/// let pages = Pages::new("/cas", Some("Example University"));
/// let html = pages.render(&Page::LoggedOut { service: None });
/// assert!(html.contains("You are signed out"));
/// assert!(pages.asset(pages.stylesheet().file_name()).is_some());
/// ```
pub struct Pages {
    templates: Environment<'static>,
    prefix: String,
    organisation: Option<String>,
}

impl Pages {
    /// Pages of a server whose base URL has the path `base_path` (`/cas`, or `/` or nothing), named after the
    /// organisation where there is one.
    ///
    /// # Panics
    /// Never: the templates are compiled in and tested.
    pub fn new(base_path: &str, organisation: Option<&str>) -> Self {
        let mut templates = Environment::new();
        // No value is ever exempt, so the engine's own notion of what is safe is switched off.
        templates.set_auto_escape_callback(|_| AutoEscape::None);
        templates
            .set_formatter(|out, _, value| escape(out, &value.to_string()).map_err(Error::from));
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, source) in TEMPLATES {
            templates
                // A tag alone on its line leaves no empty line behind.
                .add_template_owned(name, source.replace("%}\n", "%}"))
                .expect("compiled-in templates are rendered by the tests");
        }
        Self {
            templates,
            prefix: base_path.trim_end_matches('/').to_owned(),
            organisation: organisation.map(str::to_owned),
        }
    }

    /// The page as HTML in UTF-8. Send it with [`Pages::content_security_policy`].
    pub fn render(&self, page: &Page<'_>) -> String {
        let values = context! {
            organisation => self.organisation.as_deref(),
            stylesheet => self.address(self.stylesheet()),
            icon => self.address(self.icon()),
            login => format!("{}/login", self.prefix),
            ..page.values()
        };
        let drawn = self
            .templates
            .get_template(page.template())
            .and_then(|template| template.render(values));
        match drawn {
            Ok(html) => html,
            Err(error) => {
                tracing::error!(%error, template = page.template(), "a page could not be drawn");
                String::from(LAST_RESORT)
            }
        }
    }

    /// The `Content-Security-Policy` of a page: nothing but the own stylesheet and icon, no script, no frame, no base;
    /// forms go to this server.
    ///
    /// A browser also holds the redirects *after* a form against `form-action`. So `form_targets` lists the origins
    /// (`https://app.example.org`) that submitting the page may end at: the service of a login form.
    /// Give registered origins only; anything that is no plain origin is left out.
    ///
    /// ```
    /// use casque_server::Pages;
    ///
    /// let pages = Pages::new("/cas", None);
    /// assert_eq!(
    ///     pages.content_security_policy(["https://app.example.org"]),
    ///     "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self' https://app.example.org; \
    ///      frame-ancestors 'none'; base-uri 'none'"
    /// );
    /// ```
    pub fn content_security_policy<'a>(
        &self,
        form_targets: impl IntoIterator<Item = &'a str>,
    ) -> String {
        policy(form_targets, [])
    }

    /// The same for [`Page::LoggedOutInFront`]: images may come from these origins too.
    pub fn content_security_policy_with_images<'a>(
        &self,
        origins: impl IntoIterator<Item = &'a str>,
    ) -> String {
        policy([], origins)
    }

    /// The policy of a page with the form that takes a ticket to its service: to that origin only, and with the one
    /// script of that nonce (R-051, S-046).
    pub(crate) fn content_security_policy_of_post(origin: &str, nonce: &str) -> String {
        let target = if is_plain_origin(origin) {
            origin
        } else {
            "'none'"
        };
        format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'nonce-{nonce}'; form-action {target}; \
             frame-ancestors 'none'; base-uri 'none'"
        )
    }

    /// The file behind `/assets/{file_name}`, for ever the same (`Cache-Control: public, max-age=31536000, immutable`).
    pub fn asset(&self, file_name: &str) -> Option<&'static Asset> {
        assets::find(file_name)
    }

    /// The stylesheet of all pages.
    pub fn stylesheet(&self) -> &'static Asset {
        assets::stylesheet()
    }

    /// The icon of the browser's tab, also the mark on the pages.
    pub fn icon(&self) -> &'static Asset {
        assets::icon()
    }

    fn address(&self, asset: &Asset) -> String {
        format!("{}/assets/{}", self.prefix, asset.file_name())
    }
}

impl fmt::Debug for Pages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("prefix", &self.prefix)
            .field("organisation", &self.organisation)
            .finish_non_exhaustive()
    }
}

/// The five characters that mean something in HTML text and in quoted attributes. Slashes stay as they are: programs
/// that sign in through the form read addresses from it, and not all of them decode what need not be encoded.
fn escape(out: &mut impl fmt::Write, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(place) = rest.find(['&', '<', '>', '"', '\'']) {
        out.write_str(&rest[..place])?;
        out.write_str(match rest.as_bytes()[place] {
            b'&' => "&amp;",
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &rest[place + 1..];
    }
    out.write_str(rest)
}

fn policy<'a>(
    form_targets: impl IntoIterator<Item = &'a str>,
    images: impl IntoIterator<Item = &'a str>,
) -> String {
    let (targets, images) = (sources(form_targets), sources(images));
    format!(
        "default-src 'none'; style-src 'self'; img-src 'self'{images}; form-action 'self'{targets}; \
         frame-ancestors 'none'; base-uri 'none'"
    )
}

/// Plain origins, each once, each after a space.
fn sources<'a>(origins: impl IntoIterator<Item = &'a str>) -> String {
    let plain: BTreeSet<&str> = origins
        .into_iter()
        .filter(|origin| is_plain_origin(origin))
        .collect();
    plain.into_iter().flat_map(|origin| [" ", origin]).collect()
}

/// `scheme://host[:port]` and nothing that could end or extend a directive.
fn is_plain_origin(text: &str) -> bool {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && host
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    })
}

const TEMPLATES: [(&str, &str); 15] = [
    ("base.html", include_str!("templates/base.html")),
    ("to_service.html", include_str!("templates/to_service.html")),
    (
        "signed_in_as.html",
        include_str!("templates/signed_in_as.html"),
    ),
    ("login.html", include_str!("templates/login.html")),
    ("logged_in.html", include_str!("templates/logged_in.html")),
    ("logged_out.html", include_str!("templates/logged_out.html")),
    ("refused.html", include_str!("templates/refused.html")),
    (
        "confirm_logout.html",
        include_str!("templates/confirm_logout.html"),
    ),
    ("warn.html", include_str!("templates/warn.html")),
    ("consent.html", include_str!("templates/consent.html")),
    (
        "consent_refused.html",
        include_str!("templates/consent_refused.html"),
    ),
    ("consents.html", include_str!("templates/consents.html")),
    ("denied.html", include_str!("templates/denied.html")),
    (
        "post_ticket.html",
        include_str!("templates/post_ticket.html"),
    ),
    ("error.html", include_str!("templates/error.html")),
];

/// Shown if a template fails, which the tests exclude.
const LAST_RESORT: &str = "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">\
    <title>This page could not be shown</title></head>\n\
    <body><main><h1>This page could not be shown</h1><p>Something went wrong on the server. \
    Please go back and try again.</p></main></body>\n</html>\n";

#[cfg(test)]
mod tests;
