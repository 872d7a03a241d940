//! Runs the cases, one after the other.

use std::fmt;

use casque_visitor::shown;

use crate::bench::{Bench, Settings};
use crate::case::Case;
use crate::report::{Finding, Report};
use crate::verdict::{Outcome, Stop};

/// The kit, with its listeners open, before it has asked anything.
pub struct Kit {
    bench: Bench,
}

/// Why nothing can be graded: the kit is misused, or nobody answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CannotStart(String);

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CannotStart {}

impl Kit {
    /// Opens the listeners.
    ///
    /// # Errors
    ///
    /// Where an address cannot be used or a file cannot be read.
    pub async fn start(settings: Settings) -> Result<Self, CannotStart> {
        let bench = Bench::start(settings).await.map_err(CannotStart)?;
        Ok(Self { bench })
    }

    /// The certificate that a server must trust to call back for proxy-granting tickets, as PEM.
    pub fn callback_root_pem(&self) -> &str {
        &self.bench.root_pem
    }

    /// The beginning of the service URLs that the server must know.
    pub fn service_base(&self) -> &str {
        &self.bench.service_base
    }

    /// The beginning of the callback URLs that the server must allow.
    pub fn callback_base(&self) -> &str {
        &self.bench.callback_base
    }

    /// Runs cases. `progress` hears of each when it has ended.
    ///
    /// # Errors
    ///
    /// Where no server answers at `/login`, or it does not take the password.
    pub async fn run(
        mut self,
        cases: impl IntoIterator<Item = &'static Case>,
        mut progress: impl FnMut(&Finding),
    ) -> Result<Report, CannotStart> {
        self.check().await?;
        let mut findings = Vec::new();
        for case in cases {
            self.bench.trace.take();
            let ended = (case.run)(&mut self.bench).await;
            let (outcome, detail) = match &ended {
                Ok(()) => (Outcome::Pass, String::new()),
                Err(stop) => (stop.outcome(case.level), shown(stop.words(), DETAIL_BYTES)),
            };
            let finding = Finding {
                case,
                outcome,
                detail,
                exchanges: self.bench.trace.take(),
            };
            progress(&finding);
            findings.push(finding);
        }
        Ok(Report {
            server: self.bench.base.clone(),
            findings,
        })
    }

    /// Somebody answers, and takes the password: else every case would only repeat the same.
    async fn check(&mut self) -> Result<(), CannotStart> {
        let service = self.bench.service("session");
        let page = self.bench.visitor().login(&[]).await;
        if let Err(none) = page {
            return Err(CannotStart(format!("{}/login: {none}", self.bench.base)));
        }
        let name = self.bench.settings.username.clone();
        match self
            .bench
            .try_sign_in(&[("service", &service)], |_| {})
            .await
        {
            Ok((_, reached)) if reached.form().is_some() => Err(CannotStart(format!(
                "{}: the password of {name} is not taken: after it came {}",
                self.bench.base,
                reached.words()
            ))),
            Ok((_, reached)) if reached.delivered(&service).is_none() => Err(CannotStart(format!(
                "{}: {name} gets no ticket for {service}, but {}. Is a service that begins with {} registered? See --service-url-base",
                self.bench.base,
                reached.words(),
                self.bench.service_base
            ))),
            Ok(_) => Ok(()),
            Err(Stop::Skipped(words) | Stop::NotSupported(words) | Stop::Broken(_, words)) => Err(
                CannotStart(format!("{}: cannot log in: {words}", self.bench.base)),
            ),
        }
    }
}

impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kit")
            .field("server", &self.bench.base)
            .finish_non_exhaustive()
    }
}

const DETAIL_BYTES: usize = 400;
