//! Answers in JSON.

use super::success::SuccessAnswer;
use super::success::Values;
use crate::attributes::STANDARD_ATTRIBUTES;
use crate::failure::Failure;
use crate::json::write_string;

pub(super) fn success(answer: &SuccessAnswer<'_>) -> String {
    let mut out = String::from("{\"serviceResponse\":{\"authenticationSuccess\":{\"user\":");
    write_string(&mut out, answer.user);
    let mut entries = answer.entries().enumerate().peekable();
    if entries.peek().is_some() {
        out.push_str(",\"attributes\":{");
        for (index, (name, values)) in entries {
            separate(&mut out, index);
            write_string(&mut out, name);
            out.push(':');
            attribute(&mut out, name, values);
        }
        out.push('}');
    }
    if let Some(iou) = answer.proxy_granting_ticket_iou {
        out.push_str(",\"proxyGrantingTicket\":");
        write_string(&mut out, iou.secret());
    }
    if !answer.proxies.is_empty() {
        out.push_str(",\"proxies\":");
        list(&mut out, Values::Listed(answer.proxies));
    }
    out.push_str("}}}");
    out
}

/// `{"serviceResponse":{"authenticationFailure":{"code":"…","description":"…"}}}`
pub(crate) fn failure(name: &str, failure: &Failure) -> String {
    let mut out = String::from("{\"serviceResponse\":{");
    write_string(&mut out, name);
    out.push_str(":{");
    if let Some(code) = failure.code() {
        out.push_str("\"code\":");
        write_string(&mut out, code.as_str());
        out.push(',');
    }
    out.push_str("\"description\":");
    write_string(&mut out, failure.description());
    out.push_str("}}}");
    out
}

/// A scalar for one value, a list for several; the standard flags are booleans.
fn attribute(out: &mut String, name: &str, values: Values<'_>) {
    match values.only() {
        Some(value)
            if STANDARD_ATTRIBUTES[1..].contains(&name) && matches!(value, "true" | "false") =>
        {
            out.push_str(value);
        }
        Some(value) => write_string(out, value),
        None => list(out, values),
    }
}

fn list(out: &mut String, values: Values<'_>) {
    out.push('[');
    for (index, value) in values.iter().enumerate() {
        separate(out, index);
        write_string(out, value);
    }
    out.push(']');
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push(',');
    }
}
