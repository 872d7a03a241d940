use std::fs;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

const MINIMAL: &str = "base_url = \"https://cas.example.edu/cas\"\n";

fn read(text: &str) -> Result<Config, ConfigErrors> {
    read_with(text, [])
}

/// Reads the text as `casque.toml`; messages name it without its folder.
fn read_with<const N: usize>(
    text: &str,
    variables: [(&str, &str); N],
) -> Result<Config, ConfigErrors> {
    let mut faults = Faults::default();
    let mut sheet = Sheet::read(Path::new("casque.toml"), text, table::KEYS, &mut faults);
    for (name, value) in variables {
        sheet.set_from_environment(name, value, &mut faults);
    }
    if !sheet.is_unreadable() {
        sheet.require(&mut faults);
    }
    let config = Config::from_sheet(&sheet, &mut faults);
    faults.or(config)
}

#[test]
fn one_line_is_enough() {
    let config = read(MINIMAL).unwrap();
    assert_eq!(config.base_url.as_str(), "https://cas.example.edu/cas");
    assert_eq!(config.listen, "127.0.0.1:8443".parse().unwrap());
    assert!(config.listen.ip().is_loopback(), "S-074");
    assert_eq!(config.store.to_string(), "sqlite:casque.db");
    assert_eq!(config.login.max_failures, 20);
    assert_eq!(config.login.window, Duration::from_mins(15));
    assert_eq!(
        config.tickets.service_ticket_lifetime,
        Duration::from_secs(10),
        "S-009"
    );
    assert_eq!(config.sso.absolute, Duration::from_hours(8));
    assert_eq!(config.sso.idle, Duration::from_hours(2));
    assert_eq!(config.passwords.params, HashParams::default());
    assert!(config.passwords.workers >= 1);
    assert_eq!(config.limits.body_bytes, 16 * 1024, "S-061");
    assert_eq!(config.limits.header_bytes, 32 * 1024, "S-095");
    assert!(config.tls.is_none());
    assert!(config.trusted_proxies.is_empty());
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("base_url is https, but neither [tls] nor trusted_proxies"));
}

#[test]
fn the_shape_of_the_manual() {
    let config = read(
        "base_url = \"https://cas.example.edu/cas\"     # what browsers see; never read from a request\n\
         listen = \"127.0.0.1:8443\"\n\
         store = \"sqlite:casque.db\"                   # or \"memory:\"\n\
         people = \"people.toml\"\n\
         services = \"services/\"\n\
         trusted_roots = \"ca.pem\"                     # optional, for calls out\n\
         [login]\n\
         max_failures = 20\n",
    )
    .unwrap();
    assert_eq!(config.trusted_roots.as_deref(), Some(Path::new("ca.pem")));
}

#[test]
fn every_default_and_example_keeps_its_own_rule() {
    for keys in [
        table::KEYS,
        crate::registry::KEYS,
        &crate::people::KEYS[..2],
    ] {
        for key in keys {
            let example = toml::de::DeValue::parse(key.example)
                .unwrap_or_else(|error| panic!("{}: {error}", key.name));
            assert!(
                key.kind.read(example.get_ref()).is_some(),
                "the example of {}",
                key.name
            );
            if matches!(key.default, Default::Is(_)) {
                assert!(key.default_value().is_some(), "{}", key.name);
            }
        }
    }
}

#[test]
fn a_file_with_every_key_is_read() {
    let line = |key: &Key| format!("{} = {}\n", key.name, key.example);
    let (below, top): (Vec<_>, Vec<_>) = table::KEYS.iter().partition(|key| key.name.contains('.'));
    let text: String = top.into_iter().chain(below).map(line).collect();
    let config = read(&text).unwrap();
    assert_eq!(config.organisation.as_deref(), Some("Example University"));
    assert_eq!(config.passwords.workers, 2);
    assert_eq!(
        config.trusted_proxies,
        [
            "127.0.0.1/32".parse().unwrap(),
            "10.0.0.0/8".parse().unwrap()
        ]
    );
    assert_eq!(config.tls.unwrap().key, Path::new("cas.key"));
}

/// Every message that an operator can meet, word for word.
#[test]
fn bad_configurations_and_what_is_said() {
    let rows: &[(&str, &str)] = &[
        (
            "",
            "casque.toml: `base_url` is missing\n  \
             fix: add, for example: base_url = \"https://cas.example.edu/cas\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[apereo]\nignore = [\"multifactorPolicy\", \"accessStrategy\"]\n",
            "casque.toml:3: `apereo.ignore` has \"accessStrategy\", which cannot be left aside\n  \
             fix: known here: authenticationPolicy, multifactorPolicy, proxyGrantingTicketExpirationPolicy, \
             proxyTicketExpirationPolicy, serviceTicketExpirationPolicy, singleSignOnParticipationPolicy, \
             ticketGrantingTicketExpirationPolicy, webflowInterruptPolicy",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\nlisen = \"127.0.0.1:8443\"\n",
            "casque.toml:2: unknown key `lisen`\n  fix: did you mean `listen`?",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nmax_failure = 3\n",
            "casque.toml:3: unknown key `login.max_failure`\n  fix: did you mean `max_failures`?",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\nmax_failures = 3\n",
            "casque.toml:2: unknown key `max_failures`\n  fix: `max_failures` belongs below [login]",
        ),
        (
            "[login]\nbase_url = \"https://cas.example.edu/cas\"\n",
            "casque.toml: `base_url` is missing\n  \
             fix: add, for example: base_url = \"https://cas.example.edu/cas\"\n\
             casque.toml:2: unknown key `login.base_url`\n  \
             fix: `base_url` belongs at the top of the file, above every [table]",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\ncolour = 1\n",
            "casque.toml:3: unknown key `login.colour`\n  \
             fix: known here: max_failures, max_failures_per_network, window, form_lifetime",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\nlogin = 20\n",
            "casque.toml:2: `login` is 20, but must be a table\n  \
             fix: write [login] and its keys below it",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nmax_failures = 0\n",
            "casque.toml:3: `login.max_failures` is 0, but must be a whole number from 1 to 100 (failures)\n  \
             fix: for example: max_failures = 20",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nmax_failures = 101\n",
            "casque.toml:3: `login.max_failures` is 101, but must be a whole number from 1 to 100 (failures)\n  \
             fix: for example: max_failures = 20",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nmax_failures = \"20\"\n",
            "casque.toml:3: `login.max_failures` is \"20\", but must be a whole number from 1 to 100 (failures)\n  \
             fix: for example: max_failures = 20",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nmax_failures = -1\n",
            "casque.toml:3: `login.max_failures` is -1, but must be a whole number from 1 to 100 (failures)\n  \
             fix: for example: max_failures = 20",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nmax_failures = 2.5\n",
            "casque.toml:3: `login.max_failures` is 2.5, but must be a whole number from 1 to 100 (failures)\n  \
             fix: for example: max_failures = 20",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[login]\nwindow = 900\n",
            "casque.toml:3: `login.window` is 900, but must be a duration from 1min to 1d, with its unit (s, min, h or d)\n  \
             fix: for example: window = \"15 min\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[tickets]\nservice_ticket_lifetime = \"10 min\"\n",
            "casque.toml:3: `tickets.service_ticket_lifetime` is \"10 min\", but must be a duration from 1s to 5min, with its unit (s, min, h or d)\n  \
             fix: for example: service_ticket_lifetime = \"10 s\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\nlisten = \"localhost:8443\"\n",
            "casque.toml:2: `listen` is \"localhost:8443\", but must be an IP address with a port\n  \
             fix: for example: listen = \"127.0.0.1:8443\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\nstore = \"postgres://casque:hush@db/casque?ssl=on\"\n",
            "casque.toml:2: `store`: `ssl` is no option of a store on PostgreSQL; known are password_file, ca_file, \
             socket, schema, timeout, tls, connections\n  \
             fix: for example: store = \"sqlite:casque.db\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\nstore = \"sqlite:\"\n",
            "casque.toml:2: `store`: \"sqlite:\" needs the path of a file, for example \"sqlite:casque.db\"\n  \
             fix: for example: store = \"sqlite:casque.db\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\npeople = \"\"\n",
            "casque.toml:2: `people` is \"\", but must be a path\n  \
             fix: for example: people = \"people.toml\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\ntrusted_proxies = [\"0.0.0.0/0\"]\n",
            "casque.toml:2: `trusted_proxies` is [\"0.0.0.0/0\"], but must be a list of networks or addresses\n  \
             fix: for example: trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\"]",
        ),
        (
            "base_url = \"http://cas.example.edu/cas\"\n",
            "casque.toml:1: `base_url` is \"http://cas.example.edu/cas\", but plain http is allowed on loopback only (localhost, 127.0.0.1, [::1])\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"",
        ),
        (
            "base_url = \"cas.example.edu\"\n",
            "casque.toml:1: `base_url` is \"cas.example.edu\", but must be the https URL of this server\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"",
        ),
        (
            "base_url = \"ftp://cas.example.edu/cas\"\n",
            "casque.toml:1: `base_url` is \"ftp://cas.example.edu/cas\", but must be the https URL of this server\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"",
        ),
        (
            "base_url = \"https://admin:hush@cas.example.edu/cas\"\n",
            "casque.toml:1: `base_url` is \"https://…@cas.example.edu/cas\", but must not hold a user name or password\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas?x=1\"\n",
            "casque.toml:1: `base_url` is \"https://cas.example.edu/cas?x=1\", but must end with its path, without `?` or `#`\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[tls]\ncertificate = \"cas.pem\"\n",
            "casque.toml:3: `tls.certificate` needs `tls.key` beside it\n  \
             fix: add `tls.key`, or drop [tls] behind a proxy",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[sso]\nidle = \"9 h\"\n",
            "casque.toml:3: `sso.idle` (9h) is longer than `sso.absolute` (8h)\n  \
             fix: shorten `sso.idle` or lengthen `sso.absolute`",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\"\n[passwords]\nmemory_kib = 1024\n",
            "casque.toml:3: `passwords.memory_kib` is 1024, but must be a whole number from 19456 to 262144 (KiB)\n  \
             fix: for example: memory_kib = 19456",
        ),
        (
            "base_url = \"https://cas.example.edu/cas\nlisten = 1\n",
            "casque.toml:1: is not TOML: invalid basic string, expected `\"`\n  \
             fix: see https://toml.io for how it is written",
        ),
        (
            // A forged line in a value or a key stays on one line.
            "base_url = \"https://cas.example.edu/cas\"\n\"a\\nb\" = 1\n",
            "casque.toml:2: unknown key `a\\u{a}b`\n  \
             fix: known here: base_url, listen, organisation, store, secret_key, people, services, trusted_roots, \
             trusted_proxies, tls, login, passwords, tickets, sso, rest, apereo, limits, \
             operation",
        ),
        (
            // Everything is told at once, by line.
            "base_url = 1\nlisten = 2\n[login]\nwindow = 3\n",
            "casque.toml:1: `base_url` is 1, but must be the https URL of this server\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"\n\
             casque.toml:2: `listen` is 2, but must be an IP address with a port\n  \
             fix: for example: listen = \"127.0.0.1:8443\"\n\
             casque.toml:4: `login.window` is 3, but must be a duration from 1min to 1d, with its unit (s, min, h or d)\n  \
             fix: for example: window = \"15 min\"",
        ),
    ];
    for (text, expected) in rows {
        let said = read(text).expect_err(text).to_string();
        assert_eq!(said, *expected, "{text}");
        assert!(!said.contains("hush"), "a secret in {said}");
    }
}

#[test]
fn http_is_for_loopback() {
    for (text, allowed) in [
        ("http://localhost:8080/cas", true),
        ("http://127.0.0.1:8080", true),
        ("http://[::1]:8080/cas", true),
        ("http://cas.localhost/cas", true),
        ("http://localhost.example.org/cas", false),
        ("http://127.0.0.1.example.org/cas", false),
        ("http://10.0.0.1/cas", false),
        ("http://[::2]/cas", false),
    ] {
        let read = read(&format!("base_url = \"{text}\"\n"));
        assert_eq!(read.is_ok(), allowed, "{text}: {read:?}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let text = format!("{MINIMAL}listen = \"127.0.0.1:1\"\n[login]\nmax_failures = 3\n");
    let config = read_with(
        &text,
        [
            ("CASQUE_LISTEN", "127.0.0.1:2"),
            ("CASQUE_LOGIN__MAX_FAILURES", "7"),
            ("CASQUE_LOGIN__WINDOW", "1h"),
            ("CASQUE_TRUSTED_PROXIES", "127.0.0.1, fd00::/8"),
            ("CASQUE_ORGANISATION", "Say \"hello\" = 1"),
            ("CASQUE_SHARED", "of another program"),
        ],
    )
    .unwrap();
    assert_eq!(config.listen, "127.0.0.1:2".parse().unwrap());
    assert_eq!(config.login.max_failures, 7);
    assert_eq!(config.login.window, Duration::from_hours(1));
    assert_eq!(config.trusted_proxies.len(), 2);
    assert_eq!(config.organisation.as_deref(), Some("Say \"hello\" = 1"));
}

#[test]
fn a_misspelt_variable_of_a_table_is_warned_of() {
    let config = read_with(
        MINIMAL,
        [
            ("CASQUE_LOGIN__MAX_FAILUR", "7"),
            ("CASQUE_TLS__COLOUR", "red"),
            ("CASQUE_SHARED", "of another program"),
            ("CASQUE_OTHER__NAME", "of another program"),
            ("OTHER__NAME", "of another program"),
        ],
    )
    .unwrap();
    let warnings = config.warnings();
    let about: Vec<&str> = warnings
        .iter()
        .map(String::as_str)
        .filter(|warning| warning.contains("environment"))
        .collect();
    assert_eq!(
        about,
        [
            "the environment variable CASQUE_LOGIN__MAX_FAILUR is no setting: did you mean CASQUE_LOGIN__MAX_FAILURES?",
            "the environment variable CASQUE_TLS__COLOUR is no setting: known are CASQUE_TLS__CERTIFICATE, \
             CASQUE_TLS__KEY",
        ]
    );
}

#[test]
fn a_bad_variable_is_named() {
    for (name, value, expected) in [
        (
            "CASQUE_LISTEN",
            "8443",
            "CASQUE_LISTEN: `listen` is \"8443\", but must be an IP address with a port\n  \
             fix: for example: listen = \"127.0.0.1:8443\"",
        ),
        (
            "CASQUE_LOGIN__MAX_FAILURES",
            "many",
            "CASQUE_LOGIN__MAX_FAILURES: `login.max_failures` is \"many\", but must be a whole number from 1 to 100 (failures)\n  \
             fix: for example: max_failures = 20",
        ),
        (
            "CASQUE_BASE_URL",
            "http://cas.example.edu",
            "CASQUE_BASE_URL: `base_url` is \"http://cas.example.edu\", but plain http is allowed on loopback only (localhost, 127.0.0.1, [::1])\n  \
             fix: for example: base_url = \"https://cas.example.edu/cas\"",
        ),
    ] {
        let said = read_with(MINIMAL, [(name, value)]).unwrap_err().to_string();
        assert_eq!(said, expected);
    }
}

#[test]
fn paths_start_at_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("casque.toml");
    let absolute = folder.path().join("elsewhere");
    fs::write(
        &path,
        format!("{MINIMAL}people = \"a/people.toml\"\nservices = {absolute:?}\n"),
    )
    .unwrap();
    let config = Config::from_file(&path).unwrap();
    assert_eq!(config.people, folder.path().join("a/people.toml"));
    assert_eq!(config.services, absolute);
    assert_eq!(config.secret_key, folder.path().join("casque.key"));
    assert_eq!(
        config.store.to_string(),
        format!("sqlite:{}", folder.path().join("casque.db").display())
    );
}

#[test]
fn files_that_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("casque.toml");
    let said = |path: &Path| Config::from_file(path).unwrap_err().to_string();
    assert!(said(&path).contains("casque.toml: cannot be read: "));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert!(said(&path).ends_with("casque.toml: is not UTF-8 text"));
    assert!(said(folder.path()).contains("cannot be read: "));
}

#[test]
fn warnings_are_about_what_is_rarely_meant() {
    let config = read(&format!(
        "{MINIMAL}listen = \"0.0.0.0:80\"\nstore = \"memory:\"\n"
    ))
    .unwrap();
    let warnings = config.warnings();
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].starts_with("listen = \"0.0.0.0:80\" is reachable from outside"));
    assert!(warnings[1].starts_with("store = \"memory:\" forgets"));
}

#[test]
fn a_proxy_that_is_not_listed_is_warned_about() {
    // S-060
    let warnings = read(MINIMAL).unwrap().warnings();
    assert_eq!(
        warnings,
        [
            "base_url is https, but neither [tls] nor trusted_proxies is set: behind a proxy on this host all visitors \
             have one address, so failed logins are not counted by network, or, if the proxy sends no X-Forwarded-For, \
             one visitor's failures shut everybody out; let the proxy send it and set \
             trusted_proxies = [\"127.0.0.1\", \"::1\"]"
        ]
    );
    for (base, lines) in [
        (MINIMAL, "trusted_proxies = [\"127.0.0.1\"]\n"),
        (MINIMAL, "[tls]\ncertificate = \"a\"\nkey = \"b\"\n"),
        ("base_url = \"http://127.0.0.1:8443/cas\"\n", ""),
    ] {
        assert!(
            read(&format!("{base}{lines}"))
                .unwrap()
                .warnings()
                .is_empty(),
            "{lines}"
        );
    }
}

#[test]
fn what_a_key_points_to_is_named_with_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("casque.toml");
    fs::write(&path, format!("{MINIMAL}services = \"casque.toml\"\n")).unwrap();
    let config = Config::from_file(&path).unwrap();
    let fault = config.reach("services").unwrap_err();
    assert_eq!((fault.place(), fault.line()), (path.as_path(), Some(2)));
    assert_eq!(
        fault.suggestion(),
        Some("make the folder, or correct `services`")
    );
    let fault = config.reach("people").unwrap_err();
    assert_eq!((fault.place(), fault.line()), (path.as_path(), None));
    assert!(
        fault
            .problem()
            .starts_with("`people` is not set, and its default, ")
    );
    assert!(config.reach("tls.key").is_ok());
    assert!(config.reach("trusted_roots").is_ok());

    let variable = ("CASQUE_PEOPLE".to_owned(), "nobody.toml".to_owned());
    let config = Config::from_file_and_environment(&path, [variable]).unwrap();
    let fault = config.reach("people").unwrap_err();
    assert_eq!(fault.place(), Path::new("CASQUE_PEOPLE"));
}

/// Texts that are nearly configuration.
fn nearly_toml() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "base_url",
        "login",
        "max_failures",
        "alice",
        "password",
        "attributes",
        "id",
        "origin",
        "regex",
        "disabled",
        " = ",
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        ",",
        ".",
        "\"",
        "'",
        "\"\"\"",
        "\n",
        "\r\n",
        "#",
        "=",
        "-",
        "\\",
        "\"https://cas.example.edu/cas\"",
        "\"http://[::1\"",
        "'https://a\\.b/.*'",
        "20",
        "-1",
        "99999999999999999999",
        "0x1F",
        "1e400",
        "nan",
        "true",
        "1979-05-27",
        "\"$argon2id$v=19$m=19456,t=2,p=1$\"",
        "\u{0}",
        "\u{1b}",
        "\u{202e}",
        "é",
    ]);
    let pieces = prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat());
    prop_oneof![pieces, any::<String>()]
}

/// What may be printed to a terminal and a log.
fn is_plain(said: &str) -> bool {
    said.chars()
        .all(|c| c == '\n' || !(c.is_control() || crate::text::is_hidden(c)))
}

proptest! {
    /// I7: no text panics a reader, and what is said about it is plain.
    #[test]
    fn any_text_is_read_or_refused(text in nearly_toml(), value in any::<String>()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.toml");
        fs::write(&file, &text).unwrap();
        let variables = [("CASQUE_BASE_URL".to_owned(), value.clone()), ("CASQUE_TRUSTED_PROXIES".to_owned(), value)];
        let said = [
            Config::from_file(&file).err(),
            Config::from_file_and_environment(&file, variables).err(),
            crate::PeopleFile::open(&file).err(),
            crate::Services::load(folder.path()).err(),
        ];
        for said in said.into_iter().flatten().map(|faults| faults.to_string()) {
            prop_assert!(is_plain(&said), "{said:?}");
        }
    }
}

/// `CASQUE_WRITE=1 cargo test -p casque-server reference` writes it.
#[test]
fn the_reference_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/configuration.md");
    let page = configuration_reference();
    if std::env::var_os("CASQUE_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "{} is stale; write it anew with: CASQUE_WRITE=1 cargo test -p casque-server reference",
        path.display()
    );
    for key in table::KEYS {
        assert!(
            page.contains(&format!("#### `{}`", key.name)),
            "{}",
            key.name
        );
    }
}
