//! What an operator may ask and do about sessions, with the server running or not.

use std::time::SystemTime;

use casque_store::StoreError;

use crate::{journal::Ended, server::Server, sso::Session};

/// A live single sign-on session, as an operator sees it. Nothing in it signs anyone in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Names the session: 64 hexadecimal digits.
    pub id: String,
    /// Whose it is.
    pub user: String,
    /// When the password was checked.
    pub since: SystemTime,
    /// When it ends at the latest.
    pub ends: SystemTime,
    /// When it ends if it is not used.
    pub ends_unused: SystemTime,
    /// It outlives the browser.
    pub remembered: bool,
}

impl SessionView {
    fn of((session, ends_unused): (Session, SystemTime)) -> Self {
        Self {
            id: session.id,
            user: session.user,
            since: session.authenticated,
            ends: session.ends,
            ends_unused,
            remembered: session.choices.remembered,
        }
    }
}

impl Server {
    /// Looks through all live sessions, page by page. One may come twice.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    pub async fn each_session(&self, mut each: impl FnMut(SessionView)) -> Result<(), StoreError> {
        let state = self.state();
        let mut cursor = None;
        loop {
            let (sessions, next) = state.sessions.page(cursor.as_ref()).await?;
            sessions
                .into_iter()
                .map(SessionView::of)
                .for_each(&mut each);
            cursor = next;
            if cursor.is_none() {
                return Ok(());
            }
        }
    }

    /// The addresses of the services that will be told when a session ends.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    pub async fn services_of_session(&self, id: &str) -> Result<Vec<String>, StoreError> {
        self.state().sessions.visited(id).await
    }

    /// Ends a session and begins to tell its services; see
    /// [`finish_logout_messages`](Self::finish_logout_messages). Tells whether it was there.
    ///
    /// # Errors
    ///
    /// Where the store does not answer.
    pub async fn end_session(&self, id: &str) -> Result<bool, StoreError> {
        let state = self.state();
        let Some(session) = state.sessions.by_id(id).await? else {
            return Ok(false);
        };
        state.end_session(&session, Ended::Operator, None).await?;
        Ok(true)
    }
}
