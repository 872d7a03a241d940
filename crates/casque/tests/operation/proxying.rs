//! Applications that call each other as their user, by the real server: a chain of three, and who is not let in.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Router, response::Response};
use casque_axum::{Cas, CasBuilder, CasUser};
use tokio::net::TcpListener;

use crate::support::{served::Site, visitor::Visitor};

const RECEPTOR: &str = "/cas/pgt";

/// One application: it says who asks and through whom, or what the next one says.
fn application(
    site: &Site,
    socket: TcpListener,
    next: Option<String>,
    settings: impl FnOnce(CasBuilder) -> CasBuilder,
) {
    let base = base_of(&socket);
    let builder = Cas::builder().provider(&site.base_url).service_base(base);
    let cas = settings(builder).build().expect("the settings are good");
    let router = Router::new()
        .route("/ask", get(ask).layer(cas.require()))
        .with_state(next)
        .layer(cas.layer());
    tokio::spawn(async move { axum::serve(socket, router).await });
}

async fn ask(user: CasUser, State(next): State<Option<String>>) -> Result<String, Response> {
    use axum::response::IntoResponse as _;
    let Some(next) = next else {
        let proxies = user.session().proxies().join(" ");
        let mail = user.attribute("mail").unwrap_or("no mail");
        return Ok(format!("{} {mail} {proxies}", user.name()));
    };
    let url = user.proxied_url(&next).await;
    let url = url.map_err(axum::response::IntoResponse::into_response)?;
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    let answer = http.build().expect("a client").get(url).send().await;
    let answer = answer.map_err(|_| StatusCode::BAD_GATEWAY.into_response())?;
    let status = StatusCode::from_u16(answer.status().as_u16()).expect("a status");
    let text = answer.text().await.unwrap_or_default();
    if status == StatusCode::OK {
        Ok(text)
    } else {
        Err((status, text).into_response())
    }
}

fn base_of(socket: &TcpListener) -> String {
    format!("http://{}", socket.local_addr().expect("an address"))
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.expect("a port")
}

/// The three of them, and the first one's page.
async fn chain_of_three(site: &Site) -> (String, [String; 2]) {
    let (first, second, third) = (listen().await, listen().await, listen().await);
    let page = |socket: &TcpListener| format!("{}/ask", base_of(socket));
    let pgt = |socket: &TcpListener| format!("{}{RECEPTOR}", base_of(socket));
    let (start, pgts) = (page(&first), [pgt(&first), pgt(&second)]);
    let (to_second, to_third) = (page(&second), page(&third));
    let [of_first, of_second] = pgts.clone();
    application(site, first, Some(to_second), |cas| cas.proxying(RECEPTOR));
    application(site, second, Some(to_third), |cas| {
        cas.proxying(RECEPTOR).allow_proxy_chain([of_first.clone()])
    });
    application(site, third, None, |cas| {
        cas.allow_proxy_chain([of_second, of_first])
    });
    (start, pgts)
}

async fn log_in(visitor: &mut Visitor, page: &str) -> crate::support::visitor::Answer {
    let sent = visitor.get(page).await;
    let form = visitor.follow(sent).await;
    let answer = visitor.log_in(&form, "alice", "wonderland").await;
    visitor.follow(answer).await
}

/// PGT callback, proxy tickets and chains of two proxies, every part of it casque's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chain_of_three_applications() {
    let site = Site::new("sqlite:casque.db", "");
    allow_proxying(&site);
    let server = site.serve();
    let (page, [first, second]) = chain_of_three(&site).await;
    let mut visitor = Visitor::new();
    let answer = log_in(&mut visitor, &page).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let expected = format!("alice alice@example.org {second} {first}");
    assert_eq!(answer.body, expected);
    // as often as one likes.
    assert_eq!(visitor.get(&page).await.body, expected);
    drop(server);
}

/// the server lets nobody act as a proxy by default, and the login says why.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_may_not_be_a_proxy() {
    let site = Site::new("sqlite:casque.db", "");
    let server = site.serve();
    let (page, _) = chain_of_three(&site).await;
    let answer = log_in(&mut Visitor::new(), &page).await;
    assert!(answer.status.is_client_error() || answer.status.is_server_error());
    assert!(
        answer.body.contains("UNAUTHORIZED_SERVICE_PROXY"),
        "{}",
        answer.body
    );
    drop(server);
}

fn allow_proxying(site: &Site) {
    site.write(
        "services/loopback.toml",
        "id = \"loopback\"\norigin = \"http://127.0.0.1\"\nany_port = true\nallow_http = true\n\
         attributes = \"all\"\n[proxy]\nloopback = true\n",
    );
}
