//! Service definitions of an Apereo CAS server.

use casque_proto::{
    RegistryUrl, ServiceRule,
    apereo::{Definition, IGNORABLE, ServiceDefinition},
};

/// Addresses of which one may match.
const ADDRESSES: [&str; 3] = [
    "https://app.example.org/",
    "https://evil.example/?x=https://app.example.org/",
    "http://app.example.org.evil.example/",
];

/// a definition is read or refused in words, and what is left aside at the operator's word changes only
/// whether it is read.
pub(super) fn service_definition(data: &[u8]) {
    let Ok(file) = std::str::from_utf8(data) else {
        return;
    };
    let strict = ServiceDefinition::read(file, &[]);
    match &strict {
        Ok(Definition::Service(definition)) => {
            for finding in &definition.findings {
                check_line(&finding.words);
            }
            let rule = ServiceRule::apereo(definition.pattern.clone());
            for address in ADDRESSES {
                let url = RegistryUrl::parse(address).expect("a URL");
                assert!(
                    !rule.matches(&url) || definition.pattern.matches(address),
                    "the rule matches more than its pattern"
                );
            }
        }
        Ok(_) => {}
        Err(faults) => {
            assert!(faults.iter().next().is_some(), "a refusal without a reason");
            for fault in faults.iter() {
                check_line(&fault.problem);
                assert!(!fault.fix.is_empty(), "no way to mend {}", fault.problem);
                let lines = file.lines().count().max(1);
                assert!(
                    fault
                        .line
                        .is_none_or(|line| (1..=lines + 1).contains(&line))
                );
            }
        }
    }
    let lax = ServiceDefinition::read(file, IGNORABLE);
    assert!(
        strict.is_err() || lax.is_ok(),
        "less is read where more is left aside"
    );
}

fn check_line(words: &str) {
    assert!(words.chars().count() < 800, "long words: {words}");
    assert!(
        !words.chars().any(char::is_control),
        "several lines: {words:?}"
    );
}
