//! A success in XML.

use super::AttributeStyle;
use super::success::SuccessAnswer;
use super::success::Values;
use crate::attributes::Attributes;
use crate::attributes::attribute_xml_name;
use crate::attributes::{is_free, is_plain_name};
use crate::xml::Writer;

/// Children in the order of the schema.
pub(super) fn success(writer: &mut Writer, answer: &SuccessAnswer<'_>, style: AttributeStyle) {
    writer.open("cas:authenticationSuccess", &[]);
    writer.leaf("cas:user", answer.user);
    if answer.entries().next().is_some() {
        writer.open("cas:attributes", &[]);
        match style {
            AttributeStyle::Elements => elements(writer, answer),
            AttributeStyle::Inline => inline(writer, answer),
        }
        writer.close("cas:attributes");
    }
    if let Some(iou) = answer.proxy_granting_ticket_iou {
        writer.leaf("cas:proxyGrantingTicket", iou.secret());
    }
    if !answer.proxies.is_empty() {
        writer.open("cas:proxies", &[]);
        for proxy in answer.proxies {
            writer.leaf("cas:proxy", proxy);
        }
        writer.close("cas:proxies");
    }
    writer.close("cas:authenticationSuccess");
}

/// One element per value, those of one name adjacent.
fn elements(writer: &mut Writer, answer: &SuccessAnswer<'_>) {
    if answer.entries().all(|(name, _)| is_plain_name(name)) {
        return plain_elements(writer, answer.entries());
    }
    // Several names may become one.
    let mut written = Attributes::new();
    for (name, values) in answer.entries() {
        let Some(name) = attribute_xml_name(name) else {
            continue;
        };
        for value in values.iter() {
            written.push(name.as_str(), value);
        }
    }
    let entries = written.iter();
    plain_elements(
        writer,
        entries.map(|(name, values)| (name, Values::Listed(values))),
    );
}

fn plain_elements<'a>(writer: &mut Writer, entries: impl Iterator<Item = (&'a str, Values<'a>)>) {
    let mut qualified = "cas:".to_owned();
    for (name, values) in entries.filter(|(name, _)| is_free(name)) {
        qualified.truncate("cas:".len());
        qualified.push_str(name);
        for value in values.iter() {
            writer.leaf(&qualified, value);
        }
    }
}

/// `<cas:attribute name="N" value="V"/>`, one per value.
fn inline(writer: &mut Writer, answer: &SuccessAnswer<'_>) {
    for (name, values) in answer.entries() {
        if attribute_xml_name(name).is_some() {
            for value in values.iter() {
                writer.empty("cas:attribute", &[("name", name), ("value", value)]);
            }
        }
    }
}
