use casque_proto::return_to::{Decision, ReturnToRules, check};
use casque_proto::{RegistryUrl, ServiceTicket, ServiceUrl, TicketMode, strip_ticket};
use url::Url;

/// Services as applications and as the registry read them.
pub(super) fn service_url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let ticket = ServiceTicket::parse("ST-1-fuzz").expect("a ticket");
    if let Ok(service) = ServiceUrl::parse(text) {
        assert_eq!(service.as_str(), text, "a service is its text");
        assert!(service.matches(&service));
        if let Ok(canonical) = ServiceUrl::parse(service.canonical()) {
            assert_eq!(
                canonical.canonical(),
                service.canonical(),
                "one step makes it canonical"
            );
        }
        for (mode, parameter) in [(TicketMode::Cas, "ticket"), (TicketMode::Saml, "SAMLart")] {
            let sent = service.with_ticket(parameter, &ticket);
            assert!(sent.contains("ST-1-fuzz"));
            assert_eq!(
                strip_ticket(&sent, mode),
                strip_ticket(text, mode),
                "the ticket comes off again"
            );
            check_same_place(text, &sent);
            let raw = sent
                .split('#')
                .next()
                .and_then(|sent| sent.split_once('?'))
                .map_or("", |(_, query)| query);
            let count = raw
                .split('&')
                .filter(|pair| pair.split('=').next() == Some(parameter))
                .count();
            assert_eq!(count, 1, "{count} tickets in {sent}");
        }
    }
    let Ok(registry) = RegistryUrl::parse(text) else {
        return;
    };
    let other = Url::parse(text).expect("accepted where an independent parser refuses");
    let canonical = Url::parse(registry.canonical()).expect("the canonical form is a URL");
    // The one difference that is let through: a serialiser writes an apostrophe in a query as %27.
    assert_eq!(
        unquoted(canonical.as_str()),
        unquoted(registry.canonical()),
        "another serialisation"
    );
    assert_eq!(canonical.origin(), other.origin(), "another origin");
    assert_eq!(
        canonical.path(),
        without_session(other.path()),
        "another path"
    );
    assert_eq!(Some(registry.host()), other.host_str());
    assert_eq!(Some(registry.port()), other.port_or_known_default());
    assert_eq!(registry.origin(), other.origin().ascii_serialization());
    assert!(
        other.username().is_empty() && other.password().is_none(),
        "userinfo"
    );
    assert!(other.fragment().is_none(), "a fragment");
    let sent = registry.with_ticket("ticket", &ticket);
    check_same_place(text, &sent);
    let url = Url::parse(&sent).expect("still a URL");
    let tickets = url
        .query_pairs()
        .filter(|(name, _)| name == "ticket")
        .count();
    assert_eq!(tickets, 1, "{tickets} tickets in {sent}");
    if sent.len() <= casque_proto::MAX_REGISTRY_URL_BYTES {
        let back = RegistryUrl::parse(&sent).expect("with a ticket it is the same service");
        assert!(back.matches(&registry));
    }
    let again = RegistryUrl::parse(registry.as_str()).expect("its own text is accepted");
    assert!(again.matches(&registry));
}

/// The ticket goes where the service is.
fn check_same_place(service: &str, sent: &str) {
    let (Ok(service), Ok(sent)) = (Url::parse(service), Url::parse(sent)) else {
        return;
    };
    assert_eq!(service.scheme(), sent.scheme());
    assert_eq!(service.host(), sent.host());
    assert_eq!(service.port(), sent.port());
    assert_eq!(service.fragment(), sent.fragment());
}

fn unquoted(url: &str) -> String {
    url.replace("%27", "'")
}

/// A path without `;jsessionid=…`.
fn without_session(path: &str) -> &str {
    let start = path.to_ascii_lowercase().find(";jsessionid=");
    start.map_or(path, |start| &path[..start])
}

/// Return-to targets: whatever is asked, the browser stays at home.
pub(super) fn redirect_target(bytes: &[u8]) {
    let Ok(target) = std::str::from_utf8(bytes) else {
        return;
    };
    for (origin, landing) in [
        ("https://app.example.org", "/"),
        ("http://localhost:8000", "/app/?x=1"),
    ] {
        let rules = ReturnToRules::new(origin)
            .expect("an origin")
            .callback_path("/cas/callback")
            .landing(landing);
        let home = Url::parse(origin).expect("an origin");
        let decision = check(target, &rules);
        let location = Url::parse(decision.location()).expect("an absolute address");
        assert_eq!(location.origin(), home.origin(), "sent away to {location}");
        assert!(
            location.username().is_empty() && location.password().is_none(),
            "userinfo in {location}"
        );
        assert!(
            decision
                .location()
                .bytes()
                .all(|byte| byte.is_ascii_graphic()),
            "{decision:?}"
        );
        assert_ne!(location.path(), "/cas/callback", "a loop");
        assert!(
            !location.query_pairs().any(|(name, _)| name == "ticket"),
            "a ticket in {location}"
        );
        match decision {
            Decision::Accept(accepted) => {
                let joined = home.join(target).expect("a browser can go there");
                assert_eq!(joined, location, "a browser would go elsewhere");
                // The limit is on the target, and a rooted one has grown by the origin.
                if accepted.len() <= casque_proto::MAX_REGISTRY_URL_BYTES {
                    let again = check(&accepted, &rules);
                    assert_eq!(again.location(), accepted, "accepted once, accepted again");
                }
            }
            Decision::Fallback(location) => assert_eq!(location, format!("{origin}{landing}")),
        }
    }
}
