//! Single logout by the browser, and what is told to whom when there is much to tell.

use std::time::{Duration, Instant};

use casque_proto::{LogoutMessage, ServiceRule};
use casque_server::{LogoutType, ProxyPolicy, Service, Services};

use crate::{
    house::{Answer, House, PASSWORD, Setup, encode, plain},
    proxies::{Callback, ask_for_proxy, proxy_ticket, validate_for_proxying},
    single_logout::Target,
};

/// The addresses that a page has the browser get, and the ticket that each is about.
fn images(answer: &Answer) -> Vec<(String, String)> {
    let images = answer.body.split("<img src=\"").skip(1);
    let addresses = images.map(|rest| plain(rest.split('"').next().expect("a value")));
    let messages = addresses.filter_map(|address| {
        let (before, query) = address.split_once("logoutRequest=")?;
        let query = format!("logoutRequest={query}");
        let message = LogoutMessage::parse(query.as_bytes()).expect("R-083");
        let ticket = message.request().session_index().expect("one").secret();
        Some((before.to_owned(), ticket.to_owned()))
    });
    messages.collect()
}

fn front(logout_url: Option<&str>) -> House {
    let mut service = Service::new("front", ServiceRule::loopback());
    service.logout_type = LogoutType::FrontChannel;
    service.logout_url = logout_url.map(str::to_owned);
    Setup::new().services(Services::new([service])).build()
}

#[tokio::test]
async fn the_page_has_the_browser_tell_each_ticket_once() {
    //
    let mut target = Target::open().await;
    let house = front(None);
    let mut alice = house.signed_in("alice").await;
    let other = "http://127.0.0.1:1/";
    let mut expected = Vec::new();
    for service in [&target.url, &target.url, other] {
        let ticket = alice.ticket_for(service).await;
        alice.validate("validate", service, &ticket).await;
        let mark = if service.contains('?') { '&' } else { '?' };
        expected.push((format!("{service}{mark}"), ticket));
    }
    alice.ticket_for(other).await;
    let mut again = alice.clone();
    let answer = alice.get("/logout").await;
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("You are signed out"));
    assert!(!answer.body.contains("<script"));
    let mut told = images(&answer);
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
    let policy = answer.header("content-security-policy").expect("a policy");
    let origin = target.url.split("/app").next().expect("an origin");
    let mut origins = [origin, "http://127.0.0.1:1"];
    origins.sort_unstable();
    let allowed = format!("img-src 'self' {};", origins.join(" "));
    assert!(policy.contains(&allowed), "{policy}");
    assert!(policy.contains("default-src 'none'"));
    let answer = again.get("/logout").await;
    assert!(images(&answer).is_empty(), "nothing twice");
    house.server.finish_logout_messages().await;
    assert!(
        target.tickets().is_empty(),
        "nothing by this server as well"
    );
}

#[tokio::test]
async fn the_page_leads_on_to_the_service() {
    //
    let house = front(Some("https://app.example.org/bye"));
    for (service, leads) in [
        ("http://127.0.0.1:1/", true),
        ("https://evil.example/", false),
    ] {
        let mut alice = house.signed_in("alice").await;
        let ticket = alice.ticket_for("http://127.0.0.1:1/").await;
        alice
            .validate("validate", "http://127.0.0.1:1/", &ticket)
            .await;
        let answer = alice
            .get(&format!("/logout?service={}", encode(service)))
            .await;
        let told = images(&answer);
        assert_eq!(told, [("https://app.example.org/bye?".to_owned(), ticket)]);
        let refresh = format!("3; url={service}");
        assert_eq!(answer.header("refresh"), leads.then_some(&*refresh));
        let link = format!("href=\"{service}\"");
        assert_eq!(answer.body.contains(&link), leads, "{}", answer.body);
        assert!(!answer.body.contains("evil.example"));
        // Without anything to tell it is the redirect.
        let again = alice
            .get(&format!("/logout?service={}", encode(service)))
            .await;
        assert_eq!(again.location(), leads.then_some(service));
    }
}

#[tokio::test]
async fn what_no_page_takes_is_told_by_the_server() {
    // more than a page holds, and sessions that end without one.
    let mut target = Target::open().await;
    let house = front(None);
    let mut alice = house.signed_in("alice").await;
    let mut tickets = Vec::new();
    for _ in 0..60 {
        let ticket = alice.ticket_for(&target.url).await;
        alice.validate("validate", &target.url, &ticket).await;
        tickets.push(ticket);
    }
    let answer = alice.get("/logout").await;
    assert!(answer.body.len() < 30_000, "{}", answer.body.len());
    let mut told: Vec<String> = images(&answer)
        .into_iter()
        .map(|(_, ticket)| ticket)
        .collect();
    assert_eq!(told.len(), 40);
    house.server.finish_logout_messages().await;
    told.extend(target.tickets());
    told.sort();
    tickets.sort();
    assert_eq!(told, tickets, "each once");

    let mut alice = house.signed_in("alice").await;
    let ticket = alice.ticket_for(&target.url).await;
    alice.validate("validate", &target.url, &ticket).await;
    // A renewed login keeps the list; another person's ends it.
    alice.log_in("alice", PASSWORD, None).await;
    house.server.finish_logout_messages().await;
    assert!(target.tickets().is_empty());
    alice.log_in("bob", PASSWORD, None).await;
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [ticket]);
}

#[tokio::test]
async fn of_many_visits_the_page_takes_the_newest() {
    // a logout looks at what fits on a page, not at all there is.
    let mut target = Target::open().await;
    let house = front(None);
    let mut alice = house.signed_in("alice").await;
    let mut tickets = Vec::new();
    for n in 0..250 {
        let service = format!("{}&n={n}", target.url);
        let ticket = alice.ticket_for(&service).await;
        alice.validate("validate", &service, &ticket).await;
        house.clock.advance(Duration::from_millis(1));
        tickets.push(ticket);
    }
    let answer = alice.get("/logout").await;
    let shown: Vec<String> = images(&answer)
        .into_iter()
        .map(|(_, ticket)| ticket)
        .collect();
    let newest: Vec<String> = tickets.iter().rev().take(40).cloned().collect();
    assert_eq!(shown, newest);
    house.server.finish_logout_messages().await;
    let mut told = [target.tickets(), shown].concat();
    told.sort();
    tickets.sort();
    assert_eq!(told, tickets, "each once");
}

#[tokio::test]
async fn two_devices_and_ten_services() {
    //
    let mut services = Vec::new();
    for _ in 0..10 {
        services.push(Target::open().await);
    }
    let registered = Services::new([Service::new("demo", ServiceRule::loopback())]);
    let house = Setup::new().services(registered).build();
    let mut devices = [
        house.signed_in("alice").await,
        house.signed_in("alice").await,
    ];
    let mut tickets = Vec::new();
    for device in &mut devices {
        let mut own = Vec::new();
        for service in &services {
            let ticket = device.ticket_for(&service.url).await;
            device
                .validate("p3/serviceValidate", &service.url, &ticket)
                .await;
            own.push(ticket);
        }
        tickets.push(own);
    }
    for (device, own) in devices.iter_mut().zip(tickets) {
        device.get("/logout").await;
        house.server.finish_logout_messages().await;
        for (service, ticket) in services.iter_mut().zip(own) {
            assert_eq!(service.tickets(), [ticket], "its own and no other");
        }
    }
}

#[tokio::test]
async fn proxy_tickets_that_were_validated_are_told() {
    //
    let mut target = Target::open().await;
    let dev = Service::new("dev", ServiceRule::loopback()).proxying(ProxyPolicy::loopback());
    let house = Setup::new().services(Services::new([dev])).build();
    let mut alice = house.signed_in("alice").await;
    let mut callback = Callback::plain().await;
    let proxy = "http://127.0.0.1:1/";
    let pgt_url = format!("http://{}/pgt", callback.address);
    let ticket = alice.ticket_for(proxy).await;
    validate_for_proxying(&alice, "serviceValidate", proxy, &ticket, &pgt_url).await;
    let pgt = callback.tickets().await.pgt;
    let validated = proxy_ticket(&ask_for_proxy(&alice, &pgt, &target.url).await);
    let _never_validated = proxy_ticket(&ask_for_proxy(&alice, &pgt, &target.url).await);
    alice
        .validate("proxyValidate", &target.url, &validated)
        .await;
    alice.get("/logout").await;
    house.server.finish_logout_messages().await;
    assert_eq!(target.tickets(), [validated]);
}

#[expect(
    clippy::disallowed_methods,
    reason = "the figure is for people; nothing is decided by it"
)]
/// How long `/logout` takes, from a session that has been at so many services.
async fn logout_after(count: usize) -> Duration {
    let mut target = Target::open().await;
    let registered = Services::new([Service::new("demo", ServiceRule::loopback())]);
    let house = Setup::new().services(registered).build();
    let mut alice = house.signed_in("alice").await;
    let mut tickets = Vec::with_capacity(count);
    for n in 0..count {
        let service = format!("{}&n={n}", target.url);
        let ticket = alice.ticket_for(&service).await;
        let answer = alice.validate("validate", &service, &ticket).await;
        assert!(answer.body.starts_with("yes"));
        tickets.push(ticket);
    }
    let began = Instant::now();
    assert_eq!(alice.get("/logout").await.status, 200);
    let took = began.elapsed();
    house.server.finish_logout_messages().await;
    tickets.sort();
    assert!(target.tickets() == tickets, "each is told once");
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_services_are_all_told() {
    // R-075, S-049
    let with_many = logout_after(10_000).await;
    let with_none = logout_after(0).await;
    println!("/logout: {with_many:?} after 10,000 services, {with_none:?} after none");
}
