//! One token at a time, and steps over elements on top of that.

use std::borrow::Cow;

use quick_xml::Error;
use quick_xml::errors::IllFormedError;
use quick_xml::events::BytesStart;
use quick_xml::events::Event;
use quick_xml::events::attributes::Attribute;
use quick_xml::name;
use quick_xml::name::NamespaceError;
use quick_xml::name::NamespaceResolver;
use quick_xml::name::PrefixDeclaration;
use quick_xml::name::QName;
use quick_xml::name::ResolveResult;

use super::Namespace;
use super::declaration;
use super::pieces;
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
    text: &'a str,
    /// Where the first character stands that XML cannot carry.
    first_illegal: usize,
    events: quick_xml::Reader<&'a [u8]>,
    limits: Limits,
    tolerates_undeclared_prefix: bool,
    /// The bindings in force; its level is the depth of the elements open.
    namespaces: NamespaceResolver,
    /// Of the element just started, namespace declarations included.
    attributes: Vec<Attribute<'a>>,
    elements: usize,
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
        let declared = declaration::check(text, options)? > 0;
        let mut reader = Self {
            text,
            first_illegal: pieces::first_illegal(text),
            events: quick_xml::Reader::from_str(text),
            limits: *options.limits_ref(),
            tolerates_undeclared_prefix: options.tolerates(Tolerance::UndeclaredPrefix),
            namespaces: NamespaceResolver::default(),
            attributes: Vec::new(),
            elements: 0,
        };
        // quick-xml would pass over it and count the bytes from there.
        if text.starts_with(BYTE_ORDER_MARK) {
            return Err(reader.malformed("text outside the root element"));
        }
        let config = reader.events.config_mut();
        config.expand_empty_elements = true;
        config.check_comments = true;
        reader
            .namespaces
            .set_max_namespace_bindings(reader.limits.depth.saturating_mul(BINDINGS_PER_LEVEL));
        if declared {
            reader.event()?;
        }
        Ok(reader)
    }

    /// The root element.
    pub(crate) fn root(&mut self) -> Result<Element<'a>, ReadError> {
        loop {
            match self.token()? {
                Token::Start(element) => return Ok(element),
                Token::Other => {}
                Token::Text(_) | Token::End | Token::Done => {
                    return Err(self.malformed("no root element"));
                }
            }
        }
    }

    /// The next child of the element whose start was read last and not consumed, or `None` at its end.
    ///
    /// Text between children, comments and processing instructions are passed over.
    pub(crate) fn child(&mut self) -> Result<Option<Element<'a>>, ReadError> {
        loop {
            // Blanks between elements are most of the tokens of an indented document.
            self.skip_blanks(true);
            let token = self.token();
            self.skip_blanks(false);
            match token? {
                Token::Start(element) => return Ok(Some(element)),
                Token::End => return Ok(None),
                Token::Text(_) | Token::Other => {}
                Token::Done => return Err(self.malformed("no element is open")),
            }
        }
    }

    /// Like [`child`](Self::child), but text between children is an error: `what` is a list and nothing else.
    pub(crate) fn item(&mut self, what: &str) -> Result<Option<Element<'a>>, ReadError> {
        loop {
            match self.token()? {
                Token::Start(element) => return Ok(Some(element)),
                Token::End => return Ok(None),
                Token::Text(text) if !text.chars().all(is_xml_blank) => {
                    return Err(self.malformed(&format!("text in {what}")));
                }
                Token::Text(_) | Token::Other => {}
                Token::Done => return Err(self.malformed("no element is open")),
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
            Value::Nested => Err(self.malformed(&format!("an element inside {what}"))),
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
            (Value::Text(_), true) => Err(self.malformed(&format!(
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
                Token::Done => return Err(self.malformed("no element is open")),
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
                Token::Done => return Err(self.malformed("no element is open")),
            }
        }
    }

    /// Move past the end of the element just started.
    pub(crate) fn skip(&mut self) -> Result<(), ReadError> {
        let depth = self.depth();
        loop {
            match self.token()? {
                Token::End if self.depth() < depth => return Ok(()),
                Token::Done => return Err(self.malformed("no element is open")),
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
                    return Err(self.malformed("something follows the root element"));
                }
            }
        }
    }

    /// The value of an attribute without a prefix, of the element just started.
    pub(crate) fn attribute(&mut self, local: &str) -> Option<Cow<'a, str>> {
        self.attributes
            .iter_mut()
            .find(|attribute| attribute.key.0 == local)
            .map(|attribute| std::mem::take(&mut attribute.value))
    }

    /// An error that names the place reached.
    pub(crate) fn error(&self, class: ErrorClass, what: &str) -> ReadError {
        ReadError::new(class, format!("{what}, at byte {}", self.at()))
    }

    fn token(&mut self) -> Result<Token<'a>, ReadError> {
        let start = self.at();
        let event = self.event()?;
        match event {
            Event::Start(tag) => {
                let (name, attributes) = self.written(&tag).split_at(tag.name().0.len());
                self.start_tag(QName(name), attributes)
            }
            Event::End(_) => {
                self.namespaces.pop();
                Ok(Token::End)
            }
            Event::Text(_) if self.depth() == 0 && self.is_blank_since(start) => Ok(Token::Other),
            Event::Text(_) | Event::GeneralRef(_) | Event::CData(_) if self.depth() == 0 => {
                Err(self.malformed("text outside the root element"))
            }
            Event::Text(_) | Event::GeneralRef(_) => self.character_data(&event).map(Token::Text),
            Event::CData(content) => Ok(Token::Text(content.xml10_content())),
            Event::Comment(_) => Ok(Token::Other),
            Event::PI(instruction) => self.instruction(instruction.target()),
            Event::Eof if self.depth() == 0 && self.elements > 0 => Ok(Token::Done),
            Event::Eof => Err(self.malformed("the document ends too early")),
            // An empty element comes as start and end, and a document type does not come.
            Event::Decl(_) | Event::DocType(_) | Event::Empty(_) => {
                Err(self.malformed("an XML declaration that is not at the start"))
            }
        }
    }

    /// The next event of quick-xml, every character in it legal, no document type among them.
    #[expect(
        clippy::inline_always,
        reason = "an event is large, and moving it takes longer than finding it"
    )]
    #[inline(always)]
    fn event(&mut self) -> Result<Event<'a>, ReadError> {
        let start = self.at();
        let event = match self.events.read_event() {
            Ok(event) => event,
            Err(error) => return Err(self.ill_formed(start, &error)),
        };
        if matches!(event, Event::DocType(_)) {
            return Err(self.doctype());
        }
        if self.at() > self.first_illegal {
            return Err(self.malformed("a character that XML cannot carry"));
        }
        Ok(event)
    }

    #[cold]
    fn ill_formed(&self, start: usize, error: &Error) -> ReadError {
        let rest = self.text[start..].trim_start_matches(is_xml_blank);
        if rest
            .get(..DOCTYPE.len())
            .is_some_and(|next| next.eq_ignore_ascii_case(DOCTYPE))
        {
            return self.doctype();
        }
        self.malformed(match error {
            Error::IllFormed(IllFormedError::DoubleHyphenInComment) => "\"--\" in a comment",
            Error::IllFormed(IllFormedError::UnclosedReference) => "a reference without an end",
            Error::IllFormed(_) => "an end tag that does not match",
            _ => "bad markup, or markup without an end",
        })
    }

    #[cold]
    fn doctype(&self) -> ReadError {
        self.error(ErrorClass::ForbiddenXml, "a document type declaration")
    }

    /// What stands in a tag, as a part of the document.
    fn written(&self, tag: &BytesStart<'a>) -> &'a str {
        let start = tag.as_ptr().addr() - self.text.as_ptr().addr();
        &self.text[start..start + tag.len()]
    }

    fn is_blank_since(&self, start: usize) -> bool {
        self.text[start..self.at()].chars().all(is_xml_blank)
    }

    fn instruction(&self, target: &str) -> Result<Token<'a>, ReadError> {
        if pieces::is_name(target) && !target.eq_ignore_ascii_case("xml") {
            Ok(Token::Other)
        } else {
            Err(self.malformed("a bad processing instruction"))
        }
    }

    /// Text up to the next `<`, references expanded and line ends made LF.
    fn character_data(&mut self, first: &Event<'a>) -> Result<Cow<'a, str>, ReadError> {
        let mut text = self.piece(first)?;
        // After a reference, blanks are not between elements, but text.
        self.skip_blanks(false);
        while !matches!(self.text.as_bytes().get(self.at()), Some(b'<') | None) {
            let next = self.event()?;
            append(&mut text, self.piece(&next)?);
        }
        Ok(text)
    }

    fn piece(&self, event: &Event<'a>) -> Result<Cow<'a, str>, ReadError> {
        match event {
            // Looking for one byte first is quicker by far.
            Event::Text(text) if !(text.as_bytes().contains(&b']') && text.contains("]]>")) => {
                Ok(text.xml10_content())
            }
            Event::GeneralRef(reference) => {
                pieces::referenced(reference).map_err(|what| self.malformed(what))
            }
            _ => Err(self.malformed("\"]]>\" in text")),
        }
    }

    fn start_tag(&mut self, name: QName<'a>, attributes: &'a str) -> Result<Token<'a>, ReadError> {
        if self.depth() == 0 && self.elements > 0 {
            return Err(self.malformed("a second root element"));
        }
        self.elements += 1;
        if self.elements > self.limits.elements {
            return Err(self.error(ErrorClass::TooLarge, "too many elements"));
        }
        let level = self.namespaces.level();
        if self.depth() >= self.limits.depth || level == u16::MAX {
            return Err(self.error(ErrorClass::TooDeep, "elements nested too deep"));
        }
        self.namespaces.set_level(level + 1);
        self.attributes.clear();
        if !attributes.is_empty() {
            for attribute in pieces::attributes(attributes) {
                let attribute = attribute.map_err(|what| self.malformed(what))?;
                self.attribute_of(attribute)?;
            }
            self.check_attributes()?;
        }
        let (prefix, local) = pieces::split_name(name).map_err(|what| self.malformed(what))?;
        // No message has elements of these, and parsers do not agree on what they would be.
        if prefix.is_some_and(|prefix| prefix.is_xmlns() || prefix.is_xml()) {
            return Err(self.malformed("an element with a reserved namespace prefix"));
        }
        let namespace = self.namespaces.resolve_prefix(prefix, true);
        Ok(Token::Start(Element {
            namespace: self.namespace(&namespace)?,
            local: local.into_inner(),
        }))
    }

    /// One `name="value"`, which may be a namespace declaration.
    fn attribute_of(&mut self, mut attribute: Attribute<'a>) -> Result<(), ReadError> {
        if self.attributes.len() >= self.limits.attributes {
            return Err(self.error(ErrorClass::TooLarge, "too many attributes"));
        }
        pieces::split_name(attribute.key).map_err(|what| self.malformed(what))?;
        attribute.value = pieces::value(&attribute).map_err(|what| self.malformed(what))?;
        if let Some(prefix) = attribute.key.as_namespace_binding() {
            self.bind(prefix, &attribute.value)?;
        }
        self.attributes.push(attribute);
        Ok(())
    }

    fn bind(&mut self, prefix: PrefixDeclaration<'_>, uri: &str) -> Result<(), ReadError> {
        let bad = match prefix {
            PrefixDeclaration::Default => matches!(uri, XML_NAMESPACE | XMLNS_NAMESPACE),
            PrefixDeclaration::Named(_) => uri.is_empty(),
        };
        match self.namespaces.add(prefix, name::Namespace(uri)) {
            Ok(()) if !bad => Ok(()),
            Err(NamespaceError::TooManyBindings(_)) => {
                Err(self.error(ErrorClass::TooLarge, "too many namespace declarations"))
            }
            _ => Err(self.malformed("a bad namespace declaration")),
        }
    }

    /// Every prefix is bound, and no attribute is there twice, under whatever prefix.
    fn check_attributes(&self) -> Result<(), ReadError> {
        // Each is looked up once, not once for every pair (S-027).
        let mut seen = Vec::with_capacity(self.attributes.len());
        for attribute in &self.attributes {
            let name = self.namespaces.resolve_attribute(attribute.key);
            self.namespace(&name.0)?;
            if seen.contains(&name) {
                return Err(self.malformed("an attribute given twice"));
            }
            seen.push(name);
        }
        Ok(())
    }

    fn namespace(&self, resolved: &ResolveResult<'_>) -> Result<Namespace, ReadError> {
        match resolved {
            ResolveResult::Unbound => Ok(Namespace::None),
            ResolveResult::Bound(uri) => Ok(Namespace::of(uri.0)),
            ResolveResult::Unknown(prefix)
                if prefix == "cas" && self.tolerates_undeclared_prefix =>
            {
                Ok(Namespace::Cas)
            }
            ResolveResult::Unknown(_) => Err(self.malformed("an undeclared namespace prefix")),
        }
    }

    /// Whether blanks before the next token are no token of their own.
    fn skip_blanks(&mut self, on: bool) {
        self.events.config_mut().trim_text_start = on;
    }

    fn depth(&self) -> usize {
        usize::from(self.namespaces.level())
    }

    fn malformed(&self, what: &str) -> ReadError {
        self.error(ErrorClass::Malformed, what)
    }

    /// How many bytes are read.
    fn at(&self) -> usize {
        usize::try_from(self.events.buffer_position()).expect("the document is in memory")
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

/// In any case: `<!doctype html>` begins a page that is no answer at all.
const DOCTYPE: &str = "<!DOCTYPE";

const BYTE_ORDER_MARK: char = '\u{FEFF}';

const XML_NAMESPACE: &str = "http://www.w3.org/XML/1998/namespace";

const XMLNS_NAMESPACE: &str = "http://www.w3.org/2000/xmlns/";

/// Namespace declarations in force at one place, for each level of depth allowed. Looking one up is linear, so a bound
/// keeps that short (S-027).
const BINDINGS_PER_LEVEL: usize = 32;

#[cfg(test)]
mod tests;
