//! The HTTP client for messages of single logout.

use std::time::Duration;

use http::{StatusCode, header::CONTENT_TYPE};
use rustls::ClientConfig;

use super::OutboundError;

/// A client for messages, each of which may take this long.
pub(crate) fn client(
    tls: ClientConfig,
    timeout: Duration,
) -> Result<reqwest::Client, OutboundError> {
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(timeout)
        .timeout(timeout)
        // Bodies are not read to their end, so no connection is used twice (S-012).
        .pool_max_idle_per_host(0)
        .build()
        .map_err(|error| OutboundError::Client(error.into()))
}

/// Posts a form and looks at the status alone; the body of the answer is not read.
pub(crate) async fn post(
    client: &reqwest::Client,
    url: &str,
    body: String,
) -> Result<StatusCode, reqwest::Error> {
    let request = client
        .post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body);
    Ok(request.send().await?.status())
}
