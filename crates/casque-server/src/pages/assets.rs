//! The files beside the pages, named by their content.

use std::fmt::Write;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// A file that never changes under its name.
#[derive(Debug)]
pub struct Asset {
    file_name: String,
    content_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, content_type: &'static str, bytes: &'static [u8]) -> Self {
        let digest = Sha256::digest(bytes);
        let hash = digest[..8].iter().fold(String::new(), |mut hash, byte| {
            // Writing to a `String` cannot fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        Self {
            file_name: format!("{stem}-{hash}.{extension}"),
            content_type,
            bytes,
        }
    }

    /// The name after `/assets/`, such as `casque-0123456789abcdef.css`.
    pub fn file_name(&self) -> &str {
        &self.file_name
    }

    /// For the header of that name.
    pub fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// The whole file.
    pub fn bytes(&self) -> &'static [u8] {
        self.bytes
    }
}

pub(super) fn stylesheet() -> &'static Asset {
    static STYLESHEET: OnceLock<Asset> = OnceLock::new();
    STYLESHEET.get_or_init(|| {
        Asset::new(
            "casque",
            "css",
            "text/css; charset=utf-8",
            include_bytes!("assets/casque.css"),
        )
    })
}

pub(super) fn icon() -> &'static Asset {
    static ICON: OnceLock<Asset> = OnceLock::new();
    ICON.get_or_init(|| {
        Asset::new(
            "casque",
            "svg",
            "image/svg+xml",
            include_bytes!("assets/casque.svg"),
        )
    })
}

pub(super) fn find(file_name: &str) -> Option<&'static Asset> {
    [stylesheet(), icon()]
        .into_iter()
        .find(|asset| asset.file_name() == file_name)
}
