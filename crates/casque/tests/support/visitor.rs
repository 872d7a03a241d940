//! A person with a plain HTTP client: keeps cookies, fills in forms, follows redirects one by one.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use reqwest::{Response, StatusCode, header};

/// Keeps cookies by name, as a browser does for one host whatever the port. A clone shares its connections.
#[derive(Clone)]
pub struct Visitor {
    http: reqwest::Client,
    pub cookies: BTreeMap<String, String>,
    /// What addresses of one site begin with, and where that really is.
    front: Option<(String, String)>,
    /// What is asked for in `Host`, where that is not the place that is asked.
    host: Option<String>,
}

/// What came back.
pub struct Answer {
    pub url: String,
    pub status: StatusCode,
    pub headers: header::HeaderMap,
    pub body: String,
}

impl Answer {
    /// Where it redirects to, absolute.
    pub fn location(&self) -> Option<String> {
        let location = self
            .headers
            .get(header::LOCATION)?
            .to_str()
            .expect("a Location is ASCII");
        let base = url::Url::parse(&self.url).expect("an answer has a URL");
        Some(
            base.join(location)
                .expect("a Location is a URL")
                .to_string(),
        )
    }

    /// The ticket in the redirect.
    pub fn ticket(&self) -> Option<String> {
        let location = url::Url::parse(&self.location()?).expect("a URL");
        location
            .query_pairs()
            .find(|(name, _)| name == "ticket")
            .map(|(_, ticket)| ticket.into_owned())
    }

    /// Names and values of the hidden fields of the page's form.
    pub fn hidden_fields(&self) -> Vec<(String, String)> {
        let inputs = self
            .body
            .split("<input")
            .skip(1)
            .map(|rest| rest.split('>').next().unwrap_or_default());
        inputs
            .filter(|input| input.contains("type=\"hidden\""))
            .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
            .collect()
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split(&format!("{name}=\"")).nth(1)?.split('"').next()?;
    let mut text = value.to_owned();
    for (entity, character) in [
        ("&quot;", "\""),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&#x2f;", "/"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        text = text.replace(entity, character);
    }
    Some(text)
}

impl Visitor {
    pub fn new() -> Self {
        // The certificate store is empty on purpose: these visits are plain http on loopback.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([])
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self {
            http,
            cookies: BTreeMap::new(),
            front: None,
            host: None,
        }
    }

    /// Somebody for whom a proxy takes the TLS off requests to one site.
    pub fn behind_tls(outside: &str, inside: &str) -> Self {
        let mut visitor = Self::new();
        visitor.front = Some((outside.to_owned(), inside.to_owned()));
        visitor
    }

    /// Somebody whom a switch sends to one node of a site.
    pub fn at_node(base: &str, port: u16) -> Self {
        let url = url::Url::parse(base).expect("a URL");
        let origin = url.origin().ascii_serialization();
        let mut visitor = Self::behind_tls(&origin, &format!("http://127.0.0.1:{port}"));
        visitor.host = Some(url.authority().to_owned());
        visitor
    }

    /// Where a request for an address really goes.
    fn inside(&self, url: &str) -> String {
        let inside = self.front.as_ref().and_then(|(outside, inside)| {
            Some([inside, url.strip_prefix(outside.as_str())?].concat())
        });
        inside.unwrap_or_else(|| url.to_owned())
    }

    pub async fn get(&mut self, url: &str) -> Answer {
        self.try_get(url)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    pub async fn post(&mut self, url: &str, fields: &[(String, String)]) -> Answer {
        self.try_post(url, fields)
            .await
            .unwrap_or_else(|error| panic!("{url}: {error}"))
    }

    pub async fn try_get(&mut self, url: &str) -> reqwest::Result<Answer> {
        let request = self
            .http
            .get(self.inside(url))
            .header(header::ACCEPT, "text/html");
        self.send(url, request).await
    }

    pub async fn try_post(
        &mut self,
        url: &str,
        fields: &[(String, String)],
    ) -> reqwest::Result<Answer> {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self
            .http
            .post(self.inside(url))
            .header(header::ACCEPT, "text/html")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        self.send(url, request).await
    }

    /// Follows redirects until a page comes.
    pub async fn follow(&mut self, mut answer: Answer) -> Answer {
        for _ in 0..10 {
            let Some(location) = answer.location() else {
                return answer;
            };
            answer = self.get(&location).await;
        }
        panic!("redirected for ever, last to {:?}", answer.location());
    }

    /// Fills in the login form on the page and sends it.
    pub async fn log_in(&mut self, form: &Answer, username: &str, password: &str) -> Answer {
        let sent = self.try_log_in(form, username, password).await;
        sent.unwrap_or_else(|error| panic!("{}: {error}", form.url))
    }

    pub async fn try_log_in(
        &mut self,
        form: &Answer,
        username: &str,
        password: &str,
    ) -> reqwest::Result<Answer> {
        let mut fields = form.hidden_fields();
        fields.push(("username".into(), username.into()));
        fields.push(("password".into(), password.into()));
        let action = form
            .body
            .split("<form")
            .nth(1)
            .and_then(|form| attribute(form, "action"));
        let base = url::Url::parse(&form.url).expect("a URL");
        let target = base
            .join(action.as_deref().unwrap_or_default())
            .expect("a URL");
        self.try_post(target.as_str(), &fields).await
    }

    async fn send(
        &mut self,
        url: &str,
        request: reqwest::RequestBuilder,
    ) -> reqwest::Result<Answer> {
        let mut cookies = String::new();
        for (name, value) in &self.cookies {
            let separator = if cookies.is_empty() { "" } else { "; " };
            write!(cookies, "{separator}{name}={value}").expect("writing to a string");
        }
        let request = if cookies.is_empty() {
            request
        } else {
            request.header(header::COOKIE, cookies)
        };
        let request = match &self.host {
            Some(host) => request.header(header::HOST, host),
            None => request,
        };
        let response: Response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a cookie is ASCII");
            let (pair, attributes) = cookie.split_once(';').unwrap_or((cookie, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name");
            let attributes = attributes.to_ascii_lowercase();
            let ended = ["max-age=0", "01-jan-1970", "01 jan 1970"];
            if value.is_empty() || ended.iter().any(|end| attributes.contains(end)) {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let body = response.text().await?;
        Ok(Answer {
            url: url.to_owned(),
            status,
            headers,
            body,
        })
    }
}
