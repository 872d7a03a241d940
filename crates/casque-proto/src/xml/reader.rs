//! One token at a time, and steps over elements on top of that.

use std::borrow::Cow;

use super::Namespace;
use super::declaration;
use super::lexer::Lexer;
use super::lexer::QualifiedName;
use crate::read::ErrorClass;
use crate::read::Limits;
use crate::read::ReadError;
use crate::read::ReadOptions;
use crate::read::Tolerance;
use crate::text::is_xml_blank;
use crate::text::trim_xml;

/// A strict reader of one document.
///
/// [`root`](Self::root) comes first. After every start tag the caller consumes that element, by
/// [`child`](Self::child) until it says there is none left, [`text`](Self::text), [`value`](Self::value) or
/// [`skip`](Self::skip). [`finish`](Self::finish) comes last; nothing read before it may be believed, because a
/// document that goes on with nonsense is no document.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    lexer: Lexer<'a>,
    limits: Limits,
    tolerates_undeclared_prefix: bool,
    open: Vec<Open<'a>>,
    bindings: Vec<Binding<'a>>,
    attributes: Vec<Attribute<'a>>,
    elements: usize,
    /// The start tag just read was `<a/>`: its end comes next.
    empty: bool,
}

/// The name of an element.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) namespace: Namespace,
    pub(crate) local: &'a str,
}

impl Element<'_> {
    pub(crate) fn is(&self, namespace: Namespace, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }
}

/// The content of an element that should be a value.
#[derive(Debug)]
pub(crate) enum Value<'a> {
    /// Text only, blanks at the ends left out.
    Text(Cow<'a, str>),
    /// There are elements in it.
    Nested,
}

impl<'a> Reader<'a> {
    /// A reader of `text`, which begins with `<` (see [`body::text`](crate::body::text)).
    pub(crate) fn new(text: &'a str, options: &ReadOptions) -> Result<Self, ReadError> {
        let start = declaration::check(text, options)?;
        Ok(Self {
            lexer: Lexer::new(text, start),
            limits: *options.limits_ref(),
            tolerates_undeclared_prefix: options.tolerates(Tolerance::UndeclaredPrefix),
            open: Vec::with_capacity(options.limits_ref().depth.min(8)),
            bindings: Vec::with_capacity(4),
            attributes: Vec::new(),
            elements: 0,
            empty: false,
        })
    }

    /// The root element.
    pub(crate) fn root(&mut self) -> Result<Element<'a>, ReadError> {
        loop {
            match self.token()? {
                Token::Start(element) => return Ok(element),
                Token::Other => {}
                Token::Text(_) | Token::End | Token::Done => {
                    return Err(self.lexer.malformed("no root element"));
                }
            }
        }
    }

    /// The next child of the element whose start was read last and not consumed, or `None` at its end.
    ///
    /// Text between children, comments and processing instructions are passed over.
    pub(crate) fn child(&mut self) -> Result<Option<Element<'a>>, ReadError> {
        loop {
            match self.token()? {
                Token::Start(element) => return Ok(Some(element)),
                Token::End => return Ok(None),
                Token::Text(_) | Token::Other => {}
                Token::Done => return Err(self.lexer.malformed("no element is open")),
            }
        }
    }

    /// The text of the element just started, blanks at its ends left out.
    ///
    /// A comment, processing instruction or element inside is an error: readers that stop at it and readers that pass
    /// over it would see two different values (S-022). `what` names the value in the error.
    pub(crate) fn text(&mut self, what: &str) -> Result<Cow<'a, str>, ReadError> {
        match self.value(what)? {
            Value::Text(text) => Ok(text),
            Value::Nested => Err(self.lexer.malformed(&format!("an element inside {what}"))),
        }
    }

    /// Like [`text`](Self::text), but an element with elements inside is skipped whole and reported as
    /// [`Value::Nested`].
    pub(crate) fn value(&mut self, what: &str) -> Result<Value<'a>, ReadError> {
        self.value_or_children(what, |reader, _| reader.skip())
    }

    /// Like [`value`](Self::value), but elements inside are given to `child`, which consumes them.
    pub(crate) fn value_or_children(
        &mut self,
        what: &str,
        child: impl FnMut(&mut Self, Element<'a>) -> Result<(), ReadError>,
    ) -> Result<Value<'a>, ReadError> {
        match self.content(child)? {
            (Value::Text(_), true) => Err(self.lexer.malformed(&format!(
                "a comment or processing instruction inside {what}"
            ))),
            (value, _) => Ok(value),
        }
    }

    /// Like [`value`](Self::value), but text goes on after a comment or processing instruction: so it is in SAML,
    /// where nobody may see only the beginning of a name either.
    pub(crate) fn joined_value(&mut self) -> Result<Value<'a>, ReadError> {
        self.content(|reader, _| reader.skip())
            .map(|(value, _)| value)
    }

    /// The content, and whether a comment or processing instruction is in it.
    fn content(
        &mut self,
        mut child: impl FnMut(&mut Self, Element<'a>) -> Result<(), ReadError>,
    ) -> Result<(Value<'a>, bool), ReadError> {
        let mut text = Cow::Borrowed("");
        let mut commented = false;
        let mut nested = false;
        loop {
            match self.token()? {
                Token::Text(piece) => append(&mut text, piece),
                Token::Other => commented = true,
                Token::Start(element) => {
                    nested = true;
                    child(self, element)?;
                }
                Token::End => break,
                Token::Done => return Err(self.lexer.malformed("no element is open")),
            }
        }
        let value = if nested {
            Value::Nested
        } else {
            Value::Text(trimmed(text))
        };
        Ok((value, commented))
    }

    /// The text of the element just started, whatever else is in it: only for text that decides nothing.
    pub(crate) fn loose_text(&mut self) -> Result<Cow<'a, str>, ReadError> {
        let mut text = Cow::Borrowed("");
        loop {
            match self.token()? {
                Token::Text(piece) => append(&mut text, piece),
                Token::Start(_) => self.skip()?,
                Token::Other => {}
                Token::End => return Ok(trimmed(text)),
                Token::Done => return Err(self.lexer.malformed("no element is open")),
            }
        }
    }

    /// Move past the end of the element just started.
    pub(crate) fn skip(&mut self) -> Result<(), ReadError> {
        let depth = self.open.len();
        loop {
            match self.token()? {
                Token::End if self.open.len() < depth => return Ok(()),
                Token::Done => return Err(self.lexer.malformed("no element is open")),
                Token::Start(_) | Token::End | Token::Text(_) | Token::Other => {}
            }
        }
    }

    /// Read to the end of the document: only comments and processing instructions may follow the root.
    pub(crate) fn finish(&mut self) -> Result<(), ReadError> {
        loop {
            match self.token()? {
                Token::Done => return Ok(()),
                Token::Other => {}
                Token::Start(_) | Token::End | Token::Text(_) => {
                    return Err(self.lexer.malformed("something follows the root element"));
                }
            }
        }
    }

    /// The value of an attribute without a prefix, of the element just started.
    pub(crate) fn attribute(&mut self, local: &str) -> Option<Cow<'a, str>> {
        self.attributes
            .iter_mut()
            .find(|attribute| attribute.name.prefix.is_empty() && attribute.name.local == local)
            .map(|attribute| std::mem::take(&mut attribute.value))
    }

    /// An error that names the place reached.
    pub(crate) fn error(&self, class: ErrorClass, what: &str) -> ReadError {
        self.lexer.error(class, what)
    }

    fn token(&mut self) -> Result<Token<'a>, ReadError> {
        if self.empty {
            self.empty = false;
            self.close();
            return Ok(Token::End);
        }
        match self.lexer.peek() {
            b'<' => self.markup(),
            _ if self.lexer.is_at_end() => {
                if self.open.is_empty() && self.elements > 0 {
                    return Ok(Token::Done);
                }
                Err(self.lexer.malformed("the document ends too early"))
            }
            _ if self.open.is_empty() => {
                if self.lexer.blanks() {
                    return Ok(Token::Other);
                }
                Err(self.lexer.malformed("text outside the root element"))
            }
            _ => self.lexer.character_data().map(Token::Text),
        }
    }

    fn markup(&mut self) -> Result<Token<'a>, ReadError> {
        if self.lexer.eat("</") {
            return self.end_tag();
        }
        if self.lexer.eat("<?") {
            return self.lexer.instruction().map(|()| Token::Other);
        }
        if self.lexer.eat("<!--") {
            return self.lexer.comment().map(|()| Token::Other);
        }
        if !self.open.is_empty() && self.lexer.eat("<![CDATA[") {
            return self.lexer.cdata().map(Token::Text);
        }
        if self.lexer.eat_ignore_case("<!DOCTYPE") {
            return Err(self
                .lexer
                .error(ErrorClass::ForbiddenXml, "a document type declaration"));
        }
        self.lexer.eat("<");
        self.start_tag()
    }

    fn end_tag(&mut self) -> Result<Token<'a>, ReadError> {
        let matches = self
            .open
            .last()
            .is_some_and(|open| self.lexer.eat(open.written));
        if matches {
            self.lexer.blanks();
            if self.lexer.eat(">") {
                self.close();
                return Ok(Token::End);
            }
        }
        Err(self.lexer.malformed("an end tag that does not match"))
    }

    fn close(&mut self) {
        if let Some(open) = self.open.pop() {
            self.bindings.truncate(open.bindings);
        }
    }

    fn start_tag(&mut self) -> Result<Token<'a>, ReadError> {
        if self.open.is_empty() && self.elements > 0 {
            return Err(self.lexer.malformed("a second root element"));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(self.lexer.error(ErrorClass::TooLarge, "too many elements"));
        }
        if self.open.len() >= self.limits.depth {
            return Err(self
                .lexer
                .error(ErrorClass::TooDeep, "elements nested too deep"));
        }
        let name = self.lexer.qualified_name()?;
        let outer_bindings = self.bindings.len();
        self.attributes.clear();
        loop {
            let blank = self.lexer.blanks();
            if self.lexer.eat(">") {
                break;
            }
            if self.lexer.eat("/>") {
                self.empty = true;
                break;
            }
            if !blank {
                return Err(self.lexer.malformed("a bad start tag"));
            }
            self.attribute_of(outer_bindings)?;
        }
        if !self.attributes.is_empty() {
            self.check_attributes()?;
        }
        self.open.push(Open {
            written: name.written,
            bindings: outer_bindings,
        });
        let namespace = self.namespace(name.prefix)?;
        Ok(Token::Start(Element {
            namespace,
            local: name.local,
        }))
    }

    /// One `name="value"`, which may be a namespace declaration.
    fn attribute_of(&mut self, outer_bindings: usize) -> Result<(), ReadError> {
        let name = self.lexer.qualified_name()?;
        self.lexer.blanks();
        if !self.lexer.eat("=") {
            return Err(self.lexer.malformed("an attribute without a value"));
        }
        self.lexer.blanks();
        let value = self.lexer.attribute_value()?;
        let declared = self.bindings.len() - outer_bindings;
        if self.attributes.len() + declared >= self.limits.attributes {
            return Err(self
                .lexer
                .error(ErrorClass::TooLarge, "too many attributes"));
        }
        match (name.prefix, name.local) {
            ("", "xmlns") => self.bind("", value, outer_bindings),
            ("xmlns", prefix) => self.bind(prefix, value, outer_bindings),
            _ => {
                self.attributes.push(Attribute { name, value });
                Ok(())
            }
        }
    }

    fn bind(
        &mut self,
        prefix: &'a str,
        uri: Cow<'a, str>,
        outer_bindings: usize,
    ) -> Result<(), ReadError> {
        let again = self.bindings[outer_bindings..]
            .iter()
            .any(|binding| binding.prefix == prefix);
        let reserved = prefix == "xmlns"
            || uri == XMLNS_NAMESPACE
            || (prefix == "xml") != (uri == XML_NAMESPACE);
        let undone = uri.is_empty() && !prefix.is_empty();
        if again || reserved || undone {
            return Err(self.lexer.malformed("a bad namespace declaration"));
        }
        if self.bindings.len() >= MOST_BINDINGS {
            return Err(self
                .lexer
                .error(ErrorClass::TooLarge, "too many namespace declarations"));
        }
        self.bindings.push(Binding {
            prefix,
            namespace: Namespace::of(&uri),
            uri,
        });
        Ok(())
    }

    /// Every prefix is bound, and no attribute is there twice, under whatever prefix.
    fn check_attributes(&self) -> Result<(), ReadError> {
        for (index, attribute) in self.attributes.iter().enumerate() {
            let name = attribute.name;
            if !name.prefix.is_empty() {
                self.namespace(name.prefix)?;
            }
            let again = self.attributes[..index].iter().any(|earlier| {
                earlier.name.local == name.local
                    && (earlier.name.prefix == name.prefix
                        || !earlier.name.prefix.is_empty()
                            && !name.prefix.is_empty()
                            && self.uri(earlier.name.prefix) == self.uri(name.prefix))
            });
            if again {
                return Err(self.lexer.malformed("an attribute given twice"));
            }
        }
        Ok(())
    }

    fn namespace(&self, prefix: &str) -> Result<Namespace, ReadError> {
        if let Some(binding) = self.binding(prefix) {
            return Ok(binding.namespace);
        }
        match prefix {
            "" => Ok(Namespace::None),
            "xml" => Ok(Namespace::Other),
            "cas" if self.tolerates_undeclared_prefix => Ok(Namespace::Cas),
            _ => Err(self.lexer.malformed("an undeclared namespace prefix")),
        }
    }

    fn uri(&self, prefix: &str) -> Option<&str> {
        self.binding(prefix).map(|binding| &*binding.uri)
    }

    fn binding(&self, prefix: &str) -> Option<&Binding<'a>> {
        self.bindings
            .iter()
            .rev()
            .find(|binding| binding.prefix == prefix)
    }
}

#[derive(Debug)]
enum Token<'a> {
    Start(Element<'a>),
    End,
    Text(Cow<'a, str>),
    /// A comment, a processing instruction, or blanks outside the root.
    Other,
    Done,
}

#[derive(Debug)]
struct Open<'a> {
    written: &'a str,
    /// How many bindings were in force outside this element.
    bindings: usize,
}

#[derive(Debug)]
struct Binding<'a> {
    prefix: &'a str,
    uri: Cow<'a, str>,
    namespace: Namespace,
}

#[derive(Debug)]
struct Attribute<'a> {
    name: QualifiedName<'a>,
    value: Cow<'a, str>,
}

fn append<'a>(text: &mut Cow<'a, str>, piece: Cow<'a, str>) {
    if text.is_empty() {
        *text = piece;
    } else {
        text.to_mut().push_str(&piece);
    }
}

fn trimmed(text: Cow<'_, str>) -> Cow<'_, str> {
    match text {
        Cow::Borrowed(text) => Cow::Borrowed(trim_xml(text)),
        Cow::Owned(mut text) => {
            text.truncate(text.trim_end_matches(is_xml_blank).len());
            let blanks = text.len() - text.trim_start_matches(is_xml_blank).len();
            text.drain(..blanks);
            Cow::Owned(text)
        }
    }
}

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Namespace declarations in force at one place. Looking one up is linear, so a bound keeps that short (S-027).
const MOST_BINDINGS: usize = 64;

#[cfg(test)]
mod tests;
