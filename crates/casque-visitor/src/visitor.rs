//! A person with a browser: keeps cookies, fills in the login form, follows redirects inside the server.

use std::fmt;

use url::Url;

use crate::agent::{Agent, Answer, NoAnswer, Request, query_of, shown};
use crate::cookies::{Cookie, Jar};
use crate::html::{self, Form};

/// A browser that looks at one CAS server.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use casque_visitor::{Agent, Trace, Visitor};
///
/// let agent = Agent::new("example/1.0", None, Duration::from_secs(10), Trace::default())?;
/// let mut visitor = Visitor::new(agent, "https://cas.example.org/cas");
/// let service = "https://app.example.org/";
/// let page = visitor.login(&[("service", service)]).await?;
/// let form = page.form().ok_or("no login form")?;
/// let reached = visitor.submit(&page.last, &form, ("alice", "wonderland"), Some(service), |_| {}).await?;
/// let ticket = reached.delivered(service).ok_or("no ticket")?.ticket;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Visitor {
    agent: Agent,
    base: String,
    /// The cookies that would be sent now.
    pub jar: Jar,
    /// Every cookie that was set, in order; the jar holds what is left of them.
    pub was_set: Vec<Cookie>,
}

/// Where a request led.
#[derive(Clone)]
pub struct Reached {
    /// The answer to the request itself.
    pub first: Answer,
    /// The page at the end, or the redirect that leads out.
    pub last: Answer,
    /// Where the redirect leads out to, as it was written.
    pub left: Option<String>,
}

/// A ticket on its way to the service.
#[derive(Clone)]
pub struct Delivered {
    /// `Location`, or the address in the page, as it was written.
    pub location: String,
    /// The ticket, a secret.
    pub ticket: String,
    /// The redirect, or the page.
    pub answer: Answer,
}

impl fmt::Debug for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = self.left.as_ref().map(|left| shown(left, 200));
        f.debug_struct("Reached")
            .field("first", &self.first)
            .field("last", &self.last)
            .field("left", &left)
            .finish()
    }
}

impl fmt::Debug for Delivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivered")
            .field("location", &shown(&self.location, 200))
            .finish_non_exhaustive()
    }
}

impl Reached {
    /// The ticket that the redirect, or the page (specification, appendix B), carries to the service.
    pub fn delivered(&self, service: &str) -> Option<Delivered> {
        let location = match &self.left {
            Some(left) => left.clone(),
            None => address_in_page(&self.last.text(), service)?,
        };
        let ticket = parameter(&location, "ticket")?;
        Some(Delivered {
            location,
            ticket,
            answer: self.last.clone(),
        })
    }

    /// The ticket in a form that the page would send to the service: what `method=POST` asks for (R-042).
    pub fn posted_ticket(&self, service: &str) -> Option<String> {
        let forms = html::forms(&self.last.text()).into_iter();
        let mut to_service = forms.filter(|form| {
            let action = form.action.as_deref().unwrap_or_default();
            let action = self.last.url.join(action);
            self.left.is_none() && action.is_ok_and(|action| leads_to(&action, service))
        });
        to_service.find_map(|form| form.field("ticket").map(|field| field.value.clone()))
    }

    /// The login form, where the page is one.
    pub fn form(&self) -> Option<Form> {
        if self.left.is_some() {
            return None;
        }
        html::login_form(&self.last.text())
    }

    /// What it came to, for a sentence.
    pub fn words(&self) -> String {
        match &self.left {
            Some(left) if parameter(left, "ticket").is_some() => {
                format!("a redirect with a ticket to {}", shown(left, 120))
            }
            Some(left) => format!("a redirect to {}", shown(left, 120)),
            None if self.form().is_some() => {
                format!("the login form (status {})", self.last.status.as_u16())
            }
            None => format!(
                "a page without login form (status {})",
                self.last.status.as_u16()
            ),
        }
    }
}

impl Visitor {
    /// A new browser, without cookies, for the server at a base URL without a slash at its end.
    pub fn new(agent: Agent, base: impl Into<String>) -> Self {
        Self {
            agent,
            base: base.into(),
            jar: Jar::default(),
            was_set: Vec::new(),
        }
    }

    /// `GET /login` with parameters.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`], as of every request.
    pub async fn login(&mut self, parameters: &[(&str, &str)]) -> Result<Reached, NoAnswer> {
        self.visit("login", parameters).await
    }

    /// `GET` of a page with parameters.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`], as of every request.
    pub async fn visit(
        &mut self,
        page: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Reached, NoAnswer> {
        let service = parameters
            .iter()
            .find(|(name, _)| matches!(*name, "service" | "TARGET"))
            .map(|(_, value)| *value);
        let mut url = format!("{}/{page}", self.base);
        if !parameters.is_empty() {
            url = format!("{url}?{}", query_of(parameters));
        }
        self.go(Request::get(url), service).await
    }

    /// Fills in a form and sends it as a browser would; `change` sees the fields last.
    ///
    /// A form whose address is on another server than its page is not sent: it holds a password.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`], as of every request, and for such a form.
    pub async fn submit(
        &mut self,
        page: &Answer,
        form: &Form,
        (username, password): (&str, &str),
        service: Option<&str>,
        change: impl FnOnce(&mut Vec<(String, String)>),
    ) -> Result<Reached, NoAnswer> {
        let mut fields = form.untouched();
        for (field, value) in [
            (form.username_field(), username),
            (form.password_field(), password),
        ] {
            if let Some(field) = field
                && let Some(entry) = fields.iter_mut().find(|(name, _)| *name == field.name)
            {
                value.clone_into(&mut entry.1);
            }
        }
        change(&mut fields);
        let target = page
            .url
            .join(form.action.as_deref().unwrap_or_default())
            .map_err(|error| NoAnswer(format!("the form's action is no URL: {error}")))?;
        if target.origin() != page.url.origin() {
            return Err(NoAnswer(format!(
                "the login form would send the password to {}, which is not where it came from",
                target.origin().ascii_serialization()
            )));
        }
        let request = Request::get(target)
            .form(&fields)
            .header(REFERER_NAME, page.url.as_str())
            .header("origin", page.url.origin().ascii_serialization());
        self.go(request, service).await
    }

    /// Sends a request and follows redirects while they stay on the server.
    ///
    /// # Errors
    ///
    /// [`NoAnswer`] where there is no answer by HTTP, or redirects do not end.
    pub async fn go(
        &mut self,
        request: Request,
        service: Option<&str>,
    ) -> Result<Reached, NoAnswer> {
        let first = self.send(request).await?;
        let mut last = first.clone();
        for _ in 0..MOST_HOPS {
            let Some(location) = last.redirect() else {
                return Ok(Reached {
                    first,
                    last,
                    left: None,
                });
            };
            let next = last.url.join(&location);
            let stays = next.as_ref().is_ok_and(|next| {
                next.origin() == last.url.origin()
                    && !service.is_some_and(|service| leads_to(next, service))
            });
            match next {
                Ok(next) if stays => last = self.send(Request::get(next)).await?,
                _ => {
                    return Ok(Reached {
                        first,
                        last,
                        left: Some(location),
                    });
                }
            }
        }
        Err(NoAnswer(format!("redirected {MOST_HOPS} times, never out")))
    }

    async fn send(&mut self, request: Request) -> Result<Answer, NoAnswer> {
        let request = request
            .header(ACCEPT_NAME, "text/html,application/xhtml+xml")
            .header("sec-fetch-mode", "navigate")
            .header("sec-fetch-dest", "document")
            .header("sec-fetch-site", "none");
        let answer = self.agent.send(request, Some(&self.jar)).await?;
        for mut cookie in answer.cookies() {
            self.was_set.push(cookie.clone());
            // RFC 6265 §5.1.4: without a path, the folder of the page.
            if cookie.path.is_none() {
                let path = answer.url.path();
                let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
                cookie.path = Some(if folder.is_empty() { "/" } else { folder }.to_owned());
            }
            self.jar.keep(cookie);
        }
        Ok(answer)
    }
}

const MOST_HOPS: usize = 10;
const MOST_ADDRESS: usize = 16 * 1024;
const ACCEPT_NAME: &str = "accept";
const REFERER_NAME: &str = "referer";

/// The address is the service, whatever was added to its query.
pub fn leads_to(address: &Url, service: &str) -> bool {
    Url::parse(service).is_ok_and(|service| {
        service.origin() == address.origin() && service.path() == address.path()
    })
}

/// The value of a parameter in the query of an address, as text.
pub fn parameter(address: &str, name: &str) -> Option<String> {
    let before_fragment = address.split('#').next()?;
    let (_, query) = before_fragment.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// An address of the service with a ticket that a page sends the browser to by script, link or refresh.
fn address_in_page(page: &str, service: &str) -> Option<String> {
    let page = html::unescape(page).replace("\\/", "/");
    let start = service.split(['?', '#']).next()?;
    page.match_indices(start)
        .map(|(at, _)| {
            let most = page[at..].char_indices().nth(MOST_ADDRESS);
            let rest = &page[at..most.map_or(page.len(), |(length, _)| at + length)];
            let end =
                rest.find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | ';'));
            rest[..end.unwrap_or(rest.len())].to_owned()
        })
        .find(|address| parameter(address, "ticket").is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_found_in_an_address_or_a_page() {
        let service = "https://app.example.org/a?x=1";
        assert_eq!(
            parameter(
                "https://app.example.org/a?x=1&ticket=ST-1#f?ticket=no",
                "ticket"
            )
            .as_deref(),
            Some("ST-1")
        );
        assert_eq!(
            parameter("https://app.example.org/#?ticket=ST-1", "ticket"),
            None
        );
        let page = r#"<script>window.location.href="https:\/\/app.example.org\/a?x=1&ticket=ST-2";</script>"#;
        assert_eq!(
            address_in_page(page, service).as_deref(),
            Some("https://app.example.org/a?x=1&ticket=ST-2")
        );
        let page = r#"<a href="https://app.example.org/a?x=1&amp;ticket=ST-3">on</a>"#;
        assert_eq!(
            address_in_page(page, service).and_then(|address| parameter(&address, "ticket")),
            Some("ST-3".to_owned())
        );
        assert_eq!(
            address_in_page("<a href='https://app.example.org/a'>", service),
            None
        );
    }
}
