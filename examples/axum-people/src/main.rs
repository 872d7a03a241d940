//! Goes further than the seed: people live in a database. A person is created at first login, and
//! keeps what they wrote about themselves.
//!
//! Settings are `CAS_PROVIDER`, `SERVICE_URL` and `LOGIN_URL`, from the environment or `.env`.

mod pages;
mod people;

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Form, FromRef, FromRequestParts, OptionalFromRequestParts, State};
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use casque_axum::{Cas, CasUser, Rule};
use serde::Deserialize;
use tokio::net::TcpListener;

use crate::people::{People, Person};

/// Whoever is signed in, with their row in the database. On whichever page they arrive, it is there.
struct Member(Person);

impl Member {
    async fn of<S>(user: CasUser, state: &S) -> Result<Self, Response>
    where
        Arc<People>: FromRef<S>,
    {
        let people = Arc::<People>::from_ref(state);
        let person = in_background(move || {
            people.at_login(user.name(), user.attribute("mail").unwrap_or_default())
        })
        .await?;
        Ok(Self(person))
    }
}

/// `Member` needs a login, as `CasUser` does.
impl<S> FromRequestParts<S> for Member
where
    S: Send + Sync,
    Arc<People>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let user = <CasUser as FromRequestParts<S>>::from_request_parts(parts, state)
            .await
            .map_err(IntoResponse::into_response)?;
        Self::of(user, state).await
    }
}

/// `Option<Member>` asks for nothing.
impl<S> OptionalFromRequestParts<S> for Member
where
    S: Send + Sync,
    Arc<People>: FromRef<S>,
{
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Option<Self>, Response> {
        let Ok(user) =
            <CasUser as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await;
        match user {
            Some(user) => Self::of(user, state).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn homepage(member: Option<Member>) -> Html<String> {
    let name = member.as_ref().map(|Member(person)| person.name.as_str());
    Html(pages::home(name))
}

async fn profile(Member(person): Member) -> Html<String> {
    Html(pages::profile(&person))
}

#[derive(Deserialize)]
struct About {
    about: String,
}

/// A form from another site arrives without the session cookie, which is `SameSite=Lax`.
async fn save(
    State(people): State<Arc<People>>,
    Member(person): Member,
    Form(About { about }): Form<About>,
) -> Result<Redirect, Response> {
    in_background(move || people.set_about(&person.name, &about)).await?;
    Ok(Redirect::to("/profile"))
}

async fn directory(State(people): State<Arc<People>>, _: Member) -> Result<Html<String>, Response> {
    let people = in_background(move || people.all()).await?;
    Ok(Html(pages::directory(&people)))
}

fn router(cas: &Cas, people: Arc<People>) -> Router {
    let for_staff = Router::new()
        .route("/people", get(directory))
        .layer(cas.require().rule(Rule::equal("memberOf", "staff")));
    Router::new()
        .route("/", get(homepage))
        .route("/profile", get(profile))
        .route("/profile", post(save))
        .merge(for_staff)
        .layer(cas.layer())
        .with_state(people)
}

/// Runs a query where it may block.
async fn in_background<T: Send + 'static>(
    query: impl FnOnce() -> rusqlite::Result<T> + Send + 'static,
) -> Result<T, Response> {
    match tokio::task::spawn_blocking(query).await {
        Ok(Ok(found)) => Ok(found),
        _ => Err(axum::http::StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cas = Cas::from_env()?;
    let people = People::open("people.db").context("people.db cannot be opened")?;
    let listener = TcpListener::bind("127.0.0.1:5000")
        .await
        .context("port 5000 is in use")?;
    axum::serve(listener, router(&cas, Arc::new(people))).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use casque_testkit::FakeCas;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    /// A browser: it keeps cookies.
    struct Browser {
        router: Router,
        cookies: Vec<String>,
    }

    impl Browser {
        async fn send(
            &mut self,
            request: axum::http::request::Builder,
            body: &str,
        ) -> (StatusCode, String, String) {
            let request = request
                .header("accept", "text/html")
                .header("cookie", self.cookies.join("; "))
                .body(Body::from(body.to_owned()))
                .unwrap();
            let response = self.router.clone().oneshot(request).await.unwrap();
            let (parts, body) = response.into_parts();
            for cookie in parts.headers.get_all("set-cookie") {
                let pair = cookie.to_str().unwrap().split(';').next().unwrap();
                let name = pair.split('=').next().unwrap();
                self.cookies
                    .retain(|kept| !kept.starts_with(&format!("{name}=")));
                self.cookies.push(pair.to_owned());
            }
            let location = parts
                .headers
                .get("location")
                .map(|value| value.to_str().unwrap().to_owned());
            let text = body.collect().await.unwrap().to_bytes();
            (
                parts.status,
                location.unwrap_or_default(),
                String::from_utf8(text.to_vec()).unwrap(),
            )
        }

        async fn get(&mut self, target: &str) -> (StatusCode, String, String) {
            self.send(Request::get(target), "").await
        }

        async fn log_in(&mut self, server: &FakeCas, user: &str) {
            let (status, location, _) = self.get("/profile").await;
            assert_eq!(status, StatusCode::SEE_OTHER);
            assert!(location.starts_with(server.base_url()), "{location}");
            let ticket = server.grant("http://localhost:5000/cas/callback", user);
            let target = format!("/cas/callback?ticket={}", ticket.secret());
            assert_eq!(self.get(&target).await.1, "http://localhost:5000/profile");
        }
    }

    #[tokio::test]
    async fn a_person_is_created_at_first_login_and_kept() {
        let server = FakeCas::start();
        let folder = tempfile::tempdir().unwrap();
        let people = Arc::new(People::open(folder.path().join("people.db")).unwrap());
        let cas = Cas::builder()
            .provider(server.base_url())
            .service_base("http://localhost:5000")
            .build()
            .unwrap();
        let browser = || Browser {
            router: router(&cas, Arc::clone(&people)),
            cookies: Vec::new(),
        };
        assert!(people.all().unwrap().is_empty());

        let mut alice = browser();
        assert!(alice.get("/").await.2.contains("Log in"));
        alice.log_in(&server, "alice").await;
        assert!(alice.get("/profile").await.2.contains("alice@example.org"));
        assert_eq!(people.all().unwrap().len(), 1);

        let save = || {
            Request::post("/profile").header("content-type", "application/x-www-form-urlencoded")
        };
        let (status, _, _) = alice.send(save(), "about=%3Cb%3Ehello").await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        let mut again = browser();
        again.log_in(&server, "alice").await;
        assert!(again.get("/profile").await.2.contains("&lt;b&gt;hello"));
        assert_eq!(people.all().unwrap().len(), 1, "the same person");
        assert!(again.get("/people").await.2.contains("alice"));

        let mut bob = browser();
        bob.log_in(&server, "bob").await;
        assert!(bob.get("/").await.2.contains("You are bob"));
        assert_eq!(people.all().unwrap().len(), 2, "created on any page");
        assert_eq!(
            bob.get("/people").await.0,
            StatusCode::FORBIDDEN,
            "not of the staff"
        );
        let (status, ..) = browser().send(save(), "about=x").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "nobody is signed in");
        assert_eq!(people.all().unwrap().len(), 2);
    }
}
