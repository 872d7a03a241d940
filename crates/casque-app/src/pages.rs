//! The texts of the answers that people read.

use http::StatusCode;

use crate::answer::{Answer, Reason};
use crate::page::Page;
use crate::site::Site;

pub(crate) fn bad_ticket() -> Answer {
    let page = Page::new("This login link is broken")
        .text("The ticket in the address is damaged, or there is more than one.")
        .text("Go back to the application and log in again.");
    Answer::page(StatusCode::BAD_REQUEST, Reason::BadTicket, page)
}

pub(crate) fn unsolicited_ticket(site: &Site, login: &str) -> Answer {
    let page = Page::new("This browser did not ask to log in")
        .text("A login arrived that was not begun here, so nobody has been signed in.")
        .list(
            "Likely causes",
            &[
                "The login page stayed open for more than ten minutes.".to_owned(),
                format!("This browser refuses cookies from {}.", site.base),
                format!(
                    "The application was opened at another address than {}, so that the cookie went \
                     elsewhere.",
                    site.base
                ),
                "The link came from another site or another person.".to_owned(),
            ],
        )
        .links(&[(login, "Log in"), (&site.url("/"), "Homepage")]);
    Answer::page(StatusCode::FORBIDDEN, Reason::UnsolicitedTicket, page)
}

pub(crate) fn cookies_refused(site: &Site) -> Answer {
    let page = Page::new("You are not signed in")
        .text("This browser came back without the cookie that it was given, so it is shown this page instead of the one it asked for.")
        .list(
            "Likely causes",
            &[
                format!("This browser refuses cookies from {}.", site.base),
                format!("The application was opened at another address than {}.", site.base),
            ],
        )
        .links(&[(&site.url("/"), "Homepage")]);
    Answer::page(StatusCode::OK, Reason::CookiesRefused, page)
}

pub(crate) fn login_loop(site: &Site, again: &str) -> Answer {
    let page = Page::new("Logging in does not help")
        .text(
            "The login worked, but the page asked for it again and again. To stop going round in \
             circles, nothing more has been tried.",
        )
        .list(
            "Likely causes",
            &[
                "Cookies: this browser does not keep the session cookie.".to_owned(),
                format!(
                    "Address: the application is used at another address than {}, for which it is \
                     set up, or over plain http.",
                    site.base
                ),
                "Proxy: a proxy in front of the application removes the Set-Cookie header, or \
                 sends requests to several processes that do not share store and key."
                    .to_owned(),
                "Clock: the clocks of the application and of its store differ by hours.".to_owned(),
            ],
        )
        .links(&[(again, "Try again"), (&site.url("/"), "Homepage")]);
    Answer::page(StatusCode::FORBIDDEN, Reason::LoginLoop, page)
}

pub(crate) fn ticket_refused(
    code: &str,
    message: &str,
    site: &Site,
    service: &str,
    again: &str,
) -> Answer {
    let causes = match code {
        "INVALID_SERVICE" => vec![format!(
            "Service: the ticket was issued for another service than {service}. The address in the \
             application's settings and the one that browsers use must be the same."
        )],
        "INVALID_TICKET" | "INVALID_TICKET_SPEC" => vec![
            "Clock or delay: the ticket had expired before it was checked; it lives for seconds."
                .to_owned(),
            "The ticket had been used before, by a proxy or a program that opens links in advance."
                .to_owned(),
            format!("Service: the CAS server compares services strictly; ours is {service}."),
            "Proxy: several CAS servers behind one address do not share their tickets.".to_owned(),
        ],
        "UNAUTHORIZED_SERVICE" | "UNAUTHORIZED_SERVICE_PROXY" => {
            vec![format!(
                "Service: {service} is not registered at the CAS server."
            )]
        }
        _ => Vec::new(),
    };
    let said = if message.is_empty() {
        String::new()
    } else {
        format!("The server said: {message}")
    };
    let page = Page::new("The CAS server refused the login")
        .text(&format!("Reason: {code}."))
        .soft(&said)
        .list("Likely causes", &causes)
        .links(&[(again, "Try again"), (&site.url("/"), "Homepage")]);
    Answer::page(StatusCode::UNAUTHORIZED, Reason::TicketRefused, page)
}

pub(crate) fn validation_failed(status: StatusCode, label: &str, again: &str) -> Answer {
    let page = Page::new("The login could not be checked")
        .text("The application could not ask the CAS server who you are, so nobody has been signed in.")
        .text("It may work in a moment. If not, the operator finds the cause in the application's log.")
        .soft(&format!("Reason: {label}"))
        .links(&[(again, "Try again")]);
    Answer::page(status, Reason::ValidationFailed, page)
}

pub(crate) fn not_allowed(navigation: bool, site: &Site) -> Answer {
    let (status, reason) = (StatusCode::FORBIDDEN, Reason::NotAllowed);
    if !navigation {
        return Answer::json(status, reason, "you may not see this", None);
    }
    let page = Page::new("You may not see this page")
        .text("You are signed in, but this page is for others.")
        .links(&[(&site.url("/"), "Homepage")]);
    Answer::page(status, reason, page)
}

pub(crate) fn form_without_login(login: &str) -> Answer {
    let page = Page::new("You are not signed in any more")
        .text("Nothing was saved. Log in, then fill in the form again.")
        .text("Going back in the history may still show what you had typed.")
        .links(&[(login, "Log in")]);
    Answer::page(StatusCode::UNAUTHORIZED, Reason::LoginNeeded, page)
}

pub(crate) fn confirm_logout(logout: &str, home: &str) -> Answer {
    let page = Page::new("Log out?")
        .text("Another site sent you here to log out.")
        .links(&[(logout, "Log out"), (home, "Stay signed in")]);
    Answer::page(StatusCode::OK, Reason::ConfirmLogout, page)
}

pub(crate) fn logged_out(login: &str, home: &str) -> Answer {
    let page = Page::new("You are logged out")
        .text("This application has forgotten you. Other applications and the CAS server have not.")
        .links(&[(home, "Homepage"), (login, "Log in again")]);
    Answer::page(StatusCode::OK, Reason::LoggedOut, page)
}

pub(crate) fn store_unavailable() -> Answer {
    let page = Page::new("The application is not ready")
        .text("It cannot look up who is signed in. It may work in a moment.");
    Answer::page(
        StatusCode::SERVICE_UNAVAILABLE,
        Reason::StoreUnavailable,
        page,
    )
}
