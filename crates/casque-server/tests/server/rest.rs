//! The REST protocol (protocol section 16).

use axum::body::Body;
use casque_proto::rest::{StCreated, TgtCreated, UserAuthenticated};
use http::Method;

use crate::house::{Answer, BASE, House, PASSWORD, Setup, encode};
use casque_testkit::Breakable;

const APP: &str = "https://app.example.org/";
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

fn setup() -> Setup {
    Setup::new().settings("[rest]\nenabled = true\n")
}

async fn send(house: &House, method: Method, path: &str, form: &str) -> Answer {
    house
        .browser()
        .send(
            method,
            path,
            &[FORM, ("accept", "application/json")],
            Body::from(form.to_owned()),
        )
        .await
}

async fn post(house: &House, path: &str, form: &str) -> Answer {
    send(house, Method::POST, path, form).await
}

fn credentials(name: &str, password: &str) -> String {
    format!("username={}&password={}", encode(name), encode(password))
}

async fn tgt(house: &House) -> String {
    let answer = post(house, "/v1/tickets", &credentials("alice", PASSWORD)).await;
    let created = TgtCreated::parse(answer.status.as_u16(), &answer.headers).expect("a ticket");
    created.tgt().secret().to_owned()
}

async fn st(house: &House, tgt: &str, form: &str) -> Answer {
    post(house, &format!("/v1/tickets/{tgt}"), form).await
}

#[tokio::test]
async fn it_is_off_by_default() {
    //
    let house = House::new();
    for path in ["/v1/tickets", "/v1/tickets/TGT-1-abc", "/v1/users"] {
        let answer = post(&house, path, &credentials("alice", PASSWORD)).await;
        assert_eq!(answer.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_password_becomes_a_service_ticket() {
    //
    let house = setup().build();
    let answer = post(&house, "/v1/tickets", &credentials("alice", PASSWORD)).await;
    assert_eq!(answer.status, 201);
    let location = answer.location().expect("an address").to_owned();
    let tgt = location
        .strip_prefix(&format!("{BASE}/v1/tickets/"))
        .expect("the base URL");
    assert!(tgt.starts_with("TGT-"));
    assert_eq!(answer.body, tgt);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(
        answer.set_cookie("__Host-TGC").is_none()
            && answer.header("access-control-allow-origin").is_none()
    );

    // A page for those who ask for one, or for anything.
    for accept in ["text/html", "*/*"] {
        let form = Body::from(credentials("alice", PASSWORD));
        let answer = house
            .browser()
            .send(
                Method::POST,
                "/v1/tickets",
                &[FORM, ("accept", accept)],
                form,
            )
            .await;
        assert_eq!(answer.status, 201);
        let action = format!(
            "<form action=\"{}\" method=\"POST\">",
            answer.location().expect("an address")
        );
        assert!(answer.body.contains(&action), "{accept}: {}", answer.body);
    }

    let service = format!("service={}", encode(APP));
    let answer = st(&house, tgt, &service).await;
    assert_eq!(
        answer.header("content-type"),
        Some("text/plain;charset=UTF-8")
    );
    let ticket =
        StCreated::parse(answer.status.as_u16(), answer.body.as_bytes()).expect("a ticket");
    assert_eq!(ticket.ticket().secret(), answer.body, "R-261: nothing else");
    let told = house
        .browser()
        .validate("p3/serviceValidate", APP, &answer.body)
        .await;
    assert!(told.body.contains("<cas:user>alice<"), "{}", told.body);
    assert!(told.body.contains("<cas:isFromNewLogin>false<"), "R-263");

    // renew needs the password again, and of the same person.
    let renew = format!("{service}&renew=true");
    assert_eq!(st(&house, tgt, &renew).await.status, 400);
    for (who, password, status) in [
        ("alice", "wrong", 401),
        ("bob", PASSWORD, 401),
        ("alice", PASSWORD, 200),
    ] {
        let answer = st(
            &house,
            tgt,
            &format!("{renew}&{}", credentials(who, password)),
        )
        .await;
        assert_eq!(answer.status, status, "{who}");
        if status == 200 {
            let told = house
                .browser()
                .validate("p3/serviceValidate", APP, &answer.body)
                .await;
            assert!(
                told.body.contains("<cas:isFromNewLogin>true<"),
                "{}",
                told.body
            );
        }
    }

    assert_eq!(
        send(&house, Method::GET, &format!("/v1/tickets/{tgt}"), "")
            .await
            .status,
        200
    );
    assert_eq!(
        send(&house, Method::GET, "/v1/tickets/TGT-1-abc", "")
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn a_session_ends_once() {
    // S-057
    let house = setup().build();
    let first = tgt(&house).await;
    let service = format!("service={}", encode(APP));
    let ticket = st(&house, &first, &service).await.body;
    for _ in 0..2 {
        let answer = send(&house, Method::DELETE, &format!("/v1/tickets/{first}"), "").await;
        assert_eq!(answer.status, 200);
    }
    assert_eq!(
        send(&house, Method::DELETE, "/v1/tickets/..%2f..", "")
            .await
            .status,
        200
    );
    assert_eq!(
        send(&house, Method::GET, &format!("/v1/tickets/{first}"), "")
            .await
            .status,
        404
    );
    assert_eq!(st(&house, &first, &service).await.status, 404);
    let told = house.browser().validate("validate", APP, &ticket).await;
    assert_eq!(told.body, "no\n\n", "a ticket does not outlive its session");

    let second = tgt(&house).await;
    house.people.disable("alice");
    assert_eq!(
        send(&house, Method::GET, &format!("/v1/tickets/{second}"), "")
            .await
            .status,
        404
    );
    assert_eq!(st(&house, &second, &service).await.status, 404);
}

#[tokio::test]
async fn services_are_those_of_the_registry() {
    // S-032
    let house = setup().build();
    let tgt = tgt(&house).await;
    for (form, status) in [
        (String::new(), 400),
        ("service=".to_owned(), 400),
        (format!("service={}", encode("https://evil.example/")), 400),
        (
            format!("service={}", encode("https://off.example.org/")),
            400,
        ),
        (format!("service={}&service=b", encode(APP)), 400),
        (
            format!("service={}", encode(&format!("{APP}?SAMLart=ST-1-a"))),
            400,
        ),
        // No single sign-on there: the session alone is not enough.
        (
            format!("service={}", encode("https://fresh.example.org/")),
            400,
        ),
        (
            format!(
                "service={}&renew=true&{}",
                encode("https://fresh.example.org/"),
                credentials("alice", PASSWORD)
            ),
            200,
        ),
    ] {
        assert_eq!(st(&house, &tgt, &form).await.status, status, "{form}");
    }
    for path in ["/v1/tickets", "/v1/users"] {
        let form = format!(
            "{}&service={}",
            credentials("alice", PASSWORD),
            encode("https://evil.example/")
        );
        assert_eq!(post(&house, path, &form).await.status, 400, "{path}");
    }
}

#[tokio::test]
async fn users_are_described_without_a_session() {
    // R-266, S-066
    let house = setup().build();
    let answer = post(&house, "/v1/users", &credentials("alice", PASSWORD)).await;
    let user =
        UserAuthenticated::parse(answer.status.as_u16(), answer.body.as_bytes()).expect("a user");
    assert_eq!(user.user(), "alice");
    assert_eq!(user.attributes().get("memberOf"), ["staff", "admin"]);
    assert!(!answer.body.contains("TGT-") && answer.location().is_none());

    let form = format!("{}&service={}", credentials("alice", PASSWORD), encode(APP));
    let answer = post(&house, "/v1/users", &form).await;
    let user =
        UserAuthenticated::parse(answer.status.as_u16(), answer.body.as_bytes()).expect("a user");
    assert_eq!(user.attributes().first("mail"), Some("alice@example.org"));
    assert!(user.attributes().get("memberOf").is_empty());
}

#[tokio::test]
async fn what_is_refused() {
    //
    let house = setup().build();
    for path in ["/v1/tickets", "/v1/users"] {
        let unknown = post(&house, path, &credentials("nobody", PASSWORD)).await;
        let wrong = post(&house, path, &credentials("alice", "wrong")).await;
        assert_eq!(wrong.status, 401);
        assert_eq!(wrong.header("content-type"), Some("application/json"));
        assert!(wrong.body.contains("authentication_exceptions"));
        assert_eq!(
            (unknown.status, unknown.body),
            (wrong.status, wrong.body),
            "S-060"
        );
        for form in [
            "",
            "username=alice",
            "username=&password=x",
            "username=alice&username=bob&password=x",
        ] {
            assert_eq!(post(&house, path, form).await.status, 400, "{form}");
        }
        let in_query = format!("{path}?{}", credentials("alice", PASSWORD));
        assert_eq!(post(&house, &in_query, "").await.status, 400);
        for headers in [&[("content-type", "application/json")][..], &[]] {
            let body = Body::from(credentials("alice", PASSWORD));
            let answer = house
                .browser()
                .send(Method::POST, path, headers, body)
                .await;
            assert_eq!(answer.status, 415);
        }
        for method in [Method::GET, Method::OPTIONS, Method::PUT] {
            let answer = send(&house, method, path, "").await;
            assert_eq!(
                (answer.status.as_u16(), answer.header("allow")),
                (405, Some("POST"))
            );
            assert!(answer.header("access-control-allow-origin").is_none());
        }
        let large = format!(
            "{}&x={}",
            credentials("alice", PASSWORD),
            "x".repeat(20_000)
        );
        assert_eq!(post(&house, path, &large).await.status, 413);
    }
}

#[tokio::test]
async fn failures_count_with_those_of_the_form() {
    // S-060
    let house = setup()
        .settings("[rest]\nenabled = true\n[login]\nmax_failures = 3\n")
        .build();
    for _ in 0..2 {
        let answer = post(&house, "/v1/tickets", &credentials("alice", "wrong")).await;
        assert_eq!(answer.status, 401);
    }
    assert_eq!(
        post(&house, "/v1/users", &credentials("Alice ", "wrong"))
            .await
            .status,
        401
    );
    for path in ["/v1/tickets", "/v1/users"] {
        let answer = post(&house, path, &credentials("alice", PASSWORD)).await;
        assert_eq!(answer.status, 429, "{path}");
        assert!(answer.header("retry-after").is_some());
    }
    let mut browser = house.browser();
    assert_eq!(browser.log_in("alice", PASSWORD, None).await.status, 429);
    assert_eq!(
        post(&house, "/v1/tickets", &credentials("bob", PASSWORD))
            .await
            .status,
        201
    );
}

#[tokio::test]
async fn an_unavailable_store_opens_nothing() {
    let setup = setup();
    let store = Breakable::on(setup.manual_clock());
    let house = setup.store(store.shared()).build();
    let tgt = tgt(&house).await;
    store.break_down();
    for (method, path) in [
        (Method::POST, "/v1/tickets".to_owned()),
        (Method::POST, "/v1/users".to_owned()),
        (Method::GET, format!("/v1/tickets/{tgt}")),
        (Method::DELETE, format!("/v1/tickets/{tgt}")),
    ] {
        let answer = send(&house, method, &path, &credentials("alice", PASSWORD)).await;
        assert_eq!(answer.status, 503, "{path}");
        assert!(answer.header("retry-after").is_some());
    }
}

#[tokio::test]
async fn access_and_consent_hold_here_too() {
    // S-066: alice is staff, bob is not; nobody can be asked for consent.
    let rule = |origin: &str| casque_proto::ServiceRule::origin(origin).expect("an origin");
    let mut staff = casque_server::Service::new("staff", rule("https://staff.example.org"));
    staff.access = casque_server::AccessRule::default().value("memberOf", "staff");
    let mut asking = casque_server::Service::new("asking", rule("https://asking.example.org"))
        .releasing(casque_server::Release::All);
    asking.consent = true;
    let services = casque_server::Services::new([staff, asking]);
    let house = setup().services(services).build();
    for (name, service, status) in [
        ("alice", "https://staff.example.org/", 200),
        ("bob", "https://staff.example.org/", 400),
        ("alice", "https://asking.example.org/", 400),
    ] {
        let credentials = credentials(name, PASSWORD);
        let created = post(&house, "/v1/tickets", &credentials).await;
        let created = TgtCreated::parse(created.status.as_u16(), &created.headers);
        let tgt = created.expect("a ticket");
        let service = format!("service={}", encode(service));
        let answer = st(&house, tgt.tgt().secret(), &service).await;
        assert_eq!(answer.status, status, "{name}: {service}");
        let form = format!("{credentials}&{service}");
        let answer = post(&house, "/v1/users", &form).await;
        assert_eq!(answer.status, status, "{name}: {service}");
    }
}

#[tokio::test]
async fn a_list_of_clients_keeps_others_out() {
    //
    let rest =
        "[rest]\nenabled = true\nclients = [\"192.0.2.7\", \"2001:db8::/64\", \"127.0.0.1\"]\n";
    let house = setup()
        .settings(&format!("trusted_proxies = [\"10.0.0.0/8\"]\n{rest}"))
        .build();
    let ask = async |peer: &str, forwarded: Option<&str>, method: Method, path: &str| {
        let mut headers = vec![FORM];
        headers.extend(forwarded.map(|addresses| ("x-forwarded-for", addresses)));
        let form = Body::from(credentials("alice", PASSWORD));
        let mut browser = house.browser().from(peer);
        browser.send(method, path, &headers, form).await
    };
    for (peer, forwarded, status) in [
        ("192.0.2.7", None, 201),
        ("[::ffff:192.0.2.7]", None, 201),
        ("[2001:db8::1]", None, 201),
        ("127.0.0.1", None, 201),
        ("192.0.2.8", None, 403),
        ("[2001:db8:0:1::1]", None, 403),
        // Only a listed proxy speaks for others, and one on this host that is not listed speaks for nobody.
        ("192.0.2.8", Some("192.0.2.7"), 403),
        ("10.0.0.1", Some("192.0.2.7"), 201),
        ("10.0.0.1", Some("192.0.2.7, 192.0.2.8"), 403),
        ("10.0.0.1", None, 403),
        ("127.0.0.1", Some("192.0.2.7"), 403),
    ] {
        let answer = ask(peer, forwarded, Method::POST, "/v1/tickets").await;
        assert_eq!(answer.status, status, "{peer} {forwarded:?}");
    }
    for (method, path) in [
        (Method::GET, "/v1/tickets"),
        (Method::POST, "/v1/users"),
        (Method::GET, "/v1/tickets/TGT-1-abc"),
        (Method::DELETE, "/v1/tickets/TGT-1-abc"),
    ] {
        let answer = ask("192.0.2.8", None, method, path).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    // The login page is for everybody.
    assert_eq!(house.browser().get("/login").await.status, 200);
}

#[tokio::test]
async fn a_session_may_be_remembered() {
    //
    for (offered, asked, remembered) in [
        (true, "&rememberMe=true", true),
        (true, "", false),
        (false, "&rememberMe=true", false),
    ] {
        let settings = format!("[rest]\nenabled = true\n[sso]\nremember_me = {offered}\n");
        let house = setup().settings(&settings).build();
        let form = format!("{}{asked}", credentials("alice", PASSWORD));
        let answer = post(&house, "/v1/tickets", &form).await;
        let created = TgtCreated::parse(answer.status.as_u16(), &answer.headers);
        let tgt = created.expect("a ticket").tgt().secret().to_owned();
        let service = format!("service={}", encode(APP));
        let ticket = st(&house, &tgt, &service).await.body;
        let told = house
            .browser()
            .validate("p3/serviceValidate", APP, &ticket)
            .await;
        let long = format!("<cas:longTermAuthenticationRequestTokenUsed>{remembered}<");
        assert!(told.body.contains(&long), "{}", told.body);

        house.clock.advance(std::time::Duration::from_hours(9));
        let alive = send(&house, Method::GET, &format!("/v1/tickets/{tgt}"), "").await;
        assert_eq!(alive.status, if remembered { 200 } else { 404 });
    }
}
