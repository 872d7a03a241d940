//! Counts, and how they are told to Prometheus. Labels have few values, all of them words of this program: no user
//! name, address, ticket or service URL is ever one.

use std::{
    fmt,
    marker::PhantomData,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use super::{
    Audit,
    event::{Ended, Event, Granted, LoginOutcome, Message, Source},
    page::Page,
};
use crate::validate::Code;

/// The values of a label.
pub(crate) trait Label: Copy {
    const TEXTS: &'static [&'static str];

    fn index(self) -> usize;

    fn text(self) -> &'static str {
        Self::TEXTS.get(self.index()).copied().unwrap_or_default()
    }
}

macro_rules! label {
    ($(#[$meta:meta])* $visibility:vis $name:ident { $($variant:ident => $text:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $visibility enum $name { $($variant),+ }

        impl $crate::journal::Label for $name {
            const TEXTS: &'static [&'static str] = &[$($text),+];

            fn index(self) -> usize {
                self as usize
            }
        }
    };
}
pub(crate) use label;

label! {
    /// What a request is for.
    pub(crate) Endpoint {
        Login => "login",
        Continue => "login/continue",
        Consents => "consents",
        Logout => "logout",
        Validate => "validate",
        ServiceValidate => "serviceValidate",
        ProxyValidate => "proxyValidate",
        P3ServiceValidate => "p3/serviceValidate",
        P3ProxyValidate => "p3/proxyValidate",
        SamlValidate => "samlValidate",
        Proxy => "proxy",
        Rest => "rest",
        Assets => "assets",
        Other => "other",
    }
}

label! {
    /// The first digit of a status.
    Status {
        Informed => "1xx",
        Done => "2xx",
        Redirected => "3xx",
        Refused => "4xx",
        Failed => "5xx",
    }
}

label! {
    Taken {
        Yes => "taken",
        No => "refused",
    }
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A counter for each value of a label.
struct Counters<L> {
    counts: Box<[Counter]>,
    of: PhantomData<L>,
}

impl<L: Label> Counters<L> {
    fn new() -> Self {
        Self {
            counts: L::TEXTS.iter().map(|_| Counter::default()).collect(),
            of: PhantomData,
        }
    }

    fn one(&self, label: L) {
        if let Some(counter) = self.counts.get(label.index()) {
            counter.one();
        }
    }

    fn each(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counts.iter().map(Counter::get);
        L::TEXTS.iter().copied().zip(counts)
    }
}

/// The upper bounds of the durations that are counted together, as Prometheus writes them and in microseconds.
const BUCKETS: [(&str, u64); 12] = [
    ("0.0005", 500),
    ("0.001", 1_000),
    ("0.0025", 2_500),
    ("0.005", 5_000),
    ("0.01", 10_000),
    ("0.025", 25_000),
    ("0.1", 100_000),
    ("0.25", 250_000),
    ("0.5", 500_000),
    ("1", 1_000_000),
    ("2.5", 2_500_000),
    ("10", 10_000_000),
];

/// How long requests for one endpoint took.
#[derive(Default)]
struct Durations {
    /// The last one is for those above every bound.
    counts: [Counter; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Durations {
    fn note(&self, taken: Duration) {
        let micros = u64::try_from(taken.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS.iter().position(|(_, bound)| micros <= *bound);
        self.counts[bucket.unwrap_or(BUCKETS.len())].one();
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// Everything that is counted.
pub(crate) struct Metrics {
    started: SystemTime,
    requests: Box<[Counters<Status>]>,
    durations: Box<[Durations]>,
    logins: Counters<LoginOutcome>,
    granted: Counters<Granted>,
    validated: Counter,
    not_validated: Counters<Code>,
    proxy_refusals: Counter,
    sessions_ended: Counters<Ended>,
    logout_messages: Counters<Message>,
    services_refused: Counter,
    reloads: Box<[Counters<Taken>]>,
    /// One bit for each source whose last reading was refused.
    stale: AtomicU64,
    pub(crate) store_failures: Counter,
    pub(crate) connections: Counter,
    pub(crate) connections_ended: Counter,
}

/// What is looked up when the metrics are asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Facts<'a> {
    pub(crate) draining: bool,
    /// How the last round trip through the store went.
    pub(crate) round_trip: Option<(bool, Duration)>,
    pub(crate) services: usize,
    pub(crate) password_hashes: u64,
    pub(crate) audit: Option<&'a Audit>,
}

impl Metrics {
    pub(super) fn new(started: SystemTime) -> Self {
        let endpoints = || Endpoint::TEXTS.iter();
        Self {
            started,
            requests: endpoints().map(|_| Counters::new()).collect(),
            durations: endpoints().map(|_| Durations::default()).collect(),
            logins: Counters::new(),
            granted: Counters::new(),
            validated: Counter::default(),
            not_validated: Counters::new(),
            proxy_refusals: Counter::default(),
            sessions_ended: Counters::new(),
            logout_messages: Counters::new(),
            services_refused: Counter::default(),
            reloads: Source::TEXTS.iter().map(|_| Counters::new()).collect(),
            stale: AtomicU64::new(0),
            store_failures: Counter::default(),
            connections: Counter::default(),
            connections_ended: Counter::default(),
        }
    }

    /// Counts a request that was answered.
    pub(crate) fn request(&self, endpoint: Endpoint, status: http::StatusCode, taken: Duration) {
        let status = match status.as_u16() {
            100..200 => Status::Informed,
            200..300 => Status::Done,
            300..400 => Status::Redirected,
            400..500 => Status::Refused,
            _ => Status::Failed,
        };
        self.requests[endpoint.index()].one(status);
        self.durations[endpoint.index()].note(taken);
    }

    pub(super) fn count(&self, event: &Event<'_>) {
        match *event {
            Event::Login { outcome, .. } => self.logins.one(outcome),
            Event::TicketGranted { kind, .. } => self.granted.one(kind),
            Event::TicketValidated { outcome, .. } => match outcome {
                Ok(_) => self.validated.one(),
                Err(code) => self.not_validated.one(code),
            },
            Event::ProxyRefused { .. } => self.proxy_refusals.one(),
            Event::SessionEnded { why, .. } => self.sessions_ended.one(why),
            Event::LogoutMessage { outcome, .. } => self.logout_messages.one(outcome),
            Event::ServiceRefused { .. } => self.services_refused.one(),
            Event::Reload { what, problem } => {
                let bit = 1 << what.index();
                let (taken, _) = if problem.is_none() {
                    (Taken::Yes, self.stale.fetch_and(!bit, Ordering::Relaxed))
                } else {
                    (Taken::No, self.stale.fetch_or(bit, Ordering::Relaxed))
                };
                self.reloads[what.index()].one(taken);
            }
        }
    }

    /// All of it, in the text format of Prometheus.
    pub(crate) fn render(&self, facts: Facts<'_>) -> String {
        let mut page = Page::default();
        page.gauge("casque_build_info", "Always 1; the version is the label.");
        page.labelled(
            "casque_build_info",
            &[("version", env!("CARGO_PKG_VERSION"))],
            1,
        );
        self.render_requests(&mut page);
        self.render_events(&mut page);
        self.render_server(&mut page, facts);
        render_process(&mut page, self.started);
        page.into_text()
    }

    fn render_requests(&self, page: &mut Page) {
        let name = "casque_requests_total";
        page.counter(
            name,
            "Requests that were answered, by endpoint and class of status.",
        );
        for (endpoint, counts) in Endpoint::TEXTS.iter().zip(&self.requests) {
            for (status, count) in counts.each().skip(Status::Done.index()) {
                page.labelled(name, &[("endpoint", endpoint), ("status", status)], count);
            }
        }
        let name = "casque_request_duration_seconds";
        page.begin(
            name,
            "histogram",
            "From the head of a request to its answer.",
        );
        for (endpoint, durations) in Endpoint::TEXTS.iter().zip(&self.durations) {
            let mut below = 0;
            let bounds = BUCKETS.iter().map(|(bound, _)| *bound).chain(["+Inf"]);
            for (bound, count) in bounds.zip(&durations.counts) {
                below += count.get();
                let bucket = "casque_request_duration_seconds_bucket";
                page.labelled(bucket, &[("endpoint", endpoint), ("le", bound)], below);
            }
            let sum = Duration::from_micros(durations.micros.load(Ordering::Relaxed));
            let labels = [("endpoint", *endpoint)];
            page.labelled(
                "casque_request_duration_seconds_sum",
                &labels,
                sum.as_secs_f64(),
            );
            page.labelled("casque_request_duration_seconds_count", &labels, below);
        }
    }

    fn render_events(&self, page: &mut Page) {
        page.family(
            "casque_logins_total",
            "Checks of name and password, by form and by REST.",
            "outcome",
            self.logins.each(),
        );
        page.family(
            "casque_tickets_granted_total",
            "Tickets that were granted.",
            "kind",
            self.granted.each(),
        );
        page.family(
            "casque_validations_total",
            "Tickets that were validated, or refused with this code.",
            "outcome",
            [("success", self.validated.get())]
                .into_iter()
                .chain(self.not_validated.each()),
        );
        page.number(
            "casque_proxy_refusals_total",
            "counter",
            "Requests for proxy tickets that were refused.",
            self.proxy_refusals.get(),
        );
        page.family(
            "casque_sessions_ended_total",
            "Single sign-on sessions that ended before their time.",
            "reason",
            self.sessions_ended.each(),
        );
        page.family(
            "casque_logout_messages_total",
            "Messages of single logout.",
            "outcome",
            self.logout_messages.each(),
        );
        page.number(
            "casque_services_refused_total",
            "counter",
            "Logins for a service that is not registered.",
            self.services_refused.get(),
        );
        let name = "casque_reloads_total";
        page.counter(name, "Files that were read anew while the server ran.");
        for (what, counts) in Source::TEXTS.iter().zip(&self.reloads) {
            for (outcome, count) in counts.each() {
                page.labelled(name, &[("what", what), ("outcome", outcome)], count);
            }
        }
        let name = "casque_reload_failing";
        page.gauge(
            name,
            "1 while a file is wrong and what was read before is in force.",
        );
        let stale = self.stale.load(Ordering::Relaxed);
        for (bit, what) in Source::TEXTS.iter().enumerate() {
            page.labelled(name, &[("what", what)], stale >> bit & 1);
        }
    }

    fn render_server(&self, page: &mut Page, facts: Facts<'_>) {
        let (opened, ended) = (self.connections.get(), self.connections_ended.get());
        let mut counter = |name, help, value| page.number(name, "counter", help, value);
        counter(
            "casque_connections_total",
            "Connections that were accepted.",
            opened,
        );
        counter(
            "casque_store_failures_total",
            "Requests that the store did not answer.",
            self.store_failures.get(),
        );
        counter(
            "casque_password_hashes_total",
            "Passwords that were hashed to check them.",
            facts.password_hashes,
        );
        let audit = facts.audit.map(Audit::counts);
        let of_audit = |count: fn(&super::audit::Counts) -> u64| audit.map_or(0, count);
        counter(
            "casque_audit_lines_total",
            "Lines written to the audit log.",
            of_audit(|counts| counts.written.load(Ordering::Relaxed)),
        );
        counter(
            "casque_audit_lost_total",
            "Lines that are missing in the audit log: it was too slow or could not be written.",
            of_audit(|counts| counts.lost.load(Ordering::Relaxed)),
        );
        let mut gauge = |name, help, value| page.number(name, "gauge", help, value);
        gauge(
            "casque_audit_failing",
            "1 while the audit log cannot be written or opened anew.",
            of_audit(|counts| counts.failing.load(Ordering::Relaxed).into()),
        );
        gauge(
            "casque_connections_open",
            "Connections that are open.",
            opened.saturating_sub(ended),
        );
        gauge(
            "casque_services",
            "Services in the registry.",
            facts.services as u64,
        );
        gauge(
            "casque_draining",
            "1 once the server has been told to end.",
            facts.draining.into(),
        );
        if let Some((answered, taken)) = facts.round_trip {
            gauge(
                "casque_store_up",
                "1 if the last round trip of a ticket through the store succeeded.",
                answered.into(),
            );
            page.number(
                "casque_store_round_trip_seconds",
                "gauge",
                "How long that round trip took.",
                taken.as_secs_f64(),
            );
        }
    }
}

/// What every process tells, by the names that Prometheus' own libraries use.
fn render_process(page: &mut Page, started: SystemTime) {
    let started = started.duration_since(UNIX_EPOCH).unwrap_or_default();
    page.number(
        "process_start_time_seconds",
        "gauge",
        "When the server started, in seconds since 1970.",
        started.as_secs_f64(),
    );
    if let Some(bytes) = resident_bytes() {
        page.number(
            "process_resident_memory_bytes",
            "gauge",
            "Memory that the process has in RAM.",
            bytes,
        );
    }
    if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
        page.number(
            "process_open_fds",
            "gauge",
            "Files and sockets that are open.",
            files.count() as u64,
        );
    }
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_up_to_each_bound() {
        let metrics = Metrics::new(UNIX_EPOCH);
        for micros in [500, 501, 20_000_000] {
            let taken = Duration::from_micros(micros);
            metrics.request(Endpoint::Login, http::StatusCode::OK, taken);
        }
        let page = metrics.render(Facts::default());
        for line in [
            "casque_requests_total{endpoint=\"login\",status=\"2xx\"} 3",
            "casque_request_duration_seconds_bucket{endpoint=\"login\",le=\"0.0005\"} 1",
            "casque_request_duration_seconds_bucket{endpoint=\"login\",le=\"0.001\"} 2",
            "casque_request_duration_seconds_bucket{endpoint=\"login\",le=\"10\"} 2",
            "casque_request_duration_seconds_bucket{endpoint=\"login\",le=\"+Inf\"} 3",
            "casque_request_duration_seconds_sum{endpoint=\"login\"} 20.001001",
            "casque_request_duration_seconds_count{endpoint=\"login\"} 3",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }

    #[test]
    fn a_fault_is_shown_until_the_file_is_good_again() {
        let metrics = Metrics::new(UNIX_EPOCH);
        let reload = |problem| {
            metrics.count(&Event::Reload {
                what: Source::Services,
                problem,
            });
            metrics.render(Facts::default())
        };
        let failing = "casque_reload_failing{what=\"services\"} 1";
        assert!(reload(Some("wrong")).contains(failing));
        assert!(reload(Some("still wrong")).contains(failing));
        let page = reload(None);
        assert!(!page.contains(failing));
        assert!(page.contains("casque_reloads_total{what=\"services\",outcome=\"refused\"} 2"));
        assert!(page.contains("casque_reloads_total{what=\"services\",outcome=\"taken\"} 1"));
    }
}
