//! As much HTML as a login form needs: forms and their fields, whoever wrote the page.

/// A form with the fields that a browser would send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) action: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) fields: Vec<Field>,
}

/// An `input`, `button`, `select` or `textarea` with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    /// Lower case; `text` where nothing is said.
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) checked: bool,
}

impl Form {
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    pub(crate) fn password_field(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == "password")
    }

    /// The text field for the name: the last one before the password, unless one is called so.
    pub(crate) fn username_field(&self) -> Option<&Field> {
        let text = |field: &&Field| matches!(field.kind.as_str(), "text" | "email" | "tel");
        let known = ["username", "user", "login", "uid", "email"];
        let named = known.iter().find_map(|name| {
            self.fields
                .iter()
                .filter(text)
                .find(|field| field.name.eq_ignore_ascii_case(name))
        });
        let password = self
            .fields
            .iter()
            .position(|field| field.kind == "password")?;
        named.or_else(|| self.fields[..password].iter().rfind(text))
    }

    /// What a browser sends when nothing is typed: hidden fields, what is checked, and the first button with a name.
    pub(crate) fn untouched(&self) -> Vec<(String, String)> {
        let mut button = false;
        let sent = self
            .fields
            .iter()
            .filter(|field| match field.kind.as_str() {
                "checkbox" | "radio" => field.checked,
                "submit" => !std::mem::replace(&mut button, true),
                "button" | "reset" | "image" | "file" => false,
                _ => true,
            });
        sent.map(|field| (field.name.clone(), field.value.clone()))
            .collect()
    }
}

/// Every form of a page.
pub(crate) fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut open: Option<Form> = None;
    for tag in tags(html) {
        match tag.name.as_str() {
            "form" => {
                forms.extend(open.take());
                open = Some(Form {
                    action: tag.get("action"),
                    method: tag.get("method"),
                    fields: Vec::new(),
                });
            }
            "/form" => forms.extend(open.take()),
            "input" | "button" | "select" | "textarea" => {
                if let (Some(form), Some(name)) = (&mut open, tag.get("name"))
                    && tag.get("disabled").is_none()
                {
                    let usual = match tag.name.as_str() {
                        "input" => "text",
                        "button" => "submit",
                        other => other,
                    };
                    form.fields.push(Field {
                        name,
                        kind: tag
                            .get("type")
                            .map_or_else(|| usual.to_owned(), |kind| kind.to_ascii_lowercase()),
                        value: tag.get("value").unwrap_or_else(|| {
                            let checkbox = tag.get("type").is_some_and(|kind| kind == "checkbox");
                            if checkbox { "on" } else { "" }.to_owned()
                        }),
                        checked: tag.get("checked").is_some(),
                    });
                }
            }
            _ => {}
        }
    }
    forms.extend(open);
    forms
}

/// The form that asks for a password.
pub(crate) fn login_form(html: &str) -> Option<Form> {
    forms(html)
        .into_iter()
        .find(|form| form.password_field().is_some() && form.username_field().is_some())
}

/// Character references undone, as far as attribute values of forms and links use them.
pub(crate) fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let reference = rest[1..].split_once(';').and_then(|(name, after)| {
            let character = match name {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                "nbsp" => '\u{a0}',
                _ => {
                    let number = name.strip_prefix('#')?;
                    let code = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                        None => number.parse().ok()?,
                    };
                    char::from_u32(code)?
                }
            };
            Some((character, after))
        });
        if let Some((character, after)) = reference {
            plain.push(character);
            rest = after;
        } else {
            plain.push('&');
            rest = &rest[1..];
        }
    }
    plain + rest
}

struct Tag {
    name: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn get(&self, name: &str) -> Option<String> {
        self.attributes
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
    }
}

/// The tags of a page; comments, scripts and styles are passed over.
fn tags(html: &str) -> Vec<Tag> {
    let mut found = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let Some((tag, after)) = tag(rest) else {
            continue;
        };
        rest = after;
        if matches!(tag.name.as_str(), "script" | "style") {
            let end = format!("</{}", tag.name);
            let lower = rest.to_ascii_lowercase();
            rest = lower.find(&end).map_or("", |at| &rest[at..]);
        }
        found.push(tag);
    }
    found
}

fn tag(text: &str) -> Option<(Tag, &str)> {
    let end = text.find(|c: char| {
        c.is_ascii_whitespace() || c == '>' || (c == '/' && !text.starts_with('/'))
    })?;
    let name = text[..end].to_ascii_lowercase();
    if !name
        .trim_start_matches('/')
        .starts_with(|c: char| c.is_ascii_alphabetic())
    {
        return None;
    }
    let mut attributes = Vec::new();
    let mut rest = &text[end..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return Some((Tag { name, attributes }, after));
        }
        let stop = rest.find(|c: char| c.is_ascii_whitespace() || matches!(c, '=' | '>' | '/'))?;
        let key = rest[..stop].to_ascii_lowercase();
        rest = rest[stop..].trim_start();
        let mut value = "";
        if let Some(after) = rest.strip_prefix('=') {
            let after = after.trim_start();
            let first = after.chars().next()?;
            if matches!(first, '"' | '\'') {
                let (quoted, behind) = after[1..].split_once(first)?;
                (value, rest) = (quoted, behind);
            } else {
                let stop = after.find(|c: char| c.is_ascii_whitespace() || c == '>')?;
                (value, rest) = after.split_at(stop);
            }
        }
        if key.is_empty() && value.is_empty() {
            // A stray sign, such as a second `=`.
            rest = rest.get(rest.chars().next()?.len_utf8()..)?;
        } else {
            attributes.push((key, unescape(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_whoever_wrote_it() {
        let page = r#"<!-- <form><input name=no type=password></form> --><script>var x = "<form>";</script>
            <form role=search action='/q'><input name=q></form>
            <FORM Method="POST" id=fm1 action="login;jsessionid=1?a=b&amp;c=d">
            <input type='hidden' name="execution" value="e1s1&#x2f;&quot;"/><input type=hidden name=_eventId value=submit>
            <input id="username" name="username" required><input name=password type=password />
            <input type="checkbox" name="warn" value="true"><input type=checkbox name=ok checked>
            <button name="go" value="1">Go</button><button name="other" value="2">No</button></FORM>"#;
        let form = login_form(page).expect("a login form");
        assert_eq!(form.action.as_deref(), Some("login;jsessionid=1?a=b&c=d"));
        assert_eq!(form.method.as_deref(), Some("POST"));
        let sent: Vec<_> = form.untouched();
        let sent: Vec<_> = sent.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            sent,
            [
                ("execution", "e1s1/\""),
                ("_eventId", "submit"),
                ("username", ""),
                ("password", ""),
                ("ok", "on"),
                ("go", "1")
            ]
        );
        assert_eq!(
            form.username_field().map(|field| field.name.as_str()),
            Some("username")
        );
        assert!(!form.field("warn").expect("a checkbox").checked);
    }

    #[test]
    fn the_field_before_the_password_is_the_name() {
        let form =
            login_form("<form><input name=a><input name=b><input type=password name=c></form>");
        let form = form.expect("a login form");
        assert_eq!(
            form.username_field().map(|field| field.name.as_str()),
            Some("b")
        );
        assert_eq!(login_form("<form><input name=q></form>"), None);
    }

    #[test]
    fn broken_pages_are_no_trouble() {
        for page in [
            "<",
            "<form",
            "<form action=",
            "<form action=\"x",
            "<input =\"\" = >",
            "<form>&#xffffffff;",
            "<é>",
        ] {
            let _ = forms(page);
        }
        assert_eq!(unescape("a&b&amp;&#39;&#xzz;&"), "a&b&'&#xzz;&");
    }
}
