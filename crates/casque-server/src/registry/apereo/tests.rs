use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use casque_proto::RegistryUrl;
use casque_testkit::ManualClock;

use super::*;
use crate::Services;
use crate::people::Person;

fn folder(files: &[(&str, String)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

/// What is said, with the folder cut off the paths.
fn faults(files: &[(&str, String)], ignored: &[&str]) -> String {
    let folder = folder(files);
    let said = Services::load_ignoring(folder.path(), ignored).expect_err("must be refused");
    said.to_string()
        .replace(&format!("{}/", folder.path().display()), "")
}

fn load(files: &[(&str, String)]) -> Services {
    Services::load(folder(files).path()).unwrap()
}

fn definition(id: u64, host: &str, members: &str) -> String {
    format!(
        "{{\n  \"@class\": \"org.apereo.cas.services.CasRegisteredService\",\n  \"serviceId\": \
         \"^https://{}/.*\",\n  \"name\": \"{host}\", \"id\": {id},\n  {members}\n}}\n",
        host.replace('.', "\\\\.")
    )
}

fn found<'a>(services: &'a Services, url: &str) -> Option<&'a str> {
    let url = RegistryUrl::parse(url).unwrap();
    services.find(&url).map(|service| service.id.as_str())
}

fn person(attributes: &[(&str, &[&str])]) -> Person {
    let attributes = attributes.iter().map(|(name, values)| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        ((*name).to_owned(), values)
    });
    Person {
        id: "alice".into(),
        password_hash: String::new(),
        attributes: attributes.collect::<BTreeMap<_, _>>(),
        disabled: false,
    }
}

#[test]
fn a_folder_of_apereo_is_read_as_it_is() {
    // R-274, R-277
    let services = load(&[
        ("wiki-1.json", definition(1, "wiki.example.org", "")),
        (
            "library/Maps and more-2.json",
            definition(2, "maps.example.org", "\"theme\": \"x\""),
        ),
        ("library/other.json", definition(3, "other.example.org", "")),
        (
            "oidc-4.json",
            definition(4, "oidc.example.org", "").replace("Cas", "Oidc"),
        ),
        (".git/x.json", "no json".to_owned()),
        ("readme.md", "no json".to_owned()),
        (
            "own.toml",
            "id = \"own\"\norigin = \"https://own.example.org\"\n".to_owned(),
        ),
    ]);
    assert_eq!(services.len(), 4);
    for (url, id) in [
        ("https://wiki.example.org/x", Some("wiki.example.org-1")),
        ("https://maps.example.org/x?y", Some("maps.example.org-2")),
        ("https://other.example.org/", Some("other.example.org-3")),
        ("https://own.example.org/", Some("own")),
        ("https://oidc.example.org/", None),
    ] {
        assert_eq!(found(&services, url), id, "{url}");
    }
    let (warnings, notices) = (services.warnings(), services.notices());
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0]
            .ends_with("other.json: the file should be called after its service, NAME-3.json")
    );
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(
        notices[0].contains("Maps and more-2.json:5: `theme`: "),
        "R-296: {notices:?}"
    );
    assert!(notices[1].ends_with("left out: a OidcRegisteredService is not a CAS service"));
}

#[test]
fn what_cannot_be_used_ends_the_start_and_is_all_told() {
    // R-276, R-290, R-297: left out alone, a definition would leave its addresses to a laxer one.
    let said = faults(
        &[
            (
                "a-1.json",
                definition(1, "a.example.org", "\"logoutType\": \"LOUD\""),
            ),
            (
                "b-2.json",
                definition(
                    2,
                    "b.example.org",
                    "\"multifactorPolicy\": { \"multifactorAuthenticationProviders\": [ \"mfa-duo\" ] }",
                ),
            ),
            ("c.json", "{ name: }".to_owned()),
            ("d-4.json", definition(4, "d.example.org", "")),
        ],
        &[],
    );
    for part in [
        "a-1.json:5: `logoutType` is \"LOUD\"\n  fix: write BACK_CHANNEL",
        "b-2.json:5: unsupported multifactorPolicy\n  fix: there are no second factors here",
        "c.json:1: not JSON: a JSON name was expected, in column 3\n  fix: put names and texts in double quotes",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert_eq!(said.matches("fix: ").count(), 3, "{said}");
}

#[test]
fn what_the_operator_leaves_aside_is_a_notice() {
    // R-297
    let members =
        "\"multifactorPolicy\": { \"multifactorAuthenticationProviders\": [ \"mfa-duo\" ] }";
    let folder = folder(&[("b-2.json", definition(2, "b.example.org", members))]);
    let services = Services::load_ignoring(folder.path(), &["multifactorPolicy"]).unwrap();
    assert_eq!(
        found(&services, "https://b.example.org/"),
        Some("b.example.org-2")
    );
    assert!(services.notices()[0].contains("left aside because the operator says so"));
}

#[test]
fn of_two_with_one_id_neither_wins() {
    // R-278
    let said = faults(
        &[
            ("a-1.json", definition(1, "a.example.org", "")),
            ("sub/b-1.json", definition(1, "b.example.org", "")),
        ],
        &[],
    );
    assert_eq!(
        said.matches("the id 1 is in several files: ").count(),
        2,
        "{said}"
    );
    let said = faults(
        &[
            ("a-1.json", definition(1, "a", "")),
            (
                "a.toml",
                "id = \"a-1\"\norigin = \"https://own.example.org\"\n".to_owned(),
            ),
        ],
        &[],
    );
    assert!(
        said.starts_with("a-1.json: the id \"a-1\" is taken by "),
        "{said}"
    );
}

#[test]
fn the_first_that_matches_decides() {
    // R-283
    let all = |id, name: &str, members: &str| {
        definition(id, "x.example.org", members)
            .replace("\"x.example.org\"", &format!("\"{name}\""))
            .replace("/.*", "(/.*)?")
    };
    let off = "\"evaluationOrder\": 1, \"accessStrategy\": { \"enabled\": false }";
    let services = load(&[
        ("wide-1.json", all(1, "wide", "\"evaluationOrder\": 5")),
        (
            "b-2.json",
            all(2, "B", "\"evaluationOrder\": 4").replace("(/.*)?", "/b.*"),
        ),
        (
            "a-3.json",
            all(3, "a", "\"evaluationOrder\": 4").replace("(/.*)?", "/b.*"),
        ),
        ("off-4.json", all(4, "off", off).replace("(/.*)?", "/off.*")),
        (
            "own.toml",
            "id = \"own\"\norigin = \"https://x.example.org\"\npath_prefix = \"/own\"\norder = 9\n"
                .to_owned(),
        ),
        (
            "first.toml",
            "id = \"first\"\nurl = \"https://x.example.org/first\"\n".to_owned(),
        ),
    ]);
    for (url, id) in [
        ("https://x.example.org/", Some("wide-1")),
        ("https://x.example.org/b", Some("a-3")),
        ("https://x.example.org/OFF", None),
        ("https://x.example.org/own", Some("wide-1")),
        ("https://x.example.org/first", Some("first")),
    ] {
        assert_eq!(found(&services, url), id, "{url}");
    }
}

#[test]
fn services_expire() {
    // R-296
    let members = "\"expirationPolicy\": { \"expirationDate\": \"2024-05-01T12:00:00Z\" }";
    let toml =
        "id = \"own\"\norigin = \"https://own.example.org\"\nexpires = \"2024-05-01T12:00:00Z\"\n";
    let clock = ManualClock::at(SystemTime::UNIX_EPOCH + Duration::from_secs(1_714_564_799));
    let services = load(&[
        ("a-1.json", definition(1, "a.example.org", members)),
        ("own.toml", toml.to_owned()),
    ])
    .with_clock(Arc::new(clock.clone()));
    let place = services.place("own").unwrap();
    for (url, id) in [
        ("https://a.example.org/", "a.example.org-1"),
        ("https://own.example.org/", "own"),
    ] {
        assert_eq!(found(&services, url), Some(id));
    }
    assert!(services.at(place).is_some());
    clock.advance(Duration::from_secs(1));
    for url in ["https://a.example.org/", "https://own.example.org/"] {
        assert_eq!(found(&services, url), None, "{url}");
    }
    assert!(services.at(place).is_none());
}

#[test]
fn what_a_definition_says_about_people() {
    // R-285, R-288, R-289, R-292, R-293
    let members = r#"
      "accessStrategy": { "requiredAttributes": { "memberOf": [ "staff" ] }, "rejectedAttributes": { "status": [ "left" ] } },
      "usernameAttributeProvider": { "@class": "org.apereo.cas.services.PrincipalAttributeRegisteredServiceUsernameProvider",
        "usernameAttribute": "uid", "canonicalizationMode": "UPPER" },
      "attributeReleasePolicy": { "@class": "org.apereo.cas.services.ChainingAttributeReleasePolicy", "policies": [
        { "@class": "org.apereo.cas.services.ReturnAllAttributeReleasePolicy", "excludedAttributes": [ "status", "uid" ] },
        { "@class": "org.apereo.cas.services.ReturnMappedAttributeReleasePolicy", "allowedAttributes": { "memberOf": "groups" },
          "attributeFilter": { "@class": "org.apereo.cas.services.support.RegisteredServiceRegexAttributeFilter", "pattern": "^app-.+" } } ] }
    "#;
    let services = load(&[("a-1.json", definition(1, "a.example.org", members))]);
    let service = services.by_id("a.example.org-1").unwrap();
    let staff: &[&str] = &["staff", "APP-wiki", "app-"];
    let alice = person(&[
        ("memberOf", staff),
        ("uid", &["al\u{df}", "x"]),
        ("status", &["here"]),
    ]);
    assert!(service.admits(&alice));
    assert_eq!(service.user_name(&alice).as_deref(), Some("ALSS"));
    let told: Vec<String> = service
        .release(&alice)
        .map(|(name, values)| format!("{name}={}", values.join("+")))
        .collect();
    assert_eq!(told, ["memberOf=staff+APP-wiki+app-", "groups=APP-wiki"]);

    for (attributes, admitted, why) in [
        (
            &[("memberOf", staff)][..],
            true,
            "no uid: the name of the login",
        ),
        (
            &[("memberOf", staff), ("uid", &[" "])],
            false,
            "a blank name",
        ),
        (
            &[("memberOf", staff), ("status", &["has left"])],
            false,
            "rejected",
        ),
        (&[("memberOf", &["staff2"])], false, "required whole"),
    ] {
        assert_eq!(service.admits(&person(attributes)), admitted, "{why}");
    }
    let nobody = "\"accessStrategy\": { \"requiredAttributes\": { \"memberOf\": [] } }";
    let services = load(&[("a-1.json", definition(1, "a.example.org", nobody))]);
    assert!(!services.by_id("a.example.org-1").unwrap().admits(&alice));
}

#[test]
fn what_a_definition_says_about_the_service() {
    // R-284, R-291, R-294, R-295
    let members = r#"
      "accessStrategy": { "ssoEnabled": false, "unauthorizedRedirectUrl": "https://a.example.org/no" },
      "logoutType": "FRONT_CHANNEL", "logoutUrl": "https://a.example.org/out", "responseType": "POST",
      "proxyPolicy": { "@class": "org.apereo.cas.services.RegexMatchingRegisteredServiceProxyPolicy",
        "pattern": "^https?://a\\.example\\.org/pgt.*" },
      "description": "An application"
    "#;
    let services = load(&[
        ("a-1.json", definition(1, "a.example.org", members)),
        ("b-2.json", definition(2, "b.example.org", "")),
    ]);
    let service = services.by_id("a.example.org-1").unwrap();
    assert!(!service.sso);
    assert_eq!(
        service.refused_url.as_deref(),
        Some("https://a.example.org/no")
    );
    assert_eq!(service.logout_type, LogoutType::FrontChannel);
    assert_eq!(
        service.logout_url.as_deref(),
        Some("https://a.example.org/out")
    );
    assert_eq!(service.response_type, ResponseType::Post);
    assert_eq!(service.description.as_deref(), Some("An application"));
    for (url, allowed) in [
        ("https://a.example.org/pgt?x=1", true),
        ("https://A.example.org/PGT", true),
        ("https://a.example.org/", false),
        ("https://evil.example/pgt", false),
        ("http://a.example.org/pgt", false),
        ("https://x@a.example.org/pgt", false),
    ] {
        assert_eq!(service.proxy.callback(url).is_some(), allowed, "{url}");
    }
    assert!(!service.proxy.private && !service.proxy.loopback);
    assert!(
        !services
            .by_id("b.example.org-2")
            .unwrap()
            .proxy
            .allows_proxying()
    );
}

#[test]
fn services_have_plain_ids() {
    for (name, id) in [
        ("HTTPS and IMAPS", "https-and-imaps-7"),
        ("../../etc/passwd", "etc-passwd-7"),
        ("…", "service-7"),
        ("Bibliothèque", "biblioth-que-7"),
        (&"x".repeat(200), &format!("{}-7", "x".repeat(40))),
    ] {
        let text =
            serde_json::json!({ "serviceId": "https://a/.*", "name": name, "id": 7 }).to_string();
        let Ok(Definition::Service(definition)) = ServiceDefinition::read(&text, &[]) else {
            panic!("{text}");
        };
        assert_eq!(apereo_service_id(&definition), id);
    }
}
