//! A server that has a number of live sessions in memory, for `bench/peers`: `live SESSIONS`.
//!
//! One session is begun by its person, with one service; the others are copies of what the store then holds, each under keys
//! of its own. One JSON line says where the server is; it ends with its standard input.

#![expect(clippy::print_stdout, reason = "it says where it is")]

use std::io::Read as _;

use casque_bench::House;
use casque_proto::ServiceRule;
use casque_server::{Release, Service};
use casque_store::{Entry, Key, KeyHasher, Shape};

const SERVICE: &str = "https%3A%2F%2Fapp.example.org%2F";

/// Kinds of what a session with a service is kept as.
const KINDS: [&str; 2] = ["tgt", "visits"];

fn main() {
    let sessions: u64 = std::env::args()
        .nth(1)
        .and_then(|number| number.parse().ok())
        .expect("live SESSIONS");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let house = runtime.block_on(async {
        let rule = ServiceRule::origin("https://app.example.org").expect("an origin");
        let service = Service::new("app", rule).releasing(Release::All);
        let house = House::open("memory:", service).await;
        let cookie = house.log_in().await;
        let ticket = house.ticket(&cookie, SERVICE).await;
        house.validate(SERVICE, &ticket).await;
        let page = house.store.walk(None, None, 100).await.expect("a walk");
        let of_session: Vec<Entry> = page
            .entries
            .into_iter()
            .filter(|entry| KINDS.contains(&entry.key.kind()))
            .collect();
        assert_eq!(of_session.len(), KINDS.len(), "one session, one service");
        multiply(&house, &of_session, sessions.saturating_sub(1)).await;
        house
    });
    println!("{{\"cas_url\": \"http://{}/cas\"}}", house.address);
    std::io::stdin().read_to_end(&mut Vec::new()).ok();
}

async fn multiply(house: &House, entries: &[Entry], times: u64) {
    let hasher = KeyHasher::random().expect("random bytes");
    for number in 0..times {
        for entry in entries {
            let key = Key::new(entry.key.kind(), &number.to_be_bytes(), &hasher);
            let value = entry.value.clone();
            match entry.shape {
                Shape::Record => {
                    let made = house.store.create(&key, value, entry.deadline).await;
                    assert!(made.expect("room"), "keys are random");
                }
                Shape::Member => {
                    let made = house.store.append(&key, value, entry.deadline).await;
                    made.expect("room");
                }
            }
        }
    }
}
