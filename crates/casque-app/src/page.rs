//! The pages that casque shows in the application's name: small, without JavaScript, in light and
//! dark, for keyboard, screen reader and phone.

use std::fmt::{self, Write as _};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use sha2::{Digest as _, Sha256};

const STYLE: &str = "\
:root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--text:#1b2430;--soft:#4d5866;\
--line:#d7dce3;--accent:#1f4f9e;--on:#fff}\
@media(prefers-color-scheme:dark){:root{--ground:#12161c;--card:#1b2129;--text:#e8ecf1;\
--soft:#b0bac6;--line:#343d49;--accent:#9cc2ff;--on:#10151c}}\
*{box-sizing:border-box}\
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.25rem;\
background:var(--ground);color:var(--text);font:1.0625rem/1.55 system-ui,sans-serif}\
main{width:100%;max-width:36rem;background:var(--card);border:1px solid var(--line);\
border-radius:.75rem;padding:clamp(1.25rem,5vw,2.25rem);overflow-wrap:anywhere}\
h1{font-size:1.5rem;line-height:1.25;margin:0 0 .75rem}h2{font-size:1.0625rem;margin:1.5rem 0 .25rem}\
p{margin:.5rem 0}ul{margin:.5rem 0;padding-left:1.25rem}li{margin:.4rem 0}\
code{font:0.9375rem ui-monospace,monospace}.soft{color:var(--soft);font-size:.9375rem}\
.actions{display:flex;flex-wrap:wrap;gap:.75rem;margin-top:1.5rem}\
.button{display:inline-block;padding:.6rem 1.1rem;border:1px solid var(--accent);border-radius:.5rem;\
background:var(--accent);color:var(--on);font:inherit;font-weight:600;text-decoration:none;cursor:pointer}\
.plain{background:transparent;color:var(--accent)}\
a{color:var(--accent)}:focus-visible{outline:3px solid var(--accent);outline-offset:2px}";

/// The Content-Security-Policy of these pages: nothing but their own style (S-043, S-058).
pub(crate) static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = STANDARD.encode(Sha256::digest(STYLE));
    HeaderValue::try_from(format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'none'; base-uri 'none'; \
         frame-ancestors 'none'"
    ))
    .expect("the policy is printable ASCII")
});

/// A page in the making. Text is escaped wherever it goes.
#[derive(Debug)]
pub(crate) struct Page {
    title: String,
    body: String,
}

impl Page {
    pub(crate) fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            body: String::new(),
        }
    }

    pub(crate) fn text(mut self, text: &str) -> Self {
        let _ = write!(self.body, "<p>{}</p>", Escaped(text));
        self
    }

    pub(crate) fn soft(mut self, text: &str) -> Self {
        if !text.is_empty() {
            let _ = write!(self.body, "<p class=\"soft\">{}</p>", Escaped(text));
        }
        self
    }

    pub(crate) fn list(mut self, heading: &str, items: &[String]) -> Self {
        if items.is_empty() {
            return self;
        }
        let _ = write!(self.body, "<h2>{}</h2><ul>", Escaped(heading));
        for item in items {
            let _ = write!(self.body, "<li>{}</li>", Escaped(item));
        }
        self.body.push_str("</ul>");
        self
    }

    /// Links, the first as the main one.
    pub(crate) fn links(mut self, links: &[(&str, &str)]) -> Self {
        self.body.push_str("<p class=\"actions\">");
        for (index, (href, label)) in links.iter().enumerate() {
            let plain = if index == 0 { "" } else { " plain" };
            let _ = write!(
                self.body,
                "<a class=\"button{plain}\" href=\"{}\">{}</a>",
                Escaped(href),
                Escaped(label)
            );
        }
        self.body.push_str("</p>");
        self
    }

    pub(crate) fn html(&self) -> String {
        let (title, body) = (Escaped(&self.title), &self.body);
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <title>{title}</title><style>{STYLE}</style></head>\
             <body><main><h1>{title}</h1>{body}</main></body></html>\n"
        )
    }
}

/// Text in HTML, safe between tags and in double-quoted attributes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_a_text_stays_text() {
        let evil = "\"><script>alert(1)</script>'&";
        let html = Page::new(evil)
            .text(evil)
            .soft(evil)
            .list(evil, &[evil.to_owned()])
            .links(&[(evil, evil)])
            .html();
        assert!(!html.contains("<script"), "{html}");
        assert!(!html.contains("\"\""), "{html}");
    }
}
