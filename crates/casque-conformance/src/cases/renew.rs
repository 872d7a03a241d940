//! `renew` at validation: was the password typed for this ticket?

use casque_proto::Cas1Response;

use super::validate::{NOT_GOOD, ask_cas1};
use crate::bench::{Bench, VALIDATORS};
use crate::case::{Case, case};
use crate::verdict::{Judged, broken, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "validate-renew",
        ["R-101"],
        Must,
        "§2.5.1, §2.5.3",
        "renew refuses a ticket from single sign-on",
        renew
    ),
    case!(
        "validate-renew-new",
        ["R-101"],
        Must,
        "§2.5.1",
        "renew takes a ticket from a new login",
        renew_new
    ),
    case!(
        "validate-renew-cas1",
        ["R-101"],
        Must,
        "§2.4.1",
        "/validate with renew refuses a ticket from single sign-on",
        renew_cas1
    ),
    case!(
        "validate-renew-false",
        ["R-006"],
        Choice,
        "casque",
        "renew=false is not renew",
        renew_false
    ),
];

async fn renew(b: &mut Bench) -> Judged {
    let service = b.service("renew");
    for endpoint in b.those(&VALIDATORS).await? {
        let (mut visitor, _) = b.sign_in(&b.service("login")).await?;
        let reached = visitor.login(&[("service", &service)]).await?;
        let Some(delivered) = reached.delivered(&service) else {
            return skipped(format!(
                "no ticket from single sign-on, but {}",
                reached.words()
            ));
        };
        let parameters = [
            ("service", service.as_str()),
            ("ticket", &delivered.ticket),
            ("renew", "true"),
        ];
        // The specification of the code names this case: §2.5.3, INVALID_TICKET.
        b.validate(endpoint, &parameters)
            .await?
            .refused_with(NOT_GOOD)?;
    }
    Ok(())
}

async fn renew_new(b: &mut Bench) -> Judged {
    let service = b.service("renew");
    for endpoint in b.those(&VALIDATORS).await? {
        let parameters = [("service", service.as_str()), ("renew", "true")];
        let (_, reached) = b.try_sign_in(&parameters, |_| {}).await?;
        let Some(delivered) = reached.delivered(&service) else {
            return broken(format!(
                "after a login with renew=true came {}",
                reached.words()
            ));
        };
        let parameters = [
            ("service", service.as_str()),
            ("ticket", &delivered.ticket),
            ("renew", "true"),
        ];
        b.validate(endpoint, &parameters).await?.success()?;
    }
    Ok(())
}

async fn renew_cas1(b: &mut Bench) -> Judged {
    b.needs("validate").await?;
    let service = b.service("renew");
    let (mut visitor, _) = b.sign_in(&b.service("login")).await?;
    let reached = visitor.login(&[("service", &service)]).await?;
    let Some(delivered) = reached.delivered(&service) else {
        return skipped(format!(
            "no ticket from single sign-on, but {}",
            reached.words()
        ));
    };
    let parameters = [
        ("service", service.as_str()),
        ("ticket", &delivered.ticket),
        ("renew", "true"),
    ];
    match ask_cas1(b, &parameters).await? {
        Cas1Response::Failure => Ok(()),
        Cas1Response::Success { .. } => broken("a ticket from single sign-on satisfies renew"),
    }
}

async fn renew_false(b: &mut Bench) -> Judged {
    let service = b.service("renew");
    let endpoint = b.those(&VALIDATORS).await?[0];
    b.deliver(&b.service("session")).await?;
    let ticket = b.ticket(&service).await?;
    let parameters = [
        ("service", service.as_str()),
        ("ticket", &ticket),
        ("renew", "false"),
    ];
    if b.validate(endpoint, &parameters).await?.refused().is_ok() {
        return broken("renew=false counts as set, which the specification's words allow");
    }
    Ok(())
}
