//! As much of a browser as a login form needs: cookies, redirects, one form.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use casque_proto::ServiceTicket;
use url::{Url, form_urlencoded};

/// Keeps the cookies of one server, and the page it looks at.
#[derive(Default)]
pub(crate) struct Browser {
    cookies: BTreeMap<String, String>,
    page: Option<Page>,
}

struct Page {
    url: Url,
    location: Option<String>,
    body: String,
}

impl Browser {
    /// Opens an address and follows redirects; gives the ticket where one leads to the service with it.
    pub(crate) fn ticket(&mut self, address: &str, service: &str) -> Option<ServiceTicket> {
        let page = self.request(Url::parse(address).unwrap(), None);
        self.follow(page, service)
    }

    /// Opens an address and follows redirects, wherever they lead on the server.
    pub(crate) fn visit(&mut self, address: &str) {
        self.ticket(address, "https://nowhere.example.org/");
    }

    /// Fills in the login form of the page and sends it.
    pub(crate) fn submit(
        &mut self,
        service: &str,
        username: &str,
        password: &str,
    ) -> ServiceTicket {
        let page = self.page.take().expect("a page with a form");
        let mut form = form_urlencoded::Serializer::new(String::new());
        for input in inputs(&page.body) {
            match (
                input.get("type").map(String::as_str),
                input.get("name").map(String::as_str),
            ) {
                (Some("hidden"), Some(name)) => {
                    form.append_pair(name, input.get("value").map_or("", String::as_str));
                }
                (Some("password"), Some(name)) => {
                    form.append_pair(name, password);
                }
                (Some("text"), Some(name)) => {
                    form.append_pair(name, username);
                }
                _ => {}
            }
        }
        let answer = self.request(page.url, Some(&form.finish()));
        self.follow(answer, service).unwrap_or_else(|| {
            panic!(
                "no ticket after the login form: {}",
                self.page.as_ref().map_or("", |page| &page.body)
            )
        })
    }

    fn follow(&mut self, mut page: Page, service: &str) -> Option<ServiceTicket> {
        let service = Url::parse(service).unwrap();
        for _ in 0..10 {
            let Some(location) = page.location.clone() else {
                self.page = Some(page);
                return None;
            };
            let next = page.url.join(&location).unwrap();
            // django-cas-server sorts the parameters of the service when it adds its own, so the text may differ here.
            if (next.host_str(), next.path()) == (service.host_str(), service.path()) {
                let (_, ticket) = next
                    .query_pairs()
                    .find(|(name, _)| name == "ticket")
                    .expect("a ticket");
                return Some(ServiceTicket::parse(&ticket).unwrap());
            }
            page = self.request(next, None);
        }
        panic!("redirected ten times, at last to {}", page.url);
    }

    fn request(&mut self, url: Url, form: Option<&str>) -> Page {
        let address = url.socket_addrs(|| None).unwrap()[0];
        assert!(
            address.ip().is_loopback(),
            "this browser stays at home: {url}"
        );
        let path = match url.query() {
            Some(query) => format!("{}?{query}", url.path()),
            None => url.path().to_owned(),
        };
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let body = form.unwrap_or_default();
        let method = if form.is_some() { "POST" } else { "GET" };
        let request = format!(
            "{method} {path} HTTP/1.0\r\nHost: {address}\r\nCookie: {}\r\nAccept: text/html\r\nReferer: {url}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            cookies.join("; "),
            body.len()
        );
        let mut socket = TcpStream::connect(address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let mut location = None;
        for line in head.lines().skip(1) {
            let (name, value) = line.split_once(':').expect("a header");
            match name.to_ascii_lowercase().as_str() {
                "location" => location = Some(value.trim().to_owned()),
                "set-cookie" => self.keep(value.trim()),
                _ => {}
            }
        }
        Page {
            url,
            location,
            body: body.to_owned(),
        }
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split(';').map(str::trim);
        let (name, value) = parts
            .next()
            .and_then(|pair| pair.split_once('='))
            .expect("a cookie");
        let ended =
            parts.any(|part| part.eq_ignore_ascii_case("max-age=0") || part.contains("1970"));
        if ended {
            self.cookies.remove(name);
        } else {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// The attributes of every `input` element.
fn inputs(html: &str) -> Vec<BTreeMap<String, String>> {
    html.split("<input")
        .skip(1)
        .map(|rest| attributes(rest.split('>').next().unwrap_or_default()))
        .collect()
}

fn attributes(mut tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    while let Some((name, rest)) = tag.split_once("=\"") {
        let (value, rest) = rest.split_once('"').expect("the end of a value");
        let name = name.split_whitespace().next_back().unwrap_or_default();
        found.insert(name.to_owned(), unescape(value));
        tag = rest;
    }
    found
}

fn unescape(text: &str) -> String {
    [
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (escaped, plain)| {
        text.replace(escaped, plain)
    })
}
