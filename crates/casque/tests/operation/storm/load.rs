//! People who log in, visit and log out at all nodes, two services for each ticket, and what they were told.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{Instant, timeout},
};

use super::nodes::{Nodes, PASSWORD, USER};
use crate::support::visitor::{Answer, Visitor};

const SERVICE: &str = "http%3A%2F%2F127.0.0.1%3A9%2Fapp";

/// People at the same time, for each node.
const PER_NODE: usize = 3;
/// Sessions acknowledged between one trouble and the next.
const SESSIONS: usize = 8;
/// Answers that must be missing before a trouble counts as one.
const REFUSALS: usize = 3;
/// Visits of each session after its login.
const VISITS: usize = 2;
/// One session in so many logs out.
const LOGOUT_EVERY: usize = 4;
/// Far longer than any of it takes.
const PATIENCE: Duration = Duration::from_mins(1);

type Cookies = BTreeMap<String, String>;

/// A session that was acknowledged.
pub(super) struct Session {
    cookies: Cookies,
    pub(super) at: Instant,
}

/// What people and services were told.
#[derive(Default)]
pub(super) struct Told {
    pub(super) sessions: Vec<Session>,
    logouts: Vec<Cookies>,
    /// Tickets, and how often each was accepted.
    tickets: BTreeMap<String, usize>,
    /// Requests that got no answer, or one that says to come back.
    refusals: usize,
}

/// What holds of it in the end.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) sessions: usize,
    pub(super) sessions_lost: usize,
    pub(super) logouts: usize,
    pub(super) logouts_undone: usize,
    pub(super) tickets: usize,
    pub(super) tickets_accepted: usize,
    pub(super) tickets_twice: usize,
    pub(super) refusals: usize,
    /// How old the oldest lost session was when the load ended.
    pub(super) oldest_lost: Option<Duration>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} sessions acknowledged, {} lost; {} logouts acknowledged, {} undone; {} tickets, {} accepted, {} of them \
             twice; {} requests refused or unanswered",
            self.sessions,
            self.sessions_lost,
            self.logouts,
            self.logouts_undone,
            self.tickets,
            self.tickets_accepted,
            self.tickets_twice,
            self.refusals
        )
    }
}

/// The load, going on.
pub(super) struct Load {
    shared: Arc<Shared>,
    people: JoinSet<()>,
}

#[derive(Default)]
struct Shared {
    told: Mutex<Told>,
    changed: Notify,
    ends: AtomicBool,
}

impl Load {
    pub(super) fn begin(nodes: &Nodes) -> Self {
        let shared = Arc::<Shared>::default();
        let mut people = JoinSet::new();
        for number in 0..nodes.count() * PER_NODE {
            let person = Person {
                base: nodes.base_url().to_owned(),
                nodes: (0..nodes.count()).map(|node| nodes.visitor(node)).collect(),
                turn: number,
                shared: shared.clone(),
            };
            people.spawn(person.go_on());
        }
        Self { shared, people }
    }

    /// Waits until some more sessions have been acknowledged.
    pub(super) async fn acknowledges_more(&self) {
        let before = self.shared.told().sessions.len();
        self.until(|told| told.sessions.len() >= before + SESSIONS)
            .await;
    }

    /// Waits until some more requests have been refused, or have got no answer.
    pub(super) async fn is_refused(&self) {
        let before = self.shared.told().refusals;
        self.until(|told| told.refusals >= before + REFUSALS).await;
    }

    async fn until(&self, there: impl Fn(&Told) -> bool) {
        let waiting = async {
            loop {
                let changed = self.shared.changed.notified();
                if there(&self.shared.told()) {
                    break;
                }
                changed.await;
            }
        };
        timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("the load stands still: {}", self.so_far()));
    }

    pub(super) fn so_far(&self) -> String {
        let told = self.shared.told();
        format!(
            "{} sessions and {} tickets so far, {} refusals",
            told.sessions.len(),
            told.tickets.len(),
            told.refusals
        )
    }

    /// Lets everybody finish.
    pub(super) async fn end(mut self) -> Told {
        self.shared.ends.store(true, Ordering::Relaxed);
        while let Some(person) = self.people.join_next().await {
            person.expect("nobody panics");
        }
        std::mem::take(&mut *self.shared.told())
    }
}

impl Shared {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().expect("nobody panicked")
    }

    fn note(&self, note: impl FnOnce(&mut Told)) {
        note(&mut self.told());
        self.changed.notify_waiters();
    }
}

/// Somebody who logs in again and again.
struct Person {
    base: String,
    /// A browser at each node, for its connections only.
    nodes: Vec<Visitor>,
    turn: usize,
    shared: Arc<Shared>,
}

impl Person {
    async fn go_on(mut self) {
        for number in 0.. {
            if self.shared.ends.load(Ordering::Relaxed) {
                break;
            }
            if self.one_session(number).await.is_none() {
                self.shared.note(|told| told.refusals += 1);
                // Whoever was refused comes back a little later.
                let _ = timeout(Duration::from_millis(20), std::future::pending::<()>()).await;
            }
        }
    }

    /// None where something was not answered.
    async fn one_session(&mut self, number: usize) -> Option<()> {
        let mut visitor = self.next(Cookies::new());
        let form = answered(visitor.try_get(&login(&self.base)).await)?;
        let logged_in = answered(visitor.try_log_in(&form, USER, PASSWORD).await)?;
        let ticket = logged_in
            .ticket()
            .unwrap_or_else(|| panic!("{}: {}", logged_in.status, logged_in.body));
        let cookies = visitor.cookies;
        self.shared.note(|told| {
            told.tickets.insert(ticket.clone(), 0);
            told.sessions.push(Session {
                cookies: cookies.clone(),
                at: Instant::now(),
            });
        });
        self.present(&ticket).await;
        for _ in 0..VISITS {
            let mut visitor = self.next(cookies.clone());
            let answer = answered(visitor.try_get(&login(&self.base)).await)?;
            // A session that is lost is counted when all of them are looked at.
            let Some(ticket) = answer.ticket() else {
                return Some(());
            };
            self.shared.note(|told| {
                told.tickets.insert(ticket.clone(), 0);
            });
            self.present(&ticket).await;
        }
        if number.is_multiple_of(LOGOUT_EVERY) {
            // From here on nobody knows, until it is acknowledged.
            self.shared
                .note(|told| told.sessions.retain(|session| session.cookies != cookies));
            let mut visitor = self.next(cookies.clone());
            let url = format!("{}/logout", self.base);
            answered(visitor.try_get(&url).await)?;
            self.shared.note(|told| told.logouts.push(cookies));
        }
        Some(())
    }

    /// Two services present a ticket at the same moment, at different nodes.
    async fn present(&mut self, ticket: &str) {
        let mut one = self.next(Cookies::new());
        let mut two = self.next(Cookies::new());
        let (one, two) = tokio::join!(
            accepts(&mut one, &self.base, ticket),
            accepts(&mut two, &self.base, ticket)
        );
        self.shared.note(|told| {
            let accepted = [one, two].into_iter().flatten();
            let accepted = accepted.filter(|accepted| *accepted).count();
            *told.tickets.get_mut(ticket).expect("it was granted") += accepted;
            told.refusals += [one, two].iter().filter(|one| one.is_none()).count();
        });
    }

    /// A browser with these cookies at the next node.
    fn next(&mut self, cookies: Cookies) -> Visitor {
        self.turn += 1;
        let mut visitor = self.nodes[self.turn % self.nodes.len()].clone();
        visitor.cookies = cookies;
        visitor
    }
}

impl Told {
    /// Asks for everything that was acknowledged.
    pub(super) async fn look_back(self, nodes: &Nodes, ended: Instant) -> Outcome {
        let mut outcome = Outcome {
            sessions: self.sessions.len(),
            logouts: self.logouts.len(),
            tickets: self.tickets.len(),
            refusals: self.refusals,
            ..Outcome::default()
        };
        let mut visitors: Vec<Visitor> =
            (0..nodes.count()).map(|node| nodes.visitor(node)).collect();
        let count = visitors.len();
        let url = login(nodes.base_url());
        for (number, session) in self.sessions.into_iter().enumerate() {
            let visitor = &mut visitors[number % count];
            visitor.cookies = session.cookies;
            if once_answered(visitor, &url).await.ticket().is_none() {
                outcome.sessions_lost += 1;
                let age = ended - session.at;
                outcome.oldest_lost = outcome.oldest_lost.max(Some(age));
            }
        }
        for (number, cookies) in self.logouts.into_iter().enumerate() {
            let visitor = &mut visitors[number % count];
            visitor.cookies = cookies;
            let undone = once_answered(visitor, &url).await.ticket().is_some();
            outcome.logouts_undone += usize::from(undone);
        }
        for (number, (ticket, mut accepted)) in self.tickets.into_iter().enumerate() {
            let visitor = &mut visitors[number % count];
            visitor.cookies.clear();
            let again = accepts(visitor, nodes.base_url(), &ticket).await;
            accepted += usize::from(again.expect("all is well again"));
            outcome.tickets_accepted += usize::from(accepted > 0);
            outcome.tickets_twice += usize::from(accepted > 1);
        }
        outcome
    }
}

/// The answer, unless it says to come back later.
fn answered(answer: reqwest::Result<Answer>) -> Option<Answer> {
    answer.ok().filter(|answer| answer.status != 503)
}

/// Asks until there is an answer: a node notices a little later that its store is back.
async fn once_answered(visitor: &mut Visitor, url: &str) -> Answer {
    let asking = async {
        loop {
            let cookies = visitor.cookies.clone();
            if let Some(answer) = answered(visitor.try_get(url).await) {
                break answer;
            }
            visitor.cookies = cookies;
        }
    };
    timeout(PATIENCE, asking).await.expect("all is well again")
}

fn login(base: &str) -> String {
    format!("{base}/login?service={SERVICE}")
}

/// Whether a ticket is accepted; none where nobody says.
async fn accepts(visitor: &mut Visitor, base: &str, ticket: &str) -> Option<bool> {
    let url = format!("{base}/p3/serviceValidate?service={SERVICE}&ticket={ticket}");
    let body = answered(visitor.try_get(&url).await)?.body;
    if body.contains("INTERNAL_ERROR") {
        return None;
    }
    Some(body.contains("<cas:user>alice</cas:user>"))
}
