use std::{fs, path::Path};

use casque_proto::RegistryUrl;
use casque_proto::apereo::{Definition, ServiceDefinition};
use casque_server::{Services, apereo_service_id};
use serde_json::Value;

use crate::run::{Said, run};

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, text).expect("written");
    }
    folder
}

fn import(folder: &Path, further: &[&str]) -> Said {
    run(
        folder,
        &[&["service", "import", "apereo"], further].concat(),
    )
}

/// The names in a folder, hidden ones too.
fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut names: Vec<String> = entries
        .map(|entry| {
            entry
                .expect("an entry")
                .file_name()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

const WIKI: &str = r#"{
  /* the wiki */
  "@class" : "org.apereo.cas.services.RegexRegisteredService",
  "serviceId" : "^https://wiki.example.org/w/.*",
  "name" : "The wiki", "id" : 1001, "theme" : "dark",
  "attributeReleasePolicy" : { "@class" : "org.apereo.cas.services.ReturnMappedAttributeReleasePolicy",
    "allowedAttributes" : { "@class" : "java.util.TreeMap", "mail" : "email", "cn" : "cn" } },
  "accessStrategy" : { "@class" : "org.apereo.cas.services.DefaultRegisteredServiceAccessStrategy",
    "requiredAttributes" : { "@class" : "java.util.HashMap", "memberOf" : [ "java.util.HashSet", [ "staff" ] ],
      "faculty" : [ "java.util.HashSet", [ "law|arts" ] ] },
    "rejectedAttributes" : { "status" : [ "java.util.HashSet", [ "left" ] ] } },
  "usernameAttributeProvider" : { "@class" : "org.apereo.cas.services.PrincipalAttributeRegisteredServiceUsernameProvider",
    "usernameAttribute" : "uid", "canonicalizationMode" : "LOWER" },
  "proxyPolicy" : { "@class" : "org.apereo.cas.services.RegexMatchingRegisteredServiceProxyPolicy",
    "pattern" : "^https://wiki\\.example\\.org/pgt$" },
  "logoutType" : "FRONT_CHANNEL", "responseType" : "POST",
  "expirationPolicy" : { "@class" : "org.apereo.cas.services.DefaultRegisteredServiceExpirationPolicy",
    "expirationDate" : "2037-12-31T00:00:00Z" },
}
"#;

const MFA: &str = r#"{
  "@class" : "org.apereo.cas.services.CasRegisteredService",
  "serviceId" : "^https://safe\\.example\\.org/.*", "name" : "Safe", "id" : 2,
  "multifactorPolicy" : { "@class" : "org.apereo.cas.services.DefaultRegisteredServiceMultifactorPolicy",
    "multifactorAuthenticationProviders" : [ "java.util.LinkedHashSet", [ "mfa-duo" ] ] }
}
"#;

const OIDC: &str = r#"{ "@class" : "org.apereo.cas.services.OidcRegisteredService", "serviceId" : "x", "name" : "o", "id" : 3 }"#;

#[test]
fn a_report_says_what_was_understood_approximated_and_refused() {
    // R-274, R-276, R-277, R-297
    let folder = folder(&[
        ("apereo/wiki-1001.json", WIKI),
        ("apereo/more/safe-2.json", MFA),
        ("apereo/oidc-3.json", OIDC),
    ]);
    let said = import(folder.path(), &[]);
    assert_eq!((said.status, said.err.as_str()), (1, ""));
    for part in [
        "apereo/wiki-1001.json: approximated\n",
        "  ignored: line 5: `theme`: ",
        "  approximated: line 4: `serviceId`: taken as it is, and laxer than it looks: it lets other hosts in, such as \
         https://wikixexample.org/\n",
        "apereo/more/safe-2.json: refused\n  refused: line 4: unsupported multifactorPolicy: \
         DefaultRegisteredServiceMultifactorPolicy\n    fix: there are no second factors here",
        "apereo/oidc-3.json: skipped, a OidcRegisteredService is not a CAS service\n",
        "0 understood, 1 approximated, 1 refused, 1 of other protocols.\n",
    ] {
        assert!(said.out.contains(part), "{part}\n{}", said.out);
    }
    let said = import(folder.path(), &["--json", "--ignore", "multifactorPolicy"]);
    assert_eq!(said.status, 0);
    let reports: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(reports[0]["file"], "apereo/more/safe-2.json");
    assert_eq!(reports[0]["result"], "understood");
    assert_eq!(reports[0]["findings"][0]["kind"], "ignored");
    assert_eq!(
        (&reports[2]["id"], &reports[2]["name"]),
        (&1001.into(), &"The wiki".into())
    );
    assert_eq!(
        names(folder.path()),
        ["apereo"],
        "nothing is written unasked"
    );
}

#[test]
fn files_are_written_all_or_none_and_never_over_others() {
    let folder = folder(&[("apereo/wiki-1001.json", WIKI), ("apereo/safe-2.json", MFA)]);
    let to = folder.path().join("services");
    let said = import(folder.path(), &["--to", "services"]);
    assert_eq!(said.status, 1);
    assert!(
        said.out
            .ends_with("1 refused, 0 of other protocols. Nothing was written.\n"),
        "{}",
        said.out
    );
    assert_eq!(names(&to), [""; 0]);

    let said = import(folder.path(), &["--to", "services", "--skip-refused"]);
    assert_eq!(said.status, 1);
    assert!(
        said.out
            .contains("wiki-1001.json: approximated, written to services/the-wiki-1001.toml\n"),
        "{}",
        said.out
    );
    assert_eq!(names(&to), ["the-wiki-1001.toml"]);
    let text = fs::read_to_string(to.join("the-wiki-1001.toml")).expect("a file");
    assert_eq!(
        text,
        "id = \"the-wiki-1001\"\nname = \"The wiki\"\norigin = \"https://wiki.example.org\"\npath_prefix = \"/w/\"\n\
         expires = \"2037-12-31T00:00:00Z\"\nuser_attribute = \"uid\"\nuser_case = \"lower\"\nresponse_type = \"post\"\n\
         logout_type = \"front_channel\"\nattributes = [\"cn\"]\nrename = { mail = [\"email\"] }\n\
         require = { memberOf = [\"staff\"] }\nrequire_regex = { faculty = [\"law|arts\"] }\n\
         reject_regex = { status = [\"(?s:.*)(?:left)(?s:.*)\"] }\n\n\
         [proxy]\ncallbacks = [\"https://wiki.example.org/pgt\"]\nquery = false\n"
    );

    fs::write(to.join("the-wiki-1001.toml"), "mine").expect("written");
    let ignore = ["--to", "services", "--ignore", "multifactorPolicy"];
    let said = import(folder.path(), &ignore);
    assert_eq!(said.status, 1);
    assert!(
        said.out
            .contains("services/the-wiki-1001.toml is there already"),
        "{}",
        said.out
    );
    assert_eq!(
        names(&to),
        ["the-wiki-1001.toml"],
        "the other is not written either"
    );
    assert_eq!(
        fs::read_to_string(to.join("the-wiki-1001.toml")).expect("a file"),
        "mine"
    );

    let said = import(folder.path(), &[&ignore[..], &["--force"]].concat());
    assert_eq!(said.status, 0, "{}", said.out);
    assert!(
        said.out.ends_with(" 2 files written to services.\n"),
        "{}",
        said.out
    );
    assert_eq!(
        fs::read_to_string(to.join("the-wiki-1001.toml")).expect("a file"),
        text
    );

    let said = run(
        folder.path(),
        &["service", "list", "--services", "services"],
    );
    assert_eq!(said.status, 0, "{}", said.err);
    assert_eq!(
        said.out,
        "the-wiki-1001  https://wiki.example.org/w/  \"The wiki\" (may proxy)\nsafe-2  https://safe.example.org  \"Safe\"\n"
    );
}

#[test]
fn what_casques_own_files_cannot_say_is_refused_there_only() {
    let wide = r#"{ "serviceId" : "^https?://.*", "name" : "all", "id" : 9 }"#;
    let filter = WIKI.replace(
        "\"allowedAttributes\"",
        "\"attributeFilter\" : { \"@class\" : \"org.apereo.cas.services.support.RegisteredServiceRegexAttributeFilter\", \
         \"pattern\" : \"a.*\" }, \"allowedAttributes\"",
    );
    let folder = folder(&[
        ("apereo/all-9.json", wide),
        ("apereo/wiki-1001.json", &filter),
    ]);
    assert_eq!(import(folder.path(), &[]).status, 0);
    let said = import(folder.path(), &["--to", "services"]);
    assert_eq!(said.status, 1);
    for part in [
        "  refused: `serviceId`: ",
        "leave the .json file to the server",
        "no attributeFilter",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let said = run(
        folder.path(),
        &["service", "list", "--json", "--services", "apereo"],
    );
    let list: Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(list[0]["rule"], "^https?://.*");
    assert!(
        said.err.contains("matches probe URLs on other hosts"),
        "R-282: {}",
        said.err
    );
}

#[test]
fn misuse_ends_with_two() {
    let folder = folder(&[("apereo/a.json", "{")]);
    for arguments in [
        &["service", "import"][..],
        &["service", "import", "nowhere"],
        &["service", "import", "apereo", "--force"],
        &["service", "import", "apereo", "--skip-refused"],
        &["service", "import", "apereo", "--ignore", "accessStrategy"],
    ] {
        let said = run(folder.path(), arguments);
        assert_eq!(said.status, 2, "{arguments:?}: {}", said.err);
        assert!(!said.err.is_empty());
    }
    let said = import(folder.path(), &[]);
    assert_eq!(said.status, 1);
    assert!(
        said.out.contains("refused: line 1: not JSON: "),
        "{}",
        said.out
    );
}

#[test]
fn what_is_written_is_nowhere_laxer_than_what_was_read() {
    // R-279, R-283: whoever the new files let in, the definitions let in as well, and as the same service.
    let definitions = [
        (
            "off",
            0,
            r"https://h.example.org/off.*",
            r#""accessStrategy" : { "enabled" : false }"#,
        ),
        ("admin", 1, r"^https://h.example.org/admin/.*", ""),
        ("exact", 2, r"https://h\\.example\\.org/cas", ""),
        ("sub", 2, r"https://h.example.org/cas/x/?.*$", ""),
        ("wide", 9, r"^https://h\\.example\\.org/.*", ""),
        ("loose", 3, r"https://x.example.org.*", ""),
        ("tree", 3, r"https://y\\.example\\.org/app(/.*)?", ""),
        ("alone", 3, r"https://alone\\.example\\.org/app.php", ""),
        ("begins", 3, r"https://y\\.example\\.org/other.*", ""),
        ("plain", 3, r"https?://z\\.example\\.org/.*", ""),
        ("port", 3, r"https://p\\.example\\.org:8443/.*", ""),
        ("list", 3, r"https://r[0-9]\\.example\\.org/[a-z]+", ""),
        ("open-list", 3, r"https://s[0-9]\\.example\\.org/.*", ""),
    ];
    let files: Vec<(String, String)> = definitions
        .iter()
        .enumerate()
        .map(|(id, (name, order, pattern, more))| {
            let more = if more.is_empty() { String::new() } else { format!(", {more}") };
            let text = format!(
                r#"{{ "serviceId" : "{pattern}", "name" : "{name}", "id" : {id}, "evaluationOrder" : {order}{more} }}"#
            );
            (format!("apereo/{name}-{id}.json"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    let folder = folder(&files);
    let said = import(folder.path(), &["--to", "services"]);
    assert!(said.status < 2, "{}{}", said.out, said.err);
    let refused: Vec<&str> = said
        .out
        .lines()
        .filter(|line| line.ends_with(": refused"))
        .collect();
    assert!(refused.is_empty(), "{}", said.out);
    let read = Services::load(folder.path().join("apereo")).expect("services");
    let written = Services::load(folder.path().join("services")).expect("services");
    let mut definitions: Vec<_> = files
        .iter()
        .map(|(_, text)| match ServiceDefinition::read(text, &[]) {
            Ok(Definition::Service(definition)) => definition,
            other => panic!("{other:?}"),
        })
        .collect();
    definitions.sort_by(|a, b| a.place().cmp(&b.place()));
    // What Apereo does: the first that matches decides.
    let apereo = |address: &str| {
        let first = definitions
            .iter()
            .find(|known| known.pattern.matches(address))?;
        first.enabled.then(|| apereo_service_id(first))
    };

    let hosts = [
        "h.example.org",
        "H.example.org",
        "hxexample.org",
        "h.example.org.evil.example",
        "x.example.org",
        "x.example.org.evil.example",
        "y.example.org",
        "alone.example.org",
        "z.example.org",
        "p.example.org:8443",
        "p.example.org",
        "r1.example.org",
        "s7.example.org",
        "s77.example.org",
    ];
    let paths = [
        "",
        "/",
        "/off",
        "/OFF/x",
        "/offside",
        "/admin",
        "/admin/",
        "/Admin/x",
        "/admin/x?y=z",
        "/admin/a%2fb",
        "/cas",
        "/CAS",
        "/cas?x",
        "/cas/x",
        "/cas/xy?z",
        "/app",
        "/app/",
        "/app/x",
        "/App/x",
        "/application",
        "/app?x",
        "/app/?x",
        "/app.php",
        "/app.php?x",
        "/appxphp",
        "/other",
        "/otherwise",
        "/other/x",
        "/abc",
        "/abc?x",
        "/ABC",
        "/1",
        "?x",
        "/;jsessionid=1",
    ];
    let (mut let_in, mut kept) = (0, 0);
    for scheme in ["https", "http"] {
        for (host, path) in hosts.iter().flat_map(|host| paths.map(|path| (host, path))) {
            let Ok(url) = RegistryUrl::parse(&format!("{scheme}://{host}{path}")) else {
                continue;
            };
            let id = |services: &Services| services.find(&url).map(|service| service.id.clone());
            let theirs = apereo(url.as_str());
            // `https://a` and `https://a/` are one address, which an expression may tell apart.
            let with_slash = apereo(&format!("{scheme}://{host}/{path}"));
            let bare = path.is_empty() || path.starts_with('?');
            let (read, written) = (id(&read), id(&written));
            assert!(
                read.is_none() || read == theirs,
                "{}: {theirs:?} {read:?}",
                url.as_str()
            );
            let fits = written == theirs || (bare && written == with_slash);
            assert!(
                written.is_none() || fits,
                "{}: {theirs:?} {written:?}",
                url.as_str()
            );
            let_in += usize::from(theirs.is_some());
            kept += usize::from(written.is_some());
        }
    }
    assert!(
        kept > 100 && let_in > kept,
        "{let_in} let in by Apereo, {kept} by the new files"
    );
}
