use std::collections::BTreeMap;
use std::fs;

use super::*;
use crate::people::Person;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn load(files: &[(&str, &str)]) -> Services {
    Services::load(folder(files).path()).unwrap()
}

/// What is said, with the folder cut off the paths.
fn faults(files: &[(&str, &str)]) -> String {
    let folder = folder(files);
    let said = Services::load(folder.path())
        .expect_err("must be refused")
        .to_string();
    said.replace(&format!("{}/", folder.path().display()), "")
}

fn found<'a>(services: &'a Services, url: &str) -> Option<&'a str> {
    let url = RegistryUrl::parse(url).unwrap();
    services.find(&url).map(|service| service.id.as_str())
}

#[test]
fn one_file_one_service() {
    let services = load(&[
        (
            "app.toml",
            "id = \"app\"\nname = \"Course catalogue\"\norigin = \"https://app.example.org\"\n\
             path_prefix = \"/w/\"\nallow_http = false\nattributes = [\"mail\", \"memberOf\"]\n",
        ),
        ("notes.txt", "not a service"),
        (".hidden.toml", "not = [valid"),
        ("app.toml~", "a backup"),
    ]);
    assert_eq!(services.len(), 1);
    let app = services.by_id("app").unwrap();
    assert_eq!(app.display_name(), "Course catalogue");
    assert!(app.enabled && app.sso);
    assert_eq!(app.logout_type, LogoutType::BackChannel, "R-075");
    assert!(!app.proxy.allows_proxying(), "R-192");
    assert_eq!(
        found(&services, "https://app.example.org/w/x?y=1"),
        Some("app")
    );
    assert_eq!(found(&services, "https://app.example.org/"), None);
    assert_eq!(found(&services, "http://app.example.org/w/x"), None);
    assert!(services.warnings().is_empty());
}

#[test]
fn who_may_act_as_a_proxy_and_where() {
    // S-052
    let services = load(&[
        (
            "app.toml",
            "id = \"app\"\norigin = \"https://app.example.org\"\nlogout_type = \"front_channel\"\n[proxy]\n\
             callbacks = [\"https://app.example.org/cas/pgt\", \"https://b.example.org/cas/\", \
             \"https://c.example.org\"]\nprivate = true\n",
        ),
        (
            "dev.toml",
            "id = \"dev\"\norigin = \"https://dev.example.org\"\nlogout_type = \"none\"\n[proxy]\nloopback = true\n",
        ),
    ]);
    let (app, dev) = (
        services.by_id("app").unwrap(),
        services.by_id("dev").unwrap(),
    );
    assert_eq!(app.logout_type, LogoutType::FrontChannel, "R-294");
    assert_eq!(dev.logout_type, LogoutType::None, "R-294");
    assert!(app.proxy.allows_proxying() && app.proxy.private && dev.proxy.allows_proxying());
    for (url, by_app, by_dev) in [
        ("https://app.example.org/cas/pgt?x=1", true, false),
        ("https://app.example.org/cas/pgt/", false, false),
        ("https://app.example.org:8443/cas/pgt", false, false),
        ("http://app.example.org/cas/pgt", false, false),
        ("https://b.example.org/cas/x", true, false),
        ("https://b.example.org/cas", false, false),
        ("https://c.example.org/", true, false),
        ("https://localhost:8000/", false, true),
        ("http://127.0.0.1/pgt", false, true),
    ] {
        assert_eq!(app.proxy.callback(url).is_some(), by_app, "{url}");
        assert_eq!(dev.proxy.callback(url).is_some(), by_dev, "{url}");
    }
    assert!(services.warnings()[0].contains("`proxy.loopback` is for development"));

    for (line, fault) in [
        (
            "[proxy]\ncallbacks = [\"http://a.example.org\"]",
            "`proxy.callbacks` has",
        ),
        (
            "[proxy]\ncallbacks = \"https://a.example.org\"",
            "must be a list of texts",
        ),
        (
            "[proxy]\nprivate = true",
            "`proxy.private` needs `proxy.callbacks`",
        ),
        (
            "logout_type = \"front\"",
            "must be \"back_channel\", \"front_channel\" or \"none\"",
        ),
        ("single_logout = false", "unknown key `single_logout`"),
    ] {
        let text = format!("id = \"a\"\norigin = \"https://a.example.org\"\n{line}\n");
        let faults = faults(&[("a.toml", text.as_str())]);
        assert!(faults.contains(fault), "{line}: {faults}");
    }
}

#[test]
fn an_empty_folder_is_nobody() {
    let services = load(&[]);
    assert!(services.is_empty());
    assert_eq!(
        found(&services, "https://app.example.org/"),
        None,
        "S-032, R-299"
    );
    assert!(services.warnings()[0].starts_with("no service is registered"));
}

#[test]
fn the_narrowest_rule_counts_and_then_the_file_name() {
    let services = load(&[
        (
            "1.toml",
            "id = \"regex\"\nregex = 'https://a\\.example\\.org/.*'\n",
        ),
        (
            "2.toml",
            "id = \"star\"\norigin = \"https://*.example.org\"\n",
        ),
        (
            "3.toml",
            "id = \"origin\"\norigin = \"https://a.example.org\"\n",
        ),
        (
            "4.toml",
            "id = \"w\"\norigin = \"https://a.example.org\"\npath_prefix = \"/w\"\n",
        ),
        (
            "5.toml",
            "id = \"w-x\"\norigin = \"https://a.example.org\"\npath_prefix = \"/w/x\"\n",
        ),
        (
            "6.toml",
            "id = \"exact\"\nurl = \"https://a.example.org/w/x/cas\"\n",
        ),
        (
            "7.toml",
            "id = \"later\"\norigin = \"https://a.example.org\"\n",
        ),
        (
            "8.toml",
            "id = \"off\"\nurl = \"https://a.example.org/off\"\nenabled = false\n",
        ),
    ]);
    for (url, expected) in [
        ("https://a.example.org/w/x/cas?a=1", "exact"),
        ("https://a.example.org/w/x/other", "w-x"),
        ("https://a.example.org/w/y", "w"),
        ("https://a.example.org/wiki", "origin"),
        ("https://b.example.org/", "star"),
    ] {
        assert_eq!(found(&services, url), Some(expected), "{url}");
    }
    let off = "https://a.example.org/off";
    assert_eq!(
        found(&services, off),
        None,
        "R-283: a disabled service decides"
    );
}

#[test]
fn the_index_by_host_changes_no_answer() {
    let services = load(&[
        (
            "1.toml",
            "id = \"name\"\norigin = \"https://App.Example.org\"\n",
        ),
        (
            "2.toml",
            "id = \"v6\"\norigin = \"https://[2001:db8::1]:8443\"\n",
        ),
        ("3.toml", "id = \"v4\"\nurl = \"https://192.0.2.1/cas\"\n"),
        (
            "4.toml",
            "id = \"idn\"\norigin = \"https://xn--bcher-kva.example\"\n",
        ),
        (
            "5.toml",
            "id = \"star\"\norigin = \"https://*.example.org\"\n",
        ),
        (
            "6.toml",
            "id = \"regex\"\nregex = 'https://r[0-9]\\.example\\.net/'\n",
        ),
        (
            "7.toml",
            "id = \"dev\"\norigin = \"http://localhost\"\nallow_http = true\nany_port = true\n",
        ),
    ]);
    let mut let_in = 0;
    for url in [
        "https://app.example.org/",
        "https://APP.example.org/",
        "https://app.example.org:8443/",
        "https://[2001:db8::1]:8443/x",
        "https://[2001:DB8::1]:8443/x",
        "https://192.0.2.1/cas",
        "https://xn--bcher-kva.example/",
        "https://other.example.org/",
        "https://r7.example.net/",
        "http://localhost:5000/login",
        "https://evil.example/",
    ] {
        let url = RegistryUrl::parse(url).unwrap();
        let scan = services
            .iter()
            .find(|service| service.enabled && service.rule.matches(&url));
        let id = |service: Option<&Service>| service.map(|service| service.id.clone());
        assert_eq!(id(services.find(&url)), id(scan), "{}", url.as_str());
        let_in += usize::from(scan.is_some());
    }
    assert!(let_in >= 8, "{let_in}");
}

#[test]
fn every_fault_of_every_file_is_told_at_once() {
    let said = faults(&[
        (
            "a.toml",
            "id = \"app\"\norigin = \"https://app.example.org\"\n",
        ),
        (
            "b.toml",
            "id = \"app\"\norigin = \"https://b.example.org\"\n",
        ),
        (
            "c.toml",
            "id = \"c\"\norigin = \"https://c.example.org\"\nattribute = [\"mail\"]\n",
        ),
        ("d.toml", "origin = \"https://d.example.org\"\n"),
        ("e.toml", "id = \"e\"\n"),
        (
            "f.toml",
            "id = \"f\"\norigin = \"https://f.example.org\"\nurl = \"https://f.example.org/\"\n",
        ),
        (
            "g.toml",
            "id = \"g\"\norigin = \"https://g.example.org\"\nattributes = \"mail\"\n",
        ),
        (
            "h.toml",
            "id = \"h h\"\norigin = \"https://h.example.org\"\n",
        ),
        ("i.toml", "id = [\n"),
        ("j.toml", "id = \"j\"\norigin = 7\n"),
        (
            "k.toml",
            "id = \"k\"\norigin = \"https://k.example.org\"\nlogout_url = \"http://k.example.org/\"\n",
        ),
    ]);
    let expected = [
        "b.toml:1: the id \"app\" is taken by a.toml\n  fix: give each service an id of its own",
        "c.toml:3: unknown key `attribute`\n  fix: did you mean `attributes`?",
        "d.toml: `id` is missing\n  fix: add, for example: id = \"app\"",
        "e.toml:1: `origin`, `url` or `regex` is missing\n  fix: a service has exactly one of `origin`, `url` and `regex`",
        "f.toml:3: `origin` and `url` cannot stand together\n  fix: a service has exactly one of `origin`, `url` and `regex`",
        "g.toml:3: `attributes` is \"mail\", but must be a list of attribute names, or \"all\"\n  fix: for example: attributes = [\"mail\", \"memberOf\"]",
        "h.toml:1: `id` is \"h h\", but must be up to 64 letters, digits, `-`, `_` and `.`\n  fix: for example: id = \"app\"",
        "i.toml:1: is not TOML: ",
        "j.toml:2: `origin` is 7, but must be a text\n  fix: for example: origin = \"https://app.example.org\"",
        "k.toml:3: `logout_url` is \"http://k.example.org/\", but must be an https URL without user name or `#`\n  fix: for example: logout_url = \"https://app.example.org/cas/logout\"",
    ];
    for part in expected {
        assert!(said.contains(part), "{part}\nis not in\n{said}");
    }
    assert_eq!(said.matches(".toml:").count(), expected.len(), "{said}");
}

#[test]
fn rules_that_let_too_much_in_are_refused() {
    // S-033, S-034: the file, the line, the field and what to do.
    for (text, field) in [
        ("id = \"a\"\nregex = '^(https|imaps)://.*'\n", "regex"),
        (
            "id = \"a\"\nregex = 'https://app.example.org/.*'\n",
            "regex",
        ),
        (
            "id = \"a\"\nregex = 'https://app\\.example\\.org.*'\n",
            "regex",
        ),
        ("id = \"a\"\nregex = '(a+)+$'\n", "regex"),
        (
            "id = \"a\"\nregex = 'https://app\\.example\\.org/(((((x{100}){100}){100}){100}){100})'\n",
            "regex",
        ),
        (
            "id = \"a\"\norigin = \"http://app.example.org\"\n",
            "origin",
        ),
        (
            "id = \"a\"\norigin = \"https://app.example.org/path\"\n",
            "origin",
        ),
        ("id = \"a\"\norigin = \"https://*\"\n", "origin"),
        (
            "id = \"a\"\npath_prefix = \"w\"\norigin = \"https://app.example.org\"\n",
            "path_prefix",
        ),
        (
            "id = \"a\"\npath_prefix = \"/w/\"\nurl = \"https://app.example.org/w/x\"\n",
            "path_prefix",
        ),
    ] {
        let said = faults(&[("a.toml", text)]);
        assert!(
            said.starts_with(&format!("a.toml:2: `{field}` = ")),
            "{said}"
        );
        assert!(said.contains("\n  fix: "), "{said}");
    }
}

#[test]
fn a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let said = Services::load(folder.path().join("services"))
        .unwrap_err()
        .to_string();
    assert!(said.contains("services: the folder of services cannot be read: "));
}

#[test]
fn a_service_is_told_what_it_may_know_and_no_more() {
    // S-066
    let alice = Person {
        id: "alice".into(),
        password_hash: "$argon2id$…".into(),
        attributes: BTreeMap::from([
            ("mail".to_owned(), vec!["alice@example.org".to_owned()]),
            (
                "memberOf".to_owned(),
                vec!["staff".to_owned(), "admin".to_owned()],
            ),
            ("nothing".to_owned(), vec![]),
            ("salary".to_owned(), vec!["1".to_owned()]),
        ]),
        disabled: false,
    };
    let told = |attributes: &str| {
        let text = format!("id = \"a\"\norigin = \"https://a.example.org\"\n{attributes}");
        let services = load(&[("a.toml", &text)]);
        let service = services.by_id("a").unwrap();
        service
            .release(&alice)
            .map(|(name, values)| format!("{name}={}", values.join("+")))
            .collect::<Vec<_>>()
    };
    assert!(told("").is_empty(), "deny by default");
    assert!(told("attributes = []\n").is_empty());
    assert_eq!(
        told("attributes = [\"mail\"]\n"),
        ["mail=alice@example.org"]
    );
    assert_eq!(
        told("attributes = [\"memberOf\", \"mail\", \"nothing\", \"unknown\", \"MAIL\"]\n"),
        ["memberOf=staff+admin", "mail=alice@example.org"]
    );
    assert_eq!(told("attributes = \"all\"\n").len(), 3);
}

#[test]
fn order_query_names_and_who_is_rejected() {
    //
    let services = load(&[
        (
            "late.toml",
            "id = \"late\"\nurl = \"https://a.example.org/x\"\nquery = false\norder = 2\n\
             rename = { mail = [\"email\", \"mail\"] }\nuser_attribute = \"uid\"\nuser_case = \"lower\"\n\
             reject = { status = [\"left\"] }\nreject_regex = { status = ['gone-.*'] }\n",
        ),
        (
            "wide.toml",
            "id = \"wide\"\norigin = \"https://a.example.org\"\norder = 3\nattributes = \"all\"\n\
             rename = { uid = [\"user\"] }\n[proxy]\ncallbacks = [\"https://a.example.org/pgt\"]\nquery = false\n",
        ),
    ]);
    assert_eq!(found(&services, "https://a.example.org/x"), Some("late"));
    assert_eq!(found(&services, "https://a.example.org/x?y"), Some("wide"));
    let person = |status: &str| Person {
        id: "alice".into(),
        password_hash: String::new(),
        attributes: BTreeMap::from([
            ("mail".to_owned(), vec!["a@example.org".to_owned()]),
            ("status".to_owned(), vec![status.to_owned()]),
            ("uid".to_owned(), vec!["A1".to_owned(), "B2".to_owned()]),
        ]),
        disabled: false,
    };
    let (late, wide) = (
        services.by_id("late").unwrap(),
        services.by_id("wide").unwrap(),
    );
    for (status, admitted) in [
        ("here", true),
        ("left", false),
        ("gone-away", false),
        ("gone", true),
    ] {
        assert_eq!(late.admits(&person(status)), admitted, "{status}");
    }
    let alice = person("here");
    assert_eq!(late.user_name(&alice).as_deref(), Some("a1"));
    assert_eq!(wide.user_name(&alice).as_deref(), Some("alice"));
    let told = |service: &Service| {
        let names = service.release(&alice).map(|(name, _)| name.to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(told(late), ["email", "mail"]);
    assert_eq!(told(wide), ["mail", "status", "uid", "user"]);
    assert!(services.warnings()[0].contains("`wide` is told every attribute"));
    assert!(wide.proxy.callback("https://a.example.org/pgt").is_some());
    assert!(wide.proxy.callback("https://a.example.org/pgt?x").is_none());

    for (line, fault) in [
        ("expires = \"tomorrow\"", "`expires` is \"tomorrow\""),
        ("expires = \"2027-12-31\"", "must be a moment with its zone"),
        (
            "reject_regex = { a = ['('] }",
            "\"(\" is no regular expression",
        ),
        ("order = -1", "`order` is -1"),
        (
            "user_case = \"title\"",
            "must be \"kept\", \"upper\" or \"lower\"",
        ),
    ] {
        let text = format!("id = \"a\"\norigin = \"https://a.example.org\"\n{line}\n");
        let faults = faults(&[("a.toml", text.as_str())]);
        assert!(faults.contains(fault), "{line}: {faults}");
    }
}

#[test]
fn warnings_about_generosity() {
    let services = load(&[
        (
            "a.toml",
            "id = \"a\"\norigin = \"http://a.example.org\"\nallow_http = true\nattributes = \"all\"\n",
        ),
        (
            "b.toml",
            "id = \"b\"\norigin = \"http://localhost:8000\"\nallow_http = true\n",
        ),
    ]);
    assert_eq!(
        services.warnings(),
        [
            "service `a` allows plain http: its tickets can be read on the way",
            "service `a` is told every attribute of everybody, also those added later",
        ]
    );
}

#[test]
fn a_blank_id_is_called_blank() {
    let said = faults(&[(
        "a.toml",
        "id = \"\"\norigin = \"https://app.example.org\"\n",
    )]);
    assert!(said.contains("`id` is blank, but must be a text"), "{said}");
}
