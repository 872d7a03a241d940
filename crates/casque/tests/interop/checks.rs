//! The checks. An application answers pages with JSON: the user and the attributes it was told.

use std::time::Duration;

use serde_json::Value;

use crate::{
    apps::App,
    clients::Client,
    matrix::{Check, Row},
    support::{
        served::Site,
        visitor::{Answer, Visitor},
    },
};

/// One check, and whoever went through it.
struct Examination<'a> {
    client: &'a Client,
    site: &'a Site,
    app: &'a App,
}

/// Puts a client to every check that it can be put to.
pub(crate) async fn put_to_the_checks(client: &Client) {
    let site = Site::new("memory:", "");
    let (app, _server) = App::start(client, &site);
    let mut row = Row::new(client.name, client.protocol, app.version.clone());
    let examination = Examination {
        client,
        site: &site,
        app: &app,
    };
    for check in Check::ALL {
        let cannot = client.cannot.iter().find(|(cannot, _)| *cannot == check);
        if let Some((_, reason)) = cannot {
            row.not_available(check, reason);
        } else {
            examination.put_to(check).await;
            row.passed(check);
        }
    }
    row.finish();
}

impl Examination<'_> {
    async fn put_to(&self, check: Check) {
        match check {
            Check::Login => self.login().await,
            Check::Attributes => self.attributes().await,
            Check::WrongPassword => self.wrong_password().await,
            Check::ForgedTicket => self.forged_ticket().await,
            Check::ReplayedTicket => self.replayed_ticket().await,
            Check::Logout => self.logout().await,
            Check::SingleLogout => self.single_logout().await,
            Check::Gateway => self.gateway().await,
            Check::Renew => self.renew().await,
            Check::Proxy => self.proxy().await,
        }
    }

    /// through the form and back to the very page, a query and all.
    async fn login(&self) {
        let page = self.app.page(&format!("/?{}", self.client.query));
        let mut visitor = self.app.visitor();
        let back = self.log_in(&mut visitor, &page).await;
        let inside = visitor.follow(back).await;
        assert_eq!(user(&inside).as_deref(), Some("alice"), "{}", inside.body);
        // And again, from the session of the application.
        let again = visitor.get(&self.app.page("/")).await;
        assert_eq!(user(&again).as_deref(), Some("alice"), "{}", again.body);
    }

    /// every value of every attribute.
    async fn attributes(&self) {
        let (_, inside) = self.signed_in().await;
        let told = json(&inside);
        let values = |name: &str| values(&told["attributes"][name]);
        assert_eq!(values("mail"), ["alice@example.org"], "{told}");
        assert_eq!(values("memberOf"), ["staff", "admin"], "{told}");
    }

    ///
    async fn wrong_password(&self) {
        let mut visitor = self.app.visitor();
        let form = self.form(&mut visitor, &self.app.page("/")).await;
        let wrong = visitor.log_in(&form, "alice", "not wonderland").await;
        assert_eq!(wrong.status, 401);
        assert!(self.outside(&mut visitor).await, "nobody is signed in");
        let back = visitor.log_in(&wrong, "alice", "wonderland").await;
        let inside = visitor.follow(back).await;
        assert_eq!(user(&inside).as_deref(), Some("alice"), "{}", inside.body);
    }

    /// a ticket that the server never issued signs nobody in.
    async fn forged_ticket(&self) {
        let (callback, ticket) = self.callback().await;
        let forged = callback.replace(&ticket, "ST-forged0123456789");
        self.gets_nowhere(&forged).await;
    }

    /// nor does one that has been used.
    async fn replayed_ticket(&self) {
        let (callback, _) = self.callback().await;
        let mut first = self.app.visitor();
        let back = first.get(&callback).await;
        let inside = first.follow(back).await;
        assert_eq!(user(&inside).as_deref(), Some("alice"), "{}", inside.body);
        self.gets_nowhere(&callback).await;
    }

    /// the application's own logout ends its session and the server's.
    async fn logout(&self) {
        let (mut visitor, _) = self.signed_in().await;
        let out = visitor.get(&self.app.page("/logout")).await;
        let out = visitor.follow(out).await;
        assert_eq!(out.status, 200, "{}", out.body);
        self.comes_out(&mut visitor).await;
        let again = visitor.get(&self.app.page("/")).await;
        let form = visitor.follow(again).await;
        assert!(self.is_form(&form), "{}: {}", form.url, form.body);
    }

    /// the server tells the application that the session has ended.
    async fn single_logout(&self) {
        let (mut visitor, _) = self.signed_in().await;
        let (mut other, _) = self.signed_in().await;
        let out = visitor.get(&format!("{}/logout", self.site.base_url)).await;
        assert_eq!(out.status, 200);
        self.comes_out(&mut visitor).await;
        assert!(!self.outside(&mut other).await, "another session goes on");
    }

    /// in if signed in at the server, and else let alone.
    async fn gateway(&self) {
        let page = self.app.page("/gateway");
        let mut nobody = self.app.visitor();
        let sent = nobody.get(&page).await;
        let seen = nobody.follow(sent).await;
        assert_eq!(seen.status, 200, "{}: {}", seen.url, seen.body);
        assert!(seen.url.starts_with(&page), "{}", seen.url);
        assert_eq!(user(&seen), None, "{}", seen.body);

        let mut somebody = self.signed_in_at_the_server().await;
        let sent = somebody.get(&page).await;
        let inside = somebody.follow(sent).await;
        assert_eq!(user(&inside).as_deref(), Some("alice"), "{}", inside.body);
    }

    /// credentials in spite of the session, and no ticket that single sign-on gave.
    async fn renew(&self) {
        let page = self.app.page("/renew");
        let mut visitor = self.signed_in_at_the_server().await;
        let back = self.log_in(&mut visitor, &page).await;
        let inside = visitor.follow(back).await;
        assert_eq!(user(&inside).as_deref(), Some("alice"), "{}", inside.body);

        if self.client.renew_is_validated {
            let mut visitor = self.signed_in_at_the_server().await;
            let login = visitor
                .get(&page)
                .await
                .location()
                .expect("the server's form");
            let given = visitor
                .get(&login.replace("renew=true", "warn=false"))
                .await;
            let callback = given.location().expect("a ticket by single sign-on");
            self.gets_nowhere(&callback).await;
        }
    }

    /// a proxy ticket that names the user, and who asks for them.
    async fn proxy(&self) {
        const TARGET: &str = "http://127.0.0.1:9/behind?a=1";
        let target: String = url::form_urlencoded::byte_serialize(TARGET.as_bytes()).collect();
        let mut visitor = self.signed_in_at_the_server().await;
        let sent = visitor
            .get(&self.app.page(&format!("/proxy?target={target}")))
            .await;
        let given = visitor.follow(sent).await;
        let told = json(&given);
        let ticket = told["ticket"].as_str().unwrap_or_else(|| panic!("{told}"));
        let validated = visitor
            .get(&format!(
                "{}/proxyValidate?service={target}&ticket={ticket}",
                self.site.base_url
            ))
            .await;
        for part in ["<cas:user>alice</cas:user>", "/callback</cas:proxy>"] {
            assert!(validated.body.contains(part), "{part}: {}", validated.body);
        }
    }

    /// Somebody who has logged in at the application, and what they saw then.
    async fn signed_in(&self) -> (Visitor, Answer) {
        let mut visitor = self.app.visitor();
        let back = self.log_in(&mut visitor, &self.app.page("/")).await;
        let inside = visitor.follow(back).await;
        assert_eq!(user(&inside).as_deref(), Some("alice"), "{}", inside.body);
        (visitor, inside)
    }

    /// Somebody whom the application has not seen yet.
    async fn signed_in_at_the_server(&self) -> Visitor {
        let mut visitor = self.app.visitor();
        let form = visitor.get(&format!("{}/login", self.site.base_url)).await;
        visitor.log_in(&form, "alice", "wonderland").await;
        visitor
    }

    /// A redirect back to the application that nobody has followed, and its ticket.
    async fn callback(&self) -> (String, String) {
        let back = self
            .log_in(&mut self.app.visitor(), &self.app.page("/"))
            .await;
        let ticket = back.ticket().expect("a ticket");
        (back.location().expect("a redirect"), ticket)
    }

    async fn form(&self, visitor: &mut Visitor, page: &str) -> Answer {
        let sent = visitor.get(page).await;
        assert!(
            sent.status.is_redirection(),
            "{}: {}",
            sent.status,
            sent.body
        );
        let form = visitor.follow(sent).await;
        assert!(self.is_form(&form), "{}: {}", form.url, form.body);
        form
    }

    /// Goes to a page and through the form; gives the redirect back.
    async fn log_in(&self, visitor: &mut Visitor, page: &str) -> Answer {
        let form = self.form(visitor, page).await;
        let back = visitor.log_in(&form, "alice", "wonderland").await;
        assert!(back.ticket().is_some(), "{}: {}", back.status, back.body);
        back
    }

    fn is_form(&self, answer: &Answer) -> bool {
        answer
            .url
            .starts_with(&format!("{}/login", self.site.base_url))
            && answer.body.contains("type=\"password\"")
    }

    /// Somebody new who comes with that is not let in.
    async fn gets_nowhere(&self, url: &str) {
        let mut stranger = self.app.visitor();
        let answer = stranger.get(url).await;
        assert!(is_outside(&answer), "{}", answer.body);
        assert!(self.outside(&mut stranger).await, "no session came of it");
    }

    async fn outside(&self, visitor: &mut Visitor) -> bool {
        let answer = visitor.get(&self.app.page("/")).await;
        is_outside(&answer)
    }

    /// The message goes out behind the page; the session at the application ends when it arrives.
    async fn comes_out(&self, visitor: &mut Visitor) {
        let comes_out = async { while !self.outside(visitor).await {} };
        let limit = Duration::from_secs(30);
        let told = tokio::time::timeout(limit, comes_out).await;
        told.expect("the application ends the session");
    }
}

/// The values of an attribute: a list, or text as it is or with commas.
fn values(told: &Value) -> Vec<String> {
    match told {
        Value::String(text) => text.split(',').map(str::to_owned).collect(),
        Value::Array(list) => list.iter().flat_map(values).collect(),
        _ => Vec::new(),
    }
}

fn is_outside(answer: &Answer) -> bool {
    answer.status != 200 || user(answer).is_none()
}

fn json(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body)
        .unwrap_or_else(|_| panic!("{} {}: {}", answer.url, answer.status, answer.body))
}

/// Who the application says is in; none where it says something else.
fn user(answer: &Answer) -> Option<String> {
    let told: Value = serde_json::from_str(&answer.body).ok()?;
    let user = told["user"].as_str().filter(|user| !user.is_empty());
    user.map(str::to_owned)
}
