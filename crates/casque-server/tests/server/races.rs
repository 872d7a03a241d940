//! Many at once: one ticket has one winner (R-096, S-007).

use crate::house::{Browser, House, Setup};

const APP: &str = "https://app.example.org/";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_validations_of_one_ticket_on_memory() {
    let house = House::new();
    let browser = house.signed_in("alice").await;
    race(browser, &[house.browser()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sixty_four_validations_of_one_ticket_on_two_nodes() {
    let house = Setup::new().sqlite().build();
    let other = Setup::new()
        .sqlite()
        .folder(house.folder.clone())
        .clock(house.clock.clone())
        .build();
    let browser = house.signed_in("alice").await;
    race(browser, &[house.browser(), other.browser()]).await;
}

async fn race(mut browser: Browser, nodes: &[Browser]) {
    for _ in 0..4 {
        let ticket = browser.ticket_for(APP).await;
        let mut all = Vec::new();
        for n in 0..64 {
            let (node, ticket) = (nodes[n % nodes.len()].clone(), ticket.clone());
            all.push(tokio::spawn(async move {
                node.validate("validate", APP, &ticket).await.body
            }));
        }
        let mut wins = 0;
        for one in all {
            match one.await.expect("no panic").as_str() {
                "yes\nalice\n" => wins += 1,
                other => assert_eq!(other, "no\n\n"),
            }
        }
        assert_eq!(wins, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn people_are_not_mixed_up() {
    // S-012
    let house = House::new();
    let mut all = Vec::new();
    for n in 0..32 {
        let name = if n % 2 == 0 { "alice" } else { "bob" };
        let mut browser = house.signed_in(name).await;
        all.push(tokio::spawn(async move {
            for _ in 0..20 {
                let ticket = browser.ticket_for(APP).await;
                let answer = browser.validate("validate", APP, &ticket).await;
                assert_eq!(answer.body, format!("yes\n{name}\n"));
            }
        }));
    }
    for one in all {
        one.await.expect("no mix-up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_form_sent_many_times_logs_in_once() {
    let house = House::new();
    let mut browser = house.browser();
    let page = browser.get("/login").await;
    let mut all = Vec::new();
    for _ in 0..16 {
        let (mut browser, page) = (browser.clone(), page.clone());
        all.push(tokio::spawn(async move {
            browser
                .submit(&page, "alice", crate::house::PASSWORD, None)
                .await
                .status
                .as_u16()
        }));
    }
    let mut statuses = Vec::new();
    for one in all {
        statuses.push(one.await.expect("no panic"));
    }
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200);
    assert!(
        statuses[1..].iter().all(|status| *status == 403),
        "{statuses:?}"
    );
}
