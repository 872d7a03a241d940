use std::io::Write;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use http::{HeaderMap, Method, Uri};

use super::*;

fn noon() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_hours(476_268)
}

fn ticket(text: &str) -> ServiceTicket {
    ServiceTicket::parse(text).expect("a ticket")
}

fn document(inside: &str) -> String {
    format!("<samlp:LogoutRequest xmlns:samlp=\"{SAMLP}\">{inside}</samlp:LogoutRequest>")
}

fn class(document: &str) -> Result<Vec<String>, ErrorClass> {
    LogoutRequest::parse_value(document)
        .map(|request| {
            request
                .session_indexes()
                .iter()
                .map(|t| t.secret().to_owned())
                .collect()
        })
        .map_err(|error| error.class())
}

#[test]
fn the_document_is_the_one_that_every_client_reads() {
    //
    assert_eq!(
        LogoutRequest::to_xml("LR-1", noon(), &ticket("ST-1-abc")),
        "<samlp:LogoutRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" ID=\"LR-1\" Version=\"2.0\" \
         IssueInstant=\"2024-05-01T12:00:00Z\">\
         <saml:NameID xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\">@NOT_USED@</saml:NameID>\
         <samlp:SessionIndex>ST-1-abc</samlp:SessionIndex></samlp:LogoutRequest>"
    );
    let body = LogoutRequest::to_form_body("LR-1", noon(), &ticket("ST-1-abc"));
    assert!(
        body.starts_with("logoutRequest=%3Csamlp%3ALogoutRequest%20xmlns"),
        "{body}"
    );
    assert!(!body.contains(['+', '&', ' ']), "{body}");
}

#[test]
fn ids_are_names_whatever_is_given() {
    // phpCAS decodes twice, so neither % nor + may stand in the document
    for (id, written) in [
        ("LR-1", "LR-1"),
        ("_a", "_a"),
        ("1", "_1"),
        ("-a", "_-a"),
        ("", "_"),
        ("a\"/><x", "a____x"),
        ("50%+é", "_50___"),
    ] {
        let xml = LogoutRequest::to_xml(id, noon(), &ticket("ST-1"));
        assert!(xml.contains(&format!(" ID=\"{written}\" ")), "{id}: {xml}");
        assert!(!xml.contains(['%', '+']));
    }
    let id = LogoutRequest::new_id(&mut |random| random.fill(0x0a));
    assert_eq!(id, "LR-0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a");
}

#[test]
fn each_direct_session_index_is_one_ticket() {
    //
    for (inside, indexes) in [
        (
            "<samlp:SessionIndex>ST-1</samlp:SessionIndex>",
            vec!["ST-1"],
        ),
        (
            "<samlp:SessionIndex>\r\n\tST-1 </samlp:SessionIndex>",
            vec!["ST-1"],
        ),
        (
            "<samlp:SessionIndex><![CDATA[PT-1]]></samlp:SessionIndex>",
            vec!["PT-1"],
        ),
        (
            "<samlp:SessionIndex>ST&#45;<![CDATA[1]]></samlp:SessionIndex>",
            vec!["ST-1"],
        ),
        (
            "<samlp:SessionIndex>ST-1</samlp:SessionIndex><x/><p:SessionIndex \
             xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol'>ST-2</p:SessionIndex>",
            vec!["ST-1", "ST-2"],
        ),
        (
            "<!-- c --><?pi x?><x><samlp:SessionIndex>ST-0</samlp:SessionIndex></x>\
             <NameID xmlns='urn:oasis:names:tc:SAML:2.0:assertion'><a>b</a></NameID>\
             <samlp:SessionIndex>ST-1</samlp:SessionIndex>",
            vec!["ST-1"],
        ),
    ] {
        let indexes: Vec<String> = indexes.into_iter().map(str::to_owned).collect();
        assert_eq!(class(&document(inside)), Ok(indexes), "{inside}");
    }
    let declared = format!(
        "\u{feff}\n<?xml version=\"1.0\" encoding=\"UTF-8\"?>{}\n",
        document("<samlp:SessionIndex>ST-1</samlp:SessionIndex>")
    );
    assert_eq!(class(&declared), Ok(vec!["ST-1".to_owned()]));
}

#[test]
fn anything_else_is_refused_by_class() {
    // S-020 to S-023
    let index = "<samlp:SessionIndex>ST-1</samlp:SessionIndex>";
    for (text, expected) in [
        (document(""), ErrorClass::NoSessionIndex),
        (
            document("<SessionIndex>ST-1</SessionIndex>"),
            ErrorClass::NoSessionIndex,
        ),
        (
            document("<x:SessionIndex xmlns:x='urn:x'>ST-1</x:SessionIndex>"),
            ErrorClass::NoSessionIndex,
        ),
        (
            document("<x><samlp:SessionIndex>ST-1</samlp:SessionIndex></x>"),
            ErrorClass::NoSessionIndex,
        ),
        (
            document("<samlp:SessionIndex/>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>  </samlp:SessionIndex>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>*</samlp:SessionIndex>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>st-1</samlp:SessionIndex>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>TGT-1</samlp:SessionIndex>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>ST-1 ST-2</samlp:SessionIndex>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>../ST-1</samlp:SessionIndex>"),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document(&format!(
                "{index}<samlp:SessionIndex>*</samlp:SessionIndex>"
            )),
            ErrorClass::InvalidSessionIndex,
        ),
        (
            document("<samlp:SessionIndex>ST-1<b/></samlp:SessionIndex>"),
            ErrorClass::Malformed,
        ),
        (
            document("<samlp:SessionIndex>ST-<!-- -->1</samlp:SessionIndex>"),
            ErrorClass::Malformed,
        ),
        (
            document("<samlp:SessionIndex>ST-<?x y?>1</samlp:SessionIndex>"),
            ErrorClass::Malformed,
        ),
        (
            document("<samlp:SessionIndex>&a;</samlp:SessionIndex>"),
            ErrorClass::Malformed,
        ),
        (format!("{}{index}", document(index)), ErrorClass::Malformed),
        (
            document(index).replace("</samlp:LogoutRequest>", ""),
            ErrorClass::Malformed,
        ),
        (
            format!("<!DOCTYPE x>{}", document(index)),
            ErrorClass::ForbiddenXml,
        ),
        (
            document(index).replace("LogoutRequest", "LogoutResponse"),
            ErrorClass::NotLogoutRequest,
        ),
        (
            document(index).replace("2.0:protocol", "1.0:protocol"),
            ErrorClass::NotLogoutRequest,
        ),
        (
            "<LogoutRequest><SessionIndex>ST-1</SessionIndex></LogoutRequest>".to_owned(),
            ErrorClass::NotLogoutRequest,
        ),
        ("<html></html>".to_owned(), ErrorClass::NotLogoutRequest),
        ("not-xml!".to_owned(), ErrorClass::Malformed),
    ] {
        assert_eq!(class(&text), Err(expected), "{text}");
    }
}

#[test]
fn one_parameter_carries_the_message() {
    //
    let encoded = LogoutRequest::to_form_body("LR-1", noon(), &ticket("ST-1"));
    let value = &encoded["logoutRequest=".len()..];
    for body in [
        encoded.clone(),
        format!("a=1&{encoded}&b"),
        format!("%6cogoutRequest={value}"),
        encoded.replace("%20", "+"),
        format!("%ff=%ff&{encoded}&%ff"),
    ] {
        let request = LogoutRequest::parse_form_body(body.as_bytes());
        assert_eq!(request, Ok(LogoutRequest::new(ticket("ST-1"))), "{body}");
    }
    for (body, expected) in [
        (String::new(), ErrorClass::NotLogoutRequest),
        ("logoutRequest".to_owned(), ErrorClass::NotLogoutRequest),
        (
            "logoutRequest=+%0a".to_owned(),
            ErrorClass::NotLogoutRequest,
        ),
        (
            format!("LogoutRequest={value}"),
            ErrorClass::NotLogoutRequest,
        ),
        (format!("{encoded}&{encoded}"), ErrorClass::Ambiguous),
        (format!("{encoded}&logoutRequest="), ErrorClass::Ambiguous),
        (
            "logoutRequest=%3C%ff".to_owned(),
            ErrorClass::InvalidEncoding,
        ),
    ] {
        let error = LogoutRequest::parse_form_body(body.as_bytes()).expect_err(&body);
        assert_eq!(error.class(), expected, "{body}");
    }
}

#[test]
fn a_receiver_takes_one_ticket_only() {
    // S-048
    let two = document(
        "<samlp:SessionIndex>ST-1</samlp:SessionIndex><samlp:SessionIndex>ST-1</samlp:SessionIndex>",
    );
    let request = LogoutRequest::parse_value(&two).expect("readable");
    assert_eq!(request.session_indexes().len(), 2);
    assert_eq!(
        request.session_index().expect_err("two").class(),
        ErrorClass::Ambiguous
    );
}

#[test]
fn compressed_messages_unfold_up_to_64_kib() {
    //
    let xml = LogoutRequest::to_xml("LR-1", noon(), &ticket("ST-1"));
    let zlib = |text: &str| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("a Vec");
        encoder.finish().expect("a Vec")
    };
    let raw = |text: &str| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(text.as_bytes()).expect("a Vec");
        encoder.finish().expect("a Vec")
    };
    let padded = |length: usize| format!("{xml}{}", " ".repeat(length - xml.len()));
    let read = |value: &str| LogoutRequest::parse_value(value).map_err(|error| error.class());
    let one = LogoutRequest::new(ticket("ST-1"));

    let lines: String = STANDARD
        .encode(zlib(&xml))
        .as_bytes()
        .chunks(40)
        .fold(String::new(), |lines, line| {
            lines + std::str::from_utf8(line).expect("ASCII") + "\r\n"
        });
    for value in [
        STANDARD.encode(zlib(&xml)),
        STANDARD.encode(raw(&xml)),
        STANDARD.encode(zlib(&xml)).trim_end_matches('=').to_owned(),
        STANDARD.encode(zlib(&xml)).replace('+', " "),
        lines,
        STANDARD.encode(zlib(&padded(64 * 1024))),
        STANDARD.encode(raw(&padded(64 * 1024))),
    ] {
        assert_eq!(read(&value), Ok(one.clone()), "{value}");
    }
    for bomb in [
        zlib(&padded(64 * 1024 + 1)),
        raw(&padded(64 * 1024 + 1)),
        zlib(&padded(8 << 20)),
    ] {
        assert_eq!(read(&STANDARD.encode(bomb)), Err(ErrorClass::TooLarge));
    }
    let whole = zlib(&xml);
    let followed: Vec<u8> = whole.iter().copied().chain(*b"x").collect();
    let twice = STANDARD.encode(zlib(&STANDARD.encode(&whole)));
    for (value, expected) in [
        (
            STANDARD.encode(&whole[..whole.len() - 1]),
            ErrorClass::Malformed,
        ),
        (STANDARD.encode(followed), ErrorClass::Malformed),
        (STANDARD.encode(b"plain"), ErrorClass::Malformed),
        (twice, ErrorClass::Malformed),
        (
            STANDARD.encode(raw("<html/>")),
            ErrorClass::NotLogoutRequest,
        ),
        (STANDARD.encode(raw("")), ErrorClass::Empty),
    ] {
        assert_eq!(read(&value), Err(expected), "{value}");
    }
}

#[test]
fn only_plain_names_are_called_back() {
    //
    for name in [
        "a",
        "_",
        "$",
        "jQuery112409_1509437967792",
        "a.b.c",
        "$0",
        &"a".repeat(128),
    ] {
        assert_eq!(JsonpCallback::parse(name).expect(name).as_str(), name);
    }
    for name in [
        "",
        "1a",
        ".a",
        "a-b",
        "a(b)",
        "a b",
        "a\n",
        "é",
        "a[0]",
        "a;",
        "a</script>",
        &"a".repeat(129),
    ] {
        assert_eq!(JsonpCallback::parse(name), None, "{name}");
    }
    let query = LogoutRequest::to_front_channel_query("LR-1", noon(), &ticket("ST-1"));
    let callback = |query: &str| {
        LogoutMessage::parse(query.as_bytes())
            .expect("readable")
            .callback()
            .map(|c| c.as_str().to_owned())
    };
    assert_eq!(
        callback(&format!("callback=a.b&{query}&_=1")),
        Some("a.b".to_owned())
    );
    assert_eq!(callback(&format!("callback=alert%281%29&{query}")), None);
    assert_eq!(callback(&format!("callback=a&callback=a&{query}")), None);
    assert_eq!(callback(&query), None);
}

#[derive(Debug, PartialEq)]
enum Outcome {
    Pass,
    Refuse(ErrorClass),
    Logout(&'static str),
}

#[test]
fn only_form_posts_to_the_callback_path_are_logout_requests() {
    // S-047, S-048, S-081
    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    let body = LogoutRequest::to_form_body("LR-1", noon(), &ticket("ST-1"));
    let query = LogoutRequest::to_front_channel_query("LR-1", noon(), &ticket("ST-1"));
    let get = format!("/cas/callback?callback=f&{query}");
    let get_xml = format!("/cas/callback?{body}");
    let long = format!("{body}&x={}", "x".repeat(16 * 1024));
    let long_other = format!("x={}", "x".repeat(16 * 1024));
    let two = parameter(&document(
        "<samlp:SessionIndex>ST-1</samlp:SessionIndex><samlp:SessionIndex>ST-2</samlp:SessionIndex>",
    ));
    let charset = Some("Application/X-WWW-Form-URLEncoded ; charset=UTF-8");
    let path = "/cas/callback";
    for (method, uri, media_type, body, plain, front) in [
        (
            Method::POST,
            path,
            FORM,
            body.as_str(),
            Outcome::Logout("ST-1"),
            Outcome::Logout("ST-1"),
        ),
        (
            Method::POST,
            path,
            charset,
            &body,
            Outcome::Logout("ST-1"),
            Outcome::Logout("ST-1"),
        ),
        (
            Method::POST,
            "/cas/callback?a=b",
            FORM,
            &body,
            Outcome::Logout("ST-1"),
            Outcome::Logout("ST-1"),
        ),
        (
            Method::POST,
            path,
            None,
            &body,
            Outcome::Pass,
            Outcome::Pass,
        ),
        (
            Method::POST,
            path,
            Some("multipart/form-data; boundary=x"),
            &body,
            Outcome::Pass,
            Outcome::Pass,
        ),
        (
            Method::POST,
            path,
            Some("text/plain"),
            &body,
            Outcome::Pass,
            Outcome::Pass,
        ),
        (Method::PUT, path, FORM, &body, Outcome::Pass, Outcome::Pass),
        (
            Method::POST,
            "/cas/callback/",
            FORM,
            &body,
            Outcome::Pass,
            Outcome::Pass,
        ),
        (Method::POST, "/", FORM, &body, Outcome::Pass, Outcome::Pass),
        (
            Method::POST,
            &get_xml,
            FORM,
            "",
            Outcome::Pass,
            Outcome::Pass,
        ),
        (
            Method::POST,
            path,
            FORM,
            "x=%00%ff",
            Outcome::Pass,
            Outcome::Pass,
        ),
        (
            Method::POST,
            path,
            FORM,
            &long_other,
            Outcome::Pass,
            Outcome::Pass,
        ),
        (
            Method::POST,
            path,
            FORM,
            &long,
            Outcome::Refuse(ErrorClass::TooLarge),
            Outcome::Refuse(ErrorClass::TooLarge),
        ),
        (
            Method::POST,
            path,
            FORM,
            "logoutRequest=",
            Outcome::Refuse(ErrorClass::Malformed),
            Outcome::Refuse(ErrorClass::NotLogoutRequest),
        ),
        (
            Method::POST,
            path,
            FORM,
            &two,
            Outcome::Refuse(ErrorClass::Ambiguous),
            Outcome::Refuse(ErrorClass::Ambiguous),
        ),
        (
            Method::POST,
            path,
            FORM,
            &query,
            Outcome::Refuse(ErrorClass::Malformed),
            Outcome::Logout("ST-1"),
        ),
        (
            Method::GET,
            &get,
            None,
            "",
            Outcome::Pass,
            Outcome::Logout("ST-1"),
        ),
        (
            Method::GET,
            &get_xml,
            None,
            "",
            Outcome::Pass,
            Outcome::Logout("ST-1"),
        ),
        (
            Method::GET,
            "/cas/callback?ticket=ST-1",
            None,
            "",
            Outcome::Pass,
            Outcome::Pass,
        ),
        (Method::HEAD, &get, None, "", Outcome::Pass, Outcome::Pass),
    ] {
        let uri: Uri = uri.parse().expect("a URI");
        let mut headers = HeaderMap::new();
        if let Some(media_type) = media_type {
            headers.insert("content-type", media_type.parse().expect("a header"));
        }
        for (on, expected) in [(false, plain), (true, front)] {
            let receiver = LogoutReceiver::new(path).front_channel(on);
            let outcome = match receiver.decide(&method, &uri, &headers, body.as_bytes()) {
                LogoutDecision::Pass => Outcome::Pass,
                LogoutDecision::Refuse(error) => Outcome::Refuse(error.class()),
                LogoutDecision::Logout { ticket, .. } => {
                    assert_eq!(ticket.secret(), "ST-1");
                    Outcome::Logout("ST-1")
                }
            };
            assert_eq!(
                outcome, expected,
                "{method} {uri} {media_type:?} {body} front channel {on}"
            );
            assert!(outcome == Outcome::Pass || receiver.may_be_logout(&method, &uri, &headers));
        }
    }
}

#[test]
fn a_ticket_of_another_shape_is_read_where_that_is_asked_for() {
    //
    let xml = document("<samlp:SessionIndex>session_id</samlp:SessionIndex>");
    let body = format!("logoutRequest={}", utf8_percent_encode(&xml, ESCAPED));
    let index = |read: Result<LogoutRequest, ReadError>| {
        let request = read.map_err(|error| error.class())?;
        Ok(request.session_index().expect("one").secret().to_owned())
    };
    let refused = Err(ErrorClass::InvalidSessionIndex);
    assert_eq!(index(LogoutRequest::parse_xml(xml.as_bytes())), refused);
    assert_eq!(index(LogoutRequest::parse_value(&xml)), refused);
    assert_eq!(
        index(LogoutRequest::parse_form_body(body.as_bytes())),
        refused
    );
    let read = Ok("session_id".to_owned());
    assert_eq!(
        index(LogoutRequest::parse_xml_unprefixed(xml.as_bytes())),
        read
    );
    assert_eq!(index(LogoutRequest::parse_value_unprefixed(&xml)), read);
    assert_eq!(
        index(LogoutRequest::parse_form_body_unprefixed(body.as_bytes())),
        read
    );
    let spaced = document("<samlp:SessionIndex>session id</samlp:SessionIndex>");
    assert_eq!(
        index(LogoutRequest::parse_value_unprefixed(&spaced)),
        refused
    );
}

#[test]
fn a_body_that_is_the_document_counts_where_it_is_asked_for() {
    // S-047
    const PATH: &str = "/cas/callback";
    let one = "<samlp:SessionIndex>ST-1</samlp:SessionIndex>";
    let (good, two) = (document(one), document(&one.repeat(2)));
    let long = format!("{good}{}", " ".repeat(16 * 1024));
    let logout = Outcome::Logout("ST-1");
    for (media_type, body, expected) in [
        ("text/xml", &*good, &logout),
        ("Application/XML; charset=utf-8", &good, &logout),
        ("text/xml", &two, &Outcome::Refuse(ErrorClass::Ambiguous)),
        ("text/xml", &long, &Outcome::Refuse(ErrorClass::TooLarge)),
        ("text/xml", "<a", &Outcome::Refuse(ErrorClass::Malformed)),
        ("text/xml", "", &Outcome::Refuse(ErrorClass::Empty)),
        ("text/xml", "<order/>", &Outcome::Pass),
        ("application/soap+xml", &good, &Outcome::Pass),
        ("text/plain", &good, &Outcome::Pass),
        (
            "application/x-www-form-urlencoded",
            &parameter(&good),
            &logout,
        ),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", media_type.parse().expect("a header"));
        let uri = Uri::from_static(PATH);
        let outcome = |receiver: LogoutReceiver, uri: &Uri| match receiver.decide(
            &Method::POST,
            uri,
            &headers,
            body.as_bytes(),
        ) {
            LogoutDecision::Pass => Outcome::Pass,
            LogoutDecision::Refuse(error) => Outcome::Refuse(error.class()),
            LogoutDecision::Logout { ticket, .. } => {
                assert_eq!(ticket.secret(), "ST-1");
                Outcome::Logout("ST-1")
            }
        };
        let on = LogoutReceiver::new(PATH).raw_xml(true);
        assert_eq!(
            &outcome(on.clone(), &uri),
            expected,
            "{media_type} {body:.80}"
        );
        assert_eq!(
            outcome(on, &Uri::from_static("/cas/callback/")),
            Outcome::Pass
        );
        if media_type.to_ascii_lowercase().contains("xml") {
            assert_eq!(outcome(LogoutReceiver::new(PATH), &uri), Outcome::Pass);
        }
    }
}
