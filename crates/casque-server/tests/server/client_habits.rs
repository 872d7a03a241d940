//! Habits of clients that a server must live with (the end of protocol section 18): what they look for by pattern, do not
//! trim, and send in shapes of their own. Real clients are run by `casque/tests/interop`; here is each habit by name.

use axum::body::{Body, Bytes};
use casque_proto::ServiceRule;
use casque_server::{ProxyPolicy, Service, Services};
use http::Method;

use crate::{
    house::{Answer, Browser, House, Setup, encode},
    proxies::{Callback, ask_for_proxy, proxy_ticket, validate_for_proxying},
    saml::{envelope, present},
    single_logout::{self, Target},
    socket,
};

const WIKI: &str = "https://wiki.example.org:8443/w/";

/// Alice as the tests want her: values that need escaping, one that is empty, names that are dangerous.
async fn alice(house: &House) -> Browser {
    let values = ["<admin> & \"co\"", " blanks ", ""];
    house.people.set_attribute("alice", "role", &values);
    for reserved in ["user", "proxy", "authenticationFailure"] {
        house.people.set_attribute("alice", reserved, &["mallory"]);
    }
    house.signed_in("alice").await
}

/// What is answered to a fresh ticket.
async fn success(browser: &mut Browser, endpoint: &str) -> String {
    let ticket = browser.ticket_for(WIKI).await;
    let answer = browser.validate(endpoint, WIKI, &ticket).await;
    assert_eq!(answer.status, 200);
    answer.body
}

/// An answer of every kind that is XML of CAS: successes, refusals, proxy tickets, refused ones.
async fn every_answer() -> Vec<String> {
    let house = House::new();
    let mut browser = alice(&house).await;
    let mut answers = Vec::new();
    for endpoint in [
        "serviceValidate",
        "proxyValidate",
        "p3/serviceValidate",
        "p3/proxyValidate",
    ] {
        answers.push(success(&mut browser, endpoint).await);
        answers.push(browser.validate(endpoint, WIKI, "ST-1").await.body);
        answers.push(browser.ask(&format!("/{endpoint}")).await.body);
    }
    answers.push(ask_for_proxy(&browser, "PGT-1", WIKI).await.body);

    let dev = Service::new("dev", ServiceRule::loopback()).proxying(ProxyPolicy::loopback());
    let house = Setup::new().services(Services::new([dev])).build();
    let mut browser = house.signed_in("alice").await;
    let mut callback = Callback::plain().await;
    let proxy = "http://127.0.0.1:1/";
    let pgt_url = format!("http://{}/pgt", callback.address);
    let ticket = browser.ticket_for(proxy).await;
    let endpoint = "p3/serviceValidate";
    let granted = validate_for_proxying(&browser, endpoint, proxy, &ticket, &pgt_url).await;
    answers.push(granted.body);
    let pgt = callback.tickets().await.pgt;
    let given = ask_for_proxy(&browser, &pgt, proxy).await;
    let ticket = proxy_ticket(&given);
    answers.push(given.body);
    let proxied = browser.validate("p3/proxyValidate", proxy, &ticket).await;
    assert!(proxied.body.contains("<cas:proxies>"), "{}", proxied.body);
    answers.push(proxied.body);
    assert!(
        answers.iter().all(|answer| answer.starts_with('<')),
        "{answers:#?}"
    );
    answers
}

/// What an answer of SAML looks like.
async fn saml_answer(house: &House, browser: &mut Browser) -> Answer {
    let ticket = browser.ticket_for(WIKI).await;
    present(house, WIKI, &ticket).await
}

/// The logout request that one service hears, as the form has it.
async fn logout_body() -> (String, String) {
    let mut target = Target::open().await;
    let house = single_logout::house();
    let mut alice = house.signed_in("alice").await;
    let ticket = alice.ticket_for(&target.url).await;
    alice.validate("validate", &target.url, &ticket).await;
    alice.get("/logout").await;
    house.server.finish_logout_messages().await;
    (target.body(), ticket)
}

/// The tags of a document, without their angle brackets.
fn tags(document: &str) -> impl Iterator<Item = &str> {
    document
        .split('<')
        .skip(1)
        .map(|rest| rest.split('>').next().expect("one part at least"))
}

#[tokio::test]
async fn the_prefix_is_literally_cas() {
    // Flask-CAS, omniauth-cas and phpCAS look for `cas:` as text.
    for answer in every_answer().await {
        let root = "<cas:serviceResponse xmlns:cas=\"http://www.yale.edu/tp/cas\">";
        assert!(answer.starts_with(root), "{answer}");
        assert_eq!(answer.matches("xmlns").count(), 1, "{answer}");
        for tag in tags(&answer) {
            let name = tag.trim_start_matches('/');
            assert!(name.starts_with("cas:"), "{tag}: {answer}");
        }
    }
}

#[tokio::test]
async fn no_element_closes_itself() {
    // readers by pattern want a start tag and an end tag, also round nothing.
    let answers = every_answer().await;
    let empty = answers
        .iter()
        .filter(|answer| answer.contains("<cas:role></cas:role>"));
    assert_eq!(empty.count(), 2, "CAS 3 tells an empty value");
    let (body, _) = logout_body().await;
    let message = read_form(&body);
    for document in answers.iter().chain([&message]) {
        let closed = tags(document).find(|tag| tag.ends_with('/'));
        assert_eq!(closed, None, "{document}");
    }
    // A status code of SAML has no content in anybody's answer.
    let house = House::new();
    let mut browser = alice(&house).await;
    let answer = saml_answer(&house, &mut browser).await.body;
    let closed: Vec<&str> = tags(&answer).filter(|tag| tag.ends_with('/')).collect();
    assert_eq!(closed, ["saml1p:StatusCode Value=\"saml1p:Success\"/"]);
    assert!(
        answer.contains("<saml1:AttributeValue></saml1:AttributeValue>"),
        "{answer}"
    );
}

#[tokio::test]
async fn nobody_trims_values() {
    // mod_auth_cas, java-cas-client and python-cas take what stands between the tags.
    let house = House::new();
    let mut browser = alice(&house).await;
    for endpoint in ["serviceValidate", "p3/serviceValidate"] {
        let answer = success(&mut browser, endpoint).await;
        assert!(answer.contains("<cas:user>alice</cas:user>"), "{answer}");
    }
    let answer = success(&mut browser, "p3/serviceValidate").await;
    for value in ["&lt;admin&gt; &amp; &quot;co&quot;", " blanks ", ""] {
        assert!(
            answer.contains(&format!("<cas:role>{value}</cas:role>")),
            "{answer}"
        );
    }
    let answer = saml_answer(&house, &mut browser).await.body;
    let name = "<saml1:NameIdentifier>alice</saml1:NameIdentifier>";
    assert!(answer.contains(name), "{answer}");
}

#[tokio::test]
async fn names_are_searched_in_the_whole_document() {
    // java-cas-client takes the first `user`, `proxy` or `authenticationFailure` wherever it stands.
    let house = House::new();
    let mut browser = alice(&house).await;
    let answer = success(&mut browser, "p3/serviceValidate").await;
    assert_eq!(answer.matches("<cas:user>").count(), 1, "{answer}");
    for name in ["mallory", "cas:proxy", "authenticationFailure"] {
        assert!(!answer.contains(name), "{name}: {answer}");
    }
}

#[tokio::test]
async fn refusals_have_status_200_and_words() {
    // other statuses are thrown away unread, and a refusal without text is taken for none.
    let house = House::new();
    let browser = house.browser();
    for path in [
        "/serviceValidate",
        "/proxyValidate",
        "/p3/serviceValidate",
        "/p3/proxyValidate",
        "/proxy",
    ] {
        let answer = browser.ask(path).await;
        assert_eq!(answer.status, 200, "{path}");
        let (_, words) = answer
            .body
            .split_once("code=\"INVALID_REQUEST\">")
            .expect("a refusal");
        let words = words.split('<').next().expect("a text");
        assert!(
            !words.trim().is_empty() && words.trim() == words,
            "{words:?}"
        );
    }
}

#[tokio::test]
async fn a_refusal_of_cas_1_is_no_and_two_line_feeds() {
    // go-cas compares with exactly that.
    let house = House::new();
    let answer = house.browser().validate("validate", WIKI, "ST-1").await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.as_str()),
        (200, "no\n\n")
    );
}

#[tokio::test]
async fn the_query_stays_as_it_was_and_the_ticket_comes_last() {
    // clients compare or sign their own address, and cut off what follows it.
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for query in [
        "?b=2&a=1&b=3&empty=&flag",
        "?c=x%20y+z&d=%C3%A9%26%3d&e=%c3%a9",
        "?next=https%3A%2F%2Fother.example.org%2F%3Fa%3D1%26b&q=a/b:c@d!$'()*,;~",
        "?",
        "?&&a=1&",
    ] {
        let service = format!("{WIKI}page{query}");
        let answer = browser
            .get(&format!("/login?service={}", encode(&service)))
            .await;
        let location = answer.location().expect("a redirect");
        let ticket = answer.ticket().expect("a ticket");
        let rest = location
            .strip_prefix(&service)
            .unwrap_or_else(|| panic!("{location}"));
        let rest = rest.trim_start_matches('&');
        assert_eq!(rest, format!("ticket={ticket}"), "{location}");
        let answer = browser.validate("validate", &service, &ticket).await;
        assert_eq!(answer.body, "yes\nalice\n");
    }
}

#[tokio::test]
async fn times_end_in_z() {
    // go-cas reads no other zone, and none where there is none.
    let (body, _) = logout_body().await;
    let house = House::new();
    let mut browser = alice(&house).await;
    let saml = saml_answer(&house, &mut browser).await.body;
    let cas = success(&mut browser, "p3/serviceValidate").await;
    let mut times = Vec::new();
    for (document, from, to) in [
        (&read_form(&body), "IssueInstant=\"", '"'),
        (&saml, "IssueInstant=\"", '"'),
        (&saml, "NotBefore=\"", '"'),
        (&saml, "NotOnOrAfter=\"", '"'),
        (&saml, "AuthenticationInstant=\"", '"'),
        (&saml, "<saml1:AttributeValue>2024", '<'),
        (&cas, "<cas:authenticationDate>", '<'),
    ] {
        let found: Vec<&str> = document.split(from).skip(1).collect();
        assert!(!found.is_empty(), "{from}: {document}");
        times.extend(
            found
                .iter()
                .map(|rest| rest.split(to).next().expect("one").to_owned()),
        );
    }
    assert!(times.iter().all(|time| time.ends_with('Z')), "{times:?}");
}

#[tokio::test]
async fn several_values_stand_in_one_saml_attribute() {
    // python-cas and phpCAS keep the last `Attribute` of a name only.
    let house = House::new();
    let mut browser = alice(&house).await;
    let answer = saml_answer(&house, &mut browser).await.body;
    assert_eq!(answer.matches("AttributeName=\"memberOf\"").count(), 1);
    let values = "<saml1:AttributeValue>staff</saml1:AttributeValue><saml1:AttributeValue>admin</saml1:AttributeValue></saml1:Attribute>";
    assert!(answer.contains(values), "{answer}");
}

#[tokio::test]
async fn an_artifact_may_have_white_space_round_it() {
    // mod_auth_cas sends the sample of the specification.
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    for (before, after) in [("\n  ", "\t\r\n"), (" ", ""), ("", "\n")] {
        let ticket = browser.ticket_for(WIKI).await;
        let padded = [before, &*ticket, after].concat();
        let body = envelope(&ticket).replace(&ticket, &padded);
        let answer = post_saml(&house, Body::from(body)).await;
        assert!(answer.body.contains("saml1p:Success"), "{}", answer.body);
    }
}

#[tokio::test]
async fn a_saml_request_may_come_in_chunks() {
    // mod_auth_cas and others send no length. Cut at every place, and over a socket in chunks.
    let house = House::new();
    let mut browser = house.signed_in("alice").await;
    let ticket = browser.ticket_for(WIKI).await;
    let bytes = envelope(&ticket).into_bytes();
    let pieces = bytes
        .into_iter()
        .map(|byte| Ok::<_, std::io::Error>(Bytes::from(vec![byte])));
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    let answer = post_saml(&house, body).await;
    assert!(answer.body.contains("saml1p:Success"), "{}", answer.body);

    let ticket = browser.ticket_for(WIKI).await;
    let request = envelope(&ticket);
    let (first, second) = request.split_at(request.find(&ticket).expect("the artifact") + 7);
    let raw = format!(
        "POST /cas/samlValidate?TARGET={} HTTP/1.1\r\nHost: cas.example.org\r\nContent-Type: text/xml\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n{:x}\r\n{first}\r\n{:X};why=not\r\n{second}\r\n0\r\n\r\n",
        encode(WIKI),
        first.len(),
        second.len(),
    );
    let server = socket::open(&house, None).await;
    let (answer, _) = socket::talk(server.address, raw.as_bytes(), false).await;
    assert!(answer.contains("saml1p:Success"), "{answer}");
}

#[tokio::test]
async fn a_logout_request_is_found_by_its_text() {
    // mod_auth_cas wants the body to begin so, phpCAS looks for the tag and decodes twice.
    let (body, ticket) = logout_body().await;
    assert!(body.starts_with("logoutRequest="), "{body}");
    assert!(!body.contains('&'), "one parameter: {body}");
    let message = read_form(&body);
    let index = format!("<samlp:SessionIndex>{ticket}</samlp:SessionIndex>");
    assert!(message.contains(&index), "{message}");
    assert!(!message.contains(['\n', '%', '+']), "{message}");
}

async fn post_saml(house: &House, body: Body) -> Answer {
    let path = format!("/samlValidate?TARGET={}", encode(WIKI));
    let headers = [("content-type", "text/xml")];
    house
        .browser()
        .send(Method::POST, &path, &headers, body)
        .await
}

fn read_form(body: &str) -> String {
    let mut pairs = form_urlencoded::parse(body.as_bytes());
    pairs.next().expect("a parameter").1.into_owned()
}
