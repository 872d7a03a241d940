//! Where a browser goes after login: only ever back to a page of the application itself (S-041).

use percent_encoding::percent_decode_str;
use url::Url;

use crate::encode::{raw_name, split};
use crate::registry_url::{
    Parts, check_characters, check_printable, holds_dots_or_controls, names_ticket,
};
use crate::service_url::{ServiceUrlError, join};

/// The application that a return-to target must belong to.
///
/// ```
/// # use casque_proto::return_to::{check, Decision, ReturnToRules};
/// let rules = ReturnToRules::new("https://app.example.org")?.callback_path("/cas/callback");
/// assert_eq!(check("/inbox?page=2", &rules), Decision::Accept("https://app.example.org/inbox?page=2".into()));
/// assert_eq!(check("//evil.example/", &rules), Decision::Fallback("https://app.example.org/".into()));
/// # Ok::<(), casque_proto::ServiceUrlError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnToRules {
    origin: Parts,
    callback_paths: Vec<String>,
    landing: String,
}

impl ReturnToRules {
    /// Rules for an application at `own_origin`, such as `https://app.example.org`: configured, never read from a request.
    ///
    /// Its landing page is `/`.
    ///
    /// # Errors
    ///
    /// [`ServiceUrlError`] where this is not a strictly written `http` or `https` origin.
    pub fn new(own_origin: &str) -> Result<Self, ServiceUrlError> {
        let origin = Parts::parse(own_origin)?;
        if origin.path != "/" || origin.query.is_some() {
            return Err(ServiceUrlError::Path);
        }
        Ok(Self {
            origin,
            callback_paths: Vec::new(),
            landing: "/".to_owned(),
        })
    }

    /// A path that receives tickets: going there again would loop. May be given several times.
    #[must_use]
    pub fn callback_path(mut self, path: &str) -> Self {
        self.callback_paths.push(plain(path));
        self
    }

    /// The path and query to fall back to, such as `/app/` behind a path prefix. Ignored where it breaks the rules itself.
    #[must_use]
    pub fn landing(mut self, landing: &str) -> Self {
        if self.accept(landing).is_some() {
            landing.clone_into(&mut self.landing);
        }
        self
    }

    /// The address of a target that follows the rules.
    fn accept(&self, target: &str) -> Option<String> {
        check_characters(target).ok()?;
        let (before, query, fragment) = split(target);
        let absolute = if before.starts_with('/') {
            format!("{}{before}", self.origin.origin())
        } else {
            before.to_owned()
        };
        // The fragment is not part of the strict syntax; it never reaches a server.
        let parts = Parts::of_any_length(&join(&absolute, query, None)).ok()?;
        let path = (parts.origin() == self.origin.origin()).then_some(parts.path)?;
        if !self.path_is_ours(&path)
            || query.is_some_and(|query| {
                query
                    .split(['&', ';'])
                    .any(|piece| names_ticket(raw_name(piece)))
            })
        {
            return None;
        }
        let location = join(&format!("{}{path}", self.origin.origin()), query, fragment);
        // The limit is on the target: the origin put in front of a rooted one does not count.
        check_printable(&location).ok()?;
        // The last word belongs to the parser that browsers share.
        let read = Url::parse(&location).ok()?;
        let same_origin = Url::parse(&self.origin.origin()).ok()?.origin() == read.origin();
        (same_origin && read.path() == path).then_some(location)
    }

    /// Judges every stage of decoding, since somebody behind us may decode once more.
    fn path_is_ours(&self, path: &str) -> bool {
        let mut stage = path.to_owned();
        for _ in 0..=DECODING_ROUNDS {
            let rooted_twice = stage.starts_with("//") || stage.starts_with("/\\");
            if rooted_twice
                || holds_dots_or_controls(&stage)
                || self.callback_paths.contains(&plain(&stage))
            {
                return false;
            }
            let bytes: Vec<u8> = percent_decode_str(&stage).collect();
            let decoded = String::from_utf8_lossy(&bytes).into_owned();
            if decoded == stage {
                return true;
            }
            stage = decoded;
        }
        // Still changing after four rounds: nobody writes that by accident.
        false
    }
}

/// What becomes of a target. Both hold an absolute address of the application.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a decision is one of the two")]
pub enum Decision {
    /// The target, as an absolute address.
    Accept(String),
    /// The landing page, because the target breaks a rule.
    Fallback(String),
}

impl Decision {
    /// Where to send the browser.
    pub fn location(&self) -> &str {
        match self {
            Self::Accept(location) | Self::Fallback(location) => location,
        }
    }

    /// Where to send the browser.
    pub fn into_location(self) -> String {
        match self {
            Self::Accept(location) | Self::Fallback(location) => location,
        }
    }

    /// Whether the target was accepted.
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accept(_))
    }
}

/// Decides about a return-to target: an absolute address of the own origin, or a path from its root.
pub fn check(target: &str, rules: &ReturnToRules) -> Decision {
    match rules.accept(target) {
        Some(location) => Decision::Accept(location),
        None => Decision::Fallback(format!("{}{}", rules.origin.origin(), rules.landing)),
    }
}

/// A path as routers that forgive much would see it: no parameters, no doubled or trailing slashes.
fn plain(path: &str) -> String {
    let mut plain = String::with_capacity(path.len());
    for segment in path
        .split('/')
        .map(|segment| segment.split_once(';').map_or(segment, |(name, _)| name))
    {
        if !segment.is_empty() {
            plain.push('/');
            plain.push_str(segment);
        }
    }
    plain
}

const DECODING_ROUNDS: usize = 4;
