//! A server on a clock set by hand, browsers with cookies, and the registry of the hostile corpus.

use std::{
    collections::{BTreeMap, HashMap},
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use axum::{Router, body::Body};
use casque_proto::ServiceRule;
use casque_server::{
    AccessRule, Config, HashParams, Network, Parts, Password, PasswordChecker,
    PasswordCheckerOptions, Peer, People, Person, Release, Server, Service, Services,
    SystemNetwork, hash_password,
};
use casque_store::{KeyHasher, SharedStore};
use casque_testkit::ManualClock;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tower::ServiceExt as _;

pub(crate) const BASE: &str = "https://cas.example.org/cas";
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// People that a test can change while the server runs.
#[derive(Debug, Default)]
pub(crate) struct Directory(Mutex<HashMap<String, Person>>);

impl Directory {
    pub(crate) fn disable(&self, name: &str) {
        let mut people = self.0.lock().expect("not poisoned");
        people.get_mut(name).expect("a person").disabled = true;
    }
}

impl Directory {
    pub(crate) fn set_attribute(&self, name: &str, attribute: &str, values: &[&str]) {
        let mut people = self.0.lock().expect("not poisoned");
        let values = values.iter().map(|&value| value.to_owned()).collect();
        let person = people.get_mut(name).expect("a person");
        person.attributes.insert(attribute.to_owned(), values);
    }

    pub(crate) fn set_hash(&self, name: &str, hash: String) {
        let mut people = self.0.lock().expect("not poisoned");
        people.get_mut(name).expect("a person").password_hash = hash;
    }
}

impl People for Directory {
    fn find(&self, username: &str) -> Option<Arc<Person>> {
        let people = self.0.lock().expect("not poisoned");
        people.get(username).cloned().map(Arc::new)
    }
}

/// When every house is opened: 2024-05-01T12:00:00Z.
pub(crate) fn start() -> SystemTime {
    UNIX_EPOCH + Duration::from_hours(476_268)
}

/// How a house is built.
pub(crate) struct Setup {
    base: String,
    settings: String,
    store: Option<SharedStore>,
    sqlite: bool,
    services: Option<Services>,
    people: Option<Arc<Directory>>,
    passwords: PasswordCheckerOptions,
    clock: ManualClock,
    folder: Option<Arc<TempDir>>,
    network: Arc<dyn Network>,
    hasher: Option<KeyHasher>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::at(start());
        let mut passwords = PasswordCheckerOptions::default();
        passwords.decoy = cheap();
        Self {
            base: BASE.to_owned(),
            settings: String::new(),
            store: None,
            sqlite: false,
            services: None,
            people: None,
            passwords,
            clock,
            folder: None,
            network: Arc::new(SystemNetwork),
            hasher: None,
        }
    }

    pub(crate) fn base(mut self, base: &str) -> Self {
        base.clone_into(&mut self.base);
        self
    }

    /// Further lines of `casque.toml`.
    pub(crate) fn settings(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.settings);
        self
    }

    pub(crate) fn store(mut self, store: SharedStore) -> Self {
        self.store = Some(store);
        self
    }

    pub(crate) fn sqlite(mut self) -> Self {
        self.sqlite = true;
        self
    }

    /// The secret, or both while it is changed, in place of that of the folder.
    pub(crate) fn hasher(mut self, hasher: KeyHasher) -> Self {
        self.hasher = Some(hasher);
        self
    }

    /// Where callbacks of proxying are found.
    pub(crate) fn network(mut self, network: Arc<dyn Network>) -> Self {
        self.network = network;
        self
    }

    pub(crate) fn services(mut self, services: Services) -> Self {
        self.services = Some(services);
        self
    }

    pub(crate) fn clock(mut self, clock: ManualClock) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn people(mut self, people: Arc<Directory>) -> Self {
        self.people = Some(people);
        self
    }

    /// How passwords are checked: cheaply, unless a test says otherwise.
    pub(crate) fn passwords(mut self, options: PasswordCheckerOptions) -> Self {
        self.passwords = options;
        self
    }

    /// The clock, which all clones share.
    pub(crate) fn manual_clock(&self) -> &ManualClock {
        &self.clock
    }

    /// The folder of an earlier house: its SQLite file and its key.
    pub(crate) fn folder(mut self, folder: Arc<TempDir>) -> Self {
        self.folder = Some(folder);
        self
    }

    pub(crate) fn build(self) -> House {
        let folder = self
            .folder
            .unwrap_or_else(|| Arc::new(tempfile::tempdir().expect("a folder")));
        let file = folder.path().join("casque.toml");
        let text = format!("base_url = \"{}\"\n{}", self.base, self.settings);
        std::fs::write(&file, text).expect("a config");
        let config = Config::from_file(&file).expect("a valid config");
        let clock = Arc::new(self.clock.clone());
        let url = format!("sqlite:{}", folder.path().join("casque.db").display());
        let url = if self.sqlite { url.as_str() } else { "memory:" };
        let store = self
            .store
            .unwrap_or_else(|| casque_store::open(url, clock.clone()).expect("a store"));
        let people = self.people.unwrap_or_else(alice_and_bob);
        let passwords = PasswordChecker::new(self.passwords);
        let hasher = self.hasher.unwrap_or_else(|| {
            KeyHasher::from_file(&folder.path().join("casque.key")).expect("a key")
        });
        let parts = Parts {
            people: people.clone(),
            services: Arc::new(self.services.unwrap_or_else(registry)),
            passwords: passwords.clone(),
            hasher,
        };
        let server = Server::on_network(&config, parts, store.clone(), clock, self.network)
            .expect("a server");
        House {
            router: server.router(),
            server,
            clock: self.clock,
            people,
            passwords,
            store,
            base: self.base,
            folder,
        }
    }
}

/// The people of every house.
fn alice_and_bob() -> Arc<Directory> {
    let people = Arc::new(Directory::default());
    for (name, attributes) in [
        (
            "alice",
            &[
                ("mail", &["alice@example.org"][..]),
                ("memberOf", &["staff", "admin"]),
            ][..],
        ),
        ("bob", &[]),
    ] {
        let person = Person {
            id: name.to_owned(),
            password_hash: cheap_hash().to_owned(),
            attributes: attributes
                .iter()
                .map(|(name, values)| {
                    (
                        (*name).to_owned(),
                        values.iter().map(|&v| v.to_owned()).collect(),
                    )
                })
                .collect::<BTreeMap<_, _>>(),
            disabled: false,
        };
        people
            .0
            .lock()
            .expect("not poisoned")
            .insert(name.to_owned(), person);
    }
    people
}

/// A running server, without a socket.
pub(crate) struct House {
    pub(crate) server: Server,
    pub(crate) router: Router,
    pub(crate) clock: ManualClock,
    pub(crate) people: Arc<Directory>,
    pub(crate) passwords: PasswordChecker,
    pub(crate) store: SharedStore,
    pub(crate) base: String,
    pub(crate) folder: Arc<TempDir>,
}

impl House {
    pub(crate) fn new() -> Self {
        Setup::new().build()
    }

    pub(crate) fn browser(&self) -> Browser {
        let url = url::Url::parse(&self.base).expect("a base URL");
        let port = url
            .port()
            .map(|port| format!(":{port}"))
            .unwrap_or_default();
        Browser {
            router: self.router.clone(),
            authority: format!("{}{port}", url.host_str().expect("a host")),
            prefix: url.path().trim_end_matches('/').to_owned(),
            address: "198.51.100.7:50000".parse().expect("an address"),
            cookies: BTreeMap::new(),
        }
    }

    /// A browser in which this person has logged in.
    pub(crate) async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let answer = browser.log_in(name, PASSWORD, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        browser
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What a server answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("a readable header"))
    }

    pub(crate) fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// The `Set-Cookie` of that name.
    pub(crate) fn set_cookie(&self, name: &str) -> Option<&str> {
        let start = format!("{name}=");
        self.headers
            .get_all(header::SET_COOKIE)
            .iter()
            .map(|value| value.to_str().expect("a readable header"))
            .find(|line| line.starts_with(&start))
    }

    /// Whether a session cookie was set, and not cleared.
    pub(crate) fn sets_tgc(&self) -> bool {
        ["__Host-TGC", "TGC"].iter().any(|name| {
            self.set_cookie(name)
                .is_some_and(|line| line.starts_with(&format!("{name}=TGT-")))
        })
    }

    /// The login ticket of the form on this page.
    pub(crate) fn login_ticket(&self) -> Option<String> {
        self.hidden("lt")
    }

    /// The value of a hidden field, as a browser reads it.
    pub(crate) fn hidden(&self, name: &str) -> Option<String> {
        let start = format!("name=\"{name}\" value=\"");
        let (_, rest) = self.body.split_once(&start)?;
        Some(plain(rest.split('"').next()?))
    }

    /// Where the first form on this page posts to, and its hidden fields, ready to be sent.
    pub(crate) fn form(&self) -> (String, String) {
        let (_, form) = self
            .body
            .split_once("<form method=\"post\" action=\"")
            .unwrap_or_else(|| panic!("no form: {}", self.body));
        let (form, _) = form.split_once("</form>").expect("an end");
        let (action, rest) = form.split_once('"').expect("an action");
        let mut fields = String::new();
        for field in rest.split("<input type=\"hidden\" name=\"").skip(1) {
            let (name, rest) = field.split_once("\" value=\"").expect("a value");
            let (value, _) = rest.split_once('"').expect("an end");
            fields.extend([name, "=", &encode(&plain(value)), "&"]);
        }
        (plain(action), fields)
    }

    pub(crate) fn is_form(&self) -> bool {
        self.login_ticket().is_some() && self.body.contains("name=\"password\"")
    }

    /// The service ticket in the address that a browser is sent to.
    pub(crate) fn ticket(&self) -> Option<String> {
        let (_, ticket) = self.location()?.split_once("ticket=")?;
        Some(ticket.to_owned())
    }
}

/// A browser: it keeps cookies and follows nothing by itself.
#[derive(Clone)]
pub(crate) struct Browser {
    router: Router,
    pub(crate) authority: String,
    prefix: String,
    pub(crate) address: SocketAddr,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn from(mut self, address: &str) -> Self {
        self.address = format!("{address}:50000").parse().expect("an address");
        self
    }

    /// GET as a person would, below the path of the base URL.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(Method::GET, path, &[("accept", "text/html")], Body::empty())
            .await
    }

    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer {
        let headers = [
            ("accept", "text/html"),
            ("content-type", "application/x-www-form-urlencoded"),
        ];
        self.send(Method::POST, path, &headers, Body::from(form.to_owned()))
            .await
    }

    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.prefix))
            .header(header::HOST, &self.authority)
            .extension(Peer(self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self
                .cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            request = request.header(header::COOKIE, pairs.join("; "));
        }
        let request = request.body(body).expect("a request");
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("infallible");
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a readable header");
            let (name, rest) = cookie.split_once('=').expect("a cookie");
            let value = rest.split(';').next().unwrap_or_default();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = body.collect().await.expect("a body").to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).expect("UTF-8"),
        }
    }

    /// Loads the form and sends it.
    pub(crate) async fn log_in(
        &mut self,
        name: &str,
        password: &str,
        service: Option<&str>,
    ) -> Answer {
        let page = match service {
            Some(service) => {
                self.get(&format!("/login?renew=1&service={}", encode(service)))
                    .await
            }
            None => self.get("/login?renew=1").await,
        };
        assert_eq!(page.status, 200, "{}", page.body);
        self.submit(&page, name, password, service).await
    }

    /// Signs in without a service, with further fields on the form.
    pub(crate) async fn log_in_with(&mut self, name: &str, further: &str) -> Answer {
        let ticket = self.get("/login?renew=1").await.login_ticket();
        let form = format!(
            "lt={}&username={name}&password={}&{further}",
            ticket.expect("a form"),
            encode(PASSWORD)
        );
        self.post("/login", &form).await
    }

    /// Sends the form of a page as it is, every hidden field byte for byte, with further fields.
    pub(crate) async fn send_on(&mut self, page: &Answer, further: &str) -> Answer {
        let (path, mut form) = page.form();
        form.push_str(further);
        let path = path
            .strip_prefix(&self.prefix)
            .expect("a form of ours")
            .to_owned();
        self.post(&path, &form).await
    }

    /// Sends the form of a page.
    pub(crate) async fn submit(
        &mut self,
        page: &Answer,
        name: &str,
        password: &str,
        service: Option<&str>,
    ) -> Answer {
        let ticket = page.login_ticket().expect("a form");
        let mut form = format!(
            "lt={ticket}&username={}&password={}",
            encode(name),
            encode(password)
        );
        if let Some(service) = service {
            form.push_str("&service=");
            form.push_str(&encode(service));
        }
        self.post("/login", &form).await
    }

    /// The same browser, led to another node by the balancer.
    pub(crate) fn at(&self, node: &House) -> Self {
        Self {
            router: node.router.clone(),
            ..self.clone()
        }
    }

    /// A service ticket from the session of this browser.
    pub(crate) async fn ticket_for(&mut self, service: &str) -> String {
        let answer = self
            .get(&format!("/login?service={}", encode(service)))
            .await;
        answer
            .ticket()
            .unwrap_or_else(|| panic!("no ticket: {answer:?}"))
    }

    /// Validates as a service does: without cookies.
    pub(crate) async fn validate(&self, endpoint: &str, service: &str, ticket: &str) -> Answer {
        self.ask(&format!(
            "/{endpoint}?service={}&ticket={ticket}",
            encode(service)
        ))
        .await
    }

    /// GET as a service does: without cookies.
    pub(crate) async fn ask(&self, path: &str) -> Answer {
        let mut service = self.clone();
        service.cookies.clear();
        service.send(Method::GET, path, &[], Body::empty()).await
    }
}

pub(crate) fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// HTML text without its escapes.
pub(crate) fn plain(html: &str) -> String {
    html.replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&lt;", "<")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

/// The code of a failure in XML, or nothing for a success.
pub(crate) fn code(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("Failure code=\"")?;
    rest.split('"').next()
}

pub(crate) fn cheap() -> HashParams {
    HashParams::new(64, 1, 1).expect("a cost")
}

pub(crate) fn cheap_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| hash_password(&Password::new(PASSWORD).expect("short"), cheap()))
}

/// The registry that the hostile corpus is written for.
pub(crate) fn registry() -> Services {
    let https = |origin: &str| ServiceRule::origin(origin).expect("an origin");
    let mut off = Service::new("off", https("https://off.example.org"));
    off.enabled = false;
    let mut fresh = Service::new("fresh", https("https://fresh.example.org"));
    fresh.sso = false;
    let mut staff = Service::new("staff", https("https://staff.example.org"));
    staff.access = AccessRule::default().value("memberOf", "staff");
    let mut asking = Service::new("asking", https("https://asking.example.org"));
    asking.attributes = Release::Named(vec!["mail".to_owned(), "memberOf".to_owned()]);
    asking.consent = true;
    let mail = Release::Named(vec!["mail".to_owned()]);
    Services::new([
        Service::new("app", https("https://app.example.org")).releasing(mail),
        Service::new(
            "wiki",
            https("https://wiki.example.org:8443")
                .path_prefix("/w/")
                .expect("a prefix"),
        )
        .releasing(Release::All),
        Service::new(
            "exact",
            ServiceRule::url("https://exact.example.org/cas/callback").expect("a URL"),
        ),
        Service::new("dept", https("https://*.dept.example.org")),
        Service::new(
            "rx",
            ServiceRule::regex(r"https://rx[0-9]\.example\.org/app(/[A-Za-z0-9/_-]*)?")
                .expect("a regex"),
        ),
        Service::new("idn", https("https://xn--bcher-kva.example")),
        Service::new("v6", https("https://[2001:db8::1]:8443")),
        Service::new(
            "dev",
            ServiceRule::origin("http://localhost:8000")
                .expect("an origin")
                .allow_http(true),
        ),
        off,
        fresh,
        staff,
        asking,
    ])
}
