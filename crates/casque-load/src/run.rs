//! The run: sessions, warm-up, and what is measured.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};

use crate::campus::{Act, Campus};
use crate::plan::{Kind, Misuse, Pace, Plan};
use crate::report::Report;
use crate::steps;
use crate::tally::{Fault, Tally};
use crate::target::Target;
use crate::wire::{Connection, Traffic};

/// How far a run is, told about once a second.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// `sessions`, `warm-up`, `tickets` or `load`.
    pub phase: &'static str,
    /// Since the phase began.
    pub elapsed: Duration,
    /// Operations of the phase that have ended.
    pub operations: u64,
    /// How many of them came to nothing.
    pub errors: u64,
}

/// Why there is no report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// The plan breaks a rule.
    Misuse(Misuse),
    /// No session or no ticket could be had, so the run was given up.
    NotPrepared {
        /// What was tried.
        step: &'static str,
        /// What came of it, without secrets.
        words: String,
    },
}

impl std::error::Error for RunError {}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::NotPrepared { step, words } => write!(f, "the run was given up: {step}: {words}"),
        }
    }
}

impl From<Misuse> for RunError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

/// Carries a plan out.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use casque_load::{Kind, Plan, User, run};
///
/// let alice = User { name: "alice".to_owned(), password: "wonderland".to_owned() };
/// let plan = Plan::new("http://127.0.0.1:8080/cas", Kind::Sso, vec![alice]);
/// let report = run(plan, |progress| eprintln!("{progress:?}")).await?;
/// println!("{}", report.to_table());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`RunError`] where there is nothing to measure, or no more tickets come. What goes wrong while it is measured is in the report.
pub async fn run(mut plan: Plan, mut tell: impl FnMut(Progress)) -> Result<Report, RunError> {
    if plan.kind == Kind::Campus {
        // Its first people find an empty campus, which is all the warming up that there is.
        plan.warm_up = Duration::ZERO;
    }
    let target = Arc::new(Target::new(&plan).await?);
    let mut driver = Driver {
        connections: (0..plan.connections)
            .map(|_| Connection::new(target.clone()))
            .collect(),
        sessions: Arc::new(Vec::new()),
        plan: Arc::new(plan),
        target,
    };
    driver.begin_sessions(&mut tell).await?;
    let mut warm_up = Measured::new();
    if !driver.plan.warm_up.is_zero() {
        let most_time = driver.plan.warm_up;
        driver
            .measure("warm-up", u64::MAX, most_time, &mut warm_up, &mut tell)
            .await?;
    }
    driver.take_traffic();
    let mut load = Measured::new();
    let (most, most_time) = (driver.plan.count.unwrap_or(u64::MAX), driver.plan.duration);
    driver
        .measure("load", most, most_time, &mut load, &mut tell)
        .await?;
    Ok(Report::new(&driver.plan, &warm_up, &load))
}

/// What one part of the run came to.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) tally: Tally,
    pub(crate) took: Duration,
    pub(crate) traffic: Traffic,
    pub(crate) tickets: u64,
}

impl Measured {
    fn new() -> Self {
        Self {
            tally: Tally::new(),
            took: Duration::ZERO,
            traffic: Traffic::default(),
            tickets: 0,
        }
    }
}

struct Session {
    user: usize,
    cookies: Option<String>,
}

struct Driver {
    plan: Arc<Plan>,
    target: Arc<Target>,
    sessions: Arc<Vec<Session>>,
    connections: Vec<Connection>,
}

impl Driver {
    async fn begin_sessions(&mut self, tell: &mut impl FnMut(Progress)) -> Result<(), RunError> {
        if matches!(self.plan.kind, Kind::Login | Kind::Campus) {
            return Ok(());
        }
        let started = Instant::now();
        let mut sessions = Vec::new();
        for number in 0..self.plan.sessions {
            let user = number % self.plan.users.len();
            let signed_in = steps::sign_in(
                &self.target,
                &self.target.services[0],
                &self.plan.users[user],
            )
            .await
            .map_err(not_prepared)?;
            sessions.push(Session {
                user,
                cookies: signed_in.cookies,
            });
            tell(Progress {
                phase: "sessions",
                elapsed: started.elapsed(),
                operations: number as u64 + 1,
                errors: 0,
            });
        }
        self.sessions = Arc::new(sessions);
        Ok(())
    }

    /// One phase of load; of validations as many as it takes, with tickets obtained before each.
    async fn measure(
        &mut self,
        name: &'static str,
        most: u64,
        most_time: Duration,
        into: &mut Measured,
        tell: &mut impl FnMut(Progress),
    ) -> Result<(), RunError> {
        if let (Kind::Campus, Pace::Open { per_second }) = (self.plan.kind, self.plan.pace) {
            let people = self.plan.people(per_second);
            let campus = Campus::new(self.plan.mix, people, per_second);
            let per_second = per_second * self.plan.mix.moments();
            let numbers = campus.numbers();
            let most_time = Duration::from_secs(numbers / per_second + 1);
            let (work, pace) = (Work::Campus(campus), Pace::Open { per_second });
            self.phase(name, work, pace, numbers, most_time, into, tell)
                .await;
            return Ok(());
        }
        if self.plan.kind != Kind::Validate {
            let work = if self.plan.kind == Kind::Login {
                Work::Login
            } else {
                Work::Sso
            };
            self.phase(name, work, self.plan.pace, most, most_time, into, tell)
                .await;
            return Ok(());
        }
        while into.tally.operations < most && into.took < most_time {
            let batch = match self.plan.pace {
                Pace::Closed => self.plan.batch,
                // No ticket waits longer than this for its moment.
                Pace::Open { per_second } => self.plan.batch.min(per_second * 2),
            };
            let wanted = batch.min(most - into.tally.operations);
            let tickets = self.tickets(wanted, tell).await?;
            self.take_traffic();
            into.tickets += tickets.len() as u64;
            let count = tickets.len() as u64;
            let left = most_time.saturating_sub(into.took);
            let before = into.tally.operations;
            self.phase(
                name,
                Work::Validate(tickets),
                self.plan.pace,
                count,
                left,
                into,
                tell,
            )
            .await;
            if into.tally.operations == before {
                // What is left of the time is too short for another one.
                break;
            }
        }
        Ok(())
    }

    /// Tickets, obtained as fast as the connections allow.
    async fn tickets(
        &mut self,
        wanted: u64,
        tell: &mut impl FnMut(Progress),
    ) -> Result<Vec<Ticket>, RunError> {
        let mut prepared = Measured::new();
        let found = Arc::new(Mutex::new(Vec::new()));
        let work = Work::Prepare(found.clone());
        self.phase(
            "tickets",
            work,
            Pace::Closed,
            wanted,
            MOST_PREPARATION,
            &mut prepared,
            tell,
        )
        .await;
        let tickets = mem::take(&mut *locked(&found));
        if let Some(((step, kind), (count, example))) = prepared.tally.errors.first_key_value() {
            let words = format!("{count} of {wanted}: {kind}: {example}");
            return Err(RunError::NotPrepared { step, words });
        }
        if tickets.is_empty() {
            return Err(RunError::NotPrepared {
                step: "ticket",
                words: "none came in time".to_owned(),
            });
        }
        Ok(tickets)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the bounds of a phase, each said by its caller"
    )]
    async fn phase(
        &mut self,
        name: &'static str,
        work: Work,
        pace: Pace,
        most: u64,
        most_time: Duration,
        into: &mut Measured,
        tell: &mut impl FnMut(Progress),
    ) {
        let started = Instant::now();
        let phase = Arc::new(Phase {
            plan: self.plan.clone(),
            target: self.target.clone(),
            sessions: self.sessions.clone(),
            work,
            pace,
            started,
            ends: started + most_time,
            next: AtomicU64::new(0),
            most: AtomicU64::new(most),
            due: Semaphore::new(0),
            tally: Mutex::new(mem::replace(&mut into.tally, Tally::new())),
            last: Mutex::new(started),
            extra_bytes: AtomicU64::new(0),
        });
        let before = locked(&phase.tally).operations;
        let errors_before = before - locked(&phase.tally).correct;
        // Dropped when the phase ends, which ends the pacer whatever it waits for.
        let (_stop, stopped) = mpsc::channel();
        if let Pace::Open { per_second } = pace {
            let phase = phase.clone();
            let connections = self.connections.len();
            std::thread::spawn(move || phase.pace(per_second, connections, &stopped));
        }
        let mut workers = JoinSet::new();
        for connection in self.connections.drain(..) {
            workers.spawn(phase.clone().work(connection));
        }
        let mut ticks = interval(Duration::from_secs(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        ticks.tick().await;
        loop {
            tokio::select! {
                ended = workers.join_next() => match ended {
                    Some(connection) => self.connections.push(connection.expect("a worker does not panic")),
                    None => break,
                },
                _ = ticks.tick() => {
                    let tally = locked(&phase.tally);
                    let (operations, correct) = (tally.operations, tally.correct);
                    drop(tally);
                    tell(Progress {
                        phase: name,
                        elapsed: started.elapsed(),
                        operations: operations - before,
                        errors: operations - correct - errors_before,
                    });
                }
            }
        }
        into.tally = mem::replace(&mut *locked(&phase.tally), Tally::new());
        into.took += *locked(&phase.last) - started;
        into.traffic.add(self.take_traffic());
        into.traffic.received += phase.extra_bytes.load(Ordering::Relaxed);
    }

    fn take_traffic(&mut self) -> Traffic {
        let mut all = Traffic::default();
        for connection in &mut self.connections {
            all.add(mem::take(&mut connection.traffic));
        }
        all
    }
}

struct Ticket {
    text: String,
    user: usize,
}

enum Work {
    Login,
    Sso,
    Validate(Vec<Ticket>),
    Prepare(Arc<Mutex<Vec<Ticket>>>),
    Campus(Campus),
}

struct Phase {
    plan: Arc<Plan>,
    target: Arc<Target>,
    sessions: Arc<Vec<Session>>,
    work: Work,
    pace: Pace,
    started: Instant,
    ends: Instant,
    next: AtomicU64,
    /// Of operations; the pacer lowers it to those that were due when time was up.
    most: AtomicU64,
    /// A permit for each operation whose moment has come.
    due: Semaphore,
    tally: Mutex<Tally>,
    last: Mutex<Instant>,
    extra_bytes: AtomicU64,
}

impl Phase {
    async fn work(self: Arc<Self>, mut connection: Connection) -> Connection {
        let give_up = self.ends + self.plan.timeout;
        loop {
            let (number, intended) = match self.pace {
                Pace::Closed => {
                    let now = Instant::now();
                    if now >= self.ends {
                        break;
                    }
                    (self.next.fetch_add(1, Ordering::Relaxed), now)
                }
                Pace::Open { per_second } => {
                    self.due.acquire().await.expect("never closed").forget();
                    let number = self.next.fetch_add(1, Ordering::Relaxed);
                    (number, self.started + moment(number, per_second))
                }
            };
            if number >= self.most.load(Ordering::Acquire) {
                break;
            }
            let part = match &self.work {
                Work::Campus(campus) => match campus.at(number) {
                    None => continue,
                    Some((person, Act::Leave)) => {
                        campus.goes(person);
                        continue;
                    }
                    Some((_, act)) => act.name(),
                },
                _ => None,
            };
            let result = if matches!(self.pace, Pace::Open { .. }) && Instant::now() >= give_up {
                Err(Fault::new(
                    "wait",
                    "never_sent",
                    "every connection was busy until after the end",
                ))
            } else {
                let operation = self.operate(number, &mut connection);
                let ended = timeout(self.plan.timeout, operation).await;
                ended.unwrap_or_else(|_| {
                    Err(Fault::new(
                        "operation",
                        "timeout",
                        "no whole answer in time",
                    ))
                })
            };
            let now = Instant::now();
            match part {
                Some(part) => locked(&self.tally).record_part(part, now - intended, result),
                None => locked(&self.tally).record(now - intended, result),
            }
            *locked(&self.last) = now;
        }
        connection
    }

    async fn operate(&self, number: u64, connection: &mut Connection) -> Result<(), Fault> {
        let turn = usize::try_from(number).unwrap_or_default();
        let (target, users) = (&self.target, &self.plan.users);
        let service = &target.services[0];
        match &self.work {
            Work::Login => {
                let user = &users[turn % users.len()];
                let signed_in = steps::sign_in(target, service, user).await?;
                self.extra_bytes
                    .fetch_add(signed_in.bytes, Ordering::Relaxed);
                steps::validate(service, connection, &signed_in.ticket, &user.name).await
            }
            Work::Sso => {
                let session = &self.sessions[turn % self.sessions.len()];
                let cookies = session.cookies.as_deref();
                let ticket = steps::ticket(target, service, connection, cookies).await?;
                steps::validate(service, connection, &ticket, &users[session.user].name).await
            }
            Work::Validate(tickets) => {
                let ticket = &tickets[turn];
                steps::validate(service, connection, &ticket.text, &users[ticket.user].name).await
            }
            Work::Prepare(tickets) => {
                let session = &self.sessions[turn % self.sessions.len()];
                let cookies = session.cookies.as_deref();
                let text = steps::ticket(target, service, connection, cookies).await?;
                locked(tickets).push(Ticket {
                    text,
                    user: session.user,
                });
                Ok(())
            }
            Work::Campus(campus) => match campus.at(number) {
                Some((person, act)) => self.on_campus(campus, person, act, connection).await,
                None => Ok(()),
            },
        }
    }

    async fn on_campus(
        &self,
        campus: &Campus,
        person: u64,
        act: Act,
        connection: &mut Connection,
    ) -> Result<(), Fault> {
        let target = &self.target;
        let turn = usize::try_from(person).unwrap_or_default();
        let user = &self.plan.users[turn % self.plan.users.len()];
        let service = |visit: u64| {
            let visit = usize::try_from(visit).unwrap_or_default();
            &target.services[turn.wrapping_add(visit) % target.services.len()]
        };
        let not_here = |step| {
            Fault::new(
                step,
                "no_session",
                "the login has not ended well, or not yet",
            )
        };
        match act {
            Act::Mistype => steps::mistype(target, service(0), user).await,
            Act::LogIn => {
                let service = service(0);
                let signed_in = steps::sign_in(target, service, user).await?;
                self.extra_bytes
                    .fetch_add(signed_in.bytes, Ordering::Relaxed);
                if let Some(cookies) = signed_in.cookies {
                    campus.comes(person, cookies);
                }
                steps::validate(service, connection, &signed_in.ticket, &user.name).await
            }
            Act::Visit(visit) => {
                let cookies = campus.cookies(person).ok_or_else(|| not_here("visit"))?;
                let service = service(visit);
                let ticket = steps::ticket(target, service, connection, Some(&cookies)).await?;
                steps::validate(service, connection, &ticket, &user.name).await
            }
            Act::LogOut => {
                let cookies = campus.goes(person).ok_or_else(|| not_here("logout"))?;
                steps::sign_out(target, service(0), connection, Some(&cookies)).await
            }
            Act::Leave => Ok(()),
        }
    }

    /// Lets each operation begin at its moment. On a thread of its own, because timers of the runtime are a millisecond coarse.
    fn pace(&self, per_second: u64, connections: usize, stopped: &mpsc::Receiver<()>) {
        let most = self.most.load(Ordering::Acquire);
        let mut number = 0;
        while number < most {
            let due = self.started + moment(number, per_second);
            if due >= self.ends {
                break;
            }
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero()
                && stopped.recv_timeout(wait) == Err(mpsc::RecvTimeoutError::Disconnected)
            {
                return;
            }
            self.due.add_permits(1);
            number += 1;
        }
        self.most.store(number, Ordering::Release);
        // Each worker takes one more permit to learn that there is nothing left.
        self.due.add_permits(connections);
    }
}

/// When an operation is due, after the start.
fn moment(number: u64, per_second: u64) -> Duration {
    let rest = number % per_second;
    Duration::from_secs(number / per_second)
        + Duration::from_nanos(rest * 1_000_000_000 / per_second)
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn not_prepared(Fault { step, kind, detail }: Fault) -> RunError {
    let words = format!("{kind}: {detail}");
    RunError::NotPrepared { step, words }
}

/// Tickets that took longer than this may have expired.
const MOST_PREPARATION: Duration = Duration::from_secs(5);
