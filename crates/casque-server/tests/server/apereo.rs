//! Service definitions of Apereo at a running server.

use std::time::Duration;

use casque_proto::apereo::{Definition, ServiceDefinition};
use casque_server::{Person, Service, Services};
use serde_json::Value;

use crate::{
    corpus::{self, Report},
    house::{Setup, code},
};

#[test]
fn access_of_the_vectors() {
    // R-284, R-285, by the rules that the registry makes of a definition.
    let mut report = Report::default();
    for vector in corpus::vectors("service_definition") {
        let text = String::from_utf8_lossy(&vector.bytes);
        for case in vector.expect["access"].as_array().into_iter().flatten() {
            let Ok(Definition::Service(definition)) = ServiceDefinition::read(&text, &[]) else {
                report.note(&vector.name, Err("it does not load".to_owned()));
                continue;
            };
            let service = Service::of_apereo(&definition);
            let person = Person {
                id: "alice".to_owned(),
                password_hash: String::new(),
                attributes: serde_json::from_value(case["attributes"].clone()).expect("attributes"),
                disabled: false,
            };
            let admitted = Value::Bool(service.access.admits(&person));
            report.check(
                &format!("{} {case}", vector.name),
                &admitted,
                &case["allowed"],
            );
        }
    }
    report.finish(true);
}

const SERVICE: &str = "https://app.example.org/start";

fn services(members: &str) -> Services {
    let folder = tempfile::tempdir().expect("a folder");
    let text = format!(
        r#"{{ "@class": "org.apereo.cas.services.RegexRegisteredService", "serviceId": "^https://app\\.example\\.org/.*",
          "name": "The app", "id": 5, {members} }}"#
    );
    std::fs::write(folder.path().join("app-5.json"), text).expect("written");
    Services::load(folder.path()).expect("services")
}

#[tokio::test]
async fn a_person_is_told_under_the_name_and_attributes_of_the_definition() {
    // R-286, R-288, R-292
    let house = Setup::new()
        .services(services(
            r#""usernameAttributeProvider": { "@class": "org.apereo.cas.services.PrincipalAttributeRegisteredServiceUsernameProvider",
                 "usernameAttribute": "mail", "canonicalizationMode": "UPPER" },
               "attributeReleasePolicy": { "@class": "org.apereo.cas.services.ReturnMappedAttributeReleasePolicy",
                 "allowedAttributes": { "memberOf": "groups" } }"#,
        ))
        .settings("[rest]\nenabled = true\n")
        .build();
    let mut alice = house.signed_in("alice").await;
    let ticket = alice.ticket_for(SERVICE).await;
    let answer = alice.validate("p3/serviceValidate", SERVICE, &ticket).await;
    for part in [
        "<cas:user>ALICE@EXAMPLE.ORG</cas:user>",
        "<cas:groups>staff</cas:groups>",
        "<cas:groups>admin</cas:groups>",
    ] {
        assert!(answer.body.contains(part), "{part}: {}", answer.body);
    }
    assert!(!answer.body.contains("memberOf") && !answer.body.contains("alice@example.org"));
    for (endpoint, told) in [
        ("validate", "yes\nALICE@EXAMPLE.ORG\n"),
        ("serviceValidate", "<cas:user>ALICE@"),
    ] {
        let ticket = alice.ticket_for(SERVICE).await;
        let answer = alice.validate(endpoint, SERVICE, &ticket).await;
        assert!(answer.body.contains(told), "{}", answer.body);
    }
    // Another person has no such attribute, and is named as they sign in.
    let mut bob = house.signed_in("bob").await;
    let ticket = bob.ticket_for(SERVICE).await;
    let answer = bob.validate("validate", SERVICE, &ticket).await;
    assert_eq!(answer.body, "yes\nBOB\n");
    // R-293
    house.people.set_attribute("bob", "mail", &[" "]);
    let answer = bob.get(&format!("/login?service={SERVICE}")).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (403, None));
}

#[tokio::test]
async fn who_is_rejected_later_gets_no_answer() {
    // R-286: judged when the ticket is issued and again when it is validated, on what the service is not told.
    let house = Setup::new()
        .services(services(
            r#""accessStrategy": { "rejectedAttributes": { "status": [ "left" ] } },
               "expirationPolicy": { "expirationDate": "2024-05-01T13:00:00Z" }"#,
        ))
        .build();
    let mut alice = house.signed_in("alice").await;
    let ticket = alice.ticket_for(SERVICE).await;
    house.people.set_attribute("alice", "status", &["left"]);
    let answer = alice.validate("serviceValidate", SERVICE, &ticket).await;
    assert_eq!(code(&answer.body), Some("UNAUTHORIZED_SERVICE"));
    let answer = alice.get(&format!("/login?service={SERVICE}")).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (403, None));

    // R-296: nor does anybody once the service has expired, tickets of before included.
    house.people.set_attribute("alice", "status", &[]);
    house.clock.advance(Duration::from_secs(3_599));
    let ticket = alice.ticket_for(SERVICE).await;
    house.clock.advance(Duration::from_secs(1));
    let answer = alice.validate("serviceValidate", SERVICE, &ticket).await;
    assert_eq!(code(&answer.body), Some("UNAUTHORIZED_SERVICE"));
    let answer = alice.get(&format!("/login?service={SERVICE}")).await;
    assert_eq!((answer.status.as_u16(), answer.location()), (403, None));
}
