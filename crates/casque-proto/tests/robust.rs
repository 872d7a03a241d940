//! No input makes a reader panic, and no reader accepts what an independent parser calls ill-formed.

mod corpus;

use casque_proto::Cas1Response;
use casque_proto::ProxyResponse;
use casque_proto::ReadOptions;
use casque_proto::ServiceResponse;
use casque_proto::Tolerance;
use proptest::prelude::*;
use proptest::sample::Index;

#[test]
fn every_prefix_of_every_vector_is_read_without_a_panic() {
    for kind in ["service_response", "proxy_response", "cas1_response"] {
        for vector in corpus::own_vectors(kind) {
            for end in 0..vector.bytes.len() {
                let prefix = &vector.bytes[..end];
                if end % 7 == 0 {
                    read_everything(prefix);
                }
                let read = ServiceResponse::parse(prefix, &ReadOptions::default());
                let is_whole = vector.bytes[end..].iter().all(u8::is_ascii_whitespace);
                let is_success = matches!(read, Ok(ServiceResponse::Success(_)));
                // What follows the root in these is blank, a comment, a second document, or nonsense.
                let closes = prefix.ends_with(b"serviceResponse>")
                    || prefix.ends_with(b"}")
                    || prefix.ends_with(b"->");
                assert!(
                    !is_success || is_whole || closes || prefix.ends_with(b"?>"),
                    "{} cut at {end}",
                    vector.name
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_everything(&bytes);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        read_everything(text.as_bytes());
    }

    #[test]
    fn changed_documents_are_well_formed_or_refused(changes in prop::collection::vec((any::<Index>(), any::<Index>(), piece()), 1..4)) {
        let mut text = DOCUMENT.to_owned();
        for (from, length, piece) in changes {
            let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let from = boundaries[from.index(boundaries.len())];
            let to = from + length.index(4).min(text.len() - from);
            if text.is_char_boundary(to) {
                text.replace_range(from..to, piece);
            }
        }
        read_everything(text.as_bytes());
        if let Ok(response) = ServiceResponse::parse(text.as_bytes(), &ReadOptions::default()) {
            let document = roxmltree::Document::parse(text.trim_start_matches(is_blank));
            prop_assert!(document.is_ok(), "{}: {:?}", text, document.err());
            let document = document.expect("just checked");
            if let ServiceResponse::Success(assertion) = response {
                prop_assert_eq!(Some(assertion.user().to_owned()), independent_user(&document), "{}", text);
            }
        }
    }
}

fn read_everything(bytes: &[u8]) {
    let mut tolerant = ReadOptions::default().allow_proxy_chain(["https://a/"]);
    for tolerance in Tolerance::ALL {
        tolerant = tolerant.with_tolerance(tolerance);
    }
    for options in [
        ReadOptions::default(),
        tolerant,
        ReadOptions::default().status(500),
    ] {
        let results = [
            ServiceResponse::parse(bytes, &options).err(),
            ProxyResponse::parse(bytes, &options).err(),
            Cas1Response::parse(bytes, &options).err(),
        ];
        for error in results.into_iter().flatten() {
            let shown = error.to_string();
            assert!(
                shown.chars().count() < 400 && !shown.contains(|c: char| c.is_control()),
                "{shown:?}"
            );
        }
    }
}

/// The one direct `user` of the one success, all its text taken together.
fn independent_user(document: &roxmltree::Document<'_>) -> Option<String> {
    let name = |name| (CAS, name);
    let root =
        Some(document.root_element()).filter(|root| root.has_tag_name(name("serviceResponse")))?;
    let success = root
        .children()
        .find(|node| node.has_tag_name(name("authenticationSuccess")))?;
    let user = success
        .children()
        .find(|node| node.has_tag_name(name("user")))?;
    let text: String = user
        .descendants()
        .filter(roxmltree::Node::is_text)
        .filter_map(|node| node.text())
        .collect();
    Some(text.trim_matches(is_blank).to_owned())
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "x",
        " ",
        "<",
        ">",
        "/",
        "'",
        "\"",
        "&",
        ";",
        "&amp;",
        "&#0;",
        "&#xD800;",
        "&#65;",
        "&x;",
        "<!--",
        "-->",
        "--",
        "<![CDATA[",
        "]]>",
        "<?",
        "?>",
        "<?x?>",
        "<!DOCTYPE a>",
        "<b>",
        "</b>",
        "<b/>",
        "cas:",
        "x:",
        ":",
        "xmlns",
        " xmlns:x='u'",
        " xmlns='u'",
        " a='1'",
        " a='1' a='2'",
        "=",
        "\r\n",
        "\u{0}",
        "\u{b}",
        "\u{ffff}",
        "\u{a0}",
        "é",
        "</cas:user><cas:user>",
        "<cas:user>",
        "</cas:serviceResponse>",
        "<cas:authenticationFailure/>",
        "<?xml version='1.0'?>",
        "\u{feff}",
    ])
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{feff}')
}

const CAS: &str = "http://www.yale.edu/tp/cas";

const DOCUMENT: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!-- a -->\n\
    <cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">\n  <cas:authenticationSuccess>\n    \
    <cas:user>ada &amp; <![CDATA[co]]></cas:user>\n    <cas:attributes>\n      <cas:mail a='1' b=\"2\">ada@example.org</cas:mail>\n      \
    <cas:note/>\n    </cas:attributes>\n  </cas:authenticationSuccess>\n</cas:serviceResponse>\n";
