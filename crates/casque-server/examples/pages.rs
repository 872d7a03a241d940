//! Draws every page into a folder, to look at without a server:
//! `cargo run -p casque-server --example pages -- target/pages`, then open it through any file server.

use std::path::Path;

use casque_server::{
    ConsentGiven, Continue, Field, Login, LoginProblem, Page, Pages, ServiceLabel,
};

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or("target/pages".into());
    let folder = Path::new(&folder);
    std::fs::create_dir_all(folder.join("assets"))?;

    let pages = Pages::new("", Some("Example University"));
    for asset in [pages.stylesheet(), pages.icon()] {
        std::fs::write(folder.join("assets").join(asset.file_name()), asset.bytes())?;
    }

    let catalogue = ServiceLabel {
        name: "Course catalogue",
        host: "catalogue.example.edu",
        description: Some("Find and book your courses."),
    };
    let form = || Continue {
        action: "/login",
        fields: vec![Field::new("lt", "LT-example")],
    };
    let login = |service, problem, username| {
        Page::Login(Login {
            service,
            form: form(),
            username,
            problem,
            renew: false,
            remember_me: Some(false),
            warn: false,
        })
    };
    let member_of = ["staff".to_owned(), "admin".to_owned()];
    let mail = ["alice@example.edu".to_owned()];
    let drawn = [
        ("login", login(None, None, "")),
        ("login-service", login(Some(catalogue), None, "")),
        (
            "login-failed",
            login(
                Some(catalogue),
                Some(LoginProblem::WrongCredentials),
                "alice",
            ),
        ),
        (
            "login-long",
            login(
                Some(ServiceLabel {
                    name: "Fachbereichsverwaltungsinformationssystem der Universitätsbibliothek",
                    host: "a-very-long-host-name-of-a-department.of-a-faculty.of-a-university.example.edu:8443",
                    description: None,
                }),
                Some(LoginProblem::StaleForm),
                "",
            ),
        ),
        (
            "logged-in",
            Page::LoggedIn {
                user: "alice",
                attributes: vec![("mail", &mail), ("memberOf", &member_of)],
                logout: form(),
                consents: Some("/consents"),
            },
        ),
        (
            "warn",
            Page::Warn {
                user: "alice",
                service: catalogue,
                form: form(),
            },
        ),
        (
            "consent",
            Page::Consent {
                user: "alice",
                service: catalogue,
                attributes: vec![("mail", (&mail).into()), ("memberOf", (&member_of).into())],
                form: form(),
            },
        ),
        (
            "consent-refused",
            Page::ConsentRefused { service: catalogue },
        ),
        (
            "consents",
            Page::Consents {
                user: "alice",
                given: vec![ConsentGiven {
                    name: "Course catalogue",
                    day: "2024-05-31".to_owned(),
                    attributes: vec!["mail".to_owned(), "memberOf".to_owned()],
                    form: form(),
                }],
            },
        ),
        (
            "denied",
            Page::Denied {
                user: "alice",
                service: catalogue,
            },
        ),
        (
            "post-ticket",
            Page::PostTicket {
                service: catalogue,
                form: form(),
                nonce: "0123abcd",
            },
        ),
        ("logged-out", Page::LoggedOut { service: None }),
        (
            "logged-out-service",
            Page::LoggedOut {
                service: Some((catalogue, "https://catalogue.example.edu/")),
            },
        ),
        (
            "logged-out-front",
            Page::LoggedOutInFront {
                service: Some((catalogue, "https://catalogue.example.edu/")),
                messages: vec!["https://catalogue.example.edu/?logoutRequest=x"],
            },
        ),
        (
            "refused",
            Page::ServiceRefused {
                shown: "https://cataIogue.example.edu.evil.example/cas/login?next=%2Fadmin",
            },
        ),
        (
            "confirm-logout",
            Page::ConfirmLogout {
                user: Some("alice"),
                logout: form(),
            },
        ),
        (
            "error",
            Page::Error {
                status: 503,
                title: "The server is busy",
                words: "Many people are signing in at this moment. Please try again in a few seconds.",
                reference: Some("7f3a9c21"),
            },
        ),
    ];
    for (name, page) in drawn {
        std::fs::write(
            folder.join(name).with_extension("html"),
            pages.render(&page),
        )?;
    }
    Ok(())
}
