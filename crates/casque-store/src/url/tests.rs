use super::*;

fn refusal(text: &str) -> String {
    text.parse::<StoreUrl>().expect_err(text).to_string()
}

#[test]
fn reads_what_it_writes() {
    for text in [
        "memory:",
        "sqlite:casque.db",
        "sqlite:/var/lib/casque/casque.db",
        "sqlite:a b:c?d.db",
    ] {
        assert_eq!(text.parse::<StoreUrl>().expect(text).to_string(), text);
    }
    let absolute: StoreUrl = "sqlite:///var/casque.db".parse().expect("three slashes");
    assert_eq!(absolute.to_string(), "sqlite:/var/casque.db");
}

#[test]
fn only_relative_paths_move() {
    let moved = |text: &str| {
        text.parse::<StoreUrl>()
            .expect(text)
            .relative_to(Path::new("/etc"))
            .to_string()
    };
    assert_eq!(moved("sqlite:casque.db"), "sqlite:/etc/casque.db");
    assert_eq!(moved("sqlite:/var/casque.db"), "sqlite:/var/casque.db");
    assert_eq!(moved("memory:"), "memory:");
}

#[test]
fn refusals_say_what_is_known_and_repeat_no_password() {
    let unknown = refusal("etcd://:hunter2@localhost");
    assert!(
        unknown.contains("\"etcd\"")
            && unknown.contains("memory:")
            && unknown.contains("sqlite:PATH")
    );
    assert!(!unknown.contains("hunter2"));
    assert!(refusal("casque.db").contains("sqlite:PATH"));
    assert!(refusal("memory:x").contains("memory:"));
    assert!(refusal("sqlite:").contains("sqlite:casque.db"));
    assert!(refusal("sqlite::memory:").contains("memory:"));
    assert!(refusal("sqlite://casque.db").contains("\"sqlite:casque.db\""));
    assert!(refusal("sqlite:a\0b").contains("NUL"));
}

#[test]
fn urls_of_servers_come_back_without_their_password() {
    for (text, shown) in [
        ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
        ("valkey://[::1]:7000/3", "redis://[::1]:7000/3"),
        (
            "rediss://sso:hunter2@db.example.org/0?prefix=sso:a",
            "rediss://sso:…@db.example.org:6379/0?prefix=sso:a",
        ),
        ("redis://:hunter2@localhost/", "redis://:…@localhost:6379/0"),
        (
            "valkeys://db.example.org?ca_file=ca.pem&password_file=pw&timeout=500ms",
            "rediss://db.example.org:6379/0?password_file=pw&ca_file=ca.pem",
        ),
        (
            "redis:///2?socket=/run/redis.sock",
            "redis:///2?socket=/run/redis.sock",
        ),
        (
            "postgresql://casque:hunter2%40@db.example.org:6000/sso?schema=a_1&connections=8",
            "postgres://casque:…@db.example.org:6000/sso?schema=a_1",
        ),
        (
            "postgres://casque@127.0.0.1/sso?tls=on",
            "postgres://casque@127.0.0.1:5432/sso?tls=on",
        ),
        (
            "postgres://casque@db/sso?tls=off",
            "postgres://casque@db:5432/sso?tls=off",
        ),
        (
            "postgres:///sso?socket=/run/postgresql/.s.PGSQL.5432",
            "postgres:///sso?socket=/run/postgresql/.s.PGSQL.5432",
        ),
    ] {
        let url: StoreUrl = text.parse().expect(text);
        assert_eq!(url.to_string(), shown);
        assert!(!format!("{url:?}").contains("hunter2"));
        assert!(url.is_durable());
    }
    let moved: StoreUrl = "rediss://h?ca_file=ca.pem&password_file=pw"
        .parse()
        .expect("a URL");
    assert_eq!(
        moved.relative_to(Path::new("/etc")).to_string(),
        "rediss://h:6379/0?password_file=/etc/pw&ca_file=/etc/ca.pem"
    );
}

#[test]
fn options_of_servers_keep_their_rules() {
    for (text, rule) in [
        ("redis://", "names no host"),
        ("redis:127.0.0.1", "names no host"),
        ("redis://h:99999", "invalid port"),
        ("redis://h/zero", "the number of a database"),
        ("redis://h/0#x", "after #"),
        ("redis://:hunter2#x@h", "%23"),
        (
            "redis://h?passwrd_file=hunter2",
            "`passwrd_file` is no option",
        ),
        ("redis://h?hunter2-hunter2", "a part after ? is no option"),
        (
            "redis://h?schema=a",
            "known are password_file, ca_file, socket, prefix, timeout",
        ),
        ("redis://h?timeout=2", "100ms to 60s"),
        ("redis://h?timeout=50ms", "100ms to 60s"),
        ("redis://h?timeout=1s&timeout=1s", "twice"),
        ("redis://h?prefix=", "1 to 64"),
        ("redis://h?prefix={a}", "1 to 64"),
        ("redis://h?prefix=a*", "1 to 64"),
        ("redis://h?ca_file=ca.pem", "rediss://"),
        ("redis://h?password_file=", "path of a file"),
        ("redis://:hunter2@h?password_file=pw", "keep one"),
        ("redis://h?socket=/run/redis.sock", "replaces the host"),
        ("rediss:///?socket=/run/redis.sock", "TLS"),
        ("redis://:%FF@h", "not text"),
        ("postgres://h", "names a database"),
        ("postgres://h/a/b", "names a database"),
        ("postgres://h/a?schema=A", "small letters"),
        ("postgres://h/a?schema=pg_a", "small letters"),
        ("postgres://h/a?schema=a;drop", "small letters"),
        ("postgres://h/a?tls=maybe", "on or off"),
        ("postgres://127.0.0.1/a?ca_file=ca.pem", "tls=on"),
        ("postgres://h/a?connections=0", "1 to 64"),
        ("postgres://h/a?prefix=a", "`prefix` is no option"),
    ] {
        let told = refusal(text);
        assert!(told.contains(rule), "{text}: {told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[cfg(not(feature = "redis"))]
#[test]
fn what_was_not_built_in_is_told() {
    let clock = Arc::new(crate::SystemClock::new());
    let told = open("redis://127.0.0.1", clock)
        .expect_err("not built in")
        .to_string();
    assert!(
        told.contains("without Redis") && told.contains("\"redis\""),
        "{told}"
    );
}
