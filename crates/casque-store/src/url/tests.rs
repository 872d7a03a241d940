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
    let unknown = refusal("redis://:hunter2@localhost");
    assert!(
        unknown.contains("\"redis\"")
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
