//! The network: one request, one answer, no second try.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use rustls::ClientConfig;

use crate::exchange::{self, Answer};
use crate::text::one_line;
use crate::{ClientError, Distrust, TransportFailure};

/// An HTTP client that does nothing on its own: no redirect, retry, proxy, cookie or decompression.
#[derive(Clone)]
pub(crate) struct Http {
    client: reqwest::Client,
    max_body: usize,
}

impl Http {
    pub(crate) fn new(
        tls: ClientConfig,
        https_only: bool,
        connect_timeout: Duration,
        timeout: Duration,
        max_body: usize,
    ) -> Result<Self, ClientError> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(https_only)
            // One request at a time on a connection: a cancelled one takes its connection with it (S-012).
            .http1_only()
            // Shorter than the keep-alive of usual servers, so that no validation dies of a connection that the server
            // is just closing.
            .pool_idle_timeout(Duration::from_secs(4))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .connect_timeout(connect_timeout)
            .timeout(timeout)
            .user_agent(concat!("casque/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ClientError::misuse("http client", chain(&error.without_url())))?;
        Ok(Self { client, max_body })
    }

    /// Sends a request and reads its answer to the end, or to the size limit and no further.
    pub(crate) async fn send(&self, request: http::Request<Bytes>) -> Result<Answer, ClientError> {
        let request = reqwest::Request::try_from(request).map_err(transport_error)?;
        let mut response = self
            .client
            .execute(request)
            .await
            .map_err(transport_error)?;
        let status = response.status();
        let headers = response.headers().clone();
        if response
            .content_length()
            .is_some_and(|length| length > self.max_body as u64)
        {
            return Err(exchange::too_large(status, self.max_body));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(transport_error)? {
            if chunk.len() > self.max_body - body.len() {
                return Err(exchange::too_large(status, self.max_body));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status,
            headers,
            body: body.freeze(),
        })
    }
}

/// The stack's errors carry the URL, and with it the ticket (S-017), so that only their words are kept.
fn transport_error(error: reqwest::Error) -> ClientError {
    let error = error.without_url();
    if let Some(certificate) = certificate_error(&error) {
        return ClientError::Untrusted {
            distrust: Distrust::Certificate,
            detail: certificate,
            status: None,
        };
    }
    let failure = if error.is_connect() {
        TransportFailure::Connect
    } else if error.is_timeout() {
        TransportFailure::Timeout
    } else {
        TransportFailure::Interrupted
    };
    ClientError::Transport {
        failure,
        detail: chain(&error),
    }
}

fn certificate_error(error: &reqwest::Error) -> Option<String> {
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(rustls::Error::InvalidCertificate(reason)) = cause.downcast_ref() {
            return Some(one_line(&reason.to_string(), MAX_DETAIL));
        }
        // The source of an io::Error is that of the error it wraps, not the wrapped error itself.
        next = match cause
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    None
}

/// The messages of an error and its causes, without what repeats itself.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let message = cause.to_string();
        if !text.ends_with(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        source = cause.source();
    }
    one_line(&text, MAX_DETAIL)
}

const MAX_DETAIL: usize = 300;
