//! A CAS server that misbehaves when it is told to.
//!
//! [`FakeCas`] is a real HTTP server on a free loopback port, plain or with TLS, that speaks the browser's part
//! (`/login`, `/logout`), the back channel (`/validate`, `/serviceValidate`, `/p3/serviceValidate`, `/samlValidate`) and proxying (`/proxy`,
//! `/proxyValidate`, `/p3/proxyValidate`; whoever names a `pgtUrl` may act as a proxy), and the REST protocol
//! (`/v1/tickets`, `/v1/users`). Its people and tickets live in memory, every request is recorded, and any page can be told to be slow, to break off, to lie about its
//! status, to send too much, or to say nothing at all.
//!
//! It runs on a thread of its own, so that it serves async and blocking tests alike, and it stops when it is dropped.
//!
//! ```
//! use casque_testkit::{FakeCas, Page, Fault};
//!
//! let cas = FakeCas::start();
//! let ticket = cas.grant("https://app.example.org/cas/callback", "alice");
//! assert!(ticket.secret().starts_with("ST-"));
//!
//! cas.fault(Page::P3ServiceValidate, Fault::Silent); // from now on it never answers there
//! # let _ = cas.base_url();
//! ```
//!
//! It is a double, not a CAS server: there is one signed-in person instead of a session for each browser, and no throttle.

mod callback;
mod certificates;
mod faults;
mod pages;
mod record;
mod rest;
mod serve;
mod state;

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use casque_proto::{ProxyGrantingTicket, ServiceTicket};
use tokio::sync::oneshot;

pub(crate) use self::certificates::Material;
pub use self::certificates::TlsMode;
pub use self::faults::{Fault, Gate};
pub use self::pages::Page;
pub use self::record::RecordedRequest;
pub use self::state::Person;
use self::state::State;

/// A CAS server for tests, with fault injection. See the [crate documentation](crate) for an example.
///
/// The people `alice` (password `wonderland`; mail `alice@example.org`; memberOf `staff`, `admin`) and `bob` (password
/// `builder`, no attributes) exist from the start.
#[derive(Debug)]
pub struct FakeCas {
    address: SocketAddr,
    material: Option<Material>,
    state: Arc<State>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl FakeCas {
    /// Starts a server over plain http.
    ///
    /// # Panics
    ///
    /// Where the machine has no loopback port or thread to give.
    pub fn start() -> Self {
        Self::launch(None)
    }

    /// Starts a server over https with a certificate of the given kind.
    ///
    /// # Panics
    ///
    /// Where the machine has no loopback port or thread to give.
    pub fn start_tls(mode: TlsMode) -> Self {
        Self::launch(Some(Material::new(mode)))
    }

    fn launch(material: Option<Material>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free loopback port");
        listener
            .set_nonblocking(true)
            .expect("a listener without blocking");
        let address = listener.local_addr().expect("the port that was bound");
        let scheme = if material.is_some() { "https" } else { "http" };
        let state = Arc::new(State::new(format!("{scheme}://{address}/cas")));
        let (stop, stopped) = oneshot::channel();
        let tls = material.as_ref().map(Material::server_config);
        let thread = std::thread::Builder::new()
            .name("fake-cas".to_owned())
            .spawn({
                let state = Arc::clone(&state);
                move || serve::run(listener, tls, state, stopped)
            })
            .expect("a thread for the server");
        Self {
            address,
            material,
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// The base URL, as a client wants it: `http://127.0.0.1:PORT/cas`.
    pub fn base_url(&self) -> &str {
        self.state.base_url()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The PEM text of the root that signed the certificate, or of the certificate itself where it is self-signed.
    ///
    /// `None` over plain http.
    pub fn root_pem(&self) -> Option<&str> {
        self.material.as_ref().map(Material::root_pem)
    }

    /// Adds a person, or replaces the one of that name.
    pub fn add_person(&self, person: Person) {
        self.state.add_person(person);
    }

    /// Signs a person in, as if the browser held a session: `/login` redirects with a ticket at once.
    ///
    /// # Panics
    ///
    /// Where nobody of that name exists.
    pub fn sign_in(&self, name: &str) {
        self.state.sign_in(name);
    }

    /// Ends the session that [`sign_in`](Self::sign_in) or the login form began.
    pub fn sign_out(&self) {
        self.state.sign_out();
    }

    /// Who is signed in.
    pub fn signed_in(&self) -> Option<String> {
        self.state.signed_in()
    }

    /// Grants a ticket for a service without a browser, as an existing session would.
    ///
    /// # Panics
    ///
    /// Where nobody of that name exists.
    pub fn grant(&self, service: &str, name: &str) -> ServiceTicket {
        self.state.grant(service, name, false)
    }

    /// Grants a ticket as if the password had just been typed, which is what `renew` asks for.
    ///
    /// # Panics
    ///
    /// Where nobody of that name exists.
    pub fn grant_renewed(&self, service: &str, name: &str) -> ServiceTicket {
        self.state.grant(service, name, true)
    }

    /// Grants a ticket as to an application that calls `service` as somebody, through the proxies given, the most recent
    /// first.
    ///
    /// # Panics
    ///
    /// Where nobody of that name exists.
    pub fn grant_proxied(&self, service: &str, name: &str, proxies: &[&str]) -> ServiceTicket {
        let pgt = self.grant_pgt(name, proxies);
        let ticket = self.state.grant_proxy_ticket(pgt.secret(), service);
        ticket
            .expect("the proxy-granting ticket was just made")
            .into()
    }

    /// Grants a proxy-granting ticket to an application that is reached through the proxies given, itself the first.
    ///
    /// # Panics
    ///
    /// Where nobody of that name exists.
    pub fn grant_pgt(&self, name: &str, proxies: &[&str]) -> ProxyGrantingTicket {
        let proxies = proxies.iter().map(ToString::to_string).collect();
        self.state.grant_pgt(self.state.person(name), proxies).1
    }

    /// Ends every proxy-granting ticket, as the end of a session does.
    pub fn end_pgts(&self) {
        self.state.end_pgts();
    }

    /// Calls back by this function instead of the network: it is given the whole address of a callback for proxy-granting
    /// tickets and says with which HTTP status it was answered. Without it, addresses over plain http on this machine are
    /// called, and others fail.
    pub fn deliver_pgts<F>(&self, deliver: impl Fn(String) -> F + Send + Sync + 'static)
    where
        F: Future<Output = u16> + Send + 'static,
    {
        let deliver = Arc::new(
            move |url| -> std::pin::Pin<Box<dyn Future<Output = u16> + Send>> {
                Box::pin(deliver(url))
            },
        );
        self.state.delivery().through(deliver);
    }

    /// How many granted tickets have not been presented yet.
    pub fn open_tickets(&self) -> usize {
        self.state.open_tickets()
    }

    /// Makes every coming request for a page fail in the same way, until [`clear_faults`](Self::clear_faults).
    pub fn fault(&self, page: Page, fault: Fault) {
        self.state.faults().stand(page, fault);
    }

    /// Makes the next request for a page fail. Several calls queue up; a standing fault comes after them.
    pub fn fault_once(&self, page: Page, fault: Fault) {
        self.state.faults().once(page, fault);
    }

    /// Behaves again.
    pub fn clear_faults(&self) {
        self.state.faults().clear();
    }

    /// Every request so far, in the order in which they arrived.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.state.requests()
    }

    /// The requests for one page.
    pub fn requests_for(&self, page: Page) -> Vec<RecordedRequest> {
        self.requests()
            .into_iter()
            .filter(|request| request.page() == Some(page))
            .collect()
    }

    /// How many connections were accepted, those that failed in the TLS handshake included.
    pub fn connections(&self) -> usize {
        self.state.connections()
    }

    /// How many bytes of bodies were handed to the network.
    pub fn body_bytes(&self) -> u64 {
        self.state.body_bytes()
    }
}

impl Drop for FakeCas {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The thread may have died of a panic, which the join below reports.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
            && !std::thread::panicking()
        {
            panic!("the fake CAS server panicked");
        }
    }
}

#[cfg(test)]
mod tests;
