//! The floor of `bench/peers`: an axum handler that answers the bytes that casque answers, headers included, and does
//! nothing for them.
//!
//! It signs in whoever sends a form, so that the same load driver can be used. One JSON line says where it is; it ends with
//! its standard input.

#![expect(clippy::print_stdout, reason = "it says where it is")]

use std::io::Read as _;

use axum::{
    Router,
    body::{Body, Bytes},
    extract::Request,
    response::Response,
    routing::get,
};
use casque_bench::House;
use casque_proto::ServiceRule;
use casque_server::{Release, Service};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use tokio::net::TcpListener;

const SERVICE: &str = "https%3A%2F%2Fapp.example.org%2F";
const FORM: &str =
    "<form method=post><input name=username><input name=password type=password></form>";
const COOKIE: HeaderValue = HeaderValue::from_static("signed-in=1; path=/cas");

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let address = runtime.block_on(async {
        let rule = ServiceRule::origin("https://app.example.org").expect("an origin");
        let service = Service::new("app", rule).releasing(Release::All);
        let house = House::open("memory:", service).await;
        let cookie = house.log_in().await;
        let granted = house.grant(&cookie, SERVICE).await;
        let ticket = house.ticket(&cookie, SERVICE).await;
        let validated = house.validate(SERVICE, &ticket).await;
        let router = bare(Ready::of(granted).await, Ready::of(validated).await);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    });
    println!("{{\"cas_url\": \"http://{address}/cas\"}}");
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
}

/// An answer that needs no work.
#[derive(Clone)]
struct Ready {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Ready {
    async fn of(answer: Response) -> Self {
        let (head, body) = answer.into_parts();
        Self {
            status: head.status,
            headers: head.headers,
            body: body.collect().await.expect("a body").to_bytes(),
        }
    }

    fn answer(&self) -> Response {
        let mut answer = Response::new(Body::from(self.body.clone()));
        *answer.status_mut() = self.status;
        answer.headers_mut().clone_from(&self.headers);
        answer
    }
}

fn bare(granted: Ready, validated: Ready) -> Router {
    let mut entered = granted.clone();
    entered.headers.insert(header::SET_COOKIE, COOKIE);
    let login = async move |request: Request| {
        if request.headers().contains_key(header::COOKIE) {
            return granted.answer();
        }
        let form = Body::from(FORM);
        Response::builder()
            .header(header::CONTENT_TYPE, "text/html")
            .body(form)
            .expect("a page")
    };
    Router::new()
        .route(
            "/cas/login",
            get(login).post(async move || entered.answer()),
        )
        .route(
            "/cas/p3/serviceValidate",
            get(async move || validated.answer()),
        )
}
