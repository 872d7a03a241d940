//! Files that are read anew while the server runs. What is wrong never takes the place of what was good.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::Notify;

use crate::{
    journal::{Event, Source},
    people::PeopleFile,
    registry::{Origin, Services},
    seen,
    server::Server,
    tls::Tls,
};

/// How often the files are looked at.
const EVERY: Duration = Duration::from_secs(5);

/// Looks at the files of a running server, at intervals and when it is told to.
///
/// ```no_run
/// use std::sync::Arc;
/// use casque_server::{PeopleFile, Reloader, Server, Services};
///
/// # async fn run(server: Server, people: Arc<PeopleFile>, services: &Services) {
/// let told = Arc::new(tokio::sync::Notify::new());
/// let reloader = Reloader::new(server).people(people).services("services/".into(), services);
/// tokio::spawn(reloader.run(told.clone()));
/// told.notify_one(); // for example at SIGHUP: all files are read anew, and the audit log is opened anew
/// # }
/// ```
#[derive(Debug)]
pub struct Reloader {
    server: Server,
    people: Option<Arc<PeopleFile>>,
    /// How often they had been read at the last look.
    readings: u64,
    services: Option<(PathBuf, Origin)>,
    tls: Option<Tls>,
}

impl Reloader {
    /// Looks at no file yet.
    pub fn new(server: Server) -> Self {
        Self {
            server,
            people: None,
            readings: 0,
            services: None,
            tls: None,
        }
    }

    /// Tells of changes in the file of people, which are in force as soon as somebody logs in.
    #[must_use]
    pub fn people(mut self, people: Arc<PeopleFile>) -> Self {
        self.people = Some(people);
        self
    }

    /// Takes up changes in a folder of services, which were loaded from it.
    #[must_use]
    pub fn services(mut self, folder: PathBuf, services: &Services) -> Self {
        self.services = Some((folder, services.origin().clone()));
        self
    }

    /// Takes up another certificate and key.
    #[must_use]
    pub fn certificate(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Goes on until it is dropped. At each notification everything is read, changed or not, and the audit log is
    /// opened anew.
    pub async fn run(mut self, told: Arc<Notify>) {
        let mut ticks = tokio::time::interval(EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let in_any_case = tokio::select! {
                _ = ticks.tick() => false,
                () = told.notified() => true,
            };
            if in_any_case && let Some(audit) = self.server.state().journal.audit() {
                // What is wrong has been logged, and is in the metrics.
                let _ = audit.reopen().await;
            }
            let looking = tokio::task::spawn_blocking(move || {
                self.look(in_any_case);
                self
            });
            match looking.await {
                Ok(looked) => self = looked,
                Err(error) => return tracing::error!(%error, "files are not read anew any more"),
            }
        }
    }

    /// Looks once; blocks on the files.
    pub fn look(&mut self, in_any_case: bool) {
        if let Some(people) = &self.people {
            let (readings, fault) = people.refresh(in_any_case);
            if readings != self.readings {
                self.readings = readings;
                // The log has it already.
                self.tell(Source::People, fault.as_deref());
            }
        }
        if let Some((folder, origin)) = &mut self.services {
            let now = seen::folder(folder);
            if in_any_case || now != origin.seen {
                origin.seen = now;
                let ignored: Vec<&str> = origin.ignored.iter().map(String::as_str).collect();
                let read = Services::load_ignoring(&*folder, &ignored);
                let read = read.map_err(|faults| faults.to_string());
                match &read {
                    Ok(services) => {
                        tracing::info!(services = services.len(), "the services were read anew");
                    }
                    Err(faults) => tracing::error!(
                        %faults,
                        "the folder of services has become wrong; its last good state stays in force"
                    ),
                }
                self.tell(Source::Services, read.as_ref().err().map(String::as_str));
                if let Ok(services) = read {
                    self.server.replace_services(Arc::new(services));
                }
            }
        }
        if let Some(read) = self.tls.as_ref().and_then(|tls| tls.refresh(in_any_case)) {
            let fault = read
                .err()
                .map(|error| match std::error::Error::source(&error) {
                    Some(cause) => format!("{error}: {cause}"),
                    None => error.to_string(),
                });
            match &fault {
                None => tracing::info!("the certificate was read anew"),
                Some(fault) => tracing::error!(
                    fault,
                    "certificate or key have become wrong; the last good pair stays in force"
                ),
            }
            self.tell(Source::Certificate, fault.as_deref());
        }
    }

    fn tell(&self, what: Source, problem: Option<&str>) {
        let state = self.server.state();
        state.journal.tell(&Event::Reload { what, problem });
    }
}
