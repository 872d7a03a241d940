//! `/login`: what a server may have, and then must have right.

use casque_visitor::{Field, Form, Request, forms, leads_to, parameter};
use http::Method;
use url::Url;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::verdict::{Judged, absent, broken, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "login-method-post",
        ["R-035", "R-051"],
        Must,
        "§2.1.1",
        "method=POST sends the ticket by a form",
        method_post
    ),
    case!(
        "login-method-header",
        ["R-035", "R-052"],
        Must,
        "§2.1.1",
        "method=HEADER sends service and ticket as headers",
        method_header
    ),
    case!(
        "login-warn",
        ["R-029", "R-044"],
        Must,
        "§2.2.1",
        "after a login with warn, single sign-on is not transparent",
        warn
    ),
    case!(
        "remember-me-box",
        ["R-061"],
        Must,
        "§4.1.1",
        "the box for remember-me is not ticked beforehand",
        remember_box
    ),
    case!(
        "remember-me",
        ["R-062", "R-063"],
        Must,
        "§4.1.3, §4.1.5",
        "a remembered login has a lasting cookie and is told to services",
        remember
    ),
    case!(
        "login-target",
        ["R-019", "R-050"],
        Choice,
        "convention (SAML 1.1)",
        "TARGET is answered with SAMLart",
        target
    ),
];

async fn method_post(b: &mut Bench) -> Judged {
    let service = b.service("post?a=1");
    b.deliver(&b.service("post")).await?;
    let parameters = [("service", service.as_str()), ("method", "POST")];
    let reached = b.session().await?.login(&parameters).await?;
    if reached.left.is_some() {
        return absent("answered by a redirect");
    }
    let forms = forms(&reached.last.text());
    let Some(form) = forms.iter().find(|form| form.field("ticket").is_some()) else {
        return broken(format!("no form with a ticket, but {}", reached.words()));
    };
    ensure(
        form.method
            .as_deref()
            .is_some_and(|method| method.eq_ignore_ascii_case("post")),
        "the form is not posted",
    )?;
    let action = form.action.clone().unwrap_or_default();
    ensure(
        Url::parse(&action).is_ok_and(|action| leads_to(&action, &service)),
        format!("the form is posted to {action}"),
    )?;
    let ticket = form
        .field("ticket")
        .map(|field| field.value.clone())
        .unwrap_or_default();
    accepted(b, &service, &ticket).await
}

async fn accepted(b: &mut Bench, service: &str, ticket: &str) -> Judged {
    let endpoints = b.those(&["p3/serviceValidate", "serviceValidate"]).await?;
    b.validate(endpoints[0], &[("service", service), ("ticket", ticket)])
        .await?
        .success()?;
    Ok(())
}

async fn method_header(b: &mut Bench) -> Judged {
    let service = b.service("header");
    b.deliver(&service).await?;
    let parameters = [("service", service.as_str()), ("method", "HEADER")];
    let reached = b.session().await?.login(&parameters).await?;
    let Some(ticket) = reached.last.header("ticket") else {
        if reached.left.is_some() {
            return absent("answered by a redirect");
        }
        return broken(format!("no header ticket, but {}", reached.words()));
    };
    ensure(
        reached.last.header("service").as_deref() == Some(service.as_str()),
        "the header service is not the service",
    )?;
    accepted(b, &service, &ticket).await
}

async fn warn(b: &mut Bench) -> Judged {
    let service = b.service("warn");
    let page = b.visitor().login(&[("service", &service)]).await?;
    let Some(form) = page.form() else {
        return skipped("no login form");
    };
    let Some(field) = form.field("warn").filter(|field| field.kind == "checkbox") else {
        return absent("the form has no box warn (§2.1.3: may)");
    };
    let box_value = field.value.clone();
    let (mut visitor, _) = b
        .try_sign_in(&[("service", &service)], |fields| {
            fields.retain(|(name, _)| name != "warn");
            fields.push(("warn".to_owned(), box_value));
        })
        .await?;
    let other = b.service("warn-other");
    let reached = visitor.login(&[("service", &other)]).await?;
    ensure(
        reached.left.is_none(),
        format!("another service gets {}", reached.words()),
    )?;
    ensure(
        !reached.last.text().contains("ticket=ST-"),
        "the page that warns holds the ticket already",
    )
}

fn remember_name(form: &Form) -> Option<&Field> {
    let known = [
        "rememberMe",
        "rememberme",
        "remember_me",
        "remember",
        "stayconnected",
    ];
    form.fields
        .iter()
        .find(|field| field.kind == "checkbox" && known.contains(&field.name.as_str()))
}

async fn remember_box(b: &mut Bench) -> Judged {
    let page = b.visitor().login(&[]).await?;
    let Some(form) = page.form() else {
        return skipped("no login form");
    };
    match remember_name(&form) {
        None => absent("the form has no box for remember-me"),
        Some(field) => ensure(!field.checked, format!("{} is ticked", field.name)),
    }
}

async fn remember(b: &mut Bench) -> Judged {
    let service = b.service("remember");
    let page = b.visitor().login(&[("service", &service)]).await?;
    let Some(form) = page.form() else {
        return skipped("no login form");
    };
    let Some(field) = remember_name(&form) else {
        return absent("the form has no box for remember-me");
    };
    let (name, value) = (field.name.clone(), field.value.clone());
    let (mut visitor, reached) = b
        .try_sign_in(&[("service", &service)], |fields| {
            fields.retain(|(field, _)| *field != name);
            fields.push((name, value));
        })
        .await?;
    if reached.delivered(&service).is_none() {
        return skipped(format!("cannot sign in: {}", reached.words()));
    }
    for cookie in b.granting_cookies(&visitor).await? {
        ensure(
            cookie.expires.is_some(),
            format!("the cookie {} ends with the browser (§4.1.5)", cookie.name),
        )?;
    }
    let endpoint = b.those(&["p3/serviceValidate", "serviceValidate"]).await?[0];
    let reached = visitor.login(&[("service", &service)]).await?;
    let Some(delivered) = reached.delivered(&service) else {
        return broken(format!("the remembered session gives {}", reached.words()));
    };
    let parameters = [("service", service.as_str()), ("ticket", &delivered.ticket)];
    let assertion = b.validate(endpoint, &parameters).await?.success()?;
    ensure(
        assertion.long_term() == Some(true),
        "longTermAuthenticationRequestTokenUsed is not true (§4.1.3)",
    )
}

async fn target(b: &mut Bench) -> Judged {
    let service = b.service("target");
    b.deliver(&service).await?;
    let reached = b.session().await?.login(&[("TARGET", &service)]).await?;
    let artifact = reached
        .left
        .as_deref()
        .and_then(|left| parameter(left, "SAMLart"));
    match (&reached.left, artifact) {
        (_, Some(_)) => Ok(()),
        (Some(_), None) => broken(format!("no SAMLart, but {}", reached.words())),
        (None, None) => absent("TARGET is not read at /login"),
    }
}

/// Used by cases that ask with another method.
pub(crate) fn with_method(url: String, method: Method) -> Request {
    Request::get(url).method(method)
}
