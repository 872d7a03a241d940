//! Stores on a server that is stopped, killed, paused, locked or encrypted: real ones, started for each test.

#![cfg(all(unix, feature = "redis", feature = "postgres"))]

mod access;
mod schema;
mod trouble;

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use casque_store::{Clock, Key, KeyHasher, SharedStore, StoreError, SystemClock, open};
use casque_testkit::servers::{
    PostgresOptions, PostgresServer, RedisOptions, RedisServer, StoreServer,
};

/// A server of either kind.
trait Server: StoreServer + Sized {
    /// One that keeps what it has acknowledged, whatever happens to its process.
    fn durable() -> Option<Self>;
}

impl Server for RedisServer {
    fn durable() -> Option<Self> {
        Self::start(RedisOptions {
            durable: true,
            ..RedisOptions::default()
        })
    }
}

impl Server for PostgresServer {
    fn durable() -> Option<Self> {
        Self::start(PostgresOptions::default())
    }
}

/// Makes a test of a property for each kind of server.
macro_rules! on_both {
    ($($property:ident)+) => {
        mod on_redis {
            $(#[test]
            fn $property() {
                super::$property::<casque_testkit::servers::RedisServer>();
            })+
        }
        mod on_postgres {
            $(#[test]
            fn $property() {
                super::$property::<casque_testkit::servers::PostgresServer>();
            })+
        }
    };
}
use on_both;

/// A store with an option more in its URL.
fn store(url: &str, option: &str) -> SharedStore {
    let mark = if url.contains('?') { '&' } else { '?' };
    open(
        &format!("{url}{mark}{option}"),
        Arc::new(SystemClock::new()),
    )
    .expect("a store")
}

fn key(name: &str) -> Key {
    Key::new("test", name.as_bytes(), &KeyHasher::new(&[1; 32]))
}

fn later() -> SystemTime {
    SystemClock::new().now() + Duration::from_hours(1)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(async {
            tokio::time::timeout(Duration::from_mins(2), test)
                .await
                .expect("it ends");
        });
}

/// Asks until the store answers.
async fn comes_back(store: &SharedStore) {
    while let Err(error) = store.ping().await {
        assert!(error.is_unavailable(), "{error}");
        tokio::task::yield_now().await;
    }
}

/// The error and what is behind it.
fn words(error: &StoreError) -> String {
    let source = std::error::Error::source(error).map(ToString::to_string);
    format!("{error}; {}; {error:?}", source.unwrap_or_default())
}
