//! The store, or the CAS server, is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::http::StatusCode;
use casque_store::{Cursor, Key, MemoryStore, Page, SharedStore, Store, StoreError, StoreFuture};
use casque_testkit::{FakeCas, ManualClock};

use crate::support::{BASE, Lab};

/// A store that can be switched off.
#[derive(Debug)]
struct Switched {
    store: MemoryStore,
    off: Arc<AtomicBool>,
}

impl Switched {
    fn unless_off<'a, T: Send + 'a>(&'a self, then: StoreFuture<'a, T>) -> StoreFuture<'a, T> {
        if self.off.load(Ordering::Relaxed) {
            return Box::pin(async {
                Err(StoreError::unavailable(
                    "switched off",
                    std::io::Error::other("off"),
                ))
            });
        }
        then
    }
}

impl Store for Switched {
    fn create<'a>(
        &'a self,
        key: &'a Key,
        value: Vec<u8>,
        end: SystemTime,
    ) -> StoreFuture<'a, bool> {
        self.unless_off(self.store.create(key, value, end))
    }
    fn get<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.unless_off(self.store.get(key))
    }
    fn touch<'a>(&'a self, key: &'a Key, end: SystemTime) -> StoreFuture<'a, bool> {
        self.unless_off(self.store.touch(key, end))
    }
    fn take<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Option<Vec<u8>>> {
        self.unless_off(self.store.take(key))
    }
    fn delete<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, bool> {
        self.unless_off(self.store.delete(key))
    }
    fn append<'a>(
        &'a self,
        key: &'a Key,
        member: Vec<u8>,
        end: SystemTime,
    ) -> StoreFuture<'a, usize> {
        self.unless_off(self.store.append(key, member, end))
    }
    fn members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        self.unless_off(self.store.members(key))
    }
    fn remove_members<'a>(
        &'a self,
        key: &'a Key,
        members: &'a [&'a [u8]],
    ) -> StoreFuture<'a, usize> {
        self.unless_off(self.store.remove_members(key, members))
    }
    fn take_members<'a>(&'a self, key: &'a Key) -> StoreFuture<'a, Vec<Vec<u8>>> {
        self.unless_off(self.store.take_members(key))
    }
    fn sweep(&self, limit: usize) -> StoreFuture<'_, usize> {
        self.unless_off(self.store.sweep(limit))
    }
    fn walk<'a>(
        &'a self,
        kind: Option<&'a str>,
        from: Option<&'a Cursor>,
        limit: usize,
    ) -> StoreFuture<'a, Page> {
        self.unless_off(self.store.walk(kind, from, limit))
    }
    fn ping(&self) -> StoreFuture<'_, ()> {
        self.unless_off(self.store.ping())
    }
}

/// I5: without the store nobody is let in, and nobody is taken for a stranger.
#[tokio::test]
async fn without_the_store_there_is_503() {
    let clock = ManualClock::new();
    let off = Arc::new(AtomicBool::new(false));
    let store: SharedStore = Arc::new(Switched {
        store: MemoryStore::new(Arc::new(clock.clone())),
        off: Arc::clone(&off),
    });
    let lab = Lab::on(FakeCas::start(), clock, store, |builder| {
        builder.service_base(BASE)
    });
    let (mut browser, ticket) = lab.signed_in("alice").await;
    let mut other = lab.browser();
    let asked = other.go("/members").await;

    off.store(true, Ordering::Relaxed);
    for target in [
        "/",
        "/members",
        "/staff",
        "/login",
        "/logout",
        "/cas/callback?ticket=ST-1-a",
    ] {
        let page = browser.go(target).await;
        assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE, "{target}");
        assert_eq!(page.header("cache-control"), "no-store", "{target}");
    }
    assert_eq!(
        lab.single_logout(&ticket).await.status,
        StatusCode::SERVICE_UNAVAILABLE
    );
    let (back, _) = lab.log_in(&mut other, &asked, "alice").await;
    assert_eq!(back.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        lab.browser().go("/").await.text(),
        "nobody",
        "who has no cookie needs no store"
    );

    off.store(false, Ordering::Relaxed);
    assert_eq!(browser.go("/members").await.status, StatusCode::OK);
}
