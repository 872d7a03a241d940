use super::*;

const NASTY: &str = "\"><script>alert(1)</script>'&{{7*7}}{% raw %}";

fn pages() -> Pages {
    Pages::new("/cas", Some("Example University"))
}

fn label(text: &str) -> ServiceLabel<'_> {
    ServiceLabel {
        name: text,
        host: text,
        description: Some(text),
    }
}

fn onward(text: &str) -> Continue<'_> {
    Continue {
        action: text,
        fields: vec![Field::new("lt", text), Field::new(text, "b")],
    }
}

/// Every page, in every variant, with the same text everywhere.
fn every_page(text: &str) -> Vec<(String, Page<'_>)> {
    // The slice of values lives as long as the text does.
    let values: &'static [String] = Box::leak(vec![text.to_owned(), "second".to_owned()].into());
    let mut pages = Vec::new();
    let problems = [
        None,
        Some(LoginProblem::WrongCredentials),
        Some(LoginProblem::StaleForm),
        Some(LoginProblem::TooManyAttempts),
        Some(LoginProblem::Busy),
    ];
    for problem in problems {
        for (service, username, renew) in [
            (None, "", false),
            (Some(label(text)), "", true),
            (Some(label(text)), text, false),
        ] {
            let login = Login {
                service,
                form: onward(text),
                username,
                problem,
                renew,
                remember_me: service.map(|_| renew),
                warn: renew,
            };
            pages.push((format!("{problem:?} {renew}"), Page::Login(login)));
        }
    }
    let mut add = |name: &str, page| pages.push((name.to_owned(), page));
    add(
        "logged in, nothing known",
        Page::LoggedIn {
            user: text,
            attributes: vec![],
            logout: onward(text),
            consents: None,
        },
    );
    add(
        "logged in",
        Page::LoggedIn {
            user: text,
            attributes: vec![(text, values)],
            logout: onward(text),
            consents: Some(text),
        },
    );
    add(
        "warn",
        Page::Warn {
            user: text,
            service: label(text),
            form: onward(text),
        },
    );
    add(
        "consent",
        Page::Consent {
            user: text,
            service: label(text),
            attributes: vec![(text, values.into())],
            form: onward(text),
        },
    );
    add(
        "consent refused",
        Page::ConsentRefused {
            service: label(text),
        },
    );
    for given in [0, 2] {
        add(
            "consents",
            Page::Consents {
                user: text,
                given: vec![
                    ConsentGiven {
                        name: text,
                        day: "2024-05-31".to_owned(),
                        attributes: values.to_vec(),
                        form: onward(text),
                    };
                    given
                ],
            },
        );
    }
    add(
        "denied",
        Page::Denied {
            user: text,
            service: label(text),
        },
    );
    add("logged out", Page::LoggedOut { service: None });
    add(
        "logged out of a service",
        Page::LoggedOut {
            service: Some((label(text), text)),
        },
    );
    add(
        "logged out, with services to tell",
        Page::LoggedOutInFront {
            service: Some((label(text), text)),
            messages: vec![text, text],
        },
    );
    add("refused", Page::ServiceRefused { shown: text });
    add(
        "confirm logout",
        Page::ConfirmLogout {
            user: Some(text),
            logout: onward(text),
        },
    );
    add(
        "error",
        Page::Error {
            status: 429,
            title: text,
            words: text,
            reference: None,
        },
    );
    add(
        "error with reference",
        Page::Error {
            status: 503,
            title: text,
            words: text,
            reference: Some(text),
        },
    );
    pages
}

#[test]
fn every_page_is_drawn_and_well_formed() {
    for pages in [pages(), Pages::new("", None)] {
        for (name, page) in every_page("Wiki & more") {
            let html = pages.render(&page);
            assert_ne!(html, LAST_RESORT, "{name}");
            assert!(html.len() < 10 * 1024, "{name}: {} bytes", html.len());
            for part in [
                "<!doctype html>\n<html lang=\"en\">",
                "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
                "<main",
                "<h1>",
                "</html>",
            ] {
                assert!(html.contains(part), "{name}: {part}\n{html}");
            }
            assert_eq!(html.matches("<h1").count(), 1, "{name}");
            assert!(!html.contains("none<"), "{name}: {html}");
        }
    }
}

#[test]
fn whatever_is_shown_is_escaped() {
    // S-043, S-069: nothing from outside becomes markup or template.
    for (name, page) in every_page(NASTY) {
        let html = pages().render(&page);
        assert_ne!(html, LAST_RESORT, "{name}");
        assert!(!html.contains("<script"), "{name}");
        assert!(!html.contains("'&{"), "{name}");
        assert!(!html.contains("49"), "{name} was computed");
        let quotes = html.matches('"').count();
        assert!(quotes.is_multiple_of(2), "{name}: a quote got out");
    }
}

#[test]
fn nothing_on_a_page_needs_script_or_style_or_another_host() {
    for (name, page) in every_page("Wiki") {
        let html = pages().render(&page);
        for forbidden in [
            "<script",
            "<style",
            "style=",
            "onclick",
            "javascript:",
            "<iframe",
        ] {
            assert!(!html.contains(forbidden), "{name}: {forbidden}");
        }
        for (place, _) in html.match_indices("http") {
            let after = &html[place..];
            assert!(
                after.starts_with("http-equiv")
                    || !after.starts_with("http://") && !after.starts_with("https://"),
                "{name} asks another host: {after:.60}"
            );
        }
    }
}

#[test]
fn the_login_form_carries_its_fields_byte_for_byte() {
    let service = "https://app.example.org/?a=1&b=%20\"x\"";
    let html = pages().render(&Page::Login(Login {
        service: Some(ServiceLabel {
            name: "Course catalogue",
            host: "app.example.org",
            description: Some("Find and book your courses."),
        }),
        form: Continue {
            action: "/cas/login",
            fields: vec![Field::new("lt", "LT-1-abc"), Field::new("service", service)],
        },
        username: "",
        problem: None,
        renew: false,
        remember_me: None,
        warn: false,
    }));
    for part in [
        "<form method=\"post\" action=\"/cas/login\">",
        "name=\"lt\" value=\"LT-1-abc\"",
        "value=\"https://app.example.org/?a=1&amp;b=%20&quot;x&quot;\"",
        "autocomplete=\"username\"",
        "autocomplete=\"current-password\"",
        "<label for=\"username\">",
        "<label for=\"password\">",
        "Course catalogue",
        "app.example.org",
        "<title>Sign in to Course catalogue · Example University</title>",
    ] {
        assert!(html.contains(part), "{part}\n{html}");
    }
    // Paste and password managers are welcome, and nothing is offered that the server does not do.
    for absent in [
        "autocomplete=\"off\"",
        "readonly",
        "rememberMe",
        " checked",
        "role=\"alert\"",
    ] {
        assert!(!html.contains(absent), "{absent}");
    }
}

#[test]
fn a_failed_login_says_so_first_and_aloud() {
    let login = |username| {
        pages().render(&Page::Login(Login {
            service: None,
            form: onward("/cas/login"),
            username,
            problem: Some(LoginProblem::WrongCredentials),
            renew: false,
            remember_me: None,
            warn: false,
        }))
    };
    let html = login("alice");
    assert!(html.contains("role=\"alert\""));
    assert!(html.contains("<title>Not signed in: "));
    assert!(html.contains("value=\"alice\""));
    // S-059: the same bytes for a person who does not exist.
    assert_eq!(html.replace("\"alice\"", "\"nobody\""), login("nobody"));
}

#[test]
fn a_refused_service_is_shown_and_never_a_link() {
    // R-023, S-032
    let html = pages().render(&Page::ServiceRefused {
        shown: "https://evil.example/\u{202e}cod\r\n<b>",
    });
    assert!(!html.contains("<a "), "{html}");
    assert!(!html.contains('\u{202e}') && !html.contains("<b>"));
    assert!(html.contains("https://evil.example/"));
    let long = "x".repeat(5000);
    let html = pages().render(&Page::ServiceRefused { shown: &long });
    assert!(html.len() < 4096);
    assert!(html.contains("x…"));
}

#[test]
fn assets_are_named_by_their_content() {
    let pages = pages();
    for asset in [pages.stylesheet(), pages.icon()] {
        let name = asset.file_name();
        assert!(std::ptr::eq(pages.asset(name).unwrap(), asset));
        assert!(name.starts_with("casque-") && name.len() > 20, "{name}");
        let html = pages.render(&Page::LoggedOut { service: None });
        assert!(html.contains(&format!("/cas/assets/{name}")), "{html}");
    }
    assert!(pages.asset("casque.css").is_none());
    assert!(pages.asset("../casque.css").is_none());
    let css = std::str::from_utf8(pages.stylesheet().bytes()).unwrap();
    // Whole pages stay under 30 KB with their stylesheet and icon.
    assert!(css.len() + pages.icon().bytes().len() < 12 * 1024);
    for part in [
        "prefers-color-scheme: dark",
        "prefers-reduced-motion",
        "forced-colors",
        ":focus-visible",
    ] {
        assert!(css.contains(part), "{part}");
    }
    assert!(!css.contains("url("), "nothing is fetched");
}

#[test]
fn the_policy_takes_plain_origins_only() {
    let pages = pages();
    let own = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; \
               frame-ancestors 'none'; base-uri 'none'";
    assert_eq!(pages.content_security_policy([]), own);
    for bad in [
        "*",
        "https://",
        "https://a.example; script-src *",
        "https://a.example *",
        "https://a.example/path",
        "javascript:alert(1)",
        "'unsafe-inline'",
    ] {
        assert_eq!(pages.content_security_policy([bad]), own, "{bad}");
    }
    assert!(
        pages
            .content_security_policy(["http://[::1]:8000", "https://a.example:8443"])
            .contains("form-action 'self' http://[::1]:8000 https://a.example:8443;")
    );
}

#[test]
fn choices_are_unticked_unless_they_were_made() {
    // also after a wrong password.
    let boxes = |remember_me, warn| {
        let html = pages().render(&Page::Login(Login {
            service: None,
            form: onward("/cas/login"),
            username: "",
            problem: None,
            renew: false,
            remember_me,
            warn,
        }));
        let boxes = html.matches("type=\"checkbox\" value=\"true\"").count();
        (boxes, html.matches(" checked").count())
    };
    assert_eq!(boxes(None, false), (1, 0));
    assert_eq!(boxes(Some(false), false), (2, 0));
    assert_eq!(boxes(Some(true), false), (2, 1));
    assert_eq!(boxes(Some(true), true), (2, 2));
}

#[test]
fn the_form_that_takes_a_ticket_to_its_service() {
    // R-051, S-043, S-046
    for text in ["Wiki", NASTY] {
        let html = pages().render(&Page::PostTicket {
            service: label(text),
            form: onward(text),
            nonce: "0123abcd",
        });
        assert_ne!(html, LAST_RESORT);
        assert_eq!(html.matches("<form method=\"post\"").count(), 1);
        assert_eq!(html.matches("<button type=\"submit\">").count(), 1);
        assert_eq!(html.matches("<script").count(), 1);
        assert!(html.contains("<script nonce=\"0123abcd\">document.forms[0].submit()</script>"));
        assert!(html.len() < 10 * 1024);
    }
    let policy = Pages::content_security_policy_of_post("https://a.example", "0123abcd");
    assert_eq!(
        policy,
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'nonce-0123abcd'; \
         form-action https://a.example; frame-ancestors 'none'; base-uri 'none'"
    );
    let policy = Pages::content_security_policy_of_post("*; script-src *", "0123abcd");
    assert!(policy.contains("form-action 'none';"), "{policy}");
}
