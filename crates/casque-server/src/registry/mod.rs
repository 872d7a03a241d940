//! Which services people may sign in to, and what each is told.

mod access;
mod apereo;
mod folder;
mod keys;
mod service;

pub use access::AccessRule;
pub use apereo::{ApereoFile, apereo_service_id, read_apereo_files};
pub(crate) use keys::{KEYS, REFERENCE_INTRODUCTION};
pub use service::{LogoutType, ProxyPolicy, Release, ReleaseRule, ResponseType, Service, UserName};

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use casque_proto::RegistryUrl;
use casque_store::{Clock, SystemClock};

use crate::{
    config::ConfigErrors,
    fields::{FieldReader, FieldWriter},
    secret::random_bytes,
    seen::{self, SeenFolder},
};

/// The registered services; a service that is not in it is refused (S-032).
///
/// ```
/// use casque_proto::{RegistryUrl, ServiceRule};
/// use casque_server::{Service, Services};
///
/// let rule = ServiceRule::origin("https://app.example.org")?;
/// let services = Services::new([Service::new("app", rule)]);
/// let url = RegistryUrl::parse("https://app.example.org/start?x=1")?;
/// assert_eq!(services.find(&url).map(|service| service.id.as_str()), Some("app"));
/// assert!(Services::default().find(&url).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Services {
    /// In the order in which they are asked.
    all: Vec<Service>,
    by_id: HashMap<String, usize>,
    /// Those of one host, by that host, so that thousands of services cost a login nothing.
    by_host: HashMap<String, Vec<usize>>,
    /// Those of a wildcard or regex.
    of_any_host: Vec<usize>,
    /// Tells this registry from those of other processes that share a store.
    number: u64,
    /// What there is to know about files that were read all the same.
    notes: Vec<Note>,
    /// Says which services have expired.
    clock: Arc<dyn Clock>,
    /// Where they were read from, so that they can be read again.
    origin: Origin,
}

/// What a registry was read from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    /// The files, as they were.
    pub(crate) seen: SeenFolder,
    /// What was left aside of Apereo's definitions.
    pub(crate) ignored: Vec<String>,
}

/// Something to know about the files of a registry.
#[derive(Debug, Clone)]
struct Note {
    is_warning: bool,
    words: String,
}

/// Where one registry has one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    registry: u64,
    at: usize,
}

impl Place {
    pub(crate) fn write(self, fields: &mut FieldWriter) {
        fields.number(self.registry);
        fields.number(self.at as u64);
    }

    pub(crate) fn read(fields: &mut FieldReader<'_>) -> Option<Self> {
        Some(Self {
            registry: fields.number()?,
            at: usize::try_from(fields.number()?).ok()?,
        })
    }
}

impl Services {
    /// A registry of these services, the earlier one winning where two have one `order` and equally narrow rules. Of two services with
    /// one id the first is kept; [`Services::load`] reports that instead.
    pub fn new(services: impl IntoIterator<Item = Service>) -> Self {
        let mut kept: Vec<Service> = Vec::new();
        for service in services {
            if kept.iter().all(|other| other.id != service.id) {
                kept.push(service);
            }
        }
        kept.sort_by_key(|service| (service.order, std::cmp::Reverse(service.narrowness)));
        let mut registry = Self {
            all: Vec::new(),
            by_id: HashMap::new(),
            by_host: HashMap::new(),
            of_any_host: Vec::new(),
            number: u64::from_ne_bytes(random_bytes()),
            notes: Vec::new(),
            clock: Arc::new(SystemClock::new()),
            origin: Origin::default(),
        };
        for (place, service) in kept.iter().enumerate() {
            registry.by_id.insert(service.id.clone(), place);
            match &service.host {
                Some(host) => registry
                    .by_host
                    .entry(host.clone())
                    .or_default()
                    .push(place),
                None => registry.of_any_host.push(place),
            }
        }
        registry.all = kept;
        registry
    }

    /// Reads every `.toml` file of a folder, and every `.json` file in it and in folders below it, one service each: the
    /// latter are service definitions of Apereo (R-274). Other files, and those whose name begins with a dot, are left
    /// alone. An empty folder is a registry that refuses everyone.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong in all files.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        Self::load_ignoring(folder, &[])
    }

    /// The same, leaving aside what Apereo's definitions restrict by members of these names, out of
    /// [`IGNORABLE`](casque_proto::apereo::IGNORABLE) (R-297).
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong in all files.
    pub fn load_ignoring(folder: impl AsRef<Path>, ignored: &[&str]) -> Result<Self, ConfigErrors> {
        let folder = folder.as_ref();
        // Seen first, read second: a change in between is found at the next look.
        let seen = seen::folder(folder);
        let (services, notes) = folder::read(folder, ignored)?;
        let mut registry = Self::new(services);
        registry.notes = notes;
        registry.origin = Origin {
            seen,
            ignored: ignored.iter().map(|&name| name.to_owned()).collect(),
        };
        Ok(registry)
    }

    /// What they were read from.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The same, judging by this clock which services have expired.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The service that lets this address in: the first one that matches, the lowest `order` first, among those the
    /// narrowest rule (an exact URL, then an origin with the longest path prefix, then an origin, then a wildcard, then a
    /// regex). None where that one is disabled or has expired (R-283).
    pub fn find(&self, url: &RegistryUrl) -> Option<&Service> {
        let of_host = self.by_host.get(url.host()).map_or(&[][..], Vec::as_slice);
        let first = |places: &[usize]| {
            let matches = |place: &&usize| self.all[**place].rule.matches(url);
            places.iter().find(matches).copied()
        };
        let places = [first(of_host), first(&self.of_any_host)];
        let place = places.into_iter().flatten().min()?;
        Some(&self.all[place]).filter(|service| self.is_open(service))
    }

    /// Whether it is enabled and has not expired.
    fn is_open(&self, service: &Service) -> bool {
        let lasts = |end| self.clock.now() < end;
        service.enabled && service.expires.is_none_or(lasts)
    }

    /// The service of that id, enabled or not.
    pub fn by_id(&self, id: &str) -> Option<&Service> {
        self.by_id.get(id).map(|place| &self.all[*place])
    }

    /// Where this registry has the service of that id.
    pub(crate) fn place(&self, id: &str) -> Option<Place> {
        let registry = self.number;
        self.by_id.get(id).map(|&at| Place { registry, at })
    }

    /// The service of a place, if it is neither disabled nor expired; none where the place is in another registry.
    pub(crate) fn at(&self, place: Place) -> Option<&Service> {
        self.all
            .get(place.at)
            .filter(|service| place.registry == self.number && self.is_open(service))
    }

    /// All services, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = &Service> {
        self.all.iter()
    }

    /// How many services there are, the disabled ones included.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether every service is refused.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// What was left aside or taken for less than it says in Apereo's definitions, and which files hold no CAS service.
    pub fn notices(&self) -> Vec<String> {
        self.notes(false)
    }

    fn notes(&self, warnings: bool) -> Vec<String> {
        let chosen = self.notes.iter().filter(|note| note.is_warning == warnings);
        chosen.map(|note| note.words.clone()).collect()
    }

    /// Advice on definitions that are allowed and yet rarely meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = self.notes(true);
        if !self.all.iter().any(|service| service.enabled) {
            warnings.push(
                "no service is registered: people can sign in here and go nowhere; add a file such as app.toml with \
                 id and origin to the folder of services"
                    .to_owned(),
            );
        }
        for service in &self.all {
            if service.plain_http {
                warnings.push(format!(
                    "service `{}` allows plain http: its tickets can be read on the way",
                    service.id
                ));
            }
            if service.proxy.loopback {
                warnings.push(format!(
                    "service `{}` may have proxy-granting tickets sent to any address of this machine: \
                     `proxy.loopback` is for development",
                    service.id
                ));
            }
            if service.attributes.is_open() {
                warnings.push(format!(
                    "service `{}` is told every attribute of everybody, also those added later",
                    service.id
                ));
            }
        }
        warnings
    }
}

impl Default for Services {
    fn default() -> Self {
        Self::new([])
    }
}

#[cfg(test)]
mod tests;
