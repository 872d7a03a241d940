//! Connections to a server: made when they are needed, given up when they do not answer, made again after a pause.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use crate::StoreError;

/// A kind of server, and how to get a connection to it that is ready for use.
pub(crate) trait Backend: Send + Sync + 'static {
    type Connection: Send + Sync + 'static;

    /// Which server, for an operator: "Redis at 127.0.0.1:6379".
    fn place(&self) -> &str;

    fn connect(&self) -> impl Future<Output = Result<Self::Connection, StoreError>> + Send;

    /// Whether another call may be sent over it.
    fn is_open(connection: &Self::Connection) -> bool;
}

/// What all callers of a store share: a few connections, each carrying many calls at a time.
///
/// No call is sent twice: whether one without an answer took place is not known, and a second take must not succeed.
/// While the server cannot be reached one caller at a time tries, after pauses that grow; all others hear at once why
/// the last attempt failed.
pub(crate) struct Link<B: Backend> {
    backend: B,
    slots: Box<[Slot<B::Connection>]>,
    next: AtomicUsize,
    timeout: Duration,
    trouble: Mutex<Option<Trouble>>,
}

struct Slot<C> {
    current: Mutex<Option<Arc<C>>>,
    connecting: tokio::sync::Mutex<()>,
}

struct Trouble {
    since: Instant,
    pause: Duration,
    retry_at: Instant,
    error: StoreError,
}

impl Trouble {
    /// What another failure makes of it.
    fn after(known: Option<Self>, error: &StoreError, now: Instant) -> Self {
        let (since, pause) = match known {
            // Many callers hear of one failure; it counts once.
            Some(known) if now < known.retry_at => return known,
            Some(known) => (known.since, (known.pause * 2).min(LONGEST_PAUSE)),
            None => (now, FIRST_PAUSE),
        };
        Self {
            since,
            pause,
            retry_at: now + spread(pause),
            error: error.again(),
        }
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl<B: Backend> Link<B> {
    pub(crate) fn new(backend: B, connections: usize, timeout: Duration) -> Self {
        let slot = || Slot {
            current: Mutex::new(None),
            connecting: tokio::sync::Mutex::new(()),
        };
        Self {
            backend,
            slots: (0..connections.max(1)).map(|_| slot()).collect(),
            next: AtomicUsize::new(0),
            timeout,
            trouble: Mutex::new(None),
        }
    }

    #[cfg(any(feature = "redis", test))]
    pub(crate) fn backend(&self) -> &B {
        &self.backend
    }

    /// Makes a call over a connection, within the deadline that connecting counts against, too.
    pub(crate) async fn call<T, F>(
        &self,
        call: impl FnOnce(Arc<B::Connection>) -> F + Send,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>> + Send,
    {
        let mut used = None;
        let work = async {
            let connection = self.connection().await?;
            used = Some(Arc::clone(&connection));
            call(connection).await
        };
        if let Ok(outcome) = tokio::time::timeout(self.timeout, work).await {
            return outcome;
        }
        // A server that is stopped, or gone without a word, answers nothing that is sent over this connection either.
        if let Some(silent) = used {
            self.give_up(&silent);
        }
        let error = StoreError::Unavailable {
            reason: format!(
                "{} has not answered within {:?}",
                self.backend.place(),
                self.timeout
            ),
            source: None,
        };
        self.note(&error);
        Err(error)
    }

    /// A connection that carries no call now, or one more connection, or else the one that carries the fewest: behind
    /// another call it may be a flush of the disk that is waited for.
    async fn connection(&self) -> Result<Arc<B::Connection>, StoreError> {
        let start = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        let (before, after) = self.slots.split_at(start);
        let (mut closed, mut least) = (None, None);
        for slot in after.iter().chain(before) {
            let Some(open) = open_in::<B>(slot) else {
                closed = closed.or(Some(slot));
                continue;
            };
            // The slot and this function hold it as well.
            let calls = Arc::strong_count(&open).saturating_sub(2);
            if calls == 0 {
                return Ok(open);
            }
            if least.as_ref().is_none_or(|&(fewest, _)| calls < fewest) {
                least = Some((calls, open));
            }
        }
        let least = least.map(|(_, open)| open);
        let Some(slot) = closed else {
            return least.ok_or_else(|| StoreError::misuse("a store without connections"));
        };
        match self.connect(slot).await {
            Ok(connection) => Ok(connection),
            // One that the server refuses, because it has too many for instance, need not stop the others.
            Err(error) => least.ok_or(error),
        }
    }

    async fn connect(&self, slot: &Slot<B::Connection>) -> Result<Arc<B::Connection>, StoreError> {
        let _turn = match self.trouble() {
            None => slot.connecting.lock().await,
            Some((error, false)) => return Err(error),
            Some((error, true)) => slot.connecting.try_lock().map_err(|_| error)?,
        };
        // Whoever had the turn before may have connected, or failed.
        if let Some(open) = open_in::<B>(slot) {
            return Ok(open);
        }
        if let Some((error, false)) = self.trouble() {
            return Err(error);
        }
        match self.backend.connect().await {
            Ok(connection) => {
                let connection = Arc::new(connection);
                *lock(&slot.current) = Some(Arc::clone(&connection));
                if let Some(trouble) = lock(&self.trouble).take() {
                    tracing::info!(
                        store = self.backend.place(),
                        seconds = trouble.since.elapsed().as_secs_f64(),
                        "the store is back"
                    );
                }
                Ok(connection)
            }
            Err(error) => {
                self.note(&error);
                Err(error)
            }
        }
    }

    /// Why the server could not be reached last, and whether it is time to try again.
    fn trouble(&self) -> Option<(StoreError, bool)> {
        lock(&self.trouble)
            .as_ref()
            .map(|trouble| (trouble.error.again(), trouble.retry_at <= Instant::now()))
    }

    fn note(&self, error: &StoreError) {
        let mut trouble = lock(&self.trouble);
        if trouble.is_none() {
            tracing::warn!(store = self.backend.place(), %error, "the store is in trouble");
        }
        *trouble = Some(Trouble::after(trouble.take(), error, Instant::now()));
    }

    fn give_up(&self, silent: &Arc<B::Connection>) {
        for slot in &self.slots {
            let mut current = lock(&slot.current);
            if current
                .as_ref()
                .is_some_and(|held| Arc::ptr_eq(held, silent))
            {
                *current = None;
            }
        }
    }
}

fn open_in<B: Backend>(slot: &Slot<B::Connection>) -> Option<Arc<B::Connection>> {
    let mut current = lock(&slot.current);
    match &*current {
        Some(connection) if B::is_open(connection) => Some(Arc::clone(connection)),
        _ => {
            *current = None;
            None
        }
    }
}

/// Half of it to all of it, so that nodes that lost the server together do not come back to it together.
fn spread(pause: Duration) -> Duration {
    let mut random = [0];
    // Without randomness the pause is only less spread.
    let _ = getrandom::fill(&mut random);
    pause / 2 + pause / 2 * u32::from(random[0]) / 255
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// A server that is there or not, and answers or not.
    #[derive(Default)]
    struct Fake {
        is_there: AtomicBool,
        attempts: AtomicUsize,
    }

    impl Backend for Fake {
        type Connection = AtomicBool;

        fn place(&self) -> &'static str {
            "the fake"
        }

        async fn connect(&self) -> Result<AtomicBool, StoreError> {
            self.attempts.fetch_add(1, Ordering::Relaxed);
            if self.is_there.load(Ordering::Relaxed) {
                Ok(AtomicBool::new(true))
            } else {
                Err(StoreError::unavailable("nobody is there", "refused"))
            }
        }

        fn is_open(connection: &AtomicBool) -> bool {
            connection.load(Ordering::Relaxed)
        }
    }

    fn block_on(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime")
            .block_on(test);
    }

    fn link(connections: usize, timeout: Duration) -> Link<Fake> {
        let link = Link::new(Fake::default(), connections, timeout);
        link.backend().is_there.store(true, Ordering::Relaxed);
        link
    }

    async fn works(link: &Link<Fake>) -> bool {
        link.call(|_| async { Ok(()) }).await.is_ok()
    }

    fn attempts(link: &Link<Fake>) -> usize {
        link.backend().attempts.load(Ordering::Relaxed)
    }

    #[test]
    fn pauses_grow_to_a_limit_and_many_callers_count_once() {
        let error = StoreError::unavailable("nobody is there", "refused");
        let start = Instant::now();
        let (mut now, mut trouble, mut pauses) = (start, None, Vec::new());
        for _ in 0..10 {
            let known = Trouble::after(trouble, &error, now);
            assert!(known.retry_at >= now + known.pause / 2 && known.retry_at <= now + known.pause);
            pauses.push(known.pause.as_millis());
            let retry_at = known.retry_at;
            let again = Trouble::after(Some(known), &error, retry_at - Duration::from_millis(1));
            assert_eq!(again.retry_at, retry_at);
            assert_eq!(again.since, start);
            (now, trouble) = (retry_at, Some(again));
        }
        assert_eq!(pauses[..7], [50, 100, 200, 400, 800, 1600, 2000]);
        assert_eq!(pauses[7..], [2000; 3]);
    }

    #[test]
    fn in_trouble_one_tries_and_the_others_hear_at_once() {
        block_on(async {
            let link = link(1, Duration::from_secs(10));
            link.backend().is_there.store(false, Ordering::Relaxed);
            assert!(!works(&link).await);
            lock(&link.trouble).as_mut().expect("trouble").retry_at += Duration::from_hours(1);
            link.backend().is_there.store(true, Ordering::Relaxed);
            for _ in 0..100 {
                assert!(!works(&link).await);
            }
            assert_eq!(attempts(&link), 1);
            lock(&link.trouble).as_mut().expect("trouble").retry_at = Instant::now();
            let turn = link.slots[0].connecting.lock().await;
            assert!(!works(&link).await, "somebody else is trying");
            drop(turn);
            assert!(works(&link).await && works(&link).await);
            assert_eq!(attempts(&link), 2);
            assert!(link.trouble().is_none());
        });
    }

    #[test]
    fn a_call_without_an_answer_ends_at_the_deadline_and_is_not_sent_again() {
        const TIMEOUT: Duration = Duration::from_millis(20);
        block_on(async {
            let link = link(1, TIMEOUT);
            let (start, sent) = (Instant::now(), AtomicUsize::new(0));
            let error = link
                .call(|_| {
                    sent.fetch_add(1, Ordering::Relaxed);
                    std::future::pending::<Result<(), _>>()
                })
                .await
                .expect_err("no answer");
            assert!(error.is_unavailable());
            assert!(
                error
                    .to_string()
                    .contains("the fake has not answered within 20ms"),
                "{error}"
            );
            assert!(start.elapsed() >= TIMEOUT);
            assert_eq!(sent.into_inner(), 1);
            assert!(
                open_in::<Fake>(&link.slots[0]).is_none(),
                "its connection is given up"
            );
            assert!(link.trouble().is_some());
        });
    }

    #[test]
    fn calls_share_a_connection_only_where_there_are_no_more() {
        block_on(async {
            let link = link(3, Duration::from_secs(10));
            for _ in 0..5 {
                assert!(works(&link).await);
            }
            assert_eq!(
                attempts(&link),
                1,
                "one is enough for one call after the other"
            );
            let mut busy = Vec::new();
            for _ in 0..7 {
                busy.push(link.connection().await.expect("one"));
            }
            assert_eq!(attempts(&link), 3);
            let sharing =
                |one: &Arc<_>| busy.iter().filter(|other| Arc::ptr_eq(one, other)).count();
            assert!(busy.iter().all(|one| (2..=3).contains(&sharing(one))));
        });
    }

    #[test]
    fn other_connections_go_on_without_one_that_is_refused() {
        block_on(async {
            let link = link(3, Duration::from_secs(10));
            let busy = link.connection().await.expect("one");
            link.backend().is_there.store(false, Ordering::Relaxed);
            for _ in 0..10 {
                assert!(works(&link).await);
            }
            assert!(attempts(&link) >= 2);
            drop(busy);
        });
    }
}
