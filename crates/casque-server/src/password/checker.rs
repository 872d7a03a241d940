//! A few threads that do nothing but check passwords.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use super::hash::verify;
use super::{HashParams, Password, hash_password};

/// How a [`PasswordChecker`] is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PasswordCheckerOptions {
    /// Hashes computed at the same time; each holds the memory of one hash. Default: the number
    /// of processors.
    pub workers: usize,
    /// Logins that may wait for a worker. Default 64.
    pub queue: usize,
    /// The cost of the hash that is computed where there is none to check against. It should be
    /// the cost most people's hashes have, or the clock tells who exists (S-059).
    pub decoy: HashParams,
}

impl Default for PasswordCheckerOptions {
    fn default() -> Self {
        Self {
            workers: thread::available_parallelism().map_or(1, Into::into),
            queue: 64,
            decoy: HashParams::default(),
        }
    }
}

/// Checks passwords on its own threads, which run at a lower priority than the rest of the
/// server (S-061): while logins queue, tickets keep validating.
///
/// Every check costs exactly one hash, also for people who do not exist (S-059).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use casque_server::{HashParams, Password, PasswordChecker, hash_password};
///
/// let checker = PasswordChecker::default();
/// let password = || Password::new("correct horse battery staple");
/// let stored = hash_password(&password()?, HashParams::default());
/// assert!(checker.check(Some(&stored), password()?).await?);
/// assert!(!checker.check(None, password()?).await?, "nobody of that name");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PasswordChecker {
    shared: Arc<Shared>,
}

struct Shared {
    jobs: SyncSender<Job>,
    decoy: Arc<str>,
    hashes: Arc<AtomicU64>,
}

struct Job {
    password: Password,
    /// The stored hash, or none for the decoy.
    stored: Option<String>,
    reply: oneshot::Sender<bool>,
}

impl PasswordChecker {
    /// Starts the worker threads. They end when the last clone is dropped.
    ///
    /// # Panics
    /// Where the operating system gives no thread, no memory for one hash, or no random bytes.
    pub fn new(options: PasswordCheckerOptions) -> Self {
        let (jobs, queue) = sync_channel(options.queue.max(1));
        let queue = Arc::new(Mutex::new(queue));
        let hashes = Arc::new(AtomicU64::new(0));
        let nobody = Password::new(*b"nobody has this password").expect("short");
        let decoy: Arc<str> = hash_password(&nobody, options.decoy).into();
        for number in 0..options.workers.max(1) {
            let (queue, decoy, hashes) = (queue.clone(), decoy.clone(), hashes.clone());
            thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&queue, &decoy, &hashes))
                .expect("a server that cannot start a thread cannot start");
        }
        Self {
            shared: Arc::new(Shared {
                jobs,
                decoy,
                hashes,
            }),
        }
    }

    /// Whether `password` is the one that `hash` was made from; `None`, for people who do not
    /// exist or may not log in, costs the same and is never right. An empty password is never
    /// right either (S-062).
    ///
    /// Dropping the future before its turn came saves the work.
    ///
    /// # Errors
    /// [`Busy`] where the queue is full: answer 503 and let the person try again.
    pub async fn check(&self, hash: Option<&str>, password: Password) -> Result<bool, Busy> {
        let (reply, answer) = oneshot::channel();
        let job = Job {
            password,
            stored: hash.map(str::to_owned),
            reply,
        };
        match self.shared.jobs.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => return Err(Busy),
        }
        answer.await.map_err(|_| Busy)
    }

    /// How many hashes have been computed since the start; for metrics and tests.
    pub fn hashes(&self) -> u64 {
        self.shared.hashes.load(Ordering::Relaxed)
    }
}

impl Default for PasswordChecker {
    fn default() -> Self {
        Self::new(PasswordCheckerOptions::default())
    }
}

impl fmt::Debug for PasswordChecker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PasswordChecker")
            .field("hashes", &self.hashes())
            .field("decoy", &self.shared.decoy.split('$').nth(3))
            .finish_non_exhaustive()
    }
}

/// Too many logins are waiting already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins at the same time")]
pub struct Busy;

fn work(queue: &Mutex<Receiver<Job>>, decoy: &str, hashes: &AtomicU64) {
    lower_priority();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        if job.reply.is_closed() {
            continue;
        }
        hashes.fetch_add(1, Ordering::Relaxed);
        let (password, stored) = (&job.password, job.stored.as_deref());
        let right = std::panic::catch_unwind(AssertUnwindSafe(|| {
            verify(password, stored.unwrap_or(decoy))
        }));
        // A panic in a hash is a wrong password and not one worker less.
        let right = right.unwrap_or(false) && stored.is_some() && !password.is_empty();
        // The browser may have left meanwhile.
        let _ = job.reply.send(right);
    }
}

/// On Linux a priority belongs to the thread that asks for it. Where it cannot be lowered the
/// bound on the number of workers still holds.
#[cfg(target_os = "linux")]
fn lower_priority() {
    if let Err(error) = rustix::process::setpriority_process(None, 10) {
        tracing::debug!(%error, "password threads keep the normal priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Waker};

    use super::*;

    fn options(workers: usize, queue: usize) -> PasswordCheckerOptions {
        PasswordCheckerOptions {
            workers,
            queue,
            decoy: cheap(),
        }
    }

    fn cheap() -> HashParams {
        HashParams::new(64, 1, 1).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::new(text).unwrap()
    }

    #[tokio::test]
    async fn right_wrong_unknown_and_empty_cost_one_hash_each() {
        let checker = PasswordChecker::new(options(2, 8));
        let stored = hash_password(&password("wonderland"), cheap());
        let empty = hash_password(&password(""), cheap());
        let nobody = "nobody has this password";
        let rows = [
            (Some(stored.as_str()), "wonderland", true),
            (Some(stored.as_str()), "Wonderland", false),
            (None, "wonderland", false),
            // The decoy's own password opens nothing.
            (None, nobody, false),
            (Some(stored.as_str()), "", false),
            (Some(empty.as_str()), "", false),
        ];
        for (number, (hash, text, expected)) in rows.into_iter().enumerate() {
            let right = checker.check(hash, password(text)).await;
            assert_eq!(right, Ok(expected), "row {number}");
            assert_eq!(checker.hashes(), number as u64 + 1, "row {number} (S-059)");
        }
    }

    #[tokio::test]
    async fn a_damaged_hash_is_a_wrong_password() {
        let checker = PasswordChecker::new(options(1, 1));
        for damaged in [
            "",
            "wonderland",
            "$argon2id$v=19$m=4294967295,t=1,p=1$AAAA$AAAA",
        ] {
            let right = checker.check(Some(damaged), password("wonderland")).await;
            assert_eq!(right, Ok(false));
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_full_queue_answers_busy_at_once() {
        // S-061: one worker, two places, ten logins in one moment on one async thread.
        let checker = PasswordChecker::new(options(1, 2));
        let stored = hash_password(&password("wonderland"), HashParams::default());
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let (checker, stored) = (checker.clone(), stored.clone());
            waiting.push(tokio::spawn(async move {
                checker.check(Some(&stored), password("wonderland")).await
            }));
        }
        let (mut served, mut busy) = (0, 0);
        for task in waiting {
            match task.await.unwrap() {
                Ok(right) => {
                    assert!(right);
                    served += 1;
                }
                Err(Busy) => busy += 1,
            }
        }
        assert!(served >= 2, "the queue holds two");
        assert!(busy >= 1, "{busy} of ten were turned away");
        assert_eq!(checker.hashes(), served);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_login_given_up_before_its_turn_is_not_hashed() {
        let checker = PasswordChecker::new(options(1, 8));
        let stored = hash_password(&password("wonderland"), HashParams::default());
        for _ in 0..6 {
            let mut future = Box::pin(checker.check(Some(&stored), password("wonderland")));
            let mut context = Context::from_waker(Waker::noop());
            assert!(future.as_mut().poll(&mut context).is_pending());
        }
        let right = checker.check(Some(&stored), password("wonderland")).await;
        assert_eq!(right, Ok(true));
        assert!(checker.hashes() < 7, "{}", checker.hashes());
    }

    #[test]
    fn nothing_secret_in_debug() {
        let checker = PasswordChecker::new(options(1, 1));
        assert_eq!(
            format!("{checker:?}"),
            "PasswordChecker { hashes: 0, decoy: Some(\"m=64,t=1,p=1\"), .. }"
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn only_the_workers_run_at_low_priority() {
        let before = rustix::process::getpriority_process(None).unwrap();
        let lowered = thread::spawn(|| {
            lower_priority();
            rustix::process::getpriority_process(None).unwrap()
        })
        .join()
        .unwrap();
        assert!(lowered >= 10);
        assert_eq!(rustix::process::getpriority_process(None).unwrap(), before);
    }
}
