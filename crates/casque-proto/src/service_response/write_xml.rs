//! A success in XML.

use super::AttributeStyle;
use crate::assertion::Assertion;
use crate::attributes::Attributes;
use crate::attributes::attribute_xml_name;
use crate::attributes::{is_free, is_plain_name};
use crate::xml::Writer;

/// Children in the order of the schema.
pub(super) fn success(writer: &mut Writer, assertion: &Assertion, style: AttributeStyle) {
    writer.open("cas:authenticationSuccess", &[]);
    writer.leaf("cas:user", assertion.user());
    if !assertion.attributes().is_empty() {
        writer.open("cas:attributes", &[]);
        match style {
            AttributeStyle::Elements => elements(writer, assertion.attributes()),
            AttributeStyle::Inline => inline(writer, assertion.attributes()),
        }
        writer.close("cas:attributes");
    }
    if let Some(iou) = assertion.proxy_granting_ticket_iou() {
        writer.leaf("cas:proxyGrantingTicket", iou.secret());
    }
    if !assertion.proxies().is_empty() {
        writer.open("cas:proxies", &[]);
        for proxy in assertion.proxies() {
            writer.leaf("cas:proxy", proxy);
        }
        writer.close("cas:proxies");
    }
    writer.close("cas:authenticationSuccess");
}

/// One element per value, those of one name adjacent.
fn elements(writer: &mut Writer, attributes: &Attributes) {
    if attributes.iter().all(|(name, _)| is_plain_name(name)) {
        return plain_elements(writer, attributes);
    }
    // Several names may become one.
    let mut written = Attributes::new();
    for (name, values) in attributes.iter() {
        let Some(name) = attribute_xml_name(name) else {
            continue;
        };
        for value in values {
            written.push(name.as_str(), value);
        }
    }
    plain_elements(writer, &written);
}

fn plain_elements(writer: &mut Writer, attributes: &Attributes) {
    let mut qualified = "cas:".to_owned();
    for (name, values) in attributes.iter().filter(|(name, _)| is_free(name)) {
        qualified.truncate("cas:".len());
        qualified.push_str(name);
        for value in values {
            writer.leaf(&qualified, value);
        }
    }
}

/// `<cas:attribute name="N" value="V"/>`, one per value.
fn inline(writer: &mut Writer, attributes: &Attributes) {
    for (name, values) in attributes.iter() {
        if attribute_xml_name(name).is_some() {
            for value in values {
                writer.empty("cas:attribute", &[("name", name), ("value", value)]);
            }
        }
    }
}
