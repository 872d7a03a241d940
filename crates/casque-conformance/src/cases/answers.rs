//! What the answers of validation look like.

use casque_proto::STANDARD_ATTRIBUTES;

use crate::bench::{Bench, MADE_UP_TICKET, VALIDATORS, Validation, read};
use crate::case::{Case, case};
use crate::verdict::{Judged, Level, absent, broken, broken_at, ensure, skipped};

pub(crate) const CASES: &[Case] = &[
    case!(
        "answer-attributes",
        ["R-102"],
        Must,
        "§2.8",
        "CAS 3 tells the user's attributes",
        attributes
    ),
    case!(
        "answer-standard",
        ["R-128"],
        Must,
        "appendix A",
        "attributes include authenticationDate and longTermAuthenticationRequestTokenUsed",
        standard
    ),
    case!(
        "answer-standard-first",
        ["R-128"],
        Choice,
        "appendix A",
        "the standard attributes come first, each once",
        standard_first
    ),
    case!(
        "answer-date",
        ["R-128"],
        Must,
        "appendix A",
        "authenticationDate is an xs:dateTime, the other two are booleans",
        typed
    ),
    case!(
        "answer-new-login",
        ["R-128"],
        Should,
        "appendix A",
        "isFromNewLogin tells a new login from single sign-on",
        new_login
    ),
    case!(
        "answer-json",
        ["R-105", "R-136"],
        Must,
        "§2.5.1",
        "format=JSON is answered in JSON",
        json
    ),
    case!(
        "answer-json-failure",
        ["R-136"],
        Must,
        "§2.5.1, §2.5.2",
        "a refusal in JSON has code and description",
        json_failure
    ),
    case!(
        "answer-format-unknown",
        ["R-105", "R-182"],
        Must,
        "§2.5.1",
        "an unknown format is an error",
        format_unknown
    ),
    case!(
        "answer-format-case",
        ["R-105"],
        Choice,
        "casque",
        "format=json means JSON as well",
        format_case
    ),
    case!(
        "answer-text",
        ["R-122"],
        Should,
        "§2.5.3",
        "a refusal says why",
        text
    ),
    case!(
        "answer-prefix",
        ["R-117", "R-118"],
        Choice,
        "convention",
        "XML begins with cas:serviceResponse, without declaration",
        prefix
    ),
    case!(
        "answer-whitespace",
        ["R-120"],
        Choice,
        "convention",
        "cas:user holds the name and nothing else",
        whitespace
    ),
    case!(
        "answer-status",
        ["R-011"],
        Choice,
        "convention",
        "a refusal has status 200",
        status
    ),
    case!(
        "answer-type",
        ["R-014"],
        Choice,
        "convention",
        "the content type says XML, JSON or text",
        content_type
    ),
    case!(
        "answer-no-store",
        ["R-012"],
        Choice,
        "casque",
        "answers are not to be cached",
        no_store
    ),
    case!(
        "answer-cas2-attributes",
        ["R-102"],
        Choice,
        "casque",
        "CAS 2 tells no attributes",
        cas2
    ),
    case!(
        "answer-same-user",
        ["R-104"],
        Choice,
        "convention",
        "all endpoints name the user alike",
        same_user
    ),
];

const P3: [&str; 2] = ["p3/serviceValidate", "p3/proxyValidate"];

async fn good(b: &mut Bench, endpoint: &'static str, extra: &[(&str, &str)]) -> Judged<Validation> {
    let service = b.service("answer");
    let ticket = b.ticket(&service).await?;
    let mut parameters = vec![("service", service.as_str()), ("ticket", ticket.as_str())];
    parameters.extend(extra);
    b.validate(endpoint, &parameters).await
}

async fn attributes(b: &mut Bench) -> Judged {
    for endpoint in b.those(&P3).await? {
        let assertion = good(b, endpoint, &[]).await?.success()?;
        if assertion.attributes().is_empty() {
            return broken(format!(
                "/{endpoint} tells no attribute at all (is one released to this service?)"
            ));
        }
        let own = assertion
            .attributes()
            .iter()
            .any(|(name, _)| !STANDARD_ATTRIBUTES.contains(&name));
        if !own {
            return skipped(format!(
                "/{endpoint} tells standard attributes only: none of the user is released"
            ));
        }
    }
    Ok(())
}

async fn standard(b: &mut Bench) -> Judged {
    for endpoint in b.those(&P3).await? {
        let assertion = good(b, endpoint, &[]).await?.success()?;
        if assertion.attributes().is_empty() {
            return skipped("no attributes at all");
        }
        for name in [
            "authenticationDate",
            "longTermAuthenticationRequestTokenUsed",
        ] {
            ensure(
                assertion.attributes().contains(name),
                format!("/{endpoint}: attributes without {name}"),
            )?;
        }
        if !assertion.attributes().contains("isFromNewLogin") {
            return broken_at(
                Level::Should,
                format!("/{endpoint}: attributes without isFromNewLogin"),
            );
        }
    }
    Ok(())
}

async fn standard_first(b: &mut Bench) -> Judged {
    for endpoint in b.those(&P3).await? {
        let assertion = good(b, endpoint, &[]).await?.success()?;
        let first: Vec<_> = assertion.attributes().iter().take(3).collect();
        let names: Vec<_> = first.iter().map(|(name, _)| *name).collect();
        let wanted = [
            "authenticationDate",
            "longTermAuthenticationRequestTokenUsed",
            "isFromNewLogin",
        ];
        ensure(
            names == wanted,
            format!("/{endpoint}: the first are {}", names.join(", ")),
        )?;
        ensure(
            first.iter().all(|(_, values)| values.len() == 1),
            "a standard attribute comes twice",
        )?;
    }
    Ok(())
}

async fn typed(b: &mut Bench) -> Judged {
    for endpoint in b.those(&P3).await? {
        let assertion = good(b, endpoint, &[]).await?.success()?;
        let attributes = assertion.attributes();
        if let Some(date) = attributes.first("authenticationDate") {
            ensure(
                is_date_time(date),
                format!("authenticationDate is {date:?}"),
            )?;
        }
        for name in &STANDARD_ATTRIBUTES[1..] {
            if let Some(flag) = attributes.first(name) {
                let boolean = matches!(flag, "true" | "false" | "1" | "0");
                ensure(boolean, format!("{name} is {flag:?}"))?;
            }
        }
        if attributes.first("authenticationDate").is_none() {
            return absent("no authenticationDate");
        }
    }
    Ok(())
}

/// `YYYY-MM-DDThh:mm:ss`, then a fraction and a zone or not: the lexical form of `xs:dateTime`.
fn is_date_time(text: &str) -> bool {
    let shape = "dddd-dd-ddTdd:dd:dd";
    let Some((start, mut rest)) = text.split_at_checked(shape.len()) else {
        return false;
    };
    let fits = |shape: &str, text: &str| {
        shape.len() == text.len()
            && shape.bytes().zip(text.bytes()).all(|(s, t)| {
                if s == b'd' {
                    t.is_ascii_digit()
                } else {
                    s == t
                }
            })
    };
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == fraction.len() {
            return false;
        }
    }
    fits(shape, start)
        && (rest.is_empty() || rest == "Z" || fits("+dd:dd", rest) || fits("-dd:dd", rest))
}

async fn new_login(b: &mut Bench) -> Judged {
    let endpoint = b.those(&P3).await?[0];
    let service = b.service("new");
    let (mut visitor, delivered) = b.sign_in(&service).await?;
    let told = |assertion: casque_proto::Assertion| assertion.is_from_new_login();
    let ask = [("service", service.as_str()), ("ticket", &delivered.ticket)];
    let new = told(b.validate(endpoint, &ask).await?.success()?);
    let reached = visitor.login(&[("service", &service)]).await?;
    let Some(delivered) = reached.delivered(&service) else {
        return skipped("no single sign-on");
    };
    let ask = [("service", service.as_str()), ("ticket", &delivered.ticket)];
    let old = told(b.validate(endpoint, &ask).await?.success()?);
    match (new, old) {
        (None, None) => absent("isFromNewLogin is not told"),
        (Some(true), Some(false) | None) => Ok(()),
        _ => broken(format!(
            "after a new login it is {new:?}, by single sign-on {old:?}"
        )),
    }
}

fn is_json(validation: &Validation) -> bool {
    serde_json::from_slice::<serde_json::Value>(&validation.answer.body).is_ok()
}

async fn json(b: &mut Bench) -> Judged {
    for endpoint in b.those(&VALIDATORS).await? {
        let validation = good(b, endpoint, &[("format", "JSON")]).await?;
        ensure(
            is_json(&validation),
            format!("/{endpoint}: the answer to format=JSON is not JSON"),
        )?;
        validation.success()?;
        let validation = good(b, endpoint, &[("format", "XML")]).await?;
        ensure(
            !is_json(&validation),
            format!("/{endpoint}: format=XML is answered in JSON"),
        )?;
        validation.success()?;
    }
    Ok(())
}

async fn json_failure(b: &mut Bench) -> Judged {
    let service = b.service("answer");
    for endpoint in b.those(&VALIDATORS).await? {
        let parameters = [
            ("service", service.as_str()),
            ("ticket", MADE_UP_TICKET),
            ("format", "JSON"),
        ];
        let validation = b.validate(endpoint, &parameters).await?;
        ensure(
            is_json(&validation),
            format!("/{endpoint}: the refusal is not JSON"),
        )?;
        let code = validation.refused()?;
        ensure(
            !code.is_empty(),
            format!("/{endpoint}: the refusal has no code"),
        )?;
    }
    Ok(())
}

async fn format_unknown(b: &mut Bench) -> Judged {
    for endpoint in b.those(&VALIDATORS).await? {
        let validation = good(b, endpoint, &[("format", "YAML")]).await?;
        let code = validation.refused()?;
        ensure(!code.is_empty(), "the refusal has no code")?;
    }
    Ok(())
}

async fn format_case(b: &mut Bench) -> Judged {
    let endpoint = b.those(&VALIDATORS).await?[0];
    if !is_json(&good(b, endpoint, &[("format", "JSON")]).await?) {
        return absent("no JSON at all");
    }
    let validation = good(b, endpoint, &[("format", "json")]).await?;
    ensure(is_json(&validation), "format=json is not answered in JSON")
}

async fn text(b: &mut Bench) -> Judged {
    let service = b.service("answer");
    for endpoint in b.those(&VALIDATORS).await? {
        let ask = [("service", service.as_str()), ("ticket", MADE_UP_TICKET)];
        match b.validate(endpoint, &ask).await?.response {
            Ok(casque_proto::ServiceResponse::Failure(failure)) => ensure(
                !failure.description().trim().is_empty(),
                format!("/{endpoint}: the refusal has no words"),
            )?,
            _ => return broken(format!("/{endpoint}: not a refusal")),
        }
    }
    Ok(())
}

async fn prefix(b: &mut Bench) -> Judged {
    for endpoint in b.those(&VALIDATORS).await? {
        let text = good(b, endpoint, &[]).await?.answer.text();
        ensure(
            text.starts_with("<cas:serviceResponse"),
            format!(
                "/{endpoint} begins with {:?}",
                text.chars().take(40).collect::<String>()
            ),
        )?;
        ensure(
            text.contains("<cas:user>"),
            format!("/{endpoint}: no literal <cas:user>"),
        )?;
    }
    Ok(())
}

async fn whitespace(b: &mut Bench) -> Judged {
    let user = b.settings.username.clone();
    for endpoint in b.those(&VALIDATORS).await? {
        let text = good(b, endpoint, &[]).await?.answer.text();
        let held = text
            .split_once("user>")
            .and_then(|(_, rest)| rest.split_once('<'));
        let held = held.map_or("", |(held, _)| held);
        ensure(
            held.trim() == held,
            format!("/{endpoint}: blanks round the name"),
        )?;
        if !held.eq_ignore_ascii_case(&user) {
            return skipped(format!("/{endpoint} names {held:?}"));
        }
    }
    Ok(())
}

async fn status(b: &mut Bench) -> Judged {
    let service = b.service("answer");
    for endpoint in b.those(&VALIDATORS).await? {
        for parameters in [
            &[][..],
            &[("service", service.as_str()), ("ticket", MADE_UP_TICKET)],
        ] {
            let status = b.ask(endpoint, parameters).await?.status.as_u16();
            ensure(
                status == 200,
                format!("/{endpoint}: a refusal has status {status}"),
            )?;
        }
    }
    Ok(())
}

async fn content_type(b: &mut Bench) -> Judged {
    for endpoint in b.those(&VALIDATORS).await? {
        for format in ["XML", "JSON"] {
            let validation = good(b, endpoint, &[("format", format)]).await?;
            if format == "JSON" && !is_json(&validation) {
                continue;
            }
            let said = validation.answer.content_type().to_ascii_lowercase();
            ensure(
                said.contains(&format.to_ascii_lowercase()),
                format!("/{endpoint}: {format} as {said:?}"),
            )?;
        }
    }
    if b.has("validate").await? {
        let said = b.ask("validate", &[]).await?.content_type();
        ensure(
            said.contains("text/plain"),
            format!("/validate: text as {said:?}"),
        )?;
    }
    Ok(())
}

async fn no_store(b: &mut Bench) -> Judged {
    for endpoint in b.those(&VALIDATORS).await? {
        let said = good(b, endpoint, &[]).await?.answer.header("cache-control");
        let said = said.unwrap_or_default().to_ascii_lowercase();
        ensure(
            said.contains("no-store"),
            format!("/{endpoint}: Cache-Control is {said:?}"),
        )?;
    }
    Ok(())
}

async fn cas2(b: &mut Bench) -> Judged {
    for endpoint in b.those(&["serviceValidate", "proxyValidate"]).await? {
        let assertion = good(b, endpoint, &[]).await?.success()?;
        ensure(
            assertion.attributes().is_empty(),
            format!("/{endpoint} tells attributes, as §2.5.5 allows"),
        )?;
    }
    Ok(())
}

async fn same_user(b: &mut Bench) -> Judged {
    let mut users: Vec<String> = Vec::new();
    for endpoint in b.those(&VALIDATORS).await? {
        let answer = good(b, endpoint, &[]).await?.answer;
        users.push(read(endpoint, answer).success()?.user().to_owned());
    }
    users.dedup();
    ensure(
        users.len() == 1,
        format!("the user is {}", users.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::is_date_time;

    #[test]
    fn times_have_the_form_of_the_schema() {
        for good in [
            "2024-05-01T12:00:00Z",
            "2024-05-01T12:00:00.123456+02:00",
            "2024-05-01T12:00:00",
        ] {
            assert!(is_date_time(good), "{good}");
        }
        for bad in [
            "",
            "2024-05-01 12:00:00Z",
            "2024-05-01T12:00:00.Z",
            "2024-05-01T12:00:00Z[UTC]",
            "1714564800",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }
}
