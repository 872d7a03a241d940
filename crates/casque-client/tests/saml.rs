//! SAML 1.1, with both clients.

mod common;

use std::time::{Duration, SystemTime};

use casque_client::{Client, ClientError, Distrust, Protocol};
use casque_proto::saml::{SamlAssertion, SamlReply, SamlRequest, SamlResponse, SamlStamp};
use casque_proto::{ErrorClass, LoginOptions, ReadOptions, ServiceUrl, TicketMode};
use casque_testkit::{FakeCas, Fault, Page};
use http::StatusCode;

use common::{ADAPTERS, SERVICE, Settings, assert_discreet};

fn saml() -> Settings {
    Settings {
        protocol: Protocol::Saml11,
        ..Settings::default()
    }
}

#[test]
fn a_ticket_is_validated_by_saml() {
    //
    let cas = FakeCas::start();
    for adapter in ADAPTERS {
        let ticket = cas.grant(SERVICE, "alice");
        let user = adapter.validate(&cas, &saml(), &ticket).unwrap();
        assert_eq!(user.user(), "alice");
        assert_eq!(user.attributes().get("memberOf"), ["staff", "admin"]);
        let method = user.attributes().first(SamlAssertion::METHOD_ATTRIBUTE);
        assert_eq!(method, Some(SamlAssertion::PASSWORD));

        let replayed = adapter.validate(&cas, &saml(), &ticket).unwrap_err();
        assert_eq!(replayed.code(), Some("RequestDenied"), "{replayed:?}");
        assert_discreet(&replayed, &ticket);
    }
    let requests = cas.requests_for(Page::SamlValidate);
    assert_eq!(requests.len(), 4, "and nowhere else");
    assert_eq!(cas.requests().len(), 4);
    let mut ids = Vec::new();
    for request in &requests {
        assert_eq!(request.method(), "POST");
        let headers = request.headers();
        assert_eq!(headers["content-type"], SamlRequest::CONTENT_TYPE);
        assert_eq!(headers["soapaction"], SamlRequest::SOAP_ACTION);
        let target = request.query();
        assert_eq!(target, [("TARGET".to_owned(), SERVICE.to_owned())]);
        let read = SamlRequest::parse(Some(SERVICE), request.body(), &ReadOptions::default());
        ids.push(read.unwrap().request_id().unwrap().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4, "R-238: an id is used once");
}

#[test]
fn renew_is_asked_for_and_kept() {
    // R-241, S-013
    let cas = FakeCas::start();
    let settings = Settings {
        renew: true,
        ..saml()
    };
    for adapter in ADAPTERS {
        let ticket = cas.grant_renewed(SERVICE, "alice");
        adapter.validate(&cas, &settings, &ticket).unwrap();
        let ticket = cas.grant(SERVICE, "alice");
        let refused = adapter.validate(&cas, &settings, &ticket).unwrap_err();
        assert!(
            matches!(refused, ClientError::Refused { .. }),
            "{refused:?}"
        );
    }
}

#[test]
fn logins_ask_for_a_samlart() {
    //
    let client = Client::builder("https://cas.example.org/cas")
        .protocol(Protocol::Saml11)
        .build()
        .unwrap();
    let service = ServiceUrl::parse("https://app.example.org/").unwrap();
    assert_eq!(
        client
            .renewing()
            .login_url(&service, LoginOptions::default()),
        "https://cas.example.org/cas/login?TARGET=https%3A%2F%2Fapp.example.org%2F&renew=true",
    );
    assert_eq!(client.ticket_mode(), TicketMode::Saml);
}

/// An answer about `service`, made at `then`, valid for 30 s before and after.
fn answer(then: SystemTime, service: &str) -> Fault {
    let stamp = SamlStamp::new(then, &mut |bytes| bytes.fill(3));
    let reply = SamlReply::new(&stamp, "https://cas.example.org/cas", service);
    let xml = SamlResponse::Success(SamlAssertion::new("mallory")).to_xml(&reply);
    Fault::answer(StatusCode::OK, "text/xml", xml)
}

#[test]
fn an_assertion_is_for_now_and_for_this_service() {
    //
    let cas = FakeCas::start();
    let ticket = cas.grant(SERVICE, "alice");
    #[expect(
        clippy::disallowed_methods,
        reason = "the client under test reads the wall clock, and judges the answer by it"
    )]
    let now = SystemTime::now();
    let hour = Duration::from_hours(1);
    let lenient = |builder: casque_client::ClientBuilder| builder.clock_tolerance(2 * hour);
    for (fault, expected) in [
        (answer(now - hour, SERVICE), Distrust::Conditions),
        (answer(now + hour, SERVICE), Distrust::Conditions),
        (
            answer(now, "https://other.example.org/"),
            Distrust::Audience,
        ),
    ] {
        cas.fault(Page::SamlValidate, fault);
        for adapter in ADAPTERS {
            match adapter.validate(&cas, &saml(), &ticket) {
                Err(ClientError::Untrusted { distrust, .. }) => assert_eq!(distrust, expected),
                other => panic!("{other:?}"),
            }
        }
    }
    cas.fault(Page::SamlValidate, answer(now - hour, SERVICE));
    let builder = Client::builder(cas.base_url())
        .protocol(Protocol::Saml11)
        .allow_plain_http();
    let client = lenient(builder).build().unwrap();
    let service = ServiceUrl::parse(SERVICE).unwrap();
    let read = common::runtime().block_on(client.validate(&ticket, &service));
    assert_eq!(read.unwrap().user(), "mallory");
}

#[test]
fn other_answers_are_no_success() {
    // SC-028, SC-029
    let cas = FakeCas::start();
    let ticket = cas.grant(SERVICE, "alice");
    let cas3 = "<cas:serviceResponse xmlns:cas='http://www.yale.edu/tp/cas'><cas:authenticationSuccess>\
                <cas:user>mallory</cas:user></cas:authenticationSuccess></cas:serviceResponse>";
    let fault = "<E:Envelope xmlns:E='http://schemas.xmlsoap.org/soap/envelope/'><E:Body><E:Fault>\
                 <faultstring>down</faultstring></E:Fault></E:Body></E:Envelope>";
    for adapter in ADAPTERS {
        cas.fault(
            Page::SamlValidate,
            Fault::answer(StatusCode::OK, "text/xml", cas3),
        );
        match adapter.validate(&cas, &saml(), &ticket) {
            Err(ClientError::Malformed { class, .. }) => assert_eq!(class, ErrorClass::NotCas),
            other => panic!("{other:?}"),
        }
        cas.fault(
            Page::SamlValidate,
            Fault::answer(StatusCode::OK, "text/xml", fault),
        );
        let refused = adapter.validate(&cas, &saml(), &ticket).unwrap_err();
        assert_eq!(refused.code(), Some("SOAP_FAULT"), "{refused:?}");
        cas.clear_faults();
        cas.fault(
            Page::SamlValidate,
            Fault::Status(StatusCode::INTERNAL_SERVER_ERROR),
        );
        let ticket = cas.grant(SERVICE, "alice");
        match adapter.validate(&cas, &saml(), &ticket) {
            Err(ClientError::Malformed { class, .. }) => {
                assert_eq!(class, ErrorClass::UnexpectedStatus);
            }
            other => panic!("{other:?}"),
        }
        cas.clear_faults();
    }
}
