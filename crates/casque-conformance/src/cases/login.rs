//! `/login`: the form, and what comes of it.

use casque_visitor::{Reached, leads_to, parameter};
use url::Url;

use crate::bench::Bench;
use crate::case::{Case, case};
use crate::verdict::{Judged, Level, absent, broken, broken_at, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "login-form",
        ["R-020", "R-024"],
        Should,
        "§2.1.1",
        "/login asks for credentials where nobody is signed in",
        form
    ),
    case!(
        "login-fields",
        ["R-033"],
        Must,
        "§2.1.3",
        "the form has the fields username and password and is posted to /login",
        fields
    ),
    case!(
        "login-form-service",
        ["R-024", "R-033"],
        Must,
        "§2.1.3",
        "the form carries the service as it was given",
        form_service
    ),
    case!(
        "login-ticket-once",
        ["R-039"],
        Must,
        "§3.5.1",
        "a form with a login ticket is good for one attempt",
        login_ticket_once
    ),
    case!(
        "login-success",
        ["R-040"],
        Must,
        "§2.2.4",
        "the right password leads to the service with a ticket, by GET",
        success
    ),
    case!(
        "login-success-alone",
        ["R-041"],
        Must,
        "§2.2.4",
        "without a service the right password leads to a page",
        success_alone
    ),
    case!(
        "login-failure",
        ["R-042"],
        Must,
        "§2.2.4",
        "a wrong password leads back to the form, without ticket or session",
        failure
    ),
    case!(
        "login-failure-status",
        ["R-042"],
        Choice,
        "convention",
        "a wrong password is answered with status 401",
        failure_status
    ),
    case!(
        "login-sso",
        ["R-028"],
        Should,
        "§2.1, §2.1.5",
        "a session gives a ticket without asking again",
        sso
    ),
    case!(
        "login-already",
        ["R-021"],
        Should,
        "§2.1.1",
        "with a session and no service /login says so",
        already
    ),
    case!(
        "login-renew",
        ["R-022"],
        Must,
        "§2.1.1",
        "renew asks for credentials in spite of the session",
        renew
    ),
    case!(
        "login-renew-keeps",
        ["R-022"],
        Choice,
        "casque",
        "asking for renew does not end the session",
        renew_keeps
    ),
    case!(
        "login-gateway",
        ["R-025"],
        Must,
        "§2.1.1",
        "gateway without a session leads to the service without a ticket",
        gateway
    ),
    case!(
        "login-gateway-session",
        ["R-028"],
        Must,
        "§2.1.1",
        "gateway with a session does not ask for credentials",
        gateway_session
    ),
    case!(
        "login-gateway-renew",
        ["R-026"],
        Should,
        "§2.1.1",
        "gateway is ignored beside renew",
        gateway_renew
    ),
    case!(
        "login-gateway-alone",
        ["R-027"],
        Should,
        "§2.1.1",
        "gateway without service asks for credentials",
        gateway_alone
    ),
    case!(
        "login-case",
        ["R-002"],
        Must,
        "§2.1.1",
        "names of parameters are case-sensitive",
        parameter_case
    ),
    case!(
        "login-no-store",
        ["R-012"],
        Should,
        "appendix B",
        "/login and the redirect with the ticket are not to be cached",
        no_store
    ),
    case!(
        "login-page-headers",
        ["R-013"],
        Choice,
        "casque",
        "the form cannot be framed, and tells no referrer",
        page_headers
    ),
];

async fn form(b: &mut Bench) -> Judged {
    let service = b.service("login");
    for parameters in [&[][..], &[("service", service.as_str())][..]] {
        let page = b.visitor().login(parameters).await?;
        if page.form().is_none() {
            return broken(format!("not a login form, but {}", page.words()));
        }
    }
    Ok(())
}

async fn fresh_form(b: &Bench, service: &str) -> Judged<Reached> {
    let page = b.visitor().login(&[("service", service)]).await?;
    if page.form().is_none() {
        return skipped(format!("no login form, but {}", page.words()));
    }
    Ok(page)
}

async fn fields(b: &mut Bench) -> Judged {
    let page = fresh_form(b, &b.service("login")).await?;
    let Some(form) = page.form() else {
        return skipped("no form");
    };
    for name in ["username", "password"] {
        if form.field(name).is_none() {
            let names: Vec<_> = form
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .collect();
            return broken(format!("no field {name}: there are {}", names.join(", ")));
        }
    }
    ensure(
        form.method
            .as_deref()
            .is_some_and(|method| method.eq_ignore_ascii_case("post")),
        format!("the form's method is {:?}", form.method),
    )?;
    let action = page
        .last
        .url
        .join(form.action.as_deref().unwrap_or_default());
    let target = action.map(|url| url.path().to_owned()).unwrap_or_default();
    // A session id in the path is no other path.
    let target = target.split(';').next().unwrap_or_default().to_owned();
    ensure(
        target.trim_end_matches('/').ends_with("/login"),
        format!("the form is posted to {target}"),
    )
}

async fn form_service(b: &mut Bench) -> Judged {
    let service = b.service("login?a=1&b=%C3%A9%26&amp=c");
    let page = fresh_form(b, &service).await?;
    let Some(form) = page.form() else {
        return skipped("no form");
    };
    let in_action = form.action.as_deref().and_then(|action| {
        let action = page.last.url.join(action).ok()?;
        parameter(action.as_str(), "service")
    });
    match form
        .field("service")
        .map(|field| field.value.clone())
        .or(in_action)
    {
        Some(value) if value == service => Ok(()),
        Some(value) => broken(format!("service is {value:?}, not {service:?}")),
        None => {
            let names: Vec<_> = form
                .fields
                .iter()
                .map(|field| field.name.as_str())
                .collect();
            broken(format!(
                "no parameter service: there are {}",
                names.join(", ")
            ))
        }
    }
}

async fn login_ticket_once(b: &mut Bench) -> Judged {
    let service = b.service("login");
    let mut visitor = b.visitor();
    let page = visitor.login(&[("service", &service)]).await?;
    let Some(form) = page.form() else {
        return skipped("no login form");
    };
    if form.field("lt").is_none() {
        return absent("the form has no field lt (§3.5: optional)");
    }
    // First with a wrong password: a login that succeeds may make a session of the cookies it was begun with.
    let (username, password) = b.credentials();
    let wrong = format!("{password}-wrong");
    let mut again = visitor.clone();
    let first = visitor
        .submit(
            &page.last,
            &form,
            (&username, &wrong),
            Some(&service),
            |_| {},
        )
        .await?;
    if first.delivered(&service).is_some() {
        return skipped("a wrong password gives a ticket");
    }
    let second = again
        .submit(
            &page.last,
            &form,
            (&username, &password),
            Some(&service),
            |_| {},
        )
        .await?;
    ensure(
        second.delivered(&service).is_none(),
        "after a failed attempt the same login ticket is taken again",
    )
}

async fn success(b: &mut Bench) -> Judged {
    let service = b.service("login");
    let (_, reached) = b.try_sign_in(&[("service", &service)], |_| {}).await?;
    let Some(delivered) = reached.delivered(&service) else {
        return broken(format!("after the right password came {}", reached.words()));
    };
    for answer in [&reached.first, &reached.last] {
        let status = answer.status.as_u16();
        ensure(
            !matches!(status, 307 | 308),
            format!("status {status} makes the browser post the password on"),
        )?;
    }
    let (_, password) = b.credentials();
    ensure(
        !delivered.location.contains(&password),
        "the password is in the address of the service",
    )?;
    let target = Url::parse(&delivered.location);
    ensure(
        target.is_ok_and(|target| leads_to(&target, &service)),
        "the redirect leads to another address than the service",
    )
}

async fn success_alone(b: &mut Bench) -> Judged {
    let (mut visitor, reached) = b.try_sign_in(&[], |_| {}).await?;
    ensure(
        reached.left.is_none() && reached.form().is_none() && reached.last.status.is_success(),
        format!("after the right password came {}", reached.words()),
    )?;
    let service = b.service("login");
    let next = visitor.login(&[("service", &service)]).await?;
    ensure(
        next.delivered(&service).is_some(),
        format!(
            "the login began no session: /login with a service gives {}",
            next.words()
        ),
    )
}

async fn refuse(b: &Bench) -> Judged<(casque_visitor::Visitor, Reached)> {
    let service = b.service("login");
    let mut visitor = b.visitor();
    let page = visitor.login(&[("service", &service)]).await?;
    let Some(form) = page.form() else {
        return skipped("no login form");
    };
    let (username, password) = b.credentials();
    let wrong = format!("{password}-wrong");
    let reached = visitor
        .submit(
            &page.last,
            &form,
            (&username, &wrong),
            Some(&service),
            |_| {},
        )
        .await?;
    Ok((visitor, reached))
}

async fn failure(b: &mut Bench) -> Judged {
    let service = b.service("login");
    let (mut visitor, reached) = refuse(b).await?;
    ensure(
        reached.delivered(&service).is_none(),
        "a wrong password gives a ticket",
    )?;
    let next = visitor
        .login(&[("service", &service), ("gateway", "true")])
        .await?;
    ensure(
        next.delivered(&service).is_none(),
        "a wrong password begins a session",
    )?;
    ensure(
        reached.form().is_some(),
        format!("after a wrong password came {}", reached.words()),
    )
}

async fn failure_status(b: &mut Bench) -> Judged {
    let (_, reached) = refuse(b).await?;
    let status = reached.last.status.as_u16();
    ensure(status == 401, format!("the status is {status}"))
}

async fn sso(b: &mut Bench) -> Judged {
    let service = b.service("sso");
    let (mut visitor, _) = b.sign_in(&b.service("login")).await?;
    let reached = visitor.login(&[("service", &service)]).await?;
    ensure(
        reached.delivered(&service).is_some(),
        format!("with a session came {}", reached.words()),
    )
}

async fn already(b: &mut Bench) -> Judged {
    let reached = b.session().await?.login(&[]).await?;
    ensure(
        reached.left.is_none() && reached.form().is_none(),
        format!("with a session came {}", reached.words()),
    )
}

async fn renew(b: &mut Bench) -> Judged {
    let service = b.service("renew");
    b.deliver(&service).await?;
    let parameters = [("service", service.as_str()), ("renew", "true")];
    let reached = b.session().await?.login(&parameters).await?;
    ensure(
        reached.delivered(&service).is_none() && reached.form().is_some(),
        format!("with a session and renew=true came {}", reached.words()),
    )
}

async fn renew_keeps(b: &mut Bench) -> Judged {
    let service = b.service("renew");
    let (mut visitor, _) = b.sign_in(&service).await?;
    visitor
        .login(&[("service", &service), ("renew", "true")])
        .await?;
    let reached = visitor.login(&[("service", &service)]).await?;
    ensure(
        reached.delivered(&service).is_some(),
        format!("afterwards, without renew, came {}", reached.words()),
    )
}

async fn gateway(b: &mut Bench) -> Judged {
    let service = b.service("gateway?a=1");
    let reached = b
        .visitor()
        .login(&[("service", &service), ("gateway", "true")])
        .await?;
    let Some(location) = &reached.left else {
        return broken(format!("without a session came {}", reached.words()));
    };
    ensure(
        parameter(location, "ticket").is_none(),
        "a ticket is given to a browser without session",
    )?;
    ensure(
        Url::parse(location).is_ok_and(|url| leads_to(&url, &service)),
        format!("not to the service, but {}", reached.words()),
    )?;
    if *location != service {
        return broken_at(
            Level::Choice,
            format!("the address {service} became {location}"),
        );
    }
    Ok(())
}

async fn gateway_session(b: &mut Bench) -> Judged {
    let service = b.service("gateway");
    b.deliver(&service).await?;
    let parameters = [("service", service.as_str()), ("gateway", "true")];
    let reached = b.session().await?.login(&parameters).await?;
    ensure(
        reached.form().is_none(),
        "gateway=true shows the login form to somebody who is signed in",
    )?;
    if reached.delivered(&service).is_none() {
        return broken_at(Level::Should, format!("no ticket, but {}", reached.words()));
    }
    Ok(())
}

async fn gateway_renew(b: &mut Bench) -> Judged {
    let service = b.service("gateway");
    let both = [
        ("service", service.as_str()),
        ("gateway", "true"),
        ("renew", "true"),
    ];
    let reached = b.visitor().login(&both).await?;
    ensure(
        reached.form().is_some(),
        format!("with both came {}", reached.words()),
    )
}

async fn gateway_alone(b: &mut Bench) -> Judged {
    let reached = b.visitor().login(&[("gateway", "true")]).await?;
    ensure(
        reached.form().is_some(),
        format!("without service came {}", reached.words()),
    )
}

async fn parameter_case(b: &mut Bench) -> Judged {
    let service = b.service("case");
    b.deliver(&service).await?;
    for name in ["Service", "SERVICE"] {
        let reached = b.session().await?.login(&[(name, &service)]).await?;
        ensure(
            reached.delivered(&service).is_none(),
            format!("{name} is taken for service"),
        )?;
    }
    Ok(())
}

async fn no_store(b: &mut Bench) -> Judged {
    let service = b.service("login");
    let page = b.visitor().login(&[]).await?;
    let delivered = b.deliver(&service).await?;
    for (what, answer) in [
        ("the form", &page.last),
        ("the redirect", &delivered.answer),
    ] {
        let control = answer
            .header("cache-control")
            .unwrap_or_default()
            .to_ascii_lowercase();
        ensure(
            control.contains("no-store"),
            format!("{what} has Cache-Control {control:?}, without no-store"),
        )?;
        if !answer
            .header("pragma")
            .unwrap_or_default()
            .contains("no-cache")
        {
            return broken_at(
                Level::Choice,
                format!("{what} has no Pragma: no-cache, which only HTTP/1.0 reads"),
            );
        }
    }
    Ok(())
}

async fn page_headers(b: &mut Bench) -> Judged {
    let page = b.visitor().login(&[]).await?.last;
    let policy = page.header("content-security-policy").unwrap_or_default();
    let frames = page.header("x-frame-options").is_some() || policy.contains("frame-ancestors");
    ensure(frames, "neither frame-ancestors nor X-Frame-Options")?;
    ensure(
        page.header("x-content-type-options").is_some(),
        "no X-Content-Type-Options",
    )?;
    let referrer = page.header("referrer-policy").unwrap_or_default();
    ensure(
        ["no-referrer", "same-origin", "origin"]
            .iter()
            .any(|safe| referrer.contains(safe)),
        format!("Referrer-Policy is {referrer:?}"),
    )
}
