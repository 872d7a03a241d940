//! The callbacks of proxying, bounded so that slow ones cost nobody else anything (S-053).

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use casque_proto::{PgtUrl, ProxyGrantingTicket, ProxyGrantingTicketIou};
use casque_store::Clock;
use rustls::ClientConfig;
use tokio::{sync::Semaphore, time::timeout};
use tokio_rustls::TlsConnector;

use crate::{
    outbound::{Call, CallbackError, Network, call},
    registry::{Service, Services},
};

/// From the wish to call until the status line.
const BUDGET: Duration = Duration::from_secs(5);

/// Calls under way at the same time, of all services and of one.
const PARALLEL: usize = 64;
const PER_SERVICE: usize = 16;

/// How many more may wait for their turn with one service.
const WAITING: usize = 64;

/// After so many calls in a row that took too long, a service is not called for a while.
const PATIENCE: u32 = 5;
const PAUSE: Duration = Duration::from_secs(10);

/// Calls the callbacks of services that may act as proxies.
pub(crate) struct Callbacks {
    network: Arc<dyn Network>,
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
    parallel: Arc<Semaphore>,
    lanes: HashMap<String, Arc<Lane>>,
}

/// The calls to one service.
struct Lane {
    admitted: Semaphore,
    parallel: Semaphore,
    breaker: Mutex<Breaker>,
}

/// Whether a service has been too slow.
#[derive(Debug, Default)]
struct Breaker {
    too_slow: u32,
    until: Option<SystemTime>,
}

impl Callbacks {
    pub(crate) fn new(
        services: &Services,
        network: Arc<dyn Network>,
        tls: ClientConfig,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            network,
            tls: TlsConnector::from(Arc::new(tls)),
            clock,
            parallel: Arc::new(Semaphore::new(PARALLEL)),
            lanes: HashMap::new(),
        }
        .for_services(services)
    }

    /// The same for another registry; a service that was there keeps its lane.
    pub(crate) fn for_services(&self, services: &Services) -> Self {
        let proxies = services
            .iter()
            .filter(|service| service.proxy.allows_proxying());
        let lane = |id: &str| {
            let known = self.lanes.get(id).cloned();
            known.unwrap_or_else(|| Arc::new(Lane::new()))
        };
        Self {
            network: self.network.clone(),
            tls: self.tls.clone(),
            clock: self.clock.clone(),
            parallel: self.parallel.clone(),
            lanes: proxies
                .map(|service| (service.id.clone(), lane(&service.id)))
                .collect(),
        }
    }

    /// Takes tickets to a callback of the service; anything but a prompt 200 is a failure.
    pub(crate) async fn deliver(
        &self,
        service: &Service,
        url: &PgtUrl,
        iou: &ProxyGrantingTicketIou,
        pgt: &ProxyGrantingTicket,
    ) -> Result<(), CallbackError> {
        let lane = self.lanes.get(&service.id).ok_or(CallbackError::Busy)?;
        let admitted = lane.admitted.try_acquire();
        let _admitted = admitted.map_err(|_| CallbackError::Busy)?;
        if lane.breaker().is_open(self.clock.now()) {
            return Err(CallbackError::Busy);
        }
        let mut began = false;
        let attempt = async {
            // The semaphores are never closed.
            let _turn = lane.parallel.acquire().await;
            let place = self.parallel.clone().acquire_owned().await;
            let place = place.map_err(|_| CallbackError::Busy)?;
            began = true;
            let what = Call {
                network: self.network.clone(),
                tls: &self.tls,
                url,
                private: service.proxy.private,
                loopback: service.proxy.loopback,
                iou,
                pgt,
            };
            call(what, Arc::new(place)).await
        };
        let result = timeout(BUDGET, attempt).await;
        let result = result.unwrap_or(Err(CallbackError::Timeout));
        // Whoever only waited says nothing about the service.
        if began {
            let too_slow = matches!(result, Err(CallbackError::Timeout));
            lane.breaker().note(too_slow, self.clock.now());
        }
        result
    }
}

impl fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Callbacks")
            .field("network", &self.network)
            .field("services", &self.lanes.len())
            .finish_non_exhaustive()
    }
}

impl Lane {
    fn new() -> Self {
        Self {
            admitted: Semaphore::new(PER_SERVICE + WAITING),
            parallel: Semaphore::new(PER_SERVICE),
            breaker: Mutex::default(),
        }
    }

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        // Nothing panics while it is held.
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaker {
    /// Whether nobody is to call now. After the pause everybody may try again, and the first who waits in vain opens it
    /// once more.
    fn is_open(&self, now: SystemTime) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    fn note(&mut self, too_slow: bool, now: SystemTime) {
        if !too_slow {
            *self = Self::default();
            return;
        }
        self.too_slow = self.too_slow.saturating_add(1);
        if self.too_slow >= PATIENCE {
            self.until = Some(now + PAUSE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_is_slow_again_and_again_is_left_alone_for_a_while() {
        // S-053
        let start = SystemTime::UNIX_EPOCH;
        let mut breaker = Breaker::default();
        for _ in 0..PATIENCE - 1 {
            breaker.note(true, start);
        }
        assert!(!breaker.is_open(start));
        breaker.note(false, start);
        for _ in 0..PATIENCE - 1 {
            breaker.note(true, start);
        }
        assert!(!breaker.is_open(start), "an answer in between counts");
        breaker.note(true, start);
        assert!(breaker.is_open(start));
        assert!(breaker.is_open(start + PAUSE - Duration::from_millis(1)));
        let later = start + PAUSE;
        assert!(!breaker.is_open(later));
        breaker.note(true, later);
        assert!(breaker.is_open(later), "once more is enough");
        breaker.note(false, later);
        assert!(!breaker.is_open(later));
    }
}
