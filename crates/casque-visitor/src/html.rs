//! As much HTML as a login needs: forms and their fields, and what a page says went wrong, whoever wrote it.

/// A form with the fields that a browser would send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// Where it is sent to, as the page has it.
    pub action: Option<String>,
    /// How it is sent, as the page has it.
    pub method: Option<String>,
    /// In the order of the page.
    pub fields: Vec<Field>,
}

/// An `input`, `button`, `select` or `textarea` with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// What its value is sent as.
    pub name: String,
    /// Lower case; `text` where nothing is said.
    pub kind: String,
    /// What would be sent if nothing is typed.
    pub value: String,
    /// A box that is ticked.
    pub checked: bool,
}

impl Form {
    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// The first field for a password.
    pub fn password_field(&self) -> Option<&Field> {
        self.fields.iter().find(|field| field.kind == "password")
    }

    /// The text field for the name: the last one before the password, unless one is called so.
    pub fn username_field(&self) -> Option<&Field> {
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
    pub fn untouched(&self) -> Vec<(String, String)> {
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
///
/// ```
/// let page = r#"<form action="/cas/login" method="post"><input type="hidden" name="lt" value="LT-1"></form>"#;
/// let form = &casque_visitor::forms(page)[0];
/// assert_eq!(form.action.as_deref(), Some("/cas/login"));
/// assert_eq!(form.untouched(), [("lt".to_owned(), "LT-1".to_owned())]);
/// ```
pub fn forms(html: &str) -> Vec<Form> {
    let mut forms = Vec::new();
    let mut open: Option<Form> = None;
    // Of a list, a browser sends the option that is selected, or else the first.
    let mut options = 0;
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
                            .filter(|_| tag.name != "select")
                            .map_or_else(|| usual.to_owned(), |kind| kind.to_ascii_lowercase()),
                        value: match tag.name.as_str() {
                            "textarea" => unescape(&tag.text),
                            _ => tag.get("value").unwrap_or_else(|| {
                                let checkbox =
                                    tag.get("type").is_some_and(|kind| kind == "checkbox");
                                if checkbox { "on" } else { "" }.to_owned()
                            }),
                        },
                        checked: tag.get("checked").is_some(),
                    });
                    options = 0;
                }
            }
            "option" => {
                let list = open.as_mut().and_then(|form| form.fields.last_mut());
                if let Some(list) = list.filter(|field| field.kind == "select") {
                    if options == 0 || tag.get("selected").is_some() {
                        let shown = || one_line(&unescape(&tag.text));
                        list.value = tag.get("value").unwrap_or_else(shown);
                    }
                    options += 1;
                }
            }
            _ => {}
        }
    }
    forms.extend(open);
    forms
}

/// The form that asks for a password.
pub fn login_form(html: &str) -> Option<Form> {
    forms(html)
        .into_iter()
        .find(|form| form.password_field().is_some() && form.username_field().is_some())
}

/// What a page says went wrong: the words of an element that announces an error, on one line.
///
/// Servers mark it by `role="alert"` or by a class such as `errors`, `alert-danger` or `message-negative`. `LemonLDAP::NG` leaves
/// the words to a script, and only the number of its message can be told.
///
/// ```
/// let page = r#"<ul class="errorlist"><li>The credentials are <b>wrong</b>.</li></ul>"#;
/// assert_eq!(casque_visitor::complaint(page).as_deref(), Some("The credentials are wrong."));
/// assert_eq!(casque_visitor::complaint("<p>Welcome</p>"), None);
/// ```
pub fn complaint(html: &str) -> Option<String> {
    let tags = tags(html);
    let announces = |tag: &Tag| {
        tag.get("role").is_some_and(|role| role == "alert")
            || tag.get("class").is_some_and(|class| {
                class
                    .split(|c: char| c.is_ascii_whitespace() || c == '-' || c == '_')
                    .any(|word| ERROR_WORDS.contains(&word.to_ascii_lowercase().as_str()))
            })
    };
    (0..tags.len())
        .filter(|at| announces(&tags[*at]))
        .take(20)
        .find_map(|at| words_of(&tags[at..]))
}

const ERROR_WORDS: [&str; 5] = ["error", "errors", "errorlist", "danger", "negative"];

/// The title of a page.
pub fn title(html: &str) -> Option<String> {
    let title = tags(html).into_iter().find(|tag| tag.name == "title")?;
    Some(one_line(&unescape(&title.text))).filter(|title| !title.is_empty())
}

/// What stands in the element that begins with the first of the tags.
fn words_of(tags: &[Tag]) -> Option<String> {
    let first = tags.first()?;
    if VOID.contains(&first.name.as_str()) {
        return None;
    }
    let end = format!("/{}", first.name);
    let (mut depth, mut button) = (0_usize, false);
    let (mut text, mut number) = (String::new(), None);
    for tag in tags {
        if tag.name == first.name {
            depth += 1;
        } else if tag.name == end {
            depth -= 1;
            if depth == 0 {
                break;
            }
        }
        match tag.name.as_str() {
            "button" => button = true,
            "/button" => button = false,
            _ => {}
        }
        number = number.or_else(|| tag.get("trmsg"));
        if !button {
            text.push_str(&tag.text);
        }
    }
    let text = one_line(&unescape(&text));
    if text.is_empty() {
        return number.map(|number| format!("message {}", one_line(&number)));
    }
    Some(text)
}

/// Elements that end where they begin.
const VOID: [&str; 6] = ["input", "br", "hr", "img", "meta", "link"];

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
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
    /// What stands between this tag and the next.
    text: String,
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
    let mut found: Vec<Tag> = Vec::new();
    let mut rest = html;
    loop {
        let at = rest.find('<');
        if let Some(last) = found.last_mut() {
            last.text.push_str(&rest[..at.unwrap_or(rest.len())]);
        }
        let Some(at) = at else { break };
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let name = rest.strip_prefix('/').unwrap_or(rest);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            continue;
        }
        let Some((tag, after)) = tag(rest) else {
            // The page ends inside a tag.
            break;
        };
        rest = after;
        if matches!(tag.name.as_str(), "script" | "style") {
            let ends = |at: usize| {
                let name = rest.get(at + 2..at + 2 + tag.name.len());
                name.is_some_and(|name| name.eq_ignore_ascii_case(&tag.name))
            };
            let end = rest.match_indices("</").find(|(at, _)| ends(*at));
            rest = end.map_or("", |(at, _)| &rest[at..]);
        }
        found.push(tag);
    }
    found
}

/// Nothing where the text ends before the tag does.
fn tag(text: &str) -> Option<(Tag, &str)> {
    let end = text.find(|c: char| {
        c.is_ascii_whitespace() || c == '>' || (c == '/' && !text.starts_with('/'))
    })?;
    let name = text[..end].to_ascii_lowercase();
    let mut attributes = Vec::new();
    let mut rest = &text[end..];
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            let text = String::new();
            let tag = Tag {
                name,
                attributes,
                text,
            };
            return Some((tag, after));
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
    fn of_a_list_the_selected_option_is_sent() {
        let page = "<form><select name=a type=x><option>One &amp; only<option value=2></select>\
                    <select name=b><option value=1>One</option><option value=2 selected>Two</option></select>\
                    <select name=c></select><textarea name=d>a&lt;b</textarea></form>";
        let sent = forms(page)[0].untouched();
        let sent: Vec<_> = sent.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(
            sent,
            [("a", "One & only"), ("b", "2"), ("c", ""), ("d", "a<b")]
        );
    }

    #[test]
    fn the_complaint_of_a_page_is_found() {
        for (page, words) in [
            (
                r#"<p class="alert" role="alert" id="problem">The user name or password
                   is not right.</p><p>More</p>"#,
                Some("The user name or password is not right."),
            ),
            (
                r#"<div class="alert alert-info">News</div><div class="alert alert-danger alert-dismissable">
                   <button type="button"><span>&times;</span></button><div>Bad</div> luck &amp; so on</div>x"#,
                Some("Bad luck & so on"),
            ),
            (
                r#"<div class="message message-negative alert" role="alert"><span trmsg="5"></span></div>"#,
                Some("message 5"),
            ),
            (
                r#"<div id="msg" class="errors"></div><div class="has_error"><!-- x -->Yes<!-- y -->!"#,
                Some("Yes!"),
            ),
            ("<input class=error><p class=terror>Fine</p>", None),
            ("<script>'<p role=alert>No</p>'</script>", None),
        ] {
            assert_eq!(complaint(page).as_deref(), words, "{page}");
        }
        let page = "<TITLE>\n Sign in &ndash; to&#32;it </TITLE>";
        assert_eq!(title(page).as_deref(), Some("Sign in &ndash; to it"));
        assert_eq!(title("<title></title>"), None);
    }

    #[test]
    fn no_page_takes_long() {
        for piece in [
            "<a ",
            "<script></script>",
            "<p role=alert>",
            "<a b=\"",
            "<!--",
            "</",
            "<option>",
        ] {
            let page = piece.repeat((1 << 18) / piece.len());
            let _ = (forms(&page), complaint(&page), title(&page));
        }
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
            "<p role=alert>",
            "</p><p role=alert></p></p>",
            "<option><select name=a>",
        ] {
            let _ = (forms(page), complaint(page), title(page));
        }
        assert_eq!(unescape("a&b&amp;&#39;&#xzz;&"), "a&b&'&#xzz;&");
    }
}
