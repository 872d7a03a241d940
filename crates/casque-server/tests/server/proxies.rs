//! Services that act as proxies: listeners for their callbacks, and a network on which they are found.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use casque_proto::ServiceRule;
use casque_server::{Network, NetworkFuture, ProxyPolicy, Release, Service, Services};
use rustls::{
    ServerConfig,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
};
use tokio_rustls::TlsAcceptor;

use crate::house::{Answer, Browser, House, Setup, encode};

/// Where `*.example.org` is, as far as anybody is told.
pub(crate) const PUBLIC: &str = "93.184.216.34";

/// What a callback does when it is called.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Answers with this head.
    Answers(&'static str),
    /// Sends one byte a second.
    Drips,
    /// Answers 200 when it is told to.
    Waits(Arc<Notify>),
}

pub(crate) const OK: Behaviour = Behaviour::Answers("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");

pub(crate) const NOT_FOUND: Behaviour =
    Behaviour::Answers("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n");
pub(crate) const ELSEWHERE: Behaviour = Behaviour::Answers(
    "HTTP/1.1 302 Found\r\nlocation: https://127.0.0.1/\r\ncontent-length: 0\r\n\r\n",
);
/// A listener that speaks https for the hosts of its certificate.
pub(crate) struct Callback {
    pub(crate) address: SocketAddr,
    pub(crate) root: String,
    heard: UnboundedReceiver<String>,
    behaviour: Arc<Mutex<Behaviour>>,
}

impl Callback {
    pub(crate) async fn open(hosts: &[&str]) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
        let made = rcgen::generate_simple_self_signed(hosts).expect("a certificate");
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
            .expect("a pair");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::listen(Some(acceptor), made.cert.pem()).await
    }

    /// One that speaks plain http.
    pub(crate) async fn plain() -> Self {
        Self::listen(None, String::new()).await
    }

    async fn listen(acceptor: Option<TlsAcceptor>, root: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (tell, heard) = unbounded_channel();
        let behaviour = Arc::new(Mutex::new(OK));
        let shared = behaviour.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let (acceptor, tell) = (acceptor.clone(), tell.clone());
                let behaviour = shared.clone();
                tokio::spawn(async move {
                    match acceptor {
                        Some(acceptor) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                answer(stream, &tell, &behaviour).await;
                            }
                        }
                        None => answer(stream, &tell, &behaviour).await,
                    }
                });
            }
        });
        Self {
            address,
            root,
            heard,
            behaviour,
        }
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        *self.behaviour.lock().expect("not poisoned") = behaviour;
    }

    /// The next request line, with the host it was for: `host path?query`.
    pub(crate) async fn next(&mut self) -> String {
        self.heard.recv().await.expect("a request")
    }

    /// The tickets of the next call.
    pub(crate) async fn tickets(&mut self) -> Delivered {
        Delivered::of(&self.next().await)
    }

    /// Whether it has been called and nobody asked yet.
    pub(crate) fn was_called(&mut self) -> bool {
        self.heard.try_recv().is_ok()
    }
}

/// What a callback was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivered {
    pub(crate) target: String,
    pub(crate) iou: String,
    pub(crate) pgt: String,
}

impl Delivered {
    fn of(heard: &str) -> Self {
        let (target, tickets) = heard.split_once("pgtIou=").expect("an IOU");
        let (iou, pgt) = tickets.split_once("&pgtId=").expect("R-195");
        assert!(iou.starts_with("PGTIOU-") && iou.len() <= 64, "R-215");
        assert!(pgt.starts_with("PGT-") && pgt.len() <= 64, "R-215");
        Self {
            target: target.to_owned(),
            iou: iou.to_owned(),
            pgt: pgt.to_owned(),
        }
    }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    tell: &UnboundedSender<String>,
    behaviour: &Mutex<Behaviour>,
) {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(count) => head.extend_from_slice(&buffer[..count]),
        }
    }
    let head = String::from_utf8(head).expect("a head");
    let (line, fields) = head.split_once("\r\n").expect("a line");
    let target = line.strip_prefix("GET ").expect("R-194");
    let target = target.strip_suffix(" HTTP/1.1").expect("a version");
    let host = fields
        .lines()
        .find_map(|field| field.strip_prefix("host: "))
        .expect("a host");
    // The test may be over.
    let _ = tell.send(format!("{host}{target}"));
    let behaviour = behaviour.lock().expect("not poisoned").clone();
    match behaviour {
        Behaviour::Answers(head) => {
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Behaviour::Drips => {
            let mut ticks = tokio::time::interval(Duration::from_secs(1));
            for byte in b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n" {
                ticks.tick().await;
                if stream.write_all(&[*byte]).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
        }
        Behaviour::Waits(go) => {
            go.notified().await;
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
            let _ = stream.write_all(head).await;
            let _ = stream.shutdown().await;
        }
    }
}

/// A network on which every host is where a test says, and every address leads to a listener here.
#[derive(Debug, Default)]
pub(crate) struct World {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// What is answered to each look-up of a host; the last answer is given again and again.
    names: HashMap<String, Vec<Vec<IpAddr>>>,
    routes: HashMap<SocketAddr, SocketAddr>,
    looked_up: usize,
    connected: Vec<SocketAddr>,
}

impl World {
    /// A host at these addresses.
    pub(crate) fn name(&self, host: &str, addresses: &[&str]) {
        self.answers(host, &[addresses]);
    }

    /// A host whose addresses change from one look-up to the next.
    pub(crate) fn answers(&self, host: &str, answers: &[&[&str]]) {
        let parse = |addresses: &&[&str]| {
            addresses
                .iter()
                .map(|address| address.parse().expect("an address"))
                .collect()
        };
        let answers = answers.iter().map(parse).collect();
        let mut inner = self.inner.lock().expect("not poisoned");
        inner.names.insert(host.to_owned(), answers);
    }

    /// Where an address leads.
    pub(crate) fn route(&self, address: &str, to: SocketAddr) {
        let address = address.parse().expect("an address with a port");
        let mut inner = self.inner.lock().expect("not poisoned");
        inner.routes.insert(address, to);
    }

    pub(crate) fn looked_up(&self) -> usize {
        self.inner.lock().expect("not poisoned").looked_up
    }

    /// The addresses that were connected to, or would have been.
    pub(crate) fn connected(&self) -> Vec<SocketAddr> {
        self.inner.lock().expect("not poisoned").connected.clone()
    }
}

impl Network for World {
    fn resolve<'a>(&'a self, host: &'a str, port: u16) -> NetworkFuture<'a, Vec<SocketAddr>> {
        let mut inner = self.inner.lock().expect("not poisoned");
        inner.looked_up += 1;
        let addresses = match (host.parse::<IpAddr>(), inner.names.get_mut(host)) {
            (Ok(address), _) => Ok(vec![address]),
            (_, Some(answers)) if answers.len() > 1 => Ok(answers.remove(0)),
            (_, Some(answers)) => Ok(answers.first().cloned().unwrap_or_default()),
            _ => Err(io::ErrorKind::NotFound.into()),
        };
        let addresses = addresses.map(|addresses| {
            let with_port = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
            with_port.collect()
        });
        Box::pin(async move { addresses })
    }

    fn connect(&self, address: SocketAddr) -> NetworkFuture<'_, TcpStream> {
        let mut inner = self.inner.lock().expect("not poisoned");
        inner.connected.push(address);
        let route = inner.routes.get(&address).copied();
        Box::pin(async move {
            match route {
                Some(route) => TcpStream::connect(route).await,
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }
}

/// Services that may act as proxies for each other, their callbacks, and the house they live in.
pub(crate) struct Village {
    pub(crate) house: House,
    pub(crate) callback: Callback,
    pub(crate) world: Arc<World>,
}

pub(crate) const APP: &str = "https://app.example.org/";
pub(crate) const APP_PGT: &str = "https://app.example.org/cas/pgt?x=1";
pub(crate) const MAIL: &str = "https://mail.example.org/inbox";
pub(crate) const MAIL_PGT: &str = "https://mail.example.org/pgt";
/// May not act as a proxy.
pub(crate) const DISK: &str = "https://disk.example.org/";

/// The services of a village.
pub(crate) fn services() -> Services {
    let origin = |host: &str| {
        let origin = format!("https://{host}.example.org");
        ServiceRule::origin(&origin).expect("an origin")
    };
    let proxy = |host: &str, released: &[&str]| {
        let released = released.iter().map(|&name| name.to_owned()).collect();
        Service::new(host, origin(host))
            .releasing(Release::Named(released))
            .proxying(ProxyPolicy::to([origin(host)]))
    };
    let mut fresh = Service::new("fresh", origin("fresh"));
    fresh.sso = false;
    let mut off = Service::new("off", origin("off"));
    off.enabled = false;
    Services::new([
        proxy("app", &["mail"]),
        proxy("mail", &["memberOf"]),
        Service::new("disk", origin("disk")),
        fresh,
        off,
    ])
}

impl Village {
    pub(crate) async fn open() -> Self {
        Self::build(Setup::new().services(services())).await
    }

    pub(crate) async fn build(setup: Setup) -> Self {
        Self::of(setup, &["app.example.org", "mail.example.org"]).await
    }

    /// One whose callbacks are at these hosts.
    pub(crate) async fn of(setup: Setup, hosts: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let callback = Callback::open(hosts).await;
        let world = Arc::new(World::default());
        for host in hosts {
            world.name(host, &[PUBLIC]);
        }
        world.route(&format!("{PUBLIC}:443"), callback.address);
        let settings = trusting(folder.path(), &callback.root);
        let house = setup
            .folder(Arc::new(folder))
            .settings(&settings)
            .network(world.clone())
            .build();
        Self {
            house,
            callback,
            world,
        }
    }

    /// A proxy-granting ticket of a service, and what its validation answered.
    pub(crate) async fn proxy_granting(
        &mut self,
        browser: &mut Browser,
        service: &str,
        pgt_url: &str,
    ) -> (Delivered, Answer) {
        let ticket = browser.ticket_for(service).await;
        let answer = validate_for_proxying(browser, "serviceValidate", service, &ticket, pgt_url);
        let answer = answer.await;
        assert!(answer.body.contains("authenticationSuccess"), "{answer:?}");
        (self.callback.tickets().await, answer)
    }
}

/// Settings that trust a certificate, which is written to the folder.
pub(crate) fn trusting(folder: &Path, root: &str) -> String {
    let file: PathBuf = folder.join("roots.pem");
    std::fs::write(&file, root).expect("written");
    "trusted_roots = \"roots.pem\"\n".to_owned()
}

pub(crate) async fn validate_for_proxying(
    browser: &Browser,
    endpoint: &str,
    service: &str,
    ticket: &str,
    pgt_url: &str,
) -> Answer {
    let (service, pgt_url) = (encode(service), encode(pgt_url));
    let path = format!("/{endpoint}?service={service}&ticket={ticket}&pgtUrl={pgt_url}");
    browser.ask(&path).await
}

/// What `/proxy` answers.
pub(crate) async fn ask_for_proxy(browser: &Browser, pgt: &str, target: &str) -> Answer {
    let path = format!("/proxy?pgt={pgt}&targetService={}", encode(target));
    browser.ask(&path).await
}

/// The proxy ticket in an answer.
pub(crate) fn proxy_ticket(answer: &Answer) -> String {
    let ticket = answer.body.split_once("<cas:proxyTicket>");
    let (_, rest) = ticket.unwrap_or_else(|| panic!("no proxy ticket: {answer:?}"));
    let ticket = rest.split('<').next().expect("a text");
    assert!(ticket.starts_with("PT-") && ticket.len() <= 32, "R-215");
    ticket.to_owned()
}
