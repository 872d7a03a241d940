//! Which services people may sign in to, and what each is told.

mod access;
mod folder;
mod service;

pub use access::AccessRule;
pub(crate) use folder::{KEYS, REFERENCE_INTRODUCTION};
pub use service::{LogoutType, ProxyPolicy, Release, ResponseType, Service};

use std::collections::HashMap;
use std::path::Path;

use casque_proto::RegistryUrl;
use serde::{Deserialize, Serialize};

use crate::{config::ConfigErrors, secret::random_bytes};

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
#[derive(Debug, Clone, Default)]
pub struct Services {
    /// The narrowest rule first.
    all: Vec<Service>,
    by_id: HashMap<String, usize>,
    /// Those of one host, by that host, so that thousands of services cost a login nothing.
    by_host: HashMap<String, Vec<usize>>,
    /// Those of a wildcard or regex.
    of_any_host: Vec<usize>,
    /// Tells this registry from those of other processes that share a store.
    number: u64,
}

/// Where one registry has one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    registry: u64,
    at: usize,
}

impl Services {
    /// A registry of these services, the earlier one winning where two rules are equally narrow. Of two services with
    /// one id the first is kept; [`Services::load`] reports that instead.
    pub fn new(services: impl IntoIterator<Item = Service>) -> Self {
        let mut kept: Vec<Service> = Vec::new();
        for service in services {
            if kept.iter().all(|other| other.id != service.id) {
                kept.push(service);
            }
        }
        kept.sort_by_key(|service| std::cmp::Reverse(service.narrowness));
        let mut registry = Self {
            number: u64::from_ne_bytes(random_bytes()),
            ..Self::default()
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

    /// Reads every `.toml` file of a folder, one service each. Other files, and those whose name begins with a dot,
    /// are left alone. An empty folder is a registry that refuses everyone.
    ///
    /// # Errors
    /// [`ConfigErrors`] with everything that is wrong in all files.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, ConfigErrors> {
        folder::read(folder.as_ref()).map(Self::new)
    }

    /// The service that lets this address in: the first enabled one that matches, the narrowest rule first (an exact
    /// URL, then an origin with the longest path prefix, then an origin, then a wildcard, then a regex).
    pub fn find(&self, url: &RegistryUrl) -> Option<&Service> {
        let of_host = self.by_host.get(url.host()).map_or(&[][..], Vec::as_slice);
        let first = |places: &[usize]| {
            let lets_in = |place: &&usize| {
                let service = &self.all[**place];
                service.enabled && service.rule.matches(url)
            };
            places.iter().find(lets_in).copied()
        };
        let places = [first(of_host), first(&self.of_any_host)];
        places
            .into_iter()
            .flatten()
            .min()
            .map(|place| &self.all[place])
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

    /// The enabled service of a place; none where the place is in another registry.
    pub(crate) fn at(&self, place: Place) -> Option<&Service> {
        self.all
            .get(place.at)
            .filter(|service| place.registry == self.number && service.enabled)
    }

    /// All services, the narrowest rule first.
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

    /// Advice on definitions that are allowed and yet rarely meant.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
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
            if service.attributes == Release::All {
                warnings.push(format!(
                    "service `{}` is told every attribute of everybody, also those added later",
                    service.id
                ));
            }
        }
        warnings
    }
}

#[cfg(test)]
mod tests;
