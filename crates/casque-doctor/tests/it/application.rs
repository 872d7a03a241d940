//! Running applications: one of casque-axum, and others that make the usual mistakes.

use axum::Router;
use axum::extract::{Query, Request};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use casque_axum::{Cas, CasUser};
use casque_doctor::{Kind, Patient};
use casque_testkit::{FakeCas, Fault, Page, TlsMode};
use http::header::{LOCATION, SET_COOKIE};
use http::{HeaderMap, StatusCode};

use crate::support::{TlsFront, alice, examined, finds, listener, patient, serve, served};

/// An application of casque whose address is what `base` makes of its real one.
async fn application(cas_url: &str, base: impl Fn(&str) -> String) -> String {
    let (listener, url) = listener().await;
    let cas = Cas::builder()
        .provider(cas_url)
        .service_base(base(&url))
        .callback_path("/login")
        .build()
        .unwrap();
    let members = async |user: CasUser| format!("Welcome, {}!", user.name());
    let router = Router::new()
        .route("/", get(async || "home"))
        .route("/members", get(members).layer(cas.require()))
        .layer(cas.layer());
    serve(listener, router);
    url
}

fn with_app(mut patient: Patient, app: &str) -> Patient {
    patient.app = Some(app.to_owned());
    patient
}

#[tokio::test]
async fn an_application_that_is_well() {
    let cas = FakeCas::start();
    let app = application(cas.base_url(), ToOwned::to_owned).await;
    for page in ["", "/", "/members?a=1"] {
        let service = format!("{app}/login");
        let patient = with_app(alice(cas.base_url(), &service), &format!("{app}{page}"));
        let text = finds(&patient, &[]).await.to_text();
        for said in [
            "alice logs in and comes back",
            "forged Host, Forwarded and X-Forwarded-* headers do not change",
            "takes messages of single logout",
            "a forged message of single logout is refused with status 400",
            "HttpOnly and SameSite=Lax: casque, casque-login",
            "nothing is wrong",
        ] {
            assert!(text.contains(said), "{said}: {text}");
        }
        cas.sign_out();
    }
    // By itself, without a CAS server or settings.
    let mut alone = Patient::default();
    alone.app = Some(app);
    finds(&alone, &[]).await;
}

#[tokio::test]
async fn an_application_behind_a_proxy_that_ends_tls() {
    let cas = FakeCas::start();
    let front = TlsFront::new().await;
    let url = front.url.clone();
    let app = application(cas.base_url(), |_| url.clone()).await;
    let root = front.pass_to(&app);
    let mut patient = with_app(
        alice(cas.base_url(), &format!("{url}/login")),
        &format!("{url}/members"),
    );
    patient.ca_file = Some(root.path().to_owned());
    let text = finds(&patient, &[]).await.to_text();
    assert!(
        text.contains("Secure, HttpOnly and SameSite=Lax: __Host-casque, __Host-casque-login"),
        "{text}"
    );

    // The application is told the address behind the proxy instead of the one before it.
    let front = TlsFront::new().await;
    let url = front.url.clone();
    let app = application(cas.base_url(), ToOwned::to_owned).await;
    let root = front.pass_to(&app);
    let mut patient = with_app(
        crate::support::patient(cas.base_url()),
        &format!("{url}/members"),
    );
    patient.ca_file = Some(root.path().to_owned());
    let report = finds(&patient, &[Kind::AppServiceDiffers, Kind::CookieInsecure]).await;
    assert!(
        report.to_text().contains(&format!("SERVICE_URL=\"{url}\"")),
        "{}",
        report.to_text()
    );
}

#[tokio::test]
async fn an_application_with_another_address_in_its_settings() {
    let cas = FakeCas::start();
    for base in ["http://localhost:5000", "https://app.example.org"] {
        let app = application(cas.base_url(), |_| base.to_owned()).await;
        let report = finds(
            &with_app(patient(cas.base_url()), &app),
            &[Kind::AppServiceDiffers],
        )
        .await;
        let text = report.to_text();
        assert!(text.contains(&format!("SERVICE_URL=\"{app}\"")), "{text}");
        // The ticket of a login would go elsewhere, so nobody logs in through the application.
        let person = with_app(alice(cas.base_url(), &format!("{base}/login")), &app);
        let text = examined(&person).await.to_text();
        assert!(
            text.contains("a login: the browser would be sent on to"),
            "{text}"
        );
        cas.sign_out();
    }
}

#[tokio::test]
async fn an_application_of_another_cas_server_or_with_other_settings() {
    let (cas, other) = (FakeCas::start(), FakeCas::start());
    let app = application(other.base_url(), ToOwned::to_owned).await;
    finds(
        &with_app(patient(cas.base_url()), &app),
        &[Kind::AppOtherCas],
    )
    .await;
    // No password is told to a server that nobody has named.
    let mut with_person = with_app(alice(cas.base_url(), &format!("{app}/login")), &app);
    finds(&with_person, &[Kind::AppOtherCas]).await;
    assert_eq!(other.requests_for(Page::Login).len(), 0);

    with_person.service = None;
    with_person.cas = Some(other.base_url().to_owned());
    with_person.username = None;
    with_person.env_file = Some(format!(
        "CAS_PROVIDER={}\nSERVICE_URL={app}\nLOGIN_URL={app}/cas\n",
        other.base_url()
    ));
    // The page of these settings is not there, so the one that is asked for is.
    with_person.app = Some(format!("{app}/members"));
    finds(&with_person, &[Kind::SettingsDisagree]).await;
}

#[tokio::test]
async fn a_site_without_login() {
    let app = served(Router::new().route("/", get(async || "home"))).await;
    finds(&with_app(Patient::default(), &app), &[Kind::AppNoLogin]).await;
}

#[tokio::test]
async fn a_site_that_fails() {
    let app =
        served(Router::new().fallback(async || (StatusCode::BAD_GATEWAY, "no upstream"))).await;
    finds(
        &with_app(Patient::default(), &app),
        &[Kind::AppFails, Kind::AppNoLogin],
    )
    .await;
}

/// An application as many are written, with its mistakes by name.
#[derive(Clone, Copy, Default)]
struct Naive {
    believes: Option<&'static str>,
    cookie: Option<&'static str>,
    refuses_tickets: bool,
    takes_posts: bool,
}

impl Naive {
    async fn start(self, cas: &str) -> String {
        let (listener, url) = listener().await;
        let (cas, own) = (cas.to_owned(), url.clone());
        let login = async move |Query(query): Query<Vec<(String, String)>>,
                                headers: HeaderMap|
                    -> Response {
            let ticket = query.iter().any(|(name, _)| name == "ticket");
            if ticket && self.refuses_tickets {
                return (StatusCode::FORBIDDEN, Html("<title>No entry</title>")).into_response();
            }
            if ticket {
                return "welcome".into_response();
            }
            let told = self.believes.and_then(|name| headers.get(name));
            let base = match told {
                Some(host) => format!("http://{}", host.to_str().unwrap()),
                None => own.clone(),
            };
            let location = format!("{cas}/login?service={base}/login");
            let mut response = (StatusCode::FOUND, [(LOCATION, location)]).into_response();
            let cookie = self
                .cookie
                .unwrap_or("sid=1; Path=/; HttpOnly; SameSite=Lax");
            response
                .headers_mut()
                .append(SET_COOKIE, cookie.parse().unwrap());
            response
        };
        let post = async move |_: Request| {
            if self.takes_posts {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            }
        };
        // Like casque, it refuses what is no message of single logout.
        let right = async move |request: Request| {
            let body = axum::body::to_bytes(request.into_body(), 1 << 16)
                .await
                .unwrap();
            if String::from_utf8_lossy(&body).contains("DOCTYPE") {
                return StatusCode::BAD_REQUEST;
            }
            StatusCode::OK
        };
        let routes = get(login);
        let routes = if self.takes_posts || self.refuses_posts() {
            routes.post(post)
        } else {
            routes.post(right)
        };
        serve(
            listener,
            Router::new()
                .route("/", get(async || "home"))
                .route("/login", routes),
        );
        url
    }

    /// Where nothing else is wrong with it.
    fn refuses_posts(self) -> bool {
        self.believes.is_none() && self.cookie.is_none() && !self.refuses_tickets
    }
}

#[tokio::test]
async fn an_application_that_believes_whoever_asks() {
    // S-002
    let cas = FakeCas::start();
    for name in ["host", "x-forwarded-host"] {
        let naive = Naive {
            believes: Some(name),
            ..Naive::default()
        };
        let app = naive.start(cas.base_url()).await;
        let report = finds(
            &with_app(patient(cas.base_url()), &app),
            &[Kind::AppBelievesHeaders],
        )
        .await;
        assert!(
            report.to_text().contains("forged.casque-doctor.invalid"),
            "{}",
            report.to_text()
        );
    }
}

#[tokio::test]
async fn cookies_that_can_be_stolen() {
    let cas = FakeCas::start();
    for (cookie, kind) in [
        ("sid=1; Path=/; SameSite=Lax", Kind::CookieScriptReadable),
        ("sid=1; Path=/; HttpOnly", Kind::CookieSameSite),
        (
            "sid=1; Path=/; HttpOnly; SameSite=Lax; Domain=example.org",
            Kind::CookieDomain,
        ),
    ] {
        let naive = Naive {
            cookie: Some(cookie),
            ..Naive::default()
        };
        let app = naive.start(cas.base_url()).await;
        finds(&with_app(patient(cas.base_url()), &app), &[kind]).await;
    }
}

#[tokio::test]
async fn a_cookie_that_goes_without_tls() {
    let cas = FakeCas::start();
    // A server that speaks TLS, as an application.
    let app = FakeCas::start_tls(TlsMode::Good);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.pem");
    std::fs::write(&file, app.root_pem().unwrap()).unwrap();
    let redirect = http::Response::builder()
        .status(StatusCode::FOUND)
        .header(
            LOCATION,
            format!("{}/login?service={}/logout", cas.base_url(), app.base_url()),
        )
        .header(SET_COOKIE, "sid=1; Path=/; HttpOnly; SameSite=Lax")
        .body(axum::body::Bytes::new())
        .unwrap();
    app.fault(Page::Login, Fault::Answer(redirect));
    app.fault(
        Page::Logout,
        Fault::answer(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "GET"),
    );
    let mut patient = with_app(
        patient(cas.base_url()),
        &format!("{}/login", app.base_url()),
    );
    patient.ca_file = Some(file);
    finds(&patient, &[Kind::CookieInsecure, Kind::LogoutNotReceived]).await;
}

#[tokio::test]
async fn an_application_that_lets_nobody_in() {
    let cas = FakeCas::start();
    let naive = Naive {
        refuses_tickets: true,
        ..Naive::default()
    };
    let app = naive.start(cas.base_url()).await;
    let patient = with_app(alice(cas.base_url(), &format!("{app}/login")), &app);
    let text = finds(&patient, &[Kind::AppLoginFails]).await.to_text();
    assert!(
        text.contains("status 403") && text.contains("No entry"),
        "{text}"
    );
}

#[tokio::test]
async fn messages_of_single_logout_that_do_not_arrive_or_are_not_read() {
    let cas = FakeCas::start();
    let app = Naive::default().start(cas.base_url()).await;
    let report = finds(
        &with_app(patient(cas.base_url()), &app),
        &[Kind::LogoutNotReceived],
    )
    .await;
    assert!(report.to_text().contains("CSRF"), "{}", report.to_text());
    let naive = Naive {
        takes_posts: true,
        ..Naive::default()
    };
    let app = naive.start(cas.base_url()).await;
    finds(
        &with_app(patient(cas.base_url()), &app),
        &[Kind::LogoutUnchecked],
    )
    .await;
}

#[tokio::test]
async fn a_service_that_the_cas_server_cannot_reach() {
    let mut patient = patient("https://cas.invalid/cas");
    patient.service = Some("http://localhost:5000/login".to_owned());
    finds(&patient, &[Kind::NameUnknown, Kind::LogoutUnreachable]).await;
}
