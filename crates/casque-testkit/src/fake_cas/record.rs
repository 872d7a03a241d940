//! What the server was asked.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method, request::Parts};
use url::form_urlencoded;

use super::pages::Page;

/// A request that a [`FakeCas`](super::FakeCas) received.
///
/// Its `Debug` names the parameters and hides their values, since one of them is a ticket, as it hides a ticket in the path.
#[derive(Clone)]
pub struct RecordedRequest {
    page: Option<Page>,
    connection: usize,
    parts: Parts,
    body: Bytes,
}

impl RecordedRequest {
    pub(super) fn new(page: Option<Page>, connection: usize, parts: Parts, body: Bytes) -> Self {
        Self {
            page,
            connection,
            parts,
            body,
        }
    }

    /// The page it was for; `None` where there is no such page.
    pub fn page(&self) -> Option<Page> {
        self.page
    }

    /// The number of the connection it came on, counted from 1.
    pub fn connection(&self) -> usize {
        self.connection
    }

    /// The method.
    pub fn method(&self) -> &Method {
        &self.parts.method
    }

    /// The path with the prefix `/cas`.
    pub fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The query as it was sent, without the question mark; empty where there was none.
    pub fn raw_query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }

    /// The parameters of the query, decoded, in order.
    pub fn query(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.raw_query().as_bytes())
            .into_owned()
            .collect()
    }

    /// The value of a parameter of the query that must occur once; `None` where it does not occur.
    ///
    /// # Panics
    ///
    /// Where it occurs twice.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let mut values = self
            .query()
            .into_iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value);
        let first = values.next();
        assert!(
            values.next().is_none(),
            "the parameter {name} was sent twice"
        );
        first
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.parts.headers
    }

    /// The body.
    pub fn body(&self) -> &Bytes {
        &self.body
    }
}

impl fmt::Debug for RecordedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.query().into_iter().map(|(name, _)| name).collect();
        let path = match self.page {
            Some(Page::RestTicket) => format!("{}…", Page::RestTicket.path()),
            _ => self.path().to_owned(),
        };
        f.debug_struct("RecordedRequest")
            .field("connection", &self.connection)
            .field("method", self.method())
            .field("path", &path)
            .field("parameters", &names)
            .finish_non_exhaustive()
    }
}
