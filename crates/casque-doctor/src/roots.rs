//! Whom this machine trusts.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;

/// The roots of the machine, and those of a file.
#[derive(Clone, Debug)]
pub(crate) struct Roots {
    pub(crate) store: Arc<RootCertStore>,
    words: String,
}

impl Roots {
    /// # Errors
    ///
    /// In words, where the file cannot be used.
    pub(crate) fn load(file: Option<&Path>) -> Result<Self, String> {
        let store = casque_visitor::roots(None)?;
        let machine = store.len();
        let Some(file) = file else {
            return Ok(Self {
                store: Arc::new(store),
                words: format!("the {machine} roots of this machine"),
            });
        };
        let store = casque_visitor::roots(Some(file))?;
        let own = store.len() - machine;
        if own == 0 {
            return Err(format!(
                "cannot use the certificates in {}: it holds no PEM block that begins with -----BEGIN CERTIFICATE-----",
                file.display()
            ));
        }
        Ok(Self {
            store: Arc::new(store),
            words: format!(
                "the {machine} roots of this machine and {own} of {}",
                file.display()
            ),
        })
    }

    /// What is trusted, for a sentence.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }
}
