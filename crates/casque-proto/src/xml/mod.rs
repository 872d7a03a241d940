//! XML as CAS speaks it: a strict reader that hands out one token at a time, and a writer.
//!
//! quick-xml splits a document into events. It lets truncated documents, several roots, unknown references, bad names,
//! illegal characters and more pass, so a gate stands on top: it knows no document type, no entity but the five
//! predefined ones, builds no tree, and checks while it reads everything that makes a document well-formed: one root,
//! names, unique attributes, bound prefixes, legal characters and references, the end of the document (S-020 to
//! S-028). Tests compare it with an independent parser.

mod declaration;
mod pieces;
mod reader;
mod writer;

pub(crate) use declaration::declares_latin1;
pub(crate) use reader::Element;
pub(crate) use reader::Reader;
pub(crate) use reader::Value;
pub(crate) use writer::Writer;

/// The namespaces that messages of this crate know by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Namespace {
    /// No namespace at all.
    None,
    /// `http://www.yale.edu/tp/cas`
    Cas,
    /// `http://schemas.xmlsoap.org/soap/envelope/`
    Soap,
    /// `urn:oasis:names:tc:SAML:1.0:protocol`
    Saml1Protocol,
    /// `urn:oasis:names:tc:SAML:1.0:assertion`
    Saml1Assertion,
    /// `urn:oasis:names:tc:SAML:2.0:protocol`
    Saml2Protocol,
    /// `urn:oasis:names:tc:SAML:2.0:assertion`
    Saml2Assertion,
    /// Any other namespace.
    Other,
}

impl Namespace {
    /// Namespaces are compared as strings: another scheme or a slash at the end makes another namespace (S-023).
    fn of(uri: &str) -> Self {
        match uri {
            "" => Self::None,
            CAS_NAMESPACE => Self::Cas,
            "http://schemas.xmlsoap.org/soap/envelope/" => Self::Soap,
            "urn:oasis:names:tc:SAML:1.0:protocol" => Self::Saml1Protocol,
            "urn:oasis:names:tc:SAML:1.0:assertion" => Self::Saml1Assertion,
            "urn:oasis:names:tc:SAML:2.0:protocol" => Self::Saml2Protocol,
            "urn:oasis:names:tc:SAML:2.0:assertion" => Self::Saml2Assertion,
            _ => Self::Other,
        }
    }
}

/// The namespace of every CAS element.
pub(crate) const CAS_NAMESPACE: &str = "http://www.yale.edu/tp/cas";
