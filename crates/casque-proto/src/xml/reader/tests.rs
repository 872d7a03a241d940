use super::*;

#[derive(Debug, PartialEq)]
enum Seen {
    Start(String),
    End,
    Text(String),
    Other,
}

fn walk(text: &str, options: &ReadOptions) -> Result<Vec<Seen>, ErrorClass> {
    let mut reader = Reader::new(text, options).map_err(|error| error.class())?;
    let mut seen = Vec::new();
    loop {
        match reader.token().map_err(|error| error.class())? {
            Token::Start(element) => seen.push(Seen::Start(format!(
                "{:?}:{}",
                element.namespace, element.local
            ))),
            Token::End => seen.push(Seen::End),
            Token::Text(text) => seen.push(Seen::Text(text.into_owned())),
            Token::Other => seen.push(Seen::Other),
            Token::Done => return Ok(seen),
        }
    }
}

fn class(text: &str) -> Result<(), ErrorClass> {
    walk(text, &ReadOptions::default()).map(drop)
}

/// Elements only, by `child`, which passes over what stands between them.
fn walk_children(text: &str) -> Result<Vec<Seen>, ErrorClass> {
    fn inside(reader: &mut Reader<'_>, seen: &mut Vec<Seen>) -> Result<(), ReadError> {
        while let Some(element) = reader.child()? {
            seen.push(Seen::Start(format!(
                "{:?}:{}",
                element.namespace, element.local
            )));
            inside(reader, seen)?;
        }
        seen.push(Seen::End);
        Ok(())
    }
    let mut seen = Vec::new();
    let mut read = || {
        let mut reader = Reader::new(text, &ReadOptions::default())?;
        let root = reader.root()?;
        seen.push(Seen::Start(format!("{:?}:{}", root.namespace, root.local)));
        inside(&mut reader, &mut seen)?;
        reader.finish()
    };
    read().map_err(|error| error.class())?;
    Ok(seen)
}

/// What `walk_children` must see.
fn walk_elements(text: &str) -> Result<Vec<Seen>, ErrorClass> {
    let mut seen = walk(text, &ReadOptions::default())?;
    seen.retain(|seen| matches!(seen, Seen::Start(_) | Seen::End));
    Ok(seen)
}

#[test]
fn between_elements_only_blanks_are_passed_over_unseen() {
    for text in [
        "<a> \n<b/>\t<c> </c>\r\n</a> ",
        "<a> x <b/> &amp; <c/> &lt;&#32; y </a>",
        "<a> <!-- x --> <b/> <?p x?> </a>",
        "<a> <![CDATA[ ]]> <b d = '1' /> </a>",
        "<a> <!DOCTYPE b> </a>",
        "<a>\n<!doctype b></a>",
        "<a> ]]> <b/></a>",
        "<a> &x; <b/></a>",
        "<a> \u{1} <b/></a>",
        "<a> </b></a>",
        "<a> ",
        "<a> <b c='1' c='2'/></a>",
    ] {
        assert_eq!(walk_children(text), walk_elements(text), "{text:?}");
    }
    assert_eq!(
        walk_children("<a> <!DOCTYPE b> </a>"),
        Err(ErrorClass::ForbiddenXml)
    );
}

#[test]
fn tokens_come_in_order() {
    let seen = walk(
        "<?xml version=\"1.0\"?><!-- a --><c:a xmlns:c='http://www.yale.edu/tp/cas' b = \"1\"><d/>x<![CDATA[<&]]>y&lt;</c:a >\n",
        &ReadOptions::default(),
    );
    let text = |text: &str| Seen::Text(text.to_owned());
    let start = |name: &str| Seen::Start(name.to_owned());
    assert_eq!(
        seen,
        Ok(vec![
            Seen::Other,
            start("Cas:a"),
            start("None:d"),
            Seen::End,
            text("x"),
            text("<&"),
            text("y<"),
            Seen::End,
            Seen::Other,
        ])
    );
}

#[test]
fn ill_formed_documents_are_refused() {
    // S-028, and what tokenizers usually leave to their callers
    for bad in [
        "",
        "x",
        "<",
        "<a",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a/>x",
        "<a/>&#32;",
        "<a/><![CDATA[x]]>",
        "<![CDATA[<a/>",
        "<![CDATA[ ]]><a/>",
        "</a>",
        "<a></a></a>",
        "<1/>",
        "<-a/>",
        "<a:/>",
        "<:a/>",
        "<a:b:c xmlns:a='x'/>",
        "< a/>",
        "<a / >",
        "<a//>",
        "<a b/>",
        "<a b=/>",
        "<a b=1/>",
        "<a b='1\"/>",
        "<a b='<'/>",
        "<a b='&'/>",
        "<a b='1'c='2'/>",
        "<a b='1' b='2'/>",
        "<a b='1', c='2'/>",
        "<a xmlns:p='x' xmlns:q='x' p:b='1' q:b='2'/>",
        "<a p:b='1'/>",
        "<p:a/>",
        "<a xmlns:p=''/>",
        "<a xmlns:xmlns='x'/>",
        "<a xmlns:xml='x'/>",
        "<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='http://www.w3.org/2000/xmlns/'/>",
        "<xmlns:a/>",
        "<xml:a/>",
        "<a xmlns='x' xmlns='x'/>",
        "<a xmlns='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns:p='x' xmlns:q='&#120;' p:b='1' q:b='2'/>",
        "<a b='&#8;'/>",
        "<a b='&x;'/>",
        "\u{feff}<a/>",
        "<?xml version='1.0'?>\u{feff}<a/>",
        "<a>]]></a>",
        "<a>&</a>",
        "<a>&lt</a>",
        "<a>& amp;</a>",
        "<a>&nbsp;</a>",
        "<a>&LT;</a>",
        "<a>&#0;</a>",
        "<a>&#8;</a>",
        "<a>&#xD800;</a>",
        "<a>&#xFFFF;</a>",
        "<a>&#x110000;</a>",
        "<a>&#+65;</a>",
        "<a>&#x;</a>",
        "<a>&#;</a>",
        "<a>&#X41;</a>",
        "<a>&#99999999999999999999;</a>",
        "<a>\u{0}</a>",
        "<a>\u{8}</a>",
        "<a>\u{ffff}</a>",
        "<a b='\u{1}'/>",
        "<a><!-- -- --></a>",
        "<a><!-- ---></a>",
        "<a><!-- </a>",
        "<a><!--\u{1}--></a>",
        "<a><![CDATA[</a>",
        "<a><![CDATA[\u{b}]]></a>",
        "<a><![cdata[x]]></a>",
        "<a><!x></a>",
        "<a><?xml version='1.0'?></a>",
        "<a/><?XML x?>",
        "<a><?p</a>",
        "<a><?p:q x?></a>",
        "<a><? p?></a>",
        "<a><?p\u{1}?></a>",
        "<?xml version='1.0'?><?xml version='1.0'?><a/>",
        "<a></a b='1'>",
        "<a></ a>",
        "<a b='1'></a",
        "<a b='1' <c/>",
        "<a><b></a></b>",
        "<a\u{a0}b='1'/>",
        "<?xml?><a/>",
        "<?xml version='1.0'?>",
    ] {
        assert_eq!(class(bad), Err(ErrorClass::Malformed), "{bad:?}");
    }
}

#[test]
fn well_formed_documents_are_read() {
    for good in [
        "<a/>",
        "<a></a>",
        "<a ></a >",
        "<a\n/>",
        "<_/>",
        "<a.-1/>",
        "<é/>",
        "<a b='1' c=\"2\"/>",
        "<a b='\"' c=\"'\"/>",
        "<a b='>'/>",
        "<a>></a>",
        "<a>]]</a>",
        "<a>]] ></a>",
        "<a>&#x10FFFF;&#65;&#x0000000041;</a>",
        "<a><!----></a>",
        "<a><!-->--></a>",
        "<a><!-- - --></a>",
        "<a><?p?></a>",
        "<a><?p  x ? > ?></a>",
        "<a><![CDATA[]]]]></a>",
        "<a/><!-- x --><?y?>\n",
        "<!-- x --><a/>",
        "<a xml:lang='en'/>",
        "<a xmlns:p='x' b='1' p:b='2'/>",
        "<a xmlns=''/>",
        "<a xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
        "<a xmlns='x'><b xmlns=''/></a>",
        "<a>\u{7f}\u{85}\u{fffd}\u{10ffff}ﬀ</a>",
        "<a b='ﬀ'/>",
    ] {
        assert_eq!(class(good), Ok(()), "{good:?}");
    }
}

#[test]
fn any_document_type_is_forbidden() {
    // R-144, S-020, S-021
    for bad in [
        "<!DOCTYPE a><a/>",
        "<!doctype html><html/>",
        "<a><!DOCTYPE a></a>",
        "<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>",
    ] {
        assert_eq!(class(bad), Err(ErrorClass::ForbiddenXml), "{bad:?}");
    }
}

#[test]
fn limits_hold_at_the_byte_where_they_are_crossed() {
    // R-145, S-027
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert_eq!(class(&nested(16)), Ok(()));
    assert_eq!(class(&nested(17)), Err(ErrorClass::TooDeep));
    let wide = |children: usize| format!("<a>{}</a>", "<b/>".repeat(children));
    assert_eq!(class(&wide(9_999)), Ok(()));
    assert_eq!(class(&wide(10_000)), Err(ErrorClass::TooLarge));
    let attributes = |count: usize, name: &str| {
        let list: Vec<String> = (0..count).map(|n| format!("{name}{n}='x'")).collect();
        format!("<a {}/>", list.join(" "))
    };
    for name in ["b", "xmlns:b"] {
        assert_eq!(class(&attributes(32, name)), Ok(()));
        assert_eq!(class(&attributes(33, name)), Err(ErrorClass::TooLarge));
    }
}

#[test]
fn namespace_declarations_in_force_are_bounded() {
    // S-027
    let one = |n: usize| format!(" xmlns:p{n}='x'");
    let declare = |count| (0..count).map(one).collect::<Vec<_>>().concat();
    let full = declare(32);
    // As many as an element may have attributes, at every depth there may be.
    let deep = format!("{}{}", format!("<a{full}>").repeat(16), "</a>".repeat(16));
    assert_eq!(class(&deep), Ok(()));
    let limits = Limits {
        depth: 2,
        attributes: 65,
        ..Limits::default()
    };
    let options = ReadOptions::default().limits(limits);
    let nested = |last: usize| {
        let (many, rest) = (declare(64), declare(last));
        walk(&format!("<a{many}><b{rest}/></a>"), &options).map(drop)
    };
    assert_eq!(nested(0), Ok(()));
    assert_eq!(nested(1), Err(ErrorClass::TooLarge));
}

#[test]
fn prefixes_end_with_their_element() {
    let text = "<a xmlns:p='x'><b xmlns:p='http://www.yale.edu/tp/cas'><p:c/></b><p:d/></a>";
    let seen = walk(text, &ReadOptions::default()).unwrap_or_default();
    assert!(seen.contains(&Seen::Start("Cas:c".to_owned())));
    assert!(seen.contains(&Seen::Start("Other:d".to_owned())));
    assert_eq!(
        class("<a><b xmlns:p='x'/><p:c/></a>"),
        Err(ErrorClass::Malformed)
    );
}

#[test]
fn only_the_prefix_cas_can_be_tolerated() {
    // R-147
    let tolerant = ReadOptions::default().with_tolerance(Tolerance::UndeclaredPrefix);
    assert_eq!(class("<cas:a/>"), Err(ErrorClass::Malformed));
    assert_eq!(
        walk("<cas:a/>", &tolerant),
        Ok(vec![Seen::Start("Cas:a".to_owned()), Seen::End])
    );
    assert_eq!(walk("<sac:a/>", &tolerant), Err(ErrorClass::Malformed));
    assert_eq!(
        walk("<cas:a xmlns:cas='x'/>", &tolerant),
        Ok(vec![Seen::Start("Other:a".to_owned()), Seen::End])
    );
}

#[test]
fn line_ends_and_blanks_are_normalised() {
    let seen = walk(
        "<a b='1'>x\r\ny\rz&#13;<![CDATA[\r\n]]></a>",
        &ReadOptions::default(),
    );
    let text = |text: &str| Seen::Text(text.to_owned());
    assert_eq!(
        seen,
        Ok(vec![
            Seen::Start("None:a".to_owned()),
            text("x\ny\nz\r"),
            text("\n"),
            Seen::End
        ])
    );
    let options = ReadOptions::default();
    let mut reader = Reader::new("<a b='x\r\ny\tz&#10;&amp;'/>", &options).unwrap();
    reader.root().unwrap();
    assert_eq!(reader.attribute("b").as_deref(), Some("x y z\n&"));
    assert_eq!(reader.attribute("c"), None);
}

#[test]
fn a_value_is_text_and_nothing_else() {
    // R-152, S-022
    let read = |text: &str| {
        let options = ReadOptions::default();
        let mut reader = Reader::new(text, &options)?;
        reader.root()?;
        let value = reader.text("the value")?.into_owned();
        reader.finish()?;
        Ok::<_, ReadError>(value)
    };
    for (text, value) in [
        ("<a> b&#10;</a>", "b"),
        ("<a/>", ""),
        ("<a><![CDATA[b]]>c</a>", "bc"),
        ("<a>\n b c \t</a>", "b c"),
        ("<a> &amp; </a>", "&"),
    ] {
        assert_eq!(read(text).as_deref(), Ok(value), "{text}");
    }
    for text in [
        "<a>b<!-- -->c</a>",
        "<a>b<?p?>c</a>",
        "<a>b<c/>d</a>",
        "<a><!----></a>",
    ] {
        assert_eq!(
            read(text).map_err(|error| error.class()),
            Err(ErrorClass::Malformed),
            "{text}"
        );
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(3_000))]

    #[test]
    fn children_are_the_elements_among_the_tokens(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 1..14)) {
        let text = format!("<a xmlns:p='u'>{}</a>", pieces.concat());
        proptest::prop_assert_eq!(walk_children(&text), walk_elements(&text), "{:?}", text);
    }

    #[test]
    fn nothing_is_read_that_an_independent_parser_refuses(wrapped: bool, pieces in proptest::collection::vec(proptest::sample::select(PIECES), 1..14)) {
        // S-028
        let inside = pieces.concat();
        let text = if wrapped { format!("<a xmlns:p='u'>{inside}</a>") } else { inside };
        let ours = walk(&text, &ReadOptions::default());
        let theirs = roxmltree::Document::parse(&text);
        match (&ours, &theirs) {
            (Ok(_), Err(error)) => return Err(proptest::test_runner::TestCaseError::fail(format!("{text:?}: {error}"))),
            (Err(ErrorClass::Malformed), Ok(_)) if !is_leniency(&text) => {
                return Err(proptest::test_runner::TestCaseError::fail(format!("{text:?} is refused, and well-formed")));
            }
            _ => {}
        }
    }
}

/// What the independent parser reads although it is ill-formed: references to characters that XML cannot carry, and
/// processing instructions without a blank after their target.
fn is_leniency(text: &str) -> bool {
    let references = ["&#0;", "&#xD800;", "&#xFFFE;"];
    references.iter().any(|piece| text.contains(piece))
        || text.replace("<?p y?>", "").contains("<?")
}

const PIECES: &[&str] = &[
    "<a>",
    "<a>",
    "<a>",
    "</a>",
    "</a>",
    "</a>",
    "<a",
    "<a ",
    "<a",
    ">",
    "/>",
    ">",
    "/>",
    "<a/>",
    "<p:a xmlns:p='u'>",
    "</p:a>",
    "<p:a>",
    " b='1'",
    " b='1'",
    " c = \"2\"",
    " p:b='1'",
    " xmlns='u'",
    " xmlns:p='u'",
    " xmlns:q='u'",
    " q:b=''",
    " xml:lang='en'",
    " b=",
    " b",
    "'",
    "\"",
    "=",
    "x",
    " ",
    "\n",
    "]]",
    "&amp;",
    "&#65;",
    "&#x41;",
    "&#0;",
    "&#xD800;",
    "&#xFFFE;",
    "&x;",
    "&",
    "<!-- y -->",
    "<!--",
    "-->",
    "--",
    "<![CDATA[y]]>",
    "<![CDATA[",
    "]]>",
    "<?p y?>",
    "<?",
    "?>",
    "<?xml version='1.0'?>",
    "<?xml version='1.0' encoding='UTF-8'?>",
    "\u{1}",
    "\u{ffff}",
    "é",
    "·",
    "1",
    "-",
    ":",
    "<",
    "</",
    "!",
];
