//! The one way XML is written (S-031): every text and attribute value is escaped here.

/// Builds a document as one string, without declaration.
///
/// Names are written as they are: callers pass literals, or names that [`attribute_name`](crate::attributes) made.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    out: String,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self {
            out: String::with_capacity(1024),
        }
    }

    /// `<name a="1">`
    pub(crate) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.out.push('>');
    }

    /// `<name a="1"/>`
    pub(crate) fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.start(name, attributes);
        self.out.push_str("/>");
    }

    /// `</name>`
    pub(crate) fn close(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    /// Text, escaped.
    pub(crate) fn text(&mut self, text: &str) {
        escape(&mut self.out, text, false);
    }

    /// `<name>text</name>`
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name, &[]);
        self.text(text);
        self.close(name);
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }

    fn start(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.out.push('<');
        self.out.push_str(name);
        for (name, value) in attributes {
            self.out.push(' ');
            self.out.push_str(name);
            self.out.push_str("=\"");
            escape(&mut self.out, value, true);
            self.out.push('"');
        }
    }
}

/// The five escapes and references for what a reader would change; characters that XML cannot carry become U+FFFD
/// (R-123, R-124, S-031).
fn escape(out: &mut String, text: &str, in_attribute: bool) {
    let mut rest = text;
    while let Some(at) = rest.bytes().position(|byte| !is_plain(byte)) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        let mut chars = special.chars();
        match chars.next() {
            Some('&') => out.push_str("&amp;"),
            Some('<') => out.push_str("&lt;"),
            Some('>') => out.push_str("&gt;"),
            Some('"') => out.push_str("&quot;"),
            Some('\'') => out.push_str("&apos;"),
            Some('\r') => out.push_str("&#13;"),
            Some('\n') if in_attribute => out.push_str("&#10;"),
            Some('\t') if in_attribute => out.push_str("&#9;"),
            Some(c) if crate::text::is_xml_char(c) => out.push(c),
            _ => out.push(char::REPLACEMENT_CHARACTER),
        }
        rest = chars.as_str();
    }
    out.push_str(rest);
}

/// Bytes that are always written as they are: most texts hold nothing else, and are copied whole.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_text_stays_text() {
        // R-123, S-031
        let mut writer = Writer::new();
        writer.open("a", &[("b", "\"<&'>\r\n\t")]);
        writer.leaf("c", "</c>&\"'\r\n\t\u{0}\u{fffe}");
        writer.empty("d", &[]);
        writer.close("a");
        assert_eq!(
            writer.finish(),
            "<a b=\"&quot;&lt;&amp;&apos;&gt;&#13;&#10;&#9;\"><c>&lt;/c&gt;&amp;&quot;&apos;&#13;\n\t\u{fffd}\u{fffd}</c><d/></a>"
        );
    }
}
