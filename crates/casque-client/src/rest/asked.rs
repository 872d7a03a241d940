//! A request of the REST protocol without its I/O: what to send, and what the answer means.

use bytes::Bytes;
use casque_proto::rest::{
    RestRequest, RestTgt, StCreated, TgtCreated, TgtDeleted, TgtFound, UserAuthenticated,
    refusal_words,
};
use casque_proto::{CasBase, ErrorClass, ReadError, ServiceTicket, ServiceUrl};
use http::Request;
use http::header::RETRY_AFTER;
use url::form_urlencoded;

use crate::ClientError;
use crate::exchange::{Answer, bounded};

/// How the answer to a request is read.
pub(super) type Read<T> = fn(&Answer) -> Result<T, ReadError>;

/// A request that is about to be sent.
pub(super) struct Asked {
    request: Request<Bytes>,
    sent: Sent,
}

/// What was asked, and what of it must be seen nowhere.
pub(super) struct Sent {
    what: What,
    secrets: Vec<String>,
}

#[derive(Clone, Copy)]
enum What {
    LogIn,
    ServiceTicket,
    Status,
    LogOut,
    Authenticate,
}

impl Asked {
    pub(super) fn log_in(
        base: &CasBase,
        username: &str,
        password: &str,
    ) -> Result<Self, ClientError> {
        let request = RestRequest::CreateTgt { username, password };
        Self::with_password(What::LogIn, &request, base, username, password)
    }

    pub(super) fn authenticate(
        base: &CasBase,
        username: &str,
        password: &str,
    ) -> Result<Self, ClientError> {
        let request = RestRequest::Authenticate { username, password };
        Self::with_password(What::Authenticate, &request, base, username, password)
    }

    pub(super) fn service_ticket(base: &CasBase, tgt: &RestTgt, service: &ServiceUrl) -> Self {
        let request = RestRequest::CreateSt { tgt, service };
        Self::with_tgt(What::ServiceTicket, &request, base, tgt)
    }

    pub(super) fn status(base: &CasBase, tgt: &RestTgt) -> Self {
        Self::with_tgt(What::Status, &RestRequest::FindTgt(tgt), base, tgt)
    }

    pub(super) fn log_out(base: &CasBase, tgt: &RestTgt) -> Self {
        Self::with_tgt(What::LogOut, &RestRequest::DeleteTgt(tgt), base, tgt)
    }

    pub(super) fn into_request(self) -> (Request<Bytes>, Sent) {
        (self.request, self.sent)
    }

    fn with_password(
        what: What,
        request: &RestRequest<'_>,
        base: &CasBase,
        username: &str,
        password: &str,
    ) -> Result<Self, ClientError> {
        for (name, value) in [("username", username), ("password", password)] {
            if value.is_empty() {
                return Err(ClientError::misuse(name, "it is empty"));
            }
        }
        let form: String = form_urlencoded::byte_serialize(password.as_bytes()).collect();
        let percent = form.replace('+', "%20");
        Ok(Self {
            request: request.request(base),
            sent: Sent {
                what,
                secrets: vec![password.to_owned(), form, percent],
            },
        })
    }

    fn with_tgt(what: What, request: &RestRequest<'_>, base: &CasBase, tgt: &RestTgt) -> Self {
        Self {
            request: request.request(base),
            sent: Sent {
                what,
                secrets: vec![tgt.secret().to_owned()],
            },
        }
    }
}

impl Sent {
    /// For a log.
    pub(super) fn name(&self) -> &'static str {
        match self.what {
            What::LogIn => "log_in",
            What::ServiceTicket => "service_ticket",
            What::Status => "status",
            What::LogOut => "log_out",
            What::Authenticate => "authenticate",
        }
    }

    pub(super) fn judge<T>(
        &self,
        answer: &Answer,
        base: &CasBase,
        read: Read<T>,
    ) -> Result<T, ClientError> {
        if let Some(redirected) = answer.redirected(base, |text| self.shown(text)) {
            return Err(redirected);
        }
        read(answer).map_err(|error| self.fault(answer, &error))
    }

    fn fault(&self, answer: &Answer, error: &ReadError) -> ClientError {
        let status = answer.status.as_u16();
        let class = error.class();
        match class {
            ErrorClass::AuthenticationFailed | ErrorClass::TgtNotFound | ErrorClass::Throttled => {
                ClientError::RestRefused {
                    class,
                    detail: self.meaning(class, answer),
                    message: self.shown(&refusal_words(&answer.body)),
                    status,
                }
            }
            _ => ClientError::Malformed {
                class,
                status,
                detail: self.shown(error.detail()),
            },
        }
    }

    fn meaning(&self, class: ErrorClass, answer: &Answer) -> String {
        let words = match (class, self.what) {
            (ErrorClass::Throttled, _) => {
                let wait = answer.headers.get(RETRY_AFTER);
                let seconds = wait.and_then(|wait| wait.to_str().ok()?.parse::<u32>().ok());
                return match seconds {
                    Some(seconds) => {
                        format!("there were too many attempts; it asks to wait {seconds} seconds")
                    }
                    None => "there were too many attempts; it asks to wait".to_owned(),
                };
            }
            (ErrorClass::TgtNotFound, _) => "the ticket-granting ticket has ended, so log in again",
            (_, What::LogIn | What::Authenticate) => "it does not take this user name and password",
            (_, What::ServiceTicket) => {
                "it gives no ticket for this service: the service is not registered there, or not open to this user"
            }
            (_, What::Status | What::LogOut) => "it does not take the request",
        };
        words.to_owned()
    }

    /// The server's words, made safe to be seen. Of a text that repeats a secret nothing is shown.
    fn shown(&self, text: &str) -> String {
        let repeats = self.secrets.iter().any(|secret| text.contains(secret));
        if repeats {
            return String::new();
        }
        bounded(text)
    }
}

pub(super) fn tgt(answer: &Answer) -> Result<RestTgt, ReadError> {
    TgtCreated::parse(answer.status.as_u16(), &answer.headers).map(|created| created.tgt().clone())
}

pub(super) fn service_ticket(answer: &Answer) -> Result<ServiceTicket, ReadError> {
    StCreated::parse(answer.status.as_u16(), &answer.body).map(|created| created.ticket().clone())
}

pub(super) fn found(answer: &Answer) -> Result<(), ReadError> {
    TgtFound::parse(answer.status.as_u16()).map(drop)
}

pub(super) fn deleted(answer: &Answer) -> Result<(), ReadError> {
    TgtDeleted::parse(answer.status.as_u16()).map(drop)
}

pub(super) fn user(answer: &Answer) -> Result<UserAuthenticated, ReadError> {
    UserAuthenticated::parse(answer.status.as_u16(), &answer.body)
}
