//! `casque serve` on a Redis and a PostgreSQL that end, pause and come back: people are told to come back later, nothing
//! is half done, and nobody has to start the server again.

use std::time::Duration;

use casque_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};

use tokio::time::Instant;

use crate::support::{
    Process,
    served::Site,
    visitor::{Answer, Visitor},
};

const SERVICE: &str = "http://127.0.0.1:9/app";

#[tokio::test]
async fn redis_goes_and_comes_back() {
    let options = RedisOptions {
        durable: true,
        password: Some("hunter2"),
        ..RedisOptions::default()
    };
    let Some(mut redis) = RedisServer::start(options) else {
        return;
    };
    let site = site(&redis.url());
    redis.stop();
    let mut story = Story::begin(&site).await;
    redis.start_again();
    story.log_in().await;
    redis.kill();
    story.is_told_to_come_back().await;
    redis.start_again();
    story.goes_on().await;
    redis.pause();
    story.is_told_to_come_back().await;
    redis.resume();
    story.goes_on().await;
}

#[tokio::test]
async fn postgres_goes_and_comes_back() {
    let options = PostgresOptions {
        password: Some("hunter2"),
        ..PostgresOptions::default()
    };
    let Some(mut postgres) = PostgresServer::start(options) else {
        return;
    };
    let site = site(&postgres.url());
    postgres.stop();
    let mut story = Story::begin(&site).await;
    postgres.start_again();
    story.log_in().await;
    postgres.kill();
    story.is_told_to_come_back().await;
    postgres.start_again();
    story.goes_on().await;
    postgres.pause();
    story.is_told_to_come_back().await;
    postgres.resume();
    story.goes_on().await;
}

/// What is wrong with the files of a store's URL is told with the rest of the configuration, at its line.
#[test]
fn a_check_reads_the_files_of_the_url() {
    let site = Site::new("redis://127.0.0.1:1/0?password_file=absent", "");
    let output = site.command().arg("--check").output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("casque.toml:3: `store`: ") && told.contains("absent"),
        "{told}"
    );
}

fn site(store: &str) -> Site {
    let mark = if store.contains('?') { '&' } else { '?' };
    Site::new(&format!("{store}{mark}timeout=500ms"), "")
}

struct Story {
    visitor: Visitor,
    base: String,
    _server: Process,
}

impl Story {
    /// The server starts although its store is not there.
    async fn begin(site: &Site) -> Self {
        let mut story = Self {
            base: site.base_url.clone(),
            visitor: Visitor::new(),
            _server: site.serve(),
        };
        story.is_told_to_come_back().await;
        story
    }

    async fn is_told_to_come_back(&mut self) {
        let start = Instant::now();
        let answer = self.login().await;
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert!(answer.ticket().is_none());
        assert!(answer.body.contains("<html") && !answer.body.contains("hunter2"));
        assert!(answer.headers.contains_key("retry-after"));
        let ticket = "ST-1-00000000000000000000000000000";
        let validation = self.validate(ticket).await;
        assert!(!validation.body.contains("authenticationSuccess"));
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }

    async fn log_in(&mut self) {
        let form = loop {
            let answer = self.login().await;
            if answer.status == 200 {
                break answer;
            }
            assert_eq!(answer.status, 503);
            tokio::task::yield_now().await;
        };
        let answer = self.visitor.log_in(&form, "alice", "wonderland").await;
        let ticket = answer.ticket().expect("a ticket");
        self.is_accepted_once(&ticket).await;
    }

    /// The session is still there.
    async fn goes_on(&mut self) {
        let ticket = loop {
            let answer = self.login().await;
            if let Some(ticket) = answer.ticket() {
                break ticket;
            }
            assert_eq!(answer.status, 503, "signed out: {}", answer.body);
            tokio::task::yield_now().await;
        };
        self.is_accepted_once(&ticket).await;
    }

    async fn is_accepted_once(&mut self, ticket: &str) {
        for accepted in [true, false] {
            let answer = self.validate(ticket).await;
            let user = answer.body.contains("<cas:user>alice</cas:user>");
            assert_eq!(user, accepted, "{}", answer.body);
        }
    }

    async fn login(&mut self) -> Answer {
        let url = format!("{}/login?service={SERVICE}", self.base);
        self.visitor.get(&url).await
    }

    async fn validate(&mut self, ticket: &str) -> Answer {
        let url = format!(
            "{}/p3/serviceValidate?service={SERVICE}&ticket={ticket}",
            self.base
        );
        Visitor::new().get(&url).await
    }
}
