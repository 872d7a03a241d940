//! How messages of single logout are received (S-047, S-048, R-084 to R-092).

use std::net::IpAddr;

use casque_proto::{LogoutReceiver, ReadError};
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use ipnet::IpNet;

use crate::answer::{Answer, Reason};
use crate::app::RequestView;

/// How single logout is received.
#[derive(Clone, Debug, Default)]
pub(crate) struct SingleLogout {
    /// From where; empty means from anywhere.
    pub(crate) sources: Vec<IpNet>,
    pub(crate) front_channel: bool,
    pub(crate) raw_xml: bool,
}

impl SingleLogout {
    /// For a request whose path has been judged, with the prefix taken into account.
    pub(crate) fn receiver(&self, request: &RequestView<'_>) -> LogoutReceiver {
        LogoutReceiver::new(request.uri.path())
            .front_channel(self.front_channel)
            .raw_xml(self.raw_xml)
    }

    pub(crate) fn receives_from(&self, peer: Option<IpAddr>) -> bool {
        let sources = &self.sources;
        sources.is_empty() || peer.is_some_and(|peer| sources.iter().any(|n| n.contains(&peer)))
    }

    /// Whether a body could be a message at all; all others stream through (S-081).
    pub(crate) fn is_small_message(&self, request: &RequestView<'_>) -> bool {
        let RequestView {
            method,
            uri,
            headers,
            ..
        } = request;
        self.receiver(request).may_be_logout(method, uri, headers)
            && content_length(request).is_none_or(|length| length <= LogoutReceiver::MAX_BODY)
    }
}

/// Whether a body is a form, by its one media type.
pub(crate) fn is_form(request: &RequestView<'_>) -> bool {
    LogoutReceiver::new(request.uri.path()).may_be_logout(
        request.method,
        request.uri,
        request.headers,
    )
}

pub(crate) fn bad_single_logout(error: &ReadError) -> Answer {
    tracing::info!(
        error = error.class().as_str(),
        "single logout message refused"
    );
    Answer::status(StatusCode::BAD_REQUEST, Reason::BadSingleLogout)
}

/// What a request says the length of its body is.
pub(crate) fn content_length(request: &RequestView<'_>) -> Option<usize> {
    let length = request.headers.get(CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}
