//! S-081: bodies reach the application as they were.

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use http_body_util::StreamBody;

use crate::support::{CALLBACK, FORM, Lab};

fn chunks(chunks: Vec<Bytes>) -> Body {
    let frames = chunks
        .into_iter()
        .map(|chunk| Ok::<_, std::io::Error>(http_body::Frame::data(chunk)));
    Body::new(StreamBody::new(futures_util::stream::iter(frames)))
}

#[tokio::test]
async fn forms_stream_through_untouched() {
    let lab = Lab::new();
    let (mut browser, _) = lab.signed_in("alice").await;
    let long = vec![b'a'; 16 * 1024 + 1];
    let exact = vec![b'a'; 16 * 1024];
    for body in [
        &b""[..],
        b"a=1",
        b"comment=hello&x=%00%ff",
        b"\0\xff\xfe",
        &exact,
        &long,
    ] {
        for pieces in [1, 7, 4096] {
            let chunks_of = body.chunks(pieces.max(body.len() / 64 + 1));
            let streamed = chunks(chunks_of.map(Bytes::copy_from_slice).collect());
            let headers = [("content-type", FORM)];
            let page = browser
                .send(Method::POST, CALLBACK, &headers, streamed)
                .await;
            assert_eq!(page.status, StatusCode::OK);
            assert_eq!(page.body, body);
        }
        let length = body.len().to_string();
        let headers = [("content-type", FORM), ("content-length", length.as_str())];
        let page = browser
            .send(Method::POST, CALLBACK, &headers, body.to_vec().into())
            .await;
        assert_eq!(page.body, body);
        let page = browser.post("/echo", FORM, body.to_vec()).await;
        assert_eq!(page.body, body);
    }
    // Too long for a message, and so the application's, whatever it says.
    let message = [b"logoutRequest=", &long[..]].concat();
    let page = browser.post("/echo", FORM, message.clone()).await;
    assert_eq!(page.body, message);
}

/// A body that breaks off ends no session and is the application's to judge.
#[tokio::test]
async fn a_body_that_breaks_off() {
    let lab = Lab::new();
    let (mut browser, _) = lab.signed_in("alice").await;
    let frames = vec![
        Ok(http_body::Frame::data(Bytes::from_static(
            b"logoutRequest=",
        ))),
        Err(std::io::Error::other("cut")),
    ];
    let body = Body::new(StreamBody::new(futures_util::stream::iter(frames)));
    let request = axum::extract::Request::post(CALLBACK)
        .header("content-type", FORM)
        .body(body)
        .unwrap();
    let response = tower::ServiceExt::oneshot(lab.router.clone(), request)
        .await
        .unwrap();
    let error = http_body_util::BodyExt::collect(response.into_body()).await;
    assert!(error.is_err(), "the application sees the body break off");
    assert_eq!(browser.go("/").await.text(), "alice");
}

/// S-048, S-081: nobody holds the callback path open by sending nothing, or too slowly.
#[tokio::test(start_paused = true)]
async fn a_form_that_never_arrives_gets_408() {
    let lab = Lab::new();
    let drip = |every: Option<u64>| {
        Body::from_stream(futures_util::stream::unfold(0, move |sent| async move {
            match every {
                Some(seconds) if sent < 30 => {
                    let pause = std::time::Duration::from_secs(seconds);
                    let _ = tokio::time::timeout(pause, std::future::pending::<()>()).await;
                }
                Some(_) => return None,
                None => std::future::pending().await,
            }
            Some((Ok::<_, std::io::Error>("x"), sent + 1))
        }))
    };
    for every in [None, Some(1)] {
        let began = tokio::time::Instant::now();
        let page = lab.browser().post(CALLBACK, FORM, drip(every)).await;
        assert_eq!(page.status, StatusCode::REQUEST_TIMEOUT, "{every:?}");
        assert_eq!(page.header("connection"), "close");
        assert_eq!(began.elapsed().as_secs(), 10);
    }
    // Other bodies are the application's own affair.
    let page = lab
        .browser()
        .post(CALLBACK, "text/plain", drip(Some(1)))
        .await;
    assert_eq!((page.status, page.body.len()), (StatusCode::OK, 30));
}
